"""Figures of the history of defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Epoch, FigureSpec, PanelSpec, Results
from analysis.defect_history.course import ANY, Course
from analysis.defect_history.noise import flips
from analysis.defects.channel import PIXELS
from analysis.defects.outputs import SHOWN
from analysis.figures import ImageMap, Mark, Panel, Plot, Series
from analysis.maps import map_of
from analysis.masks import BITS
from campaign.model import Detector

_MARKED = 2000
_NAMED = 6
"""Epochs whose tests are named in plots over time."""

FIGURES = (
    FigureSpec(
        "share", "How often each pixel is bad",
        "Share of the epochs that saw a pixel in which it is bad, on the detector; pixels that came or went are marked. Look for lines and crowds of marks: something happened there.",
        (PanelSpec("Share of the epochs [%] in which each pixel is bad, at its place on the detector, averaged over squares; pixels that came or went marked, of very many every so many-th."),),
        ("flickering",),
    ),
    FigureSpec(
        "merged", "Merged mask by class", "Pixels of each channel by bit of the merged mask. Points on the lowest line are of classes without any pixel.",
        (PanelSpec("Pixels, logarithmic, of each class, by channel; what no pixel has is drawn at a tenth of a pixel."),),
        ("bad_area", *(kind.replace("-", "_") for kind in PIXELS)),
    ),
    FigureSpec(
        "over_time", "Bad pixels over time", "Pixels of each epoch's own mask. Steps and slopes are damage or annealing; a class that was not looked for in an epoch has no point there.",
        (
            PanelSpec("Pixels with any defect against time, by channel, with their uncertainty."),
            *(PanelSpec(f"The same of pixels with the bit {kind}.") for kind in PIXELS),
        ),
    ),
    FigureSpec(
        "changes", "What is new, what is gone",
        "Pixels that one epoch has and the one before has not, and the other way round, with lines for what noise at the thresholds makes of a detector on which nothing changed. Points well above their line are changes.",
        (
            PanelSpec("Pixels that are new against time, by channel; broken lines: expected by noise."),
            PanelSpec("Pixels that are gone against time, by channel; broken lines: expected by noise."),
        ),
        ("added", "removed", "flips"),
    ),
    FigureSpec(
        "persistence", "Likeness of epochs", "Pixels that are bad in both of two epochs over those that are bad in either, in classes that all epochs looked for. Blocks of like epochs end where something happened.",
        (PanelSpec("Likeness of each epoch (column) with each (row), of all channels together; 1 is the same pixels."),),
        ("likeness", "epochs"),
    ),
)  # fmt: skip


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


def _axis(epochs: Sequence[Epoch]) -> tuple[str, dict[tuple[str, str], float], tuple[Mark, ...]]:
    """Label of the time axis, the place of each epoch on it, and marks that name the tests where they are few.

    Days since the first, hours where all are within two days; the number of the epoch where the time of one is not known.
    """
    keys = [(e.block, e.test) for e in epochs]
    times = [datetime.fromisoformat(e.time) for e in epochs if e.time]
    if len(times) < len(epochs):
        label, at = "epoch", dict(zip(keys, map(float, range(1, len(keys) + 1)), strict=True))
    else:
        past = [(t - times[0]).total_seconds() / 3600.0 for t in times]
        unit, scale = ("hours", 1.0) if max(past) <= 48.0 else ("days", 24.0)
        label = f"{unit} since {times[0].date().isoformat()} {times[0]:%H:%M}"
        at = {key: p / scale for key, p in zip(keys, past, strict=True)}
    many = len({e.block for e in epochs}) > 1
    named = epochs if 1 < len(epochs) <= _NAMED else ()
    return label, at, tuple(Mark(f"{e.block}/{e.test}" if many else e.test, x=at[e.block, e.test]) for e in named)  # fmt: skip


def _all(found: Sequence[Course]) -> tuple[Epoch, ...]:
    """The epochs of the channel that has most."""
    return max((one.epochs for one in found), key=len)


def _at(one: Course, places: dict[tuple[str, str], float], which: Sequence[int]) -> NDArray[np.float64]:
    return np.array([places[one.epochs[n].block, one.epochs[n].test] for n in which])


def _over_time(found: Sequence[Course]) -> Plot:
    label, places, marks = _axis(_all(found))
    panels = []
    for kind in (ANY, *PIXELS):
        series = []
        for one in found:
            looked = [n for n, numbers in enumerate(one.pixels) if kind in numbers]
            held = [one.noise[n].variances for n in looked]
            errors = [sqrt(sum(v.values()) if kind == ANY else v[kind]) for v in held]
            numbers = [float(one.pixels[n][kind]) for n in looked]
            series.append(
                Series(
                    _at(one, places, looked), np.array(numbers), one.channel.name, one.channel.name, np.array(errors)
                )
            )  # fmt: skip
        title = "all" if kind == ANY else kind
        panels.append(Panel(label, "pixels", tuple(series), marks if kind == ANY else (), title))
    return Plot(tuple(panels), columns=3)


def _changes(found: Sequence[Course]) -> Plot:
    label, places, marks = _axis(_all(found))
    panels = []
    for title in ("new", "gone"):
        series = []
        for one in found:
            which = [n for n in range(1, len(one.epochs)) if ANY in one.steps[n]]
            steps = [one.steps[n][ANY] for n in which]
            numbers = np.array([float(s.added if title == "new" else s.removed) for s in steps])
            noise = np.array([expected(one, n) for n in which])
            at, name = _at(one, places, which), one.channel.name
            series.append(Series(at, numbers, name, name, np.sqrt(noise)))
            series.append(Series(at, noise, f"{name} by noise", name, style="line"))
        panels.append(Panel(label, "pixels", tuple(series), marks, title))
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
        both, any_of = one.pairs
        common, either = common + both, either + any_of
    likeness = np.where(either > 0, common / np.maximum(either, 1.0), 1.0)
    names = tuple(e.test for e in epochs[-size:])
    shown = names if size <= 12 else ()
    return ImageMap(
        likeness, "likeness", low=0.0, high=1.0, xlabel="epoch", ylabel="epoch", xnames=shown, ynames=shown
    )
