"""The matrix of area coefficients a_ij [1/e⁻] of covariances against level.

By how much of itself the area of a pixel grows for each electron in the pixel i columns and j rows away. Covariances C [ADU²] of one frame at level μ
[ADU], gain g [e⁻/ADU], N their value without light:

astier     C_ij = μ/g [δ_ij + a_ij μg + ⅔ (a⊗a)_ij (μg)² + ⅓ (a⊗a⊗a)_ij (μg)³ + …] + N_ij    (P. Astier et al., 2019, A&A 629, A36, eq. 20 with b = 0, all orders)
guyonnet   C_ij = a_ij C₀₀ μg + N_ij,  C₀₀ = μ/g + a₀₀ μ² + N₀₀                            (A. Guyonnet et al., 2015, A&A 575, A41: first order)
coulton    a_ij = ⟨(C_ij − δ_ij (μ/g + N₀₀)) / μ²⟩ over levels                             (W. R. Coulton et al., 2018, AJ 155, 258: first order, each level by itself)

Only the first is right beyond the first order in the charge. The second is off by a₀₀ μg/3 of each a_ij at most, the third by ⅔ (a⊗a)_ij/a_ij μg.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from analysis.brighter_fatter.area_fit import AreaFit, alike, bare, judged
from analysis.brighter_fatter.area_law import (
    covariance_law,
    parabolas,
    slopes_by_area,
    standard_errors,
    step_of_variance,
    step_per_lag,
)
from analysis.brighter_fatter.points import Point
from analysis.brighter_fatter.quarter import Floats, convolved, multiplicity, total
from analysis.brighter_fatter.uncertainty import (
    power_of,
    response_of,
)
from analysis.photon_transfer.law import scattered

ESTIMATORS = ("astier", "guyonnet", "coulton")
"""What the parameter ``estimator`` may be; the first is the default."""

_ROUNDS = 60
_CLOSE = 1e-9  # of a₀₀ μg: change from which a round is the last
_STRONGEST = 0.9  # of a μg: beyond it the expansion says nothing


def fit_area(
    points: Sequence[Point],
    estimator: str = "astier",
    gain: tuple[float, float] | None = None,
    noise: float | None = None,
) -> AreaFit:
    """The area coefficients of clean points.

    With ``gain`` ± error it is taken as that, else it is fitted, which needs three levels. ``noise`` [ADU²] is the variance without light, which the
    estimator of Coulton takes off (else it is fitted first). Raises ValueError when there are too few levels or the fit does not converge.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"{estimator!r} is no estimator; there are {', '.join(ESTIMATORS)}")
    found, levels, matrices, counts = _fitted(points, gain, 3 if estimator == "astier" else 1)
    if estimator == "coulton":
        return _averaged(found, levels, matrices, counts, gain, noise)
    if estimator == "guyonnet":
        return _sloped(found, levels, matrices, counts)
    return found


def fit_first_order(points: Sequence[Point], gain: tuple[float, float] | None = None) -> AreaFit:
    """The coefficients of covariances that should have none, as those of corrected flats: C_ij = δ_ij μ/g + a_ij μ² + N_ij. Raises as ``fit_area``."""
    return _fitted(points, gain, 1)[0]


def _fitted(
    points: Sequence[Point], gain: tuple[float, float] | None, order: int
) -> tuple[AreaFit, Floats, Floats, Floats]:
    """The fit of an order, and what it was made of: levels, covariances, counts."""
    levels = np.array([p.level for p in points])
    matrices = np.array([p.matrix for p in points])
    counts = np.array([p.counts for p in points], np.float64)
    times = len({p.exptime for p in points})
    if times < (3 if gain is None else 2):
        raise ValueError(f"{times} levels cannot settle the fit")
    if not (matrices[:, 0, 0] > 0).all():
        raise ValueError("a variance is not positive")
    if order == 3:
        # the noise of the covariances alone: a given gain is off by the same at all levels
        first = _iterated(levels, matrices, counts, gain and (gain[0], 0.0), order)
        return _iterated(levels, matrices + _bend(first), counts, gain, order), levels, matrices, counts
    return _iterated(levels, matrices, counts, gain, order), levels, matrices, counts


def _bend(fit: AreaFit) -> Floats:
    """What scatter of the coefficients adds to the law on average [ADU²], by level: products of noise do not average out.

    To second order (M. J. Box 1971, J. R. Stat. Soc. B 33, 171), of the law's products of two and of three coefficients.
    """
    side = fit.lags + 1
    twice = scattered(fit.covariance, side).reshape(side, side)
    x = (fit.levels * fit.gain)[:, np.newaxis, np.newaxis]
    out: Floats = x**3 / fit.gain**2 * (2.0 / 3.0 * twice + x * convolved(fit.area, twice, fit.lags))
    return out


def _iterated(
    levels: Floats, matrices: Floats, counts: Floats, gain: tuple[float, float] | None, order: int
) -> AreaFit:
    """The fit to ``order`` (3 or 1), each lag by itself given the others, until nothing changes; gain and a₀₀ together."""
    lags = matrices.shape[1] - 1
    area, noise = np.zeros((lags + 1, lags + 1)), np.zeros((lags + 1, lags + 1))
    inverse = 1.0 / gain[0] if gain else float(np.median(matrices[:, 0, 0] / levels))
    error_u, slope, weights = 0.0, np.zeros_like(matrices), np.zeros_like(matrices)
    for count in range(_ROUNDS):
        g = 1.0 / inverse
        model = covariance_law(levels, g, area, noise) if order == 3 else parabolas(levels, g, area, noise)
        if count == 0:
            model[:, 0, 0] = matrices[:, 0, 0]
        if not (np.isfinite(model).all() and (model[:, 0, 0] > 0).all()):
            raise ValueError("the fit did not converge")
        weights = 1.0 / standard_errors(model, counts) ** 2
        if count == 0:
            model[:, 0, 0] = levels * inverse
        left, slope = matrices - model, slopes_by_area(levels, g, area, order)
        before = area[0, 0] * g * levels.max()
        step = step_per_lag(slope, left, weights)
        area += step[0]
        noise += step[1]
        area[0, 0] -= step[0][0, 0]
        noise[0, 0] -= step[1][0, 0]
        core, variance = step_of_variance(levels, slope, left, weights, gain is None)
        inverse += core[0]
        area[0, 0] += core[1]
        noise[0, 0] += core[2]
        error_u = sqrt(variance)
        if not (inverse > 0 and np.isfinite(area).all()):
            raise ValueError("the fit did not converge to a positive gain")
        if np.abs(area).max() * levels.max() / inverse > _STRONGEST:
            raise ValueError("the fit did not converge: charge would move a pixel's whole area")
        strength = np.abs(step[0]).max() * g * levels.max()
        if count > 2 and max(abs(area[0, 0] * g * levels.max() - before), strength) < _CLOSE:
            break
    else:
        raise ValueError("the fit did not converge")
    if gain is not None:
        error_u = gain[1] / gain[0] ** 2
    g = 1.0 / inverse
    name = "astier" if order == 3 else "coulton"
    made = bare(name, area, noise, (g, error_u * g**2), gain is None, levels)
    at = (slice(None), min(1, lags), min(1, lags))  # any lag will do: all are fitted alike
    w, d = weights[at], slope[at]
    factors = w * (d - (w * d).sum() / w.sum())
    response = (
        response_of(area, levels, g) if order == 3 else alike(levels**2, power_of(area, levels, g, 0.0))
    )
    return judged(made, matrices, counts, factors, response)


def _sloped(fit: AreaFit, levels: Floats, matrices: Floats, counts: Floats) -> AreaFit:
    """Guyonnet's: slopes of covariances against variance times level; a₀₀ that of the parabola."""
    model = fit.law(levels)
    weights = 1.0 / standard_errors(model, counts) ** 2
    each = model[:, 0, 0] * levels * fit.gain
    area, noise = step_per_lag(alike(each, matrices), matrices, weights)
    area[0, 0], noise[0, 0] = fit.area[0, 0], fit.noise[0, 0]
    made = bare("guyonnet", area, noise, (fit.gain, fit.gain_error), fit.fitted_gain, levels)
    w = weights[:, -1, -1]
    factors = w * (each - (w * each).sum() / w.sum())
    return judged(made, matrices, counts, factors, alike(each, power_of(area, levels, fit.gain, 0.0)))


def _averaged(
    fit: AreaFit,
    levels: Floats,
    matrices: Floats,
    counts: Floats,
    gain: tuple[float, float] | None,
    noise: float | None,
) -> AreaFit:
    """Coulton's: the mean over levels of covariances over the level's square, the variance less that of light and of noise."""
    g, error = gain or (fit.gain, fit.gain_error)
    floor = float(fit.noise[0, 0]) if noise is None else noise
    m = levels[:, np.newaxis, np.newaxis]
    above = matrices.copy()
    above[:, 0, 0] -= levels / g + floor
    weights = m**4 / standard_errors(fit.law(levels), counts) ** 2
    area = (weights * above / m**2).sum(0) / weights.sum(0)
    held = np.zeros_like(area)
    held[0, 0] = floor
    made = bare("coulton", area, held, (g, error), gain is None, levels)
    factors = weights[:, -1, -1] / levels**2
    return judged(made, matrices, counts, factors, alike(levels**2, power_of(area, levels, g, 0.0)))


def kernel_sum(fit: AreaFit) -> tuple[float, float]:
    """The sum of the coefficients over all lags and its error [1/e⁻]: zero where charge is moved and none is lost."""
    weights = multiplicity(fit.lags).ravel()
    return total(fit.area), sqrt(max(float(np.einsum("i,ij,j->", weights, fit.covariance, weights)), 0.0))
