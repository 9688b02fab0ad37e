"""A plot of values over time as SVG, written directly: hundreds are drawn where a plotting library would draw ten.

One plot holds the channels of one detector at one setting. Channels have their colours, detectors their markers. The dark
picture is the same with its colours replaced, as of all figures (``builder.draw``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from math import inf, isfinite

from builder.draw import CHANNELS, DARK, INK, LINE, MARK, MUTED, PAPER, channel_index
from builder.draw_frame import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Frame, by_label, frame, limit_lines
from builder.draw_time import time_ticks, value_ticks
from builder.trend_series import Bound, Followed

FONT = "DejaVu Sans, Verdana, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif"
FAIL = "#a3231c"
DARK_FAIL = "#ff8f86"
CAVEAT = "#f5c97a"
DARK_CAVEAT = "#7a5a1e"
SHAPES = (
    "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z", "M-3-3h6v6h-6z", "M0-4L3.8 3h-7.6z", "M0-4.2L4.2 0L0 4.2L-4.2 0z",
    "M0 4L3.8-3h-7.6z", "M-1.3-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
    "M-2.8-4L0-1.2L2.8-4L4-2.8L1.2 0L4 2.8L2.8 4L0 1.2L-2.8 4L-4 2.8L-1.2 0L-4-2.8z", "M-4-1.6h8v3.2h-8z",
)  # fmt: skip
"""Outlines of markers, about 8 px wide: one for each detector, in the campaign's order."""
BAND = 3.0
"""Half the width of the band around the centre, in scatters."""

_DARK = {**DARK, FAIL: DARK_FAIL, CAVEAT: DARK_CAVEAT}
_HEX = re.compile("|".join(_DARK))


def trend_svg(held: Sequence[Followed], ylabel: str, marker: int) -> tuple[bytes, bytes]:
    """The plot of some series, light and dark; ``marker`` is the detector's place in the campaign."""
    light = "\n".join(_parts(held, ylabel, marker))
    return light.encode(), _HEX.sub(lambda m: _DARK[m[0]], light).encode()


def _parts(held: Sequence[Followed], ylabel: str, marker: int) -> Iterator[str]:
    axes = frame(held)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="{FONT}" font-size="12">'
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
    if axes is None:
        yield f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle" fill="{MUTED}">no values</text></svg>'
        return
    yield (
        "<defs>"
        + f'<clipPath id="in"><rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"/></clipPath>'
    )
    for n, one in enumerate(held):
        for name, fill in (("", _colour(one)), ("x", "none")):
            yield (
                f'<marker id="m{n}{name}" markerUnits="userSpaceOnUse" markerWidth="12" markerHeight="12" refX="0" refY="0" '
                f'viewBox="-6 -6 12 12"><path d="{SHAPES[marker % len(SHAPES)]}" fill="{fill}" stroke="{_colour(one)}" stroke-width="{"1.2" if name else "0"}"/></marker>'
            )
    yield "</defs>"
    yield from _background(held, axes)
    yield from _axes(axes, ylabel)
    yield '<g clip-path="url(#in)">'
    for one in held:
        yield from _fit(one, axes)
    apart = limits_apart(held)
    yield from dict.fromkeys(line for one in held for line in _limits(one, axes, apart))
    yield "</g>"
    for n, one in enumerate(held):
        yield from _points(one, axes, n)
    yield from _legend(held, axes)
    yield "</svg>"


def _colour(one: Followed) -> str:
    return CHANNELS[channel_index(one.key.channel)] if one.key.channel else INK


def _background(held: Sequence[Followed], axes: Frame) -> Iterator[str]:
    """Caveats as bands at the top, gaps at the foot, and lines with labels where something began or was changed."""
    top, foot = TOP, HEIGHT - BOTTOM
    over = dict.fromkeys(o for one in held for o in one.overlays)
    labels: list[tuple[float, str, str]] = []
    for o in over:
        end = o.start if o.end is None else o.end
        if end < axes.start or o.start > axes.stop:
            continue
        left, right = axes.x(max(o.start, axes.start)), axes.x(min(end, axes.stop))
        if o.kind == "caveat":
            yield f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 1.5):.1f}" height="7" fill="{CAVEAT}"/>'
            labels.append((left, f"† {o.name}", MARK))
        else:
            labels.append((left, o.name or o.text, MUTED if o.kind == "block" else MARK))
    breaks = dict.fromkeys(
        (now.time, now.version) for one in held for was, now in zip(one.spots, one.spots[1:], strict=False) if was.version != now.version
    )  # fmt: skip
    labels += [(axes.x(time), f"version {version}", INK) for time, version in breaks]
    for start, stop in _common_gaps(held):
        left, right = axes.x(start), axes.x(stop)
        yield f'<rect x="{left:.1f}" y="{foot - 5}" width="{right - left:.1f}" height="5" fill="{LINE}"/>'
        if right - left > 90:
            yield f'<text x="{(left + right) / 2:.1f}" y="{foot - 9}" text-anchor="middle" font-size="10" fill="{MUTED}">{stop - start:.0f} d without values</text>'
    rows = [-inf, -inf]
    for x, text, colour in sorted(labels):
        dash = ' stroke-dasharray="4 3"' if colour != MUTED else ""
        yield f'<path d="M{x:.1f} {top}V{foot}" stroke="{colour}" stroke-opacity=".7"{dash}/>'
        text = text if len(text) <= 28 else text[:27] + "…"
        place = min(x, WIDTH - RIGHT - 5.8 * len(text))
        row = next((n for n, used in enumerate(rows) if place > used), None)
        if row is not None:  # else the list below the plot names it
            rows[row] = place + 5.8 * len(text) + 6
            yield f'<text x="{place:.1f}" y="{top - 4 - 12 * row}" font-size="10" fill="{colour}">{escape(text)}</text>'


def _common_gaps(held: Sequence[Followed]) -> list[tuple[float, float]]:
    """Stretches without points that all series of the plot share."""
    common = [(-inf, inf)]
    for one in held:
        own = [(-inf, one.spots[0].time), *one.found.gaps, (one.spots[-1].time, inf)]
        common = [(max(a, c), min(b, d)) for a, b in common for c, d in own if max(a, c) < min(b, d)]
    return [(start, stop) for start, stop in common if isfinite(stop - start) and stop - start > 1.0]


def _axes(axes: Frame, ylabel: str) -> Iterator[str]:
    foot, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value, text in value_ticks(axes.low, axes.high):
        y = axes.y(value)
        yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{LINE}"/><text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{text}</text>'
    for time, text in time_ticks(axes.start, axes.stop):
        x = axes.x(time)
        yield f'<path d="M{x:.1f} {foot}v5" stroke="{MUTED}"/><text x="{min(x, right - 28):.1f}" y="{foot + 18}" text-anchor="middle" fill="{INK}">{text}</text>'
    yield f'<path d="M{LEFT} {TOP}V{foot}H{right}" fill="none" stroke="{MUTED}"/>'
    yield f'<text transform="translate(14 {(TOP + foot) / 2:g}) rotate(-90)" text-anchor="middle" fill="{INK}">{escape(ylabel)}</text>'
    yield f'<text x="{right}" y="{HEIGHT - 6}" text-anchor="end" font-size="10" fill="{MUTED}">time, UTC</text>'


def _limits(one: Followed, axes: Frame, apart: bool) -> Iterator[str]:
    """Limits as they were then; in the channel's colour, dashed, where channels have limits ``apart``."""
    look = f'stroke="{_colour(one)}" stroke-dasharray="7 3"' if apart else f'stroke="{FAIL}"'
    for bound, start, stop in axes.limits(one):
        if bound in axes.outside:
            continue
        left, right = axes.x(start), axes.x(stop)
        for value in (bound.low, bound.high):
            if value is not None and right > left:
                yield f'<path d="M{left:.1f} {axes.y(value):.1f}H{right:.1f}" {look} stroke-width="1.3"/>'


def limits_apart(held: Sequence[Followed]) -> bool:
    """Whether the channels of a device have different limits."""
    ranges: dict[str, list[list[tuple[float | None, float | None, float, float]]]] = {}
    for one in held:
        if lines := [(b.low, b.high, start, stop) for b, start, stop in limit_lines(one)]:
            ranges.setdefault(one.key.device, []).append(lines)
    return any(r != some[0] for some in ranges.values() for r in some)


def _fit(one: Followed, axes: Frame) -> Iterator[str]:
    """The centre between steps, and its band."""
    colour, wide = _colour(one), 0.0 if one.found.reason else BAND * (one.found.scatter or 0.0)
    for x0, y0, x1, y1 in one.found.lines:
        left, right = axes.x(x0) - 2, axes.x(x1) + 2
        if wide > 0.0:
            corners = ((left, y0 + wide), (right, y1 + wide), (right, y1 - wide), (left, y0 - wide))
            yield f'<path d="M{"L".join(f"{x:.1f} {axes.y(y):.1f}" for x, y in corners)}z" fill="{colour}" fill-opacity=".09"/>'
        yield f'<path d="M{left:.1f} {axes.y(y0):.1f}L{right:.1f} {axes.y(y1):.1f}" stroke="{colour}" stroke-width="1.4" stroke-opacity=".8"/>'


def _points(one: Followed, axes: Frame, number: int) -> Iterator[str]:
    colour = _colour(one)
    used: list[str] = []
    left_out: list[str] = []
    bars: list[str] = []
    edges: list[str] = []
    x_of, y_of, low, high = axes.x, axes.y, axes.low, axes.high
    hidden = (
        3.2 * (high - low) / (HEIGHT - TOP - BOTTOM)
    )  # an uncertainty up to this is under the marker for sure
    for spot in one.spots:
        value = spot.value
        if value is None or not isfinite(value):
            continue
        x = x_of(spot.time)
        if value > high or value < low:
            y, sign = (TOP + 3.0, 1) if value > high else (HEIGHT - BOTTOM - 3.0, -1)
            edges.append(f"M{x:.1f} {y:g}l4.5 {8 * sign}h-9z")
            continue
        y = y_of(value)
        (left_out if spot.excluded else used).append(f"{x:.1f} {y:.1f}")
        if spot.uncertainty and spot.uncertainty > hidden:
            top, foot = y_of(value + spot.uncertainty), y_of(value - spot.uncertainty)
            if foot - top > 6.5:  # less is under the marker
                bars.append(f"M{x:.1f} {top:.1f}V{foot:.1f}")
    if bars:
        yield f'<path d="{"".join(bars)}" stroke="{colour}" stroke-opacity=".45"/>'
    for name, places in (("", used), ("x", left_out)):
        if places:
            ends = f' marker-end="url(#m{number}{name})"' if len(places) > 1 else ""
            yield f'<path d="M{"L".join(places)}" fill="none" stroke="none" marker-start="url(#m{number}{name})" marker-mid="url(#m{number}{name})"{ends}/>'
    if edges:
        yield f'<path d="{"".join(edges)}" fill="{FAIL}"/>'
    rings: list[tuple[int, str, float]] = [(n, MARK, 6.5) for n in one.found.outliers] + (
        [(one.found.latest, INK, 8.0)] if one.found.latest is not None else []
    )
    for index, ring, radius in rings:
        spot = one.spots[index]
        if spot.value is not None and low <= spot.value <= high:
            yield f'<circle cx="{x_of(spot.time):.1f}" cy="{y_of(spot.value):.1f}" r="{radius}" fill="none" stroke="{ring}" stroke-width="1.4"/>'


def _legend(held: Sequence[Followed], axes: Frame) -> Iterator[str]:
    x, names = float(LEFT), by_label(held)
    for n, one in enumerate(held):
        name = one.key.channel or one.key.detector or "values"
        if one is not names[name][0]:
            continue
        yield f'<path d="M{x + 5:.1f} {HEIGHT - 9}h0" marker-start="url(#m{n})" fill="none" stroke="none"/><text x="{x + 13:.1f}" y="{HEIGHT - 5}" fill="{_colour(one)}">{escape(name)}</text>'
        x += 24 + 7.4 * len(name)
    told = [f"{b.id}: {_range(b)}" for b in axes.outside]
    if told:
        yield f'<text x="{x + 8:.1f}" y="{HEIGHT - 5}" font-size="10" fill="{FAIL}">limits beyond the axis: {escape("; ".join(told[:2]))}</text>'


def _range(bound: Bound) -> str:
    ends = (
        "" if bound.low is None else f"≥ {bound.low:g}",
        "" if bound.high is None else f"≤ {bound.high:g}",
    )
    return ", ".join(filter(None, ends))
