"""Ticks of an axis of time, and of an axis of values, and how they are written."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil, floor, isfinite, log10

from analysis.series import date_of, days_of

Tick = tuple[float, str]

_STEPS = (1 / 1440, 5 / 1440, 15 / 1440, 1 / 24, 3 / 24, 6 / 24, 12 / 24, 1.0, 2.0, 7.0, 14.0)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240)


def time_ticks(low: float, high: float, most: int = 8) -> list[Tick]:
    """Round moments between two times [days since 1970], as (time, text): hours, days, months or years apart."""
    span = high - low
    for step in _STEPS:
        if span / step <= most:
            return _regular(low, high, step)
    for months in _MONTHS:
        if span / (30.44 * months) <= most or months == _MONTHS[-1]:
            break
    first = date_of(low)
    index = ceil((first.year * 12 + first.month - 1) / months) * months
    out: list[Tick] = []
    while True:
        when = datetime(index // 12, index % 12 + 1, 1, tzinfo=first.tzinfo)
        at = days_of(when)
        if at > high:
            return out
        if at >= low:
            out.append((at, f"{when:%Y}" if months >= 12 else f"{when:%Y-%m}"))
        index += months


def _regular(low: float, high: float, step: float) -> list[Tick]:
    count, out = ceil(low / step - 1e-9), []
    while count * step <= high:
        when = date_of(count * step) + timedelta(microseconds=1)  # against rounding down to 23:59
        out.append(
            (
                count * step,
                f"{when:%Y-%m-%d}" if step >= 1.0 or when.hour + when.minute == 0 else f"{when:%H:%M}",
            )
        )
        count += 1
    return out


def value_ticks(low: float, high: float, most: int = 6) -> list[Tick]:
    """Round values between two, as (value, text), with no more digits than tell them apart."""
    span = high - low
    if not (isfinite(span) and span > 0.0):
        return []
    raw = span / most
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))
    values = [n * step for n in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]
    largest = max(abs(low), abs(high))
    if largest >= 1e6 or largest < 1e-3:
        exponent = floor(log10(largest))
        digits = max(0, exponent - floor(log10(step)) + (step / 10.0 ** floor(log10(step)) == 2.5))
        return [(v, "0" if v == 0 else _power(v, exponent, digits)) for v in values]
    decimals = max(0, -floor(log10(step) + 1e-9))
    if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return [(v, f"{v:.{decimals}f}".replace("-", "−") if v else "0") for v in values]


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(value: float, exponent: int, digits: int) -> str:
    mantissa = f"{value / 10.0**exponent:.{digits}f}".replace("-", "−")
    return f"{mantissa}×10{str(exponent).translate(_SUPERSCRIPT)}"
