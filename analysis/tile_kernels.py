"""Compiled kernels over the tiles of a pair of images: which pixels are alike, and how their weighted difference scatters.

A tile is worked on while the processor's cache holds it, so that the rounds of clipping cost no traffic. As in
``analysis.image_kernels`` sums have one order on every processor. No module of kernels calls
another's: compiled code is kept by the date of its own file, and would go on calling what the other one was.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.uint8]

_HUGE = np.float32(3.0e38)
_MAD_TO_SIGMA = 1.482602218505602
_LEAST, _LARGEST = np.int32(-(2**31)), np.int32(2**31 - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def folded(lanes: Doubles, width: int) -> float:
    """The sum of the first ``width`` lanes, which are used up."""
    while width > 1:
        half = width // 2
        if width % 2:
            lanes[0] += lanes[width - 1]
        for p in range(half):
            lanes[p] += lanes[half + p]
        width = half
    return float(lanes[0])


@njit(cache=True, nogil=True, error_model="numpy")
def _turned(keys: NDArray[np.int32]) -> None:
    """Bits of single precision ↔ whole numbers in the order of the values; twice is as before."""
    for i in range(keys.size):
        key = keys[i]
        keys[i] = np.int32(key ^ ((key >> np.int32(31)) & _LARGEST))


@njit(cache=True, nogil=True, error_model="numpy")
def _up_to(keys: NDArray[np.int32], most: np.int32) -> np.int32:
    """How many keys are at most ``most``."""
    n = np.int32(0)
    for i in range(keys.size):
        n = np.int32(n + np.int32(1 if keys[i] <= most else 0))
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def middle_of(held: Image, n: int) -> np.float32:
    """Median of the first ``n`` values, none of them NaN; NaN of none.

    A bound that has half of the values below it is sought by halving the range: each pass over the values is a plain count,
    which vector instructions do, whereas a selection takes a branch for each value that no processor foresees (9× as long).
    """
    if n == 0:
        return np.float32(np.nan)
    keys = held[:n].view(np.int32)
    _turned(keys)
    low, high = _LARGEST, _LEAST
    for i in range(n):
        low, high = min(low, keys[i]), max(high, keys[i])
    half, bound = np.int32(n // 2), high
    while low < high:
        bound = np.int32((np.int64(low) + np.int64(high)) >> 1)
        found = _up_to(keys, bound)
        if found == half:
            break
        if found > half:
            high = bound
        else:
            low = np.int32(bound + np.int32(1))
    if low == high:  # the middle one itself: values of its size lie on both sides of half
        bound = np.int32(high - np.int32(1))
    below, above, found = _LEAST, _LARGEST, np.int32(0)
    for i in range(n):
        less = keys[i] <= bound
        found = np.int32(found + np.int32(1 if less else 0))
        below = max(below, keys[i] if less else _LEAST)
        above = min(above, _LARGEST if less else keys[i])
    _turned(keys)
    pair = np.empty(2, np.int32)
    pair[0], pair[1] = below if found == half else above, above
    _turned(pair)
    two = pair.view(np.float32)
    return two[1] if n % 2 else np.float32(np.float32(0.5) * (two[0] + two[1]))


@njit(cache=True, nogil=True, error_model="numpy")
def cell_means(image: Image, ys: Counts, xs: Counts, step: int, sigma: float) -> Doubles:
    """Mean of each cell between edges, of what lies within ``sigma`` robust σ of its median; NaN where nothing is finite.

    Median and σ (from the median absolute deviation) are of every ``step``-th pixel of every ``step``-th row.
    """
    out = np.full((ys.size - 1, xs.size - 1), np.nan)
    held = np.empty(max(1, (ys[1:] - ys[:-1]).max() * (xs[1:] - xs[:-1]).max()), np.float32)
    lanes, number = np.empty(image.shape[1]), np.empty(image.shape[1])
    for i in range(ys.size - 1):
        for j in range(xs.size - 1):
            n = 0
            for y in range(ys[i], ys[i + 1], step):
                for x in range(xs[j], xs[j + 1], step):
                    held[n] = image[y, x]
                    n += 1 if abs(held[n]) < _HUGE else 0
            if n == 0:
                continue
            middle = middle_of(held, n)
            for k in range(n):
                held[k] = abs(held[k] - middle)
            most = np.float32(sigma * 1.482602218505602 * middle_of(held, n))
            wide = xs[j + 1] - xs[j]
            lanes[:wide], number[:wide] = 0.0, 0.0
            for y in range(ys[i], ys[i + 1]):
                row = image[y, xs[j] : xs[j + 1]]
                for x in range(wide):
                    d = row[x] - middle
                    good = abs(d) <= most
                    lanes[x] += np.float64(d) if good else 0.0
                    number[x] += 1.0 if good else 0.0
            out[i, j] = middle + folded(lanes, wide) / max(folded(number, wide), 1.0)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _load(image: NDArray[np.generic], offset: np.float32, y0: int, x0: int, tile: Image) -> None:
    """A tile of an image less its offset."""
    for y in range(tile.shape[0]):
        row, out = image[y0 + y, x0 : x0 + tile.shape[1]], tile[y]
        for x in range(out.size):
            out[x] = np.float32(row[x]) - offset


@njit(cache=True, nogil=True, error_model="numpy")
def _usable(a: Image, b: Image, most: np.float32, keep: Mask) -> None:
    """1 where both tiles are finite and below ``most``, else 0."""
    for y in range(a.shape[0]):
        one, two, out = a[y], b[y], keep[y]
        for x in range(out.size):
            v, w = one[x], two[x]
            good = (abs(v) < _HUGE) & (abs(w) < _HUGE) & (v < most) & (w < most)
            out[x] = 1 if good else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled(tile: Image, keep: Mask, step: int, held: Image) -> tuple[np.float32, np.float32, int]:
    """Median, median absolute deviation (as σ) and number of every ``step``-th kept pixel of every ``step``-th row."""
    n = 0
    for y in range(0, tile.shape[0], step):
        for x in range(0, tile.shape[1], step):
            held[n] = tile[y, x]
            n += 1 if keep[y, x] else 0
    middle = middle_of(held, n)
    for i in range(n):
        held[i] = abs(held[i] - middle)
    return middle, np.float32(middle_of(held, n) * _MAD_TO_SIGMA), n


@njit(cache=True, nogil=True, error_model="numpy")
def _alike(
    a: Image, b: Image, keep: Mask, middle1: np.float32, most1: np.float32, middle2: np.float32, most2: np.float32,
    lanes1: Doubles, lanes2: Doubles,
) -> int:  # fmt: skip
    """Drop from ``keep`` what is farther from either middle than its ``most``; lanes become sums of the columns left. Returns how many are left."""
    lanes1[:], lanes2[:] = 0.0, 0.0
    n = 0
    for y in range(a.shape[0]):
        one, two, kept = a[y], b[y], keep[y]
        some = np.int32(0)
        for x in range(one.size):
            v, w = one[x], two[x]
            good = (kept[x] != 0) & (abs(v - middle1) <= most1) & (abs(w - middle2) <= most2)
            kept[x] = 1 if good else 0
            some = np.int32(some + np.int32(1 if good else 0))
            lanes1[x] += np.float64(v) if good else 0.0
            lanes2[x] += np.float64(w) if good else 0.0
        n += int(some)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _near(tile: Image, keep: Mask, middle: np.float32, most: np.float32, lanes: Doubles) -> int:
    """Drop from ``keep`` what is farther than ``most`` from ``middle``; lanes become sums of the columns left. Returns how many are left."""
    lanes[:] = 0.0
    n = 0
    for y in range(tile.shape[0]):
        row, kept = tile[y], keep[y]
        some = np.int32(0)
        for x in range(row.size):
            v = row[x]
            good = (kept[x] != 0) & (abs(v - middle) <= most)
            kept[x] = 1 if good else 0
            some = np.int32(some + np.int32(1 if good else 0))
            lanes[x] += np.float64(v) if good else 0.0
        n += int(some)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _sums(a: Image, b: Image, keep: Mask, lanes1: Doubles, lanes2: Doubles) -> None:
    """Sums of the columns of two tiles over the kept pixels."""
    lanes1[:], lanes2[:] = 0.0, 0.0
    for y in range(a.shape[0]):
        one, two, kept = a[y], b[y], keep[y]
        for x in range(one.size):
            lanes1[x] += np.float64(one[x]) if kept[x] else 0.0
            lanes2[x] += np.float64(two[x]) if kept[x] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _squares(
    tile: Image, keep: Mask, centre: np.float32, lanes: Doubles, reach: Image
) -> tuple[float, np.float32]:
    """Sum of the squared deviations of a tile's kept pixels from ``centre``, and the largest deviation."""
    wide = tile.shape[1]
    lanes[:], reach[:] = 0.0, np.float32(0.0)
    for y in range(tile.shape[0]):
        row, kept = tile[y], keep[y]
        for x in range(wide):
            near = row[x] - centre if kept[x] else np.float32(0.0)
            d = np.float64(near)
            lanes[x] += d * d
            reach[x] = abs(near) if abs(near) > reach[x] else reach[x]
    return folded(lanes, wide), reach.max()


@njit(cache=True, nogil=True, error_model="numpy")
def alike(
    first: NDArray[np.generic], second: NDArray[np.generic], offset1: np.float32, offset2: np.float32,
    ny: int, nx: int, most: np.float32, unlike: np.float32, step: int, keep: Mask,
) -> tuple[int, float, float]:  # fmt: skip
    """Mark in ``keep`` the pixels of both images that are finite, below ``most`` and no defects; their number and sums.

    A defect is farther from its tile's median than ``unlike`` times that median, or six times the tile's scatter where that is more.
    Tiles are of ``ny`` × ``nx`` pixels; ``keep`` is of the shape that they cover.
    """
    a, b = np.empty((ny, nx), np.float32), np.empty((ny, nx), np.float32)
    held, lanes1, lanes2 = np.empty(ny * nx, np.float32), np.empty(nx), np.empty(nx)
    total, sum1, sum2 = 0, 0.0, 0.0
    for y0 in range(0, keep.shape[0], ny):
        for x0 in range(0, keep.shape[1], nx):
            _load(first, offset1, y0, x0, a)
            _load(second, offset2, y0, x0, b)
            kept = keep[y0 : y0 + ny, x0 : x0 + nx]
            _usable(a, b, most, kept)
            middle1, scatter1, n = _sampled(a, kept, step, held)
            middle2, scatter2, _ = _sampled(b, kept, step, held)
            if n == 0:
                kept[:, :] = 0
                continue
            six = np.float32(6.0)
            most1, most2 = (
                max(unlike * abs(middle1), six * scatter1),
                max(unlike * abs(middle2), six * scatter2),
            )
            total += _alike(a, b, kept, middle1, most1, middle2, most2, lanes1, lanes2)
            sum1 += folded(lanes1, nx)
            sum2 += folded(lanes2, nx)
    return total, sum1, sum2


@njit(cache=True, nogil=True, error_model="numpy")
def finite_in_both(first: NDArray[np.generic], second: NDArray[np.generic], keep: Mask) -> None:
    """1 where both images are finite, else 0; ``keep`` may be smaller than they."""
    for y in range(keep.shape[0]):
        for x in range(keep.shape[1]):
            good = (abs(np.float32(first[y, x])) < _HUGE) & (abs(np.float32(second[y, x])) < _HUGE)
            keep[y, x] = 1 if good else 0


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(
    first: NDArray[np.generic], second: NDArray[np.generic], offset1: np.float32, offset2: np.float32,
    weight1: np.float32, weight2: np.float32, ny: int, nx: int, sigma: float, rounds: int, step: int,
    keep: Mask, difference: Image, freedom: Doubles, squares: Doubles,
) -> tuple[int, float, float]:  # fmt: skip
    """The weighted difference of two images, clipped tile by tile at ``sigma`` of its own scatter.

    Writes the difference (of ``keep``'s shape), drops from ``keep`` what is clipped, and gives per tile the degrees of freedom and the
    squared deviations from the tile's mean. Returns the number of pixels kept and the sums of both images (less offsets) over them.
    """
    a, b, d = (
        np.empty((ny, nx), np.float32),
        np.empty((ny, nx), np.float32),
        np.empty((ny, nx), np.float32),
    )
    held, reach = np.empty(ny * nx, np.float32), np.empty(nx, np.float32)
    lanes1, lanes2 = np.empty(nx), np.empty(nx)
    total, sum1, sum2, tile = 0, 0.0, 0.0, 0
    for y0 in range(0, keep.shape[0], ny):
        for x0 in range(0, keep.shape[1], nx):
            _load(first, offset1, y0, x0, a)
            _load(second, offset2, y0, x0, b)
            for y in range(ny):
                one, two, out, whole = a[y], b[y], d[y], difference[y0 + y, x0 : x0 + nx]
                for x in range(nx):
                    out[x] = weight1 * one[x] - weight2 * two[x]
                for x in range(nx):
                    whole[x] = out[x]
            kept = keep[y0 : y0 + ny, x0 : x0 + nx]
            centre, start, n = _sampled(d, kept, step, held)
            if n == 0:
                centre, start = np.float32(0.0), np.float32(0.0)
            # the median deviation of n values scatters by 1.17/√n, that of whole numbers is a whole number which may
            # be low by half a step: neither must cut what is good, for what is cut does not come back
            spread = (np.float64(start) + 0.5 * _MAD_TO_SIGMA) * (1.0 + 3.0 * 1.17 / np.sqrt(max(n, 1)))
            spread = spread if start > 0.0 else np.inf  # constant tiles: nothing is an outlier
            count, before, left, farthest = 0, -1, 0.0, np.float32(0.0)
            for _ in range(rounds):
                most = np.float32(sigma * spread)
                if before >= 0 and farthest <= most:
                    break  # nothing more is cut
                count = _near(d, kept, centre, most, lanes1)
                if count == before:
                    break
                before = count
                centre = np.float32(folded(lanes1, nx) / max(count, 1))
                left, farthest = _squares(d, kept, centre, lanes1, reach)
                spread = np.sqrt(left / max(count - 1.0, 1.0))
            squares[tile] = left
            freedom[tile] = max(count - 1.0, 0.0)
            tile += 1
            total += count
            _sums(a, b, kept, lanes1, lanes2)
            sum1 += folded(lanes1, nx)
            sum2 += folded(lanes2, nx)
    return total, sum1, sum2
