"""Stopping: Ctrl-C and SIGTERM end any command within two seconds, whatever it is at.

The first signal raises ``Stopped`` where the program is, so that locks are released and workers ended in order.
Should that take too long (a library that swallows it, a file server that does not answer) or should a second
signal come, the process ends at once: everything on disk is written whole or not at all, so nothing is lost.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

PATIENCE = 1.5
"""Seconds for an orderly end."""

KEPT = "What was finished is kept: the same command goes on from here."


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end. ``finished`` are the stages of a build that were done."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number
        self.finished: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """The exit status that shells expect: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number

    def __str__(self) -> str:
        done = f" Done: {', '.join(self.finished)}." if self.finished else ""
        return f"Stopped by {'Ctrl-C' if self.number == signal.SIGINT else 'SIGTERM'}.{done} {KEPT}"


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into ``Stopped`` inside; only in a program's main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    timers: list[threading.Timer] = []

    def stop(number: int, _: FrameType | None) -> None:
        if timers:
            _end_now(number)
        timers.append(threading.Timer(PATIENCE, _end_now, [number]))
        timers[0].daemon = True
        timers[0].start()
        raise Stopped(number)

    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # under nohup, or in the background of a script
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_now(number: int) -> None:
    from multiprocessing import active_children

    for child in active_children():
        child.kill()
    sys.stderr.write(f"\ncalbook: {Stopped(number)}\n")
    sys.stderr.flush()
    os._exit(128 + number)
