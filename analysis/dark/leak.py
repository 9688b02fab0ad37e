"""Whether the dark level changes with time at equal exposure time, as light that leaks in does."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.dark.level import Levels
from campaign.frozen import dataclass

_FEWEST = 2


@dataclass(frozen=True)
class Leak:
    """Rates [ADU/s] less the mean of their exposure time, with errors, against hours since the first frame; the slope ± error [ADU/s/h].

    ``scatter`` says that the error is from the rates' scatter, which exceeds their errors.
    """

    hours: NDArray[np.float64]
    rates: NDArray[np.float64]
    errors: NDArray[np.float64]
    slope: float
    error: float
    scatter: bool


def leak_of(darks: Sequence[FrameInput], levels: Levels) -> Leak | None:
    """The change of the rate with time, from exposure times of which there are several frames with dates: three of one, two of two; None where there are fewer.

    The weighted slope of all, with a level of its own for each exposure time, so that neither offset nor dark current enters.
    """
    dates = [d.frame.date for d in darks]
    if any(d is None or d.tzinfo is not None for d in dates):
        return None
    first = min(d for d in dates if d is not None)
    hours = np.array([(d - first).total_seconds() / 3600.0 for d in dates if d is not None])
    times = np.array([float(f"{t:.4g}") for t in levels.times])
    rates, errors = np.array(levels.levels) / times, np.maximum(np.array(levels.errors), 1e-9) / times
    kept, x, y = [], np.zeros(hours.size), np.zeros(hours.size)
    groups = 0
    for time in np.unique(times):
        at = np.flatnonzero(times == time)
        if at.size < _FEWEST or np.ptp(hours[at]) <= 0:
            continue
        weights = 1.0 / errors[at] ** 2
        x[at] = hours[at] - (weights * hours[at]).sum() / weights.sum()
        y[at] = rates[at] - (weights * rates[at]).sum() / weights.sum()
        kept += at.tolist()
        groups += 1
    dof = len(kept) - groups - 1
    if dof < 1:
        return None
    used = np.sort(kept)
    from scipy import special

    w = 1.0 / errors[used] ** 2
    lever = float((w * x[used] ** 2).sum())
    slope = float((w * x[used] * y[used]).sum() / lever)
    error = 1.0 / sqrt(lever)
    squares = float((w * (y[used] - slope * x[used]) ** 2).sum())
    scatter = bool(special.chdtrc(dof, squares) < 0.001)
    if scatter:
        error *= sqrt(squares / dof) * float(special.stdtrit(dof, 0.841344746068543))
    return Leak(hours[used], y[used], errors[used], slope, error, scatter)
