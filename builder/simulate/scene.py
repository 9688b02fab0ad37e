"""A detector as maps: what every pixel's response, dark current, offset, noise and gain really are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from builder.simulate.effects.crosstalk import as_read
from builder.simulate.effects.glow import amplifier_glow
from builder.simulate.effects_settings import of_channel
from builder.simulate.settings import Truth
from builder.simulate.truth import ChannelTruth, generator
from campaign.frozen import dataclass
from campaign.geometry import Channel, Geometry, Region

Map = NDArray[np.float32]

FULL_WELL_SPREAD = 0.01
"""Pixels differ in full well by this fraction (rms), so that the variance turns over instead of breaking."""


@dataclass(frozen=True)
class Scene:
    """Maps of the whole image, shape ``geometry.shape``, float32.

    ``response`` (1 = mean; 0 outside the image regions), ``dark`` [e⁻/s], ``full_well`` [e⁻], ``offset``
    [ADU], ``noise`` [ADU rms], ``per_electron`` [ADU/e⁻]; ``channels`` is what they were made of.
    """

    response: Map
    dark: Map
    full_well: Map
    offset: Map
    noise: Map
    per_electron: Map
    channels: Mapping[str, ChannelTruth]


def extent(channel: Channel) -> Region:
    """The rectangle that holds all of a channel's regions."""
    regions = [
        r for n in ("image", "prescan", "overscan", "parallel") if (r := channel.region(n)) is not None
    ]
    return Region(
        min(r.y0 for r in regions),
        max(r.y1 for r in regions),
        min(r.x0 for r in regions),
        max(r.x1 for r in regions),
    )


def scene(
    seed: int,
    block: str,
    detector: str,
    geometry: Geometry,
    truth: Truth,
    channels: Mapping[str, ChannelTruth],
) -> Scene:
    """The maps of one detector in one block; the same for the same arguments."""
    rng = generator(seed, block, detector, "maps")
    first = channels[geometry.channels[0].name]
    shape = geometry.shape
    made = Scene(
        response=np.zeros(shape, np.float32),
        dark=np.zeros(shape, np.float32),
        full_well=np.full(shape, first.full_well, np.float32),
        offset=np.full(shape, first.offset, np.float32),
        noise=np.full(shape, first.read_noise / first.gain, np.float32),
        per_electron=np.full(shape, 1.0 / first.gain, np.float32),
        channels=channels,
    )
    pattern = rng.standard_normal(shape, dtype=np.float32)
    wells = rng.standard_normal(shape, dtype=np.float32)
    made.full_well[:] = 1 + np.float32(FULL_WELL_SPREAD) * np.clip(wells, -3, 3)
    lit = illumination(geometry, truth)
    for channel in geometry.channels:
        own, box, image = channels[channel.name], extent(channel).slices, channel.image.slices
        made.response[image] = (1 + np.float32(truth.prnu) * pattern[image]) * lit[image]
        made.dark[image] = own.dark_current
        made.full_well[box] *= own.full_well
        made.noise[box] = own.read_noise / own.gain
        made.per_electron[box] = 1.0 / own.gain
        made.offset[box] = own.offset + ramp(channel, truth.structure)
        _defects(made, channel, own)
        _effects(made, channel, truth)
    return made


def illumination(geometry: Geometry, truth: Truth) -> Map:
    """The lamp's light over the image, mean 1 over the light-sensitive pixels."""
    rows, columns = geometry.shape
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    light = (1 + np.float32(truth.gradient / 2) * x) * (
        1 - np.float32(truth.vignetting / 2) * (x * x + y * y)
    )
    total = sum(float(light[c.image.slices].sum(dtype=np.float64)) for c in geometry.channels)
    return (light / np.float32(total / sum(c.image.size for c in geometry.channels))).astype(np.float32)


def ramp(channel: Channel, amplitude: float) -> Map:
    """Fixed structure of the offset [ADU]: it decays with the rows read, and within a line's first pixels.

    Its mean over the image region is 0, so that the stated offset is the level of a bias image.
    """
    rows, columns = extent(channel).shape
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    out = np.float32(amplitude) * (np.exp(-y / (rows / 6)) + np.exp(-x / 2))
    if channel.corner.startswith("upper"):
        out = out[::-1]
    if channel.corner.endswith("right"):
        out = out[:, ::-1]
    box, image = extent(channel), channel.image
    inner = out[image.y0 - box.y0 : image.y1 - box.y0, image.x0 - box.x0 : image.x1 - box.x0]
    return np.asarray(out - inner.mean(), np.float32)


def _effects(made: Scene, channel: Channel, truth: Truth) -> None:
    """Glow, and the last column torn: both in the order of reading."""
    image, glow = channel.image.slices, truth.effects.glow
    if glow is not None:
        light = amplifier_glow(channel.image.shape, glow.peak, glow.reach)
        made.dark[image] += as_read(light, channel.corner).astype(np.float32)
    if torn := of_channel(truth.effects.tearing, channel.name, 0.0):
        response = as_read(made.response[image], channel.corner)
        lost = np.float32(torn) * response[:, -1]
        response[:, -1] -= lost
        response[:, -2] += lost


def _defects(made: Scene, channel: Channel, own: ChannelTruth) -> None:
    for y, x, current in own.hot:
        made.dark[y, x] += current
    for x, response in own.columns:
        made.response[channel.image.y0 : channel.image.y1, x] *= response
    for y, x, response in own.dead:
        made.response[y, x] *= response
    for y, x, factor in own.noisy:
        made.noise[y, x] *= factor
