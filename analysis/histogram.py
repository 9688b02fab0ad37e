"""Exact histograms of whole numbers: everything the statistics of 16-bit pixels need, from one read.

Counts, sums and sums of squares up to each bin are added once and as whole numbers. Any clipping after that is a
few look-ups, whatever the number of pixels, and does not depend on the order in which pixels were counted.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

_WIDEST_HISTOGRAM = 1 << 21


@dataclass(frozen=True)
class Histogram:
    """The exact histogram of whole numbers: ``counts[i]`` of them equal ``low + i``."""

    low: int
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self._up_to[-1])

    @property
    def levels(self) -> NDArray[np.float64]:
        """The values of the bins."""
        return self.low + np.arange(self.counts.size, dtype=np.float64)

    @cached_property
    def _up_to(self) -> NDArray[np.int64]:
        """How many values are in the first i bins, i from 0 to all."""
        return _running(self.counts)

    @cached_property
    def _sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sums of i and i² of the values in the first bins, i being a value's bin."""
        at = np.arange(self.counts.size, dtype=np.int64)
        first = self.counts * at
        return _running(first), _running(first * at)

    def quantile(self, fraction: float) -> float:
        """The smallest value that at least ``fraction`` of all do not exceed; the median is a mid-point.

        Raises ValueError when there are no values.
        """
        return self._quantile(fraction, 0, self.counts.size)

    def median_of(self, first: int, last: int) -> float:
        """The median of the values in bins ``first`` to ``last`` (excluded). Raises ValueError when there are none."""
        return self._quantile(0.5, first, last)

    def _quantile(self, fraction: float, first: int, last: int) -> float:
        up_to = self._up_to
        before = int(up_to[first])
        total = int(up_to[last]) - before
        if total == 0:
            raise ValueError("an empty histogram has no quantiles")
        rank = fraction * float(total)
        whole = max(-int(-rank // 1), 1)
        at = int(up_to.searchsorted(before + whole)) - 1
        if fraction == 0.5 and whole == rank and int(up_to[at + 1]) - before == whole:
            above = int(up_to.searchsorted(before + whole + 1)) - 1
            return self.low + (at + above) / 2.0
        return float(self.low + at)

    def median_deviation(self, centre: float) -> float:
        """The median absolute deviation from ``centre``, a value or a mid-point between two: the smallest distance
        within which at least half of the values lie."""
        up_to, size = self._up_to, self.counts.size
        half = (self.n + 1) // 2
        below = int(np.floor(centre)) - self.low  # the bins nearest to the centre on either side
        above = int(np.ceil(centre)) - self.low

        def within(steps: int) -> int:
            return int(up_to[min(max(above + steps + 1, 0), size)]) - int(
                up_to[min(max(below - steps, 0), size)]
            )

        steps = bisect_left(range(max(size - above, below + 1, 1)), half, key=within)
        return steps + (centre - self.low - below)

    def moments(self, first: int, last: int) -> tuple[int, float, float]:
        """(number, mean, variance) of the values in bins ``first`` to ``last`` (excluded), from exact sums.

        The variance is that about the mean, divided by the number. Raises ZeroDivisionError when there are none.
        """
        n = int(self._up_to[last]) - int(self._up_to[first])
        if self.n * self.counts.size**2 >= 1 << 62:  # sums of squares that 64 bits cannot hold
            part, at = self.counts[first:last], self.levels[first:last]
            mean = float(part @ at) / n
            return n, mean, float(part @ (at - mean) ** 2) / n
        one, two = (int(s[last]) - int(s[first]) for s in self._sums)
        return n, (self.low * n + one) / n, (n * two - one * one) / (n * n)

    def plus(self, other: Histogram) -> Histogram:
        """The histogram of both sets of values together."""
        low = min(self.low, other.low)
        high = max(self.low + self.counts.size, other.low + other.counts.size)
        counts = np.zeros(high - low, dtype=np.int64)
        for part in (self, other):
            counts[part.low - low : part.low - low + part.counts.size] += part.counts
        return Histogram(low, counts)


def _running(values: NDArray[np.int64]) -> NDArray[np.int64]:
    out = np.zeros(values.size + 1, dtype=np.int64)
    values.cumsum(out=out[1:])
    return out


def histogram(values: NDArray[np.generic]) -> Histogram:
    """The exact histogram of integers of any shape. Raises ValueError when empty, no integers, or spread over 2²¹."""
    flat = np.asarray(values).ravel()
    if flat.size == 0 or flat.dtype.kind not in "iu":
        raise ValueError("no whole numbers")
    low, high = int(flat.min()), int(flat.max())
    if high - low >= _WIDEST_HISTOGRAM:
        raise ValueError(f"values from {low} to {high} are too far apart for an exact histogram")
    # 16-bit values are counted from zero: shifting them would cost another pass over the pixels
    if low >= 0 and high < 65536:
        return Histogram(low, np.bincount(flat, minlength=high + 1)[low:].astype(np.int64))
    return Histogram(low, np.bincount(flat.astype(np.int64) - low).astype(np.int64))


def trimmed(low: int, counts: NDArray[np.integer]) -> Histogram | None:
    """The histogram of counts of which ``counts[0]`` is of ``low``, without empty bins at its ends; None when all are."""
    held = counts.nonzero()[0]
    if not held.size:
        return None
    first, last = int(held[0]), int(held[-1])
    return Histogram(low + first, counts[first : last + 1].astype(np.int64))
