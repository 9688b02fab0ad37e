"""The tables of the linearity procedure, and what figures and tables are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import TableProduct
from analysis.linearised import PART
from analysis.linearity.curve import Range
from analysis.linearity.fit import Fit
from analysis.linearity.ladder import Ladder, means_of
from analysis.linearity.lamp import rung_means
from analysis.linearity.lines import Lines
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

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


def correction_table(drawn: Sequence[Drawn]) -> TableProduct:
    """What has to be added to levels, from zero to the highest level measured."""
    parts = [f"{PART}{n + 1}" for n in range(max((one.fit.curve.basis.size for one in drawn), default=0))]
    names = ("channel", "setting", "level", "correction", "error", *parts)
    columns: dict[str, list[object]] = {n: [] for n in names}
    for one in drawn:
        levels = one.levels
        value, error = one.fit.curve.correction(levels, one.whole)
        of_error = one.fit.curve.correction_parts(levels, one.whole)
        lacking = np.zeros((len(parts) - len(of_error), levels.size))
        # without light nothing is to be corrected: between zero and the lowest rung it is the same part of the level
        for name, held in zip(names[2:], (levels, value, error, *of_error, *lacking), strict=True):
            columns[name] += [0.0, *held.tolist()]
        columns["channel"] += [one.channel] * (levels.size + 1)
        columns["setting"] += [one.ladder.setting] * (levels.size + 1)
    return TableProduct(
        columns,
        dict.fromkeys(names[2:], "adu"),
        {
            "setting": "setting under which the flats were taken",
            "level": "level above the offset, as read",
            "correction": "what has to be added to the level",
            "error": "standard error of the correction; those of one channel are correlated",
            **dict.fromkeys(
                parts,
                "part of this error, all of one cause: products of parts, summed, are the covariance of two levels",
            ),
        },
    )


def curve_table(drawn: Sequence[Drawn]) -> TableProduct:
    """Deviations by both definitions at even levels, where levels were measured."""
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


def points_table(drawn: Sequence[Drawn]) -> TableProduct:
    """The flats that have a level, used or not."""
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
