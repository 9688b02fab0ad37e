"""Header values as people write them: what they mean, and that every odd one is said."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.acquired.headervalues import celsius, exposure_name, moment, number, plain, seconds, yes_or_no


@pytest.mark.parametrize(
    ("text", "value", "oddity"),
    [
        ("23.0", 23.0, ""),
        ("+2.300000000000E+001", 23.0, ""),
        ("1.5D1", 15.0, ""),
        ("23,5", 23.5, "a decimal comma"),
        ("23.0 s", 23.0, "a unit is written with the number"),
        ("500ms", 0.5, "a unit is written with the number"),
        ("2 min", 120.0, "a unit is written with the number"),
        ("23 parsec", None, "unknown unit 'parsec'"),
        ("-1", None, "a negative time"),
        ("", None, "empty"),
        ("nan", None, "not a number"),
        ("1e999", None, "not a finite number"),
        ("1,234.5", None, "unknown unit '.5'"),
        ("<script>", None, "not a number"),
    ],
)
def test_seconds(text: str, value: float | None, oddity: str) -> None:
    assert seconds(text) == (value, oddity)


@pytest.mark.parametrize(
    ("text", "value"),
    [("-5.2", -5.2), ("-5,2", -5.2), ("-5.2 C", -5.2), ("-5.2 degC", -5.2), ("-5.2 °C", -5.2), ("F", None)],
)
def test_celsius(text: str, value: float | None) -> None:
    assert celsius(text)[0] == value


def test_kelvin_is_converted_and_said() -> None:
    value, oddity = celsius("170 K")
    assert value == pytest.approx(-103.15, abs=1e-9) and oddity == "given in kelvin"


@pytest.mark.parametrize(
    ("text", "clock", "value", "odd"),
    [
        ("2017-09-08T21:18:13.698", "", "2017-09-08T21:18:13.698000", False),
        ("2017-09-08 21:18:13", "ignored", "2017-09-08T21:18:13", False),
        ("2017-09-08T23:18:13+02:00", "", "2017-09-08T21:18:13", True),
        ("2017-09-08T21:18:13Z", "", "2017-09-08T21:18:13", False),
        ("2017-09-08", "21:18:13.5", "2017-09-08T21:18:13.500000", False),
        ("2017-09-08", "76693.5", "2017-09-08T21:18:13.500000", False),
        ("2017-09-08", "", "2017-09-08", True),
        ("2017-09-08", "25:61:00", "2017-09-08", True),
        ("251116D150614T", "", "2016-11-25T15:06:14", False),
        ("210280D150614T", "", "2080-02-21T15:06:14", False),
        ("08/09/97", "21:18:13", "1997-09-08T21:18:13", True),
        ("58004.5", "", "2017-09-08T12:00:00.000", True),
        ("2017-13-08", "", None, True),
        ("310217D000000T", "", None, True),
        ("yesterday", "", None, True),
        ("20170908", "", None, True),
    ],
)
def test_moment(text: str, clock: str, value: str | None, odd: bool) -> None:
    found, oddity = moment(text, clock)
    assert found == value
    assert bool(oddity) == odd


@given(st.text(max_size=30), st.text(max_size=12))
def test_no_text_breaks_a_reader(text: str, clock: str) -> None:
    for reader in (number, seconds, celsius):
        value, oddity = reader(text)
        assert value is None or math.isfinite(value)
        assert value is not None or oddity
    when, oddity = moment(text, clock)
    assert oddity if when is None else datetime.fromisoformat(when)
    truth, oddity = yes_or_no(text)
    assert truth is not None or oddity
    assert isinstance(plain(text), str | int | float)
    assert exposure_name(exposure_name(text)) == exposure_name(text)


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_numbers_come_back_from_any_way_of_writing(value: float) -> None:
    assert number(repr(value)) == (value, "")
    comma, oddity = number(repr(value).replace(".", ","))
    assert comma == value and (oddity == "a decimal comma" or "." not in repr(value))
    assert number(f"{value:+.12E}".replace("E", "D"))[0] == pytest.approx(value, rel=1e-11)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)))
def test_times_come_back_from_any_way_of_writing(when: datetime) -> None:
    whole = when.replace(microsecond=0)
    for text, clock in [
        (whole.isoformat(), ""),
        (f"{whole:%d%m%yD%H%M%ST}", ""),
        (f"{whole:%Y-%m-%d}", f"{whole:%H:%M:%S}"),
    ]:
        assert moment(text, clock)[0] == whole.isoformat()


@pytest.mark.parametrize(
    ("text", "name"), [("00191", "191"), ("191.0", "191"), ("a1", "a1"), ("²", "²"), ("0", "0")]
)
def test_exposure_names(text: str, name: str) -> None:
    assert exposure_name(text) == name


@pytest.mark.parametrize(
    ("text", "truth"),
    [("T", True), ("0", False), ("1.0", True), ("open", True), ("CLOSED", False), ("ajar", None)],
)
def test_yes_or_no(text: str, truth: bool | None) -> None:
    assert yes_or_no(text)[0] is truth
