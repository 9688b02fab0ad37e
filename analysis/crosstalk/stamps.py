"""The stamp fit: a victim's squares as a sum of all aggressors' signals and a low-order background, by least squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from analysis.crosstalk.ratio import SCALE
from analysis.crosstalk.readout import Aggressor, basis, gram, solved
from analysis.crosstalk.victim import CLIP, GHOST, Victim
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Name = tuple[str, str]


@dataclass
class Stamps:
    """Weighted normal equations of one victim for all ``names`` of aggressors, in ``SCALE``, backgrounds projected out of each stamp."""

    names: tuple[Name, ...]
    normal: Floats = field(init=False)
    right: Floats = field(init=False)
    n: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        k = len(self.names)
        self.normal, self.right, self.n = np.zeros((k, k)), np.zeros(k), np.zeros(k, np.int64)


def add(
    sums: Stamps,
    seen: Victim,
    sources: Sequence[Aggressor],
    covariance: Mapping[tuple[Name, Name], float],
    own: Name,
) -> None:
    """Add one exposure: all pixels of each stamp, wings included, whichever channels are lit.

    ``covariance`` of the read noise of channels [ADU²], as the overscans show it: what the noise of two channels has in common would look like
    crosstalk, and an aggressor's own noise would weaken it; both are taken off the products (errors in variables).
    """
    tiles, side, k = seen.keys.size, seen.values.shape[1], len(sources)
    used = seen.good & np.isfinite(seen.sigma)[:, np.newaxis, np.newaxis]
    x = np.zeros((k, tiles, side, side))
    for n, source in enumerate(sources):
        here, there = seen.of(source)
        used[here] &= ~source.lost[there] & np.isfinite(source.signal[there])
        x[n][here] = np.nan_to_num(source.signal[there]) / SCALE
    xs = x.reshape(k, tiles, -1)
    off = np.where(used, seen.values - seen.ground, np.float32(0.0)).astype(np.float64).reshape(tiles, -1)
    bound = CLIP * np.where(np.isfinite(seen.sigma), seen.sigma, 0.0)[:, np.newaxis]
    weight = np.where(np.isfinite(seen.sigma), 1.0 / seen.sigma**2, 0.0)
    flat = basis(side, 2).reshape(-1, side * side)
    mask = used.reshape(tiles, -1) & (np.abs(off) <= bound + GHOST * SCALE * np.abs(xs).max(axis=0))
    normal, right = _equations(xs, off, mask, weight, flat)
    for _ in range(2):  # what is left after the fit is clipped, not what the crosstalk makes
        guess = np.linalg.lstsq(normal, right, rcond=1e-9)[0]
        left = off - np.einsum("k,ktp->tp", guess, xs)
        mask = used.reshape(tiles, -1) & (np.abs(left) <= bound)
        normal, right = _equations(xs, off, mask, weight, flat)
    free = np.maximum(mask.sum(axis=1) - len(flat), 0)
    touched = [np.isin(seen.keys, s.keys) for s in sources]
    index = [sums.names.index(s.name) for s in sources]
    for a in range(k):
        alone = float((weight * free * touched[a]).sum())
        right[a] -= alone * covariance.get((own, sources[a].name), 0.0) / SCALE
        for b in range(k):
            both = float((weight * free * (touched[a] & touched[b])).sum())
            normal[a, b] -= both * covariance.get((sources[a].name, sources[b].name), 0.0) / SCALE**2
        sums.n[index[a]] += int(mask[touched[a]].sum())
    sums.normal[np.ix_(index, index)] += normal
    sums.right[index] += right


def _equations(
    xs: Floats, y: Floats, mask: NDArray[np.bool_], weight: Floats, flat: Floats
) -> tuple[Floats, Floats]:
    """Weighted products of the signals xs (sources, squares, pixels) with each other and with y, the polynomials ``flat`` projected out of each square."""
    k, side = len(xs), round(flat.shape[1] ** 0.5)
    kept = np.where(mask, xs, 0.0)
    held = np.where(mask, y, 0.0)
    cross = np.einsum("ktp,zp->tzk", kept, flat, optimize=True)
    levels = (held @ flat.T)[:, :, np.newaxis]
    matrix = gram(flat.reshape(-1, side, side), mask.reshape(-1, side, side))
    lifted = solved(matrix, np.concatenate([cross, levels], axis=2))
    scaled = kept * weight[np.newaxis, :, np.newaxis]
    normal = scaled.reshape(k, -1) @ kept.reshape(k, -1).T
    normal -= np.einsum("t,tza,tzb->ab", weight, cross, lifted[:, :, :k], optimize=True)
    right = scaled.reshape(k, -1) @ held.ravel()
    right -= np.einsum("t,tza,tz->a", weight, cross, lifted[:, :, k], optimize=True)
    return np.asarray(normal, np.float64), np.asarray(right, np.float64)
