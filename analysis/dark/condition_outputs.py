"""Figures of the dark procedure that show what the level depends on: time and temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import Results
from analysis.dark.channel import OfChannel
from analysis.figures import Mark, Panel, Plot, Series


def draw_conditions(results: Results, found: Sequence[OfChannel]) -> None:
    """Rate against time and against temperature, or why there are none."""
    if any(one.leak is not None for one in found):
        results.figure("time", Plot((_time(found),)))
    else:
        results.without(
            "time",
            "too-few-frames",
            "three frames of one exposure time (or two of two) with dates are needed",
        )
    if any(one.rates is not None for one in found):
        results.figure("temperature", Plot((_temperature(found),)))
    else:
        results.without(
            "temperature", "not-varied", "the frames do not tell their temperature, or no offset is known"
        )


def _time(found: Sequence[OfChannel]) -> Panel:
    series = []
    for one in found:
        if one.leak is None:
            continue
        name = one.channel.name
        series.append(Series(one.leak.hours, one.leak.rates, name, name, one.leak.errors))
    return Panel(
        "hours since the first frame",
        "rate less the mean of its exposure time [ADU/s]",
        tuple(series),
        (Mark("mean", y=0.0),),
    )


def _temperature(found: Sequence[OfChannel]) -> Panel:
    series, positive = [], True
    for one in found:
        if one.rates is None:
            continue
        name = one.channel.name
        positive &= bool((one.rates.rates > one.rates.errors).all())
        series.append(Series(one.rates.temperatures, one.rates.rates, name, name, one.rates.errors))
        if one.law is not None:
            ends = np.linspace(one.rates.temperatures[0], one.rates.temperatures[-1], 50)
            series.append(Series(ends, one.law.at(ends), f"{name}: fit", name, style="line"))
    return Panel(
        "temperature [°C]", "dark current [ADU/s]", tuple(series), yscale="log" if positive else "linear"
    )
