"""Maps: channels' planes on the detector's geometry, averaged over squares so that they fit a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.figures import ImageMap
from campaign.geometry import Channel
from campaign.model import Detector

SIDE = 640
"""Longest side of a map, in squares."""

Outline = tuple[str, int, int, int, int]


def map_of(
    planes: Mapping[str, NDArray[np.floating]],
    detector: Detector,
    label: str,
    marked: Mapping[str, tuple[NDArray[np.intp], NDArray[np.intp]]] | None = None,
) -> ImageMap:
    """A map of channels' planes, each of the shape of its channel's image, NaN elsewhere; ``label`` says what and its unit.

    ``marked`` are pixels to mark by channel, (rows, columns) in its plane. Channels that live in different image extensions have
    no common coordinates: they are set side by side. The planes themselves are never put together: that would double the memory.
    """
    from analysis import image_kernels

    places, shape = _places([c for c in detector.geometry.channels if c.name in planes], detector)
    side = max(1, -(-max(shape) // SIDE))
    sums = np.zeros((-(-shape[0] // side), -(-shape[1] // side)))
    counts = np.zeros(sums.shape, np.int64)
    points: list[tuple[float, float]] = []
    for name, y0, _, x0, _ in places:
        plane = np.ascontiguousarray(planes[name], dtype=np.float32)
        image_kernels.add_binned(plane, y0, x0, side, sums, counts)
        y, x = (marked or {}).get(name, (np.zeros(0, np.intp),) * 2)
        points += zip((y + y0).astype(float).tolist(), (x + x0).astype(float).tolist(), strict=True)
    with np.errstate(invalid="ignore"):
        data = np.where(counts > 0, sums / counts, np.nan)
    corners = tuple(detector.geometry.channel(name).corner for name, *_ in places)
    return ImageMap(data, label, outlines=tuple(places), points=tuple(points), side=side, shape=shape, corners=corners)  # fmt: skip


def _places(channels: Sequence[Channel], detector: Detector) -> tuple[list[Outline], tuple[int, int]]:
    """Where each channel's image is (label, y0, y1, x0, x1), and the shape of the whole."""
    if len({c.hdu for c in detector.geometry.channels}) <= 1:
        found = [(c.name, c.image.y0, c.image.y1, c.image.x0, c.image.x1) for c in channels]
        return found, detector.geometry.shape
    out, x = [], 0
    for c in channels:
        ny, nx = c.image.shape
        out.append((c.name, 0, ny, x, x + nx))
        x += nx
    return out, (max(c.image.shape[0] for c in channels), x)
