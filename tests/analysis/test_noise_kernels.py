"""The kernels of bias, flat and cosmic rays against plain twins in NumPy, whole arrays at once in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from analysis import image_kernels
from analysis.bias import reading_kernels
from analysis.bias.correlation import in_order_of_reading, last_first
from analysis.cosmic_rays import search_kernels
from analysis.defects.local import between, local
from analysis.distribution import distribution
from analysis.flat import response_kernels
from analysis.flat.shape import polynomial, spline
from analysis.histogram import histogram
from analysis.pairs import difference_histogram
from analysis.profiles import profiles
from campaign.geometry import Channel, quadrants

GEOMETRY = quadrants(rows=40, columns=37, prescan=3, overscan=5, parallel=0)
SHAPE = (130, 97)


def frames(seed: int, shape: tuple[int, ...] = (40, 37)) -> list[NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    out = [np.rint(1000.0 + 4.0 * rng.standard_normal(shape)).astype(np.uint16) for _ in range(2)]
    out[0][7, 9] = 60000
    return out


def halves(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    light = 9000.0 + 3.0 * y - 0.02 * x * x
    own = 1.0 + 0.01 * rng.standard_normal(SHAPE)
    first, second = (
        (light * own * (1.0 + 0.005 * rng.standard_normal(SHAPE))).astype(np.float32) for _ in range(2)
    )
    first[11, 12], second[50, 60], first[70, :] = np.nan, 1.0, 3.0 * first[70, :]
    return first, second


@pytest.mark.parametrize("channel", GEOMETRY.channels, ids=lambda c: c.corner)
def test_differences_over_their_noise_are_in_the_order_of_reading(channel: Channel) -> None:
    a, b = frames(1)
    out = np.empty((38, 33), np.float32)
    mean, std, clip = np.float32(0.25), np.float32(5.5), np.float32(5.0)
    reading_kernels.standard(a, b, *last_first(channel), mean, std, clip, out)
    plain = (a.astype(np.float64) - b - 0.25) / 5.5
    plain[np.abs(plain) > 5.0] = 0.0
    assert np.allclose(out, in_order_of_reading(plain, channel)[:38, :33], atol=1e-5)


@pytest.mark.parametrize("channel", GEOMETRY.channels, ids=lambda c: c.corner)
def test_rows_are_made_ready_for_their_spectrum(channel: Channel) -> None:
    a, _ = frames(2)
    rng = np.random.default_rng(3)
    profile, window = (1000.0 + rng.random(37)).astype(np.float32), rng.random(37).astype(np.float32)
    out = np.empty((9, 37), np.float32)
    reading_kernels.windowed(
        a, *last_first(channel), 30, profile, np.float32(0.5), np.float32(20.0), window, out
    )
    plain = in_order_of_reading(a, channel)[30:39].astype(np.float64) - profile - 0.5
    bad = np.abs(plain) > 20.0
    plain[bad] = 0.0
    plain = np.where(bad, 0.0, plain - plain.mean(axis=1, keepdims=True)) * window
    assert np.allclose(out, plain, atol=2e-4)
    spectra, sums = np.fft.rfft(out, axis=1).astype(np.complex64), np.ones(19)
    reading_kernels.add_powers(spectra.view(np.float32), sums)
    assert np.allclose(sums, 1.0 + (np.abs(spectra.astype(np.complex128)) ** 2).sum(axis=0), rtol=1e-5)


def test_the_histogram_of_differences_is_exact() -> None:
    a, b = frames(4, (33, 31))
    found, plain = difference_histogram(a, b), histogram(a.astype(np.int32) - b)
    assert found.low == plain.low and found.counts.tolist() == plain.counts.tolist()


@pytest.mark.parametrize("cell", [0.0, 20.0])
def test_what_halves_have_in_common_about_a_shape(cell: float) -> None:
    first, second = halves(5)
    image = np.full_like(first, np.nan)
    counts = np.full(SHAPE, 3, np.uint16), np.full(SHAPE, 2, np.uint16)
    counts[0][11, 12], counts[0][3, 3], counts[1][3, 3] = 0, 0, 0
    response_kernels.together(first, counts[0], second, counts[1], image)
    n1, n2 = (c.astype(np.float64) for c in counts)
    with np.errstate(invalid="ignore"):
        plain = (np.where(n1 > 0, first, 0.0) * n1 + second * n2) / (n1 + n2)
    seen = n1 + n2 > 0
    assert np.allclose(image[seen], plain[seen], rtol=1e-6)
    image[3, 3] = plain[3, 4]
    shape = spline(image, cell) if cell else polynomial(image, 3)
    whole = shape.thinned().astype(np.float64)
    assert np.allclose(shape.profile(0), whole.mean(axis=1), rtol=1e-6)
    assert np.allclose(shape.profile(1), whole.mean(axis=0), rtol=1e-6)
    centres, reach = np.array([0.001, -0.002, 3.0], np.float32), np.array([0.04, 0.05, 250.0], np.float32)
    by_row, by_column, totals = np.zeros((3, SHAPE[0])), np.zeros((5, SHAPE[1])), np.zeros(6)
    response_kernels.common(first, second, *shape.terms, centres, reach, by_row, by_column, totals)
    a, b = (h / whole - 1.0 - c for h, c in zip((first, second), centres.astype(float), strict=False))
    good = (np.abs(a) <= reach[0]) & (np.abs(b) <= reach[1])
    a, b = np.where(good, a, 0.0), np.where(good, b, 0.0)
    for axis, sums in ((1, by_row), (0, by_column)):
        assert sums[0].tolist() == good.sum(axis=axis).tolist()
        assert np.allclose(sums[1:3], [a.sum(axis=axis), b.sum(axis=axis)], atol=1e-5)
    rows = np.array([s.sum(axis=1) for s in (a, b)]) / np.maximum(good.sum(axis=1), 1)
    left_out = ~good & good.any(axis=1, keepdims=True)
    assert np.allclose(by_column[3:], rows @ left_out, atol=1e-5)
    assert np.allclose(totals[:3], [(a * a).sum(), (b * b).sum(), (a * b).sum()], rtol=1e-4)
    d = first.astype(np.float64) - second - 3.0
    near = np.abs(d) <= 250.0
    assert totals[3] == near.sum()
    assert np.allclose(totals[4:], [d[near].sum(), (d[near] ** 2).sum()], rtol=1e-4)


def test_an_image_over_its_shape_and_the_means_of_boxes() -> None:
    image, _ = halves(6)
    shape = polynomial(image, 3)
    whole = shape.thinned()
    out, odd = np.empty_like(image), np.empty(SHAPE, np.uint8)
    by_row, by_column = np.zeros((2, SHAPE[0])), np.zeros((2, SHAPE[1]))
    low, high = np.float32(0.5), np.float32(1.5)
    least = response_kernels.over_shape(image, *shape.terms, low, high, out, odd, by_row, by_column)
    plain = image / whole
    assert least == pytest.approx(whole.min(), rel=1e-6)
    assert np.allclose(out, plain, rtol=1e-6, equal_nan=True)
    good = (plain >= 0.5) & (plain <= 1.5)
    assert np.array_equal(odd == 0, good) and odd[11, 12] == 1 and odd[70].all()
    for axis, sums in ((1, by_row), (0, by_column)):
        assert sums[0].tolist() == good.sum(axis=axis).tolist()
        assert np.allclose(sums[1], np.where(good, plain - 1.0, 0.0).sum(axis=axis), atol=1e-4)
    bad = np.zeros(SHAPE, np.uint8)
    bad[70] = 1
    boxes = np.empty_like(image)
    response_kernels.box_means(image, *shape.terms, bad, boxes)
    filled = np.where((bad != 0) | ~np.isfinite(plain), 1.0, plain).astype(np.float64)
    assert np.allclose(boxes, uniform_filter(filled, 5, mode="nearest"), atol=1e-6)


def test_pixels_that_stand_out_are_those_of_the_whole_difference() -> None:
    a, b = frames(7, (150, 170))
    a[100, 3:9] += 60
    around = local(a.astype(np.float32) - b, 32)
    assert around is not None
    cells = (*between(around.ys, 150), *between(around.xs, 170))
    expected = np.flatnonzero(np.abs(around.significance) > 3.0)
    for room in (3, 1000):
        places, z = np.full(room, -1), np.zeros(room, np.float32)
        n = search_kernels.standing_out(a, b, around.means, around.sigmas, *cells, np.float32(3.0), places, z)
        told = min(n, room)
        assert n == expected.size and places[:told].tolist() == expected[:told].tolist()
        assert np.allclose(z[:told], around.significance.ravel()[expected[:told]], rtol=1e-4)


def test_lines_are_means_without_outliers_whatever_is_lost() -> None:
    rng = np.random.default_rng(8)
    image = (5.0 + rng.standard_normal((300, 260))).astype(np.float32)
    image[:, 40] += 30.0  # a column that stands out keeps its level
    image[rng.random(image.shape) < 1e-3] += np.float32(1e5)
    image[17], image[5, 6] = np.nan, np.inf
    found = profiles(image)
    good = np.isfinite(image) & (np.abs(image - 5.0) < 1e3)
    assert np.isnan(found.rows[17]) and found.of_row[17] == 0
    for axis, lines, number in ((1, found.rows, found.of_row), (0, found.columns, found.of_column)):
        lit = number > 0
        plain = np.where(good, image, 0.0).sum(axis=axis)[lit] / good.sum(axis=axis)[lit]
        plain -= (axis == 1) * np.where(good[lit, 40], 30.0, 0.0) / 260.0 if axis == 1 else 0.0
        # rows leave out the column that stands out of them
        assert np.abs(lines[lit] - plain).max() < 0.06 and abs((lines[lit] - plain).mean()) < 0.005
    assert found.columns[40] == pytest.approx(35.0, abs=0.5)
    near = np.zeros((2, 300)), np.zeros((2, 260))
    middles = np.full(300, 5.0, np.float32), np.full(260, 5.0, np.float32)
    image_kernels.near_lines(image, middles[0], np.float32(3.0), middles[1], np.float32(2.0), *near)
    for axis, sums, most in ((1, near[0], 3.0), (0, near[1], 2.0)):
        inside = np.abs(image - np.float32(5.0)) <= most
        assert sums[0].tolist() == inside.sum(axis=axis).tolist()
        assert np.allclose(sums[1], np.where(inside, image - 5.0, 0.0).sum(axis=axis), atol=1e-4)


def test_values_spread_over_their_steps_have_the_quantiles_of_such_values() -> None:
    rng = np.random.default_rng(9)
    steps = np.rint(rng.normal(0.0, 2.0, (700, 700))).astype(np.float32)
    spread = steps + rng.uniform(-0.5, 0.5, steps.shape)
    fractions = [0.05, 0.4, 0.5, 0.501, 0.95]
    found = distribution(steps).spread_over(1.0, fractions)
    # sampling of the twin's own random numbers: √(p (1 − p) / n) over the density, 0.003 at most
    assert np.abs(found - np.quantile(spread, fractions)).max() < 0.02
    assert len(set(distribution(steps).quantiles([0.4, 0.5, 0.501]).tolist())) < 3
    fine = rng.normal(0.0, 2.0, (300, 300)).astype(np.float32)
    same = distribution(fine)
    assert np.allclose(same.spread_over(0.0, fractions), same.quantiles(fractions), atol=2e-3)
    assert same.spread_over(0.1, [0.0, 1.0]).tolist() == same.quantiles([0.0, 1.0]).tolist()
