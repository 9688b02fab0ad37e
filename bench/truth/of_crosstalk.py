"""Crosstalk against a simulated matrix: coefficients from 1e-5 to 1e-3 and none, white and common noise, flux dependence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, ParameterValue, Results, TableProduct
from analysis.crosstalk import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from builder.simulate.effects.crosstalk import as_read, coupled, noise_in_common, spots
from builder.simulate.scene import extent
from campaign.geometry import Geometry, quadrants
from campaign.model import Detector

GAIN, NOISE = 2.0, 3.0
"""[e⁻/ADU], [ADU]"""
NAMES = "EFGH"


@dataclass(frozen=True)
class Scene:
    """What is simulated: coefficients into each channel from the next, the one after it and the third; noise in common; the lamp's level [e⁻]."""

    coefficients: tuple[float, float, float] = (1e-3, 1e-4, 1e-5)
    correlation: float = 0.0
    slope: float = 0.0
    level: float = 100.0
    gradient: float = 0.0
    number: int = 12
    width: float = 3.0
    full_well: float = 1.2e5
    exposures: int = 3
    cosmics: int = 3
    same_places: bool = False

    def matrix(self) -> dict[tuple[str, str], float]:
        """The truth by (victim, aggressor)."""
        return {
            (v, NAMES[(n + 1 + k) % 4]): c
            for n, v in enumerate(NAMES)
            for k, c in enumerate(self.coefficients)
        }


def geometry(rows: int = 250, columns: int = 260) -> Geometry:
    return quadrants(rows=rows, columns=columns, prescan=6, overscan=24, parallel=4)


def signals(rng: np.random.Generator, scene: Scene, camera: Detector) -> dict[str, NDArray[np.float64]]:
    """Signal [ADU] of each channel as it is read, over- and prescans without any."""
    out = {}
    places = rng.integers(1 << 30)
    for channel in camera.geometry.channels:
        box, image = extent(channel), channel.image
        where = np.random.default_rng(places) if scene.same_places else rng
        charge = scene.level + spots(where, image.shape, scene.number, scene.width, 1.5e4, 1.6e5)
        charge *= 1.0 + scene.gradient * np.linspace(-0.5, 0.5, image.shape[1])
        charge = np.minimum(rng.poisson(charge), scene.full_well).astype(np.float64)
        for _ in range(scene.cosmics):
            y, x = int(rng.integers(0, image.shape[0])), int(rng.integers(0, image.shape[1] - 8))
            charge[y, x : x + 8] += rng.lognormal(7.0, 1.0, 8)
        whole = np.zeros(box.shape)
        whole[image.y0 - box.y0 : image.y1 - box.y0, image.x0 - box.x0 : image.x1 - box.x0] = charge / GAIN
        out[channel.name] = np.array(as_read(whole, channel.corner), np.float64)
    return out


def frame(rng: np.random.Generator, scene: Scene, camera: Detector, number: int) -> FrameInput:
    """One exposure of four channels, read at the same moments."""
    levels = coupled(signals(rng, scene, camera), scene.matrix(), scene.slope)
    shape = next(iter(levels.values())).shape
    noise = noise_in_common(rng, (shape[0], shape[1]), len(levels), NOISE, scene.correlation)
    image = np.full(camera.geometry.shape, 1000.0)
    for n, channel in enumerate(camera.geometry.channels):
        made = levels[channel.name] + noise[n] + 1000.0 + rng.normal(0, 1.0)
        image[extent(channel).slices] = as_read(made, channel.corner)
    return frame_input(digitised(image), camera, "point", number, 10.0)


def simulated(
    seed: int,
    scene: Scene,
    camera: Detector | None = None,
    parameters: Mapping[str, ParameterValue] = MappingProxyType({}),
) -> Inputs:
    """All exposures of one detector."""
    rng = np.random.default_rng([seed, 31])
    where = camera or detector(geometry())
    given = inputs(PROCEDURE, where, {"light": [frame(rng, scene, where, n) for n in range(scene.exposures)]})
    return replace(given, parameters=PROCEDURE.settings(parameters), detectors={where.name: where})


def table(results: Results) -> dict[tuple[str, str], Mapping[str, float]]:
    """The rows of the matrix that was measured, by (victim, aggressor)."""
    found = results.products["matrix"]
    assert isinstance(found, TableProduct)
    c = found.columns
    return {
        (str(v), str(a)): {k: float(c[k][n]) for k in ("coefficient", "error", "slope", "slope_error", "n")}  # type: ignore[arg-type]
        for n, (v, a) in enumerate(zip(c["victim"], c["aggressor"], strict=True))
    }


def coefficient(scene: Scene, which: int, **parameters: ParameterValue) -> Callable[[int], Sequence[Found]]:
    """The coefficient into each channel from the one that is ``which`` + 1 after it."""
    return _OfMatrix(scene, which, tuple(parameters.items()))


@dataclass(frozen=True)
class _OfMatrix:
    scene: Scene
    which: int
    parameters: tuple[tuple[str, ParameterValue], ...]

    def __call__(self, seed: int) -> Sequence[Found]:
        rows = table(measured(PROCEDURE, simulated(seed, self.scene, parameters=dict(self.parameters))))
        out = []
        for n, victim in enumerate(NAMES):
            source = NAMES[(n + 1 + self.which) % 4]
            row = rows[victim, source]
            assert np.isfinite(row["coefficient"]), (victim, source)
            out.append(Found(row["coefficient"], row["error"], self.scene.coefficients[self.which]))
        return out


def slope(seed: int) -> Sequence[Found]:
    """Change of the largest coefficient with the signal [1/ADU]."""
    scene = Scene(slope=0.05)
    results = measured(PROCEDURE, simulated(seed, scene))
    return _found(results, "flux_slope", 1e-3 * 0.05 / 1e4)


def total(seed: int) -> Sequence[Found]:
    scene = Scene()
    return _found(measured(PROCEDURE, simulated(seed, scene)), "total", sum(scene.coefficients))


def correlation(seed: int) -> Sequence[Found]:
    """Of all pairs alike the largest is chosen, so that one pair alone is correlated: two channels of four have noise in common."""
    scene = Scene(correlation=0.4, number=2)
    results = measured(PROCEDURE, simulated(seed, scene))
    found = results.products["matrix"]
    assert isinstance(found, TableProduct)
    c = found.columns
    first = [list(zip(c["victim"], c["aggressor"], strict=True)).index(p) for p in (("E", "F"), ("G", "H"))]
    values, errors = c["noise_correlation"], c["noise_correlation_error"]
    # rounding to whole numbers adds a twelfth that is not in common
    return [Found(float(values[n]), float(errors[n]), 0.4 * NOISE**2 / (NOISE**2 + 1 / 12)) for n in first]  # type: ignore[arg-type]


def _found(results: Results, quantity: str, truth: float) -> Sequence[Found]:
    out = []
    for name in NAMES:
        m = value(results, quantity, name)
        assert m.value is not None and m.uncertainty is not None
        out.append(Found(m.value, m.uncertainty, truth))
    return out


_LIT = "12 spots up to 60,000 ADU on each of 4 channels read at mirrored corners, 3 exposures, cosmic rays"
_COMMON = Scene(correlation=0.5)
_WITHOUT = Scene(coefficients=(1e-3, 1e-4, 0.0))
_STAMPS: dict[str, ParameterValue] = {"method": "stamp fit"}


def _case(
    words: str, simulate: Callable[[int], Sequence[Found]], estimator: str = "masked ratio", quick: int = 8
) -> Case:
    return Case("crosstalk", "coefficient", words, simulate, 80, quick, pull=0.3, estimator=estimator)


CASES = (
    _case(f"1e-5; {_LIT}", coefficient(Scene(), 2)),
    _case(f"1e-4; {_LIT}", coefficient(Scene(), 1)),
    _case(f"1e-3; {_LIT}", coefficient(Scene(), 0)),
    _case(f"0; {_LIT}", coefficient(_WITHOUT, 2)),
    _case("1e-5; as before, noise of channels correlated by 0.5", coefficient(_COMMON, 2)),
    _case("0; the same", coefficient(replace(_COMMON, coefficients=(1e-3, 1e-4, 0.0)), 2)),
    _case(
        "1e-4; on a flat of 20,000 ADU with a gradient of 20 %",
        coefficient(Scene(level=4e4, gradient=0.2, full_well=1.25e5), 1),
    ),
    _case("1e-5; as the first (stamps)", coefficient(Scene(), 2, **_STAMPS), "stamp fit", 5),
    _case("1e-3; as the first (stamps)", coefficient(Scene(), 0, **_STAMPS), "stamp fit", 5),
    _case(
        "1e-5; noise of channels correlated by 0.5 (stamps)",
        coefficient(_COMMON, 2, **_STAMPS),
        "stamp fit",
        5,
    ),
    _case(
        "1e-4; spots at the same places of all channels (stamps)",
        coefficient(Scene(same_places=True), 1, **_STAMPS),
        "stamp fit",
        5,
    ),
    Case("crosstalk", "flux_slope", f"5 % per 10,000 ADU of 1e-3; {_LIT}", slope, 80, 8, pull=0.3),
    Case("crosstalk", "total", _LIT, total, 80, 8, pull=0.3),
    Case("crosstalk", "noise_correlation", "0.4 of any two channels, by pair", correlation, 80, 8, pull=0.3),
)


def full_size(seed: int) -> Inputs:
    """Three exposures of four channels of 2048 × 2048, some forty spots on each."""
    scene = Scene(number=10, cosmics=100, coefficients=(1e-3, 1e-4, 1e-5))
    camera = detector(quadrants(rows=2048, columns=2048))
    rng = np.random.default_rng(seed)
    small = detector(quadrants(rows=1024, columns=1024))
    light = []
    for number in range(3):
        made: dict[str, list[NDArray[np.float64]]] = {}
        for _ in range(4):
            for name, signal in signals(rng, scene, small).items():
                made.setdefault(name, []).append(signal[:1024, 51 : 51 + 1024])
        image = rng.standard_normal(camera.geometry.shape, np.float32) * np.float32(NOISE) + np.float32(
            1000.0
        )
        whole = {n: np.block([[q[0], q[1]], [q[2], q[3]]]) for n, q in made.items()}
        for name, level in coupled(whole, scene.matrix()).items():
            channel = camera.geometry.channel(name)
            image[channel.image.slices] += as_read(level, channel.corner).astype(np.float32)
        light.append(frame_input(digitised(image), camera, "point", number, 10.0))
    return replace(inputs(PROCEDURE, camera, {"light": light}), detectors={camera.name: camera})
