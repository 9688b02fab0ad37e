"""Verdicts over builds: what flipped and why, and failures that stay open until a person acknowledges them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tiny_campaign import NOW, bias, built, make, read_page

from builder.expectations import Spot
from builder.flips import OnRecord, VerdictHistory, subjects, verdict_history
from builder.report import Report
from builder.store import VerdictRow
from campaign.certification import Decision

SPOT = Spot("B1", "BIAS01", "level", "CAM1", "level", "A", "")
BEGUN = {n: f"2025-03-{n:02d}T12:00:00+00:00" for n in range(1, 10)}


def row(
    verdict: str, since: int, result: str = "r1", high: float | None = 10.0, limit: str = "L"
) -> VerdictRow:
    return VerdictRow(f"{result}.level.A", verdict, limit, None, high, "why", since)


def history(
    *rows: VerdictRow, now: str = "pass", shown: str = "r1", decisions: tuple[Decision, ...] = ()
) -> VerdictHistory:
    mids = {r.measurement for r in rows}
    known = OnRecord(
        dict.fromkeys(mids, SPOT), dict.fromkeys(mids, "12 ADU"), {SPOT: (f"{shown}.level.A", now)}, {}, BEGUN
    )
    place = SPOT.block, SPOT.test, SPOT.procedure, SPOT.detector
    results = list(dict.fromkeys(r.measurement.partition(".")[0] for r in rows))
    order = [(place, r, min(x.since for x in rows if x.measurement.startswith(r))) for r in results]
    return verdict_history(rows, order, {}, known, decisions)


def decided(**more: object) -> Decision:
    fields = {
        "date": "2025-03-05", "who": "A. Person", "decision": "acknowledged", "reason": "lamp",
        "subject": "B1/BIAS01/level/CAM1#level.A",
    }  # fmt: skip
    return Decision.model_validate(fields | more)


def test_a_later_green_never_hides_an_earlier_red() -> None:
    found = history(row("pass", 1), row("fail", 2), row("pass", 3))
    assert [(f.first[:10], f.now, f.times, f.closed) for f in found.open] == [("2025-03-02", "pass", 1, "")]
    assert [(f.before, f.after, f.build) for f in found.flips] == [("fail", "pass", 3), ("pass", "fail", 2)]


def test_a_green_of_another_result_hides_it_neither() -> None:
    found = history(row("fail", 2), row("pass", 3, "r2"), shown="r2")
    assert [(f.result, f.now) for f in found.open] == [("r1", "pass")]
    assert [(f.before, f.after, f.because) for f in found.flips] == [
        ("fail", "pass", "measured again: 12 ADU → 12 ADU")
    ]


def test_what_passed_is_no_failure() -> None:
    assert history(row("pass", 1), row("warn", 2)).open == ()


@pytest.mark.parametrize("decision", ["acknowledged", "accepted", "valid outlier"])
def test_a_person_closes_a_failure(decision: str) -> None:
    found = history(row("fail", 2), decisions=(decided(decision=decision),))
    assert found.open == ()
    assert [f.closed for f in found.closed] == [f"{decision} by A. Person, 2025-03-05: lamp"]


@pytest.mark.parametrize(
    "more",
    [
        {"decision": "reviewed"},
        {"decision": "rejected"},
        {"who": " "},
        {"who": "rule: all green"},
        {"date": None},
        {"reason": "", "text": " "},
        {"date": "2025-03-01"},  # before it was red
        {"result": "r0"},
        {"subject": "B1/BIAS02"},
        {"subject": "B1/BIAS01/level/CAM1#level.B"},
        {"subject": "B1/BIAS01/level/CAM1#lev"},
    ],
)
def test_nothing_less_closes_it(more: dict[str, object]) -> None:
    assert len(history(row("fail", 2), decisions=(decided(**more),)).open) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"subject": "B1/BIAS01"},
        {"subject": "B1/BIAS01/level/CAM1"},
        {"subject": "B1/BIAS01/level/CAM1#level"},
        {"result": "r1"},
        {"date": "2025-03-02"},
        {"reason": "", "text": "the lamp was off"},
    ],
)
def test_a_decision_about_what_holds_it_closes_it(more: dict[str, object]) -> None:
    assert history(row("fail", 2), decisions=(decided(**more),)).open == ()


def test_a_failure_after_the_decision_is_open_again() -> None:
    found = history(row("fail", 2), row("pass", 3), row("fail", 7), now="fail", decisions=(decided(),))
    assert [f.first[:10] for f in found.open] == ["2025-03-07"]
    assert [f.first[:10] for f in found.closed] == ["2025-03-02"]


def test_subjects_name_the_measurement_first() -> None:
    assert subjects(SPOT._replace(setting="mode=slow"))[0] == "B1/BIAS01/level/CAM1#level.A.mode=slow"
    assert subjects(SPOT)[0] == "B1/BIAS01/level/CAM1#level.A"
    assert subjects(SPOT)[-1] == "B1/BIAS01"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (row("pass", 1), row("fail", 2, high=5.0), "L: … to 10 → … to 5"),
        (row("warn", 1), row("fail", 2), "L: outside means fail now, before warn"),
        (row("pass", 1), row("fail", 2, limit="M"), "M (… to 10) judges it, before L (… to 10)"),
        (row("fail", 1), row("not evaluated", 2)._replace(limit=None), "L no longer applies"),
    ],
)
def test_a_flip_says_why(before: VerdictRow, after: VerdictRow, says: str) -> None:
    assert [f.because for f in history(before, after).flips] == [says]


# ── whole builds ──────────────────────────────────────────────────────────────────────────────────────────


def limits(folder: Path, text: str) -> None:
    (folder / "limits/limits.toml").write_text(f'[[limit]]\nid = "L"\nquantity = "level.level"\n{text}\n')


def rebuild(folder: Path, days: int) -> Report:
    return built(folder, now=NOW + timedelta(days=days)).report


def stored(folder: Path) -> list[tuple[str, str, float | None]]:
    """(result, verdict, high) of all levels, in the order in which they were recorded."""
    with closing(sqlite3.connect(folder / "build/store/calbook.sqlite")) as db:
        query = "SELECT substr(measurement_id, 1, 20), verdict, high FROM verdicts WHERE measurement_id LIKE '%.level.%' ORDER BY rowid"
        return list(db.execute(query))


def test_a_changed_limit_judges_all_history_and_keeps_it(tmp_path: Path) -> None:
    folder = make(tmp_path, rows="BIAS01,1,3,0,done,\n")
    limits(folder, "high = 1100")
    first = rebuild(folder, 0)
    bias(folder / "frames/b1.fits", 77, EXPNUM=1)
    second = rebuild(folder, 1)
    (a,), (b,) = ([o.result_id for o in r.outcomes()] for r in (first, second))
    assert stored(folder) == [(a, "pass", 1100.0), (b, "pass", 1100.0)]
    limits(folder, "high = 900")
    third = rebuild(folder, 2)
    assert [o.result_id for o in third.outcomes()] == [b]  # nothing was measured anew
    assert set(stored(folder)[2:]) == {(a, "fail", 900.0), (b, "fail", 900.0)}
    assert {(f.before, f.after, f.because) for f in third.verdicts.flips} == {
        ("pass", "fail", "L: … to 1100 → … to 900")
    }
    assert [(r.limit, r.what, r.build) for r in third.verdicts.restated] == [("L", ("high 1100 → 900",), 3)]
    limits(folder, "high = 1100")
    fourth = rebuild(folder, 3)
    (failure,) = fourth.verdicts.open
    assert (failure.now, failure.first[:10], failure.spot.test) == ("pass", "2025-03-03", "BIAS01")
    page = read_page(folder / "build/site/verdicts.html")
    assert "1 open failure" in page.text and "B1/BIAS01/level/CAM1#level.A" in page.text
    assert "open failure" in read_page(folder / "build/site/index.html").text
    # the limit as it was when it judged is on record
    with closing(sqlite3.connect(folder / "build/store/calbook.sqlite")) as db:
        held = [text for (text,) in db.execute("SELECT stated FROM limits ORDER BY since")]
    assert ["1100" in x for x in held] == [True, False, True]
    again = built(folder, now=NOW + timedelta(days=4), fresh=True)
    assert again.unchanged and again.report.verdicts == fourth.verdicts


def test_an_unchanged_campaign_leaves_no_trace_of_judging(tmp_path: Path) -> None:
    folder = make(tmp_path)
    limits(folder, 'relative_to.test = "BIAS01"\nrelative_to.by = "ratio"\nlow = 0.9\nhigh = 1.1')
    report = rebuild(folder, 0)
    judged = {
        (o.test, str(j.verdict), j.unjudged, j.limit is not None and j.low is not None)
        for o in report.outcomes()
        for j in o.measurements
        if j.measurement.quantity == "level"
    }
    assert judged == {("BIAS01", "not evaluated", "is-reference", False), ("BIAS02", "pass", "", True)}
    before = stored(folder)
    again = built(folder, now=NOW + timedelta(days=1), fresh=True)
    assert again.unchanged and stored(folder) == before
    text = (folder / "build/site/data/measurements.csv").read_text()
    assert "unjudged:is-reference" in text


def test_a_limit_that_matches_nothing_is_a_finding_with_its_line(tmp_path: Path) -> None:
    folder = make(tmp_path)
    limits(
        folder, 'high = 1100\n[[limit]]\nid = "M"\nquantity = "level.level"\nlow = 0\nscope.tests = ["DARK*"]'
    )
    found = [f for f in rebuild(folder, 0).findings if f.kind == "limit-unused"]
    assert [(f.where, "'M'" in f.what) for f in found] == [("limits/limits.toml:5", True)]
