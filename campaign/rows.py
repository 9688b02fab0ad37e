"""Rows of the record become tests: each field read by rules that are stated, and nothing guessed unsaid.

A cell that cannot be read costs its own field: the test is kept, and the cell's text goes with its comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from datetime import datetime
from difflib import get_close_matches
from pathlib import PurePosixPath, PureWindowsPath

from campaign.findings import Finding
from campaign.model import Campaign, Source
from campaign.record import Cell, Snapshot, Table, Test
from campaign.sources.columns import Columns, columns_of
from campaign.sources.conflicts import numbered, overlaps
from campaign.sources.grid import is_empty, listed
from campaign.sources.ranges import Range, parse_ranges, range_problem
from campaign.sources.sessions import heading_of, sessions_of
from campaign.sources.values import Unreadable, read_count, read_day, read_number, unit_of

_DAY_FOLDER = re.compile(r"[0-9]{1,2}_[A-Za-z]{3,9}_(?:[0-9]{2}|[0-9]{4})")


def read_tests(campaign: Campaign, snapshots: Sequence[Snapshot]) -> tuple[list[Test], list[Finding]]:
    """The tests of all sources of kind 'tests', in the order of the sources and of their rows.

    Names are unique within a block (the second PTC01 is PTC01.2). Rows whose block the campaign does not know
    are reported and left out. Nothing is raised for what stands in a cell.
    """
    pulled = {s.source: s for s in snapshots}
    tests: list[Test] = []
    findings: list[Finding] = []
    for source in campaign.sources:
        snapshot = pulled.get(source.id)
        if source.kind != "tests" or snapshot is None or snapshot.table is None:
            continue
        reader = _SourceReader(campaign, source, snapshot.table)
        tests += reader.tests()
        findings += reader.findings
    tests, duplicates = numbered(tests)
    return tests, [*findings, *duplicates, *overlaps(tests)]


class _SourceReader:
    """Reads the rows of one source; gathers what it finds wrong."""

    def __init__(self, campaign: Campaign, source: Source, table: Table) -> None:
        self.campaign, self.source, self.table = campaign, source, table
        self.place = f"{source.address}, sheet {table.sheet!r}" if table.sheet else source.address
        self.columns, self.findings = columns_of(source, table)
        self._rules: dict[str, list[str]] = {}
        self._unknown: dict[str, list[str]] = {}
        self._blocks = {b.id.casefold(): b.id for b in campaign.blocks}
        self.unit = self._exptime_unit()

    def tests(self) -> list[Test]:
        """The tests of the source. Without a column of test names there are none, and that is said."""
        if "test" not in self.columns.by_field:
            if "test" not in self.source.columns:
                what = f"Source {self.source.id!r} has no column of test names, so no row of it is a test"
                todo = (
                    f"Say which it is: columns = {{ test = … }}; there are: {', '.join(self.table.columns)}"
                )
                self.findings.append(
                    Finding("table-shape", what, self.place, todo, self.source.block or None)
                )
            return []
        written = [self.source.block or self.columns.text(row, "block") for row in self.table.rows]
        sessions, found = sessions_of(self.table, self.columns, written, self.place)
        self.findings += found
        out: list[Test] = []
        rows = zip(self.table.rows, self.table.row_numbers, written, sessions, strict=True)
        for row, number, block, session in rows:
            if heading_of(row, self.columns) is None and (test := self._row(row, number, block, session)):
                out.append(test)
        self._summarise()
        return out

    def _row(self, row: Mapping[str, Cell], number: int, written: str, session: str) -> Test | None:
        name = " ".join(self.columns.text(row, "test").split())
        if not name:
            self._nameless(row, number)
            return None
        block = self._block(written, row, number, name)
        if block is None:
            return None
        return _RowReader(self, row, block, name).test(number, session)

    def _nameless(self, row: Mapping[str, Cell], number: int) -> None:
        passed = {c.address for f in ("session", "block") if (c := self.columns.cell(row, f))}
        held = [c.text or c.note for c in row.values() if not is_empty(c) and c.address not in passed]
        if held:
            what = f"Row {number} names no test but holds data: {listed((t[:60] for t in held), 4)}"
            todo = "Write the test's name, or empty the row"
            where = f"{self.place}, row {number}"
            self.findings.append(Finding("table-shape", what, where, todo, self.source.block or None))

    def _block(self, written: str, row: Mapping[str, Cell], number: int, name: str) -> str | None:
        known = self._blocks.get(written.casefold())
        if known is not None:
            return known
        cell = self.columns.cell(row, "block")
        where = (
            f"{self.place}, {cell.address}"
            if cell and not self.source.block
            else f"{self.place}, row {number}"
        )
        if not written:
            what = f"The row of test {name} names no block; it is left out"
            todo = "Write the block into the row, or name it in the source"
        else:
            near = get_close_matches(written, list(self._blocks.values()), 1)
            what = f"Block {written!r} of test {name} is not in the campaign; the row is left out"
            todo = f"Did you mean {near[0]!r}?" if near else f"Correct the name, or add blocks/{written}.md"
        self.findings.append(Finding("unknown-name", what, where, todo))
        return None

    def _exptime_unit(self) -> float | None:
        column = self.columns.by_field.get("exptime", "")
        unit = unit_of(column)
        if unit is None:
            what = f"The unit of column {column!r} is not known: s, ms, min or h; its values are not used"
            self.findings.append(Finding("bad-value", what, self.place, "Write the unit as [s]"))
        return unit

    def rule(self, rule: str, cell: Cell) -> None:
        """Note that a cell was read by a rule that has to be stated."""
        self._rules.setdefault(rule, []).append(f"{cell.address} {cell.text!r}")

    def unknown_detector(self, name: str, cell: Cell) -> None:
        """Note a detector that the campaign does not have."""
        self._unknown.setdefault(name, []).append(cell.address)

    def _summarise(self) -> None:
        block = self.source.block or None
        for rule, cells in self._rules.items():
            todo = "Write dates as 2019-03-11 if this is not what they mean"
            what = f"Dates: {rule} ({listed(cells, 3)})"
            self.findings.append(Finding("interpreted", what, self.place, todo, block))
        for name, places in self._unknown.items():
            what = f"Detector {name!r} is not in the campaign: {listed(places)}"
            near = get_close_matches(name, [d.name for d in self.campaign.detectors], 1)
            todo = f"Did you mean {near[0]!r}?" if near else "Correct the name, or add it to campaign.toml"
            self.findings.append(Finding("unknown-name", what, self.place, todo, block))


class _RowReader:
    """Reads the fields of one row of a test."""

    def __init__(self, reader: _SourceReader, row: Mapping[str, Cell], block: str, name: str) -> None:
        self.reader, self.row, self.block, self.name = reader, row, block, name
        self.columns: Columns = reader.columns
        self.unread: list[str] = []

    def test(self, number: int, session: str) -> Test:
        """The test of the row."""
        exposures, folder = self._exposures(), self._folder()
        frames, exptime, day = self._frames(), self._exptime(), self._date(folder)
        self._detectors()
        procedures = re.split(r"[,;\n]", self.columns.text(self.row, "procedure"))
        comments = [self.columns.text(self.row, "comments"), *self.unread]
        return Test(
            self.block,
            self.name,
            session,
            exposures,
            frames,
            exptime,
            folder,
            self.columns.text(self.row, "status"),
            "; ".join(c for c in comments if c),
            day,
            tuple(p.strip() for p in procedures if p.strip()),
            self.reader.source.id,
            number,
            self.row,
        )

    def _find(self, kind: str, what: str, cell: Cell | None, todo: str) -> None:
        where = f"{self.reader.place}, {cell.address}" if cell else self.reader.place
        self.reader.findings.append(Finding(kind, what, where, todo, self.block, self.name))

    def _cell(self, field: str) -> Cell | None:
        """The cell of a field where it holds a value."""
        found = self.columns.cell(self.row, field)
        return found if found is not None and found.text else None

    def _unusable(self, field: str, cell: Cell, why: Unreadable) -> None:
        self.unread.append(f"{field}: {cell.text}")
        what = f"{field} of {self.name}: {cell.text[:80]!r} {why}; the text is kept with the comments"
        self._find("bad-cell", what, cell, "Write the bare value, and remarks in the comments")

    def _frames(self) -> int | None:
        cell = self._cell("frames")
        try:
            return read_count(cell.value) if cell else None
        except Unreadable as why:
            assert cell is not None
            self._unusable("frames", cell, why)
            return None

    def _exptime(self) -> float | None:
        cell, unit = self._cell("exptime"), self.reader.unit
        if cell is None or unit is None:
            return None
        try:
            value = read_number(cell.value, unit=unit, units=True)
            if value < 0:
                raise Unreadable("is negative")
            return value
        except Unreadable as why:
            self._unusable("exptime", cell, why)
            return None

    def _folder(self) -> str:
        cell = self._cell("folder")
        if cell is None:
            return ""
        if ".." in PurePosixPath(cell.text).parts or ".." in PureWindowsPath(cell.text).parts:
            what = f"The folder of {self.name} has '..' in it and is not used: {cell.text[:80]!r}"
            self._find("unsafe-path", what, cell, "Write the folder as it is called under the data directory")
            return ""
        return cell.text

    def _date(self, folder: str) -> Date | None:
        """The day of the test; without one of its own, that of its day folder."""
        dated, day = self._cell("date"), None
        if dated is not None:
            day = self._day(dated, dated)
        place = self._cell("folder")
        name = folder.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        if place is None or not _DAY_FOLDER.fullmatch(name):
            return day
        of_folder = self._day(Cell(name, place.address), place)
        if day is not None and of_folder is not None and abs((day - of_folder).days) > 1:
            what = f"{self.name} is dated {day} but its folder {name!r} is of {of_folder}"
            self._find("contradiction", what, dated, "Correct the date or the folder")
        return day or of_folder

    def _day(self, cell: Cell, place: Cell) -> Date | None:
        try:
            day = read_day(cell.value)
        except Unreadable as why:
            self._unusable("date", cell, why)
            return None
        if day.rule:
            self.reader.rule(day.rule, place)
        return day.date

    def _detectors(self) -> None:
        cell = self._cell("detector")
        for name in re.split(r"[,;\s]+", cell.text) if cell and self.reader.campaign.detectors else ():
            if name and cell and self.reader.campaign.detector(name) is None:
                self.reader.unknown_detector(name, cell)

    def _exposures(self) -> tuple[Range, ...]:
        listed_in, first, last = self._cell("exposures"), self._cell("first"), self._cell("last")
        ranges = self._written(listed_in) if listed_in else ()
        if first is None and last is None:
            return ranges
        ends = self._ends(first, last)
        if not listed_in:
            return ends
        if ends and ranges and ends != ((ranges[0][0], ranges[-1][1]),):
            what = f"{self.name}: the range {listed_in.text!r} and the first and last exposure disagree"
            self._find("contradiction", what, listed_in, "Correct one of them; the range is used")
        return ranges

    def _written(self, cell: Cell) -> tuple[Range, ...]:
        if isinstance(cell.value, datetime | Date):
            what = f"The exposures of {self.name} are a date: the spreadsheet took a range for one"
            self._find("bad-range", what, cell, "Format the cell as text and write the range again")
            return ()
        ranges, wrong = parse_ranges(cell.text)
        for problem in wrong:
            kind = "overlap" if problem.endswith("count once") else "bad-range"
            self._find(kind, f"Exposures of {self.name}: {problem}", cell, "Correct the range")
        return ranges

    def _ends(self, first: Cell | None, last: Cell | None) -> tuple[Range, ...]:
        """The range between two columns' numbers; a range written into the first of them alone is taken as well."""
        if first is not None and last is None and not re.fullmatch(r"[0-9]+", first.text):
            return self._written(first)
        try:
            if first is None or last is None:
                raise Unreadable("one of the first and the last exposure is missing")
            ends = read_count(first.value), read_count(last.value)
            if problem := range_problem(*ends):
                raise Unreadable(problem)
            return (ends,)
        except Unreadable as why:
            texts = f"{first.text if first else ''}–{last.text if last else ''}"
            what = f"Exposures of {self.name}: {texts[:80]!r}: {why}; the range is not used"
            self._find("bad-range", what, first or last, "Write the first and the last exposure number")
            return ()
