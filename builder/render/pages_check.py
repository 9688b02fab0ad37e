"""The health check: what needs a person on top, then how fresh each procedure is, then one strip of days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from analysis.contract import ALARMS
from builder import health_check
from builder.health_check import Cell, Column, Strip, Taken
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import day, listed, plural
from builder.render.page import Page
from builder.render.pages_home import HOME, Attention, procedures_in_use, why_failed
from builder.report import TestReport, Verdict
from campaign.findings import Severity, worst_first
from campaign.frozen import dataclass

MOST_OF_A_GROUP = 40
"""Things of one kind that need a person, the worst; the page they lead to has all."""
MOST_OF_A_DAY = 12
"""Tests of a procedure that a day's list names, the worst."""
MOST_LISTED = 800
"""Tests that the lists of days name together."""
LACKING = ("no-frames", "missing-frames")
ELSEWHERE = frozenset(
    {"source-unread", "source-stale", "procedure-error", "procedure-undeclared", "late", *LACKING}
)
"""Kinds of finding that a group of their own tells, or that a test's verdict does."""


@dataclass(frozen=True)
class Group:
    """Things of one kind that need a person: the first of them, how many there are, and where all are."""

    anchor: str
    title: str
    meaning: str
    items: tuple[Attention, ...]
    count: int
    all: str


@dataclass(frozen=True)
class Listed:
    """A day with the tests of each procedure that were taken on it; ``more`` are those not named."""

    column: Column
    rows: tuple[tuple[str, tuple[Taken, ...], int], ...]


def check_page(book: Book) -> Page:
    """The health check of a campaign."""
    groups = needs_person(book)
    held, undated = health_check.taken(book.report.tests(), book.procedures_of, book.verdict_of)
    procedures = procedures_in_use(book)
    strip = health_check.strip(held, procedures, book.report.today)
    promised = [n for n, use in book.report.campaign.procedures.items() if use.every and n not in procedures]
    fresh = health_check.freshness(
        book.report.campaign, book.report.blocks, [*procedures, *promised], book.report.today
    )
    context = {
        "book": book,
        "groups": groups,
        "strip": strip,
        "heads": [head(c) for c in strip.columns],
        "days": list(_listed(strip)),
        "undated": undated[:MOST_OF_A_GROUP],
        "undated_count": len(undated),
        "fresh": fresh,
        "running": [b.id for b in book.report.campaign.blocks if b.status == "running"],
        "open": sum(g.count for g in groups),
        "anchor": day_anchor,
        "words": cell_words,
        "full_days": health_check.FULL_DAYS,
    }
    return Page(
        a.CHECK,
        "Health check",
        render("check.html.j2", a.CHECK, context, book.absent),
        "health",
        (HOME,),
        (("attention", "Needs a person"), ("fresh", "Freshness"), ("strip", "Day by day"), ("days", "Days")),
        "daily strip freshness late " + " ".join(procedures),
    )


def needs_person(book: Book) -> list[Group]:
    """Everything that needs a person, in groups, the worst first."""
    found = (
        _group("failing", "Failing", "Tests with a value outside a limit, or stopped by an error.", _failing(book), a.HOME),
        _group("open", "Red before", "Results that failed once and whose failure nobody has acknowledged, although they are not red now.", _red_before(book), f"{a.VERDICTS}#open"),
        _group("frames", "Frames missing", "Tests that lack some or all of their frames.", _of_kind(book, LACKING), a.finding_kind(LACKING[1])),
        _group("sources", "Record not read", "Records shown as they were read before, or not at all.", _sources(book), f"{a.HOME}#freshness"),
        _group("late", "Late", "Procedures whose tests were promised more often.", _of_kind(book, ("late",)), a.finding_kind("late")),
        _group("errors", "Wrong", "Findings that cost a result.", _errors(book), a.HEALTH),
        _group("warned", "Doubtful", "Tests that passed or were not judged, and of which the analysis warns.", _warned(book), a.HOME),
        _group("caveats", "Major caveats", "Open caveats that change what results mean.", _caveats(book), a.CAVEATS),
    )  # fmt: skip
    return [g for g in found if g.count]


def _group(anchor: str, title: str, meaning: str, items: Iterable[Attention], whole: str) -> Group:
    held = tuple(items)
    return Group(anchor, title, meaning, held[:MOST_OF_A_GROUP], len(held), whole)


def _failing(book: Book) -> list[Attention]:
    failing = [t for t in book.report.tests() if t.verdict in (Verdict.FAIL, Verdict.ERROR)]
    failing.sort(key=lambda t: t.verdict != Verdict.ERROR)
    return [_of_test(t, "; ".join(filter(None, (why_failed(t), alarms(t))))) for t in failing]


def _warned(book: Book) -> list[Attention]:
    held = [t for t in book.report.tests() if t.verdict == Verdict.WARN]
    return [_of_test(t, "; ".join(filter(None, (_outside(t), alarms(t), t.verdict_why)))) for t in held]


def _of_test(test: TestReport, why: str) -> Attention:
    page = a.test_page(test.block.id, test.test.name)
    return Attention(f"{test.block.id} {test.test.name}", page, why, test.verdict)


def _outside(test: TestReport) -> str:
    """Quantities beyond a limit that only warns."""
    names = dict.fromkeys(
        j.measurement.quantity.replace("_", " ")
        for o in test.outcomes
        for j in o.measurements
        if j.verdict == Verdict.WARN and j.limit and not ALARMS & set(j.measurement.flags)
    )
    return f"{listed(names, 4)} beyond a limit that warns" if names else ""


def alarms(test: TestReport) -> str:
    """The alarms that the analysis raised of a test, each with the channels that it concerns: 'flicker of CCD1 E, F'."""
    held: dict[str, dict[str, dict[str, None]]] = {}
    channels: dict[str, set[str]] = {}
    for outcome in test.outcomes:
        for judged in outcome.measurements:
            channel = judged.measurement.channel
            if channel is not None:
                channels.setdefault(outcome.detector, set()).add(channel)
            for flag in judged.measurement.flags:
                if flag in ALARMS:
                    of = held.setdefault(flag, {}).setdefault(outcome.detector, {})
                    of |= {channel: None} if channel is not None else {}
    return "; ".join(f"{flag} of {_who(of, channels)}" for flag, of in held.items())


def _who(held: dict[str, dict[str, None]], channels: dict[str, set[str]]) -> str:
    if all(channels.get(d, set()) == set(some) for d, some in held.items()):
        return listed(held)
    return listed(f"{d} {', '.join(some)}".strip() for d, some in held.items())


def _of_kind(book: Book, kinds: Sequence[str]) -> Iterator[Attention]:
    for finding in worst_first(f for f in book.findings if f.kind in kinds):
        page = book.place_of(finding) or a.finding_kind(finding.kind)
        yield Attention(finding.what, page, finding.block or "", severity=str(finding.severity))


def _sources(book: Book) -> Iterator[Attention]:
    for s in book.snapshots.values():
        if s.table is None:
            yield Attention(
                f"{s.source}: never read", a.record_page(s.source), s.error, severity=str(Severity.ERROR)
            )
        elif s.stale:
            yield Attention(
                f"{s.source}: stale", a.record_page(s.source), s.error, severity=str(Severity.WARNING)
            )


def _errors(book: Book) -> Iterator[Attention]:
    """Findings that cost a result and that no other group tells."""
    for finding in worst_first(book.findings):
        if finding.severity == Severity.ERROR and finding.kind not in ELSEWHERE:
            page = book.place_of(finding) or a.finding_kind(finding.kind)
            yield Attention(
                finding.what, page, finding.where.rpartition("/")[2], severity=str(Severity.ERROR)
            )


def _red_before(book: Book) -> Iterator[Attention]:
    for f in book.report.verdicts.open:
        if f.now != Verdict.FAIL:
            where = " ".join(
                filter(None, (f.spot.detector, f.spot.channel, f.spot.quantity.replace("_", " ")))
            )
            page = (
                a.test_page(f.spot.block, f.spot.test)
                if (f.spot.block, f.spot.test) in book.tests
                else a.VERDICTS
            )
            why = f"{where}: {f.why}; {f.now or 'shown no more'} now"
            yield Attention(f"{f.spot.block} {f.spot.test}", page, why, Verdict.FAIL)


def _caveats(book: Book) -> Iterator[Attention]:
    for caveat in book.caveats:
        if caveat.severity == "major" and not caveat.resolved:
            yield Attention(caveat.text, a.caveat(caveat.id), severity=str(Severity.WARNING))


def head(column: Column) -> tuple[str, str]:
    """What heads a column: a short text, and what is below it ('' for nothing): ('11 Mar', '2019')."""
    if column.kind == "quiet":
        return plural(column.days, "day"), "no test"
    if column.kind == "month":
        return f"{column.first:%b}", f"{column.first:%Y}, month"
    return f"{column.first.day} {column.first:%b}", f"{column.first:%Y}"


def day_anchor(when: date) -> str:
    """The anchor of a day in the list of days."""
    return f"day-{day(when)}"


def cell_words(cell: Cell, column: Column) -> str:
    """A cell in words, for readers who do not see where it stands: '2 tests on 2019-03-11, the worst'."""
    when = f"in {column.first:%Y-%m}" if column.kind == "month" else f"on {day(column.first)}"
    count = len(cell.tests)
    return f"{cell.worst.test.test.name} {when}" if count == 1 else f"{count} tests {when}, the worst"


def _listed(strip: Strip) -> Iterator[Listed]:
    """The days that hold tests, newest first, as long as ``MOST_LISTED`` allows."""
    left = MOST_LISTED
    for place, column in enumerate(strip.columns):
        if column not in strip.days:
            continue
        rows = []
        for name, cells in strip.rows:
            if cell := cells[place]:
                named = cell.tests[: min(MOST_OF_A_DAY, max(left, 0))]
                left -= len(named)
                rows.append((name, named, len(cell.tests) - len(named)))
        yield Listed(column, tuple(rows))
