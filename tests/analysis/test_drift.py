from __future__ import annotations

import numpy as np
import pytest

from analysis.series import Key, Series
from analysis.trend import trend

KEY = Key("flat.lamp", "CCD1")


def made(slope: float, n: int = 100, step: float = 0.0, seed: int = 1, tail: float = 0.0) -> Series:
    """A drift of ``slope`` σ from the first point to the last, over 400 days, with a step after three fifths."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.0, 400.0, n))
    noise = rng.standard_t(tail, n) if tail else rng.normal(size=n)
    values = noise + slope * times / 400.0
    values[3 * n // 5 :] += step
    return Series(KEY, times, values)


def test_a_drift_is_told_as_one_and_not_as_a_staircase() -> None:
    seen = trend(made(12.0))
    assert seen.model == "drift" and seen.steps == () and seen.drift is not None
    assert abs(seen.drift.slope - 12.0 / 400.0) < 3.0 * seen.drift.uncertainty
    assert seen.drift.per_year[0] == pytest.approx(365.25 * seen.drift.slope)
    assert seen.drift.significance > 10.0 and seen.drift.chance < 1e-9


def test_a_step_is_not_told_as_a_drift() -> None:
    seen = trend(made(0.0, step=5.0))
    assert seen.model == "steps" and seen.drift is None and [s.index for s in seen.steps] == [60]


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_step_in_a_drift_is_told_with_both_sizes(seed: int) -> None:
    seen = trend(made(-15.0, 200, step=6.0, seed=seed))
    assert seen.model == "steps and drift" and seen.drift is not None
    (step,) = seen.steps
    assert abs(step.index - 120) <= 2
    assert abs(step.size - 6.0) < 3.5 * step.uncertainty
    assert abs(seen.drift.slope + 15.0 / 400.0) < 3.5 * seen.drift.uncertainty
    assert step.after - step.before == pytest.approx(step.size)


def test_outliers_do_not_tilt_a_drift() -> None:
    series = made(3.0, 60)
    before = trend(series).drift
    values = series.values.copy()
    values[-1] += 1e6
    after = trend(Series(KEY, series.times, values))
    assert before is not None and after.drift is not None
    assert abs(after.drift.slope - before.slope) < 1.5 * before.uncertainty
    assert after.outliers == (59,)


def test_points_all_at_one_time_have_no_slope() -> None:
    seen = trend(Series(KEY, np.full(30, 5.0), np.random.default_rng(2).normal(size=30)))
    assert seen.model == "constant"


def test_a_line_without_noise_is_a_drift() -> None:
    times = np.arange(30.0)
    seen = trend(Series(KEY, times, 2.0 * times))
    assert seen.model == "drift" and seen.drift is not None
    assert seen.drift.slope == pytest.approx(2.0)
    assert seen.steps == () and seen.outliers == ()
