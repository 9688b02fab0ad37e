"""Details of a frame as one object of the store: histograms and profiles by channel, the same bytes for the same frame.

A line of JSON says what follows: for each array its channel, name, type and length. Histograms keep only the values
that occur, since a few hot pixels stretch them over all 65,536; means are kept in double precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ChannelDetails
from analysis.histogram import Histogram

FORMAT = 1
SUFFIX = ".details"

_HISTOGRAMS = ("image", "overscan", "prescan")
_PROFILES = ("rows", "columns", "overscan_rows")


def details_bytes(details: Mapping[str, ChannelDetails]) -> bytes:
    """The details of a frame's channels, to be stored under the digest of these bytes."""
    import orjson

    index: list[list[str | int]] = []
    parts: list[bytes] = []

    def put(channel: str, name: str, values: NDArray[np.generic], low: int = 0) -> None:
        index.append([channel, name, values.dtype.newbyteorder("<").str, values.size, low])
        parts.append(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())

    for channel, held in details.items():
        for name in _HISTOGRAMS:
            found: Histogram | None = getattr(held, name)
            if found is not None:
                at = found.counts.nonzero()[0]
                put(
                    channel,
                    f"{name} bins",
                    at.astype(np.uint16 if found.counts.size <= 65536 else np.uint32),
                    found.low,
                )
                put(channel, f"{name} counts", found.counts[at].astype(np.uint32))
        for name in _PROFILES:
            profile: NDArray[np.float64] | None = getattr(held, name)
            if profile is not None:
                put(channel, name, profile)
    return b"".join([orjson.dumps([FORMAT, index]), b"\n", *parts])


def details_from_bytes(data: bytes) -> dict[str, ChannelDetails]:
    """What ``details_bytes`` made. Raises ValueError when the bytes are not of that form."""
    import orjson

    head, line, _ = data.partition(b"\n")
    found = orjson.loads(head)
    if not line or not isinstance(found, list) or found[0] != FORMAT:
        raise ValueError("not the details of a frame, or of another version")
    arrays: dict[str, dict[str, tuple[NDArray[np.generic], int]]] = {}
    offset = len(head) + 1
    for channel, name, kind, size, low in found[1]:
        values = np.frombuffer(data, np.dtype(kind), size, offset)
        offset += values.nbytes
        arrays.setdefault(channel, {})[name] = (values.astype(values.dtype.newbyteorder("=")), low)
    return {channel: _channel(held) for channel, held in arrays.items()}


def _channel(held: Mapping[str, tuple[NDArray[np.generic], int]]) -> ChannelDetails:
    image, overscan, prescan = (_histogram(held, name) for name in _HISTOGRAMS)
    over = held["overscan_rows"][0].astype(np.float64) if "overscan_rows" in held else None
    rows, columns = (held[name][0].astype(np.float64) for name in ("rows", "columns"))
    return ChannelDetails(image, overscan, prescan, rows, columns, over)


def _histogram(held: Mapping[str, tuple[NDArray[np.generic], int]], name: str) -> Histogram | None:
    if f"{name} bins" not in held:
        return None
    bins, low = held[f"{name} bins"]
    counts = np.zeros(int(bins[-1]) + 1, np.int64)
    counts[bins] = held[f"{name} counts"][0]
    return Histogram(low, counts)


def read_details(objects: Path, name: str) -> dict[str, ChannelDetails]:
    """The details of a frame by channel, from its object. Raises OSError when it is gone, ValueError when damaged."""
    return details_from_bytes((objects / name).read_bytes())
