"""Compiled passes of the defects procedure against their plain twins in numpy."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.defects import local_kernels, scatter_kernels
from analysis.defects.local import CLIP, between, local

SHRINK = sqrt(1.0 - 2.0 * CLIP * exp(-0.5 * CLIP**2) / sqrt(2.0 * pi) / erf(CLIP / sqrt(2.0)))
SHAPES = [(64, 64), (97, 131), (15, 40)]


def scene(shape: tuple[int, int], seed: int = 2) -> NDArray[np.float32]:
    """Noise on a slope with struck and lost pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = (50.0 + 0.3 * x - 0.2 * y + rng.normal(0.0, 2.0, shape)).astype(np.float32)
    values[rng.random(shape) < 0.01] += 900.0
    values[rng.random(shape) < 0.02] = np.nan
    return values


def rounds(values: NDArray[np.float64], mean: float, spread: float, number: int) -> tuple[float, float]:
    """Clipping of finite values in so many rounds, from a mean and σ on."""
    before = -1
    for done in range(number):
        reach = CLIP * spread if spread > 0 or done else np.inf
        kept = values[np.abs(values - mean) <= reach]
        mean, spread = kept.mean(), kept.std(ddof=1) / SHRINK
        if kept.size == before:
            break
        before = kept.size
    return float(mean), float(spread)


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_begin_with_a_sample_and_go_on_with_every_fourth_row(shape: tuple[int, int]) -> None:
    values = scene(shape)
    ys, xs = np.array([0, shape[0] // 2, shape[0]]), np.array([0, shape[1] // 3, shape[1]])
    means, sigmas = np.empty((2, 2, 2))
    local_kernels.cells(values, ys, xs, 25, CLIP, SHRINK, means, sigmas)
    for i in range(2):
        for j in range(2):
            cell = values[ys[i] : ys[i + 1], xs[j] : xs[j + 1]].astype(np.float64)
            step = max(1, int(sqrt(cell.size / 25)))
            some = cell[::step, ::step]
            some = some[np.isfinite(some)][: 4 * 25 + 4]
            spread = (
                1.482602218505602 * np.median(np.abs(some - np.median(some))) * (1 + 3.5 / sqrt(some.size))
            )
            part = cell[:: 4 if cell.shape[0] >= 16 else 1]
            mean, sigma = rounds(part[np.isfinite(part)], float(np.median(some)), spread, 6)
            assert means[i, j] == pytest.approx(mean, abs=1e-4) and sigmas[i, j] == pytest.approx(
                sigma, rel=1e-4
            )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 36, 101])
def test_the_sample_gives_its_median_and_median_deviation(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.normal(0.0, 1.0, n), rng.integers(0, 3, n), np.zeros(n), rng.lognormal(0.0, 2.0, n)):
        held = values.astype(np.float32)
        found = local_kernels._start(held.copy(), n)
        middle = np.median(held)
        assert found == pytest.approx((middle, np.median(np.abs(held - middle))), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_second_look_is_at_what_is_left_of_the_slope(shape: tuple[int, int]) -> None:
    values = scene(shape)
    ys, xs = (np.linspace(0, n, 4).astype(np.int64) for n in shape)
    means, sigmas, more, found = np.empty((4, 3, 3))
    local_kernels.cells(values, ys, xs, 25, CLIP, SHRINK, means, sigmas)
    places = (*between(ys, shape[0]), *between(xs, shape[1]))
    local_kernels.again(values, means, sigmas, *places, ys, xs, CLIP, SHRINK, more, found)
    a, b, f = places[:3]
    c, d, g = places[3:]
    rows = means[a] + (means[b] - means[a]) * f[:, np.newaxis]
    left = values - (rows[:, c] + (rows[:, d] - rows[:, c]) * g)
    out = np.empty_like(values)
    local_kernels.against(values, means, np.ones_like(means), *places, np.float32(1.0), out)
    np.testing.assert_allclose(out, left + 1.0, atol=1e-4)
    for i in range(3):
        for j in range(3):
            cell = left[ys[i] : ys[i + 1], xs[j] : xs[j + 1]].astype(np.float64)
            mean, sigma = rounds(cell[np.isfinite(cell)], 0.0, sigmas[i, j], 2)
            assert more[i, j] == pytest.approx(mean, abs=1e-4) and found[i, j] == pytest.approx(
                sigma, rel=1e-4
            )


def test_local_noise_is_unbiased_on_slopes_and_among_outliers() -> None:
    """σ of a cell of n pixels scatters by 1/√(2n) of itself, a mean of 256 cells by a sixteenth of that."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:512, :512]
    image = (0.05 * x + 0.02 * y + rng.normal(0.0, 2.0, x.shape)).astype(np.float32)
    image[rng.random(image.shape) < 2e-3] += 300.0
    found = local(image, 32)
    assert found is not None
    error = 1.0 / sqrt(2.0 * 32 * 32 * 256)
    assert found.sigmas.mean() == pytest.approx(
        2.0, rel=5.0 * error + 0.002
    )  # of the outliers' tail within 3 σ
    inner = found.significance[32:-32, 32:-32]
    assert np.abs(np.median(inner)) < 5.0 * sqrt(pi / 2.0 / inner.size)


@pytest.mark.parametrize("shape", SHAPES)
def test_places_and_column_sums_are_those_of_whole_arrays(shape: tuple[int, int]) -> None:
    values = scene(shape) - np.float32(50.0)
    with np.errstate(invalid="ignore"):
        expected = np.flatnonzero((values < -1.5) | (values > 3.0))
    assert np.array_equal(local_kernels.outside(values, np.float32(-1.5), np.float32(3.0)), expected)
    sums = np.clip(np.nan_to_num(values, nan=0.0), -3.0, 3.0).sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(
        local_kernels.column_sums(values, np.float32(3.0)), sums, rtol=1e-12, atol=1e-9
    )


@pytest.mark.parametrize("low, high", [(-2.0, 2.0), (-np.inf, 3.0), (-0.01, 0.01), (9e9, np.inf)])
def test_what_stands_out_is_the_same_without_an_image_of_it(low: float, high: float) -> None:
    """From nearly none to nearly all: more than memory was taken for at first."""
    found = local(scene(SHAPES[-1]), 8)
    assert found is not None
    y, x = found.beyond(low, high)
    with np.errstate(invalid="ignore"):
        expected = np.nonzero((found.significance < low) | (found.significance > high))
    assert np.array_equal(y, expected[0]) and np.array_equal(x, expected[1])


def test_variances_and_what_is_left_without_the_farthest() -> None:
    rng = np.random.default_rng(4)
    frames = rng.normal(7.0, 3.0, (6, 20, 30)).astype(np.float32)
    frames[rng.random(frames.shape) < 0.5] = np.nan
    first, n, total, squares, low, high = np.zeros((6, 20, 30), np.float32)
    for values in frames:
        scatter_kernels.add(values, np.float32(7.0), first, n, total, squares, low, high)
    variance, share = np.empty((2, 20, 30), np.float32)
    scatter_kernels.variances(n, total, squares, low, high, variance, share)
    for at in np.ndindex(20, 30):
        held = frames[(slice(None), *at)].astype(np.float64)
        held = held[np.isfinite(held)]
        assert n[at] == held.size
        if held.size < 2:
            assert np.isnan(variance[at])
            continue
        assert variance[at] == pytest.approx(held.var(ddof=1), rel=1e-3, abs=1e-4)
        if held.size < 3:
            assert np.isnan(share[at])
            continue
        rest = np.delete(held, np.argmax(np.abs(held - held.mean())))
        assert share[at] == pytest.approx(rest.var(ddof=1) / held.var(ddof=1), abs=2e-3)
