"""A photon-transfer pair of full-size flats, four channels, from files to numbers: ours and astropy's with SciPy's transforms.

    python -m bench.bench_pairs [--quick] [--repeats 5]

Frames are 4238 × 4172, 16-bit unsigned, in the page cache. Means and variances are clipped at 3 σ, of either frame and of the difference,
for each quadrant; the peer is ``sigma_clipped_stats`` on float64 arrays. Covariances go to lag 8, of both signs, with
masks; the peer's are two ``scipy.fft.rfft2`` for each channel, of the masked difference and of the weights. Ours run the channels in two threads.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bench_stack import COLUMNS, ROWS, inputs
from bench.table import Row, show
from campaign.geometry import Channel, quadrants

LAGS = 8
CHANNELS = quadrants().channels
STATISTICS_REACH, COVARIANCES_REACH = 100.0, 20.0

Image = NDArray[np.uint16]
Floats = NDArray[np.float64]


def write_flats(folder: Path) -> list[Path]:
    """Two flats of 20,000 ADU with shot noise and cosmic rays."""
    from astropy.io import fits

    rng = np.random.default_rng(7)
    paths = []
    for i in range(2):
        image = np.rint(rng.normal(20_000.0, 76.0, (ROWS, COLUMNS))).astype(np.uint16)
        image.flat[rng.integers(0, image.size, 20_000)] += np.uint16(3000)
        paths.append(folder / f"flat-{i}.fits")
        fits.PrimaryHDU(image).writeto(paths[-1])
    return paths


def ours(paths: list[Path], covariances: bool) -> list[Any]:
    """Statistics of each channel, with covariances or without."""
    from analysis.covariance import pair_covariances
    from analysis.pairs import pair_statistics

    frames = inputs(paths)

    def measure(channel: Channel) -> Any:
        a, b = (f.pixels.read(channel, channel.image) for f in frames)
        return pair_covariances(a, b, lags=LAGS) if covariances else pair_statistics(a, b)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(measure, CHANNELS))


def theirs(paths: list[Path], covariances: bool) -> list[Any]:
    """The same as a user of astropy and SciPy would write it."""
    from astropy.io import fits
    from astropy.stats import sigma_clipped_stats

    first, second = (fits.getdata(path) for path in paths)
    out: list[Any] = []
    for channel in CHANNELS:
        a, b = (image[channel.image.slices].astype(np.float64) for image in (first, second))
        found = [sigma_clipped_stats(values, sigma=3.0) for values in (a, b, a - b)]
        mean, _, std = found[2]
        out.append((found, by_fourier(a - b, np.abs(a - b - mean) <= 5 * std) if covariances else None))
    return out


def by_fourier(difference: Floats, good: NDArray[np.bool_]) -> Floats:
    """Covariances for rows 0 … 8 and columns −8 … 8 from transforms of data and weights, in double precision."""
    from scipy import fft

    shape = tuple(fft.next_fast_len(n + LAGS, real=True) for n in difference.shape)
    parts = []
    for image in (np.where(good, difference - difference[good].mean(), 0.0), good.astype(np.float64)):
        power = np.abs(fft.rfft2(image, shape)) ** 2
        parts.append(fft.irfft2(power, shape)[: LAGS + 1][:, np.arange(-LAGS, LAGS + 1)])
    out: Floats = parts[0] / np.rint(parts[1])
    return out


def best(run: Callable[[], Any], repeats: int) -> tuple[float, float, Any]:
    """Shortest and first time, and what came out."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), seconds[0], found


def kernel_rows(paths: list[Path], repeats: int) -> list[Row]:
    """Each kernel against NumPy or SciPy, on one channel in memory and one thread."""
    from analysis.covariance import pair_covariances
    from analysis.histogram import histogram
    from analysis.pairs import pair_histograms

    channel = CHANNELS[0]
    a, b = (f.pixels.read(channel, channel.image) for f in inputs(paths))

    def twins() -> list[Any]:
        return [histogram(a), histogram(b), histogram(np.subtract(a, b, dtype=np.int32))]

    def direct() -> list[float]:
        d = np.subtract(a, b, dtype=np.float32)
        d = np.where(np.abs(d - d.mean()) <= 5 * d.std(), d - d.mean(), np.float32(0))
        lags = range(-LAGS, LAGS + 1)
        cut = [(slice(max(-j, 0), COLUMNS), slice(max(j, 0), COLUMNS)) for j in lags]
        width = [d.shape[1] - abs(j) for j in lags]
        return [
            float(np.einsum("yx,yx->", d[: d.shape[0] - i, one][:, :w], d[i:, two][:, :w]))
            for i in range(LAGS + 1)
            for (one, two), w in zip(cut, width, strict=True)
        ]

    mine, _, _ = best(lambda: pair_histograms(a, b), repeats)
    other, _, _ = best(twins, repeats)
    rows = [
        Row("three histograms of one channel, one thread", mine * 1e3, "NumPy bincount", other * 1e3, "ms")
    ]
    mine, _, _ = best(lambda: pair_covariances(a, b), repeats)
    other, _, _ = best(direct, 1)
    rows.append(
        Row("clip and covariances of one channel, one thread", mine * 1e3, "NumPy, direct", other * 1e3, "ms")
    )
    return rows


def run(quick: bool, repeats: int = 5) -> list[Row]:
    """Rows of the pair; ``quick`` leaves out the kernels' own."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="calbook-bench-") as folder:
        paths = write_flats(Path(folder))
        for label, covariances, reach in (
            ("pair, 4 channels: clipped means and variances", False, STATISTICS_REACH),
            ("pair, 4 channels: with covariances to lag 8", True, COVARIANCES_REACH),
        ):
            mine, first, found = best(lambda: ours(paths, covariances), repeats)  # noqa: B023
            peer, _, other = best(lambda: theirs(paths, covariances), 1)  # noqa: B023
            note = f"first {first:.2f} s; {apart(found, other)}"
            name = "astropy + scipy.fft" if covariances else "astropy"
            rows.append(Row(label, mine, name, peer, "s", reach, note=note))
        if not quick:
            rows += kernel_rows(paths, repeats)
    return rows


def apart(found: list[Any], other: list[Any]) -> str:
    """How far the two answers differ, at most."""
    gaps = []
    for mine, (statistics, covariances) in zip(found, other, strict=True):
        if covariances is None:
            gaps.append(abs(mine.difference.std / statistics[2][2] - 1))
        else:
            matrix = mine[1].sums / mine[1].counts
            gaps.append(float(np.abs(matrix - covariances).max() / matrix[0, LAGS]))
    what = "of C(0, 0) apart" if other[0][1] is not None else "of σ apart (theirs keeps the bias of clipping)"
    return f"{max(gaps):.1e} {what}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="the pair only, not its kernels one by one")
    parser.add_argument("--repeats", type=int, default=5, help="of ours; the peer runs once")
    options = parser.parse_args()
    show(f"A pair of {ROWS} × {COLUMNS} 16-bit flats", run(options.quick, options.repeats))


if __name__ == "__main__":
    main()
