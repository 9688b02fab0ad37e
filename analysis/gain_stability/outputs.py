"""Figures and the table of gain stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series
from analysis.gain_stability.pairs_in_time import Run
from analysis.gain_stability.results import Followed

_UNITS = {"hours": "h", "temperature": "deg_C", "exptime": "s", "level": "adu", "level_error": "adu"}
_MEANING = {
    "hours": "middle of the pair since the first frame",
    "temperature": "of the detector, mean of both frames",
    "level": "harmonic mean of the two levels above the offset",
    "gain": "level over the variance of light [e-/ADU]",
    "gain_error": "standard error [e-/ADU], without what all pairs share",
    "flags": "why the pair was left out",
}


def hand_on(results: Results, runs: Sequence[Run], followed: Sequence[Followed]) -> None:
    """Hand back the figures and the table of all channels and settings."""
    shown = [f for f in map(_repeated, followed) if f.used]
    alone = "no exposure time has two pairs, so that none has a mean to differ from"
    timed = [f for f in shown if all(m.hours is not None for m in f.used)]
    if timed:
        results.figure("stability", _stability(timed))
    else:
        reason = "time-unknown" if shown else "too-few-frames"
        results.without("stability", reason, alone if followed and not shown else "no gains in order of time")
    warm = [f for f in shown if all(m.temperature is not None for m in f.used)]
    if warm:
        results.figure("temperature", _temperature(warm))
    else:
        reason = "temperature-unknown" if shown else "too-few-frames"
        results.without(
            "temperature", reason, alone if followed and not shown else "no gains with their temperatures"
        )
    if any(m.point.difference for run in runs for m in run.moments):
        results.product("pairs", _table(runs))
    else:
        results.without("pairs", "too-few-frames", "no pair of flats could be measured")


def _repeated(of: Followed) -> Followed:
    """A run without the pairs that are the only ones of their exposure time: they are their own mean."""
    times = [m.point.exptime for m in of.used]
    keep = np.array([times.count(t) > 1 for t in times], dtype=bool)
    used = tuple(m for m, k in zip(of.used, keep, strict=True) if k)
    return replace(of, used=used, gain=of.gain[keep], gain_error=of.gain_error[keep], level=of.level[keep])


def _label(of: Followed, others: Sequence[Followed]) -> str:
    several = len({f.run.setting for f in others}) > 1
    return f"{of.run.channel} {of.run.setting}" if several else of.run.channel


def _stability(followed: Sequence[Followed]) -> Plot:
    gains, levels = [], []
    for of in followed:
        hours = np.array([m.hours for m in of.used], dtype=np.float64)
        label = _label(of, followed)
        gains.append(Series(hours, of.gain, label, of.run.channel, of.gain_error))
        levels.append(Series(hours, of.level, label, of.run.channel))
    mean = (Mark("mean", y=0.0),)
    return Plot(
        (
            Panel("time since the first frame [h]", "gain less its mean [%]", tuple(gains), mean),
            Panel("time since the first frame [h]", "level less its mean [%]", tuple(levels), mean),
        )
    )


def _temperature(followed: Sequence[Followed]) -> Plot:
    series = tuple(
        Series(
            np.array([m.temperature for m in of.used], dtype=np.float64), of.gain, _label(of, followed), of.run.channel,
            of.gain_error,
        )
        for of in followed
    )  # fmt: skip
    return Plot((Panel("temperature [°C]", "gain less its mean [%]", series, (Mark("mean", y=0.0),)),))


def _table(runs: Sequence[Run]) -> TableProduct:
    rows = [(run, m) for run in runs for m in run.moments if m.point.difference]
    return TableProduct(
        {
            "channel": [r.channel for r, _ in rows],
            "setting": [r.setting for r, _ in rows],
            "first": [m.point.first for _, m in rows],
            "second": [m.point.second for _, m in rows],
            "hours": [m.hours for _, m in rows],
            "temperature": [m.temperature for _, m in rows],
            "exptime": [m.point.exptime for _, m in rows],
            "level": [m.level for _, m in rows],
            "level_error": [m.level_error for _, m in rows],
            "gain": [m.gain for _, m in rows],
            "gain_error": [m.gain_error if m.gain is not None else None for _, m in rows],
            "flags": [" ".join(m.point.flags) for _, m in rows],
        },
        _UNITS,
        _MEANING,
    )
