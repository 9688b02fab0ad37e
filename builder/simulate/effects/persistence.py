"""Persistence: charge that traps hold back from a bright exposure, and give off in later ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]


def trapped(charge: Map, onset: float, fraction: float, rng: np.random.Generator, spread: float = 0.0) -> Map:
    """Charge [e⁻] that each pixel's traps hold after an exposure of ``charge`` [e⁻], shape (rows, columns).

    Traps fill by ``fraction`` of the charge beyond ``onset`` [e⁻]. Pixels differ by the relative ``spread`` (standard deviation of a gamma
    distribution of mean 1).
    """
    held = fraction * np.maximum(charge - onset, 0.0)
    if spread > 0:
        held = held * rng.gamma(1.0 / spread**2, spread**2, charge.shape)
    return np.asarray(held, np.float64)


def released(held: Map, since: float, time: float, tau: float) -> Map:
    """Charge [e⁻] expected in an exposure of ``time`` [s] that begins ``since`` [s] after the light: traps of one time constant ``tau`` [s]."""
    return np.asarray(held * (np.exp(-since / tau) - np.exp(-(since + time) / tau)), np.float64)


def released_by_power(held: Map, since: float, time: float, index: float, scale: float = 1.0) -> Map:
    """The same of traps of many time constants: the rate is ``held`` · ``scale``⁻¹ (t / ``scale``)^−``index`` [e⁻/s]. Raises ValueError for index 1."""
    if index == 1.0:
        raise ValueError("the integral of 1/t is a logarithm, which is not made here")
    power = 1.0 - index
    total = (((since + time) / scale) ** power - (since / scale) ** power) / power
    return np.asarray(held * total, np.float64)


def given_off(expected: Map, rng: np.random.Generator) -> Map:
    """What is given off in one exposure [e⁻], for its expectation: Poisson distributed."""
    return rng.poisson(expected).astype(np.float64)
