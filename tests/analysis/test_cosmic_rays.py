"""Cosmic rays: hits of known place, charge and length; pixels that jump; frames that are too few; both estimators."""

from __future__ import annotations

from dataclasses import replace
from math import hypot

import numpy as np
import pytest

from analysis.contract import ContractError, FrameInput, ImageProduct, Product, Results, TableProduct
from analysis.cosmic_rays import PROCEDURE
from analysis.cosmic_rays.hits import Outstanding, hits_above, repeated, together
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from campaign.geometry import quadrants, single, with_gains
from campaign.model import Detector

GAIN, NOISE = 2.0, 2.5
GEOMETRY = with_gains(single(rows=128, columns=128, overscan=16), {"A": GAIN})
EYE = detector(GEOMETRY)
CHANNEL = GEOMETRY.channels[0]

STRAIGHT = [(20 + i, 30) for i in range(5)]
SLANTING = [(60 + i, 70 + i) for i in range(9)]
SHORT = [(100, 15)]


def dark(
    rng: np.random.Generator, number: int, hits: list[list[tuple[int, int]]], *, each: float = 500.0, time: float | None = 100.0
) -> FrameInput:  # fmt: skip
    """A dark in whose listed pixels there are ``each`` ADU more."""
    image = 1000.0 + rng.normal(0, NOISE, GEOMETRY.shape)
    for pixels in hits:
        for y, x in pixels:
            image[y, x] += each
    return frame_input(digitised(image), EYE, "dark", number, time)


def darks(seed: int = 1, frames: int = 4) -> list[FrameInput]:
    rng = np.random.default_rng(seed)
    hits = {0: [STRAIGHT], 1: [SLANTING], 2: [SHORT]}
    return [dark(rng, i, hits.get(i, [])) for i in range(frames)]


def rows_of(results: Results) -> list[dict[str, object]]:
    table = results.products["hits"]
    assert isinstance(table, TableProduct)
    names = list(table.columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*table.columns.values(), strict=True)]


@pytest.mark.parametrize("estimator", ["pairs", "lacosmic"])
def test_hits_have_their_frame_place_charge_and_length(estimator: str) -> None:
    results = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": darks()}, estimator=estimator))
    rows = rows_of(results)
    assert [r["exposure"] for r in rows] == ["0", "1", "2"]
    for row, pixels in zip(rows, (STRAIGHT, SLANTING, SHORT), strict=True):
        assert (row["y"], row["x"]) in pixels
        noise = GAIN * NOISE * 1.5 * np.sqrt(9 * len(pixels))
        assert row["charge"] == pytest.approx(500 * GAIN * len(pixels), abs=5 * noise)
        if estimator == "pairs":
            assert row["pixels"] == len(pixels)
            assert row["length"] == pytest.approx(
                hypot(pixels[-1][0] - pixels[0][0], pixels[-1][1] - pixels[0][1])
            )
        assert row["energy"] == pytest.approx(float(str(row["charge"])) * 3.65 / 1000)
    assert rows[0]["angle"] == pytest.approx(90.0) and rows[1]["angle"] == pytest.approx(45.0)
    assert value(results, "hits").value == 3 and value(results, "hits").uncertainty == pytest.approx(3**0.5)


def test_rates_are_over_time_pixels_and_efficiency() -> None:
    given = inputs(PROCEDURE, EYE, {"dark": darks()}, pixel_size=10.0, readout=20.0)
    results = measured(PROCEDURE, given)
    efficiency = value(results, "efficiency").value
    assert efficiency is not None
    rate, by_area = value(results, "rate"), value(results, "rate_area")
    seconds = 4 * 110.0
    assert rate.value == pytest.approx(3 / (128**2 / 1e6) / (seconds / 3600) / (efficiency / 100))
    assert by_area.value == pytest.approx(3 / (128**2 * 1e-6) / (seconds / 60) / (efficiency / 100))
    assert value(results, "rejected").value == pytest.approx(100 * 15 / (4 * 128**2))
    without = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": darks()}))
    assert value(without, "rate_area").reason == "no-pixel-size"


def test_a_constant_and_a_steady_hot_pixel_are_in_no_difference() -> None:
    rng = np.random.default_rng(2)
    frames = [dark(rng, i, [[(50, 50)]], each=3000.0) for i in range(4)]
    results = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames}))
    hits = value(results, "hits")
    assert hits.value == 0 and "consistent-with-zero" in hits.flags
    assert (
        value(results, "efficiency").reason == "too-few-pixels"
        and value(results, "charge").reason == "too-few-pixels"
    )
    rate = value(results, "rate")
    assert rate.value == 0 and rate.uncertainty is not None and rate.uncertainty > 0


def test_pixels_that_jump_are_no_particles() -> None:
    rng = np.random.default_rng(3)
    frames = [dark(rng, i, [[(50, 50)]] if i in (0, 3, 4) else []) for i in range(6)]
    results = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames}))
    assert value(results, "hits").value == 0 and "3 hits left out" in value(results, "hits").note


def test_an_odd_frame_counts_its_own_hits_once() -> None:
    rng = np.random.default_rng(4)
    frames = [dark(rng, 0, []), dark(rng, 1, [STRAIGHT]), dark(rng, 2, [SLANTING])]
    results = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames}))
    assert sorted(str(r["exposure"]) for r in rows_of(results)) == ["1", "2"]


def test_known_defects_are_passed_over() -> None:
    mask = np.zeros(CHANNEL.image.shape, np.int32)
    mask[20:25, 30] = 8
    given = inputs(PROCEDURE, EYE, {"dark": darks()})
    given = replace(given, products={("defects", "mask"): lambda: ImageProduct({"A": mask}, "")})
    results = measured(PROCEDURE, given)
    assert value(results, "hits").value == 2
    assert value(results, "rejected").n == 4 * (128**2 - 5)


def test_times_are_not_mixed_and_hits_of_all_count() -> None:
    rng = np.random.default_rng(5)
    frames = [
        dark(rng, 0, [STRAIGHT], time=100.0), dark(rng, 1, [], time=200.0),
        dark(rng, 2, [], time=100.0), dark(rng, 3, [SLANTING], time=200.0), dark(rng, 4, [SHORT], time=50.0),
    ]  # fmt: skip
    results = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames}))
    assert sorted(str(r["exposure"]) for r in rows_of(results)) == ["0", "3"]  # the single one has no partner
    assert "600 s" in value(results, "hits").note


def test_too_little_is_missing_with_its_reason() -> None:
    def reason(frames: list[FrameInput], **parameters: str) -> str | None:
        return value(
            measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames}, **parameters)), "rate"
        ).reason

    rng = np.random.default_rng(6)
    assert reason([]) == "too-few-frames"
    assert reason([dark(rng, 0, [])]) == "too-few-frames"
    assert reason([dark(rng, 0, [STRAIGHT])], estimator="lacosmic") is None
    assert reason([dark(rng, i, [], time=None) for i in range(3)]) == "exposure-time-unknown"
    full = np.full(GEOMETRY.shape, 65535, np.uint16)
    assert reason([frame_input(full, EYE, "dark", i, 9.0) for i in range(2)]) == "saturated"
    empty = np.full(GEOMETRY.shape, np.nan, np.float32)
    assert reason([frame_input(empty, EYE, "dark", i, 9.0) for i in range(2)]) == "too-few-pixels"
    with pytest.raises(ContractError, match="'guess' is none of"):
        reason([dark(rng, 0, [])], estimator="guess")


def test_without_a_gain_charge_is_missing_and_the_rest_is_not() -> None:
    eye = detector(single(rows=128, columns=128, overscan=16))
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": darks()}))
    assert value(results, "charge").reason == "no-gain" and value(results, "hits").value == 3
    assert all(np.isnan(r["energy"]) for r in rows_of(results))  # type: ignore[call-overload]


def test_nan_pixels_are_no_hits() -> None:
    frames = []
    for i, frame in enumerate(darks()):
        image = frame.pixels.image.astype(np.float32)  # type: ignore[attr-defined]
        image[5, 5:20] = np.nan
        frames.append(frame_input(image, EYE, "dark", i, 100.0))
    results = measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames}))
    assert value(results, "hits").value == 3 and "bad-pixels" in value(results, "hits").flags


def test_frames_with_very_different_numbers_are_told() -> None:
    rng = np.random.default_rng(7)
    places = [[(8 + 10 * (k // 12), 8 + 10 * (k % 12))] for k in range(100)]
    frames = [dark(rng, i, places if i == 0 else places[i : i + 1]) for i in range(4)]
    assert "unstable" in value(measured(PROCEDURE, inputs(PROCEDURE, EYE, {"dark": frames})), "rate").flags


def test_mirrored_channels_have_mirrored_hits() -> None:
    geometry = quadrants(rows=64, columns=64, prescan=0, overscan=8, parallel=0)
    eye, rng, frames = detector(geometry), np.random.default_rng(8), []
    for i in range(3):
        own = 1000.0 + rng.normal(0, NOISE, (64, 72))
        if i == 1:
            own[20:25, 33] += 400.0
        whole = np.concatenate([own, own[:, ::-1]], axis=1)
        frames.append(frame_input(digitised(np.concatenate([whole, whole[::-1]])), eye, "dark", i, 100.0))
    results = measured(PROCEDURE, inputs(PROCEDURE, eye, {"dark": frames}))
    for quantity in ("hits", "rejected"):
        assert len({value(results, quantity, c.name).value for c in geometry.channels}) == 1
    assert value(results, "hits", "H").value == 1


def test_islands_keep_apart_and_weak_ones_are_left() -> None:
    significance = np.zeros((30, 30), np.float32)
    significance[5, 5:8] = 4.0, 9.0, 3.5
    significance[7, 9] = 8.0  # one row between: another island
    significance[20, 20:24] = 5.0  # nothing beyond the threshold
    places = np.flatnonzero(significance)
    seen = Outstanding.at((30, 30), places, significance.ravel()[places].astype(np.float64))
    hits, stamps = hits_above(seen, lambda y, x: 2.0 * significance[y, x].astype(np.float64), 6.0, 3.0, 2)
    assert hits.number == 2 and hits.pixels.tolist() == [3, 1] and hits.frame.tolist() == [2, 2]
    assert hits.charge.sum() == pytest.approx(2 * (4 + 9 + 3.5 + 8))  # what lies between counts once
    assert np.unique(stamps.of).tolist() == [0, 1]
    below, _ = hits_above(seen, lambda y, x: significance[y, x].astype(np.float64), 6.0, 3.0, 0, sign=-1.0)
    assert below.number == 0 and not repeated(together([]), 4).any()


def with_steps(
    frames: list[FrameInput], steps: str, made: dict[tuple[str, str], Product], eye: Detector = EYE, estimator: str = "pairs"
) -> Results:  # fmt: skip
    given = inputs(PROCEDURE, eye, {"dark": frames}, corrections=steps, estimator=estimator)
    return measured(PROCEDURE, replace(given, products={k: lambda p=p: p for k, p in made.items()}))


def test_rows_whose_offset_drifts_hide_no_hits_once_corrected() -> None:
    rng = np.random.default_rng(3)
    frames = []
    for held in darks():
        drift = rng.normal(0.0, 300.0, (GEOMETRY.shape[0], 1))
        image = held.pixels.image  # type: ignore[attr-defined]
        frames.append(frame_input(digitised(image + drift), EYE, "dark", int(held.frame.exposure), 100.0))
    assert value(with_steps(frames, "", {}), "hits").value == 0
    results = with_steps(frames, "rows", {})
    found = value(results, "hits")
    assert [r["pixels"] for r in rows_of(results)] == [5, 9, 1] and "corrected: rows" in found.note


def test_a_steady_pixel_is_no_hit_of_a_single_frame_less_the_dark_master() -> None:
    frame = dark(np.random.default_rng(4), 0, [SLANTING, [(50, 50)]], each=500.0)
    rate = np.zeros(CHANNEL.image.shape, np.float32)
    rate[50, 50] = 5.0
    made: dict[tuple[str, str], Product] = {("dark", "master_dark"): ImageProduct({"A": rate}, "ADU/s")}
    assert value(with_steps([frame], "", made, estimator="lacosmic"), "hits").value == 2
    results = with_steps([frame], "offset dark", made, estimator="lacosmic")
    assert value(results, "hits").value == 1 and rows_of(results)[0]["pixels"] == pytest.approx(9, abs=3)


def test_charge_is_that_of_a_straight_converter_once_corrected() -> None:
    levels = np.linspace(0.0, 2000.0, 201)
    table = TableProduct(
        {"channel": ["A"] * 201, "setting": [""] * 201, "level": levels, "correction": 0.1 * levels, "error": 0.0 * levels}
    )  # fmt: skip
    plain, corrected, without = (
        with_steps(darks(), steps, made)
        for steps, made in (("", {}), ("offset nonlinearity", {("linearity", "correction"): table}), ("offset nonlinearity", {}))
    )  # fmt: skip
    charges = [[float(str(r["charge"])) for r in rows_of(found)] for found in (plain, corrected, without)]
    # pixels below the offset stay as they are: half of the noise beside hits
    assert charges[1] == pytest.approx([1.1 * c for c in charges[0]], rel=0.01)
    assert charges[2] == pytest.approx(charges[0], rel=1e-3)
    assert "without the step nonlinearity" in without.caveats[0]


def test_ghosts_of_a_bright_hit_are_no_hits_once_crosstalk_is_taken_off() -> None:
    geometry = quadrants(rows=64, columns=64, prescan=4, overscan=12, parallel=0)
    eye, rng = (
        detector(with_gains(geometry, {c.name: GAIN for c in geometry.channels})),
        np.random.default_rng(6),
    )
    bright, ghost = geometry.channels[0], geometry.channels[1]
    frames = []
    for i in range(4):
        image = 1000.0 + rng.normal(0, NOISE, geometry.shape)
        if i == 1:
            for channel, charge in ((bright, 30_000.0), (ghost, 300.0)):
                part = image[channel.image.slices]
                y, x = (
                    (20 if channel.corner.startswith("lower") else 43),
                    (30 if channel.corner.endswith("left") else 33),
                )
                part[y, x] += charge
        frames.append(frame_input(digitised(image), eye, "dark", i, 100.0))
    columns = {
        "victim_detector": ["CCD1"], "victim": [ghost.name], "aggressor_detector": ["CCD1"], "aggressor": [bright.name],
        "coefficient": [0.01], "error": [1e-5], "slope": [0.0], "slope_error": [1e-9], "signal": [30_000.0],
    }  # fmt: skip
    made: dict[tuple[str, str], Product] = {("crosstalk", "matrix"): TableProduct(columns)}
    before, after = (with_steps(frames, steps, made, eye) for steps in ("", "offset crosstalk"))
    assert [value(r, "hits", ghost.name).value for r in (before, after)] == [1, 0]
    assert [value(r, "hits", bright.name).value for r in (before, after)] == [1, 1]


def test_a_step_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ContractError, match="no step that is offered"):
        with_steps(darks(), "flat", {})
