"""Verdicts add up from numbers to the campaign, each with what was judged of what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_campaign import built, make, read_page

from builder.render.book import Book
from builder.report import Report, Verdict
from builder.rollup import Standing, by_detector, of_block, of_test, together


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Three tests: two measured, of which a limit judges the level; one whose frames are not there."""
    folder = make(
        tmp_path_factory.mktemp("rollup") / "tiny",
        rows="BIAS01,1,3,0,done,\nBIAS02,4,5,0,done,\nBIAS03,8,9,0,done,\n",
    )
    return built(folder).report


def test_a_test_says_how_many_of_its_numbers_are_judged(report: Report) -> None:
    one, _, none = report.tests()
    assert of_test(one, report.campaign) == Standing(Verdict.NOT_REACHED, 1, 3)  # level, full well, frames
    assert of_test(one, report.campaign).coverage == "1 of 3 judged"
    assert of_test(none, report.campaign).judged == 0


def test_numbers_that_were_never_had_are_declared_all_the_same(report: Report) -> None:
    outcomes = report.tests()[2].outcomes
    assert of_test(report.tests()[2], report.campaign).declared == 3 * len(outcomes)


def test_by_detector_and_channel(report: Report) -> None:
    (held,) = by_detector(report.tests()[0], report.campaign)
    assert held.whole == Standing(Verdict.NOT_REACHED, 1, 3)
    assert {c: (s.judged, s.declared) for c, s in held.channels.items()} == {"A": (1, 2), "": (0, 1)}


def test_blocks_and_the_campaign_add_up(report: Report) -> None:
    parts = [of_test(t, report.campaign) for t in report.tests()]
    block = of_block(report.blocks[0], report.campaign)
    assert (block.judged, block.declared) == (sum(p.judged for p in parts), sum(p.declared for p in parts))
    assert block.verdict == report.blocks[0].verdict
    assert together(Book(report).standings.values()).declared == block.declared


def test_nothing_is_nothing() -> None:
    assert together([]) == Standing(Verdict.NOT_RUN, 0, 0)
    assert together([]).coverage == "nothing to judge"


def test_coverage_stands_beside_verdicts(tmp_path: Path) -> None:
    folder = make(tmp_path)
    built(folder)
    shown = {
        "index.html": "2 of 6",
        "blocks/B1/index.html": "2 of 6 judged",
        "blocks/B1/tests/BIAS01.html": "1 of 3 judged",
    }
    for page, words in shown.items():
        assert words in read_page(folder / "build/site" / page).text
