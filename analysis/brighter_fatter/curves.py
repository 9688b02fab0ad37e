"""From flats to the brighter-fatter effect of one channel in one setting: points, fit, kernel, check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.brighter_fatter.area import fit_area
from analysis.brighter_fatter.area_fit import AreaFit
from analysis.brighter_fatter.borders import Borders, borders_of
from analysis.brighter_fatter.kernel import Kernel, kernel_of
from analysis.brighter_fatter.points import Corrector, Point, in_window, linear_points, measure_points
from analysis.brighter_fatter.quantities import FULL_WELL
from analysis.brighter_fatter.straightness import Straightness, straightness
from analysis.contract import FrameInput, Inputs
from analysis.conversion import Conversion, conversion
from analysis.flat_frames import electronic_noise, offsets_of
from analysis.flat_pairs import Bounds
from analysis.linearised import Linearised
from analysis.response_corrections import NOT_CORRECTED, Correction
from campaign.frozen import dataclass
from campaign.geometry import Channel

Pairs = Sequence[tuple[FrameInput, FrameInput]]


_SPAN = 2.0  # highest over lowest level that a fit of the gain needs
_LEVELS = 4  # as many levels
_DROP = 4.0  # errors by which the variance of brighter flats is lower, past the turnoff


@dataclass(frozen=True)
class Curve:
    """What was found of one channel in one setting.

    ``points`` are all pairs, ``used`` those of the fit. ``gain`` is that of other procedures where the fit rests on it. What is None could
    not be had; ``reason`` says why in code, ``failure`` in words, ``unchecked`` why there is no check, ``corrected`` by which steps.
    """

    channel: str
    setting: str
    points: tuple[Point, ...]
    used: tuple[Point, ...] = ()
    fit: AreaFit | None = None
    borders: Borders | None = None
    kernel: Kernel | None = None
    check: Straightness | None = None
    gain: Conversion | None = None
    known: Conversion | None = None
    reason: str = ""
    failure: str = ""
    unchecked: str = ""
    corrected: str = ""

    @property
    def carried(self) -> tuple[str, ...]:
        """Flags of pairs left out among those used, and of the gain that was used: they stand beside every number."""
        top = max((p.level for p in self.used), default=0.0)
        found = [f for p in self.points for f in p.flags if "saturated" not in p.flags and p.level <= top]
        return tuple(dict.fromkeys([*found, *(self.gain.flags if self.gain else ())]))

    @property
    def levels(self) -> int:
        """How many exposure times the fit rests on."""
        return len({p.exptime for p in self.used})


def measure_curve(
    inputs: Inputs,
    channel: Channel,
    setting: str,
    pairs: Pairs,
    biases: Sequence[FrameInput],
    bounds: Bounds,
    by: Correction = NOT_CORRECTED,
) -> Curve:
    """All that the pairs of a channel, corrected ``by`` what is known of it, tell; see ``Curve`` for what could not be had. Raises what reading pixels raises."""
    frames = [f for pair in pairs for f in pair]
    offsets = offsets_of(frames, biases, channel)
    if offsets is None:
        return Curve(
            channel.name, setting, (), reason="no-overscan", failure="nothing tells the offset of the flats"
        )
    noise = electronic_noise(frames, biases, channel, bounds, inputs.shared)
    if noise is not None:
        bounds = replace(bounds, row_background=noise.rows, column_background=noise.columns)
    lags = min(int(inputs.number("lags")), min(channel.image.shape) // 4)
    degree = int(inputs.number("background"))
    if lags < 2:
        why = f"an image of {channel.image.shape} pixels is too small for covariances"
        return Curve(channel.name, setting, (), reason="too-few-pixels", failure=why)
    bounds = replace(bounds, lags=lags, degree=degree)
    raw = measure_points(channel, pairs, offsets, bounds, by.lost)
    points = linear_points(raw, by.table)
    curve = Curve(channel.name, setting, points, known=conversion(inputs, channel), corrected=by.words)
    curve = replace(curve, used=_used(inputs, channel, points))
    floor = None if noise is None else noise.variance * by.slope(0.0) ** 2
    curve = _fitted(curve, str(inputs.parameters["estimator"]), floor, (raw, by.table))
    if curve.fit is None or curve.kernel is None:
        return curve
    place = {
        (a.frame.exposure, b.frame.exposure): (i, (a, b)) for i, (a, b) in enumerate(pairs)
    }  # the pair of a point, and whose offsets are its

    window = int(inputs.number("window"))

    def again(point: Point, corrector: Corrector) -> tuple[Point, Point]:
        i, pair = place[point.first, point.second]
        zero = offsets.values[2 * i], offsets.values[2 * i + 1]
        made = in_window(channel, pair, zero, bounds, corrector, window, by.lost)
        before, after = linear_points(made, by.table)
        return before, after

    given = (curve.gain.gain, curve.gain.error) if curve.gain else None
    try:
        check = straightness(
            curve.used, curve.fit, curve.kernel, curve.fit.estimator, given, floor,
            int(inputs.number("order")), again,
        )  # fmt: skip
    except ValueError as why:
        return replace(curve, unchecked=str(why))
    return replace(curve, check=check)


def _used(inputs: Inputs, channel: Channel, points: Sequence[Point]) -> tuple[Point, ...]:
    """Clean points below the turnoff of the variance, and below the level asked for, as they were taken."""
    clean = [p for p in points if p.clean]
    top = inputs.number("max_level") or np.inf
    found = inputs.used.get((FULL_WELL.procedure, FULL_WELL.quantity), {}).get(channel.name)
    if found is not None and found.value is not None:
        top = min(top, found.value * (1.0 - 1e-3))
    return tuple(p for p in clean if p.level < min(top, _turnoff(clean)))


def _turnoff(points: Sequence[Point]) -> float:
    """The level [ADU] of largest mean variance, if brighter flats have clearly less; else infinite."""
    rows = []
    for time in {p.exptime for p in points}:
        alike = [p for p in points if p.exptime == time]
        variances = np.array([p.matrix[0, 0] for p in alike if p.matrix is not None])
        counts = np.array([p.counts[0, 0] for p in alike if p.counts is not None], np.float64)
        error = float(np.sqrt((2.0 * variances**2 / counts).sum())) / len(alike)
        rows.append((float(np.mean([p.level for p in alike])), float(variances.mean()), error))
    rows.sort()
    if not rows:
        return np.inf
    peak = max(range(len(rows)), key=lambda i: rows[i][1])
    for _, variance, error in rows[peak + 1 :]:
        if rows[peak][1] - variance > _DROP * float(np.hypot(error, rows[peak][2])):
            return rows[peak][0] * (1.0 - 1e-3)
    return np.inf


def _fitted(
    curve: Curve, estimator: str, floor: float | None, by: tuple[Sequence[Point], Linearised | None]
) -> Curve:
    """The curve with its fit, borders and kernel; ``by`` are its points before the table they were corrected by, None for none."""
    if not curve.used:
        return _without_points(curve)
    levels = [p.level for p in curve.used]
    if curve.levels < _LEVELS or max(levels) < _SPAN * min(levels) or estimator == "coulton":
        curve = replace(curve, gain=curve.known)
        if curve.known is None and curve.levels < _LEVELS:
            return replace(
                curve, reason="no-gain", failure=f"{curve.levels} levels do not give the gain themselves"
            )
    if curve.levels < 2:
        return replace(
            curve, reason="too-few-frames", failure="one level does not tell what grows with it from noise"
        )
    given = (curve.gain.gain, curve.gain.error) if curve.gain else None
    try:
        fit = _uncertain(fit_area(curve.used, estimator, given, floor), curve, given, floor, *by)
    except ValueError as why:
        return replace(curve, reason="bad-fit", failure=str(why))
    borders = borders_of(fit.area, fit.errors)
    # Guyonnet's coefficients of area are those of borders that follow a smooth law
    area = borders.area if estimator == "guyonnet" else fit.area
    return replace(curve, fit=fit, borders=borders, kernel=kernel_of(area, fit.covariance))


def _uncertain(
    fit: AreaFit,
    curve: Curve,
    given: tuple[float, float] | None,
    floor: float | None,
    raw: Sequence[Point],
    table: Linearised | None,
) -> AreaFit:
    """The fit, its errors enlarged by those of the table: how it moves when the table is off by each part of its error. Raises as ``fit_area``."""
    kept = {(p.first, p.second) for p in curve.used}
    for off in [] if table is None else map(table.off_by, range(len(table.parts))):
        points = [p for p in linear_points(raw, off) if (p.first, p.second) in kept and p.clean]
        moved = fit_area(points, fit.estimator, given, floor)
        area, gain = moved.area - fit.area, moved.gain - fit.gain
        fit = replace(
            fit, errors=np.hypot(fit.errors, area), covariance=fit.covariance + np.outer(area, area),
            gain_error=float(np.hypot(fit.gain_error, gain)), gain_covariance=fit.gain_covariance + float(gain * area[0, 0]),
        )  # fmt: skip
    return fit


def _without_points(curve: Curve) -> Curve:
    """Why no pair could be used."""
    points = curve.points
    if points and all("saturated" in p.flags for p in points):
        return replace(
            curve, reason="saturated", failure=f"none of {len(points)} pairs is free of saturated pixels"
        )
    failed = next((p for p in points if p.reason), None)
    if failed is not None and not any(p.clean or (p.flags and not p.reason) for p in points):
        return replace(curve, reason=failed.reason, failure=failed.failure)
    if any(p.clean for p in points):
        return replace(
            curve, reason="not-reached", failure="no pair lies below the level from which they are left out"
        )
    return replace(curve, reason="bad-fit", failure=f"none of {len(points)} pairs is free of flags")
