"""Exact histograms: what follows from them is what follows from the pixels, however they were counted."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from analysis import region_counts
from analysis.histogram import Histogram, histogram, trimmed
from analysis.region_counts import CodeCounts, Values, gathered
from analysis.statistics import clipped_histogram

RNG = np.random.default_rng(20)
CASES = [
    RNG.normal(1000.0, 5.0, 4001).round().astype(np.uint16),
    RNG.integers(0, 65536, 5000).astype(np.uint16),
    np.array([7], np.uint16),
    np.array([0, 65535], np.uint16),
    np.array([3, 3, 3, 4, 4, 4], np.uint16),
    np.array([10, 20, 30, 40], np.uint16),
]


@pytest.mark.parametrize("values", CASES)
def test_quantiles_median_deviation_and_moments_are_those_of_the_values(values: np.ndarray) -> None:
    found = histogram(values)
    numbers = np.sort(values.astype(np.float64))
    assert found.quantile(0.5) == np.median(numbers)
    for fraction in (0.0, 0.01, 0.25, 0.99, 1.0):
        rank = max(int(np.ceil(fraction * numbers.size)), 1)
        assert found.quantile(fraction) == numbers[rank - 1]
    apart = np.sort(np.abs(numbers - np.median(numbers)))
    assert found.median_deviation(found.quantile(0.5)) == apart[(numbers.size + 1) // 2 - 1]
    n, mean, variance = found.moments(0, found.counts.size)
    assert n == values.size
    assert mean == pytest.approx(numbers.mean(), rel=1e-14)
    assert variance == pytest.approx(numbers.var(), rel=1e-11, abs=1e-12)
    half = found.counts.size // 2 or 1
    inside = numbers[numbers < found.low + half]
    assert found.moments(0, half)[1] == pytest.approx(inside.mean(), rel=1e-14)
    assert found.median_of(0, half) == np.median(inside)


def test_moments_far_apart_do_not_overflow() -> None:
    found = Histogram(0, np.concatenate([[2**40], np.zeros(2**20, np.int64), [2**40]]))
    n, mean, variance = found.moments(0, found.counts.size)
    assert (n, mean) == (2**41, (2**20 + 1) / 2) and variance == pytest.approx(((2**20 + 1) / 2) ** 2)


def test_trimmed_and_empty() -> None:
    found = trimmed(-3, np.array([0, 0, 4, 0, 1, 0]))
    assert found is not None and (found.low, found.counts.tolist()) == (-1, [4, 0, 1])
    assert trimmed(0, np.zeros(4, np.int64)) is None
    with pytest.raises(ValueError, match="no quantiles"):
        Histogram(0, np.zeros(1, np.int64)).quantile(0.5)


def stored(values: np.ndarray) -> np.ndarray:
    """As a FITS file holds unsigned pixels."""
    return (values ^ np.uint16(0x8000)).view(np.int16).astype(">i2")


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("columns", [1, 3, 4, 37])
def test_the_compiled_kernel_and_numpy_agree_bit_for_bit(wide: bool, columns: int) -> None:
    rng = np.random.default_rng(columns)
    image = (
        rng.integers(0, 65536, (50, 80)) if wide else rng.normal(2700, 1.4, (50, 80)).round()
    ).astype(np.uint16)  # fmt: skip
    raw = stored(image)[:, 5 : 5 + columns]
    held = []
    for way in ("_add_by_kernel", "_add_by_numpy"):
        counts = CodeCounts((50, columns), swapped=True, flip=0x8000)
        for row in range(0, 50, 7):
            block = raw[row : row + 7]
            getattr(counts, way)(block.view(np.uint16) if way == "_add_by_kernel" else block, row)
        held.append(counts.finished())
    one, two = held
    part = image[:, 5 : 5 + columns]
    assert one.histogram is not None and two.histogram is not None
    assert one.histogram.low == two.histogram.low == part.min()
    np.testing.assert_array_equal(one.histogram.counts, np.bincount(part.ravel())[part.min() :])
    np.testing.assert_array_equal(one.histogram.counts, two.histogram.counts)
    assert one.rows.tobytes() == two.rows.tobytes() and one.columns.tobytes() == two.columns.tobytes()
    np.testing.assert_array_equal(one.rows, part.mean(axis=1, dtype=np.float64))
    assert astuple(clipped_histogram(one.histogram)) == astuple(clipped_histogram(two.histogram))


def test_a_region_may_change_from_numpy_to_the_kernel_in_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(3).integers(100, 300, (40, 30)).astype(np.uint16)
    whole = gathered(image)
    counts = CodeCounts((40, 30))
    counts._add_by_numpy(image[:13], 0)
    counts._add_by_kernel(image[13:], 13)
    mixed = counts.finished()
    assert whole.histogram is not None and mixed.histogram is not None
    np.testing.assert_array_equal(whole.histogram.counts, mixed.histogram.counts)
    assert mixed.rows.tobytes() == whole.rows.tobytes() and mixed.columns.tobytes() == whole.columns.tobytes()


def test_signed_and_byte_pixels_are_whole_numbers_too() -> None:
    signed = np.array([[-5, -5, 7], [0, 1, -32768]], np.int16)
    counts = CodeCounts((2, 3), -32768, swapped=True, flip=0x8000)
    counts.add(signed.astype(">i2"), 0)
    found = counts.finished()
    assert found.histogram is not None and found.histogram.low == -32768 and found.histogram.counts[-1] == 1
    np.testing.assert_allclose(found.rows, signed.mean(axis=1))
    small = np.array([[1, 2], [2, 250]], np.uint8)
    found = gathered(small)
    assert found.histogram is not None and (found.histogram.low, found.histogram.n) == (1, 4)


def test_values_that_are_no_whole_numbers_keep_to_those_that_are_finite() -> None:
    image = np.array([[1.5, np.nan], [np.inf, 2.5], [np.nan, np.nan]], np.float32)
    held = Values((3, 2), image.dtype)
    held.add(image[:1], 0)
    held.add(image[1:], 1)
    found = held.finished()
    assert found.histogram is None and sorted(found.values) == [1.5, 2.5] and found.lost == 4
    assert found.rows.tolist()[:2] == [1.5, 2.5] and np.isnan(found.rows[2])
    assert found.columns.tolist() == [1.5, 2.5]


def test_numba_is_not_loaded_for_few_pixels() -> None:
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import sys, numpy as np; from analysis.region_counts import gathered;"
        "gathered(np.ones((99, 99), np.uint16)); print('numba' in sys.modules)"
    )
    checkout = Path(region_counts.__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
