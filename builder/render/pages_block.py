"""The pages of a block: the block itself, and its exposure table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render, trusted
from builder.render.matrix import MOST_RESULTS, Label, Matrix, key_quantities, matrix, stated_once
from builder.render.page import Crumb, Page
from builder.render.pages_home import HOME, tally
from builder.render.pages_record import RecordRow, lettered, numbered
from builder.report import BlockReport, Outcome, TestReport, Verdict
from builder.rollup import Standing, of_test
from campaign.findings import worst_first
from campaign.frames import FIELDS, Frame
from campaign.frozen import dataclass
from campaign.model import Caveat
from campaign.record import Snapshot

MOST_TESTS = 1000
"""Tests in the table of a block, the newest; the navigation and campaign.json have all."""
MOST_FINDINGS = 20
FIRST_FINDINGS = 3
"""Findings, worst first, that stand open on the page; others up to ``MOST_FINDINGS`` are folded."""
MIDDLE = (
    ("tests", "Tests"), ("discrepancies", "Wrong or unknown"), ("notes", "Notes"), ("numbers", "Key numbers"),
)  # fmt: skip
MIDDLE_WITHOUT_TESTS = (("notes", "Notes"), ("tests", "Tests"), ("discrepancies", "Wrong or unknown"))
OWN_COLUMNS = frozenset({"exposure", "detector", "type", "exptime", "date", "test"})
"""Fields of a frame that have a column of their own in tables."""


@dataclass(frozen=True)
class TestRow:
    """A test in its block's table."""

    __test__ = False

    report: TestReport
    page: str
    procedures: list[str]
    acquired: int
    findings: int
    why: str
    caveats: list[Caveat]
    standing: Standing


@dataclass(frozen=True)
class BlockRecord:
    """A record source and its rows that belong to the block: the last of them, and how many there are."""

    source: Snapshot
    rows: list[RecordRow]
    count: int


def crumbs(block: str | None = None) -> tuple[Crumb, ...]:
    """The path down to a block's pages."""
    return (HOME,) if block is None else (HOME, Crumb(block, a.block_page(block)))


def block_page(book: Book, report: BlockReport, prose: str) -> Page:
    """The page of a block; ``prose`` is its notes as trusted HTML, '' for none."""
    block, path = report.block, a.block_page(report.block.id)
    ids = list(book.blocks)
    here = ids.index(block.id)
    findings = worst_first([*report.findings, *(f for t in report.tests for f in t.findings)])
    common = {id(c) for c in report.tests[0].caveats} if report.tests else set()
    for t in report.tests:
        common.intersection_update(id(c) for c in t.caveats)
    context = {
        "book": book,
        "report": report,
        "block": block,
        "tally": tally(t.verdict for t in report.tests),
        "standing": book.standings[block.id],
        "detectors": [d.name for d in book.report.campaign.detectors_of(block)],
        "tests": [_test_row(book, common, t) for t in report.tests[-MOST_TESTS:]],
        "left_out": max(len(report.tests) - MOST_TESTS, 0),
        "matrices": _key_numbers(book, report),
        "stated": stated_once((o for t in report.tests for o in t.outcomes), report.caveats),
        "findings": findings[:FIRST_FINDINGS],
        "folded_findings": findings[FIRST_FINDINGS:MOST_FINDINGS],
        "more_findings": max(len(findings) - MOST_FINDINGS, 0),
        "body": trusted(prose) if prose else "",
        "snapshots": [_block_record(report, s) for s in report.snapshots],
        "unread": any(s.table is None for s in report.snapshots),
        "lettered": lettered,
        "reviewed": book.report.certification.count(block.id),
        "previous": ids[here - 1] if here else "",
        "next": ids[here + 1] if here + 1 < len(ids) else "",
    }
    text = [block.id, block.kind, block.facility, block.status, block.status_note, *block.hardware.values()]
    return Page(
        path,
        block.title or block.id,
        render("block.html.j2", path, context, book.absent),
        "block",
        crumbs(),
        (
            ("facts", "Facts"), *(MIDDLE if report.tests else MIDDLE_WITHOUT_TESTS), ("links", "Links"),
            ("record", "Test record"),
        ),
        " ".join(text + [c.text for c in report.caveats]),
        f"{block.kind} {block.id}, {block.status}",
    )  # fmt: skip


def _test_row(book: Book, common: Collection[int], t: TestReport) -> TestRow:
    """The row of a test; left out is what the row says anyway, and caveats of the whole block (their bars are above)."""
    page, procedures = a.test_page(t.block.id, t.test.name), book.procedures_of(t)
    why = "" if t.verdict == Verdict.PLANNED or (not procedures and t.frames) else t.verdict_why
    own = [c for c in t.caveats if c.open and id(c) not in common]
    standing = of_test(t, book.report.campaign)
    return TestRow(t, page, procedures, len(t.exposures), len(t.findings), why, own, standing)


def _key_numbers(book: Book, report: BlockReport) -> list[Matrix]:
    outcomes = [o for t in report.tests for o in t.outcomes if o.status != "not run"]

    def label(o: Outcome) -> Label:
        return (o.test, a.test_page(o.block, o.test)), (o.detector, a.detector_page(o.detector))

    names = dict.fromkeys(o.procedure.name for o in outcomes)
    procedures = [book.procedures[n] for n in names]
    made = [
        matrix(book.report.campaign, p, outcomes, label, key_quantities(p), MOST_RESULTS) for p in procedures
    ]
    return [m for m in made if m.groups]


def _block_record(report: BlockReport, snapshot: Snapshot) -> BlockRecord:
    own = {t.test.row for t in report.tests if t.test.source == snapshot.source}
    rows = [r for r in numbered(snapshot.table) if r.number in own] if snapshot.table else []
    return BlockRecord(snapshot, rows[-MOST_RESULTS:], len(rows))


def known_fields(frames: Iterable[Frame]) -> list[str]:
    """Fields that some frame has, in the order of ``campaign.frames.FIELDS``, but for those with a column of their own."""
    have = {name for f in frames for name, value in f.fields.items() if value not in (None, "")}
    extra = sorted(have - FIELDS.keys())
    return [name for name in (*FIELDS, *extra) if name in have and name not in OWN_COLUMNS]


def constant_fields(frames: Sequence[Frame], fields: Iterable[str]) -> dict[str, object]:
    """Those of the fields that are the same in all of several frames, with their values: said once, not row by row."""
    if len(frames) < 2:
        return {}
    first = frames[0].fields
    return {n: first[n] for n in fields if n in first and all(f.fields.get(n) == first[n] for f in frames)}


def exposure_parts(report: BlockReport) -> int:
    """How many pages the exposure table of a block has: at least one."""
    return max(1, -(-len(report.frames) // a.FRAMES_A_PAGE))


def exposures_page(book: Book, report: BlockReport, part: int = 1) -> Page:
    """The exposure table of a block, or a part of a large one: every frame; on the first also every damaged file."""
    block, path = report.block, a.exposures_page(report.block.id, part)
    first = (part - 1) * a.FRAMES_A_PAGE
    rows, damaged = report.frames[first : first + a.FRAMES_A_PAGE], report.damaged if part == 1 else ()
    fields = known_fields(r.frame for r in rows)
    values = {n: {str(r.frame.fields.get(n)) for r in rows} for n in fields}
    counted = [r.counted for r in rows]
    context = {
        "book": book,
        "block": block,
        "part": part,
        "parts": exposure_parts(report),
        "rows": [(r, *held) for r, held in zip(rows, counted, strict=True)],
        "exposures": len({r.frame.exposure for r in rows}),
        "fields": fields,
        "choices": {n for n, seen in values.items() if len(seen) <= 12},
        "constant": constant_fields([r.frame for r in rows], fields),
        "channels": list(dict.fromkeys(c for levels, _ in counted for c in levels)),
        "damaged": damaged,
        "caveats": report.caveats,
    }
    return Page(
        path,
        f"Exposures of {block.id}" + (f", part {part}" if part > 1 else ""),
        render("exposures.html.j2", path, context, book.absent),
        "exposures",
        crumbs(block.id),
        (("frames", "Frames"), ("damaged", "Damaged files")) if damaged else (),
        f"exposure table {block.id}",
    )
