"""Shapes that bad pixels make: columns, gaps filled, charge spilled along columns, clusters, and the edges of the detector."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass
from campaign.geometry import Channel

Bools = NDArray[np.bool_]

_CHANCE = 5.0
_DENSE = 1_000_000  # pixels of an image that is small enough to be looked at whole
_NEIGHBOURS = 15  # columns on either side together that say what is usual for one


@dataclass(frozen=True)
class Cluster:
    """An island of bad pixels: rows y0 ≤ y < y1, columns x0 ≤ x < x1 of the channel's image, and how many pixels it has."""

    y0: int
    y1: int
    x0: int
    x1: int
    pixels: int


def columns(bad: Bools, least: int, gap: int, whole: float) -> Bools:
    """Pixels in columns (axis 0 runs along a column) that have at least ``least`` bad ones, and five σ more than is usual.

    Gaps of at most ``gap`` rows between bad pixels of such a column are bad too; where ``whole`` of its rows are then bad, all are.
    Stretches with fewer than ``least`` rows stay out: they are single pixels and no column. Same shape.
    """
    per_column = np.count_nonzero(bad, axis=0)
    usual = float(np.median(per_column))
    chosen = np.flatnonzero(per_column >= max(least, usual + _CHANCE * sqrt(usual)))
    out = np.zeros_like(bad)
    for x in chosen:
        out[:, x] = filled(bad[:, x], least, gap, whole)
    return out


def filled(line: Bools, least: int, gap: int, whole: float) -> Bools:
    """One column of ``columns``: stretches of at least ``least`` rows whose bad pixels are at most ``gap`` rows apart; all from ``whole`` of it on."""
    at = np.flatnonzero(line)
    out = np.zeros_like(line)
    if at.size == 0:
        return out
    for stretch in np.split(at, np.flatnonzero(np.diff(at) > gap + 1) + 1):
        first, last = int(stretch[0]), int(stretch[-1])
        if last - first + 1 >= least and stretch.size >= min(least, 2):
            out[first : last + 1] = True
    if np.count_nonzero(out) >= whole * line.size:
        out[:] = True
    return out


def faint_columns(
    significance: NDArray[np.float32], sigma: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Columns whose mean stands out of that of their neighbours though their pixels do not: their numbers, and by how many σ.

    ``significance`` (rows, columns) is of each pixel; what lies beyond 3 is cut there, so that single pixels make no column. σ is that of the columns'
    means themselves, noise and pattern together, at least that of noise.
    """
    rows, width = significance.shape
    if width < 2 * _NEIGHBOURS or rows < 16:
        return np.zeros(0, np.intp), np.zeros(0)
    from scipy.ndimage import median_filter

    from analysis.defects import local_kernels

    means = local_kernels.column_sums(np.ascontiguousarray(significance, np.float32), np.float32(3.0)) / rows

    off = means - median_filter(means, _NEIGHBOURS, mode="nearest")
    spread = max(1.4826 * float(np.median(np.abs(off - np.median(off)))), 1.0 / sqrt(rows))
    found = np.flatnonzero(np.abs(off) > sigma * spread)
    return found, off[found] / spread


def spilled(saturated: Bools, bad: Bools) -> Bools:
    """Pixels that are bad, in one piece with saturated ones of their column, and not saturated themselves: charge has spilled there. Same shape."""
    from scipy.ndimage import label

    either = saturated | bad
    pieces, _ = label(either, structure=[[0, 1, 0], [0, 1, 0], [0, 1, 0]])
    touched = np.unique(pieces[saturated])
    out: Bools = np.isin(pieces, touched[touched > 0]) & ~saturated
    return out


def clusters(y: NDArray[np.intp], x: NDArray[np.intp], least: int) -> tuple[list[Cluster], Bools]:
    """Islands of at least ``least`` of some different pixels that touch, corners included, largest first; and which pixels are in one."""
    if y.size < least:
        return [], np.zeros(y.size, bool)
    of = islands(y, x)
    sizes = np.bincount(of)
    large = sizes >= least
    numbers = np.flatnonzero(large)
    edges = np.empty((4, sizes.size), np.intp)
    for k, at in ((0, y), (2, x)):
        edges[k], edges[k + 1] = np.iinfo(np.intp).max, -1
        np.minimum.at(edges[k], of, at)
        np.maximum.at(edges[k + 1], of, at)
    found = [
        Cluster(int(edges[0, i]), int(edges[1, i]) + 1, int(edges[2, i]), int(edges[3, i]) + 1, int(sizes[i]))
        for i in numbers
    ]
    return sorted(found, key=lambda c: (-c.pixels, c.y0, c.x0)), large[of]


def islands(y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.intp]:
    """The number (from zero, without gaps) of the island of touching pixels, corners included, that each of some different pixels belongs to."""
    from scipy.ndimage import label

    if y.size == 0:
        return np.zeros(0, np.intp)
    # empty rows and columns beyond the first of each gap are left out: what touches still does, and what does not does not
    rows, columns = _closed(y), _closed(x)
    if int(rows.max() + 1) * int(columns.max() + 1) > _DENSE and y.size < _DENSE // 50:
        return _islands_of_few(y, x)
    image = np.zeros((int(rows.max()) + 1, int(columns.max()) + 1), bool)
    image[rows, columns] = True
    return np.asarray(label(image, structure=np.ones((3, 3)))[0][rows, columns] - 1, dtype=np.intp)


def _closed(at: NDArray[np.intp]) -> NDArray[np.intp]:
    """Coordinates with gaps of more than one between neighbours closed to gaps of one."""
    held, place = np.unique(at, return_inverse=True)
    closed: NDArray[np.intp] = np.concatenate([[0], np.cumsum(np.minimum(np.diff(held), 2))])
    return closed[place]


def _islands_of_few(y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same for few pixels of a large image, by the pairs of them that touch."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(np.stack([y, x], axis=1)).query_pairs(1.5, output_type="ndarray")
    touching = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(y.size, y.size))
    of: NDArray[np.intp] = connected_components(touching, directed=False)[1].astype(np.intp)
    return of


def edge(channel: Channel, channels: Sequence[Channel], width: int) -> Bools:
    """The ``width`` outermost rows and columns of a channel's image, at the edges of the detector alone: not where another channel goes on.

    Of the channel's image shape. Channels in other extensions have no known place beside it: then only the sides of the readout corner are edges.
    """
    out = np.zeros(channel.image.shape, bool)
    if width <= 0:
        return out
    own = channel.image
    apart = any(c.hdu != channel.hdu for c in channels)
    others = [c.image for c in channels if c.name != channel.name]
    above_each_other = [o for o in others if o.x0 < own.x1 and own.x0 < o.x1]
    beside_each_other = [o for o in others if o.y0 < own.y1 and own.y0 < o.y1]
    low_y, low_x = channel.corner.startswith("lower"), channel.corner.endswith("left")
    sides = {
        "bottom": low_y if apart else not any(o.y1 <= own.y0 for o in above_each_other),
        "top": not low_y if apart else not any(o.y0 >= own.y1 for o in above_each_other),
        "left": low_x if apart else not any(o.x1 <= own.x0 for o in beside_each_other),
        "right": not low_x if apart else not any(o.x0 >= own.x1 for o in beside_each_other),
    }
    if sides["bottom"]:
        out[:width] = True
    if sides["top"]:
        out[-width:] = True
    if sides["left"]:
        out[:, :width] = True
    if sides["right"]:
        out[:, -width:] = True
    return out
