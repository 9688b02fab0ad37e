"""Cosmic rays: muons that cross a detector along straight lines and leave charge on their way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Map = NDArray[np.float64]

_STEP = 0.1  # of a pixel, between the points at which a track leaves charge
_MOYAL_MODE = 1.27  # mean of −ln z² of a normal deviate z, of which Moyal's distribution is made


@dataclass(frozen=True)
class Tracks:
    """Muons through one image: rows and columns where they enter, lengths of their tracks [pixels], charge left [e⁻]."""

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    length: NDArray[np.float64]
    charge: NDArray[np.float64]


def struck(
    rng: np.random.Generator,
    shape: tuple[int, int],
    number: int,
    *,
    thickness: float = 1.5,
    per_pixel: float = 1200.0,
    diffusion: float = 0.25,
) -> tuple[Map, Tracks]:
    """Charge [e⁻] that ``number`` muons leave in an image of that shape, and their tracks.

    Muons come as cos² of the angle to the normal, so that through a plane the fourth power of its cosine is evenly distributed. ``thickness`` of the
    sensitive layer in pixels; ``per_pixel`` is the charge [e⁻] left along one pixel, spread as Moyal's distribution is; each part of it
    diffuses by ``diffusion`` pixels (σ). What falls outside of the image is lost; tracks begin anywhere in it.
    """
    cosine = np.maximum(rng.random(number) ** 0.25, 0.05)
    length = thickness * np.sqrt(1.0 / cosine**2 - 1.0)
    path = thickness / cosine
    moyal = -np.log(np.maximum(rng.normal(0.0, 1.0, number) ** 2, 1e-9)) - _MOYAL_MODE
    charge = per_pixel * path * np.maximum(1.0 + 0.12 * moyal, 0.3)
    y, x = rng.uniform(0, shape[0], number), rng.uniform(0, shape[1], number)
    angle = rng.uniform(0, 2 * np.pi, number)
    out = np.zeros(shape)
    for i in range(number):
        parts = max(8, int(length[i] / _STEP))
        along = (np.arange(parts) + 0.5) / parts * length[i]
        rows = np.floor(y[i] + along * np.sin(angle[i]) + rng.normal(0, diffusion, parts)).astype(int)
        columns = np.floor(x[i] + along * np.cos(angle[i]) + rng.normal(0, diffusion, parts)).astype(int)
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        np.add.at(out, (rows[inside], columns[inside]), charge[i] / parts)
    return out, Tracks(y, x, length, charge)


def rate_to_number(
    rng: np.random.Generator, rate: float, shape: tuple[int, int], pitch: float, time: float
) -> int:
    """How many muons hit an image of ``shape`` pixels of ``pitch`` [µm] in ``time`` [s] at ``rate`` [cm⁻² min⁻¹]: a Poisson deviate."""
    area = shape[0] * shape[1] * (pitch * 1e-4) ** 2
    return int(rng.poisson(rate * area * time / 60.0))
