"""The response of pixels: a master over a smooth shape, and what two halves of it have in common."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.flat.shape import Shape, polynomial, spline
from analysis.statistics import clip_factor, robust_std
from analysis.structure import Variance, structure_of
from campaign.frozen import dataclass

_OUTLIER = 6.0  # in robust σ: no part of the pattern
_CLIP = 5.0
_SAMPLE = 20_000  # pixels that settle where outliers begin, to 1 % of σ

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Response:
    """The response of the pixels of a channel.

    ``pixels`` of the image's shape, ``odd`` the places (in the flattened image) of those beyond the bounds or without a value; ``rows`` and ``columns`` their means without
    outliers. ``pattern`` is the variance that two halves have in common, ``between`` ± its error the noise of their difference [ADU].
    """

    pixels: Image
    odd: NDArray[np.intp]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    pattern: Variance
    between: float
    between_error: float


def response_of(
    image: Image,
    first: Image,
    second: Image,
    shape: Shape,
    *,
    cell: float,
    degree: int,
    bounds: tuple[float, float],
    ratio_to: tuple[Image, Image, Image] | None = None,
) -> Response:
    """The response of a master ``image`` [ADU] with two halves, over its polynomial ``shape``, or over a spline through cells of ``cell`` pixels (0: none).

    With ``ratio_to``, another master and its halves, it is the ratio to that, over the polynomial of the ratio. ``bounds``: what is no odd response.
    Raises ValueError when the shape is not positive everywhere or too few pixels are left.
    """
    from analysis.flat import response_kernels

    noise, error = 0.0, 0.0
    if cell > 0:
        shape = spline(image, cell)
    elif ratio_to is not None:
        _, noise, error = _in_common(first, second, shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            image, *ratios = (a / b for a, b in zip((image, first, second), ratio_to, strict=True))
        for ratio in (image, *ratios):
            ratio[~np.isfinite(ratio)] = np.nan
        shape, first, second = polynomial(image, degree), ratios[0], ratios[1]
    pixels, odd = np.empty_like(image), np.empty(image.shape, np.uint8)
    by_row, by_column = np.zeros((2, image.shape[0])), np.zeros((2, image.shape[1]))
    low, high = (np.float32(b) for b in bounds)
    least = response_kernels.over_shape(image, *shape.terms, low, high, pixels, odd, by_row, by_column)
    if not least > 0:
        raise ValueError("the smooth shape of the flat is not positive everywhere")
    pattern, *between = _in_common(first, second, shape)
    if ratio_to is None:
        noise, error = between
    with np.errstate(invalid="ignore", divide="ignore"):
        rows, columns = (1.0 + sums[1] / sums[0] for sums in (by_row, by_column))
    return Response(pixels, np.flatnonzero(odd), rows, columns, pattern, noise, error)


def _in_common(first: Image, second: Image, shape: Shape) -> tuple[Variance, float, float]:
    """The variance that two halves over a shape have in common, and the noise of their difference ± its error [unit of the halves]."""
    from analysis.flat import response_kernels

    step = max(1, int(sqrt(first.size / _SAMPLE)))
    a, b = (half[::step, ::step] for half in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        samples = [half / shape.thinned(step) - 1.0 for half in (a, b)]
    samples.append(a - b)
    if not all(np.isfinite(s).any() for s in samples):
        raise ValueError("too few pixels for a covariance")
    centres = np.array([np.median(s[np.isfinite(s)]) for s in samples], np.float32)
    spreads = np.array([robust_std(s) for s in samples])
    reach = np.maximum(np.array([_OUTLIER, _OUTLIER, _CLIP]) * spreads, 1e-9).astype(np.float32)
    by_row, by_column, totals = np.zeros((3, first.shape[0])), np.zeros((5, first.shape[1])), np.zeros(6)
    response_kernels.common(first, second, *shape.terms, centres, reach, by_row, by_column, totals)
    squares1, squares2, products, n, total, squares = totals.tolist()
    found = structure_of(by_row, by_column, np.array([products, squares1, squares2]), first.size).total
    if n < 3:
        raise ValueError("too few pixels for the noise")
    std = sqrt(max(squares - total * total / n, 0.0) / (n - 1.0)) / clip_factor(_CLIP)
    # relative to the mean response: means of cells lie below bowed light by their curvature, and so does a spline through them
    means = 1.0 + centres[:2] + by_row[1:].sum(axis=1) / by_row[0].sum()
    scale = shape.left * float(means[0] * means[1])
    return Variance(found.value / scale, found.error / scale, found.n), std, std / sqrt(2.0 * n)
