"""What electronics add to levels while they are read: periods, steps, noise that channels share. Arrays are in order of reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.floating]


def period(
    levels: Levels, amplitude: float, frequency: float, overhead: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Levels [ADU], shape (rows, columns), with a sine of that ``amplitude`` [ADU] and ``frequency`` [1/pixel] added.

    ``overhead`` is the time between the end of a row and the next, in pixels: it decides how the phase goes on from row to row. The phase
    at the first pixel is drawn.
    """
    rows, columns = levels.shape
    at = np.arange(rows)[:, np.newaxis] * (columns + overhead) + np.arange(columns)[np.newaxis, :]
    phase = rng.uniform(0.0, 2.0 * np.pi)
    out: NDArray[np.float64] = levels + amplitude * np.sin(2.0 * np.pi * frequency * at + phase)
    return out


def jump(levels: Levels, row: int, size: float) -> NDArray[np.float64]:
    """Levels [ADU] that are higher by ``size`` [ADU] from a row on."""
    out = np.array(levels, dtype=np.float64)
    out[row:] += size
    return out


def shared_noise(
    shape: tuple[int, int], sigma: float, rho: float, channels: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Noise [ADU] of several channels, shape (channels, rows, columns): each of rms ``sigma``, any two correlated by ``rho`` (0 to 1)."""
    own = rng.standard_normal((channels, *shape))
    common = rng.standard_normal(shape)
    out: NDArray[np.float64] = sigma * (np.sqrt(1.0 - rho) * own + np.sqrt(rho) * common)
    return out
