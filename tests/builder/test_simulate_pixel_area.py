"""The brighter-fatter simulator: charge is conserved, and variances and covariances grow by the law that they should."""

from __future__ import annotations

import numpy as np
import pytest

from builder.simulate.effects.pixel_area import (
    area_matrix,
    covariance,
    divergence,
    expose,
    potential,
    spectrum,
)

AREA = area_matrix(4e-7, 3e-7, 3.0, 4)
LEVEL = 60e3


def test_what_the_centre_loses_its_neighbours_gain() -> None:
    assert AREA.shape == (9, 9)
    assert (AREA[4, 5], AREA[5, 4]) == (4e-7, 3e-7)
    assert AREA.sum() == pytest.approx(0.0, abs=1e-20) and AREA[4, 4] < 0
    np.testing.assert_array_equal(AREA, AREA[::-1, ::-1])


def test_the_potential_has_the_coefficients_for_its_curvature() -> None:
    k = np.fft.irfft2(potential(AREA, (48, 40)), s=(48, 40))
    around = sum(np.roll(k, s, axis) for axis in (0, 1) for s in (1, -1))
    a = np.fft.irfft2(spectrum(AREA, (48, 40)), s=(48, 40))
    np.testing.assert_allclose(-(around - 4 * k), a, atol=1e-18)


def test_steady_light_makes_steady_charge() -> None:
    even = expose(LEVEL, AREA, None, (2, 16, 16))
    np.testing.assert_allclose(even, LEVEL, rtol=1e-6)


def test_a_spot_loses_no_charge_and_grows_wider() -> None:
    y, x = np.mgrid[-24:24, -24:24].astype(float)
    spot = 80e3 * np.exp(-(x**2 + y**2) / 4.0)
    charge = expose(spot, AREA, None, spot.shape, 2000.0).astype(float)
    assert charge.sum() == pytest.approx(spot.sum(), rel=1e-6)
    assert charge[24, 24] < spot[24, 24]
    assert (charge * x**2).sum() > (spot * x**2).sum()
    assert (charge * x**2).sum() > (charge * y**2).sum()  # the neighbours in the row gain more


def test_what_crosses_borders_is_only_moved() -> None:
    rng = np.random.default_rng(3)
    light, bent = rng.uniform(0, 1, (2, 12, 9))
    assert divergence(light, bent).sum() == pytest.approx(0.0, abs=1e-12)


def test_the_closed_law_is_that_of_the_paper_at_low_levels() -> None:
    """C(i, j) → δ μ + a(i, j) μ² + ⅔ (a ⊗ a)(i, j) μ³."""
    twice = np.fft.irfft2(spectrum(AREA, (64, 64)) ** 2, s=(64, 64))[:3, :3]
    quarter = AREA[4:7, 4:7]
    for mean in (100.0, 1000.0):
        wanted = quarter * mean**2 + 2.0 / 3.0 * twice * mean**3
        wanted[0, 0] += mean
        third = np.abs(spectrum(AREA, (64, 64))).max() ** 3 * mean**4
        np.testing.assert_allclose(covariance(AREA, mean, 2), wanted, rtol=0, atol=third)


@pytest.mark.parametrize(("level", "step"), [(LEVEL, 2000.0), (4e3, 40.0)], ids=["normal", "Poisson"])
def test_variance_and_covariances_of_steps_follow_the_law(level: float, step: float) -> None:
    """Within four standard errors, over 24 frames, whatever distribution the electrons of a step are drawn from."""
    side, frames = 128, 24
    rng = np.random.default_rng(5)
    charge = expose(level, AREA, rng, (frames, side, side), step).astype(float) - level
    law, n = covariance(AREA, level, 2), charge.size
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2)):
        found = float((charge * np.roll(charge, (-i, -j), (1, 2))).mean())
        error = law[0, 0] * (np.sqrt(2.0 / n) if (i, j) == (0, 0) else np.sqrt(1.0 / n))
        assert abs(found - law[i, j]) < 4 * error + 2e-3 * abs(law[i, j] - level * (i == j == 0)), (i, j)
    assert abs(charge.mean()) < 4 * np.sqrt(level / n)
    if level == LEVEL:  # and the test can tell: without the effect the variance would be the level
        assert law[0, 0] < level * (1 - 20 * np.sqrt(2.0 / n))
