"""Compiled kernels of the brighter-fatter correction: the convolution with a small symmetric kernel, and charge moved over borders.

A convolution by four-fold symmetry costs a quarter of the multiplications, and far less than Fourier transforms of the frame. Sums run along pixels side by
side in one order, so that every bit is the same on any processor. Imported only when needed; kernels release the interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]


@njit(cache=True, nogil=True, error_model="numpy")
def potential(charge: Image, quarter: Image, out: Image) -> None:
    """The convolution of an image with a kernel of which ``quarter`` is one, mirrored at the image's edges; the image is larger than the lags."""
    rows, columns = charge.shape
    lags = quarter.shape[0] - 1
    line = np.empty(columns + 2 * lags, np.float32)
    for y in range(rows):
        to = out[y]
        to[:] = np.float32(0.0)
        for i in range(lags + 1):
            below, above = y - i, y + i
            if below < 0:
                below = -1 - below
            if above >= rows:
                above = 2 * rows - 1 - above
            one, two = charge[below], charge[above]
            if i == 0:
                for x in range(columns):
                    line[lags + x] = one[x]
            else:
                for x in range(columns):
                    line[lags + x] = one[x] + two[x]
            for j in range(lags):
                line[lags - 1 - j] = line[lags + j]
                line[lags + columns + j] = line[lags + columns - 1 - j]
            middle = quarter[i, 0]
            centre = line[lags : lags + columns]
            for x in range(columns):
                to[x] += middle * centre[x]
            for j in range(1, lags, 2):  # two lags at once halve what is written
                f, g = quarter[i, j], quarter[i, j + 1]
                l1, r1 = line[lags - j : lags - j + columns], line[lags + j : lags + j + columns]
                l2, r2 = (
                    line[lags - j - 1 : lags - j - 1 + columns],
                    line[lags + j + 1 : lags + j + 1 + columns],
                )
                for x in range(columns):
                    to[x] += f * (l1[x] + r1[x]) + g * (l2[x] + r2[x])
            if lags % 2:
                factor = quarter[i, lags]
                left, right = line[:columns], line[2 * lags : 2 * lags + columns]
                for x in range(columns):
                    to[x] += factor * (left[x] + right[x])


@njit(cache=True, nogil=True, error_model="numpy")
def mixed(
    one: Image, ours: np.float32, other: Image, theirs: np.float32, level: np.float32, out: Image
) -> None:
    """ours · one + theirs · other − level."""
    for y in range(out.shape[0]):
        a, b, to = one[y], other[y], out[y]
        for x in range(to.size):
            to[x] = ours * a[x] + (theirs * b[x] - level)


@njit(cache=True, nogil=True, error_model="numpy")
def moved(charge: Image, light: Image, bent: Image, out: Image) -> np.float32:
    """charge + ∇·(light ∇ bent): what moves over a pixel's four borders, none over the image's edges; light of a border is the mean of its two pixels.

    Returns the largest difference between ``out`` and ``light``.
    """
    rows, columns = light.shape
    half = np.float32(0.5)
    far = np.zeros(columns, np.float32)
    for y in range(rows):
        level, slope, to = light[y], bent[y], out[y]
        to[:] = np.float32(0.0)
        for x in range(columns - 1):
            to[x] += half * (level[x] + level[x + 1]) * (slope[x + 1] - slope[x])
        for x in range(1, columns):
            to[x] -= half * (level[x - 1] + level[x]) * (slope[x] - slope[x - 1])
        if y > 0:
            before, under = light[y - 1], bent[y - 1]
            for x in range(columns):
                to[x] -= half * (before[x] + level[x]) * (slope[x] - under[x])
        if y + 1 < rows:
            after, over = light[y + 1], bent[y + 1]
            for x in range(columns):
                to[x] += half * (level[x] + after[x]) * (over[x] - slope[x])
        held = charge[y]
        for x in range(columns):
            to[x] += held[x]
            v = abs(to[x] - level[x])
            far[x] = v if not v <= far[x] else far[x]  # what is no number counts as far
    return np.float32(far.max())


def warm() -> None:
    """Load or compile the kernels for the types that are used."""
    image, quarter = np.zeros((4, 4), np.float32), np.zeros((2, 2), np.float32)
    one = np.float32(1.0)
    mixed(image, one, image, one, one, np.empty_like(image))
    potential(image, quarter, np.empty_like(image))
    moved(image, image, image, np.empty_like(image))
