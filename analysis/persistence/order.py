"""Which frame is which: darks before the light, the exposures that saturate, darks after; by time, else by number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from analysis.contract import FrameInput
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Ordered:
    """Frames in the order they were taken: ``before`` the first exposure to light, the ``exposed``, and ``after`` the last."""

    before: tuple[FrameInput, ...]
    exposed: tuple[FrameInput, ...]
    after: tuple[FrameInput, ...]


def in_order(darks: Sequence[FrameInput], exposed: Sequence[FrameInput]) -> Ordered | None:
    """Darks by their place before or after the light; those between two exposures are neither. None where no order is known.

    Dates decide where all frames have one, else exposure numbers where all have one.
    """
    if not exposed:
        return Ordered(tuple(darks), (), ())
    everything = [*darks, *exposed]
    keys: dict[int, float] = {}
    dates = [_date(f) for f in everything]
    if all(d is not None for d in dates):
        keys = {id(f): d for f, d in zip(everything, dates, strict=True) if d is not None}
    elif all(f.frame.number is not None for f in everything):
        keys = {id(f): float(f.frame.number or 0) for f in everything}
    else:
        return None

    def key(frame: FrameInput) -> float:
        return keys[id(frame)]

    first, last = min(map(key, exposed)), max(map(key, exposed))
    return Ordered(
        tuple(sorted((f for f in darks if key(f) < first), key=key)),
        tuple(sorted(exposed, key=key)),
        tuple(sorted((f for f in darks if key(f) > last), key=key)),
    )


def since(dark: FrameInput, exposed: FrameInput) -> float | None:
    """Seconds from the end of an exposure to light to the beginning of a dark; None where a date or the exposure's time is not known."""
    began, lit, time = _date(dark), _date(exposed), exposed.frame.exptime
    return None if began is None or lit is None or time is None else began - lit - time


def alike(one: float | None, other: float | None) -> bool:
    """Whether two exposure times are the same to one per cent (a dark of another time gathers another dark signal)."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 0.01 * max(one, other)


_EPOCH = datetime(2000, 1, 1)


def _date(frame: FrameInput) -> float | None:
    found = frame.frame.date
    # times of frames are UTC whether they say so or not
    return None if found is None else (found.replace(tzinfo=None) - _EPOCH).total_seconds()
