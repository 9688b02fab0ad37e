"""What a ladder gives: the quantities, and their values for one channel and setting."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np

from analysis.contract import Inputs, Results
from analysis.linearity.curve import Range
from analysis.linearity.fit import Fit
from analysis.linearity.ladder import Ladder, means_of
from analysis.linearity.lamp import rung_means
from analysis.linearity.lines import Lines, lines_of
from analysis.linearity.quantities import QUANTITIES
from campaign.frozen import dataclass


def nothing(results: Results, channel: str, setting: str, reason: str, note: str = "", n: int = 0) -> None:
    """All quantities are missing, for one reason."""
    for quantity in QUANTITIES:
        results.missing(quantity.name, reason, channel=channel, setting=setting, n=n, note=note)


def hand_back(inputs: Inputs, results: Results, ladder: Ladder) -> Lines | None:
    """All quantities of one ladder; returns the lines, or None where there is no curve."""
    label = f"{ladder.channel} {ladder.setting}".strip()
    for point in ladder.points:
        if point.failure:
            results.say(f"{label}: flat {point.exposure}: {point.failure}")
    for words in ladder.said:
        results.say(f"{label}: {words}")
    fit = ladder.fit
    if fit is None:
        nothing(results, ladder.channel, ladder.setting, ladder.reason, ladder.note, len(ladder.points))
        return None
    if len(fit.terms.groups) > 1:
        first = float(fit.rates[0])
        results.say(
            f"{label}: light relative to {fit.terms.groups[0]}: "
            + ", ".join(
                f"{name} {rate / first:.6g} ± {error / first:.2g}"
                for name, rate, error in zip(
                    fit.terms.groups[1:], fit.rates[1:], fit.rate_errors[1:], strict=True
                )
            )
        )
    lines = lines_of(inputs, fit)
    flags = _flags(inputs, ladder, fit)
    give = _Giver(results, ladder, len(fit.points), flags)
    _deviations(inputs, give, fit, lines)
    _turnoff(inputs, give, ladder, fit, lines)
    _quality(give, fit, lines)
    _lamp(give, fit)
    for name, rung in (("min_level", 0), ("max_level", -1)):
        _, levels = means_of(fit.points, fit.rung)
        order = np.argsort(levels)
        at = fit.rung == order[rung]
        error = float(np.sqrt((np.array([p.error for p in fit.points])[at] ** 2).sum())) / int(at.sum())
        give.value(name, float(levels[order[rung]]), error, plain=True)
    return lines


def residual_scatter(fit: Fit, within: Range | None = None) -> float:
    """Root of the squared residuals of the rungs' means (relative) over the degrees of freedom; 0 without freedom."""
    if fit.dof < 1:
        return 0.0
    means, _ = rung_means(fit.residuals, fit.errors**2, fit.rung)
    if within is not None:
        _, levels = means_of(fit.points, fit.rung)
        means_in = means[(levels >= within.low) & (levels <= within.high)]
        return sqrt(float((means_in**2).mean()) * means.size / fit.dof) if means_in.size else 0.0
    return sqrt(float((means**2).sum()) / fit.dof)


def _flags(inputs: Inputs, ladder: Ladder, fit: Fit) -> list[str]:
    """Flags that all numbers of the curve bear."""
    flags = list(ladder.flags)
    if fit.rung.max() + 1 <= 5:
        flags.append("few-levels")
    if fit.scatter_dof < 5:
        flags.append("few-frames")
    poor = fit.chance < 1e-3 and 100.0 * residual_scatter(fit) > inputs.number("residual_tolerance")
    if poor:
        flags.append("poor-fit")
    if 100.0 * fit.scatter > inputs.number("lamp_tolerance"):
        flags.append("unstable")
    return list(dict.fromkeys(flags))


@dataclass(frozen=True)
class _Giver:
    """Hands back values of one channel and setting."""

    results: Results
    ladder: Ladder
    n: int
    flags: list[str]

    def value(
        self, name: str, value: float, error: float | None, *, note: str = "", more: Sequence[str] = (),
        plain: bool = False, estimator: str | None = None,
    ) -> None:  # fmt: skip
        flags = [*([] if plain else self.flags), *more]
        self.results.value(
            name, value, error, n=self.n, channel=self.ladder.channel, setting=self.ladder.setting, flags=flags, note=note,
            estimator=estimator,
        )  # fmt: skip

    def missing(self, name: str, reason: str, note: str) -> None:
        self.results.missing(
            name, reason, n=self.n, channel=self.ladder.channel, setting=self.ladder.setting, flags=self.flags, note=note
        )  # fmt: skip


def _estimator(fit: Fit, what: str) -> str:
    basis = fit.terms.basis
    kind = (
        f"cubic spline of {len(basis.knots)} knots"
        if basis.estimator == "spline"
        else f"polynomial of degree {basis.degree}"
    )
    lights = (
        f"; {len(fit.terms.groups)} lights joined by a free ratio each" if len(fit.terms.groups) > 1 else ""
    )
    return f"{what} of a {kind} in level{lights}"


def _deviations(inputs: Inputs, give: _Giver, fit: Fit, lines: Lines) -> None:
    """Both definitions of the deviation."""
    if lines.whole is None:
        for name in ("max_deviation", "max_deviation_level"):
            give.missing(name, "not-reached", lines.notes["whole"])
    else:
        found = fit.curve.largest(lines.whole)
        sense = "above" if found.sign > 0 else "below"
        zero = ("consistent-with-zero",) if found.value < 3 * found.error else ()
        note = f"{sense} the line; {lines.notes['whole']}"
        give.value(
            "max_deviation", 100 * found.value, 100 * found.error, note=note, more=zero,
            estimator=_estimator(fit, "maximum, less what noise adds to one,"),
        )  # fmt: skip
        give.value("max_deviation_level", found.level, found.level_error, note=note, more=zero)
    if lines.low is None or lines.reference is None:
        give.missing(
            "reference_deviation", "not-reached", lines.notes["low" if lines.low is None else "reference"]
        )
        return
    value, error = fit.curve.reference_deviation(lines.reference, lines.low)
    zero = ("consistent-with-zero",) if abs(value) < 3 * error else ()
    give.value(
        "reference_deviation", 100 * value, 100 * error, note=lines.notes["reference"], more=zero,
        estimator=_estimator(fit, "value at the reference level"),
    )  # fmt: skip


def _turnoff(inputs: Inputs, give: _Giver, ladder: Ladder, fit: Fit, lines: Lines) -> None:
    """Where the low levels' line is left for good."""
    if lines.low is None:
        give.missing("turnoff", "not-reached", lines.notes["low"])
        return
    threshold = inputs.number("turnoff") / 100.0
    found = fit.curve.turnoff(lines.low, threshold)
    if found is not None:
        give.value("turnoff", *found, note=f"{100 * threshold:g} % from the {lines.notes['low']}")
        return
    top = fit.curve.basis.high
    if ladder.beyond:
        least = min(ladder.beyond, key=lambda p: p.time * float(fit.rates[fit.terms.groups.index(p.group)]))
        next_level = max(least.level, top)
        level, gap = 0.5 * (top + next_level), max(0.5 * (next_level - top), least.error)
        give.value(
            "turnoff", level, gap, note=f"between the rungs at {top:.5g} and {least.level:.5g} ADU the detector fills up",
            estimator="half-way between rungs, to each of which it is an error",
        )  # fmt: skip
        return
    then = ", then pixels saturate" if ladder.saturated else ""
    give.missing(
        "turnoff", "not-reached", f"within {100 * threshold:g} % of the line up to {top:.5g} ADU{then}"
    )


def _quality(give: _Giver, fit: Fit, lines: Lines) -> None:
    """Residual after correction and χ²."""
    if fit.dof < 1:
        for name in ("residual", "fit_chi2"):
            give.missing(name, "too-few-frames", "as many rungs as parameters: the curve cannot be tested")
        return
    value = residual_scatter(fit, lines.whole)
    give.value(
        "residual", 100 * value, 100 * value / sqrt(2.0 * fit.dof), note=f"{fit.dof} degrees of freedom"
    )
    # errors that rest on ν' repetitions scatter themselves: that of F with (ν, ν')
    error = sqrt(2.0 / fit.dof + (2.0 / fit.scatter_dof if fit.scatter > 0 else 0.0))
    give.value(
        "fit_chi2", fit.chi2 / fit.dof, error,
        note=f"χ² = {fit.chi2:.4g} with {fit.dof} degrees of freedom; chance of more: {fit.chance:.2g}",
    )  # fmt: skip


def _lamp(give: _Giver, fit: Fit) -> None:
    """What is told of lamp and shutter."""
    if fit.terms.degree == 0:
        note = "no exposure time comes again over half of the ladder's duration, or none was asked for: a drift of the lamp is part of the curve"
        give.missing("lamp_drift", "no-reference", note)
    else:
        change, error = fit.end_to_end()
        zero = ("consistent-with-zero",) if abs(change) < 3 * error else ()
        give.value(
            "lamp_drift",
            100 * change,
            100 * error,
            more=zero,
            note=f"polynomial of degree {fit.terms.degree}",
        )
    if fit.scatter_dof < 1:
        give.missing("lamp_scatter", "too-few-frames", "no exposure time is repeated")
    else:
        pixels = float(np.sqrt(np.mean([(p.error / p.level) ** 2 for p in fit.points])))
        if fit.scatter > 0:
            error = hypot(fit.scatter, pixels) ** 2 / fit.scatter / sqrt(2.0 * fit.scatter_dof)
        else:
            error = pixels / (2.0 * fit.scatter_dof) ** 0.25
        zero = ("consistent-with-zero",) if fit.scatter < 3 * error else ()
        give.value(
            "lamp_scatter",
            100 * fit.scatter,
            100 * error,
            more=zero,
            note=f"{fit.scatter_dof} degrees of freedom",
        )
    if fit.shutter_error is not None:
        zero = ("consistent-with-zero",) if abs(fit.shutter) < 3 * fit.shutter_error else ()
        give.value("shutter_offset", fit.shutter, fit.shutter_error, more=zero)
    elif fit.terms.shutter:
        give.value(
            "shutter_offset", fit.shutter, None, plain=True, estimator="given by the parameter shutter"
        )
    else:
        give.missing(
            "shutter_offset", "too-few-frames", "not fitted: exposure times were taken as they were told"
        )
