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
def _start(some: Image, n: int) -> tuple[np.float32, np.float32]:
    """Median and median absolute deviation of the first ``n`` values, which are put in order."""
    for i in range(1, n):
        v, j = some[i], i
        while j > 0 and some[j - 1] > v:
            some[j] = some[j - 1]
            j -= 1
        some[j] = v
    half = n // 2
    low, high = (half, half + 1) if n % 2 else (half - 1, half)
    middle = some[half] if n % 2 else np.float32(0.5) * (some[low] + some[high])
    before = here = np.float32(0.0)
    for _ in range(half + 1):  # deviations in order: from the middle outwards, the nearer side first
        before = here
        if high >= n or (low >= 0 and middle - some[low] <= some[high] - middle):
            here = middle - some[low]
            low -= 1
        else:
            here = some[high] - middle
            high += 1
    return middle, here if n % 2 else np.float32(0.5) * (before + here)


@njit(cache=True, nogil=True, error_model="numpy")
def _round(
    image: Image, step: int, x0: int, x1: int, middle: np.float32, centre: np.float32, reach: np.float32, lanes: Image
) -> tuple[float, float, float]:  # fmt: skip
    """Of every ``step``-th row of columns x0 … x1 what lies within ``reach`` of ``middle`` + ``centre``: number, sum and squares of deviations from ``middle``.

    Sums are kept by column, so that vector instructions add them in one order everywhere.
    """
    wide = x1 - x0
    number, first, second = lanes[0, :wide], lanes[1, :wide], lanes[2, :wide]
    number[:], first[:], second[:] = np.float32(0), np.float32(0), np.float32(0)
    for y in range(0, image.shape[0], step):
        row = image[y, x0:x1]
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
    return kept, total, squares


@njit(cache=True, nogil=True, error_model="numpy")
def _clipped(
    image: Image, step: int, x0: int, x1: int, middle: np.float32, spread: float, clip: float, shrink: float, rounds: int, lanes: Image
) -> tuple[float, float]:  # fmt: skip
    """Mean less ``middle`` and σ of what lies within ``clip`` σ of the mean, from ``spread`` on until nothing changes or the rounds are done."""
    mean, before = 0.0, -1.0
    for done in range(rounds):
        # of whole numbers nearly all of one value the median deviation is zero: begin with everything
        reach = np.float32(clip * spread) if spread > 0.0 or done > 0 else _HUGE
        kept, total, squares = _round(image, step, x0, x1, middle, np.float32(mean), reach, lanes)
        if kept < 2:
            break
        mean = total / kept
        spread = np.sqrt(max((squares - total * total / kept) / (kept - 1.0), 0.0)) / shrink
        if kept == before:
            break
        before = kept
    return mean, spread


@njit(cache=True, nogil=True, error_model="numpy")
def cells(
    image: Image, ys: Edges, xs: Edges, sample: int, clip: float, shrink: float, means: Doubles, sigmas: Doubles
) -> None:  # fmt: skip
    """Mean and σ of each cell between the edges, of what lies within ``clip`` σ of its mean; NaN where fewer than four values are finite.

    ``shrink`` is σ of a standard normal distribution cut at ± ``clip``. The first bounds come from the median and the median absolute deviation of
    about ``sample`` of a cell's pixels; of a cell of many rows every fourth is taken: ``again`` makes good for that.
    """
    some = np.empty(4 * sample + 4, np.float32)
    lanes = np.empty((3, max(1, (xs[1:] - xs[:-1]).max())), np.float32)
    for i in range(ys.size - 1):
        high = ys[i + 1] - ys[i]
        band, skip = image[ys[i] : ys[i + 1]], 4 if high >= 16 else 1
        for j in range(xs.size - 1):
            means[i, j], sigmas[i, j] = np.nan, np.nan
            step = max(1, int(np.sqrt(high * (xs[j + 1] - xs[j]) / sample)))
            n = 0
            for y in range(0, high, step):
                row = band[y]
                for x in range(xs[j], xs[j + 1], step):
                    if n < some.size and abs(row[x]) < _HUGE:
                        some[n] = row[x]
                        n += 1
            if n < 4:
                continue
            middle, deviation = _start(some, n)
            spread = np.float64(deviation) * _MAD_TO_SIGMA * (1.0 + 3.5 / np.sqrt(n))
            mean, sigma = _clipped(band, skip, xs[j], xs[j + 1], middle, spread, clip, shrink, 6, lanes)
            means[i, j], sigmas[i, j] = np.float64(middle) + mean, sigma


@njit(cache=True, nogil=True, error_model="numpy")
def again(
    image: Image, means: Doubles, starts: Doubles, below: Edges, above: Edges, part: Doubles, left: Edges, right: Edges, share: Doubles,
    ys: Edges, xs: Edges, clip: float, shrink: float, more: Doubles, sigmas: Doubles,
) -> None:  # fmt: skip
    """Mean and σ of each cell once more, all its pixels less the level that ``means`` of the cells around say, from σ ``starts`` on in two rounds.

    So that a slope across a cell is no scatter. Rows and columns lie between cells as in ``against``.
    """
    tallest = max(1, (ys[1:] - ys[:-1]).max())
    band = np.empty((tallest, image.shape[1]), np.float32)
    lanes = np.empty((3, max(1, (xs[1:] - xs[:-1]).max())), np.float32)
    level, noise = np.empty(means.shape[1]), np.ones(means.shape[1])
    at, held = share.astype(np.float32), np.minimum(np.maximum(share, 0.0), 1.0).astype(np.float32)
    for i in range(ys.size - 1):
        high = ys[i + 1] - ys[i]
        for y in range(high):
            a, b, f = below[ys[i] + y], above[ys[i] + y], part[ys[i] + y]
            for j in range(level.size):
                level[j] = means[a, j] + (means[b, j] - means[a, j]) * f
            _row_against(image[ys[i] + y], level, noise, left, right, at, held, np.float32(0.0), band[y])
        for j in range(xs.size - 1):
            more[i, j], sigmas[i, j] = _clipped(
                band[:high], 1, xs[j], xs[j + 1], np.float32(0.0), starts[i, j], clip, shrink, 2, lanes
            )


@njit(cache=True, nogil=True, error_model="numpy")
def _row_against(
    row: Image, level: Doubles, noise: Doubles, left: Edges, right: Edges, at: Image, held: Image, more: np.float32, into: Image
) -> None:  # fmt: skip
    """One row less its level, over its noise, both by cell along it, and ``more``; NaN where a pixel is not finite."""
    start = 0
    while start < row.size:  # columns between two centres, one after another
        c, d = left[start], right[start]
        end = start + 1
        while end < row.size and left[end] == c:
            end += 1
        middle, rise = np.float32(level[c]), np.float32(level[d] - level[c])
        sigma, slope = np.float32(noise[c]), np.float32(noise[d] - noise[c])
        values, out, g, h = row[start:end], into[start:end], at[start:end], held[start:end]
        for x in range(end - start):
            v = (values[x] - middle - rise * g[x]) / (sigma + slope * h[x]) + more
            out[x] = v if abs(v) < _HUGE else np.float32(np.nan)
        start = end


@njit(cache=True, nogil=True, error_model="numpy")
def against(
    image: Image, means: Doubles, sigmas: Doubles, below: Edges, above: Edges, part: Doubles,
    left: Edges, right: Edges, share: Doubles, more: np.float32, out: Image,
) -> None:  # fmt: skip
    """Each pixel less the level that cells around it say, over their σ, and ``more``; NaN where a pixel is not finite.

    A row lies ``part`` of the way from cells ``below`` to cells ``above``, a column ``share`` of it from ``left`` to ``right``. Levels
    go on straight beyond the outermost centres, σ stays what it is there.
    """
    level, noise = np.empty(means.shape[1]), np.empty(means.shape[1])
    at, held = share.astype(np.float32), np.minimum(np.maximum(share, 0.0), 1.0).astype(np.float32)
    for y in range(image.shape[0]):
        _of_row(means, sigmas, below[y], above[y], part[y], level, noise)
        _row_against(image[y], level, noise, left, right, at, held, more, out[y])


@njit(cache=True, nogil=True, error_model="numpy")
def _of_row(
    means: Doubles, sigmas: Doubles, a: int, b: int, f: float, level: Doubles, noise: Doubles
) -> None:
    """Level and σ by cell along a row that lies ``f`` of the way from cells ``a`` to cells ``b``."""
    inside = min(max(f, 0.0), 1.0)
    for j in range(level.size):
        level[j] = means[a, j] + (means[b, j] - means[a, j]) * f
        noise[j] = sigmas[a, j] + (sigmas[b, j] - sigmas[a, j]) * inside


@njit(cache=True, nogil=True, error_model="numpy")
def standing_out(
    image: Image, means: Doubles, sigmas: Doubles, below: Edges, above: Edges, part: Doubles,
    left: Edges, right: Edges, share: Doubles, low: np.float32, high: np.float32,
) -> Edges:  # fmt: skip
    """Places, counted along rows, of the pixels that ``against`` puts below ``low`` or above ``high``, row by row: no image of it is made."""
    level, noise = np.empty(means.shape[1]), np.empty(means.shape[1])
    at, held = share.astype(np.float32), np.minimum(np.maximum(share, 0.0), 1.0).astype(np.float32)
    rows, columns = image.shape
    out, filled, row = np.empty(4 * columns, np.int64), 0, np.empty(columns, np.float32)
    for y in range(rows):
        _of_row(means, sigmas, below[y], above[y], part[y], level, noise)
        _row_against(image[y], level, noise, left, right, at, held, np.float32(0.0), row)
        if _number_outside(row, low, high) == 0:
            continue
        if filled + columns > out.size:
            more = np.empty(2 * out.size, np.int64)
            more[:filled] = out[:filled]
            out = more
        for x in range(columns):
            if (row[x] < low) | (row[x] > high):
                out[filled] = y * columns + x
                filled += 1
    return out[:filled].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def _number_outside(row: Image, low: np.float32, high: np.float32) -> np.int32:
    n = np.int32(0)
    for x in range(row.size):
        n = np.int32(n + np.int32(1 if (row[x] < low) | (row[x] > high) else 0))
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def outside(image: Image, low: np.float32, high: np.float32) -> Edges:
    """Places of the pixels below ``low`` or above ``high``, counted along rows; NaN is neither."""
    rows, columns = image.shape
    numbers = np.zeros(rows + 1, np.int64)
    for y in range(rows):
        numbers[y + 1] = numbers[y] + np.int64(_number_outside(image[y], low, high))
    out = np.empty(numbers[rows], np.int64)
    for y in range(rows):
        at = numbers[y]
        if numbers[y + 1] > at:
            row = image[y]
            for x in range(columns):
                if (row[x] < low) | (row[x] > high):
                    out[at] = y * columns + x
                    at += 1
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def column_sums(image: Image, most: np.float32) -> Doubles:
    """Sums of the columns, each value cut at ± ``most``; NaN counts as 0."""
    sums = np.zeros(image.shape[1])
    for y in range(image.shape[0]):
        row = image[y]
        for x in range(row.size):
            v = min(max(row[x], -most), most)
            sums[x] += np.float64(v if row[x] == row[x] else np.float32(0.0))
    return sums


def warm() -> None:
    """Load or compile the kernels for the types that procedures use."""
    image, edges, place, share = np.zeros((2, 2), np.float32), np.array([0, 2]), np.zeros(2, np.int64), np.zeros(2)  # fmt: skip
    means, one = np.ones((1, 1)), np.float32(1.0)
    between = (place, place, share, place, place, share)
    cells(image, edges, edges, 1, 3.0, 1.0, means.copy(), means.copy())
    again(image, means, means, *between, edges, edges, 3.0, 1.0, means.copy(), means.copy())
    against(image, means, means, *between, one, image.copy())
    standing_out(image, means, means, *between, one, one)
    outside(image, one, one)
    column_sums(image, one)
