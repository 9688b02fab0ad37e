"""A build at a stated time, as a process that tests may kill: drive.py FOLDER OUTPUT [WORKERS [SCHEDULER]]."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


def main(folder: str, output: str, workers: str = "2", scheduler: str = "") -> None:
    from builder.engine import one_thread_each

    one_thread_each()
    from builder.build import Options, build
    from builder.progress import Progress

    options = Options(
        Path(folder).resolve(), lambda: NOW, os.environ, Path(output), int(workers), scheduler=scheduler, say=print
    )  # fmt: skip
    progress = Progress()
    built = build(options, progress)
    print(f"written {built.written}, errors {sum(f.severity == 'error' for f in built.summary.findings)}")
    for path, fault in built.undrawn:
        print(f"undrawn {path}: {fault}")


if __name__ == "__main__":
    main(*sys.argv[1:])
