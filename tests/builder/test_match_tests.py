"""Frames and tests: assignment by record and header, and every discrepancy told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_fits import Block, campaign

from builder.acquired.compare import gaps, spans
from builder.acquired.match import Matching, expected_exposures, match
from campaign.findings import Finding
from campaign.frames import FieldValue, Frame, FrameFile
from campaign.model import Campaign
from campaign.record import Test

TWO = ("CCD1", "CCD2")


def frame(
    number: int | str,
    detector: str = "CCD1",
    *,
    block: str = "BORN",
    folder: str = "day1",
    source: str = "header",
    **fields: FieldValue,
) -> Frame:
    file = FrameFile("frames", f"{folder}/{number}_{detector}.fits", 1, 1, 1)
    held = {"type": "flat", "exptime": 10.0, **fields}
    by = dict.fromkeys(held, source)
    return Frame(f"{number}/{detector}", str(number), detector, file, {"": 0}, held, by, block)


def frames(first: int, last: int, detectors: tuple[str, ...] = ("CCD1",), **more: Any) -> list[Frame]:
    return [frame(n, d, **more) for n in range(first, last + 1) for d in detectors]


def run(held: list[Frame], *tests: Test, detectors: tuple[str, ...] = ("CCD1",), **data: Any) -> Matching:
    return match(made(detectors, **data), tests, held)


def made(
    detectors: tuple[str, ...] = ("CCD1",),
    blocks: tuple[Block, ...] = (Block(id="BORN", status="done"),),
    **data: Any,
) -> Campaign:
    return campaign(Path(), detectors, blocks, **data)


def told(found: Matching, kind: str) -> list[Finding]:
    return [f for f in found.findings if f.kind == kind]


def test_exposure_ranges(tmp_path: Path) -> None:
    a, b = Test("BORN", "PTC01", exposures=((1, 3), (7, 7))), Test("BORN", "BIAS02", exposures=((4, 6),))
    found = run(frames(1, 7), a, b)
    assert [f.number for f in found.by_test["BORN/PTC01"]] == [1, 2, 3, 7]
    assert [f.number for f in found.by_test["BORN/BIAS02"]] == [4, 5, 6]
    assert found.expected == {"BORN/PTC01": 4, "BORN/BIAS02": 3}
    assert found.unmatched == () and found.findings == [] and len(found.frames) == 7


@pytest.mark.parametrize("assign", ["header", "both"])
def test_header_names_the_test(assign: str) -> None:
    found = run(frames(1, 3, test="ptc01"), Test("BORN", "PTC01"), assign=assign)
    assert len(found.by_test["BORN/PTC01"]) == 3 and found.findings == []


def test_record_only_pays_no_heed_to_the_header() -> None:
    found = run(frames(1, 3, test="OTHER"), Test("BORN", "PTC01", exposures=((1, 3),)), assign="record")
    assert len(found.by_test["BORN/PTC01"]) == 3 and found.findings == []


def test_record_and_header_disagree() -> None:
    tests = Test("BORN", "PTC01", exposures=((1, 3),)), Test("BORN", "NL02", exposures=((4, 5),))
    found = run([*frames(1, 3, test="NL02"), *frames(4, 5, test="NL02")], *tests)
    (finding,) = told(found, "contradiction")
    assert "PTC01" in finding.what and "NL02" in finding.what and finding.test == "PTC01"
    assert len(found.by_test["BORN/PTC01"]) == 3


def test_a_row_repeated_with_a_number_still_matches_its_header() -> None:
    found = run(frames(1, 2, test="BIAS02"), Test("BORN", "BIAS02.2", exposures=((1, 2),)))
    assert len(found.by_test["BORN/BIAS02.2"]) == 2 and found.findings == []


def test_a_name_in_several_rows_without_numbers_is_not_guessed() -> None:
    found = run(frames(1, 2, test="BIAS02"), Test("BORN", "BIAS02.1"), Test("BORN", "BIAS02.2"))
    assert len(found.unmatched) == 2 and any("several rows" in f.what for f in told(found, "unmatched-frame"))


def test_folders_and_dates() -> None:
    held = [
        *frames(1, 2, folder="BORN/12_Mar_19"),
        *frames(3, 4, folder="BORN/13_Mar_19", date="2019-03-13T10:00:00"),
    ]
    by_folder, by_date = (
        Test("BORN", "A", folder="/data/BORN/12_Mar_19/"),
        Test("BORN", "B", date=date(2019, 3, 13)),
    )
    found = run(held, by_folder, by_date)
    assert [f.number for f in found.by_test["BORN/A"]] == [1, 2]
    assert [f.number for f in found.by_test["BORN/B"]] == [3, 4]
    assert found.findings == []


def test_folder_narrows_a_range_and_is_told_when_wrong() -> None:
    held = [*frames(1, 2, folder="d1"), *frames(1, 2, ("CCD2",), folder="d2")]
    found = run(held, Test("BORN", "A", exposures=((1, 2),), folder="d1"))
    assert {f.detector for f in found.by_test["BORN/A"]} == {"CCD1"}
    away = run(held, Test("BORN", "A", exposures=((1, 2),), folder="d9"), detectors=TWO)
    assert len(away.by_test["BORN/A"]) == 4
    assert "'d9'" in told(away, "contradiction")[0].what


def test_two_tests_may_share_exposures() -> None:
    found = run(
        frames(1, 3), Test("BORN", "PTC01", exposures=((1, 3),)), Test("BORN", "BF01", exposures=((2, 3),))
    )
    assert len(found.by_test["BORN/PTC01"]) == 3 and len(found.by_test["BORN/BF01"]) == 2


def test_no_frames_and_when_that_is_no_fault() -> None:
    row = Test("BORN", "PTC01", exposures=((5, 9),), source="record", row=7)
    (finding,) = run([], row).findings
    assert finding.kind == "no-frames" and "5–9" in finding.what and finding.where == "record, row 7"
    assert run([], Test("BORN", "X", exposures=((5, 9),), status=" Planned ")).findings == []
    for block in (Block(id="BORN", data_archived=True), Block(id="BORN", status="planned")):
        assert match(made(blocks=(block,)), [row], []).findings == []
    begun = match(made(blocks=(Block(id="BORN", status="planned"),)), [row], frames(1, 1, test="PTC02"))
    assert len(told(begun, "no-frames")) == 1  # it has frames: it is not planned any more
    done = Test("BORN", "PTC01", exposures=((5, 9),), status="done")
    assert len(match(made(blocks=(Block(id="BORN"),)), [done], []).findings) == 1
    assert "folder" in run([], Test("BORN", "X", folder="d1")).findings[0].what
    assert "names no exposures" in run([], Test("BORN", "X")).findings[0].what


def test_missing_exposures_are_named() -> None:
    found = run(
        [f for f in frames(1, 10) if f.number not in (3, 4, 8)], Test("BORN", "A", exposures=((1, 10),))
    )
    (finding,) = told(found, "missing-frames")
    assert "3–4, 8" in finding.what and finding.test == "A"


def test_fewer_and_more_exposures_than_counted() -> None:
    few = run(frames(1, 3, test="A"), Test("BORN", "A", frames=5))
    assert "3 of 5" in told(few, "missing-frames")[0].what and few.expected == {"BORN/A": 5}
    more = run(frames(1, 3, test="A"), Test("BORN", "A", frames=2))
    assert "counts 2" in told(more, "contradiction")[0].what
    other = run(frames(1, 3), Test("BORN", "A", exposures=((1, 3),), frames=4))
    assert "its range holds 3" in told(other, "contradiction")[0].what


def test_a_detector_that_lacks_frames() -> None:
    held = [f for f in frames(1, 5, TWO) if f.id != "3/CCD2"]
    (finding,) = run(held, Test("BORN", "A", exposures=((1, 5),)), detectors=TWO).findings
    assert finding.kind == "missing-frames" and finding.detector == "CCD2" and "exposures 3" in finding.what
    (never,) = run(frames(1, 5), Test("BORN", "A", exposures=((1, 5),)), detectors=TWO).findings
    assert "any of its exposures" in never.what
    blocks = (Block(id="BORN", detectors=("CCD1",)),)
    assert match(made(TWO, blocks), [Test("BORN", "A", exposures=((1, 5),))], frames(1, 5)).findings == []


def test_exposure_time_against_the_record() -> None:
    held = [*frames(1, 4), frame(5, exptime=30.0), frame(6, exptime=10.04)]
    (finding,) = run(held, Test("BORN", "A", exposures=((1, 6),), exptime=10.0)).findings
    assert finding.kind == "contradiction" and "5 (CCD1)" in finding.what and "30.0 s" in finding.what
    assert "record says 10 s" in finding.what


def test_bias_frames_of_a_dark_test_have_no_time_to_differ() -> None:
    row = Test("BORN", "A", exposures=((1, 3),), exptime=60.0)
    held = [frame(1, exptime=60.0), frame(2, exptime=60.0), frame(3, type="bias", exptime=0.0)]
    assert run(held, row).findings == []
    inferred = frame(3, type="bias", exptime=0.0, source="rule: the exposure time is 0")
    assert [f.kind for f in run([*held[:2], inferred], row).findings] == ["contradiction"]


def test_swapped_setting_is_told_and_a_scan_is_not() -> None:
    row = Test("BORN", "A", exposures=((1, 8),))
    swapped = [*frames(1, 7, TWO, wavelength=590), *frames(8, 8, TWO, wavelength=730)]
    (finding,) = run(swapped, row, detectors=TWO).findings
    assert finding.kind == "contradiction" and "8 (CCD1, CCD2)" in finding.what
    assert "730" in finding.what and "590" in finding.what
    scan = [f for i, w in enumerate((590, 730, 800, 880)) for f in frames(2 * i + 1, 2 * i + 2, wavelength=w)]
    assert run(scan, row).findings == []


def test_detectors_of_one_exposure_that_disagree() -> None:
    held = [frame(1, "CCD1", mode="fwd"), frame(1, "CCD2", mode="rwd"), *frames(2, 2, TWO, mode="fwd")]
    (finding,) = run(held, Test("BORN", "A", exposures=((1, 2),)), detectors=TWO).findings
    assert finding.kind == "contradiction" and "mode rwd" in finding.what
    steps = [
        *frames(1, 5, TWO, exptime=0.9),
        *frames(6, 10, TWO, exptime=2.7),
        frame(11, "CCD1", exptime=2.7),
    ]
    split = [*steps, frame(11, "CCD2", exptime=5.4)]
    (finding,) = run(split, Test("BORN", "A", exposures=((1, 11),)), detectors=TWO).findings
    assert (
        "11 (CCD2) have exptime 5.4" in finding.what and "other detectors of the exposure 2.7" in finding.what
    )


def test_settings_of_the_campaign_are_compared() -> None:
    held = [*frames(1, 7, lamp="A"), frame(8, lamp="B")]
    assert run(held, Test("BORN", "A", exposures=((1, 8),))).findings == []
    assert len(run(held, Test("BORN", "A", exposures=((1, 8),)), setting=("lamp",)).findings) == 1


def test_duplicates_keep_the_first() -> None:
    twin = frame(2, folder="copy")
    found = run([*frames(1, 3), twin], Test("BORN", "A", exposures=((1, 3),)))
    (finding,) = told(found, "duplicate-frame")
    assert "day1/2_CCD1.fits is used" in finding.what and finding.where == "frames/copy/2_CCD1.fits"
    assert len(found.by_test["BORN/A"]) == 3 and found.duplicates == (twin,) and twin not in found.frames


def test_leftover_frames_are_grouped() -> None:
    held = [*frames(1, 40, type="dark"), *frames(41, 42, test="LOST")]
    found = run(held)
    assert len(found.unmatched) == 42
    whats = [f.what for f in told(found, "unmatched-frame")]
    assert len(whats) == 2 and any("type dark in frames/day1" in w and "40 times" in w for w in whats)
    assert any("LOST" in w for w in whats)


def test_frames_outside_block_folders_find_their_block() -> None:
    blocks = (
        Block(id="BORN", start=date(2019, 3, 11), end=date(2019, 3, 14)),
        Block(id="CURIE", start=date(2019, 4, 3), end=date(2019, 4, 10)),
        Block(id="DIRAC"),
    )
    tests = [Test(b.id, "A", exposures=((1, 3),)) for b in blocks[:2]] + [
        Test("DIRAC", "B", exposures=((100, 100),))
    ]
    held = [frame(1, block="", date="2019-04-05T10:00:00"), frame(2, block=""), frame(100, block="")]
    found = match(made(blocks=blocks), tests, held)
    assert [f.block for f in found.frames] == ["CURIE", "", "DIRAC"]
    assert [f.exposure for f in found.by_test["CURIE/A"]] == ["1"] and found.by_test["DIRAC/B"][
        0
    ].block == "DIRAC"
    assert any("several blocks" in f.what for f in told(found, "unmatched-frame"))


def test_expected_exposures() -> None:
    assert expected_exposures(Test("B", "A")) is None
    assert expected_exposures(Test("B", "A", exposures=((1, 5), (9, 9)))) == 6
    assert expected_exposures(Test("B", "A", exposures=((1, 5),), frames=4)) == 4


def test_a_range_of_a_billion_costs_nothing() -> None:
    found = run(frames(5, 6), Test("BORN", "A", exposures=((1, 10**12),)))
    assert "1–4, 7–1000000000000" in told(found, "missing-frames")[0].what


def test_empty_and_unknown_blocks() -> None:
    found = run([], Test("NOWHERE", "A", exposures=((1, 2),)))
    assert [f.kind for f in found.findings] == ["no-frames"]
    assert run([]).findings == []


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)).map(lambda t: (t[0], t[0] + t[1])), max_size=4),
    st.sets(st.integers(0, 50), max_size=30),
)
def test_gaps_are_what_sets_say(ranges: list[tuple[int, int]], have: set[int]) -> None:
    missing = {n for a, b in gaps(ranges, have) for n in range(a, b + 1)}
    assert missing == {n for a, b in ranges for n in range(a, b + 1)} - have


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda t: (t[0], t[0] + t[1])),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 50),
)
def test_assignment_is_what_ranges_say(ranges: list[tuple[int, int]], number: int) -> None:
    tests = [Test("BORN", f"T{i}", exposures=(r,)) for i, r in enumerate(ranges)]
    found = run([frame(number)], *tests)
    assert {k for k, held in found.by_test.items() if held} == {
        t.key for t in tests if t.exposures[0][0] <= number <= t.exposures[0][1]
    }
    assert bool(found.unmatched) == (not any(found.by_test.values()))


def test_spans() -> None:
    assert spans([5, 3, 4, 9]) == "3–5, 9" and spans([]) == ""
