"""Cases of known truth for charge transfer: charge is moved pixel by pixel through registers of known CTI.

Expectations are transferred, then drawn: electrons lag one by one, so that Poisson distributed charge stays so. What is added after the
register (offset of the electronics, noise, drift from row to row, the converter) is added to each frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer import PROCEDURE
from analysis.contract import FrameInput, Inputs, Results
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from builder.simulate.effects.deferred_charge import local_offset, shifted_out, trapped
from campaign.geometry import Geometry, quadrants

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Detector:
    """What is simulated: sizes in pixels, charge in electrons, levels in ADU."""

    rows: int = 200
    columns: int = 180
    prescan: int = 24
    overscan: int = 16
    parallel: int = 16
    serial_cti: float = 0.0
    parallel_cti: float = 0.0
    gain: float = 2.0
    noise: float = 5.0
    offset: float = 1000.0
    drift: float = 0.0  # of the offset from row to row, ADU rms
    tilt: float = 0.1  # of the light over the image, either way
    response: float = 0.0  # scatter of pixels
    local: tuple[float, float] = (0.0, 2.0)  # offset of the electronics over the level, decay in pixels
    trap: tuple[float, float, float] = (0.0, 0.1, 1.0)  # size in electrons, share, release in pixels

    @property
    def geometry(self) -> Geometry:
        return quadrants(
            rows=self.rows, columns=self.columns, prescan=self.prescan, overscan=self.overscan, parallel=self.parallel
        )  # fmt: skip

    def light(self, electrons: float) -> Floats:
        """Expected charge before readout; the level is that of the last pixel."""
        y = np.linspace(1 + self.tilt, 1.0, self.rows)[:, np.newaxis]
        x = np.linspace(1 - self.tilt, 1.0, self.columns)
        found: Floats = electrons * y * x
        return found

    def read(self, charge: Floats) -> Floats:
        """Expected charge of all pixels that are read, in the order of reading, shape (rows + parallel, all columns)."""
        rows = shifted_out(charge.T, self.parallel_cti, self.parallel).T
        register = np.pad(rows, ((0, 0), (self.prescan, 0)))
        out = shifted_out(register, self.serial_cti, self.overscan)
        size, share, release = self.trap
        return trapped(out, size, share, release) if size else out

    def frame(self, rng: np.random.Generator, expected: Sequence[Floats]) -> NDArray[np.uint16]:
        """One frame from the expected charge of each channel."""
        image = np.zeros(self.geometry.shape)
        height, width = self.rows + self.parallel, self.prescan + self.columns + self.overscan
        for channel, mean in zip(self.geometry.channels, expected, strict=True):
            charge = drawn(rng, mean)
            levels = local_offset(charge / self.gain, *self.local)
            levels += self.offset + rng.normal(0.0, self.noise / self.gain, levels.shape)
            levels += rng.normal(0.0, self.drift, (height, 1)) if self.drift else 0.0
            upper, right = channel.corner.startswith("upper"), channel.corner.endswith("right")
            turned = levels[::-1] if upper else levels
            turned = turned[:, ::-1] if right else turned
            y, x = height if upper else 0, width if right else 0
            image[y : y + height, x : x + width] = turned
        return digitised(image)


def drawn(rng: np.random.Generator, mean: Floats) -> Floats:
    """Poisson distributed charge; as a Gaussian where that differs by less than a thousandth of σ."""
    out = mean + np.sqrt(mean) * rng.standard_normal(mean.shape)
    faint = mean < 1000.0
    out[faint] = rng.poisson(mean[faint])
    return out


@lru_cache(maxsize=32)
def expected(camera: Detector, electrons: float) -> Floats:
    """What a flat without scatter of the pixels' response is read as, on average."""
    return camera.read(camera.light(electrons))


def flats(camera: Detector, seed: int, levels: Sequence[float], frames: int) -> list[FrameInput]:
    """Frames of levels [e⁻]."""
    rng, found, device = np.random.default_rng([seed, 5]), [], detector(camera.geometry)
    n = len(camera.geometry.channels)
    pattern = rng.normal(1.0, camera.response, (n, camera.rows, camera.columns)) if camera.response else None
    for level in levels:
        means = [expected(camera, level)] * n
        if pattern is not None:
            means = [camera.read(camera.light(level) * p) for p in pattern]
        for _ in range(frames):
            found.append(frame_input(camera.frame(rng, means), device, "flat", len(found), level / 1000.0))
    return found


def run(camera: Detector, seed: int, levels: Sequence[float], frames: int, **parameters: str) -> Results:
    """Simulate and measure."""
    device = detector(camera.geometry)
    given = inputs(PROCEDURE, device, {"flat": flats(camera, seed, levels, frames)}, **parameters)
    return measured(PROCEDURE, given)


def told(results: Results, quantity: str, truth: float) -> list[Found]:
    """The quantity of all channels; a value that is missing is an error of the case."""
    out = []
    for name in results.channels:
        found = value(results, quantity, name)
        assert found.value is not None and found.uncertainty is not None, found
        out.append(Found(found.value, found.uncertainty, truth))
    return out


LEVEL = 70_000.0
"""Level of flats of one level [e⁻]: near half range."""
LADDER = (3_000.0, 10_000.0, 25_000.0, 50_000.0, 80_000.0)


def edge(direction: str, cti: float, seed: int, drift: float = 0.0) -> list[Found]:
    """CTI of one direction by edge response; the other direction is as bad."""
    camera = Detector(serial_cti=cti, parallel_cti=cti, drift=drift)
    return told(run(camera, seed, (LEVEL,), 4), f"{direction}_cti", cti)


def deferred(direction: str, seed: int) -> list[Found]:
    """Charge in the first two pixels; the truth is what the registers put there."""
    camera = Detector(serial_cti=1e-5, parallel_cti=1e-5)
    read = expected(camera, LEVEL)
    rows, columns = read[: camera.rows], read[:, camera.prescan : camera.prescan + camera.columns]
    image = camera.prescan + camera.columns
    after = rows[:, image : image + 2] if direction == "serial" else columns[camera.rows : camera.rows + 2].T
    truth = float(after.sum(axis=1).mean()) / camera.gain
    return told(run(camera, seed, (LEVEL,), 4), f"{direction}_deferred", truth)


def edge_response(seed: int) -> list[Found]:
    """The first overscan column with CTI and an offset of the electronics."""
    camera = Detector(serial_cti=1e-5, local=(5e-4, 2.0))
    row = local_offset(expected(camera, LEVEL)[: camera.rows], *camera.local).mean(axis=0)
    last = camera.prescan + camera.columns - 1
    return told(run(camera, seed, (LEVEL,), 4), "hard_edge_response", float(row[last + 1] / row[last]))


def first(cti: float, seed: int) -> list[Found]:
    """CTI by the first columns of pixels that respond unevenly."""
    camera = Detector(rows=400, columns=40, serial_cti=cti, response=0.003, prescan=50, parallel=4)
    return told(run(camera, seed, (LEVEL,), 2, estimator="first-pixel"), "serial_cti", cti)


THREE = Detector(
    rows=300, columns=180, serial_cti=5e-6, local=(4e-4, 1.8), trap=(40.0, 5e-3, 0.6), overscan=20, parallel=4
)
"""CTI, an offset of the electronics, and a trap that is full from 8000 e⁻ on."""


@lru_cache(maxsize=512)
def three(seed: int) -> Results:
    """The detector of three causes, by the model; kept, because five cases look at it."""
    return run(THREE, seed, LADDER, 4, estimator="trap-model")


def cause(quantity: str, truth: float, seed: int) -> list[Found]:
    """One of the parameters of the model."""
    return told(three(seed), quantity, truth)


_SHAPE = "4 channels of 200 × 180, 24 prescan, 16 overscan pixels, 4 flats of 70 000 e⁻"


def _case(
    quantity: str,
    conditions: str,
    simulate: Callable[[int], Sequence[Found]],
    estimator: str,
    runs: int = 150,
) -> Case:
    return Case(
        "charge_transfer", quantity, conditions, simulate, runs=runs, quick=12, pull=0.3, relative=0.03, any_of=True,
        scatter=(0.85, 1.15), estimator=estimator,
    )  # fmt: skip


CASES: tuple[Case, ...] = (
    *(
        _case(f"{direction}_cti", f"{cti:g}; {_SHAPE}", partial(edge, direction, cti), "eper")
        for direction in ("serial", "parallel")
        for cti in (2e-6, 1e-5, 1e-4)
    ),
    _case(
        "serial_cti", f"1e-05, rows drift by 0.3 ADU; {_SHAPE}", partial(edge, "serial", 1e-5, drift=0.3), "eper"
    ),
    _case(
        "parallel_cti", f"1e-05, rows drift by 0.3 ADU; {_SHAPE}", partial(edge, "parallel", 1e-5, drift=0.3), "eper"
    ),
    _case("serial_cti", "0.0001; 400 rows, 50 prescan, pixels scatter by 0.3 %", partial(first, 1e-4), "first-pixel"),
    *(
        _case(f"{direction}_deferred", f"CTI 1e-05; {_SHAPE}", partial(deferred, direction), "eper", 100)
        for direction in ("serial", "parallel")
    ),
    _case("hard_edge_response", f"CTI 1e-05, offset 0.0005 with decay 2; {_SHAPE}", edge_response, "ratio", 100),
    *(
        _case(
            quantity, "CTI 5e-06, offset 0.0004 with decay 1.8, trap of 40 e⁻; 5 levels of 4 flats", partial(cause, quantity, truth),
            "trap-model", 60,
        )
        for quantity, truth in (
            ("serial_cti", THREE.serial_cti),
            ("local_offset", THREE.local[0]),
            ("local_decay", THREE.local[1]),
            ("trap_size", THREE.trap[0] / THREE.gain),
            ("trap_release", THREE.trap[2]),
        )
    ),
)  # fmt: skip


def full_size(seed: int) -> Inputs:
    """One detector of four channels of 2048 × 2048 with two flats of each of four levels, for a benchmark of speed."""
    camera = Detector(rows=2048, columns=2048, prescan=51, overscan=20, parallel=20)
    rng, device = np.random.default_rng([seed, 6]), detector(camera.geometry)
    found = []
    for level in (10_000.0, 30_000.0, 60_000.0, 90_000.0):
        # the light is a product of a column and a row, and so is what becomes of it
        light = camera.light(level)
        down = shifted_out(light[:, -1:].T, 2e-6, camera.parallel)[0]
        along = shifted_out(np.pad(light[-1:], ((0, 0), (camera.prescan, 0))), 2e-6, camera.overscan)[0]
        mean = down[:, np.newaxis] * along / light[-1, -1]
        for _ in range(2):
            image = camera.frame(rng, [mean] * 4)
            found.append(frame_input(image, device, "flat", len(found), level / 1000.0))
    return inputs(PROCEDURE, device, {"flat": found})
