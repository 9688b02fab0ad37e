"""The page of verdicts: failures that nobody has acknowledged, and verdicts that changed, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from builder.flips import Failure, Flip, subjects
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Page
from builder.render.pages_home import HOME
from campaign.frozen import dataclass

MOST_ROWS = 200
"""Rows of one table: more are counted, not shown."""
MOST_GROUPS = 50


@dataclass(frozen=True)
class FlipGroup:
    """Verdicts that flipped in one build for one limit: how many of each kind, and the first of them."""

    build: int
    when: str
    limit: str
    kinds: list[tuple[str, str, int]]  # (before, after, count)
    flips: Sequence[Flip]
    count: int


def verdicts_page(book: Book) -> Page:
    """Open failures, acknowledged ones, flips by build and limit, and limits that changed."""
    history = book.report.verdicts
    groups = _groups(history.flips)
    context = {
        "book": book,
        "open": history.open[:MOST_ROWS],
        "open_count": len(history.open),
        "closed": history.closed[:MOST_ROWS],
        "closed_count": len(history.closed),
        "still_red": sum(f.now == "fail" for f in history.open),
        "groups": groups[:MOST_GROUPS],
        "more_groups": max(len(groups) - MOST_GROUPS, 0),
        "flips": len(history.flips),
        "restated": history.restated[:MOST_ROWS],
        "limits": {x.id for x in book.limits},
        "recorded": history.recorded,
        "place": place_words,
        "subject": lambda f: subjects(f.spot)[0],
        "known": lambda page: page.partition("#")[2] in book.measurements,
    }
    sections = (
        ("open", "Open failures"), ("flips", "Flipped verdicts"), ("restated", "Changed limits"),
        ("acknowledged", "Acknowledged"),
    )  # fmt: skip
    text = " ".join(
        dict.fromkeys(f"{f.spot.block} {f.spot.test} {f.limit}" for f in history.open[:MOST_ROWS])
    )
    return Page(
        a.VERDICTS,
        "Verdicts",
        render("verdicts.html.j2", a.VERDICTS, context, book.absent),
        "campaign",
        (HOME,),
        sections,
        text,
        "Open failures, and verdicts that changed",
    )


def place_words(item: Failure | Flip) -> str:
    """What a verdict is about, beyond its test: 'CCD1 E read noise, mode=slow'."""
    s = item.spot
    words = " ".join(x for x in (s.detector, s.channel, s.quantity.replace("_", " ")) if x)
    return f"{words}, {s.setting}" if s.setting else words


def _groups(flips: Sequence[Flip]) -> list[FlipGroup]:
    """Flips by build and limit, in the order given: newest first."""
    held: dict[tuple[int, str], list[Flip]] = {}
    for flip in flips:
        held.setdefault((flip.build, flip.limit), []).append(flip)
    out = []
    for (build, limit), some in held.items():
        counts: dict[tuple[str, str], int] = {}
        for flip in some:
            counts[flip.before, flip.after] = counts.get((flip.before, flip.after), 0) + 1
        kinds = [(before, after, n) for (before, after), n in sorted(counts.items())]
        out.append(FlipGroup(build, some[0].when, limit, kinds, some[:MOST_ROWS], len(some)))
    return out
