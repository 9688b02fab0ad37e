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

RUN = 256
"""Pixels of a row whose products are summed in 32 bits: known when compiling, and so many that adding a vector's lanes up at the end costs little."""

MOST = 2047
"""The largest whole number a pixel may be: 2 RUN · MOST² stays below 2³¹, for both signs of a lag are added before they are multiplied."""

BAND = 32
"""Rows that are worked on together, at least as many as the largest lag; their squares are summed in float32 before float64 takes over."""

MARGIN = 32
"""Zeros to spare at either side of a row, as many as the largest lag: 64 bytes, so that runs begin where cache lines do."""

TOGETHER = 3
"""Lags along a row whose products are summed one after another before any is stored: the compiler then keeps the run that all are multiplied with in registers."""

_INFINITE = np.int32(0x7F800000)  # bits of infinity; those of what is no number are greater
_SIZE = np.int32(2**31 - 1)  # bits of a number of single precision without its sign


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
        one[:], two[:], number[:] = np.float32(0.0), np.float32(0.0), ys[i + 1] - ys[i]
        for y in range(ys[i], ys[i + 1]):
            row, gone = difference[y], lost[y]
            bits, flags, farthest, some = row.view(np.int32), gone.view(np.uint8), np.int32(0), np.uint8(0)
            for x in range(columns):
                farthest = max(farthest, np.int32(bits[x] & _SIZE))
            for x in range(columns):
                some = np.uint8(some | flags[x])
            if some == 0 and farthest < _INFINITE:
                for x in range(columns):
                    v = np.float32(row[x] - shift)
                    one[x] += v
                    two[x] += v * v
                continue
            for x in range(columns):
                gone[x] |= bits[x] & _SIZE >= _INFINITE
            for x in range(columns):
                v = np.float32(0.0) if gone[x] else np.float32(row[x] - shift)
                one[x] += v
                two[x] += v * v
            for x in range(columns):
                number[x] -= np.int32(gone[x])
        for j in range(xs.size - 1):
            total, square, n = 0.0, 0.0, 0
            for x in range(xs[j], xs[j + 1]):
                total += one[x]
                square += two[x]
                n += number[x]
            sums[i, j], squares[i, j], counts[i, j] = total, square, n


@njit(cache=True, nogil=True, error_model="numpy")
def _rounded(
    difference: Floats, lost: Mask, y0: int, y1: int, across: Floats, rows_of: Floats, per_step: np.float32,
    held: Floats, level: Floats, part: Floats, out: NDArray[np.int16],
) -> np.int32:  # fmt: skip
    """Rows of the difference less a surface, times ``per_step``, as whole numbers into ``out`` from its column MARGIN on.

    Adds the columns' squares to ``part`` and returns their largest size, both before rounding and cutting at MOST, in the difference's unit: that as the bits
    of single precision, which are whole numbers in the order of the sizes, and whose largest vector instructions find.
    """
    columns, degree, most = difference.shape[1], rows_of.shape[1] - 1, np.float32(MOST)
    bits, farthest = held.view(np.int32), np.int32(0)
    for y in range(y0, y1):
        row, gone, to = difference[y], lost[y], out[y - y0, MARGIN : MARGIN + columns]
        level[:] = rows_of[y, degree]
        for k in range(degree - 1, 0, -1):
            c = rows_of[y, k]
            for x in range(columns):
                level[x] = c + across[x] * level[x]
        c = rows_of[y, 0]
        for x in range(columns):
            held[x] = np.float32(0.0) if gone[x] else np.float32(row[x] - (c + across[x] * level[x]))
        for x in range(columns):
            part[x] += held[x] * held[x]
            farthest = max(farthest, np.int32(bits[x] & _SIZE))
        for x in range(columns):
            to[x] = np.int16(np.rint(min(max(held[x] * per_step, -most), most)))
    return farthest


@njit(cache=True, nogil=True, error_model="numpy")
def _row_lags(
    band: NDArray[np.int16], y: int, below: int, both: NDArray[np.int16], sums: NDArray[np.int64]
) -> None:
    """Add Σ (d(y, x + j) + d(y, x − j)) d(y + i, x) to ``sums`` [i, j], for the ``below`` rows from the y-th of the band on; of j = 0 Σ d(y, x) d(y + i, x).

    What is left and right of a pixel is added once, in ``both`` (whole TOGETHERs, RUN), for all rows that it is multiplied with. Between MARGINs of zeros rows have whole RUNs of columns.
    """
    row, lags = band[y], sums.shape[0] - 1
    for x0 in range(MARGIN, row.size - MARGIN, RUN):
        both[0, :] = row[x0 : x0 + RUN]
        for j in range(1, lags + 1):
            left, right, to = row[x0 - j : x0 - j + RUN], row[x0 + j : x0 + j + RUN], both[j]
            for x in range(RUN):
                to[x] = left[x] + right[x]
        for i in range(below):
            p = band[y + i, x0 : x0 + RUN]
            for j in range(0, lags + 1, TOGETHER):
                one, two, three = both[j], both[j + 1], both[j + 2]
                part1, part2, part3 = np.int32(0), np.int32(0), np.int32(0)
                # a loop for each: one loop for all three would be without instructions that multiply and add
                for x in range(RUN):
                    part1 = np.int32(part1 + np.int32(np.int32(p[x]) * np.int32(one[x])))
                for x in range(RUN):
                    part2 = np.int32(part2 + np.int32(np.int32(p[x]) * np.int32(two[x])))
                for x in range(RUN):
                    part3 = np.int32(part3 + np.int32(np.int32(p[x]) * np.int32(three[x])))
                sums[i, j] += part1
                sums[i, j + 1] += part2
                sums[i, j + 2] += part3


@njit(cache=True, nogil=True, error_model="numpy")
def products(
    difference: Floats, lost: Mask, across: Floats, rows_of: Floats, per_step: np.float32, band: NDArray[np.int16],
    sums: NDArray[np.int64],
) -> tuple[float, np.float32]:  # fmt: skip
    """Σ d(y, x) d(y + i, x ± j) into ``sums`` [i, j], d being whole numbers of steps; both signs where they are different pairs.

    ``sums`` has lags + 1 rows and as many columns, and zeros to spare to a multiple of TOGETHER.

    d is the difference less a surface, times ``per_step``, rounded. The surface of row y is a polynomial of ``across`` (columns,) with the coefficients ``rows_of[y]``,
    from the constant on, at least two. Lost pixels count as zero; those beyond MOST are cut to it. Returns the sum of squares and the largest size, both before rounding and cutting,
    in the difference's unit. ``band``, all zeros, holds what is worked on: BAND + lags rows, the last ones those that the next band begins with, and
    columns in whole RUNs between MARGINs. It stays in the processor's cache, in which each row meets the ``lags`` below it.
    """
    rows, columns, lags = difference.shape[0], difference.shape[1], sums.shape[0] - 1
    both = np.zeros((sums.shape[1], RUN), np.int16)
    part, whole, far = np.zeros(columns, np.float32), np.zeros(columns), np.zeros(1, np.int32)
    held, level, ready = np.empty(columns, np.float32), np.empty(columns, np.float32), 0
    sums[:] = 0
    for y0 in range(0, rows, BAND):
        here, needed = min(BAND, rows - y0), min(rows, y0 + BAND + lags)
        part[:] = np.float32(0.0)
        found = _rounded(difference, lost, ready, needed, across, rows_of, per_step, held, level, part, band[ready - y0 :])  # fmt: skip
        far[0] = max(far[0], found)
        for x in range(columns):
            whole[x] += part[x]
        ready = needed
        for y in range(here):
            _row_lags(band, y, min(lags + 1, rows - y0 - y), both, sums)
        for i in range(lags):
            band[i] = band[BAND + i]
    for j in range(1, lags + 1):
        sums[0, j] //= 2  # in the row itself the pairs to the left are those to the right
    total = 0.0
    for x in range(columns):
        total += whole[x]
    return total, far.view(np.float32)[0]


@njit(cache=True, nogil=True, error_model="numpy")
def count_pairs(lost: Mask, lags: int, counts: NDArray[np.int64]) -> None:
    """How many pairs of pixels both have, for each lag [i, lags + j]: all there are, less those that lost pixels take away."""
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
    difference, band = np.zeros((2, 2), np.float32), np.zeros((BAND + 1, RUN + 2 * MARGIN), np.int16)
    difference_of(image, image, lost, False, np.float32(0), np.float32(1), difference, lost)
    edges, blocks = np.array([0, 2]), np.zeros((3, 1, 1))
    survey(difference, lost, np.float32(0), edges, edges, blocks[0], blocks[1], blocks[2])
    products(difference, lost, np.zeros(2, np.float32), np.zeros((2, 3), np.float32), np.float32(1), band, np.zeros((2, TOGETHER), np.int64))  # fmt: skip
    count_pairs(lost, 1, np.zeros((2, 3), np.int64))
