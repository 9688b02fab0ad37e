"""CSV and TSV files: encoding and delimiter found out, cells kept as the text that stands in them.

Nothing is evaluated: a cell that begins with '=' is text. Rows are numbered as a spreadsheet program would
number them on opening the file, so that a quoted line break does not shift the addresses below it.
"""

from __future__ import annotations

import csv
import io
from itertools import islice

from campaign.findings import Finding
from campaign.record import Cell
from campaign.sources.grid import MAX_CELLS, Grid, SourceError, cell, error_cell, is_error

DELIMITERS = (",", ";", "\t")
_SAMPLE = 50
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_delimited(data: bytes, *, name: str, header_row: int = 1, tabs: bool = False) -> Grid:
    """The cells of a CSV file's bytes; ``tabs`` for a file that says of itself that tabs separate it.

    ``name`` is the source's name in findings. Raises SourceError when it is no text, or is cut within quotes.
    """
    text, findings = _decoded(data, name)
    delimiter = "\t" if tabs else _delimiter(text, header_row)
    cells: dict[int, dict[int, Cell]] = {}
    count = 0
    for row, record in enumerate(_records(text, delimiter), start=1):
        found = {c: _cell(row, c, value) for c, value in enumerate(record, start=1) if value.strip()}
        if found:
            cells[row] = found
        count += len(found)
        if count > MAX_CELLS:
            raise SourceError(f"more than {MAX_CELLS} cells: this is no test record")
    return Grid("", cells, findings=findings)


def _cell(row: int, column: int, value: str) -> Cell:
    return error_cell(row, column, value.strip()) if is_error(value) else cell(row, column, value)


def _decoded(data: bytes, name: str) -> tuple[str, tuple[Finding, ...]]:
    encoding = next((e for mark, e in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text, findings = data.decode(encoding), ()
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise SourceError(f"the file begins like {encoding} text but is not: {error.reason}") from None
        what = "The file is not UTF-8; it was read as Windows-1252, so some letters may be wrong"
        found = Finding("interpreted", what, name, "Save the file as 'CSV UTF-8'")
        return _text(data.decode("cp1252", errors="replace")), (found,)
    return _text(text), findings


def _text(text: str) -> str:
    if "\0" in text:
        raise SourceError("the file holds NUL bytes: it is not a text table")
    return text


def _records(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        raise SourceError(f"line {reader.line_num}: {error}") from None


def _delimiter(text: str, header_row: int) -> str:
    """The delimiter that gives the header row most fields; among equals, the rows below most that agree."""

    def merit(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            records = list(islice(reader, header_row + _SAMPLE))
        except csv.Error:
            return 0, 0
        if len(records) < header_row:
            return 0, 0
        width = len(records[header_row - 1])
        return width, sum(len(r) == width for r in records[header_row:])

    return max(DELIMITERS, key=merit)
