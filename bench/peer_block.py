"""The script that a competent scientist would write for a block of frames: astropy, ccdproc and matplotlib.

    python -m bench.peer_block CAMPAIGN OUTPUT

Same masters, numbers and figures as the procedures bias, dark, photon transfer and flat make of the same frames
(see ``bench.block_campaign``): one PNG per figure at matplotlib's usual resolution, masters as FITS with their
uncertainties, one CSV of numbers. Each file is opened when it is needed, as one does; ``ccdproc.combine`` is used as its guide tells (sigma
clip by median and MAD, a memory limit). Prints seconds and processor seconds of each step as JSON.
"""

from __future__ import annotations

import csv
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ccdproc
import matplotlib as mpl
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.stats import mad_std, sigma_clipped_stats
from scipy.optimize import curve_fit

from bench.block_campaign import frames as frames_of

mpl.use("Agg")
import matplotlib.pyplot as plt

Box = tuple[slice, slice]
IMAGE: dict[str, Box] = {}
SCAN: dict[str, slice] = {}


def lay_out(path: Path) -> None:
    """Where the four quadrants and their overscans are, from the size of a frame: 51 prescan, 20 overscan columns, 20 rows between."""
    header = fits.getheader(path)
    nx, ny = header["NAXIS1"] // 2, header["NAXIS2"] // 2
    left, right = slice(51, nx - 20), slice(nx + 20, 2 * nx - 51)
    lower, upper = slice(0, ny - 20), slice(ny + 20, 2 * ny)
    IMAGE.update({"E": (upper, left), "F": (upper, right), "G": (lower, right), "H": (lower, left)})
    inner, outer = slice(nx - 15, nx - 5), slice(nx + 5, nx + 15)
    SCAN.update({"E": inner, "F": outer, "G": outer, "H": inner})


MEMORY = 350e6

numbers: list[tuple[str, str, float]] = []
spent: dict[str, tuple[float, float]] = {}


@contextmanager
def step(name: str) -> Iterator[None]:
    begun, cpu = time.perf_counter(), time.process_time()
    yield
    spent[name] = (time.perf_counter() - begun, time.process_time() - cpu)


def image(path: Path) -> Any:
    return fits.getdata(path)


def combined(paths: list[Path], output: Path, **more: Any) -> CCDData:
    return ccdproc.combine(
        [str(p) for p in paths], output_file=str(output), method="average", unit="adu", mem_limit=MEMORY,
        sigma_clip=True, sigma_clip_low_thresh=5, sigma_clip_high_thresh=5, sigma_clip_func=np.ma.median,
        sigma_clip_dev_func=mad_std, dtype=np.float32, overwrite_output=True, **more,
    )  # fmt: skip


def overscan(frame: Any, quadrant: str) -> float:
    return float(sigma_clipped_stats(frame[IMAGE[quadrant][0], SCAN[quadrant]])[0])


def note(quantity: str, quadrant: str, value: float) -> None:
    numbers.append((quantity, quadrant, float(value)))


def save(figure: Any, output: Path, name: str) -> None:
    figure.savefig(output / f"{name}.png")
    plt.close(figure)


def show_map(data: Any, label: str, output: Path, name: str) -> None:
    figure, axes = plt.subplots()
    low, high = np.nanpercentile(data, (1, 99))
    drawn = axes.imshow(data, origin="lower", vmin=low, vmax=high, cmap="cividis")
    figure.colorbar(drawn, label=label)
    save(figure, output, name)


def profiles(data: Any, quadrants: Any, label: str, output: Path, name: str) -> None:
    figure, axes = plt.subplots(2, 1)
    for q in quadrants:
        axes[0].plot(np.nanmedian(data[IMAGE[q]], axis=1), label=q)
        axes[1].plot(np.nanmedian(data[IMAGE[q]], axis=0), label=q)
    axes[0].set(xlabel="row", ylabel=label)
    axes[1].set(xlabel="column", ylabel=label)
    axes[0].legend()
    save(figure, output, name)


def smooth(data: Any) -> Any:
    """A 2-D polynomial through medians of cells."""
    ny, nx = data.shape
    ys, xs = np.linspace(0, ny, 41).astype(int), np.linspace(0, nx, 41).astype(int)
    cells = np.array(
        [[np.nanmedian(data[ys[i] : ys[i + 1], xs[j] : xs[j + 1]]) for j in range(40)] for i in range(40)]
    )
    y, x = np.meshgrid(*(np.linspace(-0.975, 0.975, 40),) * 2, indexing="ij")
    powers = [(i, j) for i in range(6) for j in range(6 - i)]
    fit = np.linalg.lstsq(np.stack([(y**i * x**j).ravel() for i, j in powers], 1), cells.ravel(), rcond=None)[
        0
    ]
    yy, xx = np.linspace(-1, 1, ny)[:, None], np.linspace(-1, 1, nx)[None, :]
    return sum(c * yy**i * xx**j for c, (i, j) in zip(fit, powers, strict=True))


def common(first: Any, second: Any) -> tuple[float, float, float, float]:
    """What two half masters share: total, columns, rows, pixels (rms)."""
    a, b = first - smooth(first), second - smooth(second)
    bad = (np.abs(a) > 6 * mad_std(a)) | (np.abs(b) > 6 * mad_std(b))
    a, b = np.ma.masked_array(a, bad), np.ma.masked_array(b, bad)
    ca, cb, ra, rb = a.mean(0), b.mean(0), a.mean(1), b.mean(1)
    columns, rows = np.ma.cov(ca, cb)[0, 1], np.ma.cov(ra, rb)[0, 1]
    rest = ((a - ca - ra[:, None]) * (b - cb - rb[:, None])).mean()
    return tuple(np.sqrt(max(v, 0.0)) for v in (columns + rows + rest, columns, rows, rest))  # type: ignore[return-value]


def bias(paths: list[Path], output: Path) -> CCDData:
    master = combined(paths, output / "master_bias.fits")
    halves = [
        combined(part, output / f"half_{i}.fits").data for i, part in enumerate((paths[::2], paths[1::2]))
    ]
    levels: dict[str, list[float]] = {q: [] for q in IMAGE}
    noise: dict[str, list[float]] = {q: [] for q in IMAGE}
    shown: dict[str, Any] = {}
    before = None
    for path in paths:
        frame = image(path).astype(np.float32)
        for q, box in IMAGE.items():
            mean, _, _ = sigma_clipped_stats(frame[box])
            levels[q].append(mean)
            note("overscan", q, overscan(frame, q))
            if before is not None:
                difference = frame[box] - before[box]
                noise[q].append(sigma_clipped_stats(difference)[2] / np.sqrt(2))
                counts, _ = np.histogram(difference, bins=81, range=(-20, 20))
                shown[q] = shown.get(q, 0) + counts
        before = frame
    for q, box in IMAGE.items():
        note("offset", q, np.mean(levels[q]))
        note("drift", q, np.polyfit(np.arange(len(paths)), levels[q], 1)[0])
        note("read_noise", q, np.mean(noise[q]))
        for name, value in zip(
            ("structure", "columns", "rows", "pixels"), common(halves[0][box], halves[1][box]), strict=True
        ):
            note(name, q, value)
        part = master.data[box]
        for axis in (0, 1):
            profile = np.nanmedian(part, axis=1 - axis)
            tenth = profile.size // 10
            note(f"gradient_{axis}", q, profile[-tenth:].mean() - profile[:tenth].mean())
    figure, axes = plt.subplots(2, 1)
    for q in IMAGE:
        axes[0].plot(np.array(levels[q]) - np.mean(levels[q]), "o", label=q)
        axes[1].plot(noise[q], "o", label=q)
    axes[0].legend()
    save(figure, output, "bias_stability")
    figure, axes = plt.subplots(2, 2)
    for q, ax in zip(IMAGE, axes.flat, strict=True):
        ax.step(np.linspace(-20, 20, 81), shown[q])
        ax.set(yscale="log", title=q, xlabel="difference [ADU]")
    save(figure, output, "bias_differences")
    profiles(master.data, IMAGE, "ADU", output, "bias_profiles")
    show_map(master.data, "ADU", output, "bias_master")
    return master


def dark(paths: list[Path], biases: list[Path], master_bias: CCDData, output: Path) -> None:
    level: dict[str, list[float]] = {q: [] for q in IMAGE}
    zero: dict[str, list[float]] = {q: [] for q in IMAGE}
    times = []
    for held, into in ((paths, level), (biases, zero)):
        for path in held:
            frame = image(path).astype(np.float32)
            if held is paths:
                times.append(float(fits.getval(path, "EXPTIME")))
            for q, box in IMAGE.items():
                into[q].append(sigma_clipped_stats(frame[box])[0] - overscan(frame, q))
    master = combined(paths, output / "master_dark_raw.fits")
    rate = master.subtract(master_bias).divide(np.mean(times))
    rate.write(output / "master_dark.fits", overwrite=True)
    hot = np.zeros(rate.data.shape, np.uint8)
    figure, axes = plt.subplots(2, 2)
    for (q, box), ax in zip(IMAGE.items(), axes.flat, strict=True):
        current = (np.mean(level[q]) - np.mean(zero[q])) / np.mean(times)
        note("dark_current", q, current)
        part = rate.data[box]
        _, median, std = sigma_clipped_stats(part)
        note("dark_95", q, np.nanpercentile(part, 95))
        hot[box] = part > median + 10 * std
        note("hot_pixels", q, int(hot[box].sum()))
        note("hot_columns", q, int((hot[box].sum(axis=0) >= 20).sum()))
        for axis in (0, 1):
            profile = np.nanmedian(part, axis=1 - axis)
            tenth = profile.size // 10
            note(f"glow_{axis}", q, profile[-tenth:].mean() - profile[:tenth].mean())
        ax.hist(
            part.ravel(), bins=200, range=(median - 8 * std, median + 20 * std), histtype="step", log=True
        )
        ax.axvline(current)
        ax.set(title=q, xlabel="ADU/s")
    save(figure, output, "dark_rates")
    fits.writeto(output / "hot_mask.fits", hot, overwrite=True)
    figure, axes = plt.subplots()
    for q in IMAGE:
        axes.plot(times, level[q], "o", label=q)
    axes.legend()
    save(figure, output, "dark_levels")
    show_map(rate.data, "ADU/s", output, "dark_master")


def transfer(paths: list[Path], biases: list[Path], output: Path) -> None:
    def law(mu: Any, gain: float, a: float, n: float) -> Any:
        x = 2 * a * 1e-6 * mu * gain
        return mu / gain * np.expm1(x) / x + n / gain**2

    floor: dict[str, list[float]] = {q: [] for q in IMAGE}
    for first, second in zip(biases[::2], biases[1::2], strict=True):
        a, b = (image(p).astype(np.float32) for p in (first, second))
        for q, box in IMAGE.items():
            floor[q].append(sigma_clipped_stats(a[box] - b[box], sigma=5)[2] ** 2 / 2)
    points: dict[str, list[tuple[float, float]]] = {q: [] for q in IMAGE}
    for first, second in zip(paths[::2], paths[1::2], strict=True):
        a, b = (image(p).astype(np.float32) for p in (first, second))
        for q, box in IMAGE.items():
            one, two = a[box] - overscan(a, q), b[box] - overscan(b, q)
            m1, m2 = (sigma_clipped_stats(v, sigma=5)[0] for v in (one, two))
            difference = 2 * (m2 * one - m1 * two) / (m1 + m2)
            variance = sigma_clipped_stats(difference, sigma=5)[2] ** 2 / 2
            points[q].append((2 * m1 * m2 / (m1 + m2), variance))
    curve, curves = plt.subplots()
    rest, residuals = plt.subplots()
    gains, levels = plt.subplots()
    for q in IMAGE:
        mu, variance = np.array(points[q]).T
        rising = mu <= mu[np.argmax(variance)]
        fit, _ = curve_fit(
            law, mu[rising], variance[rising], p0=(3, -1, 20), sigma=variance[rising], maxfev=5000
        )
        for name, value in zip(("gain", "a00", "noise_squared"), fit, strict=True):
            note(name, q, value)
        note("full_well", q, mu[np.argmax(variance)] * fit[0])
        note("gain_pairs", q, np.mean(mu[:4] / (variance[:4] - np.mean(floor[q]))))
        curves.loglog(mu, variance, "o", label=q)
        curves.plot(mu, law(mu, *fit))
        residuals.plot(mu[rising], 100 * (variance[rising] / law(mu[rising], *fit) - 1), "o", label=q)
        levels.plot(mu, mu / (variance - np.mean(floor[q])), "o", label=q)
    for figure, axes, name in (
        (curve, curves, "transfer_curve"),
        (rest, residuals, "residuals"),
        (gains, levels, "gain_by_level"),
    ):
        axes.legend()
        save(figure, output, name)


def flat(paths: list[Path], master_bias: CCDData, output: Path) -> None:
    levels: dict[str, list[float]] = {q: [] for q in IMAGE}
    for path in paths:
        frame = image(path).astype(np.float32)
        for q, box in IMAGE.items():
            levels[q].append(sigma_clipped_stats(frame[box])[0] - overscan(frame, q))
            note("saturated", q, float((frame[box] >= 65535).mean()))
    mean = np.mean([levels[q] for q in IMAGE])
    halves = [
        combined(part, output / f"flat_{i}.fits", scale=lambda a: mean / np.median(a)).data - master_bias.data
        for i, part in enumerate((paths[::2], paths[1::2]))
    ]
    master = 0.5 * (halves[0] + halves[1])
    normal = np.full(master.shape, np.nan, np.float32)
    response = np.full(master.shape, np.nan, np.float32)
    figure, axes = plt.subplots(2, 2)
    for (q, box), ax in zip(IMAGE.items(), axes.flat, strict=True):
        part = master[box]
        shape = smooth(part)
        normal[box], response[box] = part / np.mean(part), part / shape
        note("level", q, np.mean(levels[q]))
        note("stability", q, np.std(levels[q], ddof=1) / np.mean(levels[q]))
        note("prnu", q, common(halves[0][box] / shape, halves[1][box] / shape)[0])
        note("non_uniformity", q, np.ptp(np.percentile(shape, (1, 99))) / np.median(shape))
        note("dark_pixels", q, int((response[box] < 0.5).sum()))
        note("bright_pixels", q, int((response[box] > 1.5).sum()))
        noise = sigma_clipped_stats(halves[0][box] - halves[1][box], sigma=5)[2] / 2
        note("signal_to_noise", q, np.mean(levels[q]) / noise)
        ax.hist(response[box].ravel(), bins=121, range=(0.92, 1.08), histtype="step", log=True)
        ax.set(title=q, xlabel="response")
    save(figure, output, "flat_response")
    fits.writeto(output / "master_flat.fits", normal, overwrite=True)
    defects = ((response < 0.5) + 2 * (response > 1.5)).astype(np.uint8)
    fits.writeto(output / "defects.fits", defects, overwrite=True)
    figure, axes = plt.subplots()
    for q in IMAGE:
        axes.plot(100 * (np.array(levels[q]) / np.mean(levels[q]) - 1), "o", label=q)
    axes.legend()
    save(figure, output, "flat_levels")
    profiles(response, IMAGE, "response", output, "flat_profiles")
    show_map(normal, "level over its mean", output, "flat_master")


def main(campaign: Path, output: Path) -> None:
    """Measure all, write all, print what it took."""
    output.mkdir(parents=True, exist_ok=True)
    held = frames_of(campaign)
    lay_out(held["BIAS01"][0])
    with step("bias"):
        master = bias(held["BIAS01"], output)
    with step("dark"):
        dark(held["DARK01"], held["BIAS01"], master, output)
    with step("photon transfer"):
        transfer(held["PTC01"], held["BIAS01"], output)
    with step("flat"):
        flat(held["FLAT01"], master, output)
    with (output / "numbers.csv").open("w") as file:
        csv.writer(file).writerows(numbers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"steps": spent, "peak": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
