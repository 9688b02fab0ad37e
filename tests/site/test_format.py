"""Numbers, dates and sizes as text: known cases, and properties that hold for all."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from math import floor, log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.render import format as f

NOW = datetime(2019, 3, 20, 18, 0, tzinfo=UTC)
VALUES = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-12)
UNCERTAINTIES = st.floats(1e-12, 1e12, allow_nan=False)
_POWER = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def _read(shown: f.Shown) -> tuple[float, float]:
    """Value and uncertainty as a person would read them."""
    scale = 10.0 ** (shown.exponent or 0)
    return float(shown.value.replace("−", "-")) * scale, float(shown.uncertainty or 0) * scale


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (3.41234, 0.0123, "3.412 ± 0.012"),
        (3.41234, 0.0996, "3.41 ± 0.10"),
        (-0.001, 0.02, "−0.001 ± 0.020"),
        (-0.0001, 0.02, "0.000 ± 0.020"),
        (0.0, 0.01, "0.000 ± 0.010"),
        (123456.7, 2345.0, "123500 ± 2300"),
        (1e9, 1e6, "(1.0000 ± 0.0010) × 10⁹"),
        (5e-7, 2e-8, "(5.00 ± 0.20) × 10⁻⁷"),
        (1e-300, 1e-301, "(1.00 ± 0.10) × 10⁻³⁰⁰"),
        (3.0, 0.0, "3 ± 0"),
        (4.5, None, "4.5"),
        (1024.0, None, "1024"),
        (99999.97, None, "100000"),
        (0.123456789, None, "0.12346"),
        (1.23456789e8, None, "1.2346 × 10⁸"),
        (0.0, None, "0"),
        (float("nan"), 1.0, "not a number"),
        (1.5, -1.0, "1.5 ± unknown"),
    ],
)
def test_number(value: float, uncertainty: float | None, text: str) -> None:
    assert f.number(value, uncertainty).text == text


@given(VALUES, UNCERTAINTIES)
def test_value_is_rounded_to_the_second_digit_of_its_uncertainty(value: float, uncertainty: float) -> None:
    shown_value, shown_uncertainty = _read(f.number(value, uncertainty))
    last = 10.0 ** (floor(log10(uncertainty)) - 1)
    slack = 1e-9 * max(abs(value), uncertainty)  # of reading decimal text as binary floats
    # an uncertainty such as 9.96 rounds to 10, whose second digit is one place higher
    assert abs(shown_value - value) <= 5 * last + slack
    assert abs(shown_uncertainty - uncertainty) <= 0.5 * last * (1 + 1e-9) + slack


@given(VALUES, UNCERTAINTIES)
def test_uncertainty_has_two_significant_digits_and_the_decimals_of_its_value(
    value: float, uncertainty: float
) -> None:
    shown = f.number(value, uncertainty)
    digits = shown.uncertainty.replace(".", "").lstrip("0")
    assert len(digits.rstrip("0") if "." not in shown.uncertainty else digits) <= 2
    assert len(digits) >= 2
    assert len(shown.value.partition(".")[2]) == len(shown.uncertainty.partition(".")[2])


@given(VALUES)
def test_value_without_uncertainty_keeps_five_digits(value: float) -> None:
    shown, _ = _read(f.number(value))
    assert abs(shown - value) <= 0.5e-4 * abs(value) * (1 + 1e-9)


@given(
    st.floats(allow_nan=True, allow_infinity=True), st.none() | st.floats(allow_nan=True, allow_infinity=True)
)
def test_any_float_can_be_shown(value: float, uncertainty: float | None) -> None:
    assert f.number(value, uncertainty).text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_reads_back_as_the_same_float(value: float) -> None:
    assert float(f.exact(value)) == value


def test_exact_of_nothing_is_empty() -> None:
    assert f.exact(None) == ""
    assert f.exact(3) == "3.0"


@given(st.lists(st.tuples(VALUES, st.none() | UNCERTAINTIES), max_size=8))
def test_aligned_numbers_stand_point_under_point(pairs: list[tuple[float, float | None]]) -> None:
    plain = [f.number(v, u) for v, u in pairs]
    shown = f.aligned(plain)
    assert [s.value.strip() for s in shown] == [s.value for s in plain]
    for exponent in {s.exponent for s in shown}:  # numbers of different powers of ten have no common point
        alike = [s for s in shown if s.exponent == exponent]
        assert len({len(s.uncertainty) for s in alike if s.uncertainty}) <= 1
        after = {len(s.value) - len(re.match(r"[−\d]*", s.value)[0]) for s in alike}  # type: ignore[index]
        assert len(after) <= 1


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (3.0, 3.5, "3 … 3.5"),
        (None, 1e-7, "≤ 1 × 10⁻⁷"),
        (-2.0, None, "≥ −2"),
        (0.1 + 0.2, None, "≥ 0.30000000000000004"),
        (None, None, "any value"),
    ],
)
def test_limits_are_shown_exactly(low: float | None, high: float | None, text: str) -> None:
    assert f.limits(low, high) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.341, "0.34 s"),
        (9.999, "10.00 s"),
        (12.5, "12.5 s"),
        (59.96, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (86399, "1 d 0 h"),
        (273600, "3 d 4 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert f.duration(seconds) == text


def test_duration_refuses_the_impossible() -> None:
    with pytest.raises(ValueError, match="not a duration"):
        f.duration(-1)


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=65), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(minutes=-5), "after this build"),
    ],
)
def test_age_is_told_from_the_time_given(before: timedelta, text: str) -> None:
    assert f.age(NOW - before, NOW) == text


def test_times_without_a_zone_are_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert f.moment(datetime(2019, 3, 20, 18, 0)) == "2019-03-20 18:00 UTC"
    assert f.moment(datetime(2019, 3, 20, 20, 0, tzinfo=east)) == "2019-03-20 18:00 UTC"
    assert f.age(datetime(2019, 3, 20, 17, 0), NOW) == "1 hour ago"
    assert f.stamp("2019-03-20T20:00:00+02:00") == "2019-03-20 18:00 UTC"
    assert f.stamp("last week") == "last week"
    assert f.stamp("") == f.moment(None).replace("time unknown", "at an unknown time")


def test_days() -> None:
    first, last = date(2019, 3, 11), date(2019, 3, 14)
    assert f.days(first, last) == "2019-03-11 to 2019-03-14"
    assert f.days(first, first) == "2019-03-11"
    assert f.days(first, None) == "from 2019-03-11"
    assert f.days(None, last) == "until 2019-03-14"
    assert f.days(None, None) == "dates not stated"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (35_400_000, "35.4 MB"), (999_999, "1.0 MB"), (10**18, "1000000.0 TB")],
)  # fmt: skip
def test_size(count: int, text: str) -> None:
    assert f.size(count) == text


@given(st.integers(1000, 10**15))
def test_size_is_right_to_its_last_digit(count: int) -> None:
    value, unit = f.size(count).split()
    scale = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert abs(float(value) * scale - count) <= 0.05 * scale * (1 + 1e-9)
    assert float(value) < 1000 or unit == "TB"


def test_words_for_many() -> None:
    assert f.plural(0, "test") == "no tests"
    assert f.plural(1, "test") == "1 test"
    assert f.plural(2, "entry", "entries") == "2 entries"
    assert f.listed([]) == "none"
    assert f.listed(["a"]) == "a"
    assert f.listed("abc") == "a, b and c"
    assert f.listed("abcdefghij", most=3) == "a, b and 8 more"
    assert f.ranges([(101, 110), (115, 115)]) == "101–110, 115"
