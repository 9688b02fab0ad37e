"""Header values as people and cameras write them, and what they mean.

Every reader returns ``(value, oddity)``: the value, or None when it cannot be had, and in words what was
odd about the text ('' when nothing was). Nothing is guessed without an oddity that says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECONDS: Mapping[str, float] = {
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "min": 60.0,
    "minutes": 60.0,
}
KELVIN = 273.15

_NUMBER = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eEdD][+-]?\d+)?)\s*([^\d\s].*)?\s*")
_LAB_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)[DT](\d\d)(\d\d)(\d\d)T?")
_OLD_DATE = re.compile(r"(\d\d)/(\d\d)/(\d\d)")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?")
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](.+))?")
_TRUE = frozenset({"1", "t", "true", "open", "opened", "on", "yes", "y"})
_FALSE = frozenset({"0", "f", "false", "close", "closed", "shut", "off", "no", "n"})
_MJD0 = datetime(1858, 11, 17)


@lru_cache(maxsize=65536)
def number(text: str) -> tuple[float | None, str]:
    """A plain number; a decimal comma is understood, and said."""
    value, unit, oddity = _number(text)
    if value is not None and unit:
        return value, f"unit {unit!r} passed over"
    return value, oddity


@lru_cache(maxsize=65536)
def seconds(text: str) -> tuple[float | None, str]:
    """A duration [s]; units that may stand behind it are applied, and said."""
    value, unit, oddity = _number(text)
    if value is None:
        return None, oddity
    if unit:
        factor = SECONDS.get(unit.lower().rstrip("."))
        if factor is None:
            return None, f"unknown unit {unit!r}"
        value, oddity = value * factor, "a unit is written with the number"
    if value < 0:
        return None, "a negative time"
    return value, oddity


@lru_cache(maxsize=65536)
def celsius(text: str) -> tuple[float | None, str]:
    """A temperature [°C]; kelvin are converted when the text says K."""
    value, unit, oddity = _number(text)
    if value is None or not unit:
        return value, oddity
    plain = unit.lower().replace("deg", "").strip(" .°")
    if plain == "c":
        return value, "a unit is written with the number"
    if plain == "k":
        return value - KELVIN, "given in kelvin"
    return None, f"unknown unit {unit!r}"


def _number(text: str) -> tuple[float | None, str, str]:
    """(value, unit behind it, oddity)."""
    stripped = text.strip()
    if not stripped:
        return None, "", "empty"
    match = _NUMBER.fullmatch(stripped)
    if match is None or (not stripped.isascii() and not stripped[: match.end(1)].isascii()):
        return None, "", "not a number"
    digits = match[1].replace("D", "E").replace("d", "e")
    value = float(digits.replace(",", "."))
    if abs(value) == float("inf"):
        return None, "", "not a finite number"
    return value, (match[2] or "").strip(), "a decimal comma" if "," in digits else ""


@lru_cache(maxsize=4096)
def yes_or_no(text: str) -> tuple[bool | None, str]:
    """A truth value: T or F, 0 or 1, open or closed, on or off."""
    word = text.strip().lower()
    if word in _TRUE:
        return True, ""
    if word in _FALSE:
        return False, ""
    value, _ = number(word)
    if value in (0.0, 1.0):
        return bool(value), ""
    return None, "neither yes nor no" if word else "empty"


@lru_cache(maxsize=65536)
def moment(text: str, clock: str = "") -> tuple[str | None, str]:
    """A time in ISO 8601, UTC, from a date or date and time; ``clock`` is the time where it is kept apart.

    Understood: ISO 8601 with or without zone, 'ddmmyyDhhmmssT' of the Euclid VIS bench (years 2000–2099),
    'dd/mm/yy' of FITS before 2000 (years from 1970), and modified Julian dates. A date alone stays a date.
    """
    stripped = text.strip()
    if not stripped:
        return None, "empty"
    try:
        if lab := _LAB_DATE.fullmatch(stripped):
            day, month, year, hour, minute, second = (int(g) for g in lab.groups())
            return datetime(2000 + year, month, day, hour, minute, second).isoformat(), ""
        if old := _OLD_DATE.fullmatch(stripped):
            day, month, year = (int(g) for g in old.groups())
            start = datetime(year + (1900 if year >= 70 else 2000), month, day)
            value, oddity = _with_clock(start, clock)
            return value, oddity or "a date with a two-digit year"
        if iso := _ISO.fullmatch(stripped):
            start = datetime(int(iso[1]), int(iso[2]), int(iso[3]))
            if iso[4]:
                return _zoned(stripped)
            return _with_clock(start, clock)
        return _julian(stripped)
    except (ValueError, OverflowError):
        return None, "not a date"


def _zoned(text: str) -> tuple[str | None, str]:
    when = datetime.fromisoformat(
        re.sub(r"\s*(UTC|UT)$", "", text.strip(), flags=re.IGNORECASE).replace(" ", "T")
    )
    if when.tzinfo is None:
        return when.isoformat(), ""
    utc = when.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(), "" if utc == when.replace(tzinfo=None) else "a time zone, converted to UTC"


def _with_clock(start: datetime, clock: str) -> tuple[str | None, str]:
    if not clock.strip():
        return start.date().isoformat(), "a date without a time"
    match = _CLOCK.fullmatch(clock.strip())
    if match:
        fraction = float(f"0.{match[4]}") if match[4] else 0.0
        hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
        if hour >= 24 or minute >= 60 or second > 60:
            return start.date().isoformat(), "a date whose time is not a time of day"
        offset = hour * 3600 + minute * 60 + second + fraction
    else:  # seconds of the day, as some observatories write UTC
        value, _ = number(clock)
        if value is None or not 0 <= value <= 86400:
            return start.date().isoformat(), "a date whose time is not a time of day"
        offset = value
    return (start + timedelta(seconds=offset)).isoformat(), ""


def _julian(text: str) -> tuple[str | None, str]:
    value, _ = number(text)
    if value is None or not 15_000 < value < 100_000:  # 1899 to 2132: anything else is no observation
        return None, "not a date"
    return (_MJD0 + timedelta(days=value)).isoformat(
        timespec="milliseconds"
    ), "given as a modified Julian date"


def plain(text: str) -> str | int | float:
    """A number where the text is one (whole numbers as int), else the text."""
    value, oddity = number(text)
    if value is None or oddity:
        return text.strip()
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def exposure_name(text: str) -> str:
    """An exposure's number without leading zeros or '.0', or its name as it stands."""
    stripped = text.strip()
    whole = re.fullmatch(r"([0-9]+)(?:\.0*)?", stripped)
    return str(int(whole[1])) if whole and len(stripped) < 19 else stripped
