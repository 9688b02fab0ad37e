"""The store: an embedded database and content-addressed objects, under ``<output>/store``.

Results, measurements and verdicts are only ever added. What a build shows is recorded as changes ('from
this build on, this result'), so history costs what changed and nothing is overwritten. File and summary
tables are caches: deleting them costs time, never a number.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.contract import Measurement

SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE builds (
  id INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT, command TEXT NOT NULL, versions TEXT NOT NULL,
  digest TEXT, state TEXT, changes TEXT, seconds TEXT);
CREATE TABLE files (key TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE fingerprints (key TEXT PRIMARY KEY, stat TEXT NOT NULL, fingerprint TEXT NOT NULL);
CREATE TABLE summaries (key TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE results (
  id TEXT PRIMARY KEY, build_id INTEGER NOT NULL REFERENCES builds(id), block TEXT NOT NULL, test TEXT NOT NULL,
  detector TEXT NOT NULL, procedure TEXT NOT NULL, version TEXT NOT NULL, status TEXT NOT NULL,
  measured_at TEXT NOT NULL, seconds REAL NOT NULL, detail TEXT NOT NULL);
CREATE TABLE measurements (
  result_id TEXT NOT NULL REFERENCES results(id), quantity TEXT NOT NULL, channel TEXT NOT NULL,
  setting TEXT NOT NULL, value REAL, uncertainty REAL, unit TEXT NOT NULL, estimator TEXT NOT NULL,
  n INTEGER NOT NULL, flags TEXT NOT NULL, reason TEXT, note TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (result_id, quantity, channel, setting));
CREATE TABLE shown (
  block TEXT NOT NULL, test TEXT NOT NULL, procedure TEXT NOT NULL, detector TEXT NOT NULL,
  result_id TEXT, since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX shown_place ON shown (block, test, procedure, detector, since);
CREATE TABLE verdicts (
  measurement_id TEXT NOT NULL, verdict TEXT NOT NULL, limit_id TEXT, low REAL, high REAL, why TEXT NOT NULL,
  since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX verdicts_of ON verdicts (measurement_id, since);
CREATE TABLE pages (
  path TEXT NOT NULL, digest TEXT NOT NULL, parts TEXT NOT NULL, since INTEGER NOT NULL REFERENCES builds(id));
CREATE INDEX pages_path ON pages (path, since);
"""

Place = tuple[str, str, str, str]
"""(block, test, procedure, detector): where a result is shown."""


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class StoredResult:
    """A result as it was stored. ``detail`` holds inputs, parameters, versions, log, figures and products."""

    id: str
    block: str
    test: str
    detector: str
    procedure: str
    version: str
    status: str
    measured_at: str
    seconds: float
    detail: Mapping[str, Any]
    measurements: tuple[Measurement, ...] = ()


PARTS = ".parts"
"""The folder among the objects in which they are written: what a killed writer leaves is found without a search."""


def write_atomically(path: Path, data: bytes, parts: Path | None = None) -> None:
    """Write a whole file or nothing: to a temporary name beside it (or in ``parts``), then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    where = parts or path.parent
    where.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=where, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def put_object(objects: Path, data: bytes, suffix: str) -> str:
    """Store bytes under their BLAKE3 digest and return the object's name ('ab/abcdef….svg').

    Safe from several processes at once: the same bytes make the same name, and the rename is atomic. One of another
    size that has the name already (its content did not reach the disk before the power went) is replaced.
    """
    from blake3 import blake3

    digest = blake3(data).hexdigest()[:32]
    name = f"{digest[:2]}/{digest}{suffix}"
    path = objects / name
    try:
        there = path.stat().st_size == len(data)
    except OSError:
        there = False
    if not there:
        write_atomically(path, data, objects / PARTS)
        path.chmod(0o444)  # the site links to it: nobody may change it in place
    return name


_OBJECT = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.\w+")


def object_names(detail: object) -> Iterator[str]:
    """The names of objects anywhere in a result's detail or a summary."""
    if isinstance(detail, str):
        if _OBJECT.fullmatch(detail):
            yield detail
    elif isinstance(detail, Mapping):
        for value in detail.values():
            yield from object_names(value)
    elif isinstance(detail, list):
        for value in detail:
            yield from object_names(value)


class Store:
    """The database of one campaign. One writer at a time; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "objects"
        self.lost: set[str] = set()  # objects that have to be made again (builder.recover)
        self.objects.mkdir(parents=True, exist_ok=True)
        self.path = folder / "calbook.sqlite"
        try:
            self.db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.execute("PRAGMA foreign_keys=ON")
            self._migrate()
        except sqlite3.DatabaseError as error:
            if not os.access(folder, os.W_OK):
                raise StoreError(
                    f"{folder} cannot be written to: name another place with --output."
                ) from error
            raise StoreError(
                f"{self.path} is not a usable database ({error}). Move it away to start a new one; "
                "frames and records are not affected, but the history of values is in that file."
            ) from error

    def _migrate(self) -> None:
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer calbook (schema {version}; this one knows {SCHEMA_VERSION})."
            )
        if version == 0:
            self.db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.db.close()

    # ── builds ────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, started: datetime, command: str, versions: Mapping[str, str]) -> int:
        """Record that a build begins; returns its number."""
        cursor = self.db.execute(
            "INSERT INTO builds (started, command, versions) VALUES (?, ?, ?)",
            (started.isoformat(timespec="seconds"), command, json.dumps(dict(versions), sort_keys=True)),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def forget(self, build_id: int) -> None:
        """Remove a build that changed nothing, so that an unchanged campaign leaves no trace."""
        with suppress(sqlite3.IntegrityError):  # something was recorded after all: then the build stays
            self.db.execute("DELETE FROM builds WHERE id = ?", (build_id,))

    def finish(
        self,
        build_id: int,
        finished: datetime,
        digest: str,
        state: Mapping[str, Any],
        changes: Sequence[Sequence[str]],
        seconds: Mapping[str, float],
    ) -> None:
        """Record what a build ended with."""
        self.db.execute(
            "UPDATE builds SET finished = ?, digest = ?, state = ?, changes = ?, seconds = ? WHERE id = ?",
            (
                finished.isoformat(timespec="seconds"),
                digest,
                json.dumps(state, sort_keys=True),
                json.dumps([list(c) for c in changes]),
                json.dumps(dict(seconds)),
                build_id,
            ),
        )

    def last_build(self) -> dict[str, Any] | None:
        """The last build that finished: id, started, command, versions, digest, state, changes, seconds."""
        row = self.db.execute(
            "SELECT id, started, command, versions, digest, state, changes, seconds FROM builds "
            "WHERE finished IS NOT NULL ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        names = ("id", "started", "command", "versions", "digest", "state", "changes", "seconds")
        out = dict(zip(names, row, strict=True))
        for name in ("versions", "state", "changes", "seconds"):
            out[name] = json.loads(out[name])
        return out

    def copy(self) -> bytes:
        """The database as one file, without the caches: what the site offers for download."""
        copy = sqlite3.connect(":memory:")
        try:
            self.db.backup(copy)
            for table in ("files", "fingerprints", "summaries"):
                copy.execute(f"DELETE FROM {table}")
            copy.commit()
            copy.execute("VACUUM")
            return copy.serialize()
        finally:
            copy.close()

    # ── caches of files ───────────────────────────────────────────────────────────────────────────────

    def cached(self, table: str) -> dict[str, str]:
        """A cache table ('files' or 'summaries') as key → JSON text."""
        if table not in ("files", "summaries"):
            raise ValueError(table)
        return dict(self.db.execute(f"SELECT key, data FROM {table}"))

    def save_cached(self, table: str, rows: Mapping[str, str], gone: Iterable[str] = ()) -> None:
        """Add or replace rows of a cache table, and drop those of files that are gone."""
        if table not in ("files", "summaries"):
            raise ValueError(table)
        with self.transaction():
            self.db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows.items())
            self.db.executemany(f"DELETE FROM {table} WHERE key = ?", [(k,) for k in gone])

    def fingerprints(self) -> dict[str, tuple[str, str]]:
        """Known fingerprints: file key → (size-mtime-inode, fingerprint)."""
        return {k: (s, f) for k, s, f in self.db.execute("SELECT key, stat, fingerprint FROM fingerprints")}

    def save_fingerprints(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Add or replace (key, stat, fingerprint)."""
        with self.transaction():
            self.db.executemany("INSERT OR REPLACE INTO fingerprints VALUES (?, ?, ?)", rows)

    def transaction(self) -> _Transaction:
        """All of what is written inside, or nothing."""
        return _Transaction(self.db)

    # ── results ───────────────────────────────────────────────────────────────────────────────────────

    def add_result(self, result: StoredResult, build_id: int) -> None:
        """Add a result with its measurements. Adding the same id again changes nothing."""
        with self.transaction():
            cursor = self.db.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    result.id, build_id, result.block, result.test, result.detector, result.procedure,
                    result.version, result.status, result.measured_at, result.seconds,
                    json.dumps(result.detail, sort_keys=True),
                ),
            )  # fmt: skip
            if cursor.rowcount == 0:
                return
            self.db.executemany(
                "INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        result.id, m.quantity, m.channel or "", m.setting, m.value, m.uncertainty, m.unit,
                        m.estimator, m.n, json.dumps(list(m.flags)), m.reason, m.note, position,
                    )
                    for position, m in enumerate(result.measurements)
                ],
            )  # fmt: skip

    def results(self, ids: Iterable[str]) -> dict[str, StoredResult]:
        """Stored results by id, with their measurements in the order they were handed back."""
        wanted = sorted(set(ids))
        measured: dict[str, list[Measurement]] = {i: [] for i in wanted}
        for ident, *m, flags, reason, note in self._of(
            wanted,
            "SELECT result_id, quantity, channel, setting, value, uncertainty, unit, estimator, n, flags, reason, note "
            "FROM measurements WHERE result_id IN ({}) ORDER BY result_id, position",
        ):
            quantity, channel, setting, value, uncertainty, unit, estimator, n = m
            measured[ident].append(
                Measurement(
                    quantity, channel or None, setting, value, uncertainty, unit, estimator, n,
                    tuple(json.loads(flags)), reason, note,
                )
            )  # fmt: skip
        out = {}
        for *head, seconds, detail in self._of(
            wanted,
            "SELECT id, block, test, detector, procedure, version, status, measured_at, seconds, detail "
            "FROM results WHERE id IN ({})",
        ):
            ident, block, test, detector, procedure, version, status, measured_at = head
            out[ident] = StoredResult(
                ident, block, test, detector, procedure, version, status, measured_at, seconds,
                json.loads(detail), tuple(measured[ident]),
            )  # fmt: skip
        return out

    def named_objects(self) -> set[str]:
        """The names of all objects that results and summaries refer to."""
        rows = self.db.execute("SELECT detail FROM results UNION ALL SELECT data FROM summaries")
        return {name for (text,) in rows for name in _OBJECT.findall(text)}

    def _of(self, ids: Sequence[str], query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query for many ids, a few hundred at a time: SQLite bounds the number of parameters."""
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            yield from self.db.execute(query.format(", ".join("?" * len(some))), some)

    # ── what is shown, and judged ─────────────────────────────────────────────────────────────────────

    def shown(self) -> dict[Place, list[str]]:
        """For each place the results that it has shown, newest first; a place that was emptied starts with ''."""
        out: dict[Place, list[str]] = {}
        for *place, result in self.db.execute(
            "SELECT block, test, procedure, detector, result_id FROM shown ORDER BY since DESC, rowid DESC"
        ):
            out.setdefault((place[0], place[1], place[2], place[3]), []).append(result or "")
        return out

    def show(self, now: Mapping[Place, str], build_id: int) -> None:
        """Record what this build shows, where it differs from the build before."""
        before = {place: results[0] for place, results in self.shown().items()}
        rows: list[tuple[str, str, str, str, str | None, int]]
        rows = [(*place, result, build_id) for place, result in now.items() if before.get(place) != result]
        rows += [(*place, None, build_id) for place, result in before.items() if result and place not in now]
        with self.transaction():
            self.db.executemany("INSERT INTO shown VALUES (?, ?, ?, ?, ?, ?)", rows)

    def verdicts(self) -> dict[str, list[tuple[str, str | None, float | None, float | None, str]]]:
        """Per measurement id the verdicts it has had, newest first: (verdict, limit id, low, high, why)."""
        out: dict[str, list[tuple[str, str | None, float | None, float | None, str]]] = {}
        for row in self.db.execute(
            "SELECT measurement_id, verdict, limit_id, low, high, why FROM verdicts ORDER BY since DESC, rowid DESC"
        ):
            out.setdefault(row[0], []).append((row[1], row[2], row[3], row[4], row[5]))
        return out

    def judge(
        self, now: Mapping[str, tuple[str, str | None, float | None, float | None, str]], build_id: int
    ) -> None:
        """Record verdicts that differ from the last ones of the same measurements; earlier ones stay."""
        before = {mid: rows[0] for mid, rows in self.verdicts().items()}
        with self.transaction():
            self.db.executemany(
                "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(mid, *row, build_id) for mid, row in now.items() if before.get(mid) != row],
            )

    # ── pages ─────────────────────────────────────────────────────────────────────────────────────────

    def page_history(self, path: str) -> list[tuple[int, str, str, dict[str, str]]]:
        """The versions of a page, newest first: (build, when it began, digest, digests of its parts)."""
        return [
            (since, started, digest, json.loads(parts))
            for since, started, digest, parts in self.db.execute(
                "SELECT p.since, b.started, p.digest, p.parts FROM pages p JOIN builds b ON b.id = p.since "
                "WHERE p.path = ? ORDER BY p.since DESC, p.rowid DESC",
                (path,),
            )
        ]

    def save_pages(self, rows: Mapping[str, tuple[str, Mapping[str, str]]], build_id: int) -> None:
        """Record the pages that changed: path → (digest, digests of its parts)."""
        with self.transaction():
            self.db.executemany(
                "INSERT INTO pages VALUES (?, ?, ?, ?)",
                [
                    (path, digest, json.dumps(parts, sort_keys=True), build_id)
                    for path, (digest, parts) in rows.items()
                ],
            )


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.db.execute("COMMIT" if kind is None else "ROLLBACK")
