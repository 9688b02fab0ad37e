"""Covariances between neighbouring pixels, from the difference of two flats.

Charge that pushes charge away makes neighbours alike and the variance smaller, the more the brighter
(P. Astier et al., 2019, A&A 629, A36). With d the difference less its mean, and w 1 for good pixels and 0 for others,

    C(i, j) = Σ w w′ d d′ / Σ w w′,   d′ and w′ being those of the pixel i rows and j columns on,

belongs to both frames: that of *one* frame, as the paper's C_ij, is half of it (the caller's to apply, as ``of_one_frame`` does). Indices are
[rows, columns]: the paper's C_ij has i along the serial register, that is along columns.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.pairs import PairStatistics, pair_statistics
from analysis.statistics import clip_factor

Image = NDArray[np.generic]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Method = Literal["direct", "fourier"]

_BLOCK = 32
"""Side [pixels] of the blocks whose means a surface is fitted to."""


@dataclass(frozen=True)
class Covariances:
    """Covariance sums to ``lags`` rows and columns, of both signs of the mixed lag.

    ``sums`` [ADU²] and ``counts`` have the shape (lags + 1, 2 lags + 1); element [i, lags + j] belongs to the pixel i rows and
    j columns on, j from −lags to lags. In row 0 both signs are the same pairs. ``mean`` [ADU] was subtracted, or a surface of
    ``parameters`` coefficients of which it is the mean.
    """

    lags: int
    mean: float
    sums: Floats
    counts: NDArray[np.int64]
    parameters: int = 1

    @property
    def matrix(self) -> Floats:
        """C(i, j) [ADU²] for i and j from 0, shape (lags + 1, lags + 1), both signs of j pooled; NaN without pairs."""
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Floats = self._pooled(self.sums) / self.pairs
        return out

    @property
    def pairs(self) -> NDArray[np.int64]:
        """How many different pairs of pixels each element of ``matrix`` rests on."""
        out: NDArray[np.int64] = self._pooled(self.counts).astype(np.int64)
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

    def _pooled(self, held: Floats | NDArray[np.int64]) -> Floats:
        right, left = held[:, self.lags :].astype(np.float64), held[:, self.lags :: -1].astype(np.float64)
        return np.concatenate(
            [right[:1], np.hstack([right[1:, :1], right[1:, 1:] + left[1:, 1:]])]
        )  # column 0 and row 0 have one sign


def covariances(
    difference: Image,
    left_out: Mask | None = None,
    *,
    lags: int = 8,
    threads: int = 1,
    surface: bool = False,
    method: Method = "direct",
) -> Covariances:
    """Covariances of a difference of shape (rows, columns) [ADU], without pixels that are left out or not finite.

    What varies slowly over the image (a drifting illumination) must be taken out, for it covaries with itself: ``surface`` takes out one of
    second degree. Products are summed in float32 over 32 rows and in float64 beyond, in one order whatever ``threads`` are; rounding stays
    below 10⁻⁷ of C(0, 0). ``method`` "fourier" finds the same by transforms in double precision of the image set in zeros: slower for
    so few lags.

    Raises ValueError for no image, a mask of another shape, ``lags`` < 0, and when no pixel is left.
    """
    if difference.ndim != 2 or lags < 0:
        raise ValueError(f"no covariances to lag {lags} of an array of shape {difference.shape}")
    if left_out is not None and left_out.shape != difference.shape:
        raise ValueError(f"a mask of shape {left_out.shape} for {difference.shape} pixels")
    values = np.ascontiguousarray(difference, dtype=np.float32)
    lost = ~np.isfinite(values)
    if left_out is not None:
        lost |= left_out
    return _covariances(values, lost, lags, threads, surface, method)


def pair_covariances(
    first: Image,
    second: Image,
    left_out: Mask | None = None,
    *,
    sigma: float = 5.0,
    lags: int = 8,
    threads: int = 1,
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
    return found, _covariances(difference, lost, lags, threads)


def _covariances(
    difference: NDArray[np.float32],
    lost: Mask,
    lags: int,
    threads: int,
    surface: bool = False,
    method: Method = "direct",
) -> Covariances:
    from analysis import covariance_kernels as kernels

    rows, columns = difference.shape
    padded = np.zeros((rows + lags + 2, columns + 2 * lags), np.float32)
    counts = np.empty((lags + 1, 2 * lags + 1), np.int64)
    kernels.count_pairs(lost, lags, counts)
    if counts[0, lags] == 0:
        raise ValueError("no pixels are left")
    found = _surface(difference, lost) if surface else None
    if found is None:
        mean, parameters = float(kernels.centre(difference, lost, lags, padded)), 1
    else:
        (across, rows_of), (mean, parameters) = found
        kernels.level_out(difference, lost, lags, across, rows_of, padded)
    sums = np.empty((lags + 1, 2 * lags + 1), np.float64)
    if method == "fourier":
        sums[:] = _by_transforms(padded[:rows, lags : lags + columns], lags)
        return Covariances(lags, mean, sums, counts, parameters)

    def do(i: int) -> None:
        kernels.row_lag(padded, rows, lags, i, sums[i])

    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(do, range(lags + 1)))
    else:
        for i in range(lags + 1):
            do(i)
    return Covariances(lags, mean, sums, counts, parameters)


def _by_transforms(centred: NDArray[np.float32], lags: int) -> Floats:
    """The sums of products, by the theorem of Wiener and Khinchin: zeros around the image keep its edges apart."""
    from scipy import fft

    shape = [fft.next_fast_len(n + lags, real=True) for n in centred.shape]
    transform = fft.rfft2(centred.astype(np.float64), shape)
    found: Floats = fft.irfft2(transform.real**2 + transform.imag**2, shape)
    return found[: lags + 1][:, np.arange(-lags, lags + 1)]


def _surface(
    difference: NDArray[np.float32], lost: Mask
) -> tuple[tuple[Floats, Floats], tuple[float, int]] | None:
    """A surface of second degree through the means of blocks; None for images too small to have one.

    Returns places of the columns and three coefficients of each row, then the surface's mean and how many coefficients it has.
    """
    from analysis import covariance_kernels as kernels

    rows, columns = difference.shape
    if min(rows, columns) < 8:
        return None
    # edges that a mirror leaves where they are: no corner of readout is another
    ys, xs = (np.rint(np.linspace(0, n, max(4, n // _BLOCK) + 1)).astype(np.int64) for n in difference.shape)
    shape = (ys.size - 1, xs.size - 1)
    sums, counts = np.zeros(shape), np.zeros(shape)
    kernels.block_sums(difference, lost, ys, xs, sums, counts)
    held = counts > 0
    if held.any(axis=1).sum() < 4 or held.any(axis=0).sum() < 4 or held.sum() < 12:
        return None
    down, across = (np.linspace(-1.0, 1.0, n) for n in (rows, columns))
    v, u = (
        0.5 * (place[edges[:-1]] + place[edges[1:] - 1])
        for place, edges in zip((down, across), (ys, xs), strict=True)
    )
    vv, uu = (grid[held] for grid in np.meshgrid(v, u, indexing="ij"))
    terms = np.stack([np.ones(vv.size), vv, vv**2, uu, uu * vv, uu**2], axis=1)
    weight = np.sqrt(counts[held])
    found = np.linalg.lstsq(terms * weight[:, None], sums[held] / counts[held] * weight, rcond=None)[0]
    mean = float((counts[held] * (terms @ found)).sum() / counts[held].sum())
    rows_of = np.stack(
        [
            found[0] + down * (found[1] + down * found[2]),
            found[3] + found[4] * down,
            np.full(rows, found[5]),
        ],
        axis=1,
    )
    return (across, rows_of), (mean, terms.shape[1])
