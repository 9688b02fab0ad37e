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
from dataclasses import dataclass
from math import sqrt

import numpy as np

from analysis.brighter_fatter.points import Point
from analysis.brighter_fatter.quarter import Floats, convolved, multiplicity, total
from analysis.brighter_fatter.uncertainty import (
    coefficient_covariance,
    gain_response,
    power_of,
    response_of,
)
from analysis.photon_transfer.law import scattered

ESTIMATORS = ("astier", "guyonnet", "coulton")
"""What the parameter ``estimator`` may be; the first is the default."""

_ROUNDS = 60
_CLOSE = 1e-9  # of a₀₀ μg: change from which a round is the last
_STRONGEST = 0.9  # of a μg: beyond it the expansion says nothing


@dataclass(frozen=True)
class AreaFit:
    """What a fit gives: quarters of shape (lags + 1, lags + 1).

    ``area`` ± ``errors`` [1/e⁻]; ``noise`` [ADU²] the covariances without light; ``gain`` ± ``gain_error`` [e⁻/ADU], ``fitted_gain`` if it is of this fit.
    ``chi2`` with ``dof`` degrees of freedom over all lags; ``near_chi2`` and ``near_dof`` of lags 0 and 1; ``chance`` of more than either.
    Where that is below 0.001 errors are enlarged by χ²/dof. ``covariance`` [1/e⁻²] is that of all coefficients, row by row, ``gain_covariance`` [1/ADU] that of
    gain and a₀₀.
    """

    estimator: str
    area: Floats
    errors: Floats
    noise: Floats
    gain: float
    gain_error: float
    fitted_gain: bool
    levels: Floats
    chi2: float
    dof: int
    near_chi2: float
    near_dof: int
    chance: float
    covariance: Floats
    gain_covariance: float = 0.0

    @property
    def lags(self) -> int:
        """The largest lag."""
        return int(self.area.shape[0]) - 1

    def law(self, levels: Floats) -> Floats:
        """Covariances [ADU²] at levels [ADU], shape (levels, lags + 1, lags + 1)."""
        x = np.asarray(levels, np.float64)
        if self.estimator == "astier":
            return covariance_law(x, self.gain, self.area, self.noise)
        out = _parabolas(x, self.gain, self.area, self.noise)
        if self.estimator == "guyonnet":
            scale = out[:, 0, 0] * x * self.gain
            first = out[:, 0, 0].copy()
            out = self.area * scale[:, np.newaxis, np.newaxis] + self.noise
            out[:, 0, 0] = first
        return out


def covariance_law(levels: Floats, gain: float, area: Floats, noise: Floats) -> Floats:
    """Equation 20 of Astier et al. 2019 with b = 0: covariances [ADU²] at levels [ADU], shape (levels, lags + 1, lags + 1).

    The paper stops at the third order; here the series is summed, as each Fourier component of the charge Q obeys dC/dQ = 1 + 2 ã C.
    """
    lags = area.shape[0] - 1
    power = power_of(area, levels, gain, 0.0)
    side = power.shape[1]
    out: Floats = np.fft.irfft2(power, s=(side, side))[:, : lags + 1, : lags + 1] + noise
    return out


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


def _sigmas(model: Floats, counts: Floats) -> Floats:
    """Standard errors [ADU²] of covariances by the fitted law: those of the sample would give low values too much weight."""
    out: Floats = model[:, :1, :1] / np.sqrt(counts)
    out[:, 0, 0] *= sqrt(2.0)
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
        model = covariance_law(levels, g, area, noise) if order == 3 else _parabolas(levels, g, area, noise)
        if count == 0:
            model[:, 0, 0] = matrices[:, 0, 0]
        if not (np.isfinite(model).all() and (model[:, 0, 0] > 0).all()):
            raise ValueError("the fit did not converge")
        weights = 1.0 / _sigmas(model, counts) ** 2
        if count == 0:
            model[:, 0, 0] = levels * inverse
        left, slope = matrices - model, _slopes(levels, g, area, order)
        before = area[0, 0] * g * levels.max()
        step = _per_lag(slope, left, weights)
        area += step[0]
        noise += step[1]
        area[0, 0] -= step[0][0, 0]
        noise[0, 0] -= step[1][0, 0]
        core, variance = _central(levels, slope, left, weights, gain is None)
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
    made = _bare(name, area, noise, (g, error_u * g**2), gain is None, levels)
    at = (slice(None), min(1, lags), min(1, lags))  # any lag will do: all are fitted alike
    w, d = weights[at], slope[at]
    factors = w * (d - (w * d).sum() / w.sum())
    response = (
        response_of(area, levels, g) if order == 3 else _alike(levels**2, power_of(area, levels, g, 0.0))
    )
    return _judged(made, matrices, counts, factors, response)


def _alike(values: Floats, shape_of: Floats) -> Floats:
    """One value by level for all waves."""
    return np.broadcast_to(values[:, np.newaxis, np.newaxis], shape_of.shape)


def _bare(
    name: str, area: Floats, noise: Floats, gain: tuple[float, float], fitted: bool, levels: Floats
) -> AreaFit:
    """A fit that nothing is known of yet but its parameters."""
    none = np.zeros_like(area)
    return AreaFit(
        name, area, none, noise, *gain, fitted, levels, 0.0, 0, 0.0, 0, 1.0, np.zeros((area.size,) * 2)
    )


def _parabolas(levels: Floats, gain: float, area: Floats, noise: Floats) -> Floats:
    """Covariances [ADU²] to first order: δ_ij μ/g + a_ij μ² + N_ij."""
    out: Floats = area * (levels**2)[:, np.newaxis, np.newaxis] + noise
    out[:, 0, 0] += levels / gain
    return out


def _slopes(levels: Floats, gain: float, area: Floats, order: int) -> Floats:
    """∂C_ij/∂a_ij [ADU² e⁻] to the third order, all lags of one size moving together."""
    m = levels[:, np.newaxis, np.newaxis]
    out = m**2 * np.ones_like(area)
    if order == 3:
        lags = area.shape[0] - 1
        two = convolved(area, area, 2 * lags)
        out += 4.0 / 3.0 * gain * m**3 * _own(area, lags) + gain**2 * m**4 * _own(two, lags)
    return out


def _own(quarter: Floats, lags: int) -> Floats:
    """By how much (q ⊗ a)_ij grows with a_ij: the sum of q over the distances of its four mirror images."""
    reach = 2 * lags + 1
    held = np.zeros((reach, reach))
    size = min(reach, quarter.shape[0])
    held[:size, :size] = quarter[:size, :size]
    double = 2 * np.arange(lags + 1)
    along = np.where(double > 0, 1.0, 0.0)
    both = np.outer(along, along)
    out: Floats = (
        held[0, 0]
        + along[:, np.newaxis] * held[double, 0][:, np.newaxis]
        + along * held[0, double]
        + both * held[np.ix_(double, double)]
    )
    return out


def _per_lag(slope: Floats, left: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Steps of a_ij and N_ij that reduce what is left most, lag by lag."""
    s0, s1, s2 = weights.sum(0), (weights * slope).sum(0), (weights * slope**2).sum(0)
    y0, y1 = (weights * left).sum(0), (weights * slope * left).sum(0)
    determinant = s0 * s2 - s1**2
    return (s0 * y1 - s1 * y0) / determinant, (s2 * y0 - s1 * y1) / determinant


def _central(
    levels: Floats, slope: Floats, left: Floats, weights: Floats, free: bool
) -> tuple[Floats, float]:
    """Steps of 1/g, a₀₀ and N₀₀ from the variances, and the variance of 1/g; zero where the gain is given."""
    w, y = weights[:, 0, 0], left[:, 0, 0]
    columns = np.stack([levels, slope[:, 0, 0], np.ones_like(levels)], axis=1)
    scale = np.abs(columns).max(axis=0)
    used = (columns / scale)[:, 0 if free else 1 :]
    inverse = np.linalg.inv(np.einsum("n,ni,nj->ij", w, used, used))
    step = np.einsum("ij,n,nj,n->i", inverse, w, used, y)
    if not free:
        return np.concatenate([[0.0], step]) / scale, 0.0
    return step / scale, float(inverse[0, 0] / scale[0] ** 2)


def _judged(fit: AreaFit, matrices: Floats, counts: Floats, factors: Floats, response: Floats) -> AreaFit:
    """The fit with its χ² and its errors, enlarged where χ² is too large.

    ``factors`` are those with which levels enter each coefficient, ``response`` how a level's covariances answer to it.
    """
    from dataclasses import replace

    from scipy.special import chdtrc

    model = fit.law(fit.levels)
    squares: Floats = ((matrices - model) / _sigmas(model, counts)) ** 2
    n, side = len(fit.levels), fit.lags + 1
    near = squares[:, :2, :2]
    lost = 1 if fit.fitted_gain else 0
    dof, near_dof = (n - 2) * side**2 - lost, (n - 2) * near[0].size - lost
    chi2, near_chi2 = float(squares.sum()), float(near.sum())
    chance = min(
        float(chdtrc(dof, chi2)) if dof > 0 else 1.0,
        float(chdtrc(near_dof, near_chi2)) if near_dof > 0 else 1.0,
    )
    power = power_of(fit.area, fit.levels, fit.gain, max(float(fit.noise[0, 0]), 0.0))
    covariance = coefficient_covariance(factors, counts[:, 0, 0], power, response, fit.lags)
    by_gain = gain_response(factors, fit.levels, response, fit.lags)
    inverse_error = fit.gain_error / fit.gain**2
    covariance += np.outer(by_gain, by_gain) * inverse_error**2
    if not np.isfinite(covariance).all():
        raise ValueError("the fit did not converge: its errors are beyond bounds")
    if chance < 1e-3:
        covariance *= max(chi2 / dof, near_chi2 / max(near_dof, 1), 1.0)
    errors = np.sqrt(np.diagonal(covariance)).reshape(side, side)
    together = -float(by_gain[0, 0]) * fit.gain_error**2 / fit.gain**2
    return replace(
        fit, errors=errors, chi2=chi2, dof=dof, near_chi2=near_chi2, near_dof=near_dof, chance=chance,
        covariance=covariance, gain_covariance=together,
    )  # fmt: skip


def _sloped(fit: AreaFit, levels: Floats, matrices: Floats, counts: Floats) -> AreaFit:
    """Guyonnet's: slopes of covariances against variance times level; a₀₀ that of the parabola."""
    model = fit.law(levels)
    weights = 1.0 / _sigmas(model, counts) ** 2
    each = model[:, 0, 0] * levels * fit.gain
    area, noise = _per_lag(_alike(each, matrices), matrices, weights)
    area[0, 0], noise[0, 0] = fit.area[0, 0], fit.noise[0, 0]
    made = _bare("guyonnet", area, noise, (fit.gain, fit.gain_error), fit.fitted_gain, levels)
    w = weights[:, -1, -1]
    factors = w * (each - (w * each).sum() / w.sum())
    return _judged(made, matrices, counts, factors, _alike(each, power_of(area, levels, fit.gain, 0.0)))


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
    weights = m**4 / _sigmas(fit.law(levels), counts) ** 2
    area = (weights * above / m**2).sum(0) / weights.sum(0)
    held = np.zeros_like(area)
    held[0, 0] = floor
    made = _bare("coulton", area, held, (g, error), gain is None, levels)
    factors = weights[:, -1, -1] / levels**2
    return _judged(made, matrices, counts, factors, _alike(levels**2, power_of(area, levels, g, 0.0)))


def kernel_sum(fit: AreaFit) -> tuple[float, float]:
    """The sum of the coefficients over all lags and its error [1/e⁻]: zero where charge is moved and none is lost."""
    weights = multiplicity(fit.lags).ravel()
    return total(fit.area), sqrt(max(float(np.einsum("i,ij,j->", weights, fit.covariance, weights)), 0.0))
