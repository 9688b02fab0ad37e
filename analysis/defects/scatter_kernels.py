"""Compiled kernels for the scatter of single pixels from frame to frame."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]

_HUGE = np.float32(3.0e38)


@njit(cache=True, nogil=True, error_model="numpy")
def variances(
    n: Image, total: Image, squares: Image, low: Image, high: Image, variance: Image, share: Image
) -> None:  # fmt: skip
    """Of the sums of ``add``: each pixel's variance, and that without the value farthest from the mean over it; NaN of fewer than two values (three)."""
    one, two, zero, nan = np.float32(1.0), np.float32(2.0), np.float32(0.0), np.float32(np.nan)
    for y in range(n.shape[0]):
        for x in range(n.shape[1]):
            k = n[y, x]
            mean = total[y, x] / k
            about = max(squares[y, x] - total[y, x] * mean, zero)
            farthest = max(high[y, x] - mean, mean - low[y, x])
            # leaving out one value d from the mean of n takes d² n / (n − 1) off the sum of squares
            rest = max(about - farthest * farthest * k / (k - one), zero)
            whole = about / (k - one)
            variance[y, x] = whole if k > one else nan
            share[y, x] = rest / (k - two) / whole if k > two else nan


@njit(cache=True, nogil=True, error_model="numpy")
def add(
    image: NDArray[np.generic], level: np.float32, first: Image, count: Image, total: Image, squares: Image, low: Image, high: Image,
) -> None:  # fmt: skip
    """Add an image less its level to the sums of each pixel's deviations from its first finite value; what is not finite is passed over."""
    rows, columns = first.shape
    for y in range(rows):
        row = image[y]
        for x in range(columns):
            v = np.float32(row[x]) - level
            if not abs(v) < _HUGE:
                continue
            if count[y, x] == 0:
                first[y, x] = v
            d = v - first[y, x]
            count[y, x] += np.float32(1)
            total[y, x] += d
            squares[y, x] += d * d
            low[y, x] = min(low[y, x], d)
            high[y, x] = max(high[y, x], d)


def warm() -> None:
    """Load or compile the kernels for the types of pixels that files hold."""
    first, n, total, squares, low, high = np.zeros((6, 2, 2), np.float32)
    one = np.float32(1.0)
    for kind in (np.uint16, np.float32):
        add(np.zeros((2, 2), kind), one, first, n, total, squares, low, high)
    variances(n, total, squares, low, high, first.copy(), first.copy())
