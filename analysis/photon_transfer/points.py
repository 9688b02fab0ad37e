"""The points of a photon transfer curve: what each pair of flats of one channel tells. What is made of them is in ``reduction``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check
from analysis.contract import FrameInput
from analysis.flat_frames import ElectronicNoise, Offsets
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
    PairGain,
)
from analysis.photon_transfer.full_well import Turnoff
from analysis.photon_transfer.matrix import MatrixFit
from analysis.photon_transfer.row_means import RowMeans
from campaign.frozen import dataclass
from campaign.geometry import Channel

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[FrameInput, FrameInput]]

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
        return tuple(sorted((p for p in self.points if p.difference and not p.flags), key=level_of))

    @property
    def used(self) -> tuple[Point, ...]:
        """The clean pairs that the fit uses: those below the turnoff that follow the model."""
        return tuple(p for p in self.clean if level_of(p) <= self.top * (1 + 1e-9))

    @property
    def carried(self) -> tuple[str, ...]:
        """Flags of pairs left out below the turnoff, and of the bias frames: they stand beside every number."""
        limit = self.turnoff.level if self.turnoff else np.inf
        measured = [p for p in self.points if p.difference and _TOP.isdisjoint(p.flags)]
        found = [f for p in measured for f in p.flags if level_of(p) <= limit]
        return tuple(dict.fromkeys([*found, *(self.noise.flags if self.noise else ())]))

    def levels(self) -> int:
        """How many different exposure times the fit rests on."""
        return len({p.exptime for p in self.used})


def level_of(point: Point) -> float:
    """The level [ADU] of a point that has a difference."""
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


def linear_curve(curve: Curve, table: Linearised | None) -> Curve:
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


def why_missing(curve: Curve) -> tuple[str, str]:
    """The coded reason why a curve has no clean pair, and a note in words."""
    if all("saturated" in p.flags for p in curve.points):
        return "saturated", f"none of {len(curve.points)} pairs is free of saturated pixels"
    if not any(p.difference for p in curve.points):
        failed = next(p for p in curve.points if p.reason)
        return failed.reason, failed.failure
    return "bad-fit", f"none of {len(curve.points)} pairs is free of flags"
