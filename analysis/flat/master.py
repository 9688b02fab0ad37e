"""Master flats: flats of one scene, checked, brought to one level and combined, and what the master tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import Half, joined
from analysis.checks import Check, flicker, lamp_drift, unstable
from analysis.contract import FrameInput
from analysis.distribution import distribution
from analysis.flat.shape import dust, spline
from analysis.flat_frames import ElectronicNoise, Offsets
from analysis.flat_pairs import Bounds, NoLightError, checks_of_frame, read_one
from analysis.read_noise import bands_of
from analysis.stack import Reader, clipped_mean_stack, reader
from analysis.statistics import mean_of_frames
from analysis.structure import Variance, smooth, structure
from campaign.geometry import Channel, Region

_CLIP = 5.0
_SIGNIFICANT = 5.0  # in σ of the master: a pixel must stand out of noise before it is called a defect

DARK, BRIGHT, NO_VALUE = 1, 2, 4
"""Bits of the defect mask."""


@dataclass(frozen=True)
class Making:
    """How a master's response is told: see the parameters of the flat procedure."""

    estimator: str
    degree: int
    cell: float
    dark: float
    bright: float
    dust_depth: float
    dust_pixels: int


@dataclass(frozen=True)
class Levels:
    """The levels of some flats of one channel above their offsets [ADU], and what their checks say.

    ``errors`` are those of comparing one frame with another (pixel noise, not the common pattern); ``checks`` by frame;
    ``mutual`` compare the frames with one another. ``offset_error`` is common to all: that of bias frames; those of overscans are in ``errors``.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    offset_error: float
    checks: tuple[tuple[Check, ...], ...]
    mutual: tuple[Check, ...]

    @property
    def clean(self) -> tuple[int, ...]:
        """The frames of which no check raised a flag."""
        return tuple(i for i, found in enumerate(self.checks) if not any(c.raised for c in found))

    @property
    def flags(self) -> tuple[str, ...]:
        """All flags raised, each once."""
        found = [c for checks in self.checks for c in checks] + list(self.mutual)
        return tuple(dict.fromkeys(c.flag for c in found if c.raised))

    def mean(self) -> tuple[float, float]:
        """The mean level over frames and its error, from the frames' scatter where that exceeds noise."""
        value, error, _ = mean_of_frames(self.values, self.errors)
        return value, sqrt(error**2 + self.offset_error**2)

    def scatter(self) -> tuple[float, float]:
        """Standard deviation of the levels over their mean, and its error (that of a normal sample)."""
        values = np.array(self.values)
        relative = float(values.std(ddof=1) / abs(values.mean()))
        return relative, relative / sqrt(2.0 * (values.size - 1))


@dataclass(frozen=True)
class Master:
    """A master flat of one channel.

    ``image`` [ADU] at the mean ``level``; ``noise`` ± ``noise_error`` [ADU] of one of its pixels; ``response`` is the image over its
    smooth shape by the estimator that was asked for, ``shape`` [ADU] the smooth shape as a polynomial; ``pattern`` the relative variance of the response that two halves of the
    frames have in common (None for the reference itself); ``defects`` the mask (see DARK, BRIGHT, NO_VALUE); ``dust`` number and pixels of dark regions; ``halves`` are kept of a reference.
    Arrays are of the channel's image shape.
    """

    image: NDArray[np.float32]
    level: float
    noise: float
    noise_error: float
    shape: NDArray[np.float32]
    response: NDArray[np.float32]
    pattern: Variance | None
    defects: NDArray[np.uint8]
    frames: int
    dust: tuple[int, int] = (0, 0)
    halves: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def non_uniformity(self) -> tuple[float, float]:
        """Range of the smooth shape, from its 1st to its 99th percentile, over its median; and its error from noise and pattern."""
        low, middle, high = distribution(self.shape).quantiles([0.01, 0.5, 0.99])
        # a fit of p terms to the means of N pixels knows its shape to σ·√(p/N); p is 21 at most. σ is noise and the pixels' pattern alike
        pattern = 0.0 if self.pattern is None else max(self.pattern.value, 0.0)
        sigma = sqrt(self.noise**2 + pattern * self.level**2)
        error = sigma * sqrt(21.0 / self.shape.size) * sqrt(2.0)
        return float((high - low) / middle), float(error / middle)


def levels_of(
    frames: Sequence[FrameInput],
    channel: Channel,
    offsets: Offsets,
    electronics: ElectronicNoise | None,
    bounds: Bounds,
    stability: float,
) -> Levels:
    """Levels of flats of one setting, two at least, and their checks.

    ``stability`` is the relative scatter of levels that is tolerated. Raises NoLightError when a level is not above its offset.
    """
    values = [f.summaries[channel.name].mean - o for f, o in zip(frames, offsets.values, strict=True)]
    if min(values) <= 0:
        raise NoLightError("the level is not above the offset: there is no light")
    own = [checks_of_frame(f, channel, bounds) for f in frames]
    normal = [
        _Normal(frame, channel, np.float32(offset), np.float32(value))
        for frame, offset, value in zip(frames, offsets.values, values, strict=True)
    ]
    noise = _noise([n.part for n in normal], channel.image)
    errors = [max(noise * v, 1e-6) / sqrt(channel.image.size) for v in values]
    ruled = flickering(normal, values, electronics, bounds)
    per_frame = tuple((*o, *r) for o, r in zip(own, ruled, strict=True))
    independent = offsets.error if offsets.source == "overscan" else 0.0
    between = [sqrt(e**2 + independent**2) for e in errors]
    mutual = [
        lamp_drift(values[i], values[i + 1], sqrt(between[i] ** 2 + between[i + 1] ** 2),
                   tolerance=bounds.lamp_tolerance)
        for i in range(len(values) - 1)
    ]  # fmt: skip
    mutual.append(unstable(values, between, tolerance=stability))
    return Levels(
        tuple(values), tuple(between), 0.0 if independent else offsets.error, per_frame, tuple(mutual)
    )


def _noise(readers: Sequence[Reader], region: Region) -> float:
    """Noise of one frame from the difference of the first two, of some bands of rows; 0 where they have no finite pixel in common."""
    parts = [np.subtract(readers[0](part), readers[1](part)) for part in bands_of(region)]
    found = distribution(np.concatenate(parts))
    return found.clipped(_CLIP).std / sqrt(2.0) if found.n else 0.0


@dataclass(frozen=True)
class _Normal:
    """A flat less its offset, over its level. Read anew each time: eighty flats at once do not fit in memory."""

    frame: FrameInput
    channel: Channel
    offset: np.float32
    level: np.float32

    def part(self, region: Region) -> NDArray[np.float32]:
        """A part of it."""
        out: NDArray[np.float32] = (
            np.asarray(self.frame.pixels.read(self.channel, region), np.float32) - self.offset
        )
        return out / self.level

    def add(self, total: NDArray[np.float32]) -> None:
        """Add it to a sum."""
        from analysis import image_kernels

        image_kernels.add_normal(self._image(), self.offset, self.level, total)

    def from_others(self, total: NDArray[np.float32], n: int, out: NDArray[np.float32]) -> None:
        """What it differs by from the mean of the others of ``n`` whose sum is ``total``; what is not finite is not a number."""
        from analysis import image_kernels

        image_kernels.from_others(self._image(), self.offset, self.level, total, n, out)

    def _image(self) -> NDArray[np.generic]:
        return read_one(self.frame, self.channel)


def flickering(
    normal: Sequence[_Normal],
    levels: Sequence[float],
    electronics: ElectronicNoise | None,
    bounds: Bounds,
) -> list[tuple[Check, ...]]:
    """Flicker checks (rows, columns) of each of some flats over their ``levels`` [ADU], each against the mean of the others.

    The fixed pattern is in both and cancels. A frame that flickers spoils the mean that others are compared with;
    so the worst is taken out and the rest are looked at again. Of two frames none can tell which it was:
    both are flagged.
    """
    alive = list(range(len(normal)))
    verdicts: dict[int, tuple[Check, ...]] = {}
    total = np.zeros(normal[0].channel.image.shape, np.float32)
    difference = np.empty_like(total)
    while True:
        total[:] = 0.0
        for i in alive:
            normal[i].add(total)
        n = len(alive)
        for i in alive:
            normal[i].from_others(total, n, difference)
            verdicts[i] = _flicker_of(difference, levels[i], n, electronics, bounds)
        worst = max(alive, key=lambda i: max(c.effect if c.raised else 0.0 for c in verdicts[i]))
        if n <= 2 or not any(c.raised for c in verdicts[worst]):
            return [verdicts[i] for i in range(len(normal))]
        alive.remove(worst)


def _flicker_of(
    difference: NDArray[np.float32], level: float, n: int, electronics: ElectronicNoise | None, bounds: Bounds
) -> tuple[Check, ...]:
    """Both checks of a frame less the mean of n − 1 others, in units of the level."""
    # the electronics' rows are known for a difference of two frames: half of it each
    share = 0.5 * (1.0 + 1.0 / (n - 1)) / level**2
    out = []
    for axis, found in (
        (1, electronics.rows if electronics else 0.0),
        (0, electronics.columns if electronics else 0.0),
    ):
        try:
            out.append(flicker(difference, axis=axis, background=found * share, ratio=bounds.flicker_ratio))
        except ValueError:
            continue  # too few rows to tell: nothing is claimed
    return tuple(out)


def master_of(
    frames: Sequence[FrameInput],
    channel: Channel,
    offsets: Sequence[float],
    levels: Sequence[float],
    *,
    how: Making,
    reference: Master | None = None,
) -> Master:
    """The master of clean flats (two at least) with their offsets and levels [ADU].

    Frames are scaled to the mean level and stacked in two halves; what the halves share is pattern, what they do not
    is noise. Pixels below ``how.dark`` or above ``how.bright`` times the smooth shape are defects, when they stand out of noise. With the estimator
    'reference' the response is the ratio to the ``reference``, over its smooth shape; without one it is the reference itself.
    Raises ValueError when too few good pixels are left.
    """
    level = float(np.mean(levels))
    readers = [
        _scaled(reader(f, channel), o, level / v) for f, o, v in zip(frames, offsets, levels, strict=True)
    ]
    noise = max(_noise(readers, channel.image), 1e-6)
    parts = []
    for half in (readers[::2], readers[1::2]):
        stack = clipped_mean_stack(half, channel.image, sigma=_CLIP, noise=noise)
        parts.append(Half(stack.mean, stack.count.astype(np.float32)))
    first, second = parts
    image = joined(first, second).mean
    shape = smooth(image, how.degree).whole()
    if not (shape > 0).all():
        raise ValueError("the smooth shape of the flat is not positive everywhere")
    halves = len(readers[::2]), len(readers[1::2])
    between = distribution(first.mean - second.mean).clipped(_CLIP)
    # var(first − second) = σ²(1/n₁ + 1/n₂); the master's is σ²/(n₁ + n₂)
    scale = sqrt(1.0 / sum(halves) / (1.0 / halves[0] + 1.0 / halves[1]))
    is_reference = how.estimator == "reference" and reference is None
    kept = (first.mean.copy(), second.mean.copy()) if is_reference else None
    response, pattern = _response(image, first.mean, second.mean, shape, how, reference)
    master = Master(
        image, level, between.std * scale, between.std_error * scale, shape, response, None if is_reference else pattern,
        np.zeros(image.shape, np.uint8), len(frames), (0, 0), kept,
    )  # fmt: skip
    defects = _defects(master, how.dark, how.bright)
    count, area, _ = dust(image / shape, defects != 0, how.dust_depth, how.dust_pixels)
    return replace(master, defects=defects, dust=(count, area))


def _response(
    image: NDArray[np.float32],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    shape: NDArray[np.float32],
    how: Making,
    reference: Master | None,
) -> tuple[NDArray[np.float32], Variance]:
    """The response of the pixels, and the variance of it that two halves (changed in place) have in common."""
    if how.estimator == "reference" and reference is not None and reference.halves is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            image = image / reference.image
            np.divide(first, reference.halves[0], out=first)
            np.divide(second, reference.halves[1], out=second)
        for ratio in (image, first, second):
            ratio[~np.isfinite(ratio)] = np.nan
        shape = smooth(image, how.degree).whole()
    left, degree = 1.0, how.degree
    if how.estimator == "spline":
        shape, left = spline(image, how.cell)
        degree = 0
        if not (shape > 0).all():
            raise ValueError("the smooth shape of the flat is not positive everywhere")
    np.divide(first, shape, out=first)
    np.divide(second, shape, out=second)
    found = structure(first, second, degree).total
    return image / shape, Variance(found.value / left, found.error / left, found.n)


def _defects(master: Master, dark: float, bright: float) -> NDArray[np.uint8]:
    response = master.response
    mask = np.zeros(response.shape, np.uint8)
    with np.errstate(invalid="ignore"):
        odd = np.nonzero((response < np.float32(dark)) | (response > np.float32(bright)))
    noise = (
        _SIGNIFICANT * np.float32(master.noise) / master.shape[odd]
    )  # of a ratio to a reference: without that one's own
    low = (response[odd] < dark) & (response[odd] < 1 - noise)
    high = (response[odd] > bright) & (response[odd] > 1 + noise)
    mask[odd] = DARK * low.astype(np.uint8) + BRIGHT * high.astype(np.uint8)
    mask[~np.isfinite(response)] = NO_VALUE
    return mask


def _scaled(read: Reader, offset: float, factor: float) -> Reader:
    """Reads a frame less its offset, brought to the common level."""

    def scaled(region: Region) -> NDArray[np.generic]:
        values = np.asarray(read(region), dtype=np.float32)
        return (values - np.float32(offset)) * np.float32(factor)

    return scaled
