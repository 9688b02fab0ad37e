"""Summaries as rows of the store: compact text, read only when somebody asks for the frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

import orjson

from analysis.contract import ChannelSummary

FrameKey = tuple[str, str]
"""(block, frame id)."""

_NAMES = tuple(f.name for f in fields(ChannelSummary) if f.name != "details")
_values = attrgetter(*_NAMES)
_ALWAYS = _NAMES.index("overscan_mean")  # numbers before this are never None, but may be no number
_SOUND = '{"bad":0,'
_NO_NUMBER = float("nan")


def row_text(channels: Mapping[str, ChannelSummary], *, preview: str, details: str) -> str:
    """The row of a frame: how many pixels are bad, the names of its objects, its channels' numbers in order."""
    return orjson.dumps(
        {
            "bad": sum(s.not_finite for s in channels.values()),
            "preview": preview,
            "details": details,
            "channels": {name: _values(s) for name, s in channels.items()},
        }
    ).decode()


def bad_pixels(row: str) -> int:
    """How many pixels of a frame are not finite. Cheap for the many that have none."""
    return 0 if row.startswith(_SOUND) else int(orjson.loads(row)["bad"])


class Channels(Mapping[FrameKey, Mapping[str, ChannelSummary]]):
    """Summaries of frames by channel, each made from its row when it is asked for first."""

    def __init__(self, rows: Mapping[FrameKey, str]) -> None:
        self._rows = rows
        self._made: dict[FrameKey, Mapping[str, ChannelSummary]] = {}

    def __getitem__(self, key: FrameKey) -> Mapping[str, ChannelSummary]:
        if key not in self._made:
            self._made[key] = _channels(self._rows[key])
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[FrameKey]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Previews(Mapping[FrameKey, str]):
    """Names of the previews' objects by frame."""

    def __init__(self, rows: Mapping[FrameKey, str]) -> None:
        self._rows = rows

    def __getitem__(self, key: FrameKey) -> str:
        row = self._rows[key]
        start = row.index('"preview":"') + 11
        return row[start : row.index('"', start)]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[FrameKey]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _channels(row: str) -> Mapping[str, ChannelSummary]:
    held = orjson.loads(row)
    out = {}
    for name, values in held["channels"].items():
        numbers: list[Any] = [_NO_NUMBER if v is None else v for v in values[:_ALWAYS]]
        numbers += [*values[_ALWAYS:], held["details"]]
        out[name] = ChannelSummary(*numbers)
    return out
