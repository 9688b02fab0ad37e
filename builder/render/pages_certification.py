"""What is certified, as test and provenance pages show it, and the page of all decisions with its counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from builder.certified import (
    OUTDATED,
    REPLACED,
    STANDS,
    Certified,
    Count,
    outcome_subject,
)
from builder.decide import made_by, parts_of, result_now, result_of_test
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import plural
from builder.render.page import Page
from builder.render.pages_home import HOME
from builder.report import Outcome, TestReport
from campaign.certification import DECIDED, MEANINGS, REASONED, RULE, frame_subject, subject, why_excluded
from campaign.frozen import dataclass
from campaign.model import CertificationRule

MOST_DECISIONS = 2000
"""Decisions of people in the table of all, the newest; certification.csv has them all."""
MOST_TESTS = 1000
"""Tests in the table of what is to be reviewed: those that need somebody first."""
RESULT_SHOWN = 12
"""Characters of a result id that a table shows."""


@dataclass(frozen=True)
class DecisionRow:
    """A decision as a table shows it: what it is about in words, the page of that ('' for none), the result shown now."""

    label: str
    page: str
    held: Certified
    now: str


@dataclass(frozen=True)
class Choice:
    """Something that can be decided about: its address, what it is in words, the result id shown now, and its parts."""

    address: str
    label: str
    result: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class CertifiedHere:
    """What a page says of certification. ``notices`` are (severity, text); ``review`` is the page of the review or ''."""

    count: Count
    rows: tuple[DecisionRow, ...]
    choices: tuple[Choice, ...]
    notices: tuple[tuple[str, str], ...]
    reasons: Mapping[str, str]
    review: str = ""


def count_words(count: Count) -> str:
    """A count in words: '3 of 8 results reviewed, 2 by rule, 1 outdated; 3 to review'."""
    parts = [f"{count.reviewed} of {plural(count.of, 'result')} reviewed"]
    if count.by_rule:
        parts.append(f"{count.by_rule} more by rule")
    if count.outdated:
        parts.append(f"{count.outdated} outdated")
    return ", ".join(parts) + f"; {count.to_review or 'none'} to review"


def certified_test(book: Book, report: TestReport) -> CertifiedHere:
    """What a test's page says: decisions about it, its results, their parts, and its frames."""
    held, block, name = book.report.certification, report.block.id, report.test.name
    about = about_test(book, report)
    choices = [Choice(subject(block, name), f"the test {name}", result_of_test(report))]
    for outcome in report.outcomes:
        if outcome.result_id:
            choices.append(_choice(outcome, made_by(outcome)))  # its measurements: on the page of the result
    return CertifiedHere(
        held.count(block, name),
        decisions(book, about),
        tuple(choices),
        tuple(_notices(about)),
        held.reasons,
        book.review_pages.get((block, name), ""),
    )


def about_test(book: Book, report: TestReport) -> dict[str, tuple[Certified, ...]]:
    """The decisions about a test, its results, their parts, and its frames, by address."""
    held, block = book.report.certification, report.block.id
    about = held.of_test(block, report.test.name)
    if held.of_frames:
        frames = (frame_subject(f.exposure, f.detector, f.block or block) for f in report.frames)
        about |= {s: held.of_frames[s] for s in dict.fromkeys(frames) if s in held.of_frames}
    return about


def certified_result(book: Book, outcome: Outcome) -> CertifiedHere:
    """What a provenance page says: decisions about the result, its parts, and its test; any measurement can be chosen."""
    held, about = book.report.certification, about_result(book, outcome)
    review = book.review_pages.get((outcome.block, outcome.test), "")
    choice = _choice(outcome, parts_of(outcome))
    return CertifiedHere(
        Count(), decisions(book, about), (choice,), tuple(_notices(about)), held.reasons, review
    )


def about_result(book: Book, outcome: Outcome) -> dict[str, tuple[Certified, ...]]:
    """The decisions about a result, its parts, and its test, by address."""
    found = book.report.certification.of_test(outcome.block, outcome.test)
    if not found:
        return found
    whole, test = outcome_subject(outcome), subject(outcome.block, outcome.test)
    return {s: held for s, held in found.items() if s in (test, whole) or s.startswith(f"{whole}#")}


def _choice(outcome: Outcome, parts: Iterable[str]) -> Choice:
    label = f"{outcome.procedure.title} of {outcome.detector}"
    return Choice(outcome_subject(outcome), label, outcome.result_id, tuple(parts))


def decisions(book: Book, about: Mapping[str, Iterable[Certified]]) -> tuple[DecisionRow, ...]:
    """A row for each decision: people's in the order of the file, then those of rules."""
    results = book.report.certification.results
    rows = [
        DecisionRow(address, _page(book, address), c, result_now(results, address))
        for address, held in about.items()
        for c in held
    ]
    return tuple(sorted(rows, key=lambda r: (r.held.decision.by_rule, r.held.decision.row, r.label)))


def _page(book: Book, address: str) -> str:
    """The page of what an address is about: its test's, or that of its result."""
    return book.certified_pages.get(address.partition("#")[0], "")


def _notices(about: Mapping[str, Iterable[Certified]]) -> Iterable[tuple[str, str]]:
    for address, found in about.items():
        held = [c for c in found if c.state != REPLACED]
        stands = [c for c in held if c.state == STANDS]
        for c in stands:
            why = why_excluded(c.decision)
            if why:
                severity = "error" if c.decision.decision == "rejected" else "note"
                text = f": {c.decision.text}" if c.decision.text else ""
                left = "" if address.startswith("frame:") else "; left out of trends"
                yield severity, f"{address} is {why}{text}{left}."
        if held and not stands:
            d = held[-1].decision
            yield "warning", f"What {d.who} decided about {address} ({d.decision}) is outdated: it was on result {d.result[:RESULT_SHOWN]}, which is no longer the one shown."  # fmt: skip


# ── the page of all decisions ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class TestCount:
    """A test with what of it was reviewed."""

    __test__ = False

    block: str
    test: str
    count: Count
    review: str


@dataclass(frozen=True)
class AllCertified:
    """What the page of certification shows. ``rules`` are with how many results each decided about."""

    total: Count
    blocks: tuple[tuple[str, Count], ...]
    tests: tuple[TestCount, ...]
    more_tests: int
    rows: tuple[DecisionRow, ...]
    more_rows: int
    unplaced: tuple[Certified, ...]
    rules: tuple[tuple[CertificationRule, int], ...]
    reasons: Mapping[str, str]
    used: Mapping[str, int]


def all_certified(book: Book) -> AllCertified:
    """What the page of certification shows."""
    held = book.report.certification
    people = {s: [c for c in found if not c.decision.by_rule] for s, found in held.about.items()}
    rows = decisions(book, people)
    used: dict[str, int] = {}
    ruled: dict[str, int] = {}
    for c in (c for found in held.about.values() for c in found):
        d = c.decision
        if d.by_rule:
            ruled[d.who] = ruled.get(d.who, 0) + 1
        elif d.reason:
            used[d.reason] = used.get(d.reason, 0) + 1
    blocks: dict[str, Count] = {}
    for (block, _), count in held.counts.items():
        blocks[block] = blocks.get(block, Count()) + count
    tests = sorted(  # what needs somebody comes first; the order of execution else
        ((block, test, c) for (block, test), c in held.counts.items() if c.of),
        key=lambda x: (not x[2].outdated, not x[2].to_review),
    )
    shown = tuple(
        TestCount(b, t, c, book.review_pages.get((b, t), "")) for b, t, c in islice(tests, MOST_TESTS)
    )
    return AllCertified(
        sum(blocks.values(), Count()),
        tuple((b, c) for b, c in blocks.items() if c.of),
        shown,
        max(len(tests) - MOST_TESTS, 0),
        tuple(reversed(rows))[:MOST_DECISIONS],
        max(len(rows) - MOST_DECISIONS, 0),
        held.unplaced,
        tuple((r, ruled.get(RULE + r.name, 0)) for r in book.report.campaign.certification.rules),
        held.reasons,
        used,
    )


def certification_page(book: Book, shown: AllCertified) -> Page:
    """Who decided what, when, and on which result; what is reviewed, and what is still to be."""
    context = {
        "book": book, "shown": shown, "count_words": count_words, "decided": DECIDED, "meanings": MEANINGS,
        "reasoned": REASONED, "outdated": OUTDATED, "result_shown": RESULT_SHOWN,
    }  # fmt: skip
    sections = (
        ("counts", "Reviewed, to review"),
        ("decisions", "Decisions"),
        ("rules", "Rules"),
        ("reasons", "Reasons"),
    )
    names = dict.fromkeys(r.held.decision.who for r in shown.rows)
    body = render("certification.html.j2", a.CERTIFICATION, context, book.absent)
    words = count_words(shown.total)
    return Page(
        a.CERTIFICATION, "Certification", body, "certification", (HOME,), sections, " ".join(names), words
    )
