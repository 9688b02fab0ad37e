"""Open files, kept between reads: a stack asks every frame for every band of rows, and opening costs more than a band."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

MOST_OPEN = 64
"""Files kept open by a process."""


class Handle:
    """An open file. It is closed when nobody holds it any more, so a reader never loses it to another's opening."""

    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.packed = os.pread(self.number, 2, 0) == b"\x1f\x8b"

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


_open: OrderedDict[int, Handle] = OrderedDict()
_lock = threading.RLock()  # a collection of garbage inside it may release files


def opened(owner: int, path: Path) -> Handle:
    """The file of an owner (its ``id``), opened at the first call; the one unused for longest is let go when there are too many.

    Raises OSError.
    """
    with _lock:
        found = _open.get(owner)
        if found is not None:
            _open.move_to_end(owner)
            return found
    found = Handle(path)
    with _lock:
        _open[owner] = found
        while len(_open) > MOST_OPEN:
            _open.popitem(last=False)
    return found


def released(owner: int) -> None:
    """Let go of an owner's file."""
    with _lock:
        _open.pop(owner, None)
