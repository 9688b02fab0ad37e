"""The brighter-fatter correction of an image: charge is put back over the borders that it was bent across.

While light falls, a charge F(t) bends what arrives: dF/dt = L + B(L, F) with B(L, F) = −∇·(L ∇(K ⊗ F)), L the light. At the end of the exposure

    F = L + ½ B(L, L) + ⅙ B(L, B(L, L)) + …

The first two terms, read as L = F + ½ ∇·(L ∇(K ⊗ L)), are the correction of W. R. Coulton et al., 2018, AJ 155, 258 (``order`` 1); the third is that borders
moved all the time, not half-way at once (``order`` 2). That is had at no more cost, for F − L is ½ B(L, L) itself, to first order:

    F = L + B(L, ½ L + ⅓ (F − L)) = L + B(L, L/6 + F/3)

It is right to the third term, and of the fourth it has 1/18 B(L, B(L, B(L, L))) in place of 1/24: the nearest that a ratio of two linear functions comes to.
Solved by iteration for L, in electrons, which goes fast since two thirds of what bends are known. Divergences are differences of what crosses a pixel's four
borders, so that charge is conserved, whatever K is; none crosses the edges of the image, at which K ⊗ F sees the image mirrored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Image = NDArray[np.float32]

CONVERGED = 0.05
"""The iteration ends when no pixel will change by more [e⁻], plus a millionth of the brightest, by how fast changes decline."""
ROUNDS = 20
"""It ends after so many rounds in any case, and says so."""

SHARES = {1: (0.5, 0.0), 2: (1.0 / 6.0, 1.0 / 3.0)}
"""For each order of the correction what bends the light: which parts of the corrected image and of the image as read."""


@dataclass(frozen=True)
class Redistributed:
    """A corrected image [e⁻], how many ``rounds`` it took, the largest ``change`` [e⁻] of the last, and whether the next would change next to nothing."""

    charge: Image
    rounds: int
    change: float
    converged: bool


def redistributed(
    charge: Image, quarter: NDArray[np.floating], order: int = 2, close: float = CONVERGED
) -> Redistributed:
    """An image of finite charges [e⁻], shape (rows, columns), as the light made it; ``quarter`` of K [pixel²/e⁻].

    It ends when no pixel will change by more than ``close`` [e⁻], plus a millionth of the brightest.
    Raises ValueError when the image is no larger than the kernel's lags, or ``order`` is neither 1 nor 2.
    """
    if order not in SHARES:
        raise ValueError(f"there is no correction of order {order}")
    if min(charge.shape) < quarter.shape[0]:
        raise ValueError(f"an image of shape {charge.shape} is smaller than the kernel")
    from analysis.brighter_fatter import redistribution_kernels as kernels

    k = np.ascontiguousarray(quarter, np.float32)
    read = np.ascontiguousarray(charge, np.float32)
    # a constant's K ⊗ F has no gradient: without it rounding is small
    level = np.float32(read.mean(dtype=np.float64))
    bright = max(float(read.max()), -float(read.min()))
    ours, theirs = (np.float32(share) for share in SHARES[order])
    light, source, bent = read, np.empty_like(read), np.empty_like(read)
    spare = [np.empty_like(read), np.empty_like(read)]
    rounds, change, left, enough = 0, np.inf, np.inf, close + 1e-6 * bright
    while rounds < ROUNDS and enough < left and (rounds == 0 or change < 1e3 * bright):
        kernels.mixed(light, ours, read, theirs, (ours + theirs) * level, source)
        kernels.potential(source, k, bent)
        before, moved = change, spare[rounds % 2]
        change = float(kernels.moved(read, light, bent, moved))
        rate = min(change / before, 1.0) if rounds else 1.0  # of two rounds
        left = change * rate / (1.0 - rate) if rate < 1.0 else (np.inf if change else 0.0)
        light = moved
        rounds += 1
    return Redistributed(light, rounds, change, bool(left <= enough))


def transfer(strength: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """By what the correction of that order divides the waves of a flat: F̃/L̃ for a faint wave on even light μ, where B(L, F) is ã μ F̃.

    ``strength`` is ã μ, the transform of the coefficients of area times the charge, of any shape; exactly it would be (exp(ã μ) − 1)/(ã μ).
    """
    ours, theirs = SHARES[order]
    out: NDArray[np.float64] = (1.0 + ours * strength) / (1.0 - theirs * strength)
    return out


def filled(values: Image, lost: NDArray[np.bool_], reach: int = 2) -> Image:
    """The image with the mean of good pixels within ``reach`` of each lost one in its place, else the median of all; zeros when none is good."""
    if not lost.any():
        return values
    out = values.copy()
    good = ~lost
    level = np.float32(np.median(values[good])) if good.any() else np.float32(0.0)
    out[lost] = level
    y, x = np.nonzero(lost)
    if y.size > 0.05 * lost.size:
        return out
    total, count = np.zeros(y.size), np.zeros(y.size)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            v, u = y + dy, x + dx
            inside = (v >= 0) & (v < lost.shape[0]) & (u >= 0) & (u < lost.shape[1])
            at = np.nonzero(inside)[0]
            at = at[good[v[at], u[at]]]
            total[at] += values[v[at], u[at]]
            count[at] += 1.0
    have = count > 0
    out[y[have], x[have]] = (total[have] / count[have]).astype(np.float32)
    return out
