"""Summaries as rows of the store: compact text, made into summaries only when somebody asks for the frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

import orjson

from analysis.contract import ChannelSummary
from campaign.frozen import dataclass

_NAMES = tuple(f.name for f in fields(ChannelSummary) if f.name != "details")
_values = attrgetter(*_NAMES)
_ALWAYS = _NAMES.index("overscan_mean")  # numbers before this are never None, but may be no number
_HEAD = re.compile(r'\{"bad":(\d+),"preview":"([^"]*)","details":"([^"]*)"')
HEAD = 160
"""Characters of a row that surely hold all but the channels' numbers."""
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


@dataclass(frozen=True)
class Head:
    """The beginning of a row: how many pixels are not finite, and the objects that hold the frame's preview and details."""

    bad: int
    preview: str
    details: str


def head_of(row: str) -> Head:
    """What stands at the beginning of a row, of which the first ``HEAD`` characters do."""
    found = _HEAD.match(row)
    assert found is not None  # rows of another form have other keys (see ``builder.summaries.VERSION``)
    return Head(int(found[1]), found[2], found[3])


def channels_of(row: str) -> Mapping[str, ChannelSummary]:
    """The summaries of a row, by channel."""
    held = orjson.loads(row)
    out = {}
    for name, values in held["channels"].items():
        numbers: list[Any] = [_NO_NUMBER if v is None else v for v in values[:_ALWAYS]]
        numbers += [*values[_ALWAYS:], held["details"]]
        out[name] = ChannelSummary(*numbers)
    return out
