"""Defects of pixels: dark charge, response, noise, telegraph signals, bent responses, columns, spilled charge.

Functions take maps and give new ones; pixels are named by rows ``y`` and columns ``x`` of equal length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]
Places = NDArray[np.intp]


def scattered(
    rng: np.random.Generator, shape: tuple[int, int], number: int, apart: int = 3
) -> tuple[Places, Places]:
    """Rows and columns of ``number`` pixels of an image in random order, no two in one square of ``apart`` pixels nor in touching ones.

    Raises ValueError when there is no room for so many.
    """
    rows, columns = shape[0] // apart, shape[1] // apart
    if number > rows * columns:
        raise ValueError(f"no room for {number} pixels {apart} apart in {shape}")
    cell = rng.permutation(rows * columns)[:number]
    middle = apart // 2
    return (cell // columns) * apart + middle, (cell % columns) * apart + middle


def with_excess(rate: Map, y: Places, x: Places, excess: float | NDArray[np.floating]) -> Map:
    """Rates of dark charge [e⁻/s] with ``excess`` [e⁻/s] more in some pixels."""
    out = rate.copy()
    out[y, x] += excess
    return out


def with_response(response: Map, y: Places, x: Places, factor: float | NDArray[np.floating]) -> Map:
    """Responses to light, of some pixels ``factor`` times what they were."""
    out = response.copy()
    out[y, x] *= factor
    return out


def with_noise(
    levels: Map, y: Places, x: Places, sigma: float | NDArray[np.floating], rng: np.random.Generator
) -> Map:
    """Levels [any unit] with normal noise of ``sigma`` added in some pixels."""
    out = levels.copy()
    out[y, x] += rng.normal(0.0, 1.0, len(y)) * sigma
    return out


def telegraph(
    rng: np.random.Generator, frames: int, pixels: int, switching: float, first: float = 0.5
) -> NDArray[np.bool_]:
    """Random telegraph signals, shape (frames, pixels): whether each pixel is in its high state in each frame.

    It changes from one frame to the next with the chance ``switching``, and begins high with the chance ``first``. More frames of
    the same generator begin with those of fewer.
    """
    high = rng.random(pixels) < first
    flips = rng.random((frames, pixels)) < switching
    flips[0] = high
    out: NDArray[np.bool_] = np.cumsum(flips, axis=0) % 2 == 1
    return out


def bent(charge: Map, y: Places, x: Places, loss: float | NDArray[np.floating], full: float) -> Map:
    """Charge [e⁻] of which some pixels hold less the more it is: at ``full`` by the fraction ``loss``, below it in proportion to the charge."""
    out = charge.copy()
    held = out[y, x]
    out[y, x] = held * (1.0 - loss * held / full)
    return out


def with_column(rate: Map, x: int, y0: int, y1: int, excess: float) -> Map:
    """Rates [e⁻/s] with ``excess`` more in the rows y0 ≤ y < y1 of one column."""
    out = rate.copy()
    out[y0:y1, x] += excess
    return out


def spilled(charge: Map, full: float) -> Map:
    """Charge [e⁻] beyond ``full`` of each pixel put into its neighbours along the column, half to each side, until none is too full.

    What reaches the ends of a column is lost.
    """
    out = charge.copy()
    for _ in range(4 * charge.shape[0]):
        over = np.maximum(out - full, 0.0)
        if not (over > 1e-6 * full).any():
            break
        out -= over
        out[1:] += 0.5 * over[:-1]
        out[:-1] += 0.5 * over[1:]
    return np.minimum(out, full)
