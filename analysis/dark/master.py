"""The master dark: long exposures combined into rates, their noise, and which pixels are hot or warm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
from analysis.contract import FrameInput, Inputs
from analysis.conversion import Conversion
from analysis.dark.channel import Master
from analysis.distribution import Distribution, distribution
from analysis.masks import BITS, Mask
from analysis.pairs import difference_histogram
from analysis.read_noise import clipping_noise
from analysis.stack import clipped_mean_stack
from analysis.statistics import clipped_histogram
from campaign.geometry import Channel, Region

_TAIL = 5.0  # in σ: pixels beyond are no part of the core
_SIMULATED = 1 << 18
_CELL = 8


@dataclass(frozen=True)
class Spread:
    """Median and 95 % quantile of the rates [ADU/s] with their errors from sampling alone; ``upper`` None where the noise is not known.

    ``plain`` is the quantile of rates and noise together, ``flags`` those of ``upper``.
    """

    median: float
    median_error: float
    upper: float | None
    upper_error: float
    plain: float
    flags: tuple[str, ...] = ()


def master_of(
    inputs: Inputs,
    used: Sequence[FrameInput],
    biases: Sequence[FrameInput],
    channel: Channel,
    current: float,
    gain: Conversion | None,
) -> Master:
    """The master of some dark frames, as rates aligned to the ``current`` [ADU/s], less the bias structure where there are two bias frames."""
    sigma, name = inputs.number("sigma"), channel.name
    bias = _bias_structure(inputs, biases, channel, sigma)
    shortest = min(_time(f) for f in used)
    noise = max(float(np.median([d.summaries[name].std for d in used])), 0.5) / shortest
    stack = clipped_mean_stack(
        [partial(_rates, d, channel, current, bias) for d in used],
        channel.image,
        sigma=sigma,
        noise=noise,
        gain=(gain.gain if gain else 1.0) * shortest,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        error_of = np.divide(stack.variance, stack.count, out=stack.variance)
    expected = sqrt(noise**2 + max(current, 0.0) / ((gain.gain if gain else 1.0) * shortest))
    known = noise_of_master(used, channel, sigma * expected)
    if known is not None and bias is not None:
        own = (
            clipping_noise(biases, channel)
            / sqrt(len(biases))
            * float(np.mean([1.0 / _time(f) for f in used]))
        )
        known = hypot(known[0], own), known[1]
    level, level_error = known if known is not None else (None, 0.0)
    whole = all(f.pixels.dtype(channel).kind in "iu" for f in used)
    step = 1.0 / (len(used) * shortest) if whole else 0.0
    inverse = float(np.mean([1.0 / _time(f) for f in used]))
    per_rate = inverse / (gain.gain * len(used)) if gain else 0.0
    error = np.sqrt(error_of, out=error_of)
    return Master(stack.mean, error, distribution(stack.mean), level, level_error, step, per_rate)


def _time(frame: FrameInput) -> float:
    return float(frame.frame.exptime or 0.0)


def _rates(
    frame: FrameInput, channel: Channel, current: float, bias: NDArray[np.float32] | None, region: Region
) -> NDArray[np.float32]:
    """Rates of a part of one frame [ADU/s]: aligned so that its clipped level has the channel's dark current."""
    values = frame.pixels.read(channel, region).astype(np.float32) - np.float32(
        frame.summaries[channel.name].mean
    )
    if bias is not None:
        y, x = region.y0 - channel.image.y0, region.x0 - channel.image.x0
        values -= bias[y : y + region.shape[0], x : x + region.shape[1]]
    rates: NDArray[np.float32] = values / np.float32(_time(frame)) + np.float32(current)
    return rates


def _bias_structure(
    inputs: Inputs, biases: Sequence[FrameInput], channel: Channel, sigma: float
) -> NDArray[np.float32] | None:
    if len(biases) < 2:
        return None
    mean = joined(*halves(inputs, biases, channel, sigma)).mean
    return np.nan_to_num(mean, copy=False)


def noise_of_master(used: Sequence[FrameInput], channel: Channel, reach: float) -> tuple[float, float] | None:
    """Noise of a typical pixel of the mean of the frames' rates clipped at ``reach``, and its error [all ADU/s]; None for a single frame.

    From differences of disjoint pairs of frames, so that what pixels have of their own does not count.
    """
    pairs = [(a, b, 1.0) for a, b in zip(used[::2], used[1::2], strict=False)]
    if not pairs:
        return None
    if len(used) % 2:
        pairs.append((used[-1], used[0], 0.5))
    total = squares = 0.0
    for first, second, weight in pairs:
        found = _difference(first, second, channel)
        if found is None:
            return None
        variance, error = found
        total += weight * variance
        squares += (weight * error) ** 2
    if total <= 0:
        return None
    at = reach / sqrt(total / len(used))  # in noises of one frame: what clips includes the pixels' own spread
    noise = sqrt(total) / len(used) * clipping_factor(len(used), round(min(max(at, 2.0), 6.0), 1))
    return noise, noise * 0.5 * sqrt(squares) / total


def _difference(first: FrameInput, second: FrameInput, channel: Channel) -> tuple[float, float] | None:
    """Variance of the difference of the rates of two frames and its error [(ADU/s)²]."""
    one, two = _time(first), _time(second)
    a, b = (f.pixels.read(channel, channel.image) for f in (first, second))
    if one == two and a.dtype == b.dtype == np.uint16:
        found = clipped_histogram(difference_histogram(a, b))
        return found.variance / one**2, 2.0 * found.std * found.std_error / one**2
    rates = a.astype(np.float32) / np.float32(one) - b.astype(np.float32) / np.float32(two)
    spread = distribution(rates)
    if not spread.n:
        return None
    core = spread.clipped()
    return core.variance, 2.0 * core.std * core.std_error


@cache
def clipping_factor(n: int, sigma: float) -> float:
    """How much noisier the clipped mean of n normal values is than their mean: from a simulation with a fixed seed, to 0.15 %."""
    rng = np.random.default_rng([n, round(1000 * sigma)])
    side = Region(0, 64, 0, _SIMULATED // 64)
    planes = [rng.standard_normal(side.shape, dtype=np.float32) + np.float32(100.0) for _ in range(n)]
    found = clipped_mean_stack([lambda r, p=p: p[r.slices] for p in planes], side, sigma=sigma, noise=1.0)  # type: ignore[misc]
    plain = np.mean(planes, axis=0, dtype=np.float64)
    # relative to the plain mean of the same values: most of the sampling error cancels
    return max(float(found.mean.std(dtype=np.float64) / plain.std()), 1.0)


def spread_of(master: Master) -> Spread:
    """Median and 95 % quantile of the pixels' rates, the noise of the master taken out of the latter in quadrature."""
    from scipy.special import ndtri

    spread, noise = master.spread, master.noise
    if master.step > 0:
        spread = distribution(dithered(master.mean, master.step))
        noise = None if noise is None else hypot(noise, master.step / sqrt(12.0))
    core = spread.clipped()
    low = core.median - _TAIL * core.std
    tail = spread.histogram(low, core.median + _TAIL * core.std, 1)[1] if core.std > 0 else 0
    tail_share = min(tail / spread.n, 0.049)
    # quantiles of the core: of the pixels that do not stand far out, which noise has not brought there
    half, at = 0.5 * (1.0 - tail_share), 0.95 / (1.0 - tail_share)
    width = ndtri(min(at, 0.999))
    q49, q50, q51, qh, q94, q95, q96 = (
        float(q) for q in spread.quantiles([0.49, 0.5, 0.51, half, 0.94, 0.95, 0.96])
    )
    # shot noise is skewed, and grows with the rate: both skew the distribution, which shifts quantiles (Cornish and Fisher)
    own = max(core.variance - (noise or 0.0) ** 2, 0.0) if noise is not None else 0.0
    third = 3.0 * master.per_rate * own + max(core.median, 0.0) * master.per_rate**2
    shift = third / (6.0 * core.variance) if core.variance > 0 else 0.0
    q50, qh, skewed = q50 + shift, qh + shift, q95 + shift * (1.0 - width**2)
    # quantiles p ≤ q of n values covary by p (1 − q) / (n f f′); 1/f is their distance over 0.02
    of50, of95 = (q51 - q49) / 0.02, (q96 - q94) / 0.02
    n = spread.n
    median_error = sqrt(0.25 / n) * of50
    if noise is None:
        return Spread(q50, median_error, None, 0.0, q95)
    apart = skewed - qh
    variance = (0.25 * of50**2 + 0.95 * 0.05 * of95**2 - 2.0 * 0.5 * 0.05 * of50 * of95) / n
    square = apart**2 - (width * noise) ** 2
    error = hypot(2.0 * apart * sqrt(max(variance, 0.0)), 2.0 * width**2 * noise * master.noise_error)
    if square > 3.0 * error:
        root = sqrt(square)
        return Spread(q50, median_error, qh + root, error / (2.0 * root), q95)
    root = sqrt(max(square, 0.0))
    return Spread(
        q50, median_error, qh + root, sqrt(max(square, 0.0) + error) - root, q95, ("consistent-with-zero",)
    )


def dithered(rates: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Rates spread evenly over the ``step`` [ADU/s] between the values that means of few whole numbers have, with a fixed seed.

    Quantiles would else be those values, which lie farther apart than their errors.
    """
    out = np.random.default_rng(0).random(rates.shape, dtype=np.float32)
    out -= np.float32(0.5)
    out *= np.float32(step)
    out += rates
    return out


def threshold(inputs: Inputs, kind: str, spread: Distribution, gain: Conversion | None) -> tuple[float, str]:
    """The rate [ADU/s] from which a pixel is hot (or warm: ``kind``), and what it is called."""
    if inputs.number(f"{kind}_rate") > 0 and gain is not None:
        return inputs.number(f"{kind}_rate") / gain.gain, f"{kind} (e⁻/s)"
    core = spread.clipped()
    return core.median + inputs.number(f"{kind}_sigma") * core.std, f"{kind} (σ)"


def columns_of(pixels: NDArray[np.bool_], enough: float) -> NDArray[np.bool_]:
    """Columns with ``enough`` such pixels, and five σ more than is usual: where they abound, some columns have many by chance."""
    per_column = pixels.sum(axis=0)
    usual = float(np.median(per_column))
    out: NDArray[np.bool_] = per_column >= max(enough, usual + 5.0 * sqrt(usual))
    return out


def mask_of(
    rates: NDArray[np.float32],
    hot: NDArray[np.bool_],
    warm: NDArray[np.bool_],
    columns: NDArray[np.bool_],
    full: float,
) -> Mask:
    """The mask of a channel, bits of ``analysis.masks``; from the rate ``full`` [ADU/s] on a pixel is saturated."""
    mask = np.zeros(rates.shape, np.int32)
    mask[hot] |= BITS["hot"]
    mask[warm] |= BITS["warm"]
    mask[:, columns] |= BITS["column"]
    mask[~np.isfinite(rates)] |= BITS["no-value"]
    with np.errstate(invalid="ignore"):
        mask[rates >= np.float32(full)] |= BITS["saturated"]
    return mask


def glow_of(master: Master, channel: Channel) -> tuple[float, float, int] | None:
    """Mean rate in the corner beside the readout node less that in the middle, its error [ADU/s], and of how many pixels; None for too few.

    Means of cells of 8 × 8 pixels, each without what lies beyond 5 robust σ of its median: hot pixels do not count, glow that is bright does.
    """
    rates = master.mean
    if channel.corner.startswith("upper"):
        rates = rates[::-1]
    if channel.corner.endswith("right"):
        rates = rates[:, ::-1]
    ny, nx = rates.shape
    corner = rates[: max(ny // 8, 1), : max(nx // 8, 1)]
    middle = rates[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4]
    found = [_mean_of_cells(part) for part in (corner, middle)]
    if any(n < 9 for _, _, n in found):
        return None
    return found[0][0] - found[1][0], hypot(found[0][1], found[1][1]), found[0][2]


def _mean_of_cells(part: NDArray[np.float32]) -> tuple[float, float, int]:
    """The mean of cells' means, its error from the scatter within cells, and the number of pixels."""
    from analysis import tile_kernels

    ny, nx = part.shape
    ys, xs = (np.linspace(0, n, max(n // _CELL, 1) + 1).astype(np.int64) for n in (ny, nx))
    image = np.ascontiguousarray(part)
    means = tile_kernels.cell_means(image, ys, xs, 1, 5.0)
    wide = np.repeat(np.repeat(means, np.diff(ys), axis=0), np.diff(xs), axis=1)
    residual = distribution(image - wide.astype(np.float32))
    if not residual.n or not np.isfinite(means).any():
        return 0.0, 0.0, 0
    core = residual.clipped(5.0)
    weights = np.outer(np.diff(ys), np.diff(xs)) * np.isfinite(means)
    mean = float((np.nan_to_num(means) * weights).sum() / weights.sum())
    # a cell's own mean takes one of its degrees of freedom
    lost = max(1.0 - means.size / residual.n, 0.1)
    return mean, core.std / sqrt(lost * residual.n), residual.n
