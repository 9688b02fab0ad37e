"""What the response is over: spline, polynomial, reference; and dust."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.contract import ContractError
from analysis.flat import PROCEDURE
from analysis.flat.response import response_of
from analysis.flat.shape import dust, polynomial, spline
from analysis.in_memory import measured, value
from bench.truth.of_flat import COLUMNS, LIGHT, ROWS, flat, given


def test_a_spline_follows_a_smooth_shape_exactly_where_cells_do() -> None:
    y, x = np.mgrid[0:200, 0:150] / 100.0
    image = (1000.0 + 20.0 * x - 10.0 * y).astype(np.float32)
    found = spline(image, 25.0)
    assert np.abs(found.thinned() - image).max() < 0.05
    assert 0.99 < found.left < 1.01  # at the edges the spline is continued beyond the outermost means


@pytest.mark.parametrize(("size", "cell"), [((200, 150), 10.0), ((120, 130), 8.0), ((64, 64), 25.0)])
def test_what_a_spline_leaves_of_independent_pixels_is_what_it_says(
    size: tuple[int, int], cell: float
) -> None:
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(40):
        image = rng.standard_normal(size, dtype=np.float32)
        found = spline(image, cell)
        ratios.append(float(((image - found.thinned()) ** 2).mean() / (image**2).mean()))
    assert abs(np.mean(ratios) - found.left) < 5 * np.std(ratios) / np.sqrt(len(ratios)) + 2e-4


def test_bowed_light_makes_no_response() -> None:
    """Means of cells lie below light that is bowed: the response about them is not 1 on average, but its relative scatter is what it is."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[-1:1:100j, -1:1:100j]
    light, ratios = 1e4 * (1.0 - 0.1 * (x * x + y * y)), []
    for _ in range(40):
        own = 0.01 * rng.standard_normal(light.shape)
        image = (light * (1.0 + own)).astype(np.float32)
        told = response_of(
            image, image, image.copy(), polynomial(image, 5), cell=25.0, degree=5, bounds=(0.5, 1.5)
        )
        ratios.append(told.pattern.value / float(own.var()))
    assert abs(np.mean(ratios) - 1.0) < 4 * np.std(ratios) / np.sqrt(len(ratios))


def test_cells_without_pixels_take_their_neighbours_level() -> None:
    image = np.full((100, 100), 7.0, np.float32)
    image[:25, :25] = np.nan
    assert np.allclose(spline(image, 25.0).thinned(), 7.0)
    with pytest.raises(ValueError, match="finite"):
        spline(np.full((50, 50), np.nan, np.float32), 25.0)


def test_dust_is_found_and_columns_and_single_pixels_are_none() -> None:
    rng = np.random.default_rng(2)
    image = (1.0 + 0.005 * rng.standard_normal((200, 200))).astype(np.float32)
    y, x = np.mgrid[0:200, 0:200]
    spot = np.hypot(y - 60, x - 120) < 9
    image[spot] *= 0.94
    image[:, 30] *= 0.9
    image[150, 150] = 0.1
    even, good = polynomial(np.ones_like(image), 0), np.zeros(image.shape, bool)
    count, y_in, x_in = dust(image, even, good, 0.01, 30)
    assert count == 1
    assert 0.7 * spot.sum() < y_in.size < 1.7 * spot.sum()
    assert (60, 120) in zip(y_in.tolist(), x_in.tolist(), strict=True) and 30 not in x_in
    clean = (1.0 + 0.005 * rng.standard_normal((200, 200))).astype(np.float32)
    count, y_in, _ = dust(clean, even, good, 0.01, 30)
    assert (count, y_in.size) == (0, 0)


def test_coarse_structure_counts_for_the_polynomial_and_not_for_the_spline() -> None:
    rng = np.random.default_rng(3)
    wave = (
        1.0
        + 0.02
        * np.sin(2 * np.pi * np.arange(COLUMNS) / 200.0)[np.newaxis, :]
        * np.sin(2 * np.pi * np.arange(ROWS) / 200.0)[:, np.newaxis]
    )
    pixels = [wave * (1.0 + 0.01 * rng.standard_normal((ROWS, COLUMNS))) for _ in range(4)]
    images = [flat(rng, [LIGHT * p for p in pixels]) for _ in range(4)]
    fine = value(measured(PROCEDURE, given(images)), "prnu", "E").value
    coarse = value(measured(PROCEDURE, given(images, estimator="polynomial", degree=2)), "prnu", "E").value
    assert fine is not None and coarse is not None
    assert fine == pytest.approx(1.0, abs=0.03)
    assert coarse > 1.2


def test_the_reference_has_no_ratio_and_unknown_estimators_are_refused() -> None:
    rng = np.random.default_rng(4)
    pixels = [1.0 + 0.01 * rng.standard_normal((ROWS, COLUMNS)) for _ in range(4)]
    images = [flat(rng, [LIGHT * p for p in pixels]) for _ in range(8)]
    colours = [600.0] * 4 + [900.0] * 4
    for reference, of, other in (("", "600.0", "900.0"), ("wavelength=900.0", "900.0", "600.0")):
        results = measured(PROCEDURE, given(images, colours, estimator="reference", reference=reference))
        by = {m.setting: m for m in results.measurements if m.quantity == "prnu" and m.channel == "E"}
        assert by[f"wavelength={of}"].reason == "no-reference"
        ratio = by[f"wavelength={other}"]
        assert "consistent-with-zero" in ratio.flags  # both respond alike
    with pytest.raises(ContractError, match="estimator"):
        measured(PROCEDURE, given(images, estimator="guess"))
