"""An image against a reference: known offsets and factors come back, and zero is never divided by."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.against import against


def planes(seed: int = 20250301) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(1000.0, 3.0, (200, 300)).astype(np.float32)
    image = reference * np.float32(1.02) + rng.normal(0.0, 2.0, reference.shape).astype(np.float32)
    return image, reference


def test_a_factor_and_its_scatter_are_found() -> None:
    image, reference = planes()
    told, difference, ratio = against(image, reference)
    assert ratio is not None
    assert (told.n, told.without) == (60_000, 0)
    # medians of n values scatter by 1.253 σ / √n: 1.02 ± 1e-5, 20 ± 0.01
    assert told.ratio == pytest.approx(1.02, abs=5e-5)
    assert told.difference == pytest.approx(20.0, abs=0.05)
    assert told.difference_scatter == pytest.approx(
        2.0, rel=0.02
    )  # the factor's share of 3 ADU adds 0.0018 to it
    assert told.ratio_scatter == pytest.approx(0.002, rel=0.02)
    assert np.array_equal(difference, image - reference)


def test_outliers_move_neither_median_nor_scatter() -> None:
    image, reference = planes()
    clean, *_ = against(image, reference)
    image[:2, :] = 60_000  # 1 % of the pixels
    told, *_ = against(image, reference)
    assert told.difference == pytest.approx(clean.difference, abs=0.05)
    assert told.difference_scatter == pytest.approx(clean.difference_scatter, rel=0.03)


def test_pixels_without_a_value_are_left_out_and_counted() -> None:
    image, reference = planes()
    image[0, :10], reference[5, 5], reference[7, 7] = np.nan, np.inf, 0.0
    told, difference, ratio = against(image, reference)
    assert ratio is not None
    assert (told.n, told.without) == (60_000 - 11, 11)
    assert int(np.isnan(difference).sum()) == 11
    assert int(np.isnan(ratio).sum()) == 12  # and the pixel whose reference is zero
    assert np.isfinite(difference[7, 7])
    assert not np.isinf(ratio).any()


def test_no_ratio_to_a_reference_about_zero() -> None:
    rng = np.random.default_rng(7)
    reference = rng.normal(0.4, 1.0, (100, 100)).astype(np.float32)
    told, _, ratio = against(reference + 3, reference)
    assert ratio is None
    assert (told.ratio, told.ratio_scatter) == (None, None)
    assert told.difference == pytest.approx(3.0, abs=1e-5)
    zero = np.zeros((10, 10), np.float32)
    assert against(zero + 1, zero)[2] is None


def test_nothing_left_and_different_shapes() -> None:
    empty = np.full((4, 4), np.nan, np.float32)
    told, _, ratio = against(empty, np.ones((4, 4), np.float32))
    assert (told.n, told.without, told.difference, told.ratio, ratio) == (0, 16, None, None, None)
    with pytest.raises(ValueError, match="4 × 4 here, 3 × 4 in the reference"):
        against(empty, np.ones((3, 4), np.float32))
