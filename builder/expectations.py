"""What a limit expects of a measurement: its bounds in the measurement's unit, or the coded reason why there are none.

A limit states its bounds itself, or they are found: from a value of a reference test or of another quantity, from what
was commanded, or from the other points of the series. What cannot be found is never replaced by a guess, and a reference of
zero is divided by nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from math import isfinite
from typing import NamedTuple

from analysis.contract import ALARMS, Measurement
from builder.timeline import taken_at
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.model import Block, Limit, RelativeTo, Statistic, around
from campaign.record import Test

UNJUDGED: dict[str, str] = {
    "no-reference": "the reference value that the limit is relative to was not measured, or the record does not state it",
    "is-reference": "it is itself the reference that the limit is relative to",
    "zero-reference": "the reference is zero, so that a ratio to it says nothing",
    "other-unit": "the reference has another unit, so that a difference from it says nothing",
    "commanded-varies": "the frames of the test were commanded differently, so that no one value is the reference",
    "too-few-points": "the series has too few other points for a statistical limit",
    "no-time": "when the test was taken is not known, so that it has no place in the series",
}
"""Coded reasons why a limit could not judge a value."""


class Spot(NamedTuple):
    """Where a measurement belongs: the same spot holds its values of all builds."""

    block: str
    test: str
    procedure: str
    detector: str
    quantity: str
    channel: str
    setting: str


@dataclass(frozen=True)
class Place:
    """Where and when a measurement belongs, for the scopes of limits."""

    procedure: str
    block: str
    test: str
    detector: str
    day: date | None = None


def spot_of(place: Place, measurement: Measurement) -> Spot:
    """The spot of a measurement; a quantity of a whole detector has the channel ''."""
    m = measurement
    return Spot(
        place.block, place.test, place.procedure, place.detector, m.quantity, m.channel or "", m.setting
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lowest and highest value accepted, in the measurement's unit; or a ``reason`` (of UNJUDGED) why none is known.

    ``words`` say where they come from, '' where the limit states them itself.
    """

    low: float | None
    high: float | None
    words: str = ""
    reason: str = ""


Find = Callable[[Limit, Place, Measurement], Bounds]


def stated(limit: Limit, place: Place, measurement: Measurement) -> Bounds:
    """The bounds that a limit states itself. One that has to find them finds nothing here."""
    if limit.kind == "range":
        return Bounds(*limit.stated)
    return Bounds(None, None, reason="too-few-points" if limit.statistic else "no-reference")


@dataclass(frozen=True)
class Taken:
    """A test as limits see it: its frames by detector, its row of the record, its block, the device of each detector in it."""

    test: Test
    block: Block
    frames: Sequence[Frame] = ()
    devices: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def at(self) -> datetime | None:
        """When it was taken."""
        return taken_at(self.frames, self.test, self.block)

    def commanded(self, to: RelativeTo, detector: str) -> float | str:
        """The value that was commanded for a detector, or the reason why there is none.

        Bias frames of a test that holds others do not count: they are taken to go with these.
        """
        if to.column:
            cell = self.test.cells.get(to.column)
            value = _number(cell.value if cell else None)
            return "no-reference" if value is None else value
        own = [f for f in self.frames if f.detector == detector]
        lit = [f for f in own if f.type != "bias"] or own
        found = {_number(f.fields.get(to.field)) for f in lit} - {None}
        values = sorted(v for v in found if v is not None)
        if len(values) > 1:
            return "commanded-varies"
        return values[0] if values else "no-reference"


def _number(value: object) -> float | None:
    """A field or cell as a number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


Valued = tuple[Spot, Measurement]


@dataclass
class Expectations:
    """Finds the bounds of any limit, from the measurements that a build shows and the tests they are of.

    ``measured`` hands out all measurements that are shown; it is asked once, and only when some limit needs it.
    ``excluded`` says why one is left out of trends, '' where it is not.
    """

    measured: Callable[[], Iterable[Valued]]
    tests: Mapping[tuple[str, str], Taken] = field(default_factory=dict)
    excluded: Callable[[Spot, Measurement], str] = lambda spot, measurement: ""
    _values: dict[Spot, Measurement] | None = field(default=None, init=False, repr=False)
    _around: dict[tuple[int, int, str], Bounds] = field(default_factory=dict, init=False, repr=False)
    _series: dict[tuple[Statistic, str], dict[Spot, Bounds]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __call__(self, limit: Limit, place: Place, measurement: Measurement) -> Bounds:
        """The bounds of a limit for a measurement at a place."""
        if limit.kind == "range":
            return Bounds(*limit.stated)
        spot = spot_of(place, measurement)
        if limit.statistic is not None:
            return self._statistical(limit.statistic, spot, measurement.unit)
        assert limit.relative_to is not None
        return self._relative(limit, limit.relative_to, spot, measurement.unit)

    @cached_property
    def _by_quantity(self) -> dict[tuple[str, str], list[Valued]]:
        """The measurements by (procedure, quantity)."""
        out: dict[tuple[str, str], list[Valued]] = {}
        for spot, m in self.values.items():
            out.setdefault((spot.procedure, spot.quantity), []).append((spot, m))
        return out

    @property
    def values(self) -> dict[Spot, Measurement]:
        """The measurements by their spots."""
        if self._values is None:
            self._values = dict(self.measured())
        return self._values

    def _relative(self, limit: Limit, to: RelativeTo, spot: Spot, unit: str) -> Bounds:
        if to.commanded:
            name, taken = to.field or to.column, self.tests.get((spot.block, spot.test))
            found = taken.commanded(to, spot.detector) if taken else "no-reference"
            if isinstance(found, str):
                return _none(found, f"commanded {name}")
            return _around(limit, to, found, f"commanded {name} {found:g}")
        there = _reference_spot(to, spot)
        name = _named(there, spot)
        if there == spot:
            return _none("is-reference", name)
        value = self.values.get(there)
        if value is None and there.channel:  # the reference may be of the whole detector
            value = self.values.get(there._replace(channel=""))
        if value is None or value.value is None:
            return _none("no-reference", name)
        if value.unit != unit and (to.by == "difference" or limit.stated_tolerance):
            return _none("other-unit", name)
        if (key := (id(limit), id(value), name)) in self._around:  # many share a reference
            return self._around[key]
        shown = f"{value.value:.6g} {value.unit if value.unit != '1' else ''}".rstrip()
        self._around[key] = _around(limit, to, value.value, f"{name}: {shown}")
        return self._around[key]

    def _statistical(self, how: Statistic, spot: Spot, unit: str) -> Bounds:
        key = how, f"{spot.procedure}.{spot.quantity}"
        if key not in self._series:
            self._series[key] = self._of_series(how, spot.procedure, spot.quantity)
        found = self._series[key].get(spot)
        if found is None:
            return _none("too-few-points", "the series does not hold it")
        return found

    def _of_series(self, how: Statistic, procedure: str, quantity: str) -> dict[Spot, Bounds]:
        """The bounds of every point of a quantity's series, each left out of its own.

        A point with an alarming flag, without a time, or that is left out of trends has no say in the limits of others.
        """
        from analysis.control import Window, limits
        from analysis.series import Key, Point, gather

        out: dict[Spot, Bounds] = {}
        spots: list[Spot] = []
        points = []
        for spot, m in self._by_quantity.get((procedure, quantity), ()):
            taken = self.tests.get((spot.block, spot.test))
            when = taken.at if taken else None
            if taken is None or when is None:
                out[spot] = _none("no-time", "no place in the series")
                continue
            block = spot.block if how.blocks == "own" else ""
            name, device = f"{procedure}.{quantity} {block}".rstrip(), taken.devices.get(spot.detector, "")
            key = Key(name, spot.detector, spot.channel, spot.setting, device)
            doubt = "doubtful" if m.flags and ALARMS.intersection(m.flags) else self.excluded(spot, m)
            points.append(Point(key, when, m.value, m.uncertainty, label=str(len(spots)), excluded=doubt))
            spots.append(spot)
        window = Window(how.sides, how.points, how.days, how.minimum)
        side = "before it" if how.sides == "before" else "around it"
        for series in gather(points).values():
            found = limits(series, window, how.sigma)
            columns = (found.low, found.high, found.centre, found.scatter, found.neighbours)
            rows = zip(series.labels, found.reason, *(c.tolist() for c in columns), strict=True)
            for label, reason, low, high, centre, scatter, count in rows:
                if reason:
                    words = f"{count} points {side}, {how.minimum} are needed"
                    out[spots[int(label)]] = _none(reason, words)
                    continue
                words = f"median {centre:.6g} ± {how.sigma:g} × {scatter:.3g} of {count} points {side}"
                out[spots[int(label)]] = Bounds(low, high, words)
        return out


def _none(reason: str, about: str) -> Bounds:
    return Bounds(None, None, f"{about}: {UNJUDGED[reason]}", reason)


def _reference_spot(to: RelativeTo, spot: Spot) -> Spot:
    procedure, _, quantity = to.quantity.partition(".")
    return spot._replace(
        block=to.block or spot.block,
        test=to.test or spot.test,
        procedure=procedure or spot.procedure,
        quantity=quantity or spot.quantity,
        setting=to.setting or spot.setting,
    )


def _named(there: Spot, here: Spot) -> str:
    """The reference in words: what differs from the measurement itself."""
    parts = []
    if (there.procedure, there.quantity) != (here.procedure, here.quantity):
        parts.append(f"{there.procedure}.{there.quantity}")
    if there.block != here.block:
        parts.append(f"{there.test} of {there.block}")
    elif there.test != here.test:
        parts.append(there.test)
    if there.setting != here.setting:
        parts.append(f"at {there.setting}")
    return " ".join(parts) or there.test


def _around(limit: Limit, to: RelativeTo, reference: float, words: str) -> Bounds:
    """The bounds around a reference value, worked out in decimal."""
    if limit.stated_tolerance:
        if limit.tolerance is None and reference == 0.0:
            return _none("zero-reference", words)
        return Bounds(*around(reference, limit.tolerance, limit.tolerance_percent), words)
    if to.by == "difference":
        return Bounds(_sum(reference, limit.low), _sum(reference, limit.high), words)
    if reference == 0.0:
        return _none("zero-reference", words)
    low, high = _product(reference, limit.low), _product(reference, limit.high)
    return Bounds(high, low, words) if reference < 0.0 else Bounds(low, high, words)


def _sum(a: float, b: float | None) -> float | None:
    return None if b is None else float(Decimal(repr(float(a))) + Decimal(repr(float(b))))


def _product(a: float, b: float | None) -> float | None:
    return None if b is None else float(Decimal(repr(float(a))) * Decimal(repr(float(b))))
