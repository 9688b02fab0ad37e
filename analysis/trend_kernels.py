"""Compiled kernels of the trends: the cheapest piecewise-constant fit, and statistics that leave a point out.

Imported only when a series is looked at: importing numba costs half a second. Both are loops whose every round
needs the one before it, which numpy cannot do; compiled, a series of a thousand points takes a millisecond.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def cheapest_segments(values: Floats, weights: Floats, cost_of_step: float, shortest: int) -> Ints:
    """First indices (after 0) of the segments that minimise Σ w (y − level)² + cost × number of steps.

    ``values`` and ``weights`` are of shape (n,), weights positive; every segment has at least ``shortest``
    points. The minimum is exact: optimal partitioning (Jackson et al. 2005, IEEE Signal Proc. Lett. 12, 105)
    with functional pruning (Maidstone et al. 2017, Stat. Comput. 27, 519). For every possible level of
    the last segment, ``piece`` holds which start of it is the cheapest; a start that is so for no level is
    forgotten. Few starts survive, so that the time grows about as n even where there is no step at all.
    """
    n = values.size
    W, B, C = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    for i in range(n):
        W[i + 1] = W[i] + weights[i]
        B[i + 1] = B[i] + weights[i] * values[i]
        C[i + 1] = C[i] + weights[i] * values[i] * values[i]
    best = np.full(n + 1, np.inf)
    best[0] = -cost_of_step
    start = np.zeros(n + 1, np.int64)
    # pieces of the axis of levels, in order: piece k is edge[k] … edge[k + 1], its cheapest start owner[k]
    edge, owner = np.empty(2 * n + 4), np.empty(2 * n + 4, np.int64)
    edge_new, owner_new = np.empty(2 * n + 4), np.empty(2 * n + 4, np.int64)
    edge[0], edge[1], owner[0] = values.min(), values.max(), 0
    pieces = 1
    for t in range(shortest, n + 1):
        new = t - shortest
        if new >= shortest and new > 0:  # this start may be used from now on: where is it the cheaper one?
            m = 0
            for k in range(pieces):
                low, high, old = edge[k], edge[k + 1], owner[k]
                # old is cheaper where dW·x² − 2·dB·x + dC < best[new] − best[old]: between two roots
                dW, dB = W[new] - W[old], B[new] - B[old]
                rest = C[new] - C[old] - (best[new] - best[old])
                root = dB * dB - dW * rest
                if root <= 0.0:
                    first = last = high  # nowhere
                else:
                    root = np.sqrt(root)
                    first, last = max((dB - root) / dW, low), min((dB + root) / dW, high)
                if last <= first:
                    if m == 0 or owner_new[m - 1] != new:
                        edge_new[m], owner_new[m] = low, new
                        m += 1
                    continue
                if first > low and (m == 0 or owner_new[m - 1] != new):
                    edge_new[m], owner_new[m] = low, new
                    m += 1
                edge_new[m], owner_new[m] = first, old
                m += 1
                if last < high:
                    edge_new[m], owner_new[m] = last, new
                    m += 1
            edge_new[m] = edge[pieces]
            edge, edge_new = edge_new, edge
            owner, owner_new = owner_new, owner
            pieces = m
        for k in range(pieces):
            old = owner[k]
            weight, sum_ = W[t] - W[old], B[t] - B[old]
            level = min(max(sum_ / weight, edge[k]), edge[k + 1])
            cost = best[old] + cost_of_step + weight * level * level - 2.0 * sum_ * level + C[t] - C[old]
            if cost < best[t]:
                best[t], start[t] = cost, old
    found = np.empty(n, np.int64)
    count, t = 0, n
    while t > 0 and start[t] > 0:
        t = start[t]
        found[count] = t
        count += 1
    return found[:count][::-1].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def _place(ordered: Floats, size: int, value: float) -> int:
    """Index of the first of ``size`` ordered values that is not below ``value``."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def _kept(ordered: Floats, skip: int, k: int) -> float:
    """The k-th of the ordered values without ordered[skip]."""
    return float(ordered[k + 1] if k >= skip else ordered[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _insert(ordered: Floats, size: int, value: float) -> None:
    at = _place(ordered, size, value)
    for k in range(size, at, -1):
        ordered[k] = ordered[k - 1]
    ordered[at] = value


@njit(cache=True, nogil=True, error_model="numpy")
def _remove(ordered: Floats, size: int, value: float) -> None:
    for k in range(_place(ordered, size, value), size - 1):
        ordered[k] = ordered[k + 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _distance(ordered: Floats, skip: int, size: int, centre: float, rank: int) -> float:
    """The ``rank``-th (from 0) smallest distance from a centre of ``size`` ordered values, ordered[skip] left out.

    Distances to the left of the centre, and to its right, are in order already: the rank of two ordered lists.
    """
    left = _place(ordered, size + 1, centre)  # so many values lie below the centre
    left -= 1 if skip < left else 0
    right = left
    low, high = max(0, rank + 1 - (size - right)), min(left, rank + 1)
    while low < high:  # how many of the rank + 1 smallest are on the left
        take = (low + high) // 2
        if (
            centre - _kept(ordered, skip, left - 1 - take)
            < _kept(ordered, skip, right + rank - take) - centre
        ):
            low = take + 1
        else:
            high = take
    other = rank + 1 - low
    a = centre - _kept(ordered, skip, left - low) if low > 0 else -np.inf
    b = _kept(ordered, skip, right + other - 1) - centre if other > 0 else -np.inf
    return max(a, b)


@njit(cache=True, nogil=True, error_model="numpy")
def left_out_medians(values: Floats, here: Ints, first: Ints, last: Ints) -> tuple[Floats, Floats, Ints]:
    """Median, median absolute deviation and number of values[first[i]:last[i]] without values[here[i]], for each i.

    ``values`` (m,), the others (n,); ``here`` is −1 for what is not among the values. ``first`` and ``last`` never
    decrease. NaN where no other value is in the window.
    """
    n = here.size
    centre, deviation, count = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int64)
    ordered = np.full(values.size + 1, np.inf)
    size, begin, end = 0, 0, 0
    if n > 0:  # the first window at once: putting in one after the other takes the square of its length
        size, begin, end = last[0] - first[0], first[0], last[0]
        ordered[:size] = np.sort(values[begin:end])
    for i in range(n):
        while end < last[i]:
            _insert(ordered, size, values[end])
            size += 1
            end += 1
        while begin < first[i]:
            _remove(ordered, size, values[begin])
            size -= 1
            begin += 1
        ordered[size] = np.inf
        inside = begin <= here[i] < end
        skip = _place(ordered, size, values[here[i]]) if inside else size
        left = size - 1 if inside else size
        count[i] = left
        if left > 0:
            upper, lower = left // 2, (left - 1) // 2
            middle = 0.5 * (_kept(ordered, skip, lower) + _kept(ordered, skip, upper))
            centre[i] = middle
            deviation[i] = 0.5 * (
                _distance(ordered, skip, left, middle, lower) + _distance(ordered, skip, left, middle, upper)
            )
    return centre, deviation, count
