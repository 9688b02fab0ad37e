"""The pages of caveats: what is known to be a problem, what was, and what rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from itertools import pairwise

from builder.caveat_coverage import SEVERITIES, Rested
from builder.caveat_history import Said
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import age
from builder.render.page import Crumb, Page
from builder.render.pages_home import HOME
from builder.report import TestReport
from campaign.frozen import dataclass
from campaign.model import Caveat

MOST_TESTS = 500
"""Tests in the table of what rests on caveated data, those with the most doubtful numbers; measurements.csv has all."""
MOST_RAISED = 200
"""Tests named beside a caveat that procedures raised, the newest."""


@dataclass(frozen=True)
class CaveatRow:
    """A caveat with its age, what it touches and what it said before. Of caveats that share an id, the first has the anchor.

    ``indirect`` counts the measurements that only rest on what it touches.
    """

    caveat: Caveat
    age: str
    blocks: list[str]
    tests: list[TestReport]
    measurements: int
    indirect: int
    anchored: bool
    earlier: list[Earlier]


@dataclass(frozen=True)
class Earlier:
    """What a caveat said before a build, and the names of the fields that changed then; none where it was taken out."""

    said: Said
    changed: tuple[str, ...]


@dataclass(frozen=True)
class RaisedRow:
    """A caveat that a procedure raised, in the words it has on several tests: each with its caveat, and how many there are."""

    procedure: str
    text: str
    tests: list[tuple[TestReport, Caveat]]
    count: int
    measurements: int


def caveats_page(book: Book) -> Page:
    """All caveats: open ones first, the most severe first; those raised by procedures; what is over or withdrawn."""
    written = [c for c in book.caveats if not c.raised_by]
    order = sorted(written, key=lambda c: SEVERITIES.index(c.severity))
    first = {c.id: c for c in reversed(order)}
    rows = [_row(book, c, first[c.id] is c) for c in order]
    open_ones = [r for r in rows if r.caveat.open]
    expired = [r for r in rows if r.caveat.expired and not r.caveat.resolved]
    withdrawn = [(name, said[-2]) for name, said in book.report.caveat_history.items() if not said[-1].fields]
    raised = _raised(book)
    context = {
        "book": book,
        "groups": [
            ("Open", "open", open_ones),
            ("Expired", "expired", expired),
            ("Resolved", "resolved", [r for r in rows if r.caveat.resolved]),
        ],
        "raised": raised,
        "withdrawn": withdrawn,
        "whole": book.coverage.whole,
    }
    sections = [
        ("open", "Open"),
        ("raised", "Raised by procedures"),
        ("expired", "Expired"),
        ("resolved", "Resolved"),
    ]
    return Page(
        a.CAVEATS,
        "Caveats",
        render("caveats.html.j2", a.CAVEATS, context, book.absent),
        "caveat",
        (HOME,),
        (*sections, ("withdrawn", "Withdrawn")),
        " ".join([*(f"{c.text} {c.author}" for c in order), *(r.text for r in raised)]),
    )


def _row(book: Book, caveat: Caveat, anchored: bool) -> CaveatRow:
    since = age(datetime.combine(caveat.date, time()), book.now) if caveat.date else ""
    blocks = [b.block.id for b in book.report.blocks if caveat in b.caveats]
    tests = [t for t in book.report.tests() if caveat in t.caveats]
    direct, indirect = book.coverage.by_caveat.get(id(caveat), (0, 0))
    said = book.report.caveat_history.get(caveat.id, ()) if anchored else ()
    earlier = [Earlier(x, x.differing(y) if y.fields else ()) for x, y in pairwise(said)]
    return CaveatRow(caveat, since, blocks, tests, direct, indirect, anchored, earlier[::-1])


def _raised(book: Book) -> list[RaisedRow]:
    found: dict[tuple[str, str], list[tuple[TestReport, Caveat]]] = {}
    for test in book.report.tests():
        for caveat in test.caveats:
            if caveat.raised_by:
                found.setdefault((caveat.raised_by, caveat.text), []).append((test, caveat))
    return [
        RaisedRow(
            procedure, text, held[-MOST_RAISED:], len(held), sum(book.coverage.by_caveat.get(id(c), (0, 0))[0] for _, c in held),
        )
        for (procedure, text), held in found.items()
    ]  # fmt: skip


def coverage_page(book: Book) -> Page:
    """What rests on caveated data: counts by block, procedure and test."""
    held = book.coverage
    touched = [(place, r) for place, r in held.tests.items() if r.touched or r.indirect]
    doubtful = sorted(
        touched, key=lambda x: (-x[1].doubtful, -x[1].touched)
    )  # stable: else in order of execution
    context = {
        "book": book,
        "whole": held.whole,
        "blocks": list(held.blocks.items()),
        "procedures": list(held.procedures.items()),
        "tests": doubtful[:MOST_TESTS],
        "left_out": max(len(doubtful) - MOST_TESTS, 0),
    }
    return Page(
        a.CAVEAT_COVERAGE,
        "What rests on caveated data",
        render("caveat_coverage.html.j2", a.CAVEAT_COVERAGE, context, book.absent),
        "caveat",
        (HOME, Crumb("Caveats", a.CAVEATS)),
        (("blocks", "By block"), ("procedures", "By procedure"), ("tests", "By test")),
        "caveat coverage",
    )


def coverage_facts(book: Book) -> list[Sequence[tuple[object, Rested]]]:
    """All counts that the page of coverage shows."""
    held = book.coverage
    return [
        [("", held.whole)],
        list(held.blocks.items()),
        list(held.procedures.items()),
        list(held.tests.items()),
    ]
