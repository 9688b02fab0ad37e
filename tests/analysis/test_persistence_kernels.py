"""Compiled passes of persistence against their plain twins in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.masks import BITS
from analysis.persistence import residual_kernels
from analysis.persistence.averages import by_level, quantiles, settled
from analysis.statistics import clipped

SHAPES = [(64, 64), (71, 45), (33, 130)]
FULL, LOST = BITS["saturated"], BITS["no-value"] | BITS["uncorrected"]


def scene(
    shape: tuple[int, int], frames: int, seed: int = 3
) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """Frames of noise about 20 ADU with some struck, saturated and lost pixels."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(frames):
        values = rng.normal(20.0, 3.0, shape).astype(np.float32)
        values[rng.random(shape) < 0.01] += 500.0
        mask = np.where(rng.random(shape) < 0.03, FULL, 0).astype(np.int32)
        mask |= np.where(rng.random(shape) < 0.05, BITS["no-value"], 0).astype(np.int32)
        values[(mask & BITS["no-value"]) != 0] = np.nan
        out.append((values, mask))
    return out


@pytest.mark.parametrize("shape", SHAPES)
def test_exposures_are_noted_as_by_whole_arrays(shape: tuple[int, int]) -> None:
    level, lit, valid = np.zeros(shape, np.float32), np.zeros(shape, bool), np.zeros(shape, bool)
    level2, lit2, valid2 = level.copy(), lit.copy(), valid.copy()
    for values, mask in scene(shape, 3):
        n = residual_kernels.expose(values, mask, np.int32(LOST), np.int32(FULL), np.float32(510.0), level, lit, valid)  # fmt: skip
        good = (mask & LOST) == 0
        over = good & (((mask & FULL) != 0) | (values >= 510.0))
        np.maximum(level2, values, out=level2, where=good)
        lit2 |= over
        valid2 |= good
        assert n == over.sum() > 0
    assert np.array_equal(level, level2) and np.array_equal(lit, lit2) and np.array_equal(valid, valid2)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_reference_leaves_out_one_value_that_stands_out(shape: tuple[int, int]) -> None:
    frames = scene(shape, 4)
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.uint16)
    highest = np.full(shape, -np.inf, np.float32)
    for values, mask in frames:
        residual_kernels.add(values, mask, total, highest, count)
    residual_kernels.unstruck(total, highest, count, np.float32(3.0), np.float32(0.5), np.float32(5.0))
    values = np.array([np.where(m == 0, v, np.nan) for v, m in frames], np.float64)
    n = np.isfinite(values).sum(axis=0)
    sums, top = np.nansum(values, axis=0), np.max(np.where(np.isfinite(values), values, -np.inf), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        others = (sums - top) / (n - 1)
        sigma = np.sqrt((9.0 + 0.5 * np.maximum(others, 0.0)) * n / (n - 1))
        struck = (n > 1) & (top - others > 5.0 * sigma)
        expected = np.where(struck, others, sums / n)
    assert struck.any()
    np.testing.assert_allclose(total, expected, rtol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_squares_add_what_lies_within_the_bounds(shape: tuple[int, int]) -> None:
    (values, mask), (mean, _) = scene(shape, 2)
    mean = np.nan_to_num(mean)
    left = values.copy()
    residual_kernels.less(left, mask, mean)
    expected = np.where(mask == 0, values - mean, np.float32(np.nan))
    assert np.array_equal(left, expected, equal_nan=True)
    used = np.random.default_rng(1).random(shape) < 0.7
    found = residual_kernels.tile_sums(left, used, 32, np.float32(-15.0), np.float32(16.0), np.float32(0.25))
    with np.errstate(invalid="ignore"):
        good = used & (left >= -15.0) & (left <= 16.0)
    off = np.where(good, left - np.float32(0.25), 0.0).astype(np.float64)
    for k, of in enumerate((good.astype(np.float64), off, off**2)):
        rows = np.add.reduceat(of, np.arange(0, shape[0], 32), axis=0)
        np.testing.assert_allclose(
            found[k], np.add.reduceat(rows, np.arange(0, shape[1], 32), axis=1), rtol=1e-12, atol=1e-9
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_bins_of_level_hold_what_whole_arrays_do(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(8)
    values, level = scene(shape, 1)[0][0], rng.uniform(0.0, 120.0, shape).astype(np.float32)
    some = np.empty((5, 100_000), np.float32)
    n = residual_kernels.some_of_bins(values, level, np.float32(2.0), np.float32(0.04), some)
    bins = np.minimum((level * np.float32(0.04)).astype(int), 4)
    used = np.isfinite(values) & (level > 2.0)
    low, high = np.full(5, 10.0, np.float32), np.full(5, 30.0, np.float32)
    sums = residual_kernels.by_bin(values, level, np.float32(2.0), np.float32(0.04), low, high, np.full(5, 20.0, np.float32))  # fmt: skip
    for k in range(5):
        here = values[used & (bins == k)]
        assert np.array_equal(some[k, : n[k]], here)
        off = (here[(here >= 10.0) & (here <= 30.0)] - np.float32(20.0)).astype(np.float64)
        at = level[used & (bins == k)].astype(np.float64)
        expected = [off.size, off.sum(), (off**2).sum(), at.sum(), at.size]
        np.testing.assert_allclose(sums[:, k], expected, rtol=1e-12, atol=1e-9)


def test_of_full_bins_pixels_are_taken_evenly() -> None:
    values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    some = np.empty((2, 64), np.float32)
    n = residual_kernels.some_of_bins(values, np.ones((100, 100), np.float32), np.float32(0.0), np.float32(1.0), some)  # fmt: skip
    assert n[0] == 0 and 32 <= n[1] <= 64
    assert np.array_equal(some[1, : n[1]], 256.0 * np.arange(n[1]))


def test_of_many_pixels_clipping_agrees_with_that_to_the_end() -> None:
    """Both are unbiased estimates of one distribution from nearly the same pixels: they differ by far less than their error."""
    rng = np.random.default_rng(5)
    values = rng.normal(40.0, 6.0, 300_000).astype(np.float32)
    values[rng.random(values.size) < 1e-3] += 4000.0
    for sigma in (3.0, 5.0):
        found, whole = settled(values, sigma), clipped(values, sigma)
        assert found.mean == pytest.approx(whole.mean, abs=0.2 * whole.mean_error)
        assert found.std == pytest.approx(whole.std, abs=0.3 * whole.std_error)


def test_residuals_by_level_are_those_of_each_level_alone() -> None:
    rng = np.random.default_rng(6)
    level = rng.uniform(0.0, 110.0, (400, 500)).astype(np.float32)
    left = (rng.normal(1.0, 3.0, level.shape) + 0.1 * level).astype(np.float32)
    left[rng.random(level.shape) < 1e-3] += 900.0
    found = by_level(left, 1.0, level, 100.0, 4, 5.0)
    assert len(found) == 5
    for (at, value, error, n), k in zip(found, range(5), strict=True):
        used = (level > 2.0) & (np.minimum((level * np.float32(0.04)).astype(int), 4) == k)
        core = clipped(left[used], 5.0)
        assert at == pytest.approx(level[used].mean(dtype=np.float64), rel=1e-9)
        assert value == pytest.approx(core.mean - 1.0, abs=0.2 * error)
        assert error == pytest.approx(core.mean_error, rel=0.02) and abs(n - core.n) < 1e-3 * core.n


def test_a_median_of_values_in_steps_scatters_as_that_of_any() -> None:
    """Noise of 4.4 ADU in thirds of an ADU: of 1500 pixels a plain median scatters 1.2 times as much, by the variance of the step."""
    rng = np.random.default_rng(12)
    n, sigma, trials = 1500, 4.4, 800
    off = []
    for level, offset in rng.uniform(-1.0, 1.0, (trials, 2)):
        held = np.rint(3.0 * (level + rng.normal(0.0, sigma, n))) / 3.0 + offset
        off.append(float(quantiles(held.astype(np.float32), (0.5,))[0]) - offset - level)
    scatter = float(np.std(off, ddof=1))
    expected = np.sqrt(np.pi / 2.0 / n) * np.hypot(sigma, 1.0 / np.sqrt(108.0))
    assert scatter == pytest.approx(expected, rel=4.0 / np.sqrt(2.0 * trials))


def test_quantiles_of_few_steps_and_of_none_are_plain() -> None:
    few = np.array([40.0] * 298 + [500.0] * 2, np.float32)
    assert quantiles(few, (0.5,))[0] == 40.0
    values = np.random.default_rng(3).normal(0.0, 100.0, 4001).astype(np.float32)
    plain = np.quantile(values.astype(np.float64), (0.2, 0.5, 0.9))
    np.testing.assert_allclose(quantiles(values, (0.2, 0.5, 0.9)), plain, atol=0.2)
