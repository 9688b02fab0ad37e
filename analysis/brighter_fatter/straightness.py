"""The check of the correction: photon transfer straight after it.

Flats that are corrected by the kernel have to have variances that grow as their level, and covariances that do not grow at all. The kernel is of one half of the
pairs and corrects the other, for a kernel that is checked on its own pairs takes their noise away with it and always looks right.

Pixels are really corrected in a window alone. What the correction does to the faint waves of even light is known: it divides them by T(k) (see
``redistribution.transfer``), and their power by T². So covariances of the whole channel are taken through that law, and what the correction of the window did
beyond it is added:

    C′(whole) = 𝓕⁻¹[𝓕 C(whole) / T²] + C′(window) − 𝓕⁻¹[𝓕 C(window) / T²]

The last two are of the same pixels, so that their noise goes: what is left of it is at most a hundredth (simulated to |a₀₀| μ g = 0.5), and is added to the errors,
which else are those of all pixels. A window of 128 × 128 of 2048 × 2048 pixels enlarges them by a hundredth; corrected alone it would, sixteenfold.

Shot noise comes in while borders move, so that even a right correction, which is that of a steady light, leaves a known part. To all orders in y = ã μ g, by wave,

    C̃′ = μ/g (exp 2y − 1)/2y / T(y)²,    which is μ/g [1 + y²/12 + …] for order 2, μ/g [1 + 5y²/12 + …] for order 1

All of it beyond μ/g is taken off: at y = −0.5 the terms that are not written out are a fifth of the first for order 1, a twentieth for order 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.brighter_fatter.area import fit_area, fit_first_order
from analysis.brighter_fatter.area_fit import AreaFit
from analysis.brighter_fatter.kernel import Kernel, kernel_of
from analysis.brighter_fatter.points import Corrector, Point
from analysis.brighter_fatter.quarter import Floats, transformed
from analysis.brighter_fatter.redistribution import filled, redistributed, transfer
from analysis.brighter_fatter.uncertainty import power_of, side_of
from campaign.frozen import dataclass

Image = NDArray[np.float32]

_NEAR = 1
"""Lags that are looked at after the correction."""
_BEYOND = 0.01
"""Scatter of what a correction does beyond its law, over that of the covariances of the same pixels."""


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
    """Clean points by turns, in order of exposure time: one half for the kernel, the other to check it on. One of a single point is empty."""
    ladder = sorted(points, key=lambda p: p.exptime)
    return ladder[::2], ladder[1::2]


def corrector_of(kernel: Kernel, gain: float, order: int, worst: list[int]) -> Corrector:
    """What corrects a flat [ADU]; the rounds it takes are noted in ``worst``."""

    def correct(image: Image, bad: NDArray[np.bool_]) -> Image:
        # pixels that are left out anyway count as the light around them: a dead one must not spoil its neighbours
        found = redistributed(filled(image, bad) * np.float32(gain), kernel.values, order)
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
    again: Callable[[Point, Corrector], tuple[Point, Point]],
) -> Straightness:
    """The check on clean ``points`` whose ``fit`` and ``kernel`` are those of all of them.

    ``gain`` is None where fits find it. ``again`` measures the window of a point's pair as it is, and corrected. Raises ValueError when there
    are too few levels, or corrected pairs cannot be fitted.
    """
    ours, theirs = halves(points)
    needed = 3 if gain is None else 2
    independent = all(len({p.exptime for p in half}) >= max(needed, 3) for half in (ours, theirs))
    if independent:
        fit = fit_area(ours, estimator, gain, noise)
        kernel = kernel_of(fit.area, fit.covariance)
    worst: list[int] = []
    corrector = corrector_of(kernel, fit.gain, order, worst)
    measured = []
    for point in theirs if independent else points:
        before, after = again(point, corrector)
        if before.clean and after.clean:
            measured.append(_joined(point, before, after, kernel.area * fit.gain, order))
    if len({p.exptime for p in measured}) < needed:
        raise ValueError("too few corrected pairs are left")
    straight = [
        replace(p, matrix=_matrix(p) - left_over(kernel.area, fit.gain, p.level, order)) for p in measured
    ]
    found = fit_first_order(straight, gain)
    errors = found.errors
    if independent:
        errors = np.hypot(errors, _of_kernel(fit))
    return Straightness(found.area, errors, tuple(measured), found, independent, max(worst, default=0))


def _joined(point: Point, before: Point, after: Point, area: Floats, order: int) -> Point:
    """The point of the whole channel as it would be corrected, to lag one; ``area`` [1/ADU] are the kernel's coefficients times the gain."""
    assert point.counts is not None and after.counts is not None
    near = slice(0, _NEAR + 1)
    counts = 1.0 / (1.0 / point.counts[near, near] + _BEYOND**2 / after.counts[near, near])
    law, of_window = (by_law(_matrix(p), area * p.level, order) for p in (point, before))
    beyond = _matrix(after)[near, near] - of_window
    return replace(point, matrix=law + beyond, counts=np.rint(counts).astype(np.int64))


def by_law(matrix: Floats, strength: Floats, order: int) -> Floats:
    """Covariances [ADU²], to lag one, as the correction leaves those of even light whose charge is ``strength`` over the coefficients of area; quarters."""
    side = side_of(matrix)
    power = transformed(matrix, side).real / transfer(transformed(strength, side).real, order) ** 2
    out: Floats = np.fft.irfft2(power, s=(side, side))[: _NEAR + 1, : _NEAR + 1]
    return out


def left_over(area: Floats, gain: float, level: float, order: int) -> Floats:
    """What a right correction leaves of covariances at a level [ADU] beyond the light's own, to lag one [ADU²], of coefficients ``area`` [1/e⁻]."""
    side = side_of(area)
    strength = transformed(area, side).real * gain * level
    power = power_of(area, np.array([level]), gain, 0.0)[0] / transfer(strength, order) ** 2
    out: Floats = np.fft.irfft2(power, s=(side, side))[: _NEAR + 1, : _NEAR + 1]
    out[0, 0] -= level / gain
    return out


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
