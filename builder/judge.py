"""Verdicts: measurements against limits. Cheap, and apart from measuring: a changed limit re-judges only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from analysis.contract import ALARMS, FLAGS, REASONS, Measurement
from builder.report import Verdict, worst
from campaign.model import Limit


@dataclass(frozen=True)
class Judgement:
    """A verdict, the limit that decided it (None without one) and the reason in words."""

    verdict: Verdict
    limit: Limit | None
    why: str


@dataclass(frozen=True)
class Place:
    """Where and when a measurement belongs, for the scopes of limits."""

    procedure: str
    block: str
    test: str
    detector: str
    day: date | None = None


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
    """A limit's range in words: '0.86 … 1.44 ADU', '≤ 5 %'."""
    unit = f" {unit}" if unit else ""
    if limit.low is None and limit.high is None:
        return "no bound"
    if limit.low is None:
        return f"≤ {limit.high:g}{unit}"
    if limit.high is None:
        return f"≥ {limit.low:g}{unit}"
    return f"{limit.low:g} … {limit.high:g}{unit}"


def within(value: float, limit: Limit) -> bool:
    """Whether a value is within a limit. Equality is within."""
    return (limit.low is None or value >= limit.low) and (limit.high is None or value <= limit.high)


def judge(measurement: Measurement, place: Place, limits: Iterable[Limit]) -> Judgement:
    """The verdict on one measurement.

    A value outside a limit fails or warns as the limit says. A value inside passes, unless it bears a flag
    that makes it doubtful (``ALARMS``): then it warns. Without a limit nothing is evaluated, but a doubtful
    value still warns. A value that could not be had is 'not reached' or 'not evaluated', with its reason.
    """
    doubts = [FLAGS[f] for f in measurement.flags if f in ALARMS]
    fitting = applicable(measurement, place, limits)
    if measurement.value is None:
        reason = measurement.reason or ""
        verdict = Verdict.NOT_REACHED if reason == "not-reached" else Verdict.NOT_EVALUATED
        why = REASONS.get(reason, reason) + (f" ({measurement.note})" if measurement.note else "")
        if doubts:
            verdict, why = Verdict.WARN, f"{why}; {'; '.join(doubts)}"
        return Judgement(verdict, fitting[0] if fitting else None, why)
    decided: Judgement | None = None
    for limit in fitting:
        text = range_text(limit, measurement.unit)
        if within(measurement.value, limit):
            one = Judgement(Verdict.PASS, limit, f"within {text}")
        else:
            side = "below" if limit.low is not None and measurement.value < limit.low else "above"
            one = Judgement(Verdict(limit.severity), limit, f"{side} {text}")
        if decided is None or worst([one.verdict, decided.verdict]) != decided.verdict:
            decided = one
    if decided is None:
        decided = Judgement(Verdict.NOT_EVALUATED, None, "no limit applies")
    if doubts and decided.verdict in (Verdict.PASS, Verdict.NOT_EVALUATED):
        return Judgement(Verdict.WARN, decided.limit, f"{decided.why}, but {'; '.join(doubts)}")
    return decided
