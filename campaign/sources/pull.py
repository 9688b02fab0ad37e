"""Pull: each record source read where it is, or its last snapshot when that fails.

One source never costs another: whatever goes wrong with it becomes a finding. A file whose time and size are
those of the last look is not opened again, so that a build without changes takes milliseconds here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.model import Campaign, Source
from campaign.names import slug
from campaign.record import Snapshot
from campaign.sources import files
from campaign.sources.addresses import SheetAddress
from campaign.sources.files import Stamp
from campaign.sources.grid import SourceError, to_table
from campaign.sources.snapshots import Kept, LastCheck, Reading, SnapshotFolder

if TYPE_CHECKING:
    from campaign.sources.sheets import SheetsReader

READER = 1
"""Raised when reading changes, so that unchanged files are read again."""
_RACE = timedelta(seconds=2)


def pull(
    campaign: Campaign,
    store: Path,
    *,
    now: Callable[[], datetime],
    environ: Mapping[str, str],
    offline: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[list[Snapshot], list[Finding]]:
    """The newest snapshot of every source of the campaign, in its order, and what went wrong.

    Snapshots are kept in ``store``, one folder per source. ``now`` gives the time (aware), ``environ`` the
    names that hold secrets; ``offline`` leaves Google Sheets alone; ``sleep`` waits [s] between attempts.
    Raises OSError only when ``store`` cannot be written.
    """
    puller = _Puller(campaign, store, now, environ, offline, sleep)
    pulled = [puller.pull(source) for source in campaign.sources]
    return [s for s, _ in pulled], [f for _, found in pulled for f in found]


@dataclass(frozen=True)
class _Look:
    """One look at a source: a reading, or the error; and the file's stamp where a file was read whole."""

    reading: Reading | None = None
    error: SourceError | None = None
    stamp: Stamp | None = None


class _Puller:
    """What the sources of one pull share."""

    def __init__(
        self,
        campaign: Campaign,
        store: Path,
        now: Callable[[], datetime],
        environ: Mapping[str, str],
        offline: bool,
        sleep: Callable[[float], None],
    ) -> None:
        self.campaign, self.store, self.offline = campaign, store, offline
        self.now, self.environ, self.sleep = now, environ, sleep
        self._sheets: SheetsReader | None = None

    def pull(self, source: Source) -> tuple[Snapshot, list[Finding]]:
        """The newest snapshot of one source."""
        folder = SnapshotFolder(self.store / slug(source.id))
        reads = _reads(source)
        last = folder.last()
        at = self.now().astimezone(UTC)
        kept, damaged = folder.newest(last.snapshot if last else "")
        stamp = self._stamp(source)
        if last is not None and stamp is not None and _unchanged(last, stamp, reads):
            look = _Look(error=SourceError(last.error) if last.error else None, stamp=stamp)
            if last.error or (kept is not None and kept.file == last.snapshot):
                return self._result(source, folder, last, look, kept, at, damaged)
        look = self._look(source)
        if look.reading is not None:
            kept = folder.keep(source.id, reads, look.reading, at, newest=kept)
        return self._result(source, folder, last, look, kept, at, damaged)

    def _stamp(self, source: Source) -> Stamp | None:
        try:
            if SheetAddress.of(source.address) is not None:
                return None
            return Stamp.of(files.path_of(self.campaign.root, source.address))
        except SourceError:
            return None

    def _look(self, source: Source) -> _Look:
        """Read the source. Whatever fails is an error with a plain message, and never more than this source's."""
        stamp = None
        try:
            sheet = SheetAddress.of(source.address)
            if sheet is not None:
                grid, revision = self._reader().read(sheet, source.sheet), ""
            else:
                data, stamp = files.read_stable(files.path_of(self.campaign.root, source.address))
                revision = _blake3(data)
                grid = files.read_file(data, source)
            table, findings = to_table(grid, source.header_row, source.address)
            return _Look(Reading(table, tuple(findings), revision), stamp=stamp)
        except SourceError as error:
            return _Look(error=error, stamp=stamp)
        except Exception as error:  # a source costs only itself, also where a reader has a fault of its own
            return _Look(error=SourceError(f"reading it failed ({type(error).__name__})"), stamp=stamp)

    def _reader(self) -> SheetsReader:
        if self.offline:
            raise SourceError("it was not asked: this is an offline build")
        if self._sheets is None:
            from campaign.sources.sheets import SheetsReader

            self._sheets = SheetsReader(
                self.campaign.sheets, self.campaign.root, self.environ, now=self.now, sleep=self.sleep
            )
        return self._sheets

    def _result(
        self,
        source: Source,
        folder: SnapshotFolder,
        last: LastCheck | None,
        look: _Look,
        kept: Kept | None,
        at: datetime,
        findings: list[Finding],
    ) -> tuple[Snapshot, list[Finding]]:
        confirmed = at if look.error is None else last.confirmed_at if last else None
        error = str(look.error) if look.error else ""
        stamp = look.stamp
        check = LastCheck(
            at,
            confirmed,
            error,
            kept.file if kept else "",
            _reads(source),
            stamp.mtime_ns if stamp else None,
            stamp.size if stamp else None,
        )
        folder.note(check)
        snapshot = _snapshot(source, kept, confirmed, error)
        if kept is not None:
            findings = [*findings, *kept.reading.findings]
        if look.error is not None:
            findings += _failure(source, snapshot, look.error, at)
        return snapshot, [replace(f, block=f.block or source.block or None) for f in findings]


def _reads(source: Source) -> dict[str, str | int]:
    """What a reading depends on besides the content."""
    return {
        "address": source.address,
        "sheet": source.sheet,
        "header_row": source.header_row,
        "reader": READER,
    }


def _blake3(data: bytes) -> str:
    from blake3 import blake3

    return blake3(data).hexdigest()


def _unchanged(last: LastCheck, stamp: Stamp, reads: Mapping[str, str | int]) -> bool:
    """Whether a file is surely as it was at the last look.

    A file that was written within two seconds before that look may have been written again since without its
    time showing it (times of some file systems are that coarse): it is read once more.
    """
    written = datetime.fromtimestamp(stamp.mtime_ns / 1e9, UTC)
    return (
        dict(last.reads) == dict(reads)
        and (last.mtime_ns, last.size) == (stamp.mtime_ns, stamp.size)
        and last.checked_at - written > _RACE
    )


def _snapshot(source: Source, kept: Kept | None, confirmed: datetime | None, error: str) -> Snapshot:
    if kept is None:
        return Snapshot(source.id, source.address, None, None, stale=True, error=error)
    return Snapshot(
        source.id,
        str(kept.reads.get("address", source.address)),
        kept.reading.table,
        kept.pulled_at,
        kept.reading.revision,
        bool(error),
        error,
        confirmed or kept.pulled_at,
    )


def _failure(source: Source, snapshot: Snapshot, error: SourceError, at: datetime) -> list[Finding]:
    findings = []
    if error.kind:
        todo = "Give a path inside the campaign folder, an absolute path, or a Google Sheet's address"
        findings.append(
            Finding(error.kind, f"The address of source {source.id!r}: {error}", source.address, todo)
        )
    if snapshot.table is None:
        what = f"Source {source.id!r} was never read: {error}"
        return [*findings, Finding("source-unread", what, source.address, "Make the source readable")]
    seen = snapshot.checked_at or snapshot.pulled_at or at
    what = f"Source {source.id!r} could not be read: {error}. Shown is its snapshot, last confirmed {age(at - seen)} ago"
    if snapshot.address != source.address:
        what += f", which was read from another address ({snapshot.address})"
    return [*findings, Finding("source-stale", what, source.address, "Make the source readable again")]


def age(span: timedelta) -> str:
    """A span of time in words, in its largest whole unit: '3 days', '2 hours'. Nothing is younger than a minute."""
    seconds = max(span.total_seconds(), 0.0)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
