"""Compiled kernels over one or two images: distributions, smooth residuals, rows and columns, maps.

Imported only when pixels are worked on: importing numba costs half a second. Loops run along rows and add into one
accumulator per column, and sums are folded in halves, so that they become vector instructions without
leave to reorder: the same bytes on every processor, and errors of sums that grow with the logarithm of their length.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.uint8]

_HUGE = np.float32(3.0e38)


@njit(cache=True, nogil=True, error_model="numpy")
def folded(lanes: Doubles, width: int) -> float:
    """The sum of the first ``width`` lanes, which are used up."""
    while width > 1:
        half = width // 2
        if width % 2:
            lanes[0] += lanes[width - 1]
        for p in range(half):
            lanes[p] += lanes[half + p]
        width = half
    return float(lanes[0])


@njit(cache=True, nogil=True, error_model="numpy")
def fill(values: Image, low: float, scale: float, counts: Counts) -> int:
    """Count finite values of (rows, columns) into equal bins from ``low`` on, the end bins open; returns those not finite."""
    rows, columns = values.shape
    place = np.empty(columns, np.int32)
    last = counts.size - 1
    top = np.float32(last)
    start, steep = np.float32(low), np.float32(scale)
    lost = 0
    for y in range(rows):
        row = values[y]
        for x in range(columns):
            at = (row[x] - start) * steep
            at = at if at > np.float32(0) else np.float32(0)
            place[x] = np.int32(at if at < top else top)
        bad = 0
        for x in range(columns):
            bad += 0 if abs(row[x]) < _HUGE else 1
        if bad:
            lost += bad
            for x in range(columns):
                if abs(row[x]) < _HUGE:
                    counts[place[x]] += 1
        else:
            for x in range(columns):
                counts[place[x]] += 1
    return lost


@njit(cache=True, nogil=True, error_model="numpy")
def gather(values: Image, low: float, scale: float, top: int, wanted: Mask, out: Image) -> int:
    """Copy the finite values whose bin (as of ``fill`` with ``top`` + 1 bins) is ``wanted``; returns how many."""
    rows, columns = values.shape
    start, steep, most = np.float32(low), np.float32(scale), np.float32(top)
    n = 0
    for y in range(rows):
        for x in range(columns):
            v = values[y, x]
            at = (v - start) * steep
            at = at if at > np.float32(0) else np.float32(0)
            place = np.int32(at if at < most else most)
            if wanted[place] and abs(v) < _HUGE:
                out[n] = v
                n += 1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def within(values: Image, low: float, high: float, centre: float) -> tuple[int, int, float, float]:
    """Of (rows, columns): values below ``low``, values within low … high, and the sums of their deviations from ``centre`` and of the squares."""
    rows, columns = values.shape
    first, second = np.zeros(columns), np.zeros(columns)
    below = kept = 0
    for y in range(rows):
        row = values[y]
        less = inside = 0
        for x in range(columns):
            v = np.float64(row[x])
            less += 1 if v < low and v > -3.0e38 else 0
            good = (v >= low) & (v <= high)
            inside += 1 if good else 0
            d = v - centre if good else 0.0
            first[x] += d
            second[x] += d * d
        below += less
        kept += inside
    return below, kept, folded(first, columns), folded(second, columns)


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth_row(of_row: Doubles, in_x: Doubles, out: Doubles) -> None:
    """One row of the smooth shape: its coefficients times polynomials along x, shape (terms, columns)."""
    for x in range(out.size):
        out[x] = of_row[0] * in_x[0, x]
    for k in range(1, of_row.size):
        c = of_row[k]
        terms = in_x[k]
        for x in range(out.size):
            out[x] += c * terms[x]


@njit(cache=True, nogil=True, error_model="numpy")
def sampled_residual(image: Image, by_row: Doubles, in_x: Doubles, step: int) -> Doubles:
    """Image less smooth shape at every ``step``-th pixel of every ``step``-th row, as one array."""
    rows, columns = image.shape
    shape = np.empty(columns)
    wide = (columns + step - 1) // step
    out = np.empty(((rows + step - 1) // step) * wide)
    n = 0
    for y in range(0, rows, step):
        _smooth_row(by_row[y], in_x, shape)
        for x in range(0, columns, step):
            out[n] = image[y, x] - shape[x]
            n += 1
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _residuals(
    first: Image, second: Image, a: Doubles, b: Doubles, most_a: float, most_b: float, keep: Doubles
) -> None:
    """Smooth shapes a, b of a row → residuals, 0 where left out, and 1 or 0 for kept or not."""
    for x in range(a.size):
        da, db = np.float64(first[x]) - a[x], np.float64(second[x]) - b[x]
        good = (abs(da) <= most_a) & (abs(db) <= most_b)
        a[x] = da if good else 0.0
        b[x] = db if good else 0.0
        keep[x] = 1.0 if good else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def common_sums(
    first: Image, second: Image, rows_a: Doubles, rows_b: Doubles, in_x: Doubles, most_a: float, most_b: float
) -> tuple[Doubles, Doubles, Doubles]:
    """Numbers kept and sums of both residuals by row, shape (3, rows), and by column, shape (5, columns); sums of products ab, aa, bb.

    By column there are also the sums over pixels left out of the means of their rows, first and second.

    ``rows_a`` and ``rows_b`` (rows, terms) with ``in_x`` (terms, columns) are the smooth shapes; kept are pixels whose residuals
    are at most ``most_a`` and ``most_b``.
    """
    rows, columns = first.shape
    a, b, keep, work = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    by_row, by_column, products = np.zeros((3, rows)), np.zeros((5, columns)), np.zeros(3)
    for y in range(rows):
        _smooth_row(rows_a[y], in_x, a)
        _smooth_row(rows_b[y], in_x, b)
        _residuals(first[y], second[y], a, b, most_a, most_b, keep)
        for x in range(columns):
            by_column[0, x] += keep[x]
        for x in range(columns):
            by_column[1, x] += a[x]
        for x in range(columns):
            by_column[2, x] += b[x]
        for x in range(columns):
            work[x] = a[x] * b[x]
        products[0] += folded(work, columns)
        for x in range(columns):
            work[x] = a[x] * a[x]
        products[1] += folded(work, columns)
        for x in range(columns):
            work[x] = b[x] * b[x]
        products[2] += folded(work, columns)
        work[:] = keep
        n = folded(work, columns)
        by_row[0, y] = n
        by_row[1, y] = folded(a, columns)
        by_row[2, y] = folded(b, columns)
        if 0.0 < n < columns:
            mean_a, mean_b = by_row[1, y] / n, by_row[2, y] / n
            for x in range(columns):
                by_column[3, x] += mean_a * (1.0 - keep[x])
                by_column[4, x] += mean_b * (1.0 - keep[x])
    return by_row, by_column, products


@njit(cache=True, nogil=True, error_model="numpy")
def ruled_by_row(
    values: Image, keep: Mask, means: Doubles, most: float, counts: Doubles, sums: Doubles, squares: Doubles
) -> None:
    """Drop from ``keep`` what lies more than ``most`` from its row's mean; number, sum and squares of the deviations left, by row."""
    rows, columns = values.shape
    first, second = np.empty(columns), np.empty(columns)
    limit = np.float32(most)
    for y in range(rows):
        row, kept, mean = values[y], keep[y], np.float32(means[y])
        n = 0
        for x in range(columns):
            d = row[x] - mean
            good = (kept[x] != 0) & (abs(d) <= limit)
            kept[x] = 1 if good else 0
            n += 1 if good else 0
            w = np.float64(d) if good else 0.0
            first[x] = w
            second[x] = w * w
        counts[y] = n
        sums[y] = folded(first, columns)
        squares[y] = folded(second, columns)


@njit(cache=True, nogil=True, error_model="numpy")
def ruled_by_column(
    values: Image, keep: Mask, means: Doubles, most: float, counts: Doubles, sums: Doubles, squares: Doubles
) -> None:
    """The same by column."""
    rows, columns = values.shape
    limit = np.float32(most)
    middle = means.astype(np.float32)
    counts[:], sums[:], squares[:] = 0.0, 0.0, 0.0
    for y in range(rows):
        row, kept = values[y], keep[y]
        for x in range(columns):
            d = row[x] - middle[x]
            good = (kept[x] != 0) & (abs(d) <= limit)
            kept[x] = 1 if good else 0
            w = np.float64(d) if good else 0.0
            counts[x] += 1.0 if good else 0.0
            sums[x] += w
            squares[x] += w * w


@njit(cache=True, nogil=True, error_model="numpy")
def finite_of(values: Image, keep: Mask) -> None:
    """1 where a value is finite, else 0."""
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            keep[y, x] = 1 if abs(values[y, x]) < _HUGE else 0


@njit(cache=True, nogil=True, error_model="numpy")
def add_binned(plane: Image, y0: int, x0: int, side: int, sums: Doubles, counts: Counts) -> None:
    """Add the finite pixels of a plane whose corner is (y0, x0) to the squares of a map, ``side`` pixels each."""
    rows, columns = plane.shape
    first, end = x0 // side, (x0 + columns - 1) // side + 1
    total, number = np.zeros(columns), np.zeros(columns, np.int32)
    for y in range(rows):
        row = plane[y]
        for x in range(columns):
            good = abs(row[x]) < _HUGE
            total[x] += np.float64(row[x]) if good else 0.0
            number[x] += 1 if good else 0
        if (y0 + y + 1) % side != 0 and y != rows - 1:
            continue
        into, n = sums[(y0 + y) // side], counts[(y0 + y) // side]
        for at in range(first, end):
            for x in range(max(at * side - x0, 0), min((at + 1) * side - x0, columns)):
                into[at] += total[x]
                n[at] += number[x]
        total[:], number[:] = 0.0, 0


@njit(cache=True, nogil=True, error_model="numpy")
def join(first: Image, n1: Image, second: Image, n2: Image, mean: Image, count: Image) -> None:
    """Means of n1 and n2 values → the mean of all, NaN of none, and their number; arrays of one shape (rows, columns)."""
    for y in range(first.shape[0]):
        a, b, na, nb, out, n = first[y], second[y], n1[y], n2[y], mean[y], count[y]
        for x in range(a.size):
            total = na[x] + nb[x]
            both = a[x] + (b[x] - a[x]) * (nb[x] / total)
            one = b[x] if na[x] == np.float32(0) else a[x]
            out[x] = both if (na[x] > np.float32(0)) & (nb[x] > np.float32(0)) else one
            n[x] = total


@njit(cache=True, nogil=True, error_model="numpy")
def near_lines(
    image: Image, of_rows: Image, most_r: np.float32, of_columns: Image, most_c: np.float32, by_row: Doubles, by_column: Doubles
) -> None:  # fmt: skip
    """Number and sum of the deviations of at most ``most_r`` from the middle of each row, by row, shape (2, rows); the same by column."""
    rows, columns = image.shape
    held, kept = np.empty(columns), np.empty(columns)
    for y in range(rows):
        row, centre = image[y], of_rows[y]
        for x in range(columns):
            d = row[x] - centre
            good = abs(d) <= most_r
            held[x] = np.float64(d) if good else 0.0
            kept[x] = 1.0 if good else 0.0
        by_row[0, y], by_row[1, y] = folded(kept, columns), folded(held, columns)
        for x in range(columns):
            d = row[x] - of_columns[x]
            good = abs(d) <= most_c
            by_column[0, x] += 1.0 if good else 0.0
            by_column[1, x] += np.float64(d) if good else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def add_normal(image: NDArray[np.generic], offset: np.float32, level: np.float32, total: Image) -> None:
    """Add an image less its offset, over its level, to a sum."""
    for y in range(total.shape[0]):
        row, out = image[y], total[y]
        for x in range(out.size):
            out[x] += (np.float32(row[x]) - offset) / level


@njit(cache=True, nogil=True, error_model="numpy")
def from_others(
    image: NDArray[np.generic], offset: np.float32, level: np.float32, total: Image, n: int, out: Image
) -> None:
    """An image less its offset, over its level, less the mean of the others of n that ``total`` is the sum of."""
    others = np.float32(n - 1)
    for y in range(out.shape[0]):
        row, all_, left = image[y], total[y], out[y]
        for x in range(left.size):
            own = (np.float32(row[x]) - offset) / level
            left[x] = own - (all_[x] - own) / others
