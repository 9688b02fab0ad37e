"""When a test was taken: the one time that trends, statistical limits and the health check place it at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time

from campaign.frames import Frame
from campaign.model import Block
from campaign.record import Test


def taken_at(frames: Iterable[Frame], test: Test, block: Block) -> datetime | None:
    """The start of the first exposure [UTC], else the record's date of the test, else the block's first day, else None."""
    starts = [_utc(date) for frame in frames if (date := frame.date) is not None]
    if starts:
        return min(starts)
    day = test.date or block.start
    return datetime.combine(day, time(), UTC) if day else None


def _utc(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)
