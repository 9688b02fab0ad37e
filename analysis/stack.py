"""Stacks: frames combined pixel by pixel into a master, in bands of rows, with constant memory.

Two ways to clip. With the noise known (``noise``), a value is left out when it differs from the others by more than
sigma times the noise *expected* there; that finds a cosmic ray among three frames. Without, the scatter of
the pixel's own n values must do, as ``ccdproc.combine(sigma_clip=True)`` does in one round and we do until nothing
changes; note that no value of n can lie more than √(n − 1) standard deviations from their mean, so that 3σ
clips nothing at all below eleven frames. The procedures therefore pass the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from campaign.geometry import Channel, Region

Reader = Callable[[Region], NDArray[np.generic]]
"""Reads a part of one frame: a region in, its pixels [ADU] out, shape ``region.shape``."""

Level = float | NDArray[np.floating]
"""What is subtracted of a frame: one level, or a column of row levels, shape (rows, 1)."""

_BAND_VALUES = 3_000_000
_MOST_FRAMES = 65535


@dataclass(frozen=True)
class Stack:
    """Frames combined, each array of the region's shape.

    ``mean`` [ADU] (of a median stack: the median); ``variance`` [ADU²] of the single values that were kept,
    NaN for fewer than two; ``count`` of values kept, 0 where there was none and ``mean`` is NaN.
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    count: NDArray[np.uint16]

    @property
    def error(self) -> NDArray[np.float32]:
        """Standard error of ``mean`` from the scatter of the values [ADU]; NaN for fewer than two."""
        with np.errstate(divide="ignore", invalid="ignore"):
            out: NDArray[np.float32] = np.sqrt(self.variance / self.count)
        return out


def reader(frame: FrameInput, channel: Channel) -> Reader:
    """Reads parts of one channel of a frame."""
    return partial(frame.pixels.read, channel)


def clipped_mean_stack(
    readers: Sequence[Reader],
    region: Region,
    *,
    sigma: float = 3.0,
    rounds: int = 10,
    offsets: Sequence[Level] | None = None,
    noise: float | None = None,
    gain: float | None = None,
    threads: int = 2,
) -> Stack:
    """The mean of each pixel over frames, without values that stand out by more than ``sigma``.

    ``offsets`` [ADU], one for each frame, are subtracted first. ``noise`` [ADU] is the noise expected of one value without
    light; with ``gain`` [e⁻/ADU] the shot noise of the level is added to it. NaN and infinities are left out.
    The result does not depend on ``threads``. At most ``rounds`` rounds; one round without ``noise`` is what
    ccdproc does by default.

    Raises ValueError for no frames, offsets of another number, or noise, gain, sigma that are not positive.
    """
    _check(readers, offsets, sigma=sigma, noise=noise, gain=gain)
    from analysis import stack_kernels

    if noise is None:
        combine: Callable[..., None] = partial(_by_scatter, stack_kernels.clip_by_scatter, sigma, rounds)
    else:
        per_level = 0.0 if gain is None else 1.0 / gain
        combine = partial(_by_noise, stack_kernels.clip_by_noise, sigma, rounds, noise**2, per_level)
    return _in_bands(combine, readers, region, offsets, threads)


def median_stack(
    readers: Sequence[Reader],
    region: Region,
    *,
    offsets: Sequence[Level] | None = None,
    threads: int = 2,
) -> Stack:
    """The median of each pixel over frames; else as ``clipped_mean_stack``.

    For normal noise it scatters by √(π/2) more than the mean of the same frames.
    """
    _check(readers, offsets)
    from analysis import stack_kernels

    return _in_bands(stack_kernels.median, readers, region, offsets, threads)


def _by_scatter(
    kernel: Callable[..., None], sigma: float, rounds: int, values: NDArray[np.float32], *out: object
) -> None:
    kernel(values, np.float32(sigma), rounds, *out)


def _by_noise(
    kernel: Callable[..., None],
    sigma: float,
    rounds: int,
    variance: float,
    per_level: float,
    values: NDArray[np.float32],
    *out: object,
) -> None:
    kernel(values, np.float32(sigma), rounds, np.float32(variance), np.float32(per_level), *out)


def _check(readers: Sequence[Reader], offsets: Sequence[Level] | None, **positive: float | None) -> None:
    if not 0 < len(readers) <= _MOST_FRAMES:
        raise ValueError(f"a stack of {len(readers)} frames")
    if offsets is not None and len(offsets) != len(readers):
        raise ValueError(f"{len(offsets)} offsets for {len(readers)} frames")
    for name, value in positive.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")


def _in_bands(
    combine: Callable[..., None],
    readers: Sequence[Reader],
    region: Region,
    offsets: Sequence[Level] | None,
    threads: int,
) -> Stack:
    rows, columns = region.shape
    mean = np.empty((rows, columns), np.float32)
    variance = np.empty((rows, columns), np.float32)
    count = np.empty((rows, columns), np.uint16)

    def do(bands: Iterator[tuple[int, int]]) -> None:
        buffer: NDArray[np.float32] | None = (
            None  # one for each thread: fresh memory costs more than the arithmetic
        )
        for first, end in bands:
            if buffer is None:
                buffer = np.empty((len(readers), _band_rows(len(readers), columns), columns), np.float32)
            band = buffer[:, : end - first]
            part = Region(region.y0 + first, region.y0 + end, region.x0, region.x1)
            for i, read in enumerate(readers):
                band[i] = read(part)
                if offsets is not None:
                    band[i] -= _of_rows(offsets[i], first, end)
            values = band.reshape(len(readers), -1)
            out = slice(first, end)
            combine(values, mean[out].reshape(-1), variance[out].reshape(-1), count[out].reshape(-1))

    step = _band_rows(len(readers), columns)
    bands = [(first, min(first + step, rows)) for first in range(0, rows, step)]
    threads = max(1, min(threads, len(bands)))
    if threads == 1:
        do(iter(bands))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(do, [iter(bands[i::threads]) for i in range(threads)]))
    return Stack(mean, variance, count)


def _band_rows(frames: int, columns: int) -> int:
    return max(1, _BAND_VALUES // (frames * columns))


def _of_rows(level: Level, first: int, end: int) -> np.float32 | NDArray[np.float32]:
    """The level of a band: one number, or its rows' part of a column."""
    if isinstance(level, np.ndarray) and level.size > 1:
        return level.reshape(-1, 1)[first:end].astype(np.float32)
    return np.float32(level if not isinstance(level, np.ndarray) else level.item())
