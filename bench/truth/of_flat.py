"""Flats of known truth: response of the pixels, level, gradient, drift of the lamp, signal to noise."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs, ParameterValue
from analysis.flat import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from bench.truth.of_bias import of
from campaign.geometry import quadrants

ROWS, COLUMNS = 200, 200
GEOMETRY = quadrants(rows=ROWS, columns=COLUMNS, prescan=10, overscan=20, parallel=0)
GAIN = 2.0
NOISE = 3.0
LIGHT = 30000.0

Map = NDArray[np.float64]


def flat(rng: np.random.Generator, light: Sequence[Map]) -> NDArray[np.uint16]:
    """A frame of the charge expected in each channel [e⁻]."""
    image = rng.normal(1000.0, NOISE, GEOMETRY.shape)
    for channel, expected in zip(GEOMETRY.channels, light, strict=True):
        image[channel.image.slices] += rng.poisson(expected) / GAIN
    return digitised(image)


def responses(rng: np.random.Generator, prnu: float) -> list[Map]:
    """Responses of the pixels of four channels: mean 1, independent, of that rms."""
    return [1.0 + prnu * rng.standard_normal((ROWS, COLUMNS)) for _ in GEOMETRY.channels]


def vignetted() -> Map:
    """Illumination of a channel: falls by some per cent to its sides."""
    y, x = np.linspace(-1, 1, ROWS)[:, np.newaxis], np.linspace(-1, 1, COLUMNS)[np.newaxis, :]
    shape: Map = (1.0 + 0.03 * x) * (1.0 - 0.05 * (x * x + y * y))
    shape /= shape.mean()
    return shape


def given(
    images: Sequence[NDArray[np.uint16]],
    wavelengths: Sequence[float] = (),
    interval: float = 60.0,
    **parameters: ParameterValue,
) -> Inputs:
    """What the procedure is given."""
    camera = detector(GEOMETRY)
    held = [
        frame_input(
            image,
            camera,
            "flat",
            i,
            10.0,
            interval=interval,
            wavelength=wavelengths[i] if wavelengths else 800.0,
        )
        for i, image in enumerate(images)
    ]
    return inputs(PROCEDURE, camera, {"flat": held}, used=None, **parameters)


def found(what: Inputs, quantity: str, truth: Sequence[float], setting: str | None = None) -> list[Found]:
    """The values of all channels beside their truths."""
    results = measured(PROCEDURE, what)
    out = []
    for channel, true in zip(what.detector.geometry.channels, truth, strict=True):
        if setting is None:
            out.append(of(value(results, quantity, channel.name), true))
            continue
        m = next(
            m
            for m in results.measurements
            if (m.quantity, m.channel, m.setting) == (quantity, channel.name, setting)
        )
        out.append(of(m, true))
    return out


def prnu(seed: int, estimator: str) -> list[Found]:
    """The rms of the response, under light that is not even. The truth is that of the pixels simulated, or of all such pixels."""
    rng = np.random.default_rng([1, seed])
    size = 0.01
    pixels = responses(rng, size)
    light = LIGHT * vignetted()
    if estimator != "reference":
        images = [flat(rng, [light * r for r in pixels]) for _ in range(6)]
        return found(given(images, estimator=estimator), "prnu", [100 * size] * 4)
    # another colour: half of the response is as before
    own = responses(rng, size)
    other = [1.0 + (r - 1.0) + (o - 1.0) for r, o in zip(pixels, own, strict=True)]
    images = [flat(rng, [light * r for r in which]) for which in (pixels, other) for _ in range(4)]
    what = given(images, [600.0] * 4 + [900.0] * 4, estimator=estimator)
    # the ratio has the other's own, over 1 + the common one: 1 % more of 1 % squared
    return found(what, "prnu", [100 * size * sqrt(1.0 + 3.0 * size**2)] * 4, "wavelength=900.0")


def by_spline(seed: int) -> list[Found]:
    """Over a spline."""
    return prnu(seed, "spline")


def by_polynomial(seed: int) -> list[Found]:
    """Over a polynomial."""
    return prnu(seed, "polynomial")


def by_reference(seed: int) -> list[Found]:
    """Ratio to the master of another wavelength."""
    return prnu(seed, "reference")


def level(seed: int) -> list[Found]:
    """Mean level of four flats."""
    rng = np.random.default_rng([2, seed])
    images = [flat(rng, [np.full((ROWS, COLUMNS), LIGHT)] * 4) for _ in range(4)]
    return found(given(images), "level", [LIGHT / GAIN] * 4)


def drift(seed: int) -> list[Found]:
    """A lamp that fades and flutters: 2 % an hour, 0.1 % from frame to frame."""
    rng = np.random.default_rng([3, seed])
    # the lamp is the same for all channels: one of them counts
    light = 1.0 - 0.02 * np.linspace(-0.5, 0.5, 12) + 0.001 * rng.standard_normal(12)
    images = [flat(rng, [np.full((ROWS, COLUMNS), LIGHT * v)] * 4) for v in light]
    return found(given(images, interval=3600.0 / 11), "lamp_drift", [-2.0] * 4)[:1]


def gradient(seed: int) -> list[Found]:
    """Light that rises by some per cent from the first column read to the last."""
    rng = np.random.default_rng([4, seed])
    tilt = float(rng.uniform(-0.05, 0.05))
    ramp = 1.0 + tilt * np.linspace(-0.5, 0.5, COLUMNS)[np.newaxis, :]
    pixels = responses(rng, 0.01)
    images = []
    for _ in range(4):
        light = [
            LIGHT * r * (ramp[:, ::-1] if c.corner.endswith("right") else ramp)
            for c, r in zip(GEOMETRY.channels, pixels, strict=True)
        ]
        images.append(flat(rng, light))
    tenth = COLUMNS // 10
    true = float(ramp[0, -tenth:].mean() - ramp[0, :tenth].mean())
    return found(given(images), "gradient_columns", [100 * true] * 4)


def ratio(seed: int) -> list[Found]:
    """Signal over noise of a master of five flats, under a lamp that drifts by 3 %."""
    rng = np.random.default_rng([5, seed])
    light = np.linspace(0.985, 1.015, 5)
    images = [flat(rng, [np.full((ROWS, COLUMNS), LIGHT * v)] * 4) for v in light]
    variances = (LIGHT * light / GAIN**2 + NOISE**2 + 1.0 / 12.0) / light**2  # each brought to the mean level
    true = LIGHT / GAIN / sqrt(float(variances.sum()) / 25.0)
    return found(given(images), "signal_to_noise", [true] * 4)


_WHAT = f"flats of four channels of {ROWS} × {COLUMNS}, {LIGHT:g} e⁻, {GAIN} e⁻/ADU"

CASES: tuple[Case, ...] = (
    Case("flat", "prnu", f"1 %, 6 {_WHAT}, vignetted", by_spline, 150, 12, pull=0.2),
    Case("flat", "prnu", f"1 %, 6 {_WHAT}, vignetted", by_polynomial, 150, 12, pull=0.2, estimator="polynomial"),
    Case("flat", "prnu", f"1 % of its own, twice 4 {_WHAT}, vignetted", by_reference, 150, 10, pull=0.2, estimator="reference"),
    Case("flat", "level", f"4 {_WHAT}", level, 150, 12, pull=0.2),
    Case("flat", "lamp_drift", f"2 % in an hour, 0.1 % from frame to frame, 12 {_WHAT}", drift, 300, 25, pull=0.2),
    Case("flat", "gradient_columns", f"5 % or less, 4 {_WHAT}, 1 % PRNU", gradient, 150, 12, pull=0.2, scatter=(0.8, 1.2)),
    Case("flat", "signal_to_noise", f"5 {_WHAT}, lamp drifting by 3 %", ratio, 150, 12, pull=0.2),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """Six flats of four channels of 2048 × 2048."""
    geometry = quadrants(rows=2048, columns=2048, prescan=51, overscan=20, parallel=20)
    rng = np.random.default_rng([9, seed])
    camera = detector(geometry)
    pattern = 1.0 + 0.01 * rng.standard_normal(geometry.shape, dtype=np.float32)
    images = []
    for _ in range(6):
        image = rng.standard_normal(geometry.shape, dtype=np.float32) * np.float32(NOISE) + np.float32(1000.0)
        for channel in geometry.channels:
            light = pattern[channel.image.slices] * np.float32(LIGHT)
            noise = rng.standard_normal(light.shape, dtype=np.float32) * np.sqrt(light)
            image[channel.image.slices] += (light + noise) / np.float32(GAIN)
        images.append(digitised(image))
    held = [frame_input(image, camera, "flat", i, 10.0) for i, image in enumerate(images)]
    return inputs(PROCEDURE, camera, {"flat": held})
