"""Structure of a master: its smooth shape, rows, columns and pixels, told apart from noise.

The noise of a master is not guessed and subtracted: structure is what two independent masters of the same scene
have in common, so the estimate is their covariance. It is unbiased, hence negative in half of the cases
where there is no structure; ``root`` says so instead of hiding it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import robust_std
from campaign.geometry import Channel
from campaign.model import Detector

Floats = NDArray[np.floating]

_GRID = 40
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


def smooth(image: Floats, degree: int = 5) -> NDArray[np.float64]:
    """The smooth shape of an image: a 2-D polynomial of total ``degree``, fitted to medians of a coarse grid.

    Same shape and unit as ``image``. The degree is lowered for images too small for it. NaN are left out;
    raises ValueError when nothing else is there.
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
    whole: NDArray[np.float64] = (
        _legendre(np.arange(ny), ny, degree) @ coefficients @ _legendre(np.arange(nx), nx, degree).T
    )
    return whole


def structure(first: Floats, second: Floats, degree: int = 5) -> Structure:
    """What two independent masters of the same scene [ADU, same shape] have in common about their smooth shapes.

    Pixels that stand out by six robust σ in either are left out as defects (``outliers``). Needs at least
    3 × 3 pixels; raises ValueError else.
    """
    if first.shape != second.shape or min(first.shape) < 3:
        raise ValueError(f"structure needs two images of one shape, not {first.shape} and {second.shape}")
    a, b = first - smooth(first, degree), second - smooth(second, degree)
    good = np.isfinite(a) & np.isfinite(b)
    for r in (a, b):
        with np.errstate(invalid="ignore"):
            good &= np.abs(r) <= _OUTLIER * max(robust_std(r), 1e-9)
    outliers = int(good.size - good.sum())
    a, b = _centred(a, good), _centred(b, good)
    ny, nx = a.shape
    by_column = _means(a, good, 0), _means(b, good, 0)
    by_row = _means(a, good, 1), _means(b, good, 1)
    a = _centred(a - by_column[0][np.newaxis, :] - by_row[0][:, np.newaxis], good)
    b = _centred(b - by_column[1][np.newaxis, :] - by_row[1][:, np.newaxis], good)
    rest = _covariance(a, b, int(good.sum()))
    scale = ny * nx / ((ny - 1.0) * (nx - 1.0))
    pixels = Variance(rest.value * scale, rest.error * scale, rest.n)
    columns = _of_means(*by_column, pixels, ny, degree)
    rows = _of_means(*by_row, pixels, nx, degree)
    parts = (columns, rows, pixels)
    whole = Variance(sum(p.value for p in parts), sqrt(sum(p.error**2 for p in parts)), pixels.n)
    return Structure(whole, columns, rows, pixels, outliers)


def gradient(image: Floats, channel: Channel, axis: int) -> tuple[float, float]:
    """Level of the tenth of rows (axis 0) or columns (axis 1) read last less that read first, and its error.

    In the image's unit; the error is from the scatter of the rows' (columns') medians in the two tenths.
    Raises ValueError when either tenth has no finite pixel.
    """
    profile = profile_of(image, axis)
    if channel.corner.startswith("upper") if axis == 0 else channel.corner.endswith("right"):
        profile = profile[::-1]
    tenth = max(2, profile.size // 10)
    near, far = profile[:tenth], profile[-tenth:]
    near, far = near[np.isfinite(near)], far[np.isfinite(far)]
    if near.size < 2 or far.size < 2:
        raise ValueError("too few finite pixels for a gradient")
    error = sqrt(near.var(ddof=1) / near.size + far.var(ddof=1) / far.size)
    return float(far.mean() - near.mean()), error


def profile_of(image: Floats, axis: int) -> NDArray[np.float64]:
    """The median of each row (axis 0) or column (axis 1); NaN where it has no finite pixel."""
    lit = np.isfinite(image).any(axis=1 - axis)
    out = np.full(image.shape[axis], np.nan)
    if lit.all() and np.isfinite(image).all():
        out[:] = np.median(image, axis=1 - axis)
    elif lit.any():
        out[lit] = np.nanmedian(image[lit] if axis == 0 else image[:, lit], axis=1 - axis)
    return out


def mosaic(
    planes: Mapping[str, Floats], detector: Detector
) -> tuple[NDArray[np.float32], tuple[tuple[str, int, int, int, int], ...]]:
    """Channels' planes on the detector's geometry, NaN elsewhere, and their outlines (label, y0, y1, x0, x1).

    Channels that live in different image extensions have no common coordinates: they are set side by side.
    """
    channels = [c for c in detector.geometry.channels if c.name in planes]
    outlines: list[tuple[str, int, int, int, int]] = []
    if len({c.hdu for c in detector.geometry.channels}) <= 1:
        whole = np.full(detector.geometry.shape, np.nan, np.float32)
        for c in channels:
            whole[c.image.slices] = planes[c.name]
            outlines.append((c.name, c.image.y0, c.image.y1, c.image.x0, c.image.x1))
        return whole, tuple(outlines)
    height = max(planes[c.name].shape[0] for c in channels)
    whole = np.full((height, sum(planes[c.name].shape[1] for c in channels)), np.nan, np.float32)
    x = 0
    for c in channels:
        ny, nx = planes[c.name].shape
        whole[:ny, x : x + nx] = planes[c.name]
        outlines.append((c.name, 0, ny, x, x + nx))
        x += nx
    return whole, tuple(outlines)


def _coarse(image: Floats) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Centres (y, x) and medians of about 40 × 40 cells of at least 4 × 4 pixels, where the image allows."""
    ys = _edges(image.shape[0])
    xs = _edges(image.shape[1])
    clean = bool(np.isfinite(image).all())
    high, wide = np.unique(np.diff(ys)), np.unique(np.diff(xs))
    if clean and high.size == wide.size == 1:  # cells of one size: all medians in one call
        cells = image.reshape(ys.size - 1, high[0], xs.size - 1, wide[0]).swapaxes(1, 2)
        out = np.median(cells.reshape(ys.size - 1, xs.size - 1, -1), axis=2).astype(np.float64)
    else:
        out = np.full((ys.size - 1, xs.size - 1), np.nan)
        for i in range(ys.size - 1):
            for j in range(xs.size - 1):
                cell = image[ys[i] : ys[i + 1], xs[j] : xs[j + 1]]
                cell = cell if clean else cell[np.isfinite(cell)]
                if cell.size:
                    out[i, j] = np.median(cell)
    return (ys[1:] + ys[:-1] - 1) / 2.0, (xs[1:] + xs[:-1] - 1) / 2.0, out


def _edges(n: int) -> NDArray[np.int64]:
    cells = max(1, min(_GRID, n // 4))
    return np.linspace(0, n, cells + 1).astype(np.int64)


def _legendre(at: Floats | NDArray[np.int64], n: int, degree: int) -> NDArray[np.float64]:
    out: NDArray[np.float64] = np.polynomial.legendre.legvander(
        2.0 * np.asarray(at) / max(n - 1, 1) - 1.0, degree
    )
    return out


def _centred(r: Floats, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.where(good, r, 0.0).astype(np.float64)
    return np.where(good, values - values.sum() / max(int(good.sum()), 1), 0.0)


def _means(r: NDArray[np.float64], good: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    means: NDArray[np.float64] = r.sum(axis=axis) / np.maximum(good.sum(axis=axis), 1)
    return means


def _covariance(a: NDArray[np.float64], b: NDArray[np.float64], n: int) -> Variance:
    if n < 3:
        raise ValueError("too few pixels for a covariance")
    value = float((a * b).sum()) / (n - 1)
    variances = float((a * a).sum()) * float((b * b).sum()) / (n - 1) ** 2
    return Variance(value, sqrt((variances + value * value) / n), n)


def _of_means(
    a: NDArray[np.float64], b: NDArray[np.float64], pixels: Variance, per_mean: int, degree: int
) -> Variance:
    """Variance of means of ``per_mean`` pixels, less what the pixels' own structure puts into it.

    The smooth shape took ``degree`` of the means' degrees of freedom with it, which is made good.
    """
    found = _covariance(a - a.mean(), b - b.mean(), a.size)
    scale = max(a.size - 1 - degree, 1) / (a.size - 1)
    value = found.value / scale - pixels.value / per_mean
    return Variance(value, sqrt((found.error / scale) ** 2 + (pixels.error / per_mean) ** 2), a.size)
