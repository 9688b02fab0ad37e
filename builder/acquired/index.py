"""Index of the data directories: every frame file, what is wrong with it, and the frames it holds.

A file is opened only when its size, modification time or inode changed since it was last indexed. What is
kept is the raw header, so that a changed mapping in the campaign folder takes effect without reading again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.acquired.blockfolders import BlockFolders
from builder.acquired.explog import LogBook, read_log
from builder.acquired.fitsfile import Hdu, Structure, inspect
from builder.acquired.framing import Framer
from builder.acquired.headers import HeaderMap, header_map
from builder.acquired.listing import Listing, list_data
from builder.acquired.tally import Tally
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.model import Campaign

FORMAT = 1
"""Raise it when IndexedFile changes its meaning: files are then read again."""


@dataclass(frozen=True)
class IndexedFile:
    """A file as it was found: its place and state, its raw headers, and notes about small faults."""

    file: FrameFile
    hdus: tuple[Hdu, ...] = ()
    notes: tuple[str, ...] = ()
    text: str = field(default="", compare=False, repr=False)

    def to_json(self) -> str:
        """One line of JSON; ``from_json`` reads it."""
        if self.text:
            return self.text
        f = self.file
        held = [f.root, f.path, f.size, f.mtime_ns, f.inode, f.state, f.reason, f.fingerprint]
        hdus = [
            [h.index, h.name, h.kind, h.shape, h.bitpix, h.offset, h.size, dict(h.cards), h.quoted]
            for h in self.hdus
        ]
        return json.dumps([FORMAT, held, hdus, self.notes], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> IndexedFile:
        """The file from its JSON. One of another format comes back as never seen: it is read again."""
        number, held, hdus, notes = json.loads(text)
        if number != FORMAT:
            return cls(FrameFile(held[0], held[1], -1, 0, 0))
        units = tuple(
            Hdu(i, name, kind, tuple(shape), bitpix, offset, size, cards, tuple(quoted))
            for i, name, kind, shape, bitpix, offset, size, cards, quoted in hdus
        )
        return cls(FrameFile(*held), units, tuple(notes), text)


@dataclass(frozen=True)
class Index:
    """All files and frames of a campaign; ``known`` is to be handed to the next ``index``."""

    files: tuple[FrameFile, ...]
    frames: tuple[Frame, ...]
    known: dict[str, IndexedFile]
    findings: list[Finding]


def file_key(file: FrameFile) -> str:
    """The name of a file in ``known``: root/path."""
    return f"{file.root}/{file.path}"


def index(campaign: Campaign, known: Mapping[str, IndexedFile], *, workers: int = 1) -> Index:
    """Index the campaign's data directories, reading only files that are new or changed since ``known``.

    Never raises for bad data: damaged files have a state and a finding, and the rest goes on.
    """
    mapping, findings = header_map(campaign)
    data = campaign.data
    listing = list_data(campaign.root, data.roots, data.logs or mapping.preset.logs, data.ignore)
    fresh = _inspected(campaign.root, listing, known, workers)
    folders = BlockFolders.of(campaign)
    tally = Tally()
    logs = _logs(campaign.root, listing, mapping, folders, findings)
    framer = Framer(campaign, mapping, logs, folders, tally)
    frames: list[Frame] = []
    files: list[FrameFile] = []
    for key, one in fresh.items():
        block = folders.block(one.file.root, one.file.path)
        if one.file.state != "ok":
            findings.append(_damage(one.file, key, block))
            logs.row(key, "", "")  # its row is not without a file
            files.append(one.file)
            continue
        for note in one.notes:
            tally.add("bad-header", "A small fault of the file's structure", key, detail=note, block=block,
                      todo="The data are complete and used; the writing software should be corrected.")  # fmt: skip
        file, found = framer.frames(one.file, one.hdus, block)
        files.append(file)
        frames += found
    logs.without_frames(tally, {b.id for b in campaign.blocks if b.data_archived})
    findings += [*listing.findings, *tally.findings()]
    return Index(tuple(files), framer.named_apart(frames), fresh, findings)


def _inspected(
    root: Path, listing: Listing, known: Mapping[str, IndexedFile], workers: int
) -> dict[str, IndexedFile]:
    """All listed files, those unchanged from ``known``. Unreadable ones are tried again each time."""
    out: dict[str, IndexedFile] = {}
    todo: list[FrameFile] = []
    for file in listing.files:
        key = file_key(file)
        old = known.get(key)
        if old is not None and _same(old.file, file):
            out[key] = old
            continue
        out[key] = IndexedFile(file)
        if file.state == "ok":
            todo.append(file)
    for file, found in zip(todo, _inspect_all([root / f.root / f.path for f in todo], workers), strict=True):
        seen = replace(file, state=found.state, reason=found.reason)
        out[file_key(file)] = IndexedFile(seen, found.hdus, found.notes)
    return out


def _same(old: FrameFile, new: FrameFile) -> bool:
    unchanged = (old.size, old.mtime_ns, old.inode) == (new.size, new.mtime_ns, new.inode)
    return unchanged and old.state != "unreadable" and new.state == "ok"


def _inspect_all(paths: list[Path], workers: int) -> Iterable[Structure]:
    if workers <= 1 or len(paths) < 2:
        return map(inspect, paths)
    with ThreadPoolExecutor(
        workers
    ) as pool:  # threads: the work is waiting for disks, and zlib lets go of the lock
        return list(pool.map(inspect, paths, chunksize=16))


def _logs(
    root: Path, listing: Listing, mapping: HeaderMap, folders: BlockFolders, findings: list[Finding]
) -> LogBook:
    book = LogBook()
    for top, path in listing.logs:
        place, block = f"{top}/{path}", folders.block(top, path)
        log = read_log(root / top / path, place)
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
    return Finding("damaged-file", what, key, _TODO[file.state], block or None)
