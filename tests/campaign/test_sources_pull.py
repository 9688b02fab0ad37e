"""Pulling files: snapshots, fallback, the fast path, and every way a file can fail."""

from __future__ import annotations

import json
import math
import os
import string
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from campaign.findings import Finding
from campaign.model import Campaign, Source
from campaign.record import Cell, Snapshot, Table
from campaign.sources import files
from campaign.sources.pull import age, pull
from campaign.sources.snapshots import Damaged, Reading, SnapshotFolder, _load, decode_table, encode_table

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
OLD = NOW.timestamp() - 3600


class Run:
    """Pulls one file again and again into one store, at a clock that is set by hand."""

    def __init__(self, root: Path) -> None:
        self.root, self.at = root, NOW
        self.source: dict[str, Any] = {"id": "rec", "address": "r.csv", "block": "B"}

    @property
    def kept(self) -> list[Path]:
        """The snapshot files."""
        return sorted(p for p in (self.root / "store").rglob("*.json") if p.name != "last.json")

    def write(self, text: str, at: float = OLD, name: str = "r.csv") -> None:
        path = self.root / name
        path.write_text(text)
        os.utime(path, (at, at))

    def __call__(self) -> tuple[Snapshot, list[Finding]]:
        campaign = Campaign(root=self.root, id="c", title="C", sources=(Source(**self.source),))
        snapshots, findings = pull(campaign, self.root / "store", now=lambda: self.at, environ={})
        return snapshots[0], findings


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.write("Test,OBSID\nBIAS01,1-10\n")
    return made


def test_first_pull_is_kept_with_revision_and_time(run: Run) -> None:
    snapshot, findings = run()
    assert findings == []
    assert (snapshot.source, snapshot.address, snapshot.pulled_at) == ("rec", "r.csv", NOW)
    assert len(snapshot.revision) == 64
    (path,) = run.kept
    assert path.name.startswith("20260301T100000Z-")
    assert not list((run.root / "store").rglob("*.part"))


def test_unchanged_file_is_not_opened_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = run()
    opened: list[Path] = []
    true = files.read_stable

    def watched(path: Path) -> tuple[bytes, files.Stamp]:
        opened.append(path)
        return true(path)

    monkeypatch.setattr(files, "read_stable", watched)
    run.at += timedelta(minutes=5)
    again, findings = run()
    assert (opened, findings) == ([], [])
    assert (again.table, again.pulled_at, again.checked_at) == (first.table, NOW, run.at)
    run.source["header_row"] = 2
    run()
    assert len(opened) == 1


def test_fast_path_repeats_the_findings_and_imports_no_spreadsheet_library(run: Run) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Test", "Test"])
    sheet.append(["A", "#REF!"])
    book.save(run.root / "r.xlsx")
    os.utime(run.root / "r.xlsx", (OLD, OLD))
    run.source["address"] = "r.xlsx"
    _, findings = run()
    assert sorted(f.kind for f in findings) == ["bad-cell", "table-shape"]
    code = (
        "import sys; from datetime import *; from pathlib import Path\n"
        "from campaign.model import Campaign, Source; from campaign.sources.pull import pull\n"
        f"root = Path({str(run.root)!r}); s = Source(id='rec', address='r.xlsx', block='B')\n"
        "c = Campaign(root=root, id='c', title='C', sources=(s,))\n"
        "_, f = pull(c, root / 'store', now=lambda: datetime(2026, 3, 2, tzinfo=UTC), environ={})\n"
        "print(sorted(x.kind for x in f), [m for m in ('openpyxl', 'gspread', 'requests') if m in sys.modules])"
    )
    checkout = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=checkout, check=True
    )
    assert done.stdout.strip() == "['bad-cell', 'table-shape'] []"


def test_same_size_and_time_within_the_race_is_read_again(run: Run) -> None:
    just = NOW.timestamp() - 0.5
    run.write("Test,OBSID\nBIAS01,1-10\n", just)
    run()
    run.write("Test,OBSID\nBIAS01,1-20\n", just)
    run.at += timedelta(minutes=1)
    snapshot, _ = run()
    assert snapshot.table is not None
    assert snapshot.table.rows[0]["OBSID"].value == "1-20"


def test_content_decides_whether_a_snapshot_is_added(run: Run) -> None:
    run()
    run.write("Test,OBSID\r\nBIAS01,1-10\r\n", OLD + 60)
    same, _ = run()
    assert len(run.kept) == 1
    assert same.pulled_at == NOW
    run.write("Test,OBSID\nBIAS01,1-11\n", OLD + 120)
    run.at += timedelta(hours=1)
    changed, _ = run()
    assert len(run.kept) == 2
    assert changed.pulled_at == run.at
    run.write("Test,OBSID\nBIAS01,1-10\n", OLD + 180)
    run.at += timedelta(hours=1)
    back, _ = run()
    assert len(run.kept) == 3
    assert (back.table, back.pulled_at) == (same.table, run.at)


def test_missing_file_without_snapshot(run: Run) -> None:
    (run.root / "r.csv").unlink()
    snapshot, findings = run()
    assert (snapshot.table, snapshot.pulled_at, snapshot.stale) == (None, None, True)
    (finding,) = findings
    assert (finding.kind, finding.where, finding.block) == ("source-unread", "r.csv", "B")
    assert "not there" in finding.what


@pytest.mark.parametrize("fault", ["missing", "folder", "empty", "cut", "headless"])
def test_failures_fall_back_and_heal(run: Run, fault: str) -> None:
    before, _ = run()
    path = run.root / "r.csv"
    path.unlink()
    if fault == "folder":
        path.mkdir()
    elif fault != "missing":
        run.write({"empty": "", "cut": 'Test,OBSID\nBIAS01,"1-', "headless": ",\nA,1\n"}[fault], OLD + 60)
    for hours in (30, 31):
        run.at = NOW + timedelta(hours=hours)
        snapshot, findings = run()
        assert (snapshot.table, snapshot.pulled_at, snapshot.stale) == (before.table, NOW, True)
        assert snapshot.error
        assert [f.kind for f in findings] == ["source-stale"]
        assert "1 day ago" in findings[0].what
    if fault == "folder":
        path.rmdir()
    run.write("Test,OBSID\nBIAS01,1-12\n", OLD + 120)
    snapshot, findings = run()
    assert (findings, snapshot.stale, snapshot.error) == ([], False, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_locked_file(run: Run) -> None:
    run()
    run.write("Test\nA\n", OLD + 60)
    (run.root / "r.csv").chmod(0)
    snapshot, _ = run()
    assert "locked" in snapshot.error


def test_permission_is_explained() -> None:
    assert "locked" in files.reason(PermissionError(13, "Permission denied", "/secret/path"))
    assert "/secret" not in files.reason(OSError(5, "Input/output error", "/secret/path"))


def test_file_that_grows_while_it_is_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path, true = run.root / "r.csv", Path.read_bytes

    def growing(self: Path) -> bytes:
        data = true(self)
        if self == path:
            with path.open("a") as file:
                file.write("X,1\n")
        return data

    monkeypatch.setattr(Path, "read_bytes", growing)
    snapshot, _ = run()
    assert "being written" in snapshot.error


@pytest.mark.parametrize(
    "address", ["../r.csv", "a/../../r.csv", "..\\r.csv", "ftp://x/r.csv", "file:///etc/r.csv"]
)
def test_addresses_that_lead_elsewhere_are_refused(run: Run, address: str) -> None:
    run.source["address"] = address
    snapshot, findings = run()
    assert snapshot.table is None
    assert [f.kind for f in findings] == ["unsafe-path", "source-unread"]


def test_odd_names_of_files_and_sources(run: Run) -> None:
    name = "a 'b\" ünï <c>.csv"
    run.write("Test\nA\n", name=name)
    run.source |= {"address": name, "id": "../../../evil"}
    snapshot, findings = run()
    assert findings == []
    assert snapshot.table is not None
    assert all((run.root / "store") in p.parents for p in run.kept)
    assert len(run.kept) == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "empty", "newer"])
def test_damaged_snapshot_is_passed_over_for_an_older(run: Run, damage: str) -> None:
    older, _ = run()
    run.write("Test,OBSID\nBIAS01,1-11\n", OLD + 60)
    run.at += timedelta(hours=1)
    run()
    text = run.kept[-1].read_text()
    run.kept[-1].write_text(
        {
            "cut": text[: len(text) // 2],
            "flipped": text.replace("1-11", "1-99"),
            "foreign": "[]",
            "empty": "",
            "newer": text.replace('"format": 1', '"format": 99'),
        }[damage]
    )
    (run.root / "r.csv").unlink()
    snapshot, findings = run()
    assert snapshot.table == older.table
    assert [f.kind for f in findings] == ["bad-file", "source-stale"]


def test_damaged_snapshot_of_a_readable_source_is_made_again(run: Run) -> None:
    first, _ = run()
    run.kept[0].write_text("{")
    snapshot, findings = run()
    assert (snapshot.table, snapshot.stale) == (first.table, False)
    assert [f.kind for f in findings] == ["bad-file"]
    assert run()[1] == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"checked_at": 3}', '{"checked_at": "x", "confirmed_at": null}']
)
def test_damaged_note_of_the_last_look_costs_nothing(run: Run, text: str) -> None:
    first, _ = run()
    (run.root / "store" / "rec" / "last.json").write_text(text)
    again, findings = run()
    assert (again.table, findings) == (first.table, [])


def test_snapshot_of_another_address_is_named_as_such(run: Run) -> None:
    run()
    run.source["address"] = "moved.csv"
    snapshot, findings = run()
    assert snapshot.address == "r.csv"
    assert "another address (r.csv)" in findings[0].what


def test_one_source_costs_only_itself(run: Run) -> None:
    good, bad = Source(id="good", address="r.csv"), Source(id="bad", address="r.docx")
    (run.root / "r.docx").write_bytes(b"x")
    campaign = Campaign(root=run.root, id="c", title="C", sources=(bad, good))
    snapshots, findings = pull(campaign, run.root / "store", now=lambda: NOW, environ={})
    assert [(s.source, s.table is None) for s in snapshots] == [("bad", True), ("good", False)]
    assert [f.kind for f in findings] == ["source-unread"]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=-5), "less than a minute"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(hours=5, minutes=59), "5 hours"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_ages(span: timedelta, text: str) -> None:
    assert age(span) == text


def test_interrupted_write_leaves_the_old_note(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    before = (run.root / "store" / "rec" / "last.json").read_text()

    def killed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert (run.root / "store" / "rec" / "last.json").read_text() == before
    assert not list((run.root / "store").rglob("*.part"))


_text = st.text(st.characters(codec=None), max_size=8)
_values = st.one_of(
    st.none(), _text, st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.datetimes().map(lambda d: d.replace(fold=0)), st.dates(),
    st.datetimes(timezones=st.just(UTC)).map(lambda d: d.replace(fold=0)),
)  # fmt: skip
_cells = st.builds(Cell, _values, st.text(string.ascii_uppercase + string.digits, max_size=5), _text)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = tuple(draw(st.lists(_text, unique=True, max_size=4)))
    count = draw(st.integers(0, 4))
    row = st.dictionaries(st.sampled_from(columns), _cells) if columns else st.just({})
    numbers = draw(st.lists(st.integers(1, 2**20), min_size=count, max_size=count))
    return Table(columns, tuple(draw(row) for _ in range(count)), tuple(numbers), draw(_text))


def _plain(table: Table) -> object:
    """A table with types made visible, so that 1, 1.0 and True differ and nan equals itself."""
    rows = [
        {c: (type(v.value).__name__, repr(v.value), v.address, v.note) for c, v in r.items()}
        for r in table.rows
    ]
    return table.columns, rows, table.row_numbers, table.sheet


@settings(max_examples=150)
@given(tables())
def test_any_table_survives_a_snapshot(table: Table) -> None:
    assert _plain(decode_table(json.loads(json.dumps(encode_table(table))))) == _plain(table)


def test_a_kept_reading_is_found_again_from_disk(tmp_path: Path) -> None:
    cell = Cell(math.nan, "A2", "note \ud800 <script>")
    table = Table(("a",), ({"a": cell},), (2,), "S")
    found = Finding("bad-cell", "what", "where", "todo")
    folder = SnapshotFolder(tmp_path / "x")
    kept = folder.keep("x", {"address": "a"}, Reading(table, (found,), "rev"), NOW)
    again, damaged = folder.newest()
    assert damaged == []
    assert again is not None
    assert _plain(again.reading.table) == _plain(table)
    assert (again.reading.findings, again.reading.revision, again.digest) == ((found,), "rev", kept.digest)
    with pytest.raises(Damaged):
        _load(tmp_path / "nothing.json")
