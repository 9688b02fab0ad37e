"""Numbers and dates as people write them into cells.

Each function returns the value, or raises ``Unreadable`` with the reason in words: what can be read in two
ways is not read at all.
"""

from __future__ import annotations

import re
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from datetime import datetime, timedelta

from campaign.frozen import dataclass
from campaign.record import CellValue

SERIAL_EPOCH = Date(1899, 12, 30)
"""Day 0 of the serial day numbers of spreadsheets (of Excel from 1 March 1900 on)."""
_SERIALS = range(20_000, 80_000)  # October 1954 to January 2119

_LONGEST = 60  # characters: no number or date is longer, and patterns are slow on pages of text

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL = ("january", "february", "march", "april", "june", "july", "august", "september", "october")
_LONG = {name: _MONTHS.index(name[:3]) + 1 for name in (*_FULL, "november", "december", "sept")}
_MONTH = {**{name: i for i, name in enumerate(_MONTHS, start=1)}, **_LONG}

_SECONDS = {
    "": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "min": 60.0,
    "h": 3600.0,
}
_NUMBER = re.compile(r"([+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]{1,3})?)\s*([a-zA-Z]*)\.?")
_ISO = re.compile(r"([0-9]{4})[-/_.]([0-9]{1,2})[-/_.]([0-9]{1,2})(?:[T ].*)?")
_NAMED = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?[-/_. ]+([A-Za-z]+)[-/_., ]+([0-9]{4}|[0-9]{2})(?: .*)?")
_AMERICAN = re.compile(r"([A-Za-z]+)\.? +([0-9]{1,2})(?:st|nd|rd|th)?,? +([0-9]{4})")
_PARTS = re.compile(r"([0-9]{1,2})([-/_.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")


class Unreadable(Exception):
    """A cell does not hold what its column asks for; the message says why."""


@dataclass(frozen=True)
class Day:
    """A day, and the rule it was read by where it was not written in full: '' or a sentence's part."""

    date: Date
    rule: str = ""


TWO_DIGITS = "two-digit years 00–69 were read as 2000–2069, 70–99 as 1970–1999"
SERIAL = "numbers were read as a spreadsheet's serial day numbers"


def read_number(value: CellValue, *, unit: float = 1.0, units: bool = False) -> float:
    """A finite number. ``units`` allows a unit of time behind it; ``unit`` [s] applies where none stands there.

    A comma is a decimal comma when no dot is there ('23,5'), except where it could as well part thousands
    ('1,500'). Raises Unreadable.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unreadable("is not a number")
    if isinstance(value, int | float):
        return _finite(_float(value) * unit)
    if len(value) > _LONGEST:
        raise Unreadable("is not a number")
    found = _NUMBER.fullmatch(" ".join(value.replace("−", "-").split()))
    if found is None or (found[2] and (not units or found[2].lower() not in _SECONDS)):
        raise Unreadable("is not a number")
    scale = _SECONDS[found[2].lower()] if found[2] else unit
    try:
        return _finite(float(_decimal(found[1])) * scale)
    except ValueError:
        raise Unreadable("is not a number") from None


def read_count(value: CellValue) -> int:
    """A whole number, not negative. Raises Unreadable."""
    number = read_number(value)
    if not number.is_integer() or number < 0 or number > 1e9:
        raise Unreadable("is not a count")
    return int(number)


def unit_of(column: str) -> float | None:
    """Seconds in the unit that a column name states ('exptime [ms]': 0.001); 1 for none, None when unknown."""
    found = re.search(r"[\[(]\s*([^\])]*?)\s*[\])]\s*$", column)
    if found is None or found[1].isdigit():
        return 1.0
    return _SECONDS.get(found[1].lower())


def read_day(value: CellValue) -> Day:
    """A day from a date, a serial day number, or a text such as 2019-03-11, 11_Mar_19, 11.03.2019.

    With slashes or dashes the order of day and month is taken from the numbers where only one is possible;
    with dots the day comes first. Raises Unreadable, also where both orders are possible.
    """
    if isinstance(value, datetime):
        return Day(value.date())
    if isinstance(value, Date):
        return Day(value)
    if isinstance(value, bool) or value is None:
        raise Unreadable("is not a date")
    if isinstance(value, int | float):
        return _serial(_finite(_float(value)))
    if len(value) > _LONGEST:
        raise Unreadable("is not a date")
    text = " ".join(value.split())
    try:
        return _written(text)
    except ValueError:
        raise Unreadable("is not a day of the calendar") from None


def _written(text: str) -> Day:
    """A day from text. Raises ValueError for a day that no calendar has, Unreadable for what is no date."""
    if found := _ISO.fullmatch(text):
        return Day(Date(int(found[1]), int(found[2]), int(found[3])))
    if found := _NAMED.fullmatch(text):
        return _day(found[3], _month(found[2]), int(found[1]))
    if found := _AMERICAN.fullmatch(text):
        return _day(found[3], _month(found[1]), int(found[2]))
    if found := _PARTS.fullmatch(text):
        return _day(found[4], *_ordered(int(found[1]), int(found[3]), found[2]))
    if re.fullmatch(r"[0-9]{5}(\.[0-9]+)?", text) or re.fullmatch(r"[0-9]{8}", text):
        return _serial(float(text))
    raise Unreadable("is not a date")


def _serial(number: float) -> Day:
    if int(number) in _SERIALS:
        return Day(SERIAL_EPOCH + timedelta(days=int(number)), SERIAL)
    if number.is_integer() and 19_000_101 <= number <= 21_001_231:  # 20190311
        year, rest = divmod(int(number), 10_000)
        try:
            return Day(Date(year, *divmod(rest, 100)), "numbers were read as year, month and day")
        except ValueError:
            pass
    raise Unreadable("is a number that is not a date")


def _day(year: str, month: int, day: int) -> Day:
    if len(year) == 4:
        return Day(Date(int(year), month, day))
    number = int(year)
    return Day(Date(2000 + number if number < 70 else 1900 + number, month, day), TWO_DIGITS)


def _month(name: str) -> int:
    if name.lower() not in _MONTH:
        raise Unreadable("names no month (in English)")
    return _MONTH[name.lower()]


def _ordered(first: int, second: int, mark: str) -> tuple[int, int]:
    """(month, day) of the first two numbers of a date."""
    if mark == "." or first > 12 or first == second:
        return second, first
    if second > 12:
        return first, second
    raise Unreadable("can be read as day and month or as month and day: write it as year-month-day")


def _decimal(text: str) -> str:
    """A number's text with a decimal point. Raises Unreadable where the comma may mean two things."""
    if "," not in text:
        return text
    if "." in text:
        thousands = "," if text.rindex(".") > text.rindex(",") else "."
        return text.replace(thousands, "").replace(",", ".")
    if re.fullmatch(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", text):
        raise Unreadable("can be read with a decimal comma or with thousands: write it without a comma")
    return text.replace(",", ".", 1)


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        raise Unreadable("is too large a number") from None


def _finite(number: float) -> float:
    if number != number or number in (float("inf"), float("-inf")):
        raise Unreadable("is not a finite number")
    return number
