"""Progress on the terminal: stages with counts and time left; plain lines when it is not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Advance = Callable[[int, int], None]


class Progress:
    """Announces stages as they run and remembers how long each took.

    On a terminal the current stage is drawn over in place with counts and the time left; elsewhere each
    stage is one line when it ends. ``quiet`` shows nothing.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.live = not quiet and self.stream.isatty()
        self.seconds: dict[str, float] = {}
        self._notes: dict[str, str] = {}

    def note(self, stage: str, text: str) -> None:
        """Say in a few words what a stage did; shown when it ends."""
        self._notes[stage] = text

    @contextmanager
    def stage(self, name: str) -> Iterator[Advance]:
        """Run a stage; the value given is called with (done, of how many)."""
        begun = time.perf_counter()
        last = 0.0

        def advance(done: int, total: int) -> None:
            nonlocal last
            now = time.perf_counter()
            if self.live and (now - last > 0.1 or done == total):
                last = now
                left = (now - begun) / done * (total - done) if done else 0.0
                self._write(f"\r\x1b[K  {name:<10} {done}/{total}  {_duration(left)} left")

        if self.live:
            self._write(f"\r\x1b[K  {name:<10} …")
        yield advance
        took = time.perf_counter() - begun
        self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 3)
        if not self.quiet:
            start = "\r\x1b[K" if self.live else ""
            self._write(
                f"{start}  {name:<10} {_duration(took):>7}  {self._notes.get(name, '')}".rstrip() + "\n"
            )

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
