"""What a series does over time: its level, steps with dates and sizes, drift, outliers and latest point.

``trend`` is what a page asks for; the mathematics is in ``steps``, ``drift``, ``control`` and ``scatter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.control import TOO_FEW, Limits, Window, limits, outliers
from analysis.drift import DAYS_PER_YEAR, Fit, choose, segments
from analysis.series import Series
from analysis.steps import FEWEST, Noise, noise_of, positions
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Model = Literal["constant", "steps", "drift", "steps and drift"]


@dataclass(frozen=True)
class Event:
    """Something known to have happened at a time [days]: an intervention, a caveat's date."""

    time: float
    text: str


@dataclass(frozen=True)
class Step:
    """A lasting change of level.

    ``index`` is the first point after it, and it happened after ``start`` and before ``stop`` [days], the times of the used
    points on either side. To 95 % the first point after it is one of ``earliest`` … ``latest``. ``size`` = after − before, at
    one time where there is a drift as well; ``significance`` is |size| / uncertainty, infinite without any scatter.
    ``coincides`` tells what is known to have happened in the 95 % range: changes of the procedure, events.
    """

    index: int
    start: float
    stop: float
    earliest: int
    latest: int
    before: float
    after: float
    size: float
    uncertainty: float
    significance: float
    coincides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drift:
    """A slow change: ``slope`` ± ``uncertainty`` per day, and the chance of it without any drift."""

    slope: float
    uncertainty: float
    chance: float

    @property
    def significance(self) -> float:
        """|slope| / uncertainty; infinite without any scatter."""
        return _ratio(self.slope, self.uncertainty)

    @property
    def per_year(self) -> tuple[float, float]:
        """Slope and uncertainty per year of 365.25 days."""
        return self.slope * DAYS_PER_YEAR, self.uncertainty * DAYS_PER_YEAR


@dataclass(frozen=True)
class Trend:
    """What was found in a series. Arrays are of shape (n,), for all its points, used or not.

    ``reason`` is coded, and says why no step or drift was looked for ('' where it was). ``fitted`` is the model at each point
    (NaN without any value to rest on), ``scatter`` σ of a point around it, ``correlation`` that of neighbours where clear
    (all uncertainties allow for it). ``level`` is the model at the latest used point. ``around`` judges the
    residuals: its centre and scatter leave the judged point out; ``outliers`` are the used points that deviate, and ``deviation``
    is that of the ``latest`` used point (None for both where there is none, or too few others).
    """

    model: Model
    reason: str
    fitted: Floats
    level: float | None
    level_uncertainty: float | None
    scatter: float | None
    correlation: float
    steps: tuple[Step, ...]
    drift: Drift | None
    around: Limits
    outliers: tuple[int, ...]
    latest: int | None
    deviation: float | None


def trend(
    series: Series, events: Sequence[Event] = (), *, outlier: float = 4.0, tolerance: float = 1.0
) -> Trend:
    """Look for steps, drift and outliers in a series.

    ``events`` within ``tolerance`` days of a step's range are told as coinciding; ``outlier`` is the threshold in σ. Fewer
    than FEWEST used points give a level and the reason.
    """
    used, n = series.used, len(series)
    times, values = series.times[used], series.values[used]
    latest = int(used[-1]) if used.size else None
    if used.size < 3:
        level = float(np.median(values)) if used.size else None
        flat = np.full(n, np.nan if level is None else level)
        judged = limits(series, Window())
        return Trend("constant", TOO_FEW, flat, level, None, None, 0.0, (), None, judged, (), latest, None)
    noise = noise_of(values, series.errors)
    found = choose(times, values, noise)
    segment = np.searchsorted(used[found.cuts], np.arange(n), side="right")
    fitted = found.at(series.times, segment)
    judged = limits(_residuals(series, found, fitted), Window())
    astray = tuple(int(i) for i in np.intersect1d(outliers(judged, outlier), used))
    deviation = float(judged.deviation[used[-1]])
    return Trend(
        _model(found),
        "" if used.size >= FEWEST else TOO_FEW,
        fitted,
        float(fitted[used[-1]]),
        _level_error(found, float(times[-1])),
        found.scatter,
        noise.correlation,
        _steps(series, noise, found, events, tolerance),
        None
        if found.slope is None or found.slope_error is None or found.chance is None
        else Drift(found.slope, found.slope_error, found.chance),
        judged,
        astray,
        latest,
        deviation if np.isfinite(deviation) else None,
    )


def _model(found: Fit) -> Model:
    if found.slope is None:
        return "steps" if found.cuts.size else "constant"
    return "steps and drift" if found.cuts.size else "drift"


def _residuals(series: Series, found: Fit, fitted: Floats) -> Series:
    """The series less its steps and drift, less what each point itself adds to its level (two σ at most count there)."""
    residual = series.values - fitted
    if found.cuts.size:
        of = segments(series.used.size, found.cuts)
        share = 1.0 / np.bincount(of)[of]
        mine = residual[series.used]
        residual[series.used] += share * np.clip(mine, -2.0 * found.scatter, 2.0 * found.scatter)
    return Series(series.key, series.times, residual, series.uncertainties, excluded=series.excluded)


def _level_error(found: Fit, time: float) -> float:
    own = float(1.0 / found.weight[-1])
    lever = (found.slope_error or 0.0) * (time - float(found.middle[-1]))
    return float(np.sqrt(own + lever * lever))


def _steps(
    series: Series, noise: Noise, found: Fit, events: Sequence[Event], tolerance: float
) -> tuple[Step, ...]:
    used, times = series.used, series.times
    sloping = None if found.slope is None else found.slope * times[used]
    breaks = series.version_breaks()
    told = []
    for k, (cut, (first, last)) in enumerate(
        zip(found.cuts, positions(noise, found.cuts, found.scale / noise.inflation, sloping), strict=True)
    ):
        index, earliest, latest = int(used[cut]), int(used[first]), int(used[last])
        size, error = found.jump(k)
        start, stop = float(times[used[cut - 1]]), float(times[index])
        at = np.array([0.5 * (start + stop)])
        low, high = float(times[used[first - 1]]) - tolerance, float(times[latest]) + tolerance
        known = [f"procedure version {series.versions[used[np.searchsorted(used, b) - 1]]} → {series.versions[b]}"
                 for b in breaks if earliest <= b <= latest]  # fmt: skip
        known += [event.text for event in events if low <= event.time <= high]
        told.append(
            Step(
                index,
                start,
                stop,
                earliest,
                latest,
                float(found.at(at, np.array([k]))[0]),
                float(found.at(at, np.array([k + 1]))[0]),
                size,
                error,
                _ratio(size, error),
                tuple(known),
            )
        )
    return tuple(told)


def _ratio(size: float, error: float) -> float:
    if error > 0.0:
        return abs(size) / error
    return float("inf") if size else 0.0
