import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from analysis.covariance import Covariances, covariances, pair_covariances
from analysis.pairs import pair_statistics

Floats = NDArray[np.float64]


def brute(values: Floats, good: NDArray[np.bool_], lags: int) -> tuple[Floats, NDArray[np.int64]]:
    """Covariance sums and counts, one pair of pixels at a time."""
    rows, columns = values.shape
    sums, counts = np.zeros((lags + 1, lags + 1)), np.zeros((lags + 1, lags + 1), np.int64)
    for y, x in np.argwhere(good):
        for i in range(lags + 1):
            for j in range(-lags if i else 0, lags + 1):
                u, v = y + i, x + j
                if u < rows and 0 <= v < columns and good[u, v]:
                    sums[i, abs(j)] += values[y, x] * values[u, v]
                    counts[i, abs(j)] += 1
    return sums, counts


def by_fourier(values: Floats, good: NDArray[np.bool_], lags: int) -> tuple[Floats, Floats]:
    """The twin: correlations by Fourier transforms in double precision, data and weights."""
    shape = tuple(n + lags for n in values.shape)
    out = []
    for image in (np.where(good, values, 0.0), good.astype(np.float64)):
        power = np.abs(np.fft.rfft2(image, shape)) ** 2
        found = np.fft.irfft2(power, shape)
        right, left = found[: lags + 1, : lags + 1], found[: lags + 1][:, -np.arange(lags + 1)]
        right[1:, 1:] += left[1:, 1:]
        out.append(right)
    return out[0], out[1]


@settings(max_examples=50)
@given(data=st.data())
def test_sums_and_counts_are_those_of_all_pairs(data: st.DataObject) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=6))
    lags = data.draw(st.integers(0, 7))
    difference = data.draw(arrays.arrays(np.int16, shape, elements=st.integers(-999, 999))).astype(np.float32)
    left_out = data.draw(arrays.arrays(np.bool_, shape))
    if left_out.all():
        with pytest.raises(ValueError, match="no pixels"):
            covariances(difference, left_out, lags=lags)
        return
    found = covariances(difference, left_out, lags=lags)
    centred = difference.astype(np.float64) - difference[~left_out].mean(dtype=np.float64)
    sums, counts = brute(centred, ~left_out, lags)
    np.testing.assert_array_equal(found.pairs, counts)
    assert found.sums[0, 0] == pytest.approx(sums[0, 0], rel=2e-6, abs=2e-9)
    if not found.step:  # a pixel is hundreds of σ away
        np.testing.assert_allclose(found.sums, sums, rtol=2e-6, atol=2e-6 * sums[0, 0])
        return
    whole, _ = brute(steps(difference, found), ~left_out, lags)
    whole[0, 0] = found.sums[0, 0] / found.step**2
    np.testing.assert_allclose(found.sums, whole * found.step**2, rtol=1e-14)
    # two pixels each half a step off, at most
    off = found.step * (np.abs(centred).max() + 0.25 * found.step) * (1 + 1e-6)
    np.testing.assert_array_less(np.abs(found.sums - sums), counts * off + 2e-6 * sums[0, 0] + 1e-9)


def steps(difference: NDArray[np.float32], found: Covariances) -> Floats:
    """The twin of rounding: whole numbers of steps from the mean, in single precision."""
    away = difference - np.float32(found.mean)
    return np.rint(away * np.float32(1.0 / found.step)).astype(np.float64)


def rounding(sigma: float, found: Covariances) -> Floats:
    """What rounding does to a mean of products: (d + e)(d′ + e′) − d d′ scatters by √2 σ times that of e, a step over √12."""
    return np.sqrt(2.0 / 12.0) * sigma * found.step / np.sqrt(found.pairs)


def test_a_large_image_agrees_with_fourier_transforms() -> None:
    rng = np.random.default_rng(1)
    difference = rng.normal(3.0, 110.0, (333, 1203)).astype(np.float32)
    left_out = rng.random(difference.shape) < 0.03
    found = covariances(difference, left_out)
    centred = difference.astype(np.float64) - difference[~left_out].mean(dtype=np.float64)
    sums, counts = by_fourier(centred, ~left_out, 8)
    np.testing.assert_array_equal(found.pairs, np.rint(counts).astype(np.int64))
    off = (found.sums / found.pairs - sums / counts) / rounding(110.0, found)
    off[0, 0] *= rounding(110.0, found)[0, 0] / (1e-7 * 110.0**2)  # the variance is not rounded
    assert np.abs(off).max() < 4.5
    assert 0.7 < off[1:].std() < 1.3
    # the error stated: 1.3·10⁻⁶ more than that of sampling, both in quadrature
    assert (rounding(110.0, found) / (110.0**2 / np.sqrt(found.pairs))).max() < np.sqrt(2.6e-6 * 1.1)


def test_light_that_is_far_from_even_takes_coarser_steps_and_outliers_take_transforms() -> None:
    rng = np.random.default_rng(8)
    noise = rng.normal(0.0, 1.0, (128, 512))
    uneven = (noise * np.where(np.arange(512) < 16, 12.0, 1.0)).astype(np.float32)
    found, exact = covariances(uneven), covariances(uneven, method="fourier")
    assert np.abs(uneven).max() / 2048 < found.step < np.abs(uneven).max() / 2046 and exact.step == 0
    far = rounding(float(uneven.std()), found)
    assert (np.abs(found.sums - exact.sums) / found.pairs / far)[1:].max() < 4.5
    lone = np.tile(noise, (4, 1)).astype(np.float32)
    lone[40, 40] = 1e6
    found = covariances(lone)
    assert found.step == 0
    np.testing.assert_allclose(found.sums, covariances(lone, method="fourier").sums, rtol=1e-12)


def test_what_is_not_finite_is_left_out() -> None:
    difference = np.random.default_rng(2).normal(5.0, 40.0, (70, 90)).astype(np.float32)
    lost = np.zeros(difference.shape, np.bool_)
    for (y, x), value in zip(((3, 7), (3, 60), (64, 0)), (np.nan, np.inf, -np.inf), strict=True):
        difference[y, x], lost[y, x] = value, True
    found, expected = covariances(difference), covariances(difference, lost)
    np.testing.assert_array_equal(found.sums, expected.sums)
    np.testing.assert_array_equal(found.pairs, expected.pairs)
    assert found.pairs[0, 0] == difference.size - 3 and np.isfinite(found.matrix).all()


def known(seed: int) -> Covariances:
    """White noise of σ 40 in which a pixel gives 10 % to the next column and 5 % to the next row."""
    white = np.random.default_rng(seed).normal(0, 40, (401, 402))
    return covariances(white[1:, 1:] + 0.10 * white[1:, :-1] + 0.05 * white[:-1, 1:])


def test_known_covariances_come_back_with_their_errors() -> None:
    truth = np.zeros((9, 9))
    truth[0, 0], truth[0, 1], truth[1, 0], truth[1, 1] = 1.0125, 0.10, 0.05, 0.005 / 2
    pulls = np.array([(f.matrix - 1600 * truth) / f.errors for f in map(known, range(12))])
    assert np.abs(pulls.mean(axis=0)).max() < 4.5 / np.sqrt(12)
    assert pulls.std() == pytest.approx(1.0, abs=0.06)


def test_both_signs_of_the_mixed_lag_are_pooled() -> None:
    white = np.random.default_rng(3).normal(0, 10, (300, 300))
    straight, aslant = (
        white[:-1, 1:],
        white[:-1, :-1],
    )  # what a pixel shares with one below it, or with one to a side of that
    for shared, expected in ((straight, 0), (aslant, 15)):
        found = covariances(white[1:, 1:] + 0.3 * shared)
        assert found.matrix[1, 1] == pytest.approx(expected, abs=1.5)
    assert found.pairs[1, 1] == 2 * 298 * 298 and found.pairs[0, 1] == 299 * 298
    assert found.matrix.shape == found.errors.shape == (9, 9)


def test_a_pair_is_clipped_before() -> None:
    rng = np.random.default_rng(4)
    first, second = (np.rint(rng.normal(9000, 60, (200, 300))).astype(np.uint16) for _ in range(2))
    first[20:24, 30] = 40_000
    left_out = rng.random(first.shape) < 0.01
    statistics, found = pair_covariances(first, second, left_out)
    assert statistics == pair_statistics(first, second, left_out, sigma=5.0)
    difference = first.astype(np.float64) - second
    gone = left_out | (np.abs(difference - statistics.difference.mean) > 5 * statistics.difference.std)
    plain = covariances(difference, gone)
    np.testing.assert_array_equal(found.sums, plain.sums)
    np.testing.assert_array_equal(found.pairs, plain.pairs)
    assert found.matrix[0, 0] == pytest.approx(statistics.difference.variance, rel=1e-3)
    _, floats = pair_covariances(first.astype(np.float32), second.astype(np.float32), left_out)
    np.testing.assert_allclose(floats.matrix, found.matrix, atol=0.02 * 7200**0.5)


def test_what_is_no_difference_is_refused() -> None:
    image = np.zeros((4, 5), np.float32)
    for bad in (
        lambda: covariances(image.ravel()),
        lambda: covariances(image, lags=-1),
        lambda: covariances(image, lags=33),
        lambda: covariances(image, np.zeros((4, 4), bool)),
        lambda: covariances(np.full((3, 3), np.nan)),
    ):
        with pytest.raises(ValueError):
            bad()
