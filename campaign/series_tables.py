"""Values over time that no procedure of the campaign measures: the files under ``series/``.

A temperature log, the flux of a lamp, a table that another team keeps over the years. One row is one value; the columns are
named in the first line. What cannot be read costs its cell or its row, and is told.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path

from campaign import folder_files
from campaign.checked import nearest
from campaign.findings import Finding
from campaign.series import SeriesRow, SeriesTable
from campaign.toml_lines import FileSyntaxError

COLUMNS: dict[str, str] = {
    "time": "When: 2019-03-11, 2019-03-11T14:05, 2019:070 or 2019:070:14:05:00 (year and day of the year); UTC unless it says otherwise",
    "value": "The value; empty where there is none",
    "uncertainty": "Its standard uncertainty; empty where none is known",
    "quantity": "What it is a value of; by default the file's name",
    "unit": "Its unit; the same in all rows of a quantity",
    "detector": "What it was measured on: a detector, or the name of a lamp, a chamber, a sensor",
    "channel": "Channel, where the value is of one",
    "setting": "Configuration: values of different settings are never put into one series",
    "note": "Anything to know about the value; shown with the point",
}
"""The columns of a file of series/, and what they mean. ``time`` and ``value`` have to be there."""

MOST_TOLD = 5
"""Findings of one file that are told one by one."""

_DAY_OF_YEAR = re.compile(r"(\d{4}):(\d{1,3})(?::(\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?)?")


def read_tables(root: Path, findings: list[Finding]) -> tuple[SeriesTable, ...]:
    """All files of series/, by name; what is wrong with them is added to the findings."""
    paths, found = folder_files.files_of(root, "series", (".csv",))
    findings += found
    tables = []
    for path in paths:
        name = folder_files.relative(root, path)
        try:
            text = folder_files.read_text(path)
        except FileSyntaxError as error:
            findings.append(folder_files.unreadable(name, error))
            continue
        rows, found = read_rows(text, path.stem, name)
        findings += found
        if rows:
            tables.append(SeriesTable(path.stem, name, rows))
    return tuple(tables)


def read_rows(text: str, stem: str, file: str) -> tuple[tuple[SeriesRow, ...], list[Finding]]:
    """The rows of a CSV text, and what is wrong with it. ``stem`` names the quantity where no column does."""
    lines = csv.reader(text.splitlines())
    head = [name.strip() for name in next(lines, [])]
    findings = [
        Finding("unknown-key", f"{file} has a column {name!r}, which means nothing here", f"{file}:1",
                f"did you mean {close!r}?" if (close := nearest(name, list(COLUMNS))) else f"known: {', '.join(COLUMNS)}")
        for name in head if name not in COLUMNS
    ]  # fmt: skip
    lacking = [name for name in ("time", "value") if name not in head]
    if lacking or len(set(head)) != len(head):
        what = f"has no column {' and no column '.join(lacking)}" if lacking else "names a column twice"
        findings.append(
            Finding("bad-file", f"{file} is not used: it {what}", f"{file}:1", "correct its first line")
        )
        return (), findings
    rows: list[SeriesRow] = []
    faults: list[tuple[int, str]] = []
    units: dict[str, str] = {}
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        held = dict(zip(head, (cell.strip() for cell in cells), strict=False))
        row, wrong = _row(held, stem, lines.line_num)
        faults += [(lines.line_num, what) for what in wrong]
        if len(cells) > len(head):
            faults.append((lines.line_num, "it has more cells than the first line has columns"))
        if row is None:
            continue
        if units.setdefault(row.quantity, row.unit) != row.unit:
            told = f"{row.quantity} is in {row.unit or 'no unit'}, above in {units[row.quantity] or 'no unit'}; the row is not used"
            faults.append((lines.line_num, told))
            continue
        rows.append(row)
    findings += [
        Finding("bad-cell", f"row {n} of {file}: {what}", f"{file}:{n}", "correct the row")
        for n, what in faults[:MOST_TOLD]
    ]
    if len(faults) > MOST_TOLD:
        n, what = faults[MOST_TOLD][0], f"{file}: {len(faults) - MOST_TOLD} more rows have such faults"
        findings.append(Finding("bad-cell", what, f"{file}:{n}", "correct the rows"))
    return tuple(rows), findings


def _row(held: Mapping[str, str], stem: str, number: int) -> tuple[SeriesRow | None, list[str]]:
    """A row, or None when it has no time; and what is wrong with it."""
    wrong: list[str] = []
    time = time_of(held["time"])
    if time is None:
        return None, [f"{held['time']!r} is no time; the row is not used"]
    value = _number(held, "value", wrong)
    uncertainty = _number(held, "uncertainty", wrong)
    if uncertainty is not None and uncertainty < 0.0:
        wrong.append(f"the uncertainty {held['uncertainty']} is negative; it is not used")
        uncertainty = None
    texts = {name: held.get(name, "") for name in ("unit", "detector", "channel", "setting", "note")}
    quantity = held.get("quantity") or stem
    return SeriesRow(time, value, uncertainty, quantity, row=number, **texts), wrong


def _number(held: Mapping[str, str], column: str, wrong: list[str]) -> float | None:
    text = held.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        wrong.append(f"the {column} {text!r} is no number; it is not used")
        return None
    return value


def time_of(text: str) -> datetime | None:
    """A time as a series states it, in UTC; None when it is none."""
    text = text.strip()
    try:
        if found := _DAY_OF_YEAR.fullmatch(text):
            year, day, hour, minute, second = found.groups()
            if not 1 <= int(day) <= 366:
                return None
            start = datetime(int(year), 1, 1, tzinfo=UTC) + timedelta(days=int(day) - 1)
            return start + timedelta(
                hours=int(hour or 0), minutes=int(minute or 0), seconds=float(second or 0)
            )
        if not re.match(r"\d{4}-\d{2}-\d{2}", text):  # 20190311 may be a date, or a count
            return None
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def clashes(tables: Sequence[SeriesTable], procedures: Sequence[str]) -> list[Finding]:
    """A finding for each table that bears the name of a procedure: the pages of its trends would be the same."""
    return [
        Finding("bad-value", f"{t.file} is not used: a procedure is called {t.name!r}", t.file, "rename the file")
        for t in tables if t.name in procedures
    ]  # fmt: skip
