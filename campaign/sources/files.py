"""Files of records: which reader a file needs, and bytes that did not change while they were read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from campaign.frozen import dataclass
from campaign.model import Source
from campaign.sources.grid import MAX_BYTES, Grid, SourceError


@dataclass(frozen=True)
class Stamp:
    """What tells a file from its earlier state without reading it: modification time [ns] and size [bytes]."""

    mtime_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The file's stamp now. Raises SourceError when it cannot be looked at."""
        try:
            found = path.stat()
        except OSError as error:
            raise SourceError(reason(error)) from None
        return cls(found.st_mtime_ns, found.st_size)


def reason(error: OSError) -> str:
    """An operating system's refusal in plain words, without the path."""
    if error.errno == errno.ENOENT:
        return "the file is not there"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "the file may not be read: it is locked or belongs to somebody else"
    if error.errno == errno.EISDIR:
        return "this is a folder, not a file"
    return f"the file could not be read: {os.strerror(error.errno) if error.errno else type(error).__name__}"


def path_of(root: Path, address: str) -> Path:
    """The path that a source's address means, from the campaign folder.

    Raises SourceError (kind 'unsafe-path') for another scheme than a file's, or a way out of the folder by '..'.
    """
    if "://" in address or "\0" in address:
        raise SourceError("the address is neither a file nor a Google Sheet", "unsafe-path")
    if ".." in PurePosixPath(address).parts or ".." in PureWindowsPath(address).parts:
        raise SourceError("the path leaves the campaign folder by '..'", "unsafe-path")
    return root / address


def read_stable(path: Path) -> tuple[bytes, Stamp]:
    """The file's bytes and its stamp. Raises SourceError when it is unreadable, or changed while it was read."""
    for _ in range(2):
        before = Stamp.of(path)
        if before.size > MAX_BYTES:
            raise SourceError(f"the file is larger than {MAX_BYTES // 1_000_000} MB: this is no test record")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SourceError(reason(error)) from None
        if before == Stamp.of(path) and len(data) == before.size:
            return data, before
    raise SourceError("the file was being written while it was read")


def read_file(data: bytes, source: Source) -> Grid:
    """The grid of a file's bytes, by the ending of its address. Raises SourceError."""
    if not data:
        raise SourceError("the file is empty")
    ending = PurePosixPath(source.address).suffix.lower()
    reader = _READERS.get(ending)
    if reader is None:
        known = ", ".join(_READERS)
        raise SourceError(f"files ending in {ending or 'nothing'} are not read; these are: {known}")
    return reader(data, source)


def _delimited(data: bytes, source: Source) -> Grid:
    from campaign.sources.delimited import read_delimited

    tabs = source.address.lower().endswith(".tsv")
    return read_delimited(data, name=source.address, header_row=source.header_row, tabs=tabs)


def _xlsx(data: bytes, source: Source) -> Grid:
    from campaign.sources.xlsx import read_xlsx

    return read_xlsx(data, sheet=source.sheet)


def _ods(data: bytes, source: Source) -> Grid:
    from campaign.sources.ods import read_ods

    return read_ods(data, sheet=source.sheet)


_READERS: dict[str, Callable[[bytes, Source], Grid]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".xlsx": _xlsx,
    ".xlsm": _xlsx,
    ".ods": _ods,
}
