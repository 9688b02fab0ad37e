"""Steps in a series: a piecewise-constant fit with a penalty, in noise whose size is not known.

1. Each value has a σ: its uncertainty plus the extra scatter of differences (``scatter.adjacent_scatter``).
2. Excursions of up to three points are pulled in to the running median (``scatter.pulled_in``): they are outliers.
3. Segments of five points or more minimise n·ln Σ ((y − level)/σ)² + penalty × number of steps: as the variance of the noise
   is not known, it is fitted as well (Student's way of asking). For any one variance s² the minimum of
   Σ ((y − level)/σ)² / s² + penalty × number of steps is found exactly (``trend_kernels.cheapest_segments``); s² is
   tried over what the differences of neighbours allow.
4. The penalty comes from simulation, not from a formula: it is what steps in white noise of that length, run through all of
   the above, are worth in 0.3 % of series of sixty points or more, and 0.9 % of series of ten to twenty, where each step
   missed costs more than a rare false one (``PENALTIES``; ``bench.bench_trends --calibrate`` shows what it rests on).
   Where neighbours are correlated, it grows as the variance of a mean does.

The rest (R. Killick et al. 2012, J. Am. Stat. Assoc. 107, 1590; P. Fearnhead and G. Rigaill 2019, ibid. 114, 169,
for outliers) is in the references. ruptures (BSD) was looked at: it takes weights only through a cost function in Python,
at 0.3 s for a thousand points, and its compiled search takes none.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.scatter import adjacent_scatter, pulled_in
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHORTEST = 5
"""Points that a level must last to be one."""

FEWEST = 2 * SHORTEST
"""Points that a search needs."""

PENALTIES: tuple[tuple[int, float], ...] = (
    (10, 9.3), (12, 11.0), (15, 11.7), (20, 12.3), (25, 13.0), (30, 13.4), (40, 14.2), (60, 15.0), (100, 15.4),
    (200, 16.2), (500, 16.8), (1000, 17.3),
)  # fmt: skip
"""Penalty of a step by number of points; in between, and beyond, straight in the logarithm of the number."""

_MARGIN = 3.0  # how far s is looked for from the scatter of differences, in 1/√n of it
_LOWEST = 0.5  # and no lower than this part of it
_STRIDE = 1.3
_CUT = 3.5  # σ at which a difference stops counting more
_WITHIN = 7.352  # growth of χ² within which a position is as likely as not to 95 % (Hansen 2000, Econometrica 68, 575)
_MAX_CORRELATION = 0.9
_ENOUGH = 100  # values from which a correlation can be told from a change of level


@dataclass(frozen=True)
class Noise:
    """What a search works with: values pulled in, σ of each, and how neighbours go together.

    ``values``, ``sigma`` (n,); ``adjacent`` is the variance of the pulled-in values from their differences, in σ²;
    ``correlation`` of neighbours, 0 unless it is clear: three times what chance gives, in a hundred values or more.
    """

    values: Floats
    sigma: Floats
    adjacent: float
    correlation: float

    @property
    def inflation(self) -> float:
        """How much larger the variance of a mean is than for independent values: (1 + r)/(1 − r)."""
        return (1.0 + self.correlation) / (1.0 - self.correlation)


def noise_of(values: Floats, errors: Floats | None) -> Noise:
    """The noise of values (n ≥ 3,) in order of time, with their stated errors if there are any."""
    sigma = adjacent_scatter(values, errors)
    sigma = np.where(sigma > 0.0, sigma, 1.0)  # no scatter at all: any σ will do, the residuals are 0
    quiet = pulled_in(values, sigma)
    one, two = _differences(quiet, sigma, 1), _differences(quiet, sigma, 2)
    correlation = two / one - 1.0 if one > 0.0 else 0.0
    told = values.size >= _ENOUGH and correlation > 3.0 * 1.15 / sqrt(values.size)
    return Noise(quiet, sigma, one, min(correlation, _MAX_CORRELATION) if told else 0.0)


def penalty(n: int) -> float:
    """Penalty of a step in a series of n points, in units of the residual variance."""
    counts = [log(count) for count, _ in PENALTIES]
    costs = [cost for _, cost in PENALTIES]
    if n <= PENALTIES[-1][0]:
        return float(np.interp(log(n), counts, costs))
    rate = (costs[-1] - costs[-3]) / (counts[-1] - counts[-3])
    return costs[-1] + rate * (log(n) - counts[-1])


def find_steps(noise: Noise, trend: Floats | None = None, cost: float | None = None) -> Ints:
    """Indices of the first points after each step; ``trend`` (n,) is taken off before. Empty for n < FEWEST.

    ``cost`` overrides the calibrated penalty (for the calibration itself).
    """
    from analysis.trend_kernels import cheapest_segments

    none = np.empty(0, np.int64)
    values, sigma, n = noise.values, noise.sigma, noise.values.size
    if n < FEWEST:
        return none
    if trend is not None:
        values = values - trend
    values = (values - np.median(values)) / np.median(sigma)  # small numbers keep sums of squares exact
    weights = (np.median(sigma) / sigma) ** 2
    price = (penalty(n) if cost is None else cost) * noise.inflation
    least = 1e-12 + 1e-24 * float((values**2).max())
    plain = residual_square(values, weights, none)
    ceiling = max(min(plain / n, noise.adjacent * (1.0 + _MARGIN / sqrt(n)) ** 2), least)
    scale = max(noise.adjacent * max(1.0 - _MARGIN / sqrt(n), _LOWEST) ** 2, least)
    best, found = n * log(max(plain / n, least)), none
    while True:
        cuts = cheapest_segments(values, weights, price * scale, SHORTEST)
        if cuts.size == 0:
            break  # nor at any larger s²
        variance = residual_square(values, weights, cuts) / n
        told = n * log(max(variance, least)) + price * cuts.size
        if told < best:
            best, found = told, cuts
        if scale >= ceiling:
            break
        scale = min(scale * _STRIDE, ceiling)
    return found


def residual_square(values: Floats, weights: Floats, cuts: Ints) -> float:
    """Σ w (y − weighted mean of its segment)²."""
    starts = np.concatenate(([0], cuts))
    lengths = np.diff(np.append(starts, values.size))
    level = np.add.reduceat(weights * values, starts) / np.add.reduceat(weights, starts)
    return float((weights * (values - np.repeat(level, lengths)) ** 2).sum())


def positions(noise: Noise, cuts: Ints, scale: float, trend: Floats | None = None) -> list[tuple[int, int]]:
    """For each step, the first and last position it may have to 95 %, its neighbours being where they are.

    ``scale`` is s², the residual variance in σ².
    """
    values = noise.values if trend is None else noise.values - trend
    bounds = [0, *(int(c) for c in cuts), values.size]
    found = []
    for left, at, right in zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True):
        y, w = values[left:right] - values[at], noise.sigma[left:right] ** -2.0
        weight, sums = np.cumsum(w), np.cumsum(w * y)
        before, after = weight[:-1], weight[-1] - weight[:-1]
        # the part of χ² that a step at each position explains
        gain = (sums[:-1] - before / weight[-1] * sums[-1]) ** 2 * weight[-1] / (before * after)
        likely = np.flatnonzero(gain >= gain[at - left - 1] - _WITHIN * scale * noise.inflation)
        found.append((min(left + 1 + int(likely[0]), at), max(left + 1 + int(likely[-1]), at)))
    return found


def _differences(values: Floats, sigma: Floats, lag: int) -> float:
    """Half the mean square difference of values ``lag`` apart, in σ², their median (a drift) taken off.

    Large differences, as of steps, count up to 3.5 σ.
    """
    width = np.sqrt(sigma[lag:] ** 2 + sigma[:-lag] ** 2)
    apart = values[lag:] - values[:-lag]
    apart = (apart - np.median(apart)) / width
    return float(np.minimum(apart**2, _CUT**2).mean())
