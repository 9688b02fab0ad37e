"""The records as they were read: every source a table, every row with its number, every cell with its column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Crumb, Page
from builder.report import TestReport
from campaign.frozen import dataclass
from campaign.record import Cell, Snapshot, Table


@dataclass(frozen=True)
class RecordRow:
    """A row of a table, and the test that it describes (address and name)."""

    number: int
    cells: Mapping[str, Cell]
    test: str = ""
    test_name: str = ""


def numbered(table: Table) -> list[RecordRow]:
    """The rows of a table with the spreadsheet's numbers."""
    return [RecordRow(n, cells) for n, cells in zip(table.row_numbers, table.rows, strict=True)]


def lettered(table: Table) -> list[tuple[str, str]]:
    """The columns of a table with the spreadsheet's letters ('' where no cell tells)."""
    letters: dict[str, str] = {}
    for row in table.rows:
        for name, cell in row.items():
            letters.setdefault(name, cell.address.rstrip("0123456789"))
    return [(name, letters.get(name, "")) for name in table.columns]


def _rows(snapshot: Snapshot, tests: Mapping[int, TestReport]) -> Iterable[RecordRow]:
    for row in numbered(snapshot.table) if snapshot.table else []:
        test = tests.get(row.number)
        if test:
            page = a.test_page(test.block.id, test.test.name)
            yield RecordRow(row.number, row.cells, page, test.test.name)
        else:
            yield row


def record_page(book: Book, snapshot: Snapshot) -> Page:
    """The page of a record source."""
    tests = {t.test.row: t for t in book.of_source.get(snapshot.source, ())}
    rows = [*_rows(snapshot, tests)]
    path = a.record_page(snapshot.source)
    context = {
        "book": book, "s": snapshot, "declared": book.sources.get(snapshot.source), "rows": rows, "lettered": lettered,
    }  # fmt: skip
    return Page(
        path,
        f"Record {snapshot.source}",
        render("record.html.j2", path, context, book.absent),
        "record",
        (Crumb("Home", a.HOME),),
        (),
        f"{snapshot.source} {snapshot.address}",
    )
