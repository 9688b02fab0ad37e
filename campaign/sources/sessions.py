"""Sessions of a record: written beside each test, once above several, or as a heading over the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from campaign.findings import Finding
from campaign.record import Cell, Table
from campaign.sources.columns import Columns
from campaign.sources.grid import MERGED, has_note, is_empty, is_repeat, listed

_LONGEST = 60
_PREFIX = re.compile(r"session\b[\s:–-]*", re.IGNORECASE)


def heading_of(row: Mapping[str, Cell], columns: Columns) -> str | None:
    """The text of a row that is only a heading; None for a row that holds more.

    A heading is one cell merged across columns with nothing beside it, or a row with a session alone.
    """
    own = [c for c in row.values() if not is_empty(c)]
    if len(own) != 1 or not own[0].text:
        return None
    alone = own[0]
    across = [c for c in row.values() if is_repeat(c) and has_note(c, f"merged from {alone.address}")]
    if has_note(alone, MERGED) and across:
        return alone.text
    session = columns.cell(row, "session")
    return alone.text if session is not None and session.address == alone.address else None


def sessions_of(
    table: Table,
    columns: Columns,
    headings: Sequence[str | None],
    blocks: Sequence[str],
    place: str,
) -> tuple[list[str], list[Finding]]:
    """The session of each row of a table, '' for none.

    ``headings`` is what ``heading_of`` says of each row, ``blocks`` the block of each; sessions never reach from one block into the next. A session written
    once stands for the rows below it until the next one, unless the block's rows repeat their sessions
    (then a blank is a blank, and is reported) or the session's cell was merged (then the merge says how far).
    """
    written_out = _written_out(table, columns, blocks)
    out: list[str] = []
    unsaid: list[int] = []
    current, before, awaits = "", None, False  # awaits: a heading whose rows are still to come
    for row, number, heading, block in zip(table.rows, table.row_numbers, headings, blocks, strict=True):
        if heading is not None:
            current, awaits = _session(heading), True
            out.append(current)
            continue
        if block and block != before:
            current, before = current if awaits else "", block
        awaits = False
        found = columns.cell(row, "session")
        if found is not None and found.text:
            out.append(found.text)
            ends = has_note(found, MERGED) or is_repeat(found) or before in written_out
            current = "" if ends else found.text
            continue
        out.append(current)
        if not current and before in written_out and columns.text(row, "test"):
            unsaid.append(number)
    if not unsaid:
        return out, []
    what = f"No session is written in rows {listed(unsaid)}, while the rows around them repeat theirs"
    return out, [Finding("table-shape", what, place, "Write the session into each row")]


def _session(heading: str) -> str:
    text = " ".join(heading.split())
    return _PREFIX.sub("", text, count=1) or text if len(text) <= _LONGEST else ""


def _written_out(table: Table, columns: Columns, blocks: Sequence[str]) -> set[str | None]:
    """The blocks in which two tests one after the other bear the same session, each in a cell of its own."""
    out: set[str | None] = set()
    before: tuple[str, str] | None = None
    for row, block in zip(table.rows, blocks, strict=True):
        found = columns.cell(row, "session")
        if not columns.text(row, "test") or found is None:
            continue
        own = found.text and not is_repeat(found) and not has_note(found, MERGED)
        here = (block, found.text) if own else None
        if here is not None and here == before:
            out.add(block)
        before = here
    return out
