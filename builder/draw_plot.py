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
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from analysis.figures import Panel, Plot, Series
from builder.draw import (
    CHANNELS,
    INK,
    LINE,
    MARKERS,
    MUTED,
    PAPER,
    channel_index,
)  # fmt: skip
from builder.draw_labels import LEFT_OUT, legend, marks

DPI = 96
DRAWN_POINTS = 4000
"""Points of a series that are drawn; more are thinned evenly, keeping extremes. The CSV has them all."""
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

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def plot_svg(plot: Plot, channels: Sequence[str] = ()) -> tuple[bytes, int, int]:
    """A plot as an SVG, with its width and height in px."""
    columns = max(1, min(plot.columns, len(plot.panels) or 1))
    rows = max(1, math.ceil(len(plot.panels) / columns))
    width = 5.8 if columns == 1 else min(4.2 * columns, 12.6)
    height = (3.4 if rows == 1 else 3.0 * rows) + (0.0 if columns == 1 else -0.3 * rows)
    with rc_context(SETTINGS):
        canvas = Canvas(figsize=(width, height), dpi=DPI)
        for number, panel in enumerate(plot.panels, 1):
            _panel(canvas.add_subplot(rows, columns, number), panel, channels)
        if not plot.panels:
            canvas.text(0.5, 0.5, "nothing to draw", ha="center", va="center", color=MUTED)
        _margins(canvas, plot, rows, columns, width, height)
        return save_svg(canvas), round(width * DPI), round(height * DPI)


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


def _margins(canvas: Canvas, plot: Plot, rows: int, columns: int, width: float, height: float) -> None:
    """Room for labels, in inches: as good as a layout engine here, at a fraction of its time."""
    canvas.subplots_adjust(
        left=0.78 / width,
        right=1 - 0.16 / width,
        bottom=0.55 / height,
        top=1 - 0.32 / height,
        wspace=0.82 / ((width - 0.94) / columns - 0.6) if columns > 1 else 0,
        hspace=0.85 / (height / rows - 0.85) if rows > 1 else 0,
    )


def _panel(axes: Axes, panel: Panel, channels: Sequence[str]) -> None:
    axes.set_xlabel(panel.xlabel)
    axes.set_ylabel(panel.ylabel)
    # a place of its own: looking for one that no tick label reaches takes half of the drawing's time
    axes.set_title(panel.title, loc="left", pad=5, y=1.0)
    for axis, scale in (("x", panel.xscale), ("y", panel.yscale)):
        if scale == "log":
            _log_axis(axes, axis)
    apart = any(s.channel for s in panel.series)  # channels keep their colours to themselves
    handles = [(_series(axes, s, 0 if apart else n, channels), s) for n, s in enumerate(panel.series)]
    if panel.xscale == "linear" and _whole(panel):
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    if not any(len(s.x) for s in panel.series):
        axes.text(0.5, 0.5, "no values", ha="center", va="center", color=MUTED, transform=axes.transAxes)
    marks(axes, panel)
    for axis, scale in (("x", panel.xscale), ("y", panel.yscale)):
        if scale == "log":
            _narrow_log_axis(axes, axis)
    legend(axes, panel, handles)


def _log_axis(axes: Axes, name: str) -> None:
    axis = axes.xaxis if name == "x" else axes.yaxis
    (axes.set_xscale if name == "x" else axes.set_yscale)("log", nonpositive="mask")
    axis.set_major_locator(LogLocator(10, numticks=9))
    axis.set_major_formatter(FuncFormatter(_power))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(LogLocator(10, subs=(2.0, 5.0), numticks=9))  # the others say little and cost much


def _narrow_log_axis(axes: Axes, name: str) -> None:
    """Ticks at even steps where the values span less than a decade, within which no power of ten may lie."""
    axis = axes.xaxis if name == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    if low > 0 and high < 10 * low:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
        axis.set_minor_locator(NullLocator())


def _power(value: float, _: int | None = None) -> str:
    """A tick of a logarithmic axis: 0.1, 1, 10, 1000, 10⁵."""
    if value <= 0:
        return ""
    if 0.001 <= value < 100000:
        return f"{value:g}"
    return "10" + str(round(math.log10(value))).translate(_SUPERSCRIPT)


def _series(axes: Axes, series: Series, order: int, channels: Sequence[str]) -> Any:
    """Draw one series; returns what stands for it in a legend."""
    x, y = np.asarray(series.x, dtype=float), np.asarray(series.y, dtype=float)
    index = None if series.channel is None else channel_index(series.channel, channels)
    colour = (
        INK if index is None and order == 0 else CHANNELS[(order if index is None else index) % len(CHANNELS)]
    )
    crossed = LEFT_OUT in series.label
    marker = "x" if crossed else MARKERS[(order if index is None else index) % len(MARKERS)]
    edge = 1.1 if crossed else 0.0
    if series.style == "bars":
        widths = np.diff(x).min() if len(x) > 1 else 1.0
        return axes.bar(
            x, y, width=(0.9 if len(x) < 40 else 1.0) * widths, color=colour, alpha=0.75, linewidth=0
        )
    keep = thinned(y)
    x, y = x[keep], y[keep]
    if series.style == "step":
        return axes.step(x, y, where="mid", color=colour)[0]
    if series.style == "line":
        return axes.plot(x, y, color=colour)[0]
    if series.yerr is None:
        size = 4.5 if len(x) < 300 else 2.2
        return axes.plot(
            x, y, linestyle="none", marker=marker, color=colour, markersize=size, markeredgewidth=edge
        )[0]
    error = np.asarray(series.yerr, dtype=float)[keep]
    error = np.where(np.isfinite(error) & (error >= 0), error, 0.0)
    drawn = axes.errorbar(
        x,
        y,
        yerr=error,
        linestyle="none",
        marker=marker,
        color=colour,
        elinewidth=0.9,
        capsize=1.5,
        markeredgewidth=edge,
    )
    return drawn.lines[0]


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


def _whole(panel: Panel) -> bool:
    """Whether the abscissa counts something: all its values are whole numbers (exposures, columns, rows)."""
    values = [np.asarray(s.x, dtype=float) for s in panel.series if len(s.x)]
    return bool(values) and all(bool(np.all(v == np.round(v))) for v in values)
