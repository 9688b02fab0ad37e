"""Google Sheets: one worksheet of a spreadsheet as a grid.

A worksheet is read by one ``spreadsheets.get`` with grid data rather than by the values calls: one answer
is consistent in itself, and it alone tells a formula from a value, an error from a text that looks like one,
a date from a number, and which cells are merged. A first, small call finds the worksheet's name from its
number and is shared by all sources of the same spreadsheet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import gspread
import requests
from gspread.http_client import ParamsType

from campaign.model import SheetsSettings
from campaign.record import Cell, CellValue
from campaign.sources.addresses import SheetAddress
from campaign.sources.grid import FORMULA, MAX_CELLS, Grid, SourceError, cell, error_cell, remark
from campaign.sources.secrets import Secrets
from campaign.sources.sheets_access import api_base, authorisation, is_loopback
from campaign.sources.sheets_client import SheetsHTTPClient

_SHEETS = "sheets(properties(sheetId,title,index,sheetType,gridProperties(rowCount,columnCount)))"
_GRID = (
    "sheets(properties(sheetId,title,gridProperties(rowCount,columnCount)),merges,"
    "data(startRow,startColumn,rowMetadata(pixelSize,hiddenByUser,hiddenByFilter),rowData(values("
    "effectiveValue,formattedValue,userEnteredValue(formulaValue),effectiveFormat(numberFormat),note))))"
)
_ERRORS = {
    "ERROR": "#ERROR!",
    "NULL_VALUE": "#NULL!",
    "DIVIDE_BY_ZERO": "#DIV/0!",
    "VALUE": "#VALUE!",
    "REF": "#REF!",
    "NAME": "#NAME?",
    "NUM": "#NUM!",
    "N_A": "#N/A",
    "LOADING": "still being computed",
}
_EPOCH = datetime(1899, 12, 30)


class SheetsReader:
    """Reads worksheets for one pull: one session, one token, one list of worksheets per spreadsheet.

    Every SourceError that it raises is free of secrets.
    """

    def __init__(
        self,
        settings: SheetsSettings,
        root: Path,
        environ: Mapping[str, str],
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._settings, self._root, self._environ = settings, root, environ
        self._now, self._sleep = now, sleep
        self._secrets = Secrets()
        self._client: gspread.Client | None = None
        self._worksheets: dict[str, list[dict[str, Any]]] = {}

    def read(self, address: SheetAddress, sheet: str) -> Grid:
        """The grid of a worksheet: the one called ``sheet``, else the one addressed, else the first.

        Raises SourceError when it could not be read whole.
        """
        try:
            title = _title(self._list(address.key), sheet, address.gid)
            quoted = "'" + title.replace("'", "''") + "'"
            params: ParamsType = {"includeGridData": "true", "ranges": quoted, "fields": _GRID}
            answer = self._gspread().http_client.fetch_sheet_metadata(address.key, params)
            return _grid(answer, title)
        except SourceError as error:
            raise SourceError(self._secrets.redact(str(error)), error.kind) from None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise SourceError("the answer is not one of Google Sheets") from None

    def _list(self, key: str) -> list[dict[str, Any]]:
        if key not in self._worksheets:
            answer = self._gspread().http_client.fetch_sheet_metadata(key, {"fields": _SHEETS})
            found = [s["properties"] for s in answer["sheets"]]
            grids = [p for p in found if p.get("sheetType", "GRID") == "GRID"]
            self._worksheets[key] = sorted(grids, key=lambda p: p.get("index", 0))
        return self._worksheets[key]

    def _gspread(self) -> gspread.Client:
        """The client, made on first use: without a Google Sheet no credentials are asked for."""
        if self._client is None:
            settings, base = self._settings, api_base(self._settings.api)
            session = requests.Session()
            session.auth = authorisation(settings, self._root, self._environ, self._secrets)
            session.trust_env = not is_loopback(
                base
            )  # a laboratory's proxy and certificates, but not for itself

            def connect(_auth: object, session: requests.Session) -> SheetsHTTPClient:
                return SheetsHTTPClient(
                    session,
                    base=base,
                    timeout=settings.timeout,
                    retries=settings.retries,
                    secrets=self._secrets,
                    now=self._now,
                    sleep=self._sleep,
                )

            self._client = gspread.Client(None, session, connect)  # type: ignore[arg-type]
        return self._client


def _title(worksheets: list[dict[str, Any]], sheet: str, gid: int | None) -> str:
    titles = [str(w["title"]) for w in worksheets]
    there = ", ".join(repr(t) for t in titles[:20]) or "none"
    if sheet:
        if sheet not in titles:
            raise SourceError(f"there is no sheet {sheet!r} (was it renamed?); there are: {there}")
        return sheet
    if gid is not None:
        for worksheet, title in zip(worksheets, titles, strict=True):
            if worksheet.get("sheetId", 0) == gid:
                return title
        raise SourceError(f"there is no sheet with the number {gid} (was it deleted?); there are: {there}")
    if not titles:
        raise SourceError("the spreadsheet holds no worksheet")
    return titles[0]


def _grid(answer: Mapping[str, Any], title: str) -> Grid:
    found = next((s for s in answer["sheets"] if s["properties"]["title"] == title), None)
    if found is None:
        raise SourceError(f"the sheet {title!r} was renamed while it was read")
    size = found["properties"]["gridProperties"]
    cells: dict[int, dict[int, Cell]] = {}
    hidden: set[int] = set()
    described = 0
    for part in found.get("data", []):
        top, left = part.get("startRow", 0) + 1, part.get("startColumn", 0) + 1
        rows = part.get("rowMetadata", [])
        described += len(rows)
        hidden |= {top + i for i, r in enumerate(rows) if r.get("hiddenByUser") or r.get("hiddenByFilter")}
        for row, values in enumerate(part.get("rowData", []), start=top):
            made = {c: _cell(row, c, v) for c, v in enumerate(values.get("values", []), start=left)}
            if kept := {c: each for c, each in made.items() if each is not None}:
                cells[row] = kept
    if described < size["rowCount"]:
        # each row of the grid has an entry, empty or not: fewer means that the answer stops short
        raise SourceError(f"the sheet was read half: {described} of its {size['rowCount']} rows came")
    if sum(map(len, cells.values())) > MAX_CELLS:
        raise SourceError(f"more than {MAX_CELLS} cells: this is no test record")
    merges = (
        (m["startRowIndex"] + 1, m["startColumnIndex"] + 1, m["endRowIndex"], m["endColumnIndex"])
        for m in ({"startRowIndex": 0, "startColumnIndex": 0, **m} for m in found.get("merges", []))
    )
    return Grid(title, cells, tuple(sorted(merges)), frozenset(hidden))


def _cell(row: int, column: int, data: Mapping[str, Any]) -> Cell | None:
    """A cell with its unformatted value; its note tells how it is shown where that is not the same."""
    effective, shown = data.get("effectiveValue", {}), data.get("formattedValue", "")
    formula = "formulaValue" in data.get("userEnteredValue", {})
    notes = [FORMULA] if formula else []
    if data.get("note"):
        notes.append(remark("comment", str(data["note"])))
    if "errorValue" in effective:
        kind = str(effective["errorValue"].get("type", ""))
        return error_cell(row, column, _ERRORS.get(kind, kind or shown or "of unknown kind"), *notes)
    value = _value(effective, data.get("effectiveFormat", {}).get("numberFormat", {}).get("type", ""))
    if value is None and not notes:
        return None
    made = cell(row, column, value, *notes)
    if shown and shown.strip() != made.text:
        return cell(row, column, value, *notes, remark("shown as", shown))
    return made


def _value(effective: Mapping[str, Any], form: str) -> CellValue:
    """The value of an ExtendedValue; numbers shown as dates are days since 1899-12-30."""
    if "numberValue" in effective:
        number = effective["numberValue"]
        if form not in ("DATE", "DATE_TIME"):
            return float(number) if isinstance(number, float) else int(number)
        try:
            moment = _EPOCH + timedelta(seconds=round(float(number) * 86400))
        except (OverflowError, ValueError):
            return float(number)
        return moment.date() if form == "DATE" and not float(number) % 1 else moment
    if "boolValue" in effective:
        return bool(effective["boolValue"])
    text = effective.get("stringValue")
    return None if text is None or text == "" else str(text)
