"""The master bias, made once for all procedures that need it: two half masters, and their mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Made
from analysis.read_noise import clipping_noise
from analysis.stack import half_stacks, reader
from analysis.stack_bands import Taker
from campaign.frozen import dataclass
from campaign.geometry import Channel

VERSION = "1"
"""Raise it when the numbers of a master change: masters made before are then left aside."""


@dataclass(frozen=True)
class Half:
    """The clipped mean [ADU] of every other frame, each less its level, and how many values were kept; of the image's shape."""

    mean: NDArray[np.float32]
    count: NDArray[np.float32]


def halves(
    inputs: Inputs, frames: Sequence[FrameInput], channel: Channel, sigma: float, beside: Sequence[Taker] = ()
) -> tuple[Half, Half]:
    """Half masters of the first, third … and of the second, fourth … of at least two bias frames.

    Each frame's own level (the clipped mean of its image) is taken off, so masters are of structure alone. Values that
    differ from the others of their pixel by more than ``sigma`` times the noise are left out. ``beside`` are given the pixels that are read (see ``half_stacks``): all or, where the masters were made before, none.
    """

    def make() -> NDArray[np.generic]:
        out = np.empty((4, *channel.image.shape), np.float32)
        stacks = half_stacks(
            [reader(f, channel) for f in frames],
            channel.image,
            sigma=sigma,
            noise=clipping_noise(frames, channel),
            offsets=[f.summaries[channel.name].mean for f in frames],
            into=(out[0], out[2]),
            beside=beside,
        )
        out[1], out[3] = stacks[0].count, stacks[1].count
        return out

    name = Made(f"half masters of bias {VERSION}", tuple(frames), channel, (sigma,))
    found = inputs.shared(name, make)
    planes = [np.asarray(found[i], dtype=np.float32) for i in range(4)]
    return Half(planes[0], planes[1]), Half(planes[2], planes[3])


def joined(first: Half, second: Half) -> Half:
    """The mean of both halves, each pixel weighted with its number of values; NaN where there is none."""
    from analysis import image_kernels

    mean, count = np.empty_like(first.mean), np.empty_like(first.count)
    image_kernels.join(first.mean, first.count, second.mean, second.count, mean, count)
    return Half(mean, count)
