"""Which column of a record holds which field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.model import Source
from campaign.record import Cell, Table

FIELDS: dict[str, tuple[str, ...]] = {
    "session": ("session", "sessions", "run", "day run"),
    "test": ("test", "test name", "testname", "script", "test script", "script name"),
    "first": (
        "first",
        "first obsid",
        "obsid first",
        "first exposure",
        "obsid start",
        "start obsid",
        "obsid1",
        "from",
    ),
    "last": ("last", "last obsid", "obsid last", "last exposure", "obsid end", "end obsid", "obsid2", "to"),
    "exposures": (
        "exposures",
        "obsid",
        "obsids",
        "obsid range",
        "obsid limits",
        "exposure range",
        "exposure numbers",
    ),
    "frames": ("frames", "n frames", "nframes", "number of frames", "no. of frames", "frames taken"),
    "exptime": ("exptime", "exposure time", "exp time", "texp", "commanded time"),
    "status": ("status", "result", "results", "state"),
    "comments": ("comments", "comment", "notes", "note", "remarks", "remark"),
    "folder": ("folder", "day folder", "directory", "data folder"),
    "date": ("date", "day", "date (utc)", "test date"),
    "block": ("block", "block id", "blockid"),
    "procedure": ("procedure", "procedures", "analysis"),
    "detector": ("detector", "detectors", "ccd"),
}
"""The fields of the record, and the column names by which each is found when the source names none."""

_UNIT = re.compile(r"\s*[\[(]\s*[a-z]+\s*[\])]$")


@dataclass(frozen=True)
class Columns:
    """The columns of one table by field."""

    by_field: Mapping[str, str]

    def cell(self, row: Mapping[str, Cell], field: str) -> Cell | None:
        """The cell of a field in a row; None when the table has no such column."""
        return row.get(self.by_field.get(field, ""))

    def text(self, row: Mapping[str, Cell], field: str) -> str:
        """The text of a field in a row; '' when it is empty or there is no such column."""
        found = self.cell(row, field)
        return found.text if found else ""


def plain(name: str) -> str:
    """A column name for comparing: lower case, single spaces, no unit behind it."""
    text = " ".join(re.sub(r"[_\-\s]+", " ", name).split()).lower()
    return text if text in FIELDS["date"] else _UNIT.sub("", text)


def columns_of(source: Source, table: Table) -> tuple[Columns, list[Finding]]:
    """The columns of a source's table, and what is wrong with how the source names them.

    A name that the source gives must be there, in this writing or but for case and spaces. Fields that it does
    not name are found by their usual names; where two columns fit, the first is taken and that is said.
    """
    found: dict[str, str] = {}
    findings: list[Finding] = []
    for field, name in source.columns.items():
        if field not in FIELDS:
            near = get_close_matches(field, FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"fields are: {', '.join(FIELDS)}"
            what = f"Source {source.id!r} names a column for {field!r}, which is no field of the record"
            findings.append(Finding("unknown-key", what, source.address, hint.capitalize()))
            continue
        column = _named(name, table)
        if column is None:
            what = f"Source {source.id!r} has no column {name!r}, which should hold {field!r}"
            todo = f"The columns are: {', '.join(table.columns)}"
            findings.append(Finding("bad-value", what, source.address, todo))
        else:
            found[field] = column
    taken = set(found.values())
    for field, names in FIELDS.items():
        if field in source.columns:
            continue
        fits = [c for c in table.columns if plain(c) in names and c not in taken]
        if not fits:
            continue
        found[field] = fits[0]
        taken.add(fits[0])
        if len(fits) > 1:
            what = f"Several columns could hold {field!r}; {fits[0]!r} is used and not {', '.join(fits[1:])}"
            todo = f"Say which in the source's columns: {field} = …"
            findings.append(Finding("interpreted", what, source.address, todo))
    return Columns(found), findings


def _named(name: str, table: Table) -> str | None:
    if name in table.columns:
        return name
    same = [c for c in table.columns if " ".join(c.split()).lower() == " ".join(name.split()).lower()]
    return same[0] if len(same) == 1 else None
