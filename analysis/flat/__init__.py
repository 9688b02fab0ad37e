"""Flat: the response of pixels to uniform light, and how steady that light was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import (
    ContractError,
    FrameInput,
    Inputs,
    Procedure,
    ProductSpec,
    Results,
    Role,
    Version,
)
from analysis.correction import takes
from analysis.flat.declared import ESTIMATORS, FIGURES, PARAMETERS, QUANTITIES
from analysis.flat.levels import corrected, electronics_of, levels_of
from analysis.flat.master import Making, Master, master_of
from analysis.flat.outputs import OfChannel, hand_on
from analysis.flat.results import report_drift, report_levels, report_master, tell_checks
from analysis.flat_frames import by_setting, offsets_of
from analysis.flat_pairs import Bounds
from analysis.response_corrections import OF_MASTER, correction_of
from campaign.geometry import Channel

__all__ = ["PROCEDURE", "QUANTITIES", "measure"]

_ALL = tuple(quantity.name for quantity in QUANTITIES)
_OF_MASTER = (
    "prnu", "non_uniformity", "gradient_rows", "gradient_columns", "dark_pixels", "bright_pixels", "dust_spots", "dust_area",
    "signal_to_noise", "signal_to_noise_single",
)  # fmt: skip


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see ``PROCEDURE`` for the quantities.

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


PROCEDURE = Procedure(
    name="flat",
    title="Flat field",
    purpose="The master flat of each channel, how unequal its pixels respond, which of them are dead, and how steady and even the light was.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "The smooth shape follows the means of cells without outliers instead of their medians, which are noisier; the error of the "
            "non-uniformity includes the pixels' pattern; overscan levels are those of the frames' summaries.",
        ),
        Version(
            "1.2", "2026-11-21",
            "The response is over a spline through the means of cells of 25 pixels, which follows dust and steps of the illumination, instead of a polynomial (estimator polynomial, the numbers of before): PRNU is lower by "
            "what there is of coarser structure, and agrees within its error where there is none. The error of the level counts that of overscans once, not twice. New: ratio to a reference, gradients, dust, drift of the lamp, S/N of a single flat, PRNU against level and wavelength.",
        ),
        Version(
            "1.3", "2026-11-21",
            "Pattern, noise and dust are told in fewer passes over the pixels: outliers beyond 6 σ of either half are left out of the response's variance and those beyond 5 σ of the halves' difference of its noise, both σ of a sample of pixels; "
            "signal_to_noise and non_uniformity move by small parts of their errors. prnu is over the mean response, which a spline under bowed light makes 1.0005: it was larger by a fifth of its error. Dust spots that touch at a corner are one. Flicker is looked for in the means of rows and columns that were kept of each frame, and in the pixels where those scatter. "
            "The mask has the bits of all other masks (dark, bright, no-value) instead of 1, 2 and 4. Profiles show means without dark and bright pixels, not medians.",
        ),
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats, compared within one wavelength and exposure time, in the order they were taken"),
        Role("bias", ("bias",), 0, "bias frames, for the offset where there is no overscan", elsewhere=True),
    ),
    takes=takes(*OF_MASTER, but="flat"),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=(
        ProductSpec("master_flat", "fits", "mean of the flats over their mean level, illumination included"),
        ProductSpec("defects", "fits", "mask of pixels, int32, with the bits of all masks: dark, bright, no-value"),
    ),
    acceptance=(
        "The level is what was planned, the PRNU within its limit.",
        "No flag says that the lamp drifted or flickered, or that the converter clamped.",
    ),
    caveats=(
        "A step of correction was asked for, and what it takes is not there.",
        "Dust and other structure finer than the cells of the spline counts as PRNU.",
        "PRNU falls as the level rises, where charge that a pixel has collected drives its borders in (brighter-fatter effect): "
        "by the fraction |a₀₀| Q / 2 to first order, with a₀₀ [1/e⁻] of the brighter-fatter procedure and the charge Q [e⁻]. Compare it at equal levels.",
    ),
    algorithm="""\
Offsets are from the overscan, else from bias frames. Each flat is compared with the mean of the others, at equal level: rows or columns that scatter by more
than pixel noise mean that the light flickered. Such flats, and clamped or saturated ones, are left out of the master; the flags stand beside the results.

Flats are brought to their mean level and stacked in two halves, odd and even, with 5 σ clipping. The illumination is a bicubic spline through the means of cells of 25 × 25 pixels,
each without what lies beyond 5 robust σ of its median (estimator polynomial: a 2-D polynomial through the means of about 40 × 40 cells; reference: the polynomial of the ratio to another setting's master, half by half). Non-uniformity,
gradients and dust are always told from the polynomial.
What the halves have in common about it is the pixels' response, what they have not is noise; so the PRNU is free of photon noise without
knowing the gain. Its square may come out below zero when there is none.

    PRNU² = cov(m₁ / s, m₂ / s) / ⟨m₁ / s⟩ ⟨m₂ / s⟩ (1 − (2 tr S − tr SᵀS) / N)
    m₁, m₂: masters of the odd and the even flats, at the mean level;  s: smooth shape of the whole master;  S: the linear smoother that the spline is, which takes part of independent pixels' variance;  N: pixels

Dust: regions in which the mean of 5 × 5 pixels of the master over the polynomial lies low, wider and higher than a column. The spline follows much of it: what counts as response is finer than its cells.""",
    references=(
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapter 3 (fixed pattern noise).",
        "EMVA Standard 1288, release 4.0 (photo-response non-uniformity).",
        "T. Hastie and R. Tibshirani, Generalized Additive Models, Chapman and Hall 1990, section 3.5 (degrees of freedom of linear smoothers).",
    ),
    comments=(
        "Each wavelength and exposure time is a setting with numbers of its own; only the figure of the master is of the first alone.",
        "Corrected for non-linearity the master is that of corrected frames: where the response sags it is too even, contrast by contrast, by the slope of the curve. Frames that the chain divides by it should be corrected alike. "
        "Without the step dark the dark signal counts as light, which it is not: response and PRNU are told over both, and come out low by its share (0.1 % where it is a thousandth of the light). "
        "With the step defects known bad pixels have no value in the master, and count among neither dark nor bright ones.",
        "Nothing is told of the colour of the light: flats of different lamps under one setting are compared as if they were alike.",
    ),
    measure=measure,
)  # fmt: skip
