"""Pixels of a frame's file: only what is asked for is read, and nothing is held that need not be.

Plain FITS is read by offset, in bands of rows. A memory map is not used on purpose: a file that shrinks
under a map kills the process, a short read is an error that can be told. Gzip files are decompressed once
per ``FilePixels``, tile-compressed ones by astropy, and kept until ``close``.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from builder.acquired.fitsfile import Hdu, inspect
from campaign.frames import Frame, FrameFile
from campaign.geometry import Channel, Region

BAND = 1 << 20
"""Bytes read at once: fits a processor's cache, so that decoding reads from there."""

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


class PixelsLost(OSError):
    """A frame's file vanished, shrank or changed since it was indexed."""


@dataclass(frozen=True)
class _Plane:
    """How one image is stored: shape, type and scale of its numbers, and where."""

    hdu: int
    kind: str
    rows: int
    columns: int
    bitpix: int
    offset: int
    zero: float
    scale: float
    blank: int | None

    @classmethod
    def of(cls, hdu: Hdu) -> _Plane:
        """As a header says. Raises PixelsLost when the HDU is no image."""
        if not hdu.is_image or len(hdu.shape) < 2:
            raise PixelsLost(f"HDU {hdu.index} is no image")
        zero, scale = (_real(hdu.cards.get(k), d) for k, d in (("BZERO", 0.0), ("BSCALE", 1.0)))
        blank = _real(hdu.cards.get("BLANK"), math.nan) if hdu.bitpix > 0 else math.nan
        rows, columns = hdu.shape[-2:]
        whole = int(blank) if math.isfinite(blank) else None
        return cls(hdu.index, hdu.kind, rows, columns, hdu.bitpix, hdu.offset, zero, scale, whole)

    @property
    def stored(self) -> np.dtype[np.generic]:
        """Type of the numbers in the file."""
        return np.dtype(_DTYPES[self.bitpix])

    @property
    def unsigned(self) -> bool:
        """Whether the file holds unsigned 16-bit numbers by the usual offset."""
        return self.bitpix == 16 and self.zero == 32768 and self.scale == 1 and self.blank is None

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type handed out: uint16; float64 for 32- and 64-bit integers, which float32 cannot hold; else float32."""
        if self.unsigned:
            return np.dtype(np.uint16)
        return np.dtype(np.float64 if self.bitpix in (32, 64) else np.float32)

    def decode(self, raw: NDArray[np.generic], out: NDArray[np.generic]) -> None:
        """Numbers as stored → values [ADU], into ``out`` of the same shape and of ``dtype`` or a wider type."""
        if self.unsigned and out.dtype == np.uint16:
            np.copyto(out, raw.view(">u2"))
            np.bitwise_xor(out, np.uint16(0x8000), out=out)
        elif self.unsigned:
            np.copyto(out, raw, casting="unsafe")
            np.add(out, np.float32(32768), out=out)
        elif self.zero == 0 and self.scale == 1:
            np.copyto(out, raw, casting="unsafe")
        else:
            np.copyto(out, raw.astype(np.float64) * self.scale + self.zero, casting="unsafe")
        if self.blank is not None:
            out[raw == self.blank] = np.nan


def _real(text: str | None, default: float) -> float:
    try:
        return float(text.replace("D", "E")) if text and text.strip() else default
    except ValueError:
        return default


@dataclass
class FilePixels:
    """Pixels of one frame (see ``analysis.contract.Pixels``). Can be pickled; what it cached stays behind."""

    frame: Frame
    path: Path
    _planes: dict[int, _Plane] = field(default_factory=dict, repr=False)
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
            with self.path.open("rb", buffering=0) as file:
                packed = file.read(2) == b"\x1f\x8b"
                self._check(os.fstat(file.fileno()))
                if out is None:
                    out = np.empty(region.shape, plane.dtype)
                if plane.kind == "compressed" or packed:
                    np.copyto(out, self._whole(plane, packed)[region.slices], casting="unsafe")
                else:
                    _read_rows(file, plane, region, out)
                return out
        except PixelsLost:
            raise
        except (OSError, EOFError, zlib.error) as error:
            raise PixelsLost(f"{self.path.name}: {getattr(error, 'strerror', None) or error}") from error

    def dtype(self, channel: Channel) -> np.dtype[np.generic]:
        """The type that ``read`` hands out. Raises what ``read`` raises."""
        return self._of(channel).dtype

    def close(self) -> None:
        """Let go of decompressed images."""
        self._held.clear()

    def _of(self, channel: Channel) -> _Plane:
        return self._plane(self.frame.hdus.get(channel.name, self.frame.hdus.get("", -1)))

    def _plane(self, number: int) -> _Plane:
        if number not in self._planes:
            found = inspect(self.path, upto=number)
            if found.state != "ok":
                raise PixelsLost(f"{self.path.name} is {found.state}: {found.reason}")
            if not 0 <= number < len(found.hdus):
                raise PixelsLost(f"{self.path.name} has no HDU {number}")
            self._planes[number] = _Plane.of(found.hdus[number])
        return self._planes[number]

    def _check(self, info: os.stat_result) -> None:
        file: FrameFile = self.frame.file
        if file.mtime_ns and (info.st_size, info.st_mtime_ns) != (file.size, file.mtime_ns):
            raise PixelsLost(f"{self.path.name} changed since it was indexed")

    def _whole(self, plane: _Plane, packed: bool) -> NDArray[np.generic]:
        if plane.hdu not in self._held:
            image = (
                _decompressed(self.path, plane) if plane.kind == "compressed" else _unzipped(self.path, plane)
            )
            self._held[plane.hdu] = image
        return self._held[plane.hdu]


def open_pixels(frame: Frame, campaign_root: Path) -> FilePixels:
    """The pixels of a frame. Nothing is opened before the first read."""
    return FilePixels(frame, campaign_root / frame.file.root / frame.file.path)


def _read_rows(file: BinaryIO, plane: _Plane, region: Region, out: NDArray[np.generic]) -> None:
    """A region of a plain image into ``out``, in bands of rows from its first pixel to its last.

    Rows are read whole even for a few columns: a call per row costs more than the bytes between (measured: 4×).
    """
    if not out.size:
        return
    size = plane.stored.itemsize
    rows = max(1, BAND // (plane.columns * size))
    buffer = bytearray(rows * plane.columns * size)
    for y in range(region.y0, region.y1, rows):
        count = min(rows, region.y1 - y)
        first = y * plane.columns + region.x0
        last = (y + count - 1) * plane.columns + region.x1
        _fill(file, memoryview(buffer)[: (last - first) * size], plane.offset + first * size)
        raw = np.ndarray((count, region.shape[1]), plane.stored, buffer, strides=(plane.columns * size, size))
        plane.decode(raw, out[y - region.y0 : y - region.y0 + count])


def _fill(file: BinaryIO, buffer: memoryview, offset: int) -> None:
    done = 0
    while done < len(buffer):
        got = os.preadv(file.fileno(), [buffer[done:]], offset + done)
        if not got:
            raise PixelsLost(f"the file ends at byte {offset + done}, inside its image")
        done += got


def _unzipped(path: Path, plane: _Plane) -> NDArray[np.generic]:
    count = plane.rows * plane.columns
    with gzip.open(path, "rb") as file:
        file.seek(plane.offset)
        data = file.read(count * plane.stored.itemsize)
    if len(data) < count * plane.stored.itemsize:
        raise PixelsLost(f"{path.name}: the gzip stream ends early")
    raw = np.frombuffer(data, plane.stored).reshape(plane.rows, plane.columns)
    out = np.empty(raw.shape, plane.dtype)
    plane.decode(raw, out)
    return out


def _decompressed(path: Path, plane: _Plane) -> NDArray[np.generic]:
    from astropy.io import fits  # heavy, and needed for tile-compressed files only

    try:
        with fits.open(path, memmap=False, uint=True) as hdus:
            image = np.asarray(hdus[plane.hdu].data)
    except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
        raise PixelsLost(f"{path.name}: its tiles could not be decompressed: {error}") from error
    image = image.reshape(plane.rows, plane.columns)
    return image.astype(plane.dtype, copy=False)


def fingerprint(path: Path) -> str:
    """BLAKE3 digest of a file's bytes (hex), read in pieces. Raises PixelsLost when it cannot be read."""
    from blake3 import blake3

    digest = blake3()
    try:
        with path.open("rb", buffering=0) as file:
            buffer = memoryview(bytearray(8 * BAND))
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
    except OSError as error:
        raise PixelsLost(f"{path.name}: {error.strerror or error}") from error
    return digest.hexdigest()
