from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from analysis.series import Key, Point, Series, beyond, date_of, days_of, display_range, gaps, gather

KEY = Key("bias.level", "CCD1", "E", "")


def test_points_of_different_settings_never_share_a_series() -> None:
    points = [Point(Key("flat.prnu", "CCD1", "E", s), t, v) for s, t, v in (("800", 1, 1.0), ("590", 2, 9.0))]
    found = gather(points)
    assert {key.setting: series.values.tolist() for key, series in found.items()} == {
        "800": [1.0],
        "590": [9.0],
    }


def test_points_are_put_in_order_of_time_with_all_that_belongs_to_them() -> None:
    later, earlier = datetime(2020, 1, 2), datetime(2020, 1, 1, 12, tzinfo=UTC)
    series = gather(
        [
            Point(KEY, later, 2.0, 0.2, "1.1", "b", ("unstable",)),
            Point(KEY, earlier, None, None, "1.0", "a", (), "caveat 3"),
        ]
    )[KEY]
    assert date_of(series.times[0]) == earlier and date_of(series.times[1]) == later.replace(tzinfo=UTC)
    assert series.labels == ("a", "b") and series.flags == ((), ("unstable",))
    assert series.used.tolist() == [1] and np.isnan(series.values[0])
    assert series.errors is not None and series.errors.tolist() == [0.2]


def test_excluded_and_missing_points_are_kept_but_not_used() -> None:
    series = Series(KEY, np.arange(4.0), np.array([1.0, np.nan, 3.0, 4.0]), excluded=("", "", "lamp off", ""))
    assert len(series) == 4 and series.used.tolist() == [0, 3]


def test_an_error_that_is_not_stated_is_taken_as_the_others() -> None:
    series = Series(KEY, np.arange(4.0), np.ones(4), np.array([0.1, np.nan, 0.3, 0.0]))
    assert series.errors is not None and np.allclose(series.errors, [0.1, 0.2, 0.3, 0.2])
    assert Series(KEY, np.arange(2.0), np.ones(2), np.zeros(2)).errors is None


@pytest.mark.parametrize(
    ("times", "values", "errors", "says"),
    [
        ([1.0, 0.0], [1.0, 1.0], None, "in order"),
        ([0.0, np.nan], [1.0, 1.0], None, "finite"),
        ([0.0, 1.0], [1.0], None, "length"),
        ([0.0, 1.0], [1.0, 1.0], [0.1, -0.1], "negative"),
    ],
)
def test_a_series_that_cannot_be_is_refused(
    times: list[float], values: list[float], errors: list[float] | None, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Series(KEY, np.array(times), np.array(values), None if errors is None else np.array(errors))


def test_version_breaks_are_between_used_points() -> None:
    series = Series(
        KEY, np.arange(5.0), np.array([1, 1, np.nan, 1, 1.0]), versions=("1.0", "1.0", "9.9", "1.1", "1.1")
    )
    assert series.version_breaks() == [3]


def test_gaps_are_long_by_both_measures() -> None:
    times = np.array([0, 1, 2, 3, 13, 14, 15.0])
    (gap,) = gaps(Series(KEY, times, np.ones(7)))
    assert (gap.after, gap.before, gap.days) == (3, 4, 10.0)
    assert gaps(Series(KEY, times / 100.0, np.ones(7))) == []  # long against the others, but not a day
    assert gaps(Series(KEY, np.zeros(3), np.ones(3))) == []


def test_the_axis_is_that_of_the_points_not_of_the_outlier() -> None:
    values = np.random.default_rng(1).normal(100.0, 1.0, 50)
    values[20] = 1e6
    values[30] = -1e6
    series = Series(KEY, np.arange(50.0), values)
    low, high = display_range(series, show=(90.0, 112.0))
    assert 85.0 < low < 90.0 and 112.0 < high < 115.0
    assert np.flatnonzero(beyond(series, low, high)).tolist() == [20, 30]
    assert beyond(series, low, high)[[20, 30]].tolist() == [1, -1]


def test_a_step_is_within_the_axis_however_large() -> None:
    values = np.random.default_rng(2).normal(0.0, 1.0, 60)
    values[50:] += 1000.0
    series = Series(KEY, np.arange(60.0), values)
    assert not beyond(series, *display_range(series)).any()


def test_an_axis_of_one_constant_has_a_height() -> None:
    low, high = display_range(Series(KEY, np.arange(3.0), np.full(3, 7.0)))
    assert low < 7.0 < high
    low, high = display_range(Series(KEY, np.arange(3.0), np.zeros(3)))
    assert low < 0.0 < high
    with pytest.raises(ValueError, match="nothing"):
        display_range(Series(KEY, np.zeros(1), np.array([np.nan])))


def test_days_count_from_1970_and_time_without_zone_is_utc() -> None:
    assert days_of(datetime(1970, 1, 2)) == 1.0 == days_of(1.0)
