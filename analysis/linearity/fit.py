"""One fit of everything that makes a ladder of flats: rates of the lamps, their drift, the shutter, and the curve.

For frame k of light j

    ln[(N − o) (1 + c(N))] = ln rⱼ + ln(t + t₀) + Σ lₚ Pₚ(when)

N level above the offset [ADU], o what is left of the offset (held to zero within its error), rⱼ rate of the light [ADU/s], t the time told to the
shutter [s] and t₀ what it is open longer, lₚ the lamp's drift. As in the spline linearizer of LSST's cp_pipe (its change DM-39639) the correction is a function of the level that was read, and each group of frames has a slope of its own. All is fitted at once,
so that the curve's errors contain those of the lamp and the shutter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.linearity.curve import Basis, Curve
from analysis.linearity.lamp import drift_terms, rung_means, scatter_of_light, within
from analysis.linearity.points import Point
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 30
_SETTLED = 1e-6  # of the errors
_WORST = 1e10  # condition beyond which parameters cannot be told from each other
_RARE = 1e-3


@dataclass(frozen=True)
class Terms:
    """What is fitted: the groups in order, the curve's functions, whether the shutter is (else ``shutter`` [s] is taken), the drift's degree.

    ``offset_error`` [ADU] is what the offset of all levels may be off; 0 for nothing. ``shapes`` say how unevenly each group lights the channel.
    """

    groups: tuple[str, ...]
    basis: Basis
    degree: int
    fit_shutter: bool
    shutter: float = 0.0
    offset_error: float = 0.0
    shapes: Mapping[str, Floats] = field(default_factory=dict)

    def basis_at(self, levels: Floats, group: Ints) -> Floats:
        """The curve's functions for mean levels (n,) [ADU] of groups by number, (n, size)."""
        out = np.empty((levels.size, self.basis.size))
        for j, name in enumerate(self.groups):
            at = group == j
            out[at] = self.basis.over(levels[at], self.shapes.get(name, _EVEN))
        return out


_EVEN = np.ones(1)


@dataclass(frozen=True)
class Fit:
    """The fitted ladder.

    ``rates`` of the groups [ADU/s] and their errors, ``shutter`` ± ``shutter_error`` [s] (None where it was not fitted), the lamp's
    coefficients and their covariance, ``scatter`` of the light from frame to frame (relative) with ``scatter_dof``. ``residuals``
    (relative) and their ``errors`` are those of the points, in order. ``chi2`` with ``dof`` tests whether the rungs' means follow the curve,
    ``chance`` that as much comes by chance; where that is below 0.001 all errors were enlarged.
    """

    terms: Terms
    points: tuple[Point, ...]
    rung: Ints
    curve: Curve
    rates: Floats
    rate_errors: Floats
    shutter: float
    shutter_error: float | None
    lamp: Floats
    lamp_covariance: Floats
    scatter: float
    scatter_dof: int
    residuals: Floats
    errors: Floats
    chi2: float
    dof: int
    chance: float

    def drift(self, clock: Floats) -> Floats:
        """The lamp's drift at times as of the points, relative to its mean course: 1 where it has none."""
        out: Floats = np.exp(drift_terms(clock, self.terms.degree, duration_of(self.points)) @ self.lamp)
        return out

    def end_to_end(self) -> tuple[float, float]:
        """Relative change of the lamp from the first to the last point, and its error."""
        degree = self.terms.degree
        ends = drift_terms(np.array([0.0, 1.0]), degree, (0.0, 1.0))
        slope = ends[1] - ends[0]
        change = float(np.exp(slope @ self.lamp))
        return change - 1.0, change * sqrt(float(slope @ self.lamp_covariance @ slope))


def duration_of(points: Sequence[Point]) -> tuple[float, float]:
    """When the first and the last of the points were taken."""
    held = [p.clock for p in points]
    return min(held), max(held)


@dataclass(frozen=True)
class _Ladder:
    """The points as columns."""

    level: Floats
    error: Floats
    time: Floats
    group: Ints
    terms: Floats
    rung: Ints
    basis: Floats


def fit_ladder(points: Sequence[Point], rung: Ints, terms: Terms) -> Fit:
    """Fit points (all usable) whose rungs are given. Raises ValueError when the parameters cannot be told from each other.

    The scatter of the light from frame to frame is what repeated exposures scatter beyond their pixels' noise; it is part of every error.
    """
    names = {name: i for i, name in enumerate(terms.groups)}
    level, group = np.array([p.level for p in points]), np.array([names[p.group] for p in points], np.int64)
    ladder = _Ladder(
        level,
        np.array([p.error / p.level for p in points]),
        np.array([p.time for p in points]),
        group,
        drift_terms(np.array([p.clock for p in points]), terms.degree, duration_of(points)),
        rung,
        terms.basis_at(level, group),
    )
    scatter, dof = 0.0, 0
    for _ in range(3):
        solved = _solve(ladder, terms, np.hypot(ladder.error, scatter))
        scatter, dof = scatter_of_light(solved.residuals, ladder.error, rung, terms.degree)
    solved = _solve(ladder, terms, np.hypot(ladder.error, scatter))
    return _judged(points, ladder, terms, solved, scatter, dof)


@dataclass(frozen=True)
class _Solved:
    """Parameters (rates' logarithms, drift, curve, offset, shutter), their covariance, residuals and their errors."""

    parameters: Floats
    covariance: Floats
    residuals: Floats
    errors: Floats


def _solve(ladder: _Ladder, terms: Terms, errors: Floats) -> _Solved:
    """Gauss–Newton from a linear detector; the model is all but linear in its parameters."""
    groups, degree, size = len(terms.groups), terms.degree, terms.basis.size
    held = np.zeros(groups + degree + size + 2)
    for j in range(groups):
        at = ladder.group == j
        held[j] = float(np.median(np.log(ladder.level[at] / (ladder.time[at] + terms.shutter))))
    held[-1] = terms.shutter
    basis = ladder.basis
    free = np.ones(held.size, np.bool_)
    free[-2], free[-1] = terms.offset_error > 0, terms.fit_shutter
    which = np.zeros((ladder.level.size, groups))
    which[np.arange(ladder.level.size), ladder.group] = 1.0
    # the mean of a logarithm is low by half the squared relative error
    logs = 0.5 * ladder.error**2
    for _ in range(_ROUNDS):
        correction = 1.0 + basis @ held[groups + degree : -2]
        above, opened = ladder.level - held[-2], ladder.time + held[-1]
        if not ((correction > 0).all() and (above > 0).all() and (opened > 0).all()):
            raise ValueError("the fit runs away")
        found = np.log(above) + logs + np.log(correction)
        model = which @ held[:groups] + ladder.terms @ held[groups : groups + degree] + np.log(opened)
        slopes = np.column_stack(
            [which, ladder.terms, -basis / correction[:, np.newaxis], 1.0 / above, 1.0 / opened]
        )
        rows, off = slopes / errors[:, np.newaxis], (found - model) / errors
        if terms.offset_error > 0:
            prior = np.zeros((1, held.size))
            prior[0, -2] = 1.0 / terms.offset_error
            rows, off = np.vstack([rows, prior]), np.append(off, -held[-2] / terms.offset_error)
        step, covariance = _step(rows[:, free], off)
        held[free] += step
        if (np.abs(step) <= _SETTLED * np.sqrt(np.diag(covariance))).all():
            break
    else:
        raise ValueError("the fit does not settle")
    return _Solved(held, _all_of(covariance, free), found - model, errors)


def _step(rows: Floats, off: Floats) -> tuple[Floats, Floats]:
    """The least-squares step and the covariance, columns scaled alike."""
    scale = np.sqrt((rows**2).sum(axis=0))
    if not (scale > 0).all():
        raise ValueError("a parameter has no influence")
    left, values, right = np.linalg.svd(rows / scale, full_matrices=False)
    if rows.shape[0] < rows.shape[1] or values[0] > _WORST * values[-1]:
        raise ValueError("the parameters cannot be told from each other")
    step = (right.T @ ((left.T @ off) / values)) / scale
    inverse = (right.T / values**2) @ right
    return step, inverse / np.outer(scale, scale)


def _all_of(covariance: Floats, free: NDArray[np.bool_]) -> Floats:
    out = np.zeros((free.size, free.size))
    out[np.ix_(free, free)] = covariance
    return out


def _judged(
    points: Sequence[Point], ladder: _Ladder, terms: Terms, solved: _Solved, scatter: float, scatter_dof: int
) -> Fit:
    """The fit with its test, and errors as wide as that and the number of repetitions ask for."""
    groups, degree = len(terms.groups), terms.degree
    variances = solved.errors**2
    pure = within(solved.residuals, variances, ladder.rung, degree)
    means, mean_errors = rung_means(solved.residuals, variances, ladder.rung)
    chi2 = float(((means / mean_errors) ** 2).sum())
    dof = means.size - groups - terms.basis.size - int(terms.fit_shutter)
    chance = _chance(chi2, dof, pure.dof if scatter > 0 else 0)
    widened = 1.0
    if chance < _RARE and dof > 0:
        widened = chi2 / dof
    elif scatter > float(np.median(ladder.error)) and scatter_dof > 0:
        from scipy.special import stdtrit  # a scatter known from few repetitions: to 68 % confidence

        widened = float(stdtrit(scatter_dof, 0.841344746068543)) ** 2
    covariance = solved.covariance * widened
    rates = np.exp(solved.parameters[:groups])
    drift = slice(groups, groups + degree)
    of_curve = slice(groups + degree, groups + degree + terms.basis.size)
    error = sqrt(covariance[-1, -1]) if terms.fit_shutter else None
    return Fit(
        terms, tuple(points), ladder.rung,
        Curve(terms.basis, solved.parameters[of_curve], covariance[of_curve, of_curve]),
        rates, rates * np.sqrt(np.diag(covariance)[:groups]), float(solved.parameters[-1]), error,
        solved.parameters[drift], covariance[drift, drift], scatter, scatter_dof,
        solved.residuals, solved.errors, chi2, dof, chance,
    )  # fmt: skip


def _chance(chi2: float, dof: int, scatter_dof: int) -> float:
    """Chance of a larger χ²; where the errors rest on a scatter of few degrees of freedom, of a larger F. 1 without freedom."""
    if dof < 1:
        return 1.0
    from scipy.special import chdtrc, fdtrc

    return float(fdtrc(dof, scatter_dof, chi2 / dof) if scatter_dof > 0 else chdtrc(dof, chi2))


def without_shutter(terms: Terms) -> Terms:
    """The same terms, the shutter taken at its word."""
    return replace(terms, fit_shutter=False)
