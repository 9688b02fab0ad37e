"""Frames of files that did not change, as they were framed before: neither their headers nor the mapping are looked at again.

Files are kept together by some hundreds: a new one costs the framing of those around it. Only what was framed
without any oddity is kept, as oddities are told anew by each build; and only where no exposure log has a say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import orjson

from builder.acquired.blockfolders import BlockFolders
from builder.acquired.listing import file_key
from builder.digests import digest
from builder.ready import Ready
from campaign.frames import Frame, FrameFile
from campaign.model import Campaign

KIND = "frames"
TOGETHER = 256
"""Files that are kept together, on average."""

Files = list[FrameFile]


def together(files: Iterable[FrameFile], folders: BlockFolders) -> Iterator[tuple[str, Files]]:
    """(block, its files some hundreds at a time), of files in order.

    A file's name decides whether others follow it, so that a new file moves no others from one heap to the next.
    """
    heaps: dict[str, Files] = {}
    for file in files:
        block = folders.block(file.root, file.path)
        heap = heaps.setdefault(block, [])
        heap.append(file)
        if crc32(file.path.encode()) % TOGETHER == 0:
            yield block, heaps.pop(block)
    yield from heaps.items()


class Framed:
    """The frames of a campaign's files that are kept ready: ``taken`` has those of unchanged files, by key."""

    def __init__(
        self, ready: Ready, campaign: Campaign, files: Iterable[FrameFile], folders: BlockFolders
    ) -> None:
        self._ready, self._campaign = ready, campaign
        self._mappings: dict[str, str] = {}
        self._new: list[tuple[str, Files]] = []
        self.taken: dict[str, list[Frame]] = {}
        for block, heap in together(files, folders):
            held = ready.take(KIND, *self._made_of(block, heap))
            if held is None:
                self._new.append((block, heap))
            else:
                self.taken |= zip(map(file_key, heap), _frames(held, block, heap), strict=True)

    def keep(self, made: Mapping[str, Sequence[Frame]]) -> None:
        """Keep the frames of all other files for the next build, of heaps of which all were ``made`` without oddities.

        Frames that would not come back as they are (a number beyond 64 bits, say) are not kept.
        """
        for block, heap in self._new:
            frames = [list(made[key]) for file in heap if (key := file_key(file)) in made]
            if len(frames) < len(heap):
                continue
            try:
                held = orjson.loads(orjson.dumps(_plain(frames)))
            except (TypeError, ValueError):  # no JSON can hold it
                continue
            if list(_frames(held, block, heap)) == frames:
                self._ready.keep(KIND, held, *self._made_of(block, heap))
        self._ready.tidy(KIND)

    def _made_of(self, block: str, heap: Files) -> tuple[object, ...]:
        campaign = self._campaign
        if block not in self._mappings:
            known = campaign.block(block) if block else None
            own = campaign.detectors_of(known) if known else campaign.detectors
            self._mappings[block] = digest(campaign.data, list(campaign.detectors), list(own))
        return block, self._mappings[block], [(*_stat(f), f.state) for f in heap]


def _stat(file: FrameFile) -> tuple[str, str, int, int, int]:
    return file.root, file.path, file.size, file.mtime_ns, file.inode


def _plain(frames: Sequence[Sequence[Frame]]) -> list[Any]:
    """[what frames share: HDUs and sources, the frames of each file]."""
    shared: dict[str, int] = {}
    parts: list[object] = []

    def number(part: Mapping[str, object]) -> int:
        text = repr(part)
        if text not in shared:
            shared[text] = len(parts)
            parts.append(dict(part))
        return shared[text]

    rows = [
        [[f.id, f.exposure, f.detector, number(f.hdus), dict(f.fields), number(f.sources)] for f in some]
        for some in frames
    ]
    return [parts, rows]


def _frames(held: list[Any], block: str, files: Files) -> Iterator[list[Frame]]:
    parts, rows = held
    for file, some in zip(files, rows, strict=True):
        yield [
            Frame(i, exposure, detector, file, parts[hdus], fields, parts[sources], block)
            for i, exposure, detector, hdus, fields, sources in some
        ]
