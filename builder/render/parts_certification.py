"""What the pages of certification and review show, as digests: what they are drawn from, whole."""

from __future__ import annotations

from builder.digests import digest
from builder.render.facts import Facts
from builder.render.pages_certification import AllCertified, about_result, decisions
from builder.report import Outcome, TestReport


def of_result(facts: Facts, outcome: Outcome) -> str:
    """What a provenance page says of certification; what can be decided about is told by the result."""
    book, place = facts.book, (outcome.block, outcome.test)
    return digest(
        decisions(book, about_result(book, outcome)), place, facts.reasons, book.review_pages.get(place)
    )


def certification_parts(facts: Facts, shown: AllCertified) -> dict[str, str]:
    """Of the page of all decisions."""
    return {"decisions, rules and counts": digest(shown), "names": facts.names}


def review_parts(facts: Facts, test: TestReport, after: str) -> dict[str, str]:
    """Of the review of a test; ``after`` is the next that can be reviewed. Figures and products are those of its results."""
    held = (facts.book.frame_of(test.block.id, f) for f in test.frames)
    return {
        "its frames": digest(facts.frames_of(test), [h.fingerprint if h else None for h in held]),
        "its results and verdict": digest([facts.result(o) for o in test.outcomes], str(test.verdict)),
        "certification": facts.certified(test),
        "tests beside it": digest(after),
        "names": facts.names,
    }
