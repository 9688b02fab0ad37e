"""The numbers of a test: which of them its page shows first, and the page of all where there are many."""

from __future__ import annotations

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.grouped_results import legend_of
from builder.render.matrix import Label, Matrix, MatrixGroup, matrix, stated_once
from builder.render.page import Crumb, Page
from builder.render.pages_block import crumbs
from builder.report import Outcome, TestReport, Verdict, worst
from campaign.frozen import dataclass

MOST_NUMBERS = 100
"""Numbers up to which a test's page holds them all; beyond, it holds those that tell most and leads to a page of all."""
MOST_QUANTITIES = 6
"""Quantities of a procedure on such a page, unless more have a limit or a number to look at."""
MOST_ROWS = 9
"""Rows of a quantity on such a page: three detectors at three settings."""


def has_numbers_page(report: TestReport) -> bool:
    """Whether a test has so many numbers that a page of its own holds them."""
    return sum(len(o.measurements) for o in report.outcomes) > MOST_NUMBERS


@dataclass(frozen=True)
class First:
    """What a test's page shows of a procedure's matrix: the groups that lead, and the others, folded or only named."""

    matrix: Matrix
    groups: tuple[MatrixGroup, ...]
    rest: tuple[MatrixGroup, ...]


def first_of(held: Matrix, whole: bool) -> First:
    """``whole`` where the page holds all numbers. Else quantities with a limit, or with a number to look at, go before others."""
    leading = [g for g in held.groups if g.leads] or list(held.groups)
    if not whole:
        needed = [g for g in leading if g.limits or g.telling]
        others = [g for g in leading if g not in needed]
        kept = {g.quantity.name for g in needed + others[: max(MOST_QUANTITIES - len(needed), 0)]}
        leading = [g.shortened(MOST_ROWS) for g in leading if g.quantity.name in kept]
    shown = {g.quantity.name for g in leading}
    return First(held, tuple(leading), tuple(g for g in held.groups if g.quantity.name not in shown))


def matrices_of(book: Book, report: TestReport) -> list[Matrix]:
    """The numbers of a test by procedure, of those that ran."""
    names = dict.fromkeys(o.procedure.name for o in report.outcomes if o.status != "not run")
    held = (matrix(book.report.campaign, book.procedures[n], report.outcomes, _label) for n in names)
    return [m for m in held if m.groups]


def numbers_page(book: Book, report: TestReport) -> Page:
    """All numbers of a test, procedure by procedure, for tests that ``has_numbers_page``."""
    test, block = report.test, report.block
    path = a.numbers_page(block.id, test.name)
    held = matrices_of(book, report)
    context = {
        "book": book,
        "report": report,
        "test": test,
        "block": block,
        "matrices": held,
        "stated": stated_once(report.outcomes, report.caveats),
        "legend": legend_of(report.outcomes),
        "told": verdicts_told(report),
        "by_procedure": worst_by_procedure(report),
    }
    where = (*crumbs(block.id), Crumb(test.name, a.test_page(block.id, test.name)))
    return Page(
        path,
        f"All numbers of {test.name} of {block.id}",
        render("numbers.html.j2", path, context, book.absent),
        "numbers",
        where,
        tuple((a.procedure_anchor(m.procedure.name), m.procedure.title) for m in held),
        " ".join(book.procedures_of(report)),
    )


def verdicts_told(report: TestReport) -> list[Verdict]:
    """The verdicts that a test's numbers have."""
    return [v for v in Verdict if any(j.verdict == v for o in report.outcomes for j in o.measurements)]


def worst_by_procedure(report: TestReport) -> dict[str, Verdict]:
    """The verdict of each procedure of a test, over all detectors."""
    names = dict.fromkeys(o.procedure.name for o in report.outcomes)
    return {n: worst([o.verdict for o in report.outcomes if o.procedure.name == n]) for n in names}


def _label(outcome: Outcome) -> Label:
    return ((outcome.detector, a.detector_page(outcome.detector)),)
