"""The table of the linearity procedure, and what it makes of levels, variances and covariances of flats without touching a pixel.

Pixels of a pair of flats differ from their common level μ by noise and by a few per cent of light, over which the curve L (level + correction) is all
but straight. Their moments are then those of L expanded about μ (the law of propagation of errors):

    μ → L(μ) + ½ L″(μ) C,    C_ij → L′(μ)² C_ij

What is left out is of the relative order L″ s² / μ for light that varies by s over the pixels, and (L″)² C for noise: with a curve bent by one per cent at
its top and light that varies by a tenth, below 10⁻⁴ of level and variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs, TableProduct
from analysis.flat_frames import ElectronicNoise
from analysis.flat_pairs import Difference
from campaign.frozen import dataclass
from campaign.geometry import Channel

Floats = NDArray[np.float64]

PART = "part_"
"""Columns ``part_1`` … of the table: parts of the correction's error, each all of one cause; the covariance of two levels is the sum of products of their parts."""

_CODES = 1 << 16
"""Levels at which corrections of pixels are held: steps of one ADU for a 16-bit converter."""
_BEYOND = 1.01  # of the highest level measured: flats of the highest rung scatter about its mean


@dataclass(frozen=True)
class Linearised:
    """What has to be added to ``levels`` (n,) [ADU above the offset], ``correction`` (n,), and its errors' ``parts`` (k, n) [ADU]; levels ascend from zero.

    Between levels it is interpolated; below zero nothing is added, and up to a hundredth above the highest the curve goes on straight.
    """

    levels: Floats
    correction: Floats
    parts: Floats

    @property
    def top(self) -> float:
        """The highest level measured [ADU]."""
        return float(self.levels[-1])

    def covers(self, level: float) -> bool:
        """Whether the table tells of a level [ADU]: it was measured, or lies within a hundredth of what was."""
        return level <= _BEYOND * self.top

    def added(self, level: float) -> float:
        """The correction at a level [ADU]."""
        above = max(level - self.top, 0.0)
        return float(np.interp(level, self.levels, self.correction)) + above * float(self._rises[-1])

    def slope(self, level: float) -> float:
        """L′, how much the corrected level rises with the level."""
        return 1.0 + float(np.interp(level, self.levels, self._rises))

    def bend(self, level: float) -> float:
        """L″ [1/ADU]."""
        return float(np.interp(level, self.levels, np.gradient(self._rises, self.levels)))

    def moments(self, level: float, variance: float) -> tuple[float, float]:
        """L(μ) + ½ L″ C [ADU] and L′ of pixels of mean ``level`` [ADU] and ``variance`` [ADU²]."""
        return level + self.added(level) + 0.5 * self.bend(level) * variance, self.slope(level)

    def error(self, level: float) -> float:
        """The standard error of the correction at a level [ADU]."""
        return float(np.interp(level, self.levels, np.sqrt((self.parts**2).sum(axis=0))))

    def adder(self) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """What gives the corrections of pixels [ADU], in memory of its own: nothing below zero or without a value, above the highest level as the curve goes on straight.

        It is held at even levels and taken at the nearest: half a step is off by as much as the correction changes over it, some thousandths of an ADU.
        """
        top, rise = self.top, np.float32(self._rises[-1])
        held = np.interp(np.linspace(0.0, top, _CODES), self.levels, self.correction).astype(np.float32)
        per_step = np.float32((_CODES - 1) / top)

        def added(values: NDArray[np.float32]) -> NDArray[np.float32]:
            place = np.nan_to_num(values * per_step + np.float32(0.5), nan=0.0, posinf=0.0, neginf=0.0)
            above = place > np.float32(_CODES)
            np.clip(place, 0.0, _CODES - 1, out=place)
            out: NDArray[np.float32] = held[place.astype(np.intp)]
            if above.any():
                out[above] += rise * (values[above] - np.float32(top))
            return out

        return added

    def off_by(self, part: int) -> Linearised:
        """The table, wrong by one standard error of one of its parts."""
        return replace(self, correction=self.correction + self.parts[part])

    @property
    def _rises(self) -> Floats:
        out: Floats = np.gradient(self.correction, self.levels)
        return out


def table_of(inputs: Inputs, channel: Channel) -> Linearised | str:
    """The table of corrections of a channel: that of the setting of ``inputs``, else of the first, for it is the electronics'; else why there is none.

    A table that tells no parts of its error has one: errors of all levels have one cause. Raises what reading the product raises.
    """
    product = inputs.product("linearity", "correction")
    if not isinstance(product, TableProduct):
        return "there is no table of corrections"
    mine = np.asarray(product.columns["channel"]) == channel.name
    settings = np.asarray(product.columns["setting"])
    if not mine.any():
        return "the table of corrections has nothing of this channel"
    chosen = inputs.setting if (settings[mine] == inputs.setting).any() else settings[mine][0]
    mine &= settings == chosen
    names = [n for n in product.columns if n.startswith(PART)] or ["error"]
    levels, correction, *parts = (
        np.asarray(product.columns[n], np.float64)[mine] for n in ("level", "correction", *names)
    )
    return Linearised(levels, correction, np.array(parts))


def linear_difference(found: Difference, table: Linearised) -> Difference:
    """What a pair tells of a converter that is linear. Raises ValueError where the pair is brighter than what the table tells of."""
    if not table.covers(found.level):
        raise ValueError(
            f"a level of {found.level:.5g} ADU is above the table of corrections, which ends at {table.top:.5g} ADU"
        )
    level, slope = table.moments(found.level, found.variance)
    related = found.covariances
    if related is not None:
        related = replace(
            related, mean=related.mean * slope, sums=related.sums * slope**2, step=related.step * slope
        )
    return replace(
        found, level=level, level_error=found.level_error * slope, variance=found.variance * slope**2,
        variance_error=found.variance_error * slope**2, covariances=related,
    )  # fmt: skip


def linear_noise(found: ElectronicNoise, table: Linearised) -> ElectronicNoise:
    """The noise without light of a converter that is linear: by the slope of the curve where it begins."""
    squared = table.slope(0.0) ** 2
    return replace(
        found, variance=found.variance * squared, error=found.error * squared, rows=found.rows * squared,
        columns=found.columns * squared,
    )  # fmt: skip
