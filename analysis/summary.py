"""Summaries: what one read of a frame tells about each of its channels."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, erf, isfinite, sqrt

import numpy as np

from analysis.contract import ChannelDetails, ChannelSummary, Pixels
from analysis.histogram import Histogram
from analysis.offsets import OVERSCAN_TRIM, PRESCAN_TRIM, trimmed_columns
from analysis.region_counts import Gathered, gathered
from analysis.statistics import Clipped, clipped, clipped_histogram
from campaign.frozen import dataclass
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
    n: int


def regions_of(channel: Channel) -> dict[str, Region]:
    """The regions that are read of a channel: image, and over- and prescan less the columns passed over."""
    out = {"image": channel.image}
    for name, trim in (("overscan", OVERSCAN_TRIM), ("prescan", PRESCAN_TRIM)):
        region = channel.region(name)
        if region is not None:
            out[name] = trimmed_columns(channel, region, trim)
    return out


def summarise(pixels: Pixels, detector: Detector) -> dict[str, ChannelSummary]:
    """Summaries by channel name, all in ADU; one read of each of image, overscan and prescan.

    Raises what ``pixels.read`` raises.
    """
    geometry = detector.geometry
    return {c.name: summary_of(_read(pixels, c), geometry.saturation) for c in geometry.channels}


def details_from(pixels: Pixels, channel: Channel) -> ChannelDetails:
    """Histograms and profiles of a channel from its pixels. Raises what ``pixels.read`` raises."""
    return details_of(_read(pixels, channel))


def _read(pixels: Pixels, channel: Channel) -> dict[str, Gathered]:
    return {name: gathered(pixels.read(channel, region)) for name, region in regions_of(channel).items()}


def summary_of(found: Mapping[str, Gathered], saturation: float) -> ChannelSummary:
    """The summary of a channel from what was gathered of its regions, by name (see ``regions_of``).

    Whole numbers go through their exact histogram. NaN and infinite pixels (of the image and of the scan columns
    used) are counted in ``not_finite`` and left out; a channel without any finite image pixel has ``n`` = 0 and
    not-a-number statistics. Saturated are image pixels at or above ``saturation`` [ADU].
    """
    image = _distribution(found["image"], saturation)
    over, pre = (_core(found.get(name)) for name in ("overscan", "prescan"))
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
        not_finite=sum(region.lost for region in found.values()),
        n=image.n,
        overscan_mean=over.mean if over else None,
        overscan_std=over.std if over else None,
        prescan_mean=pre.mean if pre else None,
        prescan_std=pre.std if pre else None,
    )


def details_of(found: Mapping[str, Gathered]) -> ChannelDetails:
    """The details of a channel from what was gathered of its regions, by name."""
    image, over, pre = found["image"], found.get("overscan"), found.get("prescan")
    return ChannelDetails(
        image.histogram,
        over.histogram if over else None,
        pre.histogram if pre else None,
        image.rows,
        image.columns,
        over.rows if over else None,
    )


def _core(found: Gathered | None) -> Clipped | None:
    """Clipped statistics of a pre- or overscan; None without any finite pixel."""
    if found is None:
        return None
    if found.histogram is not None:
        return clipped_histogram(found.histogram)
    return clipped(found.values) if found.values.size else None


def _distribution(found: Gathered, saturation: float) -> _Distribution:
    if found.histogram is not None:
        return _of_integers(found.histogram, saturation)
    finite = found.values
    if finite.size == 0:
        return _Distribution(None, NO_NUMBER, NO_NUMBER, NO_NUMBER, NO_NUMBER, 0.0, 0.0, 0, 0, 0)
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
        finite.size,
    )


def _of_integers(found: Histogram, saturation: float) -> _Distribution:
    n, top = found.n, found.low + found.counts.size
    first = min(max(ceil(saturation) - found.low, 0), found.counts.size) if isfinite(saturation) else None
    return _Distribution(
        clipped_histogram(found),
        found.quantile(0.01),
        found.quantile(0.99),
        float(found.low),
        float(top - 1),
        float(found.counts[0] / n),
        float(found.counts[-1] / n),
        0 if first is None else int(found.counts[first:].sum()),
        int(found.counts[-found.low]) if found.low <= 0 < top else 0,
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
