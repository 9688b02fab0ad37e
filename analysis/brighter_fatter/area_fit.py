"""What a fit of the area coefficients gives, its χ² and its errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.brighter_fatter.area_law import covariance_law, parabolas, standard_errors
from analysis.brighter_fatter.quarter import Floats
from analysis.brighter_fatter.uncertainty import coefficient_covariance, gain_response, power_of
from campaign.frozen import dataclass


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
        out = parabolas(x, self.gain, self.area, self.noise)
        if self.estimator == "guyonnet":
            scale = out[:, 0, 0] * x * self.gain
            first = out[:, 0, 0].copy()
            out = self.area * scale[:, np.newaxis, np.newaxis] + self.noise
            out[:, 0, 0] = first
        return out


def bare(
    name: str, area: Floats, noise: Floats, gain: tuple[float, float], fitted: bool, levels: Floats
) -> AreaFit:
    """A fit that nothing is known of yet but its parameters."""
    none = np.zeros_like(area)
    return AreaFit(
        name, area, none, noise, *gain, fitted, levels, 0.0, 0, 0.0, 0, 1.0, np.zeros((area.size,) * 2)
    )


def alike(values: Floats, shape_of: Floats) -> Floats:
    """One value by level for all waves."""
    return np.broadcast_to(values[:, np.newaxis, np.newaxis], shape_of.shape)


def judged(fit: AreaFit, matrices: Floats, counts: Floats, factors: Floats, response: Floats) -> AreaFit:
    """The fit with its χ² and its errors, enlarged where χ² is too large.

    ``factors`` are those with which levels enter each coefficient, ``response`` how a level's covariances answer to it.
    """
    from scipy.special import chdtrc

    model = fit.law(fit.levels)
    squares: Floats = ((matrices - model) / standard_errors(model, counts)) ** 2
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
