"""Covariances of pairs of flats: one point per pair, frame by frame from the file, never more than two frames in memory.

The pair is checked and its level measured as photon transfer does. Then the weighted difference, less what varies slowly over it, is correlated with
itself at all lags. Taking off a surface of p coefficients takes p times the difference's power at long waves, over the number of pixels, from every
covariance alike (the mean alone takes one): a part in ten thousand of the variance, which is a hundredth of a covariance. It is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.brighter_fatter.quarter import Floats, multiplicity
from analysis.contract import FrameInput
from analysis.covariance import Covariances, covariances, grow
from analysis.flat_frames import Offsets
from analysis.flat_pairs import (
    Bounds,
    Difference,
    NoLightError,
    checks_of_frame,
    flat_difference,
    read_pair,
    without_pixels,
)
from analysis.linearised import Linearised
from analysis.statistics import clip_factor
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Measured = tuple[Floats, NDArray[np.int64]]
"""Covariances of one frame [ADU²] and the pairs of pixels they rest on: quarters."""
Corrector = Callable[[Image, Mask], Image]
"""Corrects a flat less its offset [ADU], given where it has no value or is saturated."""

_NEAR = 2  # lags whose covariances tell the power at long waves well enough for a small correction
_GROWN = 2  # pixels about an outlier that are left out with it: cosmic rays have feet below the clip


@dataclass(frozen=True)
class Point:
    """A pair of flats: exposures, exposure time [s], checks, and the covariances of one frame.

    ``level`` [ADU]: harmonic mean of both levels above the offset. ``matrix`` [ADU²] and ``counts`` (pairs of pixels) are quarters, shape (lags + 1,
    lags + 1); None where there are none, and ``failure`` then says why, ``reason`` in code.
    """

    first: str
    second: str
    exptime: float
    level: float = 0.0
    matrix: Floats | None = None
    counts: NDArray[np.int64] | None = None
    flags: tuple[str, ...] = ()
    failure: str = ""
    reason: str = ""

    @property
    def clean(self) -> bool:
        """Whether it has covariances and no flag."""
        return self.matrix is not None and not self.flags


def measure_points(
    channel: Channel,
    pairs: Sequence[tuple[FrameInput, FrameInput]],
    offsets: Offsets,
    bounds: Bounds,
    lost: Mask | None = None,
) -> tuple[Point, ...]:
    """The points of pairs without ``lost`` pixels, whose frames' ``offsets`` are in order; ``bounds`` say to which lag. Raises what reading pixels raises."""
    error = offsets.error if offsets.source == "overscan" else 0.0
    bounds = replace(bounds, grown=_GROWN)
    out = []
    for i, (first, second) in enumerate(pairs):
        names = (first.frame.exposure, second.frame.exposure, first.frame.exptime or 0.0)
        a, b = read_pair(first, second, channel, channel.image)
        if lost is not None:
            a, b = without_pixels((a, b), lost, bounds.saturation)
        zero = offsets.values[2 * i], offsets.values[2 * i + 1]
        try:
            checks = [c for f in (first, second) for c in checks_of_frame(f, channel, bounds)]
            found = flat_difference(a, b, zero, error, bounds, checks)
            if found.covariances is None:
                out.append(Point(*names, found.level, None, None, found.flags, found.note))
                continue
            matrix, counts = _of_one_frame(found.covariances, bounds.sigma)
        except NoLightError as why:
            out.append(Point(*names, failure=str(why), reason="unphysical"))
        except ValueError as why:
            full = any(f.summaries[channel.name].saturated > 0 for f in (first, second))
            reason, flags = ("saturated", ("saturated",)) if full else ("too-few-pixels", ())
            out.append(Point(*names, flags=flags, failure=str(why), reason=reason))
        else:
            out.append(Point(*names, found.level, matrix, counts))
    return tuple(out)


def in_window(
    channel: Channel,
    pair: tuple[FrameInput, FrameInput],
    offsets: tuple[float, float],
    bounds: Bounds,
    corrector: Corrector,
    window: int,
    lost: Mask | None = None,
) -> tuple[Point, Point]:
    """The point of a pair that passed its checks, of the central ``window`` rows and columns alone (0: of all) without ``lost`` pixels, and that of the same pixels corrected.

    What is nearer to the window's edges than ``bounds.lags`` is corrected by what lies beyond them, so is left out. Raises as ``measure_points``.
    """
    region, rim = _central(channel.image, window, bounds.lags)
    names = tuple(f.frame.exposure for f in pair)
    point = Point(names[0], names[1], pair[0].frame.exptime or 0.0)
    images = read_pair(*pair, channel, region)
    if lost is not None:
        y, x = region.y0 - channel.image.y0, region.x0 - channel.image.x0
        part = lost[y : y + region.shape[0], x : x + region.shape[1]]
        images = without_pixels(images, part, bounds.saturation)
    try:
        found = flat_difference(*images, offsets, bounds=replace(bounds, lags=0), checks=())
        before, after = _corrected(images, offsets, found, bounds, corrector, rim)
    except ValueError as why:
        failed = replace(point, failure=str(why), reason="too-few-pixels")
        return failed, failed
    point = replace(point, level=found.level)
    return tuple(replace(point, matrix=m, counts=n) for m, n in (before, after))  # type: ignore[return-value]


def linear_points(points: Sequence[Point], table: Linearised | None) -> tuple[Point, ...]:
    """The points of a converter that is linear, where there is a ``table``; those brighter than it tells of have no covariances."""
    out = []
    for point in points:
        if table is None or point.matrix is None:
            out.append(point)
        elif not table.covers(point.level):
            why = f"a level of {point.level:.5g} ADU is above the table of corrections"
            out.append(replace(point, matrix=None, counts=None, failure=why, reason="not-reached"))
        else:
            level, slope = table.moments(point.level, float(point.matrix[0, 0]))
            out.append(replace(point, level=level, matrix=point.matrix * slope**2))
    return tuple(out)


def _central(image: Region, window: int, lags: int) -> tuple[Region, int]:
    """The middle of an image, ``window`` rows and columns and a rim of ``lags`` about it, and how wide that is; all of a small image, without a rim."""
    spare = [n - window - 2 * lags for n in image.shape]
    if not window or min(spare) <= 0:
        return image, 0
    y, x = ((s // 2, s - s // 2) for s in spare)
    return image.trimmed(y, x), lags


def _corrected(
    images: tuple[NDArray[np.generic], NDArray[np.generic]],
    zero: tuple[float, float],
    found: Difference,
    bounds: Bounds,
    corrector: Corrector,
    rim: int,
) -> list[Measured]:
    """The covariances of one frame of a pair without its ``rim``, as it is and corrected, of the same pixels. Raises ValueError when no pixel is left."""
    mean = found.level / (1.0 - 0.25 * found.drift**2)
    levels = mean * (1.0 - 0.5 * found.drift), mean * (1.0 + 0.5 * found.drift)
    inner = tuple(slice(rim, n - rim) for n in images[0].shape)
    lost = np.zeros(images[0].shape, np.bool_)
    lit, right = [], []
    for raw, offset, level in zip(images, zero, levels, strict=True):
        image = np.subtract(raw, np.float32(offset), dtype=np.float32)
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(image - np.float32(level)) < np.float32(0.5 * level))
            bad |= image >= np.float32(bounds.saturation - offset)
        lit.append(image[inner])
        right.append(corrector(image, bad)[inner])
        lost |= bad
    weights = np.float32(levels[1] / mean), np.float32(levels[0] / mean)
    kept, out = np.ascontiguousarray(lost[inner]), []
    for one, other in (lit, right):  # outliers of the first are left out of the second too
        out.append(
            covariances_of(
                one * weights[0] - other * weights[1], kept, bounds.sigma, bounds.lags, bounds.degree
            )
        )
    return out


def covariances_of(
    difference: Image, lost: Mask, sigma: float = 5.0, lags: int = 8, degree: int = 2
) -> Measured:
    """Covariances of *one* frame [ADU²], and the pairs of pixels they rest on, from a pair's difference; quarters of (lags + 1, lags + 1).

    ``lost`` is grown by outliers beyond ``sigma``. Raises ValueError when no pixel is left.
    """
    _lose_outliers(difference, lost, sigma)
    return _of_one_frame(covariances(difference, lost, lags=lags, surface=True, degree=degree), sigma)


def _of_one_frame(found: Covariances, sigma: float) -> Measured:
    """Covariances of one frame, with what the surface took from all alike and what the clip took put back, and the pairs of pixels.

    What a surface takes is told by the near lags alone: far ones add their noise only. Raises ValueError when a lag has no pair.
    """
    matrix, counts = 0.5 * found.matrix, found.pairs
    if not (counts > 0).all():
        raise ValueError("too few good pixels are left")
    near = matrix[: _NEAR + 1, : _NEAR + 1]
    power = max(float((multiplicity(near.shape[0] - 1) * near).sum()), float(matrix[0, 0]))
    matrix += power * found.parameters / int(counts[0, 0])
    factor = clip_factor(sigma) ** 2
    matrix /= factor**2
    matrix[0, 0] *= factor
    return matrix, counts


def _lose_outliers(difference: Image, lost: Mask, sigma: float) -> None:
    """Lose pixels beyond ``sigma`` of the median, and what is near them; σ is that of some of the pixels without outliers, half a step at least."""
    step = max(1, int((difference.size / 60_000) ** 0.5))
    sample = difference[::step, ::step][~lost[::step, ::step]].astype(np.float64)
    if sample.size < 2:
        raise ValueError("too few good pixels are left")
    middle = float(np.median(sample))
    away = np.abs(sample - middle)
    spread = max(1.4826 * float(np.median(away)), 0.5)
    for _ in range(3):
        kept = away[away <= 5.0 * spread]
        spread = max(float(np.sqrt((kept**2).mean())), 0.5) if kept.size else spread
    with np.errstate(invalid="ignore"):
        far = (np.abs(difference - np.float32(middle)) > np.float32(sigma * spread)) & ~lost
    grow(lost, far, _GROWN)
