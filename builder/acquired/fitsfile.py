"""The structure of a FITS file: its headers and whether all the data they promise are there.

Headers alone call a truncated frame good, so every header's data size is compared with the bytes of the
file. The walk reads 2880-byte blocks (FITS standard 4.0, section 3) and touches no
pixels, except in gzip files, which can only be checked by decompressing them to their end.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from builder.acquired.cards import CARD, HeaderError, data_size, read_cards, whole
from builder.acquired.unzip import DamagedStreamError, Unzipped
from campaign.frozen import dataclass

BLOCK = 2880
MOST_BLOCKS = 1000  # a header longer than this has lost its END
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"

HduKind = Literal["image", "compressed", "table", "empty"]

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the data"),
    (b"XTENSION", "a FITS extension without its primary header"),
)


class _Cut(Exception):
    """A compressed stream that ends early."""


@dataclass(frozen=True)
class Hdu:
    """One header and data unit.

    ``cards`` are values as text by keyword (strings without quotes, HIERARCH keywords without that word,
    the first of repeated keywords); ``quoted`` names those written as strings. ``shape`` is in array order
    (rows before columns); ``offset`` and ``size`` [bytes] say where its data are in the (decompressed) file.
    """

    index: int
    name: str
    kind: HduKind
    shape: tuple[int, ...]
    bitpix: int
    offset: int
    size: int
    cards: Mapping[str, str]
    quoted: tuple[str, ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether it holds pixels, compressed or not."""
        return self.kind in ("image", "compressed")


@dataclass(frozen=True)
class Structure:
    """What a file is: ``state`` and ``reason`` as in FrameFile, its HDUs, and notes about small faults."""

    state: str
    reason: str
    hdus: tuple[Hdu, ...] = ()
    notes: tuple[str, ...] = ()


class Stream(Protocol):
    """Bytes from the beginning, read or passed over; ``position`` is how far."""

    position: int

    def read(self, count: int) -> bytes:
        """The next bytes; fewer when the end comes first."""
        ...

    def skip(self, count: int) -> int:
        """Pass over bytes; how many there were."""
        ...


class Addressed:
    """Bytes that can be had from any offset: skipping costs nothing."""

    def __init__(self, at: Callable[[int, int], bytes], size: int) -> None:
        self.at, self.size, self.position = at, size, 0

    def read(self, count: int) -> bytes:
        """The next bytes; fewer when the end comes first."""
        data = self.at(self.position, count)
        self.position += len(data)
        return data

    def skip(self, count: int) -> int:
        """Pass over bytes; how many there were."""
        passed = max(min(count, self.size - self.position), 0)
        self.position += passed
        return passed


class Unpacked:
    """A gzip file: skipping is decompressing, so that a cut or damaged stream is noticed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.position = Unzipped(file), 0

    def read(self, count: int) -> bytes:
        """The next bytes; fewer when the end comes first."""
        parts = []
        while count > 0 and (part := self._some(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def skip(self, count: int) -> int:
        """Pass over bytes; how many there were."""
        passed = 0
        while passed < count and (part := self._some(count - passed)):
            passed += len(part)
        return passed

    def _some(self, count: int) -> bytes:
        try:
            part = self.file.read(min(count, CHUNK))
        except EOFError as error:
            raise _Cut from error
        self.position += len(part)
        return part


def inspect(path: Path, upto: int | None = None) -> Structure:
    """The structure of a file. Never raises: whatever is wrong becomes a state and a reason.

    With ``upto`` the walk ends at the header of that HDU: its data and what follows are not checked.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            return Structure("unreadable", "not a regular file")
        if info.st_size == 0:
            return Structure("empty", "the file has 0 bytes")
        with path.open("rb", buffering=0) as file:
            if os.pread(file.fileno(), 2, 0) == GZIP:
                return structure_of(Unpacked(file), upto)
            number = file.fileno()
            return structure_of(Addressed(lambda at, n: os.pread(number, n, at), info.st_size), upto)
    except OSError as error:
        return unreadable(error)


def unreadable(error: OSError) -> Structure:
    """What is said of a file that the system does not hand out."""
    if isinstance(error, PermissionError):
        return Structure("unreadable", "no permission to read it")
    if isinstance(error, FileNotFoundError):
        return Structure("unreadable", "the file is gone, or a link that leads nowhere")
    return Structure("unreadable", error.strerror or str(error))


def structure_of(stream: Stream, upto: int | None = None) -> Structure:
    """The structure of a (decompressed) file. What is wrong becomes a state; OSError of the disk is passed on."""
    try:
        return _walk(stream, upto)
    except DamagedStreamError as error:
        return Structure("unreadable", f"the gzip stream is damaged: {error}")
    except HeaderError as error:
        return Structure("unreadable", f"corrupt header: {error}")


def _walk(stream: Stream, upto: int | None) -> Structure:
    hdus: list[Hdu] = []
    notes: list[str] = []
    try:
        while first := stream.read(BLOCK):
            if not first.startswith(b"XTENSION" if hdus else b"SIMPLE  "):
                if not hdus:
                    return Structure("foreign", f"not a FITS file but {what_is(first)}")
                extra = len(first) + stream.skip(sys.maxsize)
                notes.append(f"{extra} bytes after the last HDU were passed over")
                break
            hdu, fault = _unit(stream, first, len(hdus), check=len(hdus) != upto)
            if hdu is None:
                return Structure("truncated", fault, tuple(hdus), tuple(notes))
            hdus.append(hdu)
            if fault:
                notes.append(fault)
            if hdu.index == upto:
                return Structure("ok", "", tuple(hdus))
    except _Cut:
        reason = f"the gzip stream ends early, after {stream.position} decompressed bytes"
        return Structure("truncated", reason, tuple(hdus), tuple(notes))
    notes += _promised(hdus)
    return Structure("ok", "", tuple(hdus), tuple(notes))


def _unit(stream: Stream, first: bytes, index: int, *, check: bool) -> tuple[Hdu | None, str]:
    """The next HDU and a note; without the HDU, the note says how it is truncated."""
    header = _header(stream, first)
    if header is None:
        return None, f"the file ends at byte {stream.position}, inside the header of HDU {index}"
    cards, quoted = read_cards(header)
    offset, size = stream.position, data_size(cards, primary=index == 0)
    kind, shape, bitpix = _image(cards)
    hdu = Hdu(index, cards.get("EXTNAME", "").strip(), kind, shape, bitpix, offset, size, cards, quoted)
    if not check:
        return hdu, ""
    present = stream.skip(size)
    if present < size:
        return None, f"{offset + present} bytes are present, {offset + size} expected (data of HDU {index})"
    padding = -size % BLOCK
    if stream.skip(padding) < padding:
        return hdu, f"the last block of HDU {index} is not padded; its data are complete"
    return hdu, ""


def _header(stream: Stream, first: bytes) -> str | None:
    """The header's text up to END, or None when the file ends inside it."""
    blocks, block = [first], first
    while not _has_end(block):
        if len(block) < BLOCK:
            return None
        if len(blocks) >= MOST_BLOCKS:
            raise HeaderError(f"no END within {MOST_BLOCKS} blocks")
        block = stream.read(BLOCK)
        blocks.append(block)
    if len(block) < BLOCK:
        return None
    return b"".join(blocks).decode("latin-1")


def _has_end(block: bytes) -> bool:
    if b"END     " not in block:
        return False
    return any(block[i : i + CARD].rstrip() == b"END" for i in range(0, len(block), CARD))


def _image(cards: Mapping[str, str]) -> tuple[HduKind, tuple[int, ...], int]:
    """(kind, shape, BITPIX) of an HDU."""
    tiled = cards.get("ZIMAGE") == "T"
    prefix = "Z" if tiled else ""
    shape = tuple(
        whole(cards, f"{prefix}NAXIS{i}") for i in range(min(whole(cards, f"{prefix}NAXIS"), 999), 0, -1)
    )
    bitpix = whole(cards, f"{prefix}BITPIX")
    if tiled:
        return "compressed", shape, bitpix
    if cards.get("XTENSION", "IMAGE").strip() != "IMAGE":
        return "table", shape, bitpix
    return ("image" if len(shape) >= 2 and 0 not in shape else "empty"), shape, bitpix


def _promised(hdus: list[Hdu]) -> list[str]:
    promised = hdus[0].cards.get("NEXTEND", "") if hdus else ""
    if promised.isdecimal() and int(promised) > len(hdus) - 1:
        return [f"NEXTEND promises {promised} extensions, {len(hdus) - 1} are there"]
    return []


def what_is(first: bytes) -> str:
    """What a file seems to be, in words, from its first bytes."""
    for magic, name in _FOREIGN:
        if first.startswith(magic):
            return name
    if re.match(rb"\s*(<!doctype html|<html)", first, re.IGNORECASE):
        return "an HTML page"
    if not first.strip(b"\x00"):
        return "only zero bytes"
    text = first.decode("utf-8", errors="replace")
    if sum(c.isprintable() or c.isspace() for c in text) > 0.95 * len(text) and "\ufffd" not in text[:-2]:
        return "text"
    return "unknown data"
