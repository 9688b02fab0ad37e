"""How flats are measured: channel by channel, in each setting of two flats or more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import ContractError, FrameInput, Inputs, Results
from analysis.correction_steps import OF_MASTER
from analysis.flat.declared import ESTIMATORS, QUANTITIES
from analysis.flat.levels import corrected, electronics_of, levels_of
from analysis.flat.master import Making, Master, master_of
from analysis.flat.outputs import OfChannel, hand_on
from analysis.flat.results import report_drift, report_levels, report_master, tell_checks
from analysis.flat_frames import by_setting, offsets_of
from analysis.flat_pairs import Bounds
from analysis.response_corrections import correction_of
from campaign.geometry import Channel

_ALL = tuple(quantity.name for quantity in QUANTITIES)
_OF_MASTER = (
    "prnu", "non_uniformity", "gradient_rows", "gradient_columns", "dark_pixels", "bright_pixels", "dust_spots", "dust_area",
    "signal_to_noise", "signal_to_noise_single",
)  # fmt: skip


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see the package's ``PROCEDURE`` for the quantities.

    Raises ContractError for an estimator that there is not.
    """
    if inputs.parameters["estimator"] not in ESTIMATORS:
        raise ContractError(f"flat.estimator is one of {', '.join(ESTIMATORS)}")
    flats = inputs.frames.get("flat", ())
    groups = by_setting(flats, inputs.setting, ("wavelength", "exptime"))
    usable = [(setting, frames) for setting, frames in groups if len(frames) >= 2]
    for setting, frames in groups:
        if len(frames) < 2:
            results.say(
                f"{setting or 'flats'}: one frame ({frames[0].frame.exposure}) makes no master"
                if frames
                else "no flats"
            )
    found: list[OfChannel] = []
    for channel in inputs.detector.geometry.channels:
        if not usable:
            _nothing(results, channel, inputs.setting, "too-few-frames", "no two flats of one setting")
        reference: Master | None = None
        own = []
        for setting, frames in _in_turn(usable, str(inputs.parameters["reference"])):
            one = _channel(inputs, results, channel, setting, frames, reference)
            if one is None:
                continue
            own.append(one)
            if one.master is not None and one.master.halves is not None:
                reference = one.master
        order = [setting for setting, _ in usable]
        found += sorted(own, key=lambda one: order.index(one.setting))
    hand_on(results, inputs.detector, found)


def _in_turn(
    groups: Sequence[tuple[str, tuple[FrameInput, ...]]], reference: str
) -> list[tuple[str, tuple[FrameInput, ...]]]:
    """The groups with the reference first."""
    return sorted(groups, key=lambda group: bool(reference) and group[0] != reference)


def _nothing(
    results: Results, channel: Channel, setting: str, reason: str, note: str,
    quantities: Sequence[str] = _ALL, flags: Sequence[str] = (), n: int = 0,
) -> None:  # fmt: skip
    for quantity in quantities:
        results.missing(quantity, reason, channel=channel.name, setting=setting, n=n, flags=flags, note=note)


def _channel(
    inputs: Inputs,
    results: Results,
    channel: Channel,
    setting: str,
    given: Sequence[FrameInput],
    reference: Master | None,
) -> OfChannel | None:
    """Measure one channel in one setting; None when there was nothing to show."""
    frames = [f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1]
    biases = inputs.frames.get("bias", ())
    if len(frames) < 2:
        _nothing(results, channel, setting, "too-few-pixels", "fewer than two flats have finite pixels")
        return None
    offsets = offsets_of(frames, biases, channel)
    if offsets is None:
        _nothing(results, channel, setting, "no-overscan", "nothing tells the offset of the flats")
        return None
    bounds = Bounds(
        saturation=inputs.detector.geometry.saturation,
        lamp_tolerance=inputs.number("lamp_tolerance"),
        flicker_ratio=inputs.number("flicker_ratio"),
        pile_fraction=inputs.number("pile_fraction"),
    )
    details = [f.details(channel) for f in frames]
    electronics, unlit_flags = electronics_of(inputs, details, channel, bounds)
    try:
        levels = levels_of(
            frames, details, channel, offsets, electronics, bounds, inputs.number("stability_tolerance")
        )
    except ValueError as error:
        _nothing(results, channel, setting, "unphysical", str(error), n=len(frames))
        return None
    by = correction_of(inputs, results, channel, frames, OF_MASTER)
    if by.table is not None and not by.table.covers(max(levels.values)):
        note = f"levels of up to {max(levels.values):.5g} ADU; the table of corrections ends at {by.table.top:.5g} ADU"
        _nothing(results, channel, setting, "not-reached", note, n=len(frames))
        return None
    levels = corrected(levels, [f.summaries[channel.name].std for f in frames], by)
    flags = [*levels.flags, *unlit_flags]
    if any(f.summaries[channel.name].not_finite for f in frames):
        flags.append("bad-pixels")
    tell_checks(results, channel, setting, frames, levels)
    report_levels(results, channel, setting, frames, levels, flags, by.words)
    wavelength = frames[0].frame.fields.get("wavelength")
    one = OfChannel(channel, setting, tuple(f.frame.exposure for f in frames), levels, _number(wavelength))
    report_drift(results, one, frames, flags)
    clean = levels.clean
    if len(clean) < 2:
        spoilt = [{c.flag for c in checks if c.raised} for checks in levels.checks]
        reason = "saturated" if all("saturated" in s for s in spoilt if s) else "bad-fit"
        note = f"{len(clean)} of {len(frames)} flats are free of flags; two are needed"
        _nothing(results, channel, setting, reason, note, _OF_MASTER, flags, len(clean))
        return one
    try:
        master = master_of(
            [frames[i] for i in clean], channel, [offsets.values[i] for i in clean], [levels.values[i] for i in clean],
            noise=levels.noise, how=_making(inputs), reference=reference, by=by,
        )  # fmt: skip
    except ValueError as error:
        _nothing(results, channel, setting, "too-few-pixels", str(error), _OF_MASTER, flags, len(clean))
        return one
    left = len(frames) - len(clean)
    note = f"{left} of {len(frames)} flats left out for their flags" if left else ""
    note = "; ".join(part for part in (by.words, note) if part)
    report_master(results, one, master, int(inputs.number("degree")), flags, note)
    one.master = master
    return one


def _making(inputs: Inputs) -> Making:
    return Making(
        str(inputs.parameters["estimator"]),
        int(inputs.number("degree")),
        inputs.number("cell"),
        inputs.number("dark"),
        inputs.number("bright"),
        inputs.number("dust_depth"),
        int(inputs.number("dust_pixels")),
    )


def _number(value: object) -> float | None:
    """A field as a number, where it is one: wavelengths are given as text, or are names of filters."""
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if np.isfinite(found) else None
