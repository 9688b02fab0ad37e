"""What is wrong with limits: with one by itself, with several together, and with one that judges nothing.

A limit that could judge wrongly is not used; limits that contradict or leave gaps are used as they stand, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date as Date  # noqa: N812 - as the models name it
from datetime import timedelta
from fnmatch import fnmatchcase

from campaign.findings import Finding
from campaign.model import Limit

Known = Mapping[str, Sequence[str]]
"""The names that the campaign has: 'blocks', 'detectors', 'channels'."""

Fault = tuple[str, str, str]
"""(key that is wrong, what, what to do)."""

_DAY = timedelta(days=1)


def limit_faults(limit: Limit) -> Iterator[Fault]:
    """Why a limit cannot be judged by, if it cannot."""
    low, high, reference = limit.low, limit.high, limit.reference
    given = limit.stated_tolerance
    if not _names_quantity(limit.quantity):
        todo = "write procedure.quantity, for example photon_transfer.gain"
        yield "quantity", f"{limit.quantity!r} names no quantity of a procedure", todo
    if low is not None and high is not None and low > high:
        yield "low", f"low {low:g} is above high {high:g}", "exchange or correct them"
    if limit.tolerance is not None and limit.tolerance_percent is not None:
        yield "tolerance_percent", "tolerance and tolerance_percent are both given", "keep one of them"
    if limit.statistic is not None:
        others = ("low", "high", "reference", "tolerance", "tolerance_percent", "relative_to")
        for key in (k for k in others if getattr(limit, k) is not None):
            yield key, f"{key} is given beside statistic, which finds the range", "keep one of them"
        return
    if given and (low is not None or high is not None):
        yield "tolerance", "a tolerance and low or high are both given", "keep one of them"
    if limit.relative_to is not None:
        yield from _relative_faults(limit, given)
    elif given and reference is None:
        yield "tolerance", "a tolerance without a reference", "add reference, or relative_to"
    if reference is not None and (
        (low is not None and reference < low) or (high is not None and reference > high)
    ):
        yield "reference", f"the reference {reference:g} is outside its own range", "correct one of them"
    if reference == 0.0 and limit.tolerance_percent is not None:
        yield "tolerance_percent", "per cent of a reference of 0 accept nothing", "state a tolerance instead"


def _relative_faults(limit: Limit, tolerance: bool) -> Iterator[Fault]:
    to = limit.relative_to
    assert to is not None
    if limit.reference is not None:
        yield "reference", "a reference is stated beside relative_to, which finds it", "keep one of them"
    if limit.low is None and limit.high is None and not tolerance:
        yield "relative_to", "no range is given", "add low, high, tolerance or tolerance_percent"
    if to.quantity and not _names_quantity(to.quantity):
        todo = "write procedure.quantity, for example photon_transfer.gain"
        yield "relative_to.quantity", f"{to.quantity!r} names no quantity of a procedure", todo
    if to.block and not to.test:
        yield "relative_to.block", "relative_to names a block and no test", "name the test of that block"
    if to.commanded and (to.test or to.quantity or to.setting or (to.field and to.column)):
        yield "relative_to", "it names a commanded value and another reference", "keep one of them"
    if not (to.commanded or to.test or to.setting) and to.quantity in ("", limit.quantity):
        yield "relative_to", "it is relative to itself", "name a test, another quantity, a field or a column"


def _names_quantity(name: str) -> bool:
    procedure, dot, quantity = name.partition(".")
    return bool(procedure and dot and quantity)


def check_limits(limits: Sequence[Limit], known: Known) -> list[Finding]:
    """What is wrong with limits together: overlaps, gaps, contradictions, several documents.

    ``known`` tells which patterns can mean the same block, detector or channel.
    """
    findings: list[Finding] = []
    by_quantity: dict[str, list[Limit]] = {}
    for limit in limits:
        by_quantity.setdefault(limit.quantity, []).append(limit)
    for held in by_quantity.values():
        for first, second in _pairs(held, known):
            if first.scope.overlaps(second.scope.start, second.scope.end) and meet(first, second, known):
                findings += _together(first, second)
        findings += _gaps(held)
    return findings


def _pairs(held: Sequence[Limit], known: Known) -> Iterator[tuple[Limit, Limit]]:
    """Pairs of limits that can be of one detector, the earlier first: of a thousand limits few are."""
    by_detector: dict[tuple[str, ...], list[tuple[int, Limit]]] = {}
    for place, limit in enumerate(held):
        by_detector.setdefault(limit.scope.detectors, []).append((place, limit))
    groups, names = list(by_detector.items()), known.get("detectors", ())
    for n, (patterns, limits) in enumerate(groups):
        for m, (others, more) in enumerate(groups[: n + 1]):
            if m == n or _share(patterns, others, names):
                for i, first in more:
                    for j, second in limits:
                        if m < n or i < j:
                            yield (first, second) if i < j else (second, first)


def _together(first: Limit, second: Limit) -> Iterator[Finding]:
    """What is wrong with two limits that hold at the same time and place."""
    (low1, high1), (low2, high2) = first.stated, second.stated
    apart = (low1 is not None and high2 is not None and high2 < low1) or (
        low2 is not None and high1 is not None and high1 < low2
    )
    if first.id == second.id:
        what = f"limit {second.id!r} holds at the same time and place as its entry at {first.where}"
        todo = "end one where the other begins, or give it another id"
        yield Finding("limit-overlap", what, second.where, todo)
        if first.document != second.document:
            what = (
                f"limit {second.id!r} is of {second.document or 'no document'!r} here, "
                f"and of {first.document or 'no document'!r} at {first.where}"
            )
            yield Finding("limit-documents", what, second.where, "name one document, or give it another id")
    if apart:
        what = f"no value is within both limit {second.id!r} and {first.id!r} ({first.where})"
        yield Finding("limit-contradiction", what, second.where, "correct one of them, or its scope")


def _gaps(held: Iterable[Limit]) -> Iterator[Finding]:
    """Days without a limit between entries of one id that differ only in their dates."""
    places: dict[object, list[Limit]] = {}
    for limit in held:
        scope = limit.scope
        place = (limit.id, scope.blocks, scope.tests, scope.detectors, scope.channels, limit.settings)
        places.setdefault(place, []).append(limit)
    for entries in places.values():
        in_order = sorted(entries, key=lambda x: x.scope.start or Date.min)
        until = in_order[0].scope.end
        for limit in in_order[1:]:
            start = limit.scope.start
            if until is not None and start is not None and start - until > _DAY:
                what = f"limit {limit.id!r} does not hold from {until + _DAY} to {start - _DAY}"
                yield Finding(
                    "limit-gap", what, limit.where, "let one entry begin the day after the other ends"
                )
            until = None if until is None or limit.scope.end is None else max(until, limit.scope.end)


def meet(first: Limit, second: Limit, known: Known) -> bool:
    """Whether two limits of a quantity can judge the same measurement, their dates left aside."""
    a, b = first.scope, second.scope
    return (
        _share(a.blocks, b.blocks, known.get("blocks", ()))
        and _share(a.tests, b.tests, ())
        and _share(a.detectors, b.detectors, known.get("detectors", ()))
        and _share(a.channels, b.channels, known.get("channels", ()))
        and _share(first.settings, second.settings, ())
    )


def _share(first: Sequence[str], second: Sequence[str], names: Sequence[str]) -> bool:
    """Whether patterns can match one name: of those known, or one pattern the other taken as a name."""
    if not first or not second:
        return True
    if any(any(fnmatchcase(n, p) for p in first) and any(fnmatchcase(n, p) for p in second) for n in names):
        return True
    return any(fnmatchcase(p, q) or fnmatchcase(q, p) for p in first for q in second)


def check_use(
    limits: Iterable[Limit],
    matched: Callable[[Limit], bool],
    measured: Mapping[str, Mapping[str, Date | None]],
) -> list[Finding]:
    """A note for each limit that no measurement ever matched, although its quantity was measured where it applies.

    ``measured`` holds for each procedure.quantity the blocks in which it was ever measured, with the last day. A limit
    of blocks without any, or of days still to come, waits for its measurements and is not told of.
    """
    findings = []
    for limit in limits:
        days = [
            day
            for block, day in measured.get(limit.quantity, {}).items()
            if limit.scope.covers(block) and not _to_come(limit, day)
        ]
        if days and not matched(limit):
            what = f"limit {limit.id!r} matched no measurement of {limit.quantity} yet"
            todo = "check its tests, detectors, channels, settings and dates"
            findings.append(Finding("limit-unused", what, limit.where, todo))
    return findings


def _to_come(limit: Limit, last: Date | None) -> bool:
    return limit.scope.start is not None and last is not None and last < limit.scope.start
