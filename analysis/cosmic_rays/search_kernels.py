"""The compiled kernel of the search in pairs: which pixels of a difference stand out of what cells around them say, without writing the difference out."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Pixels = NDArray[np.uint16] | NDArray[np.float32]
Doubles = NDArray[np.float64]
Edges = NDArray[np.int64]

_HUGE = np.float32(3.0e38)
_AT_ONCE = 16


@njit(cache=True, nogil=True, error_model="numpy")
def standing_out(
    first: Pixels, second: Pixels, means: Doubles, sigmas: Doubles, below: Edges, above: Edges, part: Doubles,
    left: Edges, right: Edges, share: Doubles, grow: np.float32, places: Edges, found: NDArray[np.float32],
) -> int:  # fmt: skip
    """Places (in the flattened image) and significances [σ] of the pixels whose difference is more than ``grow`` σ off its level; returns how many there are.

    Levels and σ are had from those of cells as ``analysis.defects.local_kernels.against`` has them. Of more than ``places`` holds, only so many are told.
    """
    rows, columns = first.shape
    level, noise, z = np.empty(means.shape[1]), np.empty(means.shape[1]), np.empty(columns, np.float32)
    beyond = np.empty(columns, np.int32)
    at, held = share.astype(np.float32), np.minimum(np.maximum(share, 0.0), 1.0).astype(np.float32)
    n = 0
    for y in range(rows):
        f, a, b = part[y], below[y], above[y]
        inside = min(max(f, 0.0), 1.0)
        for j in range(level.size):
            level[j] = means[a, j] + (means[b, j] - means[a, j]) * f
            noise[j] = sigmas[a, j] + (sigmas[b, j] - sigmas[a, j]) * inside
        start = 0
        while start < columns:  # columns between two centres, one after another
            c, d = left[start], right[start]
            end = start + 1
            while end < columns and left[end] == c:
                end += 1
            middle, rise = np.float32(level[c]), np.float32(level[d] - level[c])
            sigma, slope = np.float32(noise[c]), np.float32(noise[d] - noise[c])
            one, two, g, h = (
                first[y, start:end],
                second[y, start:end],
                at[start:end],
                held[start:end],
            )
            into, marked = z[start:end], beyond[start:end]
            for x in range(end - start):
                v = np.float32(one[x]) - np.float32(two[x]) - middle - rise * g[x]
                v = v / (sigma + slope * h[x])
                into[x] = v
                marked[x] = 1 if (abs(v) > grow) & (abs(v) < _HUGE) else 0
            start = end
        for begin in range(0, columns, _AT_ONCE):
            stop = min(begin + _AT_ONCE, columns)
            some = np.int32(0)
            for x in range(begin, stop):
                some = np.int32(some + beyond[x])
            if some:
                for x in range(begin, stop):
                    if beyond[x]:
                        if n < places.size:
                            places[n], found[n] = y * columns + x, z[x]
                        n += 1
    return n


def warm() -> None:
    """Compile the kernel, or load it from the cache of an earlier run, for the types it is used with."""
    pixels, cells, one = np.zeros((2, 8), np.uint16), np.ones((1, 1)), np.float32(1.0)
    down, along = (np.zeros(n, np.int64) for n in (2, 8))
    standing_out(
        pixels, pixels, cells, cells, down, down, np.zeros(2), along, along, np.zeros(8), one,
        np.zeros(4, np.int64), np.zeros(4, np.float32),
    )  # fmt: skip
