"""Every data page of the site, from the report."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from html import escape
from pathlib import Path

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
from builder.render.pages_record import record_page
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
    for path, make in _makers(book, known, prose, description_html):
        try:
            page = make()
        except Exception as error:  # a fault in one page costs only that page
            page = _undrawn(path, error)
        yield page


def _makers(
    book: Book, known: frozenset[str], prose: Mapping[str, str], description_html: str
) -> Iterator[tuple[str, Callable[[], Page]]]:
    """The address of each page and how it is drawn."""
    yield a.HOME, lambda: home_page(book, known, description_html)
    for b in book.blocks.values():
        body = prose.get(b.block.id) or b.body_html
        yield a.block_page(b.block.id), partial(block_page, book, b, body)
        yield a.exposures_page(b.block.id), partial(exposures_page, book, b)
    for (block, name), test in book.tests.items():
        yield a.test_page(block, name), partial(test_page, book, test)
    for detector in book.detectors:
        yield a.detector_page(detector), partial(detector_page, book, detector)
    yield a.PROCEDURES, lambda: procedures_page(book)
    for procedure in book.procedures.values():
        yield a.procedure_page(procedure.name), partial(procedure_page, book, procedure)
    for result, outcome in book.outcomes.items():
        yield a.result_page(result), partial(result_page, book, outcome)
    for snapshot in book.snapshots.values():
        yield a.record_page(snapshot.source), partial(record_page, book, snapshot)
    yield a.HEALTH, lambda: health_page(book)
    yield a.CAVEATS, lambda: caveats_page(book)
    yield a.LIMITS, lambda: limits_page(book)
    yield a.HARDWARE, lambda: hardware_page(book)
    yield a.DOCUMENTS, lambda: documents_page(book)
    yield a.BUILD, lambda: build_page(book, known)


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
    yield from (a.HOME, a.PROCEDURES, a.HEALTH, a.CAVEATS, a.LIMITS, a.HARDWARE, a.DOCUMENTS, a.BUILD)
    for block in book.blocks:
        yield a.block_page(block)
        yield a.exposures_page(block)
    yield from (a.test_page(block, test) for block, test in book.tests)
    yield from (a.detector_page(name) for name in book.detectors)
    yield from (a.procedure_page(name) for name in book.procedures)
    yield from (a.result_page(result) for result in book.outcomes)
    yield from (a.record_page(source) for source in book.snapshots)
