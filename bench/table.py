"""A row of a benchmark's table: a piece of work, what it costs here, and what it costs by other means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``ours`` and ``theirs`` (of ``peer``; None for no peer) in ``unit``; ``reach`` is what was asked for."""

    work: str
    ours: float
    peer: str
    theirs: float | None
    unit: str = "s"
    reach: str | None = None
    memory_mb: float | None = None
    reach_mb: float | None = None
    note: str = ""
