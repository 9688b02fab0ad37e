"""Photon transfer against charge whose covariances are those of a given matrix: gain, read noise, a, row means; and of a converter that is bent, corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Measurement, ParameterValue, Product, TableProduct
from analysis.in_memory import detector, digitised, frame_input, inputs, measured
from analysis.linearity import PROCEDURE as LINEARITY
from analysis.photon_transfer import PROCEDURE
from bench.truth.case import Case, Found
from builder.simulate.effects.brighter_fatter import area_changes, charge, covariances
from builder.simulate.effects.non_linearity import polynomial
from campaign.geometry import Geometry, quadrants, single
from campaign.model import Detector

GAIN, NOISE, OFFSET = 1.5, 5.0, 1000.0  # e⁻/ADU, e⁻, ADU
AREA = area_changes(-2.4e-6, next_row=3e-7, next_column=4e-7)  # 1/e⁻
SLOPE = 1.0e-6  # b, 1/e⁻
LADDER = tuple(np.geomspace(60.0, 9.0e4, 20))  # e⁻
BIASES = 4
BENT = (-0.02, 0.008)
"""Coefficients of ``polynomial`` for a converter that is not linear: 1.2 % low at the top of the ladder."""


def _read(
    map_: NDArray[np.float32] | None,
    rng: np.random.Generator,
    shape: tuple[int, int],
    bent: tuple[float, ...] = (),
) -> NDArray[np.uint16]:
    """What the converter makes of charge with the amplifier's noise in it [e⁻]; of that noise alone without charge."""
    if map_ is None:
        map_ = rng.standard_normal(shape, np.float32) * np.float32(NOISE)
    levels = map_ * np.float32(1 / GAIN)
    return digitised((polynomial(levels, bent) if bent else levels) + np.float32(OFFSET))


def _flats(
    rng: np.random.Generator, shape: tuple[int, int], ladder: Sequence[float], bent: tuple[float, ...] = ()
) -> list[tuple[float, NDArray[np.uint16]]]:
    """Pairs of flats by level: exposure time [s] and image."""
    response = 1.0 + 0.01 * rng.standard_normal(shape, np.float32)
    out = []
    for level in ladder:
        for one in charge(level, shape, AREA, SLOPE, rng, response, NOISE**2):
            out.append((level / 1000.0, _read(one, rng, shape, bent)))
    return out


@lru_cache(maxsize=512)
def _ladder(
    seed: int, side: int, ladder: tuple[float, ...], settings: tuple[tuple[str, ParameterValue], ...]
) -> tuple[Measurement, ...]:
    """The measurements of one realisation of one channel; several cases look at the same."""
    rng, camera = np.random.Generator(np.random.SFC64(seed)), detector(single(rows=side, columns=side))
    biases = [frame_input(_read(None, rng, (side, side)), camera, "bias", k) for k in range(BIASES)]
    flats = [
        frame_input(image, camera, "flat", 10 + k, time)
        for k, (time, image) in enumerate(_flats(rng, (side, side), ladder))
    ]
    given = inputs(PROCEDURE, camera, {"flat": flats, "bias": biases}, **dict(settings))
    return tuple(measured(PROCEDURE, given).measurements)


def _simulation(
    quantity: str,
    truth: float,
    side: int = 1024,
    ladder: tuple[float, ...] = LADDER,
    **settings: ParameterValue,
) -> Callable[[int], list[Found]]:
    def simulate(seed: int) -> list[Found]:
        for m in _ladder(seed, side, ladder, tuple(settings.items())):
            if m.quantity == quantity:
                assert m.value is not None and m.uncertainty is not None, m
                return [Found(m.value, m.uncertainty, truth)]
        raise AssertionError(f"{quantity} was not handed back")

    return simulate


TRUE_TABLE, MEASURED_TABLE = "true", "measured"


def _true_table() -> TableProduct:
    """What has to be added to levels of the bent converter [ADU], without error: corrected levels are those of the straight one."""
    light = np.linspace(0.0, 1.1 * LADDER[-1] / GAIN, 20_001)
    levels = np.linspace(0.0, 1.02 * float(polynomial(np.array(LADDER[-1:]) / GAIN, BENT)[0]), 401)
    correction = np.interp(levels, polynomial(light, BENT), light) - levels
    names = {"channel": ["A"] * levels.size, "setting": [""] * levels.size}
    return TableProduct({**names, "level": levels, "correction": correction, "error": np.zeros(levels.size)})


def _gain_of_line() -> float:
    """The gain [e⁻/ADU] of levels corrected to the line without deviation on average from a fiftieth of saturation to the highest rung, as linearity's are."""
    light = np.linspace(100.0, LADDER[-1] / GAIN, 400_001)
    levels = polynomial(light, BENT)
    inside = np.linspace(0.02 * 65535.0, levels[-1], 20_001)
    return GAIN / float((inside / np.interp(inside, levels, light)).mean())


@lru_cache(maxsize=512)
def _corrected(seed: int, side: int) -> dict[str, tuple[Measurement, ...]]:
    """The measurements of one realisation of the bent converter, by the table that the step nonlinearity took: the true one, or linearity's of the same flats."""
    rng = np.random.Generator(np.random.SFC64([seed, 2]))
    shape = (side, side)
    camera = detector(single(rows=shape[0], columns=shape[1]))
    biases = [
        frame_input(_read(None, rng, shape, BENT), camera, "bias", k, interval=90.0) for k in range(BIASES)
    ]
    flats = [
        frame_input(image, camera, "flat", 10 + k, time, interval=90.0)
        for k, (time, image) in enumerate(_flats(rng, shape, LADDER, BENT))
    ]
    frames = {"flat": flats, "bias": biases}
    # no rung comes again: of a lamp that does not drift nothing has to be taken out
    own = measured(LINEARITY, inputs(LINEARITY, camera, frames)).products["correction"]
    asked = inputs(PROCEDURE, camera, frames, corrections="nonlinearity")

    def by(table: Product) -> tuple[Measurement, ...]:
        given = replace(asked, products={("linearity", "correction"): lambda: table})
        return tuple(measured(PROCEDURE, given).measurements)

    return {TRUE_TABLE: by(_true_table()), MEASURED_TABLE: by(own)}


def _of_corrected(table: str, quantity: str, truth: float, **wanted: float | tuple[float, float]) -> Case:
    """A bent converter's flats, corrected by a table."""

    def simulate(seed: int, side: int = 1024) -> list[Found]:
        m = next(m for m in _corrected(seed, side)[table] if m.quantity == quantity)
        assert m.value is not None and m.uncertainty is not None and "nonlinearity" in m.note, m
        return [Found(m.value, m.uncertainty, truth)]

    whose = "the true table" if table == TRUE_TABLE else "the table that linearity has of the same flats"
    what = f"{_WHAT}; converter 1.2 % low at the top, corrected by {whose}"
    return Case(
        "photon_transfer", quantity, what, simulate, runs=120, quick=8, estimator=_MATRIX, small=partial(simulate, side=256),
        **wanted,  # type: ignore[arg-type]
    )  # fmt: skip


def _row_mean_ratio(ladder: Sequence[float]) -> float:
    """Variance of row means over that of shot noise alone, summed over the levels, as the charge was simulated."""
    found = 0.0
    for level in ladder:
        law = covariances(level, AREA, SLOPE)
        found += float(law[law.shape[0] // 2].sum())
    return found / float(np.sum(ladder))


_WHAT = "20 pairs of 1024 × 1024 pixels, 60 to 90,000 e⁻, covariances by Astier et al. 2019, eq. 20"
_MATRIX = "whole covariance matrix (eq. 20)"


def _of_matrix(quantity: str, truth: float, **wanted: float | tuple[float, float]) -> Case:
    return Case(
        "photon_transfer", quantity, _WHAT, _simulation(quantity, truth), runs=400, quick=5, estimator=_MATRIX,
        **wanted,  # type: ignore[arg-type]
    )  # fmt: skip


def _small(model: str, ladder: tuple[float, ...], limit: float) -> Case:
    """The other estimators, at levels so low that what they leave out is small."""
    what = f"{len(ladder)} pairs of 256 × 256 pixels, {ladder[0]:,.0f} to {ladder[-1]:,.0f} e⁻; model {model}"
    return Case(
        "photon_transfer", "gain", what, _simulation("gain", GAIN, 256, ladder, model=model), runs=400, quick=20,
        pull=limit, estimator=model,
    )  # fmt: skip


CASES: tuple[Case, ...] = (
    _of_matrix("gain", GAIN, relative=5e-4, pull=0.2, scatter=(0.9, 1.1)),
    _of_matrix("read_noise", NOISE, relative=1e-3, scatter=(0.9, 1.1)),
    _of_matrix("read_noise_direct", NOISE, relative=1e-3, scatter=(0.9, 1.1)),
    _of_matrix("a00", float(AREA[0, 0]), pull=0.3, scatter=(0.85, 1.15)),
    _of_matrix("a10", float(AREA[0, 1]), pull=0.3, scatter=(0.85, 1.15)),
    _of_matrix("a01", float(AREA[1, 0]), pull=0.3, scatter=(0.85, 1.15)),
    _of_matrix("area_sum", 0.0, pull=0.3, scatter=(0.85, 1.15)),
    _of_matrix("row_mean_ratio", _row_mean_ratio(LADDER), pull=0.3, scatter=(0.85, 1.15)),
    _of_corrected(TRUE_TABLE, "gain", GAIN, relative=5e-4, pull=0.2, scatter=(0.9, 1.1)),
    _of_corrected(TRUE_TABLE, "a00", float(AREA[0, 0]), pull=0.3, scatter=(0.85, 1.15)),
    _of_corrected(MEASURED_TABLE, "gain", _gain_of_line(), relative=5e-4, pull=0.2, scatter=(0.9, 1.1)),
    _of_corrected(MEASURED_TABLE, "a00", float(AREA[0, 0]), pull=0.3, scatter=(0.85, 1.15)),
    _small("exponential", tuple(np.geomspace(100.0, 3e4, 10)), 0.2),
    _small("quadratic", tuple(np.geomspace(100.0, 3e4, 10)), 0.2),
    _small("pairs", (300.0, 300.0001, 300.0002, 300.0003), 0.2),
)
"""What is asked of photon transfer, and what its other numbers are held to."""


def full_size(seed: int) -> Inputs:
    """Four channels of 2048 × 2048 pixels: sixteen pairs of flats and four bias frames, 16 bits, in memory."""
    rng, shape = np.random.Generator(np.random.SFC64(seed)), (2048, 2048)
    camera = _quadrants()
    ladder = np.geomspace(100.0, 9.0e4, 16)
    tiles = _flats(rng, shape, ladder)

    def whole(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
        out = np.full(camera.geometry.shape, np.uint16(OFFSET), np.uint16)
        for channel in camera.geometry.channels:
            out[channel.image.slices] = image
        return out

    flats: list[FrameInput] = [
        frame_input(whole(image), camera, "flat", 10 + k, time) for k, (time, image) in enumerate(tiles)
    ]
    biases = [frame_input(whole(_read(None, rng, shape)), camera, "bias", k, 0.0) for k in range(BIASES)]
    return inputs(PROCEDURE, camera, {"flat": flats, "bias": biases})


def _quadrants() -> Detector:
    geometry: Geometry = quadrants(rows=2048, columns=2048, prescan=0, overscan=0, parallel=0)
    return detector(geometry)
