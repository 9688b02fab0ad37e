"""The brighter-fatter effect as it shows in flats: charge whose variance and covariances follow a given matrix of area changes.

The law is equation 20 of Astier et al. 2019 (A&A 629, A36), in electrons:

    C_ij(µ) = µ [δ_ij + a_ij µ + 2/3 (a⊗a + ab)_ij µ² + 1/6 (2 a⊗a⊗a + 5 a⊗ab)_ij µ³ + …]

carried on to higher powers as the equation has it that this solves, dC/dµ = δ + 2 (a + ab µ) ⊗ C.
Charge is drawn as a normal field of exactly these covariances on a torus: white noise, coloured by the root of its power spectrum. So variance and
covariances are exact at every lag, also across the edges; what is left out is the skewness of Poisson's distribution (1/√µ) and what the
effect adds to moments beyond the second. Indices are [rows, columns]. Nothing here is shared with the estimators.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Map = NDArray[np.float32]

_POWERS = 10  # of the mean: the next is below 10⁻⁵ of the variance where 2 |a₀₀| µ is 1.3


def area_changes(
    a00: float, next_row: float, next_column: float, *, reach: int = 8, fall: float = 3.0
) -> Floats:
    """A matrix a [1/e⁻], shape (reach + 1, reach + 1), with those three elements at its corner; others fall as a power of the distance.

    Between rows and columns the strength goes as that of an ellipse. Elements beyond the corner are scaled so that all of them, both signs counted,
    sum up to zero, as where area that one pixel loses others gain. Raises ValueError when the three leave nothing to the others.
    """
    i, j = np.mgrid[: reach + 1, : reach + 1].astype(float)
    square = np.maximum(i**2 + j**2, 1.0)
    a: Floats = (next_row * i**2 + next_column * j**2) / square * square ** (-fall / 2)
    a[0, 0], a[1, 0], a[0, 1] = a00, next_row, next_column
    far = np.ones(a.shape, bool)
    far[0, 0] = far[1, 0] = far[0, 1] = False
    signs = np.where(i > 0, 2, 1) * np.where(j > 0, 2, 1)
    rest = -float((signs * a)[~far].sum())
    if rest <= 0:
        raise ValueError("nothing is left for the pixels beyond the next")
    a[far] *= rest / float((signs * a)[far].sum())
    return a


def covariances(mean: float, a: Floats, b: Floats | float = 0.0) -> Floats:
    """C_ij [e⁻²] of both signs at a mean charge [e⁻]: shape (6 reach + 1, 6 reach + 1), lag (0, 0) in the middle.

    ``a`` and ``b`` [1/e⁻] are of one sign each, shape (reach + 1, reach + 1). Of the first four powers nothing is cut off: three matrices folded into each
    other reach three times as far.
    """
    reach = 3 * (a.shape[0] - 1)
    one, both = _signs(a, reach), _signs(a * b, reach)
    before, last = np.zeros_like(one), np.zeros_like(one)
    last[reach, reach] = 1.0
    out: Floats = mean * last
    for n in range(2, _POWERS + 1):
        before, last = last, (2.0 / n) * (_folded(one, last) + _folded(both, before))
        out += last * mean**n
    return out


def charge(
    mean: float,
    shape: tuple[int, int],
    a: Floats,
    b: Floats | float,
    rng: np.random.Generator,
    response: NDArray[np.floating] | float = 1.0,
    white: float = 0.0,
) -> tuple[Map, Map]:
    """Two independent maps [e⁻] of a flat of that mean, from one transform (its real and its imaginary part).

    ``white`` [e⁻²] is the variance of white noise that is added, as of an amplifier: so drawn it costs nothing.
    ``response`` (of ``shape``, near 1) lets pixels differ: the mean goes with it, the noise with its root, which is exact to first
    order in its deviation from 1. Raises ValueError when no field has such covariances (charge far beyond what the law describes).
    """
    from scipy import fft

    power = spectrum(covariances(mean, a, b), shape)
    power += np.float32(white)
    if float(power.min()) < 0:
        raise ValueError(f"at {mean:g} e⁻ the law gives negative power: no charge scatters so")
    # white noise is white in Fourier space as well: one transform is enough
    field = rng.standard_normal((shape[0], 2 * shape[1]), np.float32).view(np.complex64)
    field *= np.sqrt(power, out=power)
    noise = fft.ifft2(field, overwrite_x=True, norm="ortho")
    scale = np.sqrt(np.asarray(response, np.float32))
    level = np.asarray(response, np.float32) * np.float32(mean)
    one, other = (np.asarray(level + scale * part, np.float32) for part in (noise.real, noise.imag))
    return one, other


def spectrum(law: Floats, shape: tuple[int, int]) -> Map:
    """Power by spatial frequency, of ``shape``, of covariances with lag (0, 0) in the middle, alike in both signs of either lag.

    Raises ValueError for too small a shape.
    """
    if min(shape) < law.shape[0]:
        raise ValueError(f"covariances reach beyond an image of {shape}")
    reach = law.shape[0] // 2
    down, across = (
        np.cos(2 * np.pi / n * np.outer(np.arange(n), np.arange(-reach, reach + 1))) for n in shape
    )
    found: Map = (down @ law).astype(np.float32) @ across.T.astype(np.float32)
    return found


def _signs(quarter: Floats, reach: int) -> Floats:
    """A matrix of both signs around its middle, with zeros out to ``reach``."""
    far = np.abs(np.arange(-reach, reach + 1))
    wide = np.zeros((reach + 1, reach + 1))
    wide[: quarter.shape[0], : quarter.shape[1]] = quarter
    out: Floats = wide[np.ix_(far, far)]
    return out


def _folded(first: Floats, second: Floats) -> Floats:
    """The convolution of two matrices around their middles, of their shape."""
    from scipy.signal import fftconvolve

    out: Floats = fftconvolve(first, second, mode="same")
    return out
