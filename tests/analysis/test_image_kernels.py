"""Compiled passes over images against their plain twins in numpy."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import image_kernels, tile_kernels
from analysis.checks import flicker
from analysis.maps import map_of
from analysis.structure import smooth, structure
from campaign.geometry import Channel, Geometry, Region, quadrants
from campaign.model import Detector


def scene(shape: tuple[int, int], noise: float = 0.6, seed: int = 5) -> tuple[NDArray[np.float32], ...]:
    """Two masters of one scene with smooth shape, columns, rows and pixels, and a few outliers."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    common = 0.01 * y + 1e-4 * (x - 0.4 * shape[1]) ** 2 + rng.normal(0, 0.3, shape[1])[None]
    common = common + rng.normal(0, 0.2, shape[0])[:, None] + rng.normal(0, 0.25, shape)
    out = tuple((common + rng.normal(0, noise, shape)).astype(np.float32) for _ in range(2))
    out[0][rng.random(shape) < 1e-3] += 50
    return out


@pytest.mark.parametrize("shape", [(128, 128), (131, 97), (410, 333)])
def test_structure_is_the_covariance_about_rows_and_columns(shape: tuple[int, int]) -> None:
    """The plain twin: masks and means over whole arrays, in double precision."""
    first, second = scene(shape)
    found = structure(first, second)
    a, b = (i.astype(np.float64) - smooth(i).rows @ smooth(i).across for i in (first, second))
    good = np.abs(a - np.median(a)) < 20.0
    a, b = a - a[good].mean(), b - b[good].mean()

    def means(r: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.where(good, r, 0).sum(axis) / good.sum(axis)

    left = [r - means(r, 0)[None, :] - means(r, 1)[:, None] for r in (a, b)]
    rest = (left[0] * left[1])[good].sum() / (good.sum() - 1)
    assert found.outliers == (~good).sum()
    assert found.pixels.value == pytest.approx(rest * a.size / ((shape[0] - 1) * (shape[1] - 1)), rel=1e-9)
    for part, axis in ((found.columns, 0), (found.rows, 1)):
        m = [means(r, axis) for r in (a, b)]
        own = np.cov(*m)[0, 1] * (m[0].size - 1) / (m[0].size - 6) - found.pixels.value / shape[axis]
        assert part.value == pytest.approx(own, rel=1e-9)


def test_the_smooth_shape_follows_the_mean_of_whole_numbers_and_no_outlier() -> None:
    """A median of whole numbers is one; the mean is not. Outliers of one sign must not pull it."""
    rng = np.random.default_rng(6)
    image = np.rint(1000.3 + rng.normal(0.0, 1.2, (800, 800))).astype(np.float32)
    image[rng.random(image.shape) < 0.01] += 5000
    image[100:120, 5] = np.nan
    shape = smooth(image).whole()
    assert np.abs(shape[200:600, 200:600] - 1000.3).max() < 0.02 and np.abs(shape - 1000.3).max() < 0.06


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_and_columns_of_a_difference_are_judged_alike(axis: int) -> None:
    rng = np.random.default_rng(11)
    difference = rng.normal(0.0, 3.0, (300, 300)).astype(np.float32)
    difference[rng.random(difference.shape) < 1e-3] = 1e4
    difference[7, 9] = np.nan
    good = rng.random(difference.shape) < 0.9
    lines = flicker(difference, good, axis=axis)
    turned = flicker(difference.T, good.T, axis=1 - axis)
    assert lines.effect == pytest.approx(turned.effect, rel=1e-9) and not lines.raised
    shaken = difference + np.expand_dims(rng.normal(0, 1.0, 300), axis).astype(np.float32)
    assert flicker(shaken, good, axis=axis).raised and not flicker(shaken, good, axis=1 - axis).raised
    assert flicker(shaken, good, axis=axis).excess == pytest.approx(1.0, rel=0.3)


def test_medians_are_exact_and_folded_sums_right() -> None:
    rng = np.random.default_rng(2)
    for n in (1, 2, 3, 10, 101, 1000):
        values = np.rint(rng.normal(0, 4, n)).astype(np.float32)
        assert tile_kernels.middle_of(values.copy(), n) == np.median(values)
        assert tile_kernels.middle_of(-1e4 - values, n) == np.median(-1e4 - values)
        lanes = values.astype(np.float64)
        assert image_kernels.folded(lanes, n) == pytest.approx(values.sum(dtype=np.float64))


def test_a_median_is_exact_whatever_the_values_and_leaves_them_as_they_are() -> None:
    rng = np.random.default_rng(3)
    for n in (1, 2, 5, 8, 63, 64, 255, 256):
        for values in (
            rng.normal(0, 1e-3, n), rng.normal(3e4, 90, n), rng.integers(-1, 2, n), np.full(n, -7.5),
            rng.choice([-np.inf, 0.0, np.inf], n), np.r_[np.zeros(n - 1), 3e38], rng.normal(0, 1, n) * 1e30,
        ):  # fmt: skip
            held = np.append(values, -9e9).astype(np.float32)  # the last one is not asked for
            before = held.copy()
            ordered = np.sort(held[:n])
            with np.errstate(invalid="ignore", over="ignore"):
                expected = np.float32(0.5) * (ordered[(n - 1) // 2] + ordered[n // 2])
            if n % 2:
                expected = ordered[n // 2]
            assert np.array_equal(tile_kernels.middle_of(held, n), expected, equal_nan=True)
            assert np.array_equal(held, before)
    assert np.isnan(tile_kernels.middle_of(np.zeros(3, np.float32), 0))


def test_a_map_is_the_mosaic_averaged_over_squares() -> None:
    geometry = quadrants(rows=700, columns=650, prescan=11, overscan=7, parallel=5)
    detector = Detector(name="D", geometry=geometry)
    rng = np.random.default_rng(4)
    whole = np.full(geometry.shape, np.nan)
    planes = {}
    for c in geometry.channels:
        planes[c.name] = rng.normal(0, 1, c.image.shape).astype(np.float32)
        planes[c.name][3, 4] = np.nan
        whole[c.image.slices] = planes[c.name]
    marked = {"F": (np.array([0]), np.array([2]))}
    found = map_of(planes, detector, "level [ADU]", marked)
    n = found.side
    assert n == -(-max(geometry.shape) // 640) and found.shape == geometry.shape
    for y, x in ((0, 0), (5, 9), (found.data.shape[0] - 1, found.data.shape[1] - 1), (230, 215)):
        square = whole[y * n : (y + 1) * n, x * n : (x + 1) * n]
        expected = np.nanmean(square) if np.isfinite(square).any() else np.nan
        assert found.data[y, x] == pytest.approx(expected, nan_ok=True)
    f = geometry.channel("F").image
    assert found.points == ((float(f.y0), float(f.x0 + 2)),)


def test_channels_of_several_extensions_stand_side_by_side() -> None:
    channels = tuple(Channel(name, Region(0, 4, 0, 5), hdu=i) for i, name in enumerate(("A", "B"), start=1))
    detector = Detector(name="D", geometry=Geometry("two", (4, 5), channels))
    found = map_of({n: np.full((4, 5), v, np.float32) for n, v in (("A", 1.0), ("B", 2.0))}, detector, "x")
    assert found.shape == (4, 10) and found.data.tolist() == [[1.0] * 5 + [2.0] * 5] * 4
    assert found.outlines == (("A", 0, 4, 0, 5), ("B", 0, 4, 5, 10))


def test_no_module_of_kernels_calls_another() -> None:
    """Compiled code is kept by the date of its own file: it would go on calling what another file was."""
    for path in sorted(Path(image_kernels.__file__).parent.glob("*_kernels.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        assert not [n for n in names if n and n.startswith("analysis")], path.name
