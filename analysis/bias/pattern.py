"""Pattern noise: periods along the rows that come with another phase in each row, as pick-up of a frequency leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.correlation import as_kernels_take, last_first
from analysis.contract import FrameInput
from analysis.flat_pairs import read_one
from campaign.frozen import dataclass
from campaign.geometry import Channel

BLOCKS = 16
"""Blocks of rows of each frame over which the jackknife goes."""

LOBE = 3
"""Bins on either side of a peak that hold its power through the window (Hann: all but 1e-4)."""

_LOWEST = 6  # bins: slower changes along a row are its shape, not a period
_BESIDE = 24  # bins on either side that tell the background
_OF_BACKGROUND = (
    1.57 * 1.94 / (2 * _BESIDE + 1)
)  # variance of the background in that of a bin: a median's, of bins that the window correlates
_CLIP = 6.0
_ROWS = 4096  # of all frames together: the level that noise exceeds by chance is 7 % above the background
_SAMPLE = 20_000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Peak:
    """A period along the rows: ``frequency`` ± ``frequency_error`` [1/pixel], ``amplitude`` ± ``error`` [ADU] of its sine.

    ``ratio`` is the peak's power over the background.
    """

    frequency: float
    frequency_error: float
    amplitude: float
    error: float
    ratio: float


@dataclass(frozen=True)
class Spectrum:
    """Mean power of the rows of a channel.

    ``power`` [ADU² per bin] at ``frequencies`` [1/pixel], scaled so that its sum over all bins is the variance; ``level`` is the false-alarm level
    for all bins together. ``peaks`` stand above it, the strongest first; ``strongest`` is the strongest of all, above or not. ``n`` rows.
    """

    frequencies: Floats
    power: Floats
    level: Floats
    peaks: tuple[Peak, ...]
    strongest: Peak
    n: int


def spectrum_of(frames: Sequence[FrameInput], channel: Channel, false_alarm: float) -> Spectrum | None:
    """The spectrum of the rows of some bias frames of a channel, and the peaks that noise shows with chance ``false_alarm`` only.

    The columns' means over all frames are taken off (what is the same in each row is structure), each row's own mean too; what stands out by
    more than 6 σ counts as the row's mean. Of many rows some 4096 are taken, spread evenly over the frames. Rows are weighted by a Hann window. None when there are too few columns or no numbers.
    """
    rows, columns = channel.image.shape
    if columns < 8 * LOBE + 2 * _LOWEST or rows < 2 or not frames:
        return None
    from scipy import fft

    backwards = channel.corner.endswith("right")
    profiles = [f.details(channel).columns for f in frames]
    profile = np.nan_to_num(np.mean(profiles, axis=0))
    profile = np.ascontiguousarray(profile[::-1] if backwards else profile, np.float32)
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(columns) / columns)).astype(np.float32)
    blocks = min(BLOCKS, rows)
    edges = np.linspace(0, rows, blocks + 1).astype(int)
    most = max(1, -(-_ROWS // (len(frames) * blocks)))
    sums, used = np.zeros((len(frames) * blocks, columns // 2 + 1)), 0
    from analysis.bias import reading_kernels

    up, left = last_first(channel)
    part = np.empty((min(int(np.diff(edges).max()), most), columns), np.float32)
    for f, frame in enumerate(frames):
        image = as_kernels_take(read_one(frame, channel))
        far = _reach(image, profile[::-1] if left else profile)
        if far is None:
            continue
        for b in range(blocks):
            rows_of = part[: edges[b + 1] - edges[b]]
            used += len(rows_of)
            reading_kernels.windowed(
                image, up, left, edges[b], profile, np.float32(far[0]), np.float32(far[1]), window, rows_of
            )
            found = fft.rfft(rows_of, axis=1)
            reading_kernels.add_powers(found.view(np.float32), sums[f * blocks + b])
    if not used or not sums.any():
        return None
    # a sine of amplitude A puts A²/4 · N · Σw² into its lobe, white noise of variance v puts v · Σw² into each bin
    squares = float((window.astype(np.float64) ** 2).sum())
    return _told(sums, used, columns, squares, false_alarm)


def _reach(image: NDArray[np.generic], profile: NDArray[np.float32]) -> tuple[float, float] | None:
    """The level about which pixels lie, and how far; None without numbers or noise."""
    step = max(1, int(sqrt(image.size / _SAMPLE)))
    some = image[::step, ::step].astype(np.float32) - profile[::step]
    some = some[np.isfinite(some)]
    if not some.size:
        return None
    middle = float(np.median(some))
    spread = max(float(np.median(np.abs(some - middle))) * 1.4826, float(some.std()) * 0.1)
    return (middle, _CLIP * spread) if spread > 0 else None


def _told(sums: Floats, rows: int, columns: int, squares: float, false_alarm: float) -> Spectrum | None:
    from scipy.ndimage import median_filter
    from scipy.special import gammaincinv
    from scipy.stats import norm

    frequencies = np.arange(sums.shape[1]) / columns
    power = sums.sum(axis=0) / rows / squares
    looked = np.arange(_LOWEST, power.size)
    background = median_filter(power[looked], size=2 * _BESIDE + 1, mode="reflect")
    background /= 1.0 - 1.0 / (3.0 * rows)  # median of a mean of so many exponential powers over their mean
    if not (background > 0).all():
        return None
    chance = 1.0 - (1.0 - false_alarm) ** (1.0 / looked.size)
    expected = float(gammaincinv(rows, 1.0 - chance)) / rows
    ratio = power[looked] / background
    if columns % 2 == 0:  # the last bin is real: half as many degrees of freedom
        ratio[-1] = 1.0 + (ratio[-1] - 1.0) / sqrt(2.0)
    scatter = (
        float(np.median(np.abs(ratio - 1.0))) * 1.4826
    )  # more than of white noise where rows are not independent
    bound = max(expected, 1.0 + scatter * float(norm.isf(chance)))
    bound = 1.0 + (bound - 1.0) * sqrt(1.0 + _OF_BACKGROUND)
    level = np.full(power.size, np.nan)
    level[looked] = background * bound
    base = np.full(power.size, np.nan)
    base[looked] = background
    peaks: list[Peak] = []
    left = ratio.copy()
    strongest: Peak | None = None
    while True:
        at = int(left.argmax())
        peak = _peak(sums, rows, base, int(looked[at]), columns, squares, float(ratio[at]))
        strongest = strongest or peak
        if left[at] <= bound or len(peaks) >= 50:
            break
        peaks.append(peak)
        left[max(at - LOBE, 0) : at + LOBE + 1] = 0.0
    peaks.sort(key=lambda p: -p.amplitude)
    strongest = peaks[0] if peaks else strongest
    return Spectrum(frequencies, power * 2.0 / columns, level * 2.0 / columns, tuple(peaks), strongest, rows)


def _peak(sums: Floats, rows: int, base: Floats, at: int, columns: int, squares: float, ratio: float) -> Peak:
    """A peak's amplitude and place from its lobe, errors from the jackknife over blocks of rows."""
    low, high = max(at - LOBE, _LOWEST), min(at + LOBE + 1, base.size)
    part = sums[:, low:high] / squares
    weight = np.ones(high - low)
    if columns % 2 == 0 and high == base.size:
        weight[-1] = 0.5  # both signs of the frequency fall on the last bin
    m = len(part)
    each = rows / m

    def of(found: Floats, n: float) -> tuple[float, float]:
        above = (found / n - base[low:high]) * weight
        total = float(above.sum())
        positive = np.maximum(above, 0.0)
        place = float((positive * np.arange(low, high)).sum() / max(positive.sum(), 1e-30)) / columns
        return 4.0 * total / columns, place

    whole = part.sum(axis=0)
    square, place = of(whole, rows)
    left = np.array([of(whole - p, rows - each) for p in part])
    errors = np.sqrt((m - 1) / m * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    amplitude = sqrt(max(square, 0.0))
    error = (
        errors[0] / (2.0 * amplitude)
        if square > 3.0 * errors[0]
        else sqrt(max(square, 0.0) + errors[0]) - amplitude
    )
    return Peak(place, float(errors[1]), amplitude, float(error), ratio)
