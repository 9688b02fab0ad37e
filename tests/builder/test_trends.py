"""Series from results and tables: what is in them, what was found, what is kept."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analysis.contract import Measurement, Procedure, Quantity, Version
from analysis.series import Key, Series, days_of
from analysis.trend import Event
from builder.draw_frame import by_label, frame
from builder.engine import Engine
from builder.report import BlockReport, Judged, Outcome, TestReport, Verdict
from builder.trend_found import KEPT, Found, Kept, find, from_json, to_json, warm
from builder.trend_series import Trends
from builder.trends import follow
from campaign.detectors import geometry_of
from campaign.model import Block, Campaign, Caveat, Detector, GeometrySpec, Intervention, Limit, Scope
from campaign.record import Test
from campaign.series import SeriesTable
from campaign.series_tables import read_rows

START = date(2024, 1, 1)
LEVEL = Procedure(
    name="level", title="Level", purpose="", roles=(), history=(Version("2", "2024-01-01", "first"),),
    quantities=(Quantity("level", "B", "ADU", "", ""), Quantity("slope", "s", "ADU", "", "")), measure=lambda i, r: None,
)  # fmt: skip
OLD = Limit(id="OLD", quantity="level.level", low=0.0, high=9.0, scope=Scope(end=date(2024, 1, 5)))
NEW = Limit(id="NEW", quantity="level.level", low=0.0, high=11.0, scope=Scope(start=date(2024, 1, 6)))


def test_report(
    n: int, values: dict[tuple[str, str, str], float | None], block: Block, dated: bool = True
) -> TestReport:
    """Test number n: values by quantity, channel and setting."""
    day = START + timedelta(days=n)
    test = Test(block=block.id, name=f"T{n:02d}", date=day if dated else None)
    judged = tuple(
        Judged(
            f"r{n}.{q}.{c}.{s}",
            Measurement(q, c or None, s, value, 0.1, "ADU", "mean", 3, reason=None if value is not None else "bad-fit"),
            Verdict.PASS, NEW if day >= date(2024, 1, 6) else OLD,
        )
        for (q, c, s), value in values.items()
    )  # fmt: skip
    outcome = Outcome(f"r{n}", block.id, test.name, "CAM1", LEVEL, "done", measurements=judged)
    return TestReport(test, block, outcomes=(outcome,))


test_report.__test__ = False  # type: ignore[attr-defined]


def reports(number: int = 12, dated: bool = True) -> tuple[Campaign, tuple[BlockReport, ...]]:
    """A block with a test a day: channels E and F at two settings, E stepping by 3 at the sixth test."""
    block = Block(id="B1", start=START, status="done")
    rng = np.random.default_rng(4)
    tests = tuple(
        test_report(
            n,
            {
                ("level", "E", "red"): (5.0 if n < 6 else 8.0) + 0.1 * float(rng.normal()),
                ("level", "F", "red"): 5.0,
                ("level", "E", "blue"): 1.0,
                ("slope", "E", "red"): None if n else 1.0,
            },
            block,
            dated,
        )
        for n in range(number)
    )
    campaign = Campaign(root=Path(), id="c", title="C", blocks=(block,), limits=(OLD, NEW))
    return campaign, (BlockReport(block, tests),)


def followed(campaign: Campaign, blocks: tuple[BlockReport, ...], **more: object) -> Trends:
    return follow(campaign, blocks, (LEVEL,), Kept(), **more)  # type: ignore[arg-type]


def test_configurations_are_never_mixed() -> None:
    trends = followed(*reports())
    assert [tuple(one.key) for one in trends.series] == [
        ("level.level", "CAM1", "E", "blue", ""), ("level.level", "CAM1", "E", "red", ""),
        ("level.level", "CAM1", "F", "red", ""), ("level.slope", "CAM1", "E", "red", ""),
    ]  # fmt: skip
    assert all(len(one.spots) == 12 for one in trends.series)
    assert {s.value for s in trends.series[0].spots} == {1.0}


def test_another_device_in_the_detectors_place_is_another_series() -> None:
    campaign, (report,) = reports()
    camera = Detector(
        name="CAM1", geometry=geometry_of("g", GeometrySpec(preset="decam")), hardware=("CAM1", "ROE")
    )
    first = report.block.model_copy(update={"hardware": {"CAM1": "serial 9", "ROE": "2", "RPSU": "1"}})
    second = first.model_copy(update={"id": "B2", "hardware": {"CAM1": "serial 7", "ROE": "2", "RPSU": "3"}})
    assert camera.device(first) == "serial 9, ROE 2"
    blocks = BlockReport(first, report.tests[:6]), BlockReport(second, report.tests[6:])
    campaign = campaign.model_copy(update={"blocks": (first, second), "detectors": (camera,)})
    trends = followed(campaign, blocks)
    held = [one for one in trends.groups["level", "level"] if one.key.setting == "red"]
    assert [(one.key.device, one.key.channel, len(one.spots)) for one in held] == [
        ("serial 9, ROE 2", "E", 6), ("serial 9, ROE 2", "F", 6), ("serial 7, ROE 2", "E", 6), ("serial 7, ROE 2", "F", 6)
    ]  # fmt: skip
    assert all(one.found.steps == () for one in held)  # where one series would have had a step
    axes = frame(held)
    assert axes is not None and axes.shared
    assert [len(some) for some in by_label(held).values()] == [2, 2]
    ends = [(x0, x1) for one in held for _, x0, x1 in axes.limits(one)]
    assert max(x1 for x0, x1 in ends[:4]) < axes.stop - 3.0  # the limit of the first device ends with it


def test_a_quantity_measured_once_of_each_device_has_a_page() -> None:
    campaign, (report,) = reports(2)
    camera = Detector(name="CAM1", geometry=geometry_of("g", GeometrySpec(preset="decam")))
    held = [report.block.model_copy(update={"id": n, "hardware": {"CAM1": n}}) for n in ("B1", "B2")]
    blocks = BlockReport(held[0], report.tests[:1]), BlockReport(held[1], report.tests[1:])
    trends = followed(campaign.model_copy(update={"blocks": tuple(held), "detectors": (camera,)}), blocks)
    assert list(trends.groups) == [("level", "level")]


def test_a_caveat_on_tests_is_drawn_over_what_it_touches() -> None:
    campaign, blocks = reports()
    held = Caveat(
        id="C1", text="Lamp off", scope=Scope(tests=("T03", "T05"), channels=("E",)), date=date(2024, 3, 1)
    )
    trends = followed(campaign.model_copy(update={"caveats": (held,)}), blocks)
    over = [[o for o in one.overlays if o.kind == "caveat"] for one in trends.series]
    first, last = (trends.series[0].spots[n].time for n in (3, 5))
    assert [[(o.name, o.start, o.end) for o in some] for some in over] == [
        [("C1", first, last)], [("C1", first, last)], [], [("C1", first, last)],
    ]  # fmt: skip


def test_quantities_measured_once_have_no_page() -> None:
    trends = followed(*reports())
    assert list(trends.groups) == [("level", "level")]
    assert trends.single == {("level", "slope"): 1}


def test_a_step_is_found_and_coincides_with_what_was_done() -> None:
    campaign, blocks = reports()
    done = Intervention(
        date=date(2024, 1, 7), text="Warmed up", scope=Scope(detectors=("CAM*",), channels=("E",))
    )
    other = Intervention(date=date(2024, 1, 7), text="Elsewhere", scope=Scope(detectors=("X",)))
    trends = followed(campaign.model_copy(update={"interventions": (done, other)}), blocks)
    (step,) = trends.series[1].found.steps
    assert (step.index, step.coincides) == (6, ("Warmed up",))
    assert step.size == pytest.approx(3.0, abs=0.2)
    assert trends.series[2].found.steps == ()
    assert [o.text for o in trends.series[2].overlays] == ["B1"]  # channel F is not in the scope


def test_points_keep_the_limit_that_they_were_judged_by() -> None:
    spots = followed(*reports()).series[1].spots
    assert [s.bound.id if s.bound else "" for s in spots] == ["OLD"] * 5 + ["NEW"] * 7
    assert spots[5].bound is not None and spots[5].bound.start == days_of(datetime(2024, 1, 6, tzinfo=UTC))
    assert spots[4].bound is not None and spots[4].bound.end == days_of(datetime(2024, 1, 6, tzinfo=UTC))


def test_excluded_values_are_shown_but_not_used() -> None:
    campaign, blocks = reports()
    bare = followed(campaign, blocks)
    off = {f"r{n}.level.E.red": "lamp was off" for n in range(6, 12)}
    out = followed(campaign, blocks, excluded=lambda o, j: off.get(j.id, ""))
    one = out.series[1]
    assert [s.excluded for s in one.spots] == [""] * 6 + ["lamp was off"] * 6
    assert one.found.steps == () and one.found.latest == 5
    assert one.digest != bare.series[1].digest and out.series[2].digest == bare.series[2].digest


def test_a_plot_of_values_that_were_all_left_out_shows_them() -> None:
    campaign, blocks = reports()
    one = followed(campaign, blocks, excluded=lambda o, j: "lamp was off").series[1]
    axes = frame((one,))
    values = [s.value for s in one.spots if s.value is not None]
    assert one.found.low is None and axes is not None
    assert axes.low < min(values) and max(values) < axes.high


def test_what_nobody_dates_is_counted() -> None:
    campaign, blocks = reports(dated=False)
    assert followed(campaign, blocks).undated == 0  # the block's first day stands for it
    block = Block(id="B1")
    undated = replace(blocks[0], block=block, tests=tuple(replace(t, block=block) for t in blocks[0].tests))
    trends = followed(campaign, (undated,))
    assert (trends.undated, trends.series) == (48, ())


def test_a_digest_moves_with_all_that_is_shown() -> None:
    campaign, blocks = reports()
    before = followed(campaign, blocks).series[1].digest
    tests = blocks[0].tests

    def changed(**update: object) -> str:
        outcome = tests[3].outcomes[0]
        first = outcome.measurements[0]
        judged = replace(first, **update) if "id" in update or "verdict" in update or "limit" in update else replace(
            first, measurement=replace(first.measurement, **update)
        )  # fmt: skip
        other = replace(
            tests[3], outcomes=(replace(outcome, measurements=(judged, *outcome.measurements[1:])),)
        )
        return (
            followed(campaign, (replace(blocks[0], tests=(*tests[:3], other, *tests[4:])),)).series[1].digest
        )

    moved = [
        changed(value=5.01), changed(uncertainty=0.2), changed(flags=("unstable",)), changed(note="odd"),
        changed(id="elsewhere.level"), changed(verdict=Verdict.FAIL), changed(limit=None),
        changed(limit=OLD.model_copy(update={"high": 9.5})),
    ]  # fmt: skip
    assert len({before, *moved}) == len(moved) + 1
    assert changed(value=tests[3].outcomes[0].measurements[0].measurement.value) == before
    caveat = Caveat(id="C", text="x", scope=Scope(start=date(2024, 1, 3)))
    assert followed(campaign.model_copy(update={"caveats": (caveat,)}), blocks).series[1].digest != before


def table(text: str, name: str = "lamp") -> Campaign:
    rows, findings = read_rows(text, name, f"series/{name}.csv")
    assert findings == []
    limit = Limit(id="L", quantity="lamp.lamp", high=2.0, scope=Scope(start=date(2024, 1, 2)))
    return Campaign(
        root=Path(), id="c", title="C", series=(SeriesTable(name, "series/lamp.csv", rows),), limits=(limit,)
    )


def test_a_table_of_the_campaign_is_judged_and_followed() -> None:
    trends = followed(
        table("time,value,unit,detector\n2024-01-01,3,W,lamp\n2024-01-02,3,W,lamp\n2024-01-03,1,W,lamp\n"), ()
    )
    (one,) = trends.series
    assert (one.key, one.unit, trends.tables) == (Key("lamp.lamp", "lamp"), "W", ("lamp",))
    assert [s.verdict for s in one.spots] == ["not evaluated", "fail", "pass"]
    assert one.spots[0].source == "series/lamp.csv, row 2"
    assert list(trends.groups) == [("lamp", "lamp")]


def test_a_table_that_bears_a_procedures_name_is_left_out() -> None:
    assert followed(table("time,value\n2024-01-01,3\n", "level"), ()).series == ()


def made(seed: int, n: int = 40) -> Series:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n) + np.where(np.arange(n) < n // 2, 0.0, 6.0)
    return Series(Key("q", "d"), np.arange(n) * 2.0, values, np.full(n, 1.0))


def test_what_was_found_reads_back_as_it_was() -> None:
    quiet = Series(Key("q", "d"), np.arange(30.0), np.where(np.arange(30) < 15, 1.0, 2.0))
    drifting = Series(
        Key("q", "d"), np.arange(60.0), np.arange(60.0) + np.random.default_rng(1).normal(size=60)
    )
    empty = Series(Key("q", "d"), np.arange(3.0), np.full(3, np.nan))
    for series in (made(1), quiet, drifting, empty, made(2, 3), made(3, 1)):
        found = find((series, [Event(40.0, "x")]))
        assert from_json(json.loads(json.dumps(to_json(found)))) == found
    assert find((quiet, ())).steps[0].significance == np.inf
    assert find((empty, ())).lines == ()


def test_the_fit_at_a_point_is_that_of_its_segment() -> None:
    found = find((made(1), ()))
    (step,) = found.steps
    fit = found.fit([2.0 * n for n in range(40)])
    assert fit == pytest.approx([step.before] * step.index + [step.after] * (40 - step.index))


def test_only_new_series_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def counting(asked: tuple[Series, list[Event]]) -> Found:
        looked.append(str(asked[0].values[0]))
        return find(asked)

    monkeypatch.setattr("builder.trend_found.find", counting)
    asked = {f"s{n}": (made(n), []) for n in range(4)}
    first = Kept(tmp_path, "code").find(asked, None)
    assert len(looked) == 4
    assert Kept(tmp_path, "code").find(asked, None) == first and len(looked) == 4
    asked["s9"] = (made(9), [])
    del asked["s0"]
    assert list(Kept(tmp_path, "code").find(asked, None)) == ["s1", "s2", "s3", "s9"] and len(looked) == 5
    assert list(json.loads((tmp_path / KEPT).read_text())["found"]) == ["s1", "s2", "s3", "s9"]
    Kept(tmp_path, "other code").find(asked, None)
    assert len(looked) == 9
    (tmp_path / KEPT).write_text('{"code": "other code", "found": {"s1": {"model": 1}, "s2": 3}}')
    assert Kept(tmp_path, "other code").find(asked, None)["s2"] == first["s2"]


def test_workers_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.trend_found.HERE", 2)
    asked = {f"s{n}": (made(n), [Event(40.0, "x")]) for n in range(6)}
    with Engine(2) as engine:
        assert Kept().find(asked, engine) == Kept().find(asked, None)


def test_the_worker_beside_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {f"s{n}": (made(n), [Event(40.0, "x")]) for n in range(3)}
    here = Kept().find(asked, None)
    with Engine(2) as engine:
        engine.ahead(warm)
        with monkeypatch.context() as patched:
            patched.setattr(
                "analysis.trend_kernels.cheapest_segments", None
            )  # so that this process finds nothing
            assert Kept().find(asked, engine) == here
    with Engine(2) as engine:
        engine.ahead(stillborn)  # its worker cannot even start: this process does its work
        assert Kept().find(asked, engine) == here


def stillborn() -> None:
    os._exit(3)
