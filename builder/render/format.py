"""Numbers, dates and sizes as people read them.

A value is shown with as many digits as its uncertainty allows: two significant digits of the uncertainty, the
value to the same place. Nothing here reads a clock: ages are relative to a time that is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from math import floor, isfinite, log10

from campaign.frozen import dataclass
from campaign.model import Limit

FIGURE_SPACE = "\u2007"  # as wide as a digit
POINT_SPACE = "\u2008"  # as wide as a decimal point
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN_DIGITS = 5  # significant digits of a value that has no uncertainty
_SMALLEST_PLAIN, _LARGEST_PLAIN = -4, 7  # powers of ten between which numbers are written out
_WASTED_ZEROS = 3  # so many insignificant zeros before the decimal point are still easier than a power of ten


@dataclass(frozen=True)
class Shown:
    """A number as text: value, uncertainty ('' for none) and the power of ten of both (None: written out)."""

    value: str
    uncertainty: str = ""
    exponent: int | None = None

    @property
    def power(self) -> str:
        """' × 10⁻⁷', or '' when the number is written out."""
        return "" if self.exponent is None else f" × 10{str(self.exponent).translate(_SUPERSCRIPT)}"

    @property
    def text(self) -> str:
        """The whole: '3.412 ± 0.012', '(5.00 ± 0.20) × 10⁻⁷', '1024'."""
        if not self.uncertainty:
            return self.value + self.power
        both = f"{self.value} ± {self.uncertainty}"
        return f"({both}){self.power}" if self.power else both


def number(value: float, uncertainty: float | None = None) -> Shown:
    """A value, with its uncertainty where it has one; what is not a number is said in words."""
    if not isfinite(value):
        return Shown("not a number")
    if uncertainty is not None and not (isfinite(uncertainty) and uncertainty >= 0):
        return replace(_plain(value), uncertainty="unknown")
    if not uncertainty:
        plain = _plain(value)
        return plain if uncertainty is None else replace(plain, uncertainty="0")
    last = _exponent(uncertainty, 2) - 1  # power of ten of the last digit shown
    leading = max(_exponent(value, 5), last + 1) if value else last + 1
    if last <= _WASTED_ZEROS and leading >= _SMALLEST_PLAIN:
        return Shown(_fixed(value, -last), _fixed(uncertainty, -last))
    return Shown(
        _fixed(_scaled(value, leading), leading - last),
        _fixed(_scaled(uncertainty, leading), leading - last),
        leading,
    )


def _plain(value: float) -> Shown:
    if not value:
        return Shown("0")
    exponent = _exponent(value, _PLAIN_DIGITS)
    if value == int(value) and exponent < _LARGEST_PLAIN:
        return Shown(_fixed(value, 0))
    if _SMALLEST_PLAIN <= exponent < _LARGEST_PLAIN:
        return Shown(_stripped(_fixed(value, max(_PLAIN_DIGITS - 1 - exponent, 0))))
    return Shown(_stripped(_fixed(_scaled(value, exponent), _PLAIN_DIGITS - 1)), "", exponent)


def _exponent(value: float, digits: int) -> int:
    """The power of ten of the first digit, after rounding to so many significant digits."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2])


def _scaled(value: float, exponent: int) -> float:
    """``value`` / 10**exponent, without overflow for the smallest and largest floats."""
    half = exponent // 2
    return value / 10.0**half / 10.0 ** (exponent - half)


def _fixed(value: float, decimals: int) -> str:
    text = f"{round(value, decimals) if decimals < 0 else value:.{max(decimals, 0)}f}"
    negative = text.startswith("-") and any(c in "123456789" for c in text)
    return ("−" if negative else "") + text.lstrip("-")


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def aligned(numbers: Sequence[Shown]) -> list[Shown]:
    """The same numbers padded with spaces as wide as digits, so that right-aligned they stand point under point."""
    out = list(numbers)
    for exponent in {
        n.exponent for n in numbers
    }:  # only numbers of one power of ten can stand point under point
        places = [i for i, n in enumerate(numbers) if n.exponent == exponent]
        values = _padded([numbers[i].value for i in places])
        sized = [numbers[i].uncertainty for i in places if numbers[i].uncertainty]
        uncertainties = iter(_padded(sized, left=True))
        for i, value in zip(places, values, strict=True):
            out[i] = Shown(value, next(uncertainties) if numbers[i].uncertainty else "", exponent)
    return out


def _padded(texts: Sequence[str], *, left: bool = False) -> list[str]:
    parts = [t.partition(".") for t in texts]
    whole = max((len(p[0]) for p in parts), default=0)
    decimals = max((len(p[2]) for p in parts), default=0)
    out = []
    for before, point, after in parts:
        tail = FIGURE_SPACE * (decimals - len(after)) + (POINT_SPACE if decimals and not point else "")
        head = FIGURE_SPACE * (whole - len(before)) if left else ""
        out.append(head + before + point + after + tail)
    return out


def exact(value: float | int | None) -> str:
    """The number as data carry it: the shortest text that reads back as the same float ('' for none)."""
    return "" if value is None else repr(float(value))


def limits(low: float | None, high: float | None) -> str:
    """An acceptance range: '3 … 3.5', '≥ 3', '≤ 3.5'. Both ends are within."""
    if low is not None and high is not None:
        return f"{_bound(low)} … {_bound(high)}"
    if low is not None:
        return f"≥ {_bound(low)}"
    return "any value" if high is None else f"≤ {_bound(high)}"


def stated(limit: Limit) -> str:
    """The range of a limit as it is stated: '3 … 3.5', '3.2 ± 0.1', '0.95 … 1.05 times that of BIAS01', 'median ± 3 σ of …'."""
    half = (
        "" if limit.tolerance is None and limit.tolerance_percent is None
        else f" ± {_bound(limit.tolerance)}" if limit.tolerance is not None
        else f" ± {_bound(limit.tolerance_percent or 0.0)} %"
    )  # fmt: skip
    if limit.statistic is not None:
        how = limit.statistic
        points = f"{how.points} points" if how.points else "all points"
        within = f" within {how.days:g} days" if how.days else ""
        own = " of the block" if how.blocks == "own" else ""
        side = " before it" if how.sides == "before" else " on each side" if how.points else " around it"
        return f"median ± {_bound(how.sigma)} σ of {points}{side}{within}{own}, {how.minimum} at least"
    if limit.relative_to is None:
        return (
            f"{_bound(limit.reference)}{half}"
            if limit.reference is not None and half
            else limits(*limit.stated)
        )
    to = limit.relative_to
    if to.commanded:
        name = f"commanded {to.field or to.column}"
    else:
        name = " ".join(
            x for x in (
                to.quantity, f"of {to.test}" if to.test else "", f"of {to.block}" if to.block else "",
                f"at {to.setting}" if to.setting else "",
            ) if x
        )  # fmt: skip
        name = f"that {name}" if name.startswith(("of ", "at ")) else name
    if half:
        return f"{name}{half}"
    return f"{limits(limit.low, limit.high)} {'times' if to.by == 'ratio' else 'from'} {name}"


def _bound(value: float) -> str:
    """A limit exactly as it was stated, since equality is within."""
    text = repr(float(value)).removesuffix(".0").replace("-", "−")
    mantissa, mark, power = text.partition("e")
    if not mark:
        return text
    return f"{mantissa} × 10{str(int(power.replace('−', '-'))).translate(_SUPERSCRIPT)}"


def duration(seconds: float) -> str:
    """A time span: '0.34 s', '12.5 s', '3 min 20 s', '2 h 05 min', '3 d 4 h'."""
    if seconds < 0 or not isfinite(seconds):
        raise ValueError(f"{seconds} s is not a duration")
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


_AGES = (
    (365.25 * 86400, "year"),
    (30.44 * 86400, "month"),
    (86400.0, "day"),
    (3600.0, "hour"),
    (60.0, "minute"),
)


def age(then: datetime, now: datetime) -> str:
    """How long before ``now`` something was: 'just now', '3 days ago'. Times without a zone are UTC."""
    seconds = (_utc(now) - _utc(then)).total_seconds()
    if seconds < -60:
        return "after this build"
    for length, name in _AGES:
        if seconds >= length:
            count = floor(seconds / length)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def moment(when: datetime | None) -> str:
    """A time to the minute, in UTC: '2019-03-11 14:05 UTC'; 'time unknown' for None."""
    return "time unknown" if when is None else f"{_utc(when):%Y-%m-%d %H:%M} UTC"


def stamp(when: str) -> str:
    """A time that was kept as ISO text, to the minute; other text as it is, '' in words."""
    try:
        return moment(datetime.fromisoformat(when))
    except ValueError:
        return when or "at an unknown time"


def day(when: date | None) -> str:
    """A day: '2019-03-11'; 'date unknown' for None."""
    return "date unknown" if when is None else f"{when:%Y-%m-%d}"


def days(start: date | None, end: date | None) -> str:
    """A span of days: '2019-03-11 to 2019-03-14', 'from …', 'until …', 'dates not stated'."""
    if start and end:
        return day(start) if start == end else f"{day(start)} to {day(end)}"
    if start:
        return f"from {day(start)}"
    return f"until {day(end)}" if end else "dates not stated"


def size(count: int) -> str:
    """A file's size: '812 bytes', '35.4 MB' (powers of 1000)."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    power = min(int(log10(count) // 3), 4)
    if round(count / 1000.0**power, 1) >= 1000 and power < 4:
        power += 1
    return f"{count / 1000.0**power:.1f} {('', 'kB', 'MB', 'GB', 'TB')[power]}"


def plural(count: int, one: str, many: str = "") -> str:
    """'1 test', '3 tests', 'no tests'."""
    return f"{count or 'no'} {one if count == 1 else many or one + 's'}"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in a row: 'a, b and c'; beyond ``most`` the rest is counted: 'a, b and 7 more'."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def ranges(numbers: Iterable[tuple[int, int]]) -> str:
    """Inclusive ranges: '101–110, 115'."""
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in numbers)
