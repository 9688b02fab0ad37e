"""Pixels whose area depends on the charge around them: the brighter-fatter effect, by letting charge arrive in many small steps.

Charge that is there already bends the way of charge that arrives, so that the borders of pixels move (P. Antilogus et al., 2014, JINST 9,
C03048). With Q the charge and a the matrix of area coefficients [1/e⁻], the area of pixel p grows by the fraction Σ_q a(p − q) Q(q). Borders move along the
gradient of a potential K ⊗ Q with ∇²K = −a, so that what one pixel loses its neighbour gets: no charge is made or lost.

In uniform light, and to first order in the charge, the covariance of pixels at lag (i, j) of a frame of mean μ is a(i, j) μ², and the variance
μ + a(0, 0) μ² (P. Astier et al., 2019, A&A 629, A36). Frames are periodic: what leaves at one edge enters at the other.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Charge = NDArray[np.float32]

_FEW = 50.0  # electrons in a step from which their number is drawn from a normal distribution


def area_matrix(along_row: float, along_column: float, fall: float = 3.0, lags: int = 5) -> Floats:
    """A matrix of area coefficients [1/e⁻] to ``lags`` pixels, shape (2 lags + 1, 2 lags + 1), [rows, columns], its centre in the middle.

    The neighbours in the row get ``along_row``, those in the column ``along_column``; farther ones less by the power ``fall`` of the
    distance, and in between by direction. The centre takes what all others give: the sum is zero.
    """
    y, x = np.mgrid[-lags : lags + 1, -lags : lags + 1].astype(np.float64)
    r2 = x**2 + y**2
    r2[lags, lags] = 1.0
    a: Floats = (along_row * x**2 + along_column * y**2) / r2 * r2 ** (-0.5 * fall)
    a[lags, lags] = 0.0
    a[lags, lags] = -a.sum()
    return a


def spectrum(a: Floats, shape: tuple[int, int]) -> Floats:
    """The Fourier transform of a symmetric matrix of coefficients on a periodic frame of that shape, as ``rfft2`` orders it."""
    lags = a.shape[0] // 2
    held = np.zeros(shape)
    for i in range(-lags, lags + 1):
        for j in range(-lags, lags + 1):
            held[i % shape[0], j % shape[1]] += a[lags + i, lags + j]
    found: Floats = np.fft.rfft2(held).real
    return found


def potential(a: Floats, shape: tuple[int, int]) -> Floats:
    """The transform of K [pixel²/e⁻] with ∇²K = −a, ∇² the difference of a pixel's four neighbours and four times itself."""
    y = 2.0 * np.pi * np.arange(shape[0]) / shape[0]
    x = 2.0 * np.pi * np.arange(shape[1] // 2 + 1) / shape[1]
    laplacian = 2.0 * np.cos(y)[:, np.newaxis] + 2.0 * np.cos(x) - 4.0
    laplacian[0, 0] = 1.0
    found: Floats = -spectrum(a, shape) / laplacian
    found[0, 0] = 0.0
    return found


def expose(
    light: Charge | Floats | float,
    a: Floats,
    rng: np.random.Generator | None,
    shape: tuple[int, ...],
    step: float = 2000.0,
) -> Charge:
    """The charge [e⁻] that ``light`` [e⁻ per pixel, where no border moved] leaves, shape ``shape``; the last two axes are a frame.

    It arrives in steps of ``step`` electrons at most where light is brightest. Without ``rng`` it arrives without noise. Borders stand
    during a step where the charge before it put them, on average half a step too early: coefficients are enlarged by that.
    """
    from scipy import fft

    frame = (shape[-2], shape[-1])
    brightest = float(np.max(light))
    steps = max(2, ceil(brightest / step))
    late = steps / (steps - 1.0)
    even = np.ndim(light) == 0
    transfer = ((spectrum if even else potential)(a, frame) * late).astype(np.float32)
    each = np.asarray(light, np.float32) / np.float32(steps)
    charge = np.zeros(shape, np.float32)
    for number in range(steps):
        if number:
            bent = fft.irfft2(fft.rfft2(charge) * transfer, s=frame)
            arriving = each * (1.0 + bent) if even else each - divergence(each, bent)
        else:
            arriving = np.broadcast_to(each, shape)
        charge += arriving if rng is None else _drawn(rng, arriving, brightest / steps)
    return charge


def divergence(light: NDArray[np.floating], bent: NDArray[np.floating]) -> NDArray[np.floating]:
    """∇·(light ∇ bent) over borders, shape of ``bent``: light of a border is the mean of its two pixels. Its sum is zero."""
    out = np.zeros_like(bent)
    for axis in (-2, -1):
        over = 0.5 * (light + np.roll(light, -1, axis)) * (np.roll(bent, -1, axis) - bent)
        out += over - np.roll(over, 1, axis)
    return out


def _drawn(rng: np.random.Generator, expected: NDArray[np.floating], level: float) -> Charge:
    """Electrons that arrive where that many are expected; many are drawn from a normal distribution of the same mean and variance."""
    if level < _FEW:
        few: Charge = rng.poisson(np.maximum(expected, 0.0)).astype(np.float32)
        return few
    noise = rng.standard_normal(expected.shape, dtype=np.float32)
    drawn: Charge = (expected + noise * np.sqrt(np.maximum(expected, 0.0))).astype(np.float32)
    return drawn


def covariance(a: Floats, mean: float, lags: int) -> Floats:
    """Covariances [e⁻²] of pixels of frames of that mean [e⁻], at lags from 0 to ``lags`` in [rows, columns], exact for these frames.

    Each Fourier component of the charge obeys dC/dμ = 1 + 2 ã C, so that C = (exp(2 ã μ) − 1) / 2 ã.
    """
    shape = (128, 128)
    x = 2.0 * spectrum(a, shape) * mean
    small = np.abs(x) < 1e-9
    grown = mean * np.where(small, 1.0 + 0.5 * x, np.expm1(x) / np.where(small, 1.0, x))
    found: Floats = np.fft.irfft2(grown, s=shape)[: lags + 1, : lags + 1]
    return found
