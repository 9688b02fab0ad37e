"""Measurements over time: a report's current results, and the campaign's own tables, as series with what was found in them.

A series is one quantity of one detector, channel, setting and device; values of another configuration are never in it. Each point keeps
where it came from, its verdict and the limit that it was judged by, so that pages draw limits as they were then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, date, datetime, time
from operator import itemgetter
from typing import Any

import numpy as np

from analysis.contract import Measurement, Procedure
from analysis.series import Key, Series, date_of, days_of
from analysis.trend import Event
from builder.digests import digest
from builder.engine import Engine
from builder.judge import Place, judge
from builder.report import BlockReport, Judged, Outcome
from builder.trend_found import Kept
from builder.trend_series import Bound, Followed, Overlay, Spot, Trends
from campaign.frozen import dataclass
from campaign.model import Campaign, Limit, Scope

Known = dict[tuple[int, float | None, float | None], Bound]


@dataclass
class _Gathered:
    unit: str
    spots: list[Spot] = field(default_factory=list)


def follow(
    campaign: Campaign,
    blocks: Sequence[BlockReport],
    procedures: Iterable[Procedure],
    kept: Kept,
    engine: Engine | None = None,
    excluded: Callable[[Outcome, Judged], str] = lambda outcome, judged: "",
) -> Trends:
    """The series of a campaign. ``excluded`` tells why a value is shown but not used ('' where it is)."""
    return begin_following(campaign, blocks, procedures, kept, engine, excluded)()


def begin_following(
    campaign: Campaign,
    blocks: Sequence[BlockReport],
    procedures: Iterable[Procedure],
    kept: Kept,
    engine: Engine | None = None,
    excluded: Callable[[Outcome, Judged], str] = lambda outcome, judged: "",
) -> Callable[[], Trends]:
    """As ``follow``, which what comes back ends: until then the engine's worker beside the build looks at a few new series."""
    held: dict[Key, _Gathered] = {}
    undated = _measured(campaign, blocks, excluded, held)
    procedures = list(procedures)
    _tabled(campaign, {p.name for p in procedures}, held)
    for one in held.values():
        one.spots.sort(key=itemgetter(0))
    order = _order(campaign, procedures, held)
    ready: list[tuple[Key, _Gathered, tuple[Overlay, ...], str, str]] = []
    asked: dict[str, tuple[Series, Sequence[Event]]] = {}
    drawn_over: dict[tuple[str, str, tuple[str, ...]], tuple[Overlay, ...]] = {}
    for key in sorted(held, key=order):
        one = held[key]
        here = tuple(dict.fromkeys(s.block for s in one.spots))
        place = (key.detector, key.channel, here)
        if place not in drawn_over:
            drawn_over[place] = tuple(overlays(campaign, *place))
        over = tuple(sorted([*drawn_over[place], *_of_tests(campaign, key, one.spots)], key=itemgetter(1)))
        columns = list(zip(*one.spots, strict=True))
        name = digest(columns[:3], columns[10], columns[11], over)
        shown = _digest(key, one.unit, name, columns)
        asked[name] = _series(key, columns), [Event(o.start, _event(o)) for o in over]
        ready.append((key, one, over, name, shown))
    take = kept.begin(asked, engine)
    tables = tuple(t.name for t in campaign.series if t.name not in {p.name for p in procedures})

    def finish() -> Trends:
        found = take()
        series = tuple(
            Followed(key, one.unit, tuple(one.spots), found[name], over, shown)
            for key, one, over, name, shown in ready
        )
        return Trends(series, tables, undated)

    return finish


def _digest(key: Key, unit: str, name: str, columns: Sequence[Sequence[Any]]) -> str:
    """Of all that is shown of a series; what was found follows from what ``name`` stands for, and the code."""
    places: dict[int, int] = {}
    bounds: list[Bound] = []
    for bound in columns[8]:
        if bound is not None and id(bound) not in places:
            places[id(bound)] = len(bounds)
            bounds.append(bound)
    by_point = [-1 if bound is None else places[id(bound)] for bound in columns[8]]
    return digest(
        list(key), unit, name, by_point, [list(b) for b in bounds], columns[3:8], columns[9], columns[12]
    )


def _event(over: Overlay) -> str:
    return {"block": f"block {over.name} begins", "caveat": f"caveat {over.name}"}.get(over.kind, over.text)


def _series(key: Key, columns: Sequence[Sequence[Any]]) -> Series:
    times, values, errors = (np.array(column, dtype=np.float64) for column in columns[:3])  # None is NaN
    return Series(
        key,
        times,
        values,
        errors if np.isfinite(errors).any() else None,
        versions=tuple(columns[11]),
        excluded=tuple(columns[10]),
    )


def _measured(
    campaign: Campaign,
    blocks: Iterable[BlockReport],
    excluded: Callable[[Outcome, Judged], str],
    held: dict[Key, _Gathered],
) -> int:
    """Add the current results of all tests; returns how many have no time."""
    undated = 0
    bounds: Known = {}
    places: dict[tuple[str, str, str, str | None, str, str], list[Spot]] = {}
    for block in blocks:
        devices = {d.name: d.device(block.block) for d in campaign.detectors}
        for test in block.tests:
            when = test.at
            if when is None:
                undated += sum(len(o.measurements) for o in test.outcomes)
                continue
            at, test_names = days_of(when), (block.block.id, test.test.name)
            for outcome in test.outcomes:
                name, version = outcome.procedure.name, outcome.procedure.version
                device = devices.get(outcome.detector, "")
                for j in outcome.measurements:
                    m = j.measurement
                    place = name, m.quantity, outcome.detector, m.channel, m.setting, device
                    spots = places.get(place)
                    if spots is None:
                        key = Key(
                            f"{name}.{m.quantity}", outcome.detector, m.channel or "", m.setting, device
                        )
                        spots = places[place] = held.setdefault(key, _Gathered(m.unit)).spots
                    limit = j.limit
                    bound = None if limit is None else _noted(limit, j.low, j.high, bounds)
                    note = m.note or (m.reason.replace("-", " ") if m.reason else "")
                    spots.append(
                        Spot(
                            at, m.value, _error(m.uncertainty), *test_names, j.id, "", str(j.verdict), bound, m.flags,
                            excluded(outcome, j), version, note,
                        )
                    )  # fmt: skip
    return undated


def _error(uncertainty: float | None) -> float | None:
    return uncertainty if uncertainty is not None and uncertainty >= 0.0 else None


def _noted(limit: Limit, low: float | None, high: float | None, known: Known) -> Bound:
    """The range that a limit had where it judged, each made once: thousands of measurements share most of them."""
    key = id(limit), low, high
    if key not in known:
        known[key] = Bound(limit.id, low, high, _day(limit.scope.start), _day(limit.scope.end, last=True))
    return known[key]


def _day(day: date | None, last: bool = False) -> float | None:
    """A day's first moment [days since 1970], or its end; None for none."""
    return None if day is None else days_of(datetime.combine(day, time(), UTC)) + float(last)


def _tabled(campaign: Campaign, procedures: Iterable[str], held: dict[Key, _Gathered]) -> None:
    """Add the tables of series/, judged by the campaign's limits as measurements are."""
    known: Known = {}
    taken = set(procedures)
    for table in campaign.series:
        if table.name in taken:
            continue
        for row in table.rows:
            name = f"{table.name}.{row.quantity}"
            key = Key(name, row.detector, row.channel, row.setting)
            m = Measurement(
                row.quantity, row.channel or None, row.setting, row.value, row.uncertainty, row.unit, "", 1
            )
            place = Place(table.name, "", "", row.detector, row.time.date())
            judged = judge(
                m, place, [x for x in campaign.limits if x.quantity == name and not x.scope.blocks]
            )
            limit = judged.limit
            bound = None if limit is None else _noted(limit, judged.low, judged.high, known)
            held.setdefault(key, _Gathered(row.unit)).spots.append(
                Spot(
                    days_of(row.time), row.value, row.uncertainty, "", "", "", f"{table.file}, row {row.row}",
                    str(judged.verdict), bound, (), "", "", row.note,
                )
            )  # fmt: skip


def _order(
    campaign: Campaign, procedures: Sequence[Procedure], held: Mapping[Key, _Gathered]
) -> Callable[[Key], Any]:
    """Procedures as declared, then tables; quantities as declared; settings; detectors of the campaign first; their
    devices as they came; channels. The points of each series are in order of time.
    """
    begun: dict[tuple[str, str], float] = {}
    for key, one in held.items():
        place = key.detector, key.device
        begun[place] = min(begun.get(place, np.inf), one.spots[0].time)
    declared = {
        f"{p.name}.{q.name}": (n, k) for n, p in enumerate(procedures) for k, q in enumerate(p.quantities)
    }
    detectors = {d.name: n for n, d in enumerate(campaign.detectors)}
    last = len(procedures)

    def order(key: Key) -> tuple[object, ...]:
        own = declared.get(key.quantity, (last, 0))
        return (
            own,
            key.quantity,
            key.setting,
            detectors.get(key.detector, len(detectors)),
            key.detector,
            begun[key.detector, key.device],
            key.device,
            key.channel,
        )

    return order


def overlays(campaign: Campaign, detector: str, channel: str, blocks: Sequence[str]) -> Iterator[Overlay]:
    """What is known to have happened where a series is of, in order of time: its blocks' first days, interventions, caveats."""
    found = []
    for block in campaign.blocks:
        if block.id in blocks and block.start is not None:
            found.append(Overlay("block", _day(block.start) or 0.0, None, block.title or block.id, block.id))
    inside = [b for b in blocks if b]

    def touches(scope: Scope) -> bool:
        places: list[str | None] = [*inside] or ([] if scope.blocks else [None])
        return any(scope.covers(block=b, detector=detector, channel=channel or None) for b in places)

    for one in campaign.interventions:
        if touches(one.scope):
            found.append(Overlay("intervention", _day(one.date) or 0.0, None, one.text, ""))
    for caveat in campaign.caveats:
        begun = caveat.scope.start or caveat.date
        if begun is not None and not caveat.scope.tests and touches(caveat.scope):
            ended = _day(caveat.scope.end or caveat.resolved, last=True)
            found.append(
                Overlay(
                    "caveat", _day(begun) or 0.0, np.inf if ended is None else ended, caveat.text, caveat.id
                )
            )
    return iter(sorted(found, key=itemgetter(1)))


def _of_tests(campaign: Campaign, key: Key, spots: Sequence[Spot]) -> Iterator[Overlay]:
    """The caveats whose scope names tests, over the values that they touch."""
    procedure, _, quantity = key.quantity.partition(".")
    for caveat in campaign.caveats:
        scope = caveat.scope
        if not scope.tests or not scope.covers(
            None, None, key.detector, key.channel or None, None, procedure, quantity, key.setting
        ):
            continue
        held = [s.time for s in spots if s.test and scope.covers(s.block, s.test, day=date_of(s.time).date())]
        if held:
            yield Overlay("caveat", held[0], held[-1] if held[-1] > held[0] else None, caveat.text, caveat.id)
