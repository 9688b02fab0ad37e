"""Comparisons: a block's numbers against another's, and a test's against those of an earlier and of a reference test."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO

from builder import comparisons
from builder.comparisons import Comparison, Pair, Row, Side
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import Shown, exact, number
from builder.render.page import Crumb, Page
from builder.render.pages_home import HOME
from builder.report import ImageComparison, TestReport
from campaign.frozen import dataclass

MOST_ROWS = 100
"""Differences on the page of two blocks, the most significant; the table has all."""
MOST_APART = 40
"""Numbers without a counterpart that the page names; the table has all."""
MOST_OF_TEST = 8
"""Differences on a test's page, the most significant."""
COLUMNS = (
    "test", "procedure", "quantity", "detector", "channel", "setting", "unit", "value", "uncertainty", "verdict",
    "other_value", "other_uncertainty", "other_verdict", "difference", "ratio", "significance", "why", "result_id",
    "other_result_id",
)  # fmt: skip


@dataclass(frozen=True)
class ShownRow:
    """A row as text; a Shown is None where there is no value."""

    row: Row
    here: Shown | None
    there: Shown | None
    difference: Shown | None
    ratio: Shown | None


@dataclass(frozen=True)
class TestAgainst:
    """A test's numbers, and masters, against those of another test: the first rows, and how many are left out.

    ``other`` is None where the test to compare with is not there; ``wanted`` names it.
    """

    __test__ = False

    title: str
    wanted: str
    other: TestReport | None
    comparison: Comparison
    first: tuple[ShownRow, ...] = ()
    left_out: int = 0
    images: tuple[ImageComparison, ...] = ()
    page: str = ""


def shown(rows: Iterable[Row]) -> tuple[ShownRow, ...]:
    """Rows as text."""
    return tuple(_shown(row) for row in rows)


def _shown(row: Row) -> ShownRow:
    spread = _combined(row)
    return ShownRow(
        row,
        _value(row.here),
        _value(row.there),
        None if row.difference is None else number(row.difference, spread),
        None if row.ratio is None else number(row.ratio),
    )


def _value(side: Side | None) -> Shown | None:
    m = side.judged.measurement if side else None
    return None if m is None or m.value is None else number(m.value, m.uncertainty)


def _combined(row: Row) -> float | None:
    """The standard uncertainty of a difference."""
    return abs(row.difference / row.significance) if row.significance and row.difference is not None else None


def comparison_page(book: Book, pair: Pair) -> Page:
    """The page of two blocks."""
    here, there = pair.here.block.id, pair.there.block.id
    path = a.comparison_page(here, there)
    found = comparisons.compare(comparisons.numbers(pair.here.tests), comparisons.numbers(pair.there.tests))
    context = {
        "book": book,
        "pair": pair,
        "here": here,
        "there": there,
        "c": found,
        "rows": shown(found.rows[:MOST_ROWS]),
        "apart": shown(found.apart[:MOST_APART]),
        "large": comparisons.LARGE,
        "table": a.comparison_table(here, there),
    }
    return Page(
        path,
        f"{here} against {there}",
        render("comparison.html.j2", path, context, book.absent),
        "comparison",
        (HOME, Crumb("Comparisons", a.COMPARISONS)),
        (("differences", "Differences"), ("apart", "Without a counterpart")),
        f"comparison of {here} with {there}",
        f"{here} against {there}: {found.large} of {found.judged} differences beyond {comparisons.LARGE:g}σ",
    )


def comparisons_page(book: Book) -> Page:
    """All comparisons of blocks."""
    body = render("comparisons.html.j2", a.COMPARISONS, {"book": book, "pairs": book.pairs}, book.absent)
    return Page(a.COMPARISONS, "Comparisons", body, "comparison", (HOME,), (), "compare blocks")


def comparison_csv(pair: Pair) -> bytes:
    """All numbers of two blocks as a table, in the order of the page; then the tests that one of them lacks."""
    found = comparisons.compare(comparisons.numbers(pair.here.tests), comparisons.numbers(pair.there.tests))
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(row) for row in (*found.rows, *found.apart))
    for names, which in ((found.only_here, "here"), (found.only_there, "there")):
        writer.writerows([name, *[""] * (len(COLUMNS) - 4), f"test only {which}", "", ""] for name in names)
    return out.getvalue().encode()


def _cells(row: Row) -> list[str]:
    unit = next((s.judged.measurement.unit for s in (row.here, row.there) if s), "")
    sides = [_side(row.here), _side(row.there)]
    told = [exact(row.difference), exact(row.ratio), exact(row.significance), row.why]
    results = [s.outcome.result_id if s else "" for s in (row.here, row.there)]
    return [*row.key, unit, *sides[0], *sides[1], *told, *results]


def _side(side: Side | None) -> list[str]:
    if side is None:
        return ["", "", ""]
    m = side.judged.measurement
    return [exact(m.value), exact(m.uncertainty), str(side.judged.verdict)]


def against(book: Book, test: TestReport) -> list[TestAgainst]:
    """What a test's page compares it with: an earlier test, and the references of its procedures (once, where they are the same)."""
    place = test.block.id, test.test.name
    out = []
    before, named = book.earlier.get(place), others(book, test)
    procedures = {o.procedure.name for o in test.outcomes if o.status == "done"}
    if before is not None and {(p, (before.block.id, before.test.name)) for p in procedures} - set(named):
        out.append(_against(book, test, before, "Against earlier", ""))
    for procedure, wanted in named:
        found = book.tests.get(wanted)
        out.append(_against(book, test, found, "Against the reference", procedure, "/".join(wanted)))
    return out


def others(book: Book, test: TestReport) -> list[tuple[str, tuple[str, str]]]:
    """The reference tests of a test's procedures, (procedure, (block, test)); a test is no reference of itself."""
    named = comparisons.references(book.report.campaign)
    done = dict.fromkeys(o.procedure.name for o in test.outcomes if o.status == "done")
    place = test.block.id, test.test.name
    return [(p, named[p]) for p in done if p in named and named[p] != place]


def _against(
    book: Book, test: TestReport, other: TestReport | None, title: str, procedure: str, wanted: str = ""
) -> TestAgainst:
    here = comparisons.numbers([test], named=False, procedure=procedure)
    there = comparisons.numbers([other], named=False, procedure=procedure) if other else {}
    found = comparisons.compare(here, there)
    page = ""
    if other and other.block.id != test.block.id and test.test.name == other.test.name:
        pair = test.block.id, other.block.id
        page = (
            a.comparison_page(*pair)
            if pair in {(p.here.block.id, p.there.block.id) for p in book.pairs}
            else ""
        )
    images = [i for i in book.images.get((test.block.id, test.test.name), ()) if i.place[2] == procedure]
    return TestAgainst(
        title,
        wanted or (f"{other.block.id}/{other.test.name}" if other else ""),
        other,
        found,
        shown(found.rows[:MOST_OF_TEST]),
        max(len(found.rows) - MOST_OF_TEST, 0),
        tuple(images) if procedure else (),
        page,
    )
