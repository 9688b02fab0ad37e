"""The words in a plot: its legend, and the labels of its thin lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.legend_handler import HandlerTuple

from analysis.figures import Panel, Series
from builder.draw import MARK, series_label, series_meaning

LEFT_OUT = "left out"
"""Points of a series that says so are crosses."""
LABEL_WIDTH = 12.0
"""Height of a line of a label, in px: vertical lines closer than this share one."""


def legend(axes: Axes, panel: Panel, drawn: Sequence[tuple[Any, Series]]) -> None:
    """One entry per channel where all series are of channels, else one per series."""
    grouped: dict[str, list[Any]] = {}
    names = {s.channel for _, s in drawn if s.channel}
    labels = dict.fromkeys(series_meaning(s) for _, s in drawn if s.channel)
    by_channel = len(names) > 1 and all(s.channel for _, s in drawn)
    told = {s.channel for _, s in drawn if LEFT_OUT not in s.label}
    for handle, series in drawn:
        if by_channel and series.channel in told and LEFT_OUT in series.label:
            continue  # its cross would lie over the channel's own marker
        name = series.channel if by_channel and series.channel else series_label(series)
        if name:
            grouped.setdefault(name, []).append(handle)
    if not grouped or (len(grouped) == 1 and not drawn[0][1].label):
        return
    entries: list[tuple[Any, str]] = [(tuple(h) if len(h) > 1 else h[0], name) for name, h in grouped.items()]
    title = " · ".join(filter(None, labels)) if by_channel else ""
    above = _fits_above(panel, entries)
    axes.legend(
        [h for h, _ in entries], [n for _, n in entries],
        **({"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(entries)} if above else {"loc": "best", "ncols": 2 if len(entries) > 6 else 1}),
        title=title if title and len(title) < 48 and not above else None, title_fontsize=8.5, handlelength=1.5, handletextpad=0.5, columnspacing=1.0,
        labelspacing=0.3, borderaxespad=0.4, alignment="left", handler_map={tuple: HandlerTuple(ndivide=1, pad=0)},
    )  # fmt: skip


def _fits_above(panel: Panel, entries: Sequence[tuple[Any, str]]) -> bool:
    """Whether the legend fits on one line above the axes, where it hides no point."""
    return not panel.title and sum(len(name) + 4 for _, name in entries) < 60


def marks(axes: Axes, panel: Panel) -> None:
    """Thin labelled lines. Labels sit at the right end (horizontal) or run up along the foot of the line (vertical)."""
    for mark in panel.marks:
        if mark.y is not None:
            axes.axhline(mark.y, color=MARK, linewidth=0.9, linestyle=(0, (6, 3)))
            axes.annotate(
                mark.label, (1, mark.y), xycoords=("axes fraction", "data"), xytext=(-2, 2.5), textcoords="offset points",
                ha="right", va="bottom", color=MARK, fontsize=8, annotation_clip=True,
            )  # fmt: skip
        if mark.x is not None:
            axes.axvline(mark.x, color=MARK, linewidth=0.9, linestyle=(0, (6, 3)))
    for label, x in _gathered(axes, [(m.label, m.x) for m in panel.marks if m.x is not None]):
        axes.annotate(
            label, (x, 0), xycoords=("data", "axes fraction"), xytext=(-2.5, 4), textcoords="offset points",
            ha="right", va="bottom", rotation=90, color=MARK, fontsize=8, annotation_clip=True,
        )  # fmt: skip


def _gathered(axes: Axes, marks: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Labels of vertical lines, one for each bundle of lines that stand closer than a label is wide."""
    out: list[tuple[str, float]] = []
    right = -math.inf
    bundles: list[list[tuple[str, float]]] = []
    for label, x in sorted(marks, key=lambda m: m[1]):
        at = float(axes.transData.transform((x, 1.0))[0])
        if at - right < LABEL_WIDTH:
            bundles[-1].append((label, x))
        else:
            bundles.append([(label, x)])
        right = at
    for bundle in bundles:
        words = [label.split() for label, _ in bundle]
        same = len(bundle) > 1 and len({tuple(w[1:]) for w in words}) == 1 and len(words[0]) > 1
        heads = ", ".join(sorted(w[0] for w in words))  # 'E turnoff', 'F turnoff' → 'E, F turnoff'
        label = (
            " ".join([heads, *words[0][1:]]) if same else ", ".join(dict.fromkeys(one for one, _ in bundle))
        )
        out.append((label, bundle[0][1]))
    return out
