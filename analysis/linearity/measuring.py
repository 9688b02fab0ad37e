"""How linearity is measured: one ladder of flats for each channel and setting, with the curve that is fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import cast

from analysis.contract import ContractError, FrameInput, Inputs, Results
from analysis.correction import chain, wanted
from analysis.flat_frames import by_setting
from analysis.flat_pairs import Bounds
from analysis.linearity import STEPS
from analysis.linearity.curve import Estimator
from analysis.linearity.ladder import Ladder, Wanted, reduced
from analysis.linearity.lines import Lines
from analysis.linearity.outputs import hand_on
from analysis.linearity.points import clocks, common_offset_error, measure_points, told_time
from analysis.linearity.results import hand_back
from campaign.geometry import Channel

ESTIMATORS = ("spline", "polynomial")
"""What the parameter ``estimator`` may be."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see the package's ``PROCEDURE`` for the quantities."""
    if inputs.parameters["estimator"] not in ESTIMATORS:
        raise ContractError(
            f"linearity.estimator cannot be {inputs.parameters['estimator']!r}; it is one of {', '.join(ESTIMATORS)}"
        )
    _shutter(inputs)
    found: list[tuple[Ladder, Lines | None]] = []
    fields = str(inputs.parameters["setting_fields"]).split()
    for setting, frames in by_setting(inputs.frames.get("flat", ()), inputs.setting, fields):
        drifting = []
        for channel in inputs.detector.geometry.channels:
            ladder = _ladder(inputs, channel, setting, frames)
            found.append((ladder, hand_back(inputs, results, ladder)))
            if ladder.fit is not None and ladder.fit.terms.degree == 0:
                drifting.append(channel.name)
        if drifting:
            results.caveat(
                f"{setting + ': ' if setting else ''}no drift of the lamp was taken out of channels {', '.join(drifting)}: "
                "it would look like non-linearity."
            )
    hand_on(results, found, [c.name for c in inputs.detector.geometry.channels])


def _shutter(inputs: Inputs) -> float | None:
    """The parameter ``shutter``: seconds, or None for a fit. Raises ContractError for any other text."""
    text = str(inputs.parameters["shutter"])
    if text == "fit":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not isfinite(seconds):
        raise ContractError(f"linearity.shutter cannot be {text!r}; it is 'fit' or a time in seconds")
    return seconds


def _ladder(inputs: Inputs, channel: Channel, setting: str, frames: Sequence[FrameInput]) -> Ladder:
    """The ladder of one channel in one setting."""
    field = str(inputs.parameters["time_field"])
    told = [(f, told_time(f, field)) for f in frames]
    timed = [(f, t) for f, t in told if t is not None and t > 0]
    if not timed:
        known = not frames or any(t is not None for _, t in told)
        return Ladder(
            channel.name, setting, (), reason="too-few-frames" if known else "exposure-time-unknown",
            note=f"{len(frames)} flats, none with an exposure time",
        )  # fmt: skip
    corrected = chain(inputs, channel, wanted(inputs, (*STEPS, "nonlinearity")))
    steps = [name for name, _ in corrected.steps]
    said = [f"without the step {name}: {why}" for name, why in corrected.without.items()]
    if len(timed) < len(frames):
        said.append(f"{len(frames) - len(timed)} flats have no exposure time and are left out")
    if not {"offset", "rows", "bias"} & set(steps):
        return Ladder(
            channel.name,
            setting,
            (),
            reason="no-overscan",
            note="nothing tells the offset of the flats",
            said=tuple(said),
        )
    used = [f for f, _ in timed]
    when, unit = clocks(used)
    points, shapes = measure_points(
        used, _lights(inputs, used), [t for _, t in timed], when, corrected, int(inputs.number("tile")),
        Bounds(
            inputs.number("clip"), int(inputs.number("tile")), inputs.detector.geometry.saturation,
            pile_fraction=inputs.number("pile_fraction"),
        ),
    )  # fmt: skip
    damaged = any(f.summaries[channel.name].not_finite for f in used if channel.name in f.summaries)
    return reduced(
        Ladder(
            channel.name,
            setting,
            tuple(points),
            unit,
            said=tuple(said),
            flags=("bad-pixels",) if damaged else (),
        ),
        Wanted(
            cast(Estimator, inputs.parameters["estimator"]),
            int(inputs.number("knots")),
            int(inputs.number("degree")),
            int(inputs.number("lamp_degree")),
            _shutter(inputs),
            common_offset_error(inputs.frames.get("bias", ()), channel, steps),
            shapes,
        ),
    )


def _lights(inputs: Inputs, frames: Sequence[FrameInput]) -> list[str]:
    """The name of the light of each frame: the values of the fields ``join_fields``."""
    fields = str(inputs.parameters["join_fields"]).split()
    return [", ".join(str(f.frame.fields.get(name) or "") for name in fields) for f in frames]
