"""A small campaign with enough frames and tests that workers do it, figures among the results, built by drive.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "builder"))

from tiny_campaign import bias, make  # noqa: E402

TESTS, FRAMES = 8, 3


def busy(folder: Path, more: str = "") -> Path:
    """A campaign of 8 tests of 3 bias frames."""
    rows = "".join(f"BIAS{t:02d},{FRAMES * t + 1},{FRAMES * (t + 1)},0,done,\n" for t in range(TESTS))
    make(folder, rows=rows, more=more)
    for number in range(1, TESTS * FRAMES + 1):
        bias(folder / "frames" / f"b{number}.fits", number)
    return folder


def drive(
    folder: Path, output: Path, workers: int = 2, scheduler: str = "", **more: str
) -> subprocess.Popen[str]:
    """Start a build in a process (and a session) of its own."""
    script = Path(__file__).with_name("drive.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(output), str(workers), scheduler],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **more},
    )  # fmt: skip


def driven(folder: Path, output: Path, workers: int = 2, scheduler: str = "", **more: str) -> str:
    """Build to the end; returns what it said. Fails when it did not end well."""
    run = drive(folder, output, workers, scheduler, **more)
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    return said


def workers_of(driver: int) -> list[int]:
    """Process ids of a driver's worker processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == driver and b"spawn_main" in command:
            found.append(int(path.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process still runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
