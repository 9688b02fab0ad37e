"""Figures of the history of defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Epoch, Results
from analysis.defect_history.course import ANY, Course
from analysis.defect_history.declared import FIGURES
from analysis.defect_history.noise import flips
from analysis.defects.declared import PIXELS
from analysis.defects.outputs import SHOWN
from analysis.figures import ImageMap, Mark, Panel, Plot, Series
from analysis.maps import map_of
from analysis.masks import BITS
from campaign.frozen import dataclass
from campaign.model import Detector

_MARKED = 2000
_NAMED = 6
"""Epochs that stand under the names of their tests; more are on an axis of time."""
_CELL = 32
"""Side of a cell of the matrix, in squares of the image: as images of detectors its picture is made of few."""
_WRITTEN = 10
"""Epochs up to which the matrix names them, and has its numbers written in it."""


def draw(results: Results, detector: Detector, found: Sequence[Course]) -> None:
    """All figures, or why there are none."""
    for spec in FIGURES:
        if not found:
            results.without(spec.name, "no-reference")
        elif spec.name in ("changes", "persistence") and max(len(one.epochs) for one in found) < 2:
            results.without(spec.name, "too-few-epochs")
    if not found:
        return
    results.figure("share", _share(detector, found))
    results.figure("merged", _merged(found))
    results.figure("over_time", _over_time(found))
    if "changes" not in results.absent:
        results.figure("changes", _changes(found))
        results.figure("persistence", _persistence(found))


def _share(detector: Detector, found: Sequence[Course]) -> ImageMap:
    planes = {
        one.channel.name: np.float32(100.0) * one.image(one.counts.share).astype(np.float32) for one in found
    }
    places = {one.channel.name: one.counts.places[one.switches() > 0] for one in found}
    step = max(1, -(-sum(p.size for p in places.values()) // _MARKED))
    marked = {
        one.channel.name: np.divmod(places[one.channel.name][::step], one.counts.shape[1]) for one in found
    }
    made = map_of(planes, detector, "share of epochs in which a pixel is bad [%]", marked)
    return replace(made, low=0.0, high=max(float(np.nanmax(made.data)), 1e-6))


def _merged(found: Sequence[Course]) -> Plot:
    series = []
    for i, one in enumerate(found):
        numbers = [max(float(np.count_nonzero(one.merged & BITS[name])), 0.1) for name in SHOWN]
        at = np.arange(len(SHOWN)) + 0.6 * (i + 0.5) / len(found) - 0.3
        series.append(Series(at, np.array(numbers), one.channel.name, one.channel.name))
    return Plot((Panel("class, by its bit", "pixels", tuple(series), yscale="log", xnames=SHOWN),))


@dataclass(frozen=True)
class Axis:
    """The abscissa of what is told of epochs: where each is, by (block, test).

    A few stand side by side under their names, channels beside each other; many at days (hours, if all are within two days) since
    the first, or at their numbers where the time of one is not known.
    """

    label: str
    places: dict[tuple[str, str], float]
    names: tuple[str, ...] = ()

    @staticmethod
    def of(epochs: Sequence[Epoch]) -> Axis:
        """The axis of these epochs, in their order."""
        keys = [(e.block, e.test) for e in epochs]
        numbers = dict(zip(keys, map(float, range(len(keys))), strict=True))
        times = [datetime.fromisoformat(e.time) for e in epochs if e.time]
        dated = len(times) == len(epochs)
        begun = f"{times[0]:%Y-%m-%d %H:%M}" if dated else ""
        if len(epochs) <= _NAMED:
            until = f", from {begun} to {times[-1]:%Y-%m-%d %H:%M}" if dated and len(epochs) > 1 else ""
            return Axis(f"epoch{until}", numbers, names(epochs))
        if not dated:
            return Axis("number of the epoch", numbers)
        hours = [(t - times[0]).total_seconds() / 3600.0 for t in times]
        unit, scale = ("hours", 1.0) if max(hours) <= 48.0 else ("days", 24.0)
        return Axis(f"{unit} since {begun}", {k: h / scale for k, h in zip(keys, hours, strict=True)})

    def at(self, one: Course, which: Sequence[int], number: int, of: int) -> NDArray[np.float64]:
        """Where epochs of a channel are, the ``number``-th of so many."""
        beside = 0.6 * ((number + 0.5) / of - 0.5) if self.names else 0.0
        return np.array([self.places[one.epochs[n].block, one.epochs[n].test] + beside for n in which])


def names(epochs: Sequence[Epoch]) -> tuple[str, ...]:
    """Tests by name, with their block where there are several."""
    several = len({e.block for e in epochs}) > 1
    return tuple(f"{e.block}/{e.test}" if several else e.test for e in epochs)


def _all(found: Sequence[Course]) -> tuple[Epoch, ...]:
    """The epochs of the channel that has most."""
    return max((one.epochs for one in found), key=len)


def _over_time(found: Sequence[Course]) -> Plot:
    axis, panels = Axis.of(_all(found)), []
    for kind in (ANY, *PIXELS):
        series = []
        for i, one in enumerate(found):
            looked = [n for n, numbers in enumerate(one.pixels) if kind in numbers]
            variances = [one.noise[n].variances for n in looked]
            errors = [sqrt(sum(v.values()) if kind == ANY else v[kind]) for v in variances]
            numbers = [float(one.pixels[n][kind]) for n in looked]
            series.append(_points(axis.at(one, looked, i, len(found)), numbers, errors, one.channel.name))
        title = "all" if kind == ANY else kind
        panels.append(
            Panel(axis.label, "pixels", tuple(series), (Mark("none", y=0.0),), title, xnames=axis.names)
        )
    return Plot(tuple(panels), columns=2)


def _points(
    at: NDArray[np.float64], numbers: Sequence[float], errors: Sequence[float], channel: str
) -> Series:
    # an error of 10⁻⁹⁷ pixels is none, and would rule the axis where all else is 0
    shown = [e if e > 1e-3 else 0.0 for e in errors]
    return Series(at, np.array(numbers), channel, channel, np.array(shown))


def _changes(found: Sequence[Course]) -> Plot:
    epochs = _all(found)
    axis, panels = Axis.of(epochs[1:] if len(epochs) <= _NAMED else epochs), []
    for title in ("new", "gone"):
        series = []
        for i, one in enumerate(found):
            which = [n for n in range(1, len(one.epochs)) if one.steps[n]]
            steps = [one.steps[n][ANY] for n in which]
            numbers = [float(s.added if title == "new" else s.removed) for s in steps]
            noise = np.array([expected(one, n) for n in which])
            at, name = axis.at(one, which, i, len(found)), one.channel.name
            series.append(_points(at, numbers, np.sqrt(noise).tolist(), name))
            series.append(Series(at, noise, f"{name} by noise", name))
        panels.append(
            Panel(axis.label, "pixels", tuple(series), (Mark("none", y=0.0),), title, xnames=axis.names)
        )
    return Plot(tuple(panels), columns=2)


def expected(one: Course, n: int) -> float:
    """Pixels expected to be new in epoch ``n`` (and gone since the one before) by noise alone, in classes that both looked for."""
    before, after = one.noise[n - 1].variances, one.noise[n].variances
    return sum(flips(before[kind], variance) for kind, variance in after.items() if kind in before)


def _persistence(found: Sequence[Course]) -> ImageMap:
    """Of all channels together, each with the weight of its bad pixels; of channels with as many epochs as any."""
    epochs = _all(found)
    mine = [one for one in found if len(one.epochs) == len(epochs)]
    size = len(mine[0].pairs[0])
    common, either = np.zeros((size, size)), np.zeros((size, size))
    for one in mine:
        common, either = common + one.pairs[0], either + one.pairs[1]
    cells = np.where(either > 0, common / np.maximum(either, 1.0), 1.0)
    few = size <= _WRITTEN
    outlines = [
        (f"{v:.2f}", y * _CELL, (y + 1) * _CELL, x * _CELL, (x + 1) * _CELL)
        for (y, x), v in np.ndenumerate(cells)
    ]
    shown = names(epochs[-size:]) if few else ()
    return ImageMap(
        np.kron(cells, np.ones((_CELL, _CELL))), "likeness (1: the same pixels)", low=0.0, high=1.0,
        outlines=tuple(outlines) if few else (), xlabel="epoch", ylabel="epoch", xnames=shown, ynames=shown,
    )  # fmt: skip
