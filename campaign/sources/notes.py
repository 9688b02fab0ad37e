"""What there is to say about one record table: findings, gathered so that one cause makes one finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from campaign.findings import Finding
from campaign.model import Campaign, Source
from campaign.record import Cell, Snapshot
from campaign.sources.grid import listed


class TableNotes:
    """Findings on one table. ``place`` names the table in them."""

    def __init__(self, campaign: Campaign, source: Source, snapshot: Snapshot) -> None:
        sheet = snapshot.table.sheet if snapshot.table else ""
        self.place = f"{snapshot.address}, sheet {sheet!r}" if sheet else snapshot.address
        self.block = source.block or None
        self._blocks = [b.id for b in campaign.blocks]
        self._detectors = [d.name for d in campaign.detectors]
        self._findings: list[Finding] = []
        self._rules: dict[str, list[str]] = {}
        self._homeless: dict[str, list[str]] = {}
        self._unknown: dict[str, list[str]] = {}

    def add(
        self,
        kind: str,
        what: str,
        at: Cell | int | None,
        todo: str,
        block: str | None = None,
        test: str | None = None,
    ) -> None:
        """A finding at a cell, at a row, or on the table as a whole."""
        place = at.address if isinstance(at, Cell) else f"row {at}" if at is not None else ""
        where = f"{self.place}, {place}" if place else self.place
        self._findings.append(Finding(kind, what, where, todo, block or self.block, test))

    def extend(self, findings: Iterable[Finding]) -> None:
        """Findings made elsewhere."""
        self._findings += findings

    def rule(self, rule: str, cell: Cell) -> None:
        """A cell was read by a rule that has to be stated."""
        self._rules.setdefault(rule, []).append(f"{cell.address} {cell.text!r}")

    def unknown_detector(self, name: str, cell: Cell) -> None:
        """A cell names a detector that the campaign does not have."""
        self._unknown.setdefault(name, []).append(cell.address)

    def unknown_block(self, block: str, test: str, row: int) -> None:
        """A test's row was left out because its block ('' for none) is not in the campaign."""
        self._homeless.setdefault(block, []).append(f"{test} (row {row})")

    def findings(self) -> list[Finding]:
        """All there is to say."""
        return [*self._findings, *self._gathered()]

    def _gathered(self) -> Iterator[Finding]:
        for rule, cells in self._rules.items():
            what = f"Dates: {rule} ({listed(cells, 3)})"
            todo = "Write dates as 2019-03-11 if this is not what they mean"
            yield Finding("interpreted", what, self.place, todo, self.block)
        for name, cells in self._unknown.items():
            what = f"Detector {name!r} is not in the campaign: {listed(cells)}"
            todo = _nearest(name, self._detectors) or "Correct the name, or add it to campaign.toml"
            yield Finding("unknown-name", what, self.place, todo, self.block)
        for name, rows in self._homeless.items():
            said = f"Block {name!r} is not in the campaign" if name else "No block is named"
            what = f"{said}; rows left out: {listed(rows)}"
            todo = (
                _nearest(name, self._blocks)
                or "Name a block of the campaign, or add a file for it to blocks/"
            )
            yield Finding("unknown-name", what, self.place, todo)


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]!r}?" if near else ""
