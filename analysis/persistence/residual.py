"""What is left in later darks where the light saturated: the masked difference to the darks before."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.persistence.averages import LEAST, SETTLES, quantiles, settled
from analysis.persistence.background import Ground
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Residual:
    """The residual of one dark after the light [ADU]: mean within the mask less that outside, in the difference to the reference.

    ``outside`` ± ``outside_error`` is the control: the level outside the mask. ``since`` the light ended [s], for ``time`` [s]. Of ``n`` pixels within and
    ``n_outside``; the variances [ADU²] of one dark's pixel outside the mask (``single``) and within it (``within``), which that of the mean of ``references``
    darks adds to; ``loss`` by which the variance of the average exceeds that of a mean, ``structure`` what the background's adds; ``scatter`` that of
    the values averaged [ADU²], of ``mask`` pixels that saturated.
    """

    exposure: str
    since: float | None
    time: float | None
    value: float
    n: int
    n_outside: int
    single: float
    within: float
    references: int
    outside: float
    outside_error: float
    loss: float = 1.0
    structure: float = 0.0
    scatter: float = 0.0
    mask: int = 0

    @property
    def own(self) -> float:
        """Variance of the value from this dark alone [ADU²]."""
        noise = self.loss * self.within / self.n + self.single / self.n_outside
        return noise + self.structure + self.left_out

    @property
    def left_out(self) -> float:
        """Variance of the value from pixels of the mask that are left out, whose residuals are not those of the others: mean of a part of a finite population [ADU²]."""
        if self.mask <= self.n:
            return 0.0
        unlike = max(self.scatter - self.within - self.single / self.references, 0.0)
        return unlike * (1.0 / self.n - 1.0 / self.mask)

    @property
    def common(self) -> float:
        """Variance of the value from the reference, which all darks share [ADU²]."""
        return self.single / self.references * (self.loss / self.n + 1.0 / self.n_outside)

    @property
    def error(self) -> float:
        """Standard error of the value [ADU]."""
        return sqrt(self.own + self.common)


def residual(
    frame: FrameInput,
    held: NDArray[np.float32],
    ground: Ground,
    references: int,
    *,
    since: float | None,
    shot: float | None,
    sigma: float,
    statistic: str,
    cleaned: bool,
) -> Residual | None:
    """The residual of the pixels ``held`` within the mask, those that are not used NaN; None where too few are left.

    Pixel noise is that outside the mask, of which 1/(N + 1) is the mean of N reference frames and common to all darks; within it the shot noise of
    the residual itself is added: ``shot`` times the residual [ADU], one over the gain. That pixels hold back different amounts is no error of their
    mean. With None for it the scatter within the mask is taken, which holds those differences too and is no less than the noise. Pixels that
    were ``cleaned`` of cosmic rays by another dark are averaged as they are, others clipped about themselves.
    """
    used = held[np.isfinite(held)]
    if used.size < LEAST:
        return None
    core = settled(used, sigma) if statistic == "clipped mean" and not cleaned else None
    if core is not None:
        n, mean = core.n, core.mean
    else:
        n = used.size
        mean = (
            float(quantiles(used, (0.5,))[0]) if statistic == "median" else float(used.mean(dtype=np.float64))
        )
    value = mean - ground.level
    common = ground.variance / (references + 1)
    single = ground.variance - common
    wide = float(used.var(dtype=np.float64)) if core is None else core.variance
    within = single + max(value, 0.0) * shot if shot is not None else max(wide - common, single)
    loss = _of_median(used, within + common) if statistic == "median" else 1.0
    return Residual(
        frame.frame.exposure, since, frame.frame.exptime, value, n, ground.n, single, within, references, ground.control, ground.control_error, loss, ground.structure,
        wide, held.size,
    )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Two darks after the light compared within the mask: ``struck`` pixels, in which one of them has what the other has not.

    The first less ``ratio`` times the second has the ``variance`` [ADU²] without them: what pixels hold back cancels in it.
    """

    struck: NDArray[np.bool_]
    ratio: float
    variance: float


def compared(first: NDArray[np.float32], second: NDArray[np.float32], sigma: float) -> Compared:
    """Compare the values of two darks, less their backgrounds, pixel by pixel; NaN where there are none."""
    both = np.isfinite(first) & np.isfinite(second)
    struck = np.zeros(first.shape, bool)
    at = np.flatnonzero(both)
    if at.size < LEAST:
        return Compared(struck, 1.0, 0.0)
    some = at[:: max(1, at.size // SETTLES)]
    one, other = float(np.median(first[some])), float(np.median(second[some]))
    # where nothing is left to scale by, or far less than in the first, plain differences serve as well
    ratio = float(np.clip(one / other, 1.0 / 3.0, 3.0)) if one > 0 and other > 0 else 1.0
    off = first - np.float32(ratio) * second
    core = settled(off if at.size == off.size else off[both], sigma)
    off -= np.float32(core.mean)
    with np.errstate(invalid="ignore"):
        struck = np.abs(off, out=off) > np.float32(sigma * max(core.std, 1e-30))
    return Compared(struck, ratio, core.variance)


def _of_median(held: NDArray[np.float32], variance: float) -> float:
    """How much larger the variance of the median is than that of the mean of as many pixels, of noise ``variance`` each.

    Noise σ carries √(n f σ / √π) pixels over the median, f being the density of values there, and each moves it by 1/(n f). For noise alone that is √2
    where π/2 is exact, so that it is scaled to be.
    """
    q40, q60 = quantiles(held, (0.4, 0.6))
    if not (q60 > q40 and variance > 0):
        return pi / 2.0
    return pi / (2.0 * sqrt(2.0)) * float(q60 - q40) / (0.2 * sqrt(pi * variance))


def shot_of(pair: Compared, one: Residual, other: Residual) -> float | None:
    """Variance per ADU of residual, one over the gain, where none is known; None where the two darks do not tell.

    The variance of one less r times the other is that of the noise: σ² (1 + r²) + σ²/N (1 − r)² + s (P + r² P').
    """
    if not (one.value > 5.0 * one.error and other.value > 5.0 * other.error and pair.variance > 0):
        return None
    r = pair.ratio
    noise = one.single * (1.0 + r**2) + one.single / one.references * (1.0 - r) ** 2
    return max((pair.variance - noise) / (one.value + r**2 * other.value), 0.0)
