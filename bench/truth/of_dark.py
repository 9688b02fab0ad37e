"""Dark frames of known truth: dark current, its distribution over pixels, glow, a leak of light, the temperature law."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs, ParameterValue
from analysis.dark import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from bench.truth.of_bias import extent, of, read_out
from builder.simulate.effects.glow import amplifier_glow, arrhenius, leak
from campaign.geometry import Geometry, quadrants, with_gains

ROWS, COLUMNS = 128, 128
GAIN = 1.7
NOISE = 3.0
GEOMETRY = with_gains(
    quadrants(rows=ROWS, columns=COLUMNS, prescan=10, overscan=20, parallel=0), dict.fromkeys("EFGH", GAIN)
)
RATE = 0.05

Map = NDArray[np.float64]


def image(
    rng: np.random.Generator, charge: Sequence[Map | float], geometry: Geometry = GEOMETRY
) -> NDArray[np.uint16]:
    """A frame: the charge expected in each channel [e⁻] (in order of reading), an offset that wanders from frame to frame, noise."""
    out = 1000.0 + rng.normal(0.0, NOISE, geometry.shape)
    for channel, expected in zip(geometry.channels, charge, strict=True):
        out[extent(channel)] += rng.normal(0.3, 0.5)
        collected = rng.poisson(np.broadcast_to(expected, channel.image.shape)).astype(np.float64)
        out[channel.image.slices] += read_out(collected, channel) / GAIN
    return digitised(out)


def given(
    rng: np.random.Generator,
    times: Sequence[float],
    rates: Callable[[int, float], Sequence[Map | float]],
    *,
    biases: int = 5,
    temperatures: Sequence[float] = (),
    interval: float = 60.0,
    **parameters: ParameterValue,
) -> Inputs:
    """Dark frames of such times, the rates [e⁻/s] of whose channels are those of the frame's number and its temperature [°C]; and bias frames."""
    camera = detector(GEOMETRY)
    zeros = [
        frame_input(image(rng, [0.0] * 4), camera, "bias", i, 0.0, temperature=-100.0) for i in range(biases)
    ]
    darks = []
    for i, time in enumerate(times):
        warm = temperatures[i] if temperatures else -100.0
        charge = [np.asarray(rate) * time for rate in rates(i, warm)]
        darks.append(
            frame_input(
                image(rng, charge), camera, "dark", biases + i, time, interval=interval, temperature=warm
            )
        )
    return inputs(PROCEDURE, camera, {"dark": darks, "bias": zeros}, used=None, **parameters)


def found(what: Inputs, quantity: str, truth: Sequence[float]) -> list[Found]:
    """The values of all channels beside their truths."""
    results = measured(PROCEDURE, what)
    names = [c.name for c in what.detector.geometry.channels]
    return [of(value(results, quantity, name), true) for name, true in zip(names, truth, strict=True)]


SLOPE = (30.0, 60.0, 100.0, 150.0, 200.0)
EQUAL = (200.0,) * 5


def uniform(seed: int, times: Sequence[float], estimator: str = "slope") -> list[Found]:
    """Four channels of one rate each."""
    rng = np.random.default_rng([1, seed])
    own = RATE * rng.uniform(0.5, 2.0, 4)
    what = given(rng, times, lambda i, t: own.tolist(), estimator=estimator)
    return found(what, "dark_current", (own / GAIN).tolist())


def slope(seed: int) -> list[Found]:
    """By slope over five exposure times."""
    return uniform(seed, SLOPE)


def single(seed: int) -> list[Found]:
    """By level over time."""
    return uniform(seed, EQUAL, estimator="single")


def stacked(seed: int) -> list[Found]:
    """By the stack of the longest."""
    return uniform(seed, EQUAL, estimator="stacked")


def spread(seed: int, quantity: str) -> list[Found]:
    """Pixels whose rates are normal, about as wide as the master's noise; and a few that are hot."""
    rng = np.random.default_rng([2, seed])
    maps = [np.maximum(rng.normal(0.3, 0.025, (ROWS, COLUMNS)), 0.0) for _ in range(4)]
    for one in maps:
        one[rng.integers(0, ROWS, 30), rng.integers(0, COLUMNS, 30)] += 2.0
    what = given(rng, EQUAL, lambda i, t: maps)
    true = {
        "dark_current_95": [float(np.quantile(m, 0.95)) for m in maps],
        "dark_current_median": [float(np.median(m)) for m in maps],
        "dark_current_mean": [float(m.mean()) for m in maps],
    }
    return found(what, quantity, [rate / GAIN for rate in true[quantity]])


def upper(seed: int) -> list[Found]:
    """The 95 % quantile of such pixels."""
    return spread(seed, "dark_current_95")


def median(seed: int) -> list[Found]:
    """Their median."""
    return spread(seed, "dark_current_median")


def mean(seed: int) -> list[Found]:
    """Their mean."""
    return spread(seed, "dark_current_mean")


def glow(seed: int) -> list[Found]:
    """Glow beside the amplifier of each channel."""
    rng = np.random.default_rng([3, seed])
    peaks = rng.uniform(0.05, 0.3, 4)
    maps = [RATE + amplifier_glow((ROWS, COLUMNS), float(p), 30.0) for p in peaks]
    what = given(rng, EQUAL, lambda i, t: maps)
    rows, columns = ROWS // 8, COLUMNS // 8
    middle = (slice(ROWS // 4, ROWS - ROWS // 4), slice(COLUMNS // 4, COLUMNS - COLUMNS // 4))
    return found(what, "glow", [float(m[:rows, :columns].mean() - m[middle].mean()) / GAIN for m in maps])


def light_leak(seed: int) -> list[Found]:
    """Light that leaks in grows in the course of some hours, with frames of two exposure times."""
    rng = np.random.default_rng([4, seed])
    growth = rng.uniform(-3e-6, 3e-6, 4)
    began = np.arange(5, 15) * 1200.0
    what = given(
        rng,
        (100.0, 200.0) * 5,
        lambda i, t: [float(leak(began, 0.1, float(g))[i]) for g in growth],
        interval=1200.0,
    )
    return found(what, "light_leak", (growth / GAIN * 3600.0).tolist())


def energy(seed: int) -> list[Found]:
    """Dark current that follows an Arrhenius law, at five temperatures."""
    rng = np.random.default_rng([5, seed])
    energies = rng.uniform(0.4, 0.7, 4)
    temperatures = [t for t in (-20.0, -15.0, -10.0, -5.0, 0.0) for _ in range(2)]
    what = given(
        rng,
        (100.0,) * 10,
        lambda i, t: [arrhenius(t, -10.0, 0.3, float(e)) for e in energies],
        temperatures=temperatures,
    )
    return found(what, "activation_energy", energies.tolist())


_WHAT = f"four channels of {ROWS} × {COLUMNS}, noise {NOISE} ADU, {GAIN} e⁻/ADU, offset wandering by 0.5 ADU"

CASES: tuple[Case, ...] = (
    Case("dark", "dark_current", f"5 exposure times, {_WHAT}", slope, 200, 15, pull=0.2),
    Case("dark", "dark_current", f"5 frames of one time, 5 bias frames, {_WHAT}", single, 200, 15, pull=0.2, estimator="single"),
    Case("dark", "dark_current", f"5 frames of one time, 5 bias frames, {_WHAT}", stacked, 200, 15, pull=0.2, estimator="stacked"),
    Case("dark", "dark_current_95", f"5 frames, rates spread by the noise of the master, {_WHAT}", upper, 150, 12, pull=0.2, scatter=(0.85, 1.15)),
    Case("dark", "dark_current_median", f"5 frames, rates spread by the noise of the master, {_WHAT}", median, 150, 12, pull=0.2),
    Case("dark", "dark_current_mean", f"5 frames, rates spread by the noise of the master, {_WHAT}", mean, 150, 12, pull=0.3, scatter=(0.85, 1.15)),
    Case("dark", "glow", f"beside the amplifier, reach 30 pixels, 5 frames, {_WHAT}", glow, 150, 12, pull=0.2),
    Case("dark", "light_leak", f"10 frames of two times in three hours, {_WHAT}", light_leak, 150, 12, pull=0.2),
    Case("dark", "activation_energy", f"0.4 … 0.7 eV, two frames each of 5 temperatures, {_WHAT}", energy, 150, 12, pull=0.2),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """Five dark frames and five bias frames of four channels of 2048 × 2048."""
    geometry = with_gains(
        quadrants(rows=2048, columns=2048, prescan=51, overscan=20, parallel=20), dict.fromkeys("EFGH", GAIN)
    )
    rng = np.random.default_rng([9, seed])
    camera = detector(geometry)

    def frame(kind: str, number: int, time: float) -> NDArray[np.uint16]:
        levels = rng.standard_normal(geometry.shape, dtype=np.float32)
        levels *= np.float32(NOISE)
        levels += np.float32(1000.3)
        if time:
            for channel in geometry.channels:
                levels[channel.image.slices] += rng.poisson(RATE * time, channel.image.shape).astype(
                    np.float32
                ) / np.float32(GAIN)
        return digitised(levels)

    biases = [
        frame_input(frame("bias", i, 0.0), camera, "bias", i, 0.0, temperature=-100.0) for i in range(5)
    ]
    darks = [
        frame_input(frame("dark", 5 + i, t), camera, "dark", 5 + i, t, temperature=-100.0)
        for i, t in enumerate(EQUAL)
    ]
    return inputs(PROCEDURE, camera, {"dark": darks, "bias": biases})
