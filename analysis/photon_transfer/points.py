"""From flats to a photon transfer curve: the points of one channel, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check
from analysis.contract import FrameInput, Inputs
from analysis.flat_frames import ElectronicNoise, Offsets, electronic_noise, offsets_of
from analysis.flat_pairs import (
    Bounds,
    Difference,
    NoLightError,
    checks_of_frame,
    checks_of_values,
    flat_difference,
    read_pair,
    without_pixels,
)
from analysis.linearised import Linearised, linear_difference, linear_noise
from analysis.photon_transfer.curve import (
    CurveFit,
    Model,
    PairGain,
    fit_curve,
    gain_of_pairs,
)
from analysis.photon_transfer.full_well import Turnoff, blooming, model_range, turnoff
from analysis.photon_transfer.matrix import CovariancePoint, MatrixFit, fit_matrix
from analysis.photon_transfer.row_means import RowMeans, row_means
from analysis.response_corrections import NOT_CORRECTED, Correction
from analysis.statistics import QUANTISATION_VARIANCE
from campaign.geometry import Channel

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[FrameInput, FrameInput]]
_Fit = TypeVar("_Fit", bound=CurveFit)

_LEAST_SPAN = 2.0  # highest over lowest level: below, a curve has no lever and pairs tell more
_ENOUGH_LEVELS = 6  # exposure times from which the whole matrix is fitted unasked
_CLEAR = 5.0  # in σ: what a₀₀ of the whole matrix must be for the gain to be the matrix's, unasked
_TOP = frozenset({"saturated"})
"""Flags that the brightest pairs of a complete curve bear by right: they cost themselves only."""


@dataclass(frozen=True)
class Point:
    """A pair of flats on the curve: exposures, exposure time [s], and the difference.

    Where there is none, ``failure`` says why, ``reason`` says it in code, and ``checks`` are those of the frames.
    """

    first: str
    second: str
    exptime: float
    difference: Difference | None
    failure: str = ""
    reason: Literal["", "unphysical", "too-few-pixels", "not-reached"] = ""
    checks: tuple[Check, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of the pair."""
        if self.difference:
            return self.difference.flags
        return tuple(dict.fromkeys(c.flag for c in self.checks if c.raised))


@dataclass(frozen=True)
class Curve:
    """One channel's curve in one setting.

    ``offset_error`` [ADU] is common to all levels, or with ``offset_each`` each frame's own; ``rounding`` [ADU²] what the converter's steps add to each variance;
    ``top`` [ADU] the highest level that the fit uses, ``pair_time`` [s] the exposure time that the pair method uses. ``fit`` and ``pairs`` are None where they could not be had;
    ``failure`` then says why, and ``lacking`` why the whole matrix was not fitted.
    ``matrix`` is its fit, which ``fit`` is as well where it says enough. ``corrected`` says in words by which steps.
    """

    channel: str
    setting: str
    points: tuple[Point, ...]
    noise: ElectronicNoise | None
    offset_error: float
    rounding: float
    offset_each: bool = False
    turnoff: Turnoff | None = None
    blooming: Turnoff | None = None
    top: float = 0.0
    fit: CurveFit | None = None
    pairs: PairGain | None = None
    pair_time: float | None = None
    failure: str = ""
    lacking: str = ""
    row_means: RowMeans | None = None
    matrix: MatrixFit | None = None
    corrected: str = ""

    @property
    def clean(self) -> tuple[Point, ...]:
        """The pairs that bear no flag, by level."""
        return tuple(sorted((p for p in self.points if p.difference and not p.flags), key=_level))

    @property
    def used(self) -> tuple[Point, ...]:
        """The clean pairs that the fit uses: those below the turnoff that follow the model."""
        return tuple(p for p in self.clean if _level(p) <= self.top * (1 + 1e-9))

    @property
    def carried(self) -> tuple[str, ...]:
        """Flags of pairs left out below the turnoff, and of the bias frames: they stand beside every number."""
        limit = self.turnoff.level if self.turnoff else np.inf
        measured = [p for p in self.points if p.difference and _TOP.isdisjoint(p.flags)]
        found = [f for p in measured for f in p.flags if _level(p) <= limit]
        return tuple(dict.fromkeys([*found, *(self.noise.flags if self.noise else ())]))

    def levels(self) -> int:
        """How many different exposure times the fit rests on."""
        return len({p.exptime for p in self.used})


def _level(point: Point) -> float:
    assert point.difference is not None
    return point.difference.level


def columns(points: Sequence[Point]) -> tuple[Floats, Floats, Floats]:
    """Levels [ADU], variances and their errors [ADU²] of points that have a difference."""
    found = [p.difference for p in points if p.difference]
    return (
        np.array([d.level for d in found]),
        np.array([d.variance for d in found]),
        np.array([d.variance_error for d in found]),
    )


def measure_curve(
    inputs: Inputs,
    channel: Channel,
    setting: str,
    pairs: Pairs,
    biases: Sequence[FrameInput],
    bounds: Bounds,
    by: Correction = NOT_CORRECTED,
) -> Curve | None:
    """The points of a channel, corrected ``by`` what is known of it, and what is made of them; None when no offset can be had for it."""
    frames = [f for pair in pairs for f in pair]
    offsets = offsets_of(frames, biases, channel)
    if offsets is None:
        return None
    noise = electronic_noise(frames, biases, channel, bounds, inputs.shared)
    if noise is not None:
        bounds = replace(bounds, row_background=noise.rows, column_background=noise.columns)
    model = str(inputs.parameters["model"])
    lacking = _lacking(model, channel, pairs, inputs)
    points, whole = points_of(
        channel, pairs, offsets, replace(bounds, lags=0) if lacking else bounds, by.lost
    )
    rounding = QUANTISATION_VARIANCE if whole else 0.0
    raw = Curve(
        channel.name, setting, points, noise, offsets.error, rounding, offsets.source == "overscan", lacking=lacking,
        corrected=by.words,
    )  # fmt: skip
    curve = _reduced(_linear(raw, by.table), model, inputs.number("pair_level"), bounds)
    if by.table is not None:
        curve = _uncertain(curve, raw, by.table, bounds)
    return replace(curve, row_means=_row_means(curve))


def _linear(curve: Curve, table: Linearised | None) -> Curve:
    """The curve of a converter that is linear, where there is a ``table`` of corrections."""
    if table is None:
        return curve
    noise = None if curve.noise is None else linear_noise(curve.noise, table)
    return replace(
        curve, points=tuple(linear_point(p, table) for p in curve.points), noise=noise,
        offset_error=curve.offset_error * table.slope(0.0),
    )  # fmt: skip


def linear_point(point: Point, table: Linearised) -> Point:
    """A point of a converter that is linear; it has no difference where the table does not reach it."""
    if point.difference is None:
        return point
    try:
        return replace(point, difference=linear_difference(point.difference, table))
    except ValueError as why:
        checks = point.difference.checks
        return replace(point, difference=None, failure=str(why), reason="not-reached", checks=checks)


def _uncertain(curve: Curve, raw: Curve, table: Linearised, bounds: Bounds) -> Curve:
    """The curve, its fits' errors enlarged by those of the table: how a fit moves when the table is off by each part of its error."""
    kept = {(p.first, p.second) for p in curve.used}

    def told(fit: _Fit) -> _Fit:
        for off in map(table.off_by, range(len(table.parts))):
            moved = _linear(raw, off)
            points = [p for p in moved.clean if (p.first, p.second) in kept]
            with suppress(ValueError):  # a fit that is all but lost is none the worse known for it
                fit = fit.uncertain(_fit_of(moved, points, fit.model, bounds))
        return fit

    fit, matrix = curve.fit, curve.matrix
    told_matrix = None if matrix is None else told(matrix)
    told_fit = told_matrix if fit is matrix else None if fit is None else told(fit)
    return replace(curve, fit=told_fit, matrix=told_matrix)


def _lacking(model: str, channel: Channel, pairs: Pairs, inputs: Inputs) -> str:
    """Why the whole matrix cannot be fitted, in words, as far as frames tell; '' where it may."""
    if model not in ("auto", "full"):
        return f"the model {model} has none"
    times, lags = len({first.frame.exptime for first, _ in pairs}), int(inputs.number("lags"))
    if model == "auto" and times < _ENOUGH_LEVELS:
        return f"{times} exposure times are too few for the whole matrix"
    least = int(inputs.number("least_pixels"))
    if channel.image.size < least or min(channel.image.shape) <= 4 * lags:
        return f"a channel of {channel.image.size} pixels is too small for covariances to lag {lags}"
    return ""


def points_of(
    channel: Channel,
    pairs: Pairs,
    offsets: Offsets,
    bounds: Bounds,
    lost: NDArray[np.bool_] | None = None,
) -> tuple[tuple[Point, ...], bool]:
    """The points of pairs without ``lost`` pixels, and whether the pixels are whole numbers."""
    out, whole = [], True
    # one bias level for all frames cancels in the change from one to the other; overscans are each their own
    error = offsets.error if offsets.source == "overscan" else 0.0
    for i, (first, second) in enumerate(pairs):
        a, b = read_pair(first, second, channel, channel.image)
        place = (first.frame.exposure, second.frame.exposure, first.frame.exptime or 0.0)
        whole = whole and all(image.dtype.kind in "iu" for image in (a, b))
        if lost is not None:
            a, b = without_pixels((a, b), lost, bounds.saturation)
        zero = offsets.values[2 * i], offsets.values[2 * i + 1]
        try:
            checks = [c for f in (first, second) for c in checks_of_frame(f, channel, bounds)]
            found = flat_difference(a, b, zero, error, bounds, checks)
        except NoLightError as why:
            out.append(Point(*place, None, str(why), "unphysical"))
        except ValueError as why:
            out.append(Point(*place, None, str(why), "too-few-pixels", _checks((a, b), bounds)))
        else:
            out.append(Point(*place, found))
    return tuple(out), whole


def _checks(images: Sequence[NDArray[np.generic]], bounds: Bounds) -> tuple[Check, ...]:
    """What the checks say of frames that make no difference."""
    try:
        return tuple(checks_of_values(images, bounds))
    except ValueError:
        return ()  # not one finite pixel: there is nothing to say


def _reduced(curve: Curve, model: str, pair_level: float, bounds: Bounds) -> Curve:
    """The curve with its turnoff, fit, blooming and pair gain."""
    mean = _mean_curve(curve)
    curve = replace(curve, turnoff=turnoff(*mean) if mean[0].size else None)
    limit = curve.turnoff.level if curve.turnoff else np.inf
    below = [p for p in curve.clean if _level(p) <= limit * 1.001]
    if not below:
        return replace(curve, failure="no clean pair is left")
    curve = replace(curve, top=_level(below[-1]))
    pairs, time = _pair_gain(curve, below, pair_level)
    curve = replace(curve, pairs=pairs, pair_time=time)
    for chosen in _chosen(model, below, curve.lacking):
        found = _fitted(curve, below, chosen, bounds)
        if isinstance(found.fit, MatrixFit):
            found = replace(found, matrix=found.fit)
        if found.fit is None and curve.fit is not None:
            break  # what was too weak is better than nothing
        curve = found
        if curve.fit is not None and not (model == "auto" and _weak(curve.fit)):
            break
    if curve.fit is not None:
        top = max(t for t in _mean_levels(curve.used).values())
        curve = replace(curve, blooming=blooming(curve.fit, top, *mean))
    return curve


def _weak(fit: CurveFit) -> bool:
    """Whether the whole matrix leaves so much free that it does not tell a₀₀ from zero: the bend alone then says more of the gain."""
    return isinstance(fit, MatrixFit) and abs(fit.a00) < _CLEAR * fit.a00_error


def _fitted(curve: Curve, below: Sequence[Point], model: Model, bounds: Bounds) -> Curve:
    """The curve with a model fitted as far up as it goes; with ``failure`` where that failed."""
    times = _mean_levels(below)
    grouped = np.array([times[p.exptime] for p in below])
    _, variances, errors = columns(below)
    try:
        top = model_range(grouped, variances, errors, model)
        kept = [p for p in below if times[p.exptime] <= top]
        fit = _fit_of(curve, kept, model, bounds)
    except ValueError as error:
        lacking = str(error) if model == "full" else curve.lacking
        return replace(curve, failure=str(error), lacking=lacking)
    return replace(curve, top=max(_level(p) for p in kept), fit=fit, failure="")


def _fit_of(curve: Curve, points: Sequence[Point], model: Model, bounds: Bounds) -> CurveFit:
    """The fit of a model to some points of a curve. Raises ValueError."""
    if model != "full":
        return fit_curve(*columns(points), model, _dark(curve.noise))
    found = [covariance_point(curve, p, bounds) for p in points]
    return fit_matrix(found, 0.0 if curve.offset_each else curve.offset_error, _dark(curve.noise))


def _dark(noise: ElectronicNoise | None) -> tuple[float, float] | None:
    """The variance without light and its error [ADU²], where unflagged bias frames tell it of the same pixels."""
    if noise is None or noise.source != "bias" or noise.flags or not noise.error > 0.0:
        return None
    return noise.variance, noise.error


def covariance_point(curve: Curve, point: Point, bounds: Bounds) -> CovariancePoint:
    """A pair's covariances as the fit of the matrix takes them. Raises ValueError where they were not measured.

    The variance is that about the means of tiles, whom a drifting shape of the light cannot reach; what tiles take away with neighbours that
    are alike is given back.
    """
    found = point.difference
    if found is None or found.covariances is None or found.pixels < bounds.least_pixels:
        raise ValueError("too few good pixels for covariances")
    matrix = found.covariances.of_one_frame(bounds.sigma)
    every = 4.0 * matrix.sum() - 2.0 * (matrix[0].sum() + matrix[:, 0].sum()) + matrix[0, 0]
    matrix[0, 0] = found.variance + (every - matrix[0, 0]) / bounds.tile**2
    error = found.level_error
    if curve.offset_each:
        error = hypot(error, curve.offset_error / sqrt(2.0))
    return CovariancePoint(found.level, error, matrix, found.covariances.pairs.astype(np.float64))


def _chosen(model: str, points: Sequence[Point], lacking: str) -> tuple[Model, ...]:
    """The models to fit, each for want of the one before; none for the pair method."""
    match model:
        case "full" | "exponential" | "quadratic":
            return (model,)
    times = len({p.exptime for p in points})
    span = _level(points[-1]) / _level(points[0])
    if model == "pairs" or times < 3 or span < _LEAST_SPAN:
        return ()
    if times < 4:
        return ("quadratic",)
    return ("exponential",) if lacking or times < _ENOUGH_LEVELS else ("full", "exponential")


def _row_means(curve: Curve) -> RowMeans | None:
    """The test of row means over the pairs that the fit uses; None without a fit."""
    if curve.fit is None:
        return None
    dark = curve.noise.variance if curve.noise else curve.fit.noise_squared / curve.fit.gain**2
    rows = curve.noise.rows if curve.noise else 0.0
    found = [p.difference for p in curve.used if p.difference]
    return row_means(found, curve.fit, curve.matrix, dark, rows)


def _mean_levels(points: Sequence[Point]) -> dict[float, float]:
    """Mean level [ADU] of each exposure time."""
    times = {p.exptime for p in points}
    return {t: float(np.mean([_level(p) for p in points if p.exptime == t])) for t in times}


def _mean_curve(curve: Curve) -> tuple[Floats, Floats, Floats]:
    """Mean levels [ADU], ascending, mean variances and their errors [ADU²] of each exposure time.

    Charge that spills over makes patterns, so that pairs brighter than all clean ones count here even when their
    rows or columns scatter.
    """
    clean = curve.clean
    brightest = _level(clean[-1]) if clean else 0.0
    spilled = [
        p for p in curve.points if p.difference and set(p.flags) == {"flicker"} and _level(p) > brightest
    ]
    points = [*clean, *spilled]
    rows = []
    for time in {p.exptime for p in points}:
        levels, variances, errors = columns([p for p in points if p.exptime == time])
        rows.append((levels.mean(), variances.mean(), float(np.sqrt((errors**2).sum())) / errors.size))
    x, y, e = np.array(sorted(rows)).reshape(-1, 3).T
    return x, y, e


def _pair_gain(curve: Curve, points: Sequence[Point], wanted: float) -> tuple[PairGain | None, float | None]:
    """The pair method at the exposure time whose level is nearest to the wanted one (0: a quarter of the highest)."""
    if curve.noise is None:
        return None, None
    times = _mean_levels(points)
    target = wanted or 0.25 * max(times.values())
    nearest = min(times, key=lambda t: abs(times[t] - target))
    levels, variances, errors = columns([p for p in points if p.exptime == nearest])
    try:
        found = gain_of_pairs(
            levels, variances, errors, curve.noise.variance, curve.noise.error, curve.offset_error
        )
    except ValueError:
        return None, nearest
    return found, nearest


def why_missing(curve: Curve) -> tuple[str, str]:
    """The coded reason why a curve has no clean pair, and a note in words."""
    if all("saturated" in p.flags for p in curve.points):
        return "saturated", f"none of {len(curve.points)} pairs is free of saturated pixels"
    if not any(p.difference for p in curve.points):
        failed = next(p for p in curve.points if p.reason)
        return failed.reason, failed.failure
    return "bad-fit", f"none of {len(curve.points)} pairs is free of flags"
