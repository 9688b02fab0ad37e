"""Structure of a master: its smooth shape, rows, columns and pixels, told apart from noise.

The noise of a master is not guessed and subtracted: structure is what two independent masters of the same scene
have in common, so the estimate is their covariance. It is unbiased, hence negative in half of the cases
where there is no structure; ``root`` says so instead of hiding it.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import robust_std
from campaign.frozen import dataclass

Floats = NDArray[np.floating]

_GRID = 40
_OF_CELL = 256  # pixels that settle a cell's median, about which outliers are left out
_CELL_CLIP = 5.0  # in robust σ
_OF_SPREAD = 20_000  # pixels that settle where outliers begin, to 1 % of σ
_OUTLIER = 6.0


@dataclass(frozen=True)
class Variance:
    """A variance that may come out negative, its standard error, and how many independent values it rests on."""

    value: float
    error: float
    n: int

    def root(self) -> tuple[float, float, tuple[str, ...]]:
        """The rms, its uncertainty and flags: within three errors of nothing it is 'consistent-with-zero'."""
        if self.value > 3.0 * self.error:
            rms = sqrt(self.value)
            return rms, self.error / (2.0 * rms), ()
        rms = sqrt(max(self.value, 0.0))
        return rms, sqrt(max(self.value, 0.0) + self.error) - rms, ("consistent-with-zero",)


@dataclass(frozen=True)
class Structure:
    """Variances of a master about its smooth shape [ADU²]: all, of the columns' and rows' means, and of the rest."""

    total: Variance
    columns: Variance
    rows: Variance
    pixels: Variance
    outliers: int


@dataclass(frozen=True)
class Smooth:
    """The smooth shape of an image: a 2-D polynomial of some total degree, fitted to means of cells.

    ``rows`` (rows, terms) are its coefficients of the polynomials ``across`` (terms, columns) in each row.
    """

    rows: NDArray[np.float64]
    across: NDArray[np.float64]

    def whole(self) -> NDArray[np.float32]:
        """The shape as an image, in the unit of what it was fitted to."""
        out: NDArray[np.float32] = self.rows.astype(np.float32) @ self.across.astype(np.float32)
        return out


def smooth(image: Floats, degree: int = 5) -> Smooth:
    """The smooth shape of an image [any unit], shape (rows, columns).

    It follows the means of a grid of about 40 × 40 cells, each without what lies beyond five robust σ of its median. (Medians themselves would
    follow the steps of the converter, which masters of few frames still show.) The degree is lowered for images too small for it. NaN are left out; raises ValueError when nothing else is there.
    """
    ys, xs, middle = _coarse(image)
    good = np.isfinite(middle)
    if not good.any():
        raise ValueError("no finite pixel to fit a smooth shape to")
    degree = max(0, min(degree, ys.size - 1, xs.size - 1, int(sqrt(good.sum())) - 1))
    ny, nx = image.shape
    vy, vx = _legendre(ys, ny, degree), _legendre(xs, nx, degree)
    terms = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    design = np.stack([np.outer(vy[:, i], vx[:, j])[good] for i, j in terms], axis=1)
    fitted = np.linalg.lstsq(design, middle[good], rcond=None)[0]
    coefficients = np.zeros((degree + 1, degree + 1))
    for (i, j), c in zip(terms, fitted, strict=True):
        coefficients[i, j] = c
    rows: NDArray[np.float64] = _legendre(np.arange(ny), ny, degree) @ coefficients
    across = np.ascontiguousarray(_legendre(np.arange(nx), nx, degree).T)
    return Smooth(rows, across)


def structure(first: Floats, second: Floats, degree: int = 5) -> Structure:
    """What two independent masters of the same scene [ADU, same shape] have in common about their smooth shapes.

    Pixels that stand out by six robust σ in either are left out as defects (``outliers``). Needs at least
    3 × 3 pixels; raises ValueError else.
    """
    if first.shape != second.shape or min(first.shape) < 3:
        raise ValueError(f"structure needs two images of one shape, not {first.shape} and {second.shape}")
    from analysis import image_kernels

    one, two = (np.ascontiguousarray(image, dtype=np.float32) for image in (first, second))
    shapes = smooth(one, degree), smooth(two, degree)
    most1, most2 = (_OUTLIER * max(_spread(i, s), 1e-9) for i, s in ((one, shapes[0]), (two, shapes[1])))
    (rows1, rows2), across = (s.rows for s in shapes), shapes[0].across
    sums = image_kernels.common_sums(one, two, rows1, rows2, across, most1, most2)
    return structure_of(*sums, one.size, degree)


def structure_of(
    by_row: NDArray[np.float64],
    by_column: NDArray[np.float64],
    products: NDArray[np.float64],
    size: int,
    degree: int = 0,
) -> Structure:
    """The same from sums over the pixels kept of ``size``: of both images' deviations by row (3, rows) and column (5, columns), as ``image_kernels.common_sums`` has them.

    Raises ValueError for too few pixels.
    """
    n = int(by_row[0].sum())
    if n < 3:
        raise ValueError("too few pixels for a covariance")
    means = by_row[1:].sum(axis=1) / n
    rows, columns = (_means(s[0], s[1:3], means) for s in (by_row, by_column))
    # by column: the sum over kept pixels of the means of their rows
    lost = np.count_nonzero(by_row[0]) - by_column[0]
    of_their_rows = rows.sum(axis=1, keepdims=True) - (by_column[3:] - np.outer(means, lost))
    left = [
        float(products[k] - n * means[i] * means[j] - by_row[0] @ (rows[i] * rows[j]) - by_column[0] @ (columns[i] * columns[j])
              + of_their_rows[i] @ columns[j] + of_their_rows[j] @ columns[i])
        for k, (i, j) in enumerate(((0, 1), (0, 0), (1, 1)))
    ]  # fmt: skip
    rest = _covariance(left[0], left[1], left[2], n)
    ny, nx = by_row.shape[1], by_column.shape[1]
    scale = ny * nx / ((ny - 1.0) * (nx - 1.0))
    pixels = Variance(rest.value * scale, rest.error * scale, rest.n)
    of_columns = _of_means(columns, pixels, ny, degree)
    of_rows = _of_means(rows, pixels, nx, degree)
    parts = (of_columns, of_rows, pixels)
    whole = Variance(sum(p.value for p in parts), sqrt(sum(p.error**2 for p in parts)), pixels.n)
    return Structure(whole, of_columns, of_rows, pixels, size - n)


def _coarse(image: Floats) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Centres (y, x) and means without outliers of about 40 × 40 cells of at least 4 × 4 pixels, where the image allows."""

    from analysis import tile_kernels

    ys, xs = _edges(image.shape[0]), _edges(image.shape[1])
    largest = int(np.diff(ys).max() * np.diff(xs).max())
    step = max(1, round(sqrt(largest / _OF_CELL)))
    values = np.ascontiguousarray(image, dtype=np.float32)
    means = tile_kernels.cell_means(values, ys, xs, step, _CELL_CLIP)
    return (ys[1:] + ys[:-1] - 1) / 2.0, (xs[1:] + xs[:-1] - 1) / 2.0, means


def _edges(n: int) -> NDArray[np.int64]:
    cells = max(1, min(_GRID, n // 4))
    return np.linspace(0, n, cells + 1).astype(np.int64)


def _legendre(at: Floats | NDArray[np.int64], n: int, degree: int) -> NDArray[np.float64]:
    out: NDArray[np.float64] = np.polynomial.legendre.legvander(
        2.0 * np.asarray(at) / max(n - 1, 1) - 1.0, degree
    )
    return out


def _spread(image: NDArray[np.float32], shape: Smooth) -> float:
    """Robust σ of an image about its smooth shape, of a sample of its pixels."""
    from analysis import image_kernels

    step = max(1, int(sqrt(image.size / _OF_SPREAD)))
    return robust_std(image_kernels.sampled_residual(image, shape.rows, shape.across, step))


def _means(
    counts: NDArray[np.float64], sums: NDArray[np.float64], less: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Means of rows (columns) of both images less their own mean, shape (2, lines); 0 where nothing was kept."""
    out: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1.0) - less[:, np.newaxis], 0.0)
    return out


def _covariance(products: float, squares_a: float, squares_b: float, n: int) -> Variance:
    if n < 3:
        raise ValueError("too few pixels for a covariance")
    value = products / (n - 1)
    variances = squares_a * squares_b / (n - 1) ** 2
    return Variance(value, sqrt((variances + value * value) / n), n)


def _of_means(means: NDArray[np.float64], pixels: Variance, per_mean: int, degree: int) -> Variance:
    """Variance of means of ``per_mean`` pixels, less what the pixels' own structure puts into it.

    The smooth shape took ``degree`` of the means' degrees of freedom with it, which is made good.
    """
    a, b = means - means.mean(axis=1, keepdims=True)
    found = _covariance(float(a @ b), float(a @ a), float(b @ b), a.size)
    scale = max(a.size - 1 - degree, 1) / (a.size - 1)
    value = found.value / scale - pixels.value / per_mean
    return Variance(value, sqrt((found.error / scale) ** 2 + (pixels.error / per_mean) ** 2), a.size)
