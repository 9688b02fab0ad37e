"""Masters of ten and of thirty full-size frames, from files to arrays: ours, ccdproc's, and only reading the bytes.

    python -m bench.bench_stack [--quick] [--repeats 5]

Each contender runs in its own process, so that peak memory (all imports included) is its own. Frames are
4238 × 4172, 16-bit unsigned (BZERO 32768), with cosmic rays, in the page cache. ccdproc does one round of clipping; ours does
one, all rounds, or clips by the noise expected. Ours is the best of the repeats with two threads; the first call, which
loads numba, is told beside it. Against reading, a ratio of 0.25 means four times as long as reading.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from bench.table import Row, show
from builder.acquired.pixels import open_pixels
from builder.memory import Peak
from campaign.frames import Frame, FrameFile
from campaign.geometry import Channel, Region, quadrants

ROWS, COLUMNS = 4172, 4238
WHOLE = Region(0, ROWS, 0, COLUMNS)
NOISE = 1.43
CLIPPED_REACH, MEDIAN_REACH, READING_REACH, MEMORY_REACH = 40.0, 15.0, 0.25, 400.0

Run = Callable[[list[Path]], NDArray[np.float32] | None]


@dataclass(frozen=True)
class Outcome:
    """Seconds of each repeat, peak memory of the process [MB], and the master made."""

    seconds: list[float]
    peak: float
    master: NDArray[np.float32] | None

    @property
    def best(self) -> float:
        """The shortest time."""
        return min(self.seconds)


def write_frames(folder: Path, number: int) -> list[Path]:
    """Bias frames of the same level, each with 20,000 pixels hit."""
    from astropy.io import fits

    rng = np.random.default_rng(1)
    paths = []
    for i in range(number):
        image = np.rint(rng.normal(2700.0, 1.4, (ROWS, COLUMNS))).astype(np.uint16)
        image.flat[rng.integers(0, image.size, 20_000)] += np.uint16(500)
        paths.append(folder / f"bias-{i:02d}.fits")
        fits.PrimaryHDU(image).writeto(paths[-1])
    return paths


def frame_of(path: Path) -> Frame:
    """A frame as the index would tell it."""
    file = FrameFile("", path.name, path.stat().st_size, path.stat().st_mtime_ns, 0)
    return Frame(f"{path.stem}/CCD", path.stem, "CCD", file, {"": 0})


def inputs(paths: list[Path]) -> list[FrameInput]:
    """Frames as procedures are given them, without summaries."""
    return [FrameInput(frame_of(path), {}, open_pixels(frame_of(path), path.parent)) for path in paths]


def reading(paths: list[Path]) -> None:
    """Only read the bytes, into a reused buffer of one frame."""
    buffer = memoryview(bytearray(paths[0].stat().st_size))
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def clipped(paths: list[Path], **how: Any) -> NDArray[np.float32]:
    """Our clipped mean of whole frames."""
    from analysis.stack import clipped_mean_stack, reader

    channel = Channel("whole", WHOLE)
    return clipped_mean_stack([reader(f, channel) for f in inputs(paths)], WHOLE, **how).mean


def middle(paths: list[Path]) -> NDArray[np.float32]:
    """Our median of whole frames."""
    from analysis.stack import median_stack, reader

    channel = Channel("whole", WHOLE)
    return median_stack([reader(f, channel) for f in inputs(paths)], WHOLE).mean


def together(paths: list[Path]) -> NDArray[np.float32]:
    """Four quadrants in one pass over the files."""
    from analysis.stack import clipped_mean_stacks

    channels = quadrants().channels
    noise = {c.name: NOISE for c in channels}
    return clipped_mean_stacks(inputs(paths), channels, noise=noise)["E"].mean


def one_by_one(paths: list[Path]) -> NDArray[np.float32]:
    """Four quadrants, each with its own pass."""
    from analysis.stack import clipped_mean_stack, reader

    frames, out = inputs(paths), {}
    for channel in quadrants().channels:
        readers = [reader(f, channel) for f in frames]
        out[channel.name] = clipped_mean_stack(readers, channel.image, noise=NOISE)
    return out["E"].mean


def numpy_twin(paths: list[Path], *, median: bool) -> NDArray[np.float32]:
    """The same by NumPy alone, in bands: the median, or the mean after one round of clipping."""
    channel, frames = Channel("whole", WHOLE), inputs(paths)
    out = np.empty((ROWS, COLUMNS), np.float32)
    for y in range(0, ROWS, 100):
        part = Region(y, min(y + 100, ROWS), 0, COLUMNS)
        band = np.stack([f.pixels.read(channel, part) for f in frames]).astype(np.float32)
        if median:
            out[part.slices] = np.median(band, axis=0)
            continue
        centre = band.mean(axis=0)
        good = np.abs(band - centre) <= 3 * band.std(axis=0)
        out[part.slices] = band.sum(axis=0, where=good) / good.sum(axis=0)
    return out


def ccdproc_combine(paths: list[Path], method: str) -> NDArray[np.float32]:
    """The peer, with one round of clipping at 3 σ (none for a median)."""
    import ccdproc

    clip = {"sigma_clip": True, "sigma_clip_low_thresh": 3.0, "sigma_clip_high_thresh": 3.0}
    master = ccdproc.combine(
        [str(p) for p in paths], method=method, unit="adu", dtype=np.float32,
        **(clip if method == "average" else {}),
    )  # fmt: skip
    return np.asarray(master.data, dtype=np.float32)


def timed(send: Any, run: Run, paths: list[Path], repeats: int) -> None:
    """Time a contender in this process and send what came out."""
    seconds, master = [], None
    for _ in range(repeats):
        master = None  # let go of the last one: its memory is not that of one run
        start = time.perf_counter()
        master = run(paths)
        seconds.append(time.perf_counter() - start)
    send.send(Outcome(seconds, Peak().so_far(), master))


def in_own_process(run: Run, paths: list[Path], repeats: int) -> Outcome:
    """A contender's outcome from a fresh process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=timed, args=(there, run, paths, repeats))
    process.start()
    there.close()
    answer: Outcome = here.recv()
    process.join()
    return answer


def rows_of(paths: list[Path], repeats: int) -> list[Row]:
    """All rows for one number of frames."""
    n, out = len(paths), []
    bytes_only = in_own_process(reading, paths, repeats)
    peers = {m: in_own_process(partial(ccdproc_combine, method=m), paths, 1) for m in ("average", "median")}
    cases: list[tuple[str, str, Run]] = [
        ("clipped mean, one round", "average", partial(clipped, rounds=1)),
        ("clipped mean", "average", clipped),
        ("clipped mean by noise", "average", partial(clipped, noise=NOISE)),
        ("median", "median", middle),
    ]
    for label, method, run in cases:
        found, peer, reach = in_own_process(run, paths, repeats), peers[method], MEDIAN_REACH
        if method == "average":
            reach = CLIPPED_REACH
        assert found.master is not None and peer.master is not None
        apart = int((np.abs(found.master - peer.master) > 0.01).sum())
        note = f"first {found.seconds[0]:.2f} s; theirs {peer.peak:.0f} MB; {apart / found.master.size:.2%} of pixels differ"
        work = f"{label}, {n} frames"
        out.append(
            Row(work, found.best, "ccdproc.combine", peer.best, "s", reach, found.peak, MEMORY_REACH, note)
        )
        wanted = READING_REACH if method == "average" else None
        times = f"{found.best / bytes_only.best:.1f} times reading"
        out.append(Row(work, found.best, "reading the bytes", bytes_only.best, reach=wanted, note=times))
    twins: list[tuple[str, Run, str, Run, int]] = [
        ("four quadrants in one pass", together, "one quadrant after the other", one_by_one, repeats),
        (
            "clipped mean, one round",
            partial(clipped, rounds=1),
            "NumPy in bands",
            partial(numpy_twin, median=False),
            1,
        ),
        ("median", middle, "NumPy in bands", partial(numpy_twin, median=True), 1),
    ]
    for label, first, peer_name, second, often in twins:
        own, other = in_own_process(first, paths, repeats), in_own_process(second, paths, often)
        out.append(Row(f"{label}, {n} frames", own.best, peer_name, other.best, memory_mb=own.peak))
    return out


def run(quick: bool, repeats: int = 5) -> list[Row]:
    """Rows for ten frames, and for thirty unless ``quick``."""
    out = []
    with tempfile.TemporaryDirectory(prefix="calbook-bench-") as folder:
        paths = write_frames(Path(folder), 10 if quick else 30)
        in_own_process(clipped, paths[:2], 1)  # compiles what a first run ever would
        in_own_process(partial(clipped, noise=NOISE), paths[:2], 1)
        in_own_process(middle, paths[:2], 1)
        for n in (10,) if quick else (10, 30):
            out += rows_of(paths[:n], repeats)
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="ten frames only")
    parser.add_argument("--repeats", type=int, default=5, help="of ours; ccdproc runs once")
    options = parser.parse_args()
    show(
        f"Stacks of {ROWS} × {COLUMNS} 16-bit frames, from files to master",
        run(options.quick, options.repeats),
    )


if __name__ == "__main__":
    main()
