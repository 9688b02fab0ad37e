"""Summaries: what one read of a frame tells about each of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ChannelSummary, Pixels
from analysis.histogram import Histogram, histogram
from analysis.offsets import OVERSCAN_TRIM, PRESCAN_TRIM, trimmed_columns
from analysis.statistics import Clipped, clipped, clipped_histogram
from campaign.geometry import Channel, Region
from campaign.model import Detector

NO_NUMBER = float("nan")
"""Stands in a summary without a single finite pixel (``n`` is 0): not a number, and no other value."""


@dataclass(frozen=True)
class _Distribution:
    """What a region's values look like."""

    core: Clipped | None
    p01: float
    p99: float
    low: float
    high: float
    low_pile: float
    high_pile: float
    saturated: int
    zeros: int
    not_finite: int
    n: int


def summarise(pixels: Pixels, detector: Detector) -> dict[str, ChannelSummary]:
    """Summaries by channel name, all in ADU; one read of each of image, overscan and prescan.

    16-bit pixels go through their exact histogram. NaN and infinite pixels (of the image and of the scan columns
    used) are counted in ``not_finite`` and left out; a channel without any finite image pixel has ``n`` = 0 and not-a-number statistics. Saturated
    are image pixels at or above the geometry's saturation. Raises what ``pixels.read`` raises.
    """
    geometry = detector.geometry
    return {c.name: _summarise_channel(pixels, c, geometry.saturation) for c in geometry.channels}


def _summarise_channel(pixels: Pixels, channel: Channel, saturation: float) -> ChannelSummary:
    image = _distribution(pixels.read(channel, channel.image), saturation)
    over, over_bad = _core(pixels, channel, channel.overscan, OVERSCAN_TRIM)
    pre, pre_bad = _core(pixels, channel, channel.prescan, PRESCAN_TRIM)
    core = image.core
    return ChannelSummary(
        mean=core.mean if core else NO_NUMBER,
        median=core.median if core else NO_NUMBER,
        std=core.std if core else NO_NUMBER,
        p01=image.p01,
        p99=image.p99,
        low=image.low,
        high=image.high,
        low_pile=image.low_pile,
        high_pile=image.high_pile,
        saturated=image.saturated,
        zeros=image.zeros,
        not_finite=image.not_finite + over_bad + pre_bad,
        n=image.n,
        overscan_mean=over.mean if over else None,
        overscan_std=over.std if over else None,
        prescan_mean=pre.mean if pre else None,
        prescan_std=pre.std if pre else None,
    )


def _core(
    pixels: Pixels, channel: Channel, region: Region | None, trim: tuple[int, int]
) -> tuple[Clipped | None, int]:
    """Clipped statistics of a pre- or overscan, trimmed, and its pixels that are not finite."""
    if region is None:
        return None, 0
    values = pixels.read(channel, trimmed_columns(channel, region, trim))
    finite = values.size if values.dtype.kind in "iu" else int(np.isfinite(values).sum())
    return (clipped(values) if finite else None), values.size - finite


def _distribution(values: NDArray[np.generic], saturation: float) -> _Distribution:
    if values.dtype.kind in "iu":
        return _of_integers(histogram(values), saturation)
    flat = values.ravel().astype(np.float64)
    finite = flat[np.isfinite(flat)]
    lost = flat.size - finite.size
    if finite.size == 0:
        return _Distribution(None, NO_NUMBER, NO_NUMBER, NO_NUMBER, NO_NUMBER, 0.0, 0.0, 0, 0, lost, 0)
    low, high = float(finite.min()), float(finite.max())
    p01, p99 = (float(p) for p in np.percentile(finite, [1, 99]))
    return _Distribution(
        clipped(finite),
        p01,
        p99,
        low,
        high,
        float((finite == low).mean()),
        float((finite == high).mean()),
        int((finite >= saturation).sum()),
        int((finite == 0).sum()),
        lost,
        finite.size,
    )


def _of_integers(found: Histogram, saturation: float) -> _Distribution:
    n = found.n
    return _Distribution(
        clipped_histogram(found),
        found.quantile(0.01),
        found.quantile(0.99),
        float(found.low),
        float(found.low + found.counts.size - 1),
        float(found.counts[0] / n),
        float(found.counts[-1] / n),
        int(found.counts[found.levels >= saturation].sum()),
        int(found.counts[-found.low]) if found.low <= 0 < found.low + found.counts.size else 0,
        0,
        n,
    )


def piled_up(summary: ChannelSummary) -> bool:
    """Whether values pile up at the lowest or highest level found: more there than a normal distribution puts.

    True when more than a thousandth of the pixels, and more than half again of what is expected of one step at that
    distance from the mean, share the level: the converter clamps, or is saturated.
    """
    if summary.n == 0:
        return False
    sides = ((summary.low, summary.low_pile), (summary.high, summary.high_pile))
    if summary.std == 0.0:
        return summary.n > 1 and summary.low == summary.high
    return any(pile > 1e-3 and pile > 1.5 * _within_a_step(level, summary) for level, pile in sides)


def _within_a_step(level: float, summary: ChannelSummary) -> float:
    """What a normal distribution of the summary's mean and std puts within half a step of a level."""
    below, above = ((level + d - summary.mean) / summary.std / sqrt(2.0) for d in (-0.5, 0.5))
    return 0.5 * (erf(above) - erf(below))
