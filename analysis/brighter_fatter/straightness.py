"""The check of the correction: photon transfer straight after it.

Flats that are corrected by the kernel have to have variances that grow as their level, and covariances that do not grow at all. The kernel is of one half of the
pairs and corrects the other, for a kernel that is checked on its own pairs takes their noise away with it and always looks right. Shot noise comes in while
borders move, so that a right correction leaves a known part, κ (a ⊗ a)_ij g μ³ (see ``redistribution.REMAINDER``), which is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.brighter_fatter.area import AreaFit, fit_area, fit_first_order
from analysis.brighter_fatter.kernel import Kernel, kernel_of
from analysis.brighter_fatter.points import Corrector, Point
from analysis.brighter_fatter.quarter import Floats, convolved
from analysis.brighter_fatter.redistribution import REMAINDER, filled, redistributed

Image = NDArray[np.float32]

_NEAR = 1
"""Lags that are looked at after the correction."""
_CLOSE = 0.5
"""Where the correction of a flat ends [e⁻]: a hundredth of its noise, of one pixel of millions."""


@dataclass(frozen=True)
class Straightness:
    """What is left of the effect after the correction: ``left`` ± ``errors`` [1/e⁻], quarters of shape (2, 2).

    ``points`` are those of corrected pairs, ``fit`` theirs to first order; ``independent`` if the kernel is of other pairs; ``rounds`` the most
    that a correction took.
    """

    left: Floats
    errors: Floats
    points: tuple[Point, ...]
    fit: AreaFit
    independent: bool
    rounds: int

    @property
    def levels(self) -> int:
        """How many levels it rests on."""
        return len({p.exptime for p in self.points})


def halves(points: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """Clean points by turns of each exposure time: one half for the kernel, the other to check it on, which may be empty."""
    seen: dict[float, int] = {}
    out: tuple[list[Point], list[Point]] = [], []
    for point in points:
        turn = seen.get(point.exptime, 0)
        out[turn % 2].append(point)
        seen[point.exptime] = turn + 1
    return out


def corrector_of(kernel: Kernel, gain: float, order: int, worst: list[int]) -> Corrector:
    """What corrects a flat [ADU]; the rounds it takes are noted in ``worst``."""

    def correct(image: Image, bad: NDArray[np.bool_]) -> Image:
        # pixels that are left out anyway count as the light around them: a dead one must not spoil its neighbours
        found = redistributed(filled(image, bad) * np.float32(gain), kernel.values, order, _CLOSE)
        if not found.converged:
            raise ValueError("the correction does not converge")
        worst.append(found.rounds)
        return found.charge / np.float32(gain)

    return correct


def straightness(
    points: Sequence[Point],
    fit: AreaFit,
    kernel: Kernel,
    estimator: str,
    gain: tuple[float, float] | None,
    noise: float | None,
    order: int,
    again: Callable[[Sequence[Point], Corrector], Sequence[Point]],
) -> Straightness:
    """The check on clean ``points`` whose ``fit`` and ``kernel`` are those of all of them.

    ``gain`` is None where fits find it. ``again`` measures the pairs of points once more, corrected, to lag one. Raises ValueError when there
    are too few levels, or corrected pairs cannot be fitted.
    """
    ours, theirs = halves(points)
    needed = 3 if gain is None else 2
    independent = all(len({p.exptime for p in half}) >= max(needed, 3) for half in (ours, theirs))
    if independent:
        fit = fit_area(ours, estimator, gain, noise)
        kernel = kernel_of(fit.area, fit.covariance)
    worst: list[int] = []
    measured = [
        p
        for p in again(theirs if independent else points, corrector_of(kernel, fit.gain, order, worst))
        if p.clean
    ]
    if len({p.exptime for p in measured}) < needed:
        raise ValueError("too few corrected pairs are left")
    known = REMAINDER[order] * convolved(kernel.area, kernel.area, _NEAR) * fit.gain
    straight = [replace(p, matrix=_matrix(p) - known * p.level**3) for p in measured]
    found = fit_first_order(straight, gain)
    errors = found.errors[: _NEAR + 1, : _NEAR + 1]
    if independent:
        errors = np.hypot(errors, _of_kernel(fit))
    return Straightness(found.area, errors, tuple(measured), found, independent, max(worst, default=0))


def _matrix(point: Point) -> Floats:
    assert point.matrix is not None
    return point.matrix


def _of_kernel(fit: AreaFit) -> Floats:
    """Errors of a_ij g over g: the correction of frames in ADU knows only the product."""
    near = slice(0, _NEAR + 1)
    errors, area = fit.errors[near, near].copy(), fit.area[near, near]
    relative = fit.gain_error / fit.gain
    variance = errors**2 + (area * relative) ** 2
    variance[0, 0] += 2.0 * area[0, 0] * fit.gain_covariance / fit.gain
    out: Floats = np.sqrt(np.maximum(variance, 0.0))
    return out


def ratio(left: tuple[float, float], before: tuple[float, float]) -> tuple[float, float]:
    """One value over another with its error."""
    value = left[0] / before[0]
    return value, sqrt(left[1] ** 2 + (value * before[1]) ** 2) / abs(before[0])
