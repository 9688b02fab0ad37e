"""Progress of a build: stages with counts, rate and time left. On a terminal a bar that moves; elsewhere plain lines."""

from __future__ import annotations

import os
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from builder.build_log import BuildLog
from builder.costs import StageCost
from builder.memory import Peak

Advance = Callable[[int, int], None]

PATIENCE = 0.5
"""A stage shorter than this [s] shows no bar: a build that changes nothing does not load what draws it."""
HEARTBEAT = 30.0
"""Away from a terminal a long stage says every so often [s] how far it is, so that a batch log shows life."""
REFRESH = 0.2
WIDE, NARROW = 80, 50
"""Columns of a terminal: a bar of full length, and none at all."""


class Progress:
    """Announces stages as they run, remembers what each cost, and has the build's log.

    ``quiet`` shows nothing; ``verbose`` shows each file read and each result, and keeps the log of a build that
    changes nothing. ``stream`` is standard error unless told otherwise.
    """

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, stream: TextIO | None = None,
        patience: float = PATIENCE, heartbeat: float = HEARTBEAT,
    ) -> None:  # fmt: skip
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.verbose = verbose
        self.live = (
            not quiet and self.stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown", "")
        )
        self.log = BuildLog(self.line if verbose else None)
        self.stages: dict[str, StageCost] = {}
        self.finished: dict[str, None] = {}  # names of the stages that came to their end, in order
        self._patience, self._heartbeat = patience, heartbeat
        self._notes: dict[str, str] = {}
        self._running: _Running | None = None
        self._bar: _Bar | None = None
        self._lock = threading.RLock()

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of each stage, of one that was stopped until then."""
        return {name: stage.seconds for name, stage in self.stages.items()}

    def note(self, stage: str, text: str) -> None:
        """Say in a few words what a stage did; shown when it ends."""
        self._notes[stage] = text

    def line(self, text: str) -> None:
        """Show a line at once, above the bar where there is one. Control characters are escaped."""
        if not self.quiet:
            self._say(f"  {printable(text)}")

    def so_far(self) -> tuple[StageCost, ...]:
        """What the stages cost, with what the one that runs has cost until now."""
        held = dict(self.stages)
        if self._running:
            self._add(held, self._running)
        return tuple(held.values())

    @contextmanager
    def stage(self, name: str) -> Iterator[Advance]:
        """Run a stage; the value given is called with (done, of how many). A stage may run in several parts."""
        running = self._running = _Running(name)
        ended, watcher = threading.Event(), None
        self.log.stage = name
        self.log.event("stage begins")
        if not self.quiet:
            watcher = threading.Thread(target=self._watch, args=(running, ended), daemon=True)
            watcher.start()
        outcome = "stopped"
        try:
            with running.peak:
                yield running.advance
            outcome = "stage ends"
            self.finished[name] = None
        finally:
            ended.set()
            if watcher:
                watcher.join()
            self._add(self.stages, running)
            self._running = None
            took, note = running.seconds(), self._notes.get(name, "")
            self.log.event(outcome if outcome == "stage ends" else "stage stopped", took=round(took, 3),
                           memory_mb=running.peak.mb, done=running.done, total=running.total, note=note)  # fmt: skip
            self.log.stage = ""
            if not self.quiet:
                words = (
                    f"{span(took):>8}  {printable(note)}"
                    if outcome == "stage ends"
                    else f"stopped after {span(took)}"
                )
                self._say(f"  {name:<10} {words}".rstrip())

    def _add(self, held: dict[str, StageCost], running: _Running) -> None:
        before = held.get(running.name, StageCost(running.name, 0.0))
        memory = max(before.memory_mb, running.peak.mb or running.peak.so_far())
        seconds = round(before.seconds + running.seconds(), 3)
        held[running.name] = StageCost(running.name, seconds, memory, self._notes.get(running.name, ""))

    def _watch(self, running: _Running, ended: threading.Event) -> None:
        """Runs in a thread of its own, so that work is never slowed by what is shown of it."""
        if not self.live:
            while not ended.wait(self._heartbeat):
                self._say(f"  {running.name:<10} … {running.words()}")
            return
        if ended.wait(self._patience):
            return
        try:
            with self._lock:
                self._bar = _Bar(self.stream, running)
            while not ended.wait(REFRESH):
                self._bar.refresh()
        finally:
            with self._lock:
                if self._bar:
                    self._bar.close()
                self._bar = None

    def _say(self, text: str) -> None:
        with self._lock:
            if self._bar:
                self._bar.say(text)
            else:
                self.stream.write(text + "\n")
                self.stream.flush()


class _Running:
    """A stage that runs: how far it is."""

    def __init__(self, name: str) -> None:
        self.name, self.done, self.total = name, 0, 0
        self.begun = self._since = time.perf_counter()
        self.peak = Peak()
        self._ended: float | None = None

    def advance(self, done: int, total: int) -> None:
        """Take note of (done, of how many). When less is done than before, something else is counted from now."""
        if done < self.done:
            self._since = time.perf_counter()
        self.done, self.total = done, total

    def seconds(self) -> float:
        return time.perf_counter() - self.begun

    def words(self) -> str:
        """Counts, rate and time left; the time that it took where nothing is counted."""
        if not self.total:
            return span(self.seconds())
        parts = [f"{self.done}/{self.total}"]
        passed = time.perf_counter() - self._since
        if self.done and passed > 0:
            rate = self.done / passed
            parts.append(
                f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1g}/min"
            )
            parts.append(f"{span((self.total - self.done) / rate)} left")
        return ", ".join(parts)


class _Bar:
    """The bar of one stage, drawn by rich, which is loaded only here."""

    def __init__(self, stream: TextIO, running: _Running) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, ProgressColumn, TextColumn
        from rich.progress import Progress as Bars

        self.running = running
        console = Console(file=stream, highlight=False, markup=False, emoji=False)
        columns: list[ProgressColumn] = [TextColumn("  {task.description:<10}", markup=False)]
        if console.width >= NARROW:
            columns.append(BarColumn(24 if console.width >= WIDE else 10, "dim", "cyan", "cyan", "cyan"))
        columns.append(TextColumn("{task.fields[words]}", markup=False))
        self.bars = Bars(*columns, console=console, transient=True, auto_refresh=False)
        self.task: Any = self.bars.add_task(running.name, total=None, words="")
        self.bars.start()
        self.refresh()

    def refresh(self) -> None:
        running = self.running
        self.bars.update(
            self.task, completed=running.done, total=running.total or None, words=running.words()
        )
        self.bars.refresh()

    def say(self, text: str) -> None:
        from rich.text import Text

        self.bars.console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        self.bars.stop()


def printable(text: str) -> str:
    """Text as it may be shown on a terminal: what would steer it, or turn the direction of writing, as escapes."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    )  # fmt: skip


def span(seconds: float) -> str:
    """A time span in few characters: '0.3 s', '45 s', '3 min 20 s', '2 h 05 min'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
