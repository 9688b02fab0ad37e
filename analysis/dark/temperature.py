"""The temperature law of the dark current, where frames of several temperatures were taken."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.dark.level import dark_current, levels_of
from campaign.frozen import dataclass
from campaign.geometry import Channel

BOLTZMANN = 8.617333262e-5
"""eV/K."""

MEYER_NELDEL = 0.0253
"""Characteristic energy of the Meyer–Neldel rule in silicon CCDs [eV] (Widenhorn et al. 2002)."""

_ZERO = 273.15
_APART = 0.5
_STEPS = 100


@dataclass(frozen=True)
class Rates:
    """Dark currents ± errors [ADU/s] of some temperatures [°C], the lowest first."""

    temperatures: NDArray[np.float64]
    rates: NDArray[np.float64]
    errors: NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """An Arrhenius law: ``rate`` [ADU/s] at ``temperature`` [°C], activation ``energy`` ± ``error`` [eV]; χ² over its degrees of freedom.

    ``scatter`` says that the error is from the scatter about the law.
    """

    rate: float
    temperature: float
    energy: float
    error: float
    chi2: float
    dof: int
    scatter: bool

    def at(self, temperature: NDArray[np.float64]) -> NDArray[np.float64]:
        """The dark current [ADU/s] at temperatures [°C]."""
        there = 1.0 / (temperature + _ZERO) - 1.0 / (self.temperature + _ZERO)
        out: NDArray[np.float64] = self.rate * np.exp(-self.energy / BOLTZMANN * there)
        return out

    @property
    def doubling(self) -> tuple[float, float]:
        """Warming that doubles the dark current and its error [K]."""
        value = BOLTZMANN * (self.temperature + _ZERO) ** 2 * log(2.0) / self.energy
        return value, abs(value * self.error / self.energy)

    @property
    def prefactor(self) -> float:
        """D₀₀ of the form of Meyer and Neldel [ADU/s]."""
        return self.rate * exp(
            self.energy / (BOLTZMANN * (self.temperature + _ZERO)) - self.energy / MEYER_NELDEL
        )


def rates_of(darks: Sequence[FrameInput], biases: Sequence[FrameInput], channel: Channel) -> Rates | None:
    """Dark currents of the temperatures at which there are dark frames; None where a temperature or an offset is not known.

    Frames belong together while the next temperature is less than half a degree away. Bias frames serve where no other are nearer to that temperature.
    """
    known = [(t, f) for f in darks if (t := _temperature(f)) is not None]
    if len(known) < len(darks) or not known:
        return None
    known.sort(key=lambda k: k[0])
    groups: list[list[tuple[float, FrameInput]]] = [[known[0]]]
    for one in known[1:]:
        if one[0] - groups[-1][-1][0] >= _APART:
            groups.append([])
        groups[-1].append(one)
    at, rates, errors = [], [], []
    for group in groups:
        middle = float(np.mean([t for t, _ in group]))
        nearest = _nearest(biases, middle)
        current = dark_current(levels_of([f for _, f in group], nearest, channel))
        if current is None:
            return None
        at.append(middle)
        rates.append(current.value)
        errors.append(current.error)
    return Rates(np.array(at), np.array(rates), np.array(errors))


def law_of(found: Rates) -> Law | None:
    """The Arrhenius law that fits dark currents of two temperatures or more best; None when it does not converge.

    Gauss–Newton on the currents themselves, not their logarithms: one that came out negative counts with its error like any other.
    """
    positive = found.rates > 2.0 * found.errors
    if positive.sum() < 2:
        return None
    from scipy import special

    kelvin = found.temperatures + _ZERO
    middle = float(kelvin[positive].mean())
    x = (1.0 / kelvin - 1.0 / middle) / BOLTZMANN
    w = 1.0 / np.maximum(found.errors, 1e-12) ** 2
    slope, level = np.polyfit(x[positive], np.log(found.rates[positive]), 1)
    at = np.array([float(level), -float(slope)])
    damping = 1e-3
    covariance = np.zeros((2, 2))

    def squares(of: NDArray[np.float64]) -> float:
        return float((w * (found.rates - np.exp(of[0] - of[1] * x)) ** 2).sum())

    best = squares(at)
    for _ in range(_STEPS):
        model = np.exp(at[0] - at[1] * x)
        design = np.stack([model, -x * model], axis=1)
        normal = design.T @ (w[:, np.newaxis] * design)
        right = design.T @ (w * (found.rates - model))
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), right)
        new = squares(at + step)
        if not new <= best:
            damping *= 10.0
            if damping > 1e12:
                break
            continue
        at, damping, done = at + step, damping * 0.1, best - new < 1e-12 * max(best, 1e-12)
        best = new
        covariance = np.linalg.inv(normal)
        if done:
            break
    if not np.isfinite(at).all() or covariance[1, 1] <= 0 or at[1] <= 0:
        return None
    error, dof = sqrt(float(covariance[1, 1])), found.rates.size - 2
    scatter = dof > 0 and bool(special.chdtrc(dof, best) < 0.001)
    if scatter:
        error *= sqrt(best / dof) * float(special.stdtrit(dof, 0.841344746068543))
    return Law(float(np.exp(at[0])), middle - _ZERO, float(at[1]), error, best, dof, scatter)


def _temperature(frame: FrameInput) -> float | None:
    found = frame.frame.fields.get("temperature")
    if (
        isinstance(found, int | float)
        and not isinstance(found, bool)
        and np.isfinite(found)
        and found > -_ZERO
    ):
        return float(found)
    return None


def _nearest(biases: Sequence[FrameInput], temperature: float) -> list[FrameInput]:
    """The bias frames nearest to a temperature, within half a degree of one another; all where one's is not known."""
    known = [_temperature(b) for b in biases]
    if not biases or any(t is None for t in known):
        return list(biases)
    away = np.array([abs(t - temperature) for t in known if t is not None])
    return [b for b, d in zip(biases, away, strict=True) if d <= away.min() + _APART]
