"""Verdicts: measurements against limits. Cheap, and apart from measuring: a changed limit re-judges only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from analysis.contract import ALARMS, FLAGS, REASONS, Measurement
from builder.expectations import Find, Place, stated
from builder.report import Verdict
from campaign.model import Limit

__all__ = ["Judgement", "Place", "applicable", "bounds_text", "judge", "range_text", "within"]


class Judgement(NamedTuple):
    """A verdict, the limit that decided it (None without one) and the reason in words.

    ``low`` and ``high`` are the bounds that were used, in the measurement's unit; ``unjudged`` is the code of why the limit
    could not judge ('' where it could).
    """

    verdict: Verdict
    limit: Limit | None
    why: str
    low: float | None = None
    high: float | None = None
    unjudged: str = ""


_ORDER = {Verdict.FAIL: 0, Verdict.WARN: 1, Verdict.NOT_EVALUATED: 2, Verdict.PASS: 3}
"""Which of several limits decides: one that could not judge is never hidden by one that is met."""


def _rank(found: Judgement) -> int:
    """The lowest decides. That a value is itself the reference of a limit is no lack: any other limit counts before that."""
    return len(_ORDER) if found.unjudged == "is-reference" else _ORDER[found.verdict]


def applicable(measurement: Measurement, place: Place, limits: Iterable[Limit]) -> list[Limit]:
    """The limits that apply to a measurement: quantity, scope, setting and validity all fit."""
    name = f"{place.procedure}.{measurement.quantity}"
    return [
        limit
        for limit in limits
        if limit.quantity == name
        and limit.scope.covers(
            place.block,
            place.test,
            place.detector,
            measurement.channel,
            place.day,
            place.procedure,
            measurement.quantity,
            measurement.setting,
        )
        and (not limit.settings or any(fnmatchcase(measurement.setting, s) for s in limit.settings))
    ]


def range_text(limit: Limit, unit: str) -> str:
    """The range that a limit states in words: '0.86 … 1.44 ADU', '≤ 5 %'."""
    return bounds_text(*limit.stated, unit)


def bounds_text(low: float | None, high: float | None, unit: str) -> str:
    """Bounds in words, with their unit."""
    unit = f" {unit}" if unit else ""
    if low is None and high is None:
        return "no bound"
    if low is None:
        return f"≤ {high:g}{unit}"
    if high is None:
        return f"≥ {low:g}{unit}"
    return f"{low:g} … {high:g}{unit}"


def within(value: float, low: float | None, high: float | None) -> bool:
    """Whether a value is within bounds. Equality is within."""
    return (low is None or value >= low) and (high is None or value <= high)


_WITHOUT_LIMIT = Judgement(Verdict.NOT_EVALUATED, None, "no limit applies")


def judge(measurement: Measurement, place: Place, limits: Sequence[Limit], find: Find = stated) -> Judgement:
    """The verdict on one measurement; ``find`` gives the bounds of a limit that does not state them itself.

    A value outside a limit fails or warns as the limit says. A value inside passes, unless it bears a flag
    that makes it doubtful (``ALARMS``): then it warns. Without a limit nothing is evaluated, but a doubtful
    value still warns. A limit that has no bounds here (no reference, too few points) leaves it not evaluated, and
    says why. A value that could not be had is 'not reached' or 'not evaluated', with its reason.
    """
    doubts = [FLAGS[f] for f in measurement.flags if f in ALARMS] if measurement.flags else []
    fitting = applicable(measurement, place, limits) if limits else []
    if measurement.value is None:
        reason = measurement.reason or ""
        verdict = Verdict.NOT_REACHED if reason == "not-reached" else Verdict.NOT_EVALUATED
        why = REASONS.get(reason, reason) + (f" ({measurement.note})" if measurement.note else "")
        if doubts:
            verdict, why = Verdict.WARN, f"{why}; {'; '.join(doubts)}"
        if not fitting:
            return Judgement(verdict, None, why)
        return Judgement(verdict, fitting[0], why, *fitting[0].stated)
    decided: Judgement | None = None
    for limit in fitting:
        one = _against(limit, measurement, measurement.value, place, find)
        if decided is None or _rank(one) < _rank(decided):
            decided = one
    if decided is None:
        decided = _WITHOUT_LIMIT
    if doubts and decided.verdict in (Verdict.PASS, Verdict.NOT_EVALUATED):
        why = f"{decided.why}, but {'; '.join(doubts)}"
        return Judgement(Verdict.WARN, decided.limit, why, decided.low, decided.high, decided.unjudged)
    return decided


def _against(limit: Limit, measurement: Measurement, value: float, place: Place, find: Find) -> Judgement:
    """The verdict by one limit."""
    bounds = find(limit, place, measurement)
    if bounds.reason:
        return Judgement(Verdict.NOT_EVALUATED, limit, bounds.words or bounds.reason, unjudged=bounds.reason)
    low, high = bounds.low, bounds.high
    text = bounds_text(low, high, measurement.unit) + (f" ({bounds.words})" if bounds.words else "")
    if within(value, low, high):
        return Judgement(Verdict.PASS, limit, f"within {text}", low, high)
    side = "below" if low is not None and value < low else "above"
    return Judgement(Verdict(limit.severity), limit, f"{side} {text}", low, high)
