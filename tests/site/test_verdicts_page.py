"""The page of verdicts, and limits of all kinds in words: text of others stays text, links lead to what is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from page_reader import read
from report_fixture import make_report

from builder.expectations import Spot
from builder.flips import Failure, Flip, Restated, VerdictHistory
from builder.render import addresses
from builder.render.format import stated
from builder.render.pages import pages
from campaign.model import Limit

NASTY = '<script>alert("1")</script>'
SPOT = Spot("BORN", "BIAS02", "bias", "CCD1", "read_noise", "E", f"mode={NASTY}")
GONE = Spot("BORN", NASTY, "bias", "CCD1", "offset", "", "")
HISTORY = VerdictHistory(
    open=(
        Failure(SPOT, "2025-03-01T12:00:00+00:00", "2025-03-02T12:00:00+00:00", f"2 ADU above {NASTY}", "VGCC-RON-01", "r", "pass"),
        Failure(GONE, "2025-03-01T12:00:00+00:00", "2025-03-01T12:00:00+00:00", "why", NASTY, "r", "", times=2),
    ),
    closed=(Failure(SPOT, "2025-02-01T12:00:00+00:00", "", "why", "", "r", "fail", closed=f"accepted by {NASTY}"),),
    flips=tuple(
        Flip(SPOT, "fail", "pass", f"VGCC-RON-01: … to 1.4 → {NASTY}", "VGCC-RON-01", 3, "2025-03-03T12:00:00+00:00")
        for _ in range(300)
    ),
    restated=(Restated("VGCC-RON-01", (f"note none → {NASTY}",), 3, "2025-03-03T12:00:00+00:00"),),
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    made = replace(make_report(), verdicts=HISTORY)
    return {p.path: p.body for p in pages(made, {}) if p.path in (addresses.VERDICTS, addresses.HOME)}


def test_text_of_others_stays_text(drawn: dict[str, str]) -> None:
    assert "<script" not in drawn[addresses.VERDICTS]
    assert drawn[addresses.VERDICTS].count("alert(") >= 7  # shown, as text


def test_what_is_open_leads_the_page_and_the_home_page(drawn: dict[str, str]) -> None:
    page = read(drawn[addresses.VERDICTS])
    rows = [e.text for e in page.of("tr")]
    assert any("BIAS02" in r and "2025-03-01 12:00" in r and "pass" in r for r in rows)
    assert any("shown no more" in r and "2 times" in r for r in rows)
    assert "verdicts.html#open" in drawn[addresses.HOME] and "<b>2</b>" in drawn[addresses.HOME]
    assert "limits.html#limit-VGCC-RON-01" in page.hrefs
    assert "blocks/BORN/tests/BIAS02.html" in page.hrefs


def test_long_tables_say_what_they_leave_out(drawn: dict[str, str]) -> None:
    assert "These are the first 200 of 300" in drawn[addresses.VERDICTS]


def test_without_history_every_part_says_so() -> None:
    body = next(p.body for p in pages(make_report(), {}) if p.path == addresses.VERDICTS)
    assert body.count('class="empty"') == 4


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"low": 1, "high": 2}, "1 … 2"),
        ({"reference": 2650, "tolerance": 50}, "2650 ± 50"),
        ({"reference": -3.5, "tolerance_percent": 2}, "−3.5 ± 2 %"),
        (
            {"low": 0.9, "high": 1.1, "relative_to": {"test": "T1", "by": "ratio"}},
            "0.9 … 1.1 times that of T1",
        ),
        ({"high": 5, "relative_to": {"test": "T1", "block": "B"}}, "≤ 5 from that of T1 of B"),
        ({"tolerance": 5, "relative_to": {"test": "T1"}}, "that of T1 ± 5"),
        ({"high": 2, "relative_to": {"quantity": "a.c", "by": "ratio"}}, "≤ 2 times a.c"),
        ({"high": 2, "relative_to": {"field": "exptime", "by": "ratio"}}, "≤ 2 times commanded exptime"),
        ({"statistic": {"sigma": 4, "points": 30}}, "median ± 4 σ of 30 points before it, 10 at least"),
        (
            {"statistic": {"days": 90, "sides": "around", "blocks": "own"}},
            "median ± 3 σ of all points around it within 90 days of the block, 10 at least",
        ),
    ],
)
def test_a_limit_is_said_in_words(terms: dict[str, object], words: str) -> None:
    assert stated(Limit.model_validate({"id": "L", "quantity": "a.b"} | terms)) == words
