"""Means over the lines of frames, and the covariance of the pixels of these means.

The signals sought are thousands of times smaller than the noise of a pixel. Each line is averaged over the frames of a level, then lines are averaged.
The covariance comes from the scatter of blocks of neighbouring lines of the averaged frame, so that it holds what the pixels of a line
share (drift from row to row), what neighbouring lines share, and what stays the same from frame to frame (response of pixels), each
at its true weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.linearised import Linearised
from analysis.statistics import MAD_TO_SIGMA
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

BLOCKS = 256
"""Blocks of lines at most: enough that their scatter is known to a twentieth."""

FEWEST = 8
"""Lines below which nothing can be said of their scatter."""

_BEYOND = 0.01  # chance below which pixels are believed to differ by more than noise


@dataclass(frozen=True)
class Means:
    """Means over lines [ADU], shape (pixels,), of the frames of one level; their ``covariance`` [ADU²], shape (pixels, pixels).

    ``by_frame``, shape (frames, pixels), holds those of each frame. ``lines`` were used, ``left`` is the fraction of all lines of all frames that
    were left out (outliers, saturated, not finite). ``noise`` [ADU²], shape (pixels,), is the variance of the means from differences of
    neighbouring blocks of lines: a gradient of the light is part of ``covariance``, and no part of it.
    """

    values: Floats
    covariance: Floats
    noise: Floats
    by_frame: Floats
    lines: int
    left: float

    @property
    def frames(self) -> int:
        """How many frames were averaged."""
        return int(self.by_frame.shape[0])

    def error(self, weights: Floats) -> float:
        """Standard error of a weighted sum of the pixels."""
        return sqrt(max(float(np.einsum("i,ij,j", weights, self.covariance, weights)), 0.0))

    def less(self, other: Means) -> Means:
        """Less the means of other frames, whose errors are their own."""
        return Means(
            self.values - other.values,
            self.covariance + other.covariance,
            self.noise + other.noise,
            self.by_frame - other.values,
            self.lines,
            self.left,
        )

    def linearised(self, table: Linearised, zero: slice) -> Means:
        """As a converter would tell them whose ``table`` corrects levels above the mean of the pixels ``zero``; errors by the slope of the curve at each pixel's level."""
        levels = np.maximum(self.values - self.values[zero].mean(), 0.0)
        added = np.array([table.added(level) for level in levels])
        slopes = np.array([table.slope(level) for level in levels])
        return Means(
            self.values + added,
            self.covariance * np.multiply.outer(slopes, slopes),
            self.noise * slopes**2,
            self.by_frame + added + (slopes - 1.0) * (self.by_frame - self.values),
            self.lines,
            self.left,
        )

    def widened(self, variance: float, first: int) -> Means:
        """With a variance [ADU²] more for each pixel from ``first`` on."""
        more = np.zeros(self.values.size)
        more[first:] = variance
        covariance = self.covariance + np.diag(more)
        return Means(self.values, covariance, self.noise + more, self.by_frame, self.lines, self.left)


def means_of(frames: Iterable[Floats], good: Callable[[Floats], NDArray[np.bool_]]) -> Means | None:
    """Means over the good lines of frames, each of shape (lines, pixels) [ADU], read one after the other; None with fewer than
    ``FEWEST`` good lines, or too few blocks of them."""
    total: Floats | None = None
    count = np.zeros(0)
    by_frame = []
    given = 0
    for values in frames:
        keep = good(values)
        if total is None:
            total, count = np.zeros(values.shape), np.zeros(values.shape[0])
        given += values.shape[0]
        if not keep.any():
            continue
        total[keep] += values[keep]
        count += keep
        by_frame.append(values[keep].mean(axis=0))
    if total is None or np.count_nonzero(count) < FEWEST:
        return None
    used = count > 0
    lines = total[used] / count[used][:, np.newaxis]
    left = 1.0 - float(count.sum()) / given
    return Means(lines.mean(axis=0), *scatter(lines), np.array(by_frame), int(used.sum()), left)


def scatter(lines: Floats) -> tuple[Floats, Floats]:
    """Covariance of the mean over lines, shape (pixels, pixels), and its noise, shape (pixels,), for ``lines`` of shape (lines, pixels).

    From blocks of neighbouring lines: the covariance from their scatter about the mean, the noise from how each differs from the next.
    """
    size = max(1, lines.shape[0] // BLOCKS)
    blocks = lines.shape[0] // size
    held = lines[: blocks * size].reshape(blocks, size, lines.shape[1]).mean(axis=1)
    away, steps = held - held.mean(axis=0), np.diff(held, axis=0)
    number = lines.shape[0] / size
    # summed without BLAS, whose order of adding depends on the number of threads
    found: Floats = np.einsum("bi,bj->ij", away, away) / (blocks - 1.0) / number
    return found, (steps**2).sum(axis=0) / (2.0 * (blocks - 1.0)) / number


def excess(squares: float, noise: float, dof: int, pixels: int | None = None) -> float:
    """Variance of one pixel [ADU²] that pixels have beyond noise, 0 where chance explains their scatter.

    ``squares`` are those of residuals, summed, ``noise`` what noise lets one expect of them, both [ADU²], ``dof`` how many degrees of freedom
    they come from and ``pixels`` how many they are a sum of (the same unless frames were pooled). Few pixels often underestimate
    their scatter: it is widened by Student's t to 68 % confidence.
    """
    from scipy.special import chdtrc, stdtrit

    if noise <= 0 or dof < 1 or float(chdtrc(dof, squares / noise * dof)) > _BEYOND:
        return 0.0
    widening = float(stdtrit(dof, 0.841344746068543))
    return (squares * widening**2 - noise) / (pixels or dof)


def good_lines(
    values: Floats, *, lit: int, late: slice, saturation: float, sigma: float, whole: bool
) -> NDArray[np.bool_]:
    """Lines without struck, saturated or lost pixels; ``values`` of shape (lines, pixels) [ADU].

    ``lit`` is the pixel whose light the others follow, ``late`` are pixels far from it. Each pixel less the line's late level is compared
    with its usual share of the lit pixel, so that neither drift nor a gradient of the light makes an outlier. ``sigma`` counts robust
    standard deviations; these are taken as at least half a step where values are ``whole`` numbers.
    """
    keep: NDArray[np.bool_] = np.isfinite(values).all(axis=1) & (values[:, lit] < saturation)
    if np.count_nonzero(keep) < FEWEST:
        return keep
    held = values[keep]
    away = held - held[:, late].mean(axis=1)[:, np.newaxis]
    light = float(np.median(away[:, lit]))
    if light > 0:
        share = np.median(away, axis=0) / light
        share[lit] = 0.0
        away -= share * away[:, lit : lit + 1]
    away -= np.median(away, axis=0)
    spread = np.median(np.abs(away), axis=0) * MAD_TO_SIGMA
    spread = np.maximum(spread, 0.5 if whole else 1e-6 * max(abs(light), 1.0))
    bad = np.abs(away) > sigma * spread
    bad[:, lit] = False  # the light itself may vary
    keep[np.flatnonzero(keep)[bad.any(axis=1)]] = False
    return keep
