"""Master of ten full-size frames, from files to arrays: ours and ccdproc's, with the same clipping, in one run.

    python -m bench.bench_stack [--frames 10] [--repeats 3]

Each contender runs in its own process, so that peak memory is its own. Frames are 4238 × 4172, 16-bit unsigned
(BZERO 32768), with cosmic rays. Two clips are timed: 3σ, where ten frames cannot lose a value (none of
n lies more than √(n − 1) = 3 standard deviations from their mean; the peer loses one now and then by rounding), and
2.5σ, where they can. The last column compares with the peer one round of ours, as the peer does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from builder.acquired.pixels import open_pixels
from campaign.frames import Frame, FrameFile
from campaign.geometry import Channel, Region

ROWS, COLUMNS = 4172, 4238
WHOLE = Region(0, ROWS, 0, COLUMNS)
Run = Callable[[list[Path], float], NDArray[np.float32]]
Answer = tuple[list[float], float, NDArray[np.float32]]


def write_frames(folder: Path, number: int) -> list[Path]:
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
    file = FrameFile("", path.name, path.stat().st_size, path.stat().st_mtime_ns, 0)
    return Frame(f"{path.stem}/CCD", path.stem, "CCD", file, {"": 0})


def ours(
    paths: list[Path], sigma: float, noise: float | None = None, rounds: int = 10
) -> NDArray[np.float32]:
    from analysis.stack import clipped_mean_stack

    channel = Channel("whole", WHOLE)
    held = [open_pixels(frame_of(path), path.parent) for path in paths]
    readers = [lambda region, pixels=pixels: pixels.read(channel, region) for pixels in held]
    return clipped_mean_stack(readers, WHOLE, sigma=sigma, noise=noise, rounds=rounds).mean


def one_round(paths: list[Path], sigma: float) -> NDArray[np.float32]:
    return ours(paths, sigma, rounds=1)


def by_noise(paths: list[Path], sigma: float) -> NDArray[np.float32]:
    return ours(paths, sigma, noise=1.43)


def peer(paths: list[Path], sigma: float) -> NDArray[np.float32]:
    import ccdproc

    master = ccdproc.combine(
        [str(p) for p in paths], method="average", unit="adu", dtype=np.float32,
        sigma_clip=True, sigma_clip_low_thresh=sigma, sigma_clip_high_thresh=sigma,
    )  # fmt: skip
    return np.asarray(master.data, dtype=np.float32)


def timed(send: object, run: Run, paths: list[Path], sigma: float, repeats: int) -> None:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        master = run(paths, sigma)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    send.send((seconds, peak, master))  # type: ignore[attr-defined]


def in_own_process(run: Run, paths: list[Path], sigma: float, repeats: int) -> Answer:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=timed, args=(there, run, paths, sigma, repeats))
    process.start()
    there.close()
    answer: Answer = here.recv()
    process.join()
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3, help="of ours; ccdproc runs once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_frames(Path(folder), options.frames)
        print(f"{options.frames} frames of {ROWS} × {COLUMNS}, seconds from files to master, peak memory")
        print(f"{'':34}{'first':>8}{'best':>8}{'MB':>7}{'ratio':>8}   pixels that differ from the peer's")
        for sigma in (3.0, 2.5):
            peer_times, peer_peak, theirs = in_own_process(peer, paths, sigma, 1)
            print(f"ccdproc.combine, {sigma}σ, one round{'':4}{peer_times[0]:8.2f}{'':8}{peer_peak:7.0f}")
            contenders: tuple[tuple[str, Run], ...] = (
                ("ours, one round", one_round),
                ("ours, until nothing changes", ours),
                ("ours, by the noise expected", by_noise),
            )
            for label, run in contenders:
                seconds, peak, master = in_own_process(run, paths, sigma, options.repeats)
                best, ratio = min(seconds), peer_times[0] / min(seconds)
                apart = (
                    f"{int((np.abs(master - theirs) > 0.01).sum())} of {master.size}"
                    if run is one_round
                    else ""
                )
                print(
                    f"{label + f', {sigma}σ':34}{seconds[0]:8.2f}{best:8.2f}{peak:7.0f}{ratio:7.0f}×   {apart}"
                )


if __name__ == "__main__":
    main()
