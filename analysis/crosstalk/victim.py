"""The victim's side: its level about the places where others are bright, its noise, and which pixels may be used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.crosstalk.readout import Aggressor, Keys, Masks, Tiles
from analysis.statistics import MAD_TO_SIGMA
from campaign.frozen import dataclass

CLIP = 5.0
"""Pixels of the victim farther from what is expected than this many σ are left out: cosmic rays, its own faint sources."""

GHOST = 0.01
"""What is fainter than this part of another channel's signal at the same moment may be its ghost, and is no source."""

MARGIN = 8
"""Pixels around the victim's own sources that are left out with them."""


@dataclass(frozen=True)
class Victim:
    """One channel of one exposure in the squares where any other is bright.

    ``values`` [ADU] and their local ``ground``; ``good`` where it may be used at all, ``dark`` where moreover no other channel is lit; ``sources`` counts the
    channels that are, ghosts not among them; ``sigma`` is the noise of each square [ADU].
    """

    keys: Keys
    values: Tiles
    ground: Tiles
    good: Masks
    dark: Masks
    sources: NDArray[np.uint8]
    sigma: NDArray[np.float64]

    def of(self, source: Aggressor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Squares of this victim and the same ones of an aggressor."""
        place = np.searchsorted(self.keys, source.keys)
        place = np.minimum(place, max(self.keys.size - 1, 0))
        same = self.keys[place] == source.keys if self.keys.size else np.zeros(source.keys.size, bool)
        return place[same], np.flatnonzero(same)


def watched(others: Sequence[Aggressor]) -> Keys:
    """The squares, in order, in which any of other channels is bright."""
    return np.unique(np.concatenate([a.keys[a.shines] for a in others] or [np.zeros(0, np.int64)]))


def victim(keys: Keys, values: Tiles, good: Masks, own: Aggressor, others: Sequence[Aggressor]) -> Victim:
    """A channel's ``values`` [ADU] where others are bright, in the squares of ``keys``; ``good`` where they may be used."""
    from analysis.crosstalk import square_kernels

    made = Victim(keys, values, values, good, good, np.zeros(values.shape, np.uint8), np.zeros(keys.size))
    lit, top = np.zeros(values.shape, bool), np.zeros(values.shape, np.float32)
    places = [(s, *made.of(s)) for s in others]
    for source, here, there in places:
        square_kernels.light_up(source.signal, source.lit, there, here, top, lit)
    for source, here, there in places:
        square_kernels.count_lit(source.signal, source.lit, there, here, top, np.float32(GHOST), made.sources)
    here, there = made.of(own)
    # chosen by what others have there: by its own level alone, the brightest ghosts would be lost
    with np.errstate(invalid="ignore"):  # what has no value, beyond the image too, is no source with wings
        shining = own.lit[there] & (np.abs(own.signal[there]) >= GHOST * top[here])
    some = shining.reshape(len(shining), -1).any(axis=1)
    good[here[some]] &= ~_widened(shining[some])
    dark = good & ~lit
    ground, sigma = _ground(values, dark)
    side = values.shape[1] * values.shape[2]
    enough = np.count_nonzero(dark.reshape(len(dark), -1), axis=1) >= 0.2 * side
    good &= enough[:, np.newaxis, np.newaxis]
    return Victim(keys, values, ground, good, dark & good, made.sources, np.where(enough, sigma, np.inf))


def _widened(mask: Masks) -> Masks:
    """A mask with the pixels around it in the same square, ``MARGIN`` of them: a source's wings go on below what stands out of noise."""
    out = mask.copy()
    for axis in (1, 2):
        held, done = np.moveaxis(out, axis, 0), 0
        while done < MARGIN:  # twice as far each time
            step = min(max(done, 1), MARGIN - done)
            before = held.copy()
            held[step:] |= before[:-step]
            held[:-step] |= before[step:]
            done += step
    return out


def _ground(values: Tiles, dark: Masks) -> tuple[Tiles, NDArray[np.float64]]:
    """Plane and noise of the pixels where no other channel is lit, outliers left out in two rounds, of ``dark`` too."""
    from analysis.crosstalk import square_kernels

    step = max(1, values.shape[1] // 16)  # some hundred pixels settle where outliers begin
    masked = np.where(dark[:, ::step, ::step], values[:, ::step, ::step], np.float32(np.nan))
    middle, spread = _robust(masked.reshape(len(values), -1))
    ground, sigma = np.empty_like(values), np.empty(len(values))
    # what rounding to whole numbers leaves is the least noise there is
    square_kernels.grounds(values, dark, middle, np.maximum(spread, 0.5), CLIP, 0.29, ground, sigma)
    return ground, sigma


def _robust(flat: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Median and scaled absolute deviation of each row, NaN left out; 0 for rows without a value."""
    n = np.isfinite(flat).sum(axis=1)
    at = np.arange(len(flat))

    def middle(held: NDArray[np.float32]) -> NDArray[np.float32]:
        ordered = np.sort(held, axis=1)  # NaN last
        low, high = ordered[at, np.maximum(n - 1, 0) // 2], ordered[at, np.minimum(n // 2, held.shape[1] - 1)]
        return np.where(n > 0, 0.5 * (low + high), np.float32(0.0))

    found = middle(flat)
    spread = middle(np.abs(flat - found[:, np.newaxis])).astype(np.float64) * MAD_TO_SIGMA
    return found, spread
