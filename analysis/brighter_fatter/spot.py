"""By how much the brighter-fatter effect widens the image of a point source, predicted from the kernel.

A round Gaussian spot L of peak P loses ½ ∇·(L ∇(K ⊗ L)) where it is bright and gains as much around (Coulton et al. 2018; first order in the charge). Its second
moment along x grows by

    Δ_x = ½ Σ (2x + 1) L_b [ψ(x + 1) − ψ(x)] / Σ L,   ψ = K ⊗ L,   L_b the mean of L on both sides of the border,

which is linear in K and in P; ⅙ B(L, B(L, L)) of ``analysis.brighter_fatter.redistribution``, in the square of both, is added (some per cent). As full widths of
the Gaussian of the same second moment, W = 2 √(2 ln 2) pitch [√(s² + Δ) − s].
"""

from __future__ import annotations

from math import hypot, log, sqrt

import numpy as np

from analysis.brighter_fatter.kernel import Kernel, errors_of
from analysis.brighter_fatter.quarter import Floats, multiplicity
from campaign.frozen import dataclass

FWHM = 2.0 * sqrt(2.0 * log(2.0))
"""Full width at half maximum of a Gaussian over its standard deviation."""


@dataclass(frozen=True)
class Growth:
    """Growth of the full width [µm] at the level asked for, and by how much it grows there for each 10,000 ADU of the peak, each with its error."""

    value: float
    error: float
    slope: float
    slope_error: float


def growth(
    kernel: Kernel,
    covariance: Floats,
    gain: tuple[float, float],
    *,
    peak: float,
    width: float,
    pitch: float,
    axis: int,
) -> Growth | None:
    """The growth along ``axis`` (1: along rows, x) of a spot of full width ``width`` [pixels] whose peak is ``peak`` [ADU].

    ``covariance`` [1/e⁻²] is that of the coefficients of area, ``gain`` ± error [e⁻/ADU], ``pitch`` [µm]. None when the kernel would shrink the spot to nothing.
    """
    lags, s = kernel.values.shape[0] - 1, width / FWHM
    weights = moment_weights(s, lags, axis) * peak * gain[0]
    first = float((weights * kernel.values).sum())
    second = _second_order(kernel.image, s, peak * gain[0], axis)
    moved, steepness = first + second, first + 2.0 * second
    error = hypot(float(errors_of(weights[np.newaxis], covariance)[0]), first * gain[1] / gain[0])
    if s**2 + moved <= 0:
        return None
    scale, now, per = FWHM * pitch, sqrt(s**2 + moved), 1e4 / peak
    # W = c [√(s² + Δ) − s], so dW/dP = c / (2 √(s² + Δ)) dΔ/dP
    slope = scale * per * steepness / (2.0 * now)
    steep = scale * per * (1.0 / (2.0 * now) - steepness / (4.0 * now**3))
    return Growth(scale * (now - s), scale * error / (2.0 * now), slope, abs(steep) * error)


def _second_order(kernel: Floats, sigma: float, peak: float, axis: int) -> float:
    """What ⅙ B(L, B(L, L)) adds to the second moment [pixel²] of a spot of ``peak`` [e⁻]; ``kernel`` is the whole K."""
    lags = kernel.shape[0] // 2
    half = int(np.ceil(5.0 * sigma)) + lags + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    spot = peak * np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    held = np.zeros(spot.shape)
    held[: 2 * lags + 1, : 2 * lags + 1] = kernel
    response = np.fft.rfft2(np.roll(held, (-lags, -lags), (0, 1)))

    def bent(charge: Floats) -> Floats:
        psi = np.fft.irfft2(np.fft.rfft2(charge) * response, s=spot.shape)
        out = np.zeros_like(psi)
        for way in (0, 1):
            over = 0.5 * (spot + np.roll(spot, -1, way)) * (np.roll(psi, -1, way) - psi)
            out -= over - np.roll(over, 1, way)
        return out

    along = x if axis == 1 else y
    return float((bent(bent(spot)) * along**2).sum() / 6.0 / spot.sum())


def moment_weights(sigma: float, lags: int, axis: int) -> Floats:
    """What each element of a quarter of K adds to the second moment [pixel²] of a spot of peak 1, shape (lags + 1, lags + 1)."""
    half = int(np.ceil(5.0 * sigma)) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    spot = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    if axis == 0:
        x = y
    after = np.roll(spot, -1, axis)
    lever = (2.0 * x + 1.0) * 0.5 * (spot + after)
    side = 1 << int(2 * (half + lags) + 2).bit_length()
    # R(k) = ½ Σ_b lever_b [L(b + 1 − k) − L(b − k)] / Σ L for all lags k at once
    one, other = np.fft.rfft2(lever, s=(side, side)), np.fft.rfft2(after - spot, s=(side, side))
    whole = np.fft.irfft2(one * other.conj(), s=(side, side)) * 0.5 / spot.sum()
    quarter = np.zeros((lags + 1, lags + 1))
    for i in {1, -1}:
        for j in {1, -1}:
            at = np.ix_(i * np.arange(lags + 1), j * np.arange(lags + 1))
            quarter += whole[at]
    found: Floats = quarter * multiplicity(lags) / 4.0
    return found
