"""The sequential review of a test: its frames, figures and products, one after the other, and what is decided of each."""

from __future__ import annotations

from collections.abc import Mapping

from builder.certified import Certified, outcome_subject
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Crumb, Page
from builder.render.pages_block import crumbs
from builder.report import DrawnFigure, StoredProduct, TestReport
from campaign.certification import DECIDED, MEANINGS, REASONED, frame_subject
from campaign.frozen import dataclass

RESULT_WRITTEN = 20
"""Characters of a frame's fingerprint that are written as its result id."""


@dataclass(frozen=True)
class Item:
    """Something to look at. ``kind`` is 'frame', 'figure' or 'product'; ``facts`` stand beside it, ``href`` is its own file."""

    kind: str
    address: str
    label: str
    result: str
    facts: tuple[str, ...]
    href: str
    held: tuple[Certified, ...]
    figure: DrawnFigure | None = None
    product: StoredProduct | None = None


@dataclass(frozen=True)
class Review:
    """All that there is to look at of a test, in the order of frames, figures, products; and the codes of reasons."""

    items: tuple[Item, ...]
    reasons: Mapping[str, str]
    after: str  # the next test of the block that can be reviewed, '' for none


def review_of(book: Book, report: TestReport, after: str) -> Review:
    """What there is to review of a test; ``after`` is the next test."""
    certification, block = book.report.certification, report.block.id
    items: list[Item] = []
    for frame in report.frames:
        held = book.frame_of(block, frame)
        if held is None or not held.preview:
            continue
        exptime = f"{frame.exptime:g} s" if frame.exptime is not None else "exposure time unknown"
        facts = (frame.type, exptime, *(f.what for f in held.findings))
        address = frame_subject(frame.exposure, frame.detector, frame.block or block)
        label, result = f"Frame {frame.exposure} of {frame.detector}", held.fingerprint[:RESULT_WRITTEN]
        items.append(Item("frame", address, label, result, facts, held.preview, certification.on(address)))
    for outcome in report.outcomes:
        whole = outcome_subject(outcome)
        of = f"{outcome.procedure.title} of {outcome.detector}"
        for figure in outcome.figures:
            address = f"{whole}#figure:{figure.name}"
            items.append(
                Item("figure", address, f"{figure.title}, {of}", outcome.result_id, (), figure.light, certification.on(address), figure=figure)
            )  # fmt: skip
        for product in outcome.products:
            address = f"{whole}#product:{product.name}"
            label = f"{product.name.replace('_', ' ')}, {of}"
            items.append(
                Item("product", address, label, outcome.result_id, (product.meaning,), product.href, certification.on(address), product=product)
            )  # fmt: skip
    return Review(tuple(items), certification.reasons, after)


def review_page(book: Book, report: TestReport, review: Review) -> Page:
    """The page of a review. Without scripts it is a list of all pictures with their addresses."""
    test, block = report.test, report.block
    path = a.review_page(block.id, test.name)
    context = {
        "book": book, "report": report, "test": test, "block": block, "review": review,
        "decided": [d for d in DECIDED if d != "acknowledged"], "meanings": MEANINGS, "reasoned": REASONED,
    }  # fmt: skip
    where = (*crumbs(block.id), Crumb(test.name, a.test_page(block.id, test.name)))
    title = f"Review of {test.name} of {block.id}"
    body = render("review.html.j2", path, context, book.absent)
    return Page(path, title, body, "review", where)
