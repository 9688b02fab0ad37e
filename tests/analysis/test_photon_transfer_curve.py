"""The curve's models: fits whose pulls are standard normal, turnoffs where they are, pairs that give the gain."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.photon_transfer.curve import (
    CurveFit,
    Model,
    exponential,
    fit_curve,
    gain_of_pairs,
    quadratic,
)
from analysis.photon_transfer.full_well import blooming, model_range, turnoff

GAIN, A00, NOISE2 = 3.1, -2.0e-6, 16.0
PIXELS = 40_000
LEVELS = np.geomspace(100.0, 40_000.0, 14)


def sampled(
    rng: np.random.Generator, truth: NDArray[np.float64], n: int = PIXELS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances as n pixels sample them, with the errors that the sample itself would state."""
    variances = truth * rng.chisquare(n - 1, truth.size) / (n - 1)
    return variances, variances * sqrt(2.0 / (n - 1))


def test_models_agree_at_low_levels_and_through_no_curvature() -> None:
    levels = np.array([10.0, 100.0, 1000.0])
    assert np.allclose(exponential(levels, GAIN, 0.0, 4.0), levels / GAIN + 4.0 / GAIN**2, rtol=1e-12)
    assert np.allclose(
        exponential(levels, GAIN, -2.0, 4.0), exponential(levels, GAIN, -2.0 + 1e-6, 4.0), rtol=1e-6
    )
    assert np.allclose(exponential(levels, GAIN, -2.0, 4.0), quadratic(levels, GAIN, -2.0, 4.0), rtol=1e-4)
    # equation 16, written out
    x = 2 * A00 * 1000.0 * GAIN
    assert exponential(np.array([1000.0]), GAIN, A00 * 1e6, NOISE2)[0] == pytest.approx(
        (np.exp(x) - 1) / (2 * GAIN**2 * A00) + NOISE2 / GAIN**2
    )


@pytest.mark.parametrize(("model", "law"), [("exponential", exponential), ("quadratic", quadratic)])
def test_pulls_of_the_fit_are_standard_normal(model, law) -> None:  # type: ignore[no-untyped-def]
    rng, trials, pulls, chances = np.random.default_rng(11), 250, [], []
    truth = law(LEVELS, GAIN, A00 * 1e6, NOISE2)
    for _ in range(trials):
        fit = fit_curve(LEVELS, *sampled(rng, truth), model)
        noise = fit.noise()
        in_adu = fit.noise_adu()
        assert noise is not None and in_adu is not None
        pulls.append(
            (
                (fit.gain - GAIN) / fit.gain_error,
                (fit.a00 - A00) / fit.a00_error,
                (noise[0] - sqrt(NOISE2)) / noise[1],
                (in_adu[0] - sqrt(NOISE2) / GAIN) / in_adu[1],
            )
        )
        chances.append(fit.chance)
    mean, std = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert (np.abs(mean) < 4 / sqrt(trials)).all(), mean
    assert (np.abs(std - 1) < 4 / sqrt(2 * trials)).all(), std
    chances = np.sort(chances)
    assert np.abs(chances - (np.arange(trials) + 0.5) / trials).max() < 1.95 / sqrt(trials)


def test_a_curve_that_is_not_the_model_is_found_out_and_errors_grow() -> None:
    rng = np.random.default_rng(12)
    truth = exponential(LEVELS, GAIN, A00 * 1e6, NOISE2) * (1 + 0.05 * np.sin(np.arange(LEVELS.size)))
    bad = fit_curve(LEVELS, *sampled(rng, truth), "exponential")
    good = fit_curve(LEVELS, *sampled(rng, exponential(LEVELS, GAIN, A00 * 1e6, NOISE2)), "exponential")
    assert bad.chance < 1e-3 < good.chance
    assert bad.gain_error > 2 * good.gain_error


def test_rounding_is_taken_off_the_noise() -> None:
    covariance = np.diag([1e-4, 1e-16, 1e-2])
    fit = CurveFit("exponential", 2.0, A00, 4.0 * (1.0 + 1 / 12), covariance, 1.0, 5, 0.9)
    noise, adu = fit.noise(1 / 12), fit.noise_adu(1 / 12)
    assert noise is not None and noise[0] == pytest.approx(2.0)
    assert adu is not None and adu[0] == pytest.approx(1.0)


def test_noise_that_the_fit_does_not_see_is_none() -> None:
    fit = CurveFit("exponential", 2.0, A00, 1.0, np.diag([1e-4, 1e-16, 1.0]), 1.0, 5, 0.9)
    assert fit.noise() is None and fit.noise_adu() is None


def test_fits_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="three parameters"):
        fit_curve([1.0, 2.0], [1.0, 2.0], [0.1, 0.1], "exponential")
    with pytest.raises(ValueError, match="three parameters"):
        fit_curve([1.0, 2.0, 3.0], [1.0, 0.0, 2.0], [0.1, 0.1, 0.1], "quadratic")
    with pytest.raises(ValueError, match="did not converge"):
        fit_curve(LEVELS, 1e5 - LEVELS, np.full(LEVELS.size, 1.0), "quadratic")


def test_turnoff_is_the_level_of_the_maximum_and_is_not_invented() -> None:
    levels = np.linspace(1000, 20000, 20)
    rng = np.random.default_rng(13)
    truth = exponential(levels, GAIN, A00 * 1e6, NOISE2)
    for _ in range(100):
        assert turnoff(levels, *sampled(rng, truth)) is None
    full = np.where(levels > 15000, truth * 0.2, truth)
    found = turnoff(levels, *sampled(rng, full))
    assert found is not None and found.level == 15000 and found.error == pytest.approx(500)
    assert turnoff(levels[:2], full[:2], full[:2]) is None


@pytest.mark.parametrize("model", ["exponential", "full"])
def test_the_range_of_the_model_ends_where_the_variance_sags(model: Model) -> None:
    levels = np.linspace(1000, 20000, 20)
    rng = np.random.default_rng(14)
    truth = exponential(levels, GAIN, A00 * 1e6, NOISE2)
    wrong = sum(model_range(levels, *sampled(rng, truth), model) < 20000 for _ in range(50))
    assert wrong <= 1
    sag = np.where(levels > 17000, truth * (1 - 0.05 * (levels - 17000) / 1000), truth)
    assert model_range(levels, *sampled(rng, sag), model) == 17000


def test_blooming_is_between_the_last_level_on_the_law_and_the_first_below_it() -> None:
    levels = np.linspace(1000, 20000, 20)
    rng = np.random.default_rng(16)
    truth = exponential(levels, GAIN, A00 * 1e6, NOISE2)
    sag = np.where(levels > 17000, truth * (1 - 0.05 * (levels - 17000) / 1000), truth)
    y, e = sampled(rng, sag)
    fit = fit_curve(levels[:17], y[:17], e[:17], "exponential")
    found = blooming(fit, 17000.0, levels, y, e)
    assert found is not None and (found.level, found.error) == (17500.0, 500.0)
    assert blooming(fit, 20000.0, levels, y, e) is None  # nothing beyond
    straight, error = sampled(rng, truth)
    assert blooming(fit, 17000.0, levels, straight, error) is None  # nothing below the law


def test_pulls_of_the_pair_method_are_standard_normal() -> None:
    rng, trials, pulls = np.random.default_rng(15), 400, []
    level, noise, n = 20000.0, 45.0, 10_000
    for _ in range(trials):
        x = level + rng.normal(0, 60, 3)  # the lamp
        y, e = sampled(rng, x / GAIN + noise, n)
        (dark,), (dark_error,) = sampled(rng, np.array([noise]), n)
        offset = rng.normal(0, 2.0)
        found = gain_of_pairs(x + offset, y, e, dark, dark_error, 2.0)
        assert found.n == 3
        pulls.append((found.gain - GAIN) / found.error)
    assert abs(np.mean(pulls)) < 4 / sqrt(trials)
    assert abs(np.std(pulls) - 1) < 4 / sqrt(2 * trials)


def test_pairs_that_differ_by_more_than_noise_have_a_larger_error() -> None:
    x = np.full(4, 20000.0)
    y = x / GAIN * np.array([1.0, 1.05, 0.95, 1.0])
    found = gain_of_pairs(x, y, y * 0.002, 45.0, 0.1)
    assert found.chance < 1e-3 and found.error > 10 * found.gain * 0.001
    with pytest.raises(ValueError, match="does not exceed"):
        gain_of_pairs(x, x * 0 + 40.0, x * 0 + 1.0, 45.0, 0.1)


def test_a_point_without_light_holds_the_curve() -> None:
    gain, a00, noise = 1.8, -2e-6, 36.0
    levels = np.linspace(2000.0, 45000.0, 14)
    true = exponential(levels, gain, a00 * 1e6, noise)
    errors, rng = true * 0.004, np.random.default_rng(8)
    dark = noise / gain**2
    off: list[tuple[float, float]] = []
    for _ in range(60):
        drawn = true + errors * rng.standard_normal(levels.size)
        free = fit_curve(levels, drawn, errors, "exponential")
        held = fit_curve(
            levels, drawn, errors, "exponential", (dark * (1 + 0.002 * rng.standard_normal()), 0.002 * dark)
        )
        assert held.gain_error < 0.75 * free.gain_error and held.dof == free.dof + 1
        found = held.noise()
        assert found is not None and found[1] < 0.05
        off.append(((held.gain - gain) / held.gain_error, (found[0] - 6.0) / found[1]))
    scatter = np.std(off, axis=0, ddof=1)
    assert (abs(np.mean(off, axis=0)) < 4 / np.sqrt(60)).all()
    assert ((scatter > 1 - 4 / np.sqrt(118)) & (scatter < 1 + 4 / np.sqrt(118))).all()
