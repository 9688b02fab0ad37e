"""How uncertain coefficients of area are, all together: their covariance from the power spectrum of the flats.

Covariances of a sample are themselves correlated: over N pixels of a noise whose power spectrum is P(k), with γ the inverse transform of P²,

    cov(C(r), C(s)) = [γ(r − s) + γ(r + s)] / N        (M. S. Bartlett, 1946, Suppl. J. R. Stat. Soc. 8, 27)

and one coefficient moves all covariances. Both are products in Fourier space: when levels l enter the fit with factors h_l, and C̃_l(k) answers to ã(k) by
J_l(k), then E(k) = Σ h_l² P_l(k)²/N_l / (Σ h_l J_l(k))² takes the place of P²/N. Sums over many lags, and what a kernel makes of them, are long waves, where charge that is
moved about leaves all of the light's noise but also answers most: errors that were added as if independent would be a quarter too large.
"""

from __future__ import annotations

import numpy as np

from analysis.brighter_fatter.quarter import Floats, transformed


def coefficient_covariance(
    factors: Floats, counts: Floats, power: Floats, response: Floats, lags: int
) -> Floats:
    """The covariance [1/e⁻²] of the coefficients of a quarter, row by row: shape (n, n) with n = (lags + 1)².

    ``factors`` and ``counts`` by level; ``power`` [ADU²] and ``response`` by level on a periodic square, as ``rfft2`` orders it.
    """
    side = power.shape[1]
    weighed = factors[:, np.newaxis, np.newaxis]
    answer = (weighed * response).sum(0)
    spectrum = (weighed**2 * power**2 / counts[:, np.newaxis, np.newaxis]).sum(0) / answer**2
    gamma = np.fft.irfft2(spectrum, s=(side, side))
    return _pooled(gamma, lags)


def gain_response(factors: Floats, levels: Floats, response: Floats, lags: int) -> Floats:
    """∂a/∂(1/g) of a fit, as a quarter: the variance less the light's is what a gives, and its own answer spreads over the lags."""
    answer = (factors[:, np.newaxis, np.newaxis] * response).sum(0)
    side = response.shape[1]
    found: Floats = -float((factors * levels).sum()) * np.fft.irfft2(1.0 / answer, s=(side, side))
    return found[: lags + 1, : lags + 1]


def _pooled(gamma: Floats, lags: int) -> Floats:
    """2 ⟨γ(r − s)⟩ over the signs of s, for all lags r and s of a quarter."""
    one = np.arange(lags + 1)
    minus, plus = one[:, np.newaxis] - one, one[:, np.newaxis] + one
    out = np.zeros((lags + 1,) * 4)
    for rows in (minus, plus):
        for columns in (minus, plus):
            out += gamma[rows[:, np.newaxis, :, np.newaxis], columns[np.newaxis, :, np.newaxis, :]]
    found: Floats = (0.5 * out).reshape((lags + 1) ** 2, (lags + 1) ** 2)
    return found


def power_of(area: Floats, levels: Floats, gain: float, noise: float) -> Floats:
    """Power spectrum [ADU²] of flats at levels [ADU] that obey Astier's law, ``noise`` [ADU²] white, shape (levels, side, side / 2 + 1)."""
    x, mean = _exponent(area, levels, gain)
    found: Floats = mean / gain**2 * _grown(x) + noise
    return found


def response_of(area: Floats, levels: Floats, gain: float) -> Floats:
    """∂C̃/∂ã [ADU² e⁻] of Astier's law, of the same shape: μ² where there is little charge."""
    x, mean = _exponent(area, levels, gain)
    small = np.abs(x) < 1e-4
    safe = np.where(small, 1.0, x)
    slope = np.where(small, 1.0 + 2.0 / 3.0 * x, 2.0 * (safe * np.exp(safe) - np.expm1(safe)) / safe**2)
    found: Floats = (mean / gain) ** 2 * slope
    return found


def side_of(quarter: Floats) -> int:
    """The side of the periodic square on which waves of a quarter are told: over four times its largest lag."""
    return 1 << max(5, int(4 * (quarter.shape[0] - 1)).bit_length())


def _exponent(area: Floats, levels: Floats, gain: float) -> tuple[Floats, Floats]:
    """2 ã g μ, and g μ [e⁻]."""
    side = side_of(area)
    mean = gain * np.asarray(levels, np.float64)[:, np.newaxis, np.newaxis]
    return 2.0 * transformed(area, side).real * mean, mean


def _grown(x: Floats) -> Floats:
    """(exp x − 1) / x, continuous through zero."""
    small = np.abs(x) < 1e-9
    out: Floats = np.where(small, 1.0 + 0.5 * x, np.expm1(x) / np.where(small, 1.0, x))
    return out
