"""Figures of the defects procedure."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Results
from analysis.defects.channel import OfChannel
from analysis.defects.declared import PIXELS
from analysis.defects.found import Evidence
from analysis.figures import ImageMap, Mark, Panel, Plot, Series, small_multiples
from analysis.maps import map_of
from analysis.masks import BITS
from campaign.model import Detector

SHOWN = (*PIXELS, "column", "cluster", "saturated", "bloom", "edge", "no-value")
"""Bits whose area is drawn, in this order."""

_MARKED = 2000
_BINS = 160


def draw(results: Results, detector: Detector, found: Sequence[OfChannel]) -> None:
    """All figures, or why there are none."""
    looked = [one for one in found if one.looked]
    if not looked:
        for name in ("over_image", "area", "without_light", "response", "noise"):
            results.without(name, "too-few-frames")
        return
    results.figure("over_image", over_image(detector, looked))
    results.figure("area", _area(looked))
    for name, kind in (("without_light", "darks"), ("response", "flats"), ("noise", "series")):
        panels = [evidence.panel for one in looked if (evidence := getattr(one, kind)).panel is not None]
        if panels:
            results.figure(name, small_multiples(panels))
        else:
            missing: dict[str, tuple[str, str]] = getattr(looked[0], kind).missing
            reason, note = next(iter(missing.values()), ("too-few-frames", ""))
            results.without(name, reason, note)


def drawn_and_forgotten(one: OfChannel) -> OfChannel:
    """The channel with its distributions drawn and without the images that only they show: so that a detector needs the memory of one channel's."""
    for evidence, panel, shown in (
        (one.darks, _significance, one.darks.significance),
        (one.flats, _significance, one.flats.significance),
        (one.series, _noise, one.series.image),
    ):
        if shown is not None:
            evidence.panel = panel(one, evidence)
            evidence.significance = evidence.no_value = evidence.saturated = None
    one.series.image = None
    return one


def over_image(detector: Detector, found: Sequence[OfChannel]) -> ImageMap:
    """The response of the flats, else the rate of the darks, at its place on the detector, with bad pixels marked."""
    with_light = all(one.flats.image is not None for one in found)
    planes: dict[str, NDArray[np.floating]] = {}
    for one in found:
        image = one.flats.image if with_light else one.darks.image
        planes[one.channel.name] = np.full(one.mask.shape, np.nan, np.float32) if image is None else image
    whole = (
        BITS["column"] | BITS["edge"]
    )  # whole columns and edges are seen without marks, and would hide the rest
    bad = {
        one.channel.name: np.divmod(one.places[(one.held & whole) == 0], one.mask.shape[1]) for one in found
    }
    number = sum(y.size for y, _ in bad.values())
    if number > _MARKED:  # so many marks would hide the image: every so many-th
        step = -(-number // _MARKED)
        bad = {name: (y[::step], x[::step]) for name, (y, x) in bad.items()}
    label = "response" if with_light else "rate [ADU/s]"
    return map_of(planes, detector, label, {n: (y, x) for n, (y, x) in bad.items()})


def _area(found: Sequence[OfChannel]) -> Plot:
    """Share of each channel's pixels by bit; bits that no pixel has are at a tenth of one pixel, below which the axis ends."""
    series = []
    for i, one in enumerate(found):
        numbers = [float(np.count_nonzero(one.held & BITS[name])) for name in SHOWN]
        shares = [100.0 * max(n, 0.1) / one.mask.size for n in numbers]
        at = np.arange(len(SHOWN)) + 0.6 * (i + 0.5) / len(found) - 0.3
        series.append(Series(at, np.array(shares), one.channel.name, one.channel.name))
    return Plot((Panel("class, by its bit", "area [%]", tuple(series), yscale="log", xnames=SHOWN),))


def _counts(
    image: NDArray[np.float32], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Middles of equal bins, how many pixels are in each, and how many lie outside."""
    from analysis import image_kernels

    counts = np.zeros(_BINS + 2, np.int64)
    step = (high - low) / _BINS
    image_kernels.fill(np.ascontiguousarray(image), low - step, 1.0 / step, counts)
    middles = np.asarray(low + step * (np.arange(_BINS) + 0.5), dtype=np.float64)
    return middles, counts[1:-1].astype(np.float64), int(counts[0] + counts[-1])


def _significance(one: OfChannel, evidence: Evidence) -> Panel:
    """Histogram of the significance with the normal distribution and the thresholds."""
    assert evidence.significance is not None
    reach = max([10.0, *(1.3 * abs(t) for t in evidence.thresholds.values())])
    at, counts, beyond = _counts(evidence.significance, -reach, reach)
    n = float(counts.sum()) + beyond
    normal = n * 2.0 * reach / _BINS * np.exp(-0.5 * at**2) / sqrt(2.0 * np.pi)
    series = (
        Series(at, counts, "pixels", one.channel.name, style="step"),
        Series(at[normal > 0.1], normal[normal > 0.1], "normal", one.channel.name, style="line"),
    )
    marks = tuple(Mark(name, x=value) for name, value in evidence.thresholds.items())
    title = f"{one.channel.name}: {beyond} beyond" if beyond else one.channel.name
    return Panel("pixel less level around, over σ", "pixels", series, marks, title=title, yscale="log")


def _noise(one: OfChannel, evidence: Evidence) -> Panel:
    """Histogram of variances over the usual one, with what noise alone makes of so many frames."""
    from scipy.special import chdtrc

    assert evidence.image is not None
    dof, bound = evidence.frames - 1, evidence.thresholds["noisy"]
    high = 1.5 * bound
    at, counts, beyond = _counts(evidence.image, 0.0, high)
    edges = np.linspace(0.0, high, _BINS + 1)
    usual = (counts.sum() + beyond) * -np.diff(chdtrc(dof, edges * dof))
    series = (
        Series(at, counts, "pixels", one.channel.name, style="step"),
        Series(at[usual > 0.1], usual[usual > 0.1], f"χ² of {dof}", one.channel.name, style="line"),
    )
    title = f"{one.channel.name}: {beyond} beyond" if beyond else one.channel.name
    return Panel(
        "variance over the usual", "pixels", series, (Mark("noisy", x=bound),), title=title, yscale="log"
    )
