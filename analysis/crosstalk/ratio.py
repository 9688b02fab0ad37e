"""The masked ratio: how a victim's level follows an aggressor's where that is bright, against the victim's own background nearby."""

from __future__ import annotations

from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from analysis.crosstalk.readout import Aggressor, basis, gram, solved
from analysis.crosstalk.victim import CLIP, Victim
from analysis.statistics import MAD_TO_SIGMA
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
SCALE = 1e4
"""Signals are taken in this many ADU, so that normal equations with their squares stay well conditioned."""
BINS = np.geomspace(1.0, 1e5, 41)
"""Bounds of the bins of flux [ADU] that are shown."""


@dataclass
class Sums:
    """Weighted normal equations of one victim and one aggressor over all squares and exposures, local backgrounds projected out.

    The regressors are the signal and its square, in ``SCALE``. ``squares`` is Σ b²/a of single squares, for how far they differ.
    """

    normal: Floats = field(default_factory=lambda: np.zeros((2, 2)))
    right: Floats = field(default_factory=lambda: np.zeros(2))
    squares: float = 0.0
    tiles: int = 0
    n: int = 0
    by_flux: Floats = field(default_factory=lambda: np.zeros((3, BINS.size - 1)))


def first_guess(x: Floats, y: Floats) -> float:
    """Coefficient of which half the pixels speak for more, half for less: each weighted by its signal, which is the precision of its ratio."""
    ratio = y / x
    order = np.argsort(ratio, kind="stable")
    weight = np.cumsum(x[order])
    return float(ratio[order[np.searchsorted(weight, 0.5 * weight[-1])]])


def add(sums: Sums, seen: Victim, source: Aggressor, covariance: float) -> None:
    """Add one exposure. Pixels where a second channel is lit are left out, those far from what their signal explains clipped.

    ``covariance`` is that of the two channels' read noise [ADU²]: what it adds to the products of signals is taken off.
    """
    here, there = seen.of(source)
    here, there = here[source.shines[there]], there[source.shines[there]]
    used = source.bright[there] & seen.good[here] & (seen.sources[here] == 1)
    found = np.flatnonzero(used)
    if not found.size:
        return
    square, row, column = np.unravel_index(found, used.shape)
    x = source.signal[there[square], row, column].astype(np.float64) / SCALE
    off = (seen.values[here[square], row, column] - seen.ground[here[square], row, column]).astype(np.float64)
    sigma = seen.sigma[here[square]]
    off_model = off - first_guess(x, off) * x
    spread = max(float(np.median(np.abs(off_model / sigma))) * MAD_TO_SIGMA, 1.0)
    kept = np.abs(off_model) <= CLIP * spread * sigma
    square, row, column, x, off = square[kept], row[kept], column[kept], x[kept], off[kept]
    if not square.size:
        return
    side, tiles = seen.values.shape[1], here.size
    terms = basis(side, 1)
    chosen = np.zeros(used.shape, bool)
    chosen[square, row, column] = True
    matrix = gram(terms, seen.dark[here] | chosen)
    at = terms[:, row, column]

    def per_square(weights: Floats) -> Floats:
        return np.asarray(np.bincount(square, weights, tiles), np.float64)

    of_two = x * x  # products, not powers: those cost ten times as much
    powers = (x, of_two)
    cross = np.stack([np.stack([per_square(p * z) for z in at], 1) for p in powers], 2)  # (squares, 3, 2)
    levels = np.stack([per_square(off * z) for z in at], 1)[:, :, np.newaxis]
    lifted = solved(matrix, np.concatenate([cross, levels], axis=2))
    weight = 1.0 / seen.sigma[here] ** 2
    inner = np.einsum("tki,tkj->tij", cross, lifted)
    second, third, fourth = (per_square(p) for p in (of_two, of_two * x, of_two * of_two))
    normal = np.stack([np.stack([second, third], 1), np.stack([third, fourth], 1)], 1) - inner[:, :, :2]
    count = per_square(np.ones(x.size))
    right = np.stack([per_square(p * off) for p in powers], 1) - inner[:, :, 2]
    right[:, 0] -= count * covariance / SCALE
    lit = normal[:, 0, 0] * weight > 0
    sums.normal += np.einsum("t,tij->ij", weight, normal)
    sums.right += weight @ right
    sums.squares += float((weight[lit] * right[lit, 0] ** 2 / normal[lit, 0, 0]).sum())
    sums.tiles += int((count > 0).sum())
    sums.n += x.size
    of_pixel = weight[square]
    place = np.clip(np.searchsorted(BINS, x * SCALE, side="right") - 1, 0, BINS.size - 2)
    for line, values in enumerate((of_pixel * x * off, of_pixel * of_two, of_pixel * of_two * x)):
        sums.by_flux[line] += np.bincount(place, values, BINS.size - 1)
