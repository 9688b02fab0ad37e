"""What the health check and comparisons show, part by part, as digests. See ``builder.render.parts``."""

from __future__ import annotations

from collections.abc import Mapping

from builder.comparisons import Pair
from builder.digests import digest
from builder.health_check import day_of
from builder.render.facts import Facts
from builder.report import TestReport

Parts = Mapping[str, str]


def check_parts(facts: Facts) -> Parts:
    """Of the health check. Of the time of the build only the day counts, and that only where something is promised."""
    book = facts.book
    campaign = book.report.campaign
    return {
        "tests, their results and verdicts": digest(
            [(t.test.key, day_of(t), facts.tests[id(t)]) for t in book.report.tests()]
        ),
        "findings": digest(facts.findings(book.findings)),
        "open failures": digest([f for f in book.report.verdicts.open if f.now != "fail"]),
        "record sources": digest(
            [[s.source, s.stale, s.table is None, s.error] for s in book.snapshots.values()]
        ),
        "caveats": digest(facts.shared(book.caveats)),
        "promises": digest([(n, use.every) for n, use in campaign.procedures.items()], book.report.today),
        "blocks": digest([(b.id, b.status, b.start) for b in campaign.blocks]),
        "names": facts.names,
    }


def comparison_parts(facts: Facts, pair: Pair) -> Parts:
    """Of the comparison of two blocks, as page and as table."""
    sides = [
        [(t.test.name, facts.numbers_of(t)) for t in block.tests if t.outcomes]
        for block in (pair.here, pair.there)
    ]
    blocks = [(b.block.id, b.block.start, b.block.end) for b in (pair.here, pair.there)]
    return {
        "numbers and verdicts of the first": digest(sides[0]),
        "numbers and verdicts of the second": digest(sides[1]),
        "the blocks, and why they are compared": digest(blocks, pair.why),
        "names": digest(
            facts.names, [[t.test.name for t in block.tests] for block in (pair.here, pair.there)]
        ),
    }


def comparisons_parts(facts: Facts) -> Parts:
    """Of the list of comparisons."""
    held = [
        (p.here.block.id, p.there.block.id, p.here.block.start, p.there.block.start, p.why)
        for p in facts.book.pairs
    ]
    return {"blocks that are compared": digest(held)}


def against_part(facts: Facts, test: TestReport) -> str:
    """Of a test's page: the tests that it is compared with, their numbers, and images against the reference's."""
    book, place = facts.book, (test.block.id, test.test.name)
    before = book.earlier.get(place)
    named = book.references
    done = [named[o.procedure.name] for o in test.outcomes if o.procedure.name in named]
    tests = ([before] if before else []) + [
        book.tests[p] for p in dict.fromkeys(done) if p in book.tests and p != place
    ]
    pairs = facts.compared
    return digest(
        [(t.block.id, t.test.name, (test.block.id, t.block.id) in pairs, facts.numbers_of(t)) for t in tests],
        sorted(set(done)),
        book.images.get(place, []),
    )
