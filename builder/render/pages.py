"""Every data page of the site, from the report."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.page import Page
from builder.render.pages_about import build_page
from builder.render.pages_block import block_page, exposures_page
from builder.render.pages_detector import detector_page
from builder.render.pages_health import caveats_page, health_page
from builder.render.pages_home import documents_page, hardware_page, home_page
from builder.render.pages_procedure import limits_page, procedure_page, procedures_page
from builder.render.pages_provenance import result_page
from builder.render.pages_record import record_pages
from builder.render.pages_test import test_page
from builder.report import Report


def pages(
    report: Report, prose: Mapping[str, str], description_html: str = "", absent: Collection[str] = ()
) -> Iterator[Page]:
    """Yield the data pages of a report, each once, home first.

    ``prose`` holds the notes of blocks by id, and ``description_html`` the campaign's description, both as
    HTML that is safe to show. ``absent`` are files of the campaign folder (paths relative to it) that pages
    would link to (see ``links.linked_files``) but that are not there: they are named, not linked.
    """
    book = Book(report, absent)
    known = frozenset(page_addresses(book))
    yield home_page(book, known, description_html)
    for block in book.blocks.values():
        yield block_page(book, block, prose.get(block.block.id) or block.body_html)
        yield exposures_page(book, block)
    for test in book.tests.values():
        yield test_page(book, test)
    for name in book.detectors:
        yield detector_page(book, name)
    yield procedures_page(book)
    for procedure in book.procedures.values():
        yield procedure_page(book, procedure)
    for outcome in book.outcomes.values():
        yield result_page(book, outcome)
    yield from record_pages(book)
    yield health_page(book)
    yield caveats_page(book)
    yield limits_page(book)
    yield hardware_page(book)
    yield documents_page(book)
    yield build_page(book, known)


def page_addresses(book: Book) -> Iterator[str]:
    """The addresses of all data pages, without drawing them."""
    yield from (a.HOME, a.PROCEDURES, a.HEALTH, a.CAVEATS, a.LIMITS, a.HARDWARE, a.DOCUMENTS, a.BUILD)
    for block in book.blocks:
        yield a.block_page(block)
        yield a.exposures_page(block)
    yield from (a.test_page(block, test) for block, test in book.tests)
    yield from (a.detector_page(name) for name in book.detectors)
    yield from (a.procedure_page(name) for name in book.procedures)
    yield from (a.result_page(result) for result in book.outcomes)
    yield from (a.record_page(source) for source in book.snapshots)
