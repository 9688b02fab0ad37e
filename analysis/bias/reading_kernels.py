"""Compiled kernels over bias frames in the order of reading: differences over their noise, and rows made ready for their spectrum.

Images are given as they lie in memory; ``up`` and ``left`` say whether the first row and column are read last. Sums of a row are folded in halves:
one order on every processor.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Pixels = NDArray[np.uint16] | NDArray[np.float32]

_NONE = np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _folded(lanes: Image) -> np.float32:
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
    return np.float32(lanes[0])


@njit(cache=True, nogil=True, error_model="numpy")
def _turned(row: Image, left: bool, out: Image) -> None:
    """The first values of a row in the order of reading."""
    if left:
        last = row.size - 1
        for x in range(out.size):
            out[x] = row[last - x]
    else:
        for x in range(out.size):
            out[x] = row[x]


@njit(cache=True, nogil=True, error_model="numpy")
def standard(
    first: Pixels, second: Pixels, up: bool, left: bool, mean: np.float32, std: np.float32, clip: np.float32, out: Image
) -> None:  # fmt: skip
    """The difference of two frames less ``mean`` over ``std``, 0 where it stands out by more than ``clip`` or is no number."""
    rows, columns = first.shape
    line = np.empty(columns, np.float32)
    share = np.float32(1.0) / std
    for y in range(out.shape[0]):
        at = rows - 1 - y if up else y
        a, b = first[at], second[at]
        for x in range(columns):
            d = (np.float32(a[x]) - np.float32(b[x]) - mean) * share
            line[x] = d if abs(d) <= clip else _NONE
        _turned(line, left, out[y])


@njit(cache=True, nogil=True, error_model="numpy")
def windowed(
    image: Pixels, up: bool, left: bool, y0: int, profile: Image, level: np.float32, far: np.float32, window: Image, out: Image
) -> None:  # fmt: skip
    """Rows from the ``y0``-th read on, less ``profile`` and ``level`` and their own mean, times a window; what lies beyond ``far`` is 0."""
    rows, columns = image.shape
    line, work, keep = (
        np.empty(columns, np.float32),
        np.empty(columns, np.float32),
        np.empty(columns, np.float32),
    )
    for k in range(out.shape[0]):
        row = image[rows - 1 - (y0 + k) if up else y0 + k]
        for x in range(columns):
            line[x] = np.float32(row[x])
        into = out[k]
        _turned(line, left, into)
        for x in range(columns):
            d = into[x] - profile[x] - level
            good = abs(d) <= far
            into[x] = d if good else _NONE
            work[x] = into[x]
            keep[x] = window[x] if good else _NONE
        mean = _folded(work) / np.float32(columns)
        for x in range(columns):
            into[x] = (into[x] - mean) * keep[x]


@njit(cache=True, nogil=True, error_model="numpy")
def add_powers(spectra: Image, sums: NDArray[np.float64]) -> None:
    """Add the squares of complex numbers, real and imaginary parts side by side in each row, over rows."""
    for y in range(spectra.shape[0]):
        row = spectra[y]
        for k in range(sums.size):
            sums[k] += np.float64(row[2 * k] * row[2 * k] + row[2 * k + 1] * row[2 * k + 1])


def warm() -> None:
    """Compile the kernels, or load them from the cache of an earlier run, for the types they are used with."""
    pixels, image = np.zeros((2, 8), np.uint16), np.zeros((2, 8), np.float32)
    one, row = np.float32(1.0), np.zeros(8, np.float32)
    standard(pixels, pixels, False, False, one, one, one, image)
    windowed(pixels, False, False, 0, row, one, one, row, image)
    add_powers(image, np.zeros(4))
