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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from builder.digests import digest
from builder.store_copy import StoreCopy
from builder.store_schema import SCHEMA_VERSION, migrate
from campaign.frozen import dataclass

if TYPE_CHECKING:
    from analysis.contract import Measurement

Place = tuple[str, str, str, str]
"""(block, test, procedure, detector): where a result is shown."""


StoredVerdict = tuple[str, str | None, float | None, float | None, str]
"""(verdict, limit id, low, high, why)."""


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do."""


class VerdictRow(NamedTuple):
    """A verdict on record: on which measurement, by which limit and bounds, since which build."""

    measurement: str
    verdict: str
    limit: str | None
    low: float | None
    high: float | None
    why: str
    since: int


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
            self.db.execute("CREATE TEMP TABLE changed (path TEXT, digest TEXT, parts TEXT)")
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
        migrate(self.db, version)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.db.close()

    # ── builds ────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, started: datetime, command: str, versions: Mapping[str, str]) -> int:
        """Record that a build begins; returns its number.

        A build that was killed left its row unfinished: its number is taken over, and what it had recorded as
        shown is dropped, so that in the end all is as if it had not been disturbed. Its results stay.
        """
        row = (started.isoformat(timespec="seconds"), command, json.dumps(dict(versions)))
        with self.transaction():
            last = self.db.execute("SELECT id, finished FROM builds ORDER BY id DESC LIMIT 1").fetchone()
            if last is None or last[1] is not None:
                cursor = self.db.execute(
                    "INSERT INTO builds (started, command, versions) VALUES (?, ?, ?)", row
                )
                assert cursor.lastrowid is not None
                return cursor.lastrowid
            build_id = int(last[0])
            self.db.execute(
                "UPDATE builds SET started = ?, command = ?, versions = ? WHERE id = ?", (*row, build_id)
            )
            for table in ("shown", "verdicts", "pages", "caveats", "limits"):
                self.db.execute(f"DELETE FROM {table} WHERE since = ?", (build_id,))
            self.db.execute("DELETE FROM judged")
            return build_id

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
        """Record what a build ended with. The state, which only the next build looks at, is kept of the last one alone."""
        row = (
            finished.isoformat(timespec="seconds"),
            digest,
            json.dumps(state, sort_keys=True),
            json.dumps([list(c) for c in changes]),
            json.dumps(dict(seconds)),
            build_id,
        )
        with self.transaction():
            self.db.execute(
                "UPDATE builds SET finished = ?, digest = ?, state = ?, changes = ?, seconds = ? WHERE id = ?",
                row,
            )
            self.db.execute("UPDATE builds SET state = NULL WHERE id < ? AND state IS NOT NULL", (build_id,))

    def last_build(self) -> dict[str, Any] | None:
        """The last build that finished: id, started, command, versions, digest, state, changes, seconds, previous.

        ``previous`` is when the finished build before it began, '' when it was the first.
        """
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
        before = self.db.execute(
            "SELECT started FROM builds WHERE finished IS NOT NULL AND id < ? ORDER BY id DESC LIMIT 1",
            (out["id"],),
        ).fetchone()
        return out | {"previous": before[0] if before else ""}

    def copying(self) -> StoreCopy:
        """The database as one file, without the caches, to be made: what the site offers for download."""
        return StoreCopy(self.path, self.objects / PARTS)

    def copy(self) -> bytes:
        """The same in memory, also beside a build, which clears its store of what others left there."""
        with tempfile.TemporaryDirectory() as folder, StoreCopy(self.path, Path(folder)) as copy:
            return copy.finish().read_bytes()

    # ── caches of files ───────────────────────────────────────────────────────────────────────────────

    def has_files(self, many: int) -> bool:
        """Whether so many files (at least one) were there when data directories were last looked at."""
        return bool(self.db.execute("SELECT 1 FROM files LIMIT 1 OFFSET ?", (many - 1,)).fetchone())

    def cached(self, table: str) -> dict[str, str]:
        """A cache table ('files' or 'summaries') as key → JSON text."""
        if table not in ("files", "summaries"):
            raise ValueError(table)
        return dict(self.db.execute(f"SELECT key, data FROM {table}"))

    def cached_row(self, table: str, key: str) -> str | None:
        """One row of a cache table, as JSON text; None where there is none."""
        if table not in ("files", "summaries"):
            raise ValueError(table)
        row = self.db.execute(f"SELECT data FROM {table} WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def cached_keys(self, table: str) -> Iterator[str]:
        """The keys of a cache table."""
        if table not in ("files", "summaries"):
            raise ValueError(table)
        return (key for (key,) in self.db.execute(f"SELECT key FROM {table}"))

    def save_cached(self, table: str, rows: Mapping[str, str], gone: Iterable[str] = ()) -> None:
        """Add or replace rows of a cache table, and drop those of files that are gone."""
        if table not in ("files", "summaries"):
            raise ValueError(table)
        with self.transaction():
            self.db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows.items())
            self.db.executemany(f"DELETE FROM {table} WHERE key = ?", [(k,) for k in gone])

    def summary_heads(self, keys: Collection[str], most: int) -> dict[str, str]:
        """The first characters of some summaries' rows, ``most`` of each, by key."""
        query = f"SELECT key, substr(data, 1, {most}) FROM summaries WHERE key IN ({{}})"
        return dict(self._of(list(keys), query))

    def fingerprints(self, keys: Collection[str] | None = None) -> dict[str, tuple[str, str]]:
        """Known fingerprints of some files, or of all: file key → (size-mtime-inode, fingerprint)."""
        query = "SELECT key, stat, fingerprint FROM fingerprints"
        rows = (
            self.db.execute(query) if keys is None else self._of(list(keys), f"{query} WHERE key IN ({{}})")
        )
        return {k: (s, f) for k, s, f in rows}

    def fingerprint(self, key: str) -> tuple[str, str]:
        """The known fingerprint of a file: (size-mtime-inode, fingerprint), of empty texts where none is known."""
        row = self.db.execute("SELECT stat, fingerprint FROM fingerprints WHERE key = ?", (key,)).fetchone()
        return row or ("", "")

    def save_fingerprints(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Add or replace (key, stat, fingerprint)."""
        with self.transaction():
            self.db.executemany("INSERT OR REPLACE INTO fingerprints VALUES (?, ?, ?)", rows)

    def transaction(self) -> _Transaction:
        """All of what is written inside, or nothing."""
        return _Transaction(self.db)

    # ── results ───────────────────────────────────────────────────────────────────────────────────────

    def add_result(self, result: StoredResult, build_id: int) -> bool:
        """Add a result with its measurements. Adding the same id again changes nothing; whether it was new."""
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
                return False
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
        return True

    def results(self, ids: Iterable[str], *, inputs: bool = True) -> dict[str, StoredResult]:
        """Stored results by id, with their measurements in the order they were handed back.

        Without ``inputs`` their details lack the list of frames that they were made of. What many results say alike is one object.
        """
        from analysis.contract import (
            Measurement,  # numpy comes with it: a build that changes nothing needs neither
        )

        share: dict[str, str] = {}
        alike: dict[bytes, Any] = {}
        one = share.setdefault
        columns = "quantity, channel, setting, value, uncertainty, unit, estimator, n, flags, reason, note, position"
        of_result = f"SELECT {columns} FROM measurements WHERE result_id = ?"

        def measurements(ident: str) -> Iterator[Measurement]:
            rows = self.db.execute(of_result, (ident,)).fetchall()
            rows.sort(key=itemgetter(-1))  # costs less than to have the database sort wide rows
            for (
                quantity,
                channel,
                setting,
                value,
                uncertainty,
                unit,
                estimator,
                n,
                flags,
                reason,
                note,
                _,
            ) in rows:
                yield Measurement(
                    one(quantity, quantity), one(channel, channel) or None, one(setting, setting), value, uncertainty,
                    one(unit, unit), one(estimator, estimator), n, _flags(flags), reason and one(reason, reason), one(note, note),
                )  # fmt: skip

        def details(text: str) -> dict[str, Any]:
            found: dict[str, Any] = orjson.loads(text)
            for name in ("parameters", "versions"):
                if name in found:
                    found[name] = alike.setdefault(orjson.dumps(found[name]), found[name])
            return found

        detail_column = "detail" if inputs else "json_remove(detail, '$.inputs')"
        out = {}
        for *head, detail in self._of(
            sorted(set(ids)),
            f"SELECT id, block, test, detector, procedure, version, status, measured_at, seconds, {detail_column} "
            "FROM results WHERE id IN ({})",
        ):
            ident, block, test, detector, procedure, version, status, measured_at, seconds = head
            out[ident] = StoredResult(
                ident, block, test, detector, procedure, version, status, measured_at, seconds,
                details(detail), tuple(measurements(ident)),
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

    def verdicts(self, results: Iterable[str] | None = None) -> dict[str, list[StoredVerdict]]:
        """Per measurement id the verdicts it has had, newest first; of some results only, or of all."""
        query = "SELECT measurement_id, verdict, limit_id, low, high, why FROM verdicts"
        order = " ORDER BY measurement_id, since DESC, rowid DESC"
        out: dict[str, list[StoredVerdict]] = {}
        if results is None:
            held: Iterable[Any] = self.db.execute(query + order)
        else:  # a measurement's id is its result's, a dot and more: '/' is the character after the dot
            held = (
                row
                for result in dict.fromkeys(results)
                for row in self.db.execute(
                    f"{query} WHERE measurement_id > ? AND measurement_id < ?{order}",
                    (f"{result}.", f"{result}/"),
                )
            )
        for mid, *verdict in held:
            out.setdefault(mid, []).append((verdict[0], verdict[1], verdict[2], verdict[3], verdict[4]))
        return out

    def judge(self, now: Mapping[str, Mapping[str, StoredVerdict]], build_id: int) -> None:
        """Record verdicts, given by result and measurement, that differ from the last ones of the same measurements.

        Earlier ones stay. What a result was judged last is known by a digest, so that nothing is compared where nothing moved.
        """
        known = dict(self.db.execute("SELECT result_id, digest FROM judged"))
        fresh = {r: digest(list(held.items())) for r, held in now.items() if held}
        changed = {r: d for r, d in fresh.items() if known.get(r) != d}
        if not changed:
            return
        before = {mid: rows[0] for mid, rows in self.verdicts(changed).items()}
        with self.transaction():
            self.db.executemany(
                "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (mid, *row, build_id)
                    for result in changed
                    for mid, row in now[result].items()
                    if before.get(mid) != row
                ),
            )
            self.db.executemany("INSERT OR REPLACE INTO judged VALUES (?, ?)", changed.items())

    # ── caveats ───────────────────────────────────────────────────────────────────────────────────────

    def caveats(self) -> dict[str, list[tuple[str, str]]]:
        """What each caveat said, by its id, oldest first: (when the build began that first saw it so, JSON or '' for gone)."""
        out: dict[str, list[tuple[str, str]]] = {}
        rows = self.db.execute(
            "SELECT c.id, b.started, c.said FROM caveats c JOIN builds b ON b.id = c.since ORDER BY c.since"
        )
        for name, started, said in rows:
            out.setdefault(name, []).append((started, said))
        return out

    def say_caveats(self, now: Mapping[str, str], build_id: int) -> None:
        """Record what caveats say that differs from the last time, and those that are gone; what they said before stays."""
        before = {name: rows[-1][1] for name, rows in self.caveats().items()}
        said = {**dict.fromkeys(before, ""), **now}
        with self.transaction():
            self.db.executemany(
                "INSERT INTO caveats VALUES (?, ?, ?)",
                [(name, line, build_id) for name, line in said.items() if before.get(name, "") != line],
            )

    def state_limits(self, now: Mapping[str, str], build_id: int) -> None:
        """Record how limits stand now (id → their entries as JSON), where that differs from before; earlier ones stay."""
        before = {ident: rows[-1][0] for ident, rows in self.limits().items()}
        rows = [(ident, text, build_id) for ident, text in now.items() if before.get(ident) != text]
        rows += [
            (ident, "[]", build_id) for ident, text in before.items() if ident not in now and text != "[]"
        ]
        with self.transaction():
            self.db.executemany("INSERT INTO limits VALUES (?, ?, ?)", rows)

    def limits(self) -> dict[str, list[tuple[str, int]]]:
        """Per limit how it has stood: (its entries as JSON, since which build), oldest first."""
        out: dict[str, list[tuple[str, int]]] = {}
        for ident, text, since in self.db.execute(
            "SELECT id, stated, since FROM limits ORDER BY since, rowid"
        ):
            out.setdefault(ident, []).append((text, since))
        return out

    def moved_verdicts(self, results: Iterable[str] = ()) -> list[VerdictRow]:
        """The verdicts of all measurements that ever failed or flipped, and those of some results; oldest first."""
        columns = "rowid, measurement_id, verdict, limit_id, low, high, why, since"
        held = self.db.execute(
            f"SELECT {columns} FROM verdicts WHERE measurement_id IN (SELECT measurement_id FROM verdicts "
            "GROUP BY measurement_id HAVING MIN(verdict) < MAX(verdict) OR MAX(verdict) = 'fail')"
        ).fetchall()
        for result in dict.fromkeys(results):
            held += self.db.execute(
                f"SELECT {columns} FROM verdicts WHERE measurement_id > ? AND measurement_id < ?",
                (f"{result}.", f"{result}/"),
            )
        return [VerdictRow(*row[1:]) for row in sorted(set(held), key=lambda r: (r[7], r[0]))]

    def verdicts_on_record(self) -> int:
        """How many verdicts were ever recorded."""
        (count,) = self.db.execute("SELECT COUNT(*) FROM verdicts").fetchone()
        return int(count)

    def shown_since(self) -> list[tuple[Place, str, int]]:
        """What each place has shown ('' for nothing), and since which build; oldest first."""
        rows = self.db.execute(
            "SELECT block, test, procedure, detector, result_id, since FROM shown ORDER BY since, rowid"
        )
        return [((b, t, p, d), result or "", since) for b, t, p, d, result, since in rows]

    def begun(self) -> dict[int, str]:
        """When each build began."""
        return dict(self.db.execute("SELECT id, started FROM builds"))

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

    def drawn(self) -> dict[str, tuple[str, str]]:
        """Pages as they were drawn last: address → (key of what they show, digest of their bytes)."""
        return {
            path: (key, digest)
            for path, key, digest in self.db.execute("SELECT path, key, digest FROM drawn")
        }

    def searched(self) -> dict[str, str]:
        """What the pages that were drawn last are found by: address → entry of the search data, as JSON."""
        return dict(self.db.execute("SELECT path, search FROM drawn WHERE search != '' ORDER BY path"))

    def page_changed(self, path: str, digest: str, parts: Mapping[str, str]) -> None:
        """Note the digest and the parts of a page whose bytes are new, until ``save_drawn`` makes them part of its history.

        They wait in a table of this connection alone: in memory, those of all pages would take more than a build has else.
        """
        self.db.execute(
            "INSERT INTO temp.changed VALUES (?, ?, ?)",
            (path, digest, json.dumps(dict(parts), sort_keys=True)),
        )

    def save_drawn(
        self, rows: Mapping[str, tuple[str, str, str]], gone: Iterable[str], build_id: int
    ) -> None:
        """Record the pages that were drawn: address → (key, digest, search entry), those that are gone, and what changed."""
        with self.transaction():
            self.db.executemany(
                "INSERT OR REPLACE INTO drawn VALUES (?, ?, ?, ?)", ((p, *row) for p, row in rows.items())
            )
            self.db.executemany("DELETE FROM drawn WHERE path = ?", ((p,) for p in gone))
            self.db.execute(
                "INSERT INTO pages SELECT path, digest, parts, ? FROM temp.changed ORDER BY rowid",
                (build_id,),
            )
            self.db.execute("DELETE FROM temp.changed")

    # ── the last complete build ───────────────────────────────────────────────────────────────────────

    def complete(self) -> tuple[str, dict[str, Any]] | None:
        """What the last complete build was made of, as a digest, and its summary; None when there is none."""
        row = self.db.execute("SELECT inputs, summary FROM complete").fetchone()
        return None if row is None else (row[0], orjson.loads(row[1]))

    def save_complete(self, inputs: str, summary: Mapping[str, Any] | None) -> None:
        """Record what a complete build was made of; ``summary`` None for one that is not complete."""
        if summary is None:
            if self.complete() is not None:
                self.db.execute("DELETE FROM complete")
        else:
            text = orjson.dumps(summary).decode()
            if self.db.execute("SELECT inputs, summary FROM complete").fetchone() != (inputs, text):
                self.db.execute("INSERT OR REPLACE INTO complete VALUES (1, ?, ?)", (inputs, text))


@cache
def _flags(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.db.execute("COMMIT" if kind is None else "ROLLBACK")
