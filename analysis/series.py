"""A series: one quantity of one detector, channel and setting over time, as pages, limits and fits need it.

Times are days (float, of any one origin; ``days_of`` gives days since 1970-01-01 UTC). A series has one key,
and ``gather`` sorts points by theirs, so that configurations cannot be mixed. Points that are not used
(no value, or excluded with a reason) stay in the series, so that a page can show them; every index that
is handed out counts all points of the series, in order of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.scatter import adjacent_scatter, running_median
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class Key(NamedTuple):
    """The configuration of a series: values are compared only where all of it is the same.

    ``device`` names the hardware in the detector's place, '' where nobody says what it is.
    """

    quantity: str
    detector: str
    channel: str = ""
    setting: str = ""
    device: str = ""


@dataclass(frozen=True)
class Point:
    """A measurement on its way into a series. ``excluded`` is the reason why it is shown but not used."""

    key: Key
    time: datetime | float
    value: float | None
    uncertainty: float | None = None
    version: str = ""
    label: str = ""
    flags: tuple[str, ...] = ()
    excluded: str = ""


@dataclass(frozen=True)
class Gap:
    """A stretch without points, ``days`` long, after point ``after`` (both its neighbours are used points)."""

    after: int
    before: int
    start: float
    stop: float

    @property
    def days(self) -> float:
        """Its length."""
        return self.stop - self.start


@dataclass(frozen=True)
class Series:
    """Values over time, in order of time.

    ``times`` (n,) in days; ``values`` (n,) in the quantity's unit, NaN where there is none; ``uncertainties``
    (n,) or None where no point states one (NaN or 0 in single points: taken as the median of the others).
    ``versions`` of the procedure, ``labels`` and ``flags`` have n entries, ``excluded`` n reasons ('' = used).

    Raises ValueError for lengths that differ, times that are not finite or not in order, or negative
    uncertainties.
    """

    key: Key
    times: Floats
    values: Floats
    uncertainties: Floats | None = None
    versions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    flags: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    used: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    """Indices of the points that statistics rest on: a finite value, not excluded."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        times, values = _floats(self.times), _floats(self.values)
        n = times.size
        put(self, "times", times)
        put(self, "values", values)
        put(self, "versions", tuple(self.versions) or ("",) * n)
        put(self, "labels", tuple(self.labels) or ("",) * n)
        put(self, "flags", tuple(self.flags) or ((),) * n)
        put(self, "excluded", tuple(self.excluded) or ("",) * n)
        sizes = {n, values.size, len(self.versions), len(self.labels), len(self.flags), len(self.excluded)}
        if self.uncertainties is not None:
            errors = _floats(self.uncertainties)
            sizes.add(errors.size)
            if (errors < 0.0).any():
                raise ValueError(f"{self.key}: an uncertainty is negative")
            put(self, "uncertainties", errors)
        if len(sizes) != 1:
            raise ValueError(f"{self.key}: columns of a series differ in length: {sorted(sizes)}")
        if not np.isfinite(times).all() or (np.diff(times) < 0.0).any():
            raise ValueError(f"{self.key}: times must be finite and in order")
        allowed = np.isfinite(values) & np.array([not reason for reason in self.excluded], dtype=bool)
        put(self, "used", np.flatnonzero(allowed))

    def __len__(self) -> int:
        return int(self.times.size)

    @property
    def errors(self) -> Floats | None:
        """Uncertainties of the used points, gaps in them filled with their median; None where none is stated."""
        if self.uncertainties is None or self.used.size == 0:
            return None
        errors = self.uncertainties[self.used]
        stated = np.isfinite(errors) & (errors > 0.0)
        if not stated.any():
            return None
        return np.where(stated, errors, np.median(errors[stated]))

    def version_breaks(self) -> list[int]:
        """Indices of the used points that are the first of another version of the procedure."""
        return [
            int(now)
            for before, now in zip(self.used[:-1], self.used[1:], strict=True)
            if self.versions[before] != self.versions[now]
        ]


def days_of(when: datetime | float) -> float:
    """Days since 1970-01-01 UTC; a number is taken as days already, a time without zone as UTC."""
    if not isinstance(when, datetime):
        return float(when)
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH) / _DAY


def date_of(days: float) -> datetime:
    """The time, UTC, of days since 1970-01-01."""
    return _EPOCH + days * _DAY


def gather(points: Iterable[Point]) -> dict[Key, Series]:
    """Series of points, by configuration, each in order of time (at one time, in the order given)."""
    held: dict[Key, list[tuple[float, Point]]] = {}
    for point in points:
        held.setdefault(point.key, []).append((days_of(point.time), point))
    found = {}
    for key, of_key in held.items():
        of_key.sort(key=lambda pair: pair[0])
        rows = [point for _, point in of_key]
        stated = any(p.uncertainty is not None for p in rows)
        found[key] = Series(
            key,
            np.array([time for time, _ in of_key]),
            np.array([np.nan if p.value is None else p.value for p in rows]),
            np.array([np.nan if p.uncertainty is None else p.uncertainty for p in rows]) if stated else None,
            tuple(p.version for p in rows),
            tuple(p.label for p in rows),
            tuple(p.flags for p in rows),
            tuple(p.excluded for p in rows),
        )
    return found


def gaps(series: Series, times_median: float = 5.0, at_least: float = 1.0) -> list[Gap]:
    """Stretches between used points longer than ``times_median`` median spacings and ``at_least`` days.

    Spacings of zero (several points at one time) do not count towards the median.
    """
    times = series.times[series.used]
    spacing = np.diff(times)
    if not (spacing > 0.0).any():
        return []
    limit = max(times_median * float(np.median(spacing[spacing > 0.0])), at_least)
    return [
        Gap(int(series.used[i]), int(series.used[i + 1]), float(times[i]), float(times[i + 1]))
        for i in np.flatnonzero(spacing > limit)
    ]


def display_range(series: Series, reach: float = 6.0, show: Sequence[float] = ()) -> tuple[float, float]:
    """Lower and upper end of the axis, from robust statistics: lone outliers do not widen it, steps do.

    It spans ``reach`` times the scatter around the running median of seven points, but no more than the used
    values, and everything in ``show`` (limits), with a margin of 5 %. Where to draw the rest: ``beyond``.
    Raises ValueError where there is neither a used value nor anything to show.
    """
    values = series.values[series.used]
    ends = [float(v) for v in show]
    if values.size:
        middle = running_median(values)
        room = reach * float(adjacent_scatter(values, None).max()) if values.size > 1 else 0.0
        ends += [
            max(float(middle.min()) - room, float(values.min())),
            min(float(middle.max()) + room, float(values.max())),
        ]
    if not ends:
        raise ValueError(f"{series.key}: nothing to show")
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def beyond(series: Series, low: float, high: float) -> NDArray[np.int8]:
    """For each point: −1 below the axis (to be drawn at its lower edge), +1 above, 0 inside or no value."""
    with np.errstate(invalid="ignore"):
        return (series.values > high).astype(np.int8) - (series.values < low).astype(np.int8)


def _floats(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"a series has one dimension, not {array.ndim}")
    return array
