"""Channels in the order of their readout: pixels that are converted at the same moment have the same place.

A place is (row, serial): rows from the readout corner, pixels of a line from the first one converted, the prescan's included. Channels read at mirrored corners
are turned, so that crosstalk is found where it happens: in time.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.offsets import OVERSCAN_TRIM, trimmed_columns
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region
from campaign.model import Detector

Number = TypeVar("Number", bound=np.generic)
Tiles = NDArray[np.float32]
Masks = NDArray[np.bool_]
Keys = NDArray[np.int64]

_WIDE = 1 << 20  # more tiles than a line can have


def turned(image: NDArray[Number], channel: Channel) -> NDArray[Number]:
    """A view of a channel's pixels with the first one read at [0, 0]."""
    if channel.corner.startswith("upper"):
        image = image[::-1]
    return image[:, ::-1] if channel.corner.endswith("right") else image


@dataclass(frozen=True)
class Lines:
    """One channel of one frame as it lies in the file: its ``image``, and the ``overscan`` less the columns that ``analysis.offsets`` passes over; None without one."""

    image: NDArray[np.generic]
    overscan: NDArray[np.generic] | None


def lines_of(frame: FrameInput, channel: Channel) -> Lines:
    """Image and overscan by one read where they lie side by side. Raises what reading pixels raises."""
    image, pixels = channel.image, frame.pixels
    if channel.overscan is None:
        return Lines(pixels.read(channel, image), None)
    over = trimmed_columns(channel, channel.overscan, OVERSCAN_TRIM)
    both = Region(
        min(image.y0, over.y0), max(image.y1, over.y1), min(image.x0, over.x0), max(image.x1, over.x1)
    )
    if both.size > 1.25 * (image.size + over.size):
        return Lines(pixels.read(channel, image), pixels.read(channel, over))
    read = pixels.read(channel, both)

    def part(region: Region) -> NDArray[np.generic]:
        return read[region.y0 - both.y0 : region.y1 - both.y0, region.x0 - both.x0 : region.x1 - both.x0]

    return Lines(part(image), part(over))


def serial_start(channel: Channel) -> int:
    """Pixels of a line that are converted before the image's first: those of the prescan."""
    return 0 if channel.prescan is None else channel.prescan.shape[1]


@dataclass(frozen=True)
class Grid:
    """Squares of ``side`` pixels over places in the order of readout, the same for all channels; ``key`` is row of squares · 2²⁰ + column."""

    side: int

    def counts(
        self, image: NDArray[np.generic], corner: str, bound: float, start: int
    ) -> tuple[Keys, NDArray[np.int64]]:
        """Keys of all squares that an image touches, and how many pixels of each are above ``bound``. The image is as in the file, read from ``corner``."""
        from analysis.crosstalk import square_kernels

        rows, columns = image.shape
        first = start // self.side
        ys = np.append(np.arange(0, rows, self.side), rows)
        xs = np.arange(first, (start + columns - 1) // self.side + 2) * self.side - start
        xs = np.clip(xs, 0, columns)
        upper, right = corner.startswith("upper"), corner.endswith("right")
        ys, xs = rows - ys[::-1] if upper else ys, columns - xs[::-1] if right else xs
        found = square_kernels.above(np.ascontiguousarray(image), bound, ys, xs)
        found = found[:: -1 if upper else 1, :: -1 if right else 1]
        keys = np.arange(found.shape[0])[:, np.newaxis] * _WIDE + (first + np.arange(found.shape[1]))
        return keys.ravel().astype(np.int64), found.ravel()

    def cut(self, image: NDArray[np.generic], start: int, keys: Keys) -> Tiles:
        """The squares of these keys, shape (keys, side, side); NaN outside the image."""
        side, (rows, columns) = self.side, image.shape
        out = np.full((keys.size, side, side), np.nan, np.float32)
        for n, key in enumerate(keys.tolist()):
            y, x = key // _WIDE * side, key % _WIDE * side - start
            y1, x0, x1 = min(y + side, rows), max(x, 0), min(x + side, columns)
            if y < y1 and x0 < x1:
                out[n, : y1 - y, x0 - x : x1 - x] = image[y:y1, x0:x1]
        return out


@dataclass(frozen=True)
class Aggressor:
    """One channel of one exposure in the squares of ``keys``, which are in order.

    ``signal`` is the level above the local background [ADU], ``lit`` where it is above noise, ``bright`` where above the threshold and known;
    ``lost`` where it is saturated or has no value. ``values`` are its levels [ADU], ``shines`` squares with any bright pixel.
    """

    detector: str
    channel: str
    keys: Keys
    values: Tiles
    signal: Tiles
    lit: Masks
    bright: Masks
    lost: Masks
    shines: NDArray[np.bool_]

    @property
    def name(self) -> tuple[str, str]:
        """(detector, channel)."""
        return self.detector, self.channel


def candidates(
    frame: FrameInput, channel: Channel, image: NDArray[np.generic], grid: Grid, threshold: float, most: int
) -> Keys:
    """Squares in which a channel may have a source: with pixels half the threshold above the channel's median, or more.

    Of more than ``most`` those with the most such pixels are taken, of as many the first read: they hold nearly all there is to learn. ``image`` are the
    channel's pixels as in the file.
    """
    bound = float(frame.summaries[channel.name].median + 0.5 * threshold)
    keys, found = grid.counts(image, channel.corner, bound, serial_start(channel))
    order = np.argsort(-found, kind="stable")[:most]
    return np.sort(keys[order[found[order] > 0]])


def aggressor(
    detector: Detector, channel: Channel, image: NDArray[np.generic], grid: Grid, threshold: float, keys: Keys
) -> Aggressor:
    """What a channel has in the squares of ``keys``. ``image`` are its pixels as in the file [ADU], ``threshold`` is above the local background [ADU]."""
    from analysis.crosstalk import square_kernels

    values = grid.cut(turned(image, channel), serial_start(channel), keys)
    signal = np.empty_like(values)
    lit, bright, lost = (np.empty(values.shape, bool) for _ in range(3))
    if not keys.size:
        return Aggressor(
            detector.name, channel.name, keys, values, signal, lit, bright, lost, np.zeros(0, bool)
        )
    level, sigma = _faint_level(values)
    square_kernels.stand_out(
        values, level.astype(np.float32), (5.0 * sigma).astype(np.float32), np.float32(detector.geometry.saturation), np.float32(threshold),
        signal, lit, bright, lost,
    )  # fmt: skip
    shines: NDArray[np.bool_] = np.asarray(bright.reshape(len(values), -1).any(axis=1), bool)
    return Aggressor(detector.name, channel.name, keys, values, signal, lit, bright, lost, shines)


def _faint_level(values: Tiles) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level and noise of each square's background, from its lower values: sources may fill up to two thirds of it."""
    some = values[:, ::2, ::2]  # a quarter of the pixels settles where sources begin
    flat = np.sort(np.where(np.isfinite(some), some, np.float32(np.inf)).reshape(len(some), -1), axis=1)
    n = np.isfinite(flat).sum(axis=1)
    at = np.arange(len(values))
    last = flat.shape[1] - 1
    low = flat[at, np.minimum((0.05 * n).astype(int), last)].astype(np.float64)
    mid = flat[at, np.minimum((0.30 * n).astype(int), last)].astype(np.float64)
    with np.errstate(invalid="ignore"):
        sigma = np.where(n > 0, (mid - low) / 1.1205, 0.0)  # quantiles of a normal distribution
        return np.where(n > 0, mid + 0.5244 * sigma, 0.0), np.maximum(sigma, 0.3)


def basis(side: int, order: int) -> NDArray[np.float64]:
    """Polynomials over a square up to ``order``, shape (terms, side, side), coordinates from −1 to 1; the first is 1."""
    at = np.linspace(-1.0, 1.0, side)
    x, y = np.meshgrid(at, at)
    terms = [y**a * x**b for total in range(order + 1) for a in range(total + 1) for b in (total - a,)]
    return np.array(terms)


def gram(terms: NDArray[np.float64], used: Masks) -> NDArray[np.float64]:
    """Products of the terms summed over the pixels used of each square, shape (squares, terms, terms); good to 1e-6, single precision."""
    flat = terms.reshape(len(terms), -1)
    first, second = np.triu_indices(len(terms))
    products = (flat[first] * flat[second]).astype(np.float32)
    sums = used.reshape(len(used), -1).astype(np.float32) @ products.T
    out = np.empty((len(used), len(terms), len(terms)))
    out[:, first, second] = sums
    out[:, second, first] = sums
    return out


def solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solutions of symmetric systems, one per square: right (squares, n, k). Squares without pixels give 0."""
    size = matrix.shape[1]
    trace = np.trace(matrix, axis1=1, axis2=2)
    ridge = np.where(trace > 0, 1e-12 * trace, 1.0)[:, np.newaxis, np.newaxis] * np.eye(size)
    return np.asarray(np.linalg.solve(matrix + ridge, right), np.float64)
