"""Figures and tables of the linearity procedure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series
from analysis.linearity.curve import Range
from analysis.linearity.fit import Fit
from analysis.linearity.ladder import Ladder, means_of
from analysis.linearity.lamp import rung_means
from analysis.linearity.results import Lines

Floats = NDArray[np.float64]

FIGURES = ("response", "deviation", "residuals", "lamp")
PRODUCTS = ("correction", "curve", "points")

_LEVELS = 200  # of the tables, and of drawn curves


@dataclass(frozen=True)
class Drawn:
    """A ladder that has a fit, with its lines and its name in figures."""

    ladder: Ladder
    fit: Fit
    lines: Lines
    label: str

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self.ladder.channel

    @property
    def whole(self) -> Range:
        """The line of max_deviation; that of all levels measured where the range asked for was not reached."""
        basis = self.fit.curve.basis
        return self.lines.whole or Range(basis.low, basis.high)

    @property
    def levels(self) -> Floats:
        """Levels [ADU] at which the curve is drawn and tabulated: only where it was measured."""
        return np.linspace(self.fit.curve.basis.low, self.fit.curve.basis.high, _LEVELS)

    def rungs(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Mean time [s], mean level [ADU], residual (relative) and its error of each rung."""
        times, levels = means_of(self.fit.points, self.fit.rung)
        residuals, errors = rung_means(self.fit.residuals, self.fit.errors**2, self.fit.rung)
        return times, levels, residuals, errors


def hand_on(
    results: Results, ladders: Sequence[tuple[Ladder, Lines | None]], channels: Sequence[str]
) -> None:
    """Hand back the figures and tables of all channels and settings."""
    several = len({ladder.setting for ladder, _ in ladders}) > 1
    drawn = [
        Drawn(ladder, ladder.fit, lines, f"{ladder.channel} {ladder.setting}" if several else ladder.channel)
        for ladder, lines in ladders
        if ladder.fit is not None and lines is not None
    ]
    order = {name: i for i, name in enumerate(channels)}
    drawn.sort(key=lambda d: order[d.channel])
    if not drawn:
        for name in (*FIGURES, *PRODUCTS):
            results.without(name, "too-few-frames", "no curve could be measured")
        return
    results.figure("response", _response(drawn))
    results.figure("deviation", _deviation(drawn))
    results.figure("residuals", _residuals(drawn))
    results.figure("lamp", _lamp(drawn))
    results.product("correction", _correction(drawn))
    results.product("curve", _curve(drawn))
    results.product("points", _points(drawn))


def _response(drawn: Sequence[Drawn]) -> Plot:
    """Levels against time with the lines, and what is left."""
    above: list[Series] = []
    below: list[Series] = []
    for one in drawn:
        fit = one.fit
        for j, group in enumerate(fit.terms.groups):
            name = f"{one.label} {group}" if len(fit.terms.groups) > 1 else one.label
            points = [p for p in fit.points if p.group == group]
            time = np.array([p.time for p in points]) + fit.shutter
            light = time * fit.rates[j] * fit.drift(np.array([p.clock for p in points]))
            level = np.array([p.level for p in points])
            error = np.array([p.error for p in points])
            # rates belong to the curve's own scale: on that of the line their light is the corrected level
            scale = _scale(one)
            above.append(Series(time, level, name, one.channel, error))
            ends = np.array([time.min(), time.max()])
            above.append(
                Series(ends, ends * fit.rates[j] * scale, f"{name}: line", one.channel, style="line")
            )
            below.append(
                Series(time, 100 * (level / (light * scale) - 1), name, one.channel, 100 * error / level)
            )
        if one.ladder.beyond:
            out = one.ladder.beyond
            times = np.array([p.time for p in out]) + fit.shutter
            above.append(Series(times, np.array([p.level for p in out]), f"{one.label}, beyond", one.channel))
    return Plot(
        (
            Panel("time open [s]", "level above offset [ADU]", tuple(above), xscale="log", yscale="log"),
            Panel("time open [s]", "level less line [%]", tuple(below), (Mark("line", y=0.0),), xscale="log"),
        )
    )


def _scale(one: Drawn) -> float:
    """Light on the line's scale over that of the fit."""
    level = np.array([one.fit.curve.basis.high])
    deviation, _ = one.fit.curve.deviation(level, one.whole)
    return float((level / (1.0 + deviation))[0] / one.fit.curve.light(level)[0])


def _deviation(drawn: Sequence[Drawn]) -> Plot:
    """Both definitions with their bands, and the rungs."""
    panels = []
    for title, low in (
        ("from the line of the whole range", False),
        ("from the line of the low levels", True),
    ):
        series: list[Series] = []
        marks: list[Mark] = [Mark("line", y=0.0)]
        for one in drawn:
            line = one.lines.low if low else one.whole
            if line is None:
                continue
            levels = one.levels
            value, slopes = one.fit.curve.deviation(levels, line)
            error = one.fit.curve.errors(slopes)
            _, at, residual, spread = one.rungs()
            here, _ = one.fit.curve.deviation(at, line)
            # a residual is by how much the corrected level lies above the light
            shown = (1.0 + here) * np.exp(residual) - 1.0
            series.append(Series(at, 100 * shown, one.label, one.channel, 100 * spread))
            series.append(Series(levels, 100 * value, f"{one.label}: curve", one.channel, style="line"))
            for sign, word in ((1, "+"), (-1, "−")):
                series.append(
                    Series(
                        levels,
                        100 * (value + sign * error),
                        f"{one.label}: {word}1 σ",
                        one.channel,
                        style="line",
                    )
                )
            if low and one.lines.reference is not None:
                marks.append(Mark("reference level", x=one.lines.reference))
        panels.append(
            Panel(
                "level above offset [ADU]",
                "N / (a F) − 1 [%]",
                tuple(series),
                tuple(dict.fromkeys(marks)),
                title=title,
            )
        )
    return Plot(tuple(panels))


def _residuals(drawn: Sequence[Drawn]) -> Plot:
    """Corrected levels less the line."""
    series = []
    for one in drawn:
        _, levels, residual, error = one.rungs()
        series.append(Series(levels, 100 * residual, one.label, one.channel, 100 * error))
    panel = Panel(
        "level above offset [ADU]",
        "corrected level less line [%]",
        tuple(series),
        (Mark("line", y=0.0),),
        xscale="log",
    )
    return Plot((panel,))


def _lamp(drawn: Sequence[Drawn]) -> Plot:
    """The light over time as each flat tells it."""
    series = []
    for one in drawn:
        fit = one.fit
        clock = np.array([p.clock for p in fit.points])
        drift = fit.drift(clock)
        light = drift * np.exp(fit.residuals)
        series.append(Series(clock, 100 * (light - 1), one.label, one.channel, 100 * fit.errors))
        if fit.terms.degree:
            at = np.linspace(clock.min(), clock.max(), 60)
            series.append(
                Series(at, 100 * (fit.drift(at) - 1), f"{one.label}: drift", one.channel, style="line")
            )
    hours = all(one.ladder.clock_unit == "h" for one in drawn)
    label = "time since the first flat [h]" if hours else "number of the flat"
    return Plot((Panel(label, "light less its mean course [%]", tuple(series)),))


def _correction(drawn: Sequence[Drawn]) -> TableProduct:
    """What has to be added to levels, from zero to the highest level measured."""
    columns: dict[str, list[object]] = {n: [] for n in ("channel", "setting", "level", "correction", "error")}
    for one in drawn:
        levels = one.levels
        value, error = one.fit.curve.correction(levels, one.whole)
        # without light nothing is to be corrected: between zero and the lowest rung it is the same part of the level
        for name, held in (
            ("level", np.concatenate([[0.0], levels])),
            ("correction", np.concatenate([[0.0], value])),
            ("error", np.concatenate([[0.0], error])),
        ):
            columns[name] += held.tolist()
        columns["channel"] += [one.channel] * (levels.size + 1)
        columns["setting"] += [one.ladder.setting] * (levels.size + 1)
    return TableProduct(
        columns,
        {"level": "adu", "correction": "adu", "error": "adu"},
        {
            "setting": "setting under which the flats were taken",
            "level": "level above the offset, as read",
            "correction": "what has to be added to the level",
            "error": "standard error of the correction; those of one channel are correlated",
        },
    )


def _curve(drawn: Sequence[Drawn]) -> TableProduct:
    names = ("channel", "setting", "level", "deviation", "error", "low_deviation", "low_error")
    columns: dict[str, list[object]] = {n: [] for n in names}
    for one in drawn:
        levels = one.levels
        columns["channel"] += [one.channel] * levels.size
        columns["setting"] += [one.ladder.setting] * levels.size
        columns["level"] += levels.tolist()
        for line, value, error in (
            (one.whole, "deviation", "error"),
            (one.lines.low, "low_deviation", "low_error"),
        ):
            if line is None:
                columns[value] += [float("nan")] * levels.size
                columns[error] += [float("nan")] * levels.size
                continue
            found, slopes = one.fit.curve.deviation(levels, line)
            columns[value] += (100 * found).tolist()
            columns[error] += (100 * one.fit.curve.errors(slopes)).tolist()
    return TableProduct(
        columns,
        {"level": "adu", "deviation": "%", "error": "%", "low_deviation": "%", "low_error": "%"},
        {
            "level": "level above the offset, as read",
            "deviation": "level over the line of the whole range, less one: measured less linear",
            "low_deviation": "the same for the line of the low levels; NaN where these were not measured",
        },
    )


def _points(drawn: Sequence[Drawn]) -> TableProduct:
    names = (
        "channel", "setting", "light", "exposure", "exptime", "time", "level", "level_error", "lamp", "residual",
        "residual_error", "used", "flags",
    )  # fmt: skip
    columns: dict[str, list[object]] = {n: [] for n in names}
    for one in drawn:
        fit = one.fit
        place = {(p.exposure, p.clock): i for i, p in enumerate(fit.points)}
        drift = fit.drift(np.array([p.clock for p in fit.points]))
        for p in one.ladder.points:
            if not p.level > 0:
                continue
            i = place.get((p.exposure, p.clock))
            row = (
                one.channel, one.ladder.setting, p.group, p.exposure, p.time, p.clock, p.level, p.error,
                float("nan") if i is None else float(drift[i]),
                float("nan") if i is None else 100 * float(fit.residuals[i]),
                float("nan") if i is None else 100 * float(fit.errors[i]),
                i is not None, " ".join(p.flags),
            )  # fmt: skip
            for name, value in zip(names, row, strict=True):
                columns[name].append(value)
    hours = all(one.ladder.clock_unit == "h" for one in drawn)
    units = {"exptime": "s", "level": "adu", "level_error": "adu", "residual": "%", "residual_error": "%"}
    return TableProduct(
        columns,
        {**units, **({"time": "h"} if hours else {})},
        {
            "light": "light of the group, which has a rate of its own",
            "exptime": "time that the shutter was told",
            "time": "time since the first flat" if hours else "number of the flat",
            "level": "level above the offset",
            "lamp": "the lamp's drift at this flat; NaN for flats that were not fitted",
            "residual": "corrected level over the light, less one",
            "residual_error": "noise of its pixels and scatter of the light",
            "used": "whether the curve rests on this flat",
            "flags": "why it was left out",
        },
    )
