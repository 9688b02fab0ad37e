"""What is made of the points of a photon transfer curve: its turnoff, its fit, its pair gain, and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from math import hypot, sqrt
from typing import TypeVar

import numpy as np

from analysis.contract import FrameInput, Inputs
from analysis.flat_frames import ElectronicNoise, electronic_noise, offsets_of
from analysis.flat_pairs import Bounds
from analysis.linearised import Linearised
from analysis.photon_transfer.curve import CurveFit, Model, PairGain, fit_curve, gain_of_pairs
from analysis.photon_transfer.full_well import blooming, model_range, turnoff
from analysis.photon_transfer.matrix import CovariancePoint, MatrixFit, fit_matrix
from analysis.photon_transfer.points import (
    Curve,
    Floats,
    Pairs,
    Point,
    columns,
    level_of,
    linear_curve,
    points_of,
)
from analysis.photon_transfer.row_means import RowMeans, row_means
from analysis.response_corrections import NOT_CORRECTED, Correction
from analysis.statistics import QUANTISATION_VARIANCE
from campaign.geometry import Channel

_Fit = TypeVar("_Fit", bound=CurveFit)

_LEAST_SPAN = 2.0  # highest over lowest level: below, a curve has no lever and pairs tell more
_ENOUGH_LEVELS = 6  # exposure times from which the whole matrix is fitted unasked
_CLEAR = 5.0  # in σ: what a₀₀ of the whole matrix must be for the gain to be the matrix's, unasked


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
    curve = _reduced(linear_curve(raw, by.table), model, inputs.number("pair_level"), bounds)
    if by.table is not None:
        curve = _uncertain(curve, raw, by.table, bounds)
    return replace(curve, row_means=_row_means(curve))


def _uncertain(curve: Curve, raw: Curve, table: Linearised, bounds: Bounds) -> Curve:
    """The curve, its fits' errors enlarged by those of the table: how a fit moves when the table is off by each part of its error."""
    kept = {(p.first, p.second) for p in curve.used}

    def told(fit: _Fit) -> _Fit:
        for off in map(table.off_by, range(len(table.parts))):
            moved = linear_curve(raw, off)
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


def _reduced(curve: Curve, model: str, pair_level: float, bounds: Bounds) -> Curve:
    """The curve with its turnoff, fit, blooming and pair gain."""
    mean = _mean_curve(curve)
    curve = replace(curve, turnoff=turnoff(*mean) if mean[0].size else None)
    limit = curve.turnoff.level if curve.turnoff else np.inf
    below = [p for p in curve.clean if level_of(p) <= limit * 1.001]
    if not below:
        return replace(curve, failure="no clean pair is left")
    curve = replace(curve, top=level_of(below[-1]))
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
    return replace(curve, top=max(level_of(p) for p in kept), fit=fit, failure="")


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
    span = level_of(points[-1]) / level_of(points[0])
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
    return {t: float(np.mean([level_of(p) for p in points if p.exptime == t])) for t in times}


def _mean_curve(curve: Curve) -> tuple[Floats, Floats, Floats]:
    """Mean levels [ADU], ascending, mean variances and their errors [ADU²] of each exposure time.

    Charge that spills over makes patterns, so that pairs brighter than all clean ones count here even when their
    rows or columns scatter.
    """
    clean = curve.clean
    brightest = level_of(clean[-1]) if clean else 0.0
    spilled = [
        p for p in curve.points if p.difference and set(p.flags) == {"flicker"} and level_of(p) > brightest
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
