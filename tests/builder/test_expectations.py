"""Bounds that a limit has to find: from a reference, from what was commanded, from a series; and every way to have none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.contract import Measurement
from builder.expectations import UNJUDGED, Bounds, Expectations, Place, Spot, Taken, spot_of
from builder.judge import judge
from builder.report import Verdict
from campaign.frames import Frame, FrameFile
from campaign.model import Block, Limit
from campaign.record import Cell, Test

BLOCK = Block(id="B1", start=date(2019, 3, 1))
FILE = FrameFile("frames", "f.fits", 1, 1, 1)


def measured(
    value: float | None, quantity: str = "level", channel: str | None = "E", **more: object
) -> Measurement:
    fields: dict[str, object] = {
        "quantity": quantity, "channel": channel, "setting": "mode=slow", "value": value, "uncertainty": 0.1, "unit": "ADU",
        "estimator": "mean", "n": 9, "reason": None if value is not None else "too-few-frames",
    }  # fmt: skip
    return Measurement(**(fields | more))  # type: ignore[arg-type]


def place(test: str = "T2", block: str = "B1") -> Place:
    return Place("flat", block, test, "CCD1", date(2019, 3, 2))


def limit(**more: object) -> Limit:
    return Limit.model_validate({"id": "L1", "quantity": "flat.level"} | more)


def expect(
    held: Mapping[tuple[str, str], Measurement], *taken: Taken, block: str = "B1"
) -> Expectations:  # fmt: skip
    """Expectations of measurements by (test, procedure) of CCD1."""
    values = [
        (Spot(block, test, procedure, "CCD1", m.quantity, m.channel or "", m.setting), m)
        for (test, procedure), m in held.items()
    ]
    return Expectations(lambda: values, {(t.test.block, t.test.name): t for t in taken})


def frame(
    kind: str, exptime: float | None, detector: str = "CCD1", when: str = "2019-03-02T10:00:00"
) -> Frame:
    return Frame(
        f"1/{detector}", "1", detector, FILE, {"": 0}, {"type": kind, "exptime": exptime, "date": when}
    )


@pytest.mark.parametrize(
    ("terms", "reference", "bounds"),
    [
        ({"low": -5, "high": 5}, 1000.0, (995.0, 1005.0)),
        ({"high": 5}, 1000.0, (None, 1005.0)),
        ({"tolerance": 0.1}, 0.8, (0.7, 0.9)),
        ({"tolerance_percent": 10}, -50.0, (-55.0, -45.0)),
        ({"low": 0.9, "high": 1.1, "relative_to": {"test": "T1", "by": "ratio"}}, 1000.0, (900.0, 1100.0)),
        ({"low": 0.9, "relative_to": {"test": "T1", "by": "ratio"}}, 0.7, (0.63, None)),
        ({"low": 0.9, "high": 1.1, "relative_to": {"test": "T1", "by": "ratio"}}, -10.0, (-11.0, -9.0)),
        ({"low": 0.9, "relative_to": {"test": "T1", "by": "ratio"}}, -10.0, (None, -9.0)),
    ],
)
def test_bounds_from_a_reference_test(
    terms: dict[str, object], reference: float, bounds: tuple[float | None, float | None]
) -> None:
    found = expect({("T1", "flat"): measured(reference)})(
        limit(**({"relative_to": {"test": "T1"}} | terms)), place(), measured(1.0)
    )
    assert (found.low, found.high, found.reason) == (*bounds, "")
    assert found.words == f"T1: {reference:g} ADU"


@given(
    st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-6), st.floats(0.1, 1), st.floats(1, 10),
    st.floats(-1e6, 1e6),
)  # fmt: skip
def test_a_ratio_is_judged_as_the_ratio_itself(
    reference: float, low: float, high: float, value: float
) -> None:
    rule = limit(low=low, high=high, relative_to={"test": "T1", "by": "ratio"})
    found = judge(measured(value), place(), [rule], expect({("T1", "flat"): measured(reference)}))
    ratio = value / reference
    if min(abs(ratio - low), abs(ratio - high)) > 1e-9:  # the division itself rounds
        assert found.verdict == (Verdict.PASS if low <= ratio <= high else Verdict.FAIL)


@pytest.mark.parametrize(
    ("terms", "held", "code"),
    [
        ({"relative_to": {"test": "T1"}, "low": 0}, {}, "no-reference"),
        ({"relative_to": {"test": "T1"}, "low": 0}, {("T1", "flat"): measured(None)}, "no-reference"),
        ({"relative_to": {"test": "T1"}, "low": 0}, {("T1", "flat"): measured(1.0, channel="F")}, "no-reference"),
        ({"relative_to": {"test": "T1"}, "low": 0}, {("T1", "flat"): measured(1.0, setting="x")}, "no-reference"),
        ({"relative_to": {"test": "T1", "by": "ratio"}, "low": 0}, {("T1", "flat"): measured(0.0)}, "zero-reference"),
        ({"relative_to": {"test": "T1"}, "tolerance_percent": 5}, {("T1", "flat"): measured(0.0)}, "zero-reference"),
        ({"relative_to": {"test": "T1"}, "low": 0}, {("T1", "flat"): measured(1.0, unit="e")}, "other-unit"),
        ({"relative_to": {"field": "exptime", "by": "ratio"}, "low": 0}, {}, "no-reference"),
        ({"statistic": {"minimum": 2}}, {("T2", "flat"): measured(1.0)}, "no-time"),
    ],
)  # fmt: skip
def test_what_is_missing_is_never_a_pass(
    terms: dict[str, object], held: dict[tuple[str, str], Measurement], code: str
) -> None:
    rule = limit(**terms)
    found = judge(measured(1.0), place(), [rule, limit(id="MET", low=0, high=2)], expect(held))
    assert (found.verdict, found.unjudged, found.limit) == (Verdict.NOT_EVALUATED, code, rule)
    assert (found.low, found.high) == (None, None)
    assert UNJUDGED[code] in found.why


def test_a_reference_is_judged_by_the_other_limits_and_not_by_itself() -> None:
    rule, held = limit(relative_to={"test": "T2"}, tolerance=1), expect({("T2", "flat"): measured(1.0)})
    alone = judge(measured(1.0), place(), [rule], held)
    assert (alone.verdict, alone.unjudged) == (Verdict.NOT_EVALUATED, "is-reference")
    for rules in ([rule, limit(id="MET", high=2)], [limit(id="MET", high=2), rule]):
        found = judge(measured(1.0), place(), rules, held)
        assert (found.verdict, found.limit and found.limit.id) == (Verdict.PASS, "MET")


def test_a_failure_by_another_limit_counts_before_one_that_could_not_judge() -> None:
    rules = [limit(relative_to={"test": "T1"}, low=0), limit(id="ABS", high=0.5)]
    found = judge(measured(1.0), place(), rules, expect({}))
    assert (found.verdict, found.unjudged) == (Verdict.FAIL, "")
    assert found.limit is not None and found.limit.id == "ABS"


def test_the_bounds_that_were_used_stand_in_the_verdict() -> None:
    rule = limit(relative_to={"test": "T1", "block": "B0"}, tolerance=5)
    found = judge(measured(1007.0), place(), [rule], expect({("T1", "flat"): measured(1000.0)}, block="B0"))
    assert (found.verdict, found.low, found.high) == (Verdict.FAIL, 995.0, 1005.0)
    assert found.why == "above 995 … 1005 ADU (T1 of B0: 1000 ADU)"


def test_another_quantity_and_one_of_the_whole_detector() -> None:
    held = {("T2", "flat"): measured(100.0, "peak", channel=None)}
    rule = limit(relative_to={"quantity": "flat.peak", "by": "ratio"}, high=0.9)
    assert expect(held)(rule, place(), measured(1.0)) == Bounds(None, 90.0, "flat.peak: 100 ADU")


def test_commanded_by_a_frame_field_of_the_detector() -> None:
    rule = limit(relative_to={"field": "exptime", "by": "ratio"}, low=100, high=120)
    test = Test("B1", "T2")
    one = Taken(test, BLOCK, (frame("bias", 0.0), frame("flat", 2.5), frame("flat", 4.0, "CCD2")))
    assert expect({}, one)(rule, place(), measured(1.0)) == Bounds(250.0, 300.0, "commanded exptime 2.5")
    two = Taken(test, BLOCK, (frame("flat", 2.5), frame("flat", 4.0)))
    assert expect({}, two)(rule, place(), measured(1.0)).reason == "commanded-varies"
    none = Taken(test, BLOCK, (frame("flat", None),))
    assert expect({}, none)(rule, place(), measured(1.0)).reason == "no-reference"
    zero = Taken(test, BLOCK, (frame("bias", 0.0),))
    assert expect({}, zero)(rule, place(), measured(1.0)).reason == "zero-reference"


@pytest.mark.parametrize(
    ("cell", "bounds"),
    [(20000, (19990.0, 20010.0)), ("1,5", (-8.5, 11.5)), ("n/a", None), (None, None), ("inf", None), (True, None)],
)  # fmt: skip
def test_commanded_by_a_column_of_the_record(
    cell: str | int | None, bounds: tuple[float, float] | None
) -> None:
    taken = Taken(Test("B1", "T2", cells={"Level": Cell(cell, "C7")}), BLOCK)
    found = expect({}, taken)(limit(relative_to={"column": "Level"}, tolerance=10), place(), measured(1.0))
    assert (found.low, found.high) == (bounds or (None, None))
    assert found.reason == ("" if bounds else "no-reference")


def series(values: list[float], flags: tuple[str, ...] = ()) -> tuple[Expectations, list[Measurement]]:
    """A test a day, T0 first."""
    held = {(f"T{n}", "flat"): measured(v, flags=flags) for n, v in enumerate(values)}
    begun = datetime(2019, 3, 1, tzinfo=UTC)
    taken = [
        Taken(
            Test("B1", f"T{n}"),
            BLOCK,
            (frame("flat", 1.0, when=(begun + timedelta(days=n)).isoformat()),),
        )
        for n in range(len(values))
    ]
    return expect(held, *taken), list(held.values())


def test_statistical_bounds_leave_the_tested_point_out() -> None:
    rng = np.random.default_rng(3)
    values = [float(v) for v in rng.normal(100.0, 1.0, 40)]
    rule = limit(statistic={"sigma": 3.0, "sides": "around", "minimum": 10})
    usual, _ = series(values)
    odd, _ = series([*values[:20], 1000.0, *values[21:]])
    at = usual(rule, place("T20"), measured(values[20]))
    outlier = odd(rule, place("T20"), measured(1000.0))
    assert (at.low, at.high) == (outlier.low, outlier.high)
    others = np.delete(values, 20)
    centre = float(np.median(others))
    scatter = 1.4826 * float(np.median(np.abs(others - centre)))
    assert at.low is not None and at.high is not None
    assert (at.low + at.high) / 2 == pytest.approx(centre)
    assert (at.high - at.low) / 6 == pytest.approx(scatter, rel=0.05)  # and its small-sample factor
    assert judge(measured(1000.0), place("T20"), [rule], odd).verdict == Verdict.FAIL


def test_only_points_before_count_and_few_are_too_few() -> None:
    found, held = series([100.0, 101.0, 99.0, 100.5, 150.0])
    rule = limit(statistic={"sides": "before", "minimum": 4})
    codes = [found(rule, place(f"T{n}"), m).reason for n, m in enumerate(held)]
    assert codes == ["too-few-points"] * 4 + [""]
    few = judge(held[3], place("T3"), [rule], found)
    assert (few.verdict, few.why.partition(":")[0]) == (
        Verdict.NOT_EVALUATED,
        "3 points before it, 4 are needed",
    )
    near = limit(statistic={"days": 2.5, "minimum": 3})
    assert found(near, place("T4"), held[4]).reason == "too-few-points"
    near = limit(statistic={"days": 3.5, "minimum": 3})
    assert found(near, place("T4"), held[4]).reason == ""


def test_series_are_of_one_channel_setting_and_doubtful_points_have_no_say() -> None:
    found, held = series([100.0, 101.0, 99.0, 100.5], flags=("flicker",))
    rule = limit(statistic={"minimum": 2})
    assert found(rule, place("T3"), held[3]).reason == "too-few-points"
    apart, held = series([100.0, 101.0, 99.0])
    other = measured(99.0, channel="F")
    assert apart(rule, place("T2"), other).reason == "too-few-points"
    assert apart(rule, place("T2"), held[2]).reason == ""


def test_a_series_may_stay_within_its_block() -> None:
    blocks = [Block(id=name, start=date(2019, 3, 1)) for name in ("B1", "B2")]
    tests = [(b, Test(b.id, f"T{n}", date=date(2019, 3, 1 + n))) for b in blocks for n in range(3)]
    values = [
        (spot_of(Place("flat", t.block, t.name, "CCD1"), m), m)
        for n, (_, t) in enumerate(tests)
        for m in [measured(100.0 + n)]
    ]
    found = Expectations(lambda: values, {(t.block, t.name): Taken(t, b) for b, t in tests})
    wide, own = (limit(statistic={"minimum": 3, "sides": "around", "blocks": b}) for b in ("all", "own"))
    assert found(wide, place("T1", "B2"), values[4][1]).reason == ""
    assert found(own, place("T1", "B2"), values[4][1]).reason == "too-few-points"


def test_a_series_is_of_one_device_and_what_was_left_out_has_no_say() -> None:
    blocks = [Block(id=name, start=date(2019, 3, 1)) for name in ("B1", "B2")]
    tests = [(b, Test(b.id, f"T{n}", date=date(2019, 3, 1 + n))) for b in blocks for n in range(4)]
    values = [
        (spot_of(Place("flat", t.block, t.name, "CCD1"), m), m)
        for n, (_, t) in enumerate(tests)
        for m in [measured(100.0 + n)]
    ]
    rule = limit(statistic={"minimum": 4, "sides": "around"})

    def bounds(devices: tuple[str, str], excluded: str = "") -> str:
        taken = {(t.block, t.name): Taken(t, b, (), {"CCD1": devices[b.id == "B2"]}) for b, t in tests}
        found = Expectations(lambda: values, taken, lambda s, m: "rejected" * (s.block == excluded))
        return found(rule, place("T1", "B2"), values[5][1]).reason

    assert bounds(("a", "a")) == ""
    assert bounds(("a", "b")) == "too-few-points"
    assert bounds(("a", "a"), excluded="B1") == "too-few-points"


def test_measurements_are_gathered_only_for_limits_that_need_them() -> None:
    def never() -> list[tuple[Spot, Measurement]]:
        raise AssertionError

    assert Expectations(never)(limit(low=1, high=2), place(), measured(1.0)) == Bounds(1.0, 2.0)
