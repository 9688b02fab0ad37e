"""Compiled kernels over the tiles of a pair of images: which pixels are usable, and how their weighted difference scatters.

A tile is worked on while the processor's cache holds it, so that the rounds of clipping cost no traffic. As in
``analysis.image_kernels`` sums have one order on every processor. No module of kernels calls
another's: compiled code is kept by the date of its own file, and would go on calling what the other one was.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.uint8]
Codes = NDArray[np.uint16]
Place = tuple[int, int, int, int]  # of a tile: rows from and to, columns from and to

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
def folded_singles(lanes: Image, width: int) -> float:
    """The sum of the first ``width`` lanes, in double precision."""
    total = 0.0
    for x in range(width):
        total += np.float64(lanes[x])
    return total


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
def _middle_and_spread(held: Image, n: int) -> tuple[np.float32, np.float32]:
    """Median and median absolute deviation (as σ) of the first ``n`` values, which are used up."""
    middle = middle_of(held, n)
    for i in range(n):
        held[i] = abs(held[i] - middle)
    return middle, np.float32(middle_of(held, n) * _MAD_TO_SIGMA)


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
def _light(
    image: NDArray[np.generic], offset: np.float32, other: NDArray[np.generic], place: Place, most: np.float32,
    step: int, held: Image,
) -> tuple[np.float32, np.float32, int]:  # fmt: skip
    """Median, median absolute deviation (as σ) and number of every ``step``-th pixel of every ``step``-th row of a tile, of those whose image and other are usable."""
    y0, y1, x0, x1 = place
    n = 0
    for y in range(y0, y1, step):
        for x in range(x0, x1, step):
            v, w = np.float32(image[y, x]), np.float32(other[y, x])
            held[n] = v - offset
            n += 1 if (v > -_HUGE) & (v < most) & (w > -_HUGE) & (w < most) else 0
    middle, spread = _middle_and_spread(held, n)
    return middle, spread, n


@njit(cache=True, nogil=True, error_model="numpy")
def _subtract(
    first: NDArray[np.generic], second: NDArray[np.generic], offset1: np.float32, offset2: np.float32,
    weight1: np.float32, weight2: np.float32, least1: np.float32, most1: np.float32, least2: np.float32, most2: np.float32,
    place: Place, difference: Image, keep: Mask, one: Image, two: Image,
) -> int:  # fmt: skip
    """Weighted difference of two tiles; ``keep`` is 1 where both images lie between their bounds.

    Lanes become sums of the columns, as read, over those. Returns how many they are.
    """
    y0, y1, x0, x1 = place
    n = 0
    for y in range(y0, y1):
        a, b, out, kept = first[y, x0:x1], second[y, x0:x1], difference[y, x0:x1], keep[y, x0:x1]
        some = np.int32(0)
        # a loop for each thing that is written: with more arrays at once none would be done by vector instructions
        for x in range(kept.size):
            v, w = np.float32(a[x]), np.float32(b[x])
            good = (v > least1) & (v < most1) & (w > least2) & (w < most2)
            kept[x] = 1 if good else 0
            some = np.int32(some + np.int32(1 if good else 0))
        for x in range(kept.size):
            out[x] = weight1 * (np.float32(a[x]) - offset1) - weight2 * (np.float32(b[x]) - offset2)
        n += int(some)
    _sums(first, second, place, keep, one, two)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled(
    difference: Image, keep: Mask, place: Place, step: int, held: Image
) -> tuple[np.float32, np.float32, int]:
    """Median, median absolute deviation (as σ) and number of every ``step``-th kept pixel of every ``step``-th row."""
    y0, y1, x0, x1 = place
    n = 0
    for y in range(y0, y1, step):
        for x in range(x0, x1, step):
            held[n] = difference[y, x]
            n += 1 if keep[y, x] else 0
    middle, spread = _middle_and_spread(held, n)
    return middle, spread, n


@njit(cache=True, nogil=True, error_model="numpy")
def _near(
    difference: Image, keep: Mask, place: Place, centre: np.float32, most: np.float32, one: Image, two: Image, far: Image
) -> int:  # fmt: skip
    """Drop from ``keep`` what is farther than ``most`` from ``centre``; returns how many are left.

    Lanes become sums and squares of the columns left less ``centre``, and their largest distances from it.
    """
    one[:], two[:], far[:] = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    y0, y1, x0, x1 = place
    n = 0
    for y in range(y0, y1):
        row, kept = difference[y, x0:x1], keep[y, x0:x1]
        some = np.int32(0)
        for x in range(row.size):
            good = (kept[x] != 0) & (abs(row[x] - centre) <= most)
            kept[x] = 1 if good else 0
            some = np.int32(some + np.int32(1 if good else 0))
        for x in range(row.size):
            v = row[x] - centre if kept[x] else np.float32(0.0)
            one[x] += v
            two[x] += v * v
        for x in range(row.size):
            v = abs(row[x] - centre) if kept[x] else np.float32(0.0)
            far[x] = v if v > far[x] else far[x]
        n += int(some)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _sums(
    first: NDArray[np.generic], second: NDArray[np.generic], place: Place, keep: Mask, one: Image, two: Image
) -> None:
    """Sums of the columns of two tiles, as read, over the kept pixels: exact for 256 rows of 16 bits."""
    one[:], two[:] = np.float32(0.0), np.float32(0.0)
    y0, y1, x0, x1 = place
    for y in range(y0, y1):
        a, b, kept = first[y, x0:x1], second[y, x0:x1], keep[y, x0:x1]
        for x in range(kept.size):
            one[x] += np.float32(a[x]) if kept[x] else np.float32(0.0)
        for x in range(kept.size):
            two[x] += np.float32(b[x]) if kept[x] else np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _lines(
    difference: Image, keep: Mask, place: Place, lanes: Image, rows: Doubles, columns: Doubles, counts: NDArray[np.int32]
) -> None:  # fmt: skip
    """Add a tile's kept pixels to ``lanes`` of its shape, and to the numbers of rows, and to sums and numbers of columns."""
    y0, y1, x0, x1 = place
    one, number = np.zeros(x1 - x0, np.float32), np.zeros(x1 - x0, np.int32)
    for y in range(y0, y1):
        row, kept, to = difference[y, x0:x1], keep[y, x0:x1], lanes[y - y0]
        some = np.int32(0)
        for x in range(row.size):
            to[x] += row[x] if kept[x] else np.float32(0.0)
            some = np.int32(some + np.int32(kept[x]))
        rows[1, y] += some
        for x in range(row.size):
            one[x] += row[x] if kept[x] else np.float32(0.0)
            number[x] += np.int32(kept[x])
    for x in range(x1 - x0):
        columns[0, x0 + x] += np.float64(one[x])
        counts[x0 + x] += number[x]


@njit(cache=True, nogil=True, error_model="numpy")
def _extents(image: NDArray[np.generic], y0: int, nx: int, low: Codes, high: Codes, rows_of: Doubles) -> None:
    """Lowest and highest value of each column of a band of whole numbers of 16 bits, and the sum of each row of its tiles, shape (tiles, rows)."""
    low[:], high[:] = np.uint16(65535), np.uint16(0)
    for y in range(rows_of.shape[1]):
        row = image[y0 + y, : low.size]
        for x in range(low.size):
            low[x], high[x] = min(low[x], row[x]), max(high[x], row[x])
        for k in range(rows_of.shape[0]):
            part, some = row[k * nx : (k + 1) * nx], np.uint32(0)
            for x in range(part.size):
                some = np.uint32(some + np.uint32(part[x]))
            rows_of[k, y] = some


@njit(cache=True, nogil=True, error_model="numpy")
def _ends(low: Codes, high: Codes) -> tuple[np.float32, np.float32]:
    """The lowest of ``low`` and the highest of ``high``, of one size: plain loops, for those of arrays' own methods are not done by vector instructions."""
    least, largest = np.uint16(65535), np.uint16(0)
    for x in range(low.size):
        least, largest = min(least, low[x]), max(largest, high[x])
    return np.float32(least), np.float32(largest)


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled_plain(
    first: NDArray[np.generic], second: NDArray[np.generic], offset1: np.float32, offset2: np.float32,
    weight1: np.float32, weight2: np.float32, place: Place, step: int, held: Image,
) -> tuple[np.float32, np.float32, int]:  # fmt: skip
    """``_sampled`` of the weighted difference of two tiles of which every pixel is kept."""
    y0, y1, x0, x1 = place
    n = 0
    for y in range(y0, y1, step):
        a, b = first[y], second[y]
        for x in range(x0, x1, step):
            held[n] = weight1 * (np.float32(a[x]) - offset1) - weight2 * (np.float32(b[x]) - offset2)
            n += 1
    middle, spread = _middle_and_spread(held, n)
    return middle, spread, n


@njit(cache=True, nogil=True, error_model="numpy")
def _band(
    first: NDArray[np.generic], second: NDArray[np.generic], offset1: np.float32, offset2: np.float32,
    weight1: np.float32, weight2: np.float32, y0: int, y1: int, difference: Image, keep: Mask, centres: Image,
    one: Image, two: Image, far: Image,
) -> None:  # fmt: skip
    """The weighted difference of a band of rows, all of it kept.

    Lanes become sums and squares of its columns less ``centres``, and their largest distances from them. Loops run over whole rows: over
    those of a tile, to begin each would cost as much as it does.
    """
    one[:], two[:], far[:] = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for y in range(y0, y1):
        out = difference[y]
        a, b = first[y, : out.size], second[y, : out.size]
        for x in range(out.size):
            out[x] = weight1 * (np.float32(a[x]) - offset1) - weight2 * (np.float32(b[x]) - offset2)
        for x in range(out.size):
            v = out[x] - centres[x]
            one[x] += v
            two[x] += v * v
        for x in range(out.size):
            v = abs(out[x] - centres[x])
            far[x] = v if v > far[x] else far[x]
        keep[y, :] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def _bounds(
    image: NDArray[np.generic], offset: np.float32, other: NDArray[np.generic], place: Place, most: np.float32, unlike: np.float32,
    step: int, held: Image,
) -> tuple[np.float32, np.float32]:  # fmt: skip
    """Between what values, as read, pixels of a tile are no defects and not saturated: see ``scatter``."""
    if unlike < 0.0:
        return -_HUGE, most
    middle, spread, n = _light(image, offset, other, place, most, step, held)
    away = max(unlike * abs(middle), np.float32(6.0) * spread) if n else np.float32(0.0)
    return offset + middle - away, min(offset + middle + away, most)


@njit(cache=True, nogil=True, error_model="numpy")
def _start(spread: np.float32, n: int) -> float:
    """The scatter with which clipping begins, from that of ``n`` values.

    The median deviation of n values scatters by 1.17/√n, that of whole numbers is a whole number which may be low by half a
    step: neither must cut what is good, for what is cut does not come back. Of constant tiles nothing is an outlier.
    """
    begun: float = (float(spread) + 0.5 * _MAD_TO_SIGMA) * (1.0 + 3.0 * 1.17 / sqrt(max(n, 1)))
    return begun if spread > 0.0 else inf


@njit(cache=True, nogil=True, error_model="numpy")
def _clipped(
    difference: Image, keep: Mask, place: Place, sigma: float, rounds: int, step: int, held: Image, one: Image, two: Image, far: Image
) -> tuple[int, float, float]:  # fmt: skip
    """Pixels left of a tile's kept ones when those beyond ``sigma`` of their scatter are dropped, their mean, and their squared deviations from it."""
    nx = place[3] - place[2]
    centre, spread, n = _sampled(difference, keep, place, step, held)
    if n == 0:
        centre, spread = np.float32(0.0), np.float32(0.0)
    reach = _start(spread, n)
    count, last, left, mean = 0, -1, 0.0, 0.0
    for _ in range(rounds):
        near = np.float32(sigma * reach)
        if last >= 0 and far.max() + abs(mean - np.float64(centre)) <= near:
            break  # nothing more is cut
        centre = np.float32(mean) if last >= 0 else centre
        count = _near(difference, keep, place, centre, near, one, two, far)
        shift = folded_singles(one, nx) / max(count, 1)
        mean = np.float64(centre) + shift
        left = max(folded_singles(two, nx) - count * shift * shift, 0.0)
        reach = np.sqrt(left / max(count - 1.0, 1.0))
        if count == last:
            break
        last = count
    return count, mean, left


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(
    first: NDArray[np.generic], second: NDArray[np.generic], offset1: np.float32, offset2: np.float32,
    weight1: np.float32, weight2: np.float32, ny: int, nx: int, most: np.float32, unlike: np.float32, sigma: float, rounds: int, step: int,
    whole: bool, keep: Mask, difference: Image, freedom: Doubles, squares: Doubles, means: Doubles, rows: Doubles, columns: Doubles,
) -> tuple[int, float, float]:  # fmt: skip
    """The weighted difference of two images, clipped tile by tile at ``sigma`` of its own scatter.

    Usable are pixels that in both images are finite, below ``most`` (as read) and no defects: those are farther from their tile's median than
    ``unlike`` times that median, or six times the tile's scatter where that is more; with ``unlike`` below zero nothing is a defect.
    Tiles are of ``ny`` × ``nx`` pixels. Writes the difference, and to ``keep`` 1 for pixels used, both of the shape that the tiles cover; gives per tile the degrees of freedom,
    the squared deviations from the tile's mean, and that mean; and sum and number of the difference of each row and column, shapes (2, rows) and (2, columns).
    Returns the number of pixels kept and the sums of both images (less offsets) over them.

    Most tiles of images of 16 bits (``whole``) lose no pixel, which their extremes tell: they go a shorter way, without a mask, to the same numbers.
    """
    held, lanes = np.empty(ny * nx, np.float32), np.empty((ny, nx), np.float32)
    one, two, far, light1, light2 = (
        np.empty(nx, np.float32), np.empty(nx, np.float32), np.empty(nx, np.float32), np.empty(nx, np.float32), np.empty(nx, np.float32),
    )  # fmt: skip
    number, wide = np.zeros(columns.shape[1], np.int32), keep.shape[1]
    centres, ones, twos, fars = np.empty(wide, np.float32), np.empty(wide, np.float32), np.empty(wide, np.float32), np.empty(wide, np.float32)  # fmt: skip
    across = wide // nx
    plain, starts = np.zeros(across, np.bool_), np.zeros(across)
    rows1, rows2 = np.zeros((across, ny)), np.zeros((across, ny))
    lows1, highs1, lows2, highs2 = np.empty(wide, np.uint16), np.empty(wide, np.uint16), np.empty(wide, np.uint16), np.empty(wide, np.uint16)  # fmt: skip
    total, sum1, sum2, tile = 0, 0.0, 0.0, 0
    rows[:], columns[:] = 0.0, 0.0
    for y0 in range(0, keep.shape[0], ny):
        lanes[:] = np.float32(0.0)
        if whole:
            _extents(first, y0, nx, lows1, highs1, rows1)
            _extents(second, y0, nx, lows2, highs2, rows2)
        for k in range(across if whole else 0):
            x0, x1 = k * nx, (k + 1) * nx
            place = (y0, y0 + ny, x0, x1)
            low1, high1 = _ends(lows1[x0:x1], highs1[x0:x1])
            low2, high2 = _ends(lows2[x0:x1], highs2[x0:x1])
            plain[k] = high1 < most and high2 < most
            # wherever between its extremes the median is
            sure = high1 - low1 < unlike * (low1 - offset1) and high2 - low2 < unlike * (low2 - offset2)
            if plain[k] and unlike >= 0.0 and not sure:
                least1, most1 = _bounds(first, offset1, second, place, most, unlike, step, held)
                least2, most2 = _bounds(second, offset2, first, place, most, unlike, step, held)
                plain[k] = low1 > least1 and high1 < most1 and low2 > least2 and high2 < most2
            centre, spread, n = np.float32(0.0), np.float32(0.0), 0
            if plain[k]:
                centre, spread, n = _sampled_plain(first, second, offset1, offset2, weight1, weight2, place, step, held)  # fmt: skip
            centres[x0:x1] = centre
            starts[k] = _start(spread, n)
        if plain.any():
            _band(
                first, second, offset1, offset2, weight1, weight2, y0, y0 + ny, difference, keep, centres, ones, twos, fars,
            )  # fmt: skip
        for k in range(across):
            x0, x1 = k * nx, (k + 1) * nx
            place, count, mean, left = (y0, y0 + ny, x0, x1), ny * nx, 0.0, 0.0
            if plain[k]:
                shift = folded_singles(ones[x0:x1], nx) / count
                mean = np.float64(centres[x0]) + shift
                left = max(folded_singles(twos[x0:x1], nx) - count * shift * shift, 0.0)
                most_far = fars[x0:x1].max()
                reach = np.sqrt(left / max(count - 1.0, 1.0))
                near, nearer = np.float32(sigma * starts[k]), np.float32(sigma * reach)
                plain[k] = most_far <= near and most_far + abs(shift) <= nearer
            if plain[k]:
                for x in range(x0, x1):
                    columns[0, x] += np.float64(ones[x]) + ny * np.float64(centres[x])
                    number[x] += np.int32(ny)
                for y in range(ny):
                    rows[0, y0 + y] += np.float64(weight1) * (rows1[k, y] - nx * np.float64(offset1))
                    rows[0, y0 + y] -= np.float64(weight2) * (rows2[k, y] - nx * np.float64(offset2))
                    rows[1, y0 + y] += nx
                sum1 += rows1[k].sum() - count * np.float64(offset1)
                sum2 += rows2[k].sum() - count * np.float64(offset2)
            else:
                least1, most1 = _bounds(first, offset1, second, place, most, unlike, step, held)
                least2, most2 = _bounds(second, offset2, first, place, most, unlike, step, held)
                before = _subtract(
                    first, second, offset1, offset2, weight1, weight2, least1, most1, least2, most2, place,
                    difference, keep, light1, light2,
                )  # fmt: skip
                count, mean, left = _clipped(
                    difference, keep, place, sigma, rounds, step, held, one, two, far
                )
                if count != before:
                    _sums(first, second, place, keep, light1, light2)
                _lines(difference, keep, place, lanes, rows, columns, number)
                sum1 += folded_singles(light1, nx) - count * np.float64(offset1)
                sum2 += folded_singles(light2, nx) - count * np.float64(offset2)
            squares[tile], means[tile], freedom[tile] = left, mean, max(count - 1.0, 0.0)
            tile += 1
            total += count
        for y in range(ny):
            rows[0, y0 + y] += folded_singles(lanes[y], nx)
    for x in range(number.size):
        columns[1, x] = number[x]
    return total, sum1, sum2
