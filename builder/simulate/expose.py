"""The pixels of one frame: photons, charge, amplifier, converter.

Charge is Poisson distributed (drawn as a Gaussian where the mean is large, which differs from it by less
than the converter's step), its variance lowered by the brighter-fatter effect as in Astier et al. 2019
(A&A 629, A36), eq. 16: var = (exp(2·a00·µ) − 1) / (2·a00), µ in electrons.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from builder.simulate.plan import Exposure
from builder.simulate.scene import Map, Scene, extent
from builder.simulate.settings import Fault, Truth
from builder.simulate.truth import generator, nominal_gain
from campaign.geometry import Channel, Geometry

GAUSSIAN_ABOVE = 40.0
"""Mean charge [e⁻] above which the Poisson distribution is drawn as a Gaussian."""

CONVERTER_TOP = 65535

Image = NDArray[np.uint16] | NDArray[np.float32]


def expose(
    seed: int, exposure: Exposure, detector: str, geometry: Geometry, truth: Truth, scene: Scene
) -> Image:
    """The image [ADU], shape ``geometry.shape``: uint16, or float32 when NaN pixels were planted."""
    rng = generator(seed, exposure.block, exposure.number, detector, "frame")
    charge = collect(rng, _mean_charge(seed, exposure, detector, geometry, truth, scene), truth.a00)
    seconds = exposure.light_time(detector)
    for channel in geometry.channels:
        for _ in range(rng.poisson(truth.cosmic_rate * seconds * channel.image.size / 1e6)):
            cosmic_track(rng, charge[channel.image.slices])
    np.minimum(charge, scene.full_well, out=charge)
    level = charge * scene.per_electron + _offset(exposure, detector, geometry, scene)
    level += _noise(exposure, detector, geometry, scene) * rng.standard_normal(geometry.shape, np.float32)
    return _convert(rng, exposure, detector, geometry, level)


def collect(rng: np.random.Generator, mean: Map, a00: float) -> Map:
    """Charge gathered [e⁻] for its expectation [e⁻], with shot noise."""
    variance = np.expm1(2 * a00 * mean) / (2 * a00) if a00 else mean
    charge = mean + np.sqrt(variance) * rng.standard_normal(mean.shape, np.float32)
    faint = (mean > 0) & (mean < GAUSSIAN_ABOVE)
    charge[faint] = rng.poisson(mean[faint])
    return charge.astype(np.float32, copy=False)


def cosmic_track(rng: np.random.Generator, charge: Map) -> None:
    """Add one straight track to a channel's charge, in place: a few pixels to a few tens, about 1000 e⁻ each."""
    rows, columns = charge.shape
    y, x = rng.uniform(0, rows), rng.uniform(0, columns)
    angle, length = rng.uniform(0, 2 * np.pi), 1 + rng.exponential(8.0)
    steps = np.arange(0.0, length, 0.5)
    ys = (y + steps * np.sin(angle)).astype(int)
    xs = (x + steps * np.cos(angle)).astype(int)
    inside = (ys >= 0) & (ys < rows) & (xs >= 0) & (xs < columns)
    deposit = 500.0 * rng.lognormal(0.0, 0.4, len(steps))
    np.add.at(charge, (ys[inside], xs[inside]), deposit[inside].astype(np.float32))


def _mean_charge(
    seed: int, exposure: Exposure, detector: str, geometry: Geometry, truth: Truth, scene: Scene
) -> Map:
    """Expected charge of every pixel [e⁻], faults of the light included."""
    seconds = exposure.light_time(detector)
    mean = scene.dark * np.float32(seconds)
    if exposure.type not in ("flat", "point"):
        return mean
    wavelength = exposure.light_wavelength(detector)
    light = truth.lamp[wavelength] * nominal_gain(truth) * seconds
    if fault := exposure.strikes("saturated", detector):
        light *= fault.strength
    if fault := exposure.strikes("lamp-drift", detector):
        light *= 1.0 + fault.strength
    image = scene.response * np.float32(light)
    if exposure.type == "point":
        image *= spots(geometry)
    if fault := exposure.strikes("flicker", detector):
        rows = generator(seed, exposure.block, exposure.number, detector, "flicker")
        image *= (1 + fault.strength * rows.standard_normal((geometry.shape[0], 1))).astype(np.float32)
    return np.maximum(mean + image, 0).astype(np.float32, copy=False)


def spots(geometry: Geometry, width: float = 1.5) -> Map:
    """Five spots per channel, peak 1, in the corners and the centre, of Gaussian ``width`` [pixels rms]."""
    rows, columns = geometry.shape
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    out = np.zeros(geometry.shape, np.float32)
    for channel in geometry.channels:
        box = channel.image
        for fy, fx in ((0.2, 0.2), (0.2, 0.8), (0.5, 0.5), (0.8, 0.2), (0.8, 0.8)):
            dy, dx = y - (box.y0 + fy * box.shape[0]), x - (box.x0 + fx * box.shape[1])
            out += np.exp(-(dy * dy) / (2 * width**2)) * np.exp(-(dx * dx) / (2 * width**2))
    return out


def _offset(exposure: Exposure, detector: str, geometry: Geometry, scene: Scene) -> Map:
    offset = scene.offset
    for fault in exposure.struck("offset-step", detector):
        offset = offset.copy()
        for channel in _channels(geometry, fault):
            offset[channel.image.slices] += np.float32(fault.strength)
    return offset


def _noise(exposure: Exposure, detector: str, geometry: Geometry, scene: Scene) -> Map:
    noise = scene.noise
    for fault in exposure.struck("noisy-channel", detector):
        noise = noise.copy()
        for channel in _channels(geometry, fault):
            noise[extent(channel).slices] *= np.float32(fault.strength)
    return noise


def _channels(geometry: Geometry, fault: Fault) -> list[Channel]:
    return [c for c in geometry.channels if fault.channel in (None, c.name)]


def _convert(
    rng: np.random.Generator, exposure: Exposure, detector: str, geometry: Geometry, level: Map
) -> Image:
    """The converter's output; a planted clamp or NaN pixels included."""
    counts = np.clip(np.rint(level), 0, CONVERTER_TOP)
    for fault in exposure.struck("clamped-converter", detector):
        for channel in _channels(geometry, fault):
            box = extent(channel).slices
            counts[box] = np.minimum(counts[box], np.float32(int(fault.strength)))
    if found := exposure.strikes("nan-pixels", detector):
        counts.reshape(-1)[rng.permutation(counts.size)[: int(found.strength)]] = np.nan
        return counts.astype(np.float32, copy=False)
    return counts.astype(np.uint16)
