"""Compiled kernels for the local level and noise of a master: cells without outliers, and every pixel against what cells around it say."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]
Edges = NDArray[np.int64]

_HUGE = np.float32(3.0e38)
_MAD_TO_SIGMA = 1.482602218505602


@njit(cache=True, nogil=True, error_model="numpy")
def cells(
    image: Image,
    ys: Edges,
    xs: Edges,
    sample: int,
    clip: float,
    shrink: float,
    means: Doubles,
    sigmas: Doubles,
) -> None:
    """Mean and σ of each cell between the edges, of what lies within ``clip`` σ of its mean; NaN where fewer than four values are finite.

    ``shrink`` is σ of a standard normal distribution cut at ± ``clip``. The first bounds come from the median and the median absolute deviation of
    about ``sample`` of a cell's pixels.
    """
    some = np.empty(4 * sample + 4, np.float32)
    for i in range(ys.size - 1):
        for j in range(xs.size - 1):
            means[i, j], sigmas[i, j] = np.nan, np.nan
            size = (ys[i + 1] - ys[i]) * (xs[j + 1] - xs[j])
            step = max(1, size // sample)
            n = at = 0
            for y in range(ys[i], ys[i + 1]):
                row = image[y]
                for x in range(xs[j], xs[j + 1]):
                    if at % step == 0 and n < some.size and abs(row[x]) < _HUGE:
                        some[n] = row[x]
                        n += 1
                    at += 1
            if n < 4:
                continue
            middle = np.float64(np.median(some[:n]))
            for k in range(n):
                some[k] = abs(some[k] - np.float32(middle))
            spread = np.float64(np.median(some[:n])) * _MAD_TO_SIGMA * (1.0 + 3.5 / np.sqrt(n))
            mean, before = middle, -1
            for done in range(8):
                # of whole numbers nearly all of one value the median deviation is zero: begin with everything
                all_of_it = spread == 0.0 and done == 0
                low, high = mean - clip * spread, mean + clip * spread
                kept, first, second = 0, 0.0, 0.0
                for y in range(ys[i], ys[i + 1]):
                    row = image[y]
                    for x in range(xs[j], xs[j + 1]):
                        v = np.float64(row[x])
                        good = (v >= low and v <= high) or (all_of_it and abs(v) < 3.0e38)
                        d = v - middle
                        kept += 1 if good else 0
                        first += d if good else 0.0
                        second += d * d if good else 0.0
                if kept < 2:
                    break
                mean = middle + first / kept
                variance = max((second - first * first / kept) / (kept - 1), 0.0)
                spread = np.sqrt(variance) / shrink
                if kept == before:
                    break
                before = kept
            means[i, j], sigmas[i, j] = mean, spread


@njit(cache=True, nogil=True, error_model="numpy")
def against(
    image: Image, means: Doubles, sigmas: Doubles, below: Edges, above: Edges, part: Doubles,
    left: Edges, right: Edges, share: Doubles, out: Image,
) -> None:  # fmt: skip
    """Each pixel less the level that cells around it say, over their σ; NaN where a pixel is not finite.

    A row lies ``part`` of the way from cells ``below`` to cells ``above``, a column ``share`` of it from ``left`` to ``right``. Levels
    go on straight beyond the outermost centres, σ stays what it is there.
    """
    rows, columns = image.shape
    level, noise = np.empty(means.shape[1]), np.empty(means.shape[1])
    for y in range(rows):
        f, a, b = part[y], below[y], above[y]
        held = min(max(f, 0.0), 1.0)
        for j in range(level.size):
            level[j] = means[a, j] + (means[b, j] - means[a, j]) * f
            noise[j] = sigmas[a, j] + (sigmas[b, j] - sigmas[a, j]) * held
        row, into = image[y], out[y]
        for x in range(columns):
            g, c, d = share[x], left[x], right[x]
            inside = min(max(g, 0.0), 1.0)
            middle = level[c] + (level[d] - level[c]) * g
            sigma = noise[c] + (noise[d] - noise[c]) * inside
            v = row[x]
            into[x] = np.float32((v - middle) / sigma) if abs(v) < _HUGE else np.float32(np.nan)


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
