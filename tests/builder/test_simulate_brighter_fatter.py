"""Simulated charge whose covariances are known: measured plainly, by shifting images."""

from math import sqrt

import numpy as np
import pytest

from builder.simulate.effects.brighter_fatter import area_changes, charge, covariances, spectrum

A = area_changes(-2.4e-6, next_row=3e-7, next_column=4e-7)


def test_areas_are_only_moved() -> None:
    signs = np.full(A.shape, 4.0)
    signs[0], signs[:, 0], signs[0, 0] = 2, 2, 1
    assert float((signs * A).sum()) == pytest.approx(0.0, abs=1e-18)
    assert (A[0, 0], A[1, 0], A[0, 1]) == (-2.4e-6, 3e-7, 4e-7) and (A.ravel()[1:] > 0).all()
    with pytest.raises(ValueError, match="nothing is left"):
        area_changes(-1e-6, 4e-7, 4e-7)


def test_shot_noise_is_kept_by_all_pixels_together() -> None:
    """Area that is only moved keeps the sum of all covariances at Poisson's variance, to every order."""
    law = covariances(8e4, A, 0.0)
    assert float(law.sum()) == pytest.approx(8e4, rel=1e-6)
    middle = law.shape[0] // 2
    assert law[middle, middle] < 0.85 * 8e4 and law[middle, middle + 1] > law[middle + 1, middle] > 0


def test_charge_has_the_covariances_that_were_asked_for() -> None:
    rng, shape, found = np.random.default_rng(1), (256, 256), []
    level = 8e4
    for _ in range(30):
        for image in charge(level, shape, A, 1e-6, rng, white=100.0):
            left = image - level
            found.append(
                [
                    float((left * np.roll(left, lag, (0, 1))).mean())
                    for lag in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))
                ]
            )
    law = covariances(level, A, 1e-6)
    middle = law.shape[0] // 2
    expected = [law[middle + i, middle + j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))]
    expected[0] += 100.0
    error = np.std(found, axis=0) / sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    assert error[1] < 0.1 * expected[1]


def test_pixels_that_respond_less_have_less_light_and_less_noise() -> None:
    response = np.ones((128, 128))
    response[:, ::2] = 0.9
    first, second = charge(1e4, response.shape, A, 0.0, np.random.default_rng(2), response)
    assert float(first[:, ::2].mean()) == pytest.approx(9000, abs=5 * 95 / 90)
    left = first - second
    ratio = float(left[:, ::2].var() / left[:, 1::2].var())
    assert ratio == pytest.approx(0.9, abs=5 * 0.9 * sqrt(4 / 8192))


def test_what_no_field_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="negative power"):
        charge(1e6, (64, 64), A, 0.0, np.random.default_rng(3))
    with pytest.raises(ValueError, match="reach beyond"):
        spectrum(covariances(1e4, A), (32, 32))
