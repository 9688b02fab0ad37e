"""Levels of the flats of one scene, and the checks that say which of them may go into a master."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check, clamped, flicker, flicker_of_means, lamp_drift, unstable
from analysis.contract import ChannelDetails, FrameInput, Inputs
from analysis.distribution import distribution
from analysis.flat_frames import ElectronicNoise, Offsets, electronic_noise
from analysis.flat_pairs import Bounds, NoLightError, checks_of_frame, read_one
from analysis.read_noise import bands_of
from analysis.response_corrections import Correction
from analysis.stack import Reader
from analysis.statistics import mean_of_frames
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

CLIP = 5.0
"""Values of flats beyond this many σ do not count."""

_QUIETER = 0.8  # share of the expected variance of a pixel with which rows are looked at first: errs towards looking closer


@dataclass(frozen=True)
class Levels:
    """The levels of some flats of one channel above their offsets [ADU], and what their checks say.

    ``errors`` are those of comparing one frame with another (pixel noise, not the common pattern); ``checks`` by frame;
    ``mutual`` compare the frames with one another. ``offset_error`` is common to all: that of bias frames; those of overscans are in ``errors``.
    ``noise`` is that of one pixel of one flat over its level.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    offset_error: float
    noise: float
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


def levels_of(
    frames: Sequence[FrameInput],
    details: Sequence[ChannelDetails],
    channel: Channel,
    offsets: Offsets,
    electronics: ElectronicNoise | None,
    bounds: Bounds,
    stability: float,
) -> Levels:
    """Levels of flats of one setting, two at least, and their checks; ``details`` are those of the frames.

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
    noise = _noise([n.part for n in normal[:2]], channel.image)
    errors = [max(noise * v, 1e-6) / sqrt(channel.image.size) for v in values]
    if _quiet(frames, details, channel, offsets.values, values, noise, bounds):
        per_frame = tuple(map(tuple, own))
    else:
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
        tuple(values), tuple(between), 0.0 if independent else offsets.error, noise, per_frame, tuple(mutual)
    )


def corrected(levels: Levels, stds: Sequence[float], by: Correction) -> Levels:
    """The levels of light alone and of a converter that is linear, of frames whose pixels scatter by ``stds`` [ADU]; the table's error is common to all."""
    if by.table is None and by.dark is None:
        return levels
    values = tuple(by.level(v, s**2) for v, s in zip(levels.values, stds, strict=True))
    middle = float(np.mean(levels.values))
    slope = by.slope(middle)
    return replace(
        levels, values=values, errors=tuple(slope * e for e in levels.errors),
        offset_error=sqrt((slope * levels.offset_error) ** 2 + by.error(middle) ** 2),
        noise=levels.noise * slope * middle / float(np.mean(values)),
    )  # fmt: skip


def electronics_of(
    inputs: Inputs, details: Sequence[ChannelDetails], channel: Channel, bounds: Bounds
) -> tuple[ElectronicNoise | None, tuple[str, ...]]:
    """The noise that bias frames tell, None without two of them, and flags: those of the bias frames, else those that the ``details`` of flats tell of their overscans (prescans)."""
    found = electronic_noise((), inputs.frames.get("bias", ()), channel, bounds, inputs.shared)
    if found is not None:
        return found, found.flags
    for held in details:
        unlit = held.overscan or held.prescan
        if unlit is not None and clamped(unlit, fraction=bounds.pile_fraction).raised:
            return None, ("clamped",)
    return None, ()


def _noise(readers: Sequence[Reader], region: Region) -> float:
    """Noise of one frame from the difference of the first two, of some bands of rows; 0 where they have no finite pixel in common."""
    parts = [np.subtract(readers[0](part), readers[1](part)) for part in bands_of(region)]
    found = distribution(np.concatenate(parts))
    return found.clipped(CLIP).std / sqrt(2.0) if found.n else 0.0


def _quiet(
    frames: Sequence[FrameInput],
    details: Sequence[ChannelDetails],
    channel: Channel,
    offsets: Sequence[float],
    levels: Sequence[float],
    noise: float,
    bounds: Bounds,
) -> bool:
    """Whether the means of rows and columns that were kept of each frame already say that none flickers; no pixel is read.

    Each frame's are compared with the mean of the others', as ``flickering`` does with pixels. Outliers, which that leaves out, can only make them scatter
    more, and ``noise`` [of one pixel over the level] is taken for less than it is: who passes here passes there.
    """
    if noise <= 0 or any(f.summaries[channel.name].not_finite for f in frames):
        return False
    n = len(frames)
    variance = _QUIETER * noise**2 * n / (n - 1)
    for axis in (1, 0):
        lines = np.array([d.rows if axis == 1 else d.columns for d in details])
        lines = (lines - np.array(offsets)[:, np.newaxis]) / np.array(levels)[:, np.newaxis]
        counts = np.full(lines.shape[1], float(channel.image.shape[axis]))
        for own in (n * lines - lines.sum(axis=0)) / (n - 1):
            try:
                check = flicker_of_means(own, counts, variance, axis=axis, ratio=bounds.flicker_ratio)
            except ValueError:
                continue  # too few rows to tell
            if check.raised:
                return False
    return True


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
