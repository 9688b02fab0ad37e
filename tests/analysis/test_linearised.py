"""Pairs of flats of a converter that is not linear: what the table of the linearity procedure makes of them, and how certain that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import sqrt

import numpy as np
import pytest
from test_photon_transfer import LADDER, Camera, pull

from analysis.brighter_fatter import PROCEDURE as BRIGHTER_FATTER
from analysis.contract import (
    FrameInput,
    ImageProduct,
    Inputs,
    Measurement,
    Procedure,
    Product,
    Results,
    TableProduct,
)
from analysis.gain_stability import PROCEDURE as GAIN_STABILITY
from analysis.in_memory import digitised, frame_input, inputs, measured, value
from analysis.linearised import PART, Linearised, table_of
from analysis.photon_transfer import PROCEDURE as PHOTON_TRANSFER
from builder.simulate.effects.non_linearity import polynomial

BENT = (-0.06,)
"""Reads 6 % less at 65,536 ADU."""
CAMERA = Camera(size=96, a00=-1e-6, gain=1.5)
TOP = 56_000.0


def table(*, error: float = 0.0, top: float = TOP) -> TableProduct:
    """What has to be added to levels of the bent converter; ``error`` [ADU] at the top, in two parts that grow with the level and its square."""
    light = np.linspace(0.0, 1.1 * top, 4001)
    levels = np.linspace(0.0, top, 201)
    correction = np.interp(levels, polynomial(light, BENT), light) - levels
    part = error * np.array([levels / top, (levels / top) ** 2])
    return TableProduct(
        {
            "channel": ["A"] * levels.size, "setting": [""] * levels.size, "level": levels, "correction": correction,
            "error": np.sqrt((part**2).sum(axis=0)), f"{PART}1": part[0], f"{PART}2": part[1],
        }
    )  # fmt: skip


@cache
def frames(seed: int) -> tuple[list[FrameInput], list[FrameInput]]:
    """Flats, a pair of each level, and biases, read by the bent converter."""
    rng = np.random.default_rng(seed)
    flats, biases = CAMERA.flats(rng, LADDER[1:]), CAMERA.biases(rng)
    out = []
    for frame in flats:
        light = frame.pixels.read(CHANNEL, CHANNEL.image).astype(np.float64) - CAMERA.offset
        read = digitised(polynomial(light, BENT) + CAMERA.offset + rng.uniform(-0.5, 0.5, light.shape))
        out.append(frame_input(read, CAMERA.detector, "flat", frame.frame.number or 0, frame.frame.exptime))
    return out, biases


CHANNEL = CAMERA.detector.geometry.channels[0]


def given(
    seed: int, corrections: str, product: Product | None = None, procedure: Procedure = PHOTON_TRANSFER
) -> Inputs:
    flats, biases = frames(seed)
    return replace(
        inputs(procedure, CAMERA.detector, {"flat": flats, "bias": biases}, corrections=corrections),
        products={} if product is None else {("linearity", "correction"): lambda: product},
    )


def run(seed: int, corrections: str, product: Product | None = None) -> Results:
    return measured(PHOTON_TRANSFER, given(seed, corrections, product))


SEEDS = range(6)


def pulls(found: Sequence[Results]) -> np.ndarray:  # type: ignore[type-arg]
    """Mean pulls of gain and a₀₀."""
    every = [[pull(value(r, "gain"), CAMERA.gain), pull(value(r, "a00"), CAMERA.a00)] for r in found]
    out: np.ndarray = np.mean(every, axis=0)  # type: ignore[type-arg]
    return out


def test_a_bent_converter_biases_gain_and_a00_and_the_table_frees_them() -> None:
    raw = pulls([run(seed, "") for seed in SEEDS])
    assert raw[1] < -8.0, "it bends the curve as charge that repels charge does"
    corrected = [run(seed, "nonlinearity", table()) for seed in SEEDS]
    assert (np.abs(pulls(corrected)) < 4.0 / sqrt(len(SEEDS))).all()
    assert all("corrected: nonlinearity" in value(r, q).note for r in corrected for q in ("gain", "a00"))
    assert all("corrected" not in value(run(0, ""), q).note for q in ("gain", "a00"))


def test_errors_hold_those_of_the_table() -> None:
    """The scatter of gains for tables that are off by chance is what the table's parts add to the error."""
    exact, unsure = run(0, "nonlinearity", table()), run(0, "nonlinearity", table(error=150.0))
    made, rng, found = table(error=150.0), np.random.default_rng(5), []
    for one, other in rng.standard_normal((40, 2)):
        columns = dict(made.columns)
        columns["correction"] = (
            made.columns["correction"] + one * made.columns[f"{PART}1"] + other * made.columns[f"{PART}2"]
        )  # type: ignore[operator]
        held = run(0, "nonlinearity", replace(made, columns=columns))
        found.append([value(held, q).value for q in ("gain", "a00")])
    for quantity, scatter in zip(("gain", "a00"), np.std(found, axis=0, ddof=1), strict=True):
        added = (value(unsure, quantity).uncertainty or 0.0) ** 2 - (
            value(exact, quantity).uncertainty or 0.0
        ) ** 2
        assert sqrt(added) == pytest.approx(scatter, rel=4.0 / sqrt(80))


def test_gain_stability_is_freed_by_the_same_table() -> None:
    a00 = replace(value(run(0, ""), "a00"), value=CAMERA.a00, uncertainty=1e-8)

    def mean(steps: str, error: float) -> Measurement:
        what = given(0, steps, table(error=error), GAIN_STABILITY)
        used = {("photon_transfer", "a00"): {"A": a00}}
        return value(measured(GAIN_STABILITY, replace(what, used=used)), "gain_mean")

    raw, corrected, unsure = mean("", 0.0), mean("nonlinearity", 0.0), mean("nonlinearity", 300.0)
    assert raw.value is not None and raw.value > 1.03 * CAMERA.gain
    assert abs(pull(corrected, CAMERA.gain)) < 4.0
    assert corrected.uncertainty is not None and corrected.uncertainty < 0.01 * CAMERA.gain
    assert unsure.value == corrected.value and (unsure.uncertainty or 0.0) > corrected.uncertainty
    assert "corrected: nonlinearity" in corrected.note and "corrected" not in raw.note


def test_coefficients_of_area_are_freed_by_the_same_table() -> None:
    raw, corrected, unsure = (
        measured(BRIGHTER_FATTER, given(1, steps, table(error=error), BRIGHTER_FATTER))
        for steps, error in (("", 0.0), ("nonlinearity", 0.0), ("nonlinearity", 150.0))
    )
    assert pull(value(raw, "a00"), CAMERA.a00) < -5.0 < -4.0 < pull(value(corrected, "a00"), CAMERA.a00) < 4.0
    assert (value(unsure, "a00").uncertainty or 0.0) > 1.01 * (value(corrected, "a00").uncertainty or 0.0)
    assert "corrected: nonlinearity" in value(corrected, "a00").note
    assert "corrected" not in value(raw, "a00").note


def test_a_pair_above_the_table_is_left_out_and_said_to_be() -> None:
    found = run(0, "nonlinearity", table(top=21_000.0))
    assert value(found, "pairs_used").value == 5  # of seven, up to 20,000 ADU
    assert sum("above the table of corrections, which ends at 21000" in line for line in found.log) == 2


def test_without_a_table_the_step_is_left_out_and_said_to_be() -> None:
    found, plain = run(0, "nonlinearity"), run(0, "")
    assert found.caveats == ["A: without the step nonlinearity: there is no table of corrections."]
    assert [m.value for m in found.measurements] == [m.value for m in plain.measurements]


def test_known_defects_are_left_out_of_pairs() -> None:
    """A pixel that flickers below every clip makes noise; the mask takes it out, whatever the pixels' type."""
    rng = np.random.default_rng(3)
    bad = np.zeros(CHANNEL.image.shape, bool)
    bad[20:30] = True
    flats, biases = frames(0)
    marked = ImageProduct({"A": bad.astype(np.int32)}, "")
    for kind in (np.uint16, np.float32):
        noisy = [
            frame_input(
                (f.pixels.read(CHANNEL, CHANNEL.image) + 1.0 * bad * rng.integers(-90, 91, bad.shape)).astype(kind),
                CAMERA.detector, "flat", f.frame.number or 0, f.frame.exptime,
            )
            for f in flats
        ]  # fmt: skip
        clean, spoilt, masked = (
            measured(
                PHOTON_TRANSFER,
                replace(
                    inputs(
                        PHOTON_TRANSFER,
                        CAMERA.detector,
                        {"flat": given_flats, "bias": biases},
                        corrections=steps,
                    ),
                    products={("defects", "mask"): lambda: marked},
                ),
            )
            for given_flats, steps in ((flats, "defects"), (noisy, ""), (noisy, "defects"))
        )
        assert value(masked, "gain").value == pytest.approx(value(clean, "gain").value, rel=1e-6)
        assert value(spoilt, "gain").value != pytest.approx(value(clean, "gain").value, rel=1e-2)
        assert "corrected: defects" in value(masked, "gain").note


def test_the_curve_of_a_table() -> None:
    found = table_of(given(0, "", table()), CHANNEL)
    assert isinstance(found, Linearised)
    # of N = x (1 + k x/s): dx/dN and d²x/dN² by the truth
    light, k = 30_000.0, BENT[0] / 65536.0
    level = light * (1.0 + k * light)
    rise = 1.0 / (1.0 + 2.0 * k * light)
    mean, slope = found.moments(level, 20_000.0)
    assert slope == pytest.approx(rise, rel=1e-5)
    assert mean == pytest.approx(light + 0.5 * -2.0 * k * rise**3 * 20_000.0, abs=0.02)
    assert found.slope(-5.0) == pytest.approx(1.0, abs=1e-3) and found.added(-5.0) == 0.0
    assert found.covers(1.009 * TOP) and not found.covers(1.011 * TOP)
    beyond = 1.005 * TOP
    assert found.added(beyond) == pytest.approx(found.added(TOP) + 0.005 * TOP * (found.slope(TOP) - 1.0))
