"""Judge everything: what a build shows, and all that earlier builds showed, by the limits as they are now.

Judging costs no measuring: a changed limit judges every stored value again, those of earlier results too, and the
store keeps the verdicts there were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date

from analysis.contract import Measurement
from builder.caveats import Touching, excluded_by_caveat, softened
from builder.decide import result_of_places
from builder.expectations import Expectations, Place, Spot, Taken, Valued, spot_of
from builder.flips import OnRecord
from builder.judge import Judgement, applicable, judge
from builder.measure import MeasuredAll, measurement_id
from builder.plan import Task
from builder.render import addresses
from builder.store import StoredResult, StoredVerdict
from campaign.certification import JUDGING, Decision, excluded, subject
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.limit_lint import check_use
from campaign.model import Campaign, Limit
from campaign.record import Test


@dataclass(frozen=True)
class JudgedResult:
    """The verdicts on a result: by measurement, in their order, its id and the judgement. ``shown`` where the build shows it."""

    place: Place
    numbers: Sequence[tuple[str, Measurement, Judgement]]
    shown: bool


@dataclass
class JudgedAll:
    """All verdicts by result id; limits that matched no measurement are among the findings."""

    results: dict[str, JudgedResult] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def rows(self) -> Mapping[str, Mapping[str, StoredVerdict]]:
        """What the store keeps of each measurement, by result id and its own."""
        return _Rows(self.results)


class _Rows(Mapping[str, Mapping[str, StoredVerdict]]):
    """Verdicts of results as the store keeps them, made for one result at a time."""

    def __init__(self, results: Mapping[str, JudgedResult]) -> None:
        self._results = results

    def __getitem__(self, ident: str) -> dict[str, StoredVerdict]:
        return {
            mid: (str(j.verdict), j.limit.id if j.limit else None, j.low, j.high, j.why)
            for mid, _, j in self._results[ident].numbers
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


def judge_all(
    campaign: Campaign,
    tests: Sequence[Test],
    frames: Mapping[str, Sequence[Frame]],
    measured: MeasuredAll,
    earlier: Mapping[str, StoredResult],
) -> JudgedAll:
    """Judge the results that a build shows, then those that are shown no longer (``earlier``, by id).

    ``frames`` are the frames of each test, by its key. References and series are of what is shown: an earlier value
    is judged by what is expected of its spot now.
    """
    blocks = {b.id: b for b in campaign.blocks}
    devices = {b.id: {d.name: d.device(b) for d in campaign.detectors} for b in campaign.blocks}
    taken = {
        (t.block, t.name): Taken(t, blocks[t.block], frames.get(t.key, ()), devices[t.block])
        for t in tests
        if t.block in blocks
    }

    places: dict[str, Place] = {}

    def place_of(result: StoredResult) -> Place:
        if result.id not in places:
            places[result.id] = Place(
                result.procedure, result.block, result.test, result.detector, days(result)
            )
        return places[result.id]

    def days(result: StoredResult) -> date | None:
        there = taken.get((result.block, result.test))
        if there:
            return there.test.date or there.block.start
        return blocks[result.block].start if result.block in blocks else None

    held = list(_shown(measured))
    out = JudgedAll()
    limits, touching = Applied(campaign.limits), Touching(campaign)

    def by_caveat(result: StoredResult, m: Measurement) -> str:
        return excluded_by_caveat(touching.number(place_of(result), m))

    expectations = Expectations(
        lambda: _valued(held), taken, _left_out(campaign.decisions, measured, held, by_caveat)
    )

    def judged(result: StoredResult, setting: str, shown: bool) -> JudgedResult:
        place, numbers = place_of(result), []
        for m in result.measurements:
            verdict = limits.judge(m, place, expectations)
            if caveats := touching.number(place, m):
                verdict = softened(verdict, caveats)
            numbers.append((measurement_id(result.id, m, setting), m, verdict))
        return JudgedResult(place, numbers, shown)

    for result, setting in held:
        out.results[result.id] = judged(result, setting, shown=True)
    for old in earlier.values():
        if old.id not in out.results:
            out.results[old.id] = judged(old, old.detail.get("setting", ""), shown=False)
    out.findings = check_use(campaign.limits, limits.matched, limits.measured)
    return out


def _shown(measured: MeasuredAll) -> Iterator[tuple[StoredResult, str]]:
    """The results that have measurements, each with the setting of its test, in the order of tests."""
    for tasks in measured.tasks.values():
        for task in tasks:
            if isinstance(task, Task):
                yield measured.result(task.result_id), task.setting


def _valued(held: Iterable[tuple[StoredResult, str]]) -> Iterator[Valued]:
    for result, _ in held:
        for m in result.measurements:
            yield spot_at(result, m), m


def spot_at(result: StoredResult, m: Measurement) -> Spot:
    """The spot of a measurement of a result."""
    return Spot(
        result.block, result.test, result.procedure, result.detector, m.quantity, m.channel or "", m.setting
    )


def _left_out(
    decisions: Iterable[Decision],
    measured: MeasuredAll,
    held: Sequence[tuple[StoredResult, str]],
    by_caveat: Callable[[StoredResult, Measurement], str],
) -> Callable[[Spot, Measurement], str]:
    """Why a measurement is left out of trends, and has no say in limits that rest on them: as people decided, or by a caveat."""
    decided: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.decision in JUDGING:
            decided.setdefault(decision.subject, []).append(decision)
    places: dict[Spot, tuple[StoredResult, str]] = {}
    tests: dict[str, str] = {}

    def why(spot: Spot, m: Measurement) -> str:
        if not places:  # some limit is statistical
            places.update((spot_at(r, n), (r, setting)) for r, setting in held for n in r.measurements)
            if decided:
                tests.update(_results_of_tests(measured))
        result, setting = places[spot]
        if decided:
            mid = measurement_id(result.id, m, setting)
            test = subject(spot.block, spot.test)
            whole = subject(spot.block, spot.test, spot.procedure, spot.detector)
            part = f"{whole}#{mid.removeprefix(f'{result.id}.')}"
            about = (part, result.id), (whole, result.id), (test, tests.get(test, ""))
            if found := excluded([d for address, _ in about for d in decided.get(address, ())], *about):
                return found
        return by_caveat(result, m)

    return why


def _results_of_tests(measured: MeasuredAll) -> Iterator[tuple[str, str]]:
    for tasks in measured.tasks.values():
        held = [
            ((t.block, t.test, t.reference.name, t.detector.name), t.result_id)
            for t in tasks
            if isinstance(t, Task)
        ]
        if held:
            yield subject(tasks[0].block, tasks[0].test), result_of_places(held)


def statements(limits: Iterable[Limit]) -> dict[str, str]:
    """How each limit stands: all entries of its id as JSON, in their order. Where they are written is no part of it."""
    held: dict[str, list[dict[str, object]]] = {}
    for limit in limits:
        entry = limit.model_dump(mode="json", exclude={"file", "id"}, exclude_defaults=True)
        held.setdefault(limit.id, []).append(entry)
    return {ident: json.dumps(entries, sort_keys=True) for ident, entries in held.items()}


def on_record(judged: JudgedAll, wanted: Iterable[str], begun: Mapping[int, str]) -> OnRecord:
    """What the history of verdicts needs to know of the measurements ``wanted``."""
    wanted = list(wanted)
    results = {r: judged.results[r] for r in (mid.partition(".")[0] for mid in wanted) if r in judged.results}
    held = {mid: (spot_of(r.place, m), m) for r in results.values() for mid, m, _ in r.numbers}
    there = {mid: held[mid] for mid in wanted if mid in held}
    spots = {mid: spot for mid, (spot, _) in there.items()}
    places = {r.place for r in results.values()}
    current = {
        spot_of(r.place, m): (mid, str(j.verdict))
        for r in judged.results.values()
        if r.shown and r.place in places
        for mid, m, j in r.numbers
    }
    now = {s: current[s] for s in spots.values() if s in current}
    return OnRecord(
        spots,
        {mid: _text(m) for mid, (_, m) in there.items()},
        now,
        {mid: addresses.measurement_page(mid) for mid, _ in now.values()},
        begun,
    )


def _text(m: Measurement) -> str:
    if m.value is None:
        return (m.reason or "no value").replace("-", " ")
    return f"{m.value:.6g}{f' {m.unit}' if m.unit not in ('', '1') else ''}"


class Applied:
    """The limits by quantity, and which of them ever matched a measurement."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._of: dict[str, list[Limit]] = {}
        for limit in limits:
            self._of.setdefault(limit.quantity, []).append(limit)
        self._unmatched: dict[str, list[Limit]] = {name: list(held) for name, held in self._of.items()}
        self.measured: dict[str, dict[str, date | None]] = {}

    def judge(self, m: Measurement, place: Place, find: Expectations) -> Judgement:
        """The verdict on a measurement; notes which limits it matched."""
        name = f"{place.procedure}.{m.quantity}"
        limits = self._of.get(name, ())
        if limits:
            days = self.measured.setdefault(name, {})
            last = days.get(place.block)
            days[place.block] = place.day if last is None or (place.day and place.day > last) else last
            if left := self._unmatched[name]:
                for limit in applicable(m, place, left):
                    left.remove(limit)
        return judge(m, place, limits, find)

    def matched(self, limit: Limit) -> bool:
        """Whether a limit matched any measurement."""
        return all(limit is not x for x in self._unmatched.get(limit.quantity, ()))
