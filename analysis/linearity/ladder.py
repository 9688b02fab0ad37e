"""A ladder of flats of one channel: which of them count, and the curve that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

import numpy as np
from numpy.typing import NDArray

from analysis.linearity.curve import Estimator, basis_of
from analysis.linearity.fit import Fit, Terms, fit_ladder, without_shutter
from analysis.linearity.joining import connected, full_from
from analysis.linearity.lamp import drift_degree, rungs, strayed
from analysis.linearity.points import Point
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SPAN = 2.0  # of exposure times within one light, from which the shutter can be told
_FEWEST = 3  # rungs
_SEARCHES = 4  # for flats that strayed, each after a fit without those found before


@dataclass(frozen=True)
class Wanted:
    """How a ladder is reduced: see the parameters of the procedure. ``shutter`` [s] is None where it is to be fitted, ``shapes`` those of the lights."""

    estimator: Estimator
    knots: int
    degree: int
    lamp_degree: int
    shutter: float | None
    offset_error: float = 0.0
    shapes: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Ladder:
    """One channel's ladder in one setting.

    ``beyond`` are the points past full well, left out of the ``fit``. Without a fit ``reason`` is the coded reason and ``note`` says why.
    ``said`` is what the log should tell.
    """

    channel: str
    setting: str
    points: tuple[Point, ...]
    clock_unit: str = "h"
    fit: Fit | None = None
    beyond: tuple[Point, ...] = ()
    reason: str = ""
    note: str = ""
    said: tuple[str, ...] = ()
    flags: tuple[str, ...] = field(default=())

    @property
    def saturated(self) -> bool:
        """Whether flats were left out because they are saturated or clamped."""
        return any(p.flags for p in self.points)


def reduced(ladder: Ladder, wanted: Wanted) -> Ladder:
    """The ladder with its fit, or with the reason why there is none."""
    usable = [p for p in ladder.points if p.usable and p.time > 0]
    if not usable:
        reason, note = _why_none(ladder.points)
        return replace(ladder, reason=reason, note=note)
    said = list(ladder.said)
    kept, beyond = _below_full(usable)
    if beyond:
        said.append(
            f"{len(beyond)} flats from {min(p.level for p in beyond):.5g} ADU on are beyond full well and not fitted"
        )
    kept, groups = _joined(kept, said)
    ladder = replace(ladder, beyond=tuple(p for p in beyond if p.group in groups), said=tuple(said))
    flags = list(ladder.flags)
    for _ in range(_SEARCHES):
        found = _fitted(kept, groups, wanted)
        if isinstance(found, tuple):
            return replace(ladder, reason=found[0], note=found[1], said=tuple(said))
        stray = strayed(found.residuals, np.array([p.error / p.level for p in kept]), found.rung)
        ladder = replace(ladder, fit=found, said=tuple(said), flags=tuple(flags))
        if not stray.any():
            break
        names = ", ".join(p.exposure for p, off in zip(kept, stray, strict=True) if off)
        said.append(f"left out, far from others of the same exposure time: {names}")
        flags.append("unstable")
        kept = [p for p, off in zip(kept, stray, strict=True) if not off]
    return ladder


def _why_none(points: Sequence[Point]) -> tuple[str, str]:
    """The coded reason why no point is usable, and a note."""
    if points and all(p.flags for p in points):
        saturated = any("saturated" in p.flags for p in points)
        note = f"all {len(points)} flats are saturated or clamped"
        return "saturated" if saturated else "too-few-pixels", note
    failed = next((p for p in points if p.failure), None)
    if failed is None:
        return "too-few-frames", "no flat can be used"
    return failed.reason or "too-few-pixels", failed.failure


def _below_full(points: list[Point]) -> tuple[list[Point], list[Point]]:
    """Points below full well of their light, and those beyond."""
    limits = {}
    for group in dict.fromkeys(p.group for p in points):
        own = [p for p in points if p.group == group]
        rung = rungs(own)
        times, levels = means_of(own, rung)
        limits[group] = full_from(times, levels)
    kept = [p for p in points if p.time < limits[p.group] * (1.0 - 1e-5)]
    return kept, [p for p in points if p.time >= limits[p.group] * (1.0 - 1e-5)]


def means_of(points: Sequence[Point], rung: Ints) -> tuple[Floats, Floats]:
    """Plain mean exposure time [s] and level [ADU] of each rung."""
    counts = np.bincount(rung)
    times = np.bincount(rung, np.array([p.time for p in points])) / counts
    return times, np.bincount(rung, np.array([p.level for p in points])) / counts


def _joined(points: list[Point], said: list[str]) -> tuple[list[Point], list[str]]:
    """The points of groups that overlap in level."""
    rung = rungs(points)
    _, levels = means_of(points, rung)
    first = [points[int(np.flatnonzero(rung == r)[0])].group for r in range(levels.size)]
    joined, left = connected(first, levels)
    if left:
        said.append(f"no rung in common with the others, left out: {', '.join(g or 'unnamed' for g in left)}")
    return [p for p in points if p.group in joined], joined


def _fitted(points: list[Point], groups: list[str], wanted: Wanted) -> Fit | tuple[str, str]:
    """The fit, or the coded reason and a note why there is none."""
    rung = rungs(points)
    times, levels = means_of(points, rung)
    spare = levels.size - len(groups)
    if levels.size < _FEWEST or spare < 2:
        return "too-few-frames", f"{levels.size} different exposures of {len(groups)} light(s) tell no curve"
    if not levels.max() > levels.min():
        return "bad-fit", "all exposure times gave the same level"
    group = np.array([groups.index(p.group) for p in points])
    spans = [
        np.max(t) / np.min(t) for j in range(len(groups)) if (t := times[np.unique(rung[group == j])]).size
    ]
    fits_shutter = wanted.shutter is None and spare >= 3 and max(spans) >= _SPAN
    most = max(spare - int(fits_shutter) - 1, 1)
    terms = Terms(
        tuple(groups),
        basis_of(levels, wanted.estimator, wanted.knots, wanted.degree, most),
        drift_degree(rung, np.array([p.clock for p in points]), wanted.lamp_degree),
        fits_shutter,
        wanted.shutter or 0.0,
        wanted.offset_error,
        wanted.shapes,
    )
    try:
        return fit_ladder(points, rung, terms)
    except ValueError as error:
        if not fits_shutter:
            return "bad-fit", str(error)
    try:
        return fit_ladder(points, rung, without_shutter(terms))
    except ValueError as error:
        return "bad-fit", str(error)
