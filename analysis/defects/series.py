"""Pixels that scatter from frame to frame by more than those around them."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs
from analysis.defects.chance import beyond
from analysis.defects.darks import darks_used
from analysis.defects.found import Evidence, picked
from analysis.defects.local import Local, beyond_bounds, local, relative_to
from campaign.geometry import Channel, Region

LEAST = 5
"""Frames from which the scatter of single pixels is told."""

_BAND = 32  # rows: the sums of so many stay in the cache
_TRIMMED = 1e-3


def of_series(inputs: Inputs, channel: Channel, biases: Sequence[FrameInput]) -> Evidence:
    """Noisy pixels of a channel: by its bias frames if they are five or more, else by darks of one exposure time."""
    frames, kind = tuple(biases), "bias frames"
    if len(frames) < LEAST:
        darks = darks_used(inputs.frames.get("dark", ()), channel)
        if darks is None or not darks.alike or len(darks.frames) < LEAST:
            note = f"{LEAST} bias frames or darks of one time are needed"
            return Evidence(missing={"noisy": ("too-few-frames", note)})
        frames, kind = darks.frames, f"darks of {darks.time:g} s"
    saturation = 0.5
    if any(f.summaries[channel.name].saturated > saturation * f.summaries[channel.name].n for f in frames):
        return Evidence(missing={"noisy": ("saturated", f"most pixels of the {kind} are saturated")})
    variance, share, count = scatter_of(frames, channel)
    n = len(frames)
    ratio, around = over_usual(variance, n - 1, int(inputs.number("side")))
    if around is None:
        return Evidence(missing={"noisy": ("too-few-pixels", f"the {kind} have no finite pixel in common")})
    out = Evidence(n, image=ratio, unit="variance over the usual")
    out.no_value = count < 2
    out.note = f"{n} {kind}"
    _beyond_noise(inputs, out, ratio, share, count)
    return out


def scatter_of(
    frames: Sequence[FrameInput], channel: Channel
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint16]]:
    """Of each pixel over frames, each less its own level: variance [ADU²], the share of it that is left without the value farthest from the mean, and how many values.

    Arrays of the image's shape, NaN for fewer than two values (three). Read in bands of rows, so memory does not grow with the frames.
    """
    from analysis.defects import scatter_kernels

    shape, region = channel.image.shape, channel.image
    variance, share = (np.empty(shape, np.float32) for _ in range(2))
    count = np.empty(shape, np.uint16)
    for y in range(0, shape[0], _BAND):
        part = Region(region.y0 + y, min(region.y0 + y + _BAND, region.y1), region.x0, region.x1)
        first, number, total, squares, low, high = np.zeros((6, *part.shape), np.float32)
        buffer: NDArray[np.generic] | None = None
        for frame in frames:
            kind = frame.pixels.dtype(channel)
            fits = kind in (np.dtype(np.uint16), np.dtype(np.float32))
            if fits and (buffer is None or buffer.dtype != kind):
                buffer = np.empty(part.shape, kind)
            values = frame.pixels.read(channel, part, buffer if fits else None)
            level = np.float32(frame.summaries[channel.name].mean)
            scatter_kernels.add(values, level, first, number, total, squares, low, high)
        rows = slice(y, y + part.shape[0])
        scatter_kernels.variances(number, total, squares, low, high, variance[rows], share[rows])
        count[rows] = number
    return variance, share, count


def over_usual(
    variance: NDArray[np.float32], dof: int, side: int
) -> tuple[NDArray[np.float32], Local | None]:
    """Each pixel's variance over that of those around it, and how its fourth root, which is put in place of the variance, stands out of theirs; None where no pixel has a variance.

    Fourth roots of variances are nearly normal (D. M. Hawkins & R. A. J. Wixley, 1986, Am. Stat. 40, 296), so a mean without outliers is had of them;
    that of a χ² variable with k degrees of freedom over k is (2/k)^¼ Γ(k/2 + ¼) / Γ(k/2), exactly. Roots of roots are the same to the last bit everywhere.
    """
    roots = np.sqrt(np.sqrt(variance, out=variance), out=variance)
    around = local(roots, side, 1e-3)
    if around is None:
        return roots, None
    mean = (2.0 / dof) ** 0.25 * exp(lgamma(dof / 2.0 + 0.25) - lgamma(dof / 2.0))
    ratio = relative_to(roots, around)
    ratio *= np.float32(mean)
    ratio *= ratio
    ratio *= ratio
    return ratio, around


def _beyond_noise(
    inputs: Inputs,
    out: Evidence,
    ratio: NDArray[np.float32],
    share: NDArray[np.float32],
    count: NDArray[np.uint16],
) -> None:
    """Pixels whose variance has as small a chance as the threshold in σ, is large enough, and is not one value's alone."""
    from scipy.special import chdtrc, chdtri, ndtri

    sigma, least = inputs.number("sigma"), inputs.number("noisy") ** 2
    chance = beyond(sigma)
    dof = out.frames - 1
    bound = max(float(chdtri(dof, chance)) / dof, least)
    y, x = beyond_bounds(ratio, -np.inf, 0.999 * bound)  # of fewer values more is asked
    own = np.maximum(count[y, x].astype(np.float64) - 1.0, 1.0)
    value = ratio[y, x].astype(np.float64)
    tails = chdtrc(own, value * own)
    rest = np.nan_to_num(share[y, x].astype(np.float64)) * value
    chosen = (
        (tails < chance)
        & (value > least)
        & (rest * (own - 1.0) > chdtri(np.maximum(own - 1.0, 1.0), _TRIMMED))
    )
    significance = -ndtri(np.maximum(tails, 1e-300))
    # a scatter of few frames is uncertain itself: by √(2/k) of the variance, so near the threshold a count is too
    margins = (value - bound) / (value * np.sqrt(2.0 / own))
    looked = int(np.count_nonzero(count > 1))
    words = f"noise above {inputs.number('noisy'):g} times, and of a chance below that of {sigma:g} σ ({sqrt(bound):.3g} times the usual noise)"
    out.classes["noisy"] = picked(
        y, x, np.sqrt(value), significance, margins, chosen, unit="noise over the usual",
        chance=looked * min(chance, float(chdtrc(dof, bound * dof))), n=looked, threshold=words,
    )  # fmt: skip
    out.thresholds = {"noisy": bound}
