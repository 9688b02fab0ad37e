"""Extended pixel edge response: charge found behind the last image pixel, over that pixel and its transfers.

Janesick, Scientific Charge-Coupled Devices (2001), chapter 5. For a register that leaves the fraction c of each packet behind at each of N
transfers, the i-th pixel after a uniformly lit image holds S·P(X ≥ i), X binomial with N trials of chance c: the sum over all is exactly N·c·S
also where charge is deferred repeatedly.
"""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.lines import Means, excess
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

TAIL = 4.0
"""σ from which the pixels after those summed are believed to hold a tail."""
_NEAR = 3  # pixels after those summed that would show a tail


@dataclass(frozen=True)
class Edge:
    """Pixels around the end of the image of one level, and the offset found from the late ones.

    ``means`` are of the last image pixel and of those after it. ``offset`` [ADU] is ``weights`` · means (to first order where a tail was fitted).
    ``tail`` is (amplitude [ADU] at pixel 0, decay [pixels]) of the exponential that late pixels show, None where they show none. ``structure``
    [ADU] is by how much late pixels scatter beyond noise.
    """

    means: Means
    offset: float
    weights: Floats
    tail: tuple[float, float] | None = None
    structure: float = 0.0
    poor: bool = False

    @property
    def signal(self) -> float:
        """Level of the last image pixel above the offset [ADU]."""
        return float(self.means.values[0]) - self.offset

    @property
    def signal_error(self) -> float:
        """Its standard error [ADU]: noise, and the offset's; how light varies over the lines is no error of their mean."""
        return sqrt(float(self.means.noise[0]) + self.means.error(self.weights) ** 2)

    @property
    def after(self) -> Floats:
        """The pixels after the image, above the offset [ADU]."""
        return self.means.values[1:] - self.offset

    def deferred(self, pixels: int) -> tuple[float, float]:
        """Charge in the first pixels after the image [ADU], and its error, that of the offset included.

        The error is that of its ratio to the last image pixel and that of this pixel: neither grows with a gradient of the light.
        """
        ratio, error = self.ratio(pixels)
        return float(self.after[:pixels].sum()), hypot(self.signal * error, ratio * self.signal_error)

    def ratio(self, pixels: int, first: int = 1) -> tuple[float, float]:
        """Charge in pixels ``first`` … ``pixels`` after the image over the last image pixel, and its error.

        What varies from line to line in proportion (a gradient of the light) does not enter: the error is that of the ratio.
        """
        value = float(self.after[first - 1 : pixels].sum()) / self.signal
        return value, self.means.error(self._ratio_weights(pixels, first, value))

    def ratios_by_frame(self, pixels: int) -> Floats:
        """The same of each frame with the first pixels, to first order about the mean of all frames."""
        value = self.ratio(pixels)[0]
        weights = self._ratio_weights(pixels, 1, value)
        away: Floats = self.means.by_frame - self.means.values
        found: Floats = value + np.einsum("fi,i->f", away, weights)
        return found

    def residual_covariance(self) -> Floats:
        """Covariance [ADU²] of the pixels after the image less their share of the last image pixel, shape (trailing, trailing)."""
        turn = np.zeros((self.after.size, self.after.size + 1))
        turn[:, 0] = -self.after / self.signal
        turn[:, 1:] = np.eye(self.after.size)
        found: Floats = np.einsum("ij,jk,lk->il", turn, self.means.covariance, turn)
        return found

    @property
    def pixel_errors(self) -> Floats:
        """Standard errors of the pixels after the image [ADU], that of the offset left out."""
        # rounding may leave a variance of nothing below zero
        errors: Floats = np.sqrt(np.maximum(np.diag(self.residual_covariance()), 0.0))
        return errors

    def _sum(self, pixels: int, first: int = 1) -> Floats:
        weights = -self.weights * (pixels - first + 1)
        weights[first : pixels + 1] += 1.0
        return weights

    def _ratio_weights(self, pixels: int, first: int, value: float) -> Floats:
        weights = self._sum(pixels, first) + value * self.weights
        weights[0] -= value
        return weights / self.signal


def late_pixels(trailing: int, summed: int) -> slice:
    """Which of (last image pixel, trailing pixels) tell the offset where there is no tail: the later half."""
    return slice(1 + max(summed, trailing // 2), 1 + trailing)


def edge_of(means: Means, summed: int) -> Edge:
    """The offset, by the later half of the pixels; where those after the ``summed`` show a tail, by a fit of offset and exponential.

    Raises ValueError when no pixel is left after those summed.
    """
    trailing = means.values.size - 1
    late = late_pixels(trailing, summed)
    if trailing <= summed:
        raise ValueError(f"{trailing} pixels after the image leave none for the offset")
    plain = np.zeros(means.values.size)
    plain[late] = 1.0 / (late.stop - late.start)
    offset = float(plain @ means.values)
    near = slice(1 + summed, min(1 + summed + _NEAR, late.start))
    if near.stop > near.start and trailing - summed >= 5:
        step = -plain
        step[near] += 1.0 / (near.stop - near.start)
        means_with, structure = _structured(means, late, plain)
        if abs(float(step @ means.values)) > TAIL * max(means_with.error(step), 1e-12 * abs(offset)):
            return _with_tail(means, summed, offset, plain)
        return Edge(means_with, offset, plain, None, structure)
    means, structure = _structured(means, late, plain)
    return Edge(means, offset, plain, None, structure)


def _structured(means: Means, late: slice, plain: Floats) -> tuple[Means, float]:
    """The means with the variance by which late pixels scatter about their mean beyond noise, and its root."""
    n = late.stop - late.start
    if n < 3:
        return means, 0.0
    out = np.eye(n) - 1.0 / n
    return _widened(
        means, means.values[late], means.by_frame[:, late], means.covariance[late, late], out, n - 1
    )


def _widened(
    means: Means, values: Floats, by_frame: Floats, covariance: Floats, out: Floats, dof: int
) -> tuple[Means, float]:
    """Means whose trailing pixels bear the variance that residuals have beyond noise, and its root.

    ``out`` makes residuals of ``values``, shape (pixels,), and of those of each frame. What is the same in all frames shows in the mean's residuals; what
    differs from frame to frame (drift of rows) shows in those of each, of which there are more.
    """
    noise = float(np.einsum("ij,jk,ik->", out, covariance, out))
    steady = float((np.einsum("ij,j->i", out, values) ** 2).sum())
    frames = len(by_frame)
    each = float((np.einsum("ij,fj->fi", out, by_frame) ** 2).sum()) / frames**2
    more = max(excess(steady, noise, dof), excess(each, noise, frames * dof, dof))
    return (means.widened(more, 1), sqrt(more)) if more else (means, 0.0)


def _with_tail(means: Means, summed: int, offset: float, plain: Floats) -> Edge:
    """Offset and exponential through all pixels after those summed, least squares; with the plain offset where that fails."""
    from scipy.optimize import least_squares

    pixels = np.arange(1 + summed, means.values.size, dtype=np.float64)
    held = means.values[1 + summed :]
    sigma = np.sqrt(np.maximum(np.diag(means.covariance)[1 + summed :], 1e-30))
    longest = float(pixels.size)

    def shape(decay: float) -> Floats:
        found: Floats = np.exp(-(pixels - pixels[0]) / decay)
        return found

    def residual(p: Floats) -> Floats:
        found: Floats = (held - p[0] - p[1] * shape(p[2])) / sigma
        return found

    start = (offset, held[0] - offset, min(3.0, longest / 2))
    fit = least_squares(
        residual, start, bounds=((-np.inf, -np.inf, 0.2), (np.inf, np.inf, longest)), x_scale=(1.0, 1.0, 1.0), xtol=1e-12,
        ftol=1e-14, gtol=1e-14,
    )  # fmt: skip
    decay = float(fit.x[2])
    if not fit.success or decay > 0.999 * longest:
        return Edge(means, offset, plain, poor=True)
    if decay < 0.201:  # gone before the late pixels begin
        return Edge(means, offset, plain)
    jacobian = np.column_stack((
        np.ones_like(pixels), shape(decay), fit.x[1] * shape(decay) * (pixels - pixels[0]) / decay**2,
    )) / sigma[:, np.newaxis]  # fmt: skip
    hat = np.linalg.pinv(jacobian)
    weights = np.zeros(means.values.size)
    weights[1 + summed :] = hat[0] / sigma
    # residuals about the fit that is linear here, as those of each frame
    out = np.eye(pixels.size) - (sigma[:, np.newaxis] * jacobian) @ (hat / sigma)
    behind = slice(1 + summed, means.values.size)
    left = held - fit.x[0] - fit.x[1] * shape(decay)
    each = means.by_frame[:, behind] - held + left
    wide, structure = _widened(means, left, each, means.covariance[behind, behind], out, pixels.size - 3)
    amplitude = float(fit.x[1] * np.exp(pixels[0] / decay))
    return Edge(wide, float(fit.x[0]), weights, (amplitude, decay), structure)


def cti_of(ratio: float, error: float, transfers: int, pixels: int) -> tuple[float, float]:
    """CTI and its error from the ratio of deferred charge in the first ``pixels`` to the last image pixel.

    Charge deferred more than ``pixels`` times lies beyond those summed (at N·c = 0.2 half a per cent of two); it is put back by inverting the
    sum of P(X ≥ i), X Poisson distributed with mean N·c. Where more than half of a packet lies behind, no register works like that, and the plain
    ratio is told. The last image pixel itself has lost a fraction c more than it received, which is allowed for.
    """
    from scipy.special import gammainc, pdtr

    if ratio <= 0 or ratio > 0.5:
        return ratio / transfers, error / transfers
    counts = np.arange(1, pixels + 1)
    mean = ratio
    slope = 1.0
    for _ in range(50):
        found = float(gammainc(counts, mean).sum())
        slope = float(pdtr(pixels - 1, mean))  # the sum's derivative
        step = (ratio - found) / max(slope, 1e-6)
        mean = min(max(mean + step, 0.1 * mean), 10.0 * mean)
        if abs(step) <= 1e-14 * mean:
            break
    cti = mean / transfers
    return cti / (1.0 + cti), error / max(slope, 1e-6) / transfers
