"""The laws of covariances against level, their slopes, and the steps by which a fit of them comes nearer.

Covariances C_ij [ADU²] of one frame at levels μ [ADU], gain g [e⁻/ADU], area coefficients a_ij [1/e⁻], N_ij [ADU²] without light: see ``area``.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from analysis.brighter_fatter.quarter import Floats, convolved
from analysis.brighter_fatter.uncertainty import power_of


def covariance_law(levels: Floats, gain: float, area: Floats, noise: Floats) -> Floats:
    """Equation 20 of Astier et al. 2019 with b = 0: covariances [ADU²] at levels [ADU], shape (levels, lags + 1, lags + 1).

    The paper stops at the third order; here the series is summed, as each Fourier component of the charge Q obeys dC/dQ = 1 + 2 ã C.
    """
    lags = area.shape[0] - 1
    power = power_of(area, levels, gain, 0.0)
    side = power.shape[1]
    out: Floats = np.fft.irfft2(power, s=(side, side))[:, : lags + 1, : lags + 1] + noise
    return out


def parabolas(levels: Floats, gain: float, area: Floats, noise: Floats) -> Floats:
    """Covariances [ADU²] to first order: δ_ij μ/g + a_ij μ² + N_ij."""
    out: Floats = area * (levels**2)[:, np.newaxis, np.newaxis] + noise
    out[:, 0, 0] += levels / gain
    return out


def standard_errors(model: Floats, counts: Floats) -> Floats:
    """Standard errors [ADU²] of covariances by the fitted law: those of the sample would give low values too much weight."""
    out: Floats = model[:, :1, :1] / np.sqrt(counts)
    out[:, 0, 0] *= sqrt(2.0)
    return out


def slopes_by_area(levels: Floats, gain: float, area: Floats, order: int) -> Floats:
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


def step_per_lag(slope: Floats, left: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Steps of a_ij and N_ij that reduce what is left most, lag by lag."""
    s0, s1, s2 = weights.sum(0), (weights * slope).sum(0), (weights * slope**2).sum(0)
    y0, y1 = (weights * left).sum(0), (weights * slope * left).sum(0)
    determinant = s0 * s2 - s1**2
    return (s0 * y1 - s1 * y0) / determinant, (s2 * y0 - s1 * y1) / determinant


def step_of_variance(
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
