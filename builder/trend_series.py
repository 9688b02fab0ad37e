"""Series as pages show them: points with where they came from and how they were judged, and what was found in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from analysis.series import Key
from builder.render.addresses import measurement_page
from builder.trend_found import Found
from campaign.frozen import dataclass


class Bound(NamedTuple):
    """A limit as it was then: its range, and its validity [days since 1970; None for an open end]."""

    id: str
    low: float | None
    high: float | None
    start: float | None
    end: float | None


class Spot(NamedTuple):
    """A point of a series: ``time`` in days since 1970; ``excluded`` says why it is shown but not used.

    ``measurement`` is the id of what it shows, '' for one of a table; ``source`` what else it is from ('series/lamp.csv, row 4').
    """

    time: float
    value: float | None
    uncertainty: float | None
    block: str
    test: str
    measurement: str
    source: str
    verdict: str
    bound: Bound | None
    flags: tuple[str, ...]
    excluded: str
    version: str
    note: str

    @property
    def page(self) -> str:
        """The address of its provenance; '' for one of a table."""
        return measurement_page(self.measurement) if self.measurement else ""


class Overlay(NamedTuple):
    """What is drawn over a series: a 'block' that began, an 'intervention', a 'caveat'; from ``start`` to ``end`` [days].

    ``end`` is None for what has a moment only, and infinite for what lasts. ``name`` is a block's or caveat's.
    """

    kind: str
    start: float
    end: float | None
    text: str
    name: str


@dataclass(frozen=True)
class Followed:
    """A series with its points in order of time, what was found in it, and what is drawn over it.

    ``digest`` stands for all of it.
    """

    key: Key
    unit: str
    spots: tuple[Spot, ...]
    found: Found
    overlays: tuple[Overlay, ...]
    digest: str

    def __getstate__(self) -> dict[str, object]:
        """As it goes to workers: with points as bare tuples, which take a third of the time."""
        return {**self.__dict__, "spots": tuple(map(tuple, self.spots))}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state, spots=tuple(map(Spot._make, state["spots"])))

    @property
    def procedure(self) -> str:
        """The procedure, or the table of series/, that the values are from."""
        return self.key.quantity.partition(".")[0]

    @property
    def quantity(self) -> str:
        """The quantity's name."""
        return self.key.quantity.partition(".")[2]

    @cached_property
    def values(self) -> int:
        """How many points have a value."""
        return sum(s.value is not None for s in self.spots)

    @cached_property
    def ends(self) -> tuple[float, ...]:
        """The times of its first and its last value [days since 1970]; () without values."""
        times = [s.time for s in self.spots if s.value is not None]
        return (times[0], times[-1]) if times else ()


Group = tuple[str, str]
"""(procedure or table, quantity): what has a page of its own."""


@dataclass(frozen=True)
class Trends:
    """All series, in the order of procedures, quantities, settings, detectors, their devices and channels.

    ``tables`` are the names of the campaign's own tables; ``undated`` counts measurements whose time nobody knows.
    """

    series: tuple[Followed, ...] = ()
    tables: tuple[str, ...] = ()
    undated: int = 0

    @cached_property
    def groups(self) -> dict[Group, list[Followed]]:
        """The series of each quantity that has a page: of some detector, channel and setting there are values of different times."""
        held: dict[Group, list[Followed]] = {}
        for one in self.series:
            held.setdefault((one.procedure, one.quantity), []).append(one)
        return {group: some for group, some in held.items() if moving(some)}

    @cached_property
    def single(self) -> dict[Group, int]:
        """Quantities of which there is no more than one value in each series, with the number of series."""
        held: dict[Group, int] = {}
        for one in self.series:
            if (group := (one.procedure, one.quantity)) not in self.groups:
                held[group] = held.get(group, 0) + 1
        return held


def moving(held: Iterable[Followed]) -> set[tuple[str, str, str]]:
    """(detector, channel, setting) of which there are values of different times, be they of one device or of several."""
    times: dict[tuple[str, str, str], set[float]] = {}
    for one in held:
        k = one.key
        times.setdefault((k.detector, k.channel, k.setting), set()).update(one.ends)
    return {place for place, some in times.items() if len(some) > 1}
