"""The provenance of measurements: from any number to its inputs, parameters, versions and limit."""

from __future__ import annotations

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.format import Shown, exact, number
from builder.render.matrix import shown_aligned
from builder.render.page import Crumb, Page
from builder.render.pages_block import crumbs
from builder.render.pages_certification import certified_result
from builder.report import Judged, Outcome
from campaign.frozen import dataclass
from campaign.model import Caveat


@dataclass(frozen=True)
class Earlier:
    """A value that a former build published for the same thing."""

    when: str
    value: float | None
    text: str
    verdict: str
    result: str


def result_page(book: Book, outcome: Outcome) -> Page:
    """The page of an outcome: a row per measurement, anchored by its id. It needs a result id."""
    path = a.result_page(outcome.result_id)
    shown: dict[str, Shown | None] = {}
    for quantity in outcome.procedure.quantities:
        shown |= shown_aligned([j for j in outcome.measurements if j.measurement.quantity == quantity.name])
    context = {
        "book": book,
        "o": outcome,
        "rows": [(j, shown.get(j.id), _earlier(j)) for j in outcome.measurements],
        "inputs": [(role, f, book.frame_address(outcome.block, f)) for role, f in outcome.inputs],
        "certified": certified_result(book, outcome),
        "used": [_used(book, what, measurement) for what, measurement in outcome.used],
        "caveats": _caveats(outcome),
        "units": {p.name: p.unit for p in outcome.procedure.parameters},
    }
    where = crumbs(outcome.block) if outcome.block in book.blocks else crumbs()
    if (outcome.block, outcome.test) in book.tests:
        where += (Crumb(outcome.test, a.test_page(outcome.block, outcome.test)),)
    makes = (("makes", "Figures, products"),) if outcome.figures or outcome.products else ()
    return Page(
        path,
        f"{outcome.procedure.title} of {outcome.detector}, {outcome.test} of {outcome.block}",
        render("provenance.html.j2", path, context, book.absent),
        "measurement",
        where,
        (
            ("measurements", "Measurements"), ("inputs", "Inputs"), ("parameters", "Parameters, versions"), *makes,
            ("log", "Log"), ("certification", "Certification"),
        ),
        f"{outcome.result_id} {outcome.procedure.name} {outcome.detector}",
    )  # fmt: skip


def _earlier(judged: Judged) -> list[Earlier]:
    return [
        Earlier(
            when, value, "no value" if value is None else number(value, uncertainty).text, verdict, result
        )
        for when, value, uncertainty, verdict, result in judged.earlier
    ]


def _caveats(outcome: Outcome) -> list[Caveat]:
    """The open caveats of the result and of its numbers, each once."""
    found = [*outcome.caveats, *(c for j in outcome.measurements for c in j.caveats)]
    return list({id(c): c for c in found}.values())


Used = tuple[str, str, str | None, tuple[str, str], tuple[Caveat, ...]]


def _used(book: Book, what: str, measurement: str) -> Used:
    """A value of another procedure: what, its id, its page (None when it is not in this build), text and exact value, its caveats."""
    found = book.measurements.get(measurement)
    if found is None:
        taken = book.outcomes.get(measurement)
        if taken is None:
            return what, measurement, None, ("", ""), ()
        text = f"{taken.procedure.title} of {taken.test}"
        return what, measurement, a.result_page(measurement), (text, ""), taken.caveats
    outcome, judged = found
    m = judged.measurement
    what = f"{what}, from {outcome.test}{' at ' + m.setting if m.setting else ''}"
    text = "no value" if m.value is None else f"{number(m.value, m.uncertainty).text} {m.unit}".strip()
    return (
        what,
        measurement,
        judged.page,
        (text, exact(m.value)),
        judged.caveats,
    )
