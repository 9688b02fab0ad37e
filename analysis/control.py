"""Statistical limits: what the neighbours of a point say about it, the point itself left out.

Limits are centre ± k · scatter, centre the median and scatter the MAD of the points in a window of days or of points,
around the tested one or before it. The tested point never counts, so that an outlier cannot widen the limit
that it is judged by. With few neighbours the scatter is itself uncertain, by 117 %/√n: in normal noise k = 3 is exceeded by
4.1 % of points at ten neighbours and 1.1 % at thirty, not 0.27 %. ``outliers`` allows for that; limits are taken at their word.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.scatter import mad_factor, quantum
from analysis.series import Series
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MINIMUM = 10
"""Neighbours without which no limit is stated."""

TOO_FEW = "too-few-points"
"""Coded reason of a limit that could not be had."""


@dataclass(frozen=True)
class Window:
    """Which points a limit rests on: so many ``points``, or ``days``, or (both None) all, on these sides.

    ``points`` counts on each side; ``minimum`` is the number of neighbours without which there is no limit.
    """

    sides: Literal["before", "around"] = "around"
    points: int | None = None
    days: float | None = None
    minimum: int = MINIMUM

    def __post_init__(self) -> None:
        if self.points is not None and self.points < 1:
            raise ValueError(f"a window of {self.points} points")
        if self.days is not None and not self.days > 0.0:
            raise ValueError(f"a window of {self.days} days")
        if self.minimum < 2:
            raise ValueError("scatter needs two neighbours at least")


@dataclass(frozen=True)
class Limits:
    """Statistical limits of each point of a series, (n,) each; NaN with a ``reason`` where there are none.

    ``deviation`` is (value − centre) in units of the scatter, to which the point's own uncertainty is added as far
    as it exceeds what is usual; ``neighbours`` is how many points they rest on.
    """

    low: Floats
    high: Floats
    centre: Floats
    scatter: Floats
    deviation: Floats
    neighbours: Ints
    reason: tuple[str, ...]


def limits(series: Series, window: Window, k: float = 3.0) -> Limits:
    """Limits centre ± ``k`` · scatter of every point, each left out of its own.

    Points that are not used get limits from their used neighbours as any other. Raises ValueError for k ≤ 0.
    """
    if not k > 0.0:
        raise ValueError(f"limits at {k} times the scatter")
    used = series.used
    errors = series.errors
    centre, scatter, count, usual = _from_neighbours(
        series.times, series.values, used, errors, *_bounds(series, window), window.minimum
    )
    short = count < window.minimum
    scatter = np.maximum(scatter, quantum(series.values[used]) * 12.0**-0.5)
    centre[short], scatter[short] = np.nan, np.nan
    own = np.zeros(len(series))
    if errors is not None:
        own[used] = np.maximum(errors**2 - usual[used], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = (series.values - centre) / np.sqrt(scatter**2 + own)
        deviation = np.where(series.values == centre, 0.0, deviation)
    return Limits(
        centre - k * scatter,
        centre + k * scatter,
        centre,
        scatter,
        deviation,
        count,
        tuple(TOO_FEW if lacking else "" for lacking in short),
    )


def caution(neighbours: Ints) -> Floats:
    """What widens a threshold in a scatter that few points give: two of its standard errors, 1 + 2·1.17/√n."""
    return np.asarray(1.0 + 2.34 / np.sqrt(np.maximum(neighbours, 1)), dtype=np.float64)


def outliers(found: Limits, k: float = 4.0) -> list[int]:
    """Points that deviate by more than ``k`` σ, widened where few neighbours give σ."""
    with np.errstate(invalid="ignore"):
        return [int(i) for i in np.flatnonzero(np.abs(found.deviation) > k * caution(found.neighbours))]


def _bounds(series: Series, window: Window) -> tuple[Ints, Ints]:
    """For each point, the first used point of its window and the one after the last, as positions among the used."""
    times, used, here = series.times, series.used, np.arange(len(series))
    position = np.searchsorted(used, here).astype(np.int64)  # of the point, or of the next used one
    after = np.searchsorted(used, here, side="right").astype(np.int64)
    first, last = np.zeros(here.size, np.int64), np.full(here.size, used.size, np.int64)
    if window.points is not None:
        first, last = np.maximum(position - window.points, 0), np.minimum(after + window.points, used.size)
    if window.days is not None:
        first = np.maximum(first, np.searchsorted(times[used], times - window.days))
        last = np.minimum(last, np.searchsorted(times[used], times + window.days, side="right"))
    if window.sides == "before":
        last = position
    return np.minimum(first, last), last


def _from_neighbours(
    times: Floats, values: Floats, used: Ints, errors: Floats | None, first: Ints, last: Ints, minimum: int
) -> tuple[Floats, Floats, Ints, Floats]:
    """Median, scatter and number of the used points first … last, the point itself left out; median squared error."""
    n = times.size
    here = np.searchsorted(used, np.arange(n)).astype(np.int64)
    itself = np.zeros(n, bool)
    itself[used] = True
    here[~itself] = -1  # a point that is not used is in no window
    count = last - first - ((here >= first) & (here < last))
    if count.max(initial=0) < minimum:  # nothing will be stated: the compiled medians need not be loaded
        nothing = np.full(n, np.nan)
        return nothing, nothing.copy(), count, nothing.copy()
    from analysis.trend_kernels import left_out_medians

    centre, deviation, count = left_out_medians(values[used], here, first, last)
    usual = np.full(n, np.nan)
    if errors is not None:
        usual = left_out_medians(errors**2, here, first, last)[0]
    return centre, deviation * mad_factor(count), count, usual
