"""The charge of one frame before it is read: light, dark current, light that leaks in, what traps give off, cosmic rays.

Charge is Poisson distributed (drawn as a Gaussian where the mean is large, which differs from it by less
than the converter's step). Either its variance alone is lowered by the brighter-fatter effect as in Astier et al. 2019
(A&A 629, A36), eq. 16: var = (exp(2·a00·µ) − 1) / (2·a00), µ in electrons; or charge arrives in steps and moves the borders
of pixels (``effects.pixel_area``), which makes covariances too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from builder.simulate.effects import cosmic_rays, crosstalk, defects, glow, lamp, persistence, pixel_area
from builder.simulate.effects_settings import BrighterFatter
from builder.simulate.plan import Exposure
from builder.simulate.scene import Map, Scene
from builder.simulate.settings import Truth
from builder.simulate.truth import ChannelTruth, generator, nominal_gain
from campaign.geometry import Channel, Geometry

GAUSSIAN_ABOVE = 40.0
"""Mean charge [e⁻] above which the Poisson distribution is drawn as a Gaussian."""

LIGHT = ("flat", "point")
"""Types of exposures with light."""


def mean_charge(
    seed: int, exposure: Exposure, detector: str, geometry: Geometry, truth: Truth, scene: Scene
) -> Map:
    """Expected charge of every pixel [e⁻], faults of the light included."""
    dark = scene.dark
    if truth.effects.defects.changing:
        dark = dark.copy()
        for y, x, current in hot_now(seed, exposure, detector, truth, scene.channels):
            dark[y, x] += current
    mean = dark * np.float32(exposure.light_time(detector))
    if (outside := truth.effects.leak) is not None:
        rate = glow.leak(np.array([exposure.since]), outside.rate, outside.growth / 3600.0)[0]
        mean += scene.response * np.float32(max(rate, 0.0) * exposure.light_time(detector))
    if exposure.type not in LIGHT:
        return mean
    image = scene.response * np.float32(light(seed, exposure, detector, truth))
    if exposure.type == "point":
        image *= _spots(seed, exposure, detector, geometry, truth)
    if fault := exposure.strikes("flicker", detector):
        rows = generator(seed, exposure.block, exposure.number, detector, "flicker")
        image *= (1 + fault.strength * rows.standard_normal((geometry.shape[0], 1))).astype(np.float32)
    return np.maximum(mean + image, 0).astype(np.float32, copy=False)


def hot_now(
    seed: int, exposure: Exposure, detector: str, truth: Truth, channels: Mapping[str, ChannelTruth]
) -> list[tuple[int, int, float]]:
    """Of the pixels that change with time those that are hot in an exposure: (y, x, dark current [e⁻/s]).

    Telegraph signals go on from each exposure number of the block to the next, whichever frames are made.
    """
    of, out = truth.effects.defects, []
    for name, own in channels.items():
        if own.telegraph:
            rng = generator(seed, exposure.block, detector, name, "telegraph")
            states = defects.telegraph(rng, exposure.number + 1, len(own.telegraph), of.switching)[-1]
            out += [pixel for pixel, high in zip(own.telegraph, states, strict=True) if high]
        if of.since is not None and exposure.begun >= of.since.replace(tzinfo=None):
            out += own.late
        if of.until is not None and exposure.begun < of.until.replace(tzinfo=None):
            out += own.annealed
    return out


def light(seed: int, exposure: Exposure, detector: str, truth: Truth) -> float:
    """Charge [e⁻] that the light leaves in a pixel of response 1: lamp, shutter and their faults."""
    of = truth.effects.lamp
    seconds = exposure.light_time(detector)
    if of.shutter:
        seconds = float(lamp.time_open(np.array([seconds]), of.shutter)[0])
    found = truth.lamp[exposure.light_wavelength(detector)] * nominal_gain(truth) * seconds
    if of.drift:
        found *= float(lamp.drift(np.array([exposure.since / 3600.0]), 1.0, of.drift)[0])
    if of.scatter:
        rng = generator(seed, exposure.block, exposure.number, "lamp")
        found *= float(lamp.flicker(rng, 1, of.scatter)[0])
    if fault := exposure.strikes("saturated", detector):
        found *= fault.strength
    if fault := exposure.strikes("lamp-drift", detector):
        found *= 1.0 + fault.strength
    return found


def _spots(seed: int, exposure: Exposure, detector: str, geometry: Geometry, truth: Truth) -> Map:
    of = truth.effects.spots
    if of is None:
        return spots(geometry)
    out = np.zeros(geometry.shape, np.float32)
    for channel in geometry.channels:
        rng = generator(seed, exposure.block, exposure.number, detector, channel.name, "spots")
        out[channel.image.slices] = crosstalk.spots(
            rng, channel.image.shape, of.number, of.width, of.faintest, 1.0
        )
    return out


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


def released(
    seed: int,
    exposure: Exposure,
    before: Sequence[Exposure],
    detector: str,
    geometry: Geometry,
    truth: Truth,
    scene: Scene,
) -> Map | None:
    """Expected charge [e⁻] that traps give off in an exposure after those before it; None where there are no traps.

    What they hold follows from the charge expected of the earlier exposures, so that frames may be made in any order.
    """
    traps = truth.effects.persistence
    if traps is None:
        return None
    out = np.zeros(geometry.shape)
    for earlier in before:
        bright = np.minimum(mean_charge(seed, earlier, detector, geometry, truth, scene), scene.full_well)
        rng = generator(seed, earlier.block, detector, "traps")
        held = persistence.trapped(bright.astype(np.float64), traps.onset, traps.fraction, rng, traps.spread)
        since = (exposure.begun - earlier.begun).total_seconds() - earlier.exptime
        out += persistence.released(held, max(since, 0.0), exposure.exptime, traps.time)
    return out.astype(np.float32)


def collect(rng: np.random.Generator, mean: Map, a00: float) -> Map:
    """Charge gathered [e⁻] for its expectation [e⁻], with shot noise."""
    variance = np.expm1(2 * a00 * mean) / (2 * a00) if a00 else mean
    charge = mean + np.sqrt(variance) * rng.standard_normal(mean.shape, np.float32)
    faint = (mean > 0) & (mean < GAUSSIAN_ABOVE)
    charge[faint] = rng.poisson(mean[faint])
    return charge.astype(np.float32, copy=False)


def collect_in_steps(rng: np.random.Generator, mean: Map, geometry: Geometry, effect: BrighterFatter) -> Map:
    """The same where charge moves the borders of pixels while more arrives; each channel is a periodic frame of its own."""
    area = area_changes(effect)
    out = np.zeros(geometry.shape, np.float32)
    for channel in geometry.channels:
        box = channel.image.slices
        out[box] = pixel_area.expose(mean[box], area, rng, channel.image.shape, effect.step)
    return out


def area_changes(effect: BrighterFatter) -> pixel_area.Floats:
    """The matrix of area coefficients [1/e⁻], its centre in the middle."""
    return pixel_area.area_matrix(effect.along_row, effect.along_column, effect.fall, effect.lags)


def add_tracks(
    rng: np.random.Generator, exposure: Exposure, detector: str, channel: Channel, truth: Truth, charge: Map
) -> None:
    """Add the cosmic rays of an exposure to a channel's charge, in place."""
    seconds, image = exposure.light_time(detector), charge[channel.image.slices]
    if truth.effects.muons is None:
        for _ in range(rng.poisson(truth.cosmic_rate * seconds * channel.image.size / 1e6)):
            cosmic_track(rng, image)
        return
    muons = truth.effects.muons
    number = cosmic_rays.rate_to_number(rng, muons.rate, channel.image.shape, muons.pitch, seconds)
    image += cosmic_rays.struck(rng, channel.image.shape, number)[0].astype(np.float32)


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


def bend(charge: Map, own: ChannelTruth) -> None:
    """Let pixels that do not follow the light lack their part, in place."""
    if own.bent:
        y, x, loss = (np.array(part) for part in zip(*own.bent, strict=True))
        charge[:] = defects.bent(charge.astype(np.float64), y, x, loss, own.full_well)
