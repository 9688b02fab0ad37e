"""Sorting networks: which values to compare and exchange so that any n values end up in order.

A network does the same for every pixel, whatever its values, so that it runs along pixels in vector instructions. Where only some
places of the order are wanted, as for a median, what does not lead there is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=64)
def sorting_network(n: int, wanted: Sequence[int] | None = None) -> NDArray[np.int32]:
    """Batcher's odd-even merge sort of n values (K. E. Batcher, 1968, AFIPS 32, 307), shape (exchanges, 3).

    Each row is the place of the lower value, of the upper, and what must be kept: 1 the lower only, 2 the upper, 3 both. With
    ``wanted``, only these places of the order are right afterwards; a tuple, from 0.
    """
    needed = set(range(n) if wanted is None else wanted)
    kept = []
    for lower, upper in reversed(_exchanges(n)):
        what = (lower in needed) + 2 * (upper in needed)
        if what:
            kept.append((lower, upper, what))
            needed |= {lower, upper}
    out = np.array(kept[::-1], dtype=np.int32).reshape(-1, 3)
    out.setflags(write=False)
    return out


def _exchanges(n: int) -> list[tuple[int, int]]:
    out, span = [], 1
    while span < n:
        step = span
        while step >= 1:
            for j in range(step % span, n - step, 2 * step):
                for i in range(j, min(j + step, n - step)):
                    if i // (2 * span) == (i + step) // (2 * span):
                        out.append((i, i + step))
            step //= 2
        span *= 2
    return out
