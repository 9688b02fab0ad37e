"""Health: what is wrong or unknown."""

from __future__ import annotations

from collections import Counter

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Page
from builder.render.pages_home import HOME, severities
from campaign.findings import KINDS, Finding, worst_first

MOST_FINDINGS = 500  # of one kind; campaign.json holds all


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
