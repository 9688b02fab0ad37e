"""Figures and products of the cosmic rays procedure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Results, TableProduct
from analysis.conversion import Conversion
from analysis.cosmic_rays.hits import Hits
from analysis.cosmic_rays.search import Found
from analysis.figures import ImageMap, Panel, Plot, Series
from analysis.maps import map_of
from campaign.frozen import dataclass
from campaign.geometry import Channel
from campaign.model import Detector

PAIR = 3.65
"""Energy of an electron–hole pair in silicon [eV]."""

LISTED = 50_000
_BINS = 40


@dataclass(frozen=True)
class OfChannel:
    """The hits of one channel that count, what they were found in, the gain, the seconds during which they fell, and in words the steps that frames were ``corrected`` by."""

    channel: Channel
    found: Found
    hits: Hits
    gain: Conversion | None
    seconds: float
    corrected: str = ""


def hand_on(results: Results, detector: Detector, have: Sequence[OfChannel]) -> None:
    """All figures and products, or why there are none."""
    if not have:
        for name in ("map", "energies", "lengths", "hits"):
            results.without(name, "too-few-frames")
        return
    results.figure("map", _map(detector, have))
    unit = "e⁻" if all(one.gain is not None for one in have) else "ADU"
    energies = [o.hits.charge * (o.gain.gain if o.gain is not None and unit == "e⁻" else 1.0) for o in have]
    results.figure("energies", Plot((_histogram(have, energies, f"charge of a hit [{unit}]", True),)))
    results.figure(
        "lengths", Plot((_histogram(have, [o.hits.length for o in have], "length of a hit [pix]", False),))
    )
    results.product("hits", _table(have))


def _map(detector: Detector, have: Sequence[OfChannel]) -> ImageMap:
    """Hits by place: marked, and as their number in each square of the map."""
    planes: dict[str, NDArray[np.floating]] = {}
    marked = {}
    for one in have:
        plane = np.zeros(one.channel.image.shape, np.float32)
        np.add.at(plane, (one.hits.y, one.hits.x), 1e6 / max(one.seconds, 1e-9) * 3600.0)
        planes[one.channel.name] = plane
        marked[one.channel.name] = (one.hits.y, one.hits.x)
    return map_of(planes, detector, "hits found [Mpix⁻¹ h⁻¹]", marked)


def _histogram(
    have: Sequence[OfChannel], values: Sequence[NDArray[np.float64]], label: str, logarithmic: bool
) -> Panel:
    """Rates of hits by a value, with their Poisson errors, by channel."""
    known = np.concatenate([v[v > 0] for v in values]) if values else np.zeros(0)
    low, high = (float(known.min()), float(known.max())) if known.size else (1.0, 10.0)
    if logarithmic:
        edges = np.geomspace(low * 0.999, max(high, low * 1.01) * 1.001, _BINS + 1)
    else:
        edges = np.arange(0.0, max(high, 4.0) + 2.0) - 0.5
        edges = edges if edges.size <= 4 * _BINS else np.linspace(-0.5, high + 0.5, _BINS + 1)
    series = []
    for one, held in zip(have, values, strict=True):
        counts, _ = np.histogram(held, edges)
        per = 1e6 * 3600.0 / (max(one.found.pixels, 1) * max(one.seconds, 1e-9))
        name = one.channel.name
        middle = np.sqrt(edges[1:] * edges[:-1]) if logarithmic else 0.5 * (edges[1:] + edges[:-1])
        series.append(Series(middle, counts * per, name, name, np.sqrt(counts) * per, style="step"))
    return Panel(
        label, "hits in each step [Mpix⁻¹ h⁻¹]", tuple(series), xscale="log" if logarithmic else "linear"
    )


def _table(have: Sequence[OfChannel]) -> TableProduct:
    names = ("channel", "exposure", "y", "x", "charge", "energy", "pixels", "length", "angle", "significance")
    columns: dict[str, list[object]] = {name: [] for name in names}
    for one in have:
        hits = one.hits
        order = np.lexsort((hits.x, hits.y, hits.frame))[:LISTED]
        hits = hits.chosen(order)
        gain = np.nan if one.gain is None else one.gain.gain
        columns["channel"] += [one.channel.name] * hits.number
        columns["exposure"] += [one.found.frames[i].frame.exposure for i in hits.frame.tolist()]
        columns["y"] += (hits.y + one.channel.image.y0).tolist()
        columns["x"] += (hits.x + one.channel.image.x0).tolist()
        columns["charge"] += (hits.charge * gain if one.gain is not None else hits.charge).tolist()
        columns["energy"] += (hits.charge * gain * PAIR / 1000.0).tolist()
        columns["pixels"] += hits.pixels.tolist()
        columns["length"] += hits.length.tolist()
        columns["angle"] += hits.angle.tolist()
        columns["significance"] += hits.significance.tolist()
    known = all(one.gain is not None for one in have)
    return TableProduct(
        columns,
        {"y": "pix", "x": "pix", "charge": "electron" if known else "adu", "energy": "keV", "length": "pix", "angle": "deg"},
        {
            "y": "row of the brightest pixel in the image, from zero",
            "x": "column of the brightest pixel in the image, from zero",
            "charge": "of the pixels of the hit and those beside them",
            "energy": "charge times 3.65 eV per electron; NaN without a gain",
            "length": "from centre to centre of the outermost pixels",
            "angle": "from along the row towards along the column",
            "significance": "of the brightest pixel, in σ",
        },
    )  # fmt: skip
