"""The curve: by how much a level has to be corrected, and two named ways to say how far it is from a straight line.

The light x that belongs to a level N above the offset is

    x = N [1 + c(N)],    c(N) = Σ cₘ Bₘ(N)

with B the cubic spline of unit value at one knot and zero at the others (not-a-knot at both ends, hence exact for cubics), or powers of N; both less their means over the
levels measured, because a factor that all levels share is the lamp's.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Estimator = Literal["spline", "polynomial"]

_GRID = 513  # levels over which means and maxima are taken
_DRAWS = 1000
_SEED = 20_261_121


@dataclass(frozen=True)
class Basis:
    """The functions of the level that a correction is made of, between ``low`` and ``high`` [ADU].

    ``knots`` [ADU] of a spline; of a polynomial ``degree`` is that of the response, one more than of c.
    """

    estimator: Estimator
    low: float
    high: float
    knots: tuple[float, ...] = ()
    degree: int = 0

    @property
    def size(self) -> int:
        """How many functions there are."""
        return len(self.knots) - 1 if self.estimator == "spline" else self.degree - 1

    def _plain(self, levels: Floats) -> Floats:
        if self.estimator == "polynomial":
            return np.vander(levels / self.high, self.degree, increasing=True)[:, 1:]
        from scipy.interpolate import CubicSpline

        knots = np.asarray(self.knots)
        values: Floats = CubicSpline(knots, np.eye(knots.size))(levels)
        return values[:, :-1]  # the last follows from the others: together they are constant

    def __call__(self, levels: Floats) -> Floats:
        """The functions at levels (n,) [ADU], shape (n, size)."""
        grid = np.linspace(self.low, self.high, _GRID)
        out: Floats = self._plain(np.asarray(levels, np.float64)) - self._plain(grid).mean(axis=0)
        return out

    def over(self, levels: Floats, shape: Floats) -> Floats:
        """What the functions are for mean levels (n,) [ADU] of a channel whose parts are ``shape`` (k,) times as bright, of mean one: (n, size).

        A bent response makes a mean level depend on how unevenly the channel is lit: light is proportional to Σ sN [1 + c(sN)], not to N [1 + c(N)].
        """
        parts = self(np.outer(shape, levels).ravel()).reshape(shape.size, levels.size, self.size)
        out: Floats = (shape[:, np.newaxis, np.newaxis] * parts).mean(axis=0)
        return out


def basis_of(levels: Floats, estimator: Estimator, knots: int, degree: int, most: int) -> Basis:
    """The functions that rungs at ``levels`` [ADU] can tell: at most ``most``, and at most what is asked for.

    Knots are even in level, and so few that at least one rung lies between each two.
    """
    low, high = float(levels.min()), float(levels.max())
    if estimator == "polynomial":
        return Basis("polynomial", low, high, degree=min(degree, most + 1))
    count = min(knots, most + 1)
    while count > 2:
        held, _ = np.histogram(levels, np.linspace(low, high, count))
        if (held > 0).all():
            break
        count -= 1
    return Basis("spline", low, high, tuple(np.linspace(low, high, max(count, 2)).tolist()))


@dataclass(frozen=True)
class Range:
    """Levels [ADU] over which a straight line through zero has no deviation on average."""

    low: float
    high: float


@dataclass(frozen=True)
class Largest:
    """The largest deviation in size and its standard error, both relative; the level [ADU] where it is, with its error; its sign there."""

    value: float
    error: float
    level: float
    level_error: float
    sign: int


@dataclass(frozen=True)
class Curve:
    """A fitted correction: the coefficients of ``basis`` and their covariance, shape (size, size)."""

    basis: Basis
    coefficients: Floats
    covariance: Floats

    def covers(self, low: float, high: float) -> bool:
        """Whether levels were measured from ``low`` to ``high`` [ADU]: nothing is said about others."""
        slack = 1e-9 * self.basis.high
        return self.basis.low - slack <= low < high <= self.basis.high + slack

    def light(self, levels: Floats) -> Floats:
        """The light [ADU] at levels [ADU], up to a factor that all share."""
        out: Floats = levels * (1.0 + self.basis(levels) @ self.coefficients)
        return out

    def deviation(self, levels: Floats, line: Range) -> tuple[Floats, Floats]:
        """N / (a F) − 1 at levels N (n,), and its slopes by the coefficients (n, size).

        The line a F through zero is the one from which levels between ``line.low`` and ``line.high``, all weighted alike, deviate by nothing on
        average: it does not depend on which levels were exposed how often.
        """
        of_line = np.linspace(line.low, line.high, _GRID)
        inverse, slopes = self._inverse(levels)
        inside, inside_slopes = self._inverse(of_line)
        mean = float(inside.mean())
        ratio = inverse / mean
        return ratio - 1.0, slopes / mean - ratio[:, np.newaxis] * inside_slopes.mean(axis=0) / mean

    def _inverse(self, levels: Floats) -> tuple[Floats, Floats]:
        """1 / (1 + c) and its slopes."""
        basis = self.basis(levels)
        inverse = 1.0 / (1.0 + basis @ self.coefficients)
        return inverse, -basis * (inverse**2)[:, np.newaxis]

    def errors(self, slopes: Floats) -> Floats:
        """Standard errors of what has these slopes by the coefficients, (n, size)."""
        out: Floats = np.sqrt(np.einsum("ij,jk,ik->i", slopes, self.covariance, slopes).clip(0.0))
        return out

    def correction(self, levels: Floats, line: Range) -> tuple[Floats, Floats]:
        """What has to be added to levels [ADU] so that they lie on the line, and its standard error [ADU]."""
        deviation, slopes = self.deviation(levels, line)
        return levels / (1.0 + deviation) - levels, self.errors(slopes) * levels / (1.0 + deviation) ** 2

    def correction_parts(self, levels: Floats, line: Range) -> Floats:
        """The error of ``correction`` [ADU] at levels (n,) as independent parts, (size, n): the sum of their products is its covariance."""
        deviation, slopes = self.deviation(levels, line)
        values, vectors = np.linalg.eigh(self.covariance)
        out: Floats = (
            np.einsum("nj,jk->kn", slopes, vectors * np.sqrt(values.clip(0.0)))
            * levels
            / (1.0 + deviation) ** 2
        )
        return out

    def reference_deviation(self, level: float, line: Range) -> tuple[float, float]:
        """(R − L) / R at level R, L being what the line gives for the light that made R; and its error.

        As the ESO quality control defines LIN.EFF, measured less linear; HAWK-I's pipeline states the opposite sign.
        """
        deviation, slopes = self.deviation(np.array([level]), line)
        size = 1.0 + float(deviation[0])
        return 1.0 - 1.0 / size, float(self.errors(slopes)[0]) / size**2

    def largest(self, line: Range) -> Largest:
        """The largest deviation, in size, within the line's own range.

        Noise makes a maximum larger. By how much, draws from the covariance tell (parametric bootstrap, fixed seed), which is taken off and,
        being uncertain itself, is part of the error; where one maximum stands out it is next to nothing.
        """
        levels = np.linspace(line.low, line.high, _GRID)
        deviation, slopes = self.deviation(levels, line)
        at = int(np.argmax(np.abs(deviation)))
        found = abs(float(deviation[at]))
        drawn = deviation + self._draws() @ slopes.T
        peaks = np.abs(drawn).max(axis=1)
        places = levels[np.abs(drawn).argmax(axis=1)]
        bias = float(peaks.mean()) - found
        step = (line.high - line.low) / (_GRID - 1)
        return Largest(
            max(found - bias, 0.0),
            sqrt(float(peaks.var(ddof=1)) + bias**2),
            float(levels[at]),
            sqrt(float(np.square(places - levels[at]).mean()) + step**2 / 12.0),
            1 if deviation[at] > 0 else -1,
        )

    def _draws(self) -> Floats:
        """Errors of the coefficients as the covariance has them, shape (draws, size); as many of each sign."""
        values, vectors = np.linalg.eigh(self.covariance)
        rng = np.random.default_rng(_SEED)
        half = rng.standard_normal((_DRAWS // 2, values.size))
        drawn: Floats = np.concatenate([half, -half]) * np.sqrt(values.clip(0.0)) @ vectors.T
        return drawn

    def turnoff(self, line: Range, threshold: float) -> tuple[float, float] | None:
        """The lowest level above ``line.low`` that deviates from the line by more than ``threshold`` (relative), and its error [ADU].

        None where no level that was measured does.
        """
        levels = np.linspace(line.low, self.basis.high, 4 * _GRID)
        deviation, slopes = self.deviation(levels, line)
        beyond = np.abs(deviation) > threshold
        if not beyond.any():
            return None
        at = int(np.argmax(beyond))
        if at == 0:
            return float(levels[0]), float(self.errors(slopes[:1])[0]) * float(levels[0])
        below, above = abs(float(deviation[at - 1])), abs(float(deviation[at]))
        part = (threshold - below) / (above - below)
        step = float(levels[at] - levels[at - 1])
        return float(levels[at - 1]) + part * step, float(self.errors(slopes[at : at + 1])[0]) * step / (
            above - below
        )
