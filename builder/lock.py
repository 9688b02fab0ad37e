"""One writer for each output folder: a lock that names its owner and is released by the kernel when that dies.

The lock is the operating system's (``flock``) on ``store/lock``; the owner's name is written into the file for
others to read. A file that still names an owner although nobody holds the lock was left behind by a process
that was killed. ``flock`` may not reach from one machine to another on a shared file system, so an owner on
another machine counts as alive until its file is removed by a person.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from builder.store import StoreError
from campaign.frozen import dataclass

LOCK = "lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems without locks answer."""


class LockedError(StoreError):
    """Another process writes to the same output folder; the message names it."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock. ``born`` is the process's start as the kernel counts it: process ids are used again."""

    pid: int
    host: str
    started: str
    command: str
    born: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.started} ({self.command})"

    @property
    def here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether that very process still runs. Only for one of this machine."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return not self.born or birth(self.pid) == self.born


def birth(pid: int) -> str:
    """When a process started, in the kernel's ticks; '' where that cannot be known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]  # field 22; the name before it may hold spaces


class WriteLock:
    """The right to write to a store. A context manager.

    ``recovered`` is the owner that left the lock behind, if any, ``cut_off`` when it began [s since the epoch].

    Entering raises LockedError when another process holds it and does not let go within ``wait`` seconds, and
    StoreError when the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        started: datetime,
        command: str,
        wait: float = 0.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = folder / LOCK
        self.owner = Owner(
            os.getpid(), platform.node(), started.isoformat(timespec="seconds"), command, birth(os.getpid())
        )
        self.wait = wait
        self.recovered: Owner | None = None
        self.cut_off: float | None = None
        self._say = say
        self._handle = -1

    def __enter__(self) -> WriteLock:
        try:
            self._take()
            self.recovered = self._read()
            if os.fstat(self._handle).st_size:  # when that owner signed, by the file system's clock
                self.cut_off = os.fstat(self._handle).st_mtime
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, (json.dumps(asdict(self.owner)) + "\n").encode(), 0)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.path.unlink(
            missing_ok=True
        )  # before it is let go of: whoever waits for it looks at the name again
        self._close()

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(
                f"{self.path.parent} cannot be written to ({error.strerror}): name another place with --output."
            ) from error

    def _take(self) -> None:
        """Wait for the lock, if need be. Raises LockedError."""
        until, told = time.monotonic() + self.wait, False
        while True:
            self._open()
            holder = self._holder()
            if holder is None:
                if self._is_named():
                    return
                self._close()  # its last owner has just removed it: the lock of a file without a name is no lock
                continue
            self._close()
            if time.monotonic() >= until:
                raise LockedError(self._refusal(holder))
            if not told:
                self._say(
                    f"waiting for {holder[0] or 'another process'}, which writes to {self.path.parent} …"
                )
                told = True
            time.sleep(0.2)

    def _holder(self) -> tuple[Owner | None, bool] | None:
        """Who else has the lock, and whether that is certain; None when it is ours now."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read(), True
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            owner = self._read()  # a file system without locks: the file's word has to do
            if owner is not None and owner.here:
                return (owner, True) if owner.alive else None
            return None if owner is None else (owner, False)
        owner = self._read()
        if owner is not None and not owner.here:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
            return owner, False
        return None

    def _refusal(self, holder: tuple[Owner | None, bool]) -> str:
        owner, certain = holder
        if certain:
            return (
                f"{self.path.parent} is being written to by {owner or 'another process'}. Wait for it (--wait 600 "
                "waits up to ten minutes), or name another place with --output."
            )
        return (
            f"{self.path.parent} was locked by {owner}, on another machine: whether it still runs cannot be seen from "
            f"here. Wait for it (--wait 600); if it is gone, remove {self.path}."
        )

    def _read(self) -> Owner | None:
        try:
            return Owner(**json.loads(os.pread(self._handle, 100_000, 0)))
        except (ValueError, TypeError):
            return None  # empty, or its owner was killed while it signed

    def _is_named(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._handle))  # noqa: PTH116
        except FileNotFoundError:
            return False
