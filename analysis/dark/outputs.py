"""What the dark procedure shows and hands on: figures, the master, the mask, the hot pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct, Results, TableProduct
from analysis.dark.channel import Master, OfChannel
from analysis.dark.condition_outputs import draw_conditions
from analysis.figures import Mark, Panel, Plot, Series, small_multiples
from analysis.maps import map_of
from analysis.masks import MEANINGS
from campaign.model import Detector

_MARKED = 500
_LISTED = 20_000
_TAIL = 30.0
"""Core's σ that the histogram of rates shows above it: in a range up to the hottest pixels of a small detector the core is one step."""


def draw(results: Results, detector: Detector, found: Sequence[OfChannel]) -> None:
    """All figures, or why there are none."""
    have = [(one, one.master) for one in found if one.master is not None]
    if not have:
        for name in ("levels", "rates", "master", "time", "temperature"):
            results.without(name, "too-few-frames")
        return
    draw_conditions(results, found)
    results.figure("levels", Plot((_levels(found),)))
    results.figure("rates", small_multiples([_rates(one, master) for one, master in have]))
    planes = {one.channel.name: master.mean for one, master in have}
    results.figure("master", map_of(planes, detector, "rate [ADU/s]", _marked(have)))


def _marked(
    have: Sequence[tuple[OfChannel, Master]],
) -> dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The hot pixels of each channel; of very many, which would hide the image, the hottest of all channels."""
    found = {one.channel.name: np.divmod(one.hot, master.mean.shape[1]) for one, master in have}
    rates = {one.channel.name: master.mean[found[one.channel.name]] for one, master in have}
    each = np.concatenate(list(rates.values()))
    floor = np.sort(each)[-_MARKED] if each.size > _MARKED else -np.inf
    return {name: (y[rates[name] >= floor], x[rates[name] >= floor]) for name, (y, x) in found.items()}


def _levels(found: Sequence[OfChannel]) -> Panel:
    series = []
    for one in found:
        name, levels = one.channel.name, one.levels
        series.append(Series(levels.times, levels.levels, name, name, levels.errors))
        ends = np.array([0.0, max(levels.times)])
        line = (one.current.intercept or 0.0) + one.current.value * ends
        series.append(Series(ends, line, f"{name}: fit", name, style="line"))
    return Panel("exposure time [s]", "level less offset [ADU]", tuple(series))


def _rates(one: OfChannel, master: Master) -> Panel:
    """Histogram of rates: the core in fine steps, and the tail as far as the core is still wide enough to be seen."""
    low, q16, q84, high = (float(q) for q in master.spread.quantiles([0.0005, 0.16, 0.84, 0.9995]))
    high = max(min(high, q84 + _TAIL * (q84 - q16) / 2.0), one.threshold * 1.5, low + 1e-9)
    # no finer than a third of the core's σ: means of few frames of whole numbers leave holes in finer steps
    step = max((high - low) / 200.0, (q84 - q16) / 6.0)
    bins = max(int((high - low) / step), 1)
    counts, above = master.spread.histogram(low, high, bins)
    edges = np.linspace(low, high, bins + 1)
    title = f"{one.channel.name}: {above} hotter than shown" if above else one.channel.name
    series = Series(
        (edges[1:] + edges[:-1]) / 2.0, counts.astype(np.float64), "pixels", one.channel.name, style="step"
    )
    marks = (
        Mark(one.threshold_label, x=one.threshold),
        Mark("warm", x=one.warm_threshold),
        Mark("dark current", x=one.current.value),
    )
    return Panel("rate [ADU/s]", "pixels", (series,), marks, title=title, yscale="log")


def hand_on(results: Results, found: Sequence[OfChannel]) -> None:
    """The products, or why there are none."""
    have = [(one, one.master) for one in found if one.master is not None]
    if not have:
        for name in ("master_dark", "hot_mask", "dark_mask", "hot_pixels"):
            results.without(name, "too-few-frames")
        return
    planes: dict[str, NDArray[np.generic]] = {}
    masks: dict[str, NDArray[np.generic]] = {}
    for one, master in have:
        planes[one.channel.name] = master.mean
        planes[f"{one.channel.name}_ERR"] = master.error
        hot = np.zeros(master.mean.shape, np.uint8)
        hot[:, one.hot_columns] = 2
        hot.ravel()[one.hot] |= 1
        masks[one.channel.name] = hot
    cards = {"NFRAMES": (max(one.frames for one, _ in have), "frames combined (at most, per pixel)")}
    results.product("master_dark", ImageProduct(planes, "ADU/s", cards))
    results.product("hot_mask", ImageProduct(masks, ""))
    of_bits: dict[str, NDArray[np.generic]] = {one.channel.name: one.mask for one, _ in have}
    bits = {f"BIT{n}": (name, f"meaning of bit {n}") for n, name in enumerate(MEANINGS)}
    results.product("dark_mask", ImageProduct(of_bits, "", bits))
    results.product("hot_pixels", _table(have))


def _table(have: Sequence[tuple[OfChannel, Master]]) -> TableProduct:
    columns: dict[str, list[object]] = {name: [] for name in ("channel", "y", "x", "rate", "error")}
    for one, master in have:
        y, x = np.divmod(one.hot, master.mean.shape[1])
        order = np.argsort(-master.mean[y, x], kind="stable")[:_LISTED]
        y, x = y[order], x[order]
        columns["channel"] += [one.channel.name] * y.size
        columns["y"] += (y + one.channel.image.y0).tolist()
        columns["x"] += (x + one.channel.image.x0).tolist()
        columns["rate"] += master.mean[y, x].tolist()
        columns["error"] += master.error[y, x].tolist()
    return TableProduct(
        columns,
        {"y": "pix", "x": "pix", "rate": "adu / s", "error": "adu / s"},
        {
            "y": "row in the image, from zero",
            "x": "column in the image, from zero",
            "rate": "rate of the master",
            "error": "from the scatter over frames; NaN for fewer than two",
        },
    )
