"""The whole covariance matrix: the law, its fit, how its data scatter, and what clips and surfaces take from them."""

from math import erf, exp, pi, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import convolve2d

from analysis.covariance import covariances
from analysis.photon_transfer.curve import exponential
from analysis.photon_transfer.law import convolved
from analysis.photon_transfer.matrix import CovariancePoint, MatrixFit, fit_matrix
from analysis.photon_transfer.sampling import sampling_covariance
from builder.simulate.effects import brighter_fatter as truth
from builder.simulate.effects.pixel_area import area_matrix
from builder.simulate.effects.pixel_area import covariance as pixel_area_covariance

Floats = NDArray[np.float64]

GAIN, NOISE2, B = 1.5, 25.0, 1.0e-6
AREA = truth.area_changes(-2.4e-6, next_row=3e-7, next_column=4e-7, reach=4)
LEVELS = np.geomspace(100.0, 6e4, 14)  # ADU
LAGS = 4


def law(level: float, lags: int = LAGS) -> Floats:
    """C_ij of one frame [ADU²], from the simulation's side."""
    wide = truth.covariances(level * GAIN, AREA, B)
    middle = wide.shape[0] // 2
    out = wide[middle : middle + lags + 1, middle : middle + lags + 1] / GAIN**2
    out[0, 0] += NOISE2 / GAIN**2
    return out


def products(pixels: float, lags: int = LAGS) -> Floats:
    out = np.full((lags + 1, lags + 1), pixels)
    out[1:, 1:] *= 2
    return out


def sampled(rng: np.random.Generator, pixels: float, levels: Floats = LEVELS) -> list[CovariancePoint]:
    """Covariances as so many pixels sample them."""
    out, many = [], products(pixels)
    for level in levels:
        mean = law(level)
        scatter = np.linalg.cholesky(sampling_covariance(mean, many))
        found = mean + (scatter @ rng.normal(size=mean.size)).reshape(mean.shape)
        out.append(CovariancePoint(float(level), 0.0, found, many))
    return out


def test_convolutions_are_those_of_both_signs() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 4, 4))

    def both(quarter: Floats) -> Floats:
        far = np.abs(np.arange(-3, 4))
        return quarter[np.ix_(far, far)]

    assert np.allclose(convolved(one, other), convolve2d(both(one), both(other), mode="same")[3:, 3:])


def test_without_neighbours_the_law_is_equation_16() -> None:
    one = np.array([[-2e-6]])
    for mean in (1e4, 2e5):
        wide = truth.covariances(mean, one, 0.0)
        expected = float(exponential(np.array([mean]), 1.0, -2.0, 0.0)[0])
        left_out = (4e-6 * mean) ** 10 / 39916800 * mean  # (2 a μ)¹⁰ / 11!
        assert wide[0, 0] == pytest.approx(expected, rel=1e-11, abs=left_out)


def test_charge_of_half_the_reach_of_a_comes_back_exactly() -> None:
    """At 180 ke⁻ four powers of the charge would miss 1.5 % of the variance, and a₀₀ would come out 6 % off."""
    area = area_matrix(4e-7, 3e-7, lags=4)
    points = []
    for level in np.geomspace(600.0, 5.5e4, 12):
        found = pixel_area_covariance(area, level * 3.3, LAGS) / 3.3**2
        points.append(
            CovariancePoint(
                float(level), 0.0, found + np.eye(1, LAGS + 1).T @ np.eye(1, LAGS + 1), products(1e16)
            )
        )
    fit = fit_matrix(points)
    assert fit.gain == pytest.approx(3.3, rel=2e-5)
    assert np.allclose(fit.area[:2, :2], area[4:6, 4:6], rtol=4e-3)


def test_what_has_no_noise_comes_back_exactly() -> None:
    points = [CovariancePoint(float(v), 0.0, law(v), products(1e16)) for v in LEVELS]
    fit = fit_matrix(points)
    assert fit.gain == pytest.approx(GAIN, rel=1e-7)
    near = np.s_[:2, :2]
    assert np.allclose(fit.area[near], AREA[near], rtol=1e-3)
    assert np.allclose(fit.area_slope[near], AREA[near] * B, rtol=0.05)
    assert fit.noise_matrix[0, 0] == pytest.approx(NOISE2, rel=1e-4)
    assert np.allclose(fit.matrices(LEVELS)[:, 1, 0], [law(v)[1, 0] for v in LEVELS], rtol=1e-4)
    assert np.array_equal(fit.variance(LEVELS), fit.matrices(LEVELS)[:, 0, 0])


@pytest.fixture(scope="module")
def fits() -> list[MatrixFit]:
    rng = np.random.default_rng(2)
    return [fit_matrix(sampled(rng, 1e6)) for _ in range(120)]


def test_pulls_of_the_fit_are_standard_normal(fits: list[MatrixFit]) -> None:
    pulls = []
    for fit in fits:
        noise = fit.noise()
        assert noise is not None
        pulls.append(
            [
                (fit.gain - GAIN) / fit.gain_error,
                (noise[0] - sqrt(NOISE2)) / noise[1],
                (fit.a00 - AREA[0, 0]) / fit.a00_error,
                (fit.area[0, 1] - AREA[0, 1]) / fit.area_error[0, 1],
                (fit.area[1, 0] - AREA[1, 0]) / fit.area_error[1, 0],
                fit.total_area[0] / fit.total_area[1],
            ]
        )
    n = len(fits)
    assert (np.abs(np.mean(pulls, axis=0)) < 4 / sqrt(n)).all(), np.mean(pulls, axis=0)
    assert (np.abs(np.std(pulls, axis=0) - 1) < 4 / sqrt(2 * n)).all(), np.std(pulls, axis=0)


def test_chi2_is_what_noise_makes_it(fits: list[MatrixFit]) -> None:
    ratio = np.array([f.chi2 / f.dof for f in fits])
    assert abs(ratio.mean() - 1) < 4 * sqrt(2 / fits[0].dof / len(fits))
    assert min(f.chance for f in fits) > 1e-4


def test_products_of_noise_are_taken_off() -> None:
    """With noise and its mirror image all that is odd in it cancels: what is left is the bias of a fit that is not linear."""
    rng, off = np.random.default_rng(3), []
    for _ in range(12):
        points = sampled(rng, 1e6)
        mirrored = [CovariancePoint(p.level, 0.0, 2 * law(p.level) - p.matrix, p.products) for p in points]
        one, other = fit_matrix(points), fit_matrix(mirrored)
        off.append(0.5 * (one.a00 + other.a00 - 2 * AREA[0, 0]) / one.a00_error)
    assert abs(np.mean(off)) < 0.06 + 4 * np.std(off) / sqrt(len(off))


def test_a_common_offset_is_in_the_errors_of_the_noise() -> None:
    points = sampled(np.random.default_rng(4), 1e6)
    with_offset, without = fit_matrix(points, 0.05), fit_matrix(points)
    assert with_offset.gain == without.gain
    shifted = [CovariancePoint(p.level + 0.05, 0.0, p.matrix, p.products) for p in points]
    moved = fit_matrix(shifted).noise_squared - without.noise_squared
    added = with_offset.covariance[2, 2] - without.covariance[2, 2]
    assert sqrt(added) == pytest.approx(abs(moved), rel=0.05)


def test_too_few_levels_and_curves_that_fall_are_refused() -> None:
    points = sampled(np.random.default_rng(5), 1e6)
    with pytest.raises(ValueError, match="cannot settle"):
        fit_matrix(points[:4])
    falling = [CovariancePoint(7e4 - p.level, 0.0, p.matrix, p.products) for p in points]
    with pytest.raises(ValueError, match="does not grow"):
        fit_matrix(falling)


def test_covariances_of_covariances_are_those_of_simulated_images() -> None:
    """80 images of 96 × 96 on a torus: variances of all elements, and the correlation of the variance with its neighbours."""
    rng, shape, lags = np.random.default_rng(6), (96, 96), 2
    far = np.zeros((3, 3))
    far[0, 0], far[0, 1], far[1, 0] = 1.0, 0.15, 0.1
    signs = np.abs(np.arange(-2, 3))
    power = truth.spectrum(far[np.ix_(signs, signs)], shape)
    found = []
    for _ in range(400):
        white = rng.normal(size=(*shape, 2)) @ [1, 1j]
        both = np.fft.ifft2(white * np.sqrt(power), norm="ortho")
        for image in (both.real, both.imag):
            rolled = [np.roll(image, (i, s * j), (0, 1)) for i in range(3) for j in range(3) for s in (1, -1)]
            element = np.array([(image * r).mean() for r in rolled]).reshape(9, 2).mean(axis=1)
            found.append(element)
    many = products(float(shape[0] * shape[1]), lags)
    expected = sampling_covariance(far, many)
    got = np.cov(np.array(found).T)
    size = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected)))
    assert np.abs((got - expected) / size).max() < 4.5 * sqrt(2 / len(found))
    assert expected[0, 1] / size[0, 1] > 0.2  # what is found here is no small thing


def test_a_clip_takes_its_factor_once_from_a_variance_and_twice_from_a_covariance() -> None:
    """Cut at 2.5 σ, where the factor is 0.91: a peer that took it once from both would be 9 % off in covariances."""
    rng, sigma = np.random.default_rng(7), 2.5
    far = np.zeros((3, 3))
    far[0, 0], far[0, 1], far[1, 0] = 1.0, 0.06, 0.04
    signs = np.abs(np.arange(-2, 3))
    power = truth.spectrum(far[np.ix_(signs, signs)], (1500, 1500))
    found = np.zeros((3, 3))
    for _ in range(2):
        both = np.fft.ifft2((rng.normal(size=(1500, 1500, 2)) @ [1, 1j]) * np.sqrt(power), norm="ortho")
        for image in (both.real, both.imag):
            found += 2 * covariances(image, np.abs(image) > sigma, lags=2).of_one_frame(sigma) / 4
    factor = 1 - 2 * sigma * exp(-(sigma**2) / 2) / sqrt(2 * pi) / erf(sigma / sqrt(2))
    assert factor == pytest.approx(0.911, abs=1e-3)
    error = 1 / sqrt(4 * 1500**2)
    # to first order in the correlation: what is left is its cube
    assert found[0, 0] == pytest.approx(1.0, abs=5 * sqrt(2) * error + 1e-3)
    assert found[0, 1] == pytest.approx(0.06, abs=5 * error + 1e-4)
    assert found[1, 0] == pytest.approx(0.04, abs=5 * error + 1e-4)


def test_a_surface_is_taken_out_and_what_it_takes_is_given_back() -> None:
    rng, found = np.random.default_rng(8), []
    y, x = np.mgrid[-1:1:64j, -1:1:80j]  # type: ignore[misc]
    slope = 5.0 + 3.0 * x - 2.0 * y + 4.0 * x * y + 2.0 * x**2 - 3.0 * y**2
    for _ in range(300):
        image = rng.normal(0, 2.0, slope.shape) + slope
        found.append(2 * covariances(image, lags=2, surface=True).of_one_frame())
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / sqrt(len(found))
    expected = np.zeros((3, 3))
    expected[0, 0] = 4.0
    assert (np.abs(mean - expected) < 4.5 * error).all()
    # without giving back, six of 5120 degrees of freedom would be missing from every element: 4 of these errors
    assert error[0, 1] < 6 * 4.0 / slope.size / 1.4


def test_both_ways_to_covariances_are_equal() -> None:
    rng = np.random.default_rng(9)
    image, lost = rng.normal(0, 90, (210, 333)), rng.random((210, 333)) < 0.02
    direct = covariances(image, lost, lags=6, surface=True)
    fourier = covariances(image, lost, lags=6, surface=True, method="fourier")
    np.testing.assert_array_equal(direct.pairs, fourier.pairs)
    assert direct.matrix[0, 0] == pytest.approx(fourier.matrix[0, 0], rel=2e-7)
    # products of pixels that are rounded to steps scatter by √2 σ times step/√12; the variance is not rounded
    rounding = np.sqrt(2 / 12) * 90 * direct.step / np.sqrt(direct.pairs)
    off = (direct.matrix - fourier.matrix) / rounding
    assert np.abs(off.ravel()[1:]).max() < 4.5 and direct.step == pytest.approx(90 / 256, rel=0.02)


def test_mirrors_and_units_change_nothing_but_the_unit() -> None:
    rng = np.random.default_rng(10)
    image = np.rint(rng.normal(0, 40, (96, 128))).astype(np.float32)
    plain = covariances(image, lags=4, surface=True).of_one_frame(5.0)
    for other in (image[::-1], image[:, ::-1], image[::-1, ::-1]):
        np.testing.assert_allclose(
            covariances(other, lags=4, surface=True).of_one_frame(5.0), plain, atol=2e-3
        )
    np.testing.assert_allclose(
        covariances(4 * image, lags=4, surface=True).of_one_frame(5.0), 16 * plain, rtol=1e-5
    )
    turned = covariances(np.ascontiguousarray(image.T), lags=4, surface=True).of_one_frame(5.0)
    np.testing.assert_allclose(turned.T, plain, atol=2e-3)


def test_images_too_small_for_a_surface_lose_their_mean() -> None:
    found = covariances(np.arange(12.0).reshape(3, 4), lags=1, surface=True)
    assert found.parameters == 1 and found.mean == pytest.approx(5.5)
