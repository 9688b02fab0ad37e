"""Figures drawn once: a light and a dark picture, the data behind them, and their interactive form.

matplotlib lays a figure out and writes SVG. The dark picture is the same drawing with ink, paper and
channel colours replaced, so nothing is drawn twice. The bytes depend on the figure alone. Channels keep
their colour and marker everywhere; colour never says anything alone.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.figures import Figure, ImageMap, Plot, Series
from campaign.frozen import dataclass

INK, PAPER, MUTED, LINE, MARK = "#1b2127", "#ffffff", "#56606b", "#d9dfe5", "#7a3b00"
CHANNELS = ("#0b62b0", "#b84700", "#00775a", "#9b2f86", "#735c00", "#007a94", "#5a6470", "#b3123b")
"""Channel colours on light paper: the same as ``--channel-0`` … of calbook.css."""
CHANNELS_DARK = ("#6cb4ff", "#ff9d5c", "#3fd0a2", "#e59ad6", "#e0c04a", "#5fd3ec", "#b4bcc6", "#ff8a9b")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SHADES = (INK, "#475059", MUTED, "#68737e", "#767f89")
"""Of series of no channel: greys, so that no channel's colour says anything else."""
DARK = {
    **dict(zip(SHADES, ("#e4e9ee", "#c6ccd3", "#a3adb8", "#8f98a2", "#7f8892"), strict=True)),
    INK: "#e4e9ee", PAPER: "#14181e", MUTED: "#a3adb8", LINE: "#313942", MARK: "#ffc26b",
    **dict(zip(CHANNELS, CHANNELS_DARK, strict=True)),
}  # fmt: skip
"""What each colour of the light picture becomes in the dark one."""
INTERACTIVE_POINTS = 20000
"""Values beyond which a figure has no interactive form: the picture and the CSV remain."""

_HEX = re.compile("|".join(DARK))


@dataclass(frozen=True)
class Drawn:
    """A figure as bytes: two SVG pictures, the data as CSV, a script for plots.js ('' for images); size in px.

    Each may be stored under any name: the script finds its own (see plots.js).
    """

    light: bytes
    dark: bytes
    csv: str
    script: str
    width: int
    height: int
    alt: str
    suffix: str = ".svg"


def channel_index(name: str, channels: Sequence[str] = ()) -> int:
    """Which colour and marker a channel has, in figures, tables and maps alike.

    The name alone decides: A–D, E–H, I–L count 0–3 each, a number at the end counts itself, anything else its letters. Where two
    of the detector's ``channels`` would look the same by that, the place among them in order of name decides for all of them.
    """
    if name in channels and len({_index_of(c) for c in channels}) < len(channels):
        return sorted(channels).index(name) % len(CHANNELS)
    return _index_of(name)


def _index_of(name: str) -> int:
    if len(name) == 1 and name.isalpha():
        return (ord(name.upper()) - ord("A")) % 4
    if digits := re.search(r"(\d+)$", name):
        return int(digits[1]) % len(CHANNELS)
    return sum(name.encode()) % len(CHANNELS)


def draw(figure: Figure, channels: Sequence[str] = ()) -> Drawn:
    """Draw a figure. ``channels`` are the names of all channels of the detector, see ``channel_index``."""
    if isinstance(figure, ImageMap):
        from builder.draw_image import image_csv, image_svg

        light, width, height, alt = image_svg(figure)
        return Drawn(light, _dark(light), image_csv(figure), "", width, height, alt)
    from builder.draw_plot import plot_svg

    light, width, height = plot_svg(figure, channels)
    return Drawn(
        light,
        _dark(light),
        plot_csv(figure),
        plot_script(figure, channels),
        width,
        height,
        plot_alt(figure),
    )


def _dark(light: bytes) -> bytes:
    return _HEX.sub(lambda m: DARK[m[0]], light.decode()).encode()


def plot_csv(plot: Plot) -> str:
    """All values of a plot, never thinned: panel, series, channel, x, y, uncertainty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["panel", "series", "channel", "x_label", "x", "y_label", "y", "y_uncertainty"])
    for number, panel in enumerate(plot.panels, 1):
        title = panel.title or f"panel {number}"
        for series in panel.series:
            errors = [""] * len(series.x) if series.yerr is None else [_exact(e) for e in series.yerr]
            for x, y, error in zip(series.x, series.y, errors, strict=True):
                writer.writerow(
                    [
                        title,
                        series.label,
                        series.channel or "",
                        panel.xlabel,
                        _exact(x),
                        panel.ylabel,
                        _exact(y),
                        error,
                    ]
                )
        for mark in panel.marks:
            x, y = ("" if v is None else _exact(v) for v in (mark.x, mark.y))
            writer.writerow([title, mark.label, "", panel.xlabel, x, panel.ylabel, y, ""])
    return out.getvalue()


def _exact(value: float) -> str:
    """A number with all its digits; '' when it is not finite."""
    return repr(float(value)) if np.isfinite(value) else ""


def plot_script(plot: Plot, channels: Sequence[str] = ()) -> str:
    """The figure's data for plots.js; '' when there are too many values for a browser."""
    if sum(len(s.x) for p in plot.panels for s in p.series) > INTERACTIVE_POINTS:
        return ""
    panels = [
        {
            "title": panel.title,
            "xlabel": panel.xlabel,
            "ylabel": panel.ylabel,
            "xscale": panel.xscale,
            "yscale": panel.yscale,
            **({"xnames": panel.xnames} if panel.xnames else {}),
            "marks": [{"label": m.label, "x": m.x, "y": m.y} for m in panel.marks],
            "series": [
                _series_data(s, channels, panel.xscale == "log", panel.yscale == "log") for s in panel.series
            ],
        }
        for panel in plot.panels
        if panel.ylabel
    ]
    text = json.dumps({"panels": panels}, ensure_ascii=False, separators=(",", ":"))
    return f"window.calbookFigure({text.replace('<', chr(92) + 'u003c')});\n"


def _series_data(series: Series, channels: Sequence[str], xlog: bool, ylog: bool) -> dict[str, Any]:
    return {
        "label": series_label(series),
        "channel": None if series.channel is None else channel_index(series.channel, channels),
        "style": series.style,
        "x": _values(series.x, xlog),
        "y": _values(series.y, ylog),
        "e": None if series.yerr is None else _values(series.yerr, False),
    }


def _values(values: Sequence[float] | NDArray[np.floating], log: bool) -> list[float | None]:
    """Seven digits of each value; None for what cannot be shown (not finite; not positive on a log axis)."""
    array = np.asarray(values, dtype=float)
    shown = np.isfinite(array) & ((array > 0) | (not log))
    return [float(f"{v:.7g}") if ok else None for v, ok in zip(array, shown, strict=True)]


def series_label(series: Series) -> str:
    """What a legend calls a series."""
    if series.channel and series.label and series.channel not in re.split(r"[^\w]+", series.label):
        return f"{series.channel} {series.label}"
    return series.label or series.channel or ""


def series_meaning(series: Series) -> str:
    """What a series shows, its channel apart: 'E, fit' of channel E is 'fit'; '' when it says no more than the channel."""
    if not series.channel:
        return series.label
    return re.sub(rf"^{re.escape(series.channel)}(?!\w)[\s,:]*", "", series.label)


def plot_alt(plot: Plot) -> str:
    """A plot in words, for readers who do not see it: channels and what is shown of them, once each."""
    parts: dict[tuple[str, str], list[str]] = {}
    for panel in plot.panels:
        if not panel.ylabel:
            continue  # a place that is left free
        channels = list(dict.fromkeys(s.channel for s in panel.series if s.channel))
        names = list(dict.fromkeys(series_meaning(s) for s in panel.series if series_meaning(s)))
        said = f"{', '.join(names[:8])}{' and others' if len(names) > 8 else ''}"
        own = channels == [panel.title.partition(":")[0]]  # the title says it
        shown = ": ".join(filter(None, ["" if own else ", ".join(channels), said]))
        parts.setdefault((f"{panel.ylabel} against {panel.xlabel}", shown), []).append(panel.title)
    if not parts:
        return "An empty plot"
    told = [
        "; ".join(
            filter(None, [", ".join(filter(None, titles)) + (": " if any(titles) else "") + axes, shown])
        )
        for (axes, shown), titles in parts.items()
    ]
    return f"Plot of {'; '.join(told)}; {sum(len(s.x) for p in plot.panels for s in p.series)} values"
