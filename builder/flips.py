"""What became of verdicts: those that flipped, with the reason; and failures that nobody has acknowledged.

A later green hides no earlier red. Every failure ever recorded of a measurement's spot stays open until a person, by
name, with a date and a reason, has acknowledged it or accepted the value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from builder.expectations import Spot
from builder.store import VerdictRow
from campaign.certification import Decision
from campaign.frozen import dataclass

CLOSING = frozenset({"acknowledged", "accepted", "valid outlier"})
"""Decisions that close a failure."""

FAIL = "fail"


@dataclass(frozen=True)
class Flip:
    """A verdict that changed: from one judging of a value to the next, or from one value of the spot to the next.

    ``because`` says what changed: the limit with its bounds, or the value. ``page`` is the address of the measurement's
    provenance where it is shown, '' where it is no more. ``when`` is when build ``build`` began.
    """

    spot: Spot
    before: str
    after: str
    because: str
    limit: str
    build: int
    when: str
    page: str = ""


@dataclass(frozen=True)
class Failure:
    """A failure on record: when it was red first and last, by which limit, and what the spot shows ``now`` ('' for nothing).

    ``closed`` is who acknowledged it, when and why; '' while it is open.
    """

    spot: Spot
    first: str
    last: str
    why: str
    limit: str
    result: str
    now: str
    page: str = ""
    closed: str = ""
    times: int = 1


@dataclass(frozen=True)
class Restated:
    """A limit that changed, was added or taken away: what it said before and says since a build."""

    limit: str
    what: tuple[str, ...]
    build: int
    when: str


@dataclass(frozen=True)
class VerdictHistory:
    """All of it, newest first; ``recorded`` is how many verdicts are on record in all."""

    open: tuple[Failure, ...] = ()
    closed: tuple[Failure, ...] = ()
    flips: tuple[Flip, ...] = ()
    restated: tuple[Restated, ...] = ()
    recorded: int = 0


@dataclass(frozen=True)
class OnRecord:
    """What is known of the measurements in the store: their spots, values as text, and what is shown now."""

    spots: Mapping[str, Spot]
    values: Mapping[str, str]
    now: Mapping[Spot, tuple[str, str]]  # measurement id and verdict
    pages: Mapping[str, str]  # of those that are shown, by measurement id
    begun: Mapping[int, str]


def verdict_history(
    rows: Sequence[VerdictRow],
    shown: Sequence[tuple[tuple[str, str, str, str], str, int]],
    limits: Mapping[str, Sequence[tuple[str, int]]],
    known: OnRecord,
    decisions: Sequence[Decision] = (),
    recorded: int = 0,
) -> VerdictHistory:
    """The history of verdicts, from what the store holds of them (see ``Store.moved_verdicts`` and ``shown_since``)."""
    by_measurement: dict[str, list[VerdictRow]] = {}
    for row in rows:
        by_measurement.setdefault(row.measurement, []).append(row)
    flips = [*_judged_again(by_measurement, known), *_measured_again(by_measurement, shown, known)]
    failures = list(_failures(by_measurement, known, decisions))
    restated = list(_restated(limits, known.begun))
    flips.sort(key=lambda f: (-f.build, f.limit, f.spot))
    failures.sort(key=lambda f: (f.first, f.spot), reverse=True)
    return VerdictHistory(
        tuple(f for f in failures if not f.closed),
        tuple(f for f in failures if f.closed),
        tuple(flips),
        tuple(sorted(restated, key=lambda r: (-r.build, r.limit))),
        recorded,
    )


def _judged_again(rows: Mapping[str, Sequence[VerdictRow]], known: OnRecord) -> Iterator[Flip]:
    """Verdicts on one value that changed from one build to a later one."""
    for mid, held in rows.items():
        spot = known.spots.get(mid)
        if spot is None:
            continue
        for a, b in pairwise(held):
            if a.verdict != b.verdict:
                limit, page = b.limit or a.limit or "", known.pages.get(mid, "")
                yield Flip(
                    spot, a.verdict, b.verdict, _because(a, b), limit, b.since, known.begun.get(b.since, ""), page
                )  # fmt: skip


def _because(a: VerdictRow, b: VerdictRow) -> str:
    """Why a value that stayed is judged otherwise."""
    if a.limit != b.limit:
        if b.limit is None:
            return f"{a.limit} no longer applies"
        return f"{b.limit} ({_range(b)}) judges it, before {f'{a.limit} ({_range(a)})' if a.limit else 'no limit did'}"
    if (a.low, a.high) != (b.low, b.high):
        return f"{b.limit or 'the limit'}: {_range(a)} → {_range(b)}"
    if {a.verdict, b.verdict} == {"warn", FAIL}:
        return f"{b.limit or 'the limit'}: outside means {b.verdict} now, before {a.verdict}"
    return f"{b.why} (before: {a.why})"


def _range(row: VerdictRow) -> str:
    low, high = ("" if x is None else f"{x:.6g}" for x in (row.low, row.high))
    return f"{low or '…'} to {high or '…'}" if low or high else "no bounds"


def _measured_again(
    rows: Mapping[str, Sequence[VerdictRow]],
    shown: Sequence[tuple[tuple[str, str, str, str], str, int]],
    known: OnRecord,
) -> Iterator[Flip]:
    """Verdicts that differ from one result of a place to the result that replaced it."""
    of_result: dict[str, list[str]] = {}
    for mid in rows:
        of_result.setdefault(mid.partition(".")[0], []).append(mid)
    last: dict[tuple[str, str, str, str], str] = {}
    for place, result, since in shown:
        before, last[place] = last.get(place, ""), result or last.get(place, "")
        if not result or not before or before == result:
            continue
        old = {known.spots[m]: m for m in of_result.get(before, ()) if m in known.spots}
        for mid in of_result.get(result, ()):
            spot = known.spots.get(mid)
            if spot is None or spot not in old:
                continue
            a = _latest(rows[old[spot]], since - 1)
            b = _latest(rows[mid], since)
            if a and b and a.verdict != b.verdict:
                moved = f"{known.values.get(old[spot], '')} → {known.values.get(mid, '')}"
                yield Flip(
                    spot, a.verdict, b.verdict, f"measured again: {moved}", b.limit or a.limit or "", since,
                    known.begun.get(since, ""), known.pages.get(mid, ""),
                )  # fmt: skip


def _latest(held: Sequence[VerdictRow], build: int) -> VerdictRow | None:
    """The verdict as it stood in a build."""
    return next((r for r in reversed(held) if r.since <= build), None)


def _failures(
    rows: Mapping[str, Sequence[VerdictRow]], known: OnRecord, decisions: Sequence[Decision]
) -> Iterator[Failure]:
    """The failures of each spot: open ones as one, and each that was acknowledged."""
    runs: dict[Spot, list[tuple[str, VerdictRow, int]]] = {}
    for mid, held in rows.items():
        spot = known.spots.get(mid)
        if spot is not None:
            runs.setdefault(spot, []).extend((mid, row, until) for row, until in _runs(held))
    by_subject: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.decision in CLOSING and _signed(decision):
            by_subject.setdefault(decision.subject, []).append(decision)
    for spot, failed in runs.items():
        unseen = []
        for mid, row, until in failed:
            found = _closed_by(spot, mid, known.begun.get(row.since, ""), by_subject)
            if found is None:
                unseen.append((mid, row, until))
            else:
                yield _failure(spot, [(mid, row, until)], known, found)
        if unseen:
            yield _failure(spot, unseen, known, None)


def _runs(held: Sequence[VerdictRow]) -> Iterator[tuple[VerdictRow, int]]:
    """Each uninterrupted failure of a measurement: the row that began it, and the last build that recorded it."""
    began: VerdictRow | None = None
    last = 0
    for row in held:
        if row.verdict == FAIL:
            began, last = began or row, row.since
        elif began is not None:
            yield began, last
            began = None
    if began is not None:
        yield began, last


def _failure(
    spot: Spot, failed: Sequence[tuple[str, VerdictRow, int]], known: OnRecord, closed: Decision | None
) -> Failure:
    mid, newest, _ = max(failed, key=lambda f: f[1].since)
    now = known.now.get(spot)
    page = known.pages.get(mid, "") or (known.pages.get(now[0], "") if now else "")
    return Failure(
        spot,
        known.begun.get(min(f[1].since for f in failed), ""),
        known.begun.get(max(f[2] for f in failed), ""),
        f"{known.values.get(mid, '')} {newest.why}".strip(),
        newest.limit or "",
        mid.partition(".")[0],
        now[1] if now else "",
        page,
        _said(closed) if closed else "",
        len(failed),
    )


def _signed(decision: Decision) -> bool:
    """Whether a person stands behind it, with a date and a reason: a rule acknowledges nothing."""
    named = decision.who.strip() and not decision.who.strip().lower().startswith("rule:")
    return bool(named and decision.date and (decision.reason.strip() or decision.text.strip()))


def _said(decision: Decision) -> str:
    why = " ".join(x for x in (decision.reason, decision.text) if x)
    return f"{decision.decision} by {decision.who}, {decision.date}: {why}"


def subjects(spot: Spot) -> tuple[str, ...]:
    """The subjects of decisions that are about a measurement, the narrowest first: itself, its outcome, its test."""
    outcome = f"{spot.block}/{spot.test}/{spot.procedure}/{spot.detector}"
    parts = [f"{outcome}#{spot.quantity}"]
    for more in (spot.channel, spot.setting):
        if more:
            parts.append(f"{parts[-1]}.{more}")
    without_channel = [f"{outcome}#{spot.quantity}.{spot.setting}"] if spot.channel and spot.setting else []
    return (*reversed(parts), *without_channel, outcome, f"{spot.block}/{spot.test}")


def _closed_by(
    spot: Spot, mid: str, began: str, decisions: Mapping[str, Sequence[Decision]]
) -> Decision | None:
    """The latest decision that closes a failure: about it or about what holds it, not before it began, on this result."""
    if not decisions:
        return None
    day = date.fromisoformat(began[:10]) if began else None
    found = [
        d
        for subject in subjects(spot)
        for d in decisions.get(subject, ())
        if d.result in ("", mid.partition(".")[0], mid)
        and (day is None or (d.date is not None and d.date >= day))
    ]
    return max(found, key=lambda d: (d.date or date.min, d.row), default=None)


def _restated(
    limits: Mapping[str, Sequence[tuple[str, int]]], begun: Mapping[int, str]
) -> Iterator[Restated]:
    for ident, held in limits.items():
        for (old, _), (new, since) in pairwise(held):
            yield Restated(
                ident, tuple(_differences(json.loads(old), json.loads(new))), since, begun.get(since, "")
            )


def _differences(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """What a limit says otherwise, field by field; entries of one id are compared in their order."""
    if not old or not new:
        return ["stated again" if new else "taken away"]
    out = []
    for n in range(max(len(old), len(new))):
        which = f"entry {n + 1}: " if max(len(old), len(new)) > 1 else ""
        if n >= len(old) or n >= len(new):
            out.append(f"{which}{'added' if n >= len(old) else 'taken away'}")
            continue
        for key in old[n].keys() | new[n].keys():
            a, b = old[n].get(key), new[n].get(key)
            if a != b:
                out.append(f"{which}{key} {_text(a)} → {_text(b)}")
    return sorted(out)


def _text(value: Any) -> str:
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items() if v not in (None, "", [], {})) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
