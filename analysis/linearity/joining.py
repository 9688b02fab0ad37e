"""Which flats of a ladder belong together: where a detector is full, and groups of different light that overlap in level.

A bright and an attenuated lamp (neutral density) reach levels that one of them cannot; where both have rungs, the ratio of their light follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_APART = 1.05  # in exposure time: rungs closer than this tell no slope
_FULL_SLOPE = 0.5  # of the usual rate: a detector that is filling up
_FILLING = 0.85  # of the usual rate, where the next rung is beyond
_LOST = 0.1  # relative: as far below the usual rate as peers call full


def full_from(times: Floats, levels: Floats) -> float:
    """The exposure time from which the rungs of one light are beyond full well; infinity where none is.

    Rungs, (n,), need no order. Above half of the highest level, a rung is beyond from which on the level rises by less than half of the usual
    rate, or that lies more than 10 % below it: no smooth curve describes both sides. The usual rate is that between the lowest rung and the
    highest of the lower half, which an offset of the shutter does not change.
    """
    order = np.argsort(times, kind="stable")
    t, n = times[order], levels[order]
    half = int(np.flatnonzero(n <= max(0.5 * n.max(), n[0]))[-1])
    usual = float((n[half] - n[0]) / (t[half] - t[0])) if t[half] > t[0] else float(n[0] / t[0])
    steep = np.ones(t.size)
    for i in range(half + 1, t.size):
        before = np.flatnonzero(t[:i] * _APART <= t[i])
        if before.size == 0:
            continue
        j = before[-1]
        steep[i] = (n[i] - n[j]) / (t[i] - t[j]) / usual
        if steep[i] < _FULL_SLOPE or n[i] < (1.0 - _LOST) * (n[0] + usual * (t[i] - t[0])):
            while i > half + 1 and steep[i - 1] < _FILLING:
                i -= 1  # the well filled up on the way to this rung
            return float(t[i])
    return np.inf


def connected(groups: Sequence[str], levels: Floats) -> tuple[list[str], list[str]]:
    """Groups whose levels overlap, the one with the highest level first, and those left over.

    ``groups`` and ``levels`` are those of the rungs. Two groups overlap when each has a rung within the other's range.
    """
    names = list(dict.fromkeys(groups))
    held = {name: levels[[g == name for g in groups]] for name in names}
    names.sort(key=lambda name: -float(held[name].max()))
    joined, waiting = names[:1], names[1:]
    while True:
        found = next((w for w in waiting if any(_overlap(held[w], held[j]) for j in joined)), None)
        if found is None:
            return joined, waiting
        joined.append(found)
        waiting.remove(found)


def _overlap(one: Floats, two: Floats) -> bool:
    return bool(
        ((one >= two.min()) & (one <= two.max())).any() and ((two >= one.min()) & (two <= one.max())).any()
    )
