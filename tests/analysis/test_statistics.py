from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.histogram import histogram
from analysis.statistics import (
    clip_factor,
    clipped,
    clipped_histogram,
    mean_of_frames,
    robust_std,
    weighted_mean,
)


@pytest.mark.parametrize("sigma", [2.5, 3.0, 5.0])
@pytest.mark.parametrize("whole", [False, True])
def test_clipped_is_unbiased_and_its_errors_are_right(sigma: float, whole: bool) -> None:
    rng, runs, n = np.random.default_rng(11), 400, 2000
    truth = sqrt(1.5**2 + (1 / 12 if whole else 0.0))
    pulls = []
    for _ in range(runs):
        values = rng.normal(100.3, 1.5, n)
        c = clipped(np.rint(values).astype(np.uint16) if whole else values, sigma)
        pulls.append(((c.mean - 100.3) / c.mean_error, (c.std - truth) / c.std_error))
    for pull in np.array(pulls).T:
        assert abs(pull.mean()) < 4.0 / sqrt(runs)
        assert abs(pull.std() - 1.0) < 4.0 / sqrt(2 * runs)


def test_outliers_do_not_move_it() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(1000.0, 4.0, 100_000)
    values[:500] = 60_000.0
    values[500:600] = 0.0
    c = clipped(np.rint(values).astype(np.uint16))
    assert abs(c.mean - 1000.0) < 5 * c.mean_error
    assert abs(c.std - sqrt(16 + 1 / 12)) < 5 * c.std_error
    assert c.n_total == 100_000 and c.n < 99_400


def test_one_pass_factor_is_that_of_the_truncated_normal_and_iteration_clips_deeper() -> None:
    assert 1 / clip_factor(3.0) == pytest.approx(1.0136, abs=5e-5)
    assert 1 / clip_factor(2.0) == pytest.approx(1.137, abs=5e-4)
    assert clip_factor(3.0, None) < clip_factor(3.0, 2) < clip_factor(3.0, 1)
    x = np.random.default_rng(2).normal(0.0, 1.0, 1_000_000)
    for _ in range(50):
        x = x[np.abs(x - x.mean()) <= 2.5 * x.std()]
    assert x.std() == pytest.approx(clip_factor(2.5, None), abs=5e-3)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60))
def test_histogram_is_exact(values: list[int]) -> None:
    found = histogram(np.array(values, dtype=np.uint16))
    assert found.n == len(values)
    assert found.low == min(values) and found.levels[-1] == max(values)
    assert found.quantile(0.5) == np.median(values)
    assert float(found.counts @ found.levels) == sum(values)
    assert found.plus(found).n == 2 * len(values)


@given(st.lists(st.integers(-300, 300), min_size=1, max_size=80), st.sampled_from([2.5, 3.0, 5.0]))
def test_clipped_of_any_integers_stays_within_them(values: list[int], sigma: float) -> None:
    c = clipped(np.array(values, dtype=np.int32), sigma)
    assert min(values) - 1 <= c.mean <= max(values) + 1
    assert min(values) <= c.median <= max(values)
    assert np.isfinite([c.std, c.mean_error, c.std_error]).all()
    assert 1 <= c.n <= c.n_total == len(values)
    assert c == clipped_histogram(histogram(np.array(values)), sigma)


def test_noise_narrower_than_a_step_is_not_clipped_away() -> None:
    rng = np.random.default_rng(3)
    values = np.rint(rng.normal(100.0, 0.3, 20_000)).astype(np.uint16)
    assert clipped(values).std == pytest.approx(values.std(), rel=0.02)


def test_not_a_number_is_left_out_and_nothing_left_is_an_error() -> None:
    values = np.array([1.0, 2.0, np.nan, 3.0, np.inf, -np.inf])
    assert clipped(values).n_total == 3
    assert robust_std(values) == pytest.approx(1.4826, rel=1e-4)
    for nothing in (np.array([]), np.array([np.nan, np.inf]), np.array([], dtype=np.uint16)):
        with pytest.raises(ValueError):
            clipped(nothing)


@pytest.mark.parametrize(("sigma", "rounds"), [(1.5, 5), (float("nan"), 5), (3.0, 0)])
def test_senseless_clipping_is_refused(sigma: float, rounds: int) -> None:
    with pytest.raises(ValueError):
        clipped(np.arange(10), sigma, rounds)


def test_constant_values_have_no_scatter() -> None:
    for values in (np.full(50, 7, np.uint16), np.full(50, 7.25)):
        c = clipped(values)
        assert (c.mean, c.std, c.n) == (values[0], 0.0, 50)


def test_weighted_mean_against_its_formula() -> None:
    mean, error = weighted_mean([1.0, 3.0], [1.0, 2.0])
    assert mean == pytest.approx((1.0 + 3.0 / 4) / 1.25)
    assert error == pytest.approx(1 / sqrt(1.25))
    for values, errors in (([1.0], [0.0]), ([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(ValueError):
            weighted_mean(values, errors)


def test_frames_that_differ_are_told_and_widen_the_error() -> None:
    rng = np.random.default_rng(8)
    for scatter, differ in ((0.0, False), (1.0, True)):
        values = 10 + rng.normal(0, 0.1, 8) + rng.normal(0, scatter, 8)
        mean, error, found = mean_of_frames(list(values), [0.1] * 8)
        assert found is differ
        assert mean == pytest.approx(values.mean())
        if not differ:
            assert error == pytest.approx(0.1 / sqrt(8))
        else:
            assert error > values.std(ddof=1) / sqrt(8)
