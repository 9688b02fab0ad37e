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
    about ``sample`` of a cell's pixels. Sums are kept by column of the cell, so that vector instructions add them in one order everywhere.
    """
    some = np.empty(4 * sample + 4, np.float32)
    widest = 0
    for j in range(xs.size - 1):
        widest = max(widest, xs[j + 1] - xs[j])
    number, first, second = (
        np.empty(widest, np.float32),
        np.empty(widest, np.float32),
        np.empty(widest, np.float32),
    )
    for i in range(ys.size - 1):
        for j in range(xs.size - 1):
            means[i, j], sigmas[i, j] = np.nan, np.nan
            high, wide = ys[i + 1] - ys[i], xs[j + 1] - xs[j]
            step = max(1, int(np.sqrt(high * wide / sample)))
            n = 0
            for y in range(ys[i], ys[i + 1], step):
                row = image[y]
                for x in range(xs[j], xs[j + 1], step):
                    if n < some.size and abs(row[x]) < _HUGE:
                        some[n] = row[x]
                        n += 1
            if n < 4:
                continue
            middle = np.median(some[:n])
            for k in range(n):
                some[k] = abs(some[k] - middle)
            spread = np.float64(np.median(some[:n])) * _MAD_TO_SIGMA * (1.0 + 3.5 / np.sqrt(n))
            mean, before = 0.0, -1.0
            for done in range(6):
                # of whole numbers nearly all of one value the median deviation is zero: begin with everything
                reach = np.float32(clip * spread) if spread > 0.0 or done > 0 else _HUGE
                centre = np.float32(mean)
                number[:wide], first[:wide], second[:wide] = np.float32(0), np.float32(0), np.float32(0)
                for y in range(ys[i], ys[i + 1]):
                    row = image[y, xs[j] : xs[j + 1]]
                    for x in range(wide):
                        d = row[x] - middle
                        good = abs(d - centre) <= reach
                        d = d if good else np.float32(0)
                        number[x] += np.float32(1) if good else np.float32(0)
                        first[x] += d
                        second[x] += d * d
                kept, total, squares = 0.0, 0.0, 0.0
                for x in range(wide):
                    kept += np.float64(number[x])
                    total += np.float64(first[x])
                    squares += np.float64(second[x])
                if kept < 2:
                    break
                mean = total / kept
                spread = np.sqrt(max((squares - total * total / kept) / (kept - 1.0), 0.0)) / shrink
                if kept == before:
                    break
                before = kept
            means[i, j], sigmas[i, j] = np.float64(middle) + mean, spread


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
    at, held = share.astype(np.float32), np.minimum(np.maximum(share, 0.0), 1.0).astype(np.float32)
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
            row, into, g, h = image[y, start:end], out[y, start:end], at[start:end], held[start:end]
            for x in range(end - start):
                v = (row[x] - middle - rise * g[x]) / (sigma + slope * h[x])
                into[x] = v if abs(v) < _HUGE else np.float32(np.nan)
            start = end


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
