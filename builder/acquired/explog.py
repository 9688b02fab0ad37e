"""Exposure logs: tab-separated tables that the acquisition system writes, read by their own header line.

Columns differ between releases of acquisition software, so no list of them is assumed. A damaged row costs
only itself; a log without a usable header costs only itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path, PurePosixPath

from builder.acquired.headers import HeaderMap, Said, read_value, with_number
from builder.acquired.headervalues import exposure_name
from builder.acquired.tally import Tally
from campaign.findings import Finding
from campaign.frozen import dataclass

EXPOSURE = ("obsid", "expnum", "exposure")
FILE = ("file_name", "filename", "file")
DETECTOR = ("ccd", "detector")


class Row(Mapping[str, str]):
    """A row of a log: its cells by column. Rows share the ``places`` of their columns: logs have many of both."""

    __slots__ = ("_cells", "_places")

    def __init__(self, places: Mapping[str, int], cells: tuple[str, ...]) -> None:
        self._places, self._cells = places, cells

    def __getitem__(self, column: str) -> str:
        return self._cells[self._places[column]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True)
class Log:
    """An exposure log: column names as in its header (stripped, repeated ones numbered), rows of text by column."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    def column(self, *names: str) -> str:
        """The log's name of the first of these columns (any case) that it has; '' when it has none."""
        return next((self._own[n.casefold()] for n in names if n.casefold() in self._own), "")

    @cached_property
    def _own(self) -> dict[str, str]:
        return {c.casefold(): c for c in self.columns}


def read_log(path: Path, place: str = "") -> Log:
    """Read a log. Never raises: what cannot be read becomes 'bad-log' findings at ``place`` (default: its name)."""
    place = place or path.name
    try:
        data = path.read_bytes()
    except OSError as error:
        return _useless(place, f"The exposure log could not be read: {error.strerror or error}.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = [(i, line) for i, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        return _useless(place, "The exposure log is empty.")
    log = Log(_columns(lines[0][1]), (), ())
    exposure, file = log.column(*EXPOSURE), log.column(*FILE)
    if not exposure and not file:
        return _useless(place, "The exposure log has no header line with ObsID or File_name.")
    return _read_rows(log, lines[1:], exposure, place)


def _useless(place: str, what: str) -> Log:
    return Log(
        (), (), (Finding("bad-log", what, place, "Replace the log; headers alone are used meanwhile."),)
    )


def _columns(line: str) -> tuple[str, ...]:
    names: list[str] = []
    for i, name in enumerate(line.rstrip("\t\r\n ").split("\t"), start=1):
        plain = " ".join(name.split()) or f"column {i}"
        count = sum(n == plain or n.startswith(f"{plain} #") for n in names)
        names.append(f"{plain} #{count + 1}" if count else plain)
    return tuple(names)


def _read_rows(log: Log, lines: Iterable[tuple[int, str]], exposure: str, place: str) -> Log:
    rows: list[Row] = []
    tally = Tally()
    seen: dict[tuple[str, str], Row] = {}
    places = {column: place for place, column in enumerate(log.columns)}
    texts: dict[str, str] = {}  # each once: most cells say what those above them do
    detector = log.column(*DETECTOR)
    for number, line in lines:
        cells = [c.strip() for c in line.rstrip("\r\n").split("\t")]
        cells = [texts.setdefault(c, c) for c in cells]
        fault = _fault(cells, log, exposure)
        row = Row(places, () if fault else tuple(cells))
        key = ("", "") if fault or not exposure else (exposure_name(row[exposure]), row.get(detector, ""))
        if all(key) and (earlier := seen.setdefault(key, row)) is not row:
            if earlier == row:
                continue
            fault = f"repeats {key[0]} {key[1]} with other values"
        if fault:
            tally.add("bad-log", f"A row of the exposure log {fault}; it is not used", f"{place} line {number}",
                      todo="Correct the row; headers alone are used for its frame.")  # fmt: skip
        else:
            rows.append(row)
    return Log(log.columns, tuple(rows), tuple(tally.findings()))


def _fault(cells: list[str], log: Log, exposure: str) -> str:
    if len(cells) < len(log.columns):
        return "has fewer cells than the header"
    if any(cells[len(log.columns) :]):
        return "has more cells than the header"
    if exposure and not exposure_name(cells[log.columns.index(exposure)]).isdecimal():
        return f"has no exposure number in {exposure}"
    if any("\x00" in c for c in cells):
        return "holds zero bytes"
    return ""


@dataclass
class LogBook:
    """All logs of the data directories, to be asked for the row of a frame.

    A log serves the files of its own folder and below; a row is found by file name, else by (exposure, detector).
    """

    by_file: dict[tuple[str, str], tuple[Row, Log]] = field(default_factory=dict)
    by_exposure: dict[tuple[str, str, str], tuple[Row, Log]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    entries: list[tuple[str, str, str, Row]] = field(default_factory=list)

    def add(self, log: Log, folder: str, place: str, mapping: HeaderMap, block: str = "") -> None:
        """Enter a log of a block that lies in ``folder`` ('root/sub/folder')."""
        exposure, detector, file = log.column(*EXPOSURE), log.column(*DETECTOR), log.column(*FILE)
        for row in log.rows:
            name = row.get(file, "")
            if name:
                self.by_file.setdefault((folder, stem(name)), (row, log))
            if exposure and (number := exposure_name(row[exposure])):
                ccd = row.get(detector, "")
                self.by_exposure.setdefault((folder, number, mapping.detector(ccd) or ccd), (row, log))
            self.entries.append((place, block, name or row.get(exposure, ""), row))

    def row(self, place: str, exposure: str, detector: str) -> tuple[Row, Log] | None:
        """The row of a file at ``place`` ('root/folder/name'), or None."""
        if not self.entries:
            return None
        path = PurePosixPath(place)
        for folder in path.parents:
            found = self.by_file.get((str(folder), stem(path.name)))
            found = found or self.by_exposure.get((str(folder), exposure, detector))
            found = found or self.by_exposure.get((str(folder), exposure, ""))
            if found:
                self.used.add(id(found[0]))
                return found
        return None

    def without_frames(self, tally: Tally, archived: Collection[str] = ()) -> None:
        """Count the rows for which no file was found, except in blocks whose data were archived."""
        for place, block, name, row in self.entries:
            if id(row) not in self.used and block not in archived:
                tally.add("missing-frames", "The exposure log lists frames of which no file was found", place,
                          detail=name, block=block, todo="Find the files, or mark the block's data as archived.")  # fmt: skip


def stem(name: str) -> str:
    """A frame file's name without folders, FITS endings and case."""
    plain = name.replace("\\", "/").rpartition("/")[2].casefold()
    for end in (".gz", ".fz", ".fits", ".fit", ".fts"):
        plain = plain.removesuffix(end)
    return plain


def read_row(mapping: HeaderMap, row: Row, log: Log, detector: str) -> dict[str, Said]:
    """What a log's row says, by field."""
    said = {}
    for name, words in mapping.preset.columns.items():
        column = log.column(*(k for w in words if (k := with_number(w, detector))))
        text = row.get(column, "") if column else ""
        if text:
            value, _ = read_value(name, text)
            if value is not None:
                said[name] = Said(value, f"log {column}", text)
    return said
