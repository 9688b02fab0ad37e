"""How much memory a piece of work took, and how seldom memory is searched for what can go."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

UNSEARCHED = 1_000_000
"""Objects that may be made before Python looks for circles among them: some 100 MB, if all of them were to go."""

SEARCHED_ANEW = 50_000
"""The same while what lives is set aside: a search of so few takes some milliseconds, and what it frees is used again."""


@contextmanager
def seldom_searched() -> Iterator[None]:
    """Look for circles of dead objects only once ``UNSEARCHED`` were made: a build makes many that stay, and few circles."""
    before = gc.get_threshold()
    gc.set_threshold(UNSEARCHED, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def what_lives_set_aside() -> Iterator[None]:
    """Search what is made from now on, often, and nothing that lives already: for work that makes many circles beside much that stays.

    Afterwards all is searched as before. Where something is set aside already, giving this back would give back that as well:
    then nothing is done.
    """
    if gc.get_freeze_count():
        yield
        return
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(SEARCHED_ANEW, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def for_one_command() -> None:
    """Search memory seldom from now until this process ends, and not then: its end gives all of it back at once."""
    gc.set_threshold(UNSEARCHED, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # what is frozen is not searched when Python ends


class Peak:
    """The peak of this process's memory from ``with`` to its end, in ``mb`` [MB, 10⁶ bytes]. They may be nested.

    Linux can be told to measure from now on. Elsewhere a process only knows its peak since it began, so that a
    small piece of work after a large one is given the memory of both; 0 where nothing is known.
    """

    def __init__(self) -> None:
        self.mb = 0.0
        self._around = 0.0

    def __enter__(self) -> Peak:
        global _held
        self._around, _held = _highest(), 0.0
        _measure_anew()
        return self

    def so_far(self) -> float:
        """The peak until now [MB]."""
        return round(_highest(), 1)

    def __exit__(self, *exc: object) -> None:
        global _held
        self.mb = self.so_far()
        _held = max(self._around, self.mb)  # what is measured around this has seen both


_held = 0.0
"""The highest [MB] that was seen before the last new start, within what is being measured around it."""


def _highest() -> float:
    return max(_held, _peak())


def _measure_anew() -> None:
    try:
        _RESET.write_text("5")
    except OSError:
        return


def _peak() -> float:
    try:
        # not getrusage: what it tells of a worker counts the process that started it
        for line in _STATUS.read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # no such thing on Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
