"""What pixels around one lead to expect of it: their level and their scatter, without outliers, and how far it stands out."""

from __future__ import annotations

from functools import cached_property
from math import erf, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

CLIP = 3.0
"""Pixels of a cell beyond this many σ of it do not say what is ordinary."""

Lines = NDArray[np.int64]
Shares = NDArray[np.float64]

_SAMPLE = 25
_NOISE_SAMPLE = 50_000


@dataclass(frozen=True)
class Local:
    """The ordinary level and scatter [any unit] by cell of an ``image``, which must not change while how its pixels stand out may be asked for.

    ``means`` and ``sigmas`` have the shape of the cells, whose edges are ``ys`` and ``xs``; between their centres both go straight.
    """

    means: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    ys: NDArray[np.int64]
    xs: NDArray[np.int64]
    image: NDArray[np.float32]

    @cached_property
    def significance(self) -> NDArray[np.float32]:
        """How each pixel stands out, (pixel − level) / σ, of the image's shape; NaN where a pixel has no value. Made when it is asked for first."""
        return _against(self, self.sigmas, self.image)

    def beyond(self, low: float, high: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the pixels that stand out by less than ``low`` or more than ``high`` [σ], in the order of rows: ``significance`` is not made for them."""
        from analysis.defects import local_kernels

        bounds = np.float32(low), np.float32(high)
        at = local_kernels.standing_out(self.image, self.means, self.sigmas, *self._places, *bounds)
        y, x = np.divmod(at.astype(np.intp), self.image.shape[1])
        return y, x

    @property
    def _places(self) -> tuple[Lines, Lines, Shares, Lines, Lines, Shares]:
        """Between which cells each row and each column lies, and where between them."""
        ny, nx = self.image.shape
        return *between(self.ys, ny), *between(self.xs, nx)

    def at(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Level and σ at some pixels."""
        ny, nx = self.image.shape
        rows, across = between(self.ys, ny), between(self.xs, nx)
        a, b, f, c, d, g = rows[0][y], rows[1][y], rows[2][y], across[0][x], across[1][x], across[2][x]

        def blended(
            cells: NDArray[np.float64], f: NDArray[np.float64], g: NDArray[np.float64]
        ) -> NDArray[np.float64]:
            left = cells[a, c] + (cells[b, c] - cells[a, c]) * f
            right = cells[a, d] + (cells[b, d] - cells[a, d]) * f
            out: NDArray[np.float64] = left + (right - left) * g
            return out

        return blended(self.means, f, g), blended(self.sigmas, np.clip(f, 0, 1), np.clip(g, 0, 1))

    @property
    def level(self) -> float:
        """The typical level."""
        return float(np.median(self.means))

    @property
    def sigma(self) -> float:
        """The typical scatter."""
        return float(np.median(self.sigmas))


def local(image: NDArray[np.floating], side: int, least: float = 0.0) -> Local | None:
    """How each pixel of an image [any unit], shape (rows, columns), stands out of cells of about ``side`` pixels around it.

    A cell's mean and σ are those of what lies within 3 σ of its mean, σ made good for the cut: first of every fourth row, then of all pixels less the
    level that the cells around say. ``least`` is the smallest σ that
    is believed: that of rounding. Cells without four finite pixels are as the typical one; None where no cell has them.
    """
    from analysis.defects import local_kernels

    values = np.ascontiguousarray(image, dtype=np.float32)
    ys, xs = (np.linspace(0, n, max(1, round(n / side)) + 1).astype(np.int64) for n in values.shape)
    means, sigmas = np.empty((2, ys.size - 1, xs.size - 1))
    shrink = sqrt(1.0 - 2.0 * CLIP * exp(-0.5 * CLIP**2) / sqrt(2.0 * pi) / erf(CLIP / sqrt(2.0)))
    local_kernels.cells(values, ys, xs, _SAMPLE, CLIP, shrink, means, sigmas)
    known = np.isfinite(means)
    if not known.any():
        return None
    means[~known] = np.median(means[known])
    places = (*between(ys, values.shape[0]), *between(xs, values.shape[1]))
    sigmas[~known] = 0.0
    more, starts = np.empty_like(means), sigmas.copy()
    local_kernels.again(values, means, starts, *places, ys, xs, CLIP, shrink, more, sigmas)
    more[~known], sigmas[~known] = 0.0, np.median(sigmas[known])
    means += more
    # what float32 cannot tell apart is no scatter
    smallest = max(least, 4.0 * float(np.finfo(np.float32).eps) * float(np.abs(means).max()), 1e-30)
    np.maximum(sigmas, smallest, out=sigmas)
    return Local(means, sigmas, ys, xs, values)


def beyond_bounds(
    image: NDArray[np.float32], low: float, high: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pixels below ``low`` or above ``high``, in the order of rows; NaN is neither."""
    from analysis.defects import local_kernels

    at = local_kernels.outside(np.ascontiguousarray(image), np.float32(low), np.float32(high))
    y, x = np.divmod(at.astype(np.intp), image.shape[1])
    return y, x


def between(
    edges: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """For each of ``n`` lines the cells on both sides, and how far it is from the first's centre to the second's (beyond 0 … 1 outside)."""
    centres = 0.5 * (edges[1:] + edges[:-1] - 1)
    last = centres.size - 1
    first = np.clip(np.searchsorted(centres, np.arange(n), side="right") - 1, 0, max(last - 1, 0)).astype(
        np.int64
    )
    second = np.minimum(first + 1, last)
    width = np.maximum(centres[second] - centres[first], 1e-9)
    share = (np.arange(n) - centres[first]) / width if last else np.zeros(n)
    return first, second, share


def relative_to(image: NDArray[np.floating], around: Local) -> NDArray[np.float32]:
    """An image over the ordinary level around each pixel, which must be above zero; same shape, NaN where a pixel has no value."""
    return _against(around, np.maximum(around.means, 1e-30), image, 1.0)


def above_level(image: NDArray[np.floating], around: Local) -> NDArray[np.float32]:
    """An image less the ordinary level around each pixel, in its own unit; same shape, NaN where a pixel has no value."""
    return _against(around, np.ones_like(around.means), image)


def _against(
    around: Local, scale: NDArray[np.float64], image: NDArray[np.floating], more: float = 0.0
) -> NDArray[np.float32]:
    """An image less the ordinary level around each pixel, over a ``scale`` by cell, and ``more``."""
    from analysis.defects import local_kernels

    values = np.ascontiguousarray(image, dtype=np.float32)
    out = np.empty_like(values)
    local_kernels.against(values, around.means, scale, *around._places, np.float32(more), out)
    return out


def noise_of_mean(variance: NDArray[np.floating], frames: int) -> float | None:
    """σ by which an ordinary pixel of a mean of ``frames`` would differ, were it measured again; None for fewer than two frames.

    ``variance`` (rows, columns) is that of each pixel's single values. Its median is had from a sample of pixels, and is below the mean as that of
    χ² is (Wilson and Hilferty).
    """
    step = max(1, int(sqrt(variance.size / _NOISE_SAMPLE)))
    some = variance[::step, ::step]
    some = some[np.isfinite(some)]
    if frames < 2 or some.size == 0:
        return None
    dof = frames - 1
    return sqrt(float(np.median(some)) / (1.0 - 2.0 / (9.0 * dof)) ** 3 / frames)
