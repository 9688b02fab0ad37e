"""Levels and slope of a series between its steps, and the choice among: constant, steps, drift, steps and drift.

The fit is Huber's M-estimate by pseudo-values (P. J. Huber 1981, Robust Statistics, section 7.8): residuals
beyond 2 σ count as 2 σ, and the uncertainties follow from what is left (ibid., section 7.6). Its time grows as n, where a
Theil–Sen slope needs all pairs. Which of the models is told is decided by Schwarz's information criterion
(1978, Ann. Stat. 6, 461) among those whose parts are significant; a step counts as two parameters (its size and its place),
a slope as one.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.scatter import mad_factor
from analysis.steps import FEWEST, Noise, find_steps
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAYS_PER_YEAR = 365.25
CHANCE = 0.0027
"""Chance at which a slope is called one: that of 3 σ, both sides."""

_SIGNIFICANT = 3.0
_SHOULDER = 2.0
_ROUNDS = 6


@dataclass(frozen=True)
class Fit:
    """Levels between steps, with a common slope or none.

    ``cuts`` are the first indices after each step. ``middle`` (k + 1,) is the mean time of each segment [days] and
    ``level`` the fit there; ``weight`` is 1/variance of that level. ``slope`` is per day; ``scale`` is the residual
    variance in σ² of the points, correlation included. ``criterion`` is Schwarz's, for comparison only.
    """

    cuts: Ints
    middle: Floats
    level: Floats
    weight: Floats
    slope: float | None
    slope_error: float | None
    scale: float
    scatter: float
    criterion: float
    chance: float | None

    def at(self, times: Floats, segment: Ints) -> Floats:
        """The fit at times (n,), each belonging to a segment (0 is before the first step)."""
        return np.asarray(self.level[segment] + (self.slope or 0.0) * (times - self.middle[segment]))

    def jump(self, step: int) -> tuple[float, float]:
        """Size of the step-th step, at one time, and its uncertainty."""
        rise, apart = float(self.level[step + 1] - self.level[step]), 0.0
        if self.slope is not None and self.slope_error is not None:
            between = float(self.middle[step + 1] - self.middle[step])
            rise, apart = rise - self.slope * between, self.slope_error * between
        return rise, sqrt(float(1.0 / self.weight[step] + 1.0 / self.weight[step + 1]) + apart * apart)


def segments(n: int, cuts: Ints) -> Ints:
    """For each of n points, the number of steps before it."""
    return np.searchsorted(cuts, np.arange(n), side="right").astype(np.int64)


def fit(times: Floats, values: Floats, noise: Noise, cuts: Ints, sloped: bool) -> Fit:
    """Fit levels, and a slope if asked, to values (n,) at times (n,) [days]. ``cuts`` as from ``find_steps``."""
    n, of = values.size, segments(values.size, cuts)
    weights = noise.sigma**-2.0
    total = np.bincount(of, weights)
    middle = np.bincount(of, weights * times) / total
    time = times - middle[of]
    spread = float((weights * time * time).sum())
    sloped = sloped and spread > 0.0
    parameters = total.size + int(sloped)

    def solve(y: Floats) -> tuple[Floats, float, Floats]:
        level = np.bincount(of, weights * y) / total
        slope = float((weights * time * (y - level[of])).sum()) / spread if sloped else 0.0
        return level, slope, level[of] + slope * time

    level, slope, fitted = solve(noise.values)
    square = float((((noise.values - fitted) / noise.sigma) ** 2).sum())
    reach, factor = np.inf, float(mad_factor(max(n - parameters, 2)))
    for _ in range(_ROUNDS):
        residual = (values - fitted) / noise.sigma
        width = float(np.median(np.abs(residual))) * factor
        reach = _SHOULDER * max(
            width, 0.5 * sqrt(square / n)
        )  # noise of a few values only has a MAD of nothing
        near = np.minimum(np.maximum(residual, -reach), reach)
        level, slope, fitted = solve(fitted + noise.sigma * near)
    residual = (values - fitted) / noise.sigma
    inside = max(float((np.abs(residual) <= reach).mean()), 0.5)
    excess = float((np.clip(residual, -reach, reach) ** 2).sum())
    dof = max(n - parameters, 1)
    correction = 1.0 + parameters / n * (1.0 - inside) / inside
    scale = excess / dof * (correction / inside) ** 2 * noise.inflation
    error = sqrt(scale / spread) if sloped else None
    return Fit(
        cuts,
        middle,
        level,
        total / scale if scale > 0.0 else np.full(total.size, np.inf),
        slope if sloped else None,
        error,
        scale,
        float(np.median(noise.sigma)) * sqrt(scale / noise.inflation),
        _criterion(square / noise.inflation, n, 1 + 2 * cuts.size + int(sloped), noise),
        _chance(slope, error, dof) if error is not None else None,
    )


def choose(times: Floats, values: Floats, noise: Noise) -> Fit:
    """The model that the values bear out: constant, steps, drift, or both. Constant for n < FEWEST."""
    none = np.empty(0, np.int64)
    constant = fit(times, values, noise, none, sloped=False)
    if values.size < FEWEST:
        return constant
    cuts = find_steps(noise)
    stepped = constant
    if cuts.size:
        stepped = _pruned(times, values, noise, fit(times, values, noise, cuts, sloped=False))
    able, starts = [stepped], [fit(times, values, noise, none, sloped=True)]
    if cuts.size:
        starts.append(fit(times, values, noise, cuts, sloped=True))
    for start in starts:
        able += [found for found in (start, _both(times, values, noise, start)) if _sound(found)]
    return min(able, key=lambda found: found.criterion)


def _both(times: Floats, values: Floats, noise: Noise, start: Fit) -> Fit:
    """Steps where the slope is taken off, and the slope between these, until they agree."""
    found = start
    for _ in range(4):
        if found.slope is None:
            break
        cuts = find_steps(noise, found.slope * (times - times.mean()))
        if np.array_equal(cuts, found.cuts):
            break
        found = fit(times, values, noise, cuts, sloped=True)
    return _pruned(times, values, noise, found)


def _pruned(times: Floats, values: Floats, noise: Noise, found: Fit) -> Fit:
    """Without steps that the robust fit does not bear out, the weakest first."""
    while found.cuts.size:
        ratio = [
            abs(size) / error if error > 0.0 else np.inf
            for size, error in map(found.jump, range(found.cuts.size))
        ]
        weakest = int(np.argmin(ratio))
        if ratio[weakest] >= _SIGNIFICANT:
            break
        found = fit(times, values, noise, np.delete(found.cuts, weakest), sloped=found.slope is not None)
    return found


def _sound(found: Fit) -> bool:
    """Whether a sloped fit may be told: its slope is significant, and every step beside it."""
    if found.slope is None or found.chance is None or found.chance > CHANCE:
        return False
    return all(abs(size) >= _SIGNIFICANT * error for size, error in map(found.jump, range(found.cuts.size)))


def _criterion(square: float, n: int, parameters: int, noise: Noise) -> float:
    floor = 1e-12 * n * max(noise.adjacent, 1e-12)
    return n * log(max(square, floor) / n) + parameters * log(n)


def _chance(slope: float, error: float, dof: int) -> float:
    """Chance of a slope as large as this without there being one, by Student's t."""
    if error == 0.0:
        return 0.0 if slope else 1.0
    from scipy import special

    return 2.0 * float(special.stdtr(dof, -abs(slope) / error))
