"""Rows of a benchmark: ours and a peer's for the same work, and what was to be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A piece of work, what it cost us and a peer (in ``unit``), the ratio wanted, and peak memory of our process."""

    work: str
    ours: float
    peer: str
    theirs: float | None
    unit: str = "s"
    reach: float | None = None
    memory_mb: float | None = None
    reach_mb: float | None = None
    note: str = ""
    series: Sequence[Sequence[float]] = ()  # (size, cost) of growing work

    @property
    def ratio(self) -> float | None:
        """How many times our cost the peer's is; None without a peer."""
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def missed(self) -> bool:
        """Whether the ratio or the memory wanted was not reached."""
        slow = self.reach is not None and (self.ratio or 0.0) < self.reach
        return slow or (self.reach_mb is not None and (self.memory_mb or 0.0) > self.reach_mb)


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a plain table."""
    heads = ("work", "ours", "theirs", "ratio", "reach", "MB", "reach", "peer", "note")
    lines: list[tuple[str, ...]] = [heads]
    for row in rows:
        reach, most = (f"{x:g}" if x is not None else "" for x in (row.reach, row.reach_mb))
        memory = f"{row.memory_mb:.0f}" if row.memory_mb is not None else ""
        cost = ("" if x is None else f"{x:.3g} {row.unit}" for x in (row.ours, row.theirs))
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        note = f"MISSED; {row.note}".rstrip("; ") if row.missed else row.note
        lines.append((row.work, *cost, ratio, reach, memory, most, row.peer, note))
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    print(title)
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
