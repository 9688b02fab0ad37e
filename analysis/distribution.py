"""The distribution of an image's values: exact quantiles and clipped statistics without sorting the image.

Values are counted into fine bins in one pass; whatever rank is asked for lies in a known bin, and only that
bin's values are fetched and ordered. So quantiles are those of a whole sort, exactly, for a tenth of its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import MAD_TO_SIGMA, Clipped, clipped_by
from campaign.frozen import dataclass

_BINS = 1 << 16
_REACH = 24.0  # in MAD: where the end bins begin, which are fetched whole
_SAMPLE = 20_000
_HUGE = 3.0e38


@dataclass(frozen=True)
class Distribution:
    """Finite values of an image, of which there are ``n`` of ``size``; see ``distribution``."""

    n: int
    size: int
    _image: NDArray[np.float32] = field(repr=False)
    _low: float
    _scale: float
    _counts: NDArray[np.int64] = field(repr=False)
    _clipped: dict[tuple[float, int], Clipped] = field(default_factory=dict, repr=False, compare=False)

    def quantiles(self, fractions: Sequence[float]) -> NDArray[np.float64]:
        """Exact quantiles, between neighbours by their distance (as ``numpy.quantile`` does by default).

        Raises ValueError when there is no finite value.
        """
        if not self.n:
            raise ValueError("no finite values")
        at = np.asarray(fractions, dtype=np.float64) * (self.n - 1)
        under = np.floor(at).astype(np.int64)
        over = np.minimum(under + 1, self.n - 1)
        held = self._of_rank(np.concatenate([under, over]))
        low, high = held[: at.size], held[at.size :]
        out: NDArray[np.float64] = low + (high - low) * (at - under)
        return out

    def _of_rank(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The values of these ranks, 0 being the smallest."""
        from analysis import image_kernels

        ends = np.cumsum(self._counts)
        bins = np.searchsorted(ends, ranks, side="right")
        chosen = np.unique(bins)
        wanted = np.zeros(_BINS, np.uint8)
        wanted[chosen] = 1
        held = np.empty(int(self._counts[chosen].sum()), np.float32)
        n = image_kernels.gather(self._image, self._low, self._scale, _BINS - 1, wanted, held)
        held = np.sort(held[:n])
        # the chosen bins' values follow one another in ``held``: where each bin's begin
        starts = np.concatenate([[0], np.cumsum(self._counts[chosen])[:-1]])
        before = ends[bins] - self._counts[bins]
        place = starts[np.searchsorted(chosen, bins)] + ranks - before
        return held[place].astype(np.float64)

    def clipped(self, sigma: float = 3.0, rounds: int = 10) -> Clipped:
        """Clipped statistics as of ``analysis.statistics.clipped``, but for the start: the MAD of the first round is that of the bins.

        Raises ValueError when there is no finite value, ``sigma`` < 2 or ``rounds`` < 1.
        """
        if not self.n:
            raise ValueError("no finite values")
        key = (sigma, rounds)
        if key not in self._clipped:
            self._clipped[key] = self._clip(sigma, rounds)
        return self._clipped[key]

    def _clip(self, sigma: float, rounds: int) -> Clipped:
        from analysis import image_kernels

        centre = float(self.quantiles([0.5])[0])
        spread = self._mad(centre) * MAD_TO_SIGMA

        def passed(low: float, high: float) -> tuple[int, float, float]:
            _, n, first, second = image_kernels.within(self._image, low, high, centre)
            mean = first / n
            return n, centre + mean, max(second / n - mean * mean, 0.0)

        def middle(low: float, high: float) -> float:
            below, n, _, _ = image_kernels.within(self._image, low, high, centre)
            return float(self._of_rank(np.array([below + (n - 1) // 2, below + n // 2])).mean())

        return clipped_by(passed, middle, centre, spread, self.n, sigma, rounds)

    def spread_over(self, step: float, fractions: Sequence[float]) -> NDArray[np.float64]:
        """Quantiles of the values, each spread evenly over ``step`` about it, to a small part of a bin's width (of 65,536 over 48 median deviations).

        Means of few whole numbers lie ``step`` apart: their plain quantiles are such values, farther apart than their errors. Quantiles beyond the
        bins are the plain ones. Raises ValueError when there is no finite value.
        """
        if not self.n:
            raise ValueError("no finite values")
        edges = np.arange(_BINS + 1) / self._scale
        up_to = np.concatenate([[0.0], np.cumsum(self._counts)])
        inner = edges
        if step > 0:
            # of values that are spread the distribution function is a mean of that of the values
            whole = np.concatenate([[0.0], np.cumsum(0.5 * (up_to[1:] + up_to[:-1]))]) / self._scale
            inner = edges[(edges >= 0.5 * step) & (edges <= edges[-1] - 0.5 * step)]
            ends = (np.interp(inner + side * 0.5 * step, edges, whole) for side in (1, -1))
            up_to = np.subtract(*ends) / step
        at = np.asarray(fractions, dtype=np.float64) * self.n
        known = (at > self._counts[0]) & (at < self.n - self._counts[-1])
        if inner.size < 2 or not known.all():
            return self.quantiles(fractions)
        out: NDArray[np.float64] = self._low + np.interp(at, up_to, inner)
        return out

    def above(self, bound: float) -> int:
        """How many values lie above a bound, to a bin's width."""
        at = (bound - self._low) * self._scale
        place = min(max(round(at), 0), _BINS)
        return int(self._counts[place:].sum())

    def histogram(self, low: float, high: float, bins: int) -> tuple[NDArray[np.int64], int]:
        """Counts in ``bins`` equal bins from ``low`` to ``high``, and how many values lie above."""
        from analysis import image_kernels

        counts = np.zeros(bins + 2, np.int64)
        step = (high - low) / bins
        image_kernels.fill(self._image, low - step, 1.0 / step, counts)
        return counts[1:-1], int(counts[-1])

    def _mad(self, centre: float) -> float:
        """Median absolute deviation to the width of a bin; of few different values to their spread."""
        at = np.abs(self._low + (np.arange(_BINS) + 0.5) / self._scale - centre)
        order = np.argsort(at, kind="stable")
        half = int(np.searchsorted(np.cumsum(self._counts[order]), 0.5 * self.n))
        if at[order[half]] > 1.0 / self._scale:
            return float(at[order[half]])
        from analysis import image_kernels

        _, n, first, second = image_kernels.within(self._image, -_HUGE, _HUGE, centre)
        return sqrt(max(second / n - (first / n) ** 2, 0.0)) / MAD_TO_SIGMA


def distribution(image: NDArray[np.floating]) -> Distribution:
    """The distribution of the finite values of an image, shape (rows, columns), taken as float32.

    The image must not change while the distribution is asked.
    """
    from analysis import image_kernels

    values = np.ascontiguousarray(image, dtype=np.float32)
    values = values if values.ndim == 2 else values.reshape(1, -1)
    step = max(1, int(sqrt(values.size / _SAMPLE)))
    some = values[::step, ::step]
    some = some[np.isfinite(some)].astype(np.float64)
    if not some.size:
        some = values[np.isfinite(values)].astype(np.float64)
    centre = float(np.median(some)) if some.size else 0.0
    mad = float(np.median(np.abs(some - centre))) if some.size else 0.0
    reach = _REACH * (mad or float(some.std() if some.size else 0.0) or max(abs(centre), 1.0) * 1e-6)
    low = float(np.float32(centre - reach))
    scale = float(np.float32(_BINS / (2.0 * reach)))
    counts = np.zeros(_BINS, np.int64)
    lost = image_kernels.fill(values, low, scale, counts)
    return Distribution(values.size - lost, values.size, values, low, scale, counts)
