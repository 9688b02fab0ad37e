"""Compiled kernels of covariances between the pixels of a difference, directly in real space.

For a few lags that is faster than Fourier transforms and needs no padding to twice the size. Sums run along pixels side by
side, never across a vector's lanes, so that the order of additions (and with it every bit) is the same on any
processor. Imported only when needed; kernels release the interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_WIDTH = 512  # columns at once: their partial sums for all lags stay in the first-level cache
_ROWS = 32  # rows that are summed in float32 before float64 takes over; even


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
def centre(difference: Floats, lost: Mask, lags: int, padded: Floats) -> float:
    """Write the difference less its mean into zeros with ``lags`` to spare at either side; returns the mean."""
    rows, columns = difference.shape
    total, n = 0.0, 0
    for y in range(rows):
        row, gone = difference[y], lost[y]
        for x in range(columns):
            if not gone[x]:
                total += row[x]
                n += 1
    mean = total / n
    for y in range(rows):
        row, gone, out = difference[y], lost[y], padded[y, lags : lags + columns]
        for x in range(columns):
            out[x] = np.float32(0.0) if gone[x] else np.float32(row[x] - mean)
    return mean


@njit(cache=True, nogil=True, error_model="numpy")
def block_sums(
    difference: Floats, lost: Mask, ys: NDArray[np.int64], xs: NDArray[np.int64], sums: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:  # fmt: skip
    """Sum and number of the good pixels of each block between edges."""
    columns = difference.shape[1]
    lanes, number = np.empty(columns), np.empty(columns)
    for i in range(ys.size - 1):
        lanes[:], number[:] = 0.0, 0.0
        for y in range(ys[i], ys[i + 1]):
            row, gone = difference[y], lost[y]
            for x in range(columns):
                lanes[x] += 0.0 if gone[x] else np.float64(row[x])
                number[x] += 0.0 if gone[x] else 1.0
        for j in range(xs.size - 1):
            total, n = 0.0, 0.0
            for x in range(xs[j], xs[j + 1]):
                total += lanes[x]
                n += number[x]
            sums[i, j], counts[i, j] = total, n


@njit(cache=True, nogil=True, error_model="numpy")
def level_out(
    difference: Floats,
    lost: Mask,
    lags: int,
    across: NDArray[np.float64],
    rows_of: NDArray[np.float64],
    padded: Floats,
) -> None:
    """Write the difference less a surface into zeros with ``lags`` to spare at either side.

    The surface of row y is a parabola of ``across`` (columns,) with the three coefficients ``rows_of[y]``.
    """
    rows, columns = difference.shape
    for y in range(rows):
        row, gone, out = difference[y], lost[y], padded[y, lags : lags + columns]
        c0, c1, c2 = rows_of[y, 0], rows_of[y, 1], rows_of[y, 2]
        for x in range(columns):
            level = c0 + across[x] * (c1 + across[x] * c2)
            out[x] = np.float32(0.0) if gone[x] else np.float32(row[x] - level)


@njit(cache=True, nogil=True, error_model="numpy")
def row_lag(padded: Floats, rows: int, lags: int, i: int, sums: NDArray[np.float64]) -> None:
    """Σ d(y, x) d(y + i, x + j) for all j in −lags … lags, into ``sums``; ``padded`` has ≥ lags + 1 more rows of zeros."""
    columns, number = padded.shape[1] - 2 * lags, 2 * lags + 1
    part = np.empty((number, _WIDTH), np.float32)
    whole = np.empty((number, _WIDTH), np.float64)
    first = 0 if i else lags  # in the row itself the lags to the left are those to the right
    sums[:] = 0.0
    for x0 in range(0, columns, _WIDTH):
        width = min(_WIDTH, columns - x0)
        whole[:] = 0.0
        for y0 in range(0, rows, _ROWS):
            part[:] = np.float32(0.0)
            for y in range(y0, min(y0 + _ROWS, rows), 2):  # the second of the last two may be zeros
                p0 = padded[y, x0 + lags : x0 + lags + width]
                p1 = padded[y + 1, x0 + lags : x0 + lags + width]
                r0 = padded[y + i, x0 : x0 + width + 2 * lags]
                r1 = padded[y + 1 + i, x0 : x0 + width + 2 * lags]
                for j in range(first, number):
                    q0, q1, to = r0[j : j + width], r1[j : j + width], part[j, :width]
                    for x in range(width):
                        to[x] += p0[x] * q0[x] + p1[x] * q1[x]
            for j in range(first, number):
                for x in range(width):
                    whole[j, x] += part[j, x]
        for j in range(first, number):
            for x in range(width):
                sums[j] += whole[j, x]
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
        gone = lost[y]
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
    difference, padded = np.zeros((2, 2), np.float32), np.zeros((4, 4), np.float32)
    difference_of(image, image, lost, False, np.float32(0), np.float32(1), difference, lost)
    centre(difference, lost, 1, padded)
    edges = np.array([0, 2])
    block_sums(difference, lost, edges, edges, np.zeros((1, 1)), np.zeros((1, 1)))
    level_out(difference, lost, 1, np.zeros(2), np.zeros((2, 3)), padded)
    row_lag(padded, 2, 1, 0, np.zeros(3))
    count_pairs(lost, 1, np.zeros((2, 3), np.int64))
