"""Choosing by date: what lies before, after or nearest. For report versions, calibrations, anything with a date.

A day is a whole day (UTC): *before* a day is of an earlier day, *after* it of a later one, and *nearest* counts from
its noon. A moment is a moment: before is earlier, after is later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, TypeVar

from builder.archive.errors import ArchiveError, OutOfRangeError

T = TypeVar("T")
Choice = Literal["before", "after", "nearest"]


def moment(text: str) -> date | datetime:
    """A day ('2025-03-01', or '2025:060' by the day of the year) or a moment ('2025-03-01T12:30', UTC unless it says otherwise).

    Raises ArchiveError.
    """
    if by_day := re.fullmatch(r"([1-9]\d{3}):(\d{3})", text):
        year = int(by_day[1])
        found_day = date(year, 1, 1) + timedelta(days=int(by_day[2]) - 1)
        if found_day.year != year:
            raise ArchiveError(f"{text!r} is no date: that year has no such day.")
        return found_day
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArchiveError(f"{text!r} is no date: write it as 2025-03-01 or 2025-03-01T12:30.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def select(
    items: Iterable[T], choice: Choice, when: date | datetime, of: Callable[[T], datetime | date]
) -> T:
    """The item whose date is the last before, the first after, or the nearest to ``when``.

    ``of`` gives an item's date. Of two equally near the earlier is chosen; of two of one date the last listed.
    Raises OutOfRangeError when there is none: also for *nearest* when ``when`` is outside of all their days, since
    the nearest would then say nothing about that time.
    """
    ordered = sorted(items, key=lambda item: _start(of(item)))
    if not ordered:
        raise OutOfRangeError(f"There is nothing {_words(choice)} {when}: there is nothing at all yet.")
    first, last = of(ordered[0]), of(ordered[-1])
    span = f"the first is of {_day(first)}, the last of {_day(last)}"
    if choice == "before":
        found = [item for item in ordered if _start(of(item)) < _start(when)]
        pick = found[-1:]
    elif choice == "after":
        found = [item for item in ordered if _end(of(item)) > _end(when)]
        pick = [item for item in found if _start(of(item)) == _start(of(found[0]))][-1:]
    elif _end(when) < _start(first) or _start(when) > _end(last):
        pick = []
    else:
        near = min(abs(_middle(of(item)) - _middle(when)) for item in ordered)
        tied = [item for item in ordered if abs(_middle(of(item)) - _middle(when)) == near]
        pick = [item for item in tied if _middle(of(item)) == _middle(of(tied[0]))][-1:]
    if not pick:
        raise OutOfRangeError(f"There is nothing {_words(choice)} {when}: {span}.")
    return pick[0]


def before(items: Iterable[T], when: date | datetime, of: Callable[[T], datetime | date]) -> T:
    """The last item before a day or moment. Raises OutOfRangeError."""
    return select(items, "before", when, of)


def after(items: Iterable[T], when: date | datetime, of: Callable[[T], datetime | date]) -> T:
    """The first item after a day or moment. Raises OutOfRangeError."""
    return select(items, "after", when, of)


def nearest(items: Iterable[T], when: date | datetime, of: Callable[[T], datetime | date]) -> T:
    """The item nearest to a day or moment. Raises OutOfRangeError, also outside of all their days."""
    return select(items, "nearest", when, of)


def _words(choice: Choice) -> str:
    return "near" if choice == "nearest" else choice


def _start(when: date | datetime) -> datetime:
    return when if isinstance(when, datetime) else datetime.combine(when, time(), UTC)


def _end(when: date | datetime) -> datetime:
    return when if isinstance(when, datetime) else _start(when) + timedelta(days=1, microseconds=-1)


def _middle(when: date | datetime) -> datetime:
    return when if isinstance(when, datetime) else datetime.combine(when, time(12), UTC)


def _day(when: date | datetime) -> str:
    return when.isoformat(sep=" ", timespec="minutes") if isinstance(when, datetime) else when.isoformat()
