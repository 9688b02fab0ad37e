"""How charge transfer is measured: each channel in both directions, in every setting of its flats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.charge_transfer import STEPS
from analysis.charge_transfer.directions import measure_direction
from analysis.charge_transfer.levels import Terms
from analysis.charge_transfer.outputs import hand_on
from analysis.charge_transfer.register import DIRECTIONS
from analysis.charge_transfer.results import electronic_share, hand_back, of_each_level
from analysis.contract import ContractError, FrameInput, Inputs, Results
from analysis.flat_frames import by_setting
from analysis.response_corrections import correction_of

ESTIMATORS = ("eper", "first-pixel", "trap-model")
"""What the parameter ``estimator`` may be."""
STRUCTURES = ("auto", "always", "never")
"""What the parameter ``bias_structure`` may be."""

_SHARE = 0.1  # of deferred charge from which that of the electronics is worth a caveat


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see the package's ``PROCEDURE`` for the quantities."""
    for name, known in (("estimator", ESTIMATORS), ("bias_structure", STRUCTURES)):
        if inputs.parameters[name] not in known:
            given = inputs.parameters[name]
            raise ContractError(
                f"charge_transfer.{name} cannot be {given!r}; it is one of {', '.join(known)}"
            )
    geometry = inputs.detector.geometry
    flats, biases = inputs.frames.get("flat", ()), inputs.frames.get("bias", ())
    terms = Terms(
        int(inputs.number("pixels")),
        inputs.number("clip"),
        geometry.saturation,
        str(inputs.parameters["bias_structure"]),
    )
    of_channel = {
        c.name: replace(terms, table=correction_of(inputs, results, c, flats, STEPS).table)
        for c in geometry.channels
    }
    found = [
        measure_direction(inputs, channel, setting, direction, frames, biases, of_channel[channel.name])
        for setting, frames in by_setting(flats, inputs.setting)
        for channel in geometry.channels
        for direction in DIRECTIONS
    ]
    for one in found:
        hand_back(results, one)
        if one.estimator == "eper" and one.ladder.levels and electronic_share(one) > _SHARE:
            results.caveat(
                f"Channel {one.ladder.channel}, {one.ladder.direction}: {100 * electronic_share(one):.2g} % of what is found behind the image "
                "decays as an offset of the electronics does, and counts as CTI; the trap model tells them apart."
            )
    if inputs.parameters["level_settings"]:
        named = _named_by_level(flats, inputs.setting)
        for one in found:
            of_each_level(results, one, named)
    hand_on(results, found)


def _named_by_level(flats: Sequence[FrameInput], default: str) -> dict[str, str]:
    """The setting of each exposure where exposure times make settings."""
    groups = by_setting(flats, default, ("wavelength", "exptime"))
    return {frame.frame.exposure: name for name, frames in groups for frame in frames}
