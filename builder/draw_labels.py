"""The words in a plot: its legend, and the labels of its thin lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from analysis.figures import Panel, Series
from builder.draw import INK, MARK, PAPER, series_label, series_meaning
from builder.draw_axes import text_width

LEFT_OUT = "left out"
"""Points of a series that says so are crosses."""
LABEL_WIDTH = 12.0
"""Height of a line of a label, in px: lines closer than this share one."""
LINE = 0.165
"""Height of a line of a legend [inch]."""

Entry = tuple[Any, str]


def entries(panel: Panel, drawn: Sequence[tuple[Any, Series]]) -> list[Entry]:
    """What the legend of a panel names: channels once each, then what differs within them; nothing that the title says.

    Series without a value have no entry.
    """
    held = [(h, s) for h, s in drawn if np.isfinite(np.asarray(s.y, dtype=float)).any()]
    channels = dict.fromkeys(s.channel for _, s in held if s.channel)
    out: dict[str, Any] = {}
    if len(channels) > 1:
        points = [s for _, s in held if s.channel and s.style == "points" and LEFT_OUT not in s.label]
        own = (
            len({line_meaning(s) for s in points}) == len(points) > 1
        )  # each channel's points mean something else
        for handle, series in sorted(
            held, key=lambda h: LEFT_OUT in h[1].label
        ):  # left out only where all are
            name = (
                series.channel
                if series.channel and not (own and any(series is p for p in points))
                else series_label(series)
            )
            out.setdefault(name or "", handle)
        meanings: dict[str, tuple[str, Any]] = {}
        for handle, series in held:
            if (
                series.channel
                and (meaning := line_meaning(series))
                and not (own and any(series is p for p in points))
            ):
                meanings.setdefault(meaning, (series.style, handle))
        for meaning, (style, handle) in meanings.items():
            if points or style == "points" or len(meanings) > 1 or any(not line_meaning(s) for _, s in held):
                out[meaning] = in_ink(handle)
    else:
        titled = len(channels) == 1 and panel.title.split(":")[0].split(" ")[0] == next(iter(channels))
        for handle, series in held:
            name = series_meaning(series) if titled else series_label(series)
            out.setdefault(name or series_label(series), handle)
        if len(out) == 1 and (titled or not next(iter(out))):
            return []
    out.pop("", None)
    return [(handle, name) for name, handle in out.items()]


def line_meaning(series: Series) -> str:
    """What a series means beyond its channel; both edges of a band mean the same."""
    return series_meaning(series).replace("+", "±").replace("−", "±") if series.channel else ""


def in_ink(handle: Any) -> Line2D:
    """What stands for a meaning that all channels share, in no channel's colour."""
    line = handle if isinstance(handle, Line2D) else Line2D([], [])
    face = PAPER if line.get_markerfacecolor() == PAPER else INK
    return Line2D(
        [], [], color=INK, linestyle=line.get_linestyle(), marker=line.get_marker(), fillstyle=line.get_fillstyle(),
        markerfacecolor=face, markeredgecolor=INK, markeredgewidth=1.0, markersize=4.5, linewidth=1.2,
    )  # fmt: skip


def legend(axes: Axes, panel: Panel, held: Sequence[Entry], width: float, height: float) -> None:
    """The legend of a panel of that size [inch]: over the axes where it fits on a line, else within, where room is made for it."""
    if not held:
        return
    wide = [0.42 + text_width(name, 8.5) for _, name in held]
    title = text_width(panel.title, 9.5, "bold") + 0.15 if panel.title else 0.0
    look: dict[str, Any] = {
        "handlelength": 1.6,
        "handletextpad": 0.4,
        "columnspacing": 0.9,
        "labelspacing": 0.3,
    }
    handles, names = _columns(held)
    columns = max(1, min(len(held), int(width / max(wide))))
    if title + sum(wide) <= width + 0.1:
        look |= {"loc": f"lower {'right' if title else 'left'}", "bbox_to_anchor": (1 if title else 0, 1)}
        look |= {"ncols": len(held), "borderaxespad": 0.3}
    elif len(held) <= 5 and (
        corner := _free_corner(axes, panel, max(wide) / width, (LINE * len(held) + 0.1) / height)
    ):
        look |= {"loc": corner, "borderaxespad": 0.3}
    else:
        part = min((LINE * math.ceil(len(held) / columns) + 0.12) / height, 0.6)
        low, high = axes.get_ylim()
        more = 1.0 / (1.0 - part)
        axes.set_ylim(low, low * (high / low) ** more if panel.yscale == "log" else low + (high - low) * more)
        look |= {"loc": "upper left", "ncols": columns, "borderaxespad": 0.2}
    axes.legend(handles, names, **look)


def shared_legend(canvas: Canvas, held: Sequence[Entry], left: float) -> None:
    """One legend over all panels, where they would have the same; ``left`` is where the axes begin, a part of the width."""
    canvas.legend(
        *_columns(held), loc="upper left", bbox_to_anchor=(left, 1), ncols=len(held), borderaxespad=0.25, handlelength=1.6,
        handletextpad=0.4, columnspacing=0.9,
    )  # fmt: skip


def _columns(held: Sequence[Entry]) -> tuple[list[Any], list[str]]:
    return [h for h, _ in held], [n for _, n in held]


def _free_corner(axes: Axes, panel: Panel, wide: float, tall: float) -> str:
    """The corner of the axes in which a box of that size (parts of the axes) covers nothing; '' where there is none."""
    at = places(axes, panel.series)
    for name, x, y in (
        ("upper right", 1 - wide, 1 - tall), ("upper left", 0.0, 1 - tall), ("lower right", 1 - wide, 0.0), ("lower left", 0.0, 0.0),
    ):  # fmt: skip
        inside = (at[:, 0] > x - 0.02) & (at[:, 0] < x + wide + 0.02) & (at[:, 1] > y - 0.03) & (at[:, 1] < y + tall + 0.03)  # fmt: skip
        lines = [m.x for m in panel.marks if m.x is not None]
        crossed = [p for p in _across(axes, lines) if x < p < x + wide]
        if not inside.any() and not crossed:
            return name
    return ""


def _across(axes: Axes, values: Sequence[float]) -> list[float]:
    """Where values of the abscissa are, as parts of the axes."""
    if not values:
        return []
    shown = axes.transData.transform([(v, axes.get_ylim()[0]) for v in values])
    return [float(p) for p in axes.transAxes.inverted().transform(shown)[:, 0]]


def places(axes: Axes, drawn: Sequence[Series]) -> NDArray[np.float64]:
    """What is drawn of the series, as parts of the axes, shape (points, 2): points, ends of error bars, and lines filled in."""
    out = [np.zeros((0, 2))]
    low = axes.get_ylim()[0]
    for s in drawn:
        x, y = np.asarray(s.x, dtype=float), np.asarray(s.y, dtype=float)
        if s.style != "points" and x.size > 1:
            fine = np.linspace(0, x.size - 1, max(100, min(x.size, 1000)))
            x, y = np.interp(fine, np.arange(x.size), x), np.interp(fine, np.arange(x.size), y)
            held = [y]
        else:
            e = np.zeros(y.size) if s.yerr is None else np.nan_to_num(np.asarray(s.yerr, dtype=float))
            held = [y, y + e, np.maximum(y - e, low)]
        for values in held:
            known = np.isfinite(x) & np.isfinite(values)
            known &= ((x > 0) | (axes.get_xscale() != "log")) & ((values > 0) | (axes.get_yscale() != "log"))
            if known.any():
                shown = axes.transData.transform(np.column_stack([x[known], values[known]]))
                out.append(axes.transAxes.inverted().transform(shown))
    return np.concatenate(out)


def marks(axes: Axes, panel: Panel, width: float, height: float) -> None:
    """Thin labelled lines; a label stands where it covers least, on a ground that keeps it legible. A line beyond the axis is told at its edge."""
    at = places(axes, panel.series)
    ground = {"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 0.6}
    low, high = axes.get_ylim()
    for mark in panel.marks:
        if mark.y is not None and low <= mark.y <= high:
            axes.axhline(mark.y, color=MARK, linewidth=0.9, linestyle=(0, (6, 3)))
        if mark.x is not None:
            axes.axvline(mark.x, color=MARK, linewidth=0.9, linestyle=(0, (6, 3)))
    told = [(m.label, m.y) for m in panel.marks if m.label and m.y is not None]
    for label, y in _gathered(axes, [(t, min(max(v, low), high)) for t, v in told], 1):
        outside = [v for t, v in told if not low <= v <= high and t in label]
        label = f"{'↑' if outside[0] > high else '↓'} {label}" if outside else label
        x, up = _least_covered(at, _up(axes, y), text_width(label, 8) / width, 0.14 / height)
        axes.annotate(
            label, (x, y), xycoords=("axes fraction", "data"), xytext=(-2 if x else 2, 2.5 if up else -2.5),
            textcoords="offset points", ha="right" if x else "left", va="bottom" if up else "top", color=MARK, fontsize=8,
            bbox=ground,
        )  # fmt: skip
    for label, x in _gathered(axes, [(m.label, m.x) for m in panel.marks if m.x is not None], 0):
        place = _across(axes, [x])[0]
        tall, wide = text_width(label, 8) / height, 0.17 / width
        foot, head = (_covered(at, (place - wide, place), (y, y + tall)) for y in (0.0, 1 - tall))
        axes.annotate(
            label, (x, 1 if head < foot else 0), xycoords=("data", "axes fraction"), xytext=(-2.5, -3 if head < foot else 4),
            textcoords="offset points", ha="right", va="top" if head < foot else "bottom", rotation=90, color=MARK, fontsize=8,
            annotation_clip=True, bbox=ground,
        )  # fmt: skip


def _up(axes: Axes, y: float) -> float:
    """Where a value of the ordinate is, as a part of the axes."""
    shown = axes.transData.transform((axes.get_xlim()[1], y))
    return float(axes.transAxes.inverted().transform(shown)[1])


def _covered(at: NDArray[np.float64], across: tuple[float, float], up: tuple[float, float]) -> int:
    """How much of what is drawn lies in a box of the axes."""
    return int(np.count_nonzero((at[:, 0] > across[0]) & (at[:, 0] < across[1]) & (at[:, 1] > up[0]) & (at[:, 1] < up[1])))  # fmt: skip


def _least_covered(at: NDArray[np.float64], y: float, wide: float, tall: float) -> tuple[float, bool]:
    """Which end of a horizontal line, and whether above it, a label hides least. The right end, above, where all are free."""
    found = []
    for x, up in ((1.0, True), (1.0, False), (0.0, True), (0.0, False)):
        across = (1 - wide - 0.02, 1.0) if x else (0.0, wide + 0.02)
        inside = y + tall <= 1 if up else y - tall >= 0
        found.append((_covered(at, across, (y, y + tall + 0.02) if up else (y - tall - 0.02, y)) + (0 if inside else 10**6), x, up))  # fmt: skip
    _, x, up = min(found, key=lambda f: f[0])
    return x, up


def _gathered(axes: Axes, marks: Sequence[tuple[str, float]], across: int) -> list[tuple[str, float]]:
    """Labels of lines, one for each bundle that stand closer than a label is high; ``across`` 0 for vertical lines, 1 for horizontal."""
    out: list[tuple[str, float]] = []
    last = -math.inf
    bundles: list[list[tuple[str, float]]] = []
    corner = (axes.get_xlim()[0], axes.get_ylim()[0])
    for label, value in sorted(marks, key=lambda m: m[1]):
        at = float(axes.transData.transform((corner[0], value) if across else (value, corner[1]))[across])
        if at - last < LABEL_WIDTH:
            bundles[-1].append((label, value))
        else:
            bundles.append([(label, value)])
        last = at
    for bundle in bundles:
        words = [label.split() for label, _ in bundle]
        same = len(bundle) > 1 and len({tuple(w[1:]) for w in words}) == 1 and len(words[0]) > 1
        heads = ", ".join(
            sorted(w[0].rstrip(":") for w in words)
        )  # 'E turnoff', 'F turnoff' → 'E, F turnoff'
        label = (
            " ".join([heads, *words[0][1:]]) if same else ", ".join(dict.fromkeys(one for one, _ in bundle))
        )
        out.append((label, bundle[-1 if across else 0][1]))
    return out
