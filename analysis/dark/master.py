"""The master dark: long exposures combined into rates, and the noise of those."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
from analysis.contract import FrameInput, Inputs
from analysis.conversion import Conversion
from analysis.dark.channel import Master
from analysis.distribution import distribution
from analysis.pairs import difference_histogram
from analysis.read_noise import clipping_noise
from analysis.response_corrections import Correction
from analysis.stack import clipped_mean_stack
from analysis.stack_bands import ChannelReader
from analysis.statistics import clipped_histogram
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

_SIMULATED = 1 << 18


def master_of(
    inputs: Inputs,
    used: Sequence[FrameInput],
    biases: Sequence[FrameInput],
    channel: Channel,
    current: float,
    gain: Conversion | None,
    by: Correction,
    as_read: Sequence[float],
) -> Master:
    """The master of some dark frames, as rates aligned to the ``current`` [ADU/s], less the bias structure where there are two bias frames.

    Frames are corrected ``by`` what is known, at their levels ``as_read`` [ADU above the offset].
    """
    sigma, name = inputs.number("sigma"), channel.name
    bias = _bias_structure(inputs, biases, channel, sigma)
    shortest = min(_time(f) for f in used)
    noise = max(float(np.median([d.summaries[name].std for d in used])), 0.5) / shortest
    stack = clipped_mean_stack(
        [_Rates(d, channel, current, bias, by, level) for d, level in zip(used, as_read, strict=True)],
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


@dataclass(frozen=True)
class _Rates(ChannelReader):
    """Reads rates of a frame [ADU/s]: aligned so that its clipped level, that ``as_read`` corrected, has the channel's dark ``current``, less the ``bias`` structure."""

    current: float
    bias: NDArray[np.float32] | None
    by: Correction
    as_read: float

    def __call__(self, region: Region, out: NDArray[np.generic] | None = None) -> NDArray[np.float32]:
        """A part of them; see ``ChannelReader``."""
        into = np.empty(region.shape, np.float32) if out is None else out
        values = np.asarray(self.frame.pixels.read(self.channel, region, into), np.float32)
        values -= np.float32(self.frame.summaries[self.channel.name].mean)
        if self.bias is not None:
            y, x = region.y0 - self.channel.image.y0, region.x0 - self.channel.image.x0
            values -= self.bias[y : y + region.shape[0], x : x + region.shape[1]]
        if self.by.table is not None:
            values += np.float32(self.as_read)
            self.by.pixels(values, region, self.channel.image)
            values -= np.float32(self.by.level(self.as_read))
        values *= np.float32(1.0 / _time(self.frame))
        values += np.float32(self.current)
        return values

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """What it hands out."""
        return np.dtype(np.float32)


def _bias_structure(
    inputs: Inputs, biases: Sequence[FrameInput], channel: Channel, sigma: float
) -> NDArray[np.float32] | None:
    if len(biases) < 2:
        return None
    mean = joined(*halves(inputs, biases, channel, sigma)).mean
    if np.isnan(mean.min()):
        mean[np.isnan(mean)] = 0.0
    return mean


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
