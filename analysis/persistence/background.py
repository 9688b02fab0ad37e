"""What a residual is compared with: pixels beside what saturated, their level, noise and structure."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.persistence.averages import LEAST, SETTLES
from analysis.statistics import clipped, clipped_by
from campaign.frozen import dataclass

TILE = 32
"""Side of the squares in which the background is compared with itself [pixels]."""
MARGIN = 3
"""Pixels around the mask that belong neither to it nor to the background."""


def background(level: NDArray[np.float32], inside: NDArray[np.bool_], top: float) -> NDArray[np.bool_]:
    """The pixels that a residual is compared with: beyond a margin about the mask, and little exposed.

    Light below saturation persists too. So they are those exposed to less than a thousandth of ``top`` [ADU], the level of the mask, or the half that
    was exposed least where that is more.
    """
    far = _widened(inside, MARGIN)
    np.logical_not(far, out=far)
    if not far.any():
        return far
    step = max(1, far.size // 200_000)  # a bound, not a measurement: a part of the pixels settles it
    some = level.ravel()[::step][far.ravel()[::step]]
    bound = max(1e-3 * top, float(np.median(some)) if some.size else 0.0)
    far &= level <= np.float32(bound)
    return far


def _widened(mask: NDArray[np.bool_], margin: int) -> NDArray[np.bool_]:
    """A mask with all pixels that are ``margin`` steps along rows or columns from it, or fewer."""
    from analysis.persistence import residual_kernels

    out, other = np.empty_like(mask), np.empty_like(mask)
    residual_kernels.grow(mask, out)
    for _ in range(margin - 1):
        residual_kernels.grow(out, other)
        out, other = other, out
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

    Where clipping begins is settled by whole rows of at least ``SETTLES`` pixels, far enough apart; all pixels within are then averaged.
    """
    rows = left[:: max(1, left.size // SETTLES)]
    some = rows[outside[:: max(1, left.size // SETTLES)]]
    some = some[np.isfinite(some)]
    if some.size < LEAST:  # what the rows passed over may hold
        some = left[outside & np.isfinite(left)]
    if some.size < LEAST:
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
