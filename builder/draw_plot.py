"""Plots as SVG, through matplotlib's object interface: no pyplot, no global state but its settings."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from analysis.figures import Panel, Plot, Series
from builder.draw import INK, LINE, MUTED, PAPER
from builder.draw_axes import beyond, place_range, set_ticks, text_width, value_range, wrapped
from builder.draw_labels import LEFT_OUT, Entry, entries, in_ink, legend, marks, shared_legend
from builder.draw_looks import DRAWN_POINTS, MANY, Look, looks
from builder.draw_room import common_ordinates, room_of

DPI = 96
FONT = "DejaVu Sans, Verdana, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif"

SETTINGS: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "calbook", "text.parse_math": False, "font.family": "DejaVu Sans",
    "font.size": 9, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.labelsize": 9, "legend.fontsize": 8.5,
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "axes.titlecolor": INK, "text.color": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.facecolor": PAPER, "figure.facecolor": PAPER,
    "axes.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": LINE,
    "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.4, "lines.markersize": 4.5, "legend.frameon": False,
    "axes.formatter.useoffset": False, "axes.unicode_minus": True, "path.simplify": True,
}  # fmt: skip


def plot_svg(plot: Plot, channels: Sequence[str] = ()) -> tuple[bytes, int, int]:
    """A plot as an SVG, with its width and height in px."""
    columns = max(1, min(plot.columns, len(plot.panels) or 1))
    width = 5.8 if columns == 1 else 8.4
    with rc_context(SETTINGS):
        canvas = Canvas(figsize=(width, 3.4), dpi=DPI)
        if not plot.panels:
            canvas.text(0.5, 0.5, "nothing to draw", ha="center", va="center", color=MUTED)
            return save_svg(canvas), round(width * DPI), round(3.4 * DPI)
        rows = math.ceil(len(plot.panels) / columns)
        axes = [canvas.add_subplot(rows, columns, n) for n in range(1, len(plot.panels) + 1)]
        held = [_drawn(a, p, channels) for a, p in zip(axes, plot.panels, strict=True)]
        shared = _shared(held, plot.panels, width) if len(held) > 1 else []
        room = room_of(plot.panels, columns, width, bool(shared))
        canvas.set_size_inches(width, room.height)
        if room.small:
            common_ordinates(axes, plot.panels, columns)
        for n, (a, panel, named) in enumerate(zip(axes, plot.panels, held, strict=True)):
            if not shared:
                legend(a, panel, named, room.wide, room.tall)
            set_ticks(a, panel, room.wide, room.tall)
            # at a height of its own: looking for one that no tick label reaches takes half of the drawing's time
            a.set_title(
                wrapped(panel.title, room.wide, 9.5) if room.small else panel.title, loc="left", pad=5, y=1.0
            )
            a.tick_params(labelleft=n not in room.beside)
            a.set_xlabel(
                "" if n in room.over else wrapped(panel.xlabel, room.wide + (0.0 if room.small else 0.4))
            )
            a.set_ylabel(
                "" if n in room.beside else wrapped(panel.ylabel, room.tall + (0.1 if rows > 1 else 0.5))
            )
        left = room.place(axes)
        if shared:
            shared_legend(canvas, shared, left)
        for a, panel in zip(axes, plot.panels, strict=True):
            marks(a, panel, room.wide, room.tall)
        return save_svg(canvas), round(width * DPI), round(room.height * DPI)


def save_svg(canvas: Canvas) -> bytes:
    """The SVG of a figure: no date, fonts by name with fallbacks, sized in px."""
    out = BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    canvas.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue().decode()
    text = re.sub(r"<\?xml.*?(?=<svg)", "", text, flags=re.S)
    text = re.sub(r"'DejaVu Sans'", FONT, text)
    # a hundredth of a point is finer than any screen; what people read (text nodes) keeps its digits
    text = re.sub(r"(>[^<]*<)|(\d\.\d\d)\d+", lambda m: m[1] or m[2], text)
    text = re.sub(r" <metadata>.*?</metadata>\n", "", text, flags=re.S)
    return text.encode()


def _shared(held: Sequence[list[Entry]], panels: Sequence[Panel], width: float) -> list[Entry]:
    """The one legend that all panels with any would have, in no channel's colour where they are of several; none where they differ, or it is too wide."""
    named = [h for h in held if h]
    if len(named) < 2 or any([n for _, n in h] != [n for _, n in named[0]] for h in named):
        return []
    own = [frozenset(s.channel for s in p.series if s.channel) for p in panels if p.series]
    found = [(in_ink(handle), name) for handle, name in named[0]] if len(set(own)) > 1 else named[0]
    return found if sum(0.45 + text_width(n, 8.5) for _, n in found) < width - 0.8 else []


def _drawn(axes: Axes, panel: Panel, channels: Sequence[str]) -> list[Entry]:
    """Draw the series of a panel; returns the entries of its legend."""
    for name, scale in (("x", panel.xscale), ("y", panel.yscale)):
        if scale == "log":
            (axes.set_xscale if name == "x" else axes.set_yscale)("log", nonpositive="mask")
    axes.set(xlim=place_range(panel), ylim=value_range(panel))
    seen = looks(panel, channels)
    handles = [(_series(axes, s, look), s) for s, look in zip(panel.series, seen, strict=True)]
    if not panel.ylabel:
        axes.set_axis_off()  # a place that is left free
    elif not any(len(s.x) for s in panel.series):
        axes.text(0.5, 0.5, "no values", ha="center", va="center", color=MUTED, transform=axes.transAxes)
    return entries(panel, handles)


def _series(axes: Axes, series: Series, look: Look) -> Any:
    """Draw one series; returns what stands for it in a legend."""
    x, y = np.asarray(series.x, dtype=float) + look.shift, np.asarray(series.y, dtype=float)
    crossed = LEFT_OUT in series.label
    if series.style == "bars":
        widths = np.diff(x).min() if len(x) > 1 else 1.0
        return axes.bar(
            x, y, width=(0.9 if len(x) < 40 else 1.0) * widths, color=look.colour, alpha=0.75, linewidth=0
        )
    keep = thinned(y)
    thin = len(x) > MANY
    if series.style in ("step", "line"):
        return axes.plot(
            x[keep], y[keep], color=look.colour, linestyle=look.dashes, linewidth=0.9 if thin else 1.4,
            drawstyle="steps-mid" if series.style == "step" else "default", marker=look.marker if look.every else "none",
            markevery=look.every, markersize=4,
        )[0]  # fmt: skip
    marker: dict[str, Any] = {
        "linestyle": "none", "marker": "x" if crossed else look.marker, "color": look.colour,
        "markersize": 4.5 if len(x) < 300 else 2.2, "markeredgewidth": 1.1 if crossed or look.fill != "full" else 0.0,
        "fillstyle": "full" if crossed else look.fill, "markerfacecoloralt": PAPER,
    }  # fmt: skip
    if look.fill == "none" and not crossed:
        marker |= {"markerfacecolor": PAPER, "fillstyle": "full"}
    if series.yerr is None:
        drawn = axes.plot(x[keep], y[keep], **marker)[0]
    else:
        error = np.asarray(series.yerr, dtype=float)[keep]
        error = np.where(np.isfinite(error) & (error >= 0), error, 0.0)
        bars: dict[str, Any] = {"elinewidth": 0.6 if thin else 0.9, "capsize": 0 if thin else 1.5}
        drawn = axes.errorbar(x[keep], y[keep], yerr=error, **bars, **marker).lines[0]
    _at_edges(axes, series, look.colour)
    return drawn


def _at_edges(axes: Axes, series: Series, colour: str) -> None:
    """Triangles at the edges of the axes for points that lie beyond."""
    for places, y, marker in zip(beyond(series, axes), (1.0, 0.0), ("^", "v"), strict=True):
        if places.size:
            look: dict[str, Any] = {"markersize": 6.5, "markerfacecolor": PAPER, "markeredgewidth": 1.1}
            look |= {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 4}
            axes.add_line(Line2D(places, np.full(places.size, y), linestyle="none", marker=marker, color=colour, **look))  # fmt: skip


def thinned(y: NDArray[np.floating], limit: int = DRAWN_POINTS) -> NDArray[np.intp]:
    """Which points to draw: all, or the lowest and highest of each of ``limit``/2 runs of neighbours."""
    if len(y) <= limit:
        return np.arange(len(y))
    edges = np.linspace(0, len(y), limit // 2 + 1).astype(int)
    filled = np.where(np.isfinite(y), y, np.nanmedian(y[np.isfinite(y)]) if np.isfinite(y).any() else 0.0)
    picks = [
        place
        for start, stop in pairwise(edges)
        for place in (start + int(filled[start:stop].argmin()), start + int(filled[start:stop].argmax()))
    ]
    return np.unique(np.asarray(picks, dtype=np.intp))
