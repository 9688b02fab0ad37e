"""Levels of flats: the mean of a channel above its offset, tile by tile, with the error that its tiles tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check
from analysis.contract import FrameInput
from analysis.correction import Chain
from analysis.flat_pairs import Bounds, checks_of_frame
from analysis.statistics import mean_of_frames
from campaign.frozen import dataclass
from campaign.geometry import Channel

Floats = NDArray[np.float64]

_LEAST_ERROR = 1e-7  # relative: single precision, in which pixels are corrected, tells no more
_STEPS = 16
_FEW_TILES = 8  # of which too few are left free when a parabola is fitted
_OF_TILE = 256  # pixels of a tile that settle its median and where its clipping begins


@dataclass(frozen=True)
class Point:
    """One flat.

    ``group`` is the light it was taken with, ``time`` what the shutter was told [s], ``clock`` when [h since the first flat, or
    the number of the frame where dates are not known]. ``level`` ± ``error`` [ADU above the offset] is the mean of ``tiles`` tiles. ``flags``
    and ``failure`` say why it is not used, ``reason`` is the coded reason where it has no level.
    """

    exposure: str
    group: str
    time: float
    clock: float
    level: float = 0.0
    error: float = 0.0
    tiles: int = 0
    flags: tuple[str, ...] = ()
    failure: str = ""
    reason: str = ""

    @property
    def usable(self) -> bool:
        """Whether it may be fitted."""
        return not (self.flags or self.failure or self.reason)


def clocks(frames: Sequence[FrameInput]) -> tuple[Floats, str]:
    """When frames were taken: hours since the first, else their numbers where a date is lacking; and the unit, 'h' or 'frames'."""
    dates = [f.frame.date for f in frames]
    known = [d for d in dates if d is not None]
    if len(known) < len(dates):
        return np.arange(len(dates), dtype=np.float64), "frames"
    first = min(known)
    return np.array([(d - first).total_seconds() / 3600.0 for d in known]), "h"


def told_time(frame: FrameInput, field: str) -> float | None:
    """The exposure time [s] of a field of the frame, else of a keyword of its header; None where there is none."""
    value: object = frame.frame.exptime if field == "exptime" else frame.frame.fields.get(field)
    if value is None:
        value = frame.header.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if isfinite(seconds) else None


def tile_edges(pixels: int, side: int) -> NDArray[np.int64]:
    """The edges of tiles of about ``side`` pixels, at least eight of them where there are pixels for so many."""
    count = max(round(pixels / side), min(8, max(1, pixels // 4)))
    return np.linspace(0, pixels, count + 1).round().astype(np.int64)


@dataclass
class _Tiles:
    """What one flat's pixels told, before the flats are compared: the tiles' means [ADU], the error of its offset, the share of pixels without a value."""

    point: Point
    means: Floats
    offset_error: float = 0.0
    masked: float = 0.0


def measure_points(
    frames: Sequence[FrameInput],
    groups: Sequence[str],
    times: Sequence[float],
    when: Floats,
    chain: Chain,
    side: int,
    bounds: Bounds,
) -> tuple[list[Point], dict[str, Floats]]:
    """The points of a channel, in the order of ``frames``, each read once, and the shape of each light; ``groups``, ``times`` and ``when`` are the frames'.

    A level is the sum of the tiles' means over that of the shape which the flats of its group have in common, so that a tile without a
    good pixel moves nothing. The error is from the scatter of the tiles about that shape, bent as a response bends it. A flat makes part of the shape itself: with noise of photons
    and w its share of all the light, that takes the fraction w off the squared scatter, which is given back. A shape is told by ``_STEPS`` values at
    most, of mean one: how bright equal parts of the channel are.
    """
    read = [
        _read(frame, Point(frame.frame.exposure, group, time, float(at)), chain, side, bounds)
        for frame, group, time, at in zip(frames, groups, times, when, strict=True)
    ]
    out: list[Point] = [one.point for one in read]
    shapes: dict[str, Floats] = {}
    for group in dict.fromkeys(groups):
        held = [i for i, one in enumerate(read) if one.point.group == group and one.point.usable]
        usual = min((read[i].masked for i in held), default=0.0)
        for i in held:
            # where pixels lack a value for being bright (saturated, beyond a table of corrections) the others are no fair sample
            if (lost := read[i].masked - usual) > bounds.pile_fraction:
                out[i] = replace(
                    out[i],
                    failure=f"{100 * lost:.2g} % of its pixels have no value, beyond those that never have",
                )
        held = [i for i in held if out[i].usable]
        if held:
            points, shapes[group] = _levels([read[i] for i in held])
            for i, point in zip(held, points, strict=True):
                out[i] = point
    return out, shapes


def _read(frame: FrameInput, point: Point, chain: Chain, side: int, bounds: Bounds) -> _Tiles:
    """The tiles of one flat."""
    nothing = np.zeros(0)
    channel = chain.channel
    known = frame.summaries.get(channel.name)
    if known is None or known.n == 0:
        return _Tiles(replace(point, reason="too-few-pixels", failure="no finite pixel"), nothing)
    raised = [c for c in checks_of_frame(frame, channel, bounds) if c.raised]
    image = chain.apply(frame)
    if raised:
        return _Tiles(_flagged(point, raised, image.values), nothing)
    bad = image.mask != 0
    masked = float(np.count_nonzero(bad)) / bad.size
    if masked:
        image.values[bad] = np.nan
    from analysis import tile_kernels

    ny, nx = image.values.shape
    ys, xs = tile_edges(ny, side), tile_edges(nx, side)
    step = max(1, int(sqrt(ny * nx / (ys.size - 1) / (xs.size - 1) / _OF_TILE)))
    means = tile_kernels.cell_means(image.values, ys, xs, step, bounds.sigma).ravel()
    error = image.offset.error if image.offset is not None else 0.0
    if not np.isfinite(means).any():
        return _Tiles(replace(point, reason="too-few-pixels", failure="no good pixel"), nothing)
    return _Tiles(point, means, error, masked)


def _flagged(point: Point, raised: Sequence[Check], values: NDArray[np.float32]) -> Point:
    """A flat that is clamped or saturated, with the level that its pixels state: for the figures alone."""
    finite = values[np.isfinite(values)]
    level = float(finite.mean(dtype=np.float64)) if finite.size else 0.0
    flags = tuple(dict.fromkeys(c.flag for c in raised))
    return replace(point, level=level, flags=flags, failure="; ".join(c.note for c in raised))


def _levels(read: Sequence[_Tiles]) -> tuple[list[Point], Floats]:
    """Levels and errors of the flats of one group, and their shape."""
    tiles = np.array([one.means for one in read])
    there = np.isfinite(tiles)
    filled = np.where(there, tiles, 0.0)
    light = filled.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    # shape: the tiles' light of all flats over the light of those flats that have the tile
    lit = np.maximum((there * light[:, np.newaxis]).sum(axis=0), 1e-300)
    shape = filled.sum(axis=0) / lit
    if not light.sum() > 0:
        return [replace(one.point, reason="unphysical", failure="no light") for one in read], np.ones(1)
    out = []
    total = float(np.maximum(light, 0.0).sum())
    for one, row, have in zip(read, tiles, there, strict=True):
        of_shape = shape[have]
        level = float(row[have].sum() / of_shape.sum()) if of_shape.sum() > 0 else 0.0
        if not level > 0:
            out.append(replace(one.point, level=level, reason="unphysical", failure="not above the offset"))
            continue
        n = int(have.sum())
        left, free = _scatter(row[have] - level * of_shape, of_shape)
        share = min(level / total, 0.9)
        scatter = sqrt(left / free / (1.0 - share) / n)
        error = max(hypot(scatter, one.offset_error), _LEAST_ERROR * level)
        out.append(replace(one.point, level=level, error=error, tiles=n))
    return out, _in_steps(shape[there.any(axis=0)])


def _scatter(off: Floats, shape: Floats) -> tuple[float, int]:
    """Sum of squares that tiles' deviations [ADU] from their shape leave, and its degrees of freedom.

    A bent response sags more where there is more light: what follows the shape (as a parabola) is that, and no noise.
    """
    if off.size < _FEW_TILES:
        return float(off @ off), max(off.size - 1, 1)
    at = (shape - shape.mean()) / max(float(shape.std()), 1e-12)
    terms = shape[:, np.newaxis] * np.column_stack([np.ones(at.size), at, at**2])
    coefficients, *_ = np.linalg.lstsq(terms, off, rcond=1e-10)
    left = off - terms @ coefficients
    return float(left @ left), off.size - 3


def _in_steps(shape: Floats) -> Floats:
    """The middles of equal parts of the sorted values, over their mean."""
    steps = np.quantile(shape, (np.arange(_STEPS) + 0.5) / _STEPS)
    out: Floats = steps / steps.mean()
    return out


def common_offset_error(biases: Sequence[FrameInput], channel: Channel, steps: Sequence[str]) -> float:
    """Standard error [ADU] that all levels have in common from the bias frames that a chain of ``steps`` took off; 0 without any."""
    if "bias" not in steps:
        return 0.0
    found = [f.summaries[channel.name] for f in biases if channel.name in f.summaries]
    found = [s for s in found if s.n > 1]
    if not found:
        return 0.0
    levels = [s.mean - (s.overscan_mean or 0.0) if {"offset", "rows"} & set(steps) else s.mean for s in found]
    return mean_of_frames(levels, [max(s.std, 0.1) / sqrt(s.n) for s in found])[1]
