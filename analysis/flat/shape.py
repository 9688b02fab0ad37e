"""What the response of pixels is told from: the smooth shape of the illumination, by a polynomial or a spline, and dark regions that are dust."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.defects.shapes import islands
from analysis.statistics import clipped
from analysis.structure import smooth
from campaign.frozen import dataclass

_CLIP = 5.0
_BOX = 5
_SIGNIFICANT = 5.0
_SAMPLE = 50_000
"""Means of boxes that settle their median and scatter: to 0.5 % of σ."""


@dataclass(frozen=True)
class Shape:
    """A smooth shape of an image: row y is ``weights[y]`` times the lines ``across[starts[y]]`` and those that follow.

    ``starts`` (rows), ``weights`` (rows, terms of a row), ``across`` (all terms, columns) [unit of the image]. ``left`` is what it leaves of the variance
    of independent pixels: it is a linear smoother S of N pixels, and takes 2 tr S / N − tr SᵀS / N with it.
    """

    starts: NDArray[np.int64]
    weights: NDArray[np.float32]
    across: NDArray[np.float32]
    left: float

    @property
    def size(self) -> int:
        """Pixels of the image."""
        return int(self.starts.size * self.across.shape[1])

    @property
    def terms(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """As the kernels take it."""
        return self.starts, self.weights, self.across

    def thinned(self, step: int = 1) -> NDArray[np.float32]:
        """The shape of every ``step``-th pixel of every ``step``-th row."""
        thin = np.ascontiguousarray(self.across[:, ::step])
        out = np.zeros((self.starts[::step].size, thin.shape[1]), np.float32)
        for k in range(self.weights.shape[1]):
            out += self.weights[::step, k, np.newaxis] * thin[self.starts[::step] + k]
        return out

    def profile(self, axis: int) -> NDArray[np.float64]:
        """The mean of each row (axis 0) or column (axis 1)."""
        places = self.starts[:, np.newaxis] + np.arange(self.weights.shape[1])
        if axis == 0:
            lines = self.across.mean(axis=1, dtype=np.float64)
            return np.asarray((self.weights * lines[places]).sum(axis=1))
        shares = np.bincount(places.ravel(), self.weights.ravel().astype(np.float64), len(self.across))
        return np.asarray(shares @ self.across.astype(np.float64) / self.starts.size)


def polynomial(image: NDArray[np.float32], degree: int) -> Shape:
    """The 2-D polynomial of ``analysis.structure.smooth``. Raises ValueError when nothing is finite."""
    found = smooth(image, degree)
    terms = min((degree + 1) * (degree + 2) // 2, image.size)
    return Shape(
        np.zeros(image.shape[0], np.int64), found.rows.astype(np.float32), found.across.astype(np.float32), 1.0 - terms / image.size
    )  # fmt: skip


def spline(image: NDArray[np.float32], side: float) -> Shape:
    """The bicubic spline through the means of cells of about ``side`` pixels.

    Each cell's mean is without what lies beyond 5 robust σ of its median, and takes part of its own pixels' deviations with it
    (S = S_y ⊗ S_x). Raises ValueError when nothing is finite.
    """
    from analysis import tile_kernels

    down, along = (_Through.cells(n, max(round(n / side), 1)) for n in image.shape)
    means = tile_kernels.cell_means(
        np.ascontiguousarray(image, np.float32), down.edges, along.edges, 1 if side < 16 else 2, _CLIP
    )
    if not np.isfinite(means).any():
        raise ValueError("no finite pixel to fit a smooth shape to")
    across = (down.coefficients @ _filled(means) @ along.whole().T).astype(np.float32)
    lost = (2.0 * down.trace * along.trace - down.squares * along.squares) / image.size
    return Shape(down.starts, down.weights.astype(np.float32), across, max(1.0 - lost, 0.1))


@dataclass(frozen=True)
class _Through:
    """The spline through cells along one axis: B-splines from ``starts`` on with ``weights`` (pixels, terms), whose coefficients are ``coefficients`` times the cells' means.

    ``trace`` and ``squares`` are tr S and tr SᵀS of the smoother along this axis.
    """

    edges: NDArray[np.int64]
    starts: NDArray[np.int64]
    weights: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    trace: float
    squares: float

    @staticmethod
    @lru_cache(maxsize=16)
    def cells(n: int, number: int) -> _Through:
        """Of ``n`` pixels in so many cells."""
        edges = np.linspace(0, n, number + 1).astype(np.int64)
        widths, centres = np.diff(edges), (edges[1:] + edges[:-1] - 1) / 2.0
        if number == 1:
            starts, weights, coefficients = np.zeros(n, np.int64), np.ones((n, 1)), np.ones((1, 1))
        else:
            from scipy.interpolate import BSpline, make_interp_spline

            degree = min(3, number - 1)
            through = make_interp_spline(centres, np.eye(number), k=degree)
            found = BSpline.design_matrix(np.arange(n, dtype=np.float64), through.t, degree, extrapolate=True)
            weights = found.data.reshape(n, degree + 1)
            starts = found.indices.reshape(n, degree + 1)[:, 0].astype(np.int64)
            coefficients = np.asarray(through.c)
        out = _Through(edges, starts, weights, coefficients, 0.0, 0.0)
        matrix, cell = out.whole(), np.repeat(np.arange(number), widths)
        trace = float((matrix[np.arange(n), cell] / widths[cell]).sum())
        return _Through(
            edges, starts, weights, coefficients, trace, float(((matrix**2).sum(axis=0) / widths).sum())
        )

    def whole(self) -> NDArray[np.float64]:
        """The matrix (pixels, cells) that takes means of cells to the spline through them."""
        out = np.zeros((self.starts.size, len(self.coefficients)))
        for k in range(self.weights.shape[1]):
            out += self.weights[:, k, np.newaxis] * self.coefficients[self.starts + k]
        return out


def _filled(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of cells, those without a finite pixel that of the nearest with one."""
    lacking = ~np.isfinite(means)
    if not lacking.any():
        return means
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(lacking, return_distances=False, return_indices=True)
    out: NDArray[np.float64] = means[tuple(nearest)]
    return out


def dust(
    image: NDArray[np.float32], shape: Shape, bad: NDArray[np.bool_], depth: float, least: int
) -> tuple[int, NDArray[np.intp], NDArray[np.intp]]:
    """Dark regions of an image over its smooth shape: how many, and their pixels (rows, columns).

    The mean of 5 × 5 pixels (``bad`` ones count as 1) lies below 1 by ``depth`` and by five of its robust σ, in ``least`` touching pixels or more that are three rows high and three columns wide at least
    (a column is no dust).
    """
    from analysis.flat import response_kernels

    mean = np.empty(image.shape, np.float32)
    response_kernels.box_means(image, *shape.terms, bad.view(np.uint8), mean)
    step = max(1, int(sqrt(mean.size / _SAMPLE)))
    core = clipped(mean[::step, ::step])
    low = np.flatnonzero(mean < np.float32(min(core.median - depth, core.median - _SIGNIFICANT * core.std)))
    y, x = np.divmod(low, image.shape[1])
    of = islands(y, x)
    number = int(of.max()) + 1 if of.size else 0
    most = int(mean.size)
    wide = np.full(number, most)
    for at in (y, x):
        first, last = np.full(number, most), np.full(number, -1)
        np.minimum.at(first, of, at)
        np.maximum.at(last, of, at)
        wide = np.minimum(wide, last - first + 1)
    spots = (np.bincount(of, minlength=number) >= least) & (wide >= 3 + _BOX - 1)
    inside = spots[of] if number else np.zeros(0, bool)
    return int(spots.sum()), y[inside], x[inside]
