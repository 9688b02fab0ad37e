"""The kernel of the brighter-fatter correction: the potential along whose gradient borders of pixels move.

W. R. Coulton et al., 2018, AJ 155, 258: charge F bends the way of charge that arrives along the gradient of K ⊗ F, so that the area of a pixel
changes by −∇²K ⊗ F. The matrix a of area coefficients [1/e⁻] (P. Astier et al., 2019) says by how much, hence

    ∇²K = −a  with  ∇²K(i, j) = K(i+1, j) + K(i−1, j) + K(i, j+1) + K(i, j−1) − 4 K(i, j),  K = 0 beyond the last lag,

K in pixel²/e⁻. That is solved by sine transforms, exactly; over-relaxation, as peers use, comes to the same in thousands of rounds. No charge may be
lost, so a has to sum up to zero over all lags; what it does not is taken off where it is least certain.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from analysis.brighter_fatter.quarter import Floats, multiplicity, total, unfolded
from campaign.frozen import dataclass

EDGE_SIGMA = 5.0
"""How many errors an element at the kernel's edge may differ from zero."""


@dataclass(frozen=True)
class Kernel:
    """A kernel and what it was made of.

    ``values`` ± ``errors`` [pixel²/e⁻] and ``area`` [1/e⁻], which sums up to zero, are quarters of shape (lags + 1, lags + 1). ``taken`` is the sum
    [1/e⁻] that was taken off, over all lags.
    """

    values: Floats
    errors: Floats
    area: Floats
    taken: float

    @property
    def centre(self) -> tuple[float, float]:
        """The central value and its error [pixel²/e⁻]."""
        return float(self.values[0, 0]), float(self.errors[0, 0])

    @property
    def image(self) -> Floats:
        """The whole kernel, shape (2 lags + 1, 2 lags + 1)."""
        return unfolded(self.values)

    def faults(self) -> list[str]:
        """What makes the kernel doubtful, in words; nothing when it is sound."""
        out = []
        if not (self.values[0, 0] < 0 and self.values[0, 0] == self.values.min()):
            out.append("its centre is not the smallest element, as charge that repels charge makes it")
        edge = np.concatenate([self.values[-1], self.values[:-1, -1]])
        of = np.concatenate([self.errors[-1], self.errors[:-1, -1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            worst = float(np.nanmax(np.where(of > 0, np.abs(edge) / of, 0.0)))
        if worst > EDGE_SIGMA:
            out.append(f"an element at its edge is {worst:.1f} errors from zero: it is cut too short")
        return out


def zero_sum(area: Floats, covariance: Floats) -> tuple[Floats, float]:
    """The matrix nearest to ``area``, in units of its errors, that sums up to zero over all lags; and the sum taken off.

    ``covariance`` [1/e⁻²] is that of the quarter's elements, row by row. The least change takes nearly all from the many far lags, next to nothing from the
    centre. (Taking it all from the centre, as is done elsewhere, puts the noise of all lags into the one element that matters most.)
    """
    weights = multiplicity(area.shape[0] - 1)
    off = total(area)
    shares = np.einsum("ij,j->i", covariance, weights.ravel()).reshape(area.shape)
    whole = float((weights * shares).sum())
    if whole <= 0:  # without errors all give alike
        return area - off / float(weights.sum()), off
    return area - off * shares / whole, off


def solved(area: Floats) -> Floats:
    """K of quarters of area coefficients, shape (…, lags + 1, lags + 1), exactly: ∇²K = −a to the last lag, K = 0 beyond it."""
    from scipy.fft import dstn, idstn

    lags = area.shape[-1] - 1
    side = 2 * lags + 1
    place = np.abs(np.arange(-lags, lags + 1))
    whole = area[..., place[:, np.newaxis], place]
    wave = 2.0 * np.cos(np.pi * np.arange(1, side + 1) / (side + 1))
    laplacian = wave[:, np.newaxis] + wave - 4.0
    found: Floats = idstn(-dstn(whole, 1, axes=(-2, -1)) / laplacian, 1, axes=(-2, -1))[..., lags:, lags:]
    return found


@cache
def _responses(lags: int) -> Floats:
    """K [pixel²] of each element of a alone, shape ((lags + 1)², lags + 1, lags + 1)."""
    return solved(np.eye((lags + 1) ** 2).reshape(-1, lags + 1, lags + 1))


def kernel_of(area: Floats, covariance: Floats) -> Kernel:
    """The kernel of a quarter of area coefficients [1/e⁻] with their ``covariance`` [1/e⁻²], row by row."""
    even, taken = zero_sum(area, covariance)
    units = np.eye(area.size).reshape(-1, *area.shape)
    return Kernel(solved(even), errors_of(units, covariance).reshape(area.shape), even, taken)


def errors_of(weights: Floats, covariance: Floats) -> Floats:
    """Standard errors of sums Σ w K over a quarter of a kernel, for n sets of ``weights``, shape (n, lags + 1, lags + 1).

    What the zero sum takes off is taken off the covariance too, V − V m mᵀ V / mᵀ V m, which then is carried to K.
    """
    lags = weights.shape[-1] - 1
    by_area = np.einsum("nij,kij->kn", _responses(lags), weights)
    m = multiplicity(lags).ravel()
    shares = np.einsum("ij,j->i", covariance, m)
    whole = float((m * shares).sum())
    variance = np.einsum("kn,nm,km->k", by_area, covariance, by_area, optimize=False)
    if whole > 0:
        variance = variance - np.einsum("kn,n->k", by_area, shares) ** 2 / whole
    found: Floats = np.sqrt(np.maximum(variance, 0.0))
    return found
