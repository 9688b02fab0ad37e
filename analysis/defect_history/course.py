"""The course of one channel's defects: its masks over the epochs, counted, merged, and compared from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Epoch, ImageProduct
from analysis.defects.declared import PIXELS
from analysis.defects.epochs import EVERY, Change, Tally, change, tally
from analysis.masks import BITS, Mask, bits
from campaign.frozen import dataclass
from campaign.geometry import Channel

ANY = "any"
"""Stands for all classes together, where things are told by class."""

_OF_PIXELS = bits(PIXELS)
_STATES = 64
"""Epochs, the latest, of which every pixel's state is held: a bit for each pixel that is bad in any, so that little is held."""


class Masks:
    """A channel's masks, each read from its product when it is asked for, and forgotten."""

    def __init__(self, epochs: Sequence[Epoch], channel: str) -> None:
        self.epochs, self.channel = epochs, channel

    def __iter__(self) -> Iterator[Mask]:
        for epoch in self.epochs:
            plane = plane_of(epoch, self.channel)
            if plane is None:
                raise ValueError(f"{epoch.block}/{epoch.test} has no mask of {self.channel}")
            yield plane


def plane_of(epoch: Epoch, channel: str) -> Mask | None:
    """An epoch's mask of a channel, None where it has none. Raises what reading raises."""
    product = epoch.read()
    if not isinstance(product, ImageProduct) or channel not in product.planes:
        return None
    return np.asarray(product.planes[channel])


@dataclass(frozen=True)
class Noise:
    """How sure an epoch's counts of a channel are: ``variances`` of the counts of the classes that were looked for, ``chance`` the pixels that noise alone put into the mask."""

    variances: dict[str, float]
    chance: float

    @property
    def looked(self) -> int:
        """The bits that were looked for; those that are no class of single pixels always are."""
        return (EVERY & ~_OF_PIXELS) | bits(self.variances)

    @staticmethod
    def of(epoch: Epoch, channel: str) -> Noise:
        """From what the epoch's own procedure measured."""
        own = {m.quantity: m for m in epoch.measurements if m.channel == channel and m.value is not None}
        held = {kind: own[name] for kind in PIXELS if (name := kind.replace("-", "_")) in own}
        chance = own["by_chance"].value if "by_chance" in own else None
        return Noise({kind: (m.uncertainty or 0.0) ** 2 for kind, m in held.items()}, chance or 0.0)


@dataclass(frozen=True)
class Course:
    """What became of a channel's defects.

    ``merged`` are the bits of the merged mask at ``counts.places``; elsewhere it is 0. ``pixels`` holds for each epoch how many pixels have each class that was looked for, all together as ``ANY``; ``steps`` what became of them since the
    epoch before, where both looked for the class (the first is empty). ``packed`` and ``packed_seen`` (epochs, bits of ``counts.places``) are whether a pixel was
    bad in each of the latest epochs, in classes that all looked for, and seen at all; ``pairs``
    (epochs, epochs) how many pixels were bad in both of two of them, and in either.
    """

    channel: Channel
    epochs: tuple[Epoch, ...]
    noise: tuple[Noise, ...]
    counts: Tally
    merged: Mask
    pixels: tuple[dict[str, int], ...]
    steps: tuple[dict[str, Change], ...]
    packed: NDArray[np.uint8]
    packed_seen: NDArray[np.uint8]
    pairs: tuple[NDArray[np.float64], NDArray[np.float64]]

    @property
    def bad(self) -> int:
        """Pixels with any bit in the merged mask."""
        return int(np.count_nonzero(self.merged))

    def of_merged(self, kind: str) -> int:
        """Pixels with the bit of a class in the merged mask."""
        return int(np.count_nonzero(self.merged & BITS[kind]))

    @property
    def size(self) -> int:
        """Pixels of the channel."""
        return self.counts.shape[0] * self.counts.shape[1]

    def image(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Values of the places as an image of the channel."""
        return self.counts.image(values)

    def states(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Of each of the latest epochs, which of the places were bad, and which were seen."""
        for bad, seen in zip(self.packed, self.packed_seen, strict=True):
            yield unpacked(bad, self.counts.places.size), unpacked(seen, self.counts.places.size)

    def switches(self) -> NDArray[np.intp]:
        """How often each pixel came or went, from one epoch that saw it to the next. Shape: the places."""
        found = np.zeros(self.counts.places.size, np.intp)
        last, known = np.zeros(found.size, bool), np.zeros(found.size, bool)
        for state, seen in self.states():
            found += seen & known & (state != last)
            last = np.where(seen, state, last)
            known |= seen
        return found


def course(channel: Channel, epochs: Sequence[Epoch], fraction: float) -> Course:
    """Merge and compare the masks of a channel; all must have one of its shape. ``fraction`` 0 unites them.

    Raises ValueError for masks of different shapes, and what reading raises.
    """
    masks, noise = Masks(epochs, channel.name), tuple(Noise.of(e, channel.name) for e in epochs)
    looked = [n.looked for n in noise]
    counts = tally(masks, looked)
    latest = max(len(epochs) - _STATES, 0)
    alike = int(np.bitwise_and.reduce([_compared(looked[latest], n) for n in looked[latest:]]))
    pixels: list[dict[str, int]] = []
    steps: list[dict[str, Change]] = []
    states, seen = [], []
    before = np.zeros(0, np.int32)
    for n, mask in enumerate(masks):
        own: Mask = mask.ravel()[counts.places].astype(np.int32, copy=False)
        pixels.append(_numbers(own, noise[n]))
        steps.append(_changes(before, own, looked[n - 1], looked[n], noise[n]) if n else {})
        if n >= latest:
            states.append(np.packbits((own & alike) != 0))
            seen.append(np.packbits((own & BITS["no-value"]) == 0))
        before = own
    merged = counts.agreed(fraction) if fraction > 0 else counts.united
    pairs = _pairs(np.array(states), counts.places.size)
    return Course(
        channel, tuple(epochs), noise, counts, merged, tuple(pixels), tuple(steps), np.array(states), np.array(seen), pairs
    )  # fmt: skip


def unpacked(bits_of: NDArray[np.uint8], number: int) -> NDArray[np.bool_]:
    """The first ``number`` of packed bits."""
    return np.unpackbits(bits_of, count=number).astype(bool)


def _compared(before: int, after: int) -> int:
    """The bits by which two epochs are compared: classes that both looked for, and columns, clusters … only where they looked for the same."""
    both = before & after & ~BITS["no-value"]
    return both if before == after else both & _OF_PIXELS


def _numbers(own: Mask, noise: Noise) -> dict[str, int]:
    found = {kind: int(np.count_nonzero(own & BITS[kind])) for kind in noise.variances}
    return {ANY: int(np.count_nonzero(own & ~BITS["no-value"])), **found}


def _changes(before: Mask, after: Mask, looked: int, looks: int, noise: Noise) -> dict[str, Change]:
    """What became of pixels that both epochs saw."""
    both = ((before | after) & BITS["no-value"]) == 0
    chosen = {ANY: _compared(looked, looks), **{k: BITS[k] for k in noise.variances if BITS[k] & looked}}
    return {k: change(both & ((before & b) != 0), both & ((after & b) != 0)) for k, b in chosen.items()}


def _pairs(packed: NDArray[np.uint8], size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels that are bad in both of each two epochs, and in either."""
    both, either = np.zeros((len(packed), len(packed))), np.zeros((len(packed), len(packed)))
    for i, one in enumerate(packed):
        for j, other in enumerate(packed[: i + 1]):
            both[i, j] = both[j, i] = np.count_nonzero(unpacked(one & other, size))
            either[i, j] = either[j, i] = np.count_nonzero(unpacked(one | other, size))
    return both, either
