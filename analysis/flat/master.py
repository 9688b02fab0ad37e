"""Master flats: flats of one scene brought to one level and combined, and what the master tells."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.distribution import distribution
from analysis.flat.levels import CLIP
from analysis.flat.response import Response, response_of
from analysis.flat.shape import Shape, dust, polynomial
from analysis.masks import BITS, Mask
from analysis.response_corrections import NOT_CORRECTED, Correction
from analysis.stack import half_stacks, reader
from analysis.stack_bands import ChannelReader
from analysis.structure import Variance
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

_SIGNIFICANT = 5.0  # in σ of the master: a pixel must stand out of noise before it is called a defect
_THINNED = 8  # a smooth shape is as well known from every eighth pixel of every eighth row

Image = NDArray[np.float32]


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
class Master:
    """A master flat of one channel.

    ``image`` at the mean level ``level`` [ADU]; ``noise`` ± ``noise_error`` [ADU] of a typical pixel of it; ``shape`` the smooth illumination [ADU]; ``told`` the
    response of the pixels; ``pattern`` the variance of the response that independent
    frames have in common (None for the reference itself); ``defects`` the mask (bits of ``analysis.masks``); ``dust`` number and pixels of dark regions; ``halves`` are kept of a reference.
    """

    image: Image
    level: float
    noise: float
    noise_error: float
    shape: Shape
    told: Response
    pattern: Variance | None
    defects: Mask
    frames: int
    dust: tuple[int, int]
    halves: tuple[Image, Image] | None = None

    def non_uniformity(self) -> tuple[float, float]:
        """Range of the smooth shape, from its 1st to its 99th percentile, over its median; and its error from noise and pattern."""
        low, middle, high = distribution(self.shape.thinned(_THINNED)).quantiles([0.01, 0.5, 0.99])
        # a fit of p terms to the means of N pixels knows its shape to σ·√(p/N); p is 21 at most. σ is noise and the pixels' pattern alike
        pattern = 0.0 if self.pattern is None else max(self.pattern.value, 0.0)
        sigma = sqrt(self.noise**2 + pattern * self.level**2)
        error = sigma * sqrt(21.0 / self.shape.size) * sqrt(2.0)
        return float((high - low) / middle), float(error / middle)


def master_of(
    frames: Sequence[FrameInput],
    channel: Channel,
    offsets: Sequence[float],
    levels: Sequence[float],
    *,
    noise: float,
    how: Making,
    reference: Master | None = None,
    by: Correction = NOT_CORRECTED,
) -> Master:
    """The master of clean flats (two at least) with their offsets and levels [ADU] and the ``noise`` of one over its level, corrected ``by`` what is known.

    Frames are scaled to the mean level and stacked in two halves; what the halves share is pattern, what they do not
    is noise. Pixels below ``how.dark`` or above ``how.bright`` times the smooth shape are defects, when they stand out of noise. With the estimator
    'reference' the response is the ratio to the ``reference``, over its smooth shape; without one it is the reference itself.
    Raises ValueError when too few good pixels are left.
    """
    from analysis.flat import response_kernels

    level = float(np.mean(levels))
    plain = not by.words
    stacks = half_stacks(
        [reader(f, channel) if plain else _Corrected(f, channel, np.float32(o), by) for f, o in zip(frames, offsets, strict=True)],
        channel.image, sigma=CLIP, noise=max(noise * level, 1e-6),
        offsets=offsets if plain else [0.0] * len(frames), factors=[level / v for v in levels],
    )  # fmt: skip
    first, second = (stack.mean for stack in stacks)
    image = np.empty_like(first)
    response_kernels.together(first, stacks[0].count, second, stacks[1].count, image)
    del stacks
    shape = polynomial(image, how.degree)
    if not (shape.thinned(_THINNED) > 0).all():
        raise ValueError("the smooth shape of the flat is not positive everywhere")
    is_reference = how.estimator == "reference" and reference is None
    ratio_to = None
    if how.estimator == "reference" and reference is not None and reference.halves is not None:
        ratio_to = (reference.image, *reference.halves)
    cell = how.cell if how.estimator == "spline" else 0.0
    told = response_of(
        image, first, second, shape, cell=cell, degree=how.degree, bounds=(how.dark, how.bright), ratio_to=ratio_to
    )  # fmt: skip
    # var(first − second) = σ²(1/n₁ + 1/n₂); the master's is σ²/(n₁ + n₂)
    n1, n2 = len(frames[::2]), len(frames[1::2])
    scale = sqrt(1.0 / (n1 + n2) / (1.0 / n1 + 1.0 / n2))
    defects = _defects(told, how.dark, how.bright, _SIGNIFICANT * told.between * scale / level)
    count, y, _ = dust(image, shape, defects != 0, how.dust_depth, how.dust_pixels)
    return Master(
        image, level, told.between * scale, told.between_error * scale, shape, told, None if is_reference else told.pattern,
        defects, len(frames), (count, y.size), (first, second) if is_reference else None,
    )  # fmt: skip


def _defects(told: Response, dark: float, bright: float, noise: float) -> Mask:
    """The mask of a response that is known to ``noise``, of pixels that stand out of it."""
    mask = np.zeros(told.pixels.shape, np.int32)
    value = told.pixels.ravel()[told.odd]
    # of a ratio to a reference: without that one's own noise
    low, high = (value < dark) & (value < 1 - noise), (value > bright) & (value > 1 + noise)
    flat = mask.ravel()
    flat[told.odd[low]] = BITS["dark"]
    flat[told.odd[high]] = BITS["bright"]
    flat[told.odd[~np.isfinite(value)]] = BITS["no-value"]
    return mask


@dataclass(frozen=True)
class _Corrected(ChannelReader):
    """Reads a frame less its offset [ADU], corrected."""

    offset: np.float32
    by: Correction

    def __call__(self, region: Region, out: NDArray[np.generic] | None = None) -> NDArray[np.float32]:
        """A part of it; see ``ChannelReader``."""
        into = np.empty(region.shape, np.float32) if out is None else out
        values = np.asarray(self.frame.pixels.read(self.channel, region, into), np.float32)
        values -= self.offset
        self.by.pixels(values, region, self.channel.image)
        return values

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """What it hands out."""
        return np.dtype(np.float32)
