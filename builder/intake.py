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
        self.kept: set[str] = set()

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
                if found.structure is not None:
                    files[key] = IndexedFile.of(task.file, found.structure).to_json()
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
                self.kept |= files.keys()
                files, prints, rows = {}, [], {}
            self.advance(done, len(tasks))
            yield task, found


class KnownFiles(Mapping[str, IndexedFile]):
    """Files with their headers as the store knows them, each made from its row when it is asked for first."""

    def __init__(self, store: Store) -> None:
        self._rows = store.cached("files")
        self._made: dict[str, IndexedFile] = {}

    def __getitem__(self, key: str) -> IndexedFile:
        if key not in self._made:
            self._made[key] = IndexedFile.from_json(self._rows[key])
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class KnownPrints(Mapping[str, str]):
    """The fingerprints of the bytes that files' headers were read from.

    One that was taken of another size, time or inode than the headers is no use, and left out.
    """

    def __init__(self, store: Store, files: KnownFiles) -> None:
        self._rows, self._files = store.fingerprints(), files

    def __getitem__(self, key: str) -> str:
        stat, digest = self._rows[key]
        if stat != stat_of(self._files[key].file):
            raise KeyError(key)
        return digest

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._rows if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
