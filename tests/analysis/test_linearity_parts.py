"""The parts of the linearity procedure alone: the curve and its maximum, the lamp, full well, joined lights, the fit."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from analysis.linearity.curve import Basis, Curve, Range, basis_of
from analysis.linearity.fit import Fit, Terms, fit_ladder
from analysis.linearity.joining import connected, full_from
from analysis.linearity.lamp import drift_degree, drift_terms, rungs, scatter_of_light, strayed, within
from analysis.linearity.points import Point, tile_edges
from builder.simulate.effects import lamp as lamps
from builder.simulate.effects import non_linearity

LEVELS = np.array(
    [300.0, 700.0, 1500.0, 3000.0, 6000.0, 12_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0, 60_000.0]
)


def spline(knots: int = 6) -> Basis:
    return basis_of(LEVELS, "spline", knots, 4, LEVELS.size - 3)


def test_a_basis_has_no_mean_and_reproduces_cubics() -> None:
    for basis in (spline(), basis_of(LEVELS, "polynomial", 6, 4, 8)):
        grid = np.linspace(basis.low, basis.high, 513)
        assert np.abs(basis(grid).mean(axis=0)).max() < 1e-12
        u = grid / basis.high
        cubic = 0.3 * u - 0.8 * u**2 + 0.4 * u**3
        cubic -= cubic.mean()
        found, *_ = np.linalg.lstsq(basis(grid), cubic, rcond=None)
        np.testing.assert_allclose(basis(grid) @ found, cubic, atol=1e-12)


def test_knots_are_even_and_each_interval_has_a_rung() -> None:
    basis = spline(12)
    knots = np.array(basis.knots)
    assert np.ptp(np.diff(knots)) < 1e-6 * np.ptp(knots)
    held, _ = np.histogram(LEVELS, knots)
    assert (held > 0).all() and basis.size < 12
    assert basis_of(LEVELS[[0, 5, 10]], "spline", 6, 4, 1).size == 1
    assert basis_of(LEVELS, "polynomial", 6, 9, 2).degree == 3


def test_deviation_and_correction_are_two_sides_of_one_line() -> None:
    curve = Curve(spline(), np.array([0.01, -0.02, 0.005, 0.01, -0.01]), np.eye(5) * 1e-8)
    line = Range(1000.0, 50_000.0)
    grid = np.linspace(line.low, line.high, 513)
    deviation, _ = curve.deviation(grid, line)
    assert deviation.mean() == pytest.approx(0.0, abs=1e-12)
    added, _ = curve.correction(grid, line)
    np.testing.assert_allclose((grid + added) * (1.0 + deviation), grid, rtol=1e-12)
    # ESO's number is of the same line, over the level that was measured
    value, _ = curve.reference_deviation(30_000.0, line)
    at, _ = curve.correction(np.array([30_000.0]), line)
    assert value == pytest.approx(-at[0] / 30_000.0)


def test_slopes_are_those_of_small_steps() -> None:
    coefficients = np.array([0.01, -0.02, 0.005, 0.01, -0.01])
    line, levels = Range(1000.0, 50_000.0), np.array([1000.0, 20_000.0, 60_000.0])
    value, slopes = Curve(spline(), coefficients, np.eye(5)).deviation(levels, line)
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-6
        moved, _ = Curve(spline(), coefficients + step, np.eye(5)).deviation(levels, line)
        np.testing.assert_allclose((moved - value) / 1e-6, slopes[:, i], atol=1e-5)


@pytest.mark.parametrize("size", [0.0, 0.5, 1.0, 3.0, 10.0])
def test_the_maximum_is_not_that_of_noise(size: float) -> None:
    """Two extremes of equal size, ``size`` σ high: the plain maximum is too large by up to 1.2 σ; what is stated is nearer, and within its error."""
    basis, rng, sigma = spline(), np.random.default_rng(4), 1e-3
    line = Range(1000.0, 60_000.0)
    grid = np.linspace(line.low, line.high, 513)
    wave = np.sin(2 * np.pi * (grid - line.low) / (line.high - line.low))
    shape, *_ = np.linalg.lstsq(basis(grid), wave, rcond=None)
    slopes = Curve(basis, np.zeros(5), np.eye(5)).deviation(grid, line)[1]
    covariance = np.eye(5) * (sigma / float(np.sqrt((slopes**2).sum(axis=1)).mean())) ** 2
    truth = float(np.abs(Curve(basis, -size * sigma * shape, covariance).deviation(grid, line)[0]).max())
    plain, found, errors = [], [], []
    for _ in range(150):
        coefficients = -size * sigma * shape + rng.multivariate_normal(np.zeros(5), covariance)
        curve = Curve(basis, coefficients, covariance)
        largest = curve.largest(line)
        plain.append(float(np.abs(curve.deviation(grid, line)[0]).max()))
        found.append(largest.value)
        errors.append(largest.error)
    off, raw = np.array(found) - truth, np.array(plain) - truth
    room = 4 * off.std() / sqrt(off.size)
    if size >= 3.0:
        assert abs(off.mean()) < room + 0.1 * sigma
        pulls = off / np.array(errors)
        assert abs(pulls.std() - 1.0) < 0.15 + 4 / sqrt(2 * pulls.size)
    assert abs(off.mean()) <= abs(raw.mean()) + room
    assert (off**2).mean() <= 1.1 * (raw**2).mean()


def test_a_line_that_was_not_measured_is_not_covered() -> None:
    curve = Curve(spline(), np.zeros(5), np.eye(5))
    assert curve.covers(300.0, 60_000.0)
    assert (
        not curve.covers(299.0, 60_000.0)
        and not curve.covers(300.0, 60_001.0)
        and not curve.covers(500.0, 500.0)
    )
    assert curve.turnoff(Range(300.0, 20_000.0), 0.01) is None


def point(time: float, clock: float, level: float = 1.0, group: str = "", error: float = 1.0) -> Point:
    return Point(f"{clock:g}", group, time, clock, level, error, 16)


def test_rungs_are_of_one_light_and_equal_to_four_digits() -> None:
    held = [point(1.0, 0), point(1.00001, 1), point(1.01, 2), point(1.0, 3, group="ND")]
    assert rungs(held).tolist() == [0, 0, 1, 2]


def test_the_degree_of_a_drift_is_what_repetitions_can_tell() -> None:
    clock = np.arange(9.0)
    assert drift_degree(np.array([0, 1, 0, 2, 0, 3, 0, 4, 0]), clock, 3) == 3
    assert drift_degree(np.array([0, 1, 0, 2, 0, 3, 0, 4, 0]), clock, 2) == 2
    assert drift_degree(np.array([0, 1, 2, 3, 4, 3, 2, 1, 0]), clock, 2) == 1
    assert (
        drift_degree(np.array([0, 0, 1, 1, 2, 2, 3, 3, 4]), clock, 2) == 0
    )  # repeated at once: no time between
    assert (
        drift_degree(np.array([0, 1, 0, 2, 3, 4, 5, 6, 7]), clock, 2) == 0
    )  # over a quarter of the ladder only
    assert drift_degree(np.array([0, 1, 0]), np.zeros(3), 2) == 0
    assert drift_terms(clock, 2, (0.0, 8.0))[[0, 4, 8]].round(12).tolist() == [[-1, 1], [0, -0.5], [1, 1]]


def test_the_lamps_scatter_is_what_is_beyond_noise() -> None:
    rng, rung = np.random.default_rng(5), np.repeat(np.arange(60), 3)
    errors = np.full(rung.size, 2e-4)
    level = np.linspace(-1, 1, 60)[rung]
    for truth in (0.0, 5e-4):
        values = level + rng.normal(0.0, np.hypot(errors, truth))
        found, dof = scatter_of_light(values, errors, rung, 0)
        assert dof == 120
        assert found**2 == pytest.approx(truth**2, abs=4 * sqrt(2 / dof) * (truth**2 + 4e-8))
        if found:
            assert within(values, errors**2 + found**2, rung, 0).squares == pytest.approx(dof, rel=1e-6)
    assert scatter_of_light(level[::3], errors[::3], rung[::3], 0) == (0.0, 0)


def test_strays_are_judged_among_their_like_alone() -> None:
    values = np.array([0.0, 1e-5, -1e-5, 0.02, 1e-5, 0.3, 0.5, 0.7])
    rung = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    assert np.flatnonzero(strayed(values, np.full(8, 1e-5), rung)).tolist() == [3]
    assert not strayed(values[5:], np.full(3, 1e-5), rung[5:] - 1).any()


@pytest.mark.parametrize("shutter", [0.0, 0.05])
def test_full_well_is_found_and_a_bent_response_is_not_one(shutter: float) -> None:
    times = np.array([0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 8.5, 9.0, 9.5, 10.0])
    light = 6000.0 * lamps.time_open(times, shutter)
    bent = non_linearity.polynomial(light, (-0.05, -0.02))
    assert full_from(times, bent) == np.inf
    assert full_from(times[::-1], bent[::-1]) == np.inf
    soft = non_linearity.full_well(light, 52_000.0, 200.0)
    assert full_from(times, soft) in (8.5, 9.0)
    assert full_from(times, np.minimum(light, 20_000.0)) == 5.0
    assert full_from(np.array([1.0]), np.array([5.0])) == np.inf


def test_lights_join_through_common_levels() -> None:
    groups = ["a", "a", "a", "b", "b", "b", "c", "c"]
    levels = np.array([100.0, 500.0, 1000.0, 800.0, 3000.0, 9000.0, 20_000.0, 30_000.0])
    assert connected(groups, levels) == (["c"], ["b", "a"])
    assert connected(groups[:6], levels[:6]) == (["b", "a"], [])
    levels[6] = 5000.0
    assert connected(groups, levels) == (["c", "b", "a"], [])


def simulated(seed: int, rates: tuple[float, float] = (500.0, 650.0)) -> Fit:
    """Two lights of known rates on a linear detector, as cp_pipe's tests have them: noise of 2e-4."""
    rng = np.random.default_rng(seed)
    points, names = [], ("dim", "bright")
    times = [1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0]
    shots = [(g, t) for t in times for g in (0, 1)]
    for n, (group, time) in enumerate([*shots, *shots[::-1]]):
        level = rates[group] * (time + 0.01) * (1.0 + 2e-4 * rng.standard_normal())
        points.append(point(time, float(n), level, names[group], 2e-4 * level))
    basis = basis_of(np.array([p.level for p in points]), "spline", 5, 4, 8)
    return fit_ladder(points, rungs(points), Terms(names, basis, 1, True))


def test_rates_of_lights_are_recovered_with_their_errors() -> None:
    """A peer gives 500.07 and 650.07 for 500 and 650; here with an error, whose pulls are normal."""
    ratios, shutters, chances = [], [], []
    for seed in range(60):
        found = simulated(seed)
        ratio = found.rates[1] / found.rates[0]
        assert ratio == pytest.approx(1.3, abs=1e-3)
        assert found.shutter_error is not None
        shutters.append((found.shutter - 0.01) / found.shutter_error)
        ratios.append((found.rates[0] - 500.0) / found.rate_errors[0])
        chances.append(found.chance)
    for pulls in (shutters, ratios):
        assert abs(np.mean(pulls)) < 4 / sqrt(60)
        assert abs(np.std(pulls) - 1) < 4 / sqrt(120) + 0.05
    assert 0.2 < np.mean(chances) < 0.8


def test_a_fit_that_cannot_be_told_apart_is_refused() -> None:
    points = [point(1.0, float(n), 1000.0 * (n + 1), error=1.0) for n in range(4)]
    basis = basis_of(np.array([p.level for p in points]), "spline", 3, 4, 4)
    with pytest.raises(ValueError, match=r"cannot be told|influence|runs away|settle"):
        fit_ladder(points, rungs(points), Terms(("",), basis, 0, True))


def test_an_error_that_all_levels_share_is_part_of_all_errors() -> None:
    rng = np.random.default_rng(9)
    points = [
        point(t, float(n), 600.0 * t * (1 + 1e-5 * rng.standard_normal()), error=6e-3 * t)
        for n, t in enumerate([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0] * 2)
    ]
    basis = basis_of(np.array([p.level for p in points]), "spline", 3, 4, 4)
    errors = []
    for offset in (0.0, 2.0):
        found = fit_ladder(points, rungs(points), Terms(("",), basis, 0, False, offset_error=offset))
        _, slopes = found.curve.deviation(np.array([600.0]), Range(600.0, 38_000.0))
        errors.append(float(found.curve.errors(slopes)[0]))
    # the levels themselves hold the offset to some hundredths of an ADU, no better
    assert errors[1] > 1.3 * errors[0]


def test_tiles_cover_what_there_is() -> None:
    assert tile_edges(2048, 64).size == 33
    assert tile_edges(16, 64).tolist() == [0, 4, 8, 12, 16] and tile_edges(80, 64).tolist() == list(
        range(0, 81, 10)
    )
    assert tile_edges(3, 64).tolist() == [0, 3]


def test_what_the_simulator_makes_is_what_it_says() -> None:
    levels = np.array([0.0, 1000.0, 65_536.0])
    np.testing.assert_allclose(
        non_linearity.polynomial(levels, (-0.01, 0.002)),
        levels * [1.0, 1 - 0.01 / 65.536 + 0.002 / 65.536**2, 0.992],
    )
    np.testing.assert_allclose(
        non_linearity.threshold(levels, 0.1, 1000.0), levels * [0.9, 1 - 0.1 / np.e, 1.0]
    )
    np.testing.assert_allclose(
        non_linearity.full_well(np.array([100.0, 9000.0]), 1000.0, 10.0), [100.0, 1000.0]
    )
    assert non_linearity.wave(np.array([25.0]), 3.0, 100.0)[0] == pytest.approx(28.0)
    np.testing.assert_allclose(lamps.drift(np.array([0.0, 5.0, 10.0]), 10.0, (0.1, 0.1)), [1.0, 1.075, 1.2])
    assert lamps.flicker(np.random.default_rng(1), 20_000, 0.01).std() == pytest.approx(0.01, rel=0.03)
    assert lamps.attenuated(100.0, 2.0) == pytest.approx(1.0)
    np.testing.assert_allclose(lamps.time_open(np.array([0.0, 1.0]), -0.1), [0.0, 0.9])
