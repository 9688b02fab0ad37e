"""The checks: silent on clean data at the stated rate, and certain where the fault is planted."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.checks import clamped, flicker, lamp_drift, saturated, unstable
from analysis.histogram import histogram

TRIALS = 300


def white(
    rng: np.random.Generator, shape: tuple[int, int] = (200, 160), sigma: float = 30.0
) -> NDArray[np.float32]:
    return rng.normal(0.0, sigma, shape).astype(np.float32)


# lamp drift


def test_lamp_drift_is_measured_and_flagged_beyond_the_tolerance() -> None:
    steady, drifted = lamp_drift(20000.0, 20100.0, 1.0), lamp_drift(20000.0, 19000.0, 1.0)
    assert not steady.raised and steady.effect == pytest.approx(100 / 20050)
    assert drifted.raised and drifted.flag == "lamp-drift"
    assert drifted.effect == pytest.approx(-1000 / 19500)


def test_lamp_drift_within_the_noise_of_faint_levels_is_not_believed() -> None:
    rng = np.random.default_rng(1)
    levels = 20.0 + rng.normal(0.0, 1.0, (TRIALS, 2))  # each ± 5 %: far beyond the tolerance, yet only noise
    assert not any(lamp_drift(a, b, sqrt(2.0)).raised for a, b in levels)


def test_lamp_drift_without_light_is_refused() -> None:
    with pytest.raises(ValueError, match="no light"):
        lamp_drift(1.0, -1.0)


# flicker


def test_flicker_chances_of_white_noise_are_uniform() -> None:
    rng = np.random.default_rng(2)
    checks = [flicker(white(rng, (100, 60)), axis=axis) for axis in (0, 1) for _ in range(TRIALS)]
    assert not any(c.raised for c in checks)
    chances = np.sort([c.chance for c in checks])
    # Kolmogorov: the largest distance from uniform exceeds 1.95/√n once in a thousand
    distance = np.abs(chances - (np.arange(chances.size) + 0.5) / chances.size).max()
    assert distance < 1.95 / sqrt(chances.size)


def test_flicker_finds_ruled_rows_but_not_in_columns_and_measures_them() -> None:
    rng = np.random.default_rng(3)
    shape, sigma, row = (200, 160), 30.0, 6.0
    ruled = white(rng, shape, sigma) + rng.normal(0.0, row, (shape[0], 1)).astype(np.float32)
    found, across = flicker(ruled), flicker(ruled, axis=0)
    assert found.raised and found.flag == "flicker" and not across.raised
    assert "rows" in found.note and "columns" in flicker(ruled.T, axis=0).note
    # scatter of a sample variance of 200 rows, whose means scatter by row and by noise
    spread = (row**2 + sigma**2 / shape[1]) * sqrt(2.0 / shape[0])
    assert abs(found.excess - row**2) < 4 * spread


@pytest.mark.parametrize("axis", [0, 1])
def test_flicker_has_the_power_it_should(axis: int) -> None:
    """Rows that scatter as much as their noise (ratio 2) are found nearly always: 200 rows make that 10 σ."""
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(50):
        image = white(rng, (200, 200)) + rng.normal(0.0, 30 / sqrt(200), (200, 1)).astype(np.float32)
        found += flicker(image if axis == 1 else image.T, axis=axis).raised
    assert found >= 48


def test_flicker_is_not_raised_by_slopes_outliers_masked_pixels_or_known_electronics() -> None:
    rng = np.random.default_rng(5)
    image = white(rng)
    sloped = image + np.linspace(-20, 20, image.shape[0], dtype=np.float32)[:, np.newaxis]
    assert not flicker(sloped).raised and flicker(sloped, degree=0).raised
    struck = image.copy()
    struck[rng.integers(0, 200, 40), rng.integers(0, 160, 40)] = 30000.0
    struck[3, 5] = np.nan
    assert not flicker(struck).raised
    bad = image.copy()
    bad[50] += 500.0
    good = np.ones(image.shape, bool)
    good[50] = False
    assert not flicker(bad, good).raised
    jitter = image + rng.normal(0.0, 5.0, (image.shape[0], 1)).astype(np.float32)
    assert flicker(jitter).raised and not flicker(jitter, background=25.0).raised


def test_flicker_of_too_few_rows_or_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="too few rows"):
        flicker(np.ones((3, 50), np.float32))
    with pytest.raises(ValueError, match="no finite"):
        flicker(np.full((50, 50), np.nan, np.float32))
    assert not flicker(np.zeros((50, 50), np.float32)).raised  # identical frames: no noise to compare with


# clamped converters


def counts(
    rng: np.random.Generator, mean: float, sigma: float, low: int = 0, high: int = 65535
) -> NDArray[np.uint16]:
    values: NDArray[np.uint16] = np.clip(np.rint(rng.normal(mean, sigma, (300, 300))), low, high).astype(
        np.uint16
    )
    return values


@pytest.mark.parametrize(
    ("mean", "sigma", "low", "high", "level"),
    [
        (14.0, 7.0, 0, 65535, 0),  # an offset set too low
        (6.0, 3.0, 0, 65535, 0),
        (200.0, 80.0, 0, 255, 255),
        (16300.0, 60.0, 0, 16383, 16383),  # 14 bits in 16
        (65400.0, 100.0, 0, 65535, 65535),
        (30000.0, 100.0, 0, 30150, 30150),  # an amplifier's rail, at no power of two
        (16383.0, 0.0, 0, 16383, 16383),  # everything clamped
        (-3.0, 0.4, 0, 65535, 0),
    ],
)
def test_clamped_finds_the_level_of_the_pile(
    mean: float, sigma: float, low: int, high: int, level: int
) -> None:
    check = clamped(counts(np.random.default_rng(6), mean, sigma, low, high))
    assert check.raised and check.level == level
    assert str(level) in check.note


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.0, 3.0, 10.0, 150.0])
def test_clamped_never_alarms_over_clean_noise(sigma: float) -> None:
    rng = np.random.default_rng(7)
    for _ in range(40):
        values = counts(rng, rng.uniform(900.0, 901.0), sigma)
        assert not clamped(values).raised
        assert not clamped(values.astype(np.float32)).raised


def test_clamped_passes_over_saturated_hot_pixels_unequal_steps_and_missing_codes() -> None:
    rng = np.random.default_rng(8)
    hot = counts(rng, 1000.0, 7.0)
    hot.flat[rng.choice(hot.size, 400, replace=False)] = 65535  # 0.4 % of the pixels
    assert not clamped(hot).raised
    hot.flat[rng.choice(hot.size, 2000, replace=False)] = 65535  # 2 %: no longer a matter of a few pixels
    assert clamped(hot).raised
    assert not clamped(counts(rng, 1000.0, 7.0) // 4 * 4).raised
    uneven = rng.normal(1000.0, 4.0, (300, 300))
    codes = np.floor(uneven + 0.15 * (np.floor(uneven) % 2)).astype(
        np.uint16
    )  # even steps wider than odd ones
    assert not clamped(codes).raised


def test_clamped_frames_without_noise_are_told_from_quiet_ones_by_their_light() -> None:
    rng = np.random.default_rng(20)
    rail = counts(rng, 31000.0, 90.0, 0, 30000)
    assert not clamped(rail).raised  # a frame of one level away from the converter's ends may be a quiet one
    found = clamped(rail, lit=True)
    assert found.raised and found.level == 30000
    for _ in range(40):
        assert not clamped(counts(rng, rng.uniform(900.0, 901.0), 0.6), lit=True).raised


def test_clamped_takes_histograms_and_leaves_out_what_is_not_finite() -> None:
    values = counts(np.random.default_rng(9), 14.0, 7.0)
    assert clamped(histogram(values)) == clamped(values)
    floats = values.astype(np.float64)
    floats[0, :5] = [np.nan, np.inf, -np.inf, np.nan, np.inf]
    assert clamped(floats).level == 0.0
    with pytest.raises(ValueError, match="no finite"):
        clamped(np.full(4, np.nan))


# saturation and stability


def test_saturated_counts_what_is_at_or_above_the_level() -> None:
    values = np.full((100, 100), 1000, np.uint16)
    values[0, :10] = 65535
    assert saturated(values, 65535).effect == pytest.approx(1e-3)
    assert not saturated(values, 65535).raised  # the bound is within
    values[1, 0] = 65535
    assert saturated(values, 65535).raised
    with pytest.raises(ValueError, match="no values"):
        saturated(np.zeros(0), 65535)


def test_unstable_needs_both_significance_and_size() -> None:
    rng = np.random.default_rng(10)
    assert not any(unstable(100.0 + rng.normal(0, 5, 8), 5.0).raised for _ in range(TRIALS))
    assert not unstable([1000.0, 1001.0, 999.0], 0.01).raised  # 0.1 %: certain, but small
    assert not unstable([10.0, 11.0, 9.0], 5.0).raised  # 10 %, but nothing against the errors
    found = unstable([1000.0, 1030.0, 990.0], 0.5)
    assert found.raised and found.effect == pytest.approx(
        np.std([1000, 1030, 990], ddof=1) / 1006.67, rel=1e-3
    )


def test_unstable_refuses_what_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="one level"):
        unstable([1.0], 0.1)
    with pytest.raises(ValueError, match="positive"):
        unstable([1.0, 2.0], [0.1, 0.0])
