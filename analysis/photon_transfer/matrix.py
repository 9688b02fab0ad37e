"""The whole covariance matrix: equation 20 of Astier et al. 2019 (A&A 629, A36), fitted to all lags of all pairs at once.

With levels μ and covariances C_ij of one frame in ADU, gain g [e⁻/ADU], a, b [1/e⁻] and n [e⁻²]:

    C_ij(μ) = (μ/g) [δ_ij + a_ij μg + 2/3 (a⊗a + ab)_ij (μg)² + 1/6 (2 a⊗a⊗a + 5 a⊗ab)_ij (μg)³] + n_ij/g²

⊗ is the convolution over both signs of the lags, ab the product element by element. It is ab that is fitted, not b: where an a is near zero
its b is anything. Indices are [rows, columns]: the paper's a_ij has i along the serial register.

These are the first four powers of the solution of dC/dμ = δ + 2 (a + ab μ) ⊗ C (in electrons), C = Σ c_n μⁿ with c_1 = δ and n c_n = 2 a⊗c_{n−1} + 2 ab⊗c_{n−2}. Where
2 |a₀₀| μ comes near 1 they do not suffice (at 1 the variance is 1.5 % low, the covariance of neighbours 9 % high): ten powers are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.photon_transfer.curve import CurveFit
from analysis.photon_transfer.sampling import sampling_covariance

Floats = NDArray[np.float64]

LEAST_LEVELS = 5
"""Exposure times that the fit needs: the variance alone has four parameters."""

_POWERS = 10  # of the charge: the next is below 10⁻⁵ of the variance where 2 |a₀₀| μ is 1.3
_ROUNDS = 40
_HALVINGS = 6
_NEAR = 3  # lags of the law that weights know of
_UP = np.arange(1, _POWERS + 1)
_SETTLED = 0.02  # step, in σ of every parameter, below which the fit has come to rest
_BENT = 0.4  # mean effect of products of noise on gain or a₀₀, in σ, beyond which the second order does not tell it all


@dataclass(frozen=True)
class CovariancePoint:
    """Covariances of one pair: ``level`` ± ``level_error`` [ADU], C_ij of one frame [ADU²] and how many products each rests on.

    Both matrices have the shape (lags + 1, lags + 1).
    """

    level: float
    level_error: float
    matrix: Floats
    products: Floats


@dataclass(frozen=True)
class MatrixFit(CurveFit):
    """A fitted law. ``area`` is a [1/e⁻], ``area_slope`` ab [1/e⁻²], ``noise_matrix`` n [e⁻²], with errors; shapes (lags + 1, lags + 1).
    ``total_area`` is the sum of a over both signs of all lags, and its error.
    """

    area: Floats
    area_error: Floats
    area_slope: Floats
    area_slope_error: Floats
    noise_matrix: Floats
    noise_matrix_error: Floats
    total_area: tuple[float, float]

    def variance(self, levels: Floats) -> Floats:
        """The model's variance [ADU²] at levels [ADU], of the same shape."""
        return self.matrices(np.asarray(levels, dtype=np.float64))[..., 0, 0]

    def matrices(self, levels: Floats) -> Floats:
        """C_ij [ADU²] at levels [ADU]: the shape of the levels, and (lags + 1, lags + 1)."""
        x = np.asarray(levels, dtype=np.float64)[..., None] * self.gain
        law = np.tensordot(x**_UP, _orders(self.area, self.area_slope), axes=1)
        out: Floats = (law + self.noise_matrix) / self.gain**2
        return out


def fit_matrix(
    points: Sequence[CovariancePoint], offset_error: float = 0.0, dark: tuple[float, float] | None = None
) -> MatrixFit:
    """Fit the law to the covariances of pairs (all to the same lag), by Gauss and Newton.

    Each pair's matrix is weighted by the inverse of the covariance that the fitted law itself gives its elements
    (``sampling_covariance``), so that what came out low by chance does not weigh more. Its level's own error is added, as
    the law carries it on; ``offset_error`` [ADU] is common to all levels. ``dark`` is the variance without light and its error [ADU²], where
    frames without light tell it: it holds n₀₀. Errors are enlarged by √(χ²/dof) where χ² has a chance below 0.001.
    Where the data are too few for so many elements (what noise adds to products of them would rule the result) half the lags are
    fitted, and half of those. Raises ValueError with too few levels, or where no fit comes to rest at a positive gain.
    """
    levels = np.array([p.level for p in points])
    if np.unique(levels).size < LEAST_LEVELS:
        raise ValueError(f"{levels.size} pairs cannot settle the matrix")
    side = points[0].matrix.shape[0]
    while True:
        try:
            cut = [
                replace(p, matrix=p.matrix[:side, :side], products=p.products[:side, :side]) for p in points
            ]
            return _fit(cut, offset_error, dark)
        except ValueError:
            if side <= 2:
                raise
            side = 1 + (side - 1) // 2


def _fit(
    points: Sequence[CovariancePoint], offset_error: float, dark: tuple[float, float] | None
) -> MatrixFit:
    """Fit all the lags that the points have. Raises ValueError."""
    from scipy.special import chdtrc

    levels = np.array([p.level for p in points])
    measured = np.stack([p.matrix.ravel() for p in points])
    products = np.stack([p.products.ravel() for p in points])
    side, top = points[0].matrix.shape[0], float(levels.max())
    t, spread = levels / top, np.array([p.level_error for p in points]) / top
    theta = _start(t, measured, side)
    floor = 1 + 2 * side * side  # the parameter that is the variance without light
    for _ in range(_ROUNDS):
        weights = _weights(theta, t, spread, products, side)
        normal, right, chi2, offset, _ = _normal_equations(theta, t, measured, weights, side)
        if dark is not None:
            normal[floor, floor] += 1.0 / dark[1] ** 2
            right[floor] += (dark[0] - theta[floor]) / dark[1] ** 2
        scale = 1.0 / np.sqrt(np.diagonal(normal))
        inverse = scale[:, None] * np.linalg.inv(normal * np.outer(scale, scale)) * scale
        step = inverse @ right
        size = float(np.max(np.abs(step) / np.sqrt(np.abs(np.diagonal(inverse)))))
        if not np.isfinite(size):
            raise ValueError("the fit did not converge")
        share = _share(theta, step, chi2, t, measured, weights, side)
        theta = theta + share * step
        if not theta[0] > 0:
            raise ValueError("the fit did not converge to a positive gain")
        if size < _SETTLED:
            break
    else:
        raise ValueError(f"the fit of covariances to lag {side - 1} did not converge")
    # products of noise do not average out: they are taken off to second order (M. J. Box 1971, J. R. Stat. Soc. B 33, 171)
    *_, bend = _normal_equations(theta, t, measured, weights, side, inverse)
    moved = inverse @ bend
    if float(np.max(np.abs(moved[:2]) / np.sqrt(np.diagonal(inverse)[:2]))) > _BENT:
        raise ValueError(f"too few pixels or levels for covariances to lag {side - 1}")
    theta = theta + moved
    dof = measured.size - theta.size
    if dark is not None:
        chi2, dof = chi2 + ((dark[0] - theta[floor]) / dark[1]) ** 2, dof + 1
    chance = float(chdtrc(dof, chi2)) if dof else 1.0
    covariance = inverse * (chi2 / dof if chance < 1e-3 else 1.0)
    shift = inverse @ offset * (offset_error / top)
    covariance += np.outer(shift, shift)
    return _told(theta, covariance, side, top, chi2, dof, chance)


def _start(t: Floats, measured: Floats, side: int) -> Floats:
    """Where the search begins: a weighted parabola through the variances, and no covariances."""
    variances = measured[:, 0]
    if not (variances > 0).all():
        raise ValueError("a variance is not positive")
    c0, c1, c2 = np.polynomial.polynomial.polyfit(t, variances, 2, w=1.0 / variances)
    if not c1 > 0:
        raise ValueError("the variance does not grow with the level")
    theta = np.zeros(1 + 3 * side * side)
    theta[0], theta[1], theta[1 + 2 * side * side] = c1, c2 / c1, c0
    return theta


def _parts(theta: Floats, side: int) -> tuple[float, Floats, Floats, Floats]:
    """Slope, a, ab and noise of the parameters: a number and three matrices."""
    area, slope, floor = theta[1:].reshape(3, side, side)
    return float(theta[0]), area, slope, floor


def _law(theta: Floats, t: Floats, side: int) -> tuple[Floats, Floats]:
    """The law and its derivative by t at each pair, shapes (pairs, elements)."""
    k, area, slope, floor = _parts(theta, side)
    orders = k * _orders(area, slope).reshape(_POWERS, -1)
    x = t[:, None]
    return x**_UP @ orders + floor.ravel(), (_UP * x ** (_UP - 1)) @ orders


def _weights(theta: Floats, t: Floats, spread: Floats, products: Floats, side: int) -> Floats:
    """The inverse covariance of each pair's elements, shape (pairs, elements, elements).

    Of the law only the nearest lags enter: those farther out are noise, of which weights should know nothing.
    """
    laws, rises = _law(theta, t, side)
    near = np.zeros((side, side))
    near[:_NEAR, :_NEAR] = 1.0
    out = np.empty((t.size, side * side, side * side))
    for k, (law, rise, error, number) in enumerate(zip(laws, rises, spread, products, strict=True)):
        expected = sampling_covariance(law.reshape(side, side) * near, number.reshape(side, side))
        expected += np.outer(rise, rise) * error**2
        try:
            out[k] = np.linalg.inv(expected)
        except np.linalg.LinAlgError as why:
            raise ValueError(f"the fitted law is no covariance: {why}") from why
    return out


def _share(
    theta: Floats, step: Floats, chi2: float, t: Floats, measured: Floats, weights: Floats, side: int
) -> float:
    """How much of a step to take: all of it, or of its halves the first that makes χ² smaller."""
    share = 1.0
    for _ in range(_HALVINGS):
        left = measured - _law(theta + share * step, t, side)[0]
        found = float(np.einsum("ki,kij,kj->", left, weights, left))
        if found <= chi2 * (1 + 1e-9):
            break
        share *= 0.5
    return share


def _normal_equations(
    theta: Floats, t: Floats, measured: Floats, weights: Floats, side: int, covariance: Floats | None = None
) -> tuple[Floats, Floats, float, Floats, Floats]:
    """JᵀWJ, JᵀW(C − law), χ², JᵀW ∂C/∂t and JᵀW (mean of the law over the parameters' ``covariance``, less the law), summed over the pairs."""
    size, many = theta.size, side * side
    k, area, slope, _ = _parts(theta, side)
    orders = _orders(area, slope)
    by_area, by_slope = _slopes(area, slope, orders)
    laws, rises = _law(theta, t, side)
    normal, right, offset, chi2 = np.zeros((size, size)), np.zeros(size), np.zeros(size), 0.0
    bend, bends = np.zeros(size), _bends(theta, side, by_area, by_slope, covariance)
    for x, law, rise, found, weight in zip(t, laws, rises, measured, weights, strict=True):
        slopes, powers = np.empty((many, size)), x**_UP
        slopes[:, 0] = powers @ orders.reshape(_POWERS, many)
        slopes[:, 1 : 1 + many] = k * np.tensordot(powers, by_area, axes=1)
        slopes[:, 1 + many : 1 + 2 * many] = k * np.tensordot(powers, by_slope, axes=1)
        slopes[:, 1 + 2 * many :] = np.eye(many)
        weighted = weight @ slopes
        left = found - law
        normal += slopes.T @ weighted
        right += weighted.T @ left
        offset += weighted.T @ rise
        bend += weighted.T @ (powers @ bends)
        chi2 += float(left @ weight @ left)
    return normal, right, chi2, offset, bend


def _bends(theta: Floats, side: int, by_area: Floats, by_slope: Floats, covariance: Floats | None) -> Floats:
    """What scatter of the parameters adds on average to what stands beside each power of the level, to second order; shape (_POWERS, elements)."""
    many = side * side
    k, area, slope, _ = _parts(theta, side)
    out = np.zeros((_POWERS, many))
    if covariance is None:
        return out
    a, d = slice(1, 1 + many), slice(1 + many, 1 + 2 * many)
    by, bent = _matrix_of(area), _matrix_of(slope)

    def together(part: slice, n: int) -> Floats:
        """The mean of δa⊗δc_n or of δab⊗δc_n."""
        return scattered(
            covariance[part, a] @ by_area[n - 1].T + covariance[part, d] @ by_slope[n - 1].T, side
        )

    for n in range(3, _POWERS + 1):
        found = by @ out[n - 2] + bent @ out[n - 3] + together(a, n - 1) + together(d, n - 2)
        out[n - 1] = (2.0 / n) * found
    return k * out + by_area @ covariance[0, a] + by_slope @ covariance[0, d]


def scattered(covariance: Floats, side: int) -> Floats:
    """The mean of δx⊗δy, row by row, for elements of the given covariance: matrices of both signs, given for one, to lag ``side`` − 1."""
    reach = _reach(side)
    part = np.tensordot(reach, covariance.reshape(side, side, side, side), axes=((1, 2), (0, 2)))  # [i, l, n]
    out: Floats = np.einsum("iln,jln->ij", part, reach).ravel()
    return out


def _told(
    theta: Floats, covariance: Floats, side: int, top: float, chi2: float, dof: int, chance: float
) -> MatrixFit:
    """The fit in electrons, with its errors carried along."""
    many, k = side * side, float(theta[0])
    gain = top / k
    unit = k / top**2  # of a: what turns a of the level's top into a of an electron
    area, slope, floor = (theta[1 + n * many : 1 + (n + 1) * many] for n in range(3))
    turn = np.zeros((theta.size, theta.size))
    turn[0, 0] = -top / k**2
    rows = np.arange(1, theta.size)
    turn[rows, rows] = np.repeat([unit, unit**2, gain**2], many)
    turn[1:, 0] = np.concatenate([area * unit / k, 2 * slope * unit**2 / k, -2 * floor * gain**2 / k])
    turned = turn @ covariance @ turn.T
    errors = np.sqrt(np.maximum(np.diagonal(turned), 0.0))
    pick = [0, 1, 1 + 2 * many]
    signs = np.full((side, side), 4.0)
    signs[0], signs[:, 0], signs[0, 0] = 2.0, 2.0, 1.0
    every = signs.ravel()
    of_area = turned[1 : 1 + many, 1 : 1 + many]

    def square(values: Floats, n: int) -> Floats:
        return np.array(values[1 + n * many : 1 + (n + 1) * many]).reshape(side, side)

    return MatrixFit(
        "full", gain, float(area[0] * unit), float(floor[0] * gain**2), turned[np.ix_(pick, pick)], chi2, dof, chance,
        (area * unit).reshape(side, side), square(errors, 0), (slope * unit**2).reshape(side, side), square(errors, 1),
        (floor * gain**2).reshape(side, side), square(errors, 2),
        (float(every @ area) * unit, sqrt(max(float(every @ of_area @ every), 0.0))),
    )  # fmt: skip


def _orders(area: Floats, slope: Floats) -> Floats:
    """c_n, what stands beside the powers of the charge from the first on; shape (_POWERS, lags + 1, lags + 1)."""
    many, by, bent = area.size, _matrix_of(area), _matrix_of(slope)
    out = np.zeros((_POWERS, many))
    out[0, 0] = 1.0
    for n in range(2, _POWERS + 1):
        out[n - 1] = (2.0 / n) * (by @ out[n - 2] + (bent @ out[n - 3] if n > 2 else 0.0))
    return out.reshape(_POWERS, *area.shape)


def _slopes(area: Floats, slope: Floats, orders: Floats) -> tuple[Floats, Floats]:
    """Derivatives of all orders by a and by ab, as matrices over all elements; shapes (_POWERS, elements, elements)."""
    many, by, bent = area.size, _matrix_of(area), _matrix_of(slope)
    by_area, by_slope = np.zeros((2, _POWERS, many, many))
    for n in range(2, _POWERS + 1):
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
