"""How the residual fades: an exponential and a power law, each integrated over the darks' exposures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.persistence.residual import Residual
from campaign.frozen import dataclass

Floats = NDArray[np.float64]
Law = Callable[[Floats, Floats, float], Floats]
"""Charge released from ``t`` to ``t + T`` [s] for a constant of decay, up to a factor."""


@dataclass(frozen=True)
class Fade:
    """A law fitted to residuals: ``first`` is that of the first dark [ADU], ``constant`` ± ``error`` the time [s] or the index.

    ``chance`` that residuals of this law scatter as much; None without a degree of freedom. ``curve`` is for drawing: seconds and ADU.
    """

    law: str
    constant: float
    error: float
    first: float
    chi2: float
    dof: int
    chance: float | None
    curve: tuple[Floats, Floats]


def exponential(t: Floats, T: Floats, tau: float) -> Floats:
    """Traps of one time constant τ [s] (first-order release)."""
    return np.asarray(np.exp(-t / tau) * -np.expm1(-T / tau), np.float64)


def power_law(t: Floats, T: Floats, index: float) -> Floats:
    """Traps of very many time constants: the rate falls as t^−p (R. M. Smith et al., 2008, Proc. SPIE 7021, 70210J)."""
    a, b = np.maximum(t, 1e-3), np.maximum(t, 1e-3) + T
    if abs(index - 1.0) < 1e-6:
        return np.asarray(np.log(b / a), np.float64)
    return np.asarray((b ** (1.0 - index) - a ** (1.0 - index)) / (1.0 - index), np.float64)


LAWS: dict[str, Law] = {"exponential": exponential, "power law": power_law}


def fade(residuals: Sequence[Residual], law: str) -> Fade | str:
    """A law fitted to at least three residuals by generalised least squares; else a coded reason (``contract.REASONS``).

    The covariance of the residuals is diagonal but for the reference, which all share. Errors are those of the linearised fit at
    its minimum (Gauss–Newton), which hold while the constant is known to some ten per cent.
    """
    timed = [r for r in residuals if r.since is not None and r.time is not None and r.time > 0]
    if len(timed) < 3:
        return "exposure-time-unknown" if len(residuals) >= 3 else "too-few-frames"
    t = np.array([r.since for r in timed], np.float64)
    T = np.array([r.time for r in timed], np.float64)
    y = np.array([r.value for r in timed], np.float64)
    if not timed[0].value > 3.0 * timed[0].error:
        return "not-reached"
    shape = LAWS[law]
    covariance = np.diag([r.own for r in timed]) + min(r.common for r in timed)
    spread = float(np.max(t + T) - np.min(t))
    start = _start(t, T, y, law)

    def model(_: Floats, first: float, log_constant: float) -> Floats:
        constant = float(np.exp(log_constant))
        released = shape(t, T, constant)
        return np.asarray(first * released / max(released[0], 1e-300), np.float64)

    import warnings

    from scipy.optimize import OptimizeWarning, curve_fit

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", OptimizeWarning)
            found, errors = curve_fit(
                model, t, y, p0=(y[0], np.log(start)), sigma=covariance, absolute_sigma=True, maxfev=2000
            )
    except (RuntimeError, ValueError, np.linalg.LinAlgError):
        return "bad-fit"
    log_error = sqrt(errors[1, 1]) if isfinite(errors[1, 1]) and errors[1, 1] >= 0 else np.inf
    constant = float(np.exp(np.clip(found[1], -700, 700)))
    # what the darks do not reach: a time so short or long that they only bound it
    if not log_error < 0.5 or not isfinite(constant):
        return "not-reached"
    if law == "exponential" and not 1e-2 * float(np.min(T)) < constant < 1e2 * spread:
        return "not-reached"
    off = y - model(t, *found)
    chi2, dof = float(off @ np.linalg.solve(covariance, off)), len(timed) - 2
    from scipy.special import chdtrc

    grid = np.geomspace(max(float(t.min()), 1.0), float(t.max()), 60)
    T_mean = np.full(grid.shape, float(T.mean()))
    scale = found[0] / shape(t[:1], T[:1], constant)[0]
    curve = (grid, np.asarray(scale * shape(grid, T_mean, constant), np.float64))
    return Fade(
        law, constant, constant * log_error, float(found[0]), chi2, dof, float(chdtrc(dof, chi2)), curve
    )


def _start(t: Floats, T: Floats, y: Floats, law: str) -> float:
    """The constant that least squares of the values alone prefer, of a grid."""
    span = float(np.max(t + T) - np.min(t))
    grid = np.geomspace(0.02 * span, 20.0 * span, 40) if law == "exponential" else np.geomspace(0.1, 4.0, 40)
    best, least = float(grid[20]), np.inf
    for constant in grid:
        released = LAWS[law](t, T, float(constant))
        power = float(released @ released)
        if power <= 0:
            continue
        left = float(((y - released * (released @ y) / power) ** 2).sum())
        if left < least:
            best, least = float(constant), left
    return best
