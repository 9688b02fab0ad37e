"""Snapshots: what a source said, kept as JSON so that the record survives an unreachable spreadsheet.

A snapshot's file is called after the time (UTC) it was pulled and its content's digest, is written whole by
rename, and is never changed afterwards. ``last.json`` beside them says how the last look at the source went.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from blake3 import blake3

from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.record import Cell, CellValue, Table

FORMAT = 1
LAST = "last.json"


class Damaged(Exception):
    """A snapshot file that does not hold what it was written with."""


@dataclass(frozen=True)
class Reading:
    """What one reading of a source gave: the table, what had to be interpreted, and the content's revision."""

    table: Table
    findings: tuple[Finding, ...]
    revision: str = ""


@dataclass(frozen=True)
class Kept:
    """A reading as it is kept: in which file, since when, and where it was read (``reads``)."""

    file: str
    pulled_at: datetime
    reads: Mapping[str, str | int]
    reading: Reading
    digest: str


@dataclass(frozen=True)
class LastCheck:
    """How the last look at a source went.

    ``confirmed_at`` is when the source was last read, or seen unchanged; ``error`` is '' when that was this
    time. ``mtime_ns`` and ``size`` are the file's, None for a source that is no file or was not read.
    """

    checked_at: datetime
    confirmed_at: datetime | None
    error: str
    snapshot: str
    reads: Mapping[str, str | int]
    mtime_ns: int | None = None
    size: int | None = None


class SnapshotFolder:
    """The snapshots of one source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def last(self) -> LastCheck | None:
        """How the last look went; None when there was none, or its note cannot be read any more."""
        try:
            found = json.loads((self.folder / LAST).read_bytes())
            found["checked_at"] = datetime.fromisoformat(found["checked_at"])
            confirmed = found["confirmed_at"]
            found["confirmed_at"] = datetime.fromisoformat(confirmed) if confirmed else None
            return LastCheck(**found)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def note(self, check: LastCheck) -> None:
        """Write how this look went."""
        fields = asdict(check)
        fields["checked_at"] = check.checked_at.isoformat()
        fields["confirmed_at"] = check.confirmed_at.isoformat() if check.confirmed_at else None
        _write(self.folder / LAST, json.dumps(fields, indent=1), durable=False)

    def newest(self, first: str = "") -> tuple[Kept | None, list[Finding]]:
        """The newest snapshot that is whole, the one called ``first`` before all; and the damaged ones."""
        names = sorted((p.name for p in self.folder.glob("*.json") if p.name != LAST), reverse=True)
        if first in names:
            names.remove(first)
            names.insert(0, first)
        findings: list[Finding] = []
        for name in names:
            try:
                return _load(self.folder / name), findings
            except Damaged as error:
                what = f"A stored snapshot is damaged ({error}); it was passed over"
                todo = "Restore it from a backup if no other holds what it held, else delete it"
                findings.append(Finding("bad-file", what, f"{self.folder.name}/{name}", todo))
        return None, findings

    def keep(
        self,
        source: str,
        reads: Mapping[str, str | int],
        reading: Reading,
        at: datetime,
        *,
        newest: Kept | None = None,
    ) -> Kept:
        """Write a reading, unless the newest snapshot says the same already. Returns what is kept."""
        content = {
            "reads": dict(reads),
            "table": encode_table(reading.table),
            "findings": [[f.kind, f.what, f.where, f.todo] for f in reading.findings],
        }
        digest = digest_of(content)
        if newest is not None and newest.digest == digest:
            return newest
        at = at.astimezone(UTC)
        name = f"{at:%Y%m%dT%H%M%SZ}-{digest[:12]}.json"
        revision = reading.revision or digest
        whole = {
            "format": FORMAT,
            "source": source,
            "pulled_at": at.isoformat(),
            "revision": revision,
            "digest": digest,
            "content": content,
        }
        _write(self.folder / name, json.dumps(whole, indent=None), durable=True)
        return Kept(name, at, reads, Reading(reading.table, reading.findings, revision), digest)


def digest_of(content: object) -> str:
    """BLAKE3 digest (hex) of JSON content, the same whatever the order of its keys."""
    return blake3(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def encode_table(table: Table) -> dict[str, Any]:
    """A table as JSON: cells as [address, value, note], rows in the order of the columns; null where no cell is."""
    return {
        "sheet": table.sheet,
        "columns": list(table.columns),
        "row_numbers": list(table.row_numbers),
        "rows": [[_encode(row.get(c)) for c in table.columns] for row in table.rows],
    }


def decode_table(data: Mapping[str, Any]) -> Table:
    """The table of ``encode_table``. Raises KeyError, TypeError or ValueError when it is none."""
    columns = tuple(str(c) for c in data["columns"])
    rows = tuple(
        {c: _decode(cell) for c, cell in zip(columns, row, strict=True) if cell is not None}
        for row in data["rows"]
    )
    numbers = tuple(int(n) for n in data["row_numbers"])
    if len(numbers) != len(rows):
        raise ValueError("rows without their numbers")
    return Table(columns, rows, numbers, str(data["sheet"]))


_KINDS: dict[str, Callable[[str], CellValue]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "float": float,
}


def _encode(cell: Cell | None) -> list[Any] | None:
    if cell is None:
        return None
    value: Any = cell.value
    if isinstance(value, datetime):
        value = {"datetime": value.isoformat()}
    elif isinstance(value, date):
        value = {"date": value.isoformat()}
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        value = {"float": str(value)}  # JSON has no such numbers
    return [cell.address, value, cell.note] if cell.note else [cell.address, value]


def _decode(data: list[Any]) -> Cell:
    value: CellValue
    address, found, *note = data
    if isinstance(found, dict):
        ((kind, text),) = found.items()
        value = _KINDS[kind](text)
    elif found is None or isinstance(found, str | int | float):
        value = found
    else:
        raise ValueError("a cell's value is a list")
    return Cell(value, str(address), str(note[0]) if note else "")


def _load(path: Path) -> Kept:
    try:
        data = json.loads(path.read_bytes())
        content = data["content"]
        if data["format"] != FORMAT:
            raise Damaged(f"format {data['format']} is not known here")
        if digest_of(content) != data["digest"]:
            raise Damaged("its content does not match its digest")
        findings = tuple(Finding(*f) for f in content["findings"])
        reading = Reading(decode_table(content["table"]), findings, str(data["revision"]))
        at = datetime.fromisoformat(data["pulled_at"])
        return Kept(path.name, at, content["reads"], reading, data["digest"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged(f"{type(error).__name__} while reading it") from None


def _write(path: Path, text: str, *, durable: bool) -> None:
    """Write a file whole, by rename; ``durable`` also waits until the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
