"""Scopes: what a caveat or a limit touches."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.model import Scope

DAYS = st.one_of(st.none(), st.dates(date(2019, 1, 1), date(2019, 1, 20)))


@pytest.mark.parametrize(
    ("place", "touched"),
    [
        ({}, True),
        ({"block": "BORN"}, True),
        ({"block": "CURIE"}, False),
        ({"block": "BORN", "test": "PTC01"}, True),
        ({"block": "BORN", "test": "BIAS01"}, False),
        ({"block": "BORN", "test": "PTC01", "detector": "CCD2"}, False),
    ],
)
def test_a_wider_place_is_touched(place: dict[str, str], touched: bool) -> None:
    scope = Scope(blocks=("BORN",), tests=("PTC*",), detectors=("CCD1",))
    assert scope.covers(**place) is touched


@pytest.mark.parametrize(
    ("place", "touched"),
    [
        ({}, True),
        ({"procedure": "bias"}, True),
        ({"procedure": "flat"}, False),
        ({"procedure": "bias", "quantity": "offset"}, True),
        ({"procedure": "dark", "quantity": "offset"}, False),
        ({"procedure": "dark", "quantity": "dark_current"}, True),
        ({"procedure": "dark", "quantity": "dark_current", "setting": "wavelength=800, mode=slow"}, True),
        ({"procedure": "dark", "quantity": "dark_current", "setting": "mode=slow"}, False),
    ],
)
def test_a_scope_names_procedures_quantities_and_settings(place: dict[str, str], touched: bool) -> None:
    scope = Scope(
        procedures=("bias", "dark"), quantities=("bias.*", "dark_current"), settings=("*wavelength=800*",)
    )
    assert scope.covers(**place) is touched  # type: ignore[arg-type]


@given(DAYS, DAYS, DAYS, DAYS)
def test_overlap_is_having_a_day_in_common(
    a: date | None, b: date | None, c: date | None, d: date | None
) -> None:
    one, other = sorted((a, b), key=lambda x: x or date.min), sorted((c, d), key=lambda x: x or date.min)
    scope = Scope(start=one[0], end=one[1])
    days = [date(2019, 1, n) for n in range(1, 21)]
    common = any(
        scope.covers(day=day)
        and (other[0] is None or other[0] <= day)
        and (other[1] is None or day <= other[1])
        for day in days
    )
    assert scope.overlaps(other[0], other[1]) is common
