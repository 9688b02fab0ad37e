"""Masks of several epochs: merged by what most of them say, and compared bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from analysis.masks import BITS, Mask


def united(masks: Sequence[Mask]) -> Mask:
    """Every bit that a mask of any epoch has. Raises ValueError for no masks or masks of different shapes."""
    _check(masks)
    out = masks[0].astype(np.int32, copy=True)
    for mask in masks[1:]:
        out |= mask
    return out


def agreed(masks: Sequence[Mask], fraction: float) -> Mask:
    """Each bit that at least ``fraction`` (above 0, at most 1) of the epochs have that saw the pixel; equality is enough.

    An epoch that has ``no-value`` for a pixel did not see it and has no say there; where none did, the pixel has no value. Raises ValueError for
    other fractions, no masks, or masks of different shapes.
    """
    _check(masks)
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"a fraction of epochs is above 0 and at most 1, not {fraction}")
    unseen = BITS["no-value"]
    seen = np.zeros(masks[0].shape, np.int32)
    anywhere = 0
    for mask in masks:
        seen += (mask & unseen) == 0
        anywhere |= int(np.bitwise_or.reduce(mask, axis=None)) if mask.size else 0
    # a product with the fraction may miss a whole number by rounding: 0.7 × 10 must ask for 7
    least = np.array([max(ceil(fraction * n - 1e-9), 1) for n in range(len(masks) + 1)], np.int32)[seen]
    out = np.where(seen == 0, np.int32(unseen), np.int32(0)).astype(np.int32)
    for name, bit in BITS.items():
        if name == "no-value" or not anywhere & bit:
            continue
        held = np.zeros(seen.shape, np.int32)
        for mask in masks:
            held += (mask & (bit | unseen)) == bit
        out[(held >= least) & (seen > 0)] |= bit
    return out


@dataclass(frozen=True)
class Change:
    """Pixels that have a bit in both of two masks, in the later alone, and in the earlier alone."""

    common: int
    added: int
    removed: int

    @property
    def likeness(self) -> float:
        """Pixels in both over pixels in either (Jaccard); 1 where neither has any. Counts alone do not see pixels that moved."""
        either = self.common + self.added + self.removed
        return self.common / either if either else 1.0


def changes(before: Mask, after: Mask) -> dict[str, Change]:
    """What became of each bit from one mask to the next, bits that neither has left out. Raises ValueError for different shapes."""
    _check([before, after])
    out = {}
    for name, bit in BITS.items():
        old, new = (before & bit) != 0, (after & bit) != 0
        change = Change(*(int(np.count_nonzero(x)) for x in (old & new, new & ~old, old & ~new)))
        if change.common or change.added or change.removed:
            out[name] = change
    return out


def _check(masks: Sequence[Mask]) -> None:
    if not masks:
        raise ValueError("no masks to merge")
    if len({m.shape for m in masks}) > 1:
        raise ValueError(f"masks of different shapes: {', '.join(str(m.shape) for m in masks)}")
