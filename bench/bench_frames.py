"""One pass over a frame against the least that it could take, and against astropy, in one run.

    python -m bench.bench_frames [--quick]

Frames are 4238 × 4172, 16-bit unsigned (BZERO 32768), four quadrants with pre- and overscans; the page cache is warm. Times are
processor seconds, the least of the repeats; the peer's is of one run.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis import kernels_warm
from bench.large_campaign import write
from bench.table import Row, show
from builder.acquired.onepass import read_file
from builder.acquired.pixels import fingerprint, open_pixels
from builder.acquired.reading import ReadTask
from campaign.frames import Frame, FrameFile
from campaign.geometry import quadrants
from campaign.model import Detector

DETECTOR = Detector(
    name="CCD", geometry=quadrants(rows=2066, columns=2048, prescan=51, overscan=20, parallel=20)
)


def task(path: Path, objects: Path, hdu: int = 0) -> ReadTask:
    info = path.stat()
    file = FrameFile("", path.name, info.st_size, info.st_mtime_ns, info.st_ino)
    return ReadTask(path, file, "", objects, images=((DETECTOR, {"": hdu}),))


def least(run: Callable[[], object], repeats: int) -> float:
    """Processor time [ms], the least of the repeats."""
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        run()
        found.append(time.process_time() - begun)
    return 1e3 * min(found)


def just_read(path: Path, buffer: bytearray) -> None:
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def by_astropy(path: Path, hdu: int = 0) -> None:
    from astropy.io import fits
    from astropy.stats import sigma_clipped_stats

    with fits.open(path, memmap=False) as hdus:
        image = hdus[hdu].data
    for channel in DETECTOR.geometry.channels:
        for region in (channel.image, channel.overscan, channel.prescan):
            assert region is not None
            sigma_clipped_stats(image[region.slices], sigma=3.0)
        np.percentile(image[channel.image.slices], [1, 99])


def opened(path: Path, hdu: int) -> None:
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        np.asarray(hdus[hdu].data).sum()


def run(quick: bool, repeats: int = 5) -> list[Row]:
    """The rows, in processor seconds: this is work without waiting, which other work on the machine disturbs less."""
    from astropy.io import fits

    out: list[Row] = []
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as work:
        folder, objects, buffer = Path(work), Path(work) / "objects", bytearray(1 << 20)
        for name, level, sigma in (("bias", 2700.0, 1.4), ("flat", 30000.0, 180.0)):
            image = np.clip(rng.normal(level, sigma, DETECTOR.geometry.shape).round(), 0, 65535).astype(
                np.uint16
            )
            path = folder / f"{name}.fits"
            fits.PrimaryHDU(image).writeto(path)
            kernels_warm.warm()
            read = least(partial(just_read, path, buffer), repeats) / 1e3
            hashed = least(partial(fingerprint, path), repeats) / 1e3
            ours = least(partial(read_file, task(path, objects)), repeats) / 1e3
            theirs = least(partial(by_astropy, path), 1) / 1e3
            note = f"fingerprint, headers, statistics, histograms, profiles, preview; reading takes {1e3 * read:.1f} ms, with the fingerprint {1e3 * hashed:.1f} ms"
            out.append(
                Row(
                    f"{name} frame, one pass",
                    ours,
                    "astropy: clipped statistics and percentiles",
                    theirs,
                    "cpu s",
                    note=note,
                )
            )
        out += _decoded(path, repeats)
        if not quick:
            out += _compressed(folder, path, image, objects, repeats)
        tiny = write(folder / "large", frames=200 if quick else 1000, tests=10)
        out.append(
            Row(
                "tiny frame of 36 × 48, one pass",
                tiny_frames(tiny, folder / "tiny-objects") / 1e3,
                "",
                None,
                "cpu s",
            )
        )
    return out


def _decoded(path: Path, repeats: int) -> list[Row]:
    channels, out = DETECTOR.geometry.channels, []
    held = open_pixels(Frame("f", "f", "CCD", task(path, path.parent).file, {"": 0}), path.parent)
    for kind in (np.uint16, np.float32):
        memory = np.empty(channels[0].image.shape, kind)
        took = least(lambda m=memory: [held.read(c, c.image, m) for c in channels], repeats)  # type: ignore[misc]
        theirs = least(partial(opened, path, 0), repeats)
        work = f"four quadrants decoded into memory used before, {np.dtype(kind).name}"
        out.append(Row(work, took / 1e3, "astropy, as float32", theirs / 1e3, "cpu s"))
    return out


def _compressed(
    folder: Path, path: Path, image: NDArray[np.uint16], objects: Path, repeats: int
) -> list[Row]:
    from astropy.io import fits

    packed, tiled, out = folder / "flat.fits.gz", folder / "flat.fits.fz", []
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    fits.CompImageHDU(image, compression_type="RICE_1").writeto(tiled)
    for name, where, hdu in (("gzip", packed, 0), ("Rice tiles", tiled, 1)):
        ours = least(partial(read_file, task(where, objects, hdu)), repeats) / 1e3
        theirs = least(partial(opened, where, hdu), repeats) / 1e3
        out.append(Row(f"flat frame in {name}, one pass", ours, "astropy: opening alone", theirs, "cpu s"))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    show("frames", run(parser.parse_args().quick))


def tiny_frames(folder: Path, objects: Path) -> float:
    from builder.acquired.framing import Holdings
    from builder.acquired.headers import header_map
    from builder.acquired.index import index
    from campaign.load import load

    campaign, _ = load(folder)
    assert campaign is not None
    holdings = Holdings.of(campaign, header_map(campaign)[0])
    files = index(campaign, {}).files
    tasks = [ReadTask(campaign.root / f.root / f.path, f, "B00", objects, holdings) for f in files]
    os.sync()
    return least(lambda: [read_file(t) for t in tasks], 1) / len(tasks)


if __name__ == "__main__":
    main()
