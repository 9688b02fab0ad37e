"""The log of a build: one line of JSON for each thing that happened, written as it happens.

A build that is killed leaves a log that can be read. What looks like a secret never reaches it, and control
characters are escaped. The last logs are kept beside the store.
"""

from __future__ import annotations

import json
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from builder.costs import ResultCost
from campaign.findings import Finding
from campaign.sources.secrets import Secrets

if TYPE_CHECKING:
    from builder.plan import Task
    from builder.run import Measured

KEPT = 50
"""So many logs are kept; the oldest go."""

Level = Literal["info", "warning", "error"]


class BuildLog:
    """Takes down what a build does.

    Until ``kept`` opens a file, events are held in memory. ``echo`` is told each file read and each result in
    words, where somebody wants to see that (``-v``). ``results`` are the costs of what was measured.
    """

    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        self.echo = echo
        self.stage = ""
        self.path: Path | None = None
        self.results: list[ResultCost] = []
        self._always = False
        self._begun = time.perf_counter()
        self._waiting: list[dict[str, Any]] = []
        self._stream: TextIO | None = None
        self._started = datetime.min
        self._secrets = Secrets()

    # ── the file ──────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def kept(
        self, folder: Path, started: datetime, secrets: Secrets, *, always: bool = False
    ) -> Iterator[BuildLog]:
        """Write to a new file in ``folder``, named by the time the build began, until ``close`` or the end.

        An exception is taken down with where it arose, and goes on. A build that was idle leaves no file unless
        ``always``. A log that cannot be written stops no build.
        """
        self._started, self._secrets, self._always = started, secrets, always
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self.path, self._stream = _new(folder, started)
        held, self._waiting = self._waiting, []
        for line in held:
            self._write(line)
        self.event("start", logs_kept=KEPT, cores=os.cpu_count() or 0, system=f"{platform.system()} {platform.machine()}",
                   python=platform.python_version(), pid=os.getpid())  # fmt: skip
        try:
            yield self
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            self.close()

    def close(self, *, idle: bool = False) -> None:
        """End the file; one of a build that was idle is removed, unless all are wanted."""
        if self._stream is None or self.path is None:
            return
        with suppress(OSError):
            self._stream.close()
        self._stream = None
        with suppress(OSError):
            if idle and not self._always:
                self.path.unlink()
                self.path.parent.rmdir()  # fails while it holds other logs
            else:
                for old in sorted(self.path.parent.glob("build-*.jsonl"))[:-KEPT]:
                    old.unlink()
        if idle and not self._always:
            self.path = None

    def _write(self, event: dict[str, Any]) -> None:
        if self._stream is None:
            return
        when = self._started + timedelta(seconds=event["seconds"])
        whole = {"time": when.isoformat(timespec="milliseconds"), **self._secrets.redacted(event)}
        text = json.dumps(whole, default=str).replace("\x7f", "\\u007f")
        try:
            self._stream.write(text + "\n")
        except OSError:  # a full disk: the build itself may still come to an end
            self._stream = None

    # ── what happens ──────────────────────────────────────────────────────────────────────────────────

    def event(self, event: str, level: Level = "info", **facts: Any) -> None:
        """Take down one event with plain facts."""
        seconds = round(time.perf_counter() - self._begun, 3)
        line = {"seconds": seconds, "level": level, "stage": self.stage, "event": event, **facts}
        if self.path is None:
            self._waiting.append(line)
        else:
            self._write(line)

    def failed(self, error: BaseException) -> None:
        """Take down an exception that ends the build, or an interruption."""
        stopped = isinstance(error, KeyboardInterrupt)
        lines = [] if stopped else "".join(traceback.format_exception(error)).splitlines()
        what = "interrupted" if stopped else f"{type(error).__name__}: {error}"
        self.event("stopped" if stopped else "error", "warning" if stopped else "error", what=what, traceback=lines)  # fmt: skip

    def findings(self, findings: Sequence[Finding]) -> None:
        """Take down what was found wrong, with where it is."""
        for f in findings:
            level: Level = (
                "error" if f.severity == "error" else "warning" if f.severity == "warning" else "info"
            )
            self.event("finding", level, kind=f.kind, what=f.what, where=f.where, block=f.block, test=f.test, detector=f.detector)  # fmt: skip

    def file_read(self, key: str, size: int, error: str = "") -> None:
        """A file of frames was read; ``size`` in bytes."""
        self.event("file read", "error" if error else "info", file=key, bytes=size, **({"error": error} if error else {}))  # fmt: skip
        if self.echo:
            self.echo(f"read {key}" + (f": {error}" if error else ""))

    def measured(self, task: Task, measured: Measured) -> None:
        """A result was measured, or failed."""
        cost = ResultCost(
            task.reference.name, task.block, task.test, task.detector.name, round(measured.seconds, 3), measured.memory_mb,
            measured.worker,
        )  # fmt: skip
        self.results.append(cost)
        failed = measured.status != "done"
        said = measured.error.partition("\n")[0]
        self.event(
            "result", "error" if failed else "info", status=measured.status, result=task.result_id, procedure=cost.procedure,
            block=cost.block, test=cost.test, detector=cost.detector, took=cost.seconds, memory_mb=cost.memory_mb,
            worker=cost.worker, **({"error": measured.error} if failed else {}),
        )  # fmt: skip
        if self.echo:
            what = f"failed: {said}" if failed else f"{cost.seconds:.2f} s, {cost.memory_mb:.0f} MB"
            self.echo(f"measured {_place(task)}: {what}")

    def kept_result(self, task: Task) -> None:
        """A result was there already: said in words only, since the stage's note counts them."""
        if self.echo:
            self.echo(f"reused   {_place(task)}")


def _place(task: Task) -> str:
    return f"{task.block}/{task.test} {task.detector.name} {task.reference.name}"


def _new(folder: Path, started: datetime) -> tuple[Path, TextIO]:
    """A new file named so that names sort as builds began. Raises OSError."""
    utc = started.astimezone(UTC) if started.tzinfo else started
    stem = f"build-{utc:%Y%m%dT%H%M%SZ}"
    number = 1
    while True:
        path = folder / (f"{stem}.jsonl" if number == 1 else f"{stem}_{number:03d}.jsonl")
        try:
            return path, path.open("x", encoding="ascii", buffering=1)
        except FileExistsError:
            number += 1
