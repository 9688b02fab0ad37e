"""Lamps and shutters: how much light an exposure gets that was told a time, as pure functions of times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def drift(when: Floats, duration: float, coefficients: Sequence[float]) -> Floats:
    """The light at times ``when`` relative to the first: 1 + k₁ (w/T) + k₂ (w/T)² + …, T the ``duration``, in the same unit."""
    at = np.asarray(when, np.float64) / duration
    light = np.ones_like(at)
    for power, k in enumerate(coefficients, start=1):
        light = light + k * at**power
    return light


def flicker(rng: np.random.Generator, count: int, scatter: float) -> Floats:
    """Factors of the light of ``count`` exposures, of standard deviation ``scatter`` about one."""
    return 1.0 + scatter * rng.standard_normal(count)


def time_open(told: Floats, offset: float, least: float = 0.0) -> Floats:
    """The times [s] that a shutter is open that was told ``told`` [s]: ``offset`` longer, and not less than ``least``."""
    return np.maximum(np.asarray(told, np.float64) + offset, least)


def attenuated(rate: float, density: float) -> float:
    """The rate of light behind a neutral filter of an optical density."""
    return rate * float(10.0 ** (-density))
