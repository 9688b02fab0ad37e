"""What the health check shows, part by part, as digests. See ``builder.render.parts``."""

from __future__ import annotations

from builder.digests import digest
from builder.health_check import day_of
from builder.render.facts import Facts
from builder.render.parts import Parts


def check_parts(facts: Facts) -> Parts:
    """Of the health check. Of the time of the build only the day counts, and that only where something is promised."""
    book = facts.book
    campaign = book.report.campaign
    return {
        "tests, their results and verdicts": digest(
            [(t.test.key, day_of(t), facts.tests[id(t)]) for t in book.report.tests()]
        ),
        "findings": digest(facts.findings(book.findings)),
        "record sources": digest(
            [[s.source, s.stale, s.table is None, s.error] for s in book.snapshots.values()]
        ),
        "caveats": digest(facts.shared(book.caveats)),
        "promises": digest([(n, use.every) for n, use in campaign.procedures.items()], book.report.today),
        "blocks": digest([(b.id, b.status, b.start) for b in campaign.blocks]),
        "names": facts.names,
    }
