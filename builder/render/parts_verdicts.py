"""What the page of verdicts shows, and how much of each page's numbers is judged, as digests."""

from __future__ import annotations

from builder.digests import digest
from builder.render.facts import Facts


def verdicts_parts(facts: Facts) -> dict[str, str]:
    """Of the page of verdicts."""
    history = facts.book.report.verdicts
    known = [list(facts.book.tests), sorted(x.id for x in facts.book.limits)]
    return {
        "open failures": digest(history.open),
        "acknowledged failures": digest(history.closed),
        "flipped verdicts": digest(history.flips),
        "changed limits": digest(history.restated),
        "how many verdicts are on record": digest(history.recorded),
        "names": digest(facts.names, known),
    }


def coverage_parts(facts: Facts) -> dict[str, str]:
    """Of the home page: what is judged of what is declared, how many failures are open, how much was reviewed."""
    report = facts.book.report
    return {
        "coverage and open failures": digest(facts.book.standings, len(report.verdicts.open)),
        "how much was reviewed": digest(report.certification.count()),
    }
