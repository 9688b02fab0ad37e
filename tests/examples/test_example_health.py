"""The example's planted faults: each is named on the health pages, and nothing is named that was not planted.

What is expected is written from the plan and the record (``[simulate]`` of campaign.toml, README), not from what was found.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from campaign.load import load

pytestmark = pytest.mark.slow

Row = tuple[str, str, str, str]  # kind, block, test, detector ('' for none)

PLANTED: dict[Row, tuple[str, str]] = {
    # (kind of finding, block, test, detector): (what was planted, what the finding says)
    ("damaged-file", "BORN", "", "", ): ("empty, truncated, foreign", "empty|truncated|foreign"),
    ("wrong-shape", "DIRAC", "", "CCD3"): ("wrong-shape", "262 × 328"),
    ("bad-pixels", "DIRAC", "", "CCD1"): ("nan-pixels", "NaN or infinite"),
    ("missing-frames", "BORN", "", ""): ("missing-frame: the log lists it", "EUC_1034"),
    ("missing-frames", "BORN", "PTC02_730", "CCD2"): ("missing-frame", "1034"),
    ("missing-frames", "BORN", "BIAS01", "CCD1"): ("empty", "1112"),
    ("missing-frames", "BORN", "DARK01", "CCD3"): ("truncated", "1173"),
    ("missing-frames", "BORN", "BIAS02.3", "CCD2"): ("foreign", "1206"),
    ("missing-frames", "DIRAC", "BIAS01", "CCD3"): ("wrong-shape", "2109"),
    ("missing-frames", "BORN", "DARK01", ""): ("a range in the record that is too long", "1168–1169"),
    ("missing-frames", "DIRAC", "FLAT02_730", ""): ("a range in the record that is too long", "2215–2219"),
    ("contradiction", "BORN", "", ""): ("wrong-log-time and wrong-header-time", "log exptime 3.5|log exptime 2.7"),
    ("contradiction", "BORN", "FLAT01", ""): ("swapped-setting", "880"),
    ("contradiction", "BORN", "FLAT02_730", ""): ("wrong-header-time", "1216"),
    ("contradiction", "DIRAC", "BIAS01", ""): ("ranges that overlap", "rwd_bas_v|counts 6 exposures"),
    ("overlap", "DIRAC", "BIAS01", ""): ("ranges that overlap", "2105–2106"),
    ("duplicate-test", "DIRAC", "BIAS02.2", ""): ("a name twice", "also the name"),
    ("bad-range", "BORN", "NL02", ""): ("a range backwards", "backwards"),
    ("bad-cell", "BORN", "NL02", ""): ("a range backwards, counted by a formula", "-41"),
    ("bad-cell", "BORN", "", ""): ("an error value", "#REF!"),
    ("no-frames", "BORN", "NL02", ""): ("a row that no frame answers", "names no exposures"),
    ("no-frames", "DIRAC", "NL02", ""): ("a row that no frame answers", "2300–2342"),
    ("unmatched-frame", "BORN", "", ""): ("frames that no row names", "DTEST"),
    # tests that the example takes and analyses with nothing: no faults, and told as notes
    ("no-procedure", "BORN", "FLATFLUX00_800", ""): ("no procedure is named", "no procedure"),
    ("no-procedure", "BORN", "PSFLUX00_800", ""): ("no procedure is named", "no procedure"),
    ("no-procedure", "BORN", "FLAT_STB", ""): ("no procedure is named", "no procedure"),
}  # fmt: skip

FAILING = {
    "BORN PTC01": "gain of CCD3 F outside its limit; lamp-drift of CCD1, CCD2 and CCD3",
    "BORN PTC02_730": "gain of CCD3 F outside its limit",
    "DIRAC BIAS01": "offset of CCD3 H outside its limit",
    "DIRAC BIAS02": "offset of CCD3 H outside its limit",
    "DIRAC BIAS02.2": "read noise of CCD2 G outside its limit, and 1 more",  # and the offset of CCD3 H
    "DIRAC BIAS02.3": "offset of CCD3 H outside its limit",
    "DIRAC DARK01": "dark current of CCD2 H outside its limit; negative of CCD2 H",
}
DOUBTFUL = {
    "BORN BIAS01": "some frames are missing",
    "BORN DARK01": "some frames are missing",
    "BORN BIAS02.3": "some frames are missing",
    "BORN FLAT02_730": "lamp-drift of CCD1, CCD2 and CCD3; unstable of CCD1, CCD2 and CCD3",  # half the light
    "DIRAC PTC02_730": "clamped of CCD1 F",
    "DIRAC PTC01": "flicker of CCD1, CCD2 and CCD3",
    "DIRAC FLAT02_730": "saturated of CCD1, CCD2 and CCD3; clamped of CCD1, CCD2 and CCD3",
}
SHOWN_BY = {
    "missing-frame": "BORN PTC02_730", "empty": "empty", "truncated": "truncated", "foreign": "foreign",
    "wrong-shape": "262 × 328", "nan-pixels": "NaN or infinite", "wrong-log-time": "log exptime 3.5",
    "wrong-header-time": "exptime 5.4", "swapped-setting": "wavelength 880", "wrong-exposure-time": "BORN FLAT02_730",
    "lamp-drift": "lamp-drift of CCD1, CCD2 and CCD3", "flicker": "flicker of CCD1, CCD2 and CCD3",
    "clamped-converter": "clamped of CCD1 F", "saturated": "saturated of CCD1, CCD2 and CCD3",
    "noisy-channel": "read noise of CCD2 G", "offset-step": "negative of CCD2 H",
}  # fmt: skip
"""Where each kind of fault of the plan is to be read, on the health page or the health check."""


@pytest.fixture(scope="module")
def site(built_example: Path) -> Path:
    return built_example / "build" / "site"


@pytest.fixture(scope="module")
def found(site: Path) -> list[dict[str, str | None]]:
    held: list[dict[str, str | None]] = json.loads((site / "data/campaign.json").read_text("utf-8"))[
        "findings"
    ]
    return held


def text_of(page: Path) -> str:
    html = re.sub(r"<(script|style).*?</\1>", " ", page.read_text("utf-8"), flags=re.S)
    plain = re.sub(r"<[^>]+>", "", html).replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&")
    return " ".join(plain.split())


def group(page: Path, anchor: str) -> dict[str, str]:
    """What a group of the health check lists: test → why."""
    section = page.read_text("utf-8").partition(f'<section id="{anchor}">')[2].partition("</section>")[0]
    items = re.findall(r"<li>.*?<a [^>]*>(.*?)</a>(?:\s*<span class=\"muted\">(.*?)</span>)?", section, re.S)
    return dict(items)


def row(finding: dict[str, str | None]) -> Row:
    return tuple(finding[k] or "" for k in ("kind", "block", "test", "detector"))  # type: ignore[return-value]


def test_every_planted_fault_of_files_and_records_is_a_finding(found: list[dict[str, str | None]]) -> None:
    for place, (planted, says) in PLANTED.items():
        told = [str(f["what"]) for f in found if row(f) == place]
        assert told, f"{planted}: nothing at {place}"
        for part in says.split("|"):
            assert any(re.search(part, what) for what in told), f"{planted}: {part!r} not in {told}"


def test_nothing_is_found_that_was_not_planted(found: list[dict[str, str | None]]) -> None:
    assert [f for f in found if row(f) not in PLANTED] == []
    for place, (planted, says) in PLANTED.items():
        strange = [f["what"] for f in found if row(f) == place and not re.search(says, str(f["what"]))]
        assert strange == [], planted


def test_every_finding_stands_on_the_health_page(site: Path, found: list[dict[str, str | None]]) -> None:
    text = text_of(site / "health.html")
    for finding in found:
        assert " ".join(str(finding["what"]).split()) in text


def test_tests_that_fail_or_are_in_doubt_are_those_with_a_planted_fault(site: Path) -> None:
    assert group(site / "check.html", "failing") == FAILING
    assert group(site / "check.html", "warned") == DOUBTFUL


def test_every_kind_of_fault_in_the_plan_can_be_read(site: Path, built_example: Path) -> None:
    campaign, _ = load(built_example)
    assert campaign is not None
    planted = {f["kind"] for entry in campaign.simulate["plan"] for f in entry.get("faults", ())}
    assert planted == set(SHOWN_BY)
    text = text_of(site / "health.html") + text_of(site / "check.html")
    assert {kind for kind, words in SHOWN_BY.items() if words not in text} == set()


def test_frames_missing_records_and_lateness_are_grouped(
    site: Path, found: list[dict[str, str | None]]
) -> None:
    page = site / "check.html"
    lacking = {str(f["what"]) for f in found if f["kind"] in ("no-frames", "missing-frames")}
    shown = {w.replace("&#39;", "'") for w in group(page, "frames")}
    assert shown == lacking
    assert group(page, "sources") == {}
    assert group(page, "late") == {}  # something is promised, and no block is running
    assert "every 14 days" in text_of(page)


def test_mark_up_in_a_cell_stays_text(site: Path) -> None:
    for name in ("health.html", "check.html", "compare/DIRAC-BORN.html"):
        assert "<script>alert" not in (site / name).read_text("utf-8")


def test_the_step_that_was_planted_is_the_largest_difference_from_the_reference(site: Path) -> None:
    """DIRAC's dark level of CCD2 H falls by 6 ADU over 565 s: nothing else differs as much from BORN's."""
    text = text_of(site / "blocks/DIRAC/tests/DARK01.html")
    against = text.partition("Against the reference")[2]
    first = re.search(r"dark current\s*ADU/s\s*CCD2\s*H\s*−[0-9.]+ σ", against)
    assert first is not None
    assert against.index("dark current") == first.start()
    assert (site / "compare/DIRAC-BORN.html").stat().st_size < 150_000
    assert (site / "check.html").stat().st_size < 150_000
