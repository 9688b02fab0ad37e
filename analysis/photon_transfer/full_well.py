"""How far a curve goes: where its variance turns over, where it begins to sag, and up to where a model may be fitted."""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.photon_transfer.curve import CurveFit, Model, fit_curve, predicted
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

_DROP = 4.0  # in σ: how far a level must lie below what lower levels predict to be past the model's range
_LEAST_DROP = 0.005


@dataclass(frozen=True)
class Turnoff:
    """Where the variance turns over: the level [ADU] of its maximum, ± half the way to the neighbouring levels."""

    level: float
    error: float


def turnoff(levels: Floats, variances: Floats, errors: Floats) -> Turnoff | None:
    """The level at which the variance is largest, when it falls beyond: the onset of full well.

    ``levels`` [ADU] ascending, one for each exposure time, with variances and errors [ADU²]. None when the variance never falls by more
    than three errors and 1 % below its maximum: full well is not reached.
    """
    if levels.size < 3:
        return None
    top = int(np.argmax(variances))
    drop = variances[top] - variances[top + 1 :]
    beyond = (drop > 3.0 * np.hypot(errors[top], errors[top + 1 :])) & (drop > 0.01 * variances[top])
    if not beyond.any():
        return None
    below = levels[top] - levels[top - 1] if top > 0 else levels[top]
    above = levels[top + 1] - levels[top]
    return Turnoff(float(levels[top]), 0.25 * float(max(below, 0.0) + max(above, 0.0)))


def model_range(levels: Floats, variances: Floats, errors: Floats, model: Model) -> float:
    """The highest level [ADU] up to which points follow the model, from the variance's maximum downwards; "full" is taken as a cubic.

    Near full well the variance sags before it turns over. From the top, a level is left out while it lies below what
    the levels under it predict by more than four errors (that of the prediction included) and 0.5 %. At least five levels
    (the unequal values of ``levels``) are kept, six of the cubic. The arguments are as of ``turnoff``, below which they must lie.
    """
    distinct = np.unique(levels)
    while distinct.size > (6 if model == "full" else 5):
        top, under = distinct[-1], levels < distinct[-1]
        try:
            expected, uncertainty = _expected(levels[under], variances[under], errors[under], top, model)
        except ValueError:
            break
        at = levels == top
        found = float(variances[at].mean())
        error = sqrt(float((errors[at] ** 2).sum())) / int(at.sum())
        if not _sags(expected - found, hypot(error, uncertainty), expected):
            break
        distinct = distinct[:-1]
        levels, variances, errors = levels[under], variances[under], errors[under]
    return float(distinct[-1])


def blooming(fit: CurveFit, top: float, levels: Floats, variances: Floats, errors: Floats) -> Turnoff | None:
    """Where the variance begins to lag behind the fitted law, as where charge spills over: half-way from ``top`` to the next level.

    ``top`` [ADU] is the highest level that follows the law; ``levels`` beyond it [ADU] ascending, with variances and errors
    [ADU²]. None when there is none, or it does not lie below the law by more than four errors and 0.5 %.
    """
    beyond = levels > top * (1 + 1e-9)
    if not beyond.any():
        return None
    level, variance, error = (float(v[beyond][0]) for v in (levels, variances, errors))
    law = float(fit.variance(np.array([level]))[0])
    if not _sags(law - variance, error, law):
        return None
    return Turnoff(0.5 * (top + level), 0.5 * (level - top))


def _sags(drop: float, error: float, expected: float) -> bool:
    return drop > _DROP * error and drop > _LEAST_DROP * expected


def _expected(
    levels: Floats, variances: Floats, errors: Floats, at: float, model: Model
) -> tuple[float, float]:
    """What points predict at a level by a model: variance and its error [ADU²]. Raises ValueError where there is no fit."""
    if model != "full":
        return predicted(fit_curve(levels, variances, errors, model), at)
    # equation 20 leaves the third order of the variance free: a cubic is all that may be expected of it
    powers = np.vander(levels / at, 4, increasing=True)
    sigma = errors
    for _ in range(3):
        inverse = np.linalg.pinv((powers / sigma[:, None]).T @ (powers / sigma[:, None]))
        found = inverse @ (powers.T @ (variances / sigma**2))
        if not (powers @ found > 0).all():
            raise ValueError("a cubic does not describe the variance")
        sigma = errors / variances * (powers @ found)
    return float(found.sum()), sqrt(float(inverse.sum()))
