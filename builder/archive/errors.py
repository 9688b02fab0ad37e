"""What can go wrong with report versions and is told to the person who asked."""

from __future__ import annotations


class ArchiveError(Exception):
    """A report version cannot be made, read or published; the message says why and what to do."""


class NotAsBuiltError(ArchiveError):
    """The site is not as the store's last build left it: it cannot stand for that build."""


class OutOfRangeError(ArchiveError):
    """Nothing lies before, after or near the date that was asked for."""
