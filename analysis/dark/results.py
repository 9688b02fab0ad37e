"""What the dark procedure says of each channel: dark current, distribution of rates, glow, leak, temperature law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot, sqrt

import numpy as np

from analysis.contract import FrameInput, Inputs, Results
from analysis.conversion import conversion
from analysis.dark.channel import OfChannel
from analysis.dark.leak import leak_of
from analysis.dark.level import sign_flags
from analysis.dark.master import master_of
from analysis.dark.spread import columns_of, glow_of, mask_of, spread_of, threshold
from analysis.dark.temperature import law_of, rates_of
from analysis.profiles import profiles


def report_current(
    inputs: Inputs, results: Results, one: OfChannel, n: int, conditions: Sequence[str], note: str
) -> None:
    """The dark current in ADU and electrons."""
    current, name = one.current, one.channel.name
    flags = [*conditions, *current.flags, *sign_flags(current.value, current.error)]
    notes = "; ".join(part for part in (current.note, note) if part)
    results.value(
        "dark_current", current.value, current.error, channel=name, n=n, flags=flags,
        estimator=current.estimator, note=notes,
    )  # fmt: skip
    gain = conversion(inputs, one.channel)
    if gain is None:
        results.missing("dark_current_e", "no-gain", channel=name)
        return
    value, error = gain.electrons(current.value, current.error)
    hourly = f"{value * 3600:.4g} ± {error * 3600:.2g} e⁻/h"
    results.value(
        "dark_current_e", value, error, channel=name, n=n, flags=[*flags, *gain.flags],
        estimator=f"{current.estimator}, times gain", note=f"{hourly}; {gain.note}",
    )  # fmt: skip


def report_master(
    inputs: Inputs,
    results: Results,
    one: OfChannel,
    darks: Sequence[FrameInput],
    biases: Sequence[FrameInput],
    flags: Sequence[str],
) -> None:
    """The master of the long exposures, and what its pixels' distribution tells."""
    channel, name = one.channel, one.channel.name
    times = [float(d.frame.exptime or 0.0) for d in darks]
    used = [d for d, t in zip(darks, times, strict=True) if t >= 0.5 * max(times)]
    shortest = min(float(d.frame.exptime or 0.0) for d in used)
    gain = conversion(inputs, channel)
    as_read = [level for level, t in zip(one.as_read, times, strict=True) if t >= 0.5 * max(times)]
    master = one.master = master_of(inputs, used, biases, channel, one.current.value, gain, one.by, as_read)
    one.frames = len(used)
    rates, spread = master.mean, master.spread
    one.threshold, one.threshold_label = threshold(inputs, "hot", spread, gain)
    one.warm_threshold = min(threshold(inputs, "warm", spread, gain)[0], one.threshold)
    enough, width = inputs.number("hot_column_pixels"), rates.shape[1]
    with np.errstate(invalid="ignore"):
        places = np.flatnonzero(~(rates <= np.float32(one.warm_threshold)))  # and those without a value
        held = rates.ravel()[places]
        one.hot = places[held > np.float32(one.threshold)]
        above = places[held > np.float32(one.warm_threshold)]
    one.hot_columns = columns_of(one.hot % width, width, enough)
    warm_columns = columns_of(above % width, width, enough) & ~one.hot_columns
    level = float(np.mean([d.summaries[name].mean for d in used]))
    full = one.current.value + (inputs.detector.geometry.saturation - level) / shortest
    bounds = one.warm_threshold, one.threshold
    one.mask = mask_of(rates.shape, held, places, bounds, one.hot_columns | warm_columns, full)
    few = [*flags, "few-frames"] if len(used) < 3 else list(flags)
    lacking = "cosmic rays of so few frames may count as hot" if len(used) < 3 else ""
    counts = (
        ("hot_pixels", one.hot.size, one.threshold),
        ("hot_columns", int(one.hot_columns.sum()), one.threshold),
        ("warm_pixels", above.size - one.hot.size, one.warm_threshold),
        ("warm_columns", int(warm_columns.sum()), one.warm_threshold),
    )
    for quantity, count, bound in counts:
        shape = f"threshold {bound:.4g} ADU/s; {len(used)} frames of {shortest:g} s or more"
        notes = "; ".join(p for p in (shape, one.by.words, lacking) if p)
        results.value(quantity, count, sqrt(max(count, 1)), channel=name, n=spread.n, flags=few, note=notes)
    _report_spread(results, one, few)
    _report_glow(results, one, flags, len(used))
    if inputs.parameters["estimator"] == "stacked":
        core = spread.clipped()
        error = hypot(one.current.error, core.mean_error)
        how = "clipped mean of the pixels of the stack of exposures of at least half the longest time"
        one.current = replace(one.current, value=core.mean, error=error, intercept=None, estimator=how)


def _report_spread(results: Results, one: OfChannel, few: Sequence[str]) -> None:
    """Median, mean and 95 % quantile of the pixels' rates."""
    assert one.master is not None
    name, current, spread = one.channel.name, one.current, one.master.spread
    # the distribution is centred on the dark current: where that is negative, so is all that is read from it
    below = [f for f in sign_flags(current.value, current.error) if f == "negative"]
    found = spread_of(one.master)
    flags = [*few, *below]
    error = hypot(found.median_error, current.error)
    results.value("dark_current_median", found.median, error, channel=name, n=spread.n, flags=flags)
    values = one.master.mean
    whole = spread.n == values.size
    mean = float(
        values.mean(dtype=np.float64) if whole else values[np.isfinite(values)].mean(dtype=np.float64)
    )
    noise = (one.master.noise or spread.clipped().std) / sqrt(spread.n)
    results.value(
        "dark_current_mean", mean, hypot(noise, current.error), channel=name, n=spread.n, flags=flags
    )
    if found.upper is None:
        note = f"one frame does not tell its noise; with it {found.plain:.4g} ADU/s"
        results.missing("dark_current_95", "too-few-frames", channel=name, n=spread.n, flags=flags, note=note)
        return
    note = f"{found.plain:.4g} ADU/s with the master's noise, which is {one.master.noise:.3g} ADU/s"
    if found.flags:
        note += "; the pixels' rates do not spread by more than their noise"
    error = hypot(found.upper_error, current.error)
    results.value("dark_current_95", found.upper, error, channel=name, n=spread.n, flags=flags, note=note)


def _report_glow(results: Results, one: OfChannel, flags: Sequence[str], n: int) -> None:
    assert one.master is not None
    name = one.channel.name
    found = glow_of(one.master, one.channel)
    if found is None:
        results.missing("glow", "too-few-pixels", channel=name)
    else:
        value, error, pixels = found
        own = [f for f in sign_flags(value, error) if f != "negative"]
        results.value("glow", value, error, channel=name, n=pixels, flags=[*flags, *own])
    lines = profiles(one.master.mean)
    for quantity, axis in (("glow_rows", 0), ("glow_columns", 1)):
        try:
            value, error = lines.gradient(one.channel, axis)
        except ValueError as problem:
            results.missing(quantity, "too-few-pixels", channel=name, note=str(problem))
        else:
            results.value(quantity, value, error, channel=name, n=n, flags=flags)


def report_leak(results: Results, one: OfChannel, darks: Sequence[FrameInput], flags: Sequence[str]) -> None:
    """Whether the level changes with time at equal exposure time."""
    name = one.channel.name
    found = one.leak = leak_of(darks, one.levels)
    if found is None:
        note = "three frames of one exposure time (or two of two) with dates are needed"
        results.missing("light_leak", "too-few-frames", channel=name, n=len(darks), note=note)
        return
    clear = abs(found.slope) > 3.0 * found.error
    own = ["unstable"] if clear else ["consistent-with-zero"]
    note = f"over {float(np.ptp(found.hours)):.3g} h"
    if found.scatter:
        note += "; levels scatter by more than their errors, which rest on that"
    results.value(
        "light_leak",
        found.slope,
        found.error,
        channel=name,
        n=found.hours.size,
        flags=[*flags, *own],
        note=note,
    )


def report_temperature(
    inputs: Inputs,
    results: Results,
    one: OfChannel,
    darks: Sequence[FrameInput],
    biases: Sequence[FrameInput],
) -> None:
    """The temperature law, where there are frames of temperatures far enough apart."""
    name = one.channel.name
    rates = one.rates = rates_of(darks, biases, one.channel)
    if rates is None or np.ptp(rates.temperatures) < inputs.number("temperature_span"):
        span = (
            "their temperatures or offsets are not known"
            if rates is None
            else f"these are within {float(np.ptp(rates.temperatures)):.2g} °C"
        )
        note = f"frames of temperatures {inputs.number('temperature_span'):g} °C apart are needed; {span}"
        for quantity in ("activation_energy", "doubling"):
            results.missing(quantity, "not-varied", channel=name, n=len(darks), note=note)
        return
    law = one.law = law_of(rates)
    if law is None:
        for quantity in ("activation_energy", "doubling"):
            results.missing(
                quantity,
                "bad-fit",
                channel=name,
                n=len(darks),
                note="the dark current does not grow with temperature as such a law does",
            )
        return
    flags = ["few-levels"] if law.dof < 1 else []
    flags += ["poor-fit"] if law.scatter and law.chi2 / law.dof > 9.0 else []
    note = f"{law.rate:.4g} ADU/s at {law.temperature:.2f} °C; D₀₀ = {law.prefactor:.3g} ADU/s of the Meyer–Neldel form"
    n = rates.rates.size
    results.value("activation_energy", law.energy, law.error, channel=name, n=n, flags=flags, note=note)
    value, error = law.doubling
    results.value("doubling", value, error, channel=name, n=n, flags=flags)
