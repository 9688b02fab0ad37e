"""Values that should be alike, against time and temperature: slopes, and the scatter that noise does not explain."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Floats = NDArray[np.float64]

_CHANCE = 0.05  # of χ²: below, the scatter found is taken for real in the errors of slopes
_ROUNDS = 20


@dataclass(frozen=True)
class Trend:
    """A weighted fit of groups' means and slopes to values (n,).

    ``slopes`` (k,) with ``errors`` (k,) per unit of each regressor; ``means`` of the groups, in order of their names, and ``residuals``
    (n,) from these means alone. ``excess`` ± ``excess_error`` is the standard deviation beyond noise about the fit, None without freedom.
    ``chance`` is that of a larger χ² from noise alone, ``dof`` its degrees of freedom.
    """

    slopes: Floats
    errors: Floats
    means: Floats
    mean_errors: Floats
    residuals: Floats
    excess: float | None
    excess_error: float
    chance: float
    dof: int


def fit_trend(
    values: Floats, errors: Floats, groups: Sequence[float], regressors: Sequence[Floats] = ()
) -> Trend:
    """Fit values (n,) with standard errors (n,) by a mean for each group and common slopes along the regressors (n,).

    The variance beyond noise is the one that makes χ² what it should be on average (R. DerSimonian and N. Laird 1986, Controlled Clinical
    Trials 7, 177, with slopes); where χ² has a chance below 5 % it is added to each value's own in a second fit. Raises ValueError where the
    regressors cannot be told apart from the groups or from each other.
    """
    from scipy.special import chdtrc

    names = sorted(set(groups))
    member = np.array([[g == name for name in names] for g in groups], dtype=np.float64)
    centred = [r - r.mean() for r in regressors]
    scales = [float(np.sqrt((r**2).mean())) or 1.0 for r in centred]
    design = np.column_stack([member, *(r / s for r, s in zip(centred, scales, strict=True))])
    if np.linalg.matrix_rank(design, tol=1e-6 * sqrt(values.size)) < design.shape[1]:
        raise ValueError("what the values are compared with does not vary, or varies together")
    dof = values.size - design.shape[1]
    found, inverse = _solved(design, values, errors**2)
    square = float((((values - design @ found) / errors) ** 2).sum())
    chance = float(chdtrc(dof, square)) if dof else 1.0
    extra = _extra(design, values, errors, dof) if dof else 0.0
    if chance < _CHANCE:
        found, inverse = _solved(design, values, errors**2 + max(extra, 0.0))
    error = np.sqrt(np.diagonal(inverse))
    if (
        chance < _CHANCE
    ):  # the scatter is an estimate itself: the standard deviation of Student's distribution
        error *= sqrt(dof / max(dof - 2, 1))
    k = len(names)
    scaling = np.array(scales)
    own, _ = _solved(member, values, errors**2)
    excess, excess_error = _root(extra, errors, dof)
    return Trend(
        found[k:] / scaling, error[k:] / scaling, found[:k], error[:k], values - member @ own,
        excess if dof else None, excess_error, chance, dof,
    )  # fmt: skip


def _solved(design: Floats, values: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Parameters and their covariance."""
    weighted = design / variances[:, None]
    inverse = np.linalg.inv(design.T @ weighted)
    found: Floats = inverse @ (weighted.T @ values)
    return found, np.asarray(inverse, np.float64)


def _extra(design: Floats, values: Floats, errors: Floats, dof: int) -> float:
    """The variance beyond noise, below zero where values scatter less than their errors say.

    Weights are those of the variance found, round by round: with values of unequal errors those of noise alone would waste most of them.
    """
    extra = 0.0
    for _ in range(_ROUNDS):
        variances = errors**2 + max(extra, 0.0)
        found, inverse = _solved(design, values, variances)
        left = (values - design @ found) ** 2 / variances
        weighted = design / variances[:, None]
        lever = 1.0 / variances - np.einsum("ij,jk,ik->i", weighted, inverse, weighted)
        # E Σ left = Σ lever (errors² + extra)
        new = float((left.sum() - (lever * errors**2).sum()) / lever.sum())
        if abs(new - extra) <= 1e-9 * float(variances.mean()):
            return new
        extra = new
    return extra


def _root(extra: float, errors: Floats, dof: int) -> tuple[float, float]:
    """The standard deviation beyond noise and its error, for a variance that was estimated with ``dof`` degrees of freedom.

    A root is low on average by an eighth of the relative variance of its square, which is made good. Around zero the error is the root of that of the square.
    Errors are scaled by the estimate s itself, which is small where it is low: E(1 − σ/s)², from the moments of 1/χ, is 1/2(dof − 4) within 2 % for 8 to 40 degrees of
    freedom, not 1/2 dof.
    """
    if not dof:
        return 0.0, 0.0
    positive = max(extra, 0.0)
    noise = float(1.0 / (1.0 / (errors**2 + positive)).mean())  # of the square: noise and excess together
    error = sqrt(2.0 / max(dof - 4, 1)) * noise
    value = sqrt(positive)
    if positive > error:
        value *= 1.0 + (error / positive) ** 2 / 8.0
    return value, error / (value + sqrt(value * value + error))
