"""The page of a test: verdict and numbers first, then what was planned, acquired, made and logged."""

from __future__ import annotations

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import listed, number, plural, ranges
from builder.render.grouped_results import (
    caveats_of_all,
    failing,
    figures_of,
    legend_of,
    products_of,
    unfolded,
)
from builder.render.matrix import stated_once
from builder.render.page import Page
from builder.render.pages_block import constant_fields, crumbs, known_fields
from builder.render.pages_certification import certified_test, count_words
from builder.render.pages_compare import against
from builder.render.pages_home import tally
from builder.render.pages_numbers import (
    first_of,
    has_numbers_page,
    matrices_of,
    verdicts_told,
    worst_by_procedure,
)
from builder.report import (
    FrameReport,
    TestReport,
    Verdict,
)
from builder.rollup import by_detector, of_test
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.record import Test

MOST_PREVIEWS = 10
MOST_FAILING = 6
"""Failing numbers that are named over the tables."""
SECTIONS = (
    ("measurements", "Measurements"), ("figures", "Figures"), ("against", "Comparisons"),
    ("discrepancies", "Planned and acquired"),
    ("frames", "Frames"), ("products", "Products"), ("log", "Log"), ("certification", "Certification"),
)  # fmt: skip
MADE = frozenset({"figures", "products", "log"})
"""Sections that only a test that some procedure analysed has; for others one sentence says it."""


@dataclass(frozen=True)
class ExposureRow:
    """An exposure of a test: its frames, each with its place in the exposure table, and what is wrong with them."""

    name: str
    first: Frame
    frames: list[tuple[Frame, str | None]]
    findings: list[Finding]


@dataclass(frozen=True)
class Compared:
    """Something planned or recorded beside what was acquired; ``agrees`` is None when one of them is not known."""

    what: str
    planned: str
    acquired: str
    agrees: bool | None


def test_page(book: Book, report: TestReport) -> Page:
    """The page of a test."""
    test, block = report.test, report.block
    path = a.test_page(block.id, test.name)
    previous, after = book.neighbours.get((block.id, test.name), ("", ""))
    held = [book.frame_of(block.id, f) for f in report.frames]
    strip = [r for r in held if r and r.preview]
    fields = known_fields(report.frames)
    constant = constant_fields(report.frames, fields)
    matrices = matrices_of(book, report)
    whole = not has_numbers_page(report)
    context = {
        "book": book,
        "report": report,
        "test": test,
        "block": block,
        "tally": tally(j.verdict for o in report.outcomes for j in o.measurements),
        "bars": [c.id for c in report.caveats if c.open],
        "standing": of_test(report, book.report.campaign),
        "standings": by_detector(report, book.report.campaign),
        "matrices": [first_of(m, whole) for m in matrices],
        "numbers": None if whole else a.numbers_page(block.id, test.name),
        "stated": stated_once(report.outcomes, report.caveats),
        "nothing": _nothing(book, report),
        "figures": (drawn := figures_of(report.outcomes)),
        "drawn": {p.name for p, _ in drawn},
        "unfolded": unfolded(drawn),
        "common": {
            p.name: caveats_of_all([o for o in report.outcomes if o.procedure.name == p.name and o.figures])
            for p, _ in drawn
        },
        "legend": legend_of(report.outcomes),
        "by_procedure": worst_by_procedure(report),
        "told": verdicts_told(report),
        "worst": (failed := failing(report.outcomes))[:MOST_FAILING],
        "worst_more": max(len(failed) - MOST_FAILING, 0),
        "absent": [(o, name, why) for o in report.outcomes for name, why in o.absent.items()],
        "compared": _compared(report),
        "record": book.record_address(test),
        "pulled": book.snapshots.get(test.source),
        "exposures": _exposures(book, report),
        "fields": [n for n in fields if n not in constant],
        "constant": constant,
        "strip": strip[:MOST_PREVIEWS],
        "more_strip": max(len(strip) - MOST_PREVIEWS, 0),
        "no_frames": _no_frames(report),
        "products": products_of(report.outcomes),
        "certified": certified_test(book, report),
        "count_words": count_words,
        "previous": previous,
        "next": after,
        "against": (compared := against(book, report)),
        "namesakes": [t for t in book.namesakes[test.name] if t.block.id != block.id],
    }
    text = [
        block.id,
        test.name,
        test.session,
        test.comments,
        str(report.verdict),
        *book.procedures_of(report),
    ]
    return Page(
        path,
        f"{test.name} of {block.id}",
        render("test.html.j2", path, context, book.absent),
        "test",
        crumbs(block.id),
        tuple(s for s in SECTIONS if (report.outcomes or s[0] not in MADE) and (compared or s[0] != "against")),
        " ".join(text + [c.text for c in report.caveats]),
        f"{test.name} of {block.id}: {report.verdict}",
    )  # fmt: skip


test_page.__test__ = False  # type: ignore[attr-defined]  # not a test of ours, whatever its name suggests


def _nothing(book: Book, report: TestReport) -> str:
    """Why there is nothing to show where measurements would be."""
    if report.verdict == Verdict.PLANNED:
        return "the test is planned and not yet acquired."
    if not report.frames:
        return "no frames were found."
    names = book.procedures_of(report)
    if not names:
        return "no procedure analyses this test."
    return f"{listed(n.replace('_', ' ') for n in names)} made none."


def _no_frames(report: TestReport) -> str:
    test = report.test
    if report.verdict == Verdict.PLANNED:
        return "No frames: the test is planned and not yet acquired."
    if test.exposures:
        numbers = ranges(test.exposures)
        where = f" (row {test.row} of {test.source})" if test.row and test.source else ""
        return f"No frames matched exposures {numbers}{where}."
    if report.block.data_archived:
        return "No frames: those of this block were moved to an archive."
    return "No frames: the record names no exposures of this test, and no header names the test."


def _exposures(book: Book, report: TestReport) -> list[ExposureRow]:
    grouped: dict[str, list[Frame]] = {}
    for frame in report.frames:
        grouped.setdefault(frame.exposure, []).append(frame)
    block = report.block.id
    out = []
    for name, frames in grouped.items():
        entries: list[FrameReport | None] = [book.frame_of(block, f) for f in frames]
        found = dict.fromkeys(x for e in entries if e for x in e.findings)
        places = [(f, book.frame_address(block, f)) for f in frames]
        out.append(ExposureRow(name, frames[0], places, list(found)))
    return out


def _compared(report: TestReport) -> list[Compared]:
    """What was asked for beside what there is: exposures, their numbers, exposure time, frames by type."""
    test, taken = report.test, report.exposures
    expected = report.expected if report.expected is not None else test.frames
    return [
        Compared(
            "Exposures",
            "not stated" if expected is None else str(expected),
            plural(len(taken), "exposure"),
            None if expected is None else expected == len(taken),
        ),
        _numbers(test, report),
        _exptime(test, report),
        Compared("Frames by type", "not stated", _types(report), None),
    ]


def _numbers(test: Test, report: TestReport) -> Compared:
    have = sorted({f.number for f in report.frames if f.number is not None})
    acquired = ranges(_runs(have)) if have else "none"
    if not test.exposures:
        return Compared("Exposure numbers", "not stated", acquired, None)
    inside = all(any(low <= n <= high for low, high in test.exposures) for n in have)
    asked = sum(high - low + 1 for low, high in test.exposures)
    return Compared("Exposure numbers", ranges(test.exposures), acquired, inside and asked == len(have))


def _exptime(test: Test, report: TestReport) -> Compared:
    times = sorted({f.exptime for f in report.frames if f.exptime is not None})
    acquired = f"{listed(number(t).text for t in times)} s" if times else "none known"
    if test.exptime is None:
        return Compared("Exposure time", "not stated", acquired, None)
    planned = f"{number(test.exptime).text} s"
    return Compared("Exposure time", planned, acquired, times == [test.exptime] if times else None)


def _types(report: TestReport) -> str:
    counts: dict[str, int] = {}
    for frame in report.frames:
        counts[frame.type] = counts.get(frame.type, 0) + 1
    return listed(f"{count} {kind}" for kind, count in counts.items())


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive ranges."""
    out: list[tuple[int, int]] = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out
