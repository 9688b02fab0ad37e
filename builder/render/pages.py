"""Every data page of the site, from the report."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from html import escape
from pathlib import Path

from builder.digests import digest
from builder.render import addresses as a
from builder.render import parts as p
from builder.render.book import Book
from builder.render.facts import Facts
from builder.render.page import Page
from builder.render.pages_about import build_page
from builder.render.pages_block import block_page, exposure_parts, exposures_page
from builder.render.pages_caveats import caveats_page, coverage_page
from builder.render.pages_certification import all_certified, certification_page
from builder.render.pages_check import check_page
from builder.render.pages_compare import comparison_page, comparisons_page
from builder.render.pages_detector import detector_page
from builder.render.pages_health import health_page
from builder.render.pages_home import documents_page, hardware_page, home_page
from builder.render.pages_numbers import has_numbers_page, numbers_page
from builder.render.pages_procedure import limits_page, procedure_page, procedures_page
from builder.render.pages_provenance import result_page
from builder.render.pages_record import record_page
from builder.render.pages_review import review_of, review_page
from builder.render.pages_test import test_page
from builder.render.pages_trends import regressions_page, trend_page, trends_page
from builder.render.pages_verdicts import verdicts_page
from builder.render.pages_versions import versions_page
from builder.render.parts import Parts
from builder.render.parts_certification import certification_parts, review_parts
from builder.render.parts_check import check_parts, comparison_parts, comparisons_parts
from builder.render.parts_trends import regressions_parts, trend_parts, trends_parts
from builder.render.parts_verdicts import verdicts_parts
from builder.render.parts_versions import moved_parts, versions_parts
from builder.report import Report, TestReport
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Draft:
    """A page before it is drawn: its address, the digests of what it will show, and how it is drawn.

    ``template`` is the file under ``site_src/pages`` that it is drawn with.
    """

    path: str
    template: str
    parts: Parts
    make: Callable[[], Page]

    def draw(self) -> Page:
        """The page; or, where drawing it fails, one that says so: a fault in one page costs only that page."""
        try:
            return self.make()
        except Exception as error:
            return _undrawn(self.path, error)


def pages(
    report: Report, prose: Mapping[str, str], description_html: str = "", absent: Collection[str] = ()
) -> Iterator[Page]:
    """Yield the data pages of a report, each drawn, each once, home first. See ``drafts``."""
    book = Book(report, absent)
    for draft in drafts(Facts(book), prose, description_html):
        yield draft.draw()


def drafts(facts: Facts, prose: Mapping[str, str], description_html: str = "") -> Iterator[Draft]:
    """Yield the data pages of a report, each once, home first, none of them drawn yet.

    ``prose`` holds the notes of blocks by id, and ``description_html`` the campaign's description, both as
    HTML that is safe to show. Files of the campaign folder (paths relative to it) that pages would link to (see
    ``links.linked_files``) but that are not there are named, not linked: ``facts.book.absent``.
    """
    book = facts.book
    known = frozenset(page_addresses(book))
    yield Draft(
        a.HOME, "home.html.j2", p.home_parts(facts, description_html),
        lambda: home_page(book, known, description_html),
    )  # fmt: skip
    for b in book.blocks.values():
        body, parts = prose.get(b.block.id) or b.body_html, exposure_parts(b)
        shown: Parts = {**p.block_parts(facts, b), "its notes": digest(body)}
        yield Draft(a.block_page(b.block.id), "block.html.j2", shown, partial(block_page, book, b, body))
        for part in range(1, parts + 1):
            path, shown = a.exposures_page(b.block.id, part), p.exposures_parts(facts, b, part, parts)
            yield Draft(path, "exposures.html.j2", shown, partial(exposures_page, book, b, part))
    for (block, name), test in book.tests.items():
        make = partial(test_page, book, test)
        shown = {**p.test_parts(facts, test), **moved_parts(facts, test.outcomes)}
        yield Draft(a.test_page(block, name), "test.html.j2", shown, make)
        if has_numbers_page(test):
            make = partial(numbers_page, book, test)
            yield Draft(a.numbers_page(block, name), "numbers.html.j2", p.numbers_parts(facts, test), make)
    for detector in book.detectors:
        shown, make = p.detector_parts(facts, detector), partial(detector_page, book, detector)
        yield Draft(a.detector_page(detector), "detector.html.j2", shown, make)
    shown = p.procedures_parts(facts)
    yield Draft(a.PROCEDURES, "procedures.html.j2", shown, partial(procedures_page, book))
    for procedure in book.procedures.values():
        shown, make = (
            p.procedure_parts(facts, procedure, known),
            partial(procedure_page, book, procedure, known),
        )
        yield Draft(a.procedure_page(procedure.name), "procedure.html.j2", shown, make)
    for result, outcome in book.outcomes.items():
        shown, make = p.result_parts(facts, outcome), partial(result_page, book, outcome)
        shown = {**shown, **moved_parts(facts, (outcome,))}
        yield Draft(a.result_page(result), "provenance.html.j2", shown, make)
    for snapshot in book.snapshots.values():
        shown, make = p.record_parts(facts, snapshot), partial(record_page, book, snapshot)
        yield Draft(a.record_page(snapshot.source), "record.html.j2", shown, make)
    yield from trend_drafts(facts)
    yield from _single(facts, known)
    yield from _certification(facts)


def trend_drafts(facts: Facts) -> Iterator[Draft]:
    """The pages of quantities over time, their index, and the page of steps and drifts."""
    book = facts.book
    for group in book.report.trends.groups:
        shown, make = trend_parts(facts, group), partial(trend_page, book, group)
        yield Draft(a.trend_page(*group), "trend.html.j2", shown, make)
    yield Draft(a.TRENDS, "trends.html.j2", trends_parts(facts), partial(trends_page, book))
    shown = regressions_parts(facts)
    yield Draft(a.REGRESSIONS, "regressions.html.j2", shown, partial(regressions_page, book))


def _single(facts: Facts, known: Collection[str]) -> Iterator[Draft]:
    """The pages of which the site has one each."""
    book = facts.book
    yield Draft(a.HEALTH, "health.html.j2", p.health_parts(facts), partial(health_page, book))
    yield Draft(a.CHECK, "check.html.j2", check_parts(facts), partial(check_page, book))
    yield Draft(
        a.COMPARISONS, "comparisons.html.j2", comparisons_parts(facts), partial(comparisons_page, book)
    )
    for pair in book.pairs:
        path, shown = (
            a.comparison_page(pair.here.block.id, pair.there.block.id),
            comparison_parts(facts, pair),
        )
        yield Draft(path, "comparison.html.j2", shown, partial(comparison_page, book, pair))
    yield Draft(a.CAVEATS, "caveats.html.j2", p.caveats_parts(facts), partial(caveats_page, book))
    shown, make = p.caveat_coverage_parts(facts), partial(coverage_page, book)
    yield Draft(a.CAVEAT_COVERAGE, "caveat_coverage.html.j2", shown, make)
    yield Draft(a.LIMITS, "limits.html.j2", p.limits_parts(facts), partial(limits_page, book))
    yield Draft(a.VERDICTS, "verdicts.html.j2", verdicts_parts(facts), partial(verdicts_page, book))
    yield Draft(a.HARDWARE, "hardware.html.j2", p.hardware_parts(facts), partial(hardware_page, book))
    yield Draft(a.DOCUMENTS, "documents.html.j2", p.documents_parts(facts), partial(documents_page, book))
    yield Draft(a.VERSIONS, "report-versions.html.j2", versions_parts(facts), partial(versions_page, book))
    yield draft_of_build(facts, known)


def _certification(facts: Facts) -> Iterator[Draft]:
    """The page of certification, and the review of each test that has something to look at."""
    book = facts.book
    everything = all_certified(book)
    make: Callable[[], Page] = partial(certification_page, book, everything)
    yield Draft(a.CERTIFICATION, "certification.html.j2", certification_parts(facts, everything), make)
    places = list(book.review_pages)
    for place, after in zip(places, [*places[1:], ("", "")], strict=False):
        test, following = book.tests[place], after[1] if after[0] == place[0] else ""
        make = partial(_review, book, test, following)
        yield Draft(book.review_pages[place], "review.html.j2", review_parts(facts, test, following), make)


def _review(book: Book, test: TestReport, following: str) -> Page:
    return review_page(book, test, review_of(book, test, following))


def draft_of_build(facts: Facts, known: Collection[str]) -> Draft:
    """The page about the build; ``known`` are the addresses of all data pages."""
    return Draft(a.BUILD, "build.html.j2", p.build_parts(facts), partial(build_page, facts.book, known))


UNDRAWN = "undrawn"
"""The kind of a page that could not be drawn."""


def _undrawn(path: str, error: Exception) -> Page:
    """What stands in the place of a page whose drawing failed: the error, for whoever mends it."""
    steps = traceback.extract_tb(error.__traceback__)[-6:]
    lines = [
        f"{type(error).__name__}: {error}",
        *(f"  {Path(s.filename).name}:{s.lineno} in {s.name}" for s in steps),
    ]
    body = (
        '<header class="page-head"><h1>This page could not be drawn</h1></header>'
        f"<p>That is a fault of calbook, not of the campaign: its numbers are in the exports.</p>"
        f'<pre class="log">{escape(chr(10).join(lines))}</pre>'
    )
    return Page(path, "This page could not be drawn", body, UNDRAWN, description=lines[0])


def page_addresses(book: Book) -> Iterator[str]:
    """The addresses of all data pages, without drawing them."""
    yield from (
        a.HOME,
        a.PROCEDURES,
        a.HEALTH,
        a.CAVEATS,
        a.CAVEAT_COVERAGE,
        a.LIMITS,
        a.VERDICTS,
        a.HARDWARE,
        a.DOCUMENTS,
        a.VERSIONS,
        a.BUILD,
        a.CERTIFICATION,
    )
    yield from (a.CHECK, a.COMPARISONS)
    yield from (a.comparison_page(p.here.block.id, p.there.block.id) for p in book.pairs)
    for block, report in book.blocks.items():
        yield a.block_page(block)
        yield from (a.exposures_page(block, n) for n in range(1, exposure_parts(report) + 1))
    yield from (a.test_page(block, test) for block, test in book.tests)
    yield from (a.numbers_page(*key) for key, test in book.tests.items() if has_numbers_page(test))
    yield from (a.detector_page(name) for name in book.detectors)
    yield from (a.procedure_page(name) for name in book.procedures)
    yield from (a.result_page(result) for result in book.outcomes)
    yield from (a.record_page(source) for source in book.snapshots)
    yield from (a.TRENDS, a.REGRESSIONS)
    yield from (a.trend_page(*group) for group in book.report.trends.groups)
    yield from book.review_pages.values()
