"""Covariances between neighbouring pixels, from the difference of two flats.

Charge that pushes charge away makes neighbours alike and the variance smaller, the more the brighter
(P. Astier et al., 2019, A&A 629, A36). With d the difference less its mean, and w 1 for good pixels and 0 for others,

    C(i, j) = Σ w w′ d d′ / Σ w w′,   d′ and w′ being those of the pixel i rows and j columns on,

belongs to both frames: that of *one* frame, as the paper's C_ij, is half of it (the caller's to apply, as ``of_one_frame`` does). Indices are
[rows, columns]: the paper's C_ij has i along the serial register, that is along columns.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.pairs import PairStatistics, pair_statistics
from analysis.smooth_part import smooth_part
from analysis.statistics import clip_factor
from campaign.frozen import dataclass

Image = NDArray[np.generic]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Method = Literal["direct", "fourier"]

_FINE = 256  # steps of rounding in a σ: whole numbers then reach to 8 σ, farther than procedures cut
_FARTHEST = 32  # lags for which kernels leave room
_COARSE = 16  # steps in a σ below which rounding would show: 1/12 step² is 3·10⁻⁴ of the variance


@dataclass(frozen=True)
class Covariances:
    """Covariance sums to ``lags`` rows and columns.

    ``sums`` [ADU²] and ``pairs``, how many different pairs of pixels they are of, have the shape (lags + 1, lags + 1); element [i, j] belongs to the pixels i rows and
    j columns on, to the right and to the left. ``mean`` [ADU] was subtracted, or a surface of
    ``parameters`` coefficients of which it is the mean. For products with others pixels were rounded to multiples of ``step`` [ADU]; 0: they were not.
    """

    lags: int
    mean: float
    sums: Floats
    pairs: NDArray[np.int64]
    parameters: int = 1
    step: float = 0.0

    @property
    def matrix(self) -> Floats:
        """C(i, j) [ADU²] for i and j from 0, shape (lags + 1, lags + 1), both signs of j pooled; NaN without pairs."""
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Floats = self.sums / self.pairs
        return out

    @property
    def errors(self) -> Floats:
        """Standard errors of ``matrix`` [ADU²] for noise that is nearly white: C(0, 0)/√pairs, √2 of it for C(0, 0)."""
        with np.errstate(divide="ignore"):
            out: Floats = self.matrix[0, 0] / np.sqrt(self.pairs)
        out[0, 0] *= np.sqrt(2.0)
        return out

    def of_one_frame(self, sigma: float = np.inf) -> Floats:
        """Covariances of one frame of the pair [ADU²], shape of ``matrix``, freed of what the estimator took away.

        Where both pixels of a product were cut at ± ``sigma`` of a normal distribution, each loses the factor F = 1 − 2 sigma φ(sigma) /
        (2 Φ(sigma) − 1) of its share: the variance F, a covariance F², to first order in the correlation. A surface of p
        coefficients takes p S / N from every element, S being the sum of all covariances and N the number of pixels.
        """
        factor = clip_factor(sigma) ** 2 if np.isfinite(sigma) else 1.0
        out: Floats = self.matrix / factor**2
        out[0, 0] *= factor
        every = np.full(out.shape, 4.0)  # each element stands for its signs
        every[0], every[:, 0], every[0, 0] = 2.0, 2.0, 1.0
        out += self.parameters * float((every * out).sum()) / float(self.pairs[0, 0])
        return 0.5 * out


def covariances(
    difference: Image,
    left_out: Mask | None = None,
    *,
    lags: int = 8,
    surface: bool = False,
    degree: int = 2,
    method: Method = "direct",
    overwrite: bool = False,
) -> Covariances:
    """Covariances of a difference of shape (rows, columns) [ADU], without pixels that are left out or not finite.

    What varies slowly over the image (a drifting illumination) must be taken out, for it covaries with itself: ``surface`` takes out one of
    ``degree``. Products with other pixels are of whole numbers: pixels are rounded to 1/256 of their scatter, which adds 1.3·10⁻⁶ to the sampling
    error, and are summed exactly. ``method`` "fourier" finds the same by transforms in double precision of the image
    set in zeros, several times as slow; it is also what serves where a pixel is hundreds of σ away. With ``overwrite`` ``left_out`` becomes what
    was left out, and spares a copy: fresh memory costs as much as some of the arithmetic.

    Raises ValueError for no image, a mask of another shape, ``lags`` below 0 or above 32, and when no pixel is left.
    """
    if difference.ndim != 2 or not 0 <= lags <= _FARTHEST:
        raise ValueError(f"no covariances to lag {lags} of an array of shape {difference.shape}")
    if left_out is not None and left_out.shape != difference.shape:
        raise ValueError(f"a mask of shape {left_out.shape} for {difference.shape} pixels")
    values = np.ascontiguousarray(difference, dtype=np.float32)
    lost = np.zeros(values.shape, np.bool_) if left_out is None else left_out
    lost = lost if overwrite else lost.copy()
    return _covariances(values, lost, lags, degree if surface else 0, method)


def pair_covariances(
    first: Image,
    second: Image,
    left_out: Mask | None = None,
    *,
    sigma: float = 5.0,
    lags: int = 8,
) -> tuple[PairStatistics, Covariances]:
    """Clipped statistics of a pair, and covariances of first − second less what the clip at ``sigma`` leaves out.

    Images of one shape (rows, columns) [ADU]. A clip at 3 σ would take away 1.3 % of each variance; at 5 σ none to speak of.
    Raises ValueError as ``pair_statistics`` and ``covariances`` do.
    """
    found = pair_statistics(first, second, left_out, sigma=sigma)
    clip = found.difference
    middle, reach = np.float32(clip.mean), np.float32(sigma * max(clip.std, 0.5))
    if first.dtype == second.dtype == np.uint16:
        from analysis.covariance_kernels import difference_of

        difference, lost = np.empty(first.shape, np.float32), np.empty(first.shape, np.bool_)
        mask = np.zeros((1, 1), np.bool_) if left_out is None else left_out
        one, two = first.astype(np.uint16, copy=False), second.astype(np.uint16, copy=False)
        difference_of(one, two, mask, left_out is not None, middle, reach, difference, lost)
    else:
        difference = np.subtract(first, second, dtype=np.float64).astype(np.float32)
        with np.errstate(invalid="ignore"):
            lost = ~(np.abs(difference - middle) <= reach)
        if left_out is not None:
            lost |= left_out
    return found, _covariances(difference, lost, lags)


def grow(lost: Mask, outliers: Mask, reach: int) -> None:
    """Lose, in place, outliers and what is within ``reach`` rows and columns of them; both of one shape."""
    held = np.flatnonzero(outliers.any(axis=1))
    y, x = np.nonzero(outliers[held])
    y = held[y]
    away = range(-reach, reach + 1)
    rows, columns = (
        [np.clip(at + d, 0, n - 1) for d in away] for at, n in zip((y, x), lost.shape, strict=True)
    )
    for v, u in product(rows, columns):
        lost[v, u] = True


def _covariances(
    difference: NDArray[np.float32],
    lost: Mask,
    lags: int,
    degree: int = 0,
    method: Method = "direct",
) -> Covariances:
    """``covariances`` of a contiguous difference; ``lost``, which is changed, need not yet hold what is not finite."""
    from analysis import covariance_kernels as kernels

    smooth, scatter = smooth_part(difference, lost, degree)
    counts = np.empty((lags + 1, 2 * lags + 1), np.int64)
    kernels.count_pairs(lost, lags, counts)
    across, rows_of = (np.asarray(part, np.float32) for part in smooth.parts)
    in_runs = -(-difference.shape[1] // kernels.RUN) * kernels.RUN
    band = _zeros((kernels.BAND + lags, in_runs + 2 * kernels.MARGIN))
    pairs = _pooled(counts)
    width = -(-(lags + 1) // kernels.TOGETHER) * kernels.TOGETHER
    step, products = scatter / _FINE, np.empty((lags + 1, width), np.int64)
    per_step = np.float32(1.0 / step)
    square, farthest = kernels.products(difference, lost, across, rows_of, per_step, band, products)
    if farthest > kernels.MOST * step:  # light that is far from even: coarser steps reach farther
        step = float(farthest) / kernels.MOST
        per_step = np.float32(1.0 / step)
        kernels.products(difference, lost, across, rows_of, per_step, _zeros(band.shape), products)
    if method == "fourier" or step > scatter / _COARSE:
        powers = np.vander(across.astype(np.float64), rows_of.shape[1], increasing=True)
        plane = np.einsum("yk,xk->yx", rows_of.astype(np.float64), powers)
        sums = _pooled(_by_transforms(np.where(lost, 0.0, difference - plane), lags))
        return Covariances(lags, smooth.mean, sums, pairs, smooth.parameters)
    sums = products[:, : lags + 1].astype(np.float64) * step**2
    sums[0, 0] = square
    return Covariances(lags, smooth.mean, sums, pairs, smooth.parameters, step)


def _pooled(held: NDArray[Any]) -> NDArray[Any]:
    """Sums or counts of both signs of j, of shape (lags + 1, 2 lags + 1), added where they are of different pairs; in row 0 they are of the same."""
    lags = held.shape[0] - 1
    out = held[:, lags:].copy()
    out[1:, 1:] += held[1:, lags - 1 :: -1] if lags else 0
    return out


def _zeros(shape: tuple[int, int]) -> NDArray[np.int16]:
    """Zeros of whole numbers of 16 bits whose rows begin where the processor's cache lines do, for a number of columns that is a multiple of 32."""
    size, line = shape[0] * shape[1], 64
    held = np.zeros(2 * size + line, np.uint8)
    first = -held.ctypes.data % line
    return held[first : first + 2 * size].view(np.int16).reshape(shape)


def _by_transforms(centred: NDArray[np.floating], lags: int) -> Floats:
    """The sums of products, by the theorem of Wiener and Khinchin: zeros around the image keep its edges apart."""
    from scipy import fft

    shape = [fft.next_fast_len(n + lags, real=True) for n in centred.shape]
    transform = fft.rfft2(centred.astype(np.float64), shape)
    found: Floats = fft.irfft2(transform.real**2 + transform.imag**2, shape)
    return found[: lags + 1][:, np.arange(-lags, lags + 1)]
