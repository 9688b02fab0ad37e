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

CHECKOUT = Path(__file__).resolve().parent.parent
FLOOR = [sys.executable, "-c", "import numpy, astropy.io.fits, jinja2, pydantic, sqlite3"]


def timed(command: list[str]) -> float:
    """Wall seconds of a command. Raises when it did not build (status 2)."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    took = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return took


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        campaign = Path(folder) / "vgcc"
        shutil.copytree(
            CHECKOUT / "examples/vgcc", campaign, ignore=shutil.ignore_patterns("build", "frames")
        )
        command = [sys.executable, "-c", "from builder.cli import main; main()", "build", str(campaign), "-q"]
        cold = timed(command)
        same = [timed(command) for _ in range(5)]
        floor = [timed(FLOOR) for _ in range(5)]
        pages = sum(1 for _ in (campaign / "build/site").rglob("*.html"))
        frames = sum(1 for _ in (campaign / "frames").rglob("*.fits"))
    print(f"example: {frames} frames, {pages} pages")
    print(f"  {'clean state (simulate, measure, render)':<44}{cold:7.2f} s   (reach ≤ 60 s)")
    print(f"  {'nothing changed, median of 5':<44}{statistics.median(same):7.2f} s   (reach ≤ 2 s)")
    print(f"  {'starting Python with its libraries, median':<44}{statistics.median(floor):7.2f} s")


if __name__ == "__main__":
    main()
