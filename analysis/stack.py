"""Stacks: frames combined pixel by pixel into a master, in bands of rows, with constant memory.

Two ways to clip. With the noise known (``noise``), a value is left out when it differs from the others by more than
sigma times the noise *expected* there; that finds a cosmic ray among three frames. Without, the scatter of
the pixel's own n values must do, as ``ccdproc.combine(sigma_clip=True)`` does in one round and we do until nothing
changes; note that no value of n can lie more than √(n − 1) standard deviations from their mean, so that 3σ
clips nothing at all below eleven frames. The procedures therefore pass the noise.

The channels of one detector usually share rows of one image: stacked together, each byte of a file is read once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.stack_bands import (
    ChannelReader,
    Combine,
    Level,
    Reader,
    Taker,
    Window,
    fill,
    shared_images,
    wide_reader,
)
from analysis.stack_network import sorting_network
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

__all__ = [
    "Level",
    "Reader",
    "Stack",
    "clipped_mean_stack",
    "clipped_mean_stacks",
    "half_stacks",
    "in_halves",
    "median_stack",
    "median_stacks",
    "reader",
]

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
    """Reads parts of one channel of a frame, into memory used before."""
    return ChannelReader(frame, channel)


def clipped_mean_stack(
    readers: Sequence[Reader],
    region: Region,
    *,
    sigma: float = 3.0,
    rounds: int = 10,
    offsets: Sequence[Level] | None = None,
    noise: float | None = None,
    gain: float | None = None,
    into: NDArray[np.float32] | None = None,
    threads: int = 2,
) -> Stack:
    """The mean of each pixel over frames, without values that stand out by more than ``sigma``.

    ``offsets`` [ADU], one for each frame, are subtracted first. ``noise`` [ADU] is the noise expected of one value without
    light; with ``gain`` [e⁻/ADU] the shot noise of the level is added to it. NaN and infinities are left out. The mean is written ``into`` an
    array of the region's shape where one is given.
    The result does not depend on ``threads``. At most ``rounds`` rounds; one round without ``noise`` is what
    ccdproc does by default.

    Raises ValueError for no frames, offsets of another number, or noise, gain, sigma, rounds that are not positive.
    """
    _check(len(readers), offsets, sigma=sigma, noise=noise, gain=gain, rounds=rounds)
    combine = _clipping(sigma, rounds, noise, gain, np.ones(len(readers)))
    return _stacked(readers, [_window(combine, region, offsets, len(readers), into)], threads)[0]


def in_halves(n: int) -> list[int]:
    """The places of ``n`` frames when the first, third … come first, and the second, fourth … after them."""
    return [*range(0, n, 2), *range(1, n, 2)]


def half_stacks(
    readers: Sequence[Reader],
    region: Region,
    *,
    sigma: float,
    noise: float,
    offsets: Sequence[Level],
    factors: Sequence[float] | None = None,
    into: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None] = (None, None),
    beside: Sequence[Taker] = (),
    rounds: int = 10,
    threads: int = 2,
) -> tuple[Stack, Stack]:
    """``clipped_mean_stack`` of the first, third … and of the second, fourth … of two frames or more, each read once.

    Frames less their offsets are multiplied by ``factors`` where they are given. ``beside`` are given the same bands of all frames, which are in the order of ``in_halves``. Raises as that does.
    """
    order, cut = in_halves(len(readers)), (len(readers) + 1) // 2
    halves = (slice(0, cut), slice(cut, None))
    windows = []
    for part, mean in zip(halves, into, strict=True):
        own = [offsets[i] for i in order[part]]
        _check(len(own), own, sigma=sigma, noise=noise, rounds=rounds)
        combine = _clipping(sigma, rounds, noise, None, [factors[i] if factors else 1.0 for i in order[part]])
        windows.append(replace(_window(combine, region, own, len(own), mean), frames=part))
    fill([readers[i] for i in order], [*windows, *beside], threads)
    first, second = (Stack(w.mean, w.variance, w.count) for w in windows)
    return first, second


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
    _check(len(readers), offsets)
    return _stacked(readers, [_window(_median(len(readers)), region, offsets, len(readers))], threads)[0]


def clipped_mean_stacks(
    frames: Sequence[FrameInput],
    channels: Sequence[Channel],
    *,
    sigma: float = 3.0,
    rounds: int = 10,
    offsets: Mapping[str, Sequence[Level]] | None = None,
    noise: Mapping[str, float] | None = None,
    gain: Mapping[str, float] | None = None,
    threads: int = 2,
) -> dict[str, Stack]:
    """``clipped_mean_stack`` of the images of several channels at once, by name: each row of a file is read once.

    ``offsets``, ``noise`` and ``gain`` are by the channel's name; a channel that ``noise`` or ``gain`` does not name has none.
    The result is that of each channel on its own. Raises ValueError as that does, KeyError when ``offsets`` lack a channel.
    """
    combine = {}
    for channel in channels:
        name = channel.name
        sought = (noise or {}).get(name), (gain or {}).get(name)
        _check(
            len(frames), offsets[name] if offsets else None,
            sigma=sigma, noise=sought[0], gain=sought[1], rounds=rounds,
        )  # fmt: skip
        combine[name] = _clipping(sigma, rounds, *sought, np.ones(len(frames)))
    return _of_detector(frames, channels, combine, offsets, threads)


def median_stacks(
    frames: Sequence[FrameInput],
    channels: Sequence[Channel],
    *,
    offsets: Mapping[str, Sequence[Level]] | None = None,
    threads: int = 2,
) -> dict[str, Stack]:
    """``median_stack`` of the images of several channels at once; else as ``clipped_mean_stacks``."""
    for channel in channels:
        _check(len(frames), offsets[channel.name] if offsets else None)
    combine = {channel.name: _median(len(frames)) for channel in channels}
    return _of_detector(frames, channels, combine, offsets, threads)


def _clipping(
    sigma: float,
    rounds: int,
    noise: float | None,
    gain: float | None,
    factors: Sequence[float] | NDArray[np.floating],
) -> Combine:
    from analysis import stack_kernels

    if noise is None:
        return Combine(stack_kernels.clip_by_scatter, (np.float32(sigma), rounds))
    per_level = np.float32(0.0 if gain is None else 1.0 / gain)
    settings = (
        np.float32(sigma), rounds, np.float32(noise**2), per_level, np.asarray(factors, np.float32), sorting_network(len(factors)),
    )  # fmt: skip
    return Combine(stack_kernels.clip_by_noise, settings)


def _median(n: int) -> Combine:
    from analysis import stack_kernels

    to_middle = sorting_network(n, ((n - 1) // 2, n // 2))
    return Combine(stack_kernels.median, (sorting_network(n), to_middle))


def _check(frames: int, offsets: Sequence[Level] | None, **positive: float | None) -> None:
    if not 0 < frames <= _MOST_FRAMES:
        raise ValueError(f"a stack of {frames} frames")
    if offsets is not None and len(offsets) != frames:
        raise ValueError(f"{len(offsets)} offsets for {frames} frames")
    for name, value in positive.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")


def _window(
    combine: Combine,
    region: Region,
    offsets: Sequence[Level] | None,
    frames: int,
    into: NDArray[np.float32] | None = None,
) -> Window:
    rows, columns = region.shape
    levels = np.zeros((frames, rows), np.float32)
    for i, level in enumerate(offsets or ()):
        levels[i] = np.asarray(level, dtype=np.float32).ravel()
    return Window(
        region, combine, levels,
        np.empty((rows, columns), np.float32) if into is None else into, np.empty((rows, columns), np.float32), np.empty((rows, columns), np.uint16),
    )  # fmt: skip


def _stacked(readers: Sequence[Reader], windows: Sequence[Window], threads: int) -> list[Stack]:
    fill(readers, windows, threads)
    return [Stack(w.mean, w.variance, w.count) for w in windows]


def _of_detector(
    frames: Sequence[FrameInput],
    channels: Sequence[Channel],
    combine: Mapping[str, Combine],
    offsets: Mapping[str, Sequence[Level]] | None,
    threads: int,
) -> dict[str, Stack]:
    out: dict[str, Stack] = {}
    for together in shared_images(frames, channels):
        windows = [
            _window(combine[c.name], c.image, offsets[c.name] if offsets else None, len(frames))
            for c in together
        ]
        readers = [wide_reader(frame, together[0]) for frame in frames]
        out |= zip((c.name for c in together), _stacked(readers, windows, threads), strict=True)
    return {c.name: out[c.name] for c in channels}
