"""The step of the chain that corrects non-linearity, alone and with the procedure whose table it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from test_linearity import Shots, bent, number, run

from analysis.contract import Inputs, Product, TableProduct
from analysis.correction import STEPS, Corrected, chain, takes
from analysis.in_memory import detector, frame_input, inputs, measured, value
from analysis.linearised import PART
from analysis.linearity import PROCEDURE
from analysis.masks import BITS
from builder.products import ecsv_bytes, read_product
from campaign.geometry import single

GEOMETRY = single(rows=16, columns=24, overscan=12)
CHANNEL = GEOMETRY.channels[0]
CAMERA = detector(GEOMETRY)
TABLE = TableProduct(
    {
        "channel": ["B", "A", "A", "A", "A", "A"],
        "setting": ["", "red", "red", "blue", "blue", "blue"],
        "level": [0.0, 0.0, 100.0, 0.0, 100.0, 50_000.0],
        "correction": [0.0, 0.0, 50.0, 0.0, 1.0, 1001.0],
        "error": [0.0] * 6,
    }
)


def given(product: Product | None = TABLE, setting: str = "", steps: str = "offset nonlinearity") -> Inputs:
    made: Mapping[tuple[str, str], object] = (
        {} if product is None else {("linearity", "correction"): lambda: product}
    )
    return replace(
        inputs(PROCEDURE, CAMERA, {"flat": [], "bias": []}, corrections=steps), products=made, setting=setting  # type: ignore[arg-type]
    )  # fmt: skip


def corrected(levels: np.ndarray, what: Inputs) -> Corrected:  # type: ignore[type-arg]
    image = np.full(GEOMETRY.shape, 300.0)
    image[CHANNEL.image.slices] += levels
    found = chain(what, CHANNEL)
    assert found.without == {} and found.words == "offset, nonlinearity"
    return found.apply(frame_input(image.astype(np.float32), CAMERA, "flat", 1, 1.0))


def test_its_place_is_after_the_bias_and_before_the_dark() -> None:
    order = list(STEPS)
    assert order.index("bias") < order.index("nonlinearity") < order.index("dark") < order.index("flat")
    assert [(t.procedure, t.product) for t in takes("nonlinearity")] == [("linearity", "correction")]


def test_levels_get_what_the_table_says() -> None:
    levels = np.linspace(0.0, 50_000.0, CHANNEL.image.size).reshape(CHANNEL.image.shape)
    out = corrected(levels, given(setting="blue"))
    expected = levels + np.interp(levels, [0.0, 100.0, 50_000.0], [0.0, 1.0, 1001.0])
    # half a step of the 65,536 held, times the steepest slope, and single precision
    np.testing.assert_allclose(out.values, expected, atol=0.5 * 50_000 / 65_535 * 0.0201 + 0.006)
    assert out.good.all()


def test_another_settings_table_is_the_electronics_too() -> None:
    levels = np.full(CHANNEL.image.shape, 80.0)
    assert corrected(levels, given(setting="green")).values == pytest.approx(120.0, abs=0.01)
    assert corrected(levels, given(setting="blue")).values == pytest.approx(80.8, abs=0.02)


def test_nothing_is_added_below_zero_and_what_lies_above_the_table_is_masked() -> None:
    levels = np.zeros(CHANNEL.image.shape)
    levels[0, :4] = -20.0, 60_000.0, np.nan, np.inf
    out = corrected(levels, given(setting="blue"))
    assert out.values[0, 0] == pytest.approx(-20.0) and out.mask[0, 0] == 0
    assert out.values[0, 1] == pytest.approx(60_000.0) and out.mask[0, 1] == BITS["uncorrected"]
    assert out.mask[0, 2] == BITS["no-value"] and np.isnan(out.values[0, 2])
    assert out.mask[0, 3] & BITS["no-value"]
    assert out.good.sum() == CHANNEL.image.size - 3


@pytest.mark.parametrize(
    ("product", "steps", "why"),
    [
        (None, "offset nonlinearity", "no table of corrections"),
        (
            TableProduct({**TABLE.columns, "channel": ["B"] * 6}),
            "offset nonlinearity",
            "nothing of this channel",
        ),
        (TABLE, "nonlinearity", "not above the offset"),
    ],
)
def test_a_step_that_cannot_be_had_says_why(product: Product | None, steps: str, why: str) -> None:
    found = chain(given(product, steps=steps), CHANNEL)
    assert why in found.without["nonlinearity"] and "nonlinearity" not in found.words


@pytest.mark.parametrize("k", [0.05, -0.03])
def test_corrected_frames_have_no_deviation_left(k: float) -> None:
    shots = Shots(bent(k))
    first = run(shots)
    flats = shots.flats()
    again = replace(
        inputs(PROCEDURE, shots.detector, {"flat": flats, "bias": []}, corrections="offset nonlinearity"),
        products={("linearity", "correction"): lambda: first.products["correction"]},
    )
    second = measured(PROCEDURE, again)
    assert number(first, "max_deviation") > 0.5
    # single precision, and a table of 200 levels and 65,536 codes
    assert number(second, "max_deviation") < 2e-3
    assert abs(number(second, "reference_deviation")) < 2e-3
    # the pixels of the brightest flat that lie above its mean have no correction: what is left of it is no fair sample
    assert any("have no value, beyond those that never have" in line for line in second.log)
    assert number(second, "max_level") < number(first, "max_level") * 1.05


def test_a_table_that_was_written_and_read_corrects_as_before(tmp_path: Path) -> None:
    shots = Shots(bent(0.03))
    table = run(shots).products["correction"]
    assert isinstance(table, TableProduct)
    path = tmp_path / "correction.ecsv"
    path.write_bytes(ecsv_bytes(table, [], []))
    levels = np.linspace(0.0, 50_000.0, CHANNEL.image.size).reshape(CHANNEL.image.shape)
    kept, read = (corrected(levels, given(product)) for product in (table, read_product(path, "ecsv")))
    np.testing.assert_array_equal(kept.values, read.values)
    np.testing.assert_array_equal(kept.mask, read.mask)


@settings(deadline=None, max_examples=20)
@drawn(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_any_smooth_response_is_straightened(one: float, two: float) -> None:
    """Corrections are cubics in level at most: the spline has them exactly, whatever their size."""
    grid = np.linspace(0.0, 70_000.0, 20_001)
    light = grid * (1.0 + one * grid / 65_535.0 + two * (grid / 65_535.0) ** 2)
    shots = Shots(lambda x: float(np.interp(x, light, grid)))
    table = run(shots, shutter="0", lamp_degree=0).products["correction"]
    assert isinstance(table, TableProduct)
    level, correction = (np.asarray(table.columns[n], float) for n in ("level", "correction"))
    straight = (level + correction)[1:] / np.interp(level[1:], grid, light)
    assert np.ptp(straight) / straight.mean() < 2e-5


def test_the_table_ends_where_levels_were_measured_and_begins_at_zero() -> None:
    found = run(Shots(bent(0.03)))
    table = found.products["correction"]
    assert isinstance(table, TableProduct)
    level, correction, error = (np.asarray(table.columns[n], float) for n in ("level", "correction", "error"))
    assert (np.diff(level) > 0).all() and level[0] == correction[0] == error[0] == 0.0
    assert level[-1] == pytest.approx(number(found, "max_level")) and (error[1:] > 0).all()
    assert set(table.columns["setting"]) == {value(found, "max_deviation").setting}


def test_parts_of_the_tables_error_are_its_covariance() -> None:
    """Squares of the parts at each level add up to that of the error, whatever the form of the curve."""
    results = run(Shots(bent(-0.02), noise=3.0))
    table = results.products["correction"]
    assert isinstance(table, TableProduct)
    parts = np.array([table.columns[n] for n in table.columns if n.startswith(PART)], np.float64)
    assert len(parts) > 1
    np.testing.assert_allclose(
        np.sqrt((parts**2).sum(axis=0)), np.asarray(table.columns["error"], np.float64), rtol=1e-9, atol=1e-12
    )
