"""The photon transfer curve: variance against mean, its models, and the gain of single pairs.

Levels μ and variances C are in ADU and ADU², the gain g in e⁻/ADU. Models:

exponential  C(μ) = [exp(2 a μ g) − 1] / (2 g² a) + n / g²      (Astier et al. 2019, A&A 629, A36, eq. 16)
quadratic    C(μ) = n / g² + μ / g + a μ²                        (its expansion to second order)
full         all covariances together                            (ibid., eq. 20; see ``matrix``)

with a (``a00``, 1/e⁻) negative where brighter-fatter repulsion makes the variance lag behind, and n the read noise
squared [e⁻²].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Model = Literal["full", "exponential", "quadratic"]
Floats = NDArray[np.float64]

_ROUNDS = 4  # of weights from the fitted law; converged to parts per million after two
_STEEPEST = 50.0  # bound of the exponent, against overflow while the fit searches
_A00_UNIT = 1e-6  # so that all parameters are of order one


@dataclass(frozen=True)
class CurveFit:
    """A fitted curve.

    ``gain`` [e⁻/ADU], ``a00`` [1/e⁻] and ``noise_squared`` [e⁻²] with ``covariance``, shape (3, 3), in that order;
    ``chi2`` with ``dof`` degrees of freedom; ``chance`` of a larger χ² when the model is right (1 without freedom).
    Where that is below 0.001 the covariance was enlarged by χ²/dof.
    """

    model: Model
    gain: float
    a00: float
    noise_squared: float
    covariance: Floats
    chi2: float
    dof: int
    chance: float

    def variance(self, levels: Floats) -> Floats:
        """The model's variance [ADU²] at levels [ADU], of the same shape."""
        p = np.array([self.gain, self.a00 / _A00_UNIT, self.noise_squared])
        return _LAWS[self.model](np.asarray(levels, dtype=np.float64), *p)

    @property
    def gain_error(self) -> float:
        """Standard error of the gain [e⁻/ADU]."""
        return sqrt(self.covariance[0, 0])

    @property
    def a00_error(self) -> float:
        """Standard error of a00 [1/e⁻]."""
        return sqrt(self.covariance[1, 1])

    def uncertain(self, moved: CurveFit) -> Self:
        """This fit, of which one standard error of what it rests on makes ``moved``: its covariance holds that too."""
        off = np.array(
            [moved.gain - self.gain, moved.a00 - self.a00, moved.noise_squared - self.noise_squared]
        )
        return replace(self, covariance=self.covariance + np.outer(off, off))

    def noise(self, rounding: float = 0.0) -> tuple[float, float] | None:
        """Read noise and its error [e⁻]; None where the fit does not find it positive by two of its errors.

        ``rounding`` [ADU²] is the variance that the converter's rounding added, 1/12 for whole numbers.
        """
        squared = self.noise_squared - rounding * self.gain**2
        slope = np.array([-2.0 * rounding * self.gain, 0.0, 1.0])
        error = sqrt(float(slope @ self.covariance @ slope))
        if squared <= 2.0 * error:
            return None
        return sqrt(squared), error / (2.0 * sqrt(squared))

    def noise_adu(self, rounding: float = 0.0) -> tuple[float, float] | None:
        """The same in ADU, with the covariance of noise and gain."""
        found = self.noise(rounding)
        if found is None:
            return None
        value = found[0] / self.gain
        slope = np.array([-self.noise_squared / self.gain**3, 0.0, 0.5 / self.gain**2]) / value
        return value, sqrt(float(slope @ self.covariance @ slope))


def exponential(levels: Floats, gain: float, a_micro: float, noise_squared: float) -> Floats:
    """Equation 16 of Astier et al. 2019; ``a_micro`` is a00 [1e-6/e⁻]. Continuous through a00 = 0."""
    a = a_micro * _A00_UNIT
    x = np.clip(2.0 * a * levels * gain, -_STEEPEST, _STEEPEST)
    safe = np.where(np.abs(x) < 1e-9, 1.0, x)
    growth = np.where(np.abs(x) < 1e-9, 1.0 + 0.5 * x, np.expm1(safe) / safe)
    out: Floats = levels / gain * growth + noise_squared / gain**2
    return out


def quadratic(levels: Floats, gain: float, a_micro: float, noise_squared: float) -> Floats:
    """The expansion of ``exponential`` to second order in the level."""
    out: Floats = levels / gain + a_micro * _A00_UNIT * levels**2 + noise_squared / gain**2
    return out


_LAWS = {"exponential": exponential, "quadratic": quadratic}


def fit_curve(
    levels: Sequence[float] | Floats,
    variances: Sequence[float] | Floats,
    errors: Sequence[float] | Floats,
    model: Model,
    dark: tuple[float, float] | None = None,
) -> CurveFit:
    """Fit the exponential or the quadratic to points: levels [ADU], variances and their standard errors [ADU²].

    ``dark`` is the variance without light and its error [ADU²], where frames without light tell it: a point at level zero.

    The error of a sampled variance is proportional to the variance itself, so that points that came out low by
    chance would weigh too much: errors are rescaled to the fitted law, and the fit repeated. Raises ValueError when there are
    fewer than three points or the fit does not converge to a positive gain.
    """
    from scipy.optimize import curve_fit
    from scipy.special import chdtrc

    x, y = np.asarray(levels, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    law, sigma = _LAWS[model], np.asarray(errors, dtype=np.float64)
    lit = x.size
    if dark is not None:
        x, y, sigma = np.append(x, 0.0), np.append(y, dark[0]), np.append(sigma, dark[1])
    if lit < 3 or not (np.isfinite(sigma).all() and (sigma > 0).all() and (y > 0).all()):
        raise ValueError(f"{lit} usable points cannot settle three parameters")
    relative = sigma / y
    found = _start(x, y, sigma)
    covariance = np.eye(3)
    for _ in range(_ROUNDS):
        try:
            found, covariance = curve_fit(law, x, y, p0=found, sigma=sigma, absolute_sigma=True, maxfev=4000)
        except RuntimeError as error:
            raise ValueError(f"the fit did not converge: {error}") from error
        fitted = law(x, *found)
        if not (found[0] > 0 and np.isfinite(covariance).all() and (fitted > 0).all()):
            raise ValueError("the fit did not converge to a positive gain")
        sigma = relative * fitted
    chi2 = float((((y - law(x, *found)) / sigma) ** 2).sum())
    dof = x.size - 3
    chance = float(chdtrc(dof, chi2)) if dof else 1.0
    scale = np.array([1.0, _A00_UNIT, 1.0])
    covariance = covariance * np.outer(scale, scale) * (chi2 / dof if chance < 1e-3 else 1.0)
    return CurveFit(
        model, float(found[0]), float(found[1] * _A00_UNIT), float(found[2]), covariance, chi2, dof, chance
    )


def _start(x: Floats, y: Floats, sigma: Floats) -> Floats:
    """A weighted parabola as the start of the fit."""
    top = float(x.max())
    c0, c1, c2 = np.polynomial.polynomial.polyfit(x / top, y, 2, w=1.0 / sigma)
    gain = top / c1 if c1 > 0 else top / max(float(y.max()), 1e-9)
    return np.array([gain, c2 / top**2 / _A00_UNIT, c0 * gain**2])


def predicted(fit: CurveFit, level: float) -> tuple[float, float]:
    """The model's variance at a level and its error [ADU²], from the covariance of the parameters."""
    at = np.array([level])
    p = np.array([fit.gain, fit.a00 / _A00_UNIT, fit.noise_squared])
    scale = np.array([1.0, _A00_UNIT, 1.0])
    covariance = fit.covariance / np.outer(scale, scale)
    law = _LAWS[fit.model]
    value = float(law(at, *p)[0])
    slope = np.zeros(3)
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-4 * max(abs(p[i]), 1e-3)
        slope[i] = float((law(at, *(p + step)) - law(at, *(p - step)))[0]) / (2 * step[i])
    return value, sqrt(max(float(slope @ covariance @ slope), 0.0))


@dataclass(frozen=True)
class PairGain:
    """The gain [e⁻/ADU] of independent pairs near one level [ADU], its error, and how many pairs gave it.

    ``chance`` is that of a larger scatter between pairs; below 0.001 the error was enlarged to cover it.
    """

    gain: float
    error: float
    level: float
    n: int
    chance: float


def gain_of_pairs(
    levels: Sequence[float] | Floats,
    variances: Sequence[float] | Floats,
    errors: Sequence[float] | Floats,
    noise_variance: float,
    noise_variance_error: float,
    offset_error: float = 0.0,
) -> PairGain:
    """Two flats and two biases: g = μ / (C − C_bias), averaged over disjoint pairs (Janesick 2001).

    Levels [ADU], variances and errors [ADU²] of single frames, as ``flat_difference`` gives them; the noise variance
    [ADU²] and the error of the offset [ADU] are common to all pairs and enter after averaging. The estimator knows nothing
    of brighter-fatter: it is high by the fraction −a00 g μ. Raises ValueError for no pairs, or a variance that does not exceed the noise's.
    """
    x, y, e = (np.asarray(v, dtype=np.float64) for v in (levels, variances, errors))
    if x.size == 0 or (y <= noise_variance).any():
        raise ValueError("the variance does not exceed that of read noise")
    from scipy.special import chdtrc

    # averaged as 1/g: it is the variance that is sampled, and with nearly normal errors
    inverse, error = (y - noise_variance) / x, e / x
    weights = (error.min() / error) ** 2
    mean = float((weights * inverse).sum() / weights.sum())
    statistical = float(error.min() / sqrt(weights.sum()))
    chi2, dof = float((((inverse - mean) / error) ** 2).sum()), x.size - 1
    chance = float(chdtrc(dof, chi2)) if dof else 1.0
    if chance < 1e-3:
        statistical *= sqrt(chi2 / dof)
    level = float((weights * x).sum() / weights.sum())
    total = sqrt(statistical**2 + (noise_variance_error / level) ** 2 + (mean * offset_error / level) ** 2)
    return PairGain(1.0 / mean, total / mean**2, level, int(x.size), chance)
