"""Report versions: immutable copies of the site and its numbers, verified and compared years later."""

from __future__ import annotations

from builder.archive.errors import ArchiveError, NotAsBuiltError, OutOfRangeError
from builder.archive.selection import after, before, nearest, select
from builder.archive.versions import Version, find, versions

__all__ = [
    "ArchiveError",
    "NotAsBuiltError",
    "OutOfRangeError",
    "Version",
    "after",
    "before",
    "find",
    "nearest",
    "select",
    "versions",
]
