"""Compiled passes over squares against their plain twins in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from analysis.crosstalk import square_kernels
from analysis.crosstalk.readout import basis, gram, solved
from analysis.crosstalk.victim import CLIP, MARGIN, _widened

SIDES = (16, 33, 64)


def scene(side: int, seed: int = 4) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Squares of a sloping level with noise, spots and lost pixels; which of them to use; a level near each. The last has none to use."""
    rng = np.random.default_rng(seed)
    at = np.linspace(-1.0, 1.0, side)
    values = 1000.0 + 30.0 * at + 12.0 * at[:, np.newaxis] + rng.normal(0.0, 3.0, (5, side, side))
    values[:, : side // 3, side // 2 :] += 4000.0
    values = values.astype(np.float32)
    values[rng.random(values.shape) < 0.02] = np.nan
    used = np.isfinite(values) & (rng.random(values.shape) < 0.6) & (values < 2000.0)
    used[4] = False
    return values, used, np.full(5, 990.0, np.float32)


def plain_plane(
    values: NDArray[np.float32], used: NDArray[np.bool_], level: NDArray[np.float32]
) -> NDArray[np.float64]:
    terms = basis(values.shape[1], 1)
    off = np.where(used, values.astype(np.float64) - level[:, None, None], 0.0)
    right = np.einsum("tij,kij->tk", off, terms)[:, :, np.newaxis]
    matrix = np.einsum("tij,kij,lij->tkl", used.astype(np.float64), terms, terms)
    np.testing.assert_allclose(gram(terms, used), matrix, rtol=1e-5, atol=1e-3)
    return np.asarray(
        level[:, None, None] + np.einsum("tk,kij->tij", solved(matrix, right)[:, :, 0], terms), np.float64
    )


@pytest.mark.parametrize("side", SIDES)
def test_planes_are_exact_and_squares_without_pixels_have_their_level(side: int) -> None:
    at = np.linspace(-1.0, 1.0, side)
    values = np.repeat((3.0 - 2.0 * at + 0.5 * at[:, np.newaxis])[np.newaxis], 2, axis=0).astype(np.float32)
    dark = np.random.default_rng(2).random(values.shape) < 0.3
    dark[1] = False
    ground, sigma = np.empty_like(values), np.empty(2)
    square_kernels.grounds(values, dark, np.full(2, 2.0, np.float32), np.full(2, 9.0), CLIP, 0.29, ground, sigma)  # fmt: skip
    np.testing.assert_allclose(ground[0], values[0], atol=1e-5)
    assert (ground[1] == 2.0).all() and (sigma == 0.29).all()


@pytest.mark.parametrize("stored", [np.uint16, np.float32, np.float64])
def test_pixels_above_a_bound_are_counted_by_cell(stored: type) -> None:
    image = np.random.default_rng(3).integers(0, 65536, (50, 47)).astype(stored)
    ys, xs = np.array([0, 7, 7, 50]), np.array([0, 16, 32, 47])
    for bound in (-1.0, 30_000.0, 30_000.5, 65_535.0, 70_000.0):
        found = square_kernels.above(image, bound, ys, xs)
        for i in range(3):
            for j in range(3):
                assert found[i, j] == (image[ys[i] : ys[i + 1], xs[j] : xs[j + 1]] > bound).sum()


@pytest.mark.parametrize("side", SIDES)
def test_what_stands_out_does_so_of_the_plane_of_faint_pixels(side: int) -> None:
    values, _, _ = scene(side)
    level, lowest = np.full(5, 1001.0, np.float32), np.full(5, 60.0, np.float32)
    signal = np.empty_like(values)
    lit, bright, lost = (np.empty(values.shape, bool) for _ in range(3))
    square_kernels.stand_out(values, level, lowest, np.float32(5010.0), np.float32(3000.0), signal, lit, bright, lost)  # fmt: skip
    with np.errstate(invalid="ignore"):
        faint = np.abs(values - level[:, None, None]) <= 60.0
        expected = values - plain_plane(values, faint, level)
        np.testing.assert_allclose(signal, expected, atol=2e-3)
        assert np.array_equal(lit, ~(np.abs(signal) <= 60.0)) and np.array_equal(lost, ~(values < 5010.0))
        assert np.array_equal(bright, ~lost & (signal > 3000.0))
    assert bright.any() and lost.any() and not lit.all()


@pytest.mark.parametrize("side", SIDES)
def test_the_ground_is_fitted_twice_without_what_is_far_off(side: int) -> None:
    values, used, middle = scene(side)
    dark, spread = used.copy(), np.full(5, 12.0)
    ground, sigma = np.empty_like(values), np.empty(5)
    square_kernels.grounds(values, dark, middle, spread, CLIP, 0.29, ground, sigma)
    level = np.broadcast_to(middle[:, None, None], values.shape).astype(np.float64)
    noise = spread
    for round_ in range(2):
        with np.errstate(invalid="ignore"):
            near = used & (np.abs(values - level) <= CLIP * noise[:, None, None])
        level = plain_plane(values, near, middle)
        n = np.maximum(near.sum(axis=(1, 2)), 4)
        off = np.where(near, values - level, 0.0)
        noise = np.maximum(np.sqrt((off**2).sum(axis=(1, 2)) / (n - 3)), 0.29)
        noise = noise * 1.02 if round_ == 0 else noise
    assert np.array_equal(dark, near)
    np.testing.assert_allclose(ground, level, atol=1e-3)
    np.testing.assert_allclose(sigma, noise, rtol=1e-4)


def test_who_is_lit_is_counted_without_ghosts() -> None:
    rng = np.random.default_rng(7)
    signal = rng.normal(0.0, 900.0, (2, 4, 16, 16)).astype(np.float32)
    signal[rng.random(signal.shape) < 0.05] = np.nan
    lit = rng.random(signal.shape) < 0.5
    here, there = np.array([0, 2]), np.array([1, 3])
    top, any_lit = np.zeros((3, 16, 16), np.float32), np.zeros((3, 16, 16), bool)
    number = np.zeros((3, 16, 16), np.uint8)
    for s, on in zip(signal, lit, strict=True):
        square_kernels.light_up(s, on, there, here, top, any_lit)
    for s, on in zip(signal, lit, strict=True):
        square_kernels.count_lit(s, on, there, here, top, np.float32(0.2), number)
    expected = np.fmax(np.fmax(signal[0, there], signal[1, there]), 0.0)
    assert np.array_equal(top[here], expected) and not top[1].any()
    assert np.array_equal(any_lit[here], (lit[:, there]).any(axis=0))
    counted = sum((on[there] & ~(np.abs(s[there]) < np.float32(0.2) * expected)).astype(int) for s, on in zip(signal, lit, strict=True))  # fmt: skip
    assert np.array_equal(number[here], counted)


def test_wings_are_all_pixels_within_the_margin() -> None:
    mask = np.random.default_rng(1).random((6, 40, 40)) < 0.002
    mask[0] = False
    around = np.ones((1, 3, 3), bool)
    assert np.array_equal(_widened(mask), binary_dilation(mask, around, iterations=MARGIN))
