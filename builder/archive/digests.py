"""Digests of files, many at once: SHA-256, which every archive reads, and BLAKE3, which is several times as fast.

Both let go of Python's lock while they work, so threads use all processors. A file is read in pieces into memory
that each thread uses again.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from blake3 import blake3

from campaign.frozen import dataclass

PIECE = 1 << 20
_T = TypeVar("_T")
_R = TypeVar("_R")
_own = threading.local()


@dataclass(frozen=True)
class Digest:
    """A file's size in bytes and its digests in hexadecimal; '' for one that was not asked for."""

    size: int
    sha256: str
    blake3: str


def digest_bytes(data: bytes) -> Digest:
    """The digests of bytes in memory."""
    return Digest(len(data), hashlib.sha256(data).hexdigest(), blake3(data).hexdigest())


def pieces(path: Path) -> Iterator[memoryview]:
    """The content of a file, a piece at a time, in memory that the next piece overwrites. Raises OSError."""
    buffer: bytearray | None = getattr(_own, "buffer", None)
    if buffer is None:
        buffer = _own.buffer = bytearray(PIECE)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a Path for each of thousands of files costs more
        while count := stream.readinto(buffer):
            yield view[:count]


def digest_file(path: Path, *, sha256: bool = True, fast: bool = True) -> Digest:
    """The digests of a file; ``fast`` is BLAKE3. Raises OSError when it cannot be read."""
    sha, b3, size = hashlib.sha256(), blake3(), 0
    for piece in pieces(path):
        size += len(piece)
        if sha256:
            sha.update(piece)
        if fast:
            b3.update(piece)
    return Digest(size, sha.hexdigest() if sha256 else "", b3.hexdigest() if fast else "")


def copy(source: Path, target: Path) -> Digest:
    """Copy a file's bytes and hand back the digests of what was written. Raises OSError."""
    sha, b3, size = hashlib.sha256(), blake3(), 0
    with open(target, "xb", buffering=0) as out:  # noqa: PTH123 - see pieces
        for piece in pieces(source):
            out.write(piece)
            size += len(piece)
            sha.update(piece)
            b3.update(piece)
    return Digest(size, sha.hexdigest(), b3.hexdigest())


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def each(work: Callable[[_T], _R], items: Iterable[_T], threads: int = 0) -> list[_R]:
    """``work`` of every item, in their order, on as many threads as there are processors unless told otherwise."""
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        return list(pool.map(work, items))
