"""Gzip by ISA-L: a third of the standard library's time (bench/bench_frames.py), with faults as one kind of error."""

from __future__ import annotations

import zlib
from typing import Any, BinaryIO


class DamagedStreamError(Exception):
    """A gzip stream that breaks its format. One that is only cut raises EOFError."""


def unzip(data: bytes | bytearray) -> bytes:
    """The bytes of a whole gzip file, of any number of members. Raises EOFError, DamagedStreamError."""
    from isal import igzip

    decompress: Any = igzip.decompress
    try:
        out: bytes = decompress(data)
    except EOFError:
        raise
    except (OSError, zlib.error, _isal_error()) as error:
        raise DamagedStreamError(str(error)) from error
    return out


class Unzipped:
    """A gzip file, read from its beginning."""

    def __init__(self, file: BinaryIO) -> None:
        from isal import igzip

        opened: Any = igzip.IGzipFile
        self._file: Any = opened(fileobj=file, mode="rb")

    def read(self, count: int) -> bytes:
        """Up to ``count`` decompressed bytes; b'' at the end. Raises EOFError, DamagedStreamError, OSError of the disk."""
        from isal import igzip

        try:
            out: bytes = self._file.read(count)
        except (igzip.BadGzipFile, zlib.error, _isal_error()) as error:
            raise DamagedStreamError(str(error)) from error
        return out


def _isal_error() -> type[Exception]:
    from isal import isal_zlib

    found: Any = isal_zlib.IsalError  # declared as a value, and is a class
    kind: type[Exception] = found
    return kind
