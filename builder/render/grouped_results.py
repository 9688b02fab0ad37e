"""What the results of a test share, said once: figures and products of all detectors together, the words of its tables, what fails."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.contract import FLAGS, REASONS, Procedure
from builder.render.format import Shown
from builder.render.matrix import shown_aligned
from builder.report import DrawnFigure, Judged, Outcome, StoredProduct, Verdict
from campaign.frozen import dataclass
from campaign.model import Caveat


@dataclass(frozen=True)
class Grouped:
    """A figure as all detectors have it: title and caption once, and which result drew which."""

    title: str
    caption: str
    held: tuple[tuple[Outcome, DrawnFigure], ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.held)


MOST_UNFOLDED = 2
"""Figures of a procedure that a test's page shows unfolded, of each detector: the first that it declares are what it is about."""
MOST_FIGURES = 8
"""Figures up to which a page shows them all."""


def unfolded(drawn: Sequence[tuple[Procedure, Sequence[Grouped]]]) -> int:
    """How many figures of each procedure a page shows unfolded, so that its length is bearable."""
    return (
        MOST_UNFOLDED
        if sum(len(g.held) for _, groups in drawn for g in groups) > MOST_FIGURES
        else MOST_FIGURES
    )


def figures_of(outcomes: Sequence[Outcome]) -> list[tuple[Procedure, list[Grouped]]]:
    """The figures by procedure and name, in the procedure's order: each with those of all detectors and settings."""
    procedures = {o.procedure.name: o.procedure for o in outcomes if o.figures}
    out = []
    for procedure in procedures.values():
        held: dict[str, list[tuple[Outcome, DrawnFigure]]] = {}
        for outcome in outcomes:
            if outcome.procedure.name == procedure.name:
                for figure in outcome.figures:
                    held.setdefault(figure.title, []).append((outcome, figure))
        groups = []
        for title, some in held.items():
            groups.append(Grouped(title, some[0][1].caption, tuple(some)))
        out.append((procedure, groups))
    return out


def products_of(
    outcomes: Sequence[Outcome],
) -> list[tuple[str, str, str, list[tuple[Outcome, StoredProduct]]]]:
    """(procedure, name, meaning, those of all detectors) of each product: what it is is said once."""
    held: dict[tuple[str, str, str], list[tuple[Outcome, StoredProduct]]] = {}
    for outcome in outcomes:
        for product in outcome.products:
            held.setdefault((outcome.procedure.name, product.name, product.meaning), []).append(
                (outcome, product)
            )
    return [(*key, some) for key, some in held.items()]


def caveats_of_all(outcomes: Sequence[Outcome]) -> tuple[Caveat, ...]:
    """The caveats that touch all of some results."""
    return tuple(c for c in outcomes[0].caveats if all(c in o.caveats for o in outcomes))


def legend_of(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """What the flags of numbers and the reasons for missing ones mean, of those that the page shows."""
    held = [j.measurement for o in outcomes for j in o.measurements]
    flags = sorted({f for m in held for f in m.flags})
    reasons = sorted({m.reason for m in held if m.reason and REASONS.get(m.reason)})
    return {f: FLAGS.get(f, f) for f in flags} | {r: REASONS[r] for r in reasons}


def failing(outcomes: Sequence[Outcome]) -> list[tuple[Outcome, Judged, Shown | None]]:
    """The numbers that fail, as they are shown."""
    found = [(o, j) for o in outcomes for j in o.measurements if j.verdict == Verdict.FAIL]
    return [(o, j, shown_aligned([j])[j.id]) for o, j in found]
