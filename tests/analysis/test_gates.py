"""The gates procedure against planted faults of converter, edges, overscan and read-out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.contract import FrameInput, Results
from analysis.gates import PROCEDURE
from analysis.gates.converter import bits_of, nonlinearity_of
from analysis.gates.edges import without_single
from analysis.histogram import histogram
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from builder.simulate.effects.converter import clamp, code_widths, converted, stuck
from campaign.geometry import Channel as OneChannel
from campaign.geometry import Corner, Geometry, Region, single

ROWS, COLUMNS = 160, 128
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"


def camera(corner: Corner = "lower-left") -> Geometry:
    """One channel with prescan and overscan, read at some corner."""
    right = corner.endswith("right")

    def across(a: int, b: int) -> Region:
        return Region(0, ROWS, 154 - b, 154 - a) if right else Region(0, ROWS, a, b)

    channel = OneChannel("A", across(6, 134), across(0, 6), across(134, 154), None, corner)
    return Geometry("one", (ROWS, 154), (channel,))


def levels(rng: np.random.Generator, signal: float, pattern: NDArray[np.float64]) -> NDArray[np.float64]:
    """A frame in order of reading [ADU]: offset 1000, light over a pattern, noise 3."""
    out = rng.normal(1000.0, 3.0, (ROWS, 154))
    out[:, 6:134] += rng.poisson(signal * pattern)
    return out


def run(
    images: list[NDArray[np.generic]], geometry: Geometry, biases: list[NDArray[np.generic]] | None = None
) -> Results:
    made = detector(geometry)
    flats: list[FrameInput] = [
        frame_input(image, made, "flat", 10 + i, 1.0) for i, image in enumerate(images)
    ]
    zeros = [frame_input(image, made, "bias", i, 0.0) for i, image in enumerate(biases or [])]
    return measured(PROCEDURE, inputs(PROCEDURE, made, {"flat": flats, "bias": zeros}))


def pattern(rng: np.random.Generator) -> NDArray[np.float64]:
    return 1.0 + 0.01 * rng.standard_normal((ROWS, COLUMNS))


def placed(image: NDArray[np.generic], corner: Corner) -> NDArray[np.generic]:
    rows = image[::-1] if corner.startswith("upper") else image
    return rows[:, ::-1] if corner.endswith("right") else rows


@pytest.mark.parametrize("bit", [0, 1, 3, 6])
@pytest.mark.parametrize("state", [True, False])
def test_a_stuck_bit_is_found_and_no_other(bit: int, state: bool) -> None:
    codes = digitised(np.random.default_rng(1).normal(5000.0, 60.0, 200_000))
    found = bits_of(histogram(stuck(codes, bit, state)))
    assert found.stuck == (bit,)
    assert found.shares[bit] == float(state)


def test_bits_that_the_light_does_not_reach_are_not_tested() -> None:
    found = bits_of(histogram(digitised(np.random.default_rng(2).normal(5000.0, 60.0, 200_000))))
    assert found.stuck == ()
    assert not {11, 12, 13, 14, 15} & set(found.tested)  # 4760 … 5240 lies between changes of these
    assert {0, 1, 2, 3, 4, 5} <= set(found.tested)


def test_codes_of_one_width_show_no_non_linearity_and_a_wide_one_is_found() -> None:
    rng = np.random.default_rng(3)
    light = rng.normal(2000.0, 40.0, 400_000)
    even = nonlinearity_of(histogram(digitised(light)), 40.0, 400.0)
    assert even is not None and even.square is not None
    assert abs(even.square) < 4 * even.square_error
    widths = np.ones(4096)
    widths[2010] = 1.3
    wide = nonlinearity_of(histogram(converted(light, widths)), 40.0, 400.0)
    assert wide is not None and wide.codes[wide.worst] == 2010
    assert abs(wide.dnl[wide.worst] - 0.3) < 5 * wide.errors[wide.worst]


def test_missing_codes_are_minus_one() -> None:
    light = np.random.default_rng(4).normal(2000.0, 40.0, 400_000)
    widths = np.ones(4096)
    widths[1995] = 0.0
    found = nonlinearity_of(histogram(converted(light, widths)), 40.0, 400.0)
    assert found is not None and found.codes[found.worst] == 1995
    assert found.dnl[found.worst] == pytest.approx(-1.0, abs=0.1)


def test_widths_keep_their_mean() -> None:
    widths = code_widths(4096, 0.1, np.random.default_rng(5))
    assert widths.mean() == pytest.approx(1.0)
    assert widths.std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("corner", ["lower-left", "lower-right", "upper-left", "upper-right"])
def test_tearing_is_the_same_for_each_corner(corner: Corner) -> None:
    rng = np.random.default_rng(6)
    torn = pattern(rng)
    torn[:, 0] *= 0.9
    images = [placed(digitised(levels(rng, 20000.0, torn)), corner) for _ in range(3)]
    found = run(images, camera(corner))
    tear = value(found, "tearing")
    assert tear.value is not None and tear.uncertainty is not None
    assert abs(tear.value + 10.0) < 5 * tear.uncertainty
    assert "column 0 " in tear.note
    assert value(found, "torn_edges").value == 0  # alike at all heights: an edge, no tear


def test_an_edge_that_changes_along_the_column_is_torn() -> None:
    rng = np.random.default_rng(7)
    torn = pattern(rng)
    torn[ROWS // 2 :, -1] *= 0.85
    found = run([digitised(levels(rng, 20000.0, torn)) for _ in range(3)], camera())
    assert value(found, "torn_edges").value == 1


def test_single_pixels_at_the_edge_are_no_tear() -> None:
    """Dead, bright and without a number: each in one of the heights at which the ratio is taken."""
    rng = np.random.default_rng(9)
    flawed = pattern(rng)
    flawed[14, -1], flawed[ROWS // 2, 0], flawed[int(0.95 * ROWS), -2] = 0.0, 3.0, 0.0
    found = run([digitised(levels(rng, 20000.0, flawed)) for _ in range(3)], camera())
    assert value(found, "torn_edges").value == 0
    tear = value(found, "tearing")
    assert tear.value is not None and tear.uncertainty is not None
    assert abs(tear.value) < 4.5 * tear.uncertainty


def test_means_of_columns_leave_out_single_pixels_alone() -> None:
    values = np.random.default_rng(10).normal(1000.0, 5.0, (100, 40))
    plain = values.mean(axis=0)
    values[3, 0], values[4, 1], values[5, 1], values[:, 3] = 0.0, 9000.0, np.nan, np.nan
    values[:30, 2] -= 200.0  # a third of a column is its own
    found = without_single(values)
    assert np.isnan(found[3])
    assert np.abs(found[:2] - plain[:2]).max() < 5.0 * 5.0 * np.sqrt(2 / 100 / 98)
    assert found[2] == pytest.approx(plain[2] - 60.0)
    np.testing.assert_allclose(found[4:], plain[4:])


def test_clean_flats_pass_all_gates() -> None:
    rng = np.random.default_rng(8)
    even = pattern(rng)
    biases: list[NDArray[np.generic]] = [digitised(levels(rng, 0.0, even)) for _ in range(3)]
    found = run([digitised(levels(rng, 8000.0 + 500 * i, even)) for i in range(4)], camera(), biases)
    for name in ("torn_edges", "lost_rows", "lost_columns", "lost_pixels", "shifted_frames", "stuck_bits"):
        assert value(found, name).value == 0, name
    assert value(found, "saturation_level").reason == "not-reached"
    for name in ("overscan_change", "overscan_slope", "tearing"):
        m = value(found, name)
        assert m.value is not None and m.uncertainty is not None
        assert abs(m.value) < 4.5 * m.uncertainty, name


def test_the_end_of_the_converter_is_its_level() -> None:
    rng = np.random.default_rng(9)
    even = pattern(rng)
    bright: list[NDArray[np.generic]] = [
        clamp(digitised(levels(rng, 12000.0, even)), 0, 16383) for _ in range(2)
    ]
    m = value(run([*bright, digitised(levels(rng, 5000.0, even))], camera()), "saturation_level")
    dim = value(
        run([clamp(digitised(levels(rng, 15350.0, even)), 0, 16383)] * 2, camera()), "saturation_level"
    )
    assert m.reason == "not-reached"
    assert dim.value == 16383


def test_lost_and_shifted_pixels_are_counted() -> None:
    rng = np.random.default_rng(10)
    even = pattern(rng)
    images: list[NDArray[np.generic]] = [digitised(levels(rng, 20000.0, even)) for _ in range(5)]
    lost = np.array(images[1])
    lost[40:42] = 0
    images[1] = lost
    images[3] = np.roll(images[3], 1, axis=0)
    found = run(images, camera())
    assert value(found, "lost_rows").value == 2
    assert value(found, "lost_columns").value == 0
    assert value(found, "lost_pixels").value == 2 * COLUMNS
    assert value(found, "shifted_frames").value == 1


def test_an_overscan_at_the_end_of_the_converter_is_flagged() -> None:
    rng = np.random.default_rng(11)
    images: list[NDArray[np.generic]] = []
    for _ in range(3):
        low = levels(rng, 20000.0, pattern(rng)) - 1000.0
        images.append(digitised(low))
    m = value(run(images, camera()), "overscan_pile")
    assert "clamped" in m.flags
    assert m.value is not None and m.value > 40


def test_what_cannot_be_had_says_why() -> None:
    rng = np.random.default_rng(12)
    bare = single(rows=ROWS, columns=COLUMNS)
    flat = digitised(rng.normal(5000.0, 50.0, (ROWS, COLUMNS)))
    found = run([flat], bare)
    assert value(found, "overscan_slope").reason == "no-overscan"
    assert value(found, "tearing").reason == "no-overscan"
    assert value(found, "shifted_frames").reason == "too-few-frames"
    assert value(found, "dnl").reason in (None, "too-few-pixels")
    floats = run([flat.astype(np.float32) + np.float32(0.25)], bare)
    assert value(floats, "stuck_bits").reason == "not-reached"
    assert value(floats, "saturation_level").reason == "not-reached"
    lost = run([np.full((ROWS, COLUMNS), np.nan, np.float32)], bare)
    assert {m.reason for m in lost.measurements} == {"too-few-pixels"}
    few = run([digitised(rng.normal(5000.0, 50.0, (12, 10)))], single(rows=12, columns=10))
    assert value(few, "dnl").reason == "too-few-pixels"


@pytest.mark.real
def test_real_flats_have_no_stuck_bits() -> None:
    if not REAL.is_dir():
        pytest.skip(f"the real frames are not here: {REAL}")
    from astropy.io import fits

    paths = sorted(p for p in REAL.rglob("*.f*t*") if "flat" in p.name.lower())[:3]
    if not paths:
        pytest.skip("no flats among the real frames")
    images = [np.asarray(fits.getdata(p)).astype(np.uint16) for p in paths]
    found = run(list(images), single(rows=images[0].shape[0], columns=images[0].shape[1]))
    bits = value(found, "stuck_bits")
    assert bits.value == 0 or bits.reason == "not-reached"
