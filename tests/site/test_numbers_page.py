"""Tests of many numbers, caveats and figures: a light page that tells most, and a page of all that loses nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from page_reader import Read, read
from report_fixture import make_report

from analysis.figures import Panel, Plot, Series
from builder.draw import CHANNELS, draw
from builder.render import addresses
from builder.render.book import Book
from builder.render.facts import Facts
from builder.render.grouped_results import MOST_FIGURES, MOST_UNFOLDED, figures_of
from builder.render.matrix import Matrix, matrix
from builder.render.pages import drafts, page_addresses
from builder.render.pages_detector import detector_page
from builder.render.pages_numbers import MOST_NUMBERS, MOST_ROWS, has_numbers_page, numbers_page
from builder.render.pages_test import test_page
from builder.report import Report, TestReport, Verdict
from campaign.model import Caveat, Scope

SETTINGS = 20


def with_settings(test: TestReport, block: int = 0) -> TestReport:
    """The test with each of its numbers at so many settings; of one quantity the last fails at the highest."""
    outcomes = []
    for o in test.outcomes:
        held = tuple(
            replace(
                j,
                id=f"{o.result_id}.{j.measurement.quantity}.{j.measurement.channel}.level-{n}",
                measurement=replace(j.measurement, setting=f"level={n}"),
                verdict=Verdict.FAIL if n == SETTINGS - 1 and j is o.measurements[0] else Verdict.PASS,
            )
            for n in range(SETTINGS)
            for j in o.measurements
        )
        outcomes.append(replace(o, measurements=held))
    return replace(test, outcomes=tuple(outcomes))


@pytest.fixture(scope="module")
def report() -> Report:
    whole = make_report()
    born = whole.blocks[0]
    return replace(
        whole,
        blocks=(replace(born, tests=(with_settings(born.tests[0]), *born.tests[1:])), *whole.blocks[1:]),
    )


@pytest.fixture(scope="module")
def drawn(report: Report) -> dict[str, Read]:
    book, test = Book(report), report.blocks[0].tests[0]
    return {p.path: read(p.body) for p in (test_page(book, test), numbers_page(book, test))}


def cells(page: Read) -> dict[str, str]:
    return {
        e.attributes["data-measurement"]: e.attributes["data-value"]
        for e in page.measurements
        if e.tag == "td"
    }


def test_the_page_of_all_numbers_has_each_with_its_value_and_provenance(
    report: Report, drawn: dict[str, Read]
) -> None:
    test = report.blocks[0].tests[0]
    page = drawn[addresses.numbers_page("BORN", test.test.name)]
    assert page.problems == [] and len(page.ids) == len(set(page.ids))
    values = {j.id: j.measurement.value for o in test.outcomes for j in o.measurements}
    assert len(values) > MOST_NUMBERS
    assert cells(page) == {i: "" if v is None else repr(float(v)) for i, v in values.items()}
    links = set(page.hrefs)
    for name in values:
        result = name.partition(".")[0]
        assert f"../../../../{addresses.result_page(result)}#{addresses.number_anchor(name)}" in links


def test_the_first_page_is_light_and_leads_to_all(report: Report, drawn: dict[str, Read]) -> None:
    test = report.blocks[0].tests[0]
    page = drawn[addresses.test_page("BORN", test.test.name)]
    shown = cells(page)
    rows = len([e for e in page.of("tr") if e.attributes.get("class") != "group"])
    assert 0 < len(shown) < 200 and rows < 80
    link = f"{test.test.name}/numbers.html#{addresses.procedure_anchor(test.outcomes[0].procedure.name)}"
    assert link in page.hrefs
    # what fails is there, though it comes last, and nothing is left out without a word
    failing = [j.id for o in test.outcomes for j in o.measurements if j.verdict == Verdict.FAIL]
    assert failing and set(failing) <= set(shown)
    assert "more rows, no of them to look at" in page.text


def test_few_numbers_have_no_page_of_their_own(report: Report) -> None:
    known = sorted(d.path for d in drafts(Facts(Book(report)), {}))
    tests = {(t.block.id, t.test.name): t for t in report.tests()}
    assert sum(map(has_numbers_page, tests.values())) == 1
    for key, test in tests.items():
        assert (addresses.numbers_page(*key) in known) == has_numbers_page(test)
    assert sorted(page_addresses(Book(report))) == known


def laid_out(report: Report) -> Matrix:
    test = report.blocks[0].tests[0]
    return matrix(report.campaign, test.outcomes[0].procedure, test.outcomes, lambda o: ((o.detector, "x"),))


def test_shortening_keeps_order_and_what_fails(report: Report) -> None:
    for group in laid_out(report).groups:
        short = group.shortened(MOST_ROWS)
        assert len(short.rows) == min(MOST_ROWS, len(group.rows))
        assert len(short.rows) + len(short.left_out) == len(group.rows)
        order = [group.rows.index(r) for r in short.rows]
        assert order == sorted(order)
        telling = [r for r in group.rows if r.telling]
        assert all(r in short.rows for r in telling[:MOST_ROWS])
        assert group.shortened(len(group.rows)) == group


def test_many_caveats_are_counted_and_folded() -> None:
    report = make_report()
    test = report.blocks[0].tests[0]
    held = tuple(
        Caveat(id=f"c{n}", text=f"Caveat number {n}.", severity=severity, raised_by=by, scope=Scope())
        for n, (severity, by) in enumerate(
            [
                ("info", ""),
                ("minor", "bias"),
                ("minor", "bias"),
                ("major", ""),
                ("minor", ""),
                ("info", "bias"),
            ]
        )
    )
    page = read(test_page(Book(report), replace(test, caveats=held)).body)
    bars = page.of("aside")
    assert [e.attributes["id"] for e in bars] == [
        f"caveat-c{n}" for n in (3, 1, 2, 4, 0, 5)
    ]  # the gravest first, all there
    fold = next(e for e in page.of("summary") if "more caveats" in e.text)
    assert (
        re.sub(r"\s+", " ", fold.text).strip()
        == "4 more caveats 2 minor: 1 by people, 1 by bias 2 info: 1 by people, 1 by bias"
    )
    few = read(test_page(Book(report), replace(test, caveats=held[:3])).body)
    assert len(few.of("aside")) == 3 and "more caveats" not in few.text


def test_figures_beyond_the_first_are_folded() -> None:
    report = make_report()
    test = report.blocks[0].tests[0]
    first = test.outcomes[0]
    many = tuple(replace(f, title=f"Figure {n}") for n in range(6) for f in first.figures[:1])
    held = replace(test, outcomes=tuple(replace(o, figures=many) for o in test.outcomes[:2]))
    count = sum(len(g.held) for _, groups in figures_of(held.outcomes) for g in groups)
    assert count > MOST_FIGURES
    body = test_page(Book(report), held).body
    before, _, after = body.partition('<details class="fold figures">')
    assert (
        before.count("<figure") == MOST_UNFOLDED * 2 and after.count("<figure") == count - MOST_UNFOLDED * 2
    )
    assert f"{count - MOST_UNFOLDED * 2} more figures" in after and body.count('loading="lazy"') >= 2 * count
    assert '<details class="fold figures">' not in test_page(Book(report), test).body


def test_a_channel_wears_one_colour_in_figures_and_tables() -> None:
    """Of eight channels A–H their names alone would make pairs alike."""
    report = make_report()
    one = report.campaign.detectors[0]
    some = one.geometry.channels
    named = tuple(replace(some[n % len(some)], name=name) for n, name in enumerate("ABCDEFGH"))
    eight = one.model_copy(update={"geometry": replace(one.geometry, channels=named)})
    book = Book(replace(report, campaign=report.campaign.model_copy(update={"detectors": (eight,)})))
    page = read(detector_page(book, one.name).body)
    shown = {
        e.attributes["id"]: e.text for e in page.elements if e.attributes.get("id", "").startswith("channel-")
    }
    assert len(shown) == 8
    found = dict(
        re.findall(
            r'fill="var\(--channel-(\d)\)" font-weight="620" font-size="16">(\w)<',
            detector_page(book, one.name).body,
        )
    )
    drawn = draw(
        Plot((Panel("x", "y", tuple(Series([1.0], [1.0], c, c) for c in "ABCDEFGH")),)), list("ABCDEFGH")
    )
    assert found == {str(n): c for n, c in enumerate("ABCDEFGH")}
    assert all(colour in drawn.light.decode() for colour in CHANNELS)
