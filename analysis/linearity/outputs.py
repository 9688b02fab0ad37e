"""The figures of the linearity procedure, and the handing on of its tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import Results
from analysis.figures import Mark, Panel, Plot, Series
from analysis.linearity.ladder import Ladder
from analysis.linearity.lines import Lines
from analysis.linearity.tables import Drawn, correction_table, curve_table, points_table

FIGURES = ("response", "deviation", "residuals", "lamp")
PRODUCTS = ("correction", "curve", "points")


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
    results.product("correction", correction_table(drawn))
    results.product("curve", curve_table(drawn))
    results.product("points", points_table(drawn))


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
