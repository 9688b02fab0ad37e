"""The test record: rows of a table, each cell with its source, and the tests they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from datetime import datetime

from campaign.frozen import dataclass

CellValue = str | int | float | bool | datetime | Date | None


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    ``address`` is its place as the spreadsheet names it ('B7'); ``note`` says what was done to read it
    (a formula's cached value, a merged cell's value repeated, an error value).
    """

    value: CellValue
    address: str
    note: str = ""

    @property
    def text(self) -> str:
        """The value as a person would type it; '' when empty. Whole floats lose their '.0'."""
        if self.value is None:
            return ""
        if isinstance(self.value, float) and self.value.is_integer() and abs(self.value) < 1e15:
            return str(int(self.value))
        if isinstance(self.value, datetime):
            return self.value.isoformat(sep=" ", timespec="seconds")
        return str(self.value).strip()


@dataclass(frozen=True)
class Table:
    """A table as it was read: column names, and rows of cells by column name.

    ``columns`` are unique (duplicates were numbered). ``row_numbers`` are the spreadsheet's.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Cell], ...]
    row_numbers: tuple[int, ...]
    sheet: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A table with when and whence it was pulled.

    ``pulled_at`` is when this content was first read, ``checked_at`` when the source was last seen to still
    hold it. ``revision`` identifies the content (the provider's revision, or a digest). ``stale`` is True when
    the last pull failed and this is an earlier one; ``error`` then says why. ``table`` is None when the source
    was never read.
    """

    source: str
    address: str
    table: Table | None
    pulled_at: datetime | None
    revision: str = ""
    stale: bool = False
    error: str = ""
    checked_at: datetime | None = None


@dataclass(frozen=True)
class Test:
    """One executed (or planned) measurement: a row of the test record.

    ``exposures`` are inclusive ranges of exposure numbers. ``frames`` is the number of exposures that the
    record says were taken, ``exptime`` the commanded time [s]; None where it does not say. ``source``, ``table`` (in words:
    the file and its sheet) and ``row`` say where it is written; ``cells`` holds the whole row, by the source's own
    column names.
    """

    __test__ = False

    block: str
    name: str
    session: str = ""
    exposures: tuple[tuple[int, int], ...] = ()
    frames: int | None = None
    exptime: float | None = None
    folder: str = ""
    status: str = ""
    comments: str = ""
    date: Date | None = None
    procedures: tuple[str, ...] = ()
    source: str = ""
    table: str = ""
    row: int = 0
    cells: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """block/test: unique in the campaign."""
        return f"{self.block}/{self.name}"

    @property
    def place(self) -> str:
        """Where it is written, in words; its key when no row is known."""
        return f"{self.table or self.source}, row {self.row}" if self.row else self.key
