"""What each procedure costs beside reading its frames.

    python -m bench.bench_procedures [PROCEDURE …]

Frames are simulated and written as FITS files: four channels of 2048 × 2048, as few as the procedure sensibly takes (``full_size`` of its
module of known truth). The procedure reads them as in a build, with the details that were kept when the frames were indexed. The peer reads
each file once with astropy, turns it into 32-bit floats and adds them up. Both run on one core with the files in the page cache, in a process for
each procedure. Of each the quickest of three runs counts, of the procedure after a first one, which compiles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
from astropy.io import fits

import bench.truth
from analysis.contract import FrameInput, Inputs
from analysis.in_memory import measured
from analysis.procedures import MODULES, builtin
from analysis.summary import details_from
from bench.table import Row, show
from builder.acquired.pixels import FilePixels
from builder.details import details_bytes, details_from_bytes
from builder.engine import THREADS
from builder.memory import Peak

REACH = 3.0
"""Times the reading of its frames that a procedure may take."""

RUNS = 3
"""Runs of which the quickest counts, of the procedure and of reading alike: what else a machine does only adds."""

AS_A_WORKER = {**os.environ, **dict.fromkeys(THREADS, "1")}
"""One thread, as the workers of a build have: there are as many of them as processors."""


def on_disk(given: Inputs, folder: Path) -> Inputs:
    """The same inputs with frames in FITS files, with the details that indexing keeps."""
    written: dict[int, FrameInput] = {}

    def stored(held: FrameInput) -> FrameInput:
        if id(held) not in written:
            path = folder / f"{len(written)}.fits"
            image = held.pixels.image  # type: ignore[attr-defined]
            fits.PrimaryHDU(image).writeto(path)
            channels = given.detector.geometry.channels
            details = details_bytes({c.name: details_from(held.pixels, c) for c in channels})
            info = path.stat()
            file = replace(held.frame.file, path=path.name, size=info.st_size, mtime_ns=info.st_mtime_ns)
            written[id(held)] = replace(
                held,
                frame=replace(held.frame, file=file),
                summaries={name: replace(s, details="kept") for name, s in held.summaries.items()},
                pixels=FilePixels(replace(held.frame, file=file), path),
                kept=partial(_kept, details),
            )
        return written[id(held)]

    return replace(given, frames={role: tuple(map(stored, held)) for role, held in given.frames.items()})


def _kept(details: bytes, name: str) -> object:
    return details_from_bytes(details)


def reading(folder: Path) -> float:
    """Seconds to read every file once with astropy, as 32-bit floats, and add them up."""
    begun, total = time.perf_counter(), 0.0
    for path in sorted(folder.glob("*.fits")):
        total += float(np.add.reduce(fits.getdata(path).astype(np.float32), axis=None))
    assert total != 0.0
    return time.perf_counter() - begun


def one(name: str, quick: bool) -> dict[str, float]:
    """What a procedure and reading its frames take [s], the frames, and the memory that measuring adds [MB]."""
    procedure = next(p for p in builtin() if p.name == name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        given = on_disk(import_module(f"bench.truth.of_{name}").full_size(1), folder)
        read = min(reading(folder) for _ in range(1 if quick else RUNS))
        took = []
        with Peak() as peak:
            before = peak.so_far()
            for _ in range(1 if quick else 1 + RUNS):
                begun = time.perf_counter()
                measured(procedure, given)
                took.append(time.perf_counter() - begun)
            more = peak.so_far() - before
        frames = len(list(folder.glob("*.fits")))
    return {"ours": min(took[1:] or took), "first": took[0], "read": read, "frames": frames, "memory": more}


def run(quick: bool, names: tuple[str, ...] = ()) -> list[Row]:
    """A row for each procedure that has full-size frames."""
    held = [m.name for m in iter_modules(bench.truth.__path__) if m.name.startswith("of_")]
    # what takes products of others alone reads no frames
    there = {name for name in held if hasattr(import_module(f"bench.truth.{name}"), "full_size")}
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
        said = subprocess.run(command, check=True, capture_output=True, text=True, env=AS_A_WORKER).stdout
        found = json.loads(said.strip().splitlines()[-1])
        note = f"{found['frames']:.0f} frames, first {found['first']:.2f} s, {found['memory']:.0f} MB more memory; wanted ≤ {REACH:g} times"
        rows.append(
            Row(
                f"{name.replace('_', ' ')}",
                found["ours"],
                "reading the frames with astropy",
                found["read"],
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
