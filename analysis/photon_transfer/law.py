"""The law of covariances: equation 20 of Astier et al. 2019 (A&A 629, A36), carried on to higher powers, with its derivatives.

With levels μ and covariances C_ij of one frame in ADU, gain g [e⁻/ADU], a, b [1/e⁻] and n [e⁻²]:

    C_ij(μ) = (μ/g) [δ_ij + a_ij μg + 2/3 (a⊗a + ab)_ij (μg)² + 1/6 (2 a⊗a⊗a + 5 a⊗ab)_ij (μg)³] + n_ij/g²

⊗ is the convolution over both signs of the lags, ab the product element by element. It is ab that is fitted, not b: where an a is near zero
its b is anything. Indices are [rows, columns]: the paper's a_ij has i along the serial register.

These are the first four powers of the solution of dC/dμ = δ + 2 (a + ab μ) ⊗ C (in electrons), C = Σ c_n μⁿ with c_1 = δ and n c_n = 2 a⊗c_{n−1} + 2 ab⊗c_{n−2}. Where
2 |a₀₀| μ comes near 1 they do not suffice (at 1 the variance is 1.5 % low, the covariance of neighbours 9 % high): ten powers are taken.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POWERS = 10
"""Powers of the charge that are taken: the next is below 10⁻⁵ of the variance where 2 |a₀₀| μ is 1.3."""

UP = np.arange(1, POWERS + 1)
"""The powers themselves."""


def orders_of(area: Floats, slope: Floats) -> Floats:
    """c_n, what stands beside the powers of the charge from the first on; shape (POWERS, lags + 1, lags + 1)."""
    many, by, bent = area.size, _matrix_of(area), _matrix_of(slope)
    out = np.zeros((POWERS, many))
    out[0, 0] = 1.0
    for n in range(2, POWERS + 1):
        out[n - 1] = (2.0 / n) * (by @ out[n - 2] + (bent @ out[n - 3] if n > 2 else 0.0))
    return out.reshape(POWERS, *area.shape)


def slopes_of(area: Floats, slope: Floats, orders: Floats) -> tuple[Floats, Floats]:
    """Derivatives of all orders by a and by ab, as matrices over all elements; shapes (POWERS, elements, elements)."""
    many, by, bent = area.size, _matrix_of(area), _matrix_of(slope)
    by_area, by_slope = np.zeros((2, POWERS, many, many))
    for n in range(2, POWERS + 1):
        last = _matrix_of(orders[n - 2])
        by_area[n - 1] = (2.0 / n) * (last + by @ by_area[n - 2])
        by_slope[n - 1] = (2.0 / n) * (by @ by_slope[n - 2])
        if n > 2:
            by_area[n - 1] += (2.0 / n) * (bent @ by_area[n - 3])
            by_slope[n - 1] += (2.0 / n) * (_matrix_of(orders[n - 3]) + bent @ by_slope[n - 3])
    return by_area, by_slope


def convolved(first: Floats, second: Floats) -> Floats:
    """The convolution over both signs of two matrices given for one, cut off at their lags; shape (lags + 1, lags + 1)."""
    side = first.shape[0]
    out: Floats = (_matrix_of(first) @ second.ravel()).reshape(side, side)
    return out


def _matrix_of(first: Floats) -> Floats:
    """The convolution with a matrix as a matrix itself, over all elements."""
    side = first.shape[0]
    reach = _reach(side)
    part = np.tensordot(reach, first, axes=(1, 0))  # [i, m, l]
    out: Floats = np.tensordot(part, reach, axes=(2, 1)).transpose(0, 2, 1, 3).reshape(side**2, side**2)
    return out


@cache
def _reach(side: int) -> Floats:
    """How many lags s of either sign have |s| = k and |i − s| = m, by [i, k, m]."""
    out = np.zeros((side, side, side))
    for i in range(side):
        for s in range(-side + 1, side):
            if abs(i - s) < side:
                out[i, abs(s), abs(i - s)] += 1.0
    return out


def scattered(covariance: Floats, side: int) -> Floats:
    """The mean of δx⊗δy, row by row, for elements of the given covariance: matrices of both signs, given for one, to lag ``side`` − 1."""
    reach = _reach(side)
    part = np.tensordot(reach, covariance.reshape(side, side, side, side), axes=((1, 2), (0, 2)))  # [i, l, n]
    out: Floats = np.einsum("iln,jln->ij", part, reach).ravel()
    return out


def bends_of(
    k: float, area: Floats, slope: Floats, derivatives: tuple[Floats, Floats], covariance: Floats
) -> Floats:
    """What scatter of k, a and ab (in this order in their ``covariance``) adds on average to k c_n, to second order; shape (POWERS, elements).

    ``derivatives`` are those of ``slopes_of``.
    """
    side, many = area.shape[0], area.size
    by_area, by_slope = derivatives
    out = np.zeros((POWERS, many))
    a, d = slice(1, 1 + many), slice(1 + many, 1 + 2 * many)
    by, bent = _matrix_of(area), _matrix_of(slope)

    def together(part: slice, n: int) -> Floats:
        """The mean of δa⊗δc_n or of δab⊗δc_n."""
        return scattered(
            covariance[part, a] @ by_area[n - 1].T + covariance[part, d] @ by_slope[n - 1].T, side
        )

    for n in range(3, POWERS + 1):
        found = by @ out[n - 2] + bent @ out[n - 3] + together(a, n - 1) + together(d, n - 2)
        out[n - 1] = (2.0 / n) * found
    return k * out + by_area @ covariance[0, a] + by_slope @ covariance[0, d]
