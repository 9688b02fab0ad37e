"""The way of charge to the readout node, from a channel's geometry: how many transfers it takes, and which pixels are read when.

All arrays here are turned so that what is read first comes first: for the serial direction a line is a row and its pixels
are columns, for the parallel direction a line is a column and its pixels are rows. Everything else is then the same for both, and for any
readout corner.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from campaign.geometry import Channel, Region

Direction = Literal["serial", "parallel"]
Floats = NDArray[np.float64]

DIRECTIONS: tuple[Direction, Direction] = ("serial", "parallel")


def transfers(channel: Channel, direction: Direction, more: int = 0) -> int:
    """Transfers from the last image pixel of a line to the readout node (serial) or into the serial register (parallel).

    Along a row they are the image's columns and all that lie between them and the node: the prescan, which consists of physical
    elements of the register, and columns between prescan and image that no region names (unless the file keeps the overscan there). Along a
    column they are the image's rows. ``more`` are those that no pixel of the file shows.
    """
    if direction == "parallel":
        return channel.image.shape[0] + more
    return channel.image.shape[1] + _before(channel) + more


def _before(channel: Channel) -> int:
    """Elements of the register between the node and the first image column."""
    pre, image, over = channel.prescan, channel.image, channel.overscan
    if pre is None:
        return 0
    left, right = (pre.x1, image.x0) if pre.x1 <= image.x0 else (image.x1, pre.x0)
    hidden = max(0, right - left)
    if over is not None:  # some files keep the overscan beside the prescan
        hidden -= max(0, min(over.x1, right) - max(over.x0, left))
    return pre.shape[1] + max(0, hidden)


def first_transfers(channel: Channel, more: int = 0) -> int:
    """Serial transfers of the first image column: all elements before it, and the one into the node."""
    return _before(channel) + 1 + more


def trailing(channel: Channel, direction: Direction) -> Region | None:
    """The region read after the image: overscan columns or parallel overscan rows, beside the image's lines; None without one."""
    region, image = (channel.overscan if direction == "serial" else channel.parallel), channel.image
    if region is None:
        return None
    if direction == "serial":
        y0, y1 = max(region.y0, image.y0), min(region.y1, image.y1)
        return Region(y0, y1, region.x0, region.x1) if y1 > y0 else None
    x0, x1 = max(region.x0, image.x0), min(region.x1, image.x1)
    return Region(region.y0, region.y1, x0, x1) if x1 > x0 else None


def lines_after(frame: FrameInput, channel: Channel, direction: Direction) -> Floats:
    """The last image pixel of each line and the pixels read after it [ADU], shape (lines, 1 + trailing pixels).

    Only these regions are read. Raises ValueError when there is no such region, and what reading raises.
    """
    region = trailing(channel, direction)
    if region is None:
        raise ValueError(
            f"channel {channel.name} has no region read after its image along its {direction} direction"
        )
    image, right, upper = channel.image, channel.corner.endswith("right"), channel.corner.startswith("upper")
    if direction == "serial":
        last = image.x0 if right else image.x1 - 1
        edge = Region(region.y0, region.y1, last, last + 1)
    else:
        last = image.y0 if upper else image.y1 - 1
        edge = Region(last, last + 1, region.x0, region.x1)
    return _joined(frame, channel, direction, edge, region)


def lines_before(frame: FrameInput, channel: Channel, first: int) -> tuple[Floats, int]:
    """The prescan and the first image pixels of each row [ADU], shape (rows, prescan + first), and the number of prescan pixels.

    Raises ValueError without a prescan beside the image's rows, and what reading raises.
    """
    pre, image = channel.prescan, channel.image
    y0, y1 = (max(pre.y0, image.y0), min(pre.y1, image.y1)) if pre else (0, 0)
    if pre is None or y1 <= y0:
        raise ValueError(f"channel {channel.name} has no prescan beside its image")
    first = min(first, image.shape[1])
    x0 = image.x1 - first if channel.corner.endswith("right") else image.x0
    regions = (Region(y0, y1, pre.x0, pre.x1), Region(y0, y1, x0, x0 + first))
    return _joined(frame, channel, "serial", *regions), pre.shape[1]


def _joined(frame: FrameInput, channel: Channel, direction: Direction, one: Region, other: Region) -> Floats:
    """Two regions of the same lines side by side in the order of reading; by one read where they touch in that order, because files are read by rows."""
    forwards = not (
        channel.corner.endswith("right") if direction == "serial" else channel.corner.startswith("upper")
    )
    low, high = (one, other) if forwards else (other, one)
    touch = low.x1 == high.x0 if direction == "serial" else low.y1 == high.y0
    regions = [Region(low.y0, high.y1, low.x0, high.x1)] if touch else [one, other]
    return np.concatenate(
        [_turned(frame.pixels.read(channel, r), channel, direction) for r in regions], axis=1
    )


def _turned(values: NDArray[np.generic], channel: Channel, direction: Direction) -> Floats:
    """Pixels in the order of reading, lines first."""
    if channel.corner.endswith("right"):
        values = values[:, ::-1]
    if channel.corner.startswith("upper"):
        values = values[::-1]
    return np.ascontiguousarray(values if direction == "serial" else values.T, dtype=np.float64)
