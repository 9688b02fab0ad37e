"""Compiled kernels of master flats: pixels over a smooth shape that is never written out, row by row.

A smooth shape (``analysis.flat.shape.Shape``) is a few terms along each row: making a row of it again costs less than reading it. Sums of a row are
folded in halves, in single precision within the row and in double precision between rows, so that they have one order on every processor.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]
Places = NDArray[np.int64]
Mask = NDArray[np.uint8]

_HUGE = np.float32(3.0e38)
_NONE = np.float32(0.0)
_ONE = np.float32(1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _folded(lanes: Image) -> np.float64:
    """The sum of a row's values, which are used up."""
    width = lanes.size
    while width > 1:
        half = width // 2
        if width % 2:
            lanes[0] += lanes[width - 1]
        upper = lanes[half : 2 * half]
        for p in range(half):
            lanes[p] += upper[p]
        width = half
    return np.float64(lanes[0])


@njit(cache=True, nogil=True, error_model="numpy")
def _shape_of(start: int, weights: Image, across: Image, out: Image) -> None:
    """One row of a smooth shape."""
    line, weight = across[start], weights[0]
    for x in range(out.size):
        out[x] = weight * line[x]
    for k in range(1, weights.size):
        line, weight = across[start + k], weights[k]
        for x in range(out.size):
            out[x] += weight * line[x]


@njit(cache=True, nogil=True, error_model="numpy")
def together(
    first: Image, n1: NDArray[np.uint16], second: Image, n2: NDArray[np.uint16], mean: Image
) -> None:
    """The mean of two halves, each pixel weighted with its number of values; NaN of none."""
    for y in range(mean.shape[0]):
        a, b, na, nb, out = first[y], second[y], n1[y], n2[y], mean[y]
        for x in range(out.size):
            p, q = np.float32(na[x]), np.float32(nb[x])
            both = a[x] + (b[x] - a[x]) * (q / (p + q))
            one = b[x] if p == _NONE else a[x]
            out[x] = both if (p > _NONE) & (q > _NONE) else one


@njit(cache=True, nogil=True, error_model="numpy")
def common(
    first: Image, second: Image, starts: Places, weights: Image, across: Image,
    centres: Image, reach: Image, by_row: Doubles, by_column: Doubles, totals: Doubles,
) -> None:  # fmt: skip
    """Sums of what two halves deviate by from a shape, over it, and of their difference.

    Kept are pixels whose deviations are within ``reach`` of ``centres`` (first, second); of the difference [ADU], by itself, those within the third.
    ``by_row`` (3, rows) and ``by_column`` (5, columns): number, sums of both, sums over pixels left out of the means of their rows; ``totals``: squares of both, products; number, sum, squares of
    the difference. Deviations are from the centres.
    """
    rows, columns = first.shape
    shape = np.empty(columns, np.float32)
    n, a, b = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    work, kept = np.empty((6, columns), np.float32), np.empty(columns, np.float32)
    c1, c2, c3, r1, r2, r3 = centres[0], centres[1], centres[2], reach[0], reach[1], reach[2]
    for y in range(rows):
        _shape_of(starts[y], weights[y], across, shape)
        one, two = first[y], second[y]
        for x in range(columns):
            da, db = one[x] / shape[x] - _ONE - c1, two[x] / shape[x] - _ONE - c2
            good = (abs(da) <= r1) & (abs(db) <= r2)
            n[x] = _ONE if good else _NONE
            a[x] = da if good else _NONE
            b[x] = db if good else _NONE
        for x in range(columns):
            by_column[0, x] += n[x]
        for x in range(columns):
            by_column[1, x] += a[x]
        for x in range(columns):
            by_column[2, x] += b[x]
        aa, bb, ab = work[0], work[1], work[2]
        for x in range(columns):
            aa[x] = a[x] * a[x]
            bb[x] = b[x] * b[x]
            ab[x] = a[x] * b[x]
        m, d, dd = work[3], work[4], work[5]
        for x in range(columns):
            v = one[x] - two[x] - c3
            near = abs(v) <= r3
            v = v if near else _NONE
            m[x] = _ONE if near else _NONE
            d[x] = v
            dd[x] = v * v
        kept[:] = n
        number = _folded(n)
        by_row[0, y], by_row[1, y], by_row[2, y] = number, _folded(a), _folded(b)
        if 0.0 < number < columns:
            mean_a, mean_b = by_row[1, y] / number, by_row[2, y] / number
            for x in range(columns):
                by_column[3, x] += mean_a * np.float64(_ONE - kept[x])
                by_column[4, x] += mean_b * np.float64(_ONE - kept[x])
        for k in range(6):
            totals[k] += _folded(work[k])


@njit(cache=True, nogil=True, error_model="numpy")
def over_shape(
    image: Image, starts: Places, weights: Image, across: Image, dark: np.float32, bright: np.float32,
    out: Image, odd: Mask, by_row: Doubles, by_column: Doubles,
) -> np.float32:  # fmt: skip
    """An image over its shape; ``odd`` is 1 where it is below ``dark``, above ``bright`` or no number, else 0. Returns the lowest value of the shape.

    ``by_row`` (2, rows) and ``by_column`` (2, columns): number and sum, less 1, of what is not odd.
    """
    rows, columns = image.shape
    shape, n, a = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    least = np.full(columns, np.float32(np.inf))
    for y in range(rows):
        _shape_of(starts[y], weights[y], across, shape)
        row, held, marked = image[y], out[y], odd[y]
        for x in range(columns):
            v = row[x] / shape[x]
            held[x] = v
            good = (v >= dark) & (v <= bright)
            marked[x] = 0 if good else 1
            n[x] = _ONE if good else _NONE
            a[x] = v - _ONE if good else _NONE
            least[x] = shape[x] if shape[x] < least[x] else least[x]
        for x in range(columns):
            by_column[0, x] += n[x]
        for x in range(columns):
            by_column[1, x] += a[x]
        by_row[0, y], by_row[1, y] = _folded(n), _folded(a)
    return np.float32(least.min())


@njit(cache=True, nogil=True, error_model="numpy")
def box_means(image: Image, starts: Places, weights: Image, across: Image, bad: Mask, out: Image) -> None:
    """Means of 5 × 5 pixels of an image over a shape, those ``bad`` (not 0) or no numbers counting as 1; at the edges the outermost count again."""
    rows, columns = image.shape
    shape, held = np.empty(columns, np.float32), np.empty((5, columns), np.float32)
    wide = np.empty(columns + 4, np.float32)
    share = np.float32(1.0 / 25.0)
    for y in range(-2, rows + 2):
        if 0 <= y < rows:
            _shape_of(starts[y], weights[y], across, shape)
            row, lost, into = image[y], bad[y], held[y % 5]
            for x in range(columns):
                v = row[x] / shape[x]
                into[x] = v if (abs(v) < _HUGE) & (lost[x] == 0) else _ONE
        at = y - 2
        if at < 0:
            continue
        five = wide[2 : 2 + columns]
        five[:] = _NONE
        for k in range(at - 2, at + 3):
            line = held[min(max(k, 0), rows - 1) % 5]
            for x in range(columns):
                five[x] += line[x]
        wide[0], wide[1] = wide[2], wide[2]
        wide[columns + 2], wide[columns + 3] = wide[columns + 1], wide[columns + 1]
        into = out[at]
        for x in range(columns):
            into[x] = (wide[x] + wide[x + 1] + wide[x + 2] + wide[x + 3] + wide[x + 4]) * share


def warm() -> None:
    """Compile the kernels, or load them from the cache of an earlier run, for the types they are used with."""
    image, count, mask = np.ones((6, 6), np.float32), np.ones((6, 6), np.uint16), np.zeros((6, 6), np.uint8)
    shape = np.zeros(6, np.int64), np.ones((6, 1), np.float32), np.ones((1, 6), np.float32)
    one, lines = np.float32(1.0), np.zeros((5, 6))
    together(image, count, image, count, image.copy())
    common(
        image,
        image,
        *shape,
        np.zeros(3, np.float32),
        np.ones(3, np.float32),
        lines,
        lines.copy(),
        np.zeros(6),
    )
    over_shape(image, *shape, one, one, image.copy(), mask, np.zeros((2, 6)), np.zeros((2, 6)))
    box_means(image, *shape, mask, image.copy())
