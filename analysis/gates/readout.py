"""What went wrong while a frame was read: rows and columns that are lost or shifted, overscans that are not what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check, clamped
from analysis.contract import FrameInput
from analysis.offsets import OVERSCAN_TRIM, trimmed_columns
from analysis.scatter import pulled_in
from analysis.statistics import mean_of_frames
from campaign.frozen import dataclass
from campaign.geometry import Channel

_UNLIT = 0.05
_LAGS = 3
_SMOOTH = 15

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Overscan:
    """The overscan of lit frames: ``change`` ± ``change_error`` of its level from bias frames (None without any), ``slope`` ± ``slope_error`` over its rows [ADU].

    ``rows`` [ADU] are its rows' means over frames, less their mean, in order of reading; ``pile`` the check of values at one level.
    """

    rows: Floats
    change: float | None
    change_error: float
    slope: float
    slope_error: float
    pile: Check | None
    frames: int


def lost_lines(frames: Sequence[FrameInput], offsets: Sequence[float], channel: Channel) -> tuple[int, int]:
    """How many rows and columns of the image have no light, or no number, in one flat at least: below 5 % of the median."""
    lost: list[NDArray[np.bool_] | None] = [None, None]
    for frame, offset in zip(frames, offsets, strict=True):
        details = frame.details(channel)
        for axis, profile in enumerate((details.rows, details.columns)):
            finite = profile[np.isfinite(profile)]
            level = float(np.median(finite)) - offset if finite.size else 0.0
            with np.errstate(invalid="ignore"):
                dark = ~(profile - offset >= _UNLIT * level)
            before = lost[axis]
            lost[axis] = dark if before is None else before | dark
    rows, columns = (0 if found is None else int(found.sum()) for found in lost)
    return rows, columns


def shifted(frames: Sequence[FrameInput], channel: Channel) -> int | None:
    """How many flats have their rows or columns displaced against the others by up to three pixels; None with fewer than three flats.

    The fine structure of rows' and columns' means (what differs from the mean of 15 neighbours) is compared with the median of all: displaced is what fits clearly better elsewhere.
    """
    if len(frames) < 3:
        return None
    moved = np.zeros(len(frames), np.bool_)
    for axis in (0, 1):
        found = [f.details(channel) for f in frames]
        fine = np.array([_fine(d.rows if axis == 0 else d.columns) for d in found])
        if fine.shape[1] < 4 * _SMOOTH:
            continue
        middle = np.median(fine, axis=0)[_LAGS:-_LAGS]
        bound = 6.0 / sqrt(middle.size)
        for i, profile in enumerate(fine):
            fits = np.array(
                [_correlation(profile[lag : lag + middle.size], middle) for lag in range(2 * _LAGS + 1)]
            )
            best = float(fits.max())
            moved[i] |= best > bound and best > fits[_LAGS] + bound
    return int(moved.sum())


def _fine(profile: Floats) -> Floats:
    from scipy.ndimage import uniform_filter1d

    filled = np.nan_to_num(profile, nan=float(np.nanmedian(profile)) if np.isfinite(profile).any() else 0.0)
    level = float(np.median(filled)) or 1.0
    out: Floats = (filled - uniform_filter1d(filled, _SMOOTH)) / level
    spread = float(np.median(np.abs(out))) * 1.4826
    return np.clip(out, -6.0 * spread, 6.0 * spread)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0


def overscan_of(
    flats: Sequence[FrameInput], biases: Sequence[FrameInput], channel: Channel
) -> Overscan | None:
    """The overscan of flats against that of bias frames; None where there is none."""
    if channel.overscan is None:
        return None
    held = [(f.summaries[channel.name], f.details(channel)) for f in flats]
    rows = [d.overscan_rows for s, d in held if d.overscan_rows is not None and s.overscan_mean is not None]
    if not rows:
        return None
    profile = np.mean([r for r in rows if r is not None], axis=0)
    if channel.corner.startswith("upper"):
        profile = profile[::-1]
    good = np.isfinite(profile)
    if good.sum() < 8:
        return None
    at = np.linspace(-0.5, 0.5, profile.size)
    full = np.interp(at, at[good], profile[good])
    noise = max(float(np.median(np.abs(np.diff(full)))) * 1.4826 / sqrt(2.0), 1e-9)
    full = pulled_in(full, np.full(full.size, noise))
    lever = float((at**2).sum())
    slope = float((at * full).sum()) / lever
    left = full - full.mean() - slope * at
    slope_error = sqrt(float((left**2).sum()) / (full.size - 2) / lever)
    dark = [
        s for b in biases if (s := b.summaries.get(channel.name)) is not None and s.overscan_mean is not None
    ]
    change, change_error = None, 0.0
    if dark:
        n = trimmed_columns(channel, channel.overscan, OVERSCAN_TRIM).size
        parts = []
        for summaries in ([s for s, _ in held], dark):
            levels = [(s.overscan_mean, s.overscan_std) for s in summaries if s.overscan_mean is not None]
            errors = [max(std or 0.0, 1e-3) / sqrt(n) for _, std in levels]
            parts.append(mean_of_frames([m for m, _ in levels], errors))
        change, change_error = parts[0][0] - parts[1][0], sqrt(parts[0][1] ** 2 + parts[1][1] ** 2)
    piles = [clamped(d.overscan) for _, d in held if d.overscan is not None]
    worst = max(piles, key=lambda c: (c.raised, c.effect)) if piles else None
    return Overscan(full - full.mean(), change, change_error, slope, slope_error, worst, len(rows))
