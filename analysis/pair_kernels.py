"""Compiled kernels of pairs: the exact histograms of two frames and of their difference in one pass.

Imported only when a pair is measured: importing numba costs half a second. Kernels release the interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bins = NDArray[np.uint32]
Mask = NDArray[np.bool_]

_ONE = np.uint32(1)
_SHIFT = np.uint32(65535)


@njit(cache=True, nogil=True, error_model="numpy")
def count_pair(
    first: NDArray[np.uint16],
    second: NDArray[np.uint16],
    left_out: Mask,
    masked: bool,
    a: Bins,
    b: Bins,
    difference: Bins,
) -> None:
    """Add the pixels of two images of shape (rows, columns) to 65,536, 65,536 and 131,071 bins.

    The bin of a difference is first − second + 65535. ``left_out``, of the images' shape, counts only when ``masked``.
    """
    for y in range(first.shape[0]):
        row_a, row_b = first[y], second[y]
        if masked:
            out = left_out[y]
            for x in range(row_a.size):
                if not out[x]:
                    u, v = np.uint32(row_a[x]), np.uint32(row_b[x])
                    a[u] += _ONE
                    b[v] += _ONE
                    difference[np.uint32(u + _SHIFT - v)] += _ONE
        else:
            for x in range(row_a.size):
                u, v = np.uint32(row_a[x]), np.uint32(row_b[x])
                a[u] += _ONE
                b[v] += _ONE
                difference[np.uint32(u + _SHIFT - v)] += _ONE


@njit(cache=True, nogil=True, error_model="numpy")
def count_difference(first: NDArray[np.uint16], second: NDArray[np.uint16], lanes: Bins) -> None:
    """Add the differences of two images of shape (rows, columns) to four sets of 131,071 bins, by turns.

    Neighbours are often equal, and a counter waits for its own last increment. The bin of a difference is first − second + 65535.
    """
    one, two, three, four = lanes[0], lanes[1], lanes[2], lanes[3]
    for y in range(first.shape[0]):
        a, b = first[y], second[y]
        whole = a.size - a.size % 4
        for x in range(0, whole, 4):
            one[np.uint32(np.uint32(a[x]) + _SHIFT - np.uint32(b[x]))] += _ONE
            two[np.uint32(np.uint32(a[x + 1]) + _SHIFT - np.uint32(b[x + 1]))] += _ONE
            three[np.uint32(np.uint32(a[x + 2]) + _SHIFT - np.uint32(b[x + 2]))] += _ONE
            four[np.uint32(np.uint32(a[x + 3]) + _SHIFT - np.uint32(b[x + 3]))] += _ONE
        for x in range(whole, a.size):
            one[np.uint32(np.uint32(a[x]) + _SHIFT - np.uint32(b[x]))] += _ONE


def warm() -> None:
    """Load or compile the kernels for the types that procedures use."""
    image, bins = np.zeros((2, 2), np.uint16), np.zeros(131071, np.uint32)
    count_pair(image, image, np.zeros((1, 1), np.bool_), False, bins, bins, bins)
    count_difference(image, image, np.zeros((4, 131071), np.uint32))
