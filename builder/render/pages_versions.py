"""The page of report versions: what each contains, what changed between them, which of their numbers moved since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builder.published import PublishedVersion
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Page
from builder.render.pages_home import HOME

MOST_MOVED = 100
"""Numbers of one version in its table of those that moved; ``calbook compare`` has all."""

_KINDS = {
    "tests": ("test", "tests"),
    "verdicts": ("verdict of a measurement", "verdicts of measurements"),
    "measurements": ("measured value", "measured values"),
    "measurements added": ("measurement more", "measurements more"),
    "measurements gone": ("measurement gone", "measurements gone"),
    "limits": ("limit", "limits"),
    "caveats": ("caveat", "caveats"),
    "inputs": ("input file", "input files"),
    "procedures": ("procedure", "procedures"),
    "record": ("row of the record", "rows of the record"),
    "findings": ("finding", "findings"),
    "software": ("library", "libraries"),
}


def versions_page(book: Book) -> Page:
    """Every report version, the newest first."""
    held = sorted(book.report.versions, key=lambda v: -v.number)
    context = {
        "book": book,
        "versions": held,
        "changed": {v.number: _changed(v) for v in held},
        "most": MOST_MOVED,
    }
    return Page(
        a.VERSIONS,
        "Report versions",
        render("report-versions.html.j2", a.VERSIONS, context, book.absent),
        "versions",
        (HOME,),
        tuple((a.version_anchor(v.number), f"{v.number}: {v.label}") for v in held),
        " ".join(f"{v.label} {v.note} {v.author}" for v in held),
    )


def _changed(version: PublishedVersion) -> str | None:
    """What changed since the version before, in words; None where that is not known."""
    counts: Mapping[str, Any] | None = version.facts.get("changes")
    if counts is None:
        return None
    said = [f"{n} {_KINDS.get(kind, (kind, kind))[n != 1]}" for kind, n in counts.items()]
    return ", ".join(said) or "nothing"
