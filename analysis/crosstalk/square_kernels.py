"""Compiled passes over squares of pixels: how many are bright, the plane that fits some of them, who is lit where.

A square is worked on while the processor's cache holds it. Sums are kept by column of the square in single precision, of deviations from a level near them, and
added up in double precision, in one order everywhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Tiles = NDArray[np.float32]
Masks = NDArray[np.bool_]
Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def above(image: NDArray[np.generic], bound: float, ys: Counts, xs: Counts) -> Counts:
    """How many pixels of each cell between the edges are above ``bound``, shape (cells along y, cells along x)."""
    out = np.zeros((ys.size - 1, xs.size - 1), np.int64)
    for i in range(ys.size - 1):
        for y in range(ys[i], ys[i + 1]):
            for j in range(xs.size - 1):
                row = image[y, xs[j] : xs[j + 1]]
                n = np.int32(0)
                for x in range(row.size):
                    n = np.int32(n + np.int32(1 if row[x] > bound else 0))
                out[i, j] += np.int64(n)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _fitted(values: Tiles, used: Masks, level: np.float32, lanes: Tiles) -> tuple[float, float, float, float]:
    """Number of the pixels used of a square, and the plane c + a x + b y of their values less ``level`` by least squares; x and y from −1 to 1. Zeros of none."""
    side = values.shape[0]
    step = np.float32(2.0 / (side - 1)) if side > 1 else _ZERO
    lanes[:, :] = _ZERO
    count, ys, yy, first, second = lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]
    for i in range(side):
        y = np.float32(-1.0) + step * np.float32(i)
        row, good = values[i], used[i]
        for j in range(side):
            one = _ONE if good[j] else _ZERO
            d = row[j] - level if good[j] else _ZERO
            count[j] += one
            ys[j] += y * one
            yy[j] += y * y * one
            first[j] += d
            second[j] += y * d
    n = sx = sy = sxx = sxy = syy = t = tx = ty = 0.0
    for j in range(side):
        x = -1.0 + 2.0 * j / (side - 1) if side > 1 else 0.0
        c, v = np.float64(count[j]), np.float64(first[j])
        n += c
        sx += x * c
        sxx += x * x * c
        sy += np.float64(ys[j])
        sxy += x * np.float64(ys[j])
        syy += np.float64(yy[j])
        t += v
        tx += x * v
        ty += np.float64(second[j])
    if n == 0.0:
        return 0.0, 0.0, 0.0, 0.0
    ridge = 1e-12 * (n + sxx + syy)
    n1, sxx, syy = n + ridge, sxx + ridge, syy + ridge
    # elimination of a symmetric positive system
    xx, xy, vx = sxx - sx * sx / n1, sxy - sx * sy / n1, tx - sx * t / n1
    f = xy / xx
    b = (ty - sy * t / n1 - f * vx) / (syy - sy * sy / n1 - f * xy)
    a = (vx - xy * b) / xx
    return n, (t - sx * a - sy * b) / n1, a, b


@njit(cache=True, nogil=True, error_model="numpy")
def _drawn(side: int, c: float, a: float, b: float, level: np.float32, out: Tiles) -> None:
    """The plane level + c + a x + b y at all pixels of a square."""
    for i in range(side):
        y = -1.0 + 2.0 * i / (side - 1) if side > 1 else 0.0
        start, row = level + np.float32(c + b * y - a), out[i]
        rise = np.float32(2.0 * a / (side - 1)) if side > 1 else _ZERO
        for j in range(side):
            row[j] = start + rise * np.float32(j)


@njit(cache=True, nogil=True, error_model="numpy")
def stand_out(
    values: Tiles, level: Tiles, lowest: Tiles, full: np.float32, threshold: np.float32,
    signal: Tiles, lit: Masks, bright: Masks, lost: Masks,
) -> None:  # fmt: skip
    """What stands out of the plane of each square's faint pixels, those within ``lowest`` of ``level`` (both by square).

    ``signal`` is above the plane, ``lit`` beyond ``lowest`` of it, ``lost`` not below ``full``, ``bright`` above ``threshold`` and not lost. NaN is lit and lost.
    """
    side = values.shape[1]
    lanes, unlit = np.empty((5, side), np.float32), np.empty((side, side), np.bool_)
    for s in range(values.shape[0]):
        held, above_, most = values[s], signal[s], lowest[s]
        for i in range(side):
            row, faint = held[i], unlit[i]
            for j in range(side):
                faint[j] = abs(row[j] - level[s]) <= most
        _, c, a, b = _fitted(held, unlit, level[s], lanes)
        _drawn(side, c, a, b, level[s], above_)
        for i in range(side):
            row, off, is_lit, is_bright, is_lost = held[i], above_[i], lit[s, i], bright[s, i], lost[s, i]
            for j in range(side):
                d = row[j] - off[j]
                off[j] = d
                is_lit[j] = not (abs(d) <= most)
                is_lost[j] = not (row[j] < full)
                is_bright[j] = (row[j] < full) & (d > threshold)


@njit(cache=True, nogil=True, error_model="numpy")
def grounds(
    values: Tiles, dark: Masks, middle: Tiles, spread: Doubles, clip: float, least: float, ground: Tiles, sigma: Doubles
) -> None:  # fmt: skip
    """Plane and noise of the ``dark`` pixels of each square, those more than ``clip`` of its noise off left out in two rounds, of ``dark`` too.

    ``middle`` and ``spread`` (squares) are where it begins, ``least`` is the smallest noise believed.
    """
    side = values.shape[1]
    lanes, near = np.empty((5, side), np.float32), np.empty((side, side), np.bool_)
    for s in range(values.shape[0]):
        held, at, free = values[s], ground[s], dark[s]
        at[:, :] = middle[s]
        noise = spread[s]
        for round_ in range(2):
            most = np.float32(clip * noise)
            for i in range(side):
                row, level, good, into = held[i], at[i], free[i], near[i]
                for j in range(side):
                    into[j] = good[j] & (abs(row[j] - level[j]) <= most)
            n, c, a, b = _fitted(held, near, middle[s], lanes)
            _drawn(side, c, a, b, middle[s], at)
            squares = lanes[0]
            squares[:] = _ZERO
            for i in range(side):
                row, level, into = held[i], at[i], near[i]
                for j in range(side):
                    d = row[j] - level[j] if into[j] else _ZERO
                    squares[j] += d * d
            total = 0.0
            for j in range(side):
                total += np.float64(squares[j])
            noise = max(np.sqrt(total / (max(n, 4.0) - 3.0)), least)
            noise *= 1.02 if round_ == 0 else 1.0
        free[:, :] = near
        sigma[s] = noise


@njit(cache=True, nogil=True, error_model="numpy")
def light_up(signal: Tiles, lit: Masks, there: Counts, here: Counts, top: Tiles, any_lit: Masks) -> None:
    """Raise ``top`` and mark ``any_lit`` of the squares ``here`` by those of one channel ``there``; NaN raises nothing."""
    side = signal.shape[1]
    for k in range(here.size):
        s, v = there[k], here[k]
        for i in range(side):
            row, on, highest, marked = signal[s, i], lit[s, i], top[v, i], any_lit[v, i]
            for j in range(side):
                highest[j] = row[j] if row[j] > highest[j] else highest[j]
                marked[j] |= on[j]


@njit(cache=True, nogil=True, error_model="numpy")
def count_lit(
    signal: Tiles, lit: Masks, there: Counts, here: Counts, top: Tiles, ghost: np.float32, number: NDArray[np.uint8]
) -> None:  # fmt: skip
    """Add one to ``number`` where a channel is lit, and not fainter than ``ghost`` of the highest signal."""
    side = signal.shape[1]
    for k in range(here.size):
        s, v = there[k], here[k]
        for i in range(side):
            row, on, highest, into = signal[s, i], lit[s, i], top[v, i], number[v, i]
            for j in range(side):
                into[j] += np.uint8(1 if on[j] & (not (abs(row[j]) < ghost * highest[j])) else 0)


def warm() -> None:
    """Load or compile the kernels for the types that procedures use."""
    edges = np.array([0, 2])
    for kind in (np.uint16, np.float32):
        above(np.zeros((2, 2), kind), 1.0, edges, edges)
    tiles, masks = np.zeros((1, 2, 2), np.float32), np.zeros((1, 2, 2), np.bool_)
    level, place, one = np.zeros(1, np.float32), np.zeros(1, np.int64), np.float32(1.0)
    stand_out(tiles, level, level, one, one, tiles.copy(), masks, masks.copy(), masks.copy())
    grounds(tiles, masks, level, np.ones(1), 5.0, 0.29, tiles.copy(), np.ones(1))
    light_up(tiles, masks, place, place, tiles.copy(), masks.copy())
    count_lit(tiles, masks, place, place, tiles, one, np.zeros((1, 2, 2), np.uint8))
