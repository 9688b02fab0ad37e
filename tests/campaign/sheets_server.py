"""A server on this machine that speaks the part of the Sheets API v4 that gspread uses to read, and a token
endpoint for service accounts; with faults that are served on request.

It is bounded: one thread per request, each answer within seconds, everything gone on leaving the context.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "AIzaSyLoopbackKeyThatMustNeverShow12345"
TOKEN = "ya29.loopback-token-that-must-never-show"
LOGIN_PAGE = b"<!DOCTYPE html><html><title>Sign in</title><body>Please sign in</body></html>"


@dataclass
class Worksheet:
    """A worksheet: rows of values (or of CellData as the API gives it), merges as the API's GridRange."""

    title: str
    rows: list[list[Any]]
    gid: int = 0
    merges: list[dict[str, int]] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    row_count: int = 100
    sent_rows: int | None = None


@dataclass(frozen=True)
class Fault:
    """What is served instead of the next answer; ``cut`` sends only so many bytes of the true one, ``slow``
    sends nothing until the server closes, ``trickle`` sends the headers and then nothing."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    slow: bool = False
    trickle: bool = False


def cell_data(value: Any) -> dict[str, Any]:
    """The API's CellData of a plain value; one that is CellData already stays as it is."""
    if isinstance(value, dict):
        return value
    if value is None or value == "":
        return {}
    if isinstance(value, bool):
        return {"effectiveValue": {"boolValue": value}, "formattedValue": str(value).upper()}
    if isinstance(value, int | float):
        return {"effectiveValue": {"numberValue": value}, "formattedValue": f"{value:g}"}
    return {"effectiveValue": {"stringValue": value}, "formattedValue": value}


class SheetsServer:
    """The server. ``books`` are spreadsheets by key; ``faults`` are used up one per request."""

    def __init__(self, books: dict[str, list[Worksheet]]) -> None:
        self.books = books
        self.faults: deque[Fault] = deque()
        self.token_faults: deque[Fault] = deque()
        self.paths: list[str] = []
        self.tokens_given = 0
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.get(self)

            def do_POST(self) -> None:
                outer.post(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def api(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> SheetsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        self.paths.append(handler.path)
        status, answer = self._answer(handler)
        self._send(handler, status, answer, self.faults.popleft() if self.faults else None)

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        self.paths.append(handler.path)
        handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        self.tokens_given += 1
        answer = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        self._send(handler, 200, answer, self.token_faults.popleft() if self.token_faults else None)

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, answer: object, fault: Fault | None
    ) -> None:
        body, headers = json.dumps(answer).encode(), {"Content-Type": "application/json; charset=UTF-8"}
        if fault is not None:
            if fault.slow:
                self.closing.wait(10)
                return
            status, headers = fault.status, {**headers, **fault.headers}
            body = body if fault.body is None else fault.body
        if "gzip" in handler.headers.get("Accept-Encoding", "") and fault is None:
            body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if fault is not None and fault.trickle:
            self.closing.wait(10)
            handler.close_connection = True
            return
        if fault is not None and fault.cut is not None:
            body, handler.close_connection = body[: fault.cut], True
        handler.wfile.write(body)

    def _answer(self, handler: BaseHTTPRequestHandler) -> tuple[int, object]:
        if (
            handler.headers.get("X-Goog-Api-Key") != KEY
            and handler.headers.get("Authorization") != f"Bearer {TOKEN}"
        ):
            return 401, _error(401, "Request is missing required authentication credential")
        url = urlsplit(handler.path)
        parts = url.path.split("/")
        if parts[:3] != ["", "v4", "spreadsheets"] or len(parts) < 4 or parts[3] not in self.books:
            return 404, _error(404, "Requested entity was not found.")
        book = self.books[parts[3]]
        query = parse_qs(url.query)
        wanted = query.get("ranges", [""])[0]
        title = wanted.strip("'").replace("''", "'")
        if wanted and title not in [s.title for s in book]:
            return 400, _error(400, f"Unable to parse range: {wanted}")
        full = query.get("includeGridData", ["false"])[0] == "true"
        sheets = [_sheet(s, i, full) for i, s in enumerate(book) if not wanted or s.title == title]
        return 200, {"spreadsheetId": parts[3], "properties": {"title": "Record"}, "sheets": sheets}


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": "ERROR"}}


def _sheet(sheet: Worksheet, index: int, full: bool) -> dict[str, Any]:
    out: dict[str, Any] = {
        "properties": {
            "sheetId": sheet.gid,
            "title": sheet.title,
            "index": index,
            "sheetType": "GRID",
            "gridProperties": {"rowCount": sheet.row_count, "columnCount": 26},
        }
    }
    if full:
        sent = sheet.row_count if sheet.sent_rows is None else sheet.sent_rows
        meta = [
            {"pixelSize": 21, **({"hiddenByUser": True} if i in sheet.hidden else {})}
            for i in range(1, sent + 1)
        ]
        rows = [{"values": [cell_data(v) for v in row]} if row else {} for row in sheet.rows[:sent]]
        out["data"] = [{"rowData": rows, "rowMetadata": meta}]
        out["merges"] = [{"sheetId": sheet.gid, **m} for m in sheet.merges]
    return out
