"""The axes of a plot over time, and where the limits of its series run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from builder.trend_series import Bound, Followed
from campaign.frozen import dataclass

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 78, 16, 46, 40
REACH = 5.0
"""A limit is on the axis when that makes the axis no more than so many times longer; else the plot says where it is."""


@dataclass(frozen=True)
class Frame:
    """The axes of a plot: times [days] and values, and the limits that do not fit on them.

    ``shared`` where it holds several devices, one after the other: what is drawn of one ends where its values end.
    """

    start: float
    stop: float
    low: float
    high: float
    outside: tuple[Bound, ...]
    shared: bool

    def x(self, time: float) -> float:
        """Where a time is [px]."""
        return LEFT + (time - self.start) / (self.stop - self.start) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Where a value is [px], clipped to the edges."""
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def limits(self, one: Followed) -> list[tuple[Bound, float, float]]:
        """The lines of the limits of a series, as they were then and as far as they are drawn."""
        start, stop = self.start, self.stop
        if self.shared:
            room = 0.02 * (stop - start)
            start, stop = one.spots[0].time - room, one.spots[-1].time + room
        return [(b, max(x0, start), min(x1, stop)) for b, x0, x1 in limit_lines(one)]


def by_label(held: Iterable[Followed]) -> dict[str, list[Followed]]:
    """The series of a plot by what its legend names: the channel, of whatever device."""
    out: dict[str, list[Followed]] = {}
    for one in held:
        out.setdefault(one.key.channel or one.key.detector or "values", []).append(one)
    return out


def frame(held: Sequence[Followed]) -> Frame | None:
    """The axes of the series of a plot; None where none has a value."""
    times = [t for one in held for t in (one.spots[0].time, one.spots[-1].time)]
    lows = [one.found.low for one in held if one.found.low is not None]
    highs = [one.found.high for one in held if one.found.high is not None]
    if not lows:  # every value was left out: they are shown nevertheless
        left_out = [s.value for one in held for s in one.spots if s.value is not None]
        if not left_out:
            return None
        room = 0.05 * (max(left_out) - min(left_out)) or 0.05 * abs(left_out[0]) or 1.0
        lows, highs = [min(left_out) - room], [max(left_out) + room]
    margin = 0.02 * (max(times) - min(times)) or 0.5
    low, high = min(lows), max(highs)
    span, outside = high - low, []
    bounds = dict.fromkeys(s.bound for one in held for s in one.spots if s.bound)
    for bound in bounds:
        ends = [v for v in (bound.low, bound.high) if v is not None]
        bottom, top = min(low, *ends, inf), max(high, *ends, -inf)
        if top - bottom <= REACH * span:
            low, high = bottom - 0.02 * (top - bottom), top + 0.02 * (top - bottom)
        else:
            outside.append(bound)
    shared = len({one.key.device for one in held}) > 1
    return Frame(min(times) - margin, max(times) + margin, low, high, tuple(outside), shared)


def limit_lines(one: Followed) -> list[tuple[Bound, float, float]]:
    """(limit, from, to) [days] of the limits that judged a series, as they were then.

    Between points judged by different limits the line changes where the later one's validity begins, the earlier one's
    ends, or half-way. The last lasts until its end; open ends are infinite.
    """
    out: list[tuple[Bound, float, float]] = []
    before, last = None, -inf
    for spot in one.spots:
        if before is None or spot.bound != before[0]:
            turn = -inf
            if before is not None:
                turn = _turn(before[0], spot.bound, last, spot.time)
                if before[0] is not None:
                    out.append((before[0], before[1], turn))
            elif spot.bound is not None and spot.bound.start is not None:
                turn = spot.bound.start
            before = spot.bound, turn
        last = spot.time
    if before is not None and before[0] is not None:
        out.append((before[0], before[1], inf if before[0].end is None else before[0].end))
    return out


def _turn(old: Bound | None, new: Bound | None, last: float, now: float) -> float:
    for edge in (new.start if new else None, old.end if old else None):
        if edge is not None and last <= edge <= now:
            return edge
    return 0.5 * (last + now)
