"""The light behind a ladder of flats: which exposures repeat each other, how the lamp drifts, how much it scatters.

A lamp that drifts while a ladder is climbed looks like a bent curve. Exposures of one time that come again and again (the stability
frames of Euclid VIS' NL02) have the same level and hence the same non-linearity: how they change is the lamp.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.linearity.points import Point
from analysis.statistics import MAD_TO_SIGMA
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COVERED = 0.5  # part of the ladder's duration that repeated exposures must span to tell a drift
_OUTLIER = 5.0  # robust σ
_LEAST_OUTLIER = 1e-4  # relative: a frame so near its like is never left out


def rungs(points: Sequence[Point]) -> Ints:
    """The rung of each point, numbered by first appearance: same light, exposure times equal to four digits."""
    known: dict[tuple[str, str], int] = {}
    return np.array([known.setdefault((p.group, f"{p.time:.4g}"), len(known)) for p in points], np.int64)


def drift_degree(rung: Ints, clock: Floats, wanted: int) -> int:
    """The degree of the polynomial in time that repeated exposures can tell, at most ``wanted``.

    The best rung has to span half of the ladder's duration; n separate visits of it tell a polynomial of degree n − 1. A visit ends
    where a flat of another rung comes between.
    """
    if rung.size == 0 or wanted <= 0 or not np.ptp(clock) > 0:
        return 0
    order = np.argsort(clock, kind="stable")
    ordered, when = rung[order], clock[order]
    best = 0
    for one in np.unique(rung):
        at = np.flatnonzero(ordered == one)
        if when[at[-1]] - when[at[0]] >= _COVERED * np.ptp(clock):
            best = max(best, int((np.diff(at) > 1).sum()))
    return min(best, wanted)


def drift_terms(clock: Floats, degree: int, duration: tuple[float, float]) -> Floats:
    """Legendre polynomials of degree 1 … ``degree`` over the ladder's duration, shape (n, degree): the logarithm of the light.

    Without the constant one, which belongs to the rate of each lamp. ``duration`` is when the first and the last flat were taken.
    """
    low, high = duration
    at = 2.0 * (clock - low) / (high - low) - 1.0 if high > low else np.zeros(clock.size)
    terms: Floats = np.asarray(np.polynomial.legendre.legvander(at, degree)[:, 1:], np.float64)
    return terms


@dataclass(frozen=True)
class Within:
    """How exposures of one rung scatter: squares about the rungs' weighted means, with ``dof`` degrees of freedom."""

    squares: float
    dof: int


def rung_means(values: Floats, variances: Floats, rung: Ints) -> tuple[Floats, Floats]:
    """Mean of each rung, weighted by inverse variances, and its standard error."""
    weight = np.bincount(rung, 1.0 / variances)
    return np.bincount(rung, values / variances) / weight, 1.0 / np.sqrt(weight)


def within(values: Floats, variances: Floats, rung: Ints, degree: int) -> Within:
    """The scatter within rungs of values from which a drift of that degree was taken."""
    means, _ = rung_means(values, variances, rung)
    squares = float(((values - means[rung]) ** 2 / variances).sum())
    repeated = np.bincount(rung)
    return Within(squares, max(int((repeated - 1).clip(0).sum()) - degree, 0))


def scatter_of_light(values: Floats, errors: Floats, rung: Ints, degree: int) -> tuple[float, int]:
    """Standard deviation of the light from frame to frame, and its degrees of freedom.

    ``values`` are logarithms of levels, drift taken off, ``errors`` those of their pixels. It is what has to be added to the errors
    so that repeated exposures scatter as their errors say (χ² = ν); 0 where they scatter less, or where nothing is repeated.
    """
    square = errors**2
    now = within(values, square, rung, degree)
    if now.dof < 1 or now.squares <= now.dof:
        return 0.0, now.dof
    low, high = 0.0, float(np.ptp(values)) + float(errors.max())
    for _ in range(60):
        middle = 0.5 * (low + high)
        if within(values, square + middle**2, rung, degree).squares > now.dof:
            low = middle
        else:
            high = middle
    return high, now.dof


def strayed(values: Floats, errors: Floats, rung: Ints) -> NDArray[np.bool_]:
    """Which values lie far from the others of their rung: a shutter that stuck, a lamp that was off.

    Only in rungs of three and more, by five robust σ of all rungs together and by more than pixel noise.
    """
    out = np.zeros(values.size, np.bool_)
    counts = np.bincount(rung)
    off = np.zeros(values.size)
    for one in np.flatnonzero(counts >= 3):
        at = rung == one
        off[at] = values[at] - np.median(values[at])
    judged = counts[rung] >= 3
    if not judged.any():
        return out
    # a median takes part of the scatter of few values: n − 1 of n are free
    free = np.sqrt(counts[rung[judged]] / (counts[rung[judged]] - 1.0))
    width = float(np.median(np.abs(off[judged] * free))) * MAD_TO_SIGMA
    most = np.maximum(_OUTLIER * np.hypot(width, errors), _LEAST_OUTLIER)
    found: NDArray[np.bool_] = judged & (np.abs(off) > most)
    return found
