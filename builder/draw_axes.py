"""Axes that can be read: limits that poor points do not rule, ticks that have room, labels as long as their axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures import Panel, Series
from builder.draw_time import Tick, value_ticks

POOR = 10.0
"""Points with an error so many times the median error do not set an axis' range."""
SAVING = 2.0
"""Range that poor points have to cost, over the range without them, before they are drawn at the edge."""
REACH = 6.0
"""A thin line is on the axis when that makes the axis no more than so many times longer."""
MARGIN = 0.05
LOWEST = 0.3
"""An error bar on a logarithmic axis reaches down to this part of its value at most: beyond, it tells of zero."""

Floats = NDArray[np.float64]
Scale = Literal["linear", "log"]

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@cache
def text_width(text: str, size: float = 9.0, weight: str = "normal") -> float:
    """Width of a line of text [inch] in the font that figures are laid out in."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72.0


def wrapped(label: str, room: float, size: float = 9.0) -> str:
    """A label in two lines of about equal length where it is longer than its axis [inch]."""
    if text_width(label, size) <= room or " " not in label:
        return label
    places = [i for i, c in enumerate(label) if c == " "]
    at = min(places, key=lambda i: max(text_width(label[:i], size), text_width(label[i + 1 :], size)))
    return f"{label[:at]}\n{label[at + 1 :]}"


def value_range(panel: Panel) -> tuple[float, float]:
    """What the ordinate has to hold of the series and thin lines, margins included.

    Points of far larger errors than the others count only where they cost little; what lies beyond is drawn at the edge.
    """
    log = panel.yscale == "log"
    spans = [_span(s, log) for s in panel.series]
    low, high, error = (np.concatenate([s[n] for s in spans] or [np.zeros(0)]) for n in range(3))
    if not low.size:
        return (1.0, 10.0) if log else (0.0, 1.0)
    known = error[error > 0]
    good = error <= POOR * float(np.median(known)) if known.size else np.ones(error.size, bool)
    good |= (error < 1.0) & log  # a bar no longer than its value costs little there
    ends, core = (low.min(), high.max()), (low[good].min(), high[good].max())
    if core[1] > core[0] and ends[1] - ends[0] > SAVING * (core[1] - core[0]):
        ends = core
    return _with_margins(*_with_lines(*ends, [m.y for m in panel.marks], log), log)


def place_range(panel: Panel) -> tuple[float, float]:
    """What the abscissa has to hold, margins included."""
    log = panel.xscale == "log"
    values = np.concatenate([_places(s, panel) for s in panel.series] or [np.zeros(0)])
    if not values.size:
        return (1.0, 10.0) if log else (0.0, 1.0)
    if panel.xnames:
        return -0.6, len(panel.xnames) - 0.4
    if (middle := one_place(panel)) is not None:
        half = 0.02 * abs(middle) or 1.0
        return middle - half, middle + half
    low, high = float(values.min()), float(values.max())
    if any(s.style == "bars" for s in panel.series):
        half = max(0.5 * float(np.diff(np.unique(values)).min()) if np.unique(values).size > 1 else 0.5, 0.0)
        low, high = low - half, high + half
    ends = _logs(low, high) if log else (low, high)
    return _with_margins(*_with_lines(*ends, [m.x for m in panel.marks], log), log)


def one_place(panel: Panel) -> float | None:
    """Where all points stand whose places hardly differ: the scatter of what was meant alike is no abscissa. None where they differ."""
    if panel.xnames or any(s.style != "points" for s in panel.series):
        return None
    values = np.concatenate([_places(s, panel) for s in panel.series] or [np.zeros(0)])
    if not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    counted = bool(np.all(values == np.round(values))) and high > low
    return 0.5 * (low + high) if not counted and high - low <= 1e-3 * max(abs(low), abs(high)) else None


def _places(series: Series, panel: Panel) -> Floats:
    """Where a series has something to show: abscissae of values that its axes can hold."""
    x, y = np.asarray(series.x, dtype=np.float64), np.asarray(series.y, dtype=np.float64)
    known = np.isfinite(x) & ((x > 0) | (panel.xscale != "log"))
    return x[known & np.isfinite(y) & ((y > 0) | (panel.yscale != "log"))]


def _span(series: Series, log: bool) -> tuple[Floats, Floats, Floats]:
    """Lowest and highest of each point with its error, in decades on a logarithmic axis, and the error."""
    y = np.asarray(series.y, dtype=np.float64)
    e = np.zeros(y.size) if series.yerr is None else np.asarray(series.yerr, dtype=np.float64)
    keep = np.isfinite(y) & ((y > 0) | (not log))
    y, e = y[keep], np.where(np.isfinite(e) & (e >= 0), e, 0.0)[keep]
    if series.style in ("step", "bars"):
        e = np.zeros(y.size)  # drawn without
    if series.style == "bars" and not log:
        return np.minimum(y, 0.0), np.maximum(y, 0.0), e
    if log:
        return np.log10(np.maximum(y - e, LOWEST * y)), np.log10(y + e), e / y
    return y - e, y + e, e


def _logs(low: float, high: float) -> tuple[float, float]:
    return math.log10(low), math.log10(high)


def _with_lines(low: float, high: float, lines: Sequence[float | None], log: bool) -> tuple[float, float]:
    """The range with those thin lines that make it not much longer."""
    for line in lines:
        if line is None or not math.isfinite(line) or (log and line <= 0):
            continue
        at = math.log10(line) if log else line
        if high == low or max(high, at) - min(low, at) <= REACH * (high - low):
            low, high = min(low, at), max(high, at)
    return low, high


def _with_margins(low: float, high: float, log: bool) -> tuple[float, float]:
    room = MARGIN * (high - low) or (0.2 if log else 0.05 * abs(high) or 1.0)
    low, high = low - room, high + room
    return (10.0**low, 10.0**high) if log else (low, high)


def beyond(series: Series, axes: Axes) -> tuple[Floats, Floats]:
    """Where points lie above and below the axis: their abscissae."""
    x, y = np.asarray(series.x, dtype=np.float64), np.asarray(series.y, dtype=np.float64)
    low, high = axes.get_ylim()
    known = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (axes.get_yscale() != "log"))
    return x[known & (y > high)], x[known & (y < low)]


def set_ticks(axes: Axes, panel: Panel, width: float, height: float) -> None:
    """Ticks of both axes, of an axes frame of that size [inch], with no more labels than have room."""
    for name, scale, room in (("x", panel.xscale, width), ("y", panel.yscale, height)):
        axis = axes.xaxis if name == "x" else axes.yaxis
        low, high = sorted(axis.get_view_interval())
        if name == "x" and panel.xnames:
            turned = max(text_width(n, 8.5) for n in panel.xnames) > 0.95 * width / len(panel.xnames)
            axis.set_ticks(
                range(len(panel.xnames)), labels=panel.xnames, rotation=90 if turned else 0, fontsize=8.5
            )
            continue
        if not any(len(_places(s, panel)) for s in panel.series):
            axis.set_ticks([])
            axis.set_ticks([], minor=True)
            continue
        if name == "x" and (middle := one_place(panel)) is not None:
            axis.set_ticks([middle], labels=[f"{middle:.5g}".replace("-", "−")])
            axis.set_ticks([], minor=True)
            continue
        whole = name == "x" and scale == "linear" and _whole(panel)
        found = (
            log_ticks(low, high, room, name) if scale == "log" else even_ticks(low, high, room, name, whole)
        )
        axis.set_ticks([v for v, _ in found], labels=[t for _, t in found])
        if scale == "log":
            between = _decades(low, high, (2.0, 5.0)) if high < 1e4 * low else []
            axis.set_ticks([v for v in between if v not in {t for t, _ in found}], minor=True)


def even_ticks(low: float, high: float, room: float, name: str, whole: bool = False) -> list[Tick]:
    """Ticks at even steps, as many as have room [inch]."""
    for most in range(8 if name == "x" else max(3, min(7, int(room / 0.33))), 1, -1):
        if whole:
            at = MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
            found = [(float(v), f"{v:.0f}".replace("-", "−")) for v in at if low <= v <= high]
        else:
            found = value_ticks(low, high, most)
        if name == "y" or _clear(found, room / (high - low)):
            break
    if (
        name == "y" and len(found) < 2
    ):  # one number is no scale: more in a low frame, as close as they can be read
        for most in range(4, int(room / 0.18)):
            found = value_ticks(low, high, most)
            if len(found) > 1:
                break
    return found


def _clear(ticks: Sequence[Tick], scale: float) -> bool:
    """Whether no label of ticks beside each other touches the next; ``scale`` is inches for each unit of the axis."""
    return all(
        scale * (after[0] - one[0]) >= 0.5 * (text_width(one[1]) + text_width(after[1])) + 0.1
        for one, after in pairwise(ticks)
    )


def log_ticks(low: float, high: float, room: float, name: str) -> list[Tick]:
    """Ticks of a logarithmic axis: decades, or steps between them where there are few decades."""
    decades = math.log10(high / low)
    if decades < 1.0:
        return _apart(value_ticks(low, high, 5 if name == "y" else 6), low, high, room, name)
    found: list[Tick] = []
    for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        tried = _apart([(v, _power(v)) for v in _decades(low, high, steps)], low, high, room, name)
        if len(found) < 4 and len(tried) > len(found):
            found = tried
    return found


def _decades(low: float, high: float, steps: Sequence[float]) -> list[float]:
    """1, 3, 10, 30 …: multiples of the powers of ten between two values; only every so many-th of very many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, -(-(last - first) // 8)) if steps == (1.0,) else 1
    held = [float(f"{s}e{n}") for n in range(first, last + 1) if n % every == 0 for s in steps]
    return [v for v in held if low <= v <= high]


def _apart(ticks: Sequence[Tick], low: float, high: float, room: float, name: str) -> list[Tick]:
    """Ticks whose labels do not touch the one before, on a logarithmic axis."""
    out: list[Tick] = []
    end = -math.inf
    for value, text in ticks:
        at = room * math.log10(value / low) / math.log10(high / low)
        half = 0.5 * text_width(text) + 0.05 if name == "x" else 0.1
        if at - half >= end:
            out.append((value, text))
            end = at + half
    return out


def _power(value: float) -> str:
    """A tick of a logarithmic axis: 0.1, 1, 10, 1000, 10⁵, 2×10⁵."""
    if 0.001 <= value < 100000:
        return f"{value:g}"
    power = math.floor(math.log10(value) + 1e-9)
    head = f"{value / 10.0**power:.0f}"
    return ("" if head == "1" else f"{head}×") + "10" + str(power).translate(_SUPERSCRIPT)


def _whole(panel: Panel) -> bool:
    """Whether the abscissa counts something: all its values are whole numbers (exposures, columns, rows)."""
    values = [np.asarray(s.x, dtype=float) for s in panel.series if len(s.x)]
    return bool(values) and all(bool(np.all(v == np.round(v))) for v in values)
