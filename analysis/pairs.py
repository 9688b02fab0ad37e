"""Pairs of frames: exact statistics of both and of their difference, from one read of each pixel.

What two frames of one scene have in common cancels in their difference, which so holds their noise, twice. For 16-bit
pixels three exact histograms (of either frame and of the difference) hold all that statistics without positions can
ask: clipped means and variances, medians, any clip, without reading a pixel again. Statistics about the means
of tiles, which the illumination's shape asks for, are in ``analysis.flat_pairs``; covariances in ``analysis.covariance``.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from analysis.histogram import Histogram
from analysis.statistics import Clipped, clipped, clipped_histogram
from campaign.frozen import dataclass
from campaign.geometry import Region

Image = NDArray[np.generic]
Mask = NDArray[np.bool_]

_LEVELS = 65536


@dataclass(frozen=True)
class PairHistograms:
    """Exact histograms [ADU] of two 16-bit images and of first − second, over the same ``n`` pixels."""

    first: Histogram
    second: Histogram
    difference: Histogram

    @property
    def n(self) -> int:
        """How many pixels were counted."""
        return self.first.n


@dataclass(frozen=True)
class PairStatistics:
    """Clipped statistics [ADU] of two images and of first − second, over the same pixels, each with its own clip."""

    first: Clipped
    second: Clipped
    difference: Clipped

    @property
    def variance(self) -> float:
        """Variance of one frame's noise [ADU²]: half that of the difference."""
        return self.difference.variance / 2.0

    @property
    def variance_error(self) -> float:
        """Standard error of ``variance`` [ADU²] for normal, independent noise."""
        return self.difference.std * self.difference.std_error


def pair_histograms(first: Image, second: Image, left_out: Mask | None = None) -> PairHistograms:
    """Histograms of two uint16 images of one shape (rows, columns) and of first − second [ADU].

    Pixels where ``left_out`` is true are not counted. Raises ValueError for other types, different shapes, and when
    no pixel is left.
    """
    _check(first, second, left_out)
    if first.dtype != np.uint16 or second.dtype != np.uint16:
        raise ValueError(f"histograms of a pair are of uint16 pixels, not {first.dtype} and {second.dtype}")
    from analysis.pair_kernels import count_pair

    a, b = np.zeros(_LEVELS, np.uint32), np.zeros(_LEVELS, np.uint32)
    difference = np.zeros(2 * _LEVELS - 1, np.uint32)
    mask = np.zeros((1, 1), np.bool_) if left_out is None else left_out
    one, two = first.astype(np.uint16, copy=False), second.astype(np.uint16, copy=False)
    count_pair(one, two, mask, left_out is not None, a, b, difference)
    return PairHistograms(_found(a, 0), _found(b, 0), _found(difference, 1 - _LEVELS))


def difference_histogram(first: Image, second: Image) -> Histogram:
    """The histogram of first − second [ADU] alone, of two uint16 images of one shape (rows, columns). Raises ValueError as ``pair_histograms``."""
    _check(first, second, None)
    if first.dtype != np.uint16 or second.dtype != np.uint16:
        raise ValueError(f"histograms of a pair are of uint16 pixels, not {first.dtype} and {second.dtype}")
    from analysis.pair_kernels import count_difference

    lanes = np.zeros((4, 2 * _LEVELS - 1), np.uint32)
    count_difference(first.astype(np.uint16, copy=False), second.astype(np.uint16, copy=False), lanes)
    return _found(lanes.sum(axis=0, dtype=np.uint32), 1 - _LEVELS)


class Differences:
    """Exact histograms of the differences of consecutive uint16 frames of a channel [ADU], each less the one before, counted from bands of all of them.

    ``order`` are the places of the frames in the bands, see ``analysis.stack_bands.Taker``. Counts are whole numbers: the order of bands and threads is all one. Of
    more than ``MOST`` frames, or of other pixels, nothing is counted.
    """

    MOST = 24

    def __init__(self, region: Region, order: Sequence[int]) -> None:
        self.region = region
        self._pairs = [(order.index(i + 1), order.index(i)) for i in range(len(order) - 1)]
        self._rows = 0
        self._locks = [Lock() for _ in self._pairs]
        many = len(order) > self.MOST
        self._lanes = np.zeros((0 if many else len(self._pairs), 4, 2 * _LEVELS - 1), np.uint32)

    @property
    def complete(self) -> bool:
        """Whether all rows were counted."""
        return self._rows == self.region.shape[0]

    def fill(self, band: NDArray[np.generic], y0: int, x0: int) -> None:
        """Count what a band (frames, rows, columns), whose first pixel is (y0, x0), holds of the region."""
        if band.dtype != np.uint16 or not self._lanes.size:
            return
        from analysis.pair_kernels import count_difference

        rows = slice(max(self.region.y0 - y0, 0), self.region.y1 - y0)
        part = rows, slice(self.region.x0 - x0, self.region.x1 - x0)
        for (later, earlier), lanes, lock in zip(self._pairs, self._lanes, self._locks, strict=True):
            one, two = band[later][part].view(np.uint16), band[earlier][part].view(np.uint16)
            with lock:
                count_difference(one, two, lanes)
        with self._locks[0]:
            self._rows += len(range(*rows.indices(band.shape[1])))

    def histogram(self, i: int) -> Histogram:
        """The histogram of frame i + 1 less frame i."""
        return _found(self._lanes[i].sum(axis=0, dtype=np.uint32), 1 - _LEVELS)


def pair_statistics(
    first: Image, second: Image, left_out: Mask | None = None, *, sigma: float = 3.0, rounds: int = 10
) -> PairStatistics:
    """Clipped statistics (see ``analysis.statistics.clipped``) of two images of one shape and of first − second.

    uint16 pixels go through their histograms, exactly; others through ``clipped``, where a pixel that is not
    finite in one image is left out of both. Raises ValueError as ``pair_histograms`` and ``clipped`` do.
    """
    _check(first, second, left_out)
    if first.dtype == second.dtype == np.uint16:
        found = pair_histograms(first, second, left_out)
        parts = (found.first, found.second, found.difference)
        return PairStatistics(*(clipped_histogram(part, sigma, rounds) for part in parts))
    whole = first.dtype.kind in "iu" and second.dtype.kind in "iu"
    good = np.isfinite(first) & np.isfinite(second)
    if left_out is not None:
        good &= ~left_out
    a, b = first[good], second[good]
    difference = np.subtract(a, b, dtype=np.int64 if whole else np.float64)
    return PairStatistics(*(clipped(values, sigma, rounds) for values in (a, b, difference)))


def centred_histogram(found: Histogram, centre: float, reach: int) -> Histogram:
    """The histogram of values less ``centre``, rounded to whole numbers (half to even), those beyond ±``reach`` put there.

    Raises ValueError when there are no values.
    """
    held = np.flatnonzero(found.counts)
    if not held.size:
        raise ValueError("an empty histogram has no centre")
    values = np.clip(np.rint(found.low + held - centre), -reach, reach).astype(np.int64)
    counts = np.zeros(int(values[-1] - values[0]) + 1, np.int64)
    np.add.at(counts, values - values[0], found.counts[held])
    return Histogram(int(values[0]), counts)


def _found(bins: NDArray[np.uint32], low: int) -> Histogram:
    """The histogram of bins that begin at ``low``, from the lowest value found to the highest."""
    held = np.flatnonzero(bins)
    if not held.size:
        raise ValueError("no pixels are left")
    return Histogram(low + int(held[0]), bins[held[0] : held[-1] + 1].astype(np.int64))


def _check(first: Image, second: Image, left_out: Mask | None) -> None:
    if first.ndim != 2 or first.shape != second.shape:
        raise ValueError(f"images of shapes {first.shape} and {second.shape} are no pair")
    if left_out is not None and (left_out.shape != first.shape or left_out.dtype != np.bool_):
        raise ValueError(f"a mask of {left_out.dtype} and shape {left_out.shape} for {first.shape} pixels")
