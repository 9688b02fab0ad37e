"""Excel workbooks: values as they were stored, formulas by their stored results, nothing evaluated."""

from __future__ import annotations

import io
import warnings
from datetime import date, datetime, time, timedelta
from typing import Any

from campaign.record import Cell, CellValue
from campaign.sources.grid import (
    FORMULA,
    MAX_CELLS,
    NO_CACHED_VALUE,
    Grid,
    SourceError,
    cell,
    error_cell,
    is_error,
    remark,
)
from campaign.sources.packed import chosen, opened


def read_xlsx(data: bytes, *, sheet: str = "") -> Grid:
    """The cells of a worksheet of a workbook's bytes; of the first when ``sheet`` is ''.

    The workbook is read twice when it holds formulas: once for which cells are formulas, once for their
    stored results. Raises SourceError when the file is damaged or has no such sheet.
    """
    opened(data, "xl/workbook.xml").close()
    book = _book(data, values=False)
    name = chosen([s.title for s in book.worksheets], sheet)
    written = book[name]
    # the public iterators create every cell up to the last row, a million of them in a carelessly formatted
    # sheet; the dictionary behind them holds the cells that are there
    there: dict[tuple[int, int], Any] = written._cells
    if len(there) > MAX_CELLS:
        raise SourceError(f"more than {MAX_CELLS} cells: this is no test record")
    formulas = {place for place, found in there.items() if found.data_type == "f"}
    stored = _book(data, values=True)[name]._cells if formulas else there
    cells: dict[int, dict[int, Cell]] = {}
    for (row, column), found in sorted(there.items()):
        made = _cell(row, column, found, stored.get((row, column)), (row, column) in formulas)
        if made is not None:
            cells.setdefault(row, {})[column] = made
    merges = tuple((m.min_row, m.min_col, m.max_row, m.max_col) for m in written.merged_cells.ranges)
    hidden = frozenset(n for n, row in written.row_dimensions.items() if row.hidden)
    return Grid(name, cells, tuple(sorted(merges)), hidden)


def _book(data: bytes, *, values: bool) -> Any:
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # openpyxl warns of styles and extensions that no reader here needs
            return load_workbook(io.BytesIO(data), data_only=values, keep_links=False)
    except Exception as error:
        # a damaged workbook fails in openpyxl with whatever its parts raise: KeyError, zlib.error, ParseError …
        raise SourceError(
            f"the workbook is damaged ({type(error).__name__}): it may be half written"
        ) from None


def _cell(row: int, column: int, written: Any, stored: Any, formula: bool) -> Cell | None:
    comment = getattr(written, "comment", None)
    notes = [remark("comment", comment.text)] if comment is not None else []
    value = getattr(stored, "value", None)
    kind = getattr(stored, "data_type", "n")
    if formula:
        if value is None and kind == "n":
            # a result that is an empty text is stored as text ('str'); a number that is absent was never stored
            return cell(row, column, None, NO_CACHED_VALUE, *notes)
        notes.insert(0, FORMULA)
    if kind == "e" or (formula and isinstance(value, str) and is_error(value)):
        return error_cell(row, column, str(value), *notes)
    if value is None and not notes:
        return None
    return cell(row, column, _plain(value), *notes)


def _plain(value: object) -> CellValue:
    """A cell's value as one of the kinds that a record knows; times of day and durations become text."""
    if isinstance(value, str | bool | int | float | datetime | date) or value is None:
        return value
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
