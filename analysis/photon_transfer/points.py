"""From flats to a photon transfer curve: the points of one channel, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
)
from analysis.photon_transfer.curve import (
    CurveFit,
    Model,
    PairGain,
    Turnoff,
    fit_curve,
    gain_of_pairs,
    model_range,
    turnoff,
)
from analysis.statistics import QUANTISATION_VARIANCE
from campaign.geometry import Channel

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[FrameInput, FrameInput]]

_LEAST_SPAN = 2.0  # highest over lowest level: below, a curve has no lever and pairs tell more
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
    reason: Literal["", "unphysical", "too-few-pixels"] = ""
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

    ``offset_error`` [ADU] is common to all levels; ``rounding`` [ADU²] what the converter's steps add to each variance;
    ``top`` [ADU] the highest level that the fit uses, ``pair_time`` [s] the exposure time that the pair method uses. ``fit`` and ``pairs`` are None where they could not be had;
    ``failure`` then says why.
    """

    channel: str
    setting: str
    points: tuple[Point, ...]
    noise: ElectronicNoise | None
    offset_error: float
    rounding: float
    turnoff: Turnoff | None = None
    top: float = 0.0
    fit: CurveFit | None = None
    pairs: PairGain | None = None
    pair_time: float | None = None
    failure: str = ""

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
) -> Curve | None:
    """The points of a channel and what is made of them; None when no offset can be had for it."""
    frames = [f for pair in pairs for f in pair]
    offsets = offsets_of(frames, biases, channel)
    if offsets is None:
        return None
    noise = electronic_noise(frames, biases, channel, bounds, inputs.shared)
    if noise is not None:
        bounds = replace(bounds, row_background=noise.rows, column_background=noise.columns)
    points, whole = _points(channel, pairs, offsets, bounds)
    rounding = QUANTISATION_VARIANCE if whole else 0.0
    curve = Curve(channel.name, setting, points, noise, offsets.error, rounding)
    return _reduced(curve, str(inputs.parameters["model"]), inputs.number("pair_level"))


def _points(
    channel: Channel, pairs: Pairs, offsets: Offsets, bounds: Bounds
) -> tuple[tuple[Point, ...], bool]:
    """The points, and whether the pixels are whole numbers."""
    out, whole = [], True
    # one bias level for all frames cancels in the change from one to the other; overscans are each their own
    error = offsets.error if offsets.source == "overscan" else 0.0
    for i, (first, second) in enumerate(pairs):
        a, b = read_pair(first, second, channel, channel.image)
        place = (first.frame.exposure, second.frame.exposure, first.frame.exptime or 0.0)
        whole = whole and all(image.dtype.kind in "iu" for image in (a, b))
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


def _reduced(curve: Curve, model: str, pair_level: float) -> Curve:
    """The curve with its turnoff, fit and pair gain."""
    curve = replace(curve, turnoff=_turnoff(curve))
    limit = curve.turnoff.level if curve.turnoff else np.inf
    below = [p for p in curve.clean if _level(p) <= limit * 1.001]
    if not below:
        return replace(curve, failure="no clean pair is left")
    curve = replace(curve, top=_level(below[-1]))
    pairs, time = _pair_gain(curve, below, pair_level)
    curve = replace(curve, pairs=pairs, pair_time=time)
    chosen = _chosen(model, below)
    if chosen is None:
        return curve
    times = _mean_levels(below)
    grouped = np.array([times[p.exptime] for p in below])
    _, variances, errors = columns(below)
    try:
        top = model_range(grouped, variances, errors, chosen)
        kept = [p for p in below if times[p.exptime] <= top]
        curve = replace(curve, top=max(_level(p) for p in kept))
        return replace(curve, fit=fit_curve(*columns(kept), chosen))
    except ValueError as error:
        return replace(curve, failure=str(error))


def _chosen(model: str, points: Sequence[Point]) -> Model | None:
    """The model to fit; None for the pair method."""
    if model == "exponential":
        return "exponential"
    if model == "quadratic":
        return "quadratic"
    times = len({p.exptime for p in points})
    span = _level(points[-1]) / _level(points[0])
    if model == "pairs" or times < 3 or span < _LEAST_SPAN:
        return None
    return "exponential" if times >= 4 else "quadratic"


def _mean_levels(points: Sequence[Point]) -> dict[float, float]:
    """Mean level [ADU] of each exposure time."""
    times = {p.exptime for p in points}
    return {t: float(np.mean([_level(p) for p in points if p.exptime == t])) for t in times}


def _turnoff(curve: Curve) -> Turnoff | None:
    """The turnoff of the mean curve.

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
    if not rows:
        return None
    x, y, e = np.array(sorted(rows)).T
    return turnoff(x, y, e)


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
