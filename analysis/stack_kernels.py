"""Compiled kernels of the stacks: clipped mean and median of each pixel over frames.

Imported only when a stack is made: importing numba costs half a second. All loops run along pixels, in blocks
that stay in the cache, so that the compiler turns them into vector instructions; that makes the repeated rounds
of clipping cheap. Kernels release the interpreter's lock, so threads may run them side by side.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]

_BLOCK = 512
_HUGE = np.float32(3.0e38)
_NONE = np.float32(0.0)
_ONE = np.float32(1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _row() -> Floats:
    return np.empty(_BLOCK, np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _load(values: Floats, start: int, width: int, reference: Floats, block: Floats) -> None:
    """Copy a block as differences from its first finite values: small numbers keep float32 exact."""
    n = values.shape[0]
    part = values[:, start : start + width]  # an index that might be negative would keep loops from vectors
    lost = 0
    for p in range(width):
        v = part[0, p]
        reference[p] = v
        lost += 0 if abs(v) < _HUGE else 1
    if lost:
        for p in range(width):
            i = 0
            while i < n - 1 and not abs(part[i, p]) < _HUGE:
                i += 1
            v = part[i, p]
            reference[p] = v if abs(v) < _HUGE else _NONE
    for i in range(n):
        row, out = part[i], block[i]
        for p in range(width):
            out[p] = row[p] - reference[p]


@njit(cache=True, nogil=True, error_model="numpy")
def _order(block: Floats, width: int) -> None:
    """Sort each pixel over frames (Batcher's odd-even merge sort); what is not finite goes last."""
    n = block.shape[0]
    for i in range(n):
        for p in range(width):
            v = block[i, p]
            block[i, p] = v if abs(v) < _HUGE else np.float32(np.inf)
    span = 1
    while span < n:
        step = span
        while step >= 1:
            for j in range(step % span, n - step, 2 * step):
                for i in range(j, min(j + step, n - step)):
                    if i // (2 * span) == (i + step) // (2 * span):
                        for p in range(width):
                            a, b = block[i, p], block[i + step, p]
                            block[i, p] = a if a < b else b
                            block[i + step, p] = b if a < b else a
            step //= 2
        span *= 2


@njit(cache=True, nogil=True, error_model="numpy")
def _middle(ordered: Floats, width: int, out: Floats) -> None:
    """Median of the finite values of each pixel of an ordered block; NaN where there are none."""
    n = ordered.shape[0]
    for p in range(width):
        have = 0
        while have < n and ordered[have, p] < _HUGE:
            have += 1
        if have == 0:
            out[p] = np.float32(np.nan)
        else:
            out[p] = np.float32(0.5) * (ordered[(have - 1) // 2, p] + ordered[have // 2, p])


@njit(cache=True, nogil=True, error_model="numpy")
def _lower_middle(ordered: Floats, p: int) -> np.float32:
    """The finite value at or just below the median of one pixel of an ordered block; NaN where there is none."""
    have = 0
    while have < ordered.shape[0] and ordered[have, p] < _HUGE:
        have += 1
    return ordered[(have - 1) // 2, p] if have else np.float32(np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(
    block: Floats, width: int, low: Floats, high: Floats, number: Floats, mean: Floats, squares: Floats
) -> None:
    """Number, mean and summed squared deviations of each pixel's values within low … high."""
    n = block.shape[0]
    for p in range(width):
        number[p], mean[p], squares[p] = _NONE, _NONE, _NONE
    for i in range(n):
        for p in range(width):
            v = block[i, p]
            inside = (v >= low[p]) & (v <= high[p])
            mean[p] += v if inside else _NONE
            number[p] += _ONE if inside else _NONE
    for p in range(width):
        mean[p] = mean[p] / number[p]
    for i in range(n):
        for p in range(width):
            v = block[i, p]
            inside = (v >= low[p]) & (v <= high[p])
            d = v - mean[p] if inside else _NONE
            squares[p] += d * d


@njit(cache=True, nogil=True, error_model="numpy")
def _same(before: Floats, now: Floats, width: int) -> bool:
    differ = 0
    for p in range(width):
        differ += 1 if before[p] != now[p] else 0
    return differ == 0


@njit(cache=True, nogil=True, error_model="numpy")
def _write(
    width: int,
    reference: Floats,
    number: Floats,
    centre: Floats,
    squares: Floats,
    mean: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    for p in range(width):
        mean[p] = reference[p] + centre[p]
        variance[p] = squares[p] / (number[p] - _ONE) if number[p] > _ONE else np.float32(np.nan)
        count[p] = np.uint16(number[p])


@njit(cache=True, nogil=True, error_model="numpy")
def clip_by_scatter(
    values: Floats, sigma: np.float32, rounds: int, mean: Floats, variance: Floats, count: Counts
) -> None:
    """Mean of (frames, pixels) clipped at ``sigma`` standard deviations (of n) of each pixel's own values."""
    n, total = values.shape
    block = np.empty((n, _BLOCK), np.float32)
    reference, low, high, number = _row(), _row(), _row(), _row()
    centre, squares, before = _row(), _row(), _row()
    for start in range(0, total, _BLOCK):
        width = min(_BLOCK, total - start)
        _load(values, start, width, reference, block)
        low[:], high[:] = -_HUGE, _HUGE
        _moments(block, width, low, high, number, centre, squares)
        # the largest of n deviations is √(n − 1) standard deviations: below that there is nothing to clip
        for _ in range(rounds if sigma * sigma < n - 1 else 0):
            for p in range(width):
                reach = sigma * np.sqrt(squares[p] / number[p])
                low[p] = max(low[p], centre[p] - reach)
                high[p] = min(high[p], centre[p] + reach)
                before[p] = number[p]
            _moments(block, width, low, high, number, centre, squares)
            if _same(before, number, width):
                break
        end = start + width
        _write(
            width, reference, number, centre, squares, mean[start:end], variance[start:end], count[start:end]
        )


@njit(cache=True, nogil=True, error_model="numpy")
def clip_by_noise(
    values: Floats,
    sigma: np.float32,
    rounds: int,
    noise_variance: np.float32,
    variance_per_level: np.float32,
    mean: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    """Mean of (frames, pixels) clipped at ``sigma`` times the noise expected at the level, first about the median."""
    n, total = values.shape
    block = np.empty((n, _BLOCK), np.float32)
    ordered = np.empty((n, _BLOCK), np.float32)
    reference, low, high, number = _row(), _row(), _row(), _row()
    centre, squares, before = _row(), _row(), _row()
    for start in range(0, total, _BLOCK):
        width = min(_BLOCK, total - start)
        _load(values, start, width, reference, block)
        ordered[:, :width] = block[:, :width]
        _order(ordered, width)
        _middle(ordered, width, centre)
        before[:] = -_ONE
        for _ in range(rounds):
            for p in range(width):
                level = max(reference[p] + centre[p], _NONE)
                reach = sigma * np.sqrt(noise_variance + level * variance_per_level)
                low[p], high[p] = centre[p] - reach, centre[p] + reach
            _moments(block, width, low, high, number, centre, squares)
            if _same(before, number, width):
                break
            before[:width] = number[:width]
            for p in range(width):
                if (
                    number[p] == _NONE
                ):  # the middle lies between two that differ: light adds, so take the lower
                    centre[p] = _lower_middle(ordered, p)
        end = start + width
        _write(
            width, reference, number, centre, squares, mean[start:end], variance[start:end], count[start:end]
        )


@njit(cache=True, nogil=True, error_model="numpy")
def median(values: Floats, middle: Floats, variance: Floats, count: Counts) -> None:
    """Median, variance and number of the finite values of (frames, pixels)."""
    n, total = values.shape
    block = np.empty((n, _BLOCK), np.float32)
    reference, low, high, number = _row(), _row(), _row(), _row()
    centre, squares = _row(), _row()
    for start in range(0, total, _BLOCK):
        width = min(_BLOCK, total - start)
        _load(values, start, width, reference, block)
        low[:], high[:] = -_HUGE, _HUGE
        _moments(block, width, low, high, number, centre, squares)
        _order(block, width)
        _middle(block, width, centre)
        end = start + width
        _write(
            width,
            reference,
            number,
            centre,
            squares,
            middle[start:end],
            variance[start:end],
            count[start:end],
        )
