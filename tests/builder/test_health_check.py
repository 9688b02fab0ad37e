"""The health check: days, months, promises, and what is late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tiny_campaign import NOW, bias, built, make, read_page, snapshot

from analysis.contract import Measurement, Procedure, Version
from builder.health_check import FULL_DAYS, MOST_MONTHS, Taken, freshness, late, strip, taken
from builder.report import BlockReport, Judged, Outcome, TestReport, Verdict
from campaign.frames import Frame, FrameFile
from campaign.load import load
from campaign.model import Block, Campaign, ProcedureUse
from campaign.promises import days_of, place_of
from campaign.record import Test

LEVEL = Procedure(name="level", title="Level", purpose="", history=(Version("1", "2025-01-01", "first"),), roles=(), quantities=(), measure=lambda i, r: None)  # fmt: skip


def a_test(name: str, day: date | None, *, measured: bool = True, hour: int = 12) -> TestReport:
    when = datetime(day.year, day.month, day.day, hour, tzinfo=UTC) if day else None
    file = FrameFile("frames", f"{name}.fits", 1, 1, 1)
    frames = (Frame("1/CAM1", "1", "CAM1", file, {"": 0}, {"date": when.isoformat()}),) if when else ()
    value = Measurement("level", "A", "", 1.0 if measured else None, 0.1, "ADU", "mean", 1)
    outcome = Outcome(
        "r" + name,
        "B1",
        name,
        "CAM1",
        LEVEL,
        "done",
        measurements=(Judged("m" + name, value, Verdict.PASS),),
    )
    return TestReport(Test("B1", name), Block(id="B1"), frames, outcomes=(outcome,), verdict=Verdict.PASS)


def on(day: date, verdict: Verdict = Verdict.PASS, procedure: str = "level", name: str = "T") -> Taken:
    return Taken(day, procedure, a_test(name, day), verdict)


@pytest.mark.parametrize(
    ("text", "days"),
    [("1 day", 1), ("3 days", 3), (" 2 weeks ", 14), ("1 Week", 7), ("10days", 10),
     ("", None), ("0 days", None), ("daily", None), ("-1 day", None), ("1.5 days", None), ("9999 weeks", None), ("1 month", None)],
)  # fmt: skip
def test_spans_as_people_write_them(text: str, days: int | None) -> None:
    assert days_of(text) == days


def test_references_as_people_write_them() -> None:
    assert place_of("BORN/FLAT01") == ("BORN", "FLAT01")
    assert place_of("A/B/C") == ("A", "B/C")
    assert [place_of(t) for t in ("", "FLAT01", "/FLAT01", "BORN/")] == [None] * 4


def test_a_cell_is_the_worst_of_its_day_and_a_test_that_did_not_run_is_not_hidden() -> None:
    day = date(2025, 2, 1)
    made = strip(
        [on(day), on(day, Verdict.NOT_RUN, name="U"), on(day, Verdict.WARN, "dark")],
        ["level", "dark", "flat"],
    )
    rows = dict(made.rows)
    assert [c.kind for c in made.columns] == ["day"]
    assert [t.verdict for t in rows["level"][0].tests] == [Verdict.NOT_RUN, Verdict.PASS]  # type: ignore[union-attr]
    assert rows["dark"][0].worst.verdict == Verdict.WARN  # type: ignore[union-attr]
    assert "flat" not in rows  # nothing of it was ever taken


def test_quiet_days_share_a_column_and_every_day_is_in_exactly_one() -> None:
    newest = date(2025, 3, 20)
    days = [newest, newest - timedelta(days=2), newest - timedelta(days=10)]
    made = strip([on(d) for d in days], ["level"])
    assert [(c.kind, c.days) for c in made.columns] == [("day", 1)] * 3 + [("quiet", 7), ("day", 1)]
    assert [c.first for c in made.days] == days
    covered = [c.first + timedelta(days=n) for c in made.columns for n in range(c.days)]
    assert sorted(covered) == [days[-1] + timedelta(days=n) for n in range(11)]


def test_long_campaigns_are_full_at_the_end_and_by_month_before() -> None:
    newest = date(2025, 6, 30)
    last_full = newest - timedelta(days=FULL_DAYS - 1)
    days = [newest, last_full, last_full - timedelta(days=1), date(2024, 12, 31), date(2024, 12, 1)]
    made = strip([on(d) for d in days], ["level"])
    months = [(c.first, c.last) for c in made.columns if c.kind == "month"]
    assert months == [
        (date(2025, 4, 1), last_full - timedelta(days=1)),
        (date(2024, 12, 1), date(2024, 12, 31)),
    ]
    assert sum(c.days for c in made.columns if c.kind != "month") == FULL_DAYS
    counts = [len(c.tests) for _, cells in made.rows for c in cells if c]
    assert counts == [1, 1, 1, 2]


def test_the_oldest_months_are_counted_not_shown() -> None:
    months = [date(2010 + n // 12, n % 12 + 1, 15) for n in range(MOST_MONTHS + 20)]
    made = strip([on(d) for d in months], ["level"])
    shown = sum(len(c.tests) for _, cells in made.rows for c in cells if c)
    assert sum(c.kind == "month" for c in made.columns) == MOST_MONTHS
    assert shown + made.earlier == len(months)
    assert made.earlier > 0


def test_today_ends_the_strip_only_while_the_campaign_is_on() -> None:
    day = date(2025, 2, 1)
    assert strip([on(day)], ["level"], day + timedelta(days=5)).columns[0].kind == "quiet"
    assert strip([on(day)], ["level"], day + timedelta(days=FULL_DAYS)).columns[0].first == day
    assert strip([on(day)], ["level"], day - timedelta(days=5)).columns[0].first == day
    assert strip([], ["level"], day).columns == ()


def test_tests_of_no_known_day_are_named_and_planned_ones_are_not_taken() -> None:
    planned = TestReport(Test("B1", "P"), Block(id="B1", start=date(2025, 2, 1)), verdict=Verdict.PLANNED)
    lost = a_test("L", None)
    held, undated = taken(
        [a_test("A", date(2025, 2, 1)), planned, lost], lambda t: ["level"], lambda t, p: t.verdict
    )
    assert [t.test.test.name for t in held] == ["A"]
    assert undated == [lost]


def campaign(
    every: str = "2 days", status: str = "running", start: date | None = date(2025, 2, 1)
) -> Campaign:
    blocks = (Block.model_validate({"id": "B1", "status": status, "start": start}),)
    use = {"level": ProcedureUse(tests=("*",), every=every)}
    return Campaign(root=Path(), id="c", title="C", blocks=blocks, procedures=use)


@pytest.mark.parametrize(
    ("status", "last", "today", "state", "since"),
    [
        ("running", date(2025, 2, 1), date(2025, 2, 3), "on time", 2),  # the promise itself is kept
        ("running", date(2025, 2, 1), date(2025, 2, 4), "late", 3),
        ("done", date(2025, 2, 1), date(2025, 9, 4), "not due", 215),
        ("running", None, date(2025, 2, 3), "on time", None),
        ("running", None, date(2025, 2, 4), "late", None),  # days count from the block's first
        ("running", date(2025, 2, 9), date(2025, 2, 4), "on time", 0),  # a clock ahead of the frames
        ("running", date(2025, 2, 1), None, "no promise", None),
    ],
)
def test_freshness(status: str, last: date | None, today: date | None, state: str, since: int | None) -> None:
    held = campaign(status=status)
    blocks = [BlockReport(held.blocks[0], (a_test("A", last),) if last else ())]
    (found,) = freshness(held, blocks, ["level"], today)
    assert (found.state, found.since) == (state, since)
    assert bool(late(held, blocks, today)) == (state == "late")


def test_what_gave_no_number_keeps_no_promise() -> None:
    held = campaign()
    blocks = [
        BlockReport(
            held.blocks[0], (a_test("A", date(2025, 2, 1)), a_test("B", date(2025, 2, 9), measured=False))
        )
    ]
    (found,) = freshness(held, blocks, ["level"], date(2025, 2, 9))
    assert (found.last, found.state) == (date(2025, 2, 1), "late")


def test_a_block_that_begins_later_is_owed_nothing_yet() -> None:
    held = campaign(start=date(2025, 3, 1))
    assert freshness(held, [BlockReport(held.blocks[0])], ["level"], date(2025, 2, 20))[0].state == "not due"


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('every = "daily"', "bad-value", "nothing is promised"),
        ('reference = "BIAS01"', "bad-value", "names no test"),
        ('\n[[compare]]\nblock = "B1"\nother = "B7"\n', "unknown-name", "B7"),
        ('\n[[compare]]\nblock = "B1"\nother = "B1"\n', "bad-value", "twice"),
    ],
)
def test_promises_that_cannot_be_understood_are_told(tmp_path: Path, text: str, kind: str, says: str) -> None:
    folder = make(tmp_path / "c", more=text)
    loaded, findings = load(folder)
    assert loaded is not None
    assert [f.kind for f in findings] == [kind]
    assert says in findings[0].what
    line = int(findings[0].where.partition(":")[2])
    assert (folder / "campaign.toml").read_text("utf-8").splitlines()[line - 1].split(" = ")[0] in text
    assert loaded.procedures["level"].tests == ("BIAS*",)  # the analysis itself runs


def test_the_passing_of_days_alone_makes_a_procedure_late(tmp_path: Path) -> None:
    """A campaign in which nothing changes is looked at again each day while something is promised, and not else."""
    folder = make(tmp_path / "tiny", more='every = "3 days"\n')
    block = folder / "blocks" / "B1.md"
    block.write_text(block.read_text("utf-8").replace("status: done", "status: running"), "utf-8")
    for number in range(1, 6):  # the last frames are of the day before the build
        bias(folder / f"frames/b{number}.fits", number, DATE_OBS=f"2025-02-28T10:0{number}:00")
    first = built(folder)
    assert [f.kind for f in first.summary.findings] == []
    site = folder / "build" / "site"
    assert "1 day" not in read_page(site / "health.html").text
    page = read_page(site / "check.html")
    assert "on time" in page.text
    before = snapshot(site)
    same_day = built(folder, now=NOW + timedelta(hours=3))
    assert same_day.made is None
    assert snapshot(site) == before
    next_day = built(folder, now=NOW + timedelta(days=1))
    assert next_day.unchanged  # no build is counted for it: only the count of days moved
    moved = {n for n, held in snapshot(site).items() if held[0] != before[n][0]}
    assert moved - {"data/calbook.sqlite", ".calbook-manifest.json"} == {"check.html"}
    late_day = built(folder, now=NOW + timedelta(days=3))
    assert not late_day.unchanged
    assert [f.kind for f in late_day.summary.findings] == ["late"]
    assert (
        "level is promised every 3 days: the last was BIAS02 of B1 on 2025-02-28"
        in read_page(site / "health.html").text
    )
    for name in ("check.html", "index.html"):
        assert "level is promised every 3 days" in read_page(site / name).text
    taken_again = folder / "frames" / "b5.fits"
    bias(taken_again, 5, DATE_OBS="2025-03-04T09:00:00")
    again = built(folder, now=NOW + timedelta(days=3, hours=1))
    # the first exposure of BIAS02 still is of February: it is that test's day
    assert [f.kind for f in again.summary.findings] == ["late"]
    bias(folder / "frames" / "b4.fits", 4, DATE_OBS="2025-03-04T08:00:00")
    assert built(folder, now=NOW + timedelta(days=3, hours=2)).summary.findings == ()


def test_without_a_promise_no_page_knows_the_day(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    assert not built(folder).unchanged
    before = snapshot(folder / "build" / "site")
    assert built(folder, now=NOW + timedelta(days=40)).made is None
    assert snapshot(folder / "build" / "site") == before


def test_every_link_of_the_strip_leads_somewhere_and_cells_say_their_word(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny", rows="BIAS01,1,3,0,done,\nBIAS02,4,5,0,done,\nBIAS09,8,9,0,done,\n")
    built(folder)
    page = read_page(folder / "build/site/check.html")
    links = [
        e.attributes["href"]
        for e in page.elements
        if e.tag == "a" and "status-not-run" in e.attributes.get("class", "")
    ]
    assert "#day-2025-02-01" in links  # three tests on one day; the worst is the one that did not run
    assert "day-2025-02-01" in page.ids
    words = [e.text for e in page.elements if e.attributes.get("class") == "word"]
    assert "not run" in words
    assert "BIAS09: no frames of exposures 8–9 were found." in page.text
