"""What pages show of report versions, as digests: see ``builder.render.parts``."""

from __future__ import annotations

from collections.abc import Iterable

from builder.digests import digest
from builder.render.facts import Facts
from builder.render.parts import Parts
from builder.report import Outcome


def moved_parts(facts: Facts, outcomes: Iterable[Outcome]) -> Parts:
    """Of a page that flags published numbers that moved; nothing where none did, so that such pages stay."""
    held = facts.book.moved_of(outcomes)
    if not held:
        return {}
    told = [(m.number, [(v.number, v.label) for v in m.versions]) for m in held]
    return {"published numbers that moved": digest(told)}


def versions_parts(facts: Facts) -> Parts:
    """Of the page of report versions."""
    return {"report versions": digest(facts.book.report.versions), "names": facts.names}
