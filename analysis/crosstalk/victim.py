"""The victim's side: its level about the places where others are bright, its noise, and which pixels may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.crosstalk.readout import Aggressor, Grid, Keys, Masks, Tiles, plane
from analysis.statistics import MAD_TO_SIGMA

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


def victim(
    image: NDArray[np.generic],
    lost: NDArray[np.bool_] | None,
    start: int,
    saturation: float,
    grid: Grid,
    own: Aggressor,
    others: Sequence[Aggressor],
) -> Victim | None:
    """A channel's pixels where others are bright; None where nothing is. ``image`` are its turned pixels, ``lost`` those a correction masked."""
    keys = np.unique(np.concatenate([a.keys[a.bright.any(axis=(1, 2))] for a in others] or [own.keys[:0]]))
    if not keys.size:
        return None
    values = grid.cut(image, start, keys)
    with np.errstate(invalid="ignore"):
        good = values < np.float32(saturation)
    if lost is not None:
        good &= grid.cut(lost.astype(np.uint8), start, keys) == 0
    made = Victim(keys, values, values, good, good, np.zeros(values.shape, np.uint8), np.zeros(keys.size))
    lit = np.zeros(values.shape, bool)
    top = np.zeros(values.shape, np.float32)
    for source in others:
        here, there = made.of(source)
        lit[here] |= source.lit[there]
        top[here] = np.fmax(top[here], source.signal[there])
    for source in others:
        here, there = made.of(source)
        made.sources[here] += source.lit[there] & ~(np.abs(source.signal[there]) < GHOST * top[here])
    here, there = made.of(own)
    # chosen by what others have there: by its own level alone, the brightest ghosts would be lost
    with np.errstate(invalid="ignore"):  # what has no value, beyond the image too, is no source with wings
        good[here] &= ~_widened(own.lit[there] & (np.abs(own.signal[there]) >= GHOST * top[here]))
    dark = good & ~lit
    ground, sigma, dark = _ground(values, dark)
    side = values.shape[1] * values.shape[2]
    enough = dark.sum(axis=(1, 2)) >= 0.2 * side
    good &= enough[:, np.newaxis, np.newaxis]
    return Victim(keys, values, ground, good, dark & good, made.sources, np.where(enough, sigma, np.inf))


def _widened(mask: Masks) -> Masks:
    """A mask with the pixels around it in the same square: a source's wings go on below what stands out of noise."""
    from scipy.ndimage import binary_dilation

    around = np.ones((1, 3, 3), bool)
    return np.asarray(binary_dilation(mask, around, iterations=MARGIN), bool)


def _ground(values: Tiles, dark: Masks) -> tuple[Tiles, NDArray[np.float64], Masks]:
    """Plane and noise of the pixels where no other channel is lit, outliers left out in two rounds."""
    some = values[:, ::2, ::2]  # a quarter of the pixels settles where outliers begin
    masked = np.where(dark[:, ::2, ::2], some, np.float32(np.nan)).reshape(len(values), -1)
    middle, spread = _robust(masked)
    spread = np.maximum(spread, 0.5)
    ground = np.broadcast_to(middle[:, np.newaxis, np.newaxis], values.shape).astype(np.float32)
    for round_ in range(2):
        with np.errstate(invalid="ignore"):
            near = np.abs(values - ground) <= (CLIP * spread).astype(np.float32)[:, np.newaxis, np.newaxis]
        used = dark & near
        ground = plane(values, used, middle)
        n = np.maximum(used.sum(axis=(1, 2)), 4)
        off = np.where(used, values - ground, np.float32(0.0)).reshape(len(values), -1)
        spread = np.sqrt(np.einsum("tp,tp->t", off, off, dtype=np.float64) / (n - 3))
        spread = np.maximum(spread, 0.29)  # what rounding to whole numbers leaves
        if round_ == 0:
            spread = spread * 1.02
    return ground, spread, used


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
