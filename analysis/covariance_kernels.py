"""Compiled kernels of covariances between the pixels of a difference, directly in real space.

Pixels are rounded to a small fraction of their scatter and multiplied as whole numbers of 16 bits: processors multiply and add 16 to 32 of those
at once, four times as fast as single precision, and sums of whole numbers are exact in any order, on any processor. Sums of floating point run along pixels
side by side, never across a vector's lanes, so that their order (and with it every bit) is the same everywhere. Imported only when needed; kernels release the
interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

RUN = 64
"""Pixels of a row whose products are summed in 32 bits: known when compiling, for that is what makes them fast."""

MOST = 5792
"""The largest whole number a pixel may be: RUN · MOST² stays below 2³¹."""

_ROWS = 32  # rows that are summed in float32 before float64 takes over
_HUGE = np.float32(3.0e38)


@njit(cache=True, nogil=True, error_model="numpy")
def difference_of(
    first: NDArray[np.uint16],
    second: NDArray[np.uint16],
    left_out: Mask,
    masked: bool,
    centre: np.float32,
    reach: np.float32,
    difference: Floats,
    lost: Mask,
) -> None:
    """first − second, and which pixels are left out: by the mask, or because they lie beyond centre ± reach."""
    for y in range(first.shape[0]):
        row_a, row_b, out, gone = first[y], second[y], difference[y], lost[y]
        for x in range(row_a.size):
            d = np.float32(row_a[x]) - np.float32(row_b[x])
            out[x] = d
            gone[x] = not abs(d - centre) <= reach
        if masked:
            for x in range(row_a.size):
                gone[x] |= left_out[y, x]


@njit(cache=True, nogil=True, error_model="numpy")
def survey(
    difference: Floats, lost: Mask, shift: np.float32, ys: NDArray[np.int64], xs: NDArray[np.int64],
    sums: NDArray[np.float64], squares: NDArray[np.float64], counts: NDArray[np.float64],
) -> None:  # fmt: skip
    """Sum and squares of the good pixels less ``shift``, and their number, in each block between edges; pixels not finite become lost."""
    columns = difference.shape[1]
    one, two, number = (
        np.empty(columns, np.float32),
        np.empty(columns, np.float32),
        np.empty(columns, np.int32),
    )
    for i in range(ys.size - 1):
        one[:], two[:], number[:] = np.float32(0.0), np.float32(0.0), 0
        for y in range(ys[i], ys[i + 1]):
            row, gone = difference[y], lost[y]
            for x in range(columns):
                gone[x] |= not abs(row[x]) < _HUGE
            for x in range(columns):
                v = np.float32(0.0) if gone[x] else np.float32(row[x] - shift)
                one[x] += v
                two[x] += v * v
            for x in range(columns):
                number[x] += np.int32(0 if gone[x] else 1)
        for j in range(xs.size - 1):
            total, square, n = 0.0, 0.0, 0
            for x in range(xs[j], xs[j + 1]):
                total += one[x]
                square += two[x]
                n += number[x]
            sums[i, j], squares[i, j], counts[i, j] = total, square, n


@njit(cache=True, nogil=True, error_model="numpy")
def rounded(
    difference: Floats, lost: Mask, lags: int, across: Floats, rows_of: Floats, per_step: np.float32, padded: NDArray[np.int16]
) -> tuple[float, np.float32]:  # fmt: skip
    """Write the difference less a surface, times ``per_step``, as whole numbers into zeros with ``lags`` to spare at the left.

    The surface of row y is a polynomial of ``across`` (columns,) with the coefficients ``rows_of[y]``, from the constant on. Lost pixels count as zero; those beyond MOST are cut
    to it. Returns the sum of squares and the largest size, both before rounding and cutting, in the difference's unit.
    """
    rows, columns = difference.shape
    part, whole, far = np.zeros(columns, np.float32), np.zeros(columns), np.zeros(columns, np.float32)
    held, level, most = np.empty(columns, np.float32), np.empty(columns, np.float32), np.float32(MOST)
    degree = rows_of.shape[1] - 1
    for y0 in range(0, rows, _ROWS):
        part[:] = np.float32(0.0)
        for y in range(y0, min(y0 + _ROWS, rows)):
            row, gone, out = difference[y], lost[y], padded[y, lags : lags + columns]
            level[:] = rows_of[y, degree]
            for k in range(degree - 1, -1, -1):
                c = rows_of[y, k]
                for x in range(columns):
                    level[x] = c + across[x] * level[x]
            for x in range(columns):
                held[x] = np.float32(0.0) if gone[x] else np.float32(row[x] - level[x])
            for x in range(columns):
                v = held[x]
                part[x] += v * v
                far[x] = abs(v) if abs(v) > far[x] else far[x]
            for x in range(columns):
                out[x] = np.int16(np.rint(min(max(held[x] * per_step, -most), most)))
        for x in range(columns):
            whole[x] += part[x]
    total = 0.0
    for x in range(columns):
        total += whole[x]
    return total, far.max()


@njit(cache=True, nogil=True, error_model="numpy")
def row_lag(padded: NDArray[np.int16], rows: int, lags: int, i: int, sums: NDArray[np.int64]) -> None:
    """Σ d(y, x) d(y + i, x + j) for all j in −lags … lags, into ``sums``.

    ``padded`` has ``lags`` columns of zeros to spare at either side and as many rows below; between them whole RUNs of columns.
    """
    number = 2 * lags + 1
    first = 0 if i else lags  # in the row itself the lags to the left are those to the right
    sums[:] = 0
    for y in range(rows):
        for x0 in range(0, padded.shape[1] - 2 * lags, RUN):
            p = padded[y, x0 + lags : x0 + lags + RUN]
            for j in range(first, number):
                q = padded[y + i, x0 + j : x0 + j + RUN]
                part = np.int32(0)
                for x in range(RUN):
                    part = np.int32(part + np.int32(np.int32(p[x]) * np.int32(q[x])))
                sums[j] += part
    for j in range(first):
        sums[j] = sums[number - 1 - j]


@njit(cache=True, nogil=True, error_model="numpy")
def count_pairs(lost: Mask, lags: int, counts: NDArray[np.int64]) -> None:
    """How many pairs of pixels both have, for each lag: all there are, less those that lost pixels take away."""
    rows, columns = lost.shape
    for i in range(lags + 1):
        for j in range(-lags, lags + 1):
            counts[i, lags + j] = max(rows - i, 0) * max(columns - abs(j), 0)
    for y in range(rows):
        gone, some = lost[y], np.int32(0)
        for x in range(columns):
            some = np.int32(some + np.int32(gone[x]))
        if some == 0:
            continue
        for x in range(columns):
            if not gone[x]:
                continue
            for i in range(lags + 1):
                for j in range(-lags, lags + 1):
                    if y + i < rows and 0 <= x + j < columns:
                        counts[i, lags + j] -= 1
                    if y - i >= 0 and 0 <= x - j < columns and not lost[y - i, x - j]:
                        counts[i, lags + j] -= 1


def warm() -> None:
    """Load or compile the kernels for the types that procedures use."""
    image, lost = np.zeros((2, 2), np.uint16), np.zeros((2, 2), np.bool_)
    difference, padded = np.zeros((2, 2), np.float32), np.zeros((3, RUN + 2), np.int16)
    difference_of(image, image, lost, False, np.float32(0), np.float32(1), difference, lost)
    edges, blocks = np.array([0, 2]), np.zeros((3, 1, 1))
    survey(difference, lost, np.float32(0), edges, edges, blocks[0], blocks[1], blocks[2])
    rounded(difference, lost, 1, np.zeros(2, np.float32), np.zeros((2, 3), np.float32), np.float32(1), padded)
    row_lag(padded, 2, 1, 0, np.zeros(3, np.int64))
    count_pairs(lost, 1, np.zeros((2, 3), np.int64))
