"""One pass over a file: its bytes are read once, for fingerprint, headers, statistics, details and preview. Runs in workers.

Headers are walked first, and what was read of them is kept until the bytes are hashed in order; image rows are hashed and
counted in bands while they lie in the processor's cache. Compressed files are held as they are stored and decompressed
from there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from builder.acquired import pixels
from builder.acquired.fitsfile import (
    BLOCK,
    GZIP,
    Addressed,
    Hdu,
    Structure,
    Unpacked,
    structure_of,
    unreadable,
)
from builder.acquired.gather import FrameGather
from builder.acquired.pixels import decompressed, fill, scratch, stored_rows, unzipped
from builder.acquired.plane import PixelsLost, Plane
from builder.acquired.reading import CHANGED, FileRead, Image, ReadTask

if TYPE_CHECKING:
    from io import FileIO

SMALL = 1 << 20
"""Bytes up to which a file is read whole at once."""

MOST = 256 << 20
"""Bytes of a file up to which it may be held whole; of decompressed ones also. Larger ones are read more than once."""


class FileChanged(Exception):
    """The file is not what it was when it was listed, or changed while it was read."""


def read_file(task: ReadTask) -> FileRead:
    """Read a file once. Never raises for what is wrong with it: that is a state and a reason.

    A file that changes, shrinks or vanishes meanwhile is 'unreadable', and nothing of it is kept.
    """
    try:
        with task.path.open("rb", buffering=0) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                return FileRead(Structure("unreadable", "not a regular file"))
            if info.st_size == 0:
                return FileRead(Structure("empty", "the file has 0 bytes"))
            _unchanged(info, task.file.size, task.file.mtime_ns)
            one = _Pass(task, file, info.st_size)
            one.run()
            _unchanged(os.fstat(file.fileno()), info.st_size, info.st_mtime_ns)
            if one.structure is not None and one.structure.state != "ok":
                return FileRead(one.structure, one.fingerprint)
            return FileRead(one.structure, one.fingerprint, tuple(_kept(g, task) for g in one.gathers))
    except (FileChanged, PixelsLost):
        return FileRead(Structure("unreadable", CHANGED))
    except OSError as error:
        return FileRead(unreadable(error))


def _unchanged(info: os.stat_result, size: int, mtime_ns: int) -> None:
    if mtime_ns and (info.st_size, info.st_mtime_ns) != (size, mtime_ns):
        raise FileChanged


def _kept(gather: FrameGather, task: ReadTask) -> Image:
    """The summary of a frame, its preview and details stored. A damaged frame costs only itself."""
    if gather.error:
        return Image(gather.detector, gather.hdus, error=gather.error)
    try:
        return Image(gather.detector, gather.hdus, row=gather.stored(task.objects))
    except Exception as error:  # a full disk, say: other frames may still fit
        return Image(gather.detector, gather.hdus, error=f"{type(error).__name__}: {error}")


class _Pass:
    """One file on its way through: its structure, fingerprint and frames when ``run`` is done."""

    def __init__(self, task: ReadTask, file: FileIO, size: int) -> None:
        from blake3 import blake3

        self.task, self.number, self.size = task, file.fileno(), size
        self.digest = blake3()
        self.structure: Structure | None = None
        self.fingerprint = ""
        self.gathers: list[FrameGather] = []
        self._walked: dict[int, bytes] = {}

    def run(self) -> None:
        """Read everything. Raises OSError, PixelsLost when the file ends early."""
        whole = self._whole() if self.size <= SMALL else None
        packed = bytes(whole[:2] if whole else self._at(0, BLOCK)[:2]) == GZIP
        compare = bool(self.task.fingerprint)
        if whole is None and self.size > MOST and (compare or packed):
            self._in_two_goes(packed)
        elif whole is None and not (compare or packed):
            self._streamed()
        else:
            data = whole or self._whole()
            self.digest.update(data)
            if not self._known():
                self._from_memory(data, packed)

    def _known(self) -> bool:
        self.fingerprint = self.digest.hexdigest()
        return self.fingerprint == self.task.fingerprint

    def _at(self, offset: int, count: int) -> bytes:
        """Bytes of the walk over the headers, kept until they are hashed."""
        data = self._walked.get(offset, b"")
        if len(data) < count:
            data = self._walked[offset] = os.pread(self.number, count, offset)
        return data[:count]

    def _whole(self) -> bytearray:
        """All bytes of the file; those that the walk has read are not read again."""
        data = bytearray(self.size)
        view = memoryview(data)
        for start, stop, kept in self._stretches(0, self.size):
            if kept:
                view[start:stop] = kept
            else:
                fill(self.number, view[start:stop], start)
        return data

    def _stretches(self, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
        """(from, to, bytes) of what lies between two offsets, in order: what the walk has read, and b'' for what is still to read."""
        marks = sorted(o for o in self._walked if start <= o < end)
        for mark in [*marks, end]:
            if start < mark:
                yield start, mark, b""
            if mark < end:
                kept = self._walked[mark][: end - mark]
                yield mark, mark + len(kept), kept
                start = mark + len(kept)

    def _from_memory(self, data: bytearray, packed: bool) -> None:
        """Headers and frames of a file whose bytes are all here."""
        whole: bytes | bytearray = data
        if packed:
            try:
                whole = unzipped(data, self.task.path.name)
            except PixelsLost:  # which the walk tells better
                self.structure = structure_of(Unpacked(BytesIO(data)))
                return
        self._found(structure_of(Addressed(lambda at, n: bytes(whole[at : at + n]), len(whole))))
        for plane, gathers in self._planes():
            try:
                if plane.kind == "compressed":
                    image, raw = decompressed(whole, plane, self.task.path.name), False
                else:
                    image, raw = stored_rows(whole, plane, self.task.path.name), True
            except PixelsLost as error:
                _all_failed(gathers, error)
                continue
            for gather in gathers:
                gather.begin(plane, image.dtype, raw=raw)
                gather.add(plane, image, 0)

    def _streamed(self) -> None:
        """A large plain file: headers first, then all its bytes in order."""
        self._found(structure_of(Addressed(self._at, self.size)))
        planes = self._planes() if self.structure is not None and self.structure.state == "ok" else []
        position = 0
        tiled = [(p, g) for p, g in planes if p.kind == "compressed"]
        if tiled and self.size <= MOST:
            data = self._whole()
            self.digest.update(data)
            self._known()
            self._from_memory(data, packed=False)
            return
        for plane, gathers in planes:
            if plane.kind == "compressed":
                continue
            self._hash(position, plane.offset)
            self._rows(plane, gathers)
            position = plane.offset + plane.rows * plane.row_bytes
        self._hash(position, self.size)
        self._known()
        if tiled:
            self._by_reading_again(tiled)

    def _rows(self, plane: Plane, gathers: Sequence[FrameGather]) -> None:
        for gather in gathers:
            gather.begin(plane, plane.stored, raw=True)
        rows = max(1, pixels.BAND // plane.row_bytes)
        buffer = memoryview(scratch(rows * plane.row_bytes))
        for y in range(0, plane.rows, rows):
            count = min(rows, plane.rows - y)
            band = buffer[: count * plane.row_bytes]
            fill(self.number, band, plane.offset + y * plane.row_bytes)
            self.digest.update(band)
            block = np.frombuffer(band, plane.stored).reshape(count, plane.columns)
            for gather in gathers:
                gather.add(plane, block, y)

    def _hash(self, start: int, end: int) -> None:
        """Hash the bytes from ``start`` to ``end``; those that the walk has read are not read again."""
        buffer = memoryview(scratch(pixels.BAND))
        for first, last, kept in self._stretches(start, end):
            if kept:
                self.digest.update(kept)
                continue
            for at in range(first, last, pixels.BAND):
                part = buffer[: min(pixels.BAND, last - at)]
                fill(self.number, part, at)
                self.digest.update(part)

    def _in_two_goes(self, packed: bool) -> None:
        """A file too large to be held whole: hashed first, then read again where its bytes are new."""
        self._hash(0, self.size)
        if self._known():
            return
        if not packed:
            self.digest.reset()
            self._streamed()
            return
        with os.fdopen(os.dup(self.number), "rb") as again:
            again.seek(0)
            self._found(structure_of(Unpacked(again)))
        if self.structure is not None and self.structure.state == "ok":
            self._by_reading_again(self._planes())

    def _by_reading_again(self, planes: Sequence[tuple[Plane, list[FrameGather]]]) -> None:
        for _, gathers in planes:
            for gather in gathers:
                gather.from_file(self.task)

    def _found(self, structure: Structure) -> None:
        """Take the structure, and make ready for the frames that it holds."""
        self.structure = structure
        if structure.state != "ok":
            return
        images = self.task.images
        if self.task.holdings is not None:
            images = tuple(self.task.holdings.images(self.task.file, structure.hdus, self.task.block))
        self.gathers = [FrameGather(detector, hdus) for detector, hdus in images]

    def _planes(self) -> list[tuple[Plane, list[FrameGather]]]:
        """The images to be read, in the order of the file, each with the frames that it is part of."""
        hdus: Sequence[Hdu] = self.structure.hdus if self.structure else ()
        out = []
        for hdu in hdus:
            held = [g for g in self.gathers if hdu.index in g.hdus.values()]
            if held:
                out.append((Plane.of(hdu), held))
        return out


def _all_failed(gathers: Sequence[FrameGather], error: Exception) -> None:
    for gather in gathers:
        gather.error = gather.error or f"{type(error).__name__}: {error}"
