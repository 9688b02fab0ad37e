"""How the series of a panel look: channels keep their colours and markers, and nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.figures import Panel, Series
from builder.draw import CHANNELS, INK, MARKERS, SHADES, channel_index
from builder.draw_axes import one_place, place_range
from builder.draw_labels import LEFT_OUT, line_meaning
from campaign.frozen import dataclass

DRAWN_POINTS = 4000
"""Points of a series that are drawn; more are thinned evenly, keeping extremes. The CSV has them all."""
DASHES: Any = ("solid", (0, (5, 2.5)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)))
"""Lines of one channel that mean different things; markers differ in how they are filled."""
FILLS = ("full", "none", "left", "bottom")
MANY = 120
"""Points beyond which lines and error bars are thin."""
MARKED = 7
"""Markers along a line that colour alone would tell from those of other channels."""


@dataclass(frozen=True)
class Look:
    """How a series looks: its channel's colour and marker, and the dashes or filling by which it differs from others of it."""

    colour: str
    marker: str
    dashes: Any
    fill: Any
    every: Any  # markers along a line
    shift: float  # by which points of one place stand beside each other


def looks(panel: Panel, channels: Sequence[str]) -> list[Look]:
    """How the series of a panel look. A channel's points or lines of several meanings differ in filling or dashes."""
    names = {s.channel for s in panel.series if s.channel}
    free = [s for s in panel.series if not s.channel]
    pointed = {s.channel for s in panel.series if s.style == "points"}
    kinds = {line: _meanings([s for s in panel.series if (s.style in ("line", "step")) == line]) for line in (True, False)}  # fmt: skip
    together = one_place(panel)
    low, high = place_range(panel)
    out = []
    for n, s in enumerate(panel.series):
        line = s.style in ("line", "step")
        if s.channel is None:
            order = next(k for k, one in enumerate(free) if one is s)
            colour, marker, kind = SHADES[order % len(SHADES)], MARKERS[order % len(MARKERS)], order % 4 if line else 0  # fmt: skip
            if names:
                colour, kind = INK, 1 if line else 0
        else:
            index = channel_index(s.channel, channels)
            colour, marker = CHANNELS[index % len(CHANNELS)], MARKERS[index % len(MARKERS)]
            kind = kinds[line].get(line_meaning(s), 0) % 4
        every: Any = None
        if line and kind == 0 and len(names) > 1 and s.channel is not None and s.channel not in pointed:
            step = max(1, len(s.x) // MARKED)
            first = int(step * (channel_index(s.channel, channels) % 4 + 0.5) / 4)
            every = (first, step) if len(s.x) <= MANY else [min(len(s.x), DRAWN_POINTS) - 1]
        shift = 0.0 if together is None else 0.6 * (high - low) * ((n + 0.5) / len(panel.series) - 0.5)
        out.append(Look(colour, marker, DASHES[kind], FILLS[kind], every, shift))
    return out


def _meanings(series: Sequence[Series]) -> dict[str, int]:
    """What series of a style mean beyond their channel, numbered; {} where no channel has two."""
    held: dict[str, set[str]] = {}
    order: dict[str, None] = {}
    for s in series:
        if s.channel and LEFT_OUT not in s.label:
            held.setdefault(s.channel, set()).add(line_meaning(s))
            order.setdefault(line_meaning(s))
    return {m: n for n, m in enumerate(order)} if any(len(m) > 1 for m in held.values()) else {}
