"""Compiled kernels of the stacks: clipped mean and median of each pixel over frames.

Imported only when a stack is made: importing numba costs half a second. All loops run along pixels, in blocks
that stay in the cache, so that the compiler turns them into vector instructions. Nearly all pixels lose no value:
a few plain passes prove that of a pixel and give its numbers; only the others are gathered and iterated. What becomes of a
pixel depends on its own values alone, not on its neighbours, bands or threads. Kernels release the
interpreter's lock, so threads may run them side by side.

Bands have the shape (frames, rows, columns), of uint16 or float32. A kernel fills ``rows`` rows of its outputs from row ``to``
on, from the band's rows from ``row`` and its columns from ``x`` on; ``levels`` (frames, rows of the outputs) are subtracted first.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Band = NDArray[np.uint16] | NDArray[np.float32]
Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]
Network = NDArray[np.int32]

_BLOCK = 256
# where the rows of a block's working memory begin: side by side at fixed places in one array, which tells the compiler that
# they do not overlap; of more than three or four arrays it gives up to prove that, and does one value after the other
_CENTRE, _LEAST, _MOST, _SQUARES = _BLOCK, 2 * _BLOCK, 3 * _BLOCK, 4 * _BLOCK
_LOW, _HIGH, _BELOW, _ABOVE, _END = 5 * _BLOCK, 6 * _BLOCK, 7 * _BLOCK, 8 * _BLOCK, 9 * _BLOCK
_HUGE = np.float32(3.0e38)
_NONE = np.float32(0.0)
_ONE = np.float32(1.0)
_CLOSE = np.float32(1e-4)  # far above float32's rounding: what is nearer to a bound is looked at with care
_ROUNDING = np.float32(1e-6)


@njit(cache=True, nogil=True, error_model="numpy")
def _row() -> Floats:
    return np.empty(_BLOCK, np.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def _load(band: Band, row: int, x: int, width: int, levels: Floats, reference: Floats, block: Floats) -> None:
    """Copy a block as differences from its first values: small numbers keep float32 exact."""
    first, level = band[0, row, x : x + width], levels[0]
    for p in range(width):
        reference[p] = np.float32(first[p]) - level
    for i in range(band.shape[0]):
        part, level, out = band[i, row, x : x + width], levels[i], block[i]
        for p in range(width):
            out[p] = (np.float32(part[p]) - level) - reference[p]


@njit(cache=True, nogil=True, error_model="numpy")
def _places(marked: NDArray[np.int32], width: int, start: int, at: NDArray[np.int64], many: int) -> int:
    """Add to ``many`` places those of what is marked 1, not 0, from ``start`` on; returns how many there are then. Sixteen at a time are passed over where none is."""
    for first in range(0, width, 16):
        end = min(first + 16, width)
        some = np.int32(0)
        for p in range(first, end):
            some = np.int32(some + marked[p])
        if some:
            for p in range(first, end):
                at[many] = start + p
                many += marked[p]
    return many


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(
    band: Band,
    row: int,
    x: int,
    at: NDArray[np.int64],
    many: int,
    levels: Floats,
    factors: Floats,
    reference: Floats,
    few: Floats,
) -> None:
    """The same for single pixels, times ``factors``, as differences from their first finite values."""
    n = band.shape[0]
    for k in range(many):
        reference[k] = _NONE
        for i in range(n - 1, -1, -1):
            v = (np.float32(band[i, row, x + at[k]]) - levels[i]) * factors[i]
            few[i, k] = v
            if abs(v) < _HUGE:
                reference[k] = v
        for i in range(n):
            few[i, k] -= reference[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _sort(block: Floats, width: int, network: Network) -> None:
    """Exchange each pixel's values as a network says: rows (lower, upper, 1 keep the lower, 2 the upper, 3 both)."""
    for c in range(network.shape[0]):
        lower, upper, kept = block[network[c, 0]], block[network[c, 1]], network[c, 2]
        if kept == 3:
            for p in range(width):
                a, b = lower[p], upper[p]
                lower[p] = a if a < b else b
                upper[p] = b if a < b else a
        elif kept == 1:
            for p in range(width):
                lower[p] = lower[p] if lower[p] < upper[p] else upper[p]
        else:
            for p in range(width):
                upper[p] = upper[p] if lower[p] < upper[p] else lower[p]


@njit(cache=True, nogil=True, error_model="numpy")
def _order(few: Floats, many: int, network: Network, ordered: Floats) -> None:
    """Sorted copies of pixels' values; what is not finite goes last."""
    for i in range(few.shape[0]):
        for k in range(many):
            v = few[i, k]
            ordered[i, k] = v if abs(v) < _HUGE else np.float32(np.inf)
    _sort(ordered, many, network)


@njit(cache=True, nogil=True, error_model="numpy")
def _middle(ordered: Floats, k: int, upper: int) -> np.float32:
    """Median of the finite values of one ordered pixel, or (``upper`` 0) the value at or just below it; NaN for none."""
    have = 0
    while have < ordered.shape[0] and ordered[have, k] < _HUGE:
        have += 1
    if have == 0:
        return np.float32(np.nan)
    low: np.float32 = ordered[(have - 1) // 2, k]
    return np.float32(0.5) * (low + ordered[have // 2, k]) if upper else low


@njit(cache=True, nogil=True, error_model="numpy")
def _all(block: Floats, width: int, centre: Floats, least: Floats, most: Floats) -> None:
    """Mean, lowest and highest of all values; the mean is not finite where a value is not."""
    n = block.shape[0]
    centre[:width], least[:width], most[:width] = _NONE, block[0, :width], block[0, :width]
    for i in range(n):
        row = block[i]
        for p in range(width):
            v = row[p]
            centre[p] += v
            least[p] = v if v < least[p] else least[p]
            most[p] = v if v > most[p] else most[p]
    for p in range(width):
        centre[p] = centre[p] / np.float32(n)


@njit(cache=True, nogil=True, error_model="numpy")
def _all_squares(block: Floats, width: int, centre: Floats, squares: Floats) -> None:
    squares[:width] = _NONE
    for i in range(block.shape[0]):
        row = block[i]
        for p in range(width):
            d = row[p] - centre[p]
            squares[p] += d * d


@njit(cache=True, nogil=True, error_model="numpy")
def _sums(
    band: Band, row: int, x: int, width: int, levels: Floats, factors: Floats, work: Floats
) -> None:  # fmt: skip
    """What ``_load`` and ``_all`` give together of values times ``factors``, into ``work``, without keeping the differences: less is written."""
    n = band.shape[0]
    first, level, factor = band[0, row, x : x + width], levels[0], factors[0]
    for p in range(width):
        v = (np.float32(first[p]) - level) * factor
        work[p] = v
        v = v - v  # zero, or not a number where the first is not finite
        work[_CENTRE + p], work[_LEAST + p], work[_MOST + p] = v, v, v
    for i in range(1, n - 1, 2):  # two at a time: the sums are loaded and stored half as often
        one, two = band[i, row, x : x + width], band[i + 1, row, x : x + width]
        level, next_, factor, other = levels[i], levels[i + 1], factors[i], factors[i + 1]
        for p in range(width):
            v = (np.float32(one[p]) - level) * factor - work[p]
            w = (np.float32(two[p]) - next_) * other - work[p]
            work[_CENTRE + p] = (work[_CENTRE + p] + v) + w
            least, most = work[_LEAST + p], work[_MOST + p]
            least, most = v if v < least else least, v if v > most else most
            work[_LEAST + p] = w if w < least else least
            work[_MOST + p] = w if w > most else most
    if n % 2 == 0:
        part, level, factor = band[n - 1, row, x : x + width], levels[n - 1], factors[n - 1]
        for p in range(width):
            v = (np.float32(part[p]) - level) * factor - work[p]
            work[_CENTRE + p] += v
            least, most = work[_LEAST + p], work[_MOST + p]
            work[_LEAST + p] = v if v < least else least
            work[_MOST + p] = v if v > most else most
    for p in range(width):
        work[_CENTRE + p] = work[_CENTRE + p] / np.float32(n)


@njit(cache=True, nogil=True, error_model="numpy")
def _deviations(band: Band, row: int, x: int, width: int, levels: Floats, work: Floats) -> None:
    """Summed squared deviations of a block's values from their means, in ``work``."""
    work[_SQUARES : _SQUARES + width] = _NONE
    for i in range(band.shape[0]):
        part, level = band[i, row, x : x + width], levels[i]
        for p in range(width):
            d = ((np.float32(part[p]) - level) - work[p]) - work[_CENTRE + p]
            work[_SQUARES + p] += d * d


@njit(cache=True, nogil=True, error_model="numpy")
def _deviations_and_far(
    band: Band, row: int, x: int, width: int, levels: Floats, factors: Floats, work: Floats
) -> None:  # fmt: skip
    """The same, and how many values lie below the low and above the high bounds in ``work``."""
    n = band.shape[0]
    work[_SQUARES : _SQUARES + width] = _NONE
    work[_BELOW : _BELOW + width] = _NONE
    work[_ABOVE : _ABOVE + width] = _NONE
    for i in range(0, n - 1, 2):
        one, two = band[i, row, x : x + width], band[i + 1, row, x : x + width]
        level, next_, factor, other = levels[i], levels[i + 1], factors[i], factors[i + 1]
        for p in range(width):
            v = (np.float32(one[p]) - level) * factor - work[p]
            w = (np.float32(two[p]) - next_) * other - work[p]
            d, e = v - work[_CENTRE + p], w - work[_CENTRE + p]
            work[_SQUARES + p] = (work[_SQUARES + p] + d * d) + e * e
            low, high = work[_LOW + p], work[_HIGH + p]
            work[_BELOW + p] += (_ONE if v < low else _NONE) + (_ONE if w < low else _NONE)
            work[_ABOVE + p] += (_ONE if v > high else _NONE) + (_ONE if w > high else _NONE)
    if n % 2:
        part, level, factor = band[n - 1, row, x : x + width], levels[n - 1], factors[n - 1]
        for p in range(width):
            v = (np.float32(part[p]) - level) * factor - work[p]
            d = v - work[_CENTRE + p]
            work[_SQUARES + p] += d * d
            work[_BELOW + p] += _ONE if v < work[_LOW + p] else _NONE
            work[_ABOVE + p] += _ONE if v > work[_HIGH + p] else _NONE


@njit(cache=True, nogil=True, error_model="numpy")
def _centre(few: Floats, many: int, low: Floats, high: Floats, number: Floats, centre: Floats) -> None:
    """Number and mean of each pixel's values within low … high."""
    for k in range(many):
        number[k], centre[k] = _NONE, _NONE
    for i in range(few.shape[0]):
        for k in range(many):
            v = few[i, k]
            inside = (v >= low[k]) & (v <= high[k])
            centre[k] += v if inside else _NONE
            number[k] += _ONE if inside else _NONE
    for k in range(many):
        centre[k] = centre[k] / number[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _squares(few: Floats, many: int, low: Floats, high: Floats, centre: Floats, squares: Floats) -> None:
    """Summed squared deviations of each pixel's values within low … high."""
    for k in range(many):
        squares[k] = _NONE
    for i in range(few.shape[0]):
        for k in range(many):
            v = few[i, k]
            d = v - centre[k] if (v >= low[k]) & (v <= high[k]) else _NONE
            squares[k] += d * d


@njit(cache=True, nogil=True, error_model="numpy")
def _write_all(
    n: int,
    width: int,
    reference: Floats,
    centre: Floats,
    squares: Floats,
    mean: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    for p in range(width):
        mean[p] = reference[p] + centre[p]
        variance[p] = squares[p] / np.float32(n - 1) if n > 1 else np.float32(np.nan)
        count[p] = np.uint16(n)


@njit(cache=True, nogil=True, error_model="numpy")
def _write(
    at: NDArray[np.int64],
    many: int,
    reference: Floats,
    number: Floats,
    centre: Floats,
    squares: Floats,
    mean: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    for k in range(many):
        p = at[k]
        mean[p] = reference[k] + centre[k]
        variance[p] = squares[k] / (number[k] - _ONE) if number[k] > _ONE else np.float32(np.nan)
        count[p] = np.uint16(number[k])


@njit(cache=True, nogil=True, error_model="numpy")
def clip_by_scatter(
    band: Band,
    row: int,
    x: int,
    rows: int,
    levels: Floats,
    sigma: np.float32,
    rounds: int,
    to: int,
    mean: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    """Means clipped at ``sigma`` standard deviations (of n) of each pixel's own values."""
    n, columns = band.shape[0], mean.shape[1]
    few, alike = np.empty((n, _BLOCK), np.float32), np.ones(n, np.float32)
    work = np.empty(_END, np.float32)
    reference, centre, least, most = (
        work[:_CENTRE],
        work[_CENTRE:_LEAST],
        work[_LEAST:_MOST],
        work[_MOST:_SQUARES],
    )
    squares, low, high = work[_SQUARES:_LOW], work[_LOW:_HIGH], work[_HIGH:_BELOW]
    number, before = work[_BELOW:_ABOVE], work[_ABOVE:]
    at = np.empty(_BLOCK, np.int64)
    # the largest of n deviations is √(n − 1) standard deviations: below that there is nothing to clip
    clips = sigma * sigma < n - 1 and rounds > 0
    for r in range(rows):
        of_row = levels[:, to + r].copy()
        for start in range(0, columns, _BLOCK):
            end = min(start + _BLOCK, columns)
            width = end - start
            out_mean, out_variance, out_count = (
                mean[to + r, start:end], variance[to + r, start:end], count[to + r, start:end],
            )  # fmt: skip
            _sums(band, row + r, x + start, width, of_row, alike, work)
            _deviations(band, row + r, x + start, width, of_row, work)
            _write_all(n, width, reference, centre, squares, out_mean, out_variance, out_count)
            many = 0
            for p in range(width):
                reach = sigma * np.sqrt(squares[p] / np.float32(n))
                inside = (least[p] >= centre[p] - reach) & (most[p] <= centre[p] + reach)
                at[many] = p
                many += 0 if (inside | (not clips)) & (abs(centre[p]) < _HUGE) else 1
            if many == 0:
                continue
            _gather(band, row + r, x + start, at, many, of_row, alike, reference, few)
            low[:], high[:] = -_HUGE, _HUGE
            _centre(few, many, low, high, number, centre)
            _squares(few, many, low, high, centre, squares)
            for _ in range(rounds if clips else 0):
                changed = 0
                for k in range(many):
                    reach = sigma * np.sqrt(squares[k] / number[k])
                    low[k] = max(low[k], centre[k] - reach)
                    high[k] = min(high[k], centre[k] + reach)
                    before[k] = number[k]
                _centre(few, many, low, high, number, centre)
                _squares(few, many, low, high, centre, squares)
                for k in range(many):
                    changed += 1 if before[k] != number[k] else 0
                if changed == 0:
                    break
            _write(at, many, reference, number, centre, squares, out_mean, out_variance, out_count)


@njit(cache=True, nogil=True, error_model="numpy")
def clip_by_noise(
    band: Band,
    row: int,
    x: int,
    rows: int,
    levels: Floats,
    sigma: np.float32,
    rounds: int,
    noise_variance: np.float32,
    per_level: np.float32,
    factors: Floats,
    network: Network,
    to: int,
    mean: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    """Means clipped at ``sigma`` times the noise expected at the level, first about the median; each frame's values less its level are multiplied by its one of ``factors``.

    ``network`` sorts all values. That every value lies within reach of the median is shown without it: not more
    than half of them are below the highest less the reach, and not more than half above the lowest plus the reach.
    """
    n, columns = band.shape[0], mean.shape[1]
    half = np.float32((n - 1) // 2)
    few = np.empty((n, _BLOCK), np.float32)
    work = np.empty(_END, np.float32)
    reference, centre, least, most = (
        work[:_CENTRE],
        work[_CENTRE:_LEAST],
        work[_LEAST:_MOST],
        work[_MOST:_SQUARES],
    )
    squares, low, high = work[_SQUARES:_LOW], work[_LOW:_HIGH], work[_HIGH:_BELOW]
    number, before, last = work[_BELOW:_ABOVE], work[_ABOVE:], _row()
    ordered = np.empty((n, _BLOCK), np.float32)
    at, unsure = np.empty(columns + 1, np.int64), np.empty(_BLOCK, np.int32)
    for r in range(rows):
        of_row, pending = levels[:, to + r].copy(), 0
        for start in range(0, columns, _BLOCK):
            end = min(start + _BLOCK, columns)
            width = end - start
            out_mean, out_variance, out_count = (
                mean[to + r, start:end], variance[to + r, start:end], count[to + r, start:end],
            )  # fmt: skip
            _sums(band, row + r, x + start, width, of_row, factors, work)
            for p in range(width):
                level = max(reference[p] + least[p], _NONE)
                reach = sigma * np.sqrt(noise_variance + level * per_level)
                reach -= _CLOSE * reach + _ROUNDING * max(abs(least[p]), abs(most[p]))
                low[p], high[p] = most[p] - reach, least[p] + reach
            _deviations_and_far(band, row + r, x + start, width, of_row, factors, work)
            _write_all(n, width, reference, centre, squares, out_mean, out_variance, out_count)
            for p in range(width):
                level = max(reference[p] + centre[p], _NONE)
                reach = sigma * np.sqrt(noise_variance + level * per_level)
                inside = (least[p] >= centre[p] - reach) & (most[p] <= centre[p] + reach)
                near = (number[p] <= half) & (before[p] <= half) & (abs(centre[p]) < _HUGE)
                unsure[p] = 0 if inside & near else 1
            pending = _places(unsure, width, start, at, pending)
        # those of a whole row together: a few at a time would cost as much as many
        for first in range(0, pending, _BLOCK):
            some = at[first : min(first + _BLOCK, pending)]
            many = some.size
            _gather(band, row + r, x, some, many, of_row, factors, reference, few)
            _order(few, many, network, ordered)
            for k in range(many):
                centre[k], before[k], last[k] = _middle(ordered, k, 1), -_ONE, _NONE
            for _ in range(rounds):
                changed = 0
                for k in range(many):
                    level = max(reference[k] + centre[k], _NONE)
                    reach = sigma * np.sqrt(noise_variance + level * per_level)
                    low[k], high[k] = centre[k] - reach, centre[k] + reach
                _centre(few, many, low, high, number, centre)
                for k in range(many):
                    if (
                        number[k] == _NONE
                    ):  # the middle lies between two that differ: light adds, so the lower
                        centre[k] = _middle(ordered, k, 0)
                    same = (before[k] == number[k]) & ((last[k] == centre[k]) | (number[k] == _NONE))
                    changed += 0 if same else 1
                    before[k], last[k] = number[k], centre[k]
                if changed == 0:
                    break
            _squares(few, many, low, high, centre, squares)
            _write(
                some, many, reference, number, centre, squares, mean[to + r], variance[to + r], count[to + r],
            )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def median(
    band: Band,
    row: int,
    x: int,
    rows: int,
    levels: Floats,
    network: Network,
    to_middle: Network,
    to: int,
    middle: Floats,
    variance: Floats,
    count: Counts,
) -> None:
    """Median, variance and number of the finite values; ``to_middle`` sorts only as far as the median needs."""
    n, columns = band.shape[0], middle.shape[1]
    block, few = np.empty((n, _BLOCK), np.float32), np.empty((n, _BLOCK), np.float32)
    alike = np.ones(n, np.float32)
    reference, centre, squares, least = _row(), _row(), _row(), _row()
    most, low, high, number = _row(), _row(), _row(), _row()
    ordered = np.empty((n, _BLOCK), np.float32)
    at = np.empty(_BLOCK, np.int64)
    low[:], high[:] = -_HUGE, _HUGE
    for r in range(rows):
        of_row = levels[:, to + r].copy()
        for start in range(0, columns, _BLOCK):
            end = min(start + _BLOCK, columns)
            width = end - start
            out_middle, out_variance, out_count = (
                middle[to + r, start:end], variance[to + r, start:end], count[to + r, start:end],
            )  # fmt: skip
            _load(band, row + r, x + start, width, of_row, reference, block)
            _all(block, width, centre, least, most)
            _all_squares(block, width, centre, squares)
            many = 0
            for p in range(width):
                at[many] = p
                many += 0 if abs(centre[p]) < _HUGE else 1
            _sort(block, width, to_middle)
            below, above = block[(n - 1) // 2], block[n // 2]
            for p in range(width):
                centre[p] = np.float32(0.5) * (below[p] + above[p])
            _write_all(n, width, reference, centre, squares, out_middle, out_variance, out_count)
            if many == 0:
                continue
            _gather(band, row + r, x + start, at, many, of_row, alike, reference, few)
            _centre(few, many, low, high, number, centre)
            _squares(few, many, low, high, centre, squares)
            _order(few, many, network, ordered)
            for k in range(many):
                centre[k] = _middle(ordered, k, 1)
            _write(at, many, reference, number, centre, squares, out_middle, out_variance, out_count)


def warm() -> None:
    """Load or compile the kernels for the types of pixels that files hold."""
    network, levels = np.zeros((0, 3), np.int32), np.zeros((2, 1), np.float32)
    mean, count = np.zeros((1, 2), np.float32), np.zeros((1, 2), np.uint16)
    one = np.float32(1.0)
    for kind in (np.uint16, np.float32):
        band = np.zeros((2, 1, 2), kind)
        clip_by_scatter(band, 0, 0, 1, levels, one, 1, 0, mean, mean.copy(), count)
        clip_by_noise(
            band, 0, 0, 1, levels, one, 1, one, one, levels.ravel(), network, 0, mean, mean.copy(), count
        )
        median(band, 0, 0, 1, levels, network, network, 0, mean, mean.copy(), count)
