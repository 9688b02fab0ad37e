"""What the light saturated: the mask of a channel, its share of the pixels, and how far that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.correction import Chain
from analysis.masks import BITS
from analysis.persistence.memory import Planes
from campaign.frozen import dataclass

_NO_VALUE = BITS["no-value"] | BITS["uncorrected"]


@dataclass(frozen=True)
class Saturated:
    """The saturated pixels of one channel, shape of its image.

    ``level`` [ADU above the offset] is the highest that each pixel reached, 0 where it never had a value, and lies in the memory that ``saturated`` was given; ``fraction`` ± ``error`` the share of
    ``n`` pixels with a value that are in ``mask``; ``last`` the last frame that saturated any of them.
    """

    mask: NDArray[np.bool_]
    level: NDArray[np.float32]
    fraction: float
    error: float
    n: int
    last: FrameInput | None


def saturated(
    exposed: Sequence[FrameInput],
    chain: Chain,
    threshold: float,
    noise: float,
    gain: float | None,
    memory: Planes,
) -> Saturated | None:
    """The pixels that any exposure saturated; None where no pixel of any has a value.

    A pixel is saturated at the detector's saturation level, and with ``threshold`` > 0 also from that level above the offset [ADU] on: where the
    full well is reached below the converter's end. ``noise`` is the read noise [ADU].

    The share moves with pixels that noise carries over the bound. With h pixels per ADU of which the mean lies at the bound, and noise σ
    there, their number scatters by √(h σ / √π): the integral of p (1 − p) over the levels, p being the normal distribution.
    """
    from analysis.persistence import residual_kernels

    mask, valid, level = np.zeros(chain.channel.image.shape, bool), memory.valid, memory.level
    valid.fill(False)
    level.fill(0.0)
    last: FrameInput | None = None
    bound = chain.saturation
    least = np.float32(threshold if threshold > 0 else np.inf)
    for frame in exposed:
        out = chain.apply(frame, memory.frame)
        if residual_kernels.expose(
            out.values, out.mask, np.int32(_NO_VALUE), np.int32(BITS["saturated"]), least, level, mask, valid
        ):
            last = frame
            offset = out.offset.value if out.offset is not None else 0.0
            bound = min(chain.saturation - offset, threshold if threshold > 0 else np.inf)
    n = int(np.count_nonzero(valid))
    if not n:
        return None
    count = int(np.count_nonzero(mask))
    sigma = sqrt(noise**2 + max(bound, 0.0) / (gain or 1.0))
    band = max(3.0 * sigma, 0.05 * bound)  # wide enough that few pixels per ADU are counted well
    under = ~mask & valid & (level >= np.float32(bound - band))
    density = np.count_nonzero(under) / band if band > 0 else 0.0
    return Saturated(mask, level, count / n, max(sqrt(density * sigma / sqrt(pi)), 0.5) / n, n, last)
