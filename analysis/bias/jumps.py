"""Bias jumps: the level of a channel steps while a frame is read out.

They show in the means of the overscan's rows (of the image's, where a channel has no overscan: bias frames see no light). What all frames
have in common is taken off first, and looked at by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.scatter import pulled_in
from analysis.statistics import robust_std
from campaign.frozen import dataclass
from campaign.geometry import Channel

WINDOW = 30
"""Rows on either side of a place that are compared (eo_pipe's window); an eighth of the rows where there are few."""

_APART = 3  # rows left out on either side of a jump when its size is measured: they settled where it is
_BESIDE = 4  # rows on either side within which a jump has to show
_FEWEST = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Jump:
    """A step of the level: from ``row`` on (of the channel's image, in order of reading) it is higher by ``size`` ± ``error`` [ADU].

    ``frame`` is the frame's id, '' for what all frames have in common. ``significance`` is that of its detection [σ].
    """

    frame: str
    row: int
    size: float
    error: float
    significance: float


@dataclass(frozen=True)
class Jumps:
    """The jumps of a channel's frames, the largest first, and what they were looked for in.

    ``profiles`` [ADU] has the rows' means of each frame, shape (frames, rows), in order of reading; ``common`` their mean over frames without
    jumps. ``least`` [ADU] is the smallest jump that would have been found.
    """

    found: tuple[Jump, ...]
    profiles: Floats
    common: Floats
    least: float
    source: str
    frames: tuple[str, ...] = field(default=())


def jumps_of(frames: Sequence[FrameInput], channel: Channel, threshold: float) -> Jumps | str:
    """Jumps beyond ``threshold`` σ in three or more frames of a channel; else the coded reason why they cannot be looked for.

    The means of the rows before and after each row are compared; σ is the robust scatter of that over all rows, so noise of low frequency
    counts. In each frame it is looked for in the difference from the median of all frames, and its size is measured in that from the mean of those frames that
    have none.
    """
    held = [_rows(frame, channel) for frame in frames]
    if len(held) < 3:
        return "too-few-frames"
    profiles = np.stack([rows for rows, _ in held])
    n = profiles.shape[1]
    if n < _FEWEST or np.isfinite(profiles).mean() < 0.5:
        return "too-few-pixels"
    profiles = np.array([_filled(p) for p in profiles])
    width, skip = min(WINDOW, n // 8), min(WINDOW, n // 10)
    middle = np.median(profiles, axis=0)
    places, least = [], 0.0
    for profile in profiles:
        own, level = _places(profile - middle, width, skip, threshold)
        places.append(own)
        least = max(least, level)
    clean = [p for p, own in zip(profiles, places, strict=True) if not own]
    common: Floats = np.mean(clean, axis=0) if clean else np.zeros(n)
    found = [
        Jump(frame.frame.id, row, *_size(profile - common, row, [r for r, _ in own], width, skip), strength)
        for frame, profile, own in zip(frames, profiles, places, strict=True)
        for row, strength in own
    ]
    if clean:
        found += _in_common(common, width, skip, threshold)
    order = sorted(found, key=lambda j: -abs(j.size))
    return Jumps(tuple(order), profiles, common, least, held[0][1], tuple(f.frame.id for f in frames))


def _rows(frame: FrameInput, channel: Channel) -> tuple[Floats, str]:
    """Means of the rows of the image's span, in order of reading, and of what."""
    details = frame.details(channel)
    rows, source = details.rows, "image"
    if details.overscan_rows is not None and channel.overscan is not None:
        first = channel.image.y0 - channel.overscan.y0
        part = details.overscan_rows[max(first, 0) : max(first, 0) + channel.image.shape[0]]
        if part.size == rows.size:
            rows, source = part, "overscan"
    return (rows[::-1] if channel.corner.startswith("upper") else rows).astype(np.float64), source


def _filled(profile: Floats) -> Floats:
    """A profile without gaps, single rows that stand out pulled in."""
    at = np.arange(profile.size, dtype=np.float64)
    good = np.isfinite(profile)
    if not good.any():
        return np.zeros(profile.size)
    full = np.interp(at, at[good], profile[good])
    return pulled_in(full, np.full(full.size, _row_noise(full)))


def _compared(profile: Floats, width: int, apart: int = 0) -> Floats:
    """Mean of ``width`` rows from each row on (``apart`` rows later) less that of as many before it; NaN where there are too few rows."""
    sums = np.concatenate([[0.0], np.cumsum(profile - profile.mean())])
    out = np.full(profile.size, np.nan)
    at = np.arange(width + apart, profile.size - width - apart + 1)
    at = at[at < profile.size]
    after = sums[at + apart + width] - sums[at + apart]
    before = sums[at - apart] - sums[at - apart - width]
    out[at] = (after - before) / width
    return out


def _places(
    profile: Floats, width: int, skip: int, threshold: float
) -> tuple[list[tuple[int, float]], float]:
    """Rows at which a profile steps, each with its significance, and the size from which on they are found."""
    compared = _compared(profile, width)
    compared[:skip] = np.nan
    seen = np.isfinite(compared)
    left, found = np.where(seen, np.abs(compared), 0.0), []
    sigma = _apart_from(compared, seen, int(left.argmax()), width, _row_noise(profile))
    while left.max() > threshold * sigma:
        at = int(left.argmax())
        found.append((_settled(profile, at, width), float(left[at] / sigma)))
        left[max(at - width, 0) : at + width] = 0.0
    return sorted(found), threshold * sigma


def _apart_from(compared: Floats, seen: NDArray[np.bool_], at: int, width: int, row: float) -> float:
    """Scatter of what is compared, without the surroundings of the place that differs most, which a jump fills."""
    quiet = seen.copy()
    quiet[max(at - width, 0) : at + width] = False
    return _scatter(compared[quiet], width, row)


def _row_noise(profile: Floats) -> float:
    """Scatter of one row's mean, from the differences of neighbours but the largest."""
    steps = np.diff(profile)
    near = np.abs(steps) <= 4.0 * max(robust_std(steps), 1e-9)
    return max(float(np.sqrt((steps[near] ** 2).mean() / 2.0)), 1e-9)


def _scatter(compared: Floats, width: int, row: float) -> float:
    """Scatter of differences of means of ``width`` rows: that of independent rows, or what they show where that is clearly more.

    A few windows scatter by too much themselves to tell.
    """
    independent = row * sqrt(2.0 / width)
    windows = compared.size / (2.0 * width)
    if windows < 1.0:
        return independent
    shown = robust_std(compared)
    return shown if shown > independent * (1.0 + 4.0 / sqrt(2.0 * windows)) else independent


def _settled(profile: Floats, at: int, width: int) -> int:
    """The row near ``at`` at which a step explains most."""
    low, high = max(at - width, 0), min(at + width, profile.size)
    part = profile[low:high] - profile[low:high].mean()
    before = np.arange(1, part.size)
    gain = np.cumsum(part)[:-1] ** 2 / (before * (part.size - before))
    near = np.abs(before + low - at) <= width // 2
    return low + int(before[near][gain[near].argmax()])


def _size(profile: Floats, row: int, all_rows: Sequence[int], width: int, skip: int) -> tuple[float, float]:
    """Size of the step at a row and its error: means over the window on either side, the rows next to it left out."""
    compared = _compared(profile, width, _APART)
    quiet = np.isfinite(compared)
    quiet[:skip] = False
    for other in all_rows:
        quiet[max(other - width - _APART, 0) : other + width + _APART] = False
    sigma = _scatter(compared[quiet], width, _row_noise(profile))
    if np.isfinite(compared[row]):
        return float(compared[row]), sigma
    return float(profile[row:].mean() - profile[:row].mean()), sigma


def _in_common(common: Floats, width: int, skip: int, threshold: float) -> list[Jump]:
    """Steps at the same row of every frame: against the slope and curvature of the rows around."""
    compared = _compared(common, width)
    curved = np.full(common.size, np.nan)
    reach = 2 * width
    if common.size <= 2 * reach + 2 * width:
        return []
    curved[reach:-reach] = compared[reach:-reach] - 0.5 * (compared[: -2 * reach] + compared[2 * reach :])
    curved[: skip + width] = np.nan
    seen = np.isfinite(curved)
    if seen.sum() < width:
        return []
    left, found = np.where(seen, np.abs(curved), 0.0), []
    sigma = _apart_from(curved, seen, int(left.argmax()), width, sqrt(1.5) * _row_noise(common))
    while left.max() > threshold * sigma:
        at = int(left.argmax())
        place = _settled(common, at, width)
        if _sudden(common, place, float(curved[at])):
            found.append(Jump("", place, float(curved[at]), sigma, float(left[at] / sigma)))
        left[max(at - reach - width, 0) : at + reach + width] = 0.0
    return found


def _sudden(profile: Floats, row: int, size: float) -> bool:
    """Whether a step happens within a few rows: a level that settles as the rows are read bends too, and is none."""
    near = profile[row : row + _BESIDE].mean() - profile[max(row - _BESIDE, 0) : row].mean()
    return bool(near * size > 0.0 and abs(near) >= 0.5 * abs(size))
