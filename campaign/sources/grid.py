"""A worksheet as it was read, and how it becomes a table with column names.

Every reader (CSV, xlsx, ods, Google Sheets) hands over a ``Grid``: the cells that hold something, by row and
column, each with its value, its address and a note on how it was read. What all of them need is done here,
once: column names, blank rows, error values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.record import Cell, CellValue, Table

ERROR_VALUE = "error value"
NO_CACHED_VALUE = "formula without a stored result"
FORMULA = "formula"
MERGED = "merged"
MERGED_FROM = "merged from "
HIDDEN = "hidden row"

MAX_BYTES = 200_000_000
"""Largest file, or content of a packed file, that is read [bytes]."""
MAX_CELLS = 1_000_000
"""Most cells that a record sheet may have."""

_ERRORS = re.compile(
    r"(#(REF|VALUE|NAME|NUM|NULL|N/A|DIV/0|ERROR|SPILL|CALC|FIELD|GETTING_DATA)[!?]?|Err:[0-9]{3})"
)
_LISTED = 8


class SourceError(Exception):
    """A source could not be read. The message is plain text, safe to show; it never holds a secret.

    ``kind`` names a further kind of finding to report, for an address that is refused.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Grid:
    """The cells of one worksheet by row and column number, both counted from one as spreadsheets do.

    ``merges`` are merged areas (first row, first column, last row, last column); ``hidden`` are hidden rows;
    ``findings`` are what the reader itself has to say.
    """

    sheet: str
    cells: Mapping[int, Mapping[int, Cell]]
    merges: tuple[tuple[int, int, int, int], ...] = ()
    hidden: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = field(default=())


def letters(column: int) -> str:
    """The letters of a column number: 1 is A, 27 is AA."""
    out = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        out = chr(65 + rest) + out
    return out


def address(row: int, column: int) -> str:
    """A cell's place as spreadsheets name it: row 7 of column 2 is B7."""
    return f"{letters(column)}{row}"


def cell(row: int, column: int, value: CellValue, *notes: str) -> Cell:
    """A cell at a place, with what was done to read it."""
    return Cell(value, address(row, column), "; ".join(n for n in notes if n))


def error_cell(row: int, column: int, error: str, *notes: str) -> Cell:
    """The cell of an error value: no value, and the error's text in the note."""
    return cell(row, column, None, f"{ERROR_VALUE} {error}", *notes)


def remark(kind: str, text: str) -> str:
    """A note that quotes a text, on one line and without the mark that parts notes: 'comment: …'."""
    return f"{kind}: {' '.join(text.split())[:500].replace(';', ',')}"


def is_error(text: str) -> bool:
    """Whether a text is what a spreadsheet shows for an error, such as #REF! or Err:502."""
    return _ERRORS.fullmatch(text.strip()) is not None


def has_note(found: Cell, note: str) -> bool:
    """Whether one of a cell's notes begins so."""
    return found.note != "" and any(part.startswith(note) for part in found.note.split("; "))


def is_repeat(found: Cell) -> bool:
    """Whether a cell's value is only repeated from the first cell of a merged area."""
    return has_note(found, MERGED_FROM)


def is_empty(found: Cell) -> bool:
    """Whether a cell says nothing of its own: no value and no error, or a value repeated over a merge."""
    return is_repeat(found) or (
        not found.text and not has_note(found, ERROR_VALUE) and not has_note(found, NO_CACHED_VALUE)
    )


def filled(grid: Grid) -> dict[int, dict[int, Cell]]:
    """The cells with each merged area's value repeated over it. Rows beyond the sheet's last cell stay out."""
    out = {row: dict(cells) for row, cells in grid.cells.items()}
    last_row = max(out, default=0)
    last_column = max((max(cells, default=0) for cells in out.values()), default=0)
    for top, left, bottom, right in grid.merges:
        first = out.get(top, {}).get(left)
        if first is None:
            continue
        out[top][left] = replace(first, note="; ".join(n for n in (first.note, MERGED) if n))
        for row in range(top, min(bottom, last_row) + 1):
            for column in range(left, min(right, max(last_column, left)) + 1):
                if (row, column) != (top, left):
                    note = MERGED_FROM + first.address
                    out.setdefault(row, {})[column] = cell(row, column, first.value, note)
    return out


def to_table(grid: Grid, header_row: int, place: str) -> tuple[Table, list[Finding]]:
    """The table under a header row, and what had to be interpreted.

    ``place`` names the source in findings. Blank rows are left out, row numbers are kept. Columns without a
    name that hold something are called after their letters; a name that occurs twice is numbered. Raises
    SourceError when the header row is not there: a sheet without it was read half, or is another sheet.
    """
    cells = filled(grid)
    place = f"{place}, sheet {grid.sheet!r}" if grid.sheet else place
    header = {c: v for c, v in cells.get(header_row, {}).items() if v.text}
    if not header:
        raise SourceError(f"row {header_row} holds no column names")
    body = {
        n: row
        for n, row in sorted(cells.items())
        if n > header_row and any(not is_empty(c) for c in row.values())
    }
    used = set(header) | {c for row in body.values() for c, v in row.items() if not is_empty(v)}
    names, findings = _column_names(header, sorted(used), header_row, place)
    findings += [
        *grid.findings,
        *_hidden(grid.hidden & frozenset(body), place),
        *_unusable(body, names, place),
    ]
    rows = tuple(
        {
            name: _marked(row.get(c) or Cell(None, address(n, c)), n in grid.hidden)
            for c, name in names.items()
        }
        for n, row in body.items()
    )
    return Table(tuple(names.values()), rows, tuple(body), grid.sheet), findings


def listed(items: Iterable[object], most: int = _LISTED) -> str:
    """A few items in words: 'B7, B9 and 3 more'."""
    texts = [str(i) for i in items]
    more = len(texts) - most
    return ", ".join(texts) if more <= 0 else f"{', '.join(texts[:most])} and {more} more"


def _marked(found: Cell, hidden: bool) -> Cell:
    return replace(found, note="; ".join(n for n in (found.note, HIDDEN) if n)) if hidden else found


def _column_names(
    header: Mapping[int, Cell], used: list[int], row: int, place: str
) -> tuple[dict[int, str], list[Finding]]:
    names: dict[int, str] = {}
    findings: list[Finding] = []
    literal = {" ".join(c.text.split()) for c in header.values()}
    for column in used:
        where = f"{place}, {address(row, column)}"
        given = " ".join(header[column].text.split()) if column in header else f"column {letters(column)}"
        name, number = given, 2
        while name in names.values() or (name != given and name in literal):
            name, number = f"{given} ({number})", number + 1
        names[column] = name
        if column not in header:
            what = f"Column {letters(column)} holds values but has no name; it is called {name!r}"
            findings.append(Finding("table-shape", what, where, f"Write a name into {address(row, column)}"))
        elif name != given:
            what = f"Two columns are called {given!r}; that in column {letters(column)} is called {name!r}"
            findings.append(Finding("table-shape", what, where, "Give each column a name of its own"))
    return names, findings


def _hidden(rows: frozenset[int], place: str) -> list[Finding]:
    if not rows:
        return []
    what = f"Hidden rows were read like all others: {listed(sorted(rows))}"
    return [Finding("table-shape", what, place, "Show the rows, or delete them if they no longer count")]


def _unusable(
    body: Mapping[int, Mapping[int, Cell]], names: Mapping[int, str], place: str
) -> Iterable[Finding]:
    """One finding for all cells of a column that lack a value for the same reason."""
    found: dict[tuple[int, str], list[str]] = {}
    for row in body.values():
        for column, each in sorted(row.items()):
            for note in each.note.split("; "):
                if note.startswith((ERROR_VALUE, NO_CACHED_VALUE)) and column in names:
                    found.setdefault((column, note), []).append(each.address)
    for (column, note), places in found.items():
        what = f"No usable value under {names[column]!r}, {note}: {listed(places)}"
        again = "Open the file in a spreadsheet program and save it, so that results are stored"
        todo = again if note.startswith(NO_CACHED_VALUE) else "Correct the formula or write the value"
        yield Finding("bad-cell", what, f"{place}, {places[0]}", todo)
