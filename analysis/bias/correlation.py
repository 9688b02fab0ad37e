"""How the noise of channels goes together: what is picked up by several amplifiers at the same moment.

Channels of one detector are read in step, each from its own corner: pixels of equal place in the order of reading were sampled
together. Differences of two frames leave noise alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.flat_pairs import read_pair
from analysis.statistics import clipped
from campaign.frozen import dataclass
from campaign.geometry import Channel

Pixels = NDArray[np.uint16] | NDArray[np.float32]

BANDS = 16
"""Bands of rows over which the jackknife goes."""

_CLIP = 5.0
_SAMPLE = 20_000  # pixels that settle the level and noise of a difference


@dataclass(frozen=True)
class Correlations:
    """Coefficients ρ of the noise of channels, with their errors; shape (channels, channels), 1 ± 0 on the diagonal.

    NaN where two channels have no pixels in common. ``n`` pixels of each channel, in ``pairs`` pairs of frames.
    """

    names: tuple[str, ...]
    rho: NDArray[np.float64]
    error: NDArray[np.float64]
    n: int
    pairs: int

    def strongest(self, name: str) -> tuple[str, float, float, float] | None:
        """The channel that a channel goes with most: (its name, ρ, error, chance that one of so many independent ones shows as much)."""
        at = self.names.index(name)
        others = [i for i in range(len(self.names)) if i != at and np.isfinite(self.rho[at, i])]
        if not others:
            return None
        best = max(others, key=lambda i: abs(self.rho[at, i]))
        rho, error = float(self.rho[at, best]), float(self.error[at, best])
        alone = erfc(abs(rho) / error / sqrt(2.0)) if error > 0 else 0.0
        return self.names[best], rho, error, 1.0 - (1.0 - alone) ** len(others)


def in_order_of_reading(image: NDArray[np.generic], channel: Channel) -> NDArray[np.generic]:
    """A view of a channel's image whose first pixel is the one read first."""
    rows = image[::-1] if channel.corner.startswith("upper") else image
    return rows[:, ::-1] if channel.corner.endswith("right") else rows


def correlations(
    frames: Sequence[FrameInput], channels: Sequence[Channel], pairs: int
) -> Correlations | None:
    """Correlation of the noise of each two channels, from at most ``pairs`` disjoint pairs of frames.

    ρ is Pearson's, of what lies within 5 σ in both; its error is from the jackknife over bands of rows of all pairs, because what is
    picked up correlates pixels of a row. None with fewer than two channels or frames, or where nothing is finite.
    """
    taken = list(zip(frames[::2], frames[1::2], strict=False))[:pairs]
    if len(channels) < 2 or not taken:
        return None
    shape = min(c.image.shape[0] for c in channels), min(c.image.shape[1] for c in channels)
    bands = min(BANDS, shape[0])
    products = np.zeros((len(taken) * bands, len(channels), len(channels)))
    used = 0
    planes = [np.empty(shape, np.float32) for _ in channels]
    for p, (first, second) in enumerate(taken):
        for channel, plane in zip(channels, planes, strict=True):
            _standard(first, second, channel, plane)
        edges = np.linspace(0, shape[0], bands + 1).astype(int)
        for b in range(bands):
            rows = slice(edges[b], edges[b + 1])
            for i, one in enumerate(planes):
                for j in range(i, len(planes)):
                    product = np.einsum("yx,yx->y", one[rows], planes[j][rows])
                    products[p * bands + b, i, j] = products[p * bands + b, j, i] = product.sum(
                        dtype=np.float64
                    )
        used += shape[0] * shape[1]
    whole = products.sum(axis=0)
    without = _coefficients(whole - products)
    m = len(products)
    rho = _coefficients(whole[np.newaxis])[0]
    spread = without - without.mean(axis=0)
    error = np.sqrt((m - 1) / m * (spread**2).sum(axis=0))
    if not np.isfinite(rho).any():
        return None
    np.fill_diagonal(error, 0.0)
    return Correlations(tuple(c.name for c in channels), rho, error, used, len(taken))


def _coefficients(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """ρ from sums of products, shape (…, channels, channels); NaN without any variance."""
    own = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    with np.errstate(invalid="ignore", divide="ignore"):
        out: NDArray[np.float64] = products / (own[:, :, np.newaxis] * own[:, np.newaxis, :])
    return out


def _standard(first: FrameInput, second: FrameInput, channel: Channel, out: NDArray[np.float32]) -> None:
    """The difference of two frames over its noise, in order of reading; 0 where it stands out or is no number."""
    from analysis.bias import reading_kernels

    a, b = read_pair(first, second, channel, channel.image)
    step = max(1, int(sqrt(a.size / _SAMPLE)))
    some = np.subtract(a[::step, ::step], b[::step, ::step], dtype=np.float32)
    core = clipped(some) if np.isfinite(some).any() else None
    if core is None or core.std == 0:
        out[:] = 0.0
        return
    up, left = last_first(channel)
    mean, std, clip = (np.float32(v) for v in (core.mean, core.std, _CLIP))
    reading_kernels.standard(as_kernels_take(a), as_kernels_take(b), up, left, mean, std, clip, out)


def last_first(channel: Channel) -> tuple[bool, bool]:
    """Whether the first row of a channel's image is read last, and the first column."""
    return channel.corner.startswith("upper"), channel.corner.endswith("right")


def as_kernels_take(image: NDArray[np.generic]) -> Pixels:
    """An image of 16-bit numbers as it is, any other in single precision."""
    if image.dtype == np.uint16:
        return image.astype(np.uint16, copy=False)
    return image.astype(np.float32, copy=False)
