"""Profiles of an image: means of its rows and columns without outliers, and their gradients in the order of reading."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import MAD_TO_SIGMA
from campaign.frozen import dataclass
from campaign.geometry import Channel

_OF_LINE = 32  # pixels that settle the median of a row or column
_LINE_CLIP = 5.0  # in robust σ


@dataclass(frozen=True)
class Profiles:
    """Mean of each row and column of an image [its unit] without outliers, NaN where nothing is finite; and of how many pixels."""

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    of_row: NDArray[np.int64]
    of_column: NDArray[np.int64]

    def gradient(self, channel: Channel, axis: int) -> tuple[float, float]:
        """Level of the tenth of rows (axis 0) or columns (axis 1) read last less that read first, and its error.

        The error is from the scatter of the rows (columns) in the two tenths. Raises ValueError when either has fewer than two.
        """
        lines = self.rows if axis == 0 else self.columns
        backwards = channel.corner.startswith("upper") if axis == 0 else channel.corner.endswith("right")
        tenth = max(2, lines.size // 10)
        near, far = lines[:tenth], lines[-tenth:]
        near, far = (far, near) if backwards else (near, far)
        near, far = near[np.isfinite(near)], far[np.isfinite(far)]
        if near.size < 2 or far.size < 2:
            raise ValueError("too few finite pixels for a gradient")
        error = sqrt(near.var(ddof=1) / near.size + far.var(ddof=1) / far.size)
        return float(far.mean() - near.mean()), error


def profiles(image: NDArray[np.float32], least: float = 0.0) -> Profiles:
    """The profiles of an image, shape (rows, columns): of what lies within five robust σ of the median of its row (column).

    Median and σ are of some thirty pixels of each row (column), enough to settle where outliers begin; nothing nearer than ``least`` [unit of the
    image] is one. Medians alone would show the converter's steps: means of few frames of whole numbers have few values.
    """
    from analysis import image_kernels

    values = np.ascontiguousarray(image, dtype=np.float32)
    ny, nx = values.shape
    across, down = values[:, :: max(1, nx // _OF_LINE)], values[:: max(1, ny // _OF_LINE)].T
    middles, reach = [], []
    for some, whole in ((across, values), (down, values.T)):
        middle = _medians(np.ascontiguousarray(some))
        if np.isnan(middle).any():
            middle = _medians(whole)
        off = np.abs(some - middle[:, np.newaxis])
        off = off[np.isfinite(off)]
        middles.append(middle)
        reach.append(
            np.float32(max(_LINE_CLIP * MAD_TO_SIGMA * float(np.median(off)), least) if off.size else least)
        )
    by_row, by_column = np.zeros((2, ny)), np.zeros((2, nx))
    image_kernels.near_lines(values, middles[0], reach[0], middles[1], reach[1], by_row, by_column)
    rows, columns = (
        middle + sums[1] / np.maximum(sums[0], 1.0)
        for middle, sums in zip(middles, (by_row, by_column), strict=True)
    )
    return Profiles(rows, columns, by_row[0].astype(np.int64), by_column[0].astype(np.int64))


def _medians(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of each line; NaN where it has no finite pixel."""
    finite = np.isfinite(lines)
    if finite.all():
        return np.asarray(np.median(lines, axis=1), dtype=np.float32)
    lit = finite.any(axis=1)
    out = np.full(lines.shape[0], np.nan, np.float32)
    if lit.any():
        out[lit] = np.nanmedian(np.where(finite[lit], lines[lit], np.nan), axis=1)
    return out
