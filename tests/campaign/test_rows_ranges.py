"""Ranges of exposures: whatever is written can be read back; whatever is typed is read or refused."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign.record import CellValue
from campaign.sources.ranges import joined, parse_ranges, shared, shown
from campaign.sources.values import Unreadable, read_count, read_day, read_number

_range = st.tuples(st.integers(0, 5000), st.integers(0, 60)).map(lambda p: (p[0], p[0] + p[1]))
_ranges = st.lists(_range, max_size=8)
_sign = st.sampled_from(["-", " - ", "–", " — ", " to ", "..", "...", "…", " TO ", "−", ":"])
_comma = st.sampled_from([",", ", ", ";", " ; ", "\n", " and ", " + ", "&"])


def exposures(ranges: object) -> set[int]:
    return {n for a, b in ranges for n in range(a, b + 1)}  # type: ignore[attr-defined]


@settings(max_examples=200)
@given(_ranges, st.data())
def test_any_writing_of_ranges_names_the_same_exposures(
    ranges: list[tuple[int, int]], data: st.DataObject
) -> None:
    text = ""
    for a, b in ranges:
        text += data.draw(_comma) if text else ""
        text += f"{a}" if a == b else f"{a}{data.draw(_sign)}{b}"
    found, wrong = parse_ranges(text)
    assert exposures(found) == exposures(ranges)
    assert bool(wrong) == (len(exposures(ranges)) < sum(b - a + 1 for a, b in ranges))
    assert list(found) == sorted(found)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(found))


@settings(max_examples=200)
@given(st.text(max_size=40) | st.text("0123456789-,.– to", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    found, wrong = parse_ranges(text)
    assert all(0 <= a <= b for a, b in found)
    assert found or wrong or not any(c.isalnum() for c in text)


@settings(max_examples=100)
@given(_ranges, _ranges)
def test_shared_exposures_are_the_intersection(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    assert exposures(shared(joined(a), joined(b))) == exposures(a) & exposures(b)


@settings(max_examples=100)
@given(_ranges)
def test_what_is_shown_reads_back(ranges: list[tuple[int, int]]) -> None:
    assert parse_ranges(shown(joined(ranges))) == (joined(ranges), [])


@settings(max_examples=100)
@given(
    st.dates(date(1970, 1, 1), date(2069, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%d %b %Y", "%d_%b_%y", "%d.%m.%Y"]),
)
def test_dates_read_back(day: date, form: str) -> None:
    assert read_day(day.strftime(form)).date == day


@settings(max_examples=50)
@given(st.dates(date(1960, 1, 1), date(2100, 1, 1)))
def test_serial_days_read_back(day: date) -> None:
    assert read_day((day - date(1899, 12, 30)) // timedelta(days=1)).date == day


@settings(max_examples=200)
@given(
    st.text(max_size=30)
    | st.text("0123456789.,-+e /", max_size=15)
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.none()
    | st.booleans()
)
def test_any_cell_is_read_or_unreadable(value: CellValue) -> None:
    for reader in (read_number, read_count, read_day):
        try:
            assert reader(value) is not None
        except Unreadable as why:
            assert str(why)


@settings(max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_as_text_read_back(number: float) -> None:
    assert read_number(repr(number)) == number


def test_a_comma_that_may_part_thousands_is_refused() -> None:
    assert read_number("1,25") == 1.25
    assert read_number("1000,125") == 1000.125
    with pytest.raises(Unreadable, match="thousands"):
        read_number("-1,250")
