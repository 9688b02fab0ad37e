"""The compliance matrix: one procedure's measurements, quantity by quantity, detector (or test) by channel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from analysis.contract import Procedure, Quantity
from builder.render.addresses import number_anchor
from builder.render.format import Shown, aligned, number
from builder.report import Judged, Outcome, Verdict
from campaign.frozen import dataclass
from campaign.model import Campaign, Caveat, Limit

MOST_RESULTS = 100
"""Results of a procedure that the matrices of a block's or a detector's page show, the newest."""
TELLING = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.WARN})
"""Verdicts that somebody should look at, whatever page they stand on."""

Label = tuple[tuple[str, str], ...]  # (text, address) of what a row is about


@dataclass(frozen=True)
class MatrixCell:
    """A measurement in its place; ``shown`` is None where there is a reason instead of a value."""

    judged: Judged
    shown: Shown | None

    @property
    def address(self) -> str:
        """Its provenance, relative to the site's root, by the short anchor."""
        return f"{self.judged.page.partition('#')[0]}#{number_anchor(self.judged.id)}"

    @property
    def named(self) -> bool:
        """Whether its id has to be written, as its page and anchor do not tell it."""
        return self.judged.page.partition("#")[2] != self.judged.id


@dataclass(frozen=True)
class MatrixRow:
    """A row: what it is about, its outcome, its setting, and a cell per channel (None: no such channel)."""

    label: Label
    outcome: Outcome
    setting: str
    cells: tuple[MatrixCell | None, ...]

    @property
    def telling(self) -> bool:
        """Whether it has a number that somebody should look at, or none at all because the procedure stopped."""
        return not self.cells or any(c.judged.verdict in TELLING for c in self.cells if c)

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that all its numbers share, where it has several: said once, at the head of the row."""
        held = [c.judged.measurement.flags for c in self.cells if c]
        return tuple(f for f in held[0] if all(f in flags for flags in held)) if len(held) > 1 else ()


@dataclass(frozen=True)
class MatrixGroup:
    """The rows of one quantity, and the limits that judged them."""

    quantity: Quantity
    limits: tuple[Limit, ...]
    rows: tuple[MatrixRow, ...]
    left_out: tuple[MatrixRow, ...] = ()  # rows that the page says how many there are of

    def shortened(self, most: int) -> MatrixGroup:
        """The same with so many rows: first those that somebody should look at, all in their order."""
        telling = [n for n, row in enumerate(self.rows) if row.telling]
        kept = sorted([*telling, *(n for n in range(len(self.rows)) if n not in set(telling))][:most])
        out = tuple(row for n, row in enumerate(self.rows) if n not in set(kept))
        return replace(self, rows=tuple(self.rows[n] for n in kept), left_out=out)

    @cached_property
    def leads(self) -> bool:
        """Whether it answers what the test was made for: a quantity of performance, with a limit, or failing."""
        verdicts = {c.judged.verdict for row in self.rows for c in row.cells if c}
        failed = verdicts & {Verdict.FAIL, Verdict.ERROR} or any(not row.cells for row in self.rows)
        return self.quantity.kind == "performance" or bool(self.limits) or bool(failed)

    @property
    def own_bounds(self) -> bool:
        """Whether each number shows the bounds it was judged by: they differ, or have to be found for each."""
        return len(self.limits) > 1 or any(x.kind != "range" for x in self.limits)

    @cached_property
    def telling(self) -> frozenset[str]:
        """Ids of the results with a number here that somebody should look at."""
        return frozenset(
            row.outcome.result_id for row in self.rows for c in row.cells if c and c.judged.verdict in TELLING
        )

    @cached_property
    def judged(self) -> bool:
        """Whether any of its numbers has a verdict; where none has, the group's head says so for all."""
        return any(
            c.judged.verdict != Verdict.NOT_EVALUATED for row in self.rows for c in row.cells if c
        ) or bool(self.limits)

    @cached_property
    def absent(self) -> str:
        """The reason that all its numbers share for not being there; '' where one is, or reasons differ."""
        held = {c.judged.measurement.reason or "" for row in self.rows for c in row.cells if c}
        return held.pop() if len(held) == 1 else ""

    def marked(self, stated: Collection[str]) -> bool:
        """Whether a caveat beyond those ``stated`` touches any of its numbers: all cells then leave room for the mark."""
        return any(c.id not in stated for row in self.rows for x in row.cells if x for c in x.judged.caveats)


@dataclass(frozen=True)
class Matrix:
    """All rows of a procedure. ``channels`` head the columns; empty when everything is per detector."""

    procedure: Procedure
    channels: tuple[str, ...]
    groups: tuple[MatrixGroup, ...]
    left_out: int = 0  # earlier results that are not among the rows

    @property
    def columns(self) -> int:
        """Columns of cells: at least one."""
        return max(len(self.channels), 1)

    @cached_property
    def setting(self) -> str:
        """The part of the setting that all rows share, to be said once; '' when they share none."""
        settings = dict.fromkeys(row.setting for group in self.groups for row in group.rows if row.cells)
        held = [_parts(setting) for setting in settings]
        return ", ".join(p for p in held[0] if all(p in parts for parts in held)) if held else ""

    @cached_property
    def unfolded(self) -> tuple[MatrixGroup, ...]:
        """What a page of a whole block shows first: quantities that a limit judges, and those with a result to look at
        that no judged quantity shows already. Where none is and an outcome stopped, the first: its row says so.
        """
        said = {name for g in self.groups if g.limits for name in g.telling}
        stopped = any(not row.cells for group in self.groups for row in group.rows)
        held = tuple(g for g in self.groups if g.limits or g.telling - said)
        return held or (self.groups[:1] if stopped else ())

    @cached_property
    def folded(self) -> tuple[MatrixGroup, ...]:
        """The other groups."""
        shown = {g.quantity.name for g in self.unfolded}
        return tuple(g for g in self.groups if g.quantity.name not in shown)

    def own_setting(self, row: MatrixRow) -> str:
        """What is left of a row's setting; '' when all was said in the head."""
        shared = _parts(self.setting)
        return ", ".join(p for p in _parts(row.setting) if p not in shared)


def _parts(setting: str) -> list[str]:
    """'wavelength=800, exptime=1.75' → its two parts."""
    return [part.strip() for part in setting.split(",") if part.strip()]


def stated_once(outcomes: Iterable[Outcome], bars: Iterable[Caveat]) -> frozenset[str]:
    """Caveats that touch every number of a page and only inform: their bar under the title says it for all.

    ``bars`` are the caveats that the page shows under its title. Others are marked beside each number they touch.
    """
    held = [{c.id for c in j.caveats} for o in outcomes for j in o.measurements]
    return frozenset(
        c.id for c in bars if c.severity == "info" and c.open and all(c.id in ids for ids in held)
    )


def matrix(
    campaign: Campaign,
    procedure: Procedure,
    outcomes: Iterable[Outcome],
    label: Callable[[Outcome], Label],
    quantities: Sequence[Quantity] | None = None,
    most: int | None = None,
) -> Matrix:
    """Lay out the outcomes of one procedure; ``quantities`` restricts it (default: all declared).

    With ``most``, only so many of the outcomes are laid out: the newest, which come last.
    An outcome without measurements (an error, not run) keeps a row in every group: its state is shown, never
    a blank.
    """
    found = [o for o in outcomes if o.procedure.name == procedure.name]
    held = found if most is None else found[-most:]
    channels = _channels(campaign, held)
    wanted = procedure.quantities if quantities is None else quantities
    groups = (_group(quantity, held, channels, label) for quantity in wanted)
    return Matrix(procedure, channels, tuple(g for g in groups if g.rows), len(found) - len(held))


def key_quantities(procedure: Procedure) -> list[Quantity]:
    """The quantities that stand for a procedure on pages of blocks and detectors: those of performance, or all."""
    return [q for q in procedure.quantities if q.kind == "performance"] or list(procedure.quantities)


def _channels(campaign: Campaign, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The channels of the outcomes: in the geometry's order, then in the order of the measurements."""
    measured = dict.fromkeys(
        j.measurement.channel for o in outcomes for j in o.measurements if j.measurement.channel is not None
    )
    known: dict[str, None] = {}
    for name in dict.fromkeys(o.detector for o in outcomes):
        detector = campaign.detector(name)
        known |= dict.fromkeys(c.name for c in detector.geometry.channels) if detector else {}
    return tuple(c for c in {**known, **measured} if c in measured)


def _group(
    quantity: Quantity,
    outcomes: Sequence[Outcome],
    channels: tuple[str, ...],
    label: Callable[[Outcome], Label],
) -> MatrixGroup:
    drafts: list[tuple[Outcome, str, dict[str | None, Judged]]] = []
    for outcome in outcomes:
        settings: dict[str, dict[str | None, Judged]] = {}
        for judged in outcome.measurements:
            if judged.measurement.quantity == quantity.name:
                settings.setdefault(judged.measurement.setting, {})[judged.measurement.channel] = judged
        if not settings and outcome.status != "done":
            settings[""] = {}
        drafts += [(outcome, setting, found) for setting, found in settings.items()]
    columns: tuple[str | None, ...] = channels if quantity.per == "channel" else (None,)
    shown: dict[str, Shown | None] = {}
    for column in columns:  # what stands in one column is to stand point under point
        shown |= shown_aligned([found[column] for _, _, found in drafts if column in found])
    rows = tuple(
        MatrixRow(
            label(outcome),
            outcome,
            setting,
            tuple(MatrixCell(found[c], shown[found[c].id]) if c in found else None for c in columns)
            if found
            else (),
        )
        for outcome, setting, found in drafts
    )
    limits = dict.fromkeys(j.limit for _, _, found in drafts for j in found.values() if j.limit)
    return MatrixGroup(quantity, tuple(limits), rows)


def shown_aligned(measurements: Sequence[Judged]) -> dict[str, Shown | None]:
    """Values as text, aligned among themselves."""
    out: dict[str, Shown | None] = {j.id: None for j in measurements}
    valued = [(j, j.measurement.value) for j in measurements if j.measurement.value is not None]
    numbers = [number(value, j.measurement.uncertainty) for j, value in valued]
    out |= {j.id: shown for (j, _), shown in zip(valued, aligned(numbers), strict=True)}
    return out
