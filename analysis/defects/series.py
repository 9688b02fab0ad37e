"""Pixels that scatter from frame to frame by more than those around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from math import exp, lgamma, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs
from analysis.defects.chance import beyond
from analysis.defects.dark_frames import darks_used
from analysis.defects.found import Evidence, picked
from analysis.defects.local import Local, beyond_bounds, local, relative_to
from analysis.stack import in_halves, reader
from analysis.stack_bands import fill
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

LEAST = 5
"""Frames from which the scatter of single pixels is told."""

_BAND = 32  # rows: the sums of so many stay in the cache
_TRIMMED = 1e-3
_SATURATED = 0.5  # share of saturated pixels from which a frame tells no scatter


@dataclass
class Scatter:
    """The scatter of each pixel over ``frames``, each less its own level, from bands of them that are read for something else too.

    Of the image's shape: ``variance`` [ADU²], the ``share`` of it that is left without the value farthest from the mean, and the ``count`` of values;
    NaN for fewer than two values (three). ``given`` tells whether bands came: a taker of ``analysis.stack_bands``, of frames in the order of ``in_halves``.
    """

    frames: tuple[FrameInput, ...]
    channel: Channel
    given: bool = False
    variance: NDArray[np.float32] = field(init=False)
    share: NDArray[np.float32] = field(init=False)
    count: NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        shape = self.channel.image.shape
        self.variance, self.share = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self.count = np.empty(shape, np.uint16)

    @property
    def region(self) -> Region:
        """The channel's image."""
        return self.channel.image

    @property
    def in_order(self) -> list[FrameInput]:
        """The frames in the order in which bands have them."""
        return [self.frames[i] for i in in_halves(len(self.frames))]

    def fill(self, band: NDArray[np.generic], y0: int, x0: int) -> None:
        """Take a band (frames, rows, columns) whose first pixel is (y0, x0), some rows at a time: their sums stay in the cache."""
        from analysis.defects import scatter_kernels

        self.given = True
        part = band[:, :, self.region.x0 - x0 : self.region.x1 - x0]
        first, end = max(self.region.y0, y0), min(self.region.y1, y0 + band.shape[1])
        for y in range(first, end, _BAND):
            some = part[:, y - y0 : min(y + _BAND, end) - y0]
            begun, number, total, squares, low, high = np.zeros((6, *some.shape[1:]), np.float32)
            for values, frame in zip(some, self.in_order, strict=True):
                level = np.float32(frame.summaries[self.channel.name].mean)
                scatter_kernels.add(values, level, begun, number, total, squares, low, high)
            rows = slice(y - self.region.y0, y - self.region.y0 + some.shape[1])
            scatter_kernels.variances(
                number, total, squares, low, high, self.variance[rows], self.share[rows]
            )
            self.count[rows] = number


def scatter_of(frames: Sequence[FrameInput], channel: Channel) -> Scatter:
    """The scatter of frames that are read for it, in bands of rows, so that memory does not grow with the frames."""
    found = Scatter(tuple(frames), channel)
    fill([reader(f, channel) for f in found.in_order], [found], 1)
    return found


def beside_biases(biases: Sequence[FrameInput], channel: Channel) -> Scatter | None:
    """What is to be given the pixels of bias frames when they are read for their master; None where ``of_series`` will not ask for it."""
    usable = len(biases) >= LEAST and not _most_saturated(biases, channel)
    return Scatter(tuple(biases), channel) if usable else None


def of_series(
    inputs: Inputs, channel: Channel, biases: Sequence[FrameInput], seen: Scatter | None = None
) -> Evidence:
    """Noisy pixels of a channel: by its bias frames if they are five or more, else by darks of one exposure time.

    ``seen`` is ``beside_biases`` after the master was made: where that was made before, the frames are read here.
    """
    frames, kind = tuple(biases), "bias frames"
    if len(frames) < LEAST:
        darks = darks_used(inputs.frames.get("dark", ()), channel)
        if darks is None or not darks.alike or len(darks.frames) < LEAST:
            note = f"{LEAST} bias frames or darks of one time are needed"
            return Evidence(missing={"noisy": ("too-few-frames", note)})
        frames, kind = darks.frames, f"darks of {darks.time:g} s"
    if _most_saturated(frames, channel):
        return Evidence(missing={"noisy": ("saturated", f"most pixels of the {kind} are saturated")})
    scatter = seen if seen is not None and seen.given else scatter_of(frames, channel)
    n = len(frames)
    ratio, around = over_usual(scatter.variance, n - 1, int(inputs.number("side")))
    if around is None:
        return Evidence(missing={"noisy": ("too-few-pixels", f"the {kind} have no finite pixel in common")})
    out = Evidence(n, image=ratio, unit="variance over the usual")
    out.no_value = scatter.count < 2
    out.note = f"{n} {kind}"
    _beyond_noise(inputs, out, ratio, scatter.share, scatter.count)
    return out


def _most_saturated(frames: Sequence[FrameInput], channel: Channel) -> bool:
    known = [f.summaries[channel.name] for f in frames]
    return any(s.saturated > _SATURATED * s.n for s in known)


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
