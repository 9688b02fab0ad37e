"""Values over time that a campaign brings along, as they were read. See ``campaign.series_tables``."""

from __future__ import annotations

from datetime import datetime

from campaign.frozen import dataclass


@dataclass(frozen=True)
class SeriesRow:
    """A value at a time [UTC]; ``row`` is the line of the file."""

    time: datetime
    value: float | None
    uncertainty: float | None
    quantity: str
    unit: str
    detector: str
    channel: str
    setting: str
    note: str
    row: int


@dataclass(frozen=True)
class SeriesTable:
    """The values of one file of series/; ``name`` is the file's name without its ending."""

    name: str
    file: str
    rows: tuple[SeriesRow, ...]

    @property
    def quantities(self) -> list[str]:
        """The quantities that it holds, in order of first mention."""
        return list(dict.fromkeys(r.quantity for r in self.rows))
