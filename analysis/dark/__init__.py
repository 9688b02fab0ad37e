"""Dark: the signal that grows without light, its distribution over pixels, and the pixels that glow."""

from __future__ import annotations

from functools import partial
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
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
from analysis.dark.level import (
    MISMATCH,
    DarkCurrent,
    dark_current,
    levels_of,
    sign_flags,
    temperatures_apart,
)
from analysis.dark.outputs import Master, OfChannel, draw, hand_on
from analysis.distribution import distribution
from analysis.stack import clipped_mean_stack
from analysis.structure import gradient
from campaign.geometry import Channel, Region

_STACK = "clipped mean of the long exposures' rates, bias structure taken off"

QUANTITIES = (
    Quantity(
        "dark_current", "D", "ADU/s", "Dark signal of a typical pixel per second",
        "weighted straight line of clipped level over exposure time, or level less offset over time", "performance",
    ),
    Quantity(
        "dark_current_e", "D", "e⁻/s", "Dark signal of a typical pixel per second, in electrons",
        "dark_current times the gain measured by photon transfer, else the nominal gain",
        unplotted="dark_current times one number",
    ),
    Quantity(
        "dark_current_95", "D₉₅", "ADU/s", "Rate that 95 % of the master's pixels do not exceed, noise included",
        f"95 % quantile of the {_STACK}",
    ),
    Quantity("hot_pixels", "N_hot", "pixels", "Pixels whose rate exceeds the threshold", f"count in the {_STACK}", "health"),
    Quantity(
        "hot_columns", "N_col", "columns", "Columns with at least hot_column_pixels hot pixels, and more than chance gives", f"count in the {_STACK}", "health"
    ),
    Quantity(
        "glow_rows", "G_y", "ADU/s", "Rate of the last tenth of the rows read less that of the first",
        "means of row medians of the master", "health",
    ),
    Quantity(
        "glow_columns", "G_x", "ADU/s", "Rate of the last tenth of the columns read less that of the first",
        "means of column medians of the master", "health",
    ),
)  # fmt: skip
"""What the dark procedure measures, per channel."""


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the dark frames of one detector; see ``PROCEDURE`` for the quantities."""
    found: list[OfChannel] = []
    for channel in inputs.detector.geometry.channels:
        given = inputs.frames.get("dark", ())
        with_pixels = [f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1]
        darks = [f for f in with_pixels if f.frame.exptime is not None and f.frame.exptime > 0]
        biases = [
            f
            for f in inputs.frames.get("bias", ())
            if channel.name in f.summaries and f.summaries[channel.name].n > 1
        ]
        if not darks:
            reason = (
                "too-few-frames"
                if not given
                else "exposure-time-unknown"
                if with_pixels
                else "too-few-pixels"
            )
            _all_missing(results, channel, reason)
            continue
        levels = levels_of(darks, biases, channel)
        current = dark_current(levels)
        if current is None:
            _all_missing(results, channel, "no-overscan")
            continue
        flags, note = _conditions(darks, biases, channel)
        _report_current(inputs, results, channel, current, len(darks), flags, note)
        one = OfChannel(channel, levels, current)
        _master(inputs, results, one, darks, biases, flags)
        found.append(one)
    draw(results, inputs.detector, found)
    hand_on(results, found)


def _all_missing(results: Results, channel: Channel, reason: str) -> None:
    for quantity in QUANTITIES:
        results.missing(quantity.name, reason, channel=channel.name)


def _conditions(darks: list[FrameInput], biases: list[FrameInput], channel: Channel) -> tuple[list[str], str]:
    """Flags that all values of a channel bear, and what to say about temperature."""
    summaries = [d.summaries[channel.name] for d in darks]
    flags = ["bad-pixels"] if any(s.not_finite for s in summaries) else []
    if any(s.saturated > 0.001 * s.n for s in summaries):
        flags.append("saturated")
    apart = temperatures_apart(darks, biases)
    if apart is not None and apart > MISMATCH:
        flags.append("unstable")
        return flags, f"temperatures of the frames used differ by {apart:.1f} °C"
    return flags, ""


def _report_current(
    inputs: Inputs,
    results: Results,
    channel: Channel,
    current: DarkCurrent,
    n: int,
    conditions: list[str],
    note: str,
) -> None:
    flags = [*conditions, *current.flags, *sign_flags(current.value, current.error)]
    notes = "; ".join(part for part in (current.note, note) if part)
    results.value(
        "dark_current", current.value, current.error, channel=channel.name, n=n, flags=flags,
        estimator=current.estimator, note=notes,
    )  # fmt: skip
    gain = conversion(inputs, channel)
    if gain is None:
        results.missing("dark_current_e", "no-gain", channel=channel.name)
        return
    value, error = gain.electrons(current.value, current.error)
    hourly = f"{value * 3600:.4g} ± {error * 3600:.2g} e⁻/h"
    results.value(
        "dark_current_e", value, error, channel=channel.name, n=n, flags=[*flags, *gain.flags],
        estimator=f"{current.estimator}, times gain", note=f"{hourly}; {gain.note}",
    )  # fmt: skip


def _rates(
    frame: FrameInput, channel: Channel, current: float, bias: NDArray[np.float32] | None, region: Region
) -> NDArray[np.float32]:
    """Rates of a part of one frame [ADU/s]: aligned so that its clipped level has the channel's dark current."""
    time = float(frame.frame.exptime or 0.0)
    values = frame.pixels.read(channel, region).astype(np.float32) - np.float32(
        frame.summaries[channel.name].mean
    )
    if bias is not None:
        y, x = region.y0 - channel.image.y0, region.x0 - channel.image.x0
        values -= bias[y : y + region.shape[0], x : x + region.shape[1]]
    rates: NDArray[np.float32] = values / np.float32(time) + np.float32(current)
    return rates


def _bias_structure(
    inputs: Inputs, biases: list[FrameInput], channel: Channel, sigma: float
) -> NDArray[np.float32] | None:
    if len(biases) < 2:
        return None
    mean = joined(*halves(inputs, biases, channel, sigma)).mean
    return np.nan_to_num(mean, copy=False)


def _master(
    inputs: Inputs,
    results: Results,
    one: OfChannel,
    darks: list[FrameInput],
    biases: list[FrameInput],
    flags: list[str],
) -> None:
    """The master of the long exposures, and what its pixels' distribution tells."""
    channel, name = one.channel, one.channel.name
    longest = max(one.levels.times)
    used = [d for d, t in zip(darks, one.levels.times, strict=True) if t >= 0.5 * longest]
    shortest = min(float(d.frame.exptime or 0.0) for d in used)
    sigma = inputs.number("sigma")
    bias = _bias_structure(inputs, biases, channel, sigma)
    noise = max(float(np.median([d.summaries[name].std for d in used])), 0.5) / shortest
    gain = conversion(inputs, channel)
    stack = clipped_mean_stack(
        [partial(_rates, d, channel, one.current.value, bias) for d in used],
        channel.image,
        sigma=sigma,
        noise=noise,
        gain=(gain.gain if gain else 1.0) * shortest,
    )
    one.frames = len(used)
    rates, spread = stack.mean, distribution(stack.mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        error_of = np.divide(stack.variance, stack.count, out=stack.variance)
        one.master = Master(rates, np.sqrt(error_of, out=error_of), spread)
    core = spread.clipped()
    one.threshold, one.threshold_label = core.median + inputs.number("hot_sigma") * core.std, "hot (σ)"
    if inputs.number("hot_rate") > 0 and gain is not None:
        one.threshold, one.threshold_label = inputs.number("hot_rate") / gain.gain, "hot (e⁻/s)"
    with np.errstate(invalid="ignore"):
        one.hot = rates > np.float32(one.threshold)
    per_column = one.hot.sum(axis=0)
    usual = float(np.median(per_column))  # where hot pixels abound, some columns have many by chance
    enough = max(inputs.number("hot_column_pixels"), usual + 5.0 * sqrt(usual))
    one.hot_columns = per_column >= enough
    few = [*flags, "few-frames"] if len(used) < 3 else flags
    note = "cosmic rays of so few frames may count as hot" if len(used) < 3 else ""
    shape = f"threshold {one.threshold:.4g} ADU/s; {len(used)} frames of {shortest:g} s or more"
    for quantity, count in (("hot_pixels", int(one.hot.sum())), ("hot_columns", int(one.hot_columns.sum()))):
        notes = "; ".join(p for p in (shape, note) if p)
        results.value(quantity, count, sqrt(max(count, 1)), channel=name, n=spread.n, flags=few, note=notes)
    under, q95, above = (float(q) for q in spread.quantiles([0.94, 0.95, 0.96]))
    error = sqrt(0.95 * 0.05 / spread.n) * (above - under) / 0.02
    # the distribution is centred on the dark current: where that is negative, so is all that is read from it
    below = [f for f in sign_flags(one.current.value, one.current.error) if f == "negative"]
    results.value(
        "dark_current_95",
        q95,
        hypot(error, one.current.error),
        channel=name,
        n=spread.n,
        flags=[*few, *below],
    )
    for quantity, axis in (("glow_rows", 0), ("glow_columns", 1)):
        try:
            value, error = gradient(rates, channel, axis)
        except ValueError as problem:
            results.missing(quantity, "too-few-pixels", channel=name, note=str(problem))
        else:
            results.value(quantity, value, error, channel=name, n=len(used), flags=flags)


PROCEDURE = Procedure(
    name="dark",
    title="Dark",
    purpose="The signal that each channel gathers without light, how it is spread over pixels, and the pixels and "
    "columns that must be masked.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version(
            "1.1", "2026-11-21",
            "The bias structure is the master that the bias procedure makes of the same frames, if sigma is the same: clipped by the noise of their differences, "
            "not by their whole scatter. Overscan levels are those of the frames' summaries. Levels, currents and quantiles move by small parts of their errors, "
            "glow_rows and glow_columns by up to 0.7 of theirs.",
        ),
    ),
    roles=(
        Role("dark", ("dark",), 1, "exposures with the shutter closed, of one or several times"),
        Role("bias", ("bias",), 0, "bias frames at the same temperature: offset and structure", elsewhere=True),
    ),
    uses=(GAIN,),
    parameters=(
        Parameter("sigma", 3.0, "clipping of the master", "σ", 2.5, 10.0),
        Parameter("hot_sigma", 10.0, "a pixel is hot above the median by this many σ of the master", "σ", 3.0),
        Parameter("hot_rate", 0.0, "a pixel is hot above this rate instead, where a gain is known; 0 for hot_sigma", "e⁻/s", 0.0),
        Parameter("hot_column_pixels", 20, "hot pixels that make a column hot, if five σ more than is usual", "", 1),
    ),
    quantities=QUANTITIES,
    figures=(
        FigureSpec(
            "levels", "Dark level against exposure time",
            "Clipped level of each frame, and the line whose slope is the dark current; with fewer than three exposure times it is drawn from zero and tests nothing. Look for curvature, and for a "
            "frame off the line: its offset moved, or its exposure time is wrong.",
            (PanelSpec("Level less offset [ADU] against exposure time [s], with errors; the line of each channel has the slope found."),),
            ("dark_current",),
        ),
        FigureSpec(
            "rates", "Distribution of pixel rates",
            "Rates of the master's pixels. The core is noise and the typical dark current, the tail is hot pixels; "
            "the dashed lines are the dark current found and the threshold for hot pixels.",
            (PanelSpec("Number of pixels by rate [ADU/s], logarithmic; the title counts pixels hotter than shown.", "channel"),),
            ("dark_current", "dark_current_95", "hot_pixels"),
        ),
        FigureSpec(
            "master", "Master dark", "Rate of each pixel; hot pixels are marked, of very many only the hottest. Look for glow at edges and amplifiers.",
            (PanelSpec("Rate of each pixel [ADU/s] at its place on the detector, hot pixels marked."),),
            ("hot_pixels", "hot_columns", "glow_rows", "glow_columns"),
        ),
    ),
    products=(
        ProductSpec("master_dark", "fits", "rate of each pixel, and its error (…_ERR) [ADU/s]"),
        ProductSpec("hot_mask", "fits", "1 for a hot pixel, 2 for a hot column, 3 for both"),
        ProductSpec("hot_pixels", "ecsv", "hot pixels: place, rate and error, hottest first"),
    ),
    acceptance=("The dark current is below its limit at the temperature of the test.", "No flag says negative, poor-fit or unstable."),
    caveats=("Light leaks are not told apart from dark current.",),
    algorithm="""\
Level of a frame: clipped mean of its image less the frame's overscan, else less the mean level of bias frames.

Dark current: with three or more different exposure times a weighted straight line with free intercept, so that a wrong offset does not
matter; else the level over time.

    D = Σ w (t − t̄) L / Σ w (t − t̄)²,  w = 1 / σ_L²;  else  D = ⟨L / t⟩ [ADU/s];  D [e⁻/s] = g D [ADU/s]
    L: level [ADU] with its error σ_L;  t: exposure time [s], t̄ its weighted mean;  g: gain [e⁻/ADU]

The error includes the offset's: pixel noise of the overscan, or the bias frames' scatter
(each dark frame's offset wanders as theirs do) and the error of their mean.

A value below zero by more than three errors is flagged negative; within three errors of zero it is consistent with it.

Master: exposures of at least half the longest time, bias structure taken off, as rates aligned to the dark current, clipped with
the expected noise (shot noise included).""",
    references=(
        "J. Janesick, Scientific Charge-Coupled Devices, SPIE Press 2001 (dark current).",
        "R. Widenhorn et al., 2002, Proc. SPIE 4669, 193 (temperature dependence of dark current).",
    ),
    comments=(
        "The temperature of the detector is not corrected for: compare tests of one temperature.",
        "A single frame of the longest time is enough for a master, but its cosmic rays count among the hot pixels.",
    ),
    measure=measure,
)  # fmt: skip
