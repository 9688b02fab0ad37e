"""New and changed files: read once each by the engine's workers, and what they tell kept as it comes.

A build that is killed finds what was kept, and reads only the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from builder.acquired.index import IndexedFile
from builder.acquired.listing import file_key
from builder.acquired.reading import FileRead, ReadTask
from builder.build_log import BuildLog
from builder.engine import Engine
from builder.store import Store
from builder.summaries import SummaryKeys, stat_of
from campaign.frames import FrameFile

MOST_AT_ONCE = 16
"""Files that go to a worker at once: what they share is then sent once."""

KEEP_EVERY = 64


class Intake:
    """Reads files by the engine (see ``builder.acquired.reading.Reader``). ``read``, ``hashed`` and ``failed`` count files."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        advance: Callable[[int, int], None],
        log: BuildLog | None = None,
    ) -> None:
        self.store, self.engine, self.advance, self.log = store, engine, advance, log
        self.keys = SummaryKeys()
        self.read = 0
        self.hashed = 0
        self.failed = 0
        self.known = KnownFiles(store)

    def __call__(self, tasks: Sequence[ReadTask]) -> Iterator[tuple[ReadTask, FileRead | Exception]]:
        """Read files; yields each with what it told, in the order in which they are done."""
        if not tasks:
            return
        from builder.acquired.onepass import read_file  # with what reads pixels

        files: dict[str, str] = {}
        prints: list[tuple[str, str, str]] = []
        rows: dict[str, str] = {}
        batch = max(1, min(MOST_AT_ONCE, len(tasks) // (4 * self.engine.workers)))
        for done, (task, found) in enumerate(self.engine.run(read_file, tasks, batch), start=1):
            if self.log:
                fault = str(found) if isinstance(found, Exception) else ""
                self.log.file_read(file_key(task.file), task.file.size, fault)
            if isinstance(found, FileRead) and found.fingerprint:
                self.read += found.structure is not None
                self.hashed += found.structure is None
                key = file_key(task.file)
                prints.append((key, stat_of(task.file), found.fingerprint))
                if (row := self._row(key, task, found)) is not None:
                    files[key] = row.to_json()
                for image in found.images:
                    self.failed += bool(image.error)
                    if image.row:  # a failure is not kept: a full disk today says nothing of tomorrow
                        rows[self.keys.key(found.fingerprint, image.hdus, image.detector)] = image.row
            else:
                self.failed += 1
            if len(prints) >= KEEP_EVERY or done == len(tasks):
                self.store.save_cached("summaries", rows)
                self.store.save_fingerprints(prints)
                self.store.save_cached("files", files)  # last: what is known of a file is then complete
                files, prints, rows = {}, [], {}
            self.advance(done, len(tasks))
            yield task, found

    def _row(self, key: str, task: ReadTask, found: FileRead) -> IndexedFile | None:
        """What is to be known of a file from now on; None where that is what is known already."""
        if found.structure is not None:
            return IndexedFile.of(task.file, found.structure)
        old = self.known[key]  # the same bytes, perhaps at another time or place
        new = old.moved(task.file)
        return new if new != old else None


class KnownFiles(Mapping[str, IndexedFile]):
    """Files with their headers as the store knows them. Each is fetched when it is asked for, and nothing is held of it here."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: str) -> IndexedFile:
        row = self._store.cached_row("files", key)
        if row is None:
            raise KeyError(key)
        return IndexedFile.from_json(row)

    def __iter__(self) -> Iterator[str]:
        return self._store.cached_keys("files")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def fingerprint(self, file: FrameFile) -> str:
        """That of the bytes which the headers of a known file were read from; '' where it was taken of another size, time or inode."""
        stat, digest = self._store.fingerprint(file_key(file))
        return digest if stat == stat_of(file) else ""
