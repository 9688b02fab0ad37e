"""The pages of procedures, made from their declarations, and of the limits that judge what they measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from analysis.contract import Procedure
from analysis.declaration_lint import call_path
from builder.expectations import UNJUDGED
from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Crumb, Page
from builder.render.pages_home import HOME, tally
from builder.report import Verdict
from campaign.frozen import dataclass
from campaign.model import Caveat, Limit
from campaign.names import slug

COMMAND = "calbook build FOLDER"
"""The command that measures whatever a campaign assigns to a procedure and was not measured yet."""
MOST_TESTS = 1000  # in the table of a procedure's page, the newest; measurements.csv holds all


@dataclass(frozen=True)
class ProcedureRow:
    """A procedure in the index: how many tests use it, and with what verdicts."""

    procedure: Procedure
    tests: int
    tally: list[tuple[Verdict, int]]


@dataclass(frozen=True)
class LimitRow:
    """A limit, the quantity it is about (``known`` if some procedure declares it), and what it judged.

    Of limits that share an id, the first has the anchor.
    """

    limit: Limit
    procedure: str
    quantity: str
    known: bool
    unit: str
    tally: list[tuple[Verdict, int]]
    anchored: bool
    unjudged: list[tuple[str, int]]


def procedures_page(book: Book) -> Page:
    """The index of procedures."""
    rows = []
    for procedure in book.procedures.values():
        tests = book.of_procedure.get(procedure.name, [])
        rows.append(ProcedureRow(procedure, len(tests), tally(v for _, v in tests)))
    body = render("procedures.html.j2", a.PROCEDURES, {"book": book, "rows": rows}, book.absent)
    return Page(a.PROCEDURES, "Procedures", body, "procedure", (HOME,), (), "procedures index")


def _paragraphs(text: str) -> list[tuple[str, bool]]:
    """Paragraphs of a declaration, and whether each is formulas: those whose lines are indented keep their lines."""
    found = [p.strip("\n") for p in text.split("\n\n") if p.strip()]
    return [("\n".join(line.strip() for line in p.splitlines()), p.startswith("    ")) for p in found]


def trend_pages(procedure: Procedure, known: Collection[str]) -> dict[str, str]:
    """The address of the trend of each quantity; '' where the site has none (``known`` are the addresses of its pages)."""
    pages = {q.name: f"trends/{slug(procedure.name)}/{slug(q.name)}.html" for q in procedure.quantities}
    return {name: page if page in known else "" for name, page in pages.items()}


def naming(caveats: Collection[Caveat], procedure: Procedure) -> list[Caveat]:
    """The caveats whose scope names the procedure or quantities of it, wherever else they apply; not those that it raised itself."""
    names = [q.name for q in procedure.quantities]
    return [
        c
        for c in caveats
        if not c.raised_by
        and (c.scope.procedures or c.scope.quantities)
        and c.scope.covers(procedure=procedure.name)
        and (
            not c.scope.quantities or any(c.scope.covers(procedure=procedure.name, quantity=n) for n in names)
        )
    ]


def procedure_page(book: Book, procedure: Procedure, known: Collection[str] = ()) -> Page:
    """The page of a procedure: its declaration in full, its limits here, its tests. ``known`` are the pages of the site."""
    path = a.procedure_page(procedure.name)
    use = book.report.campaign.procedures.get(procedure.name)
    tests = book.of_procedure.get(procedure.name, [])
    context = {
        "book": book,
        "p": procedure,
        "caveats": naming(book.caveats, procedure),
        "raw_types": list(dict.fromkeys(kind for role in procedure.roles for kind in role.types)),
        "command": COMMAND,
        "function": call_path(procedure),
        "patterns": use.tests if use else (),
        "trends": trend_pages(procedure, known),
        "algorithm": _paragraphs(procedure.algorithm),
        "limits": [x for x in book.limits if x.quantity.partition(".")[0] == procedure.name],
        "given": use.parameters if use else {},
        "tests": tests[-MOST_TESTS:],
        "left_out": max(len(tests) - MOST_TESTS, 0),
    }
    quantities = " ".join(f"{q.name} {q.symbol} {q.definition}" for q in procedure.quantities)
    return Page(
        path,
        procedure.title,
        render("procedure.html.j2", path, context, book.absent),
        "procedure",
        (HOME, Crumb("Procedures", a.PROCEDURES)),
        (
            ("facts", "In short"), ("quantities", "What it measures"), ("algorithm", "How"), ("frames", "What it is given"),
            ("parameters", "Parameters"), ("acceptance", "Acceptance"), ("makes", "Figures, products"),
            ("lands", "Where the numbers go"), ("tests", "Tests"), ("comments", "Comments"), ("history", "History"),
            ("references", "References"),
        ),
        f"{procedure.name} {procedure.purpose} {quantities}",
        procedure.purpose,
    )  # fmt: skip


def limits_page(book: Book) -> Page:
    """All limits, each with what it is about and what it judged."""
    first = {x.id: x for x in reversed(book.limits)}
    rows = [_limit_row(book, x, first[x.id] is x) for x in book.limits]
    text = " ".join(f"{x.id} {x.quantity} {x.document} {x.note}" for x in book.limits)
    body = render("limits.html.j2", a.LIMITS, {"book": book, "rows": rows, "UNJUDGED": UNJUDGED}, book.absent)
    return Page(a.LIMITS, "Limits", body, "campaign", (HOME,), (), text)


def _limit_row(book: Book, limit: Limit, anchored: bool) -> LimitRow:
    name, _, quantity = limit.quantity.partition(".")
    procedure = book.procedures.get(name)
    declared = next((q for q in procedure.quantities if q.name == quantity), None) if procedure else None
    return LimitRow(
        limit,
        name,
        quantity,
        declared is not None,
        declared.unit if declared else "not known",
        tally(book.judged.get(id(limit), Counter()).elements()),
        anchored,
        sorted(book.unjudged.get(id(limit), Counter()).items()),
    )
