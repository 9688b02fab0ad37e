"""What is left in later darks where the light saturated: the masked difference to the darks before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.correction import Chain
from analysis.statistics import clipped

STATISTICS = ("clipped mean", "mean", "median")
"""How the pixels within the mask are averaged; the first is the default."""

TILE = 32
"""Side of the squares in which the background is compared with itself [pixels]."""
MARGIN = 3
"""Pixels around the mask that belong neither to it nor to the background."""
_LEAST = 20


@dataclass(frozen=True)
class Residual:
    """The residual of one dark after the light [ADU]: mean within the mask less that outside, in the difference to the reference.

    ``outside`` ± ``outside_error`` is the control: the level outside the mask. ``since`` the light ended [s], for ``time`` [s]. Of ``n`` pixels within and
    ``n_outside``; the variances [ADU²] of one dark's pixel outside the mask (``single``) and within it (``within``), which that of the mean of ``references``
    darks adds to; ``loss`` by which the variance of the average exceeds that of a mean, ``structure`` what the background's adds.
    """

    exposure: str
    since: float | None
    time: float | None
    value: float
    n: int
    n_outside: int
    single: float
    within: float
    references: int
    outside: float
    outside_error: float
    loss: float = 1.0
    structure: float = 0.0

    @property
    def own(self) -> float:
        """Variance of the value from this dark alone [ADU²]."""
        return self.loss * self.within / self.n + self.single / self.n_outside + self.structure

    @property
    def common(self) -> float:
        """Variance of the value from the reference, which all darks share [ADU²]."""
        return self.single / self.references * (self.loss / self.n + 1.0 / self.n_outside)

    @property
    def error(self) -> float:
        """Standard error of the value [ADU]."""
        return sqrt(self.own + self.common)


@dataclass(frozen=True)
class Reference:
    """Mean of the darks before the light [ADU], NaN where none has a value; of ``frames`` frames, whose offsets are uncertain by ``offset_error``."""

    mean: NDArray[np.float32]
    frames: int
    offset_error: float


def reference(
    frames: Sequence[FrameInput], chain: Chain, *, noise: float, shot: float, sigma: float
) -> Reference | None:
    """The mean of frames, each read once; None where there are none.

    The highest of a pixel's N > 1 values is left out where it stands above the mean of the others by more than ``sigma`` of what
    their noise allows: ``noise`` [ADU] of the read-out, and ``shot`` times the level [ADU] (a cosmic ray; two on one pixel stay).
    """
    if not frames:
        return None
    shape = chain.channel.image.shape
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    highest = np.full(shape, -np.inf, np.float32)
    offsets = 0.0
    for frame in frames:
        out = chain.apply(frame)
        good = out.mask == 0
        np.add(total, out.values, out=total, where=good)
        np.maximum(highest, out.values, out=highest, where=good)
        count += good
        offsets += out.offset.error**2 if out.offset is not None else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        others = (total - highest) / (count - 1)
        variance = (noise**2 + np.maximum(others, 0.0) * np.float32(shot)) * (count / (count - 1))
        struck = (count > 1) & ((highest - others) > np.float32(sigma) * np.sqrt(variance))
        mean = np.where(struck, others, total / count)
    mean = np.where(count > 0, mean, np.float32(np.nan)).astype(np.float32)
    return Reference(mean, len(frames), sqrt(offsets) / len(frames))


def difference(frame: FrameInput, chain: Chain, before: Reference) -> tuple[NDArray[np.float32], float]:
    """A dark less the reference [ADU], NaN where either has no value; and the error of its offset."""
    out = chain.apply(frame)
    values = out.values
    values -= before.mean
    values[out.mask != 0] = np.nan
    return values, out.offset.error if out.offset is not None else 0.0


def background(level: NDArray[np.float32], inside: NDArray[np.bool_], top: float) -> NDArray[np.bool_]:
    """The pixels that a residual is compared with: beyond a margin about the mask, and little exposed.

    Light below saturation persists too. So they are those exposed to less than a thousandth of ``top`` [ADU], the level of the mask, or the half that
    was exposed least where that is more.
    """
    from scipy.ndimage import binary_dilation

    far = ~binary_dilation(inside, iterations=MARGIN)
    if not far.any():
        return far
    step = max(1, far.size // 200_000)  # a bound, not a measurement: a part of the pixels settles it
    some = level.ravel()[::step][far.ravel()[::step]]
    bound = max(1e-3 * top, float(np.median(some)) if some.size else 0.0)
    out: NDArray[np.bool_] = far & (level <= np.float32(bound))
    return out


@dataclass(frozen=True)
class Ground:
    """The background of a difference [ADU]: its ``level``, the ``variance`` of its ``n`` pixels, the clipped level as the control, what structure adds."""

    level: float
    variance: float
    n: int
    control: float
    control_error: float
    structure: float


def ground_of(
    left: NDArray[np.float32],
    outside: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    offset_error: float,
    sigma: float,
    statistic: str,
) -> Ground | None:
    """The background of a difference; None where too few pixels have a value. ``offset_error`` is that of both offsets."""
    from analysis.distribution import distribution

    field = np.where(outside, left, np.float32(np.nan))
    around = distribution(field)
    if around.n < _LEAST:
        return None
    found = around.clipped(sigma)
    level, variance = found.mean, found.variance
    if statistic == "mean":  # cosmic rays are as frequent within the mask, where they stay too
        finite = np.isfinite(field)
        level = float(field.mean(where=finite, dtype=np.float64))
        variance = float(field.var(where=finite, dtype=np.float64))
    extra = _structure(field, inside, found.mean, found.std)
    error = sqrt(found.variance / found.n + offset_error**2 + extra)
    return Ground(level, variance, found.n, found.mean, error, extra)


def residual(
    frame: FrameInput,
    held: NDArray[np.float32],
    ground: Ground,
    references: int,
    *,
    since: float | None,
    shot: float | None,
    sigma: float,
    statistic: str,
    cleaned: bool,
) -> Residual | None:
    """The residual of the pixels ``held`` within the mask, those that are not used NaN; None where too few are left.

    Pixel noise is that outside the mask, of which 1/(N + 1) is the mean of N reference frames and common to all darks; within it the shot noise of
    the residual itself is added: ``shot`` times the residual [ADU], one over the gain. That pixels hold back different amounts is no error of their
    mean. With None for it the scatter within the mask is taken, which holds those differences too and is no less than the noise. Pixels that
    were ``cleaned`` of cosmic rays by another dark are averaged as they are, others clipped about themselves.
    """
    used = held[np.isfinite(held)]
    if used.size < _LEAST:
        return None
    n, mean, wide = used.size, float(used.mean(dtype=np.float64)), float(used.var(dtype=np.float64))
    if statistic == "median":
        mean = float(np.median(used))
    elif statistic == "clipped mean" and not cleaned:
        core = clipped(used, sigma)
        n, mean, wide = core.n, core.mean, core.variance
    value = mean - ground.level
    common = ground.variance / (references + 1)
    single = ground.variance - common
    within = max(wide - common, single) if shot is None else single + max(value, 0.0) * shot
    loss = _of_median(used, within + common) if statistic == "median" else 1.0
    return Residual(
        frame.frame.exposure, since, frame.frame.exptime, value, n, ground.n, single, within, references, ground.control, ground.control_error, loss, ground.structure
    )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Two darks after the light compared within the mask: ``struck`` pixels, in which one of them has what the other has not.

    The first less ``ratio`` times the second has the ``variance`` [ADU²] without them: what pixels hold back cancels in it.
    """

    struck: NDArray[np.bool_]
    ratio: float
    variance: float


def compared(first: NDArray[np.float32], second: NDArray[np.float32], sigma: float) -> Compared:
    """Compare the values of two darks, less their backgrounds, pixel by pixel; NaN where there are none."""
    both = np.isfinite(first) & np.isfinite(second)
    struck = np.zeros(first.shape, bool)
    if both.sum() < _LEAST:
        return Compared(struck, 1.0, 0.0)
    one, other = float(np.median(first[both])), float(np.median(second[both]))
    # where nothing is left to scale by, or far less than in the first, plain differences serve as well
    ratio = float(np.clip(one / other, 1.0 / 3.0, 3.0)) if one > 0 and other > 0 else 1.0
    off = first - np.float32(ratio) * second
    core = clipped(off[both], sigma)
    with np.errstate(invalid="ignore"):
        struck = np.abs(off - np.float32(core.mean)) > np.float32(sigma * max(core.std, 1e-30))
    return Compared(struck, ratio, core.variance)


def _of_median(held: NDArray[np.float32], variance: float) -> float:
    """How much larger the variance of the median is than that of the mean of as many pixels, of noise ``variance`` each.

    Noise σ carries √(n f σ / √π) pixels over the median, f being the density of values there, and each moves it by 1/(n f). For noise alone that is √2
    where π/2 is exact, so that it is scaled to be.
    """
    q40, q60 = np.quantile(held, [0.4, 0.6])
    if not (q60 > q40 and variance > 0):
        return pi / 2.0
    return pi / (2.0 * sqrt(2.0)) * float(q60 - q40) / (0.2 * sqrt(pi * variance))


def shot_of(pair: Compared, one: Residual, other: Residual) -> float | None:
    """Variance per ADU of residual, one over the gain, where none is known; None where the two darks do not tell.

    The variance of one less r times the other is that of the noise: σ² (1 + r²) + σ²/N (1 − r)² + s (P + r² P').
    """
    if not (one.value > 5.0 * one.error and other.value > 5.0 * other.error and pair.variance > 0):
        return None
    r = pair.ratio
    noise = one.single * (1.0 + r**2) + one.single / one.references * (1.0 - r) ** 2
    return max((pair.variance - noise) / (one.value + r**2 * other.value), 0.0)


def _structure(field: NDArray[np.float32], inside: NDArray[np.bool_], middle: float, std: float) -> float:
    """Variance [ADU²] that structure of the background gives the residual; 0 where its squares differ no more than noise allows.

    Means of squares outside the mask scatter by noise and by structure; what is beyond noise is taken to shift each square that
    the mask touches, independently.
    """
    if std <= 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        good = np.abs(field - np.float32(middle)) <= np.float32(5.0 * std)
    off = np.where(good, field - np.float32(middle), np.float32(0.0))
    sums, counts = _tiled(off), _tiled(good)
    used = counts >= 0.25 * TILE * TILE
    if used.sum() < 8:
        return 0.0
    from scipy.special import chdtrc

    means, expected = sums[used] / counts[used], std**2 / counts[used]
    means = means - float((means / expected).sum() / (1.0 / expected).sum())
    if float(chdtrc(means.size - 1, float((means**2 / expected).sum()))) > 1e-3:
        return 0.0
    beyond = max(float((means**2).mean()) - float(expected.mean()), 0.0)
    touched = _tiled(inside)
    effective = float(touched.sum()) ** 2 / float((touched**2).sum())
    return beyond / effective + beyond / means.size


def _tiled(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Sums over squares of ``TILE`` pixels, those at the far edges smaller."""
    rows, columns = image.shape
    narrow = (
        np.float32 if image.dtype.kind == "f" else np.uint16
    )  # enough for TILE rows, and many times as fast
    by_row = np.add.reduceat(image, np.arange(0, rows, TILE), axis=0, dtype=narrow)
    out: NDArray[np.float64] = np.add.reduceat(by_row, np.arange(0, columns, TILE), axis=1, dtype=np.float64)
    return out


def by_level(
    left: NDArray[np.float32], ground: float, level: NDArray[np.float32], top: float, bins: int, sigma: float
) -> list[tuple[float, float, float, int]]:
    """The residual of pixels by the level they had been exposed to: (mean level, residual, error, pixels) [ADU], levels that too few had left out.

    The error is the pixels' own scatter. ``top`` is the saturation level above the offset: pixels there make the last bin.
    """
    used = np.flatnonzero(np.isfinite(left.ravel()) & (level.ravel() > 0.02 * top))
    levels, values = level.ravel()[used], left.ravel()[used]
    which = np.minimum((levels * np.float32(bins / top)).astype(np.int64), bins)
    out = []
    for number in range(bins + 1):
        held, at = values[which == number], levels[which == number]
        if held.size < _LEAST:
            continue
        core = clipped(held, sigma)
        out.append((float(at.mean(dtype=np.float64)), core.mean - ground, core.mean_error, core.n))
    return out
