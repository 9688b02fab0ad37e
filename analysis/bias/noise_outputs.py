"""Figures and tables of what the noise of bias frames has in it: correlation of channels, jumps, periods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.bias.channel import OfChannel
from analysis.bias.correlation import Correlations
from analysis.bias.jumps import Jumps
from analysis.bias.pattern import Spectrum
from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series, binned, small_multiples

_LONGEST = 200
"""Points of a profile that are drawn, each the mean of its neighbours."""
_BINS = 300
"""Points of a spectrum that are drawn, each the highest of its neighbours."""
_ROW = "row, in order of reading"


def draw_noise(results: Results, found: Sequence[OfChannel], together: Correlations | None) -> None:
    """The figures of correlation, jumps and spectrum, or why there are none."""
    if together is None:
        results.without("correlation", "one-channel" if len(found) < 2 else "too-few-pixels")
    else:
        results.figure("correlation", Plot((_correlation(together),)))
    jumping = [(one, one.jumps) for one in found if one.jumps is not None]
    if jumping:
        results.figure("jumps", small_multiples(*_jumps(jumping)))
    else:
        results.without("jumps", "too-few-pixels")
    if any(one.spectrum is not None for one in found):
        results.figure(
            "spectrum",
            small_multiples(
                [_spectrum(one.channel.name, one.spectrum) for one in found if one.spectrum is not None]
            ),
        )
    else:
        results.without("spectrum", "too-few-pixels")


def _correlation(of: Correlations) -> Panel:
    place = np.arange(len(of.names), dtype=np.float64)
    series = []
    for i, name in enumerate(of.names):
        shown = np.isfinite(of.rho[i]) & (np.arange(place.size) != i)
        series.append(Series(place[shown], of.rho[i][shown], name, name, of.error[i][shown]))
    return Panel(
        "other channel", "correlation ρ", tuple(series), (Mark("none", y=0.0),), xnames=tuple(of.names)
    )


def _jumps(have: Sequence[tuple[OfChannel, Jumps]]) -> list[list[Panel]]:
    """Of each channel the rows of the frame with its first jump, less what all frames share; and what they share, where that is known."""
    own, common = [], []
    for one, jumps in have:
        name, shared = one.channel.name, bool(jumps.common.any())
        first = next((j for j in jumps.found if j.frame), None)
        at = jumps.frames.index(first.frame) if first else 0
        less = jumps.profiles[at] - jumps.common
        level = 0.0 if shared else float(np.mean(less))
        marks = tuple(Mark(f"{j.size:+.2g} ADU", x=float(j.row)) for j in jumps.found[:3])
        series = Series(*binned(less - level, _LONGEST), name, name, style="line")
        own.append(
            Panel(
                _ROW,
                "row of one frame less common rows [ADU]",
                (series,),
                marks,
                f"{name}: {jumps.frames[at]}",
            )
        )
        if shared:
            whole = Series(*binned(jumps.common - jumps.common.mean(), _LONGEST), name, name, style="line")
            common.append(Panel(_ROW, "common rows less their mean [ADU]", (whole,), title=name))
    return [own, common] if common else [own]


def _spectrum(name: str, of: Spectrum) -> Panel:
    shown = np.isfinite(of.level)
    # of neighbouring bins the highest is drawn, so that no peak is lost
    thin = max(1, int(shown.sum()) // _BINS)
    n = int(shown.sum()) // thin
    at = of.frequencies[shown][: n * thin].reshape(n, thin).mean(axis=1)
    power = of.power[shown][: n * thin].reshape(n, thin).max(axis=1)
    level = of.level[shown][: n * thin].reshape(n, thin).mean(axis=1)
    series = (
        Series(at, power, "power", name, style="line"),
        Series(at, level, "false-alarm level", style="line"),
    )
    return Panel("frequency [1/pixel]", "power per bin [ADU²]", series, title=name, yscale="log")


def hand_on_noise(results: Results, found: Sequence[OfChannel], together: Correlations | None) -> None:
    """The tables of correlations, jumps and periods, or why there are none."""
    reason = "too-few-pixels" if found else "too-few-frames"
    if together is None:
        results.without("noise_correlations", "one-channel" if len(found) == 1 else reason)
    else:
        results.product("noise_correlations", _matrix(together))
    if any(one.jumps is not None for one in found):
        results.product("jumps", _jump_table(found))
    else:
        results.without("jumps", reason)
    if any(one.spectrum is not None for one in found):
        results.product("pattern", _peak_table(found))
    else:
        results.without("pattern", reason)


def _matrix(of: Correlations) -> TableProduct:
    pairs = [(i, j) for i in range(len(of.names)) for j in range(len(of.names)) if i != j]
    return TableProduct(
        {
            "channel": [of.names[i] for i, _ in pairs],
            "other": [of.names[j] for _, j in pairs],
            "rho": [float(of.rho[p]) for p in pairs],
            "error": [float(of.error[p]) for p in pairs],
        },
        {},
        {
            "rho": "correlation of the noise; NaN where the channels have no pixels in common",
            "error": "by jackknife over bands of rows",
        },
    )


def _jump_table(found: Sequence[OfChannel]) -> TableProduct:
    rows = [(one.channel, j) for one in found for j in (one.jumps.found if one.jumps else ())]
    return TableProduct(
        {
            "channel": [c.name for c, _ in rows],
            "frame": [j.frame or "all" for _, j in rows],
            "row": [j.row for _, j in rows],
            "size": [j.size for _, j in rows],
            "error": [j.error for _, j in rows],
            "significance": [j.significance for _, j in rows],
        },
        {"row": "pix", "size": "adu", "error": "adu"},
        {
            "frame": "exposure/detector; all for what every frame has",
            "row": "first row of the new level, in order of reading, from zero",
            "size": "level after less level before",
            "significance": "of its detection, in robust standard deviations",
        },
    )


def _peak_table(found: Sequence[OfChannel]) -> TableProduct:
    rows = [(one, p) for one in found for p in (one.spectrum.peaks if one.spectrum else ())]
    nan = float("nan")
    return TableProduct(
        {
            "channel": [one.channel.name for one, _ in rows],
            "frequency": [p.frequency for _, p in rows],
            "frequency_error": [p.frequency_error for _, p in rows],
            "frequency_khz": [
                p.frequency / one.pixel_time * 1000.0 if one.pixel_time else nan for one, p in rows
            ],
            "amplitude": [p.amplitude for _, p in rows],
            "amplitude_error": [p.error for _, p in rows],
            "power_ratio": [p.ratio for _, p in rows],
        },
        {
            "frequency": "1 / pix",
            "frequency_error": "1 / pix",
            "frequency_khz": "kHz",
            "amplitude": "adu",
            "amplitude_error": "adu",
        },
        {
            "frequency": "along the row",
            "frequency_khz": "NaN where the time of a pixel is not known",
            "amplitude": "of the sine",
            "power_ratio": "power of the peak over the background",
        },
    )
