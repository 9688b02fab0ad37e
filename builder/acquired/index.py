"""Index of the data directories: every frame file, what is wrong with it, and the frames it holds.

A file is opened only when its size, modification time or inode changed since it was last indexed. What is
kept is the raw header, so that a changed mapping in the campaign folder takes effect without reading again. A build hands in a
reader, which takes fingerprint, statistics and preview from the same read; without it only headers are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from pathlib import Path

import orjson

from builder.acquired.blockfolders import BlockFolders
from builder.acquired.explog import Log, LogBook, read_log
from builder.acquired.fitsfile import Hdu, Structure, inspect
from builder.acquired.framed import Framed
from builder.acquired.framing import Framer, Holdings, Logged
from builder.acquired.headers import HeaderMap, header_map
from builder.acquired.listing import Listing, file_key, list_data
from builder.acquired.reading import CHANGED, FileRead, Reader, ReadTask
from builder.acquired.shared import Shared
from builder.acquired.tally import Tally
from builder.ready import Ready
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.model import Campaign

FORMAT = 1
"""Raise it when IndexedFile changes its meaning: files are then read again."""


@dataclass(frozen=True)
class IndexedFile:
    """A file as it was found: its place and state, its raw headers, and notes about small faults."""

    file: FrameFile
    hdus: tuple[Hdu, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line of JSON; ``from_json`` reads it."""
        f = self.file
        held = [f.root, f.path, f.size, f.mtime_ns, f.inode, f.state, f.reason, f.fingerprint]
        hdus = [
            [h.index, h.name, h.kind, h.shape, h.bitpix, h.offset, h.size, dict(h.cards), h.quoted]
            for h in self.hdus
        ]
        return orjson.dumps([FORMAT, held, hdus, self.notes]).decode()

    @classmethod
    def of(cls, file: FrameFile, found: Structure) -> IndexedFile:
        """A file with what its headers told."""
        return cls(replace(file, state=found.state, reason=found.reason), found.hdus, found.notes)

    @classmethod
    def from_json(cls, text: str) -> IndexedFile:
        """The file from its JSON. One of another format comes back as never seen: it is read again."""
        number, held, hdus, notes = orjson.loads(text)
        if number != FORMAT:
            return cls(FrameFile(held[0], held[1], -1, 0, 0))
        units = tuple(
            Hdu(i, name, kind, tuple(shape), bitpix, offset, size, cards, tuple(quoted))
            for i, name, kind, shape, bitpix, offset, size, cards, quoted in hdus
        )
        return cls(FrameFile(*held), units, tuple(notes))

    def moved(self, file: FrameFile) -> IndexedFile:
        """The same bytes in a file of another time or inode."""
        return replace(self, file=replace(file, state=self.file.state, reason=self.file.reason))


@dataclass(frozen=True)
class Index:
    """All files and frames of a campaign.

    ``known`` is to be known to the next ``index``, beside what the reader of a build has kept. Of ``untouched`` files the frames were kept
    ready: they are as they were. ``logged`` tells what exposure logs say of a frame.
    """

    files: tuple[FrameFile, ...]
    frames: tuple[Frame, ...]
    known: dict[str, IndexedFile]
    findings: list[Finding]
    untouched: int = 0
    logged: Logged = field(default_factory=Logged, repr=False, compare=False)

    @property
    def damaged(self) -> list[FrameFile]:
        """The files that cannot be used."""
        return [f for f in self.files if f.state != "ok"]


@dataclass(frozen=True)
class Listed:
    """What lies in the data directories, and the logs among it, read."""

    listing: Listing
    logs: tuple[tuple[str, str, Log], ...]  # (root, path, log)


@dataclass(frozen=True)
class ListTask:
    """Data directories to be listed, wherever they can be seen."""

    campaign_root: Path
    roots: tuple[str, ...]
    logs: tuple[str, ...]
    ignore: tuple[str, ...]


def listed(task: ListTask) -> Listed:
    """List data directories and read their logs, here or in a worker that sees them. Raises nothing for bad data."""
    root = task.campaign_root
    listing = list_data(root, task.roots, task.logs, task.ignore)
    logs = ((top, path, read_log(root / top / path, f"{top}/{path}")) for top, path in listing.logs)
    return Listed(listing, tuple(logs))


@dataclass(frozen=True)
class Reading:
    """How new and changed files are read in a build.

    ``reader`` reads them, ``objects`` is where their previews and details go, ``fingerprint`` is that of a known file's
    bytes ('' where it is not known). With ``verify`` unchanged files are hashed too. ``ready`` has frames of files that did not change.
    """

    reader: Reader
    objects: Path
    fingerprint: Callable[[FrameFile], str]
    verify: bool = False
    ready: Ready | None = None


def index(
    campaign: Campaign,
    known: Mapping[str, IndexedFile],
    *,
    workers: int = 1,
    reading: Reading | None = None,
    lister: Callable[[ListTask], Listed] = listed,
) -> Index:
    """Index the campaign's data directories, reading only files that are new or changed since ``known``.

    Without ``reading`` only headers are read, here, by ``workers`` threads. With it files are read whole, once, by its reader, and
    nothing here opens a file; headers are had from ``known`` one by one, where the reader keeps them. ``lister`` lists the directories: for frames that only workers can see, hand in a function that
    runs ``listed`` in one of them, such as ``partial(engine.at_the_frames, listed)``.

    Never raises for bad data: damaged files have a state and a finding, and the rest goes on.
    """
    mapping, findings = header_map(campaign)
    data = campaign.data
    held = lister(ListTask(campaign.root, data.roots, data.logs or mapping.preset.logs, data.ignore))
    folders = BlockFolders.of(campaign)
    shared = Shared()
    framed = None
    if reading is not None and reading.ready is not None and not (reading.verify or held.logs):
        framed = Framed(reading.ready, campaign, held.listing.files, folders, shared)
    untouched = framed.ready if framed is not None else frozenset()
    left = [f for f in held.listing.files if id(f) not in untouched]
    if reading is None:
        fresh = _inspected(campaign.root, left, known, workers)
    else:
        fresh = _read(campaign, left, known, reading, Holdings.of(campaign, mapping), folders, findings)
    tally = Tally()
    logs = _log_book(held, mapping, folders, findings)
    framer = Framer(campaign, mapping, logs, folders, tally, shared)
    frames: list[Frame] = []
    files: list[FrameFile] = []
    for listed_file in held.listing.files:
        if framed is not None and (ready := framed.take(listed_file)) is not None:
            files.append(listed_file)
            frames += ready
            continue
        key = file_key(listed_file)
        one = fresh[key] if key in fresh else known[key]
        block, odd = folders.block(one.file.root, one.file.path), tally.added
        if one.file.state != "ok":
            findings.append(_damage(one.file, key, block))
            logs.row(key, "", "")  # its row is not without a file
            files.append(one.file)
            if framed is not None:
                framed.made(listed_file, None)
            continue
        for note in one.notes:
            tally.add("bad-header", "A small fault of the file's structure", key, detail=note, block=block,
                      todo="The data are complete and used; the writing software should be corrected.")  # fmt: skip
        same = listed_file if one.file == listed_file else one.file  # held already
        file, found = framer.frames(same, one.hdus, block)
        files.append(file)
        frames += found
        if framed is not None:
            framed.made(listed_file, found if tally.added == odd and file == listed_file else None)
    if framed is not None:
        framed.finish()
    logs.without_frames(tally, {b.id for b in campaign.blocks if b.data_archived})
    findings += [*held.listing.findings, *tally.findings()]
    return Index(
        tuple(files),
        framer.named_apart(frames),
        fresh,
        findings,
        len(held.listing.files) - len(left),
        framer.logged,
    )


def _inspected(
    root: Path, files: Sequence[FrameFile], known: Mapping[str, IndexedFile], workers: int
) -> dict[str, IndexedFile]:
    """All listed files, those unchanged from ``known``. Unreadable ones are tried again each time."""
    out: dict[str, IndexedFile] = {}
    todo: list[FrameFile] = []
    for file in files:
        key = file_key(file)
        old = known.get(key)
        if old is not None and _same(old.file, file):
            out[key] = old
            continue
        out[key] = IndexedFile(file)
        if file.state == "ok":
            todo.append(file)
    for file, found in zip(todo, _inspect_all([root / f.root / f.path for f in todo], workers), strict=True):
        out[file_key(file)] = IndexedFile.of(file, found)
    return out


def _read(
    campaign: Campaign,
    files: Sequence[FrameFile],
    known: Mapping[str, IndexedFile],
    reading: Reading,
    holdings: Holdings,
    folders: BlockFolders,
    findings: list[Finding],
) -> dict[str, IndexedFile]:
    """The listed files that ``known`` does not have after the new and changed ones were read by the reader: those that cannot be read.

    A file of the size it had, whose bytes may be the same after all, is hashed first.
    """
    out: dict[str, IndexedFile] = {}
    tasks: list[ReadTask] = []
    unmoved: set[str] = set()  # hashed though nothing of them moved
    for file in files:
        key = file_key(file)
        if file.state != "ok":
            out[key] = IndexedFile(file)
            continue
        old = known.get(key)
        same = old is not None and _same(old.file, file)
        if same and not reading.verify:
            continue
        mark = ""  # other bytes for sure, or such as were never read
        if old is not None and old.file.size == file.size and old.file.state != "unreadable":
            mark = reading.fingerprint(old.file)
        if same and not mark:
            continue
        if same:
            unmoved.add(key)
        path = campaign.root / file.root / file.path
        block = folders.block(file.root, file.path)
        tasks.append(ReadTask(path, file, block, reading.objects, holdings, fingerprint=mark))
    for task, found in reading.reader(tasks):
        key = file_key(task.file)
        if isinstance(found, Exception):
            found = FileRead(Structure("unreadable", f"reading it failed: {found}"))
        if found.structure is None:
            continue
        if not found.fingerprint:
            out[key] = IndexedFile.of(task.file, found.structure)
        elif key in unmoved:
            findings.append(_changed_unseen(key, task.block))
    return out


def _changed_unseen(key: str, block: str) -> Finding:
    what = (
        "The bytes of the file changed while its size, time and inode stayed as they were; it was read anew."
    )
    return Finding("changed-unseen", what, key, "Check the disk, and what wrote to the file.", block or None)


def _same(old: FrameFile, new: FrameFile) -> bool:
    unchanged = (old.size, old.mtime_ns, old.inode) == (new.size, new.mtime_ns, new.inode)
    return unchanged and old.state != "unreadable" and new.state == "ok"


def _inspect_all(paths: Sequence[Path], workers: int) -> Iterator[Structure]:
    if workers <= 1 or len(paths) < 2:
        yield from map(inspect, paths)
        return
    # threads: the work is waiting for disks, and decompression lets go of the lock
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(inspect, paths, chunksize=16)


def _log_book(held: Listed, mapping: HeaderMap, folders: BlockFolders, findings: list[Finding]) -> LogBook:
    book = LogBook()
    for top, path, log in held.logs:
        place, block = f"{top}/{path}", folders.block(top, path)
        findings += [replace(f, block=block or None) for f in log.findings]
        book.add(log, place.rpartition("/")[0], place, mapping, block)
    return book


_TODO: Mapping[str, str] = {
    "empty": "Copy the file again, or delete it.",
    "truncated": "Copy the file again: a transfer may have been cut.",
    "foreign": "Move it out of the data directory, or add its pattern to [data] ignore.",
    "unreadable": "Check its permissions, or copy the file again.",
}


def _damage(file: FrameFile, key: str, block: str) -> Finding:
    what = f"The file is {file.state} and not used: {file.reason}."
    todo = "The next build reads it again." if file.reason == CHANGED else _TODO[file.state]
    return Finding("damaged-file", what, key, todo, block or None)
