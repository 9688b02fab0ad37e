"""How covariances that were measured in one image scatter, and how they go together.

For a normal field of power P(k) over N pixels, means of products at the lags l and m have the covariance (M. S. Bartlett 1946, Suppl. J. R. Stat.
Soc. 8, 27; here in two dimensions, with both signs of the lags pooled and P even along either axis)

    cov(Ĉ_l, Ĉ_m) = 2/N ⟨P(k)² φ_l(k) φ_m(k)⟩  with  φ_l(k) = cos(k_y l_y) cos(k_x l_x)

It holds for one frame's covariances as half of those of a difference too: twice the power, a quarter of the variance. White noise gives the
familiar 2C²/N of a variance, C²/N along the axes and C²/2N elsewhere. With neighbours that covary by 4 %, the variance and that
covariance have a correlation of 11 %: fits that take them for independent state errors that are wrong.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sampling_covariance(law: Floats, products: Floats) -> Floats:
    """The covariance of all elements of a matrix C_ij [unit²] with one another [unit⁴], shape (elements, elements).

    ``law`` are the true covariances, (lags + 1, lags + 1), those beyond taken as zero; ``products`` (same shape) says how many products of pixels each
    element is the mean of: N for the variance, nearly 2N where both indices are above zero.
    """
    waves, signs = _waves(law.shape[0])
    power = waves @ (signs * law.ravel())
    together: Floats = 2.0 / waves.shape[0] * (waves.T * power**2) @ waves
    # elements that rest on fewer products than pixels (lags beyond edges, masks) scatter by as much more
    shared = np.minimum(np.where(signs == 4, 0.5, 1.0) * products.ravel(), products.flat[0])
    out: Floats = together / np.sqrt(np.outer(shared, shared))
    return out


@cache
def _waves(side: int) -> tuple[Floats, Floats]:
    """φ at places in the band, shape (places, elements), and how many signs an element stands for.

    Products of four cosines up to the lag L are integrated exactly by 2L + 1 places along each axis, half a step off its ends.
    """
    places = np.pi * (np.arange(2 * side - 1) + 0.5) / (2 * side - 1)
    one = np.cos(np.outer(places, np.arange(side)))
    waves = np.einsum("yi,xj->yxij", one, one).reshape(places.size**2, side**2)
    sign = np.where(np.arange(side) > 0, 2.0, 1.0)
    return waves, np.outer(sign, sign).ravel()
