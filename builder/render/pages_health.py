"""Health and caveats: what is wrong or unknown, and what is known to be a problem."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import age
from builder.render.page import Page
from builder.render.pages_home import HOME, severities
from builder.report import TestReport
from campaign.findings import KINDS, Finding, worst_first
from campaign.model import Caveat

MOST_FINDINGS = 500  # of one kind; campaign.json holds all
_SEVERITIES = ("major", "minor", "info")


@dataclass(frozen=True)
class CaveatRow:
    """A caveat with its age and what it touches. Of caveats that share an id, the first has the anchor."""

    caveat: Caveat
    age: str
    blocks: list[str]
    tests: list[TestReport]
    measurements: int
    anchored: bool


def health_page(book: Book) -> Page:
    """Every finding, worst first, grouped by kind."""
    groups: dict[str, list[tuple[Finding, str | None]]] = {}
    counts = Counter(f.kind for f in book.findings)
    for finding in worst_first(book.findings):
        group = groups.setdefault(finding.kind, [])
        if len(group) < MOST_FINDINGS:
            group.append((finding, book.place_of(finding)))
    held = [(KINDS[kind], some, counts[kind]) for kind, some in groups.items()]
    context = {"book": book, "groups": held, "counts": severities(book)}
    return Page(
        a.HEALTH,
        "Health",
        render("health.html.j2", a.HEALTH, context, book.absent),
        "health",
        (HOME,),
        tuple((kind.slug, f"{kind.title} ({count})") for kind, _, count in held),
        " ".join(kind.title for kind, _, _ in held),
    )


def caveats_page(book: Book) -> Page:
    """All caveats, open ones first, the most severe first."""
    order = sorted(book.caveats, key=lambda c: _SEVERITIES.index(c.severity))
    first = {c.id: c for c in reversed(order)}
    rows = [_row(book, c, first[c.id] is c) for c in order]
    context = {
        "book": book,
        "open": [r for r in rows if not r.caveat.resolved],
        "resolved": [r for r in rows if r.caveat.resolved],
    }
    return Page(
        a.CAVEATS,
        "Caveats",
        render("caveats.html.j2", a.CAVEATS, context, book.absent),
        "caveat",
        (HOME,),
        (("open", "Open"), ("resolved", "Resolved")),
        " ".join(f"{c.text} {c.author}" for c in order),
    )


def _row(book: Book, caveat: Caveat, anchored: bool) -> CaveatRow:
    since = age(datetime.combine(caveat.date, time()), book.now) if caveat.date else ""
    blocks = [b.block.id for b in book.report.blocks if caveat in b.caveats]
    tests = [t for t in book.report.tests() if caveat in t.caveats]
    return CaveatRow(caveat, since, blocks, tests, book.touched[id(caveat)], anchored)
