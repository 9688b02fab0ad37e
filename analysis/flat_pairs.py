"""Pairs of flats: two exposures of one scene, whose difference holds noise and nothing else.

Each frame is weighted by its partner's mean over the mean of both before the difference is taken, so that a change of
the light between them, and with it the fixed pattern, cancels (the lamp's drift to first order). The variance is
taken about the means of tiles, so that slow changes of the illumination's shape cancel too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from threading import local
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.checks import Check, clamped, flicker_of_lines, lamp_drift, saturated, unpiled
from analysis.contract import FrameInput
from analysis.tile_scatter import Scatter, TiledPair
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

if TYPE_CHECKING:
    from analysis.covariance import Covariances

_held = local()  # memory that frames are read into, of each thread
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
    pair = TiledPair.of(first, second, offsets, bounds.tile)
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

        lost = np.equal(pair.keep, 0, out=pair.keep.view(np.bool_))  # in its place: the mask has served
        if bounds.grown:
            grow(lost, lost.copy(), bounds.grown)
        related = covariances(
            pair.difference, lost, lags=bounds.lags, surface=True, degree=bounds.degree, method=bounds.method, overwrite=True,
        )  # fmt: skip
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
    pair = TiledPair.of(first, second, (0.0, 0.0), bounds.tile)
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


def _lit(one: float, two: float) -> tuple[float, float]:
    """The two levels. Raises NoLightError when one is not above zero."""
    if one + two <= 0 or one * two <= 0:
        raise NoLightError("the level is not above the offset: there is no light")
    return one, two


def _flickers(spread: Scatter, bounds: Bounds) -> tuple[Check, Check]:
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
