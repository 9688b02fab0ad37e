"""How stacks read: bands of rows of all frames at once, into memory that is used again, for several regions side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

Reader = Callable[[Region], NDArray[np.generic]]
"""Reads a part of one frame: a region in, its pixels [ADU] out, shape ``region.shape``."""

Level = float | NDArray[np.floating]
"""What is subtracted of a frame: one level, or a column of row levels, shape (rows, 1)."""

_BAND_BYTES = 8_000_000
"""For each thread: larger bands would save few reads, and count towards the peak of memory."""


@dataclass(frozen=True)
class ChannelReader:
    """Reads parts of one channel of a frame; told ``out``, into memory that is used again."""

    frame: FrameInput
    channel: Channel

    def __call__(self, region: Region, out: NDArray[np.generic] | None = None) -> NDArray[np.generic]:
        """The pixels of a region [ADU]. Raises what ``Pixels.read`` raises."""
        return self.frame.pixels.read(self.channel, region, out)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of the pixels."""
        return self.frame.pixels.dtype(self.channel)


@dataclass(frozen=True)
class Combine:
    """A kernel of ``analysis.stack_kernels`` with its settings."""

    kernel: Callable[..., None]
    settings: tuple[object, ...]


class Taker(Protocol):
    """Takes what it needs of bands of a region, in any order and from several threads at once."""

    @property
    def region(self) -> Region:
        """What is read for it."""

    def fill(self, band: NDArray[np.generic], y0: int, x0: int) -> None:
        """Take what a band (frames, rows, columns), whose first pixel is (y0, x0), holds of the region."""


@dataclass(frozen=True)
class Window:
    """A region, how its values are combined, the levels subtracted first (frames, rows), and the arrays to fill; of all frames, or ``frames`` of them."""

    region: Region
    combine: Combine
    levels: NDArray[np.float32]
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    count: NDArray[np.uint16]
    frames: slice = field(default_factory=lambda: slice(None))

    def fill(self, band: NDArray[np.generic], y0: int, x0: int) -> None:
        """Combine what a band (frames, rows, columns), whose first pixel is (y0, x0), holds of the region."""
        first, end = max(self.region.y0, y0), min(self.region.y1, y0 + band.shape[1])
        if first < end:
            self.combine.kernel(
                band[self.frames], first - y0, self.region.x0 - x0, end - first, self.levels,
                *self.combine.settings, first - self.region.y0, self.mean, self.variance, self.count,
            )  # fmt: skip


def wide_reader(frame: FrameInput, channel: Channel) -> Reader:
    """Reads any part of the image that holds a channel."""
    return ChannelReader(frame, channel)


def shared_images(frames: Sequence[FrameInput], channels: Sequence[Channel]) -> list[list[Channel]]:
    """Channels grouped by the image that holds them, which must be one image in each of the frames."""
    groups: dict[tuple[int, ...], list[Channel]] = {}
    for channel in channels:
        hdus = tuple(f.frame.hdus.get(channel.name, f.frame.hdus.get("", -1)) for f in frames)
        groups.setdefault(hdus, []).append(channel)
    return list(groups.values())


def fill(readers: Sequence[Reader], windows: Sequence[Taker], threads: int) -> None:
    """Read all frames band by band and fill the windows, which lie in one image; what results knows no threads.

    Bands are of uint16 where all readers say that their pixels are, else of float32.
    """
    kinds = {getattr(read, "dtype", np.dtype(np.float32)) for read in readers}
    kind = np.dtype(np.uint16 if kinds == {np.dtype(np.uint16)} else np.float32)
    regions = [w.region for w in windows]
    y0, y1 = min(r.y0 for r in regions), max(r.y1 for r in regions)
    x0, x1 = min(r.x0 for r in regions), max(r.x1 for r in regions)
    step = max(1, min(_BAND_BYTES // (len(readers) * (x1 - x0) * kind.itemsize), y1 - y0))
    bands = [Region(y, min(y + step, y1), x0, x1) for y in range(y0, y1, step)]
    bands = [b for b in bands if any(r.y0 < b.y1 and b.y0 < r.y1 for r in regions)]

    def do(mine: Iterator[Region]) -> None:
        memory: NDArray[np.generic] | None = None
        for part in mine:
            if memory is None or memory.shape[1] != part.shape[0]:
                memory = None  # the last band is lower: let go of the old one first
                memory = np.empty((len(readers), *part.shape), kind)
            for read, out in zip(readers, memory, strict=True):
                if isinstance(read, ChannelReader):
                    read(part, out)
                else:
                    np.copyto(out, read(part), casting="unsafe")
            for window in windows:
                window.fill(memory, part.y0, x0)

    threads = max(1, min(threads, len(bands)))
    if threads == 1:
        do(iter(bands))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(do, [iter(bands[i::threads]) for i in range(threads)]))
