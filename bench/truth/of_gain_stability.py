"""Gain stability against amplifiers whose gain drifts, follows the temperature and scatters, under a lamp that does so too."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import hypot

import numpy as np

from analysis.contract import FrameInput, Inputs, Measurement
from analysis.gain_stability import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured
from bench.truth.case import Case, Found
from builder.simulate.effects.brighter_fatter import charge
from campaign.geometry import Geometry, quadrants
from campaign.model import Detector

GAIN, NOISE, OFFSET = 2.0, 6.0, 1000.0  # e⁻/ADU, e⁻, ADU
A00 = np.array([[-2.0e-6]])  # 1/e⁻, of the pixel alone
A00_ERROR = 6e-8  # 1/e⁻, to which photon transfer is said to know it
LIGHT = 40_000.0  # e⁻
DRIFT, PER_KELVIN, SCATTER = 0.003, 0.001, 0.005  # of the gain: per hour, per kelvin, from pair to pair
LAMP_DRIFT, LAMP_SCATTER = -0.008, 0.002  # of the light: per hour, from pair to pair
WARMTH = 2.0  # K, scatter of the temperature
PAIRS, EVERY = 20, 450.0  # pairs, and seconds from frame to frame
SIDE = 320


def _camera(side: int) -> Detector:
    geometry: Geometry = quadrants(rows=side, columns=side, prescan=0, overscan=0, parallel=0)
    return detector(geometry)


def _frames(
    rng: np.random.Generator, camera: Detector, pairs: int
) -> tuple[list[FrameInput], list[FrameInput]]:
    """Flats in pairs of one exposure time, and bias frames."""
    shape = camera.geometry.shape
    channels = camera.geometry.channels
    biases = [
        frame_input(digitised(OFFSET + rng.standard_normal(shape, np.float32) * (NOISE / GAIN)), camera, "bias", k, 0.0)
        for k in range(4)
    ]  # fmt: skip
    flats = []
    for k in range(pairs):
        hours = (2 * k + 0.5) * EVERY / 3600.0
        warmth = WARMTH * rng.standard_normal()
        images = [np.zeros(shape, np.uint16) for _ in range(2)]
        for channel in channels:
            gain = GAIN * np.exp(DRIFT * hours + PER_KELVIN * warmth + SCATTER * rng.standard_normal())
            light = LIGHT * np.exp(LAMP_DRIFT * hours + LAMP_SCATTER * rng.standard_normal())
            maps = charge(light, channel.image.shape, A00, 0.0, rng, 1.0, NOISE**2)
            for image, held in zip(images, maps, strict=True):
                image[channel.image.slices] = digitised(held / np.float32(gain) + np.float32(OFFSET))
        for n, image in enumerate(images):
            number = 2 * k + n
            flats.append(
                frame_input(image, camera, "flat", number, 10.0, interval=EVERY, temperature=float(-100.0 + warmth))
            )  # fmt: skip
    return flats, biases


@lru_cache(maxsize=512)
def _run(seed: int) -> tuple[Measurement, ...]:
    """The measurements of one realisation; all cases look at the same."""
    camera = _camera(SIDE)
    rng = np.random.Generator(np.random.SFC64(seed))
    flats, biases = _frames(rng, camera, PAIRS)
    known = {
        c.name: Measurement(
            "a00", c.name, "", float(rng.normal(A00[0, 0], A00_ERROR)), A00_ERROR, "1/e⁻", "simulated", 1
        )
        for c in camera.geometry.channels
    }
    given = inputs(
        PROCEDURE, camera, {"flat": flats, "bias": biases}, used={("photon_transfer", "a00"): known}
    )
    return tuple(measured(PROCEDURE, given).measurements)


def _simulation(quantity: str, truth: float) -> Callable[[int], list[Found]]:
    def simulate(seed: int) -> list[Found]:
        return [
            Found(m.value, m.uncertainty, truth)
            for m in _run(seed)
            if m.quantity == quantity and m.value is not None and m.uncertainty is not None
        ]

    return simulate


def _case(quantity: str, truth: float, estimator: str) -> Case:
    what = f"{PAIRS} pairs of {SIDE} × {SIDE} pixels in five hours, gain and light that drift and scatter, a₀₀ known to 3 %"
    return Case(
        "gain_stability", quantity, what, _simulation(quantity, truth), runs=100, quick=5, pull=0.3, scatter=(0.85, 1.15),
        estimator=estimator,
    )  # fmt: skip


CASES: tuple[Case, ...] = (
    _case("gain_mean", GAIN * float(np.exp(DRIFT * (PAIRS - 0.5) * EVERY / 3600.0)), "pairs, weighted mean"),
    _case("gain_scatter", 100 * SCATTER, "variance beyond noise"),
    _case("gain_drift", 100 * DRIFT, "weighted fit with time and temperature"),
    _case("gain_temperature", 100 * PER_KELVIN, "weighted fit with time and temperature"),
    _case("level_drift", 100 * (LAMP_DRIFT - DRIFT), "weighted fit with time"),
    _case("level_scatter", 100 * hypot(SCATTER, PER_KELVIN * WARMTH, LAMP_SCATTER), "variance beyond noise"),
)
"""What gain stability's numbers are held to."""


def full_size(seed: int) -> Inputs:
    """Four channels of 2048 × 2048 pixels: ten pairs of flats and four bias frames, 16 bits, in memory."""
    camera = _camera(2048)
    flats, biases = _frames(np.random.Generator(np.random.SFC64(seed)), camera, 10)
    return inputs(PROCEDURE, camera, {"flat": flats, "bias": biases})
