"""What the pages of certification and review show, as digests: what they are drawn from, whole."""

from __future__ import annotations

from builder.digests import digest
from builder.render.facts import Facts
from builder.render.pages_certification import AllCertified, certified_result, certified_test
from builder.render.pages_review import Review
from builder.report import Outcome, TestReport


def of_test(facts: Facts, test: TestReport) -> str:
    """What a test's page says of certification."""
    return digest(certified_test(facts.book, test))


def of_result(facts: Facts, outcome: Outcome) -> str:
    """What a provenance page says of certification."""
    return digest(certified_result(facts.book, outcome))


def certification_parts(facts: Facts, shown: AllCertified) -> dict[str, str]:
    """Of the page of all decisions."""
    return {"decisions, rules and counts": digest(shown), "names": facts.names}


def review_parts(facts: Facts, test: TestReport, shown: Review) -> dict[str, str]:
    """Of the review of a test."""
    frames = [(f.exposure, f.detector, f.type, f.exptime) for f in test.frames]
    return {
        "what is to be reviewed": digest(shown),
        "its frames and verdict": digest(frames, str(test.verdict)),
        "names": facts.names,
    }
