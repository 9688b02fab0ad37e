"""Dark current of a channel from the levels of its dark frames: by slope over exposure time, or less the offset.

An offset that wanders from frame to frame is the main error of a small dark current. Where overscans follow it, it is
taken off frame by frame; else its scatter, seen in the bias frames, is part of each level's error, and the error of
the mean bias level is common to all frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot, sqrt

import numpy as np

from analysis.contract import FrameInput
from analysis.offsets import offset_of
from analysis.response_corrections import Correction
from analysis.statistics import mean_of_frames, weighted_mean
from campaign.frozen import dataclass
from campaign.geometry import Channel

MISMATCH = 2.0
"""Temperatures further apart than this make bias and dark frames no match [°C]."""


@dataclass(frozen=True)
class Levels:
    """Levels of dark frames [ADU] over exposure time [s].

    ``levels`` are less the offset as far as one is known (``based`` says whether the zero is known), ``errors``
    are each frame's own, ``common`` is the error that all share through the bias level.
    """

    times: tuple[float, ...]
    levels: tuple[float, ...]
    errors: tuple[float, ...]
    common: float
    based: bool
    how: str


@dataclass(frozen=True)
class DarkCurrent:
    """Dark current ± error [ADU/s], the level at zero time [ADU] of a slope, flags, and how it was had."""

    value: float
    error: float
    intercept: float | None
    flags: tuple[str, ...]
    estimator: str
    note: str = ""


def levels_of(darks: Sequence[FrameInput], biases: Sequence[FrameInput], channel: Channel) -> Levels:
    """Levels of dark frames, all of which have an exposure time, less the best offset that is to be had."""
    images = [d.summaries[channel.name] for d in darks]
    times = tuple(float(d.frame.exptime or 0.0) for d in darks)
    own = [s.std / sqrt(s.n) for s in images]
    offsets = [offset_of(d, channel) for d in darks]
    level, common, scatter, over = _bias_level(biases, channel)
    have = [o for o in offsets if o is not None]
    if len(have) == len(darks):
        base = level if over and level is not None else 0.0
        values = tuple(s.mean - o.value - base for s, o in zip(images, have, strict=True))
        errors = tuple(hypot(e, o.error) for e, o in zip(own, have, strict=True))
        known = over and level is not None
        how = f"less each frame's {have[0].source}" + (
            " and the bias frames' difference from theirs" if known else ""
        )
        return Levels(times, values, errors, common if known else 0.0, True, how)
    if over:  # the biases have overscans and some darks have none: compare images with images
        level, common, scatter, _ = _bias_level(biases, channel, use_offsets=False)
    values = tuple(s.mean - (level or 0.0) for s in images)
    errors = tuple(hypot(e, scatter) for e in own)
    how = "less the level of the bias frames" if level is not None else "with no offset known"
    return Levels(times, values, errors, common, level is not None, how)


def corrected(found: Levels, by: Correction) -> Levels:
    """The levels of a converter that is linear, where the zero of levels is known; the table's error is common to all."""
    if by.table is None:
        return found
    slopes = [by.slope(v) for v in found.levels]
    common = [hypot(found.common * s, by.error(v)) for s, v in zip(slopes, found.levels, strict=True)]
    return replace(
        found, levels=tuple(by.level(v) for v in found.levels), errors=tuple(s * e for s, e in zip(slopes, found.errors, strict=True)),
        common=max(common), how=f"{found.how}; {by.words}",
    )  # fmt: skip


def dark_current(found: Levels, how: str = "slope") -> DarkCurrent | None:
    """The dark current: slope over time for three different times or more, else level over time; None if it
    needs an offset that is not known.

    The slope's intercept is free, so an offset that is wrong for all frames alike does not enter. Errors are the
    levels' own unless χ² says that they scatter by more; then by the scatter, with the flag 'poor-fit' when it
    exceeds three times the errors.
    """
    if how == "stacked":
        longest = max(found.times)
        long = [i for i, t in enumerate(found.times) if t >= 0.5 * longest]
        found = replace(
            found,
            times=tuple(found.times[i] for i in long),
            levels=tuple(found.levels[i] for i in long),
            errors=tuple(found.errors[i] for i in long),
        )
    elif how == "slope" and len({round(t, 6) for t in found.times}) >= 3:
        return _slope(found)
    return _over_time(found) if found.based else None


def temperatures_apart(darks: Sequence[FrameInput], biases: Sequence[FrameInput]) -> float | None:
    """Largest difference between the darks' temperatures, and of the biases from the darks' median [°C]; None unknown."""

    def known(frames: Sequence[FrameInput]) -> list[float]:
        found = [f.frame.fields.get("temperature") for f in frames]
        return [float(t) for t in found if isinstance(t, int | float) and np.isfinite(t)]

    dark, bias = known(darks), known(biases)
    if not dark:
        return None
    middle = float(np.median(dark))
    return max(max(dark) - min(dark), max((abs(t - middle) for t in bias), default=0.0))


def sign_flags(value: float, error: float) -> tuple[str, ...]:
    """'negative' below zero by more than three errors; 'consistent-with-zero' within three of it."""
    if value < -3.0 * error:
        return ("negative",)
    return ("consistent-with-zero",) if value <= 3.0 * error else ()


def _bias_level(
    biases: Sequence[FrameInput], channel: Channel, use_offsets: bool = True
) -> tuple[float | None, float, float, bool]:
    """Mean level of the bias frames (less their overscans where all have one), its error, the frames' scatter."""
    if not biases:
        return None, 0.0, 0.0, False
    offsets = [offset_of(b, channel) for b in biases] if use_offsets else [None]
    over = all(o is not None for o in offsets)
    images = [b.summaries[channel.name] for b in biases]
    errors = [max(s.std, 1e-6) / sqrt(s.n) for s in images]
    levels = [s.mean for s in images]
    if over:
        levels = [v - o.value for v, o in zip(levels, offsets, strict=True) if o is not None]
        errors = [hypot(e, o.error) for e, o in zip(errors, offsets, strict=True) if o is not None]
    level, error, _ = mean_of_frames(levels, errors)
    scatter = 0.0
    if len(levels) > 1:
        noise = sum(e * e for e in errors) / len(errors)
        scatter = sqrt(max(float(np.var(levels, ddof=1)) - noise, 0.0))
    return level, error, scatter, over


def _slope(found: Levels) -> DarkCurrent:
    from scipy import special

    t, y, e = (np.array(v, dtype=np.float64) for v in (found.times, found.levels, found.errors))
    e = np.maximum(e, 1e-9)
    w = 1.0 / e**2
    middle = float((w * t).sum() / w.sum())
    lever = float((w * (t - middle) ** 2).sum())
    slope = float((w * (t - middle) * y).sum() / lever)
    intercept = float((w * y).sum() / w.sum()) - slope * middle
    dof = t.size - 2
    chi2 = float((((y - intercept - slope * t) / e) ** 2).sum())
    error, flags, note = 1.0 / sqrt(lever), [], f"{found.how}; intercept {intercept:.4g} ADU"
    if float(special.chdtrc(dof, chi2)) < 0.001:
        error *= sqrt(chi2 / dof) * float(special.stdtrit(dof, 0.841344746068543))
        note += f"; levels scatter {sqrt(chi2 / dof):.2g} times their errors about the line"
        flags += ["poor-fit"] if chi2 / dof > 9.0 and not _small(y, intercept + slope * t) else []
    if t.size < 5:
        flags.append("few-levels")
    estimator = "weighted straight line of level over exposure time, intercept free"
    return DarkCurrent(slope, error, intercept, tuple(flags), estimator, note)


def _small(levels: np.ndarray, model: np.ndarray) -> bool:
    """Whether residuals stay below a hundredth of the range: then scatter is drift of light or offset, not a bad model."""
    return bool(np.abs(levels - model).max() < 0.01 * np.ptp(levels))


def _over_time(found: Levels) -> DarkCurrent:
    t = np.array(found.times)
    rates = np.array(found.levels) / t
    errors = np.maximum(np.array(found.errors), 1e-9) / t
    if len({round(float(x), 6) for x in t}) == 1:
        value, error, _ = mean_of_frames(rates.tolist(), errors.tolist())
    else:
        value, error = weighted_mean(rates, errors)
    shared = found.common * float((1.0 / t).mean())
    flags = ("few-frames",) if t.size < 3 else ()
    return DarkCurrent(value, hypot(error, shared), None, flags, "mean level over exposure time", found.how)
