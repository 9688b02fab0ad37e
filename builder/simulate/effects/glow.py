"""Glow: light that the detector's own amplifier gives off, and light that leaks in from outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def amplifier_glow(shape: tuple[int, int], peak: float, reach: float) -> NDArray[np.float64]:
    """Rate of charge [e⁻/s], shape (rows, columns), in order of reading: ``peak`` beside the readout node, falling by e in ``reach`` pixels."""
    y, x = np.arange(shape[0])[:, np.newaxis], np.arange(shape[1])[np.newaxis, :]
    out: NDArray[np.float64] = peak * np.exp(-np.hypot(y, x) / reach)
    return out


def leak(times: NDArray[np.floating], rate: float, growth: float) -> NDArray[np.float64]:
    """Rate of charge [e⁻/s] that leaks in at some times [s]: ``rate`` at time zero, changing by ``growth`` [e⁻/s per s]."""
    out: NDArray[np.float64] = rate + growth * np.asarray(times, dtype=np.float64)
    return out


def arrhenius(temperature: float, at: float, rate: float, energy: float) -> float:
    """Dark current [e⁻/s] at a temperature [°C]: ``rate`` at the temperature ``at`` [°C], activation energy in eV."""
    boltzmann = 8.617333262e-5
    return float(rate * np.exp(-energy / boltzmann * (1.0 / (temperature + 273.15) - 1.0 / (at + 273.15))))
