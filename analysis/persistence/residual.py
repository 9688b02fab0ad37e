"""What is left in later darks where the light saturated: the masked difference to the darks before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.correction import Chain, Corrected
from analysis.statistics import Clipped, clipped, clipped_by, first_bounds

STATISTICS = ("clipped mean", "mean", "median")
"""How the pixels within the mask are averaged; the first is the default."""

TILE = 32
"""Side of the squares in which the background is compared with itself [pixels]."""
MARGIN = 3
"""Pixels around the mask that belong neither to it nor to the background."""
_LEAST = 20
_FINE = 256.0  # parts of an ADU to which steps of values are told apart
_SETTLES = 16_000  # pixels that tell to a per cent where clipping begins


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
    from analysis.persistence import residual_kernels

    shape = chain.channel.image.shape
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.uint16)
    highest = np.full(shape, -np.inf, np.float32)
    offsets, out = 0.0, None
    for frame in frames:
        out = chain.apply(frame, out)
        residual_kernels.add(out.values, out.mask, total, highest, count)
        offsets += out.offset.error**2 if out.offset is not None else 0.0
    residual_kernels.unstruck(total, highest, count, np.float32(noise), np.float32(shot), np.float32(sigma))
    return Reference(total, len(frames), sqrt(offsets) / len(frames))


def difference(
    frame: FrameInput, chain: Chain, before: Reference, into: Corrected | None = None
) -> tuple[Corrected, float]:
    """A dark less the reference [ADU], its values NaN where either has none; and the error of its offset. ``into`` as of ``Chain.apply``."""
    from analysis.persistence import residual_kernels

    out = chain.apply(frame, into)
    residual_kernels.less(out.values, out.mask, before.mean)
    return out, out.offset.error if out.offset is not None else 0.0


def background(level: NDArray[np.float32], inside: NDArray[np.bool_], top: float) -> NDArray[np.bool_]:
    """The pixels that a residual is compared with: beyond a margin about the mask, and little exposed.

    Light below saturation persists too. So they are those exposed to less than a thousandth of ``top`` [ADU], the level of the mask, or the half that
    was exposed least where that is more.
    """
    far = ~_widened(inside, MARGIN)
    if not far.any():
        return far
    step = max(1, far.size // 200_000)  # a bound, not a measurement: a part of the pixels settles it
    some = level.ravel()[::step][far.ravel()[::step]]
    bound = max(1e-3 * top, float(np.median(some)) if some.size else 0.0)
    out: NDArray[np.bool_] = far & (level <= np.float32(bound))
    return out


def _widened(mask: NDArray[np.bool_], margin: int) -> NDArray[np.bool_]:
    """A mask with all pixels that are ``margin`` steps along rows or columns from it, or fewer."""
    out = mask
    for _ in range(margin):
        grown = out.copy()
        grown[1:] |= out[:-1]
        grown[:-1] |= out[1:]
        grown[:, 1:] |= out[:, :-1]
        grown[:, :-1] |= out[:, 1:]
        out = grown
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
    """The background of a difference; None where too few pixels have a value. ``offset_error`` is that of both offsets.

    Where clipping begins is settled by whole rows of at least ``_SETTLES`` pixels, far enough apart; all pixels within are then averaged.
    """
    rows = left[:: max(1, left.size // _SETTLES)]
    some = rows[outside[:: max(1, left.size // _SETTLES)]]
    some = some[np.isfinite(some)]
    if some.size < _LEAST:  # what the rows passed over may hold
        some = left[outside & np.isfinite(left)]
    if some.size < _LEAST:
        return None
    from analysis.persistence import residual_kernels

    start = clipped(some, sigma)
    centre = np.float32(start.mean)
    held = np.zeros((3, 1, 1))

    def passed(low: float, high: float) -> tuple[int, float, float]:
        nonlocal held
        held = residual_kernels.tile_sums(left, outside, TILE, np.float32(low), np.float32(high), centre)
        n, first, second = (float(total) for total in held.sum(axis=(1, 2)))
        mean = first / n
        return int(n), float(centre) + mean, max(second / n - mean * mean, 0.0)

    found = clipped_by(passed, lambda low, high: start.median, start.mean, start.std, some.size, sigma, 1)
    level, variance = found.mean, found.variance
    extra = _structure(held, inside, found.std)
    if statistic == "mean":  # cosmic rays are as frequent within the mask, where they stay too
        _, level, variance = passed(-np.inf, np.inf)
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
    core = settled(used, sigma) if statistic == "clipped mean" and not cleaned else None
    if core is not None:
        n, mean = core.n, core.mean
    else:
        n = used.size
        mean = (
            float(quantiles(used, (0.5,))[0]) if statistic == "median" else float(used.mean(dtype=np.float64))
        )
    value = mean - ground.level
    common = ground.variance / (references + 1)
    single = ground.variance - common
    if shot is not None:
        within = single + max(value, 0.0) * shot
    else:
        wide = float(used.var(dtype=np.float64)) if core is None else core.variance
        within = max(wide - common, single)
    loss = _of_median(used, within + common) if statistic == "median" else 1.0
    return Residual(
        frame.frame.exposure, since, frame.frame.exptime, value, n, ground.n, single, within, references, ground.control, ground.control_error, loss, ground.structure
    )  # fmt: skip


def settled(values: NDArray[np.float32], sigma: float) -> Clipped:
    """Clipped statistics of many values [ADU], all finite: where clipping begins is settled by ``_SETTLES`` of them, all within are then averaged."""
    some = values[:: max(1, values.size // _SETTLES)]
    start = clipped(some, sigma)
    if some.size == values.size:
        return start

    def passed(low: float, high: float) -> tuple[int, float, float]:
        kept = values[(values >= np.float32(low)) & (values <= np.float32(high))]
        return kept.size, float(kept.mean(dtype=np.float64)), float(kept.var(dtype=np.float64))

    return clipped_by(passed, lambda low, high: start.median, start.mean, start.std, start.n_total, sigma, 1)


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
    step = max(1, first.size // _SETTLES)
    one, other = (float(np.median(values[::step][both[::step]])) for values in (first, second))
    # where nothing is left to scale by, or far less than in the first, plain differences serve as well
    ratio = float(np.clip(one / other, 1.0 / 3.0, 3.0)) if one > 0 and other > 0 else 1.0
    off = first - np.float32(ratio) * second
    core = settled(off[both], sigma)
    with np.errstate(invalid="ignore"):
        struck = np.abs(off - np.float32(core.mean)) > np.float32(sigma * max(core.std, 1e-30))
    return Compared(struck, ratio, core.variance)


def quantiles(held: NDArray[np.float32], fractions: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles of values that may come in steps, each spread evenly over its own where noise covers many: whole numbers less a mean of three come in thirds.

    The median of some thousand pixels is known far better than to such a step, which else adds its variance, a twelfth of its square.
    """
    plain: NDArray[np.float64] = np.quantile(held.astype(np.float64), fractions)
    steps, counts = np.unique(np.rint(held.astype(np.float64) * _FINE), return_counts=True)
    if counts.max() > 0.2 * held.size:  # too few steps to tell anything within one
        return plain
    between = 0.5 * (steps[1:] + steps[:-1])
    bounds = np.concatenate([2.0 * steps[:1] - between[:1], between, 2.0 * steps[-1:] - between[-1:]])
    up_to = np.concatenate([[0], np.cumsum(counts)])
    out: NDArray[np.float64] = np.interp(np.asarray(fractions) * held.size, up_to, bounds) / _FINE
    return out


def _of_median(held: NDArray[np.float32], variance: float) -> float:
    """How much larger the variance of the median is than that of the mean of as many pixels, of noise ``variance`` each.

    Noise σ carries √(n f σ / √π) pixels over the median, f being the density of values there, and each moves it by 1/(n f). For noise alone that is √2
    where π/2 is exact, so that it is scaled to be.
    """
    q40, q60 = quantiles(held, (0.4, 0.6))
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


def _structure(tiles: NDArray[np.float64], inside: NDArray[np.bool_], std: float) -> float:
    """Variance [ADU²] that structure of the background gives the residual; 0 where its squares differ no more than noise allows.

    Means of squares outside the mask (``tiles``: numbers and sums of what clipping left) scatter by noise and by structure; what is beyond noise is taken to
    shift each square that the mask touches, independently.
    """
    if std <= 0:
        return 0.0
    counts: NDArray[np.float64] = tiles[0]
    sums: NDArray[np.float64] = tiles[1]
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


def _tiled(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many pixels of a mask lie in each square of ``TILE`` pixels, those at the far edges smaller."""
    rows, columns = mask.shape
    by_row = np.add.reduceat(mask, np.arange(0, rows, TILE), axis=0, dtype=np.uint16)
    out: NDArray[np.float64] = np.add.reduceat(by_row, np.arange(0, columns, TILE), axis=1, dtype=np.float64)
    return out


def by_level(
    left: NDArray[np.float32], ground: float, level: NDArray[np.float32], top: float, bins: int, sigma: float
) -> list[tuple[float, float, float, int]]:
    """The residual of pixels by the level they had been exposed to: (mean level, residual, error, pixels) [ADU], levels that too few had left out.

    The error is the pixels' own scatter. ``top`` is the saturation level above the offset: pixels there make the last bin. Where clipping begins is settled by
    a quarter to a half of ``_SETTLES`` pixels of each bin, or all of fewer.
    """
    from analysis.persistence import residual_kernels

    scale, least = np.float32(bins / top), np.float32(0.02 * top)
    some = np.empty((bins + 1, _SETTLES // 2), np.float32)
    low, high, centre = np.zeros((3, bins + 1), np.float32)
    starts: dict[int, Clipped] = {}
    for k, n in enumerate(residual_kernels.some_of_bins(left, level, least, scale, some).tolist()):
        if n >= _LEAST:
            starts[k] = start = clipped(some[k, :n], sigma)
            centre[k] = start.mean
            low[k], high[k] = first_bounds(start.mean, start.std, start.n_total, sigma)
    sums = residual_kernels.by_bin(left, level, least, scale, low, high, centre)
    out = []
    for k, start in starts.items():
        number, first, second, levels, seen = sums[:, k].tolist()
        mean = first / number
        found = int(number), float(centre[k]) + mean, max(second / number - mean * mean, 0.0)
        core = clipped_by(
            lambda low, high, found=found: found,  # type: ignore[misc]
            lambda low, high, middle=start.median: middle,  # type: ignore[misc]
            start.mean, start.std, start.n_total, sigma, 1,
        )  # fmt: skip
        out.append((levels / seen, core.mean - ground, core.mean_error, core.n))
    return out
