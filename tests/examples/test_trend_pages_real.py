"""Real series beside the checkout on trend pages: the dark calibrations of a mission, the lamps of two test chambers."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from builder.build import Options, build
from builder.progress import Progress
from builder.report import Report

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DARKS = DATA / "aca" / "dark_cals_with_temp.txt"
LAMPS = DATA / "vis" / "ogse_profiles"
UNITS = {"temp": "°C", "count": "pixels", "count_adj_z": "pixels", "zodib": "e⁻/s"}
CHAMBERS = {
    "A": {
        "FEB18": "2018-02-05", "JUN18": "2018-06-01", "JUN18B": "2018-06-15", "JUL18": "2018-07-01", "CBE_AUG18": "2018-08-01",
        "CBE_SEP18": "2018-09-05", "CBE_NOV18_ND3": "2018-11-01", "CBE_NOV18_ND4": "2018-11-02", "DIRAC": "2019-04-09",
        "FOWLER": "2019-05-20", "JULES": "2019-06-21", "MAX": "2019-06-28", "OWEN": "2019-07-09",
    },
    "B": {
        "CBE_DEC18": "2018-12-10", "BORN": "2019-03-11", "CURIE": "2019-04-03", "ERWIN": "2019-05-13",
        "GUYE": "2019-05-21", "HEISENBERG": "2019-06-07", "KRAMERS": "2019-06-20", "LORENTZ": "2019-06-27",
        "NIELS": "2019-07-08", "JULES2": "2019-07-15", "SKLODOWSKA": "2019-07-22", "EINSTEIN": "2019-07-29",
    },
}  # fmt: skip
CAMPAIGN = """
[campaign]
title = "Real series"

[[interventions]]
date = 2003-07-01
text = "CCD commanded from −10 to −15 °C"
scope = { detectors = ["ACA"] }
"""

pytestmark = pytest.mark.real


@dataclass
class Made:
    report: Report
    site: Path

    def page(self, path: str) -> str:
        return (self.site / "trends" / path).read_text("utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    if not DARKS.is_file() or not LAMPS.is_dir():
        pytest.skip(f"the real series are not beside the checkout: {DATA}")
    folder = tmp_path_factory.mktemp("real") / "campaign"
    (folder / "series").mkdir(parents=True)
    (folder / "frames").mkdir()
    (folder / "campaign.toml").write_text(CAMPAIGN, "utf-8")
    with (folder / "series/darks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("time", "value", "quantity", "unit", "detector", "note"))
        for row in csv.DictReader(DARKS.read_text().splitlines()):
            writer.writerows(
                (row["day"], row[q], q, unit, "ACA", row["temp_source"]) for q, unit in UNITS.items()
            )
    with (folder / "series/lamps.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("time", "value", "quantity", "unit", "detector", "setting", "note"))
        for chamber, epochs in CHAMBERS.items():
            for name, day in epochs.items():
                path = LAMPS / f"CHAMBER_{chamber}_{name}_profile.json"
                if path.is_file():
                    for wavelength, seconds in json.loads(path.read_text())["tFWC_flat"].items():
                        writer.writerow(
                            (
                                day,
                                1.0 / seconds,
                                "flux",
                                "full well/s",
                                f"chamber {chamber}",
                                wavelength,
                                name,
                            )
                        )
    done = build(
        Options(folder, lambda: datetime(2026, 1, 1, tzinfo=UTC), {}, workers=1), Progress(quiet=True)
    )
    assert done.report.findings == ()
    return Made(done.report, folder / "build" / "site")


def test_the_steps_of_the_mission_are_on_its_page(made: Made) -> None:
    page = made.page("darks/temp.html")
    for told in ("2003-04-26", "2003-07-14", "2006-11-25", "2007-01-06", "2012-07-16", "2012-10-13"):
        assert told in page
    assert "−4.81 ± 0.13 °C" in page and "CCD commanded from −10 to −15 °C" in page
    (temp,) = (s for s in made.report.trends.series if s.key.quantity == "darks.temp")
    assert temp.found.steps[0].coincides == ("CCD commanded from −10 to −15 °C",)
    assert temp.found.steps[1].coincides == ()


def test_the_fall_of_2011_is_on_the_page_of_steps_and_in_the_feed(made: Made) -> None:
    page = made.page("regressions.html")
    assert "2011-03-20" in page and "2011-07-30" in page and "darks: count adj z" in page
    root = ElementTree.fromstring((made.site / "trends/feed.xml").read_bytes())
    titles = [e.text or "" for e in root.iter("{http://www.w3.org/2005/Atom}title")]
    assert any("count adj z of ACA" in t and t.startswith("step") for t in titles)
    assert not any("zodib" in t for t in titles)


def test_the_gap_of_the_first_year_is_drawn(made: Made) -> None:
    assert "<rect" in made.page("darks/temp/ACA.svg")
    (temp,) = (s for s in made.report.trends.series if s.key.quantity == "darks.temp")
    assert [round(stop - start) for start, stop in temp.found.gaps] == [468]


def test_lamps_are_told_apart_by_chamber_and_wavelength(made: Made) -> None:
    held = made.report.trends.groups["lamps", "flux"]
    assert {s.key.detector for s in held} == {"chamber A", "chamber B"}
    assert {"nm590", "nm730", "nm800", "nm880"} <= {s.key.setting for s in held}
    (one,) = (s for s in held if s.key.detector == "chamber B" and s.key.setting == "nm590")
    assert [one.spots[n].note for n in one.found.outliers] == ["CBE_DEC18", "SKLODOWSKA", "EINSTEIN"]
    assert one.found.steps == () and one.found.deviation is not None and one.found.deviation < -4.0
    page = made.page("lamps/flux.html")
    assert "deviates" in page and "nm590" in page
