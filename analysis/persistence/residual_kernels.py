"""Compiled passes of persistence over one channel: what was exposed, the mean of the darks before it, and what a later dark holds more.

Each goes once over arrays of the channel's image shape. Sums are kept by column and folded in halves, so that they have one order on every processor.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]
Mask = NDArray[np.int32]

_NAN = np.float32(np.nan)
_LOWEST = np.float32(-np.inf)
_BLOCK = 64  # columns that are passed over together where none was exposed


@njit(cache=True, nogil=True, error_model="numpy")
def expose(
    values: Image, mask: Mask, lost: np.int32, full: np.int32, threshold: np.float32, level: Image, lit: Bools, valid: Bools
) -> int:  # fmt: skip
    """Note an exposure to light: raise ``level`` to its values, mark what is ``lit`` (a bit of ``full``, or from ``threshold`` on) and ``valid`` (no bit of ``lost``).

    Returns how many pixels this exposure saturated.
    """
    n = 0
    for y in range(values.shape[0]):
        row, bits, highest, over, good = values[y], mask[y], level[y], lit[y], valid[y]
        some = 0
        for x in range(row.size):
            v, known = row[x], (bits[x] & lost) == 0
            now = known & (((bits[x] & full) != 0) | (v >= threshold))
            highest[x] = v if known & (v > highest[x]) else highest[x]
            good[x] |= known
            over[x] |= now
            some += 1 if now else 0
        n += some
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def grow(mask: Bools, out: Bools) -> None:
    """A mask with the four neighbours of each of its pixels, into ``out``."""
    rows, columns = mask.shape
    for y in range(rows):
        row, wide = mask[y], out[y]
        above, below = mask[max(y - 1, 0)], mask[min(y + 1, rows - 1)]
        for x in range(columns):
            wide[x] = row[x] | above[x] | below[x]
        for x in range(columns - 1):
            wide[x] |= row[x + 1]
        for x in range(1, columns):
            wide[x] |= row[x - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def begin(values: Image, mask: Mask, total: Image, highest: Image, count: NDArray[np.uint16]) -> None:
    """Sums, highest values and numbers of a first dark's pixels without a bit, whatever they were before."""
    for y in range(values.shape[0]):
        row, bits, sums, top, number = values[y], mask[y], total[y], highest[y], count[y]
        for x in range(row.size):
            v, good = row[x], bits[x] == 0
            sums[x] = v if good else np.float32(0.0)
            top[x] = v if good else _LOWEST
            number[x] = np.uint16(1 if good else 0)


@njit(cache=True, nogil=True, error_model="numpy")
def add(values: Image, mask: Mask, total: Image, highest: Image, count: NDArray[np.uint16]) -> None:
    """Add another dark's pixels without a bit to sums, highest values and numbers."""
    for y in range(values.shape[0]):
        row, bits, sums, top, number = values[y], mask[y], total[y], highest[y], count[y]
        for x in range(row.size):
            v, good = row[x], bits[x] == 0
            sums[x] += v if good else np.float32(0.0)
            top[x] = v if good & (v > top[x]) else top[x]
            number[x] += np.uint16(1 if good else 0)


@njit(cache=True, nogil=True, error_model="numpy")
def unstruck(
    total: Image, highest: Image, count: NDArray[np.uint16], noise: np.float32, shot: np.float32, sigma: np.float32
) -> None:  # fmt: skip
    """Sums of ``add`` → means in their place, NaN of none, without the highest value where it stands out of the others by ``sigma``.

    Variance of one value is ``noise``² [ADU²] and ``shot`` times the level.
    """
    one = np.float32(1.0)
    for y in range(total.shape[0]):
        sums, top, number = total[y], highest[y], count[y]
        for x in range(sums.size):
            n = np.float32(number[x])
            rest = max(n - one, one)
            others = (sums[x] - top[x]) / rest
            level = others if others > np.float32(0.0) else np.float32(0.0)
            variance = (noise * noise + level * shot) * (n / rest)
            off = top[x] - others
            struck = (n > one) & (off > np.float32(0.0)) & (off * off > sigma * sigma * variance)
            mean = others if struck else sums[x] / n
            sums[x] = mean if n > np.float32(0.0) else _NAN


@njit(cache=True, nogil=True, error_model="numpy")
def less(values: Image, mask: Mask, mean: Image) -> None:
    """Take ``mean`` off in place; NaN where a bit is set."""
    for y in range(values.shape[0]):
        row, bits, off = values[y], mask[y], mean[y]
        for x in range(row.size):
            v = row[x] - off[x]
            row[x] = v if bits[x] == 0 else _NAN


@njit(cache=True, nogil=True, error_model="numpy")
def tile_sums(
    values: Image, used: Bools, side: int, low: np.float32, high: np.float32, centre: np.float32
) -> Doubles:  # fmt: skip
    """Of the pixels used with values from ``low`` to ``high``, by square of ``side`` pixels: number, sum and sum of squares of deviations from ``centre``.

    Shape (3, squares along a column, squares along a row); the squares at the far edges are smaller.
    """
    rows, columns = values.shape
    wide = (columns + side - 1) // side
    out = np.zeros((3, (rows + side - 1) // side, wide))
    n, first, second = np.zeros(columns, np.float32), np.zeros(columns), np.zeros(columns)
    for top in range(0, rows, side):
        n[:], first[:], second[:] = np.float32(0.0), 0.0, 0.0
        for y in range(top, min(top + side, rows)):
            row, here = values[y], used[y]
            for x in range(columns):
                v = row[x]
                good = here[x] & (v >= low) & (v <= high)
                d = np.float64(v - centre if good else np.float32(0.0))
                n[x] += np.float32(1.0 if good else 0.0)
                first[x] += d
                second[x] += d * d
        for t in range(wide):
            for x in range(t * side, min((t + 1) * side, columns)):
                out[0, top // side, t] += np.float64(n[x])
                out[1, top // side, t] += first[x]
                out[2, top // side, t] += second[x]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _any_above(levels: NDArray[np.float32], least: np.float32) -> np.bool_:
    """Whether any level is: in vector instructions, which the search for single pixels has not."""
    n = np.int32(0)
    for x in range(levels.size):
        n = np.int32(n + np.int32(1 if levels[x] > least else 0))
    return n > np.int32(0)


@njit(cache=True, nogil=True, error_model="numpy")
def some_of_bins(values: Image, level: Image, least: np.float32, scale: np.float32, out: Image) -> Counts:
    """Values of pixels by bin of ``level`` (as of ``by_bin``) into ``out``, shape (bins, an even number); returns how many of each.

    All of a bin that has room; of more every second, fourth …, so that between half of the room and all of it is filled evenly.
    """
    last, room = out.shape[0] - 1, out.shape[1]
    filled, seen, step = (
        np.zeros(last + 1, np.int64),
        np.zeros(last + 1, np.int64),
        np.ones(last + 1, np.int64),
    )
    for y in range(values.shape[0]):
        for start in range(0, values.shape[1], _BLOCK):
            row, exposed = values[y, start : start + _BLOCK], level[y, start : start + _BLOCK]
            if not _any_above(exposed, least):
                continue
            for x in range(row.size):
                v, at = row[x], exposed[x]
                if at > least and v == v:
                    k = min(int(at * scale), last)
                    if seen[k] & (step[k] - 1) == 0:
                        if filled[k] == room:
                            for i in range(room // 2):
                                out[k, i] = out[k, 2 * i]
                            filled[k], step[k] = room // 2, 2 * step[k]
                        if seen[k] & (step[k] - 1) == 0:
                            out[k, filled[k]] = v
                            filled[k] += 1
                    seen[k] += 1
    return filled


@njit(cache=True, nogil=True, error_model="numpy")
def by_bin(
    values: Image, level: Image, least: np.float32, scale: np.float32, low: Image, high: Image, centre: Image
) -> Doubles:  # fmt: skip
    """By bin of ``level``, those above ``least`` in bins of 1/``scale`` and the last open: number, sum and squares of deviations of values within the bin's bounds, sum and number of levels.

    Shape (5, bins); the last two are of all pixels with a value.
    """
    last = low.size - 1
    n, first, second, levels, seen = np.zeros((5, low.size))
    for y in range(values.shape[0]):
        for start in range(0, values.shape[1], _BLOCK):
            row, exposed = values[y, start : start + _BLOCK], level[y, start : start + _BLOCK]
            if not _any_above(exposed, least):
                continue
            for x in range(row.size):
                v, at = row[x], exposed[x]
                if at > least and v == v:
                    k = np.uint32(min(int(at * scale), last))
                    levels[k] += np.float64(at)
                    seen[k] += 1.0
                    if low[k] <= v <= high[k]:
                        d = np.float64(v - centre[k])
                        n[k] += 1.0
                        first[k] += d
                        second[k] += d * d
    return np.stack((n, first, second, levels, seen))


def warm() -> None:
    """Load or compile the kernels for the types that procedures use."""
    image, mask, marks = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int32), np.zeros((2, 2), np.bool_)
    one, none, count = np.float32(1.0), np.int32(0), np.zeros((2, 2), np.uint16)
    expose(image, mask, none, none, one, image.copy(), marks, marks.copy())
    grow(marks, marks.copy())
    begin(image, mask, image.copy(), image.copy(), count)
    add(image, mask, image.copy(), image.copy(), count)
    unstruck(image.copy(), image, count, one, one, one)
    less(image.copy(), mask, image)
    tile_sums(image, marks, 2, one, one, one)
    some_of_bins(image, image, one, one, np.zeros((1, 2), np.float32))
    bounds = np.zeros(1, np.float32)
    by_bin(image, image, one, one, bounds, bounds, bounds)
