"""What an exact histogram tells of the converter: bits that are stuck, codes of unequal width, where its range ends."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.checks import clamped
from analysis.histogram import Histogram
from campaign.frozen import dataclass

BITS = 16
QUIET = 5.0
"""Noise of a frame [ADU] from which its histogram is smooth from code to code."""

_SIDE = 4  # codes on either side of a change of a bit that are compared
_ENOUGH = 1000  # values there
_DEGREE = 4
_BLOCKS = 32
_DRAWN = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bits:
    """Bits of a converter: the share of values in which each is set, shape (16,); those that are stuck, and those that could be told."""

    shares: Floats
    stuck: tuple[int, ...]
    tested: tuple[int, ...]


@dataclass(frozen=True)
class Nonlinearity:
    """Differential non-linearity: relative excess ``dnl`` ± ``errors`` of the width of each code of ``codes``.

    ``square`` ± ``square_error`` is the mean square of those of enough counts, the counts' noise taken out; None where there are too few. ``worst`` is the place of the
    largest of them in ``codes``.
    """

    codes: Floats
    dnl: Floats
    errors: Floats
    enough: NDArray[np.bool_]
    square: float | None
    square_error: float

    @property
    def worst(self) -> int:
        """Index of the code of largest |DNL| among those of enough counts."""
        return int(np.where(self.enough, np.abs(self.dnl), -1.0).argmax())


def bits_of(found: Histogram) -> Bits:
    """The bits of values of whole numbers from 0 to 65535 that noise spreads over several codes.

    A bit works where both its states are found. One that is the same in all values is stuck where the histogram breaks off at a code at which the bit changes: more than a
    thousand values on one side and none on the other. Where it does not come to such a code nothing can be told.
    """
    inside = max(0, -found.low), max(0, min(found.counts.size, (1 << BITS) - found.low))
    counts = np.zeros(1 << BITS, np.int64)
    part = found.counts[inside[0] : inside[1]]
    counts[found.low + inside[0] : found.low + inside[0] + part.size] = part
    codes = np.arange(counts.size)
    total = max(int(counts.sum()), 1)
    shares, stuck, tested = np.zeros(BITS), [], []
    sums = np.concatenate([[0], np.cumsum(counts)])
    for bit in range(BITS):
        held = int(counts[(codes >> bit) & 1 == 1].sum())
        shares[bit] = held / total
        if 0 < held < total:
            tested.append(bit)
            continue
        side = min(_SIDE, 1 << bit)
        edges = np.arange(1 << bit, counts.size, 1 << bit)
        above = sums[np.minimum(edges + side, counts.size)] - sums[edges]
        below = sums[edges] - sums[edges - side]
        if bool(((np.maximum(above, below) > _ENOUGH) & (np.minimum(above, below) == 0)).any()):
            stuck.append(bit)
            tested.append(bit)
    return Bits(shares, tuple(stuck), tuple(tested))


def nonlinearity_of(found: Histogram, noise: float, least: float) -> Nonlinearity | None:
    """Differential non-linearity by the histogram method; None where there are hardly any codes.

    A code's counts against those expected there, from a polynomial of degree 4 through the codes within ``noise`` [ADU] or so, itself included, which takes the share h₀ of its own excess.
    Of codes with ``least`` counts or more the mean square is taken, less that of Poisson noise; its error is from the jackknife over blocks of codes.
    """
    from scipy.signal import savgol_coeffs, savgol_filter

    half = int(np.clip(round(noise), 4, 32))
    width = 2 * half + 1
    counts = found.counts.astype(np.float64)
    if counts.size <= 2 * width:
        return None
    own = float(savgol_coeffs(width, _DEGREE)[half])
    expected = savgol_filter(counts, width, _DEGREE)[half:-half]
    seen, codes = counts[half:-half], found.levels[half:-half]
    usable = expected > 1.0
    if usable.sum() < 8:
        return None
    seen, expected, codes = seen[usable], expected[usable], codes[usable]
    dnl = (seen - expected) / expected / (1.0 - own)
    errors = 1.0 / np.sqrt(expected * (1.0 - own))
    enough = expected >= least
    square, error = None, 0.0
    if enough.sum() >= 2 * _BLOCKS:
        each = ((seen - expected) ** 2 / (1.0 - own) - expected) / expected**2
        parts = np.array_split(each[enough], _BLOCKS)
        sums, sizes = np.array([p.sum() for p in parts]), np.array([p.size for p in parts])
        without = (sums.sum() - sums) / (sizes.sum() - sizes)
        square = float(sums.sum() / sizes.sum())
        error = sqrt((_BLOCKS - 1) / _BLOCKS * float(((without - without.mean()) ** 2).sum()))
    if enough.sum() < 1:
        enough = np.zeros(codes.size, np.bool_)
    kept = np.sort(np.argsort(-expected, kind="stable")[: max(_DRAWN, int(enough.sum()))])
    return Nonlinearity(codes[kept], dnl[kept], errors[kept], enough[kept], square, error)


def ends_at(histograms: Sequence[Histogram], fraction: float) -> tuple[float, int] | None:
    """The level at which lit frames pile up at the upper end of their histograms, and in how many; None where none does."""
    levels = []
    for found in histograms:
        check = clamped(found, fraction=fraction, lit=True)
        if check.raised and check.level is not None and check.level >= found.quantile(0.5):
            levels.append(check.level)
    return (float(np.median(levels)), len(levels)) if levels else None
