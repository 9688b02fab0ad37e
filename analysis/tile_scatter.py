"""Two images of one scene cut into tiles, and how their weighted difference scatters about the tiles' means."""

from __future__ import annotations

from math import sqrt
from threading import local

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import clip_factor
from campaign.frozen import dataclass

_held = local()  # memory that one pair after the other uses, of each thread
_ROUNDS = 4
_OF_TILE = 256  # pixels of a tile that settle its median and where its clipping begins
_OF_IMAGE = 20_000  # pixels that tell the ratio of two levels
_NEVER = 3.0e38  # ADU: no pixel is saturated


@dataclass(frozen=True)
class Scatter:
    """Half the variance of a difference about its tiles' means, its error, degrees of freedom, pixels, and both images' means over them.

    ``rows`` and ``columns`` are sum and number of the difference of each, shapes (2, rows) and (2, columns), ``squares`` the sum of its squares.
    """

    variance: float
    error: float
    n: int
    pixels: int
    means: tuple[float, float]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    squares: float


@dataclass(frozen=True)
class TiledPair:
    """Two images as the kernels take them, cut into tiles; some edge pixels are left out. ``keep`` is 1 for pixels used."""

    images: tuple[NDArray[np.generic], NDArray[np.generic]]
    offsets: tuple[np.float32, np.float32]
    tile: tuple[int, int]
    step: int
    keep: NDArray[np.uint8]
    difference: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        first: NDArray[np.generic],
        second: NDArray[np.generic],
        offsets: tuple[float, float],
        side: int,
    ) -> TiledPair:
        """Cut into tiles of about ``side`` pixels."""
        whole = first.dtype == second.dtype == np.uint16
        one, two = (np.ascontiguousarray(i, dtype=None if whole else np.float32) for i in (first, second))
        down, across = (max(1, n // max(side, 1)) for n in one.shape)
        ny, nx = one.shape[0] // down, one.shape[1] // across
        shape = (down * ny, across * nx)
        step = max(2, int(sqrt(ny * nx / _OF_TILE)))
        return cls(
            (one, two), (np.float32(offsets[0]), np.float32(offsets[1])), (ny, nx), step,
            *_buffers(shape),
        )  # fmt: skip

    def middles(self, saturation: float) -> tuple[float, float]:
        """The levels [ADU] of both images: medians of some pixels that are usable in both. Raises ValueError when there is none."""
        step = max(1, int(sqrt(self.keep.size / _OF_IMAGE)))
        some = [np.asarray(image[::step, ::step], np.float32) for image in self.images]
        good = np.logical_and(*(np.isfinite(part) & (part < saturation) for part in some))
        if not good.any():
            raise ValueError("no good pixels are left")
        one, two = (
            float(np.median(part[good]) - zero) for part, zero in zip(some, self.offsets, strict=True)
        )
        return one, two

    def scatter(
        self, weights: tuple[float, float], sigma: float, saturation: float = _NEVER, unlike: float = -1.0
    ) -> Scatter:
        """Half the variance of the weighted difference about its tiles' means; ``keep`` becomes the pixels that are used.

        Left out are pixels at ``saturation`` [ADU], those ``unlike`` their tile (below zero: none), and those beyond ``sigma``. Each tile has its own σ, for
        the light need not be uniform. The deficit of clipping a normal distribution is made good. Raises ValueError when fewer than three
        pixels are left.
        """
        from analysis import tile_kernels

        tiles = self.keep.size // (self.tile[0] * self.tile[1])
        freedom, squares, middles = np.zeros((3, tiles))
        rows, columns = (np.zeros((2, n)) for n in self.keep.shape)
        # the scatter of what a clip leaves is too small: without this each round would clip deeper than the one before
        reach = sigma / clip_factor(sigma)
        pixels, sum1, sum2 = tile_kernels.scatter(
            *self.images, *self.offsets, np.float32(weights[0]), np.float32(weights[1]), *self.tile,
            np.float32(saturation), np.float32(unlike), reach, _ROUNDS, self.step,
            self.images[0].dtype == np.uint16, self.keep, self.difference,
            freedom, squares, middles, rows, columns,
        )  # fmt: skip
        n = int(freedom.sum())
        if n < 2:
            raise ValueError("no good pixels are left" if pixels == 0 else "too few good pixels are left")
        scale = 0.5 / clip_factor(sigma) ** 2
        variances = squares / np.maximum(freedom, 1.0) * scale
        error = sqrt(2.0 * float((freedom * variances**2).sum())) / n
        means = (sum1 / pixels, sum2 / pixels)
        about_zero = float((squares + (freedom + 1.0) * middles**2).sum())
        return Scatter(float(squares.sum()) * scale / n, error, n, pixels, means, rows, columns, about_zero)


def _buffers(shape: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Memory for a pair's mask and difference: that of the thread's pair before, for fresh memory costs more than the arithmetic."""
    found: tuple[NDArray[np.uint8], NDArray[np.float32]] | None = getattr(_held, "buffers", None)
    if found is None or found[0].shape != shape:
        found = np.empty(shape, np.uint8), np.empty(shape, np.float32)
        _held.buffers = found
    return found
