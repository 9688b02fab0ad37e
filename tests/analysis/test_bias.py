from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.bias import PROCEDURE
from analysis.contract import FrameInput, ImageProduct, Measurement, TableProduct
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.structure import structure
from analysis.summary import piled_up
from campaign.geometry import quadrants, single, with_gains

CAMERA = detector(single(rows=48, columns=48, overscan=20))
RUNS = 200


def frames(
    rng: np.random.Generator,
    n: int = 8,
    noise: float = 1.5,
    scene: NDArray[np.float64] | float = 0.0,
    drift: float = 0.0,
) -> list[FrameInput]:
    shape = CAMERA.geometry.shape
    whole = np.zeros(shape)
    whole[:, :48] = scene
    return [
        frame_input(digitised(1000.37 + whole + drift * i + rng.normal(0, noise, shape)), CAMERA, "bias", i)
        for i in range(n)
    ]


def test_values_and_uncertainties_are_right_over_many_realisations() -> None:
    rng = np.random.default_rng(3)
    pulls: dict[str, list[float]] = {}
    for _ in range(RUNS):
        columns, rows = rng.normal(0, 0.5, 48), rng.normal(0, 0.4, (48, 1))
        scene = rng.normal(0, 0.7, (48, 48)) + columns + rows
        given = frames(rng, scene=scene - scene.mean())
        results = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": given}))
        truth = {
            "offset": 1000.37, "offset_overscan": 1000.37, "offset_drift": 0.0, "read_noise": 1.5,
            "gradient_rows": 0.0, "gradient_columns": 0.0, "fixed_pattern": 0.7,
        }  # fmt: skip
        for quantity, true in truth.items():
            m = value(results, quantity)
            assert m.value is not None and m.uncertainty is not None
            pulls.setdefault(quantity, []).append((m.value - true) / m.uncertainty)
    # errors from a scatter of few values have Student's tails, √(ν/(ν − 2)): eight frames' levels leave 6 degrees of
    # freedom, twice four rows' (columns') medians leave 6
    few = {"offset_drift": sqrt(6 / 4), "gradient_rows": sqrt(6 / 4), "gradient_columns": sqrt(6 / 4)}
    for quantity, found in pulls.items():
        tails = few.get(quantity, 1.0)
        assert abs(np.mean(found)) < 4.0 * tails / sqrt(RUNS), quantity
        assert 1.0 - 4.0 / sqrt(2 * RUNS) < np.std(found) < tails + 4.0 / sqrt(2 * RUNS), quantity


def test_structure_is_told_from_noise_and_absence_says_so() -> None:
    rng = np.random.default_rng(4)
    pulls = []
    for _ in range(RUNS):
        scene = rng.normal(0, 0.3, 48) + rng.normal(0, 0.2, (48, 48))
        a, b = (scene + rng.normal(0, 1.0, (48, 48)) for _ in range(2))
        s = structure(a, b)
        pulls.append(
            [(v.value - t) / v.error for v, t in ((s.columns, 0.09), (s.rows, 0.0), (s.pixels, 0.04))]
        )
    for found in np.array(pulls).T:
        assert abs(found.mean()) < 4.0 / sqrt(RUNS)
        assert abs(found.std() - 1.0) < 4.0 / sqrt(2 * RUNS)
    results = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": frames(rng)}))
    assert "consistent-with-zero" in value(results, "fixed_pattern").flags


def test_drift_is_measured_and_flagged_and_does_not_become_noise() -> None:
    given = frames(np.random.default_rng(5), drift=1.0)
    results = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": given}))
    drift, noise = value(results, "offset_drift"), value(results, "read_noise")
    assert drift.value is not None and drift.uncertainty is not None
    assert abs(drift.value - 7.0) < 5 * drift.uncertainty
    assert "unstable" in drift.flags and "unstable" in value(results, "offset").flags
    assert noise.value is not None and noise.uncertainty is not None
    assert abs(noise.value - 1.5) < 5 * noise.uncertainty


def test_clamped_converter_is_flagged() -> None:
    rng = np.random.default_rng(6)
    low = [
        frame_input(digitised(2.0 + rng.normal(0, 2, CAMERA.geometry.shape)), CAMERA, "bias", i)
        for i in range(4)
    ]
    results = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": low}))
    for quantity in ("offset", "read_noise"):
        assert "clamped" in value(results, quantity).flags


def test_the_thin_end_of_a_skew_tail_is_no_clamp() -> None:
    """Structure skews the distribution, so that its end holds more than a normal one would, and less than the level before."""
    rng = np.random.default_rng(9)
    tail = np.zeros((48, 48))
    tail.flat[:110] = np.repeat([5.0, 6.0, 7.0, 8.0], [60, 30, 15, 5])
    given = [
        frame_input(digitised(_with_overscan(1000.0 + tail + np.clip(rng.normal(0, 1.0, (48, 48)), -3, 1))), CAMERA, "bias", i)
        for i in range(6)
    ]  # fmt: skip
    assert any(piled_up(f.summaries["A"]) for f in given)
    results = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": given}))
    assert "clamped" not in value(results, "offset").flags


def _with_overscan(image: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.full(CAMERA.geometry.shape, 1000.0)
    whole[:, :48] = image
    return whole


def test_quantised_noise_is_flagged_and_left_as_it_is() -> None:
    results = measured(
        PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": frames(np.random.default_rng(7), noise=0.25)})
    )
    found = value(results, "read_noise")
    assert "quantised" in found.flags and "included" in found.note


def test_electrons_by_measured_gain_by_nominal_gain_and_by_none() -> None:
    rng = np.random.default_rng(8)
    given = {"bias": frames(rng)}
    nominal = detector(with_gains(CAMERA.geometry, {"A": 2.0}))
    gain = Measurement("gain", "A", "", 3.0, 0.3, "e⁻/ADU", "", 1, ("lamp-drift",))
    used = {("photon_transfer", "gain"): {"A": gain}}
    adu = value(measured(PROCEDURE, inputs(PROCEDURE, CAMERA, given)), "read_noise")
    assert adu.value is not None
    for camera, use, times, flag in (
        (CAMERA, used, 3.0, "caveated-input"),
        (nominal, None, 2.0, "nominal-gain"),
    ):
        m = value(measured(PROCEDURE, inputs(PROCEDURE, camera, given, used=use)), "read_noise_e")
        assert m.value == pytest.approx(adu.value * times) and flag in m.flags
    in_e = value(measured(PROCEDURE, inputs(PROCEDURE, CAMERA, given, used=used)), "read_noise_e")
    assert in_e.uncertainty is not None and in_e.uncertainty > 0.3 * adu.value
    none = value(measured(PROCEDURE, inputs(PROCEDURE, CAMERA, given)), "read_noise_e")
    assert (none.value, none.reason) == (None, "no-gain")


def test_master_is_the_mean_and_forgets_a_cosmic_ray() -> None:
    rng = np.random.default_rng(9)
    scene = np.zeros((48, 48))
    scene[10, 10] = 40.0
    given = frames(rng, n=10, scene=scene)
    given[3].pixels.image[20, 20] = 30_000  # type: ignore[attr-defined]
    results = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": given}))
    master, table = results.products["master_bias"], results.products["frame_offsets"]
    assert isinstance(master, ImageProduct) and isinstance(table, TableProduct)
    plane, error = master.planes["A"], master.planes["A_ERR"]
    assert abs(float(plane[20, 20]) - 1000.37) < 6 * 1.53 / sqrt(9)
    assert abs(float(plane[10, 10]) - 1040.37) < 6 * 1.53 / sqrt(10)
    assert float(np.median(error)) == pytest.approx(1.53 / sqrt(10), rel=0.05)
    assert len(table.columns["offset"]) == 10


def test_too_few_frames_and_dead_channels_are_said() -> None:
    rng = np.random.default_rng(10)
    two = measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": frames(rng, n=2)}))
    assert {m.reason for m in two.measurements} == {"too-few-frames"} and "master_bias" in two.absent
    camera = detector(quadrants(rows=24, columns=24))
    images = [rng.normal(1000, 2, camera.geometry.shape).astype(np.float32) for _ in range(4)]
    dead = camera.geometry.channel("F")
    for image in images:
        for region in (dead.image, dead.prescan, dead.overscan):
            assert region is not None
            image[region.slices] = np.nan
        image[camera.geometry.channel("E").image.slices][3, 3] = np.nan
    given = [frame_input(image, camera, "bias", i) for i, image in enumerate(images)]
    results = measured(PROCEDURE, inputs(PROCEDURE, camera, {"bias": given}))
    assert value(results, "offset", "F").reason == "too-few-pixels"
    assert "bad-pixels" in value(results, "offset", "E").flags
    for name in "EGH":
        m = value(results, "read_noise", name)
        assert m.value is not None and m.uncertainty is not None and abs(m.value - 2.0) < 6 * m.uncertainty


def test_float_frames_of_whole_numbers_lose_the_rounding_too() -> None:
    given = frames(np.random.default_rng(11))
    as_floats = [
        replace(f, pixels=type(f.pixels)(f.pixels.image.astype(np.float32)))  # type: ignore[attr-defined, call-arg]
        for f in given
    ]
    a, b = (
        value(measured(PROCEDURE, inputs(PROCEDURE, CAMERA, {"bias": g})), "read_noise")
        for g in (given, as_floats)
    )
    assert a.value is not None and b.value is not None and a.uncertainty is not None
    assert abs(a.value - b.value) < a.uncertainty
