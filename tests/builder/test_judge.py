"""Verdicts: limits are inclusive, doubts warn, and every state is distinct."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.contract import Measurement
from builder.judge import Place, judge, range_text
from builder.report import Verdict, worst
from campaign.model import Limit, Scope

PLACE = Place("bias", "BORN", "BIAS02", "CCD1", date(2019, 3, 12))


def measured(value: float | None, **more: object) -> Measurement:
    fields: dict[str, object] = {
        "quantity": "read_noise", "channel": "E", "setting": "mode=fwd", "value": value, "uncertainty": 0.01,
        "unit": "ADU", "estimator": "pairs", "n": 100,
    }  # fmt: skip
    return Measurement(**(fields | more))  # type: ignore[arg-type]


def limit(**more: object) -> Limit:
    return Limit.model_validate({"id": "L1", "quantity": "bias.read_noise", "low": 0.86, "high": 1.44} | more)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.86, Verdict.PASS),
        (1.44, Verdict.PASS),
        (1.0, Verdict.PASS),
        (0.8599, Verdict.FAIL),
        (1.4401, Verdict.FAIL),
    ],
)
def test_limits_are_inclusive(value: float, verdict: Verdict) -> None:
    assert judge(measured(value), PLACE, [limit()]).verdict == verdict


def test_severity_warn_warns() -> None:
    found = judge(measured(2.0), PLACE, [limit(severity="warn")])
    assert (found.verdict, found.why) == (Verdict.WARN, "above 0.86 … 1.44 ADU")


def test_the_worst_of_several_limits_decides() -> None:
    found = judge(measured(1.2), PLACE, [limit(id="wide"), limit(id="narrow", high=1.1, severity="warn")])
    assert found.limit is not None
    assert (found.verdict, found.limit.id) == (Verdict.WARN, "narrow")


def test_without_a_limit_nothing_is_evaluated() -> None:
    assert judge(measured(1.2), PLACE, []).verdict == Verdict.NOT_EVALUATED
    assert judge(measured(1.2), PLACE, [limit(quantity="dark.read_noise")]).verdict == Verdict.NOT_EVALUATED


@pytest.mark.parametrize(
    "scope",
    [
        {"blocks": ["CURIE"]},
        {"tests": ["DARK*"]},
        {"detectors": ["CCD2"]},
        {"channels": ["F"]},
        {"start": "2019-03-13"},
        {"end": "2019-03-11"},
    ],
)
def test_a_limit_out_of_scope_does_not_apply(scope: dict[str, object]) -> None:
    elsewhere = limit(scope=Scope.model_validate(scope))
    assert judge(measured(9.0), PLACE, [elsewhere]).verdict == Verdict.NOT_EVALUATED


def test_settings_select() -> None:
    assert judge(measured(9.0), PLACE, [limit(settings=["mode=rwd*"])]).verdict == Verdict.NOT_EVALUATED
    assert judge(measured(9.0), PLACE, [limit(settings=["mode=fwd*"])]).verdict == Verdict.FAIL


@pytest.mark.parametrize("flag", ["lamp-drift", "flicker", "clamped", "negative"])
def test_a_doubtful_value_never_passes(flag: str) -> None:
    assert judge(measured(1.0, flags=(flag,)), PLACE, [limit()]).verdict == Verdict.WARN
    assert judge(measured(1.0, flags=(flag,)), PLACE, []).verdict == Verdict.WARN
    assert judge(measured(9.0, flags=(flag,)), PLACE, [limit()]).verdict == Verdict.FAIL


def test_a_missing_value_has_its_own_state() -> None:
    reached = judge(measured(None, reason="not-reached"), PLACE, [limit()])
    short = judge(measured(None, reason="too-few-frames"), PLACE, [limit()])
    assert (reached.verdict, short.verdict) == (Verdict.NOT_REACHED, Verdict.NOT_EVALUATED)
    assert "fewer frames" in short.why


def test_range_text() -> None:
    assert range_text(limit(low=None), "ADU") == "≤ 1.44 ADU"
    assert range_text(limit(high=None), "") == "≥ 0.86"


@given(st.lists(st.sampled_from(list(Verdict))))
def test_worst_is_one_of_them_and_not_evaluated_hides_nothing(verdicts: list[Verdict]) -> None:
    found = worst(verdicts)
    assert found in verdicts or (not verdicts and found == Verdict.NOT_RUN)
    assert worst([*verdicts, Verdict.NOT_EVALUATED]) == found or not set(verdicts) - {
        Verdict.NOT_RUN,
        Verdict.PLANNED,
    }
