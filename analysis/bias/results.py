"""What the bias procedure says of each channel: levels, noise, structure, correlation, jumps, patterns."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.channel import OfChannel
from analysis.bias.correlation import Correlations
from analysis.bias.declared import ESTIMATORS
from analysis.bias.jumps import jumps_of
from analysis.bias.master import Half, joined
from analysis.bias.pattern import spectrum_of
from analysis.contract import FrameInput, Inputs, Results
from analysis.conversion import conversion
from analysis.offsets import PRESCAN_TRIM, trimmed_columns
from analysis.profiles import profiles
from analysis.read_noise import scatter_of_frames
from analysis.statistics import QUANTISATION_VARIANCE, mean_of_frames
from analysis.structure import structure

_INFORMATION = 0.9733385
"""Information on the mean of a normal distribution that is left of a sample cut at ± 3 σ."""

_LEAST = 1.0  # ADU: what is nearer to the median of its row or column stands not out of it


def report_levels(inputs: Inputs, results: Results, one: OfChannel) -> None:
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
    _prescan(results, one, flags)
    slope, slope_error = _change(_times(one.frames), one.levels, max(errors))
    note = f"levels range over {spread:.3g} ADU"
    results.value("offset_drift", slope, slope_error, channel=name, n=n, flags=flags, note=note)


def _prescan(results: Results, one: OfChannel, flags: list[str]) -> None:
    name = one.channel.name
    region = one.channel.prescan
    found = [(s.prescan_mean, s.prescan_std) for s in (f.summaries[name] for f in one.frames)]
    have = [(mean, std) for mean, std in found if mean is not None and std is not None]
    if region is None or not have:
        results.missing("offset_prescan", "no-overscan", channel=name, note="the channel has no prescan")
        return
    n = trimmed_columns(one.channel, region, PRESCAN_TRIM).size
    value, error, _ = mean_of_frames(
        [m for m, _ in have], [max(s, 1e-6) / sqrt(_INFORMATION * n) for _, s in have]
    )
    results.value("offset_prescan", value, error, channel=name, n=len(have), flags=flags)


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


def report_read_noise(inputs: Inputs, results: Results, one: OfChannel) -> None:
    """The read noise in ADU and in electrons, by the estimator that is asked for."""
    name, noise = one.channel.name, one.noise
    how = str(inputs.parameters["estimator"])
    estimator = ESTIMATORS[how] or None
    if how == "differences":
        variances, errors, n = noise.variances, noise.errors, noise.n
    else:
        variances, errors, n = scatter_of_frames(
            one.frames, one.channel, inputs.number("sigma"), int(inputs.number("degree")), how == "model"
        )
    if not variances:
        for quantity in ("read_noise", "read_noise_e"):
            results.missing(
                quantity,
                "too-few-pixels",
                channel=name,
                estimator=estimator,
                note="no pair has pixels in common",
            )
        return
    quantised = noise.integer and sum(variances) / len(variances) < 0.25
    flags = [*one.flags, *(("quantised",) if quantised else ())]
    variance, error, differ = mean_of_frames(variances, [max(e, 1e-9) for e in errors])
    if (
        how == "differences" and not differ
    ):  # neighbouring pairs share a frame: their variances correlate by a quarter
        error *= sqrt(1.5 - 0.5 / len(variances))
    note = f"{sqrt(max(variance, 0.0)):.4g} ADU with the rounding of the converter"
    if noise.integer and not quantised and inputs.parameters["remove_rounding"]:
        variance -= QUANTISATION_VARIANCE
    else:
        note = (
            "rounding of the converter is included" if noise.integer else "the pixels are not whole numbers"
        )
    if differ:
        note += (
            "; the pairs differ by more than their errors"
            if how == "differences"
            else "; the frames differ by more than their errors"
        )
    value = sqrt(max(variance, 0.0))
    error = error / (2.0 * value) if value > 0 else sqrt(error)
    results.value("read_noise", value, error, channel=name, n=n, flags=flags, note=note, estimator=estimator)
    gain = conversion(inputs, one.channel)
    if gain is None:
        results.missing("read_noise_e", "no-gain", channel=name)
        return
    in_e, error_e = gain.electrons(value, error)
    results.value(
        "read_noise_e", in_e, error_e, channel=name, n=n, flags=[*flags, *gain.flags], note=gain.note
    )


def report_structure(inputs: Inputs, results: Results, one: OfChannel, masters: tuple[Half, Half]) -> None:
    """The master and what its two halves have in common."""
    name, channel = one.channel.name, one.channel
    first, second = masters
    one.master = joined(first, second)
    one.profiles = profiles(one.master.mean, _LEAST)
    names = ("structure", "column_structure", "row_structure", "fixed_pattern")
    try:
        degree = int(inputs.number("degree"))
        common = structure(first.mean, second.mean, degree)
        tilts = [one.profiles.gradient(channel, axis) for axis in (0, 1)]
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


def report_correlation(results: Results, found: list[OfChannel], of: Correlations | None, given: int) -> None:
    """What each channel's noise goes with most."""
    for one in found:
        name = one.channel.name
        best = of.strongest(name) if of is not None and name in of.names else None
        if of is None or best is None:
            reason = "one-channel" if given < 2 else "too-few-pixels"
            results.missing("noise_correlation", reason, channel=name, n=len(one.frames))
            continue
        other, rho, error, chance = best
        flags = [*one.flags, *(("consistent-with-zero",) if abs(rho) <= 3.0 * error else ())]
        note = f"with {other}; chance of as much from independent channels {chance:.2g}; {of.pairs} pairs of frames"
        results.value("noise_correlation", rho, error, channel=name, n=of.n, flags=flags, note=note)


def report_jumps(inputs: Inputs, results: Results, one: OfChannel) -> None:
    """Steps of the level during readout."""
    name = one.channel.name
    found = jumps_of(one.frames, one.channel, inputs.number("jump_sigma"))
    if isinstance(found, str):
        for quantity in ("bias_jumps", "largest_jump"):
            results.missing(quantity, found, channel=name, n=len(one.frames), note="of the rows' means")
        return
    one.jumps = found
    where = f"rows of the {found.source}; jumps of {found.least:.2g} ADU would be found"
    count = len(found.found)
    flags = [*one.flags, *(("unstable",) if count else ())]
    results.value("bias_jumps", count, None, channel=name, n=found.profiles.size, flags=flags, note=where)
    if not count:
        results.missing(
            "largest_jump", "none-found", channel=name, n=found.profiles.size, flags=one.flags, note=where
        )
        return
    jump = found.found[0]
    at = f"row {jump.row} in order of reading of {jump.frame or 'all frames'}, {jump.significance:.1f} σ; {where}"
    results.value(
        "largest_jump", jump.size, jump.error, channel=name, n=found.profiles.size, flags=flags, note=at
    )


def report_pattern(inputs: Inputs, results: Results, one: OfChannel) -> None:
    """Periods along the rows."""
    name = one.channel.name
    frames = one.frames[: int(inputs.number("pattern_frames"))]
    found = spectrum_of(frames, one.channel, inputs.number("false_alarm"))
    if found is None:
        for quantity in ("pattern_noise", "pattern_frequency", "pattern_peaks"):
            results.missing(
                quantity,
                "too-few-pixels",
                channel=name,
                n=len(frames),
                note="the rows are too short, or without noise",
            )
        return
    one.spectrum, one.pixel_time = found, pixel_time(inputs, frames)
    best, count = found.strongest, len(found.peaks)
    at = f"{best.frequency:.5f} /pixel"
    if one.pixel_time:
        at += f" = {best.frequency / one.pixel_time * 1000.0:.4g} kHz"
    level = f"false-alarm chance {inputs.number('false_alarm'):g} for all {found.power.size} frequencies; power {best.ratio:.3g} of the background"
    flags = [*one.flags, *(() if count else ("consistent-with-zero",))]
    results.value(
        "pattern_noise",
        best.amplitude,
        best.error,
        channel=name,
        n=found.n,
        flags=flags,
        note=f"at {at}; {level}",
    )
    results.value("pattern_peaks", count, None, channel=name, n=found.n, flags=one.flags, note=level)
    if count:
        results.value(
            "pattern_frequency",
            best.frequency,
            best.frequency_error,
            channel=name,
            n=found.n,
            flags=one.flags,
            note=at,
        )
    else:
        results.missing(
            "pattern_frequency", "none-found", channel=name, n=found.n, flags=one.flags, note=level
        )


def pixel_time(inputs: Inputs, frames: tuple[FrameInput, ...]) -> float:
    """Time from one pixel to the next [µs]: the frame's own field ``pixel_time``, else the parameter; 0 unknown."""
    own = frames[0].frame.fields.get("pixel_time") if frames else None
    if isinstance(own, int | float) and not isinstance(own, bool) and own > 0:
        return float(own)
    return inputs.number("pixel_time")
