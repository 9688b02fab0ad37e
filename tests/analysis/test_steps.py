from __future__ import annotations

import numpy as np
import pytest

from analysis.control import TOO_FEW
from analysis.series import Key, Series
from analysis.steps import FEWEST, PENALTIES, SHORTEST, find_steps, noise_of, penalty
from analysis.trend import Event, trend
from analysis.trend_kernels import cheapest_segments

KEY = Key("bias.level", "CCD1")


def series(values: object, errors: object = None, **more: object) -> Series:
    array = np.asarray(values, dtype=np.float64)
    given_errors = None if errors is None else np.asarray(errors, dtype=np.float64)
    return Series(KEY, 10.0 * np.arange(array.size), array, given_errors, **more)  # type: ignore[arg-type]


def stepped(n: int = 60, at: int = 40, size: float = 6.0, seed: int = 1) -> np.ndarray:
    values = np.random.default_rng(seed).normal(100.0, 1.0, n)
    values[at:] += size
    return values


def by_trying_all(values: np.ndarray, weights: np.ndarray, cost: float, shortest: int) -> list[int]:
    """Optimal partitioning as it is defined, in the square of n."""
    n = values.size
    w, wy, wyy = (np.append(0.0, np.cumsum(x)) for x in (weights, weights * values, weights * values**2))
    best, start = np.full(n + 1, np.inf), [0] * (n + 1)
    best[0] = -cost
    for t in range(shortest, n + 1):
        for s in range(t - shortest + 1):
            told = best[s] + cost + wyy[t] - wyy[s] - (wy[t] - wy[s]) ** 2 / (w[t] - w[s])
            if told < best[t]:
                best[t], start[t] = told, s
    found, t = [], n
    while start[t]:
        t = start[t]
        found.append(t)
    return found[::-1]


def test_pruning_does_not_change_the_cheapest_segments() -> None:
    rng = np.random.default_rng(2)
    several = 0
    for k in range(150):
        n, shortest = int(rng.integers(6, 90)), int(rng.integers(1, 6))
        values, weights = rng.normal(size=n), rng.uniform(0.1, 3.0, n)
        for _ in range(k % 4):
            values[rng.integers(0, n) :] += rng.normal() * 3.0
        if k % 3 == 0:
            values = np.round(values)
        cost = float(rng.uniform(0.5, 15.0))
        found = cheapest_segments(values, weights, cost, shortest).tolist()
        assert found == by_trying_all(values, weights, cost, shortest)
        several += len(found) > 2
    assert several > 20


def test_a_step_is_told_with_place_size_and_levels() -> None:
    seen = trend(series(stepped()))
    (step,) = seen.steps
    assert seen.model == "steps" and seen.drift is None and seen.reason == ""
    assert (step.index, step.start, step.stop) == (40, 390.0, 400.0)
    assert step.earliest <= 40 <= step.latest
    assert abs(step.size - 6.0) < 3.0 * step.uncertainty
    assert step.uncertainty == pytest.approx((1 / 40 + 1 / 20) ** 0.5, rel=0.3)
    assert step.after - step.before == pytest.approx(step.size)
    assert step.significance == pytest.approx(step.size / step.uncertainty)
    assert seen.level == pytest.approx(step.after) and seen.fitted[0] == pytest.approx(step.before)
    assert seen.scatter == pytest.approx(1.0, rel=0.3)


def test_indices_count_points_that_are_not_used_too() -> None:
    values = stepped()
    reasons = tuple("lamp off" if i in (3, 4, 39) else "" for i in range(60))
    values[[3, 4, 39]] = 1e6
    (step,) = trend(series(values, excluded=reasons)).steps
    assert (step.index, step.start, step.stop) == (40, 380.0, 400.0)


@pytest.mark.parametrize("where", [0, 1, 30, 58, 59])
@pytest.mark.parametrize("wild", [15.0, 1e9, -1e9])
def test_an_outlier_is_no_step_and_is_told_as_one(where: int, wild: float) -> None:
    values = np.random.default_rng(3).normal(size=60)
    values[where] += wild
    seen = trend(series(values))
    assert seen.model == "constant" and seen.outliers == (where,)
    assert seen.scatter == pytest.approx(1.0, rel=0.3)


@pytest.mark.parametrize("start", [0, 20, 57])
def test_an_excursion_of_three_points_is_no_step(start: int) -> None:
    values = np.random.default_rng(4).normal(size=60)
    values[start : start + 3] += 30.0
    assert trend(series(values)).steps == ()


@pytest.mark.parametrize("lasts", [5, 6, 10])
@pytest.mark.parametrize("size", [8.0, 1e6])
def test_a_step_of_the_last_points_is_found_where_it_is(lasts: int, size: float) -> None:
    (step,) = trend(series(stepped(60, 60 - lasts, size, 5))).steps
    assert step.index == 60 - lasts


def test_many_steps_are_found_each_where_it_is() -> None:
    values = np.random.default_rng(6).normal(size=400)
    edges = list(range(20, 400, 20))
    for k, edge in enumerate(edges):
        values[edge:] += 6.0 if k % 2 == 0 else -6.0
    found = [step.index for step in trend(series(values)).steps]
    assert len(found) == len(edges) and np.abs(np.subtract(found, edges)).max() <= 1


def test_what_a_value_is_measured_in_does_not_matter() -> None:
    values = stepped(size=4.0)
    errors = np.random.default_rng(7).uniform(0.5, 2.0, 60)
    first = trend(series(values, errors)).steps
    for factor, offset in ((1e-9, 0.0), (1e12, 0.0), (1.0, 1e7), (-3.0, 5.0)):
        steps = trend(series(values * factor + offset, errors * abs(factor))).steps
        assert [s.index for s in steps] == [s.index for s in first]
        assert steps[0].significance == pytest.approx(first[0].significance, rel=1e-4)


def test_a_step_carried_by_imprecise_points_only_is_none() -> None:
    """Ten points off, but with errors to match, beside precise ones: weights count."""
    rng = np.random.default_rng(8)
    errors = np.where(np.arange(60) < 50, 0.1, 10.0)
    values = rng.normal(size=60) * errors
    values[50:] += 2.0
    assert trend(series(values, errors)).steps == ()
    assert trend(series(values / errors + np.where(np.arange(60) < 50, 0.0, 4.0))).steps != ()


def test_errors_far_too_small_do_not_make_steps() -> None:
    values = np.random.default_rng(9).normal(size=300)
    seen = trend(series(values, np.full(300, 1e-6)))
    assert seen.steps == () and seen.scatter == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("value", [0.0, 5.0, 1e-300, -1e15])
def test_a_value_that_never_changes_has_no_steps(value: float) -> None:
    seen = trend(series(np.full(40, value)))
    assert (seen.model, seen.steps, seen.outliers) == ("constant", (), ())
    assert seen.level == pytest.approx(value, rel=1e-12)


def test_a_step_without_any_noise_is_certain() -> None:
    values = np.repeat([5.0, 7.0], 20)
    (step,) = trend(series(values)).steps
    assert (step.index, step.size) == (20, 2.0) and step.significance > 50.0


def test_few_points_give_a_level_and_a_reason() -> None:
    for n in range(FEWEST):
        seen = trend(series(stepped(n, n // 2, 50.0)))
        assert (seen.steps, seen.reason, seen.drift) == ((), TOO_FEW, None)
        assert (seen.level is None) == (n == 0) and seen.latest == (n - 1 if n else None)
    assert trend(series(np.full(3, np.nan))).level is None


def test_the_shortest_series_with_a_clear_step() -> None:
    (step,) = trend(series(stepped(FEWEST, SHORTEST, 20.0, 10))).steps
    assert step.index == SHORTEST


def test_changes_of_the_procedure_and_events_are_told_where_they_coincide() -> None:
    versions = ("1.0",) * 40 + ("1.1",) * 20
    events = [Event(100.0, "far"), Event(395.0, "lamp changed"), Event(401.5, "a day late")]
    (step,) = trend(series(stepped(), versions=versions), events, tolerance=0.5).steps
    assert step.coincides == ("procedure version 1.0 → 1.1", "lamp changed")
    (step,) = trend(series(stepped(), versions=versions), events, tolerance=2.0).steps
    assert step.coincides[1:] == ("lamp changed", "a day late")


def test_the_latest_point_is_judged_without_itself() -> None:
    quiet, wild = stepped(size=30.0), stepped(size=30.0)
    wild[-1] += 12.0
    seen = trend(series(wild))
    assert seen.latest == 59 and seen.outliers == (59,)
    assert seen.deviation == pytest.approx(12.0, rel=0.35)
    assert trend(series(quiet)).outliers == ()
    assert trend(series(quiet)).around.scatter[-1] == pytest.approx(seen.around.scatter[-1], rel=0.2)


def test_correlated_neighbours_are_noticed_and_white_ones_are_not() -> None:
    from scipy import signal

    rng = np.random.default_rng(11)
    white = rng.normal(size=600)
    assert noise_of(white, None).correlation == 0.0
    red = np.asarray(signal.lfilter([1.0], [1.0, -0.5], white))
    assert noise_of(red, None).correlation == pytest.approx(0.5, abs=0.15)
    assert find_steps(noise_of(red, None)).size == 0


def test_the_penalty_grows_with_the_number_of_points() -> None:
    told = [penalty(n) for n in (10, 50, 500, 1000, 2000, 10_000)]
    assert told == sorted(told) and len(set(told)) == len(told)
    assert penalty(PENALTIES[0][0]) == PENALTIES[0][1]
    assert penalty(10_000) < 1.3 * penalty(1000)
