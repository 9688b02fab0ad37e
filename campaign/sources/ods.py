"""OpenDocument spreadsheets, read from their XML.

The libraries at hand give values only; merged areas, formulas, error values, hidden rows and annotations,
which a record must keep apart, stand in ``content.xml``. Element and attribute names are those of
OpenDocument 1.3 part 3, chapters 9 and 19; LibreOffice marks errors in its own 'calcext' namespace.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import date, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from zipfile import BadZipFile

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

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
TABLE, OFFICE, TEXT = f"{{{_NS}table:1.0}}", f"{{{_NS}office:1.0}}", f"{{{_NS}text:1.0}}"
CALCEXT = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_NUMBERS = ("float", "percentage", "currency")
_ROW_GROUPS = (f"{TABLE}table-row-group", f"{TABLE}table-header-rows", f"{TABLE}table-rows")


def read_ods(data: bytes, *, sheet: str = "") -> Grid:
    """The cells of a worksheet of an OpenDocument file's bytes; of the first when ``sheet`` is ''.

    Raises SourceError when the file is damaged, encrypted or has no such sheet.
    """
    tables = list(_content(data).iter(f"{TABLE}table"))
    names = [t.get(f"{TABLE}name", "") for t in tables]
    name = chosen(names, sheet)
    cells: dict[int, dict[int, Cell]] = {}
    merges: list[tuple[int, int, int, int]] = []
    hidden: set[int] = set()
    count = 0
    for number, repeat, row in _rows(tables[names.index(name)]):
        found = list(_row_cells(row))
        if row.get(f"{TABLE}visibility", "visible") != "visible" and found:
            hidden.update(range(number, number + repeat))
        count += repeat * len(found)
        if count > MAX_CELLS:
            raise SourceError(f"more than {MAX_CELLS} cells: this is no test record")
        for n in range(number, number + repeat) if found else ():
            cells[n] = {c: made for c, element in found if (made := _cell(n, c, element)) is not None}
            merges += [m for c, element in found if (m := _merge(n, c, element)) is not None]
    return Grid(name, {n: row for n, row in cells.items() if row}, tuple(merges), frozenset(hidden))


def _content(data: bytes) -> Element:
    with opened(data, "content.xml") as packed:
        try:
            raw = packed.read("content.xml")
        except (BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
            raise SourceError("the file is damaged, half written or encrypted") from None
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise SourceError("the file declares entities, which no spreadsheet program writes; it was not read")
    try:
        return ElementTree.fromstring(raw)
    except ElementTree.ParseError:
        raise SourceError("the file is damaged or encrypted: its content is not XML") from None


def _repeat(element: Element, what: str) -> int:
    text = element.get(f"{TABLE}number-{what}-repeated", "1")
    return int(text) if text.isdigit() and len(text) < 9 else 1


def _rows(table: Element) -> Iterator[tuple[int, int, Element]]:
    """(first row number, how often repeated, row element), rows in groups included."""

    def elements(parent: Element) -> Iterator[Element]:
        for child in parent:
            if child.tag == f"{TABLE}table-row":
                yield child
            elif child.tag in _ROW_GROUPS:
                yield from elements(child)

    number = 1
    for row in elements(table):
        repeat = _repeat(row, "rows")
        yield number, repeat, row
        number += repeat


def _row_cells(row: Element) -> Iterator[tuple[int, Element]]:
    """(column number, cell element) of the cells that hold something. Covered cells of a merge do not count."""
    column = 1
    for element in row:
        repeat = _repeat(element, "columns")
        if element.tag == f"{TABLE}table-cell" and (len(element) or _says(element)):
            if repeat > MAX_CELLS:
                raise SourceError(f"more than {MAX_CELLS} cells: this is no test record")
            yield from ((column + i, element) for i in range(repeat))
        column += repeat


def _says(element: Element) -> bool:
    return element.get(f"{OFFICE}value-type") is not None or element.get(f"{TABLE}formula") is not None


def _merge(row: int, column: int, element: Element) -> tuple[int, int, int, int] | None:
    down = element.get(f"{TABLE}number-rows-spanned", "1")
    right = element.get(f"{TABLE}number-columns-spanned", "1")
    if not (down.isdigit() and right.isdigit()) or (down, right) == ("1", "1"):
        return None
    return row, column, row + int(down[:8]) - 1, column + int(right[:8]) - 1


def _cell(row: int, column: int, element: Element) -> Cell | None:
    shown = "\n".join(_text(p) for p in element.findall(f"{TEXT}p"))
    formula = element.get(f"{TABLE}formula") is not None
    notes = [FORMULA] if formula else []
    annotation = element.find(f"{OFFICE}annotation")
    if annotation is not None:
        notes.append(remark("comment", " ".join(_text(p) for p in annotation.findall(f"{TEXT}p"))))
    kind = element.get(f"{OFFICE}value-type")
    if element.get(f"{CALCEXT}value-type") == "error" or (formula and is_error(shown)):
        return error_cell(row, column, shown or "of unknown kind", *notes)
    if formula and kind is None and not shown:
        return cell(row, column, None, NO_CACHED_VALUE, *notes[1:])
    value = _value(element, kind, shown)
    return None if value is None and not notes else cell(row, column, value, *notes)


def _value(element: Element, kind: str | None, shown: str) -> CellValue:
    """The typed value; what does not parse as its own type is kept as the text shown."""
    try:
        if kind in _NUMBERS:
            number = float(element.get(f"{OFFICE}value", ""))
            return int(number) if number.is_integer() and abs(number) < 1e15 else number
        if kind == "date":
            text = element.get(f"{OFFICE}date-value", "")
            return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    except ValueError:
        return shown or None
    if kind == "boolean":
        return element.get(f"{OFFICE}boolean-value") == "true"
    return shown or element.get(f"{OFFICE}string-value") or None


def _text(paragraph: Element) -> str:
    """A paragraph's text; runs of spaces, tabs and line breaks are elements of their own."""
    out = paragraph.text or ""
    for child in paragraph:
        if child.tag == f"{TEXT}s":
            count = child.get(f"{TEXT}c", "1")
            out += " " * min(int(count) if count.isdigit() else 1, 1000)
        elif child.tag == f"{TEXT}tab":
            out += "\t"
        elif child.tag == f"{TEXT}line-break":
            out += "\n"
        elif child.tag != f"{OFFICE}annotation":
            out += _text(child)
        out += child.tail or ""
    return out
