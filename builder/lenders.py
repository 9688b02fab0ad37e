"""Frames that tests borrow: those of the one test of the block that is nearest to a test's own frames."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from campaign.frames import Frame

Lent = tuple[str, Frame]
"""(test, frame)."""
Nearness = tuple[float, str, int]
"""(distance in time or exposure number, exposure, place in the block): the least is the nearest."""


class Lenders:
    """The frames of one detector in a block, to be borrowed by its tests.

    They are searched in order of time, from a test's own dates outwards: many tests that borrow from many others
    cost in proportion to their number, not to its square.
    """

    def __init__(self, frames: Iterable[Lent]) -> None:
        self._frames = list(frames)
        self._held: dict[tuple[str, ...], list[Lent]] = {}
        self._of_test: dict[tuple[str, ...], dict[str, list[Frame]]] = {}
        self._in_time: dict[tuple[str, ...], tuple[list[datetime], list[int]] | None] = {}

    def nearest(self, types: Sequence[str], own: Sequence[Frame]) -> list[Frame]:
        """The frames of these types, within 2 °C, of the nearest test that has any; [] where none has."""
        key = tuple(types)
        if key not in self._held:
            self._held[key] = [(t, f) for t, f in self._frames if f.type in key]
            of_test = self._of_test.setdefault(key, {})
            for test, frame in self._held[key]:
                of_test.setdefault(test, []).append(frame)
            self._in_time[key] = _sorted(self._held[key])
        held, in_time = self._held[key], self._in_time[key]
        dates = [f.date for f in own if f.date is not None]
        if in_time is not None and dates and _comparable([*in_time[0][:1], *dates]):
            found = min(self._around(held, in_time, dates, own), default=None)
        else:
            fit = ((n, f) for n, (_, f) in enumerate(held) if same_temperature(f, own))
            found = min(((*near(f, own), n) for n, f in fit), default=None)
        if found is None:
            return []
        return [f for f in self._of_test[key][held[found[2]][0]] if same_temperature(f, own)]

    def _around(
        self,
        held: Sequence[Lent],
        in_time: tuple[list[datetime], list[int]],
        dates: Iterable[datetime],
        own: Sequence[Frame],
    ) -> Iterator[Nearness]:
        """The nearest frames to each date, before and after it, and those that are just as near."""
        times, order = in_time
        for date in set(dates):
            start = bisect_left(times, date)
            for steps in (range(start, len(times)), range(start - 1, -1, -1)):
                best: float | None = None
                for at in steps:
                    distance = abs((times[at] - date).total_seconds())
                    if best is not None and distance > best:
                        break
                    frame = held[order[at]][1]
                    if same_temperature(frame, own):
                        best = distance
                        yield distance, frame.exposure, order[at]


def near(frame: Frame, others: Sequence[Frame]) -> tuple[float, str]:
    """How far a frame is from a test's own, in time or exposure number; for choosing the nearest."""
    date, dates = frame.date, [f.date for f in others if f.date is not None]
    if date is not None and dates:
        return min(abs((date - d).total_seconds()) for d in dates), frame.exposure
    number, numbers = frame.number, [f.number for f in others if f.number is not None]
    if number is not None and numbers:
        return float(min(abs(number - n) for n in numbers)), frame.exposure
    return 0.0, frame.exposure


def same_temperature(frame: Frame, others: Sequence[Frame], tolerance: float = 2.0) -> bool:
    """Whether a frame's temperature is within the tolerance [°C] of one of the others', where both are known."""
    temperature = frame.fields.get("temperature")
    known = [t for o in others if isinstance(t := o.fields.get("temperature"), int | float)]
    return (
        not isinstance(temperature, int | float)
        or not known
        or min(abs(temperature - t) for t in known) <= tolerance
    )


def _sorted(held: Sequence[Lent]) -> tuple[list[datetime], list[int]] | None:
    """Times in order and which frame each is of; None where a frame has no time, or times cannot be compared."""
    dated = [(f.date, n) for n, (_, f) in enumerate(held)]
    known = [(d, n) for d, n in dated if d is not None]
    if len(known) < len(dated) or not _comparable([d for d, _ in known]):
        return None
    known.sort()
    return [d for d, _ in known], [n for _, n in known]


def _comparable(dates: Sequence[datetime]) -> bool:
    return len({d.tzinfo is None for d in dates}) < 2
