"""The brighter-fatter procedure against flats whose charge moved the borders of pixels as it arrived, by known coefficients of area, and against spots of known widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log, sqrt

import numpy as np

from analysis.brighter_fatter import PROCEDURE
from analysis.contract import Inputs, Results
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from bench.truth.case import Case, Found
from builder.simulate.effects import pixel_area
from campaign.geometry import Geometry, quadrants

_GAIN, _NOISE, _OFFSET = 2.0, 5.0, 1000.0  # e⁻/ADU, e⁻, ADU
_AREA = pixel_area.area_matrix(4.0e-7, 3.0e-7, 3.0, 5)  # 1/e⁻, [rows, columns]
_CENTRE = _AREA.shape[0] // 2
_LEVELS = (3e3, 12e3, 25e3, 40e3, 55e3, 70e3, 85e3)  # e⁻
_PAIRS = 2
_SIDE = 256
_STEP = 4000.0  # e⁻: coefficients are right to 0.2 %, a fifteenth of their uncertainty
_PEAK, _WIDTH, _PITCH = 32768.0, 2.0, 12.0  # ADU, pixels, µm: the procedure's defaults


def _geometry(side: int) -> Geometry:
    return quadrants(rows=side, columns=side, prescan=0, overscan=24, parallel=0)


def _frames(seed: int, geometry: Geometry, levels: Sequence[float], pairs: int, step: float) -> Inputs:
    """Flats at levels [e⁻] in pairs, a thousandth of the level their exposure time."""
    rng, camera, flats = np.random.default_rng(seed), detector(geometry), []
    for level in levels:
        for _ in range(2 * pairs):
            image = rng.normal(_OFFSET, _NOISE / _GAIN, geometry.shape).astype(np.float32)
            shape = (len(geometry.channels), *geometry.channels[0].image.shape)
            charge = pixel_area.expose(level, _AREA, rng, shape, step)
            for channel, of in zip(geometry.channels, charge, strict=True):
                image[channel.image.slices] += of / np.float32(_GAIN)
            flats.append(frame_input(digitised(image), camera, "flat", len(flats), level / 1000.0))
    return inputs(PROCEDURE, camera, {"flat": flats})


@lru_cache(maxsize=2048)
def _measured(seed: int) -> dict[str, tuple[tuple[float, float], ...]]:
    """Value and uncertainty of every quantity in all channels of one realisation."""
    given = _frames(seed, _geometry(_SIDE), _LEVELS, _PAIRS, _STEP)
    return _values(measured(PROCEDURE, given), given)


def _values(results: Results, given: Inputs) -> dict[str, tuple[tuple[float, float], ...]]:
    out = {}
    for quantity in PROCEDURE.quantities:
        found = [value(results, quantity.name, c.name) for c in given.detector.geometry.channels]
        out[quantity.name] = tuple(
            (m.value, m.uncertainty) for m in found if m.value is not None and m.uncertainty is not None
        )
    return out


def _true_kernel() -> float:
    """The central element of the potential [pixel²/e⁻], zero far away."""
    whole = np.fft.irfft2(pixel_area.potential(_AREA, (512, 512)), s=(512, 512))
    return float(whole[0, 0] - whole[256, 256])


def _true_growth(axis: int) -> tuple[float, float]:
    """Growth [µm] of a spot's full width at the peak, and by 10,000 ADU there, from exposing it without noise."""
    widths = [_width(_PEAK + d, axis) for d in (0.0, -500.0, 500.0)]
    return widths[0] - _PITCH * _WIDTH, (widths[2] - widths[1]) * 10.0


def _width(peak: float, axis: int) -> float:
    """The full width [µm] that a spot of that peak [ADU] has once exposed: of the second moment, less what sampling adds to it."""
    scale = 2.0 * sqrt(2.0 * log(2.0))
    sigma = _WIDTH / scale
    y, x = np.mgrid[-48:48, -48:48].astype(np.float64)
    light = peak * _GAIN * np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    charge = pixel_area.expose(light, _AREA, None, light.shape, 400.0).astype(np.float64)
    place = (x if axis == 1 else y) ** 2
    moments = [float((image * place).sum() / image.sum()) for image in (charge, light)]
    return scale * _PITCH * sqrt(sigma**2 + moments[0] - moments[1])


def _truths() -> dict[str, Callable[[], float]]:
    return {
        "a00": lambda: float(_AREA[_CENTRE, _CENTRE]),
        "a10": lambda: float(_AREA[_CENTRE, _CENTRE + 1]),
        "a01": lambda: float(_AREA[_CENTRE + 1, _CENTRE]),
        "kernel_sum": lambda: 0.0,
        "kernel_centre": _true_kernel,
        "fwhm_x": lambda: _true_growth(1)[0],
        "fwhm_y": lambda: _true_growth(0)[0],
        "fwhm_slope_x": lambda: _true_growth(1)[1],
        "fwhm_slope_y": lambda: _true_growth(0)[1],
        "a00_after": lambda: 0.0,
        "a10_after": lambda: 0.0,
        "a01_after": lambda: 0.0,
        "curvature_ratio": lambda: 0.0,
        "fit_chi2": lambda: 1.0,
    }


@lru_cache
def _truth(quantity: str) -> float:
    return _truths()[quantity]()


def _found(quantity: str) -> Callable[[int], Sequence[Found]]:
    def simulate(seed: int) -> list[Found]:
        return [Found(v, u, _truth(quantity)) for v, u in _measured(seed)[quantity]]

    return simulate


_CONDITIONS = (
    "14 pairs at 7 levels to 85 ke⁻ of 256 × 256 pixels, charge in steps of 4 ke⁻, gain fitted with them"
)
_COEFFICIENT = "Astier's law fitted to covariances"
_AFTER = "parabola of corrected pairs, kernel of the other half"


def _case(quantity: str, estimator: str, pull: float, low: float, high: float) -> Case:
    return Case(
        "brighter_fatter", quantity, _CONDITIONS, _found(quantity), runs=120, quick=5, pull=pull,
        scatter=(low, high), estimator=estimator,
    )  # fmt: skip


_SPOTS = {450.0: ((29.0, 0.30), (31.0, 0.20)), 850.0: ((38.0, 0.24), (36.0, 0.16))}
"""Full width without charge [µm] and growth [µm for 10,000 ADU of the peak], along rows and along columns, by wavelength [nm]."""
_APART, _ACROSS, _SPOT_FRAMES = 19, 6, 4  # pixels, spots along a side of a channel, frames of each wavelength
_PEAKS = (4e3, 45e3)  # ADU


def _spots(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> np.ndarray:  # type: ignore[type-arg]
    """Charge [e⁻] of Gaussian spots (as pixels sample them) as wide as their peaks ask for, somewhere within their pixels, on a dark field; Poisson distributed."""
    y, x = (np.arange(n, dtype=np.float64) for n in shape)
    light = np.full(shape, 20.0)
    scale = _PITCH * 2.0 * sqrt(2.0 * log(2.0))
    for n in range(_ACROSS**2):
        peak = rng.uniform(*_PEAKS)
        row, column = 16 + _APART * np.array(divmod(n, _ACROSS)) + rng.uniform(-0.5, 0.5, 2)
        along, across = ((width + 1e-4 * growth * peak) / scale for width, growth in _SPOTS[wavelength])
        spot = np.exp(-0.5 * ((y - row) / across) ** 2)[:, np.newaxis] * np.exp(
            -0.5 * ((x - column) / along) ** 2
        )
        light += peak * _GAIN * spot
    return rng.poisson(light)


@lru_cache(maxsize=2048)
def _of_spots(seed: int) -> dict[tuple[str, str], tuple[tuple[float, float], ...]]:
    """Value and uncertainty of what spots tell, by quantity and setting, in all channels of one realisation."""
    rng, geometry = np.random.default_rng([seed, 3]), _geometry(128)
    camera = detector(geometry)
    dim = frame_input(np.full(geometry.shape, 2000, np.uint16), camera, "flat", 0, 1.0)
    frames = []
    for wavelength in _SPOTS:
        for _ in range(_SPOT_FRAMES):
            image = rng.normal(_OFFSET, _NOISE / _GAIN, geometry.shape)
            for channel in geometry.channels:
                image[channel.image.slices] += _spots(rng, channel.image.shape, wavelength) / _GAIN
            number = 1 + len(frames)
            frames.append(frame_input(digitised(image), camera, "point", number, 5.0, wavelength=wavelength))
    out: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {}
    for m in measured(
        PROCEDURE, inputs(PROCEDURE, camera, {"flat": [dim, dim], "spot": frames})
    ).measurements:
        if m.quantity.startswith("spot_") and m.value is not None and m.uncertainty is not None:
            key = (m.quantity, m.setting)
            out[key] = (*out.get(key, ()), (m.value, m.uncertainty))
    return out


def _spot_case(quantity: str, axis: int, number: int, wavelength: float) -> Case:
    """One of the law's numbers (0: width, 1: growth) along an axis (0: rows) at a wavelength."""
    truth = _SPOTS[wavelength][axis][number]

    def simulate(seed: int) -> list[Found]:
        return [Found(v, u, truth) for v, u in _of_spots(seed)[quantity, f"wavelength={wavelength}"]]

    width, growth = _SPOTS[wavelength][axis]
    conditions = (
        f"Gaussian spots of {width:g} µm and {growth:g} µm for 10 kADU at {wavelength:g} nm: {_ACROSS**2} in each of {_SPOT_FRAMES} frames, "
        f"peaks of {_PEAKS[0] / 1e3:g} to {_PEAKS[1] / 1e3:g} kADU, 2 e⁻/ADU"
    )
    return Case(
        "brighter_fatter", quantity, conditions, simulate, runs=150, quick=10, pull=0.3, scatter=(0.85, 1.15),
        estimator="line through widths of matched Gaussians",
    )  # fmt: skip


CASES: tuple[Case, ...] = (
    _case("a00", _COEFFICIENT, 0.3, 0.85, 1.15),
    _case("a10", _COEFFICIENT, 0.3, 0.85, 1.15),
    _case("a01", _COEFFICIENT, 0.3, 0.85, 1.15),
    _case("kernel_sum", "sum of the fitted coefficients", 0.3, 0.85, 1.15),
    _case("kernel_centre", "Poisson equation by sine transforms", 0.3, 0.85, 1.15),
    _case("fwhm_x", "second moment of a spot under the kernel", 0.3, 0.85, 1.15),
    _case("fwhm_y", "second moment of a spot under the kernel", 0.3, 0.85, 1.15),
    _case("fwhm_slope_x", "second moment of a spot under the kernel", 0.3, 0.85, 1.15),
    _case("a00_after", _AFTER, 0.3, 0.85, 1.15),
    _case("a10_after", _AFTER, 0.3, 0.85, 1.15),
    _case("a01_after", _AFTER, 0.3, 0.85, 1.15),
    _case("curvature_ratio", _AFTER, 0.3, 0.85, 1.15),
    *(
        _spot_case(f"spot_{what}_{letter}", axis, number, wavelength)
        for wavelength in _SPOTS
        for number, what in enumerate(("width", "growth"))
        for axis, letter in enumerate("xy")
    ),
)
"""The cases: values and truths of one realisation serve them all."""


def full_size(seed: int) -> Inputs:
    """Flats of one detector of four channels of 2048 × 2048 pixels, a pair at each of five levels: inputs of realistic size, for speed."""
    return _frames(seed, _geometry(2048), (*_LEVELS[::2], 47e3), 1, 20e3)
