"""A change of a report changes the parts of pages that tell of it, and no others: what is redrawn, and ``calbook why``."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_fixture import make_report

from builder.certified import Certified, outcome_subject
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.facts import Facts
from builder.render.pages import drafts
from builder.report import Report, TestReport
from campaign.certification import Decision

Shown = dict[str, dict[str, str]]


def shown(report: Report) -> Shown:
    return {d.path: dict(d.parts) for d in drafts(Facts(Book(report)), {})}


def changed(before: Shown, after: Shown) -> dict[str, set[str]]:
    """The parts that differ, by the page's address."""
    parts = {p: {n for n in before[p] | held if before[p].get(n) != held.get(n)} for p, held in after.items()}
    return {page: names for page, names in parts.items() if names}


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


@pytest.fixture(scope="module")
def before(report: Report) -> Shown:
    return shown(report)


def with_test(report: Report, test: TestReport) -> Report:
    """The report with its very first test put in another's place."""
    first, *others = report.blocks
    return replace(report, blocks=(replace(first, tests=(test, *first.tests[1:])), *others))


def test_the_same_report_has_the_same_parts(before: Shown) -> None:
    assert changed(before, shown(make_report())) == {}


def test_a_caveat_of_one_test_changes_no_other_test(report: Report, before: Shown) -> None:
    test = report.blocks[0].tests[0]
    caveat = report.campaign.caveats[0].model_copy(update={"text": "Something new."})
    found = changed(before, shown(with_test(report, replace(test, caveats=(*test.caveats, caveat)))))
    page = a.test_page(test.block.id, test.test.name)
    assert found[page] == {"caveats"}
    others = {a.test_page(t.block.id, t.test.name) for t in report.tests()} - {page}
    assert others and not others & found.keys()


def test_a_decision_changes_what_is_told_of_certification(report: Report, before: Shown) -> None:
    test = next(
        t for t in report.tests() if (t.block.id, t.test.name) in Book(report).review_pages and t.outcomes
    )
    outcome = test.outcomes[0]
    address = outcome_subject(outcome)
    held = report.certification
    said = Decision(who="A. Person", decision="rejected", subject=address, result=outcome.result_id, row=99)
    about = {**held.about, address: (*held.on(address), Certified(said))}
    found = changed(before, shown(replace(report, certification=replace(held, about=about))))
    place = (test.block.id, test.test.name)
    for page in (a.test_page(*place), a.review_page(*place), a.result_page(outcome.result_id)):
        assert found[page] == {"certification"}, page
    assert a.CERTIFICATION in found


def test_another_result_is_told_as_a_result(report: Report, before: Shown) -> None:
    """Not as a decision too, though what can be decided about is named after it."""
    test = next(
        t for t in report.tests() if t.outcomes and not report.certification.of_test(t.block.id, t.test.name)
    )
    first, *others = test.outcomes
    again = replace(test, outcomes=(replace(first, measured_at="2031-01-01T00:00:00"), *others))
    blocks = tuple(replace(b, tests=tuple(again if t is test else t for t in b.tests)) for b in report.blocks)
    found = changed(before, shown(replace(report, blocks=blocks)))
    assert found[a.test_page(test.block.id, test.test.name)] == {"its results"}
    assert found[a.result_page(first.result_id)] == {"the result"}
