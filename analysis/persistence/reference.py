"""The mean of the darks before the light, and what a later dark holds more."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.correction import Chain, Corrected
from analysis.persistence.memory import Planes
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Reference:
    """Mean of the darks before the light [ADU], NaN where none has a value, in the memory that ``reference`` was given; of ``frames`` frames, whose offsets are uncertain by ``offset_error``."""

    mean: NDArray[np.float32]
    frames: int
    offset_error: float


def reference(
    frames: Sequence[FrameInput], chain: Chain, memory: Planes, *, noise: float, shot: float, sigma: float
) -> Reference | None:
    """The mean of frames, each read once; None where there are none.

    The highest of a pixel's N > 1 values is left out where it stands above the mean of the others by more than ``sigma`` of what
    their noise allows: ``noise`` [ADU] of the read-out, and ``shot`` times the level [ADU] (a cosmic ray; two on one pixel stay).
    """
    if not frames:
        return None
    from analysis.persistence import residual_kernels

    total, count, highest = memory.total, memory.count, memory.highest
    offsets = 0.0
    for i, frame in enumerate(frames):
        out = chain.apply(frame, memory.frame)
        (residual_kernels.add if i else residual_kernels.begin)(out.values, out.mask, total, highest, count)
        offsets += out.offset.error**2 if out.offset is not None else 0.0
    residual_kernels.unstruck(total, highest, count, np.float32(noise), np.float32(shot), np.float32(sigma))
    return Reference(total, len(frames), sqrt(offsets) / len(frames))


def difference(
    frame: FrameInput, chain: Chain, before: Reference, into: Corrected
) -> tuple[NDArray[np.float32], float]:
    """A dark less the reference [ADU], NaN where either has no value; and the error of its offset. ``into`` as of ``Chain.apply``."""
    from analysis.persistence import residual_kernels

    out = chain.apply(frame, into)
    residual_kernels.less(out.values, out.mask, before.mean)
    return out.values, out.offset.error if out.offset is not None else 0.0
