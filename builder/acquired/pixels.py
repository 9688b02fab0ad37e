"""Pixels of a frame's file: only what is asked for is read, and nothing is held that need not be.

Plain FITS is read by offset, in bands of rows. A memory map is not used on purpose: a file that shrinks
under a map kills the process, a short read is an error that can be told. Files stay open between reads. Gzip files are
decompressed once per ``FilePixels``, tile-compressed ones by astropy, and kept until ``close``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.acquired.fitsfile import Hdu, inspect
from builder.acquired.handles import Handle, opened, released
from builder.acquired.layout import cards_of
from builder.acquired.plane import PixelsLost, Plane
from builder.acquired.unzip import DamagedStreamError, unzip
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

BAND = 1 << 20
"""Bytes read at once: fits a processor's cache, so that decoding reads from there."""


@dataclass
class FilePixels:
    """Pixels of one frame (see ``analysis.contract.Pixels``). Can be pickled; what it cached stays behind."""

    frame: Frame
    path: Path
    _planes: dict[int, Plane] = field(default_factory=dict, repr=False)
    _held: dict[int, NDArray[np.generic]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_held": {}, "_planes": {}}

    def read(
        self, channel: Channel, region: Region, out: NDArray[np.generic] | None = None
    ) -> NDArray[np.generic]:
        """The pixels of a region [ADU], shape ``region.shape``, of native byte order: a new array, or ``out``.

        uint16 where the file holds that, float64 for 32-bit integers, else float32; BLANK becomes NaN. Raises
        PixelsLost when the file is not what was indexed, ValueError when the region leaves the image.
        """
        plane = self._of(channel)
        if not (0 <= region.y0 <= region.y1 <= plane.rows and 0 <= region.x0 <= region.x1 <= plane.columns):
            raise ValueError(f"{region} leaves the image of {plane.rows} × {plane.columns} pixels")
        try:
            handle = opened(id(self), self.path)
            self._check(os.fstat(handle.number))
            if out is None:
                out = np.empty(region.shape, plane.dtype)
            if plane.kind == "compressed" or handle.packed:
                np.copyto(out, self._whole(plane, handle)[region.slices], casting="unsafe")
            else:
                _read_rows(handle, plane, region, out)
            return out
        except PixelsLost:
            raise
        except OSError as error:
            raise PixelsLost(f"{self.path.name}: {error.strerror or error}") from error

    def dtype(self, channel: Channel) -> np.dtype[np.generic]:
        """The type that ``read`` hands out. Raises what ``read`` raises."""
        return self._of(channel).dtype

    def header(self) -> Mapping[str, str]:
        """The raw header of the frame, as it was indexed: text by keyword. Raises PixelsLost when the file is not what was indexed."""
        try:
            info = self.path.stat()
        except OSError as error:
            raise PixelsLost(f"{self.path.name}: {error.strerror or error}") from error
        self._check(info)
        return cards_of(self._hdus(min(self.frame.hdus.values())), self.frame.hdus)

    def close(self) -> None:
        """Let go of the file and of decompressed images. It may be read again."""
        released(id(self))
        self._held.clear()

    def __del__(self) -> None:
        released(id(self))

    def _of(self, channel: Channel) -> Plane:
        return self._plane(self.frame.hdus.get(channel.name, self.frame.hdus.get("", -1)))

    def _plane(self, number: int) -> Plane:
        if number not in self._planes:
            self._planes[number] = Plane.of(self._hdus(number)[number])
        return self._planes[number]

    def _hdus(self, number: int) -> Sequence[Hdu]:
        """The HDUs of the file up to one."""
        found = inspect(self.path, upto=number)
        if found.state != "ok":
            raise PixelsLost(f"{self.path.name} is {found.state}: {found.reason}")
        if not 0 <= number < len(found.hdus):
            raise PixelsLost(f"{self.path.name} has no HDU {number}")
        return found.hdus

    def _check(self, info: os.stat_result) -> None:
        file: FrameFile = self.frame.file
        if file.mtime_ns and (info.st_size, info.st_mtime_ns) != (file.size, file.mtime_ns):
            raise PixelsLost(f"{self.path.name} changed since it was indexed")

    def _whole(self, plane: Plane, handle: Handle) -> NDArray[np.generic]:
        if plane.hdu not in self._held:
            data: bytes | bytearray = _everything(handle)
            if handle.packed:
                data = unzipped(data, self.path.name)
            if plane.kind == "compressed":
                image = decompressed(data, plane, self.path.name).astype(plane.dtype, copy=False)
            else:
                raw = stored_rows(data, plane, self.path.name)
                image = np.empty(raw.shape, plane.dtype)
                plane.decode(raw, image)
            self._held[plane.hdu] = image
        return self._held[plane.hdu]


class FrameHeader(Mapping[str, str]):
    """The header of a frame with what a log says of it: its file is read when it is first looked into, as few procedures do.

    Raises then what ``FilePixels.header`` raises.
    """

    def __init__(self, pixels: FilePixels, logged: Mapping[str, str]) -> None:
        self._pixels, self._logged = pixels, logged

    @cached_property
    def _cards(self) -> Mapping[str, str]:
        return {**self._pixels.header(), **self._logged}

    def __getitem__(self, keyword: str) -> str:
        return self._cards[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)


def open_pixels(frame: Frame, campaign_root: Path) -> FilePixels:
    """The pixels of a frame. Nothing is opened before the first read."""
    return FilePixels(frame, campaign_root / frame.file.root / frame.file.path)


def _read_rows(handle: Handle, plane: Plane, region: Region, out: NDArray[np.generic]) -> None:
    """A region of a plain image into ``out``, in bands of rows from its first pixel to its last.

    Rows are read whole even for a few columns: a call per row costs more than the bytes between (measured: 4×).
    """
    if not out.size:
        return
    size = plane.stored.itemsize
    rows = min(max(1, BAND // plane.row_bytes), region.shape[0])
    buffer = scratch(rows * plane.row_bytes)
    view = memoryview(buffer)
    for y in range(region.y0, region.y1, rows):
        count = min(rows, region.y1 - y)
        first = y * plane.columns + region.x0
        last = (y + count - 1) * plane.columns + region.x1
        fill(handle.number, view[: (last - first) * size], plane.offset + first * size)
        raw = np.ndarray((count, region.shape[1]), plane.stored, buffer, strides=(plane.row_bytes, size))
        plane.decode(raw, out[y - region.y0 : y - region.y0 + count])


_memory = threading.local()


def scratch(size: int) -> bytearray:
    """Working memory of this thread, at least ``size`` bytes: new memory at each read costs more than reading."""
    held: bytearray | None = getattr(_memory, "held", None)
    if held is None or len(held) < size:
        held = _memory.held = bytearray(max(size, BAND))
    return held


def fill(number: int, buffer: memoryview, offset: int) -> None:
    """Read an open file from ``offset`` until the buffer is full. Raises PixelsLost when the file ends before, OSError."""
    done = 0
    while done < len(buffer):
        got = os.preadv(number, [buffer[done:]], offset + done)
        if not got:
            raise PixelsLost(f"the file ends at byte {offset + done}, inside its image")
        done += got


def _everything(handle: Handle) -> bytearray:
    data = bytearray(os.fstat(handle.number).st_size)
    fill(handle.number, memoryview(data), 0)
    return data


def unzipped(data: bytes | bytearray, name: str) -> bytes:
    """The bytes of a gzip file. Raises PixelsLost when the stream is cut or damaged."""
    try:
        return unzip(data)
    except (EOFError, DamagedStreamError) as error:
        raise PixelsLost(f"{name}: the gzip stream is cut or damaged: {error}") from error


def stored_rows(data: bytes | bytearray, plane: Plane, name: str) -> NDArray[np.generic]:
    """A plain image as stored, shape (rows, columns), in the bytes of a whole file. Raises PixelsLost when cut."""
    count = plane.rows * plane.columns
    if len(data) < plane.offset + count * plane.stored.itemsize:
        raise PixelsLost(f"{name}: the file ends inside its image")
    return np.frombuffer(data, plane.stored, count, plane.offset).reshape(plane.rows, plane.columns)


def decompressed(data: bytes | bytearray, plane: Plane, name: str) -> NDArray[np.generic]:
    """A tile-compressed image, shape (rows, columns), of native order and the type that astropy finds.

    ``data`` are the bytes of a whole file. Raises PixelsLost when its tiles are damaged.
    """
    from astropy.io import fits  # heavy, and needed for tile-compressed files only

    try:
        with fits.open(BytesIO(data), memmap=False, uint=True) as hdus:
            image = np.asarray(hdus[plane.hdu].data)
    except (ValueError, TypeError, IndexError, KeyError, RuntimeError, OSError) as error:
        raise PixelsLost(f"{name}: its tiles could not be decompressed: {error}") from error
    return image.reshape(plane.rows, plane.columns).astype(image.dtype.newbyteorder("="), copy=False)


def fingerprint(path: Path) -> str:
    """BLAKE3 digest of a file's bytes (hex), read in pieces. Raises PixelsLost when it cannot be read."""
    from blake3 import blake3

    digest = blake3()
    try:
        with path.open("rb", buffering=0) as file:
            buffer = memoryview(scratch(BAND))
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
    except OSError as error:
        raise PixelsLost(f"{path.name}: {error.strerror or error}") from error
    return digest.hexdigest()
