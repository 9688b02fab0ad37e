"""Flat: the response of pixels to uniform light, and how steady that light was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import (
    FigureSpec,
    FrameInput,
    Inputs,
    PanelSpec,
    Parameter,
    Procedure,
    ProductSpec,
    Quantity,
    Results,
    Role,
    Version,
)
from analysis.flat.master import BRIGHT, DARK, Levels, Master, levels_of, master_of
from analysis.flat.outputs import OfChannel, hand_on
from analysis.flat_frames import by_setting, electronic_noise, offsets_of
from analysis.flat_pairs import Bounds
from campaign.geometry import Channel

QUANTITIES = (
    Quantity(
        "level", "μ", "ADU", "Level of the flats above the offset", "clipped mean of the image less the offset, mean of frames",
        "engineering", unplotted="the figure of levels is relative to it",
    ),
    Quantity(
        "stability", "s_μ", "%", "Scatter of the level from frame to frame", "standard deviation of the frames' levels over their mean",
        "health",
    ),
    Quantity(
        "prnu", "PRNU", "%", "Photo-response non-uniformity: rms of the pixels' response about its smooth shape, noise taken out",
        "root of the covariance of two half masters, each over the smooth shape of the illumination",
    ),
    Quantity(
        "non_uniformity", "U", "%", "Range of the illumination over the channel",
        "smooth shape of the master, 99th less 1st percentile over the median", "engineering",
    ),
    Quantity(
        "dark_pixels", "N_dark", "pixels", "Pixels whose response is far too low",
        "master over its smooth shape below the threshold, by five times its noise at least",
    ),
    Quantity(
        "bright_pixels", "N_bright", "pixels", "Pixels whose response is far too high",
        "master over its smooth shape above the threshold, by five times its noise at least",
    ),
    Quantity(
        "signal_to_noise", "S/N", "", "Level of the master over the noise of one of its pixels",
        "noise from the clipped difference of two half masters", "engineering",
        unplotted="one number of the whole master",
    ),
    Quantity(
        "saturated", "f_sat", "%", "Pixels at or above saturation, of all frames", "count over all pixels of all frames", "health",
        unplotted="a count; the exposure table has it frame by frame",
    ),
)  # fmt: skip
"""What the flat procedure measures, per channel and setting."""

_ALL = tuple(quantity.name for quantity in QUANTITIES)
_OF_MASTER = ("prnu", "non_uniformity", "dark_pixels", "bright_pixels", "signal_to_noise")


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the flats of one detector; see ``PROCEDURE`` for the quantities."""
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
        for setting, frames in usable:
            one = _channel(inputs, results, channel, setting, frames)
            if one is not None:
                found.append(one)
    hand_on(results, inputs.detector, found)


def _nothing(
    results: Results, channel: Channel, setting: str, reason: str, note: str,
    quantities: Sequence[str] = _ALL, flags: Sequence[str] = (), n: int = 0,
) -> None:  # fmt: skip
    for quantity in quantities:
        results.missing(quantity, reason, channel=channel.name, setting=setting, n=n, flags=flags, note=note)


def _channel(
    inputs: Inputs, results: Results, channel: Channel, setting: str, given: Sequence[FrameInput]
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
    electronics = electronic_noise(frames, biases, channel, bounds, inputs.shared)
    try:
        levels = levels_of(
            frames, channel, offsets, electronics, bounds, inputs.number("stability_tolerance")
        )
    except ValueError as error:
        _nothing(results, channel, setting, "unphysical", str(error), n=len(frames))
        return None
    flags = [*levels.flags, *(electronics.flags if electronics else ())]
    if any(f.summaries[channel.name].not_finite for f in frames):
        flags.append("bad-pixels")
    _tell(results, channel, setting, frames, levels)
    _of_levels(results, channel, setting, frames, levels, flags)
    one = OfChannel(channel, setting, tuple(f.frame.exposure for f in frames), levels)
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
            degree=int(inputs.number("degree")), dark=inputs.number("dark"), bright=inputs.number("bright"),
        )  # fmt: skip
    except ValueError as error:
        _nothing(results, channel, setting, "too-few-pixels", str(error), _OF_MASTER, flags, len(clean))
        return one
    left = len(frames) - len(clean)
    note = f"{left} of {len(frames)} flats left out for their flags" if left else ""
    _of_master(results, channel, setting, master, flags, note)
    one.master = master
    return one


def _tell(
    results: Results, channel: Channel, setting: str, frames: Sequence[FrameInput], levels: Levels
) -> None:
    """Write what the checks found to the log."""
    where = f"{channel.name}{', ' + setting if setting else ''}"
    for frame, checks in zip(frames, levels.checks, strict=True):
        for check in (c for c in checks if c.raised):
            results.say(f"{where}: flat {frame.frame.exposure} is flagged {check.flag}: {check.note}")
    for i, check in enumerate(levels.mutual):
        if check.raised:
            which = f" from flat {frames[i].frame.exposure} to the next" if check.flag == "lamp-drift" else ""
            results.say(f"{where}: flagged {check.flag}{which}: {check.note}")


def _of_levels(
    results: Results, channel: Channel, setting: str, frames: Sequence[FrameInput], levels: Levels, flags: Sequence[str]
) -> None:  # fmt: skip
    """Level, stability and saturation: of all frames, flagged or not."""
    n = len(frames)
    few = ("few-frames",) if n < 4 else ()
    value, error = levels.mean()
    results.value("level", value, error, channel=channel.name, setting=setting, n=n, flags=flags)
    value, error = levels.scatter()
    results.value(
        "stability",
        100 * value,
        100 * error,
        channel=channel.name,
        setting=setting,
        n=n,
        flags=[*flags, *few],
    )
    summaries = [f.summaries[channel.name] for f in frames]
    pixels = sum(s.n for s in summaries)
    share = 100.0 * sum(s.saturated for s in summaries) / pixels
    own = [f for f in flags if f in ("saturated", "clamped")]
    results.value("saturated", share, None, channel=channel.name, setting=setting, n=pixels, flags=own)


def _of_master(
    results: Results, channel: Channel, setting: str, master: Master, flags: Sequence[str], note: str
) -> None:
    rms, error, extra = master.pattern.root()
    few = ("few-frames",) if master.frames < 4 else ()
    spread, spread_error = master.non_uniformity()
    ratio = master.level / master.noise if master.noise > 0 else 0.0
    rows: list[tuple[str, float, float | None, int, Sequence[str]]] = [
        ("prnu", 100 * rms, 100 * error, master.pattern.n, extra),
        ("non_uniformity", 100 * spread, 100 * spread_error, master.image.size, ()),
        ("dark_pixels", float(np.count_nonzero(master.defects & DARK)), None, master.image.size, ()),
        ("bright_pixels", float(np.count_nonzero(master.defects & BRIGHT)), None, master.image.size, ()),
    ]
    for quantity, value, uncertainty, n, own in rows:
        results.value(
            quantity, value, uncertainty, channel=channel.name, setting=setting, n=n, flags=[*flags, *own, *few], note=note
        )  # fmt: skip
    if ratio <= 0:
        results.missing(
            "signal_to_noise", "unphysical", channel=channel.name, setting=setting, flags=flags, note="the flats are identical"
        )  # fmt: skip
        return
    results.value(
        "signal_to_noise", ratio, ratio * master.noise_error / master.noise, channel=channel.name, setting=setting,
        n=master.frames, flags=[*flags, *few], note=note,
    )  # fmt: skip


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
    ),
    roles=(
        Role("flat", ("flat",), 2, "flats, compared within one wavelength and exposure time, in the order they were taken"),
        Role("bias", ("bias",), 0, "bias frames, for the offset where there is no overscan", elsewhere=True),
    ),
    parameters=(
        Parameter("degree", 5, "degree of the 2-D polynomial that is the smooth shape of the illumination", "", 0, 9),
        Parameter("dark", 0.5, "response below which a pixel counts as dark", "", 0.0, 1.0),
        Parameter("bright", 1.5, "response above which a pixel counts as bright", "", 1.0, 10.0),
        Parameter("stability_tolerance", 0.005, "relative scatter of the levels above which they are flagged unstable", "", 0.0, 1.0),
        Parameter("lamp_tolerance", 0.01, "relative change of the light from one frame to the next that is flagged", "", 0.0, 1.0),
        Parameter("flicker_ratio", 1.5, "variance of row or column means over that of pixel noise from which a flat is not used", "", 1.0),
        Parameter("pile_fraction", 0.001, "fraction of pixels at one end of the range from which a flat is clamped or saturated", "", 0.0, 1.0),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "levels", "Level against exposure",
            "Level of each flat over the mean of its setting. Look for drifts common to all channels: that is the lamp.",
            (PanelSpec("Level of each flat less the mean of its setting, over that mean [%], against exposure."),),
            ("stability",),
        ),
        FigureSpec(
            "master", "Master flat", "Mean of the flats of the first setting over the mean level; defects are marked unless there are thousands. Look for dust, bad columns, edges and the shape of the illumination.",
            (PanelSpec("Response of each pixel, one for the mean level, at its place on the detector; defects marked."),),
            ("non_uniformity", "dark_pixels", "bright_pixels"),
        ),
        FigureSpec(
            "response", "Response of the pixels",
            "Histogram of the master over its smooth shape, with the normal distribution of PRNU and noise. Wings are defects, dust and edges.",
            (PanelSpec("Number of pixels by response, logarithmic; the curve is the normal distribution of PRNU and noise together.", "channel and setting"),),
            ("prnu", "dark_pixels", "bright_pixels"),
        ),
        FigureSpec(
            "profiles", "Rows and columns of the response", "Medians of the rows and columns of the master over its smooth shape. Look for single "
            "columns, steps between blocks of the mask, and for what the smooth shape does not follow.",
            (
                PanelSpec("Median response of each row against the row."),
                PanelSpec("Median response of each column against the column."),
            ),
            ("prnu",),
        ),
    ),
    products=(
        ProductSpec("master_flat", "fits", "mean of the flats over their mean level, illumination included"),
        ProductSpec("defects", "fits", "mask of pixels: 1 too dark, 2 too bright, 4 without a value"),
    ),
    acceptance=(
        "The level is what was planned, the PRNU within its limit.",
        "No flag says that the lamp drifted or flickered, or that the converter clamped.",
    ),
    caveats=("Dust and other structure finer than the smooth shape counts as PRNU.",),
    algorithm="""\
Offsets are from the overscan, else from bias frames. Each flat is compared with the mean of the others, at equal level: rows or columns that scatter by more
than pixel noise mean that the light flickered. Such flats, and clamped or saturated ones, are left out of the master; the flags stand beside the results.

Flats are brought to their mean level and stacked in two halves, odd and even, with 5 σ clipping. The smooth shape is a 2-D polynomial through the means of about 40 × 40 cells,
each without what lies beyond 5 robust σ of its median.
What the halves have in common about it is the pixels' response, what they have not is noise; so the PRNU is free of photon noise without
knowing the gain. Its square may come out below zero when there is none.

    PRNU² = cov(m₁ / s, m₂ / s)
    m₁, m₂: masters of the odd and the even flats, at the mean level;  s: smooth shape of the whole master""",
    references=(
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapter 3 (fixed pattern noise).",
        "EMVA Standard 1288, release 4.0 (photo-response non-uniformity).",
    ),
    comments=(
        "Each wavelength and exposure time is a setting with numbers of its own; only the figure of the master is of the first alone.",
        "Nothing is told of the colour of the light: flats of different lamps under one setting are compared as if they were alike.",
    ),
    measure=measure,
)  # fmt: skip
