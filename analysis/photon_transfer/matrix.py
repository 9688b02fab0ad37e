"""The fit of the whole covariance matrix: the law of ``law`` (Astier et al. 2019, A&A 629, A36, equation 20) to all lags of all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot, sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.photon_transfer.curve import CurveFit
from analysis.photon_transfer.law import UP, orders_of
from analysis.photon_transfer.normal_equations import normal_equations, share_of, weights_of
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

LEAST_LEVELS = 5
"""Exposure times that the fit needs: the variance alone has four parameters."""

_ROUNDS = 40
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

    def uncertain(self, moved: CurveFit) -> Self:
        """The same with the errors of all elements; those of ``moved`` to as many lags as both have."""
        out = super().uncertain(moved)
        if not isinstance(moved, MatrixFit) or moved.area.shape != self.area.shape:
            return out
        total, error = self.total_area
        return replace(
            out,
            area_error=np.hypot(self.area_error, moved.area - self.area),
            area_slope_error=np.hypot(self.area_slope_error, moved.area_slope - self.area_slope),
            noise_matrix_error=np.hypot(self.noise_matrix_error, moved.noise_matrix - self.noise_matrix),
            total_area=(total, hypot(error, moved.total_area[0] - total)),
        )

    def variance(self, levels: Floats) -> Floats:
        """The model's variance [ADU²] at levels [ADU], of the same shape."""
        return self.matrices(np.asarray(levels, dtype=np.float64))[..., 0, 0]

    def matrices(self, levels: Floats) -> Floats:
        """C_ij [ADU²] at levels [ADU]: the shape of the levels, and (lags + 1, lags + 1)."""
        x = np.asarray(levels, dtype=np.float64)[..., None] * self.gain
        law = np.tensordot(x**UP, orders_of(self.area, self.area_slope), axes=1)
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
        weights = weights_of(theta, t, spread, products, side)
        normal, right, chi2, offset, _ = normal_equations(theta, t, measured, weights, side)
        if dark is not None:
            normal[floor, floor] += 1.0 / dark[1] ** 2
            right[floor] += (dark[0] - theta[floor]) / dark[1] ** 2
        scale = 1.0 / np.sqrt(np.diagonal(normal))
        inverse = scale[:, None] * np.linalg.inv(normal * np.outer(scale, scale)) * scale
        step = inverse @ right
        size = float(np.max(np.abs(step) / np.sqrt(np.abs(np.diagonal(inverse)))))
        if not np.isfinite(size):
            raise ValueError("the fit did not converge")
        share = share_of(theta, step, chi2, t, measured, weights, side)
        theta = theta + share * step
        if not theta[0] > 0:
            raise ValueError("the fit did not converge to a positive gain")
        if size < _SETTLED:
            break
    else:
        raise ValueError(f"the fit of covariances to lag {side - 1} did not converge")
    # products of noise do not average out: they are taken off to second order (M. J. Box 1971, J. R. Stat. Soc. B 33, 171)
    *_, bend = normal_equations(theta, t, measured, weights, side, inverse)
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
