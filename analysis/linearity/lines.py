"""The straight lines by which deviations are stated: what was asked for, as far as levels were measured."""

from __future__ import annotations

from math import isfinite

from analysis.contract import Inputs
from analysis.linearity.curve import Range
from analysis.linearity.fit import Fit
from analysis.linearity.ladder import means_of
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Lines:
    """The two lines by which deviations are stated, and the reference level [ADU]; None where the data do not reach, which ``notes`` tell.

    ``whole`` is that of max_deviation, ``low`` that of reference_deviation and turnoff.
    """

    whole: Range | None
    low: Range | None
    reference: float | None
    notes: dict[str, str]


def lines_of(inputs: Inputs, fit: Fit) -> Lines:
    """The ranges that parameters ask for, as far as levels were measured there: nothing is extrapolated.

    Where a parameter is 0 the range is a part of the saturation level, and begins at the lowest level measured if that is higher.
    """
    curve, saturation = fit.curve, inputs.detector.geometry.saturation
    full = saturation if isfinite(saturation) else curve.basis.high
    lowest, highest = curve.basis.low, curve.basis.high
    _, levels = means_of(fit.points, fit.rung)

    def bound(name: str, part: float, least: float = 0.0) -> float:
        return inputs.number(name) or max(part * full, least)

    found: dict[str, Range | None] = {}
    notes: dict[str, str] = {}
    for name, low, high in (
        ("whole", bound("range_low", 0.02, lowest), inputs.number("range_high") or highest),
        ("low", bound("linear_low", 0.02, lowest), bound("linear_high", 0.25)),
    ):
        inside = int(((levels >= low * (1 - 1e-9)) & (levels <= high * (1 + 1e-9))).sum())
        if curve.covers(low, high) and inside >= 2:
            found[name], notes[name] = Range(low, high), f"line of {low:.5g} … {high:.5g} ADU"
        else:
            found[name] = None
            notes[name] = (
                f"a line of {low:.5g} … {high:.5g} ADU needs two levels there; measured from {lowest:.5g} to {highest:.5g} ADU"
            )
    level: float | None = inputs.number("reference_level") or 0.5 * full
    notes["reference"] = f"at {level:.5g} ADU; {notes['low']}"
    if level is not None and not lowest <= level <= highest:
        notes["reference"] = (
            f"{level:.5g} ADU is not within {lowest:.5g} … {highest:.5g} ADU, where levels were measured"
        )
        level = None
    return Lines(found["whole"], found["low"], level, notes)
