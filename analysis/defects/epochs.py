"""Masks of several epochs: merged by what most of them say, and compared bit by bit.

Masks are passed over one after the other, twice, and only pixels that any of them has are held: any number of them
needs the memory of one, if they are read as they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from analysis.masks import BITS, Mask
from campaign.frozen import dataclass

_UNSEEN = BITS["no-value"]
EVERY = sum(BITS.values())
"""All bits."""

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Tally:
    """What several masks of one ``shape`` say of the pixels that any of them has: ``places``, counted along rows.

    ``united`` are the bits that any has, ``seen`` the number of masks that saw the pixel (those with ``no-value`` did not), ``bad`` in how many of
    these it has any bit. By the name of a bit ``held`` is in how many of these it has that bit, ``asked`` how many looked for it.
    """

    shape: tuple[int, int]
    epochs: int
    places: NDArray[np.intp]
    united: Mask
    seen: Numbers
    bad: Numbers
    held: dict[str, Numbers]
    asked: dict[str, Numbers]

    @property
    def share(self) -> NDArray[np.float32]:
        """In what share of the masks that saw a pixel it is bad; 0 where none did. Shape: ``places``."""
        out: NDArray[np.float32] = (self.bad / np.maximum(self.seen, 1)).astype(np.float32)
        return out

    def agreed(self, fraction: float) -> Mask:
        """Bits of ``places`` by what at least ``fraction`` of the masks say: see ``agreed``."""
        out = np.where(self.seen == 0, np.int32(_UNSEEN), np.int32(0)).astype(np.int32)
        most = np.zeros(self.seen.shape, np.int32)
        for held in self.held.values():
            np.maximum(most, held, out=most)
        bad = (self.seen > 0) & (self.bad >= least(fraction, self.epochs)[self.seen])
        for name, held in self.held.items():
            out[(held >= least(fraction, self.epochs)[self.asked[name]]) & (held > 0)] |= BITS[name]
        # bad in so many, though of no one class in so many: what it was most often
        for name, held in self.held.items() if (bad := bad & (out == 0)).any() else ():
            out[bad & (held == most)] |= BITS[name]
        return out

    def image(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Values of ``places`` as an image, 0 elsewhere."""
        out = np.zeros(self.shape[0] * self.shape[1], values.dtype)
        out[self.places] = values
        return out.reshape(self.shape)


def least(fraction: float, epochs: int) -> Numbers:
    """How many of 0, 1, … ``epochs`` masks make a fraction of these; one at least."""
    # a product with the fraction may miss a whole number by rounding: 0.7 × 10 must ask for 7
    return np.array([max(ceil(fraction * n - 1e-9), 1) for n in range(epochs + 1)], np.int32)


def tally(masks: Iterable[Mask], looked: Sequence[int] | None = None) -> Tally:
    """Count what masks say; ``masks`` is iterated over twice. ``looked`` has for each the bits that were looked for in it, by default all.

    Raises ValueError for no masks or masks of different shapes.
    """
    united: Mask | None = None
    epochs = 0
    for mask in masks:
        if united is None:
            united = mask.astype(np.int32)
        elif mask.shape != united.shape:
            raise ValueError(f"masks of different shapes: {united.shape}, {mask.shape}")
        else:
            united |= mask.astype(np.int32, copy=False)
        epochs += 1
    if united is None:
        raise ValueError("no masks to merge")
    places = np.flatnonzero(united)
    bits = united.ravel()[places]
    present = int(np.bitwise_or.reduce(bits)) if bits.size else 0
    names = [n for n, bit in BITS.items() if present & bit and n != "no-value"]
    seen, bad = np.zeros(places.size, np.int32), np.zeros(places.size, np.int32)
    held, asked = ({n: np.zeros(places.size, np.int32) for n in names} for _ in range(2))
    for mask, asks in zip(masks, looked or [EVERY] * epochs, strict=True):
        own = mask.ravel()[places].astype(np.int32, copy=False)
        there = (own & _UNSEEN) == 0
        seen += there
        bad += there & (own != 0)
        for name in names:
            if asks & BITS[name]:
                asked[name] += there
                held[name] += there & ((own & BITS[name]) != 0)
    shape = (int(united.shape[0]), int(united.shape[1]))
    return Tally(shape, epochs, places, bits, seen, bad, held, asked)


def united(masks: Iterable[Mask]) -> Mask:
    """Every bit that a mask of any epoch has. Raises ValueError for no masks or masks of different shapes."""
    counts = tally(masks)
    out: Mask = counts.image(counts.united).astype(np.int32, copy=False)
    return out


def agreed(masks: Iterable[Mask], fraction: float) -> Mask:
    """Each bit that at least ``fraction`` (above 0, at most 1) of the epochs have that saw the pixel; equality is enough.

    A pixel that is bad in so many, though of no one class in so many, has the bits that it had most often. An epoch that has ``no-value`` for a
    pixel did not see it and has no say there; where none did, the pixel has no value. Raises ValueError for other fractions, no masks, or masks of different shapes.
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"a fraction of epochs is above 0 and at most 1, not {fraction}")
    counts = tally(masks)
    out: Mask = counts.image(counts.agreed(fraction)).astype(np.int32, copy=False)
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


def change(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Change:
    """What became of pixels between two looks at the same ones."""
    held = (before & after, after & ~before, before & ~after)
    return Change(*(int(np.count_nonzero(x)) for x in held))


def changes(before: Mask, after: Mask) -> dict[str, Change]:
    """What became of each bit from one mask to the next, bits that neither has left out. Raises ValueError for different shapes."""
    if before.shape != after.shape:
        raise ValueError(f"masks of different shapes: {before.shape}, {after.shape}")
    found = {name: change((before & bit) != 0, (after & bit) != 0) for name, bit in BITS.items()}
    return {name: c for name, c in found.items() if c.common or c.added or c.removed}
