"""Read noise from differences of consecutive frames: what two frames have in common is no noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.histogram import Histogram, histogram
from analysis.pairs import Differences, centred_histogram, difference_histogram
from analysis.statistics import Clipped, clipped, clipped_histogram
from analysis.structure import smooth
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

_REACH = 1000
"""Differences farther from their median are put there in the histogram of all [ADU]."""


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


def difference_noise(
    frames: tuple[FrameInput, ...], channel: Channel, sigma: float, counted: Differences | None = None
) -> Noise:
    """Variance of each frame about its neighbour, half that of the clipped difference, for n − 1 consecutive pairs.

    Where all differences were ``counted`` already no pixel is read.
    """
    out = Noise()
    if counted is not None and counted.complete:
        for i, frame in enumerate(frames[1:]):
            _add_histogram(out, frame, counted.histogram(i), sigma)
        out.quantised = out.raw < 0.5
        return out
    before: NDArray[np.generic] | None = None
    buffers = (np.empty(channel.image.shape, np.uint16), np.empty(channel.image.shape, np.uint16))
    for i, frame in enumerate(frames):
        whole = frame.pixels.dtype(channel) == np.uint16
        now = frame.pixels.read(channel, channel.image, buffers[i % 2] if whole else None)
        if before is not None:
            exact = now.dtype.kind in "iu" and before.dtype.kind in "iu"
            if now.dtype == before.dtype == np.uint16:
                _add_histogram(out, frame, difference_histogram(now, before), sigma)
            else:
                difference = np.subtract(now, before, dtype=np.int32 if exact else np.float32)
                if np.isfinite(difference).any():
                    _add_pair(out, frame, difference, sigma)
            out.integer &= exact or (_whole(now) and _whole(before))
        before = now
    if out.variances:
        out.quantised = out.integer and out.raw < 0.5
    return out


def _add_histogram(out: Noise, frame: FrameInput, difference: Histogram, sigma: float) -> None:
    """A pair of 16-bit frames: all from the exact histogram of its differences."""
    pair = clipped_histogram(difference, sigma)
    _add(out, frame, pair, centred_histogram(difference, pair.median, _REACH))


def _whole(values: NDArray[np.generic]) -> bool:
    """Whether pixels are whole numbers, also where a file gives them as floats: told by the first 100,000."""
    some = values.ravel()[:100_000].astype(np.float64)
    some = some[np.isfinite(some)]
    return bool((some == np.rint(some)).all())


def _add_pair(out: Noise, frame: FrameInput, difference: NDArray[np.generic], sigma: float) -> None:
    pair: Clipped = clipped(difference, sigma)
    centred = np.rint(np.nan_to_num(difference.astype(np.float32) - pair.median, posinf=0, neginf=0))
    _add(out, frame, pair, histogram(np.clip(centred, -_REACH, _REACH).astype(np.int32)))


def _add(out: Noise, frame: FrameInput, pair: Clipped, values: Histogram) -> None:
    out.variances.append(pair.variance / 2.0)
    out.errors.append(pair.std * pair.std_error)
    out.last.append(frame)
    out.n += pair.n
    out.whole = values if out.whole is None else out.whole.plus(values)


def scatter_of_frames(
    frames: Sequence[FrameInput], channel: Channel, sigma: float, degree: int, about_shape: bool
) -> tuple[list[float], list[float], int]:
    """Variance of each frame's own pixels [ADU²], its errors, and how many pixels: fixed pattern included.

    ``about_shape``: about the frame's smooth shape, a polynomial of that degree; else about its level. Frames without finite pixels are left out.
    """
    variances, errors, n = [], [], 0
    for frame in frames:
        values = frame.pixels.read(channel, channel.image)
        if values.dtype.kind == "f" and not np.isfinite(values).any():
            continue
        if about_shape:
            own = np.asarray(values, dtype=np.float32)
            values = own - smooth(own, degree).whole()
        found = clipped(values, sigma)
        variances.append(found.variance)
        errors.append(2.0 * found.std * found.std_error)
        n += found.n
    return variances, errors, n


def clipping_noise(frames: Sequence[FrameInput], channel: Channel) -> float:
    """The noise of one pixel [ADU] to clip a stack by, half an ADU at least: the median over disjoint pairs of a few bands of rows.

    A bound for outliers needs no better than a few per cent, and whoever stacks the same frames gets the same.
    """
    found = []
    for first, second in zip(frames[::2], frames[1::2], strict=False):
        parts = []
        for part in bands_of(channel.image):
            a, b = (f.pixels.read(channel, part) for f in (first, second))
            exact = a.dtype.kind in "iu" and b.dtype.kind in "iu"
            parts.append(np.subtract(a, b, dtype=np.int32 if exact else np.float32))
        difference = np.concatenate(parts)
        if np.isfinite(difference).any():
            found.append(clipped(difference).std / sqrt(2.0))
    return max(float(np.median(found)), 0.5) if found else 1.0


def bands_of(region: Region) -> list[Region]:
    """Four bands of at most sixteen rows, spread evenly over a region."""
    rows = region.shape[0]
    height = min(16, max(1, rows // 4))
    starts = sorted({region.y0 + int((rows - height) * k / 3) for k in range(4)})
    return [Region(y, y + height, region.x0, region.x1) for y in starts]
