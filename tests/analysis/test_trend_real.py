"""Trends of real series beside the checkout: the dark calibrations of a mission, and the lamps of two test chambers."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analysis.series import Key, Point, Series, date_of, gaps, gather
from analysis.trend import Event, Trend, trend

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
DARKS = DATA / "aca" / "dark_cals_with_temp.txt"
LAMPS = DATA / "vis"

COOLED = (Event((datetime(2003, 7, 1) - datetime(1970, 1, 1)).days, "−10 → −15 °C"),)

CHAMBER_B = {
    "CBE_DEC18": "2018-12-10", "BORN": "2019-03-11", "CURIE": "2019-04-03", "ERWIN": "2019-05-13",
    "GUYE": "2019-05-21", "HEISENBERG": "2019-06-07", "KRAMERS": "2019-06-20", "LORENTZ": "2019-06-27",
    "NIELS": "2019-07-08", "JULES2": "2019-07-15", "SKLODOWSKA": "2019-07-22", "EINSTEIN": "2019-07-29",
}  # fmt: skip
CHAMBER_A = {
    "FEB18": "2018-02-05", "JUN18": "2018-06-01", "JUN18B": "2018-06-15", "JUL18": "2018-07-01", "CBE_AUG18": "2018-08-01",
    "CBE_SEP18": "2018-09-05", "CBE_NOV18_ND3": "2018-11-01", "CBE_NOV18_ND4": "2018-11-02", "DIRAC": "2019-04-09",
    "FOWLER": "2019-05-20", "JULES": "2019-06-21", "MAX": "2019-06-28", "OWEN": "2019-07-09",
}  # fmt: skip


def of_darks(column: str) -> Series:
    if not DARKS.is_file():
        pytest.skip(f"the mission table is not beside the checkout: {DARKS}")
    key = Key(column, "ACA")
    points = []
    for row in csv.DictReader(DARKS.read_text().splitlines()):
        year, day = row["day"].split(":")
        time = datetime(int(year), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)
        points.append(Point(key, time, float(row[column]), label=row["day"]))
    return gather(points)[key]


def of_lamp(chamber: str, epochs: dict[str, str], wavelength: str) -> Series:
    """Flux (full wells per second) of the flat-field source at the opening of each block."""
    folder = LAMPS / "ogse_profiles"
    if not folder.is_dir():
        pytest.skip(f"the lamp profiles are not beside the checkout: {folder}")
    key = Key("lamp flux", f"chamber {chamber}", setting=wavelength)
    points = [
        Point(
            key,
            datetime.fromisoformat(date),
            1.0 / json.loads(path.read_text())["tFWC_flat"][wavelength],
            label=name,
        )
        for name, date in epochs.items()
        if (path := folder / f"CHAMBER_{chamber}_{name}_profile.json").is_file()
    ]
    return gather(points)[key]


def dates(seen: Trend, series: Series) -> list[str]:
    return [series.labels[step.index] for step in seen.steps]


pytestmark = pytest.mark.real


def test_the_changes_of_ccd_temperature_are_found_at_their_dates() -> None:
    """Commanded −10 → −15 °C in 2003, −15 → −19 °C in the winter of 2006/07; warming from the autumn of 2012."""
    series = of_darks("temp")
    seen = trend(series, COOLED, tolerance=30.0)
    assert dates(seen, series)[:3] == ["2003:195", "2007:006", "2012:287"]
    first, second, third = seen.steps[:3]
    assert first.size == pytest.approx(-4.8, abs=0.4) and first.coincides == ("−10 → −15 °C",)
    assert second.size == pytest.approx(-3.9, abs=0.4) and second.coincides == ()
    assert third.size > 2.0
    assert date_of(first.start).strftime("%Y:%j") == "2003:116"


def test_warm_pixels_grow_and_step_with_temperature_and_in_2011() -> None:
    """Between 2011:079 and 2011:211 the count fell by 12,000 at the same temperature; the table does not say why."""
    series = of_darks("count")
    seen = trend(series)
    assert {"2003:195", "2007:006", "2011:211", "2012:287"} <= set(dates(seen, series))
    assert seen.drift is not None and seen.drift.significance > 10.0


def test_scaled_to_one_temperature_growth_is_left_and_the_fall_of_2011() -> None:
    """The straight line of the facts is 5,710 pixels a year through all of it; with the fall told apart, it is more."""
    series = of_darks("count_adj_z")
    seen = trend(series)
    assert seen.model == "steps and drift" and seen.drift is not None
    largest = max(seen.steps, key=lambda step: step.significance)
    assert series.labels[largest.index] == "2011:211" and largest.size < -10_000
    assert 5_000 < seen.drift.per_year[0] < 8_500
    assert not {"2003:195", "2007:006"} & set(dates(seen, series))  # what was due to temperature is gone


def test_the_long_gap_after_the_first_calibration_is_told() -> None:
    (gap,) = gaps(of_darks("temp"))
    assert gap.after == 0 and gap.days == 468.0


def test_zodiacal_light_has_no_steps() -> None:
    seen = trend(of_darks("zodib"))
    assert seen.steps == () and seen.drift is None


def test_lamps_whose_levels_last_too_few_epochs_give_outliers_not_steps() -> None:
    """The second chamber's lamp was 20 % fainter in December 2018, and 10 % from mid-July 2019: one epoch, and two."""
    series = of_lamp("B", CHAMBER_B, "nm590")
    seen = trend(series)
    assert seen.steps == () and seen.drift is None
    assert [series.labels[i] for i in seen.outliers] == ["CBE_DEC18", "SKLODOWSKA", "EINSTEIN"]
    assert seen.latest == len(series) - 1 and seen.deviation is not None and seen.deviation < -4.0
    assert trend(of_lamp("B", CHAMBER_B, "nm880")).outliers == (0,)


def test_all_lamps_can_be_looked_at() -> None:
    for chamber, epochs in (("A", CHAMBER_A), ("B", CHAMBER_B)):
        for wavelength in ("nm590", "nm730", "nm800", "nm880", "nm0"):
            series = of_lamp(chamber, epochs, wavelength)
            seen = trend(series)
            assert len(series) == len(epochs) and np.isfinite(seen.fitted).all()
