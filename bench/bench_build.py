"""The whole command on the example: from a clean state, and with nothing changed.

Times whole processes, interpreter start included, on a copy of the example campaign in a temporary folder.
The peer beside it is the least any tool can do: starting Python with the libraries that the work needs.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.bench_growth import as_anybody
from bench.table import Row, show

CHECKOUT = Path(__file__).resolve().parent.parent
FLOOR = [sys.executable, "-c", "import numpy, astropy.io.fits, jinja2, pydantic, sqlite3"]


def timed(command: list[str]) -> float:
    """Wall seconds of a command. Raises when it did not build (status 2)."""
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=CHECKOUT, env=as_anybody(), capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return took


def run(quick: bool) -> list[Row]:
    """The rows; ``quick`` repeats less."""
    with tempfile.TemporaryDirectory() as folder:
        campaign = Path(folder) / "vgcc"
        shutil.copytree(
            CHECKOUT / "examples/vgcc", campaign, ignore=shutil.ignore_patterns("build", "frames")
        )
        command = [sys.executable, "-c", "from builder.cli import main; main()", "build", str(campaign), "-q"]
        cold = timed(command)
        timed(command)  # records that were written moments ago are read once more
        same = [timed(command) for _ in range(3 if quick else 7)]
        pages = sum(1 for _ in (campaign / "build/site").rglob("*.html"))
        frames = sum(1 for _ in (campaign / "frames").rglob("*.fits"))
    floor = [timed(FLOOR) for _ in range(3 if quick else 7)]
    start = "starting Python with numpy, astropy, jinja2, pydantic, sqlite3"
    return [
        Row("example from a clean state", cold, "", None, note=f"{frames} frames simulated, measured; {pages} pages"),
        Row("example, nothing changed", min(same), start, min(floor), note=f"wanted ≤ 1.5 s; median {statistics.median(same):.2f} s"),
    ]  # fmt: skip


def main() -> None:
    show("Builds of the example campaign", run("--quick" in sys.argv))


if __name__ == "__main__":
    main()
