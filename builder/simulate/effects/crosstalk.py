"""Crosstalk: part of each channel's signal in the others that are converted at the same moment, and noise that they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from campaign.geometry import Corner

Map = NDArray[np.float64]
Kind = TypeVar("Kind", bound=np.generic)


def as_read(image: NDArray[Kind], corner: Corner) -> NDArray[Kind]:
    """A view of a channel's image with the pixel beside its readout ``corner`` at [0, 0]; the same again turns it back."""
    rows = slice(None, None, -1 if corner in ("upper-left", "upper-right") else 1)
    columns = slice(None, None, -1 if corner in ("lower-right", "upper-right") else 1)
    return image[rows, columns]


def coupled(
    signals: Mapping[str, Map], matrix: Mapping[tuple[str, str], float], slope: float = 0.0
) -> dict[str, Map]:
    """Signals [ADU above the offset] with the others' crosstalk, all in the order of readout and of one shape.

    ``matrix`` is by (victim, aggressor), what is not in it does not couple; a coefficient changes by the relative ``slope`` per 10⁴ ADU.
    """
    out = {}
    for victim, signal in signals.items():
        total = signal.astype(np.float64, copy=True)
        for source, other in signals.items():
            if c := matrix.get((victim, source), 0.0):
                total += c * other * (1.0 + slope * other / 1e4)
        out[victim] = total
    return out


def noise_in_common(
    rng: np.random.Generator, shape: tuple[int, int], channels: int, sigma: float, correlation: float
) -> NDArray[np.float64]:
    """Read noise [ADU] of channels converted at the same moments, shape (channels, *shape): any two are correlated by ``correlation`` ≥ 0."""
    shared = rng.standard_normal(shape)
    own = rng.standard_normal((channels, *shape))
    return np.asarray(sigma * (np.sqrt(correlation) * shared + np.sqrt(1.0 - correlation) * own), np.float64)


def spots(
    rng: np.random.Generator, shape: tuple[int, int], number: int, width: float, low: float, high: float
) -> Map:
    """Charge [e⁻] expected of ``number`` Gaussian spots of ``width`` [pixels rms] at random places, peaks from ``low`` to ``high`` [e⁻], evenly."""
    out = np.zeros(shape)
    y, x = np.arange(shape[0])[:, np.newaxis], np.arange(shape[1])[np.newaxis, :]
    for _ in range(number):
        at = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        out += (
            rng.uniform(low, high)
            * np.exp(-((y - at[0]) ** 2) / (2 * width**2))
            * np.exp(-((x - at[1]) ** 2) / (2 * width**2))
        )
    return out
