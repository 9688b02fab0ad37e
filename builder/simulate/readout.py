"""What becomes of charge on its way out: registers, amplifier, crosstalk, the offset's faults, noise, converter."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from builder.simulate.effects.converter import converted, paired_widths, stuck
from builder.simulate.effects.crosstalk import as_read, coupled, noise_in_common
from builder.simulate.effects.deferred_charge import lagged, local_offset, trapped
from builder.simulate.effects.non_linearity import polynomial
from builder.simulate.effects.pattern_noise import jump, period
from builder.simulate.effects_settings import Effects, of_channel
from builder.simulate.plan import Exposure
from builder.simulate.scene import Map, Scene, extent
from builder.simulate.settings import Fault, Truth
from builder.simulate.truth import generator
from campaign.geometry import Channel, Geometry

CONVERTER_TOP = 65535

Image = NDArray[np.uint16] | NDArray[np.float32]


def signals(rng: np.random.Generator, charge: Map, geometry: Geometry, effects: Effects, scene: Scene) -> Map:
    """Levels above the offset [ADU], shape of the image, of the charge [e⁻] in its pixels; without noise of the amplifier."""
    if not effects.of_readout:
        return cast(Map, charge * scene.per_electron)
    found: dict[str, NDArray[np.float64]] = {}
    for channel in geometry.channels:
        scale = as_read(scene.per_electron[extent(channel).slices], channel.corner)
        levels = moved(rng, charge, channel, effects) * scale
        if effects.local_offset is not None:
            levels = local_offset(levels, effects.local_offset.scale, effects.local_offset.time)
        found[channel.name] = polynomial(
            levels, of_channel(effects.non_linearity, channel.name, cast(tuple[float, ...], ()))
        )
    matrix = {(v, a): c for v, row in effects.crosstalk.items() for a, c in row.items()}
    if matrix:
        found = coupled(found, matrix)
    out = np.zeros(geometry.shape, np.float32)
    for channel in geometry.channels:
        out[extent(channel).slices] = as_read(found[channel.name], channel.corner)
    return out


def moved(rng: np.random.Generator, charge: Map, channel: Channel, effects: Effects) -> NDArray[np.float64]:
    """Charge [e⁻] as it arrives at the node, all of the channel's pixels in the order of reading.

    Rows move down the columns first, then each along the register through the prescan, past the register's traps.
    """
    box = as_read(charge[extent(channel).slices], channel.corner).astype(np.float64)
    for direction, name in ((0, "parallel_cti"), (1, "serial_cti")):
        cti = of_channel(getattr(effects, name), channel.name, 0.0)
        if cti:
            # the register is as long as all that is read: what is empty at its end takes up what is late
            lines = box.T if direction == 0 else box
            lines = lagged(lines, cti, 0, rng)
            box = lines.T if direction == 0 else lines
    if effects.traps is not None:
        box = trapped(box, effects.traps.size, effects.traps.share, effects.traps.time)
    return box


def disturb(
    rng: np.random.Generator,
    level: Map,
    exposure: Exposure,
    detector: str,
    geometry: Geometry,
    effects: Effects,
) -> None:
    """Add periods and jumps of the offset to levels [ADU], in place."""
    struck = exposure.struck("bias-jump", detector)
    if effects.pattern is None and not struck:
        return
    for channel in geometry.channels:
        box = extent(channel).slices
        levels = as_read(level[box], channel.corner).astype(np.float64)
        if effects.pattern is not None:
            of = effects.pattern
            levels = period(levels, of.amplitude, of.frequency, of.overhead, rng)
        for fault in struck:
            if fault.channel in (None, channel.name):
                levels = jump(levels, levels.shape[0] // 2, fault.strength)
        level[box] = as_read(levels, channel.corner)


def offset(exposure: Exposure, detector: str, geometry: Geometry, scene: Scene) -> Map:
    """The offset of each pixel [ADU], planted steps included."""
    found = scene.offset
    for fault in exposure.struck("offset-step", detector):
        found = found.copy()
        for channel in _struck(geometry, fault):
            found[channel.image.slices] += np.float32(fault.strength)
    return found


def noise(
    rng: np.random.Generator,
    exposure: Exposure,
    detector: str,
    geometry: Geometry,
    effects: Effects,
    scene: Scene,
) -> Map:
    """Read noise [ADU], drawn; that of channels read at the same moment has a part in common where that is asked for."""
    sigma = scene.noise
    for fault in exposure.struck("noisy-channel", detector):
        sigma = sigma.copy()
        for channel in _struck(geometry, fault):
            sigma[extent(channel).slices] *= np.float32(fault.strength)
    if not effects.noise_correlation:
        return cast(Map, sigma * rng.standard_normal(geometry.shape, np.float32))
    boxes = [extent(c) for c in geometry.channels]
    drawn = noise_in_common(rng, boxes[0].shape, len(boxes), 1.0, effects.noise_correlation)
    out = np.zeros(geometry.shape, np.float32)
    for channel, box, own in zip(geometry.channels, boxes, drawn, strict=True):
        out[box.slices] = as_read(own, channel.corner)
    return out * sigma


def convert(
    rng: np.random.Generator,
    seed: int,
    exposure: Exposure,
    detector: str,
    geometry: Geometry,
    truth: Truth,
    level: Map,
) -> Image:
    """The converter's output; unequal codes, a planted clamp, a stuck bit or NaN pixels included."""
    counts = np.clip(np.rint(level), 0, CONVERTER_TOP)
    if truth.effects.code_widths:
        for channel in geometry.channels:
            codes = generator(seed, exposure.block, detector, channel.name, "converter")
            widths = paired_widths(CONVERTER_TOP + 1, truth.effects.code_widths, codes)
            box = extent(channel).slices
            counts[box] = converted(level[box], widths)
    for fault in exposure.struck("clamped-converter", detector):
        for channel in _struck(geometry, fault):
            box = extent(channel).slices
            counts[box] = np.minimum(counts[box], np.float32(int(fault.strength)))
    for fault in exposure.struck("stuck-bit", detector):
        for channel in _struck(geometry, fault):
            box = extent(channel).slices
            counts[box] = stuck(counts[box].astype(np.uint16), int(fault.strength), True)
    if found := exposure.strikes("nan-pixels", detector):
        counts.reshape(-1)[rng.permutation(counts.size)[: int(found.strength)]] = np.nan
        return counts.astype(np.float32, copy=False)
    return counts.astype(np.uint16)


def _struck(geometry: Geometry, fault: Fault) -> list[Channel]:
    return [c for c in geometry.channels if fault.channel in (None, c.name)]
