"""The fields of one row of the record: each read by rules that are stated, and nothing guessed unsaid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath

from campaign.frozen import dataclass
from campaign.record import Cell, Test
from campaign.sources.columns import Columns
from campaign.sources.notes import TableNotes
from campaign.sources.ranges import Range, parse_ranges, range_problem
from campaign.sources.values import Unreadable, read_count, read_day, read_number, unit_of

_DAY_FOLDER = re.compile(r"[0-9]{1,2}_[A-Za-z]{3,9}_(?:[0-9]{2}|[0-9]{4})")


@dataclass(frozen=True)
class TestRow:
    """A row that is a test: where it stands, and what is known of it before its other fields are read."""

    __test__ = False

    columns: Columns
    notes: TableNotes
    cells: Mapping[str, Cell]
    source: str
    number: int
    block: str
    name: str
    session: str

    @property
    def key(self) -> str:
        """block/name."""
        return f"{self.block}/{self.name}"

    @property
    def place(self) -> str:
        """Where the row stands."""
        return f"{self.notes.place}, row {self.number}"


class RowReader:
    """Reads the fields of one row. What cannot be read is noted, and its text goes with the comments."""

    def __init__(self, row: TestRow) -> None:
        self.at, self.columns, self.row = row, row.columns, row.cells
        self.block, self.name = row.block, row.name
        self.unread: list[str] = []

    def test(self) -> Test:
        """The test of the row."""
        exposures, folder = self._exposures(), self._folder()
        frames, exptime, day = self._frames(), self._exptime(), self._date(folder)
        procedures = re.split(r"[,;\n]", self.columns.text(self.row, "procedure"))
        comments = [self.columns.text(self.row, "comments"), *self.unread]
        return Test(
            block=self.block,
            name=self.name,
            session=self.at.session,
            exposures=exposures,
            frames=frames,
            exptime=exptime,
            folder=folder,
            status=self.columns.text(self.row, "status"),
            comments="; ".join(c for c in comments if c),
            date=day,
            procedures=tuple(p.strip() for p in procedures if p.strip()),
            source=self.at.source,
            table=self.at.notes.place,
            row=self.at.number,
            cells=self.row,
        )

    def _find(self, kind: str, what: str, cell: Cell | None, todo: str) -> None:
        self.at.notes.add(kind, what, cell, todo, self.block, self.name)

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
        cell, unit = self._cell("exptime"), unit_of(self.columns.by_field.get("exptime", ""))
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
            self.at.notes.rule(day.rule, place)
        return day.date

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
