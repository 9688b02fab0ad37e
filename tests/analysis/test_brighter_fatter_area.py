"""Coefficients of area, borders, kernel and growth of spots, against constructions without noise and against each other."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.brighter_fatter.area import (
    ESTIMATORS,
    fit_area,
    fit_first_order,
    kernel_sum,
)
from analysis.brighter_fatter.area_fit import AreaFit
from analysis.brighter_fatter.area_law import covariance_law
from analysis.brighter_fatter.borders import areas_of, borders_of
from analysis.brighter_fatter.kernel import errors_of, kernel_of, solved, zero_sum
from analysis.brighter_fatter.points import Point, covariances_of
from analysis.brighter_fatter.quarter import convolved, multiplicity, total, unfolded
from analysis.brighter_fatter.spot import growth
from analysis.photon_transfer.sampling import sampling_covariance
from builder.simulate.effects import pixel_area

GAIN, NOISE, LAGS = 2.0, 6.25, 8
AREA = pixel_area.area_matrix(4e-7, 3e-7, 3.0, 5)
QUARTER = np.zeros((LAGS + 1, LAGS + 1))
QUARTER[:6, :6] = AREA[5:, 5:]
ENDLESS = 65536 * 300_000  # pixels: what is taken off for noise is then next to nothing
LEVELS = np.array([3e3, 1e4, 2e4, 3.5e4, 5e4, 7e4, 9e4])  # e⁻
Floats = NDArray[np.float64]


def diagonal(errors: Floats) -> Floats:
    """The covariance of independent coefficients."""
    return np.diag(np.ravel(errors) ** 2)


def points(
    levels: Floats = LEVELS, gain: float = GAIN, area: Floats = AREA, pixels: int = 65536
) -> list[Point]:
    """Points without noise, by the simulator's closed law, said to be of so many pixels."""
    out = []
    for level in levels:
        matrix = pixel_area.covariance(area, float(level), LAGS) / gain**2
        matrix[0, 0] += NOISE
        counts = np.full(matrix.shape, 2 * pixels, np.int64)  # of both signs of mixed lags
        counts[0] = counts[:, 0] = pixels
        out.append(Point("a", "b", float(level), float(level / gain), matrix, counts))
    return out


def test_quarters_are_whole_matrices() -> None:
    quarter = np.arange(9.0).reshape(3, 3)
    whole = unfolded(quarter)
    assert whole.shape == (5, 5) and whole[2, 2] == 0 and whole[0, 1] == quarter[2, 1] == whole[4, 3]
    assert whole.sum() == pytest.approx(total(quarter)) and multiplicity(2).sum() == 25
    from scipy.signal import convolve2d

    full = convolve2d(whole, unfolded(quarter[:2, :2]))
    np.testing.assert_allclose(convolved(quarter, quarter[:2, :2], 3), full[3:, 3:], atol=1e-10)


def test_the_law_is_that_of_the_simulator() -> None:
    """Written twice, from the paper and for the simulator: to all orders the same."""
    law = covariance_law(LEVELS / GAIN, GAIN, QUARTER, np.zeros_like(QUARTER))
    for n, level in enumerate(LEVELS):
        np.testing.assert_allclose(
            law[n] * GAIN**2, pixel_area.covariance(AREA, level, LAGS), atol=1e-7 * level
        )


@pytest.mark.parametrize("gain", [None, (GAIN, 1e-3)])
def test_without_noise_the_fit_gives_the_coefficients_back(gain: tuple[float, float] | None) -> None:
    fit = fit_area(points(pixels=ENDLESS), "astier", gain)
    np.testing.assert_allclose(fit.area, QUARTER, rtol=1e-7, atol=1e-14)
    assert fit.gain == pytest.approx(GAIN, rel=1e-9) and fit.fitted_gain == (gain is None)
    assert fit.noise[0, 0] == pytest.approx(NOISE, rel=1e-5)
    assert kernel_sum(fit)[0] == pytest.approx(0.0, abs=1e-4 * kernel_sum(fit)[1])
    assert fit.chi2 < 1e-6 and fit.chance == 1.0


def test_noise_of_many_lags_does_not_bend_the_fit() -> None:
    """Noise and the same with its sign turned: on average over both only what is not linear is left."""
    rng, levels = np.random.default_rng(5), np.repeat(LEVELS / GAIN, 2)
    noise = np.zeros_like(QUARTER)
    noise[0, 0] = NOISE
    laws, signs = covariance_law(levels, GAIN, QUARTER, noise), np.where(np.arange(LAGS + 1) > 0, 2, 1)
    counts = np.where(np.outer(signs, signs) == 4, 16384, 8192)
    roots = [np.linalg.cholesky(sampling_covariance(law, counts.astype(np.float64))) for law in laws]
    off = []
    for _ in range(10):
        drawn = [(root @ rng.standard_normal(QUARTER.size)).reshape(QUARTER.shape) for root in roots]
        for sign in (1, -1):
            some = [
                Point(str(k), "b", float(level), float(level), law + sign * one, counts)
                for k, (level, law, one) in enumerate(zip(levels, laws, drawn, strict=True))
            ]
            fit = fit_area(some)
            off.append((fit.area[0, 0] - QUARTER[0, 0]) / fit.errors[0, 0])
    pairs = np.array(off).reshape(-1, 2).mean(axis=1)
    assert abs(pairs.mean()) < 0.05 + 3 * pairs.std() / np.sqrt(pairs.size)
    assert pairs.std() / np.sqrt(pairs.size) < 0.03  # without the correction it is −0.17


def test_units_and_directions_do_not_matter() -> None:
    fit, other = fit_area(points(pixels=ENDLESS)), fit_area(points(gain=0.5 * GAIN, pixels=ENDLESS))
    np.testing.assert_allclose(other.area, fit.area, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(other.errors[1:], fit.errors[1:], rtol=1e-2)
    turned = fit_area(points(area=AREA.T, pixels=ENDLESS))
    np.testing.assert_allclose(turned.area, fit.area.T, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(turned.errors, fit.errors.T, rtol=1e-6)


def test_estimators_of_first_order_are_right_where_there_is_little_charge() -> None:
    """Guyonnet's and Coulton's read low by what they leave out, which goes with the level: as said beside them, and as the peers' do."""
    for scale, most in ((0.02, 0.02), (1.0, 0.25)):
        for estimator in ("guyonnet", "coulton"):
            fit = fit_area(points(LEVELS * scale), estimator, (GAIN, 0.0), NOISE)
            assert fit.estimator == estimator
            for at in ((0, 0), (0, 1), (1, 0)):
                off = fit.area[at] / QUARTER[at] - 1.0
                assert -most < off < 1e-9, (estimator, at)
    high = {e: fit_area(points(), e, (GAIN, 0.0), NOISE).area[0, 1] / QUARTER[0, 1] - 1 for e in ESTIMATORS}
    assert high["coulton"] < high["guyonnet"] < -0.03 < -1e-6 < high["astier"]


def test_a_given_gain_carries_its_error_into_the_centre() -> None:
    sharp, vague = (fit_area(points(), "astier", (GAIN, e)) for e in (0.0, 0.02))
    assert vague.errors[0, 0] > 2 * sharp.errors[0, 0]
    np.testing.assert_allclose(vague.errors[0, 1:], sharp.errors[0, 1:], rtol=0.05)  # next to nothing of it
    shifted = fit_area(points(), "astier", (GAIN * 1.001, 0.0))
    by = (shifted.area[0, 0] - sharp.area[0, 0]) / (0.001 * GAIN) * 0.02
    assert np.hypot(sharp.errors[0, 0], by) == pytest.approx(vague.errors[0, 0], rel=0.05)


@pytest.mark.parametrize(
    ("levels", "gain"), [(LEVELS[:2], None), (LEVELS[:1], (2.0, 0.01)), (np.repeat(LEVELS[:1], 5), None)]
)
def test_too_few_levels_are_refused(levels: Floats, gain: tuple[float, float] | None) -> None:
    with pytest.raises(ValueError, match="levels cannot settle"):
        fit_area(points(levels), "astier", gain)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="no estimator"):
        fit_area(points(), "best")
    wild = [replace(p, matrix=np.asarray(p.matrix) * (1 + 40 * (i % 2))) for i, p in enumerate(points())]
    with pytest.raises(ValueError):
        fit = fit_area(wild)
        assert fit.chance < 1e-3
        raise ValueError("told by its chance")
    dark = [replace(p, matrix=-np.asarray(p.matrix)) for p in points()]
    with pytest.raises(ValueError, match="not positive"):
        fit_area(dark)


def noisy(rng: np.random.Generator) -> list[Point]:
    out = []
    for point in points():
        assert point.matrix is not None and point.counts is not None
        error = point.matrix[0, 0] / np.sqrt(point.counts)
        error[0, 0] *= sqrt(2.0)
        out.append(replace(point, matrix=point.matrix + rng.normal(size=error.shape) * error))
    return out


def test_pulls_of_the_fit_are_standard_normal() -> None:
    rng, pulls = np.random.default_rng(8), []
    for _ in range(150):
        fit = fit_area(noisy(rng))
        near = (fit.area - QUARTER) / fit.errors
        value, error = kernel_sum(fit)
        pulls.append(
            [
                near[0, 0],
                near[0, 1],
                near[1, 0],
                near[3, 2],
                (fit.gain - GAIN) / fit.gain_error,
                value / error,
            ]
        )
    found = np.array(pulls)
    assert (np.abs(found.mean(0)) < 4 / sqrt(150)).all()
    scatter = found.std(0)
    assert (np.abs(scatter[:5] - 1) < 4 / sqrt(300)).all()
    assert (
        0.6 < scatter[5] < 1.0
    )  # those of real flats scatter together, by the power at long waves: see the cases of truth


def test_a_fit_that_misses_the_points_says_so_and_enlarges_its_errors() -> None:
    rng = np.random.default_rng(1)
    bent = noisy(rng)
    assert bent[-1].matrix is not None
    bent[-1].matrix[0, 1] *= 3.0
    fit, good = fit_area(bent), fit_area(noisy(np.random.default_rng(1)))
    assert fit.chance < 1e-3 < good.chance
    assert fit.errors[0, 1] > 2 * good.errors[0, 1]


# --- kernel


def test_the_kernel_solves_its_equation_exactly() -> None:
    kernel = kernel_of(QUARTER, diagonal(np.full_like(QUARTER, 1e-9)))
    k = np.pad(kernel.image, 1)
    around = k[2:, 1:-1] + k[:-2, 1:-1] + k[1:-1, 2:] + k[1:-1, :-2] - 4 * k[1:-1, 1:-1]
    np.testing.assert_allclose(-around, unfolded(QUARTER), atol=1e-19)
    assert kernel.centre[0] == kernel.values.min() < 0 and kernel.faults() == []


def test_over_relaxation_comes_to_the_same() -> None:
    """As peers solve it: half of the pixels at a time, for thousands of rounds."""
    a = unfolded(QUARTER)
    k, w = np.zeros((19, 19)), 2 / (1 + np.pi / 19)
    y, x = np.mgrid[:17, :17]
    for _ in range(400):
        for colour in (0, 1):
            around = k[2:, 1:-1] + k[:-2, 1:-1] + k[1:-1, 2:] + k[1:-1, :-2]
            step = np.where((y + x) % 2 == colour, w * (0.25 * (around + a) - k[1:-1, 1:-1]), 0.0)
            k[1:-1, 1:-1] += step
    np.testing.assert_allclose(unfolded(solved(QUARTER)), k[1:-1, 1:-1], atol=1e-16)


def test_zero_sum_costs_the_centre_next_to_nothing() -> None:
    """Peers take the whole sum from the centre, whose noise then is that of all lags: seventeen times its own."""
    rng = np.random.default_rng(4)
    errors = np.full_like(QUARTER, 3e-8) / np.sqrt(np.where(multiplicity(LAGS) == 4, 2.0, 1.0))
    errors[0, 0] = 1e-7
    ours, theirs = [], []
    for _ in range(300):
        drawn = QUARTER + rng.normal(size=QUARTER.shape) * errors
        even, taken = zero_sum(drawn, diagonal(errors))
        assert abs(total(even)) < 1e-18
        assert taken == pytest.approx(total(drawn))
        ours.append(even[0, 0] - QUARTER[0, 0])
        theirs.append(drawn[0, 0] - taken - QUARTER[0, 0])
    assert np.std(ours) < 1.2 * errors[0, 0] < 4 * errors[0, 0] < np.std(theirs)
    plain, taken = zero_sum(QUARTER + 1e-9, diagonal(np.zeros_like(QUARTER)))
    np.testing.assert_allclose(plain, QUARTER, atol=1e-20)
    assert taken == pytest.approx(289e-9)


def test_errors_of_the_kernel_are_those_of_its_scatter() -> None:
    rng = np.random.default_rng(6)
    errors = np.full_like(QUARTER, 3e-8)
    drawn = [
        kernel_of(QUARTER + rng.normal(size=QUARTER.shape) * errors, diagonal(errors)) for _ in range(400)
    ]
    scatter = np.std([k.values for k in drawn], axis=0)
    assert (np.abs(scatter / drawn[0].errors - 1)[:6, :6] < 5 / sqrt(800)).all()
    weights = rng.normal(size=(1, *QUARTER.shape))
    sums = [float((weights * k.values).sum()) for k in drawn]
    assert abs(np.std(sums) / errors_of(weights, diagonal(errors))[0] - 1) < 4 / sqrt(800)


def test_doubtful_kernels_are_told() -> None:
    small = np.full_like(QUARTER, 1e-11)
    assert "not the smallest" in kernel_of(-QUARTER, diagonal(small)).faults()[0]
    cut = QUARTER.copy()
    cut[:, -1] += 3e-8
    assert any("cut too short" in f for f in kernel_of(cut, diagonal(small)).faults())


# --- borders


def test_borders_make_the_areas() -> None:
    made = borders_of(QUARTER, np.full_like(QUARTER, 1e-12))
    np.testing.assert_allclose(made.area, QUARTER, atol=2e-3 * 2.8e-6)
    np.testing.assert_allclose(areas_of(made.across, made.down), made.area)
    assert (made.across[:3, :3] > 0).all() and made.across[0, 0] == made.across.max()
    assert made.across[0, 0] > made.down[0, 0]  # more is moved along rows
    turned = borders_of(QUARTER.T.copy(), np.full_like(QUARTER, 1e-12))
    np.testing.assert_allclose(turned.down, made.across.T, rtol=1e-4, atol=1e-11)


def test_smooth_borders_quieten_far_lags_and_leave_near_ones() -> None:
    rng = np.random.default_rng(9)
    errors = np.full_like(QUARTER, 3e-8)
    noise = rng.normal(size=QUARTER.shape) * errors
    made = borders_of(QUARTER + noise, errors)
    off = made.area - QUARTER
    assert np.std(off[3:, 3:]) < 0.3 * np.std(noise[3:, 3:])
    assert abs(off[0, 0]) < 3 * errors[0, 0] and abs(off[0, 1]) < 3 * errors[0, 1]


@given(st.integers(0, 2**31))
def test_areas_of_borders_lose_only_what_leaves_at_the_edge(seed: int) -> None:
    across, down = np.random.default_rng(seed).normal(size=(2, 5, 5))
    weights = multiplicity(4)
    edge = (2 * across[:, -1] * weights[:, 0]).sum() + (2 * down[-1] * weights[0]).sum()
    assert total(areas_of(across, down)) == pytest.approx(-edge, abs=1e-9)


# --- spots


@pytest.mark.parametrize("axis", [0, 1])
def test_a_spot_grows_as_it_does_when_exposed(axis: int) -> None:
    kernel = kernel_of(QUARTER, diagonal(np.full_like(QUARTER, 1e-9)))
    width, pitch, peak = 2.0, 12.0, 32768.0
    scale = 2 * sqrt(2 * log(2))
    y, x = np.mgrid[-40:40, -40:40].astype(float)
    place = (y if axis == 0 else x) ** 2

    def exposed(height: float) -> float:
        spot = GAIN * height * np.exp(-(x**2 + y**2) / 2 / (width / scale) ** 2)
        charge = pixel_area.expose(spot, AREA, None, spot.shape, 400.0).astype(float)
        more = (charge * place).sum() / charge.sum() - (spot * place).sum() / spot.sum()
        return float(scale * pitch * (sqrt((width / scale) ** 2 + more) - width / scale))

    found = growth(
        kernel,
        diagonal(np.full_like(QUARTER, 1e-9)),
        (GAIN, 0.02),
        peak=peak,
        width=width,
        pitch=pitch,
        axis=axis,
    )
    assert found is not None
    assert found.value == pytest.approx(exposed(peak), rel=3e-3)
    assert found.slope == pytest.approx((exposed(peak + 500) - exposed(peak - 500)) * 10, rel=0.01)
    assert found.error == pytest.approx(0.01 * found.value, rel=0.1)  # nearly all of the gain's per cent
    wide = growth(
        kernel,
        diagonal(np.full_like(QUARTER, 1e-9)),
        (GAIN, 0.02),
        peak=peak,
        width=2 * width,
        pitch=pitch,
        axis=axis,
    )
    assert wide is not None and 0 < wide.value < found.value


def test_a_kernel_that_would_take_all_width_away_is_told() -> None:
    kernel = kernel_of(-1e3 * QUARTER, diagonal(np.full_like(QUARTER, 1e-9)))
    assert (
        growth(kernel, diagonal(QUARTER * 0 + 1e-9), (1.0, 0.0), peak=3e4, width=1.0, pitch=12.0, axis=0)
        is None
    )


# --- covariances of a difference


def test_taking_a_surface_off_does_not_lower_covariances() -> None:
    """In frames of 64 × 64 pixels a parabolic surface costs each covariance 0.15 % of the variance: it is put back."""
    rng, sums = np.random.default_rng(12), []
    for _ in range(400):
        matrix, _ = covariances_of(
            rng.normal(0, 20.0, (64, 64)).astype(np.float32), np.zeros((64, 64), bool), lags=3, degree=2
        )
        sums.append(matrix)
    mean = np.mean(sums, axis=0) / 200.0  # half the variance of the difference
    error = np.std(sums, axis=0) / 200.0 / sqrt(400)
    assert abs(mean[0, 0] - 1) < 4 * error[0, 0]
    off = np.ones((4, 4), bool)
    off[0, 0] = False
    assert (
        abs(mean[off].mean()) < 4 * np.sqrt((error[off] ** 2).sum()) / off.sum() < 6 / 4096
    )  # else it could not tell


def test_tilts_and_outliers_do_not_make_covariances() -> None:
    rng = np.random.default_rng(13)
    noise = rng.normal(0, 20.0, (256, 256)).astype(np.float32)
    clean, counts = covariances_of(noise.copy(), np.zeros(noise.shape, bool), lags=3)
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    spoilt = noise + (15.0 * y - 9.0 * x * y + 8.0 * x**2).astype(np.float32)
    for at in rng.integers(3, 250, (200, 2)):  # cosmic rays with feet below the clip
        spoilt[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 2] += np.float32(60.0)
        spoilt[tuple(at)] += np.float32(3000.0)
    lost = np.zeros(noise.shape, bool)
    found, fewer = covariances_of(spoilt, lost, lags=3)
    error = 200.0 / np.sqrt(fewer)
    assert (np.abs(found - clean)[0, 1:] < 3 * error[0, 1:]).all() and abs(
        found[0, 0] - clean[0, 0]
    ) < 4 * error[0, 0]
    assert fewer[0, 0] < counts[0, 0] - 200 * 20 and lost.sum() > 200 * 20


def test_no_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="too few good pixels"):
        covariances_of(np.zeros((32, 32), np.float32), np.ones((32, 32), bool))


def test_corrected_covariances_have_a_fit_of_first_order() -> None:
    straight = []
    for point in points():
        matrix = np.zeros((2, 2))
        matrix[0, 0] = point.level / GAIN + NOISE
        straight.append(replace(point, matrix=matrix, counts=np.full((2, 2), 60000)))
    fit: AreaFit = fit_first_order(straight)
    assert fit.gain == pytest.approx(GAIN) and np.abs(fit.area).max() < 1e-14
