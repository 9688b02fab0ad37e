"""Frames of files that did not change, as they were framed before: neither their headers nor the mapping are looked at again.

Files are kept together by some hundreds: a new one costs the framing of those around it. Only what was framed
without any oddity is kept, as oddities are told anew by each build; and only where no exposure log has a say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import orjson

from builder.acquired.blockfolders import BlockFolders
from builder.acquired.shared import Shared
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
    """The frames of a campaign's files that are kept ready, and those of its other files, to be kept.

    Files are to be asked for, or told of, in the order in which they are given, and as the objects that they are here.
    """

    def __init__(
        self,
        ready: Ready,
        campaign: Campaign,
        files: Iterable[FrameFile],
        folders: BlockFolders,
        shared: Shared,
    ) -> None:
        self._ready, self._campaign, self._shared = ready, campaign, shared
        self._mappings: dict[str, str] = {}
        self._new: dict[int, tuple[str, Files]] = {}  # by the last file of each heap
        self._made: dict[int, list[Frame]] = {}
        self._taken: dict[int, list[Frame]] = {}
        for block, heap in together(files, folders):
            held = ready.take(KIND, *self._made_of(block, heap))
            if held is None:
                self._new[id(heap[-1])] = block, heap
            else:
                self._taken |= zip(map(id, heap), _frames(held, block, heap, shared), strict=True)

    @property
    def ready(self) -> Collection[int]:
        """The unchanged files whose frames are ready and not yet taken, by their ``id``."""
        return self._taken.keys()

    def take(self, file: FrameFile) -> list[Frame] | None:
        """The frames of an unchanged file; None where they are not ready. They are not held here any longer."""
        return self._taken.pop(id(file), None)

    def made(self, file: FrameFile, frames: list[Frame] | None) -> None:
        """Take note of the frames that were made of a file, None where there was an oddity.

        Those of a heap are kept for the next build with its last file, if all were made without oddities. Frames that would not come
        back as they are (a number beyond 64 bits, say) are not kept.
        """
        if frames is not None:
            self._made[id(file)] = frames
        if (ended := self._new.pop(id(file), None)) is None:
            return
        block, heap = ended
        made = [held for one in heap if (held := self._made.pop(id(one), None)) is not None]
        if len(made) < len(heap):
            return
        try:
            held = orjson.loads(orjson.dumps(_plain(made)))
        except (TypeError, ValueError):  # no JSON can hold it
            return
        if list(_frames(held, block, heap, self._shared)) == made:
            self._ready.keep(KIND, held, *self._made_of(block, heap))

    def finish(self) -> None:
        """Drop what is kept of files that are no more."""
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


def _frames(held: list[Any], block: str, files: Files, shared: Shared) -> Iterator[list[Frame]]:
    parts, rows = held
    parts = [shared.mapping(part) for part in parts]
    text, fields_of = shared.text, shared.fields
    for file, some in zip(files, rows, strict=True):
        yield [
            Frame(
                i, text(exposure), text(detector), file, parts[hdus], fields_of(fields), parts[sources], block
            )
            for i, exposure, detector, hdus, fields, sources in some
        ]
