"""Persistence against simulated traps: residual, its fading, the share that saturated, and the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs, ParameterValue
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.persistence import PROCEDURE
from bench.truth.case import Case, Found
from builder.simulate.effects.persistence import given_off, released, released_by_power, trapped
from campaign.geometry import Geometry, quadrants, with_gains

GAIN, NOISE, DARK = 2.0, 3.0, 0.02
"""[e⁻/ADU], [ADU], [e⁻/s]"""
TOP = 65535
TIME, EVERY, LIGHT = 300.0, 360.0, 60.0
"""Darks of so many seconds, one every so many, and an exposure to light [s]."""
BEFORE, AFTER = 3, 5


@dataclass(frozen=True)
class Scene:
    """What is simulated: time constant [s] or index, the fraction of charge that is trapped, how pixels differ, cosmic rays per channel and dark; full well [e⁻]."""

    tau: float = 900.0
    index: float = 0.0
    fraction: float = 8e-4
    spread: float = 0.3
    cosmics: int = 4
    nominal: bool = True
    full_well: float = np.inf


def geometry(rows: int = 140, columns: int = 150) -> Geometry:
    made = quadrants(rows=rows, columns=columns, prescan=6, overscan=16, parallel=4)
    return with_gains(made, dict.fromkeys("EFGH", GAIN))


def lit(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Charge [e⁻] of a smooth spot far beyond saturation, in the dark: a lit sky would persist too."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    at = rng.uniform(0.35, 0.65, 2) * shape
    width = 0.09 * min(shape)
    square = ((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2.0 * width**2)
    return np.asarray(6e5 * np.exp(-square), np.float64)


def simulated(
    seed: int,
    scene: Scene,
    shape: tuple[int, int] = (140, 150),
    parameters: Mapping[str, ParameterValue] = MappingProxyType({}),
) -> tuple[Inputs, dict[str, dict[str, float]]]:
    """Frames of one detector of four channels, and what is true of each: residual [ADU], share that saturates."""
    rng = np.random.default_rng([seed, 77])
    camera = detector(geometry(*shape) if scene.nominal else quadrants(rows=shape[0], columns=shape[1], prescan=6, overscan=16, parallel=4))  # fmt: skip
    channels = camera.geometry.channels
    bright = {c.name: np.minimum(lit(c.image.shape, rng), scene.full_well) for c in channels}
    held = {n: trapped(q, 0.0, scene.fraction, rng, scene.spread) for n, q in bright.items()}
    hot = rng.exponential(DARK, camera.geometry.shape)

    def frame(
        kind: str, number: int, time: float, expected: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.uint16]:
        image = 1000.0 + rng.normal(0, 1.5) + rng.normal(0, NOISE, camera.geometry.shape)
        for c in channels:
            charge = rng.poisson(hot[c.image.slices] * time) + given_off(expected[c.name], rng)
            for _ in range(scene.cosmics if kind == "dark" else 0):
                y, x = (int(rng.integers(0, n - 6)) for n in c.image.shape)
                charge[y, x : x + 6] += rng.lognormal(6.5, 0.5, 6)
            image[c.image.slices] += charge / GAIN
        return digitised(image)

    def left(since: float) -> dict[str, NDArray[np.float64]]:
        if scene.index:
            return {n: released_by_power(q, since, TIME, scene.index) for n, q in held.items()}
        return {n: released(q, since, TIME, scene.tau) for n, q in held.items()}

    nothing = {n: np.zeros_like(q) for n, q in held.items()}
    darks = [
        frame_input(frame("dark", n, TIME, nothing), camera, "dark", n, TIME, interval=EVERY)
        for n in range(BEFORE)
    ]
    exposed = [
        frame_input(frame("point", BEFORE, LIGHT, bright), camera, "point", BEFORE, LIGHT, interval=EVERY)
    ]
    for n in range(BEFORE + 1, BEFORE + 1 + AFTER):
        image = frame("dark", n, TIME, left((n - BEFORE) * EVERY - LIGHT))
        darks.append(frame_input(image, camera, "dark", n, TIME, interval=EVERY))
    truth = {}
    first = left(EVERY - LIGHT)
    for c in channels:
        level = 1000.0 + (bright[c.name] + hot[c.image.slices] * LIGHT) / GAIN
        mask = (
            np.asarray(exposed[0].pixels.read(c, c.image), np.float64) >= TOP
        )  # what the residual is a mean over
        truth[c.name] = {
            "residual": float(first[c.name][mask].mean()) / GAIN,
            "saturated_fraction": float(np.count_nonzero(level >= TOP - 0.5)) / level.size,
            "outside": 0.0,
            "decay_time": scene.tau,
            "decay_index": scene.index,
        }
    given = inputs(PROCEDURE, camera, {"dark": darks, "exposed": exposed})
    return replace(given, parameters=PROCEDURE.settings(parameters)), truth


def of(seed: int, quantity: str, scene: Scene = Scene(), **parameters: ParameterValue) -> Sequence[Found]:
    given, truth = simulated(seed, scene, parameters=parameters)
    results = measured(PROCEDURE, given)
    out = []
    for name, true in truth.items():
        m = value(results, quantity, name)
        assert m.value is not None and m.uncertainty is not None, (quantity, name, m.reason, m.note)
        out.append(Found(m.value, m.uncertainty, true[quantity]))
    return out


def residual(seed: int) -> Sequence[Found]:
    return of(seed, "residual")


def residual_without_gain(seed: int) -> Sequence[Found]:
    return of(seed, "residual", Scene(nominal=False))


def residual_mean(seed: int) -> Sequence[Found]:
    return of(seed, "residual", Scene(spread=0.3, cosmics=0), statistic="mean")


def residual_median(seed: int) -> Sequence[Found]:
    return of(seed, "residual", Scene(spread=0.0, full_well=1.4e5), statistic="median")


def nothing_left(seed: int) -> Sequence[Found]:
    return of(seed, "residual", Scene(fraction=0.0))


def decay_time(seed: int) -> Sequence[Found]:
    return of(seed, "decay_time")


def decay_index(seed: int) -> Sequence[Found]:
    return of(seed, "decay_index", Scene(index=1.3, fraction=5e-3))


def saturated_fraction(seed: int) -> Sequence[Found]:
    return of(seed, "saturated_fraction")


def outside(seed: int) -> Sequence[Found]:
    return of(seed, "outside")


_SPOT = "spot far beyond saturation on 4 channels of 140 × 150, 3 darks before and 5 after, cosmic rays"

CASES = (
    Case("persistence", "residual", f"{_SPOT}; pixels differ by 30 %", residual, 320, 12, pull=0.3),
    Case("persistence", "residual", f"{_SPOT}; no gain is known", residual_without_gain, 320, 8, pull=0.3),
    Case(
        "persistence",
        "residual",
        "as the first, no cosmic rays",
        residual_mean,
        100,
        8,
        pull=0.3,
        estimator="mean",
    ),
    Case(
        "persistence",
        "residual",
        f"{_SPOT}; all pixels alike",
        residual_median,
        100,
        8,
        pull=0.3,
        estimator="median",
    ),
    Case("persistence", "residual", f"{_SPOT}; nothing is held back", nothing_left, 80, 8, pull=0.3),
    Case("persistence", "decay_time", f"{_SPOT}; 900 s", decay_time, 80, 12, pull=0.3, scatter=(0.85, 1.15)),
    Case(
        "persistence",
        "decay_index",
        f"{_SPOT}; rate falls as t^−1.3",
        decay_index,
        100,
        12,
        pull=0.3,
        scatter=(0.85, 1.15),
    ),
    Case(
        "persistence", "saturated_fraction", _SPOT, saturated_fraction, 80, 12, pull=0.3, scatter=(0.8, 1.2)
    ),
    Case("persistence", "outside", f"{_SPOT}; truth 0", outside, 80, 8, pull=0.3),
)


def full_size(seed: int) -> Inputs:
    """Two darks before, the light, three darks after, of four channels of 2048 × 2048."""
    rng = np.random.default_rng(seed)
    camera = detector(with_gains(quadrants(rows=2048, columns=2048), dict.fromkeys("EFGH", GAIN)))
    y, x = np.mgrid[:2048, :2048]
    square = ((y - 1000.0) ** 2 + (x - 900.0) ** 2) / (2.0 * 200.0**2)
    spot = 3e5 * np.exp(-square)

    def image(level: float) -> NDArray[np.uint16]:
        made = rng.standard_normal(camera.geometry.shape, np.float32) * np.float32(NOISE) + np.float32(1000.0)
        for c in camera.geometry.channels:
            made[c.image.slices] += (level * spot).astype(np.float32)
        return digitised(made)

    levels = (0.0, 0.0, 1.0, 1e-4, 5e-5, 2e-5)
    frames = [
        frame_input(image(level), camera, "point" if level == 1.0 else "dark", n, TIME, interval=EVERY)
        for n, level in enumerate(levels)
    ]
    return inputs(PROCEDURE, camera, {"dark": [*frames[:2], *frames[3:]], "exposed": frames[2:3]})
