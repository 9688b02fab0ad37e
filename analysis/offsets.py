"""The offset of a frame: the level without light, from columns that never saw any."""

from __future__ import annotations

from dataclasses import field
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.statistics import clipped
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

OVERSCAN_TRIM = (5, 5)
PRESCAN_TRIM = (25, 5)
"""Columns passed over at the (read first, read last) sides, of Euclid VIS; scaled down for narrow regions."""

_KEPT = 0.9973002
"""Fraction of a normal sample within ± 3 σ."""
_INFORMATION = 0.9733385
"""Information on the mean of a normal distribution that is left of a sample cut at ± 3 σ."""

_FULL_WIDTH = {"overscan": 20, "prescan": 51}


@dataclass(frozen=True)
class Offset:
    """The offset of one channel of one frame [ADU].

    ``value`` ± ``error`` is the channel's level, ``std`` the scatter of its ``n`` pixels. ``rows`` has the
    level of each row of ``channel.image`` when it was asked for, with ``row_error`` each.
    """

    value: float
    error: float
    std: float
    n: int
    source: Literal["overscan", "prescan"]
    rows: NDArray[np.float64] | None = field(default=None, compare=False)
    row_error: float | None = None

    @property
    def column(self) -> NDArray[np.float64] | float:
        """What to subtract from the image: a column of row levels, shape (rows, 1), or the one level."""
        return self.value if self.rows is None else self.rows[:, np.newaxis]


def trimmed_columns(channel: Channel, region: Region, trim: tuple[int, int]) -> Region:
    """The region less its first-read and last-read columns.

    ``trim`` (first, last) is meant for a prescan of 51 or an overscan of 20 columns and is scaled down in
    proportion for a narrower region, so that at least one column is left. A channel that is read to the
    right has its first-read columns at high x.
    """
    width = region.shape[1]
    name = "prescan" if region == channel.prescan else "overscan"
    scale = min(1.0, width / _FULL_WIDTH[name])
    first, last = int(trim[0] * scale), int(trim[1] * scale)
    while first + last >= width:
        first, last = (first - 1, last) if first >= last else (first, last - 1)
    return region.trimmed(x=(last, first) if channel.corner.endswith("right") else (first, last))


def offset_of(frame: FrameInput, channel: Channel, *, per_row: bool = False) -> Offset | None:
    """The offset of a channel from its overscan, else its prescan; None when it has neither (or no finite pixel).

    One level per channel (3σ-clipped mean) keeps row structure in the image; ``per_row`` takes the mean of each
    row within 4σ of its median instead, which removes drifts during readout at the price of the rows' own
    error. Rows without a finite pixel, and image rows beyond the region's, get the channel's level.
    """
    if not per_row and (known := _summarised(frame, channel)) is not None:
        return known
    for source, trim in (("overscan", OVERSCAN_TRIM), ("prescan", PRESCAN_TRIM)):
        region = channel.region(source)
        if region is None:
            continue
        values = frame.pixels.read(channel, trimmed_columns(channel, region, trim))
        if values.dtype.kind not in "iu" and not np.isfinite(values).any():
            continue
        level = clipped(values)
        name: Literal["overscan", "prescan"] = "overscan" if source == "overscan" else "prescan"
        if not per_row:
            return Offset(level.mean, level.mean_error, level.std, level.n, name)
        rows, error = _row_levels(values, region, channel, level.mean, level.std)
        return Offset(level.mean, level.mean_error, level.std, level.n, name, rows, error)
    return None


def _summarised(frame: FrameInput, channel: Channel) -> Offset | None:
    """The offset from the frame's summary, which has the same clipped mean of the same pixels; None where it has none.

    Saves reading the columns, for which whole rows have to be read. The summary does not say how many pixels were clipped, so the error
    is that of a normal sample, from which a real one differs by the share of its outliers.
    """
    found = frame.summaries.get(channel.name)
    if found is None:
        return None
    for source, trim in (("overscan", OVERSCAN_TRIM), ("prescan", PRESCAN_TRIM)):
        region = channel.region(source)
        mean, std = (
            (found.overscan_mean, found.overscan_std)
            if source == "overscan"
            else (found.prescan_mean, found.prescan_std)
        )
        if region is None or mean is None or std is None:
            continue
        n = trimmed_columns(channel, region, trim).size
        name: Literal["overscan", "prescan"] = "overscan" if source == "overscan" else "prescan"
        return Offset(mean, std / sqrt(_INFORMATION * n), std, round(_KEPT * n), name)
    return None


def _row_levels(
    values: NDArray[np.generic], region: Region, channel: Channel, level: float, std: float
) -> tuple[NDArray[np.float64], float]:
    """Level of each image row: the mean of its values within 4σ of their median; and the error of one."""
    numbers = values.astype(np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    lit = np.isfinite(numbers).any(axis=1)
    middle = np.full(numbers.shape[0], level)
    middle[lit] = np.nanmedian(numbers[lit], axis=1)
    good = np.abs(numbers - middle[:, np.newaxis]) <= 4.0 * max(std, 0.5)
    count = good.sum(axis=1)
    total = np.where(good, numbers, 0.0).sum(axis=1)
    levels = np.divide(total, count, out=middle.copy(), where=count > 0)
    out = np.full(channel.image.shape[0], level)
    first = channel.image.y0 - region.y0
    for_image = np.arange(out.size) + first
    inside = (for_image >= 0) & (for_image < levels.size)
    out[inside] = levels[for_image[inside]]
    return out, std / sqrt(values.shape[1])
