"""Hits: islands of pixels that stand out, what charge they hold, how long they are."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from analysis.defects.shapes import islands

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Hits:
    """Hits of one channel, each array of as many values as there are hits.

    ``y`` and ``x`` of the brightest pixel in the channel's image, ``charge`` [ADU], number of ``pixels``, ``length`` and ``angle`` of the
    island [pixels, degrees from the row towards the column], ``significance`` of the brightest pixel [σ], ``frame``: which of the frames.
    """

    y: Places
    x: Places
    charge: Floats
    pixels: Places
    length: Floats
    angle: Floats
    significance: Floats
    frame: Places

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.y.size)

    def chosen(self, which: NDArray[np.bool_] | Places) -> Hits:
        """Some of them."""
        return Hits(*(getattr(self, f.name)[which] for f in fields(self)))

    def later(self, frames: int) -> Hits:
        """The same, of frames that come after ``frames`` others."""
        return replace(self, frame=self.frame + frames)


def together(parts: list[Hits]) -> Hits:
    """Hits of several frames, one after another."""
    if not parts:
        whole, real = np.zeros(0, np.intp), np.zeros(0)
        return Hits(whole, whole, real, whole, real, real, real, whole)
    return Hits(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Hits)))


@dataclass(frozen=True)
class Stamps:
    """Pixels of hits: rows and columns less those of the hit's brightest pixel, charge [ADU], and of which hit each is."""

    dy: Places
    dx: Places
    charge: Floats
    of: Places


def hits_above(
    residual: NDArray[np.float32],
    significance: NDArray[np.float32],
    sigma: float,
    grow: float,
    frame: int,
    sign: float = 1.0,
) -> tuple[Hits, Stamps]:
    """Islands of pixels beyond ``grow`` σ, corners touching, that hold one beyond ``sigma``.

    ``residual`` [ADU] is what pixels are above their level, ``significance`` in σ, both times ``sign``. Pixels to be passed over have significance
    NaN or zero.
    """
    with np.errstate(invalid="ignore"):
        y, x = np.nonzero(significance * np.float32(sign) > np.float32(grow))
    return measured_in(y, x, residual, significance, frame, sign, sigma)


def measured_in(
    y: Places,
    x: Places,
    residual: NDArray[np.float32],
    significance: NDArray[np.float32],
    frame: int,
    sign: float = 1.0,
    sigma: float = -np.inf,
) -> tuple[Hits, Stamps]:
    """The hits that some different pixels make, of islands with a pixel beyond ``sigma``.

    The charge is that of the island and of all pixels beside it: charge that diffused there is below any threshold, but is not nothing on average.
    """
    of = islands(y, x)
    number = int(of.max()) + 1 if of.size else 0
    z = significance[y, x].astype(np.float64) * sign
    brightest = np.full(number, -np.inf)
    np.maximum.at(brightest, of, z)
    strong = brightest > sigma
    kept = strong[of] if number else np.zeros(0, bool)
    renumbered = np.cumsum(strong) - 1
    y, x, z, of = y[kept], x[kept], z[kept], renumbered[of[kept]] if number else of
    number = int(strong.sum())
    if number == 0:
        empty = np.zeros(0, np.intp)
        return together([]), Stamps(empty, empty, np.zeros(0), empty)
    order = np.lexsort((-z, of))
    first = order[np.searchsorted(of[order], np.arange(number))]
    stamps = _stamps(y, x, of, y[first], x[first], residual, sign)
    charge = np.bincount(stamps.of, stamps.charge, number).astype(np.float64)
    pixels = np.bincount(of, minlength=number).astype(np.intp)
    length, angle = _extents(y, x, of, number)
    return (
        Hits(y[first], x[first], charge, pixels, length, angle, z[first], np.full(number, frame, np.intp)),
        stamps,
    )


def _stamps(
    y: Places, x: Places, of: Places, y0: Places, x0: Places, residual: NDArray[np.float32], sign: float
) -> Stamps:
    """The pixels of islands and all beside them, each once, those between two islands with the first."""
    rows, columns = residual.shape
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    shifts.sort(key=lambda s: s != (0, 0))  # an island's own pixels first, so that none goes to another
    all_y = np.concatenate([y + i for i, _ in shifts])
    all_x = np.concatenate([x + j for _, j in shifts])
    all_of = np.tile(of, len(shifts))
    inside = (all_y >= 0) & (all_y < rows) & (all_x >= 0) & (all_x < columns)
    all_y, all_x, all_of = all_y[inside], all_x[inside], all_of[inside]
    _, once = np.unique(all_y * columns + all_x, return_index=True)
    all_y, all_x, all_of = all_y[once], all_x[once], all_of[once]
    values = np.nan_to_num(residual[all_y, all_x].astype(np.float64) * sign, posinf=0.0, neginf=0.0)
    return Stamps(all_y - y0[all_of], all_x - x0[all_of], values, all_of)


def _extents(y: Places, x: Places, of: Places, number: int) -> tuple[Floats, Floats]:
    """Length of each island along its diagonal, from centre to centre of its outermost pixels, and its direction."""
    low_y, low_x = (np.full(number, np.iinfo(np.intp).max) for _ in range(2))
    high_y, high_x = (np.full(number, -1, np.intp) for _ in range(2))
    for low, high, at in ((low_y, high_y, y), (low_x, high_x, x)):
        np.minimum.at(low, of, at)
        np.maximum.at(high, of, at)
    dy, dx = (high_y - low_y).astype(np.float64), (high_x - low_x).astype(np.float64)
    n = np.bincount(of, minlength=number)
    my, mx = np.bincount(of, y, number) / n, np.bincount(of, x, number) / n
    slant = np.bincount(of, (y - my[of]) * (x - mx[of]), number)
    return np.hypot(dy, dx), np.degrees(np.arctan2(np.where(slant < 0, -dy, dy), dx))


def repeated(hits: Hits, frames: int) -> NDArray[np.bool_]:
    """Hits whose brightest pixel was hit in another frame too: pixels that jump, not particles. The chance of two particles is far less."""
    if frames < 2 or hits.number == 0:
        return np.zeros(hits.number, bool)
    place = hits.y * (int(hits.x.max()) + 1) + hits.x
    _, back, number = np.unique(place, return_inverse=True, return_counts=True)
    out: NDArray[np.bool_] = number[back] > 1
    return out
