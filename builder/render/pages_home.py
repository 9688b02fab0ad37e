"""The home page, and what it leads to directly: hardware and documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render, trusted
from builder.render.format import plural
from builder.render.page import Crumb, Page
from builder.render.pages_record import lettered, numbered
from builder.report import BlockReport, TestReport, Verdict, worst
from builder.rollup import Standing, together
from campaign.findings import Severity, worst_first
from campaign.frozen import dataclass
from campaign.model import Block

HOME = Crumb("Home", a.HOME)
MOST_TESTS = 8  # tests shown one by one in a cell of the status matrix
MOST_ATTENTION = 12
DONE = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.NOT_REACHED, Verdict.NOT_EVALUATED})
FAILING = frozenset({Verdict.FAIL, Verdict.ERROR})


@dataclass(frozen=True)
class TestMark:
    """A test as a mark in the status matrix."""

    __test__ = False

    name: str
    verdict: Verdict
    page: str


@dataclass(frozen=True)
class StatusCell:
    """A block's tests of one procedure: the first few as marks, and how many there are."""

    verdict: Verdict
    tests: tuple[TestMark, ...]
    count: int


@dataclass(frozen=True)
class StatusRow:
    """A block in the status matrix."""

    block: Block
    tests: int
    done: int
    missing: int
    failing: int
    caveats: int
    cells: tuple[StatusCell, ...]
    standing: Standing


@dataclass(frozen=True)
class Attention:
    """Something that needs a person: a test with its verdict, or anything else with a severity."""

    what: str
    page: str
    why: str = ""
    verdict: Verdict | None = None
    severity: str = ""


def tally(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    """How often each verdict occurs, worst first; those that do not are left out."""
    counts = Counter(verdicts)
    return [(v, counts[v]) for v in Verdict if counts[v]]


def home_page(book: Book, known: Collection[str], description_html: str) -> Page:
    """The home page. ``known`` are the addresses of all pages, so that changes link to nothing that is not there."""
    report, campaign = book.report, book.report.campaign
    procedures = procedures_in_use(book)
    rows = [_row(book, block, procedures) for block in report.blocks]
    attention = list(_attention(book))
    context: dict[str, Any] = {
        "book": book,
        "report": report,
        "campaign": campaign,
        "description": trusted(description_html) if description_html else campaign.description,
        "rows": rows,
        "procedures": procedures,
        "total": len(report.tests()),
        "tally": tally(t.verdict for t in report.tests()),
        "missing": sum(r.missing for r in rows),
        "open_caveats": sum(c.open and not c.raised_by for c in book.caveats),
        "attention": attention[:MOST_ATTENTION],
        "more_attention": max(len(attention) - MOST_ATTENTION, 0),
        "counts": severities(book),
        "sources": [(s, book.sources.get(s.source)) for s in book.snapshots.values()],
        "unfresh": sum(s.stale or s.table is None for s in book.snapshots.values()),
        "hardware_words": _hardware_words(book),
        "standing": together(book.standings.values()),
        "open_failures": len(report.verdicts.open),
        "reviewed": report.certification.count(),
        "known": known.__contains__,
    }
    return Page(
        a.HOME,
        campaign.title,
        render("home.html.j2", a.HOME, context, book.absent),
        "campaign",
        (),
        (),  # no list of sections: the status matrix needs the width
        " ".join([campaign.instrument, campaign.description, *(p.name for p in campaign.people)]),
        campaign.description,
    )


def severities(book: Book) -> dict[str, int]:
    """How many findings there are of each severity, worst first."""
    counts = Counter(f.severity for f in book.findings)
    return {str(s): counts[s] for s in Severity}


def procedures_in_use(book: Book) -> list[str]:
    """Names of the procedures that analyse some test, in the order of the book."""
    used = {name for test in book.report.tests() for name in book.procedures_of(test)}
    return [name for name in book.procedures if name in used]


def _row(book: Book, report: BlockReport, procedures: list[str]) -> StatusRow:
    held = [(t, book.procedures_of(t)) for t in report.tests]
    return StatusRow(
        report.block,
        len(report.tests),
        report.count(*DONE),
        report.missing,
        report.count(*FAILING),
        sum(c.open for c in report.caveats),
        tuple(_cell(book, [t for t, names in held if name in names], name) for name in procedures),
        book.standings[report.block.id],
    )


def _cell(book: Book, tests: list[TestReport], procedure: str) -> StatusCell:
    marks = tuple(
        TestMark(t.test.name, book.verdict_of(t, procedure), a.test_page(t.block.id, t.test.name))
        for t in tests
    )
    return StatusCell(worst([m.verdict for m in marks]), _kept(marks), len(marks))


def _kept(marks: tuple[TestMark, ...]) -> tuple[TestMark, ...]:
    """The marks that fit into a cell, in order; the failing ones are always among them while they fit."""
    if len(marks) <= MOST_TESTS:
        return marks
    order = list(Verdict)
    kept = {id(m) for m in sorted(marks, key=lambda m: order.index(m.verdict))[:MOST_TESTS]}
    return tuple(m for m in marks if id(m) in kept)


def _attention(book: Book) -> Iterable[Attention]:
    """What needs a person: failures, then sources that could not be read, errors, and major caveats."""
    order = list(Verdict)
    failing = [t for t in book.report.tests() if t.verdict in FAILING]
    for test in sorted(failing, key=lambda t: order.index(t.verdict)):
        page = a.test_page(test.block.id, test.test.name)
        yield Attention(
            f"{test.block.id} {test.test.name}", page, test.verdict_why or why_failed(test), test.verdict
        )
    for snapshot in book.snapshots.values():
        if snapshot.stale or snapshot.table is None:
            words = "source is stale" if snapshot.table else "source was never read"
            severity = Severity.WARNING if snapshot.table else Severity.ERROR
            page = a.record_page(snapshot.source)
            yield Attention(f"{snapshot.source}: {words}", page, snapshot.error, severity=severity)
    for finding in worst_first(book.findings):
        wrong = finding.severity == Severity.ERROR and finding.kind not in (
            "source-unread",
            "procedure-error",
        )
        if wrong or finding.kind == "late":
            page = book.place_of(finding) or a.finding_kind(finding.kind)
            yield Attention(finding.what, page, finding.where.rpartition("/")[2], severity=finding.severity)
    for caveat in book.caveats:
        if caveat.severity == "major" and caveat.open:
            yield Attention(caveat.text, a.caveat(caveat.id), severity=Severity.WARNING)


def why_failed(test: TestReport) -> str:
    """What failed, in a few words: the errors, or the quantities outside their limits."""
    errors = [
        f"{o.procedure.name} of {o.detector} stopped with an error"
        for o in test.outcomes
        if o.status == "error"
    ]
    outside = [
        f"{j.measurement.quantity.replace('_', ' ')} of {o.detector} {j.measurement.channel or ''}".rstrip()
        for o in test.outcomes
        for j in o.measurements
        if j.verdict == Verdict.FAIL
    ]  # fmt: skip
    found = errors or [f"{o} outside its limit" for o in outside]
    return found[0] + (f", and {len(found) - 1} more" if len(found) > 1 else "") if found else ""


def _hardware_words(book: Book) -> str:
    trackers = [s for s in book.snapshots.values() if _is_tracker(book, s.source)]
    items = sum(len(s.table.rows) for s in trackers if s.table)
    stated = sum(bool(b.hardware) for b in book.report.campaign.blocks)
    kept = plural(items, "item") if trackers else "no tracker is named"
    return f"{kept}; serial numbers of {plural(stated, 'block')}"


def _is_tracker(book: Book, source: str) -> bool:
    declared = book.sources.get(source)
    return declared is not None and declared.kind == "hardware"


def hardware_page(book: Book) -> Page:
    """Serial numbers by block, the hardware tracker as it was read, the detectors."""
    blocks = [b.block for b in book.report.blocks]
    items = list(dict.fromkeys(item for b in blocks for item in b.hardware))
    trackers = [s for s in book.snapshots.values() if _is_tracker(book, s.source)]
    context = {
        "book": book, "blocks": [b for b in blocks if b.hardware], "items": items, "trackers": trackers,
        "numbered": numbered, "lettered": lettered,
    }  # fmt: skip
    serials = " ".join(serial for b in blocks for serial in b.hardware.values())
    sections = (("blocks", "Serial numbers"), ("tracker", "Tracker"), ("detectors", "Detectors"))
    body = render("hardware.html.j2", a.HARDWARE, context, book.absent)
    return Page(a.HARDWARE, "Hardware", body, "campaign", (HOME,), sections, serials)


def documents_page(book: Book) -> Page:
    """All documents of the campaign."""
    documents = book.report.campaign.documents
    body = render("documents.html.j2", a.DOCUMENTS, {"book": book, "documents": documents}, book.absent)
    page = Page(a.DOCUMENTS, "Documents", body, "campaign", (HOME,))
    return replace(page, search=" ".join(f"{d.title} {d.reference} {d.note}" for d in documents))
