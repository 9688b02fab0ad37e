"""The bits of pixel masks: one table for every mask that calbook makes, reads or publishes.

Masks are arrays of int32 of the channel's image shape; a pixel without any bit is good. Bits are permanent: none is ever
used for anything else, and new ones come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.int32]

MEANINGS: Mapping[str, str] = {
    "no-value": "NaN, infinite, or never read",
    "saturated": "at or above the level that the detector or its converter can state",
    "bloom": "beside saturation along a column, where charge spilled",
    "hot": "dark signal far above that of the detector",
    "warm": "dark signal above that of the detector, below hot",
    "dark": "responds to light clearly less than its neighbours",
    "bright": "responds to light clearly more than its neighbours",
    "dead": "does not respond to light",
    "noisy": "scatters more than noise allows",
    "non-linear": "does not follow the light as its channel does",
    "unstable": "differs between epochs by more than noise allows",
    "column": "in a column of which so much is bad that all of it is",
    "cluster": "in a cluster of bad pixels",
    "cosmic": "struck by a particle in this frame",
    "edge": "so near an edge that its level is not that of the light",
    "trap": "holds charge back",
    "persistent": "still gives off charge of an earlier exposure",
    "uncorrected": "a correction had no value there",
}
"""What each bit means, the lowest first."""

BITS: Mapping[str, int] = {name: 1 << n for n, name in enumerate(MEANINGS)}
"""The value of each bit by its name."""


def bits(names: Iterable[str]) -> int:
    """The value of several bits together. Raises KeyError for a name that there is not.

    >>> bits(["saturated", "bloom"])
    6
    """
    value = 0
    for name in names:
        value |= BITS[name]
    return value


def names(value: int) -> list[str]:
    """The names of the bits that a pixel has, the lowest first.

    >>> names(6)
    ['saturated', 'bloom']
    """
    return [name for name, bit in BITS.items() if value & bit]


def flagged(mask: Mask, which: Iterable[str] | None = None) -> NDArray[np.bool_]:
    """Where a mask has one of the named bits; any bit when none are named. Same shape."""
    out: NDArray[np.bool_] = (mask != 0) if which is None else (mask & bits(which)) != 0
    return out


def count(mask: Mask) -> dict[str, int]:
    """How many pixels have each bit; bits that no pixel has are left out."""
    held = {name: int(np.count_nonzero(mask & bit)) for name, bit in BITS.items()}
    return {name: number for name, number in held.items() if number}
