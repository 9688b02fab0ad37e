"""Pairs of flats: two exposures of one scene, whose difference holds noise and nothing else.

Each frame is weighted by its partner's mean over the mean of both before the difference is taken, so that a change of
the light between them, and with it the fixed pattern, cancels (the lamp's drift to first order). The variance is
taken about the means of tiles, so that slow changes of the illumination's shape cancel too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check, clamped, flicker, lamp_drift, saturated
from analysis.contract import FrameInput
from analysis.statistics import MAD_TO_SIGMA, clip_factor

_T = TypeVar("_T", bound=np.generic)

_ROUNDS = 4
_UNLIKE = 0.5  # relative: a pixel this far from its tile's median is a defect, not a probe of the noise


class NoLightError(ValueError):
    """A flat whose level is not above the offset."""


@dataclass(frozen=True)
class Difference:
    """What a pair tells.

    ``level`` [ADU]: harmonic mean of the two levels above the offset, the level to which ``variance`` belongs;
    ``variance`` [ADU²]: half the variance of the weighted difference, so that of one frame at that level;
    ``n`` the degrees of freedom of ``variance``; ``pixels`` those used; errors are standard
    errors, without that of the offset. The first two ``checks`` are those for flicker of rows and of columns.
    """

    level: float
    level_error: float
    variance: float
    variance_error: float
    n: int
    pixels: int
    drift: float
    checks: tuple[Check, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that the checks raised, each once."""
        return tuple(dict.fromkeys(c.flag for c in self.checks if c.raised))

    @property
    def note(self) -> str:
        """The raised checks in words."""
        return "; ".join(c.note for c in self.checks if c.raised)


@dataclass(frozen=True)
class Bounds:
    """How a pair is measured and what is tolerated: see the parameters of the photon transfer procedure.

    ``sigma`` clips differences, ``tile`` is the tiles' side [pixels], ``saturation`` [ADU],
    ``row_background`` and ``column_background`` [ADU²] the variance of row and column means of a difference that
    the electronics alone cause.
    """

    sigma: float = 5.0
    tile: int = 64
    saturation: float = 65535.0
    lamp_tolerance: float = 0.01
    flicker_ratio: float = 1.5
    pile_fraction: float = 1e-3
    row_background: float = 0.0
    column_background: float = 0.0


def pair_up(
    frames: Sequence[FrameInput], tolerance: float
) -> tuple[list[tuple[FrameInput, FrameInput]], list[FrameInput]]:
    """Disjoint pairs of flats of equal exposure time (within ``tolerance`` [s]), and the frames left over.

    Each frame is paired with the next in order of exposure that has its time and no partner yet. No frame serves twice, so
    pairs are independent. Frames of unknown exposure time are left over.
    """
    waiting: dict[float, FrameInput] = {}
    pairs, left = [], []
    for frame in frames:
        time = frame.frame.exptime
        if time is None:
            left.append(frame)
            continue
        found = min(
            (t for t in waiting if abs(t - time) <= tolerance), key=lambda t: abs(t - time), default=None
        )
        if found is None:
            waiting[time] = frame
        else:
            pairs.append((waiting.pop(found), frame))
    return pairs, left + list(waiting.values())


def flat_difference(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    offsets: tuple[float, float],
    offset_error: float = 0.0,
    bounds: Bounds | None = None,
) -> Difference:
    """The pair statistics of two flats, each of shape (rows, columns) [ADU], with offsets [ADU].

    Raises NoLightError when a level is not above zero, ValueError when too few good pixels are left.
    """
    bounds = bounds or Bounds()
    checks = checks_of_values((first, second), bounds)
    a = _tiles(np.asarray(first, dtype=np.float32) - np.float32(offsets[0]), bounds.tile)
    b = _tiles(np.asarray(second, dtype=np.float32) - np.float32(offsets[1]), bounds.tile)
    ceiling = bounds.saturation - max(offsets)
    good = np.isfinite(a) & np.isfinite(b) & (a < ceiling) & (b < ceiling)
    good &= _alike(a, good) & _alike(b, good)
    m1, m2 = _mean(a, good), _mean(b, good)
    if m1 + m2 <= 0 or m1 * m2 <= 0:
        raise NoLightError("the level is not above the offset: there is no light")
    weighted = np.float32(2 * m2 / (m1 + m2)) * a - np.float32(2 * m1 / (m1 + m2)) * b
    spread = _scatter(weighted, good, bounds.sigma)
    m1, m2 = _mean(a, good), _mean(b, good)
    frame_error = sqrt(spread.variance / spread.pixels)
    drift = lamp_drift(
        m1, m2, sqrt(2.0 * (frame_error**2 + offset_error**2)), tolerance=bounds.lamp_tolerance
    )
    ruled = _flickers(_untiled(weighted), _untiled(good), bounds)
    return Difference(
        2 * m1 * m2 / (m1 + m2), frame_error / sqrt(2.0), spread.variance, spread.error, spread.n,
        spread.pixels, drift.effect, (*ruled, drift, *checks),
    )  # fmt: skip


def bias_difference(
    first: NDArray[np.generic], second: NDArray[np.generic], bounds: Bounds | None = None
) -> Difference:
    """The same of two bias frames, or two overscans: no weights, ``level`` is their mean as read, no check but for clamping and flicker.

    The flicker checks only report ``excess`` row and column scatter: in a bias frame that is the electronics.
    Raises ValueError when too few good pixels are left.
    """
    bounds = bounds or Bounds()
    checks = [clamped(image, fraction=bounds.pile_fraction) for image in (first, second)]
    a = _tiles(np.asarray(first, dtype=np.float32), bounds.tile)
    b = _tiles(np.asarray(second, dtype=np.float32), bounds.tile)
    good = np.isfinite(a) & np.isfinite(b)
    difference = a - b
    spread = _scatter(difference, good, bounds.sigma)
    level = 0.5 * (_mean(a, good) + _mean(b, good))
    ruled = tuple(
        Check(c.flag, False, c.effect, c.chance, c.note, excess=c.excess)
        for c in _flickers(_untiled(difference), _untiled(good), bounds)
    )
    return Difference(
        level, sqrt(spread.variance / spread.pixels / 2), spread.variance, spread.error, spread.n,
        spread.pixels, 0.0, (*ruled, *checks),
    )  # fmt: skip


def checks_of_values(images: Sequence[NDArray[np.generic]], bounds: Bounds) -> list[Check]:
    """Clamping and saturation of flats as read [ADU]; a pile at the saturation level is both.

    Raises ValueError for a frame without a finite pixel.
    """
    out = []
    for image in images:
        out.append(saturated(image, bounds.saturation, fraction=bounds.pile_fraction))
        out.append(clamped(image, fraction=bounds.pile_fraction, lit=True))
    return out


@dataclass(frozen=True)
class _Scatter:
    variance: float
    error: float
    n: int
    pixels: int


def _flickers(
    difference: NDArray[np.float32], good: NDArray[np.bool_], bounds: Bounds
) -> tuple[Check, Check]:
    """The flicker checks of rows and of columns; where there are too few to tell, nothing is claimed."""
    found = []
    for axis, background in ((1, bounds.row_background), (0, bounds.column_background)):
        try:
            found.append(
                flicker(difference, good, axis=axis, background=background, ratio=bounds.flicker_ratio)
            )
        except ValueError as error:
            found.append(Check("flicker", False, 1.0, 1.0, str(error)))
    return found[0], found[1]


def _tiles(image: NDArray[np.float32], tile: int) -> NDArray[np.float32]:
    """A view of shape (tiles down, tile rows, tiles across, tile columns); some edge pixels are left out."""
    down, across = (max(1, n // max(tile, 1)) for n in image.shape)
    ny, nx = image.shape[0] // down, image.shape[1] // across
    return image[: down * ny, : across * nx].reshape(down, ny, across, nx)


def _untiled(tiles: NDArray[_T]) -> NDArray[_T]:
    down, ny, across, nx = tiles.shape
    return tiles.reshape(down * ny, across * nx)


def _alike(tiles: NDArray[np.float32], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that are no defects: within half of their tile's median, or six times its scatter where noise is larger."""
    sample = np.where(good, tiles, np.nan)[:, ::2, :, ::2] if not good.all() else tiles[:, ::2, :, ::2]
    with np.errstate(invalid="ignore"):
        middle = _median(sample)
        scatter = _median(np.abs(sample - middle)) * np.float32(MAD_TO_SIGMA)
        found: NDArray[np.bool_] = np.abs(tiles - middle) <= np.maximum(
            np.float32(_UNLIKE) * np.abs(middle), 6 * scatter
        )
    return found


def _median(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of each tile's finite values, NaN where there is none."""
    if np.isfinite(tiles).all():
        return np.asarray(np.median(tiles, axis=(1, 3), keepdims=True), dtype=np.float32)
    filled = np.where(np.isfinite(tiles).any(axis=(1, 3), keepdims=True), tiles, np.float32(np.inf))
    middle = np.nanmedian(filled, axis=(1, 3), keepdims=True)
    return np.where(np.isfinite(middle), middle, np.nan).astype(np.float32)


def _mean(tiles: NDArray[np.float32], good: NDArray[np.bool_]) -> float:
    n = int(good.sum())
    if n == 0:
        raise ValueError("no good pixels are left")
    return float(np.sum(tiles, where=good, dtype=np.float64)) / n


def _scatter(difference: NDArray[np.float32], good: NDArray[np.bool_], sigma: float) -> _Scatter:
    """Half the variance of a difference about its tiles' means; ``good`` loses the pixels beyond ``sigma``.

    Each tile has its own σ, for the light need not be uniform. The deficit of clipping a normal distribution is
    made good. Raises ValueError when fewer than three pixels are left.
    """
    if not good.any():
        raise ValueError("no good pixels are left")
    sample = (
        np.where(good, difference, np.nan)[:, ::2, :, ::2] if not good.all() else difference[:, ::2, :, ::2]
    )
    with np.errstate(invalid="ignore"):
        centre = _median(sample)
        spread = _median(np.abs(sample - centre)) * MAD_TO_SIGMA
    spread = np.where(spread > 0, spread, np.inf)  # constant tiles: nothing is an outlier
    freedom = squares = np.zeros(1)
    for _ in range(_ROUNDS):
        with np.errstate(invalid="ignore"):
            good &= np.abs(difference - centre) <= sigma * spread
        count = good.sum(axis=(1, 3), keepdims=True, dtype=np.float64)
        centre = np.sum(difference, axis=(1, 3), keepdims=True, where=good, dtype=np.float64) / np.maximum(
            count, 1
        )
        left = np.square(difference - centre)
        squares = np.sum(left, axis=(1, 3), keepdims=True, where=good, dtype=np.float64)
        freedom = np.maximum(count - 1.0, 0.0)
        spread = np.sqrt(squares / np.maximum(freedom, 1.0))
    n = int(freedom.sum())
    if n < 2:
        raise ValueError("too few good pixels are left")
    scale = 0.5 / clip_factor(sigma) ** 2
    variances = squares / np.maximum(freedom, 1.0) * scale
    error = sqrt(2.0 * float((freedom * variances**2).sum())) / n
    return _Scatter(float(squares.sum()) * scale / n, error, n, int(good.sum()))
