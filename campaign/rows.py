"""Rows of the record become tests: each field read by rules that are stated, and nothing guessed unsaid.

A cell that cannot be read costs its own field: the test is kept, and the cell's text goes with its comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from campaign.findings import Finding
from campaign.model import Campaign, Source
from campaign.record import Cell, Snapshot, Table, Test
from campaign.sources.columns import Columns, columns_of
from campaign.sources.conflicts import numbered, overlaps
from campaign.sources.fields import RowReader, TestRow
from campaign.sources.grid import is_empty, listed
from campaign.sources.notes import TableNotes
from campaign.sources.sessions import heading_of, sessions_of
from campaign.sources.values import unit_of


def read_tests(campaign: Campaign, snapshots: Sequence[Snapshot]) -> tuple[list[Test], list[Finding]]:
    """The tests of all sources of kind 'tests', in the order of the sources and of their rows.

    Names are unique within a block (the second PTC01 is PTC01.2). Rows whose block the campaign does not know
    are reported and left out. Nothing is raised for what stands in a cell.
    """
    pulled = {s.source: s for s in snapshots}
    rows: list[TestRow] = []
    notes: list[TableNotes] = []
    for source in campaign.sources:
        snapshot = pulled.get(source.id)
        if source.kind == "tests" and snapshot is not None and snapshot.table is not None:
            reader = _TableReader(campaign, source, snapshot)
            rows += reader.rows(snapshot.table)
            notes.append(reader.notes)
    # names are made unique before the fields are read, so that findings on a field name the right test
    rows, duplicates = numbered(rows)
    tests = [RowReader(row).test() for row in rows]
    return tests, [*(f for n in notes for f in n.findings()), *duplicates, *overlaps(tests)]


class _TableReader:
    """Reads the rows of one source's table."""

    def __init__(self, campaign: Campaign, source: Source, snapshot: Snapshot) -> None:
        self.campaign, self.source = campaign, source
        self.notes = TableNotes(campaign, source, snapshot)
        self.columns = Columns({})
        self._blocks = {b.id.casefold(): b.id for b in campaign.blocks}

    def rows(self, table: Table) -> list[TestRow]:
        """The rows of the table that are tests. Without a column of test names there are none, and that is said."""
        self.columns, found = columns_of(self.source, table)
        self.notes.extend(found)
        if "test" not in self.columns.by_field:
            self._no_names(table)
            return []
        self._check_unit()
        headings = [heading_of(row, self.columns) for row in table.rows]
        written = [
            "" if heading is not None else self.source.block or self.columns.text(row, "block")
            for row, heading in zip(table.rows, headings, strict=True)
        ]
        sessions, found = sessions_of(table, self.columns, headings, written, self.notes.place)
        self.notes.extend(found)
        rows = zip(table.rows, table.row_numbers, written, sessions, headings, strict=True)
        read = (
            self._row(row, number, block, session)
            for row, number, block, session, heading in rows
            if heading is None
        )
        return [row for row in read if row is not None]

    def _no_names(self, table: Table) -> None:
        if "test" in self.source.columns:
            return  # that the column which should hold them is not there was said already
        what = f"Source {self.source.id!r} has no column of test names, so no row of it is a test"
        todo = f"Say which it is: columns = {{ test = … }}; there are: {', '.join(table.columns)}"
        self.notes.add("table-shape", what, None, todo)

    def _check_unit(self) -> None:
        column = self.columns.by_field.get("exptime", "")
        if unit_of(column) is None:
            what = f"The unit of column {column!r} is not known: s, ms, min or h; its values are not used"
            self.notes.add("bad-value", what, None, "Write the unit as [s]")

    def _row(self, row: Mapping[str, Cell], number: int, written: str, session: str) -> TestRow | None:
        name = " ".join(self.columns.text(row, "test").split())
        if not name:
            self._nameless(row, number)
            return None
        block = self._blocks.get(written.casefold())
        if block is None:
            self.notes.unknown_block(written, name, number)
            return None
        self._check_detectors(row)
        return TestRow(self.columns, self.notes, row, self.source.id, number, block, name, session)

    def _nameless(self, row: Mapping[str, Cell], number: int) -> None:
        passed = {c.address for f in ("session", "block") if (c := self.columns.cell(row, f))}
        held = [c.text or c.note for c in row.values() if not is_empty(c) and c.address not in passed]
        if held:
            what = f"Row {number} names no test but holds data: {listed((t[:60] for t in held), 4)}"
            self.notes.add("table-shape", what, number, "Write the test's name, or empty the row")

    def _check_detectors(self, row: Mapping[str, Cell]) -> None:
        cell = self.columns.cell(row, "detector")
        if cell is None or not self.campaign.detectors:
            return
        for name in re.split(r"[,;\s]+", cell.text):
            if name and self.campaign.detector(name) is None:
                self.notes.unknown_detector(name, cell)
