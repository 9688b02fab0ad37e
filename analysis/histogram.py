"""Exact histograms of whole numbers: everything the statistics of 16-bit pixels need, from one read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WIDEST_HISTOGRAM = 1 << 21


@dataclass(frozen=True)
class Histogram:
    """The exact histogram of whole numbers: ``counts[i]`` of them equal ``low + i``."""

    low: int
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    @property
    def levels(self) -> NDArray[np.float64]:
        """The values of the bins."""
        return self.low + np.arange(self.counts.size, dtype=np.float64)

    def quantile(self, fraction: float) -> float:
        """The smallest value that at least ``fraction`` of all do not exceed; the median is a mid-point.

        Raises ValueError when there are no values.
        """
        cumulated = np.cumsum(self.counts)
        if not self.counts.size or cumulated[-1] == 0:
            raise ValueError("an empty histogram has no quantiles")
        rank = fraction * float(cumulated[-1])
        at = int(np.searchsorted(cumulated, max(rank, 1.0)))
        if fraction == 0.5 and cumulated[at] == rank:
            above = int(np.searchsorted(cumulated, rank + 0.5))
            return self.low + (at + above) / 2.0
        return float(self.low + at)

    def plus(self, other: Histogram) -> Histogram:
        """The histogram of both sets of values together."""
        low = min(self.low, other.low)
        high = max(self.low + self.counts.size, other.low + other.counts.size)
        counts = np.zeros(high - low, dtype=np.int64)
        for part in (self, other):
            counts[part.low - low : part.low - low + part.counts.size] += part.counts
        return Histogram(low, counts)


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
