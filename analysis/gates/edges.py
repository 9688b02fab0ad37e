"""Tearing: charge that moved between the outer columns of a channel and its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.correlation import in_order_of_reading
from analysis.contract import FrameInput
from analysis.statistics import robust_std
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

OUTER = 2
"""Columns at either edge in which divisadero is looked for (eotest)."""

_BAND = (10, 210)
_EDGE = 25
_HEIGHTS = (0.07, 0.5, 0.95)
_AROUND = 50
_STANDS_OUT = 5.0  # robust σ
_SINGLE = 0.1
_OF_SPREAD = 20_000  # pixels that settle it to 1 %

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Edges:
    """The columns of a channel, in order of reading, in the band of rows beside the readout.

    ``profile`` is each column over the straight line through the inner ones, less 1; ``error`` that of one column. ``ratios`` ± ``ratio_errors`` are those of the outermost
    column to the next, less 1, shape (2 edges, 3 heights).
    """

    profile: Floats
    error: float
    ratios: Floats
    ratio_errors: Floats
    frames: int

    @property
    def divisadero(self) -> tuple[float, float, int]:
        """The largest deviation of an outer column, its error, and which column."""
        outer = [*range(OUTER), *range(self.profile.size - OUTER, self.profile.size)]
        at = max(outer, key=lambda x: abs(self.profile[x]))
        return float(self.profile[at]), self.error, at

    def torn(self, cut: float) -> int:
        """Edges whose ratio differs between heights by more than ``cut``, and by five of its error."""
        count = 0
        for ratios, errors in zip(self.ratios, self.ratio_errors, strict=True):
            low, high = int(ratios.argmin()), int(ratios.argmax())
            apart, error = ratios[high] - ratios[low], sqrt(errors[high] ** 2 + errors[low] ** 2)
            count += bool(apart > cut and apart > 5.0 * error)
        return count


def edges_of(frames: Sequence[FrameInput], offsets: Sequence[float], channel: Channel) -> Edges | None:
    """The edges of a channel in some flats with their offsets [ADU]; None for too few columns or pixels."""
    rows, columns = channel.image.shape
    inner = min(_EDGE, columns // 6)
    if columns < 16 or rows < 8:
        return None
    first = min(_BAND[0], rows // 16)
    bands = [(first, min(_BAND[1], rows))]
    reach = min(_AROUND, rows // 20 + 1)
    for height in _HEIGHTS:
        middle = int(height * rows)
        bands.append((max(middle - reach, 0), min(middle + reach, rows)))
    profiles = np.zeros((len(bands), columns))
    for frame, offset in zip(frames, offsets, strict=True):
        for b, (low, high) in enumerate(bands):
            region = _rows(channel, low, high)
            values = in_order_of_reading(frame.pixels.read(channel, region), channel).astype(np.float64)
            with np.errstate(invalid="ignore", divide="ignore"):
                good = np.isfinite(values)
                means = np.where(good, values, 0.0).sum(axis=0) / good.sum(axis=0)
            # a column between others counts little alone: those near the edges are looked at pixel by pixel
            for near in (slice(0, inner), slice(columns - inner, columns)):
                means[near] = without_single(values[:, near])
            means -= offset
            level = np.nanmedian(means[inner:-inner]) if np.isfinite(means).any() else np.nan
            if not level > 0:
                return None
            profiles[b] += means / level / len(frames)
    if not np.isfinite(profiles).all():
        return None
    x = np.arange(columns, dtype=np.float64)
    kept = slice(inner, columns - inner)
    line = np.polynomial.Polynomial.fit(x[kept], profiles[0][kept], 1)
    profile = profiles[0] / line(x) - 1.0
    steps = np.array([robust_std(np.diff(p[kept])) / sqrt(2.0) for p in profiles])
    ratios = np.array([[p[0] / p[1] - 1.0, p[-1] / p[-2] - 1.0] for p in profiles[1:]]).T
    errors = np.broadcast_to(steps[1:] * sqrt(2.0), ratios.shape)
    return Edges(
        profile, max(float(robust_std(profile[kept])), 1e-9), ratios, np.maximum(errors, 1e-9), len(frames)
    )


def without_single(values: Floats) -> Floats:
    """Mean of each column of some rows [unit of ``values``, shape (rows, columns)] without single pixels that stand out; NaN where nothing is finite.

    Single is what lies beyond five robust σ of its column's median, unless that is more than a tenth of the column (of few rows, more than two pixels): then it
    is the column's own. A dead pixel or a particle changes the mean of a hundred rows by a per cent, as much as a tear.
    """
    good = np.isfinite(values)
    if good.all():
        middle = np.median(values, axis=0)
    else:
        middle = np.full(values.shape[1], np.nan)
        for x in np.flatnonzero(good.any(axis=0)):
            middle[x] = np.median(values[good[:, x], x])
    off = np.where(good, values - middle, 0.0)
    known = off[good]
    reach = _STANDS_OUT * robust_std(known[:: max(1, known.size // _OF_SPREAD)]) if known.size else 0.0
    out = good & (np.abs(off) > reach) if reach > 0 else np.zeros_like(good)
    good &= ~out | (out.sum(axis=0) > max(_SINGLE * values.shape[0], 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = middle + np.where(good, off, 0.0).sum(axis=0) / good.sum(axis=0)
    return means


def _rows(channel: Channel, low: int, high: int) -> Region:
    """Rows of a channel's image, counted in order of reading."""
    image = channel.image
    if channel.corner.startswith("upper"):
        low, high = image.shape[0] - high, image.shape[0] - low
    return Region(image.y0 + low, image.y0 + high, image.x0, image.x1)
