"""Rows of the record into tests: fields, sessions, names, overlaps, and what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from campaign.findings import Finding
from campaign.geometry import single
from campaign.model import Block, Campaign, Detector, Source
from campaign.record import CellValue, Snapshot, Table, Test
from campaign.rows import read_tests
from campaign.sources.grid import Grid, cell, to_table

Rows = Sequence[Sequence[CellValue]]


def table_of(rows: Rows, merges: Sequence[tuple[int, int, int, int]] = ()) -> Table:
    cells = {
        r: {c: cell(r, c, v) for c, v in enumerate(row, start=1) if v is not None}
        for r, row in enumerate(rows, start=1)
    }
    return to_table(Grid("S", cells, tuple(merges)), 1, "r.xlsx")[0]


def read(
    rows: Rows, merges: Sequence[tuple[int, int, int, int]] = (), **source: Any
) -> tuple[list[Test], list[Finding]]:
    made = Source(**{"id": "rec", "address": "r.xlsx", "block": "BORN", **source})
    campaign = Campaign(
        root=Path("/campaign"),
        id="c",
        title="C",
        blocks=(Block(id="BORN"), Block(id="CURIE")),
        detectors=(Detector(name="CCD1", geometry=single(rows=2, columns=2)),),
        sources=(made,),
    )
    snapshot = Snapshot("rec", "r.xlsx", table_of(rows, merges), datetime(2026, 1, 1, tzinfo=UTC))
    return read_tests(campaign, [snapshot])


def one(column: str, value: CellValue) -> tuple[Test, list[Finding]]:
    tests, findings = read([["Test", column], ["A", value]])
    (test,) = tests
    return test, findings


def test_a_whole_row() -> None:
    tests, findings = read(
        [
            ["Session", "Test", "OBSID", "Frames", "Exptime [s]", "Day folder", "Status", "Comments", "Date", "CCD",
             "Procedure", "Operator"],
            ["D11", "PTC01", "101–110, 115", 11, "1,5", "11_Mar_19", "done", "fine", "2019-03-11", "CCD1",
             "photon_transfer, flat", "me"],
        ]
    )  # fmt: skip
    assert findings and {f.kind for f in findings} == {"interpreted"}
    (test,) = tests
    assert test.key == "BORN/PTC01"
    assert (test.session, test.exposures, test.frames, test.exptime) == (
        "D11",
        ((101, 110), (115, 115)),
        11,
        1.5,
    )
    assert (test.folder, test.status, test.comments, test.date) == (
        "11_Mar_19",
        "done",
        "fine",
        date(2019, 3, 11),
    )
    assert (test.procedures, test.source, test.row) == (("photon_transfer", "flat"), "rec", 2)
    assert (test.cells["Operator"].value, test.cells["Operator"].address) == ("me", "L2")


def test_columns_named_by_the_source_go_before_usual_names() -> None:
    tests, findings = read(
        [["Test", "My  Name", "a", "b"], ["no", "X", 3, 5]],
        columns={"test": "my name", "first": "a", "last": "b"},
    )
    assert findings == []
    assert (tests[0].name, tests[0].exposures) == ("X", ((3, 5),))


def test_columns_that_are_not_there_or_no_fields() -> None:
    tests, findings = read([["Test"], ["A"]], columns={"frames": "N", "sesion": "Test"})
    assert [t.name for t in tests] == ["A"]
    assert [(f.kind, f.todo) for f in findings] == [
        ("bad-value", "The columns are: Test"),
        ("unknown-key", "Did you mean 'session'?"),
    ]


def test_two_columns_that_fit_one_field() -> None:
    tests, findings = read([["Test", "Comments", "Notes"], ["A", "c", "n"]])
    assert tests[0].comments == "c"
    assert [f.kind for f in findings] == ["interpreted"]


def test_no_column_of_names() -> None:
    tests, findings = read([["What", "OBSID"], ["A", 1]])
    assert tests == []
    assert [f.kind for f in findings] == ["table-shape"]


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        (7, ((7, 7),)),
        (7.0, ((7, 7),)),
        ("7", ((7, 7),)),
        ("1-3", ((1, 3),)),
        ("1 to 3;9", ((1, 3), (9, 9))),
        (None, ()),
    ],
)
def test_exposures(value: CellValue, ranges: tuple[tuple[int, int], ...]) -> None:
    test, findings = one("OBSID", value)
    assert (test.exposures, findings) == (ranges, [])


@pytest.mark.parametrize(
    "value", ["110-101", "1O1", "101 110", "-5", 10.5, True, date(2026, 10, 12), "1-99999999", "<script>"]
)
def test_exposures_that_are_no_range(value: CellValue) -> None:
    test, findings = one("OBSID", value)
    assert test.exposures == ()
    assert [(f.kind, f.where, f.test) for f in findings] == [("bad-range", "r.xlsx, sheet 'S', B2", "A")]


def test_a_bad_part_of_a_list_costs_only_itself() -> None:
    test, findings = one("OBSID", "1-5, x, 9, 12-10")
    assert test.exposures == ((1, 5), (9, 9))
    assert [f.kind for f in findings] == ["bad-range", "bad-range"]


@pytest.mark.parametrize(
    ("first", "last", "ranges", "kinds"),
    [
        (1, 5, ((1, 5),), []),
        ("1", 5.0, ((1, 5),), []),
        ("1-5", None, ((1, 5),), []),
        (5, 1, (), ["bad-range"]),
        (5, None, (), ["bad-range"]),
        (None, 5, (), ["bad-range"]),
        ("a", 5, (), ["bad-range"]),
        (None, None, (), []),
    ],
)
def test_first_and_last(first: CellValue, last: CellValue, ranges: object, kinds: list[str]) -> None:
    tests, findings = read([["Test", "First", "Last"], ["A", first, last]])
    assert tests[0].exposures == ranges
    assert [f.kind for f in findings] == kinds


def test_range_and_ends_that_disagree() -> None:
    tests, findings = read([["Test", "OBSID", "First", "Last"], ["A", "1-5", 1, 5], ["B", "6-9", 6, 8]])
    assert [t.exposures for t in tests] == [((1, 5),), ((6, 9),)]
    assert [(f.kind, f.test) for f in findings] == [("contradiction", "B")]


@pytest.mark.parametrize(("value", "number"), [(10, 10), ("10", 10), (10.0, 10), (0, 0), (None, None)])
def test_frames(value: CellValue, number: int | None) -> None:
    test, findings = one("Frames", value)
    assert (test.frames, findings) == (number, [])


@pytest.mark.parametrize("value", ["10 (2 lost)", "10.5", -3, "ten", True, "1e99", "nan", "9" * 5000])
def test_frames_that_are_no_count(value: CellValue) -> None:
    test, findings = one("Frames", value)
    assert test.frames is None
    assert test.comments == f"frames: {value}"
    assert [f.kind for f in findings] == ["bad-cell"]


@pytest.mark.parametrize(
    ("column", "value", "seconds"),
    [
        ("exptime", "23,5", 23.5),
        ("exptime", "1,234.5", 1234.5),
        ("exptime", "1.234,5", 1234.5),
        ("exptime", "0,565", 0.565),
        ("exptime", "565 s", 565.0),
        ("exptime", "500 ms", 0.5),
        ("Exposure time [ms]", 500, 0.5),
        ("Exposure time (s)", "1e-1", 0.1),
        ("exptime", 0, 0.0),
    ],
)
def test_exposure_times(column: str, value: CellValue, seconds: float) -> None:
    test, findings = one(column, value)
    assert findings == []
    assert test.exptime == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "value", ["1,500", "1;2", "1 2", "5 apples", "-1", "1.2.3", "inf", ".", datetime(2026, 1, 1)]
)
def test_exposure_times_that_are_not_clear(value: CellValue) -> None:
    test, findings = one("exptime", value)
    assert test.exptime is None
    assert [f.kind for f in findings] == ["bad-cell"]


def test_unknown_unit_is_not_guessed() -> None:
    tests, findings = read([["Test", "t [ticks]"], ["A", 5], ["B", 6]], columns={"exptime": "t [ticks]"})
    assert [t.exptime for t in tests] == [None, None]
    assert [f.kind for f in findings] == ["bad-value"]


@pytest.mark.parametrize(
    ("value", "day", "rules"),
    [
        (datetime(2019, 3, 11, 23), date(2019, 3, 11), 0),
        (date(2019, 3, 11), date(2019, 3, 11), 0),
        ("2019-03-11T10:00:00Z", date(2019, 3, 11), 0),
        ("2019/3/11", date(2019, 3, 11), 0),
        ("11 March 2019", date(2019, 3, 11), 0),
        ("Mar 11th, 2019", date(2019, 3, 11), 0),
        ("11.03.2019", date(2019, 3, 11), 0),
        ("25/03/2019", date(2019, 3, 25), 0),
        ("03/25/2019", date(2019, 3, 25), 0),
        ("21_Feb_80", date(1980, 2, 21), 1),
        ("21_Feb_69", date(2069, 2, 21), 1),
        ("21_Feb_70", date(1970, 2, 21), 1),
        ("21-feb-26", date(2026, 2, 21), 1),
        (43535, date(2019, 3, 11), 1),
        ("43535", date(2019, 3, 11), 1),
        (20190311, date(2019, 3, 11), 1),
    ],
)
def test_dates(value: CellValue, day: date, rules: int) -> None:
    test, findings = one("Date", value)
    assert test.date == day
    assert [f.kind for f in findings] == ["interpreted"] * rules


@pytest.mark.parametrize(
    "value", ["03/04/2019", "31_Feb_19", "11 Mai 2019", "soon", 7, True, "110319", 20191399]
)
def test_dates_that_are_not_clear(value: CellValue) -> None:
    test, findings = one("Date", value)
    assert test.date is None
    assert test.comments == f"date: {value}"
    assert [f.kind for f in findings] == ["bad-cell"]


def test_day_folders_give_the_date_and_say_so_once() -> None:
    tests, findings = read([["Test", "Folder"], ["A", "21_Feb_80"], ["B", "x/22_Feb_26/"], ["C", "other"]])
    assert [t.date for t in tests] == [date(1980, 2, 21), date(2026, 2, 22), None]
    assert [f.kind for f in findings] == ["interpreted"]
    assert "2000–2069" in findings[0].what


def test_date_against_day_folder() -> None:
    rows: Rows = [
        ["Test", "Date", "Folder"],
        ["A", "2019-03-12", "11_Mar_2019"],
        ["B", "2019-03-14", "11_Mar_2019"],
    ]
    tests, findings = read(rows)
    assert [t.date for t in tests] == [date(2019, 3, 12), date(2019, 3, 14)]
    assert [(f.kind, f.test) for f in findings] == [("contradiction", "B")]


@pytest.mark.parametrize("folder", ["../x", "a/../b", "..\\x"])
def test_folder_that_leads_elsewhere(folder: str) -> None:
    test, findings = one("Folder", folder)
    assert test.folder == ""
    assert [f.kind for f in findings] == ["unsafe-path"]


def test_session_in_a_merged_cell_reaches_as_far_as_the_merge() -> None:
    tests, findings = read([["Session", "Test"], ["D11", "A"], [None, "B"], [None, "C"]], [(2, 1, 3, 1)])
    assert findings == []
    assert [t.session for t in tests] == ["D11", "D11", ""]


def test_session_written_once_stands_for_the_rows_below() -> None:
    rows: Rows = [
        ["Session", "Test", "Status"],
        ["D11", "A", "x"],
        [None, "B", None],
        ["D12", "C", "y"],
        [],
        [None, "D", None],
    ]
    tests, findings = read(rows)
    assert findings == []
    assert [t.session for t in tests] == ["D11", "D11", "D12", "D12"]
    assert [t.status for t in tests] == ["x", "", "y", ""]


def test_session_does_not_reach_into_the_next_block() -> None:
    rows: Rows = [
        ["Block", "Session", "Test"],
        ["BORN", "D11", "A"],
        ["born", None, "B"],
        ["CURIE", None, "C"],
    ]
    tests, _ = read(rows, block="")
    assert [(t.block, t.session) for t in tests][2] == ("CURIE", "")


def test_blank_among_repeated_sessions_stays_blank_and_is_said() -> None:
    tests, findings = read([["Session", "Test"], ["D11", "A"], ["D11", "B"], [None, "C"], ["D12", "D"]])
    assert [t.session for t in tests] == ["D11", "D11", "", "D12"]
    assert [f.kind for f in findings] == ["table-shape"]
    assert "rows 4" in findings[0].what


def test_headings_over_the_rows() -> None:
    rows: Rows = [
        ["Test", "OBSID", "Notes"],
        ["Session D11", None, None],
        ["A", 1, "n"],
        ["D12", None, None],
        ["B", 2, None],
    ]
    tests, findings = read(rows, [(2, 1, 2, 3), (4, 1, 4, 2)])
    assert findings == []
    assert [(t.name, t.session) for t in tests] == [("A", "D11"), ("B", "D12")]


def test_session_alone_in_a_row_is_a_heading() -> None:
    tests, findings = read([["Session", "Test"], ["D11", None], [None, "A"], ["D12", None], [None, "B"]])
    assert findings == []
    assert [t.session for t in tests] == ["D11", "D12"]


def test_row_without_a_name_that_holds_data() -> None:
    tests, findings = read([["Session", "Test", "Notes"], ["D11", "A", None], [None, None, "pump down"]])
    assert [t.name for t in tests] == ["A"]
    assert [(f.kind, f.where) for f in findings] == [("table-shape", "r.xlsx, sheet 'S', row 3")]


def test_blocks_unknown_missing_and_in_another_case() -> None:
    rows: Rows = [["Block", "Test"], ["born", "A"], ["BORM", "B"], [None, "C"], ["BORM", "D"]]
    tests, findings = read(rows, block="")
    assert [(t.block, t.name) for t in tests] == [("BORN", "A")]
    assert [f.kind for f in findings] == ["unknown-name"] * 2
    assert "B (row 3), D (row 5)" in findings[0].what
    assert findings[0].todo == "Did you mean 'BORN'?"


def test_unknown_detector() -> None:
    _, findings = read([["Test", "CCD"], ["A", "CCD1, CCD9"], ["B", "CCD9"]])
    assert [f.kind for f in findings] == ["unknown-name"]
    assert "B2, B3" in findings[0].what


def test_duplicate_names_are_numbered_around_names_that_are_taken() -> None:
    tests, findings = read([["Test", "Frames"], ["A", 1], ["A", "x"], ["A.2", 1], ["A", 1]])
    assert [t.name for t in tests] == ["A", "A.3", "A.2", "A.4"]
    assert [(f.kind, f.test) for f in findings] == [
        ("bad-cell", "A.3"),
        ("duplicate-test", "A.3"),
        ("duplicate-test", "A.4"),
    ]


def test_same_name_in_two_blocks_is_no_duplicate() -> None:
    tests, findings = read(
        [["Block", "Test", "OBSID"], ["BORN", "A", "1-5"], ["CURIE", "A", "1-5"]], block=""
    )
    assert [t.key for t in tests] == ["BORN/A", "CURIE/A"]
    assert findings == []


def test_overlaps_and_shared_exposures() -> None:
    rows: Rows = [
        ["Test", "OBSID"],
        ["PTC01", "1-10, 20"],
        ["BF01", "1..10;20"],
        ["X", "9-12"],
        ["Y", "13-19"],
    ]
    tests, findings = read(rows)
    assert [len(t.exposures) for t in tests] == [2, 2, 1, 1]
    assert [(f.kind, f.test) for f in findings] == [("overlap", "BF01"), ("overlap", "X")]
    assert "BF01 shares its exposures with PTC01 (1–10, 20)" in findings[0].what
    assert "PTC01 (9–10), BF01 (9–10)" in findings[1].what


def test_markup_and_formulas_stay_plain_text() -> None:
    hostile = "<script>alert('x')</script>"
    tests, findings = read([["Test", "Comments", "Status"], [hostile, "=HYPERLINK(1)", "&amp;"]])
    assert findings == []
    assert (tests[0].name, tests[0].comments, tests[0].status) == (hostile, "=HYPERLINK(1)", "&amp;")


def test_sources_that_are_no_tests_or_were_never_read() -> None:
    assert read([["Test"], ["A"]], kind="hardware") == ([], [])
    campaign = Campaign(root=Path("/c"), id="c", title="C", sources=(Source(id="rec", address="r.csv"),))
    assert read_tests(campaign, [Snapshot("rec", "r.csv", None, None)]) == ([], [])
    assert read_tests(campaign, []) == ([], [])
