"""What each procedure costs beside a plain pass over the pixels of its frames.

    python -m bench.bench_procedures [PROCEDURE …]

Frames are simulated and held in memory: four channels of 2048 × 2048, as few as the procedure sensibly takes (``full_size`` of its module
of known truth). The peer is one pass that turns every image pixel into a float and adds it up, frame by frame. Each procedure runs twice in
a process of its own; the second time counts, when everything is compiled.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

import bench.truth
from analysis.contract import Inputs
from analysis.in_memory import measured
from analysis.procedures import MODULES, builtin
from bench.table import Row, show
from builder.memory import Peak

REACH = 3.0
"""Times a plain pass that a procedure may take."""


def plain(given: Inputs) -> float:
    """Seconds to read every channel of every frame once, as float32, and add it up."""
    begun, total = time.perf_counter(), 0.0
    for frame in {id(f): f for held in given.frames.values() for f in held}.values():
        for channel in given.detector.geometry.channels:
            pixels = np.asarray(frame.pixels.read(channel, channel.image), np.float32)
            total += float(np.add.reduce(pixels, axis=None))
    assert total != 0.0
    return time.perf_counter() - begun


def one(name: str, quick: bool) -> dict[str, float]:
    """What a procedure and a plain pass take [s], the frames, and the memory that measuring adds [MB]."""
    given: Inputs = import_module(f"bench.truth.of_{name}").full_size(1)
    procedure = next(p for p in builtin() if p.name == name)
    passes = min(plain(given) for _ in range(1 if quick else 3))
    took = []
    with Peak() as peak:
        before = peak.so_far()
        for _ in range(1 if quick else 2):
            begun = time.perf_counter()
            measured(procedure, given)
            took.append(time.perf_counter() - begun)
        more = peak.so_far() - before
    frames = len({id(f) for held in given.frames.values() for f in held})
    return {"ours": took[-1], "first": took[0], "plain": passes, "frames": frames, "memory": more}


def run(quick: bool, names: tuple[str, ...] = ()) -> list[Row]:
    """A row for each procedure that has full-size frames."""
    there = {m.name for m in iter_modules(bench.truth.__path__)}
    rows = []
    for name in names or tuple(m for m in MODULES if f"of_{m}" in there):
        command = [
            sys.executable,
            "-m",
            "bench.bench_procedures",
            "--one",
            name,
            *(["--quick"] if quick else []),
        ]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(said.strip().splitlines()[-1])
        note = f"{found['frames']:.0f} frames, first {found['first']:.2f} s, {found['memory']:.0f} MB more memory; wanted ≤ {REACH:g} times"
        rows.append(
            Row(
                f"{name.replace('_', ' ')}",
                found["ours"],
                "a plain pass over the pixels",
                found["plain"],
                reach=1 / REACH,
                note=note,
            )
        )
    return rows


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    if "--one" in sys.argv:
        print(json.dumps(one(sys.argv[sys.argv.index("--one") + 1], quick)))
    else:
        show("Procedures", run(quick, tuple(a for a in sys.argv[1:] if not a.startswith("--"))))
