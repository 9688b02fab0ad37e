"""Bias: the offset without light, its noise and its structure.

Levels come from the frames' summaries and overscans, the read noise from differences of consecutive frames (so that
nothing that two frames have in common, structure or slow drift, counts as noise), the structure from two
independent half masters.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
from analysis.bias.outputs import OfChannel, draw, hand_on
from analysis.checks import clamped
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
from analysis.conversion import GAIN, conversion
from analysis.offsets import offset_of
from analysis.read_noise import difference_noise
from analysis.statistics import QUANTISATION_VARIANCE, mean_of_frames
from analysis.structure import gradient, structure
from analysis.summary import piled_up
from campaign.geometry import Channel

_IMAGE = "clipped mean of the image of each frame, averaged over frames"
_COMMON = "covariance of the stacks of odd and even frames about their smooth shapes"

QUANTITIES = (
    Quantity("offset", "B", "ADU", "Level of the image without light", _IMAGE, "calibration"),
    Quantity(
        "offset_overscan", "B_over", "ADU", "Level of the overscan (else of the prescan)",
        "clipped mean of the trimmed overscan of each frame, averaged over frames", "calibration",
        unplotted="the level of each frame's overscan is in the product frame_offsets",
    ),
    Quantity(
        "offset_drift", "ΔB", "ADU", "Change of the offset from the first to the last frame",
        "straight line through the frames' levels in time, slope times duration", "health",
    ),
    Quantity(
        "read_noise", "σ_R", "ADU", "Noise of reading one pixel, less rounding by the converter",
        "std of clipped differences of consecutive frames over √2, clip bias corrected, less 1/12 ADU² in variance",
    ),
    Quantity(
        "read_noise_e", "σ_R", "e⁻", "Noise of reading one pixel, in electrons",
        "read_noise times the gain measured by photon transfer, else the nominal gain",
        unplotted="read_noise times one number",
    ),
    Quantity(
        "structure", "σ_S", "ADU", "Rms of the master about its smooth shape, noise taken out", _COMMON, "health"
    ),
    Quantity(
        "column_structure", "σ_C", "ADU", "Rms of the means of the master's columns, noise taken out",
        f"{_COMMON}, of column means", "health",
    ),
    Quantity(
        "row_structure", "σ_L", "ADU", "Rms of the means of the master's rows, noise taken out",
        f"{_COMMON}, of row means", "health",
    ),
    Quantity(
        "fixed_pattern", "σ_F", "ADU", "Rms of what rows and columns do not explain, pixel by pixel, noise taken out",
        f"{_COMMON}, less row and column means", "health",
    ),
    Quantity(
        "gradient_rows", "G_y", "ADU", "Level of the last tenth of the rows read less that of the first",
        "means of row medians of the master", "health",
    ),
    Quantity(
        "gradient_columns", "G_x", "ADU", "Level of the last tenth of the columns read less that of the first",
        "means of column medians of the master", "health",
    ),
)  # fmt: skip
"""What the bias procedure measures, per channel."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the bias frames of one detector; see ``PROCEDURE`` for the quantities."""
    found: list[OfChannel] = []
    given = inputs.frames.get("bias", ())
    for channel in inputs.detector.geometry.channels:
        frames = tuple(f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1)
        if len(frames) < 3:
            reason = "too-few-frames" if len(given) < 3 else "too-few-pixels"
            note = f"{len(frames)} of {len(given)} bias frames have pixels to use; three are needed"
            for quantity in QUANTITIES:
                results.missing(quantity.name, reason, channel=channel.name, n=len(frames), note=note)
            continue
        noise = difference_noise(frames, channel, inputs.number("sigma"))
        one = OfChannel(
            channel, frames, _flags(frames, channel), [offset_of(f, channel) for f in frames], noise
        )
        _levels(inputs, results, one)
        _read_noise(inputs, results, one)
        _structure(inputs, results, one)
        found.append(one)
    draw(results, inputs.detector, found)
    hand_on(results, found)


def _flags(frames: tuple[FrameInput, ...], channel: Channel) -> tuple[str, ...]:
    summaries = [f.summaries[channel.name] for f in frames]
    flags = {
        "bad-pixels": any(s.not_finite for s in summaries),
        "clamped": any(_clamped(f, channel) for f in frames),
        "saturated": any(s.saturated > 0.001 * s.n for s in summaries),
    }
    return tuple(name for name, is_so in flags.items() if is_so)


def _clamped(frame: FrameInput, channel: Channel) -> bool:
    """Whether values pile up at one end: the summary says where to look, the pixels whether it is more than a thin tail."""
    if not piled_up(frame.summaries[channel.name]):
        return False
    return clamped(frame.pixels.read(channel, channel.image)).raised


def _levels(inputs: Inputs, results: Results, one: OfChannel) -> None:
    """Offsets of image and overscan, and their drift."""
    name, n = one.channel.name, len(one.frames)
    summaries = [f.summaries[name] for f in one.frames]
    noise = one.noise.raw if one.noise.variances else float(np.median([s.std for s in summaries]))
    errors = [max(noise, 1e-6) / sqrt(s.n) for s in summaries]
    level, error, differ = mean_of_frames(one.levels, errors)
    spread = max(one.levels) - min(one.levels)
    flags = [*one.flags, *(("few-frames",) if n < 5 else ())]
    if spread > inputs.number("unstable") * max(noise, 0.5):
        flags.append("unstable")
    note = "error from the scatter of the frames, which exceeds pixel noise" if differ else ""
    results.value("offset", level, error, channel=name, n=n, flags=flags, note=note)
    have = [o for o in one.offsets if o is not None]
    if have:
        value, error, _ = mean_of_frames([o.value for o in have], [max(o.error, 1e-6) for o in have])
        results.value(
            "offset_overscan",
            value,
            error,
            channel=name,
            n=len(have),
            flags=flags,
            note=f"from the {have[0].source}",
        )
    else:
        results.missing("offset_overscan", "no-overscan", channel=name)
    slope, slope_error = _change(_times(one.frames), one.levels, max(errors))
    note = f"levels range over {spread:.3g} ADU"
    results.value("offset_drift", slope, slope_error, channel=name, n=n, flags=flags, note=note)


def _times(frames: tuple[FrameInput, ...]) -> NDArray[np.float64]:
    """When frames began, as fractions of the test: by date where all have one that grows, else by order."""
    dates = [f.frame.date for f in frames]
    if all(d is not None and d.tzinfo is None for d in dates):
        seconds = np.array([(d - dates[0]).total_seconds() for d in dates if d and dates[0]])
        if (np.diff(seconds) >= 0).all() and seconds[-1] > 0:
            fraction: NDArray[np.float64] = seconds / seconds[-1]
            return fraction
    return np.linspace(0.0, 1.0, len(frames))


def _change(times: NDArray[np.float64], levels: list[float], error: float) -> tuple[float, float]:
    """Change of the level over the test by a straight line, with the error from the larger of scatter and noise."""
    t, y = times - times.mean(), np.array(levels) - np.mean(levels)
    lever = float(t @ t)
    slope = float(t @ y) / lever
    scatter = sqrt(float(((y - slope * t) ** 2).sum()) / (len(levels) - 2))
    return slope, max(scatter, error) / sqrt(lever)


def _read_noise(inputs: Inputs, results: Results, one: OfChannel) -> None:
    name, noise = one.channel.name, one.noise
    if not noise.variances:
        for quantity in ("read_noise", "read_noise_e"):
            results.missing(quantity, "too-few-pixels", channel=name, note="no pair has pixels in common")
        return
    flags = [*one.flags, *(("quantised",) if noise.quantised else ())]
    variance, error, differ = mean_of_frames(noise.variances, [max(e, 1e-9) for e in noise.errors])
    pairs = len(noise.variances)
    # neighbouring pairs share a frame: their variances correlate by a quarter
    error *= 1.0 if differ else sqrt(1.5 - 0.5 / pairs)
    note = f"{noise.raw:.4g} ADU with the rounding of the converter"
    if noise.integer and not noise.quantised and inputs.parameters["remove_rounding"]:
        variance -= QUANTISATION_VARIANCE
    else:
        note = (
            "rounding of the converter is included" if noise.integer else "the pixels are not whole numbers"
        )
    if differ:
        note += "; the pairs differ by more than their errors"
    value = sqrt(max(variance, 0.0))
    error = error / (2.0 * value) if value > 0 else sqrt(error)
    results.value("read_noise", value, error, channel=name, n=noise.n, flags=flags, note=note)
    gain = conversion(inputs, one.channel)
    if gain is None:
        results.missing("read_noise_e", "no-gain", channel=name)
        return
    in_e, error_e = gain.electrons(value, error)
    results.value(
        "read_noise_e", in_e, error_e, channel=name, n=noise.n, flags=[*flags, *gain.flags], note=gain.note
    )


def _structure(inputs: Inputs, results: Results, one: OfChannel) -> None:
    """The master and what its two halves have in common."""
    name, channel = one.channel.name, one.channel
    first, second = halves(inputs, one.frames, channel, inputs.number("sigma"))
    one.master = joined(first, second)
    names = ("structure", "column_structure", "row_structure", "fixed_pattern")
    try:
        degree = int(inputs.number("degree"))
        common = structure(first.mean, second.mean, degree)
        tilts = [gradient(one.master.mean, channel, axis) for axis in (0, 1)]
    except ValueError as error:
        for quantity in (*names, "gradient_rows", "gradient_columns"):
            results.missing(quantity, "too-few-pixels", channel=name, note=str(error))
        return
    for quantity, part in zip(names, (common.total, common.columns, common.rows, common.pixels), strict=True):
        rms, error_of, flags = part.root()
        results.value(
            quantity, rms, error_of, channel=name, n=part.n, flags=[*one.flags, *flags],
            note=f"{common.outliers} outlying pixels left out" if common.outliers else "",
        )  # fmt: skip
    for quantity, (value, error_of) in zip(("gradient_rows", "gradient_columns"), tilts, strict=True):
        results.value(quantity, value, error_of, channel=name, n=len(one.frames), flags=one.flags)


PROCEDURE = Procedure(
    name="bias",
    title="Bias",
    purpose="The offset of each channel without light, how steady it is, the noise of reading a pixel, and the "
    "structure that a bias frame leaves in every image.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1",
            "2026-11-21",
            "The master is the mean of the two half masters, weighted pixel by pixel, instead of a third stack; stacks are clipped by the noise "
            "that a few bands of rows tell. The smooth shape follows the means of cells without outliers: their medians followed the steps of the "
            "converter, alike in both halves, which counted as structure of some hundredths of an ADU.",
        ),
    ),
    roles=(Role("bias", ("bias",), 3, "frames of zero exposure, in the order they were taken"),),
    uses=(GAIN,),
    parameters=(
        Parameter("sigma", 3.0, "clipping of levels, differences and of the master", "σ", 2.5, 10.0),
        Parameter("degree", 5, "degree of the 2-D polynomial that is the smooth shape", "", 0, 9),
        Parameter(
            "remove_rounding", True, "take the 1/12 ADU² of the converter's rounding off the read noise"
        ),
        Parameter(
            "unstable",
            1.0,
            "range of the frames' levels that flags them unstable, over the read noise",
            "",
            0.0,
        ),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "stability",
            "Offset and noise against exposure",
            "Level of each frame less the channel's mean, with the error from pixel noise, and the noise of each frame with the one before. "
            "Look for steps, drifts common to all channels, and a single frame that differs.",
            (
                PanelSpec(
                    "Level of each frame's image less the channel's mean [ADU] against exposure; the line is the mean."
                ),
                PanelSpec(
                    "Noise of each frame's difference from the one before, over √2, rounding included [ADU]."
                ),
            ),
            ("offset", "offset_drift", "read_noise"),
        ),
        FigureSpec(
            "differences",
            "Differences of consecutive frames",
            "All differences (√2 times the noise of one frame) with the normal distribution of the read noise found. Wings beyond the line are "
            "cosmic rays or unstable pixels; steps missing from the histogram are converter faults.",
            (
                PanelSpec(
                    "Number of pixels by difference [ADU], logarithmic; the curve is the normal distribution of the read noise found.",
                    "channel",
                ),
            ),
            ("read_noise",),
        ),
        FigureSpec(
            "profiles",
            "Rows and columns of the master",
            "Means of the master's rows and columns without outlying pixels, at their place on the detector. Look for a rise at the first columns read, bands, single columns.",
            (
                PanelSpec("Mean of each row of the master less that of all [ADU] against the row."),
                PanelSpec("Mean of each column of the master less that of all [ADU] against the column."),
            ),
            ("row_structure", "column_structure", "gradient_rows", "gradient_columns"),
        ),
        FigureSpec(
            "master",
            "Master bias",
            "The clipped mean of all frames less each channel's level. Look for glow and patterns.",
            (PanelSpec("Level of each pixel less its channel's mean [ADU], at its place on the detector."),),
            ("structure", "fixed_pattern"),
        ),
    ),
    products=(
        ProductSpec(
            "master_bias",
            "fits",
            "clipped mean of the frames, levels aligned, with the mean level, and its error (…_ERR) [ADU]",
        ),
        ProductSpec("frame_offsets", "ecsv", "level, overscan and noise of each frame and channel"),
    ),
    acceptance=(
        "The offset lies in the window of its channel, and so does the read noise.",
        "No flag says clamped or unstable.",
    ),
    caveats=("Values that pile up at one level make offset and noise wrong by an unknown amount.",),
    algorithm="""\
Level of a frame: clipped mean of the image; clip bias corrected as for a normal distribution. Its error is that of pixel noise
unless the frames scatter by more, in which case the scatter counts.

Read noise: half the variance of the clipped difference of each frame with the one before, averaged over pairs. Rounding by the
converter adds 1/12 ADU², which is taken off (unless remove_rounding is off, or the noise is below half an ADU).

    σ² = ½ ⟨var(Fᵢ − Fᵢ₋₁)⟩ − 1/12
    σ: read noise [ADU], times g in electrons;  F: frames [ADU];  g: gain [e⁻/ADU]

Structure: frames are split into odd and even ones and each half is stacked. What the two masters have in common about their smooth
shapes is structure, what they have not is noise; the covariance is split into columns, rows and single pixels.

    structure² = cov(m₁ − s₁, m₂ − s₂) = columns² + rows² + pixels²
    m₁, m₂: masters of the odd and the even frames [ADU];  s₁, s₂: their smooth shapes, 2-D polynomials

Smooth shapes are fitted to the means of about 40 × 40 cells, each without what lies beyond 5 robust σ of its median.
The master is the mean of m₁ and m₂, each pixel weighted with the number of its values.

Gradients keep the sign of reading: positive when the level grows away from the readout node.""",
    references=(
        "J. Janesick, Photon Transfer, SPIE Press 2007, chapters 3 and 11 (noise sources, read noise).",
        "A. C. Cohen, 1950, Ann. Math. Stat. 21, 557 (normal distribution from a truncated sample).",
        "EMVA Standard 1288, release 4.0 (quantisation noise 1/12).",
    ),
    comments=(
        "Three frames are enough for every number; with fewer than five the flag few-frames says that errors rest on little.",
        "Noise that two consecutive frames share (pick-up locked to the read-out) is structure here, not read noise.",
    ),
    measure=measure,
)
