"""Pairs of flats: two exposures of one scene, whose difference holds noise and nothing else.

Each frame is weighted by its partner's mean over the mean of both before the difference is taken, so that a change of
the light between them, and with it the fixed pattern, cancels (the lamp's drift to first order). The variance is
taken about the means of tiles, so that slow changes of the illumination's shape cancel too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from threading import local
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check, clamped, flicker_of_lines, lamp_drift, saturated, unpiled
from analysis.contract import FrameInput
from analysis.statistics import clip_factor
from campaign.geometry import Channel, Region

if TYPE_CHECKING:
    from analysis.covariance import Covariances

_held = local()  # memory that one pair after the other uses, of each thread
_ROUNDS = 4
_OF_TILE = 256  # pixels of a tile that settle its median and where its clipping begins
_OF_IMAGE = 20_000  # pixels that tell the ratio of two levels
_NEVER = 3.0e38  # ADU: no pixel is saturated
_UNLIKE = 0.5  # relative: a pixel this far from its tile's median is a defect, not a probe of the noise


class NoLightError(ValueError):
    """A flat whose level is not above the offset."""


@dataclass(frozen=True)
class Difference:
    """What a pair tells.

    ``level`` [ADU]: harmonic mean of the two levels above the offset, the level to which ``variance`` belongs;
    ``variance`` [ADU²]: half the variance of the weighted difference, so that of one frame at that level;
    ``n`` the degrees of freedom of ``variance``; ``pixels`` those used; errors are standard
    errors, without that of the offset. The first two ``checks`` are those for flicker of rows and of columns. ``covariances``
    are those of the weighted difference, None where they were not asked for or a check raised its flag; ``rows`` are those of the image.
    """

    level: float
    level_error: float
    variance: float
    variance_error: float
    n: int
    pixels: int
    drift: float
    checks: tuple[Check, ...]
    covariances: Covariances | None = None
    rows: int = 0

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
    the electronics alone cause. ``lags`` is how far covariances are wanted (0: not at all), ``method`` how they are found,
    ``least_pixels`` how many they need, ``degree`` that of the surface that is taken off for them, ``grown`` how many pixels about
    a lost one they do without.
    """

    sigma: float = 5.0
    tile: int = 64
    saturation: float = 65535.0
    lamp_tolerance: float = 0.01
    flicker_ratio: float = 1.5
    pile_fraction: float = 1e-3
    row_background: float = 0.0
    column_background: float = 0.0
    lags: int = 0
    method: Literal["direct", "fourier"] = "direct"
    least_pixels: int = 10_000
    degree: int = 2
    grown: int = 0


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
    checks: Sequence[Check] | None = None,
) -> Difference:
    """The pair statistics of two flats, each of shape (rows, columns) [ADU], with offsets [ADU].

    ``checks`` are those of the frames' values where they are known already (see ``checks_of_frame``). Raises NoLightError when
    a level is not above zero, ValueError when too few good pixels are left.
    """
    bounds = bounds or Bounds()
    checks = checks_of_values((first, second), bounds) if checks is None else checks
    pair = _Pair.of(first, second, offsets, bounds)
    # what weighs is the ratio of the levels, which medians of some pixels tell well enough
    m1, m2 = _lit(*pair.middles(bounds.saturation))
    spread = pair.scatter((2 * m2 / (m1 + m2), 2 * m1 / (m1 + m2)), bounds.sigma, bounds.saturation, _UNLIKE)
    m1, m2 = _lit(*spread.means)
    frame_error = sqrt(spread.variance / spread.pixels)
    drift = lamp_drift(
        m1, m2, sqrt(2.0 * (frame_error**2 + offset_error**2)), tolerance=bounds.lamp_tolerance
    )
    found = (*_flickers(spread, bounds), drift, *checks)
    related = None
    if bounds.lags > 0 and not any(c.raised for c in found):
        from analysis.covariance import covariances, grow

        lost = pair.keep == 0
        if bounds.grown:
            grow(lost, lost.copy(), bounds.grown)
        related = covariances(
            pair.difference, lost, lags=bounds.lags, surface=True, degree=bounds.degree, method=bounds.method
        )
    return Difference(
        2 * m1 * m2 / (m1 + m2), frame_error / sqrt(2.0), spread.variance, spread.error, spread.n,
        spread.pixels, drift.effect, found, related, pair.keep.shape[0],
    )  # fmt: skip


def bias_difference(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    bounds: Bounds | None = None,
    checks: Sequence[Check] | None = None,
) -> Difference:
    """The same of two bias frames, or two overscans: no weights, ``level`` is their mean as read, no check but for clamping and flicker.

    The flicker checks only report ``excess`` row and column scatter: in a bias frame that is the electronics.
    Raises ValueError when too few good pixels are left.
    """
    bounds = bounds or Bounds()
    if checks is None:
        checks = [clamped(image, fraction=bounds.pile_fraction) for image in (first, second)]
    pair = _Pair.of(first, second, (0.0, 0.0), bounds)
    spread = pair.scatter((1.0, 1.0), bounds.sigma)
    ruled = tuple(
        Check(c.flag, False, c.effect, c.chance, c.note, excess=c.excess) for c in _flickers(spread, bounds)
    )
    return Difference(
        0.5 * sum(spread.means), sqrt(spread.variance / spread.pixels / 2), spread.variance, spread.error, spread.n,
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


def checks_of_frame(frame: FrameInput, channel: Channel, bounds: Bounds) -> list[Check]:
    """``checks_of_values`` of a flat from its summary, as far as that tells; pixels are read only where values pile up at an end."""
    found = frame.summaries[channel.name]
    # a pile that is no larger than the fraction is never flagged, whatever its neighbours are
    if found.n == 0 or max(found.low_pile, found.high_pile) > bounds.pile_fraction or found.not_finite:
        return checks_of_values((frame.pixels.read(channel, channel.image),), bounds)
    share = found.saturated / found.n
    note = f"{100 * share:.2g} % of the pixels are saturated"
    full = Check("saturated", share > bounds.pile_fraction, share, float(share == 0), note, bounds.saturation)
    return [full, unpiled(found.low, found.low_pile, found.high, found.high_pile)]


def checks_of_bias(frame: FrameInput, channel: Channel, bounds: Bounds) -> list[Check]:
    """The clamp check of a bias frame; its pixels are read only where its summary says that values pile up at an end."""
    found = frame.summaries[channel.name]
    if found.n == 0 or max(found.low_pile, found.high_pile) > bounds.pile_fraction or found.not_finite:
        return [clamped(frame.pixels.read(channel, channel.image), fraction=bounds.pile_fraction)]
    return [unpiled(found.low, found.low_pile, found.high, found.high_pile)]


def read_pair(
    first: FrameInput, second: FrameInput, channel: Channel, region: Region
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """A region of two frames [ADU], valid until the next is read: 16-bit pixels go into memory used before."""
    return _read(first, channel, region, 0), _read(second, channel, region, 1)


def without_pixels(
    images: tuple[NDArray[np.generic], NDArray[np.generic]], lost: NDArray[np.bool_], saturation: float
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """A pair that was read, its ``lost`` pixels set to what is left out everywhere: saturated, or without a value where whole numbers cannot be."""
    whole = all(image.dtype == np.uint16 for image in images) and saturation <= 65535.0
    made = []
    for image in images:
        held = image if whole else np.array(image, np.float32)
        held[lost] = np.uint16(np.ceil(saturation)) if whole else np.nan
        made.append(held)
    return made[0], made[1]


def read_one(frame: FrameInput, channel: Channel) -> NDArray[np.generic]:
    """The image of one channel of a frame [ADU], valid until the next is read, as of ``read_pair``."""
    return _read(frame, channel, channel.image, 0)


def _read(frame: FrameInput, channel: Channel, region: Region, place: int) -> NDArray[np.generic]:
    if frame.pixels.dtype(channel) != np.uint16:
        return frame.pixels.read(channel, region)
    held: dict[int, NDArray[np.uint16]] = _held.__dict__.setdefault("images", {})
    if place not in held or held[place].shape != region.shape:
        held[place] = np.empty(region.shape, np.uint16)
    return frame.pixels.read(channel, region, held[place])


@dataclass(frozen=True)
class _Scatter:
    """Half the variance of a difference about its tiles' means, its error, degrees of freedom, pixels, and both images' means over them.

    ``rows`` and ``columns`` are sum and number of the difference of each, shapes (2, rows) and (2, columns), ``squares`` the sum of its squares.
    """

    variance: float
    error: float
    n: int
    pixels: int
    means: tuple[float, float]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    squares: float


@dataclass(frozen=True)
class _Pair:
    """Two images as the kernels take them, cut into tiles; some edge pixels are left out. ``keep`` is 1 for pixels used."""

    images: tuple[NDArray[np.generic], NDArray[np.generic]]
    offsets: tuple[np.float32, np.float32]
    tile: tuple[int, int]
    step: int
    keep: NDArray[np.uint8]
    difference: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        first: NDArray[np.generic],
        second: NDArray[np.generic],
        offsets: tuple[float, float],
        bounds: Bounds,
    ) -> _Pair:
        """Cut into tiles of about the side that is asked for."""
        whole = first.dtype == second.dtype == np.uint16
        one, two = (np.ascontiguousarray(i, dtype=None if whole else np.float32) for i in (first, second))
        down, across = (max(1, n // max(bounds.tile, 1)) for n in one.shape)
        ny, nx = one.shape[0] // down, one.shape[1] // across
        shape = (down * ny, across * nx)
        step = max(2, int(sqrt(ny * nx / _OF_TILE)))
        return cls(
            (one, two), (np.float32(offsets[0]), np.float32(offsets[1])), (ny, nx), step,
            *_buffers(shape),
        )  # fmt: skip

    def middles(self, saturation: float) -> tuple[float, float]:
        """The levels [ADU] of both images: medians of some pixels that are usable in both. Raises ValueError when there is none."""
        step = max(1, int(sqrt(self.keep.size / _OF_IMAGE)))
        some = [np.asarray(image[::step, ::step], np.float32) for image in self.images]
        good = np.logical_and(*(np.isfinite(part) & (part < saturation) for part in some))
        if not good.any():
            raise ValueError("no good pixels are left")
        one, two = (
            float(np.median(part[good]) - zero) for part, zero in zip(some, self.offsets, strict=True)
        )
        return one, two

    def scatter(
        self, weights: tuple[float, float], sigma: float, saturation: float = _NEVER, unlike: float = -1.0
    ) -> _Scatter:
        """Half the variance of the weighted difference about its tiles' means; ``keep`` becomes the pixels that are used.

        Left out are pixels at ``saturation`` [ADU], those ``unlike`` their tile (below zero: none), and those beyond ``sigma``. Each tile has its own σ, for
        the light need not be uniform. The deficit of clipping a normal distribution is made good. Raises ValueError when fewer than three
        pixels are left.
        """
        from analysis import tile_kernels

        tiles = self.keep.size // (self.tile[0] * self.tile[1])
        freedom, squares, middles = np.zeros((3, tiles))
        rows, columns = (np.zeros((2, n)) for n in self.keep.shape)
        # the scatter of what a clip leaves is too small: without this each round would clip deeper than the one before
        reach = sigma / clip_factor(sigma)
        pixels, sum1, sum2 = tile_kernels.scatter(
            *self.images, *self.offsets, np.float32(weights[0]), np.float32(weights[1]), *self.tile,
            np.float32(saturation), np.float32(unlike), reach, _ROUNDS, self.step,
            self.images[0].dtype == np.uint16, self.keep, self.difference,
            freedom, squares, middles, rows, columns,
        )  # fmt: skip
        n = int(freedom.sum())
        if n < 2:
            raise ValueError("no good pixels are left" if pixels == 0 else "too few good pixels are left")
        scale = 0.5 / clip_factor(sigma) ** 2
        variances = squares / np.maximum(freedom, 1.0) * scale
        error = sqrt(2.0 * float((freedom * variances**2).sum())) / n
        means = (sum1 / pixels, sum2 / pixels)
        about_zero = float((squares + (freedom + 1.0) * middles**2).sum())
        return _Scatter(float(squares.sum()) * scale / n, error, n, pixels, means, rows, columns, about_zero)


def _lit(one: float, two: float) -> tuple[float, float]:
    """The two levels. Raises NoLightError when one is not above zero."""
    if one + two <= 0 or one * two <= 0:
        raise NoLightError("the level is not above the offset: there is no light")
    return one, two


def _buffers(shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Memory for a pair's mask and difference: that of the thread's pair before, for fresh memory costs more than the arithmetic."""
    found: tuple[NDArray[np.uint8], NDArray[np.float32]] | None = getattr(_held, "buffers", None)
    if found is None or found[0].shape != shape:
        found = np.empty(shape, np.uint8), np.empty(shape, np.float32)
        _held.buffers = found
    return found


def _flickers(spread: _Scatter, bounds: Bounds) -> tuple[Check, Check]:
    """The flicker checks of rows and of columns; where there are too few to tell, nothing is claimed."""
    lines = (
        (1, spread.rows, bounds.row_background),
        (0, spread.columns, bounds.column_background),
    )
    found = []
    for axis, (sums, counts), background in lines:
        try:
            found.append(
                flicker_of_lines(
                    sums, counts, spread.squares, axis=axis, background=background, ratio=bounds.flicker_ratio
                )
            )
        except ValueError as error:
            found.append(Check("flicker", False, 1.0, 1.0, str(error)))
    return found[0], found[1]
