"""Robust scatter of values over time, from their spread and from their differences.

The median absolute deviation (MAD) holds with nearly half the values gone astray; its bias in small
samples is removed by the factors of C. Croux and P. J. Rousseeuw (1992, in Computational Statistics 1, 411). Qn
is more efficient (82 % against 37 %), but a MAD can be had with each point left out in turn in the time of a
sort, and leaving out matters more here than a tenth of a σ. Scatter from differences of neighbours does not see steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import MAD_TO_SIGMA

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = NDArray[np.float64]

_SMALL = (np.nan, np.nan, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
_HALF_NORMAL = 1.0 / MAD_TO_SIGMA  # median of |x| of a standard normal variable
_FOUR_FIFTHS_NORMAL = 1.2815515655446004  # what |x| exceeds in one of five
_SHOULDER, _FALLS, _NOTHING = 2.5, 3.5, 7.0  # σ
_MEDIAN_OF_SEVEN = 0.22  # variance of the median of seven normal values, in theirs
_ROUNDING = 12.0**-0.5
HALF_WINDOW = 3


def mad_factor(n: ArrayLike) -> Floats:
    """What makes a MAD of n values σ of a normal distribution, on average; NaN for n < 2."""
    counts = np.asarray(n, dtype=np.int64)
    large = counts / np.maximum(counts - 0.8, 0.2)
    small = np.array(_SMALL)[np.clip(counts, 0, 9)]
    return np.asarray(MAD_TO_SIGMA * np.where(counts > 9, large, small), dtype=np.float64)


def quantum(values: Floats) -> float:
    """The smallest step between two different values (n,), as of counts or of rounded numbers; 0 if none."""
    steps = np.diff(np.unique(values))
    return float(steps.min()) if steps.size else 0.0


def running_median(values: Floats) -> Floats:
    """Median of seven neighbours, at the ends of the first or last seven; of all where there are fewer.

    It follows a step, and it does not follow an excursion of up to three points.
    """
    n, width = values.size, 2 * HALF_WINDOW + 1
    if n < width:
        return np.full(n, np.median(values)) if n else values
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    return np.concatenate(
        (np.full(HALF_WINDOW, middle[0]), middle, np.full(HALF_WINDOW, middle[-1])), dtype=np.float64
    )


def adjacent_scatter(values: Floats, errors: Floats | None) -> Floats:
    """σ (n,) of each value, from the differences of neighbours, so that steps and drifts do not count.

    Without ``errors`` it is one σ for all. With them, σ² = error² + extra², the extra scatter being what makes the
    median difference that of a normal distribution; errors that are all too large are reduced by a
    common factor. Never less than the rounding of the values. Needs two values; raises ValueError with fewer.
    """
    if values.size < 2:
        raise ValueError("scatter needs two values")
    size = np.abs(np.diff(values))
    step = quantum(values)
    floor = _ROUNDING * step
    # where half the differences are a step of rounding or two, their median is too coarse: as of small counts
    part, normal = (0.5, _HALF_NORMAL) if np.median(size) > 2.0 * step else (0.8, _FOUR_FIFTHS_NORMAL)
    if errors is None:
        return np.full(values.size, max(float(np.quantile(size, part)) * 0.5**0.5 / normal, floor))
    variance = errors[1:] ** 2 + errors[:-1] ** 2

    def ratio(extra: float) -> float:
        return float(np.quantile(size / np.sqrt(variance + 2.0 * extra * extra), part)) / normal

    found = ratio(0.0)
    if found <= 1.0:
        return np.maximum(errors * found, floor)
    low, high = 0.0, float(np.quantile(size, part)) / normal
    while ratio(high) > 1.0:
        high *= 2.0
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if ratio(middle) > 1.0 else (low, middle)
    return np.maximum(np.hypot(errors, high), floor)


def pulled_in(values: Floats, sigma: Floats) -> Floats:
    """The values (n,), those far from their neighbours pulled in towards the running median.

    Beyond 2.5 σ they count as 2.5 σ, from 3.5 σ on less and less, beyond 7 σ not at all (the three parts of F. R. Hampel
    1974, J. Am. Stat. Assoc. 69, 383). An excursion of up to three points then is nothing; a lasting
    change, which the running median follows, stays as it is.
    """
    middle = running_median(values)
    width = np.sqrt(sigma**2 + _MEDIAN_OF_SEVEN * running_median(sigma**2))
    away = np.abs(values - middle) / width
    kept = np.minimum(away, _SHOULDER) * np.clip((_NOTHING - away) / (_NOTHING - _FALLS), 0.0, 1.0)
    return np.asarray(middle + np.sign(values - middle) * kept * width)
