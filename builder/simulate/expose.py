"""The pixels of one frame: photons, charge, readout, converter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from builder.simulate.gathered import (
    LIGHT,
    add_tracks,
    bend,
    collect,
    collect_in_steps,
    mean_charge,
    released,
)
from builder.simulate.plan import Exposure
from builder.simulate.readout import Image, convert, disturb, noise, offset, signals
from builder.simulate.scene import Scene
from builder.simulate.settings import Truth
from builder.simulate.truth import generator
from campaign.geometry import Geometry


def expose(
    seed: int,
    exposure: Exposure,
    detector: str,
    geometry: Geometry,
    truth: Truth,
    scene: Scene,
    before: Sequence[Exposure] = (),
) -> Image:
    """The image [ADU], shape ``geometry.shape``: uint16, or float32 when NaN pixels were planted.

    ``before`` are the earlier exposures whose light traps may still hold.
    """
    rng = generator(seed, exposure.block, exposure.number, detector, "frame")
    effects = truth.effects
    mean = mean_charge(seed, exposure, detector, geometry, truth, scene)
    late = released(seed, exposure, before, detector, geometry, truth, scene)
    if late is not None:
        mean = mean + late
    if effects.brighter_fatter is not None and exposure.type in LIGHT:
        charge = collect_in_steps(rng, mean, geometry, effects.brighter_fatter)
    else:
        charge = collect(rng, mean, truth.a00)
    for channel in geometry.channels:
        add_tracks(rng, exposure, detector, channel, truth, charge)
        bend(charge, scene.channels[channel.name])
    np.minimum(charge, scene.full_well, out=charge)
    level = signals(rng, charge, geometry, effects, scene) + offset(exposure, detector, geometry, scene)
    level += noise(rng, exposure, detector, geometry, effects, scene)
    disturb(rng, level, exposure, detector, geometry, effects)
    return convert(rng, seed, exposure, detector, geometry, truth, level)
