"""A whole block of 60 full-size frames, from nothing to pages: ours and the script of ``bench.peer_block``, in one run.

    python -m bench.bench_block [FOLDER] [--quick] [--ours]

The frames are simulated once into FOLDER (a temporary folder by default; minutes and 2 GB at full size). Ours is the whole
command with two workers, into an empty output folder; the peer's is its script in one process. Processor seconds are those of all
processes, which other work on the machine moves least; memory is that of the largest process. ``--quick`` takes quadrants of 256 × 250 pixels,
where starting up weighs most and no ratio is to be reached. The first run of all compiles the kernels; it is not timed.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.block_campaign import CHECKOUT, write
from bench.table import Row, show

REACH, MOST_MB = 10.0, 1000.0


def timed(command: list[str]) -> tuple[float, float, float, str]:
    """Seconds, processor seconds of the process and all it waited for, MB of the largest of these, and what it printed.

    Raises RuntimeError when it failed (status 2 or more).
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[:3]} ended with {process.returncode}")
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text


def build(folder: Path, output: Path) -> tuple[float, float, float, str]:
    """The whole command, into an empty output folder."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-c", "from builder.cli import main; main()", "build", str(folder)]
    return timed([*command, "--output", str(output), "--workers", "2"])


def by_procedure(output: Path) -> dict[str, float]:
    """Seconds of each procedure in its worker."""
    with sqlite3.connect(output / "store/calbook.sqlite") as store:
        return dict(store.execute("select procedure, seconds from results").fetchall())


def run(quick: bool, folder: Path | None = None, ours_only: bool = False) -> list[Row]:
    """The rows: wall and processor seconds of the whole, and of each procedure beside the peer's step."""
    with tempfile.TemporaryDirectory() as held:
        place = folder or Path(held) / "block"
        write(place, **({"rows": 256, "columns": 250} if quick else {}))
        output = Path(held) / "out"
        build(place, output)  # compiles what is not compiled yet
        wall, cpu, peak, text = build(place, output)
        print(text)
        seconds = by_procedure(output)
        if ours_only:
            nothing = float("nan")
            rows = [Row(f"block: {name}", s, "none", nothing) for name, s in seconds.items()]
            return [Row("block of 60 frames, processor", cpu, "none", nothing, memory_mb=peak), *rows]
        peer = [sys.executable, "-m", "bench.peer_block", str(place), str(Path(held) / "peer")]
        peer_wall, peer_cpu, peer_peak, said = timed(peer)
        steps = json.loads(said.strip().splitlines()[-1])["steps"]
    reach = None if quick else REACH
    note = f"peer's memory {peer_peak:.0f} MB"
    script = "astropy, ccdproc, matplotlib"
    return [
        Row(
            "block of 60 frames", wall, script, peer_wall, reach=reach, memory_mb=peak,
            reach_mb=None if quick else MOST_MB, note=note,
        ),
        Row("block of 60 frames, processor", cpu, script, peer_cpu, note="all processes"),
        *(
            Row(f"block: {name}", s, script, steps[name.replace("_", " ")][0], note="one worker, pixels to products")
            for name, s in seconds.items()
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    places = [Path(a) for a in sys.argv[1:] if not a.startswith("--")]
    found = run("--quick" in sys.argv, places[0] if places else None, "--ours" in sys.argv)
    show("A block of 60 frames from nothing to pages", found)
