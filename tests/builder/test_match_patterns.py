"""Rows that name their frames by a pattern of files: where nothing is numbered."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_fits import campaign, frame_file

from builder.acquired.index import index
from builder.acquired.match import Matching, match
from campaign.record import Test

NAMES = ("night1/flat-a.fits", "night1/flat-b.fits", "night2/FLAT-c.fits", "night2/dark-a.fits")


def matched(root: Path, *tests: Test) -> Matching:
    for name in NAMES:
        frame_file(root / "frames" / name, IMAGETYP="flat", EXPTIME=1.0)
    made = campaign(root)
    return match(made, tests, index(made, {}).frames)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("flat-*", {"flat-a", "flat-b", "FLAT-c"}),
        ("night2/flat-*", {"FLAT-c"}),
        ("night?/*-a.fits", {"flat-a", "dark-a"}),
        ("NIGHT1\\*", {"flat-a", "flat-b"}),
    ],
)
def test_pattern_takes_the_files_whose_path_ends_so(pattern: str, names: set[str], tmp_path: Path) -> None:
    done = matched(tmp_path, Test("BORN", "T1", folder=pattern))
    assert {Path(f.file.path).stem for f in done.by_test["BORN/T1"]} == names
    assert {Path(f.file.path).stem for f in done.unmatched} == {Path(n).stem for n in NAMES} - names


def test_two_rows_may_share_frames(tmp_path: Path) -> None:
    done = matched(
        tmp_path, Test("BORN", "FLAT", folder="flat-*"), Test("BORN", "PTC", folder="flat-*", frames=4)
    )
    assert len(done.by_test["BORN/FLAT"]) == len(done.by_test["BORN/PTC"]) == 3
    assert [f.what for f in done.findings if f.test == "PTC"] == ["PTC: 3 of 4 exposures were found."]


def test_pattern_that_fits_nothing_is_said(tmp_path: Path) -> None:
    done = matched(tmp_path, Test("BORN", "T1", folder="arc-*"))
    assert [(f.kind, f.what) for f in done.findings if f.test == "T1"] == [
        ("no-frames", "T1: no frame's file fits the pattern 'arc-*'.")
    ]
