"""Read noise from differences of consecutive frames: what two frames have in common is no noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.histogram import Histogram, histogram
from analysis.statistics import Clipped, clipped
from campaign.geometry import Channel


@dataclass
class Noise:
    """Read noise of consecutive pairs: variance [ADU²] and its error per pair, and all differences together.

    ``quantised`` says that the converter's steps dominate; then rounding's variance is left in.
    """

    variances: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    last: list[FrameInput] = field(default_factory=list)
    whole: Histogram | None = None
    n: int = 0
    integer: bool = True
    quantised: bool = False

    @property
    def raw(self) -> float:
        """Read noise with rounding in it [ADU]: what a pixel of a frame scatters by."""
        return sqrt(max(sum(self.variances) / len(self.variances), 0.0))


def difference_noise(frames: tuple[FrameInput, ...], channel: Channel, sigma: float) -> Noise:
    """Variance of each frame about its neighbour, half that of the clipped difference, for n − 1 consecutive pairs."""
    out = Noise()
    before: NDArray[np.generic] | None = None
    for frame in frames:
        now = frame.pixels.read(channel, channel.image)
        if before is not None:
            exact = now.dtype.kind in "iu" and before.dtype.kind in "iu"
            difference = np.subtract(now, before, dtype=np.int32 if exact else np.float32)
            if np.isfinite(difference).any():
                _add_pair(out, frame, difference, sigma)
            out.integer &= exact or (_whole(now) and _whole(before))
        before = now
    if out.variances:
        out.quantised = out.integer and out.raw < 0.5
    return out


def _whole(values: NDArray[np.generic]) -> bool:
    """Whether pixels are whole numbers, also where a file gives them as floats: told by the first 100,000."""
    some = values.ravel()[:100_000].astype(np.float64)
    some = some[np.isfinite(some)]
    return bool((some == np.rint(some)).all())


def _add_pair(out: Noise, frame: FrameInput, difference: NDArray[np.generic], sigma: float) -> None:
    pair: Clipped = clipped(difference, sigma)
    out.variances.append(pair.variance / 2.0)
    out.errors.append(pair.std * pair.std_error)
    out.last.append(frame)
    out.n += pair.n
    centred = np.rint(np.nan_to_num(difference.astype(np.float32) - pair.median, posinf=0, neginf=0))
    values = histogram(np.clip(centred, -1000, 1000).astype(np.int32))
    out.whole = values if out.whole is None else out.whole.plus(values)
