"""Hits: islands of pixels that stand out, what charge they hold, how long they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from analysis.defects.shapes import islands
from campaign.frozen import dataclass

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


Residual = Callable[[Places, Places], Floats]
"""What some pixels (rows, columns) are above their level [ADU]."""


@dataclass(frozen=True)
class Outstanding:
    """Pixels of an image of ``shape`` that stand out, up or down: rows and columns, in the order of the flattened image, and ``z`` [σ]."""

    shape: tuple[int, int]
    y: Places
    x: Places
    z: Floats

    @classmethod
    def at(cls, shape: tuple[int, int], places: Places, z: Floats) -> Outstanding:
        """Those at different places in the flattened image, in any order."""
        order = np.argsort(places, kind="stable")
        y, x = np.divmod(places[order], shape[1])
        return cls(shape, y, x, z[order])

    @property
    def places(self) -> Places:
        """Where they are in the flattened image."""
        return np.asarray(self.y * self.shape[1] + self.x)

    def beside(self, sigma: float, grow: float, sign: float) -> Outstanding:
        """Those beyond ``grow`` σ, times ``sign``, that hang together with one beyond ``sigma``, corners touching."""
        z = self.z * sign
        far = z > grow
        y, x, z = self.y[far], self.x[far], self.z[far]
        stride = self.shape[1] + 2  # so that the ends of rows do not touch
        place = y * stride + x
        steps = np.array([i * stride + j for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)])
        kept = z * sign > sigma
        front = place[kept]
        while front.size:
            near = (front[:, np.newaxis] + steps).ravel()
            at = np.minimum(np.searchsorted(place, near), place.size - 1)
            at = np.unique(at[(place[at] == near) & ~kept[at]])
            kept[at], front = True, place[at]
        return Outstanding(self.shape, y[kept], x[kept], z[kept])


def hits_above(
    out: Outstanding, residual: Residual, sigma: float, grow: float, frame: int, sign: float = 1.0
) -> tuple[Hits, Stamps]:
    """Islands of pixels beyond ``grow`` σ, corners touching, that hold one beyond ``sigma``; both times ``sign``."""
    return measured_in(out.beside(sigma, grow, sign), residual, frame, sign)


def measured_in(out: Outstanding, residual: Residual, frame: int, sign: float = 1.0) -> tuple[Hits, Stamps]:
    """The hits that pixels make, each island one.

    The charge is that of the island and of all pixels beside it: charge that diffused there is below any threshold, but is not nothing on average.
    """
    y, x, z = out.y, out.x, out.z * sign
    of = islands(y, x)
    number = int(of.max()) + 1 if of.size else 0
    if number == 0:
        empty = np.zeros(0, np.intp)
        return together([]), Stamps(empty, empty, np.zeros(0), empty)
    order = np.lexsort((-z, of))
    first = order[np.searchsorted(of[order], np.arange(number))]
    stamps = _stamps(y, x, of, y[first], x[first], out.shape, residual, sign)
    charge = np.bincount(stamps.of, stamps.charge, number).astype(np.float64)
    pixels = np.bincount(of, minlength=number).astype(np.intp)
    length, angle = _extents(y, x, of, number)
    return (
        Hits(y[first], x[first], charge, pixels, length, angle, z[first], np.full(number, frame, np.intp)),
        stamps,
    )


def _stamps(
    y: Places, x: Places, of: Places, y0: Places, x0: Places, shape: tuple[int, int], residual: Residual, sign: float
) -> Stamps:  # fmt: skip
    """The pixels of islands and all beside them, each once, those between two islands with the first."""
    rows, columns = shape
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    shifts.sort(key=lambda s: s != (0, 0))  # an island's own pixels first, so that none goes to another
    all_y = np.concatenate([y + i for i, _ in shifts])
    all_x = np.concatenate([x + j for _, j in shifts])
    all_of = np.tile(of, len(shifts))
    inside = (all_y >= 0) & (all_y < rows) & (all_x >= 0) & (all_x < columns)
    all_y, all_x, all_of = all_y[inside], all_x[inside], all_of[inside]
    _, once = np.unique(all_y * columns + all_x, return_index=True)
    all_y, all_x, all_of = all_y[once], all_x[once], all_of[once]
    values = np.nan_to_num(residual(all_y, all_x) * sign, posinf=0.0, neginf=0.0)
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
