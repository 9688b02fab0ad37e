"""``certification.csv``: read so that each bad row costs only itself, and written so that any text survives.

The file belongs to people: columns in any order, separated by commas, semicolons or tabs, with any line ends. A cell
that a spreadsheet program would take for a formula is written with an apostrophe before it, which is taken off
again when it is read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from campaign.certification import DECIDED, REASONED, REASONS, RULE, Decision
from campaign.checked import nearest, suggestion
from campaign.findings import Finding
from campaign.frozen import dataclass

NAME = "certification.csv"
COLUMNS = ("date", "who", "decision", "subject", "result", "reason", "text")
NEEDED = ("who", "decision", "subject")
LARGEST = 50_000_000
"""Bytes of the largest file that is read: half a million decisions."""

_ENDS = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED = re.compile(r"[,;\t\"\r\n]|^\s|\s$")


class CertificationFileError(ValueError):
    """The file as a whole is of no use; the message says why, ``line`` (from 1) where."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Form:
    """How a file is written: its columns in order as they are named, what separates them, what ends a line.

    ``ended`` is whether the last line has its end; ``lines`` how many there are.
    """

    columns: tuple[str, ...] = COLUMNS
    delimiter: str = ","
    end: str = "\n"
    ended: bool = True
    lines: int = 0


@dataclass(frozen=True)
class Row:
    """A row: its first line (from 1), and its cells; ``fault`` says why it has none."""

    line: int
    cells: tuple[str, ...] = ()
    fault: str = ""


def cell(text: str) -> str:
    """A cell's text as the file holds it: what a spreadsheet would evaluate is kept from it, and quoted where needed.

    Raises ValueError for text that no file of text can hold.
    """
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("text with NUL characters or broken letters cannot be written")
    held = f"'{text}" if _FORMULA.match(text) else text
    return '"' + held.replace('"', '""') + '"' if _QUOTED.search(held) else held


def plain(text: str) -> str:
    """What ``cell`` was given, from an unquoted cell."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def line(decision: Decision, form: Form) -> str:
    """A decision as a line of a file of that form, its end included. Columns that mean nothing here stay empty."""
    day = decision.date.isoformat() if decision.date else ""
    values = {**decision.model_dump(), "date": day}
    names = (_name(c) for c in form.columns)
    return form.delimiter.join(cell(str(values[n])) if n in COLUMNS else "" for n in names) + form.end


def header(form: Form) -> str:
    """The first line of a file of that form."""
    return form.delimiter.join(form.columns) + form.end


def form_of(text: str) -> Form:
    """How a file is written. Raises CertificationFileError when its first line does not name the columns it needs."""
    lines = _ENDS.findall(text)
    if not lines:
        return Form()
    first = lines[0]
    delimiter = max(",;\t", key=lambda d: len({_name(c) for c in first.split(d)} & set(COLUMNS)))
    names = tuple(c.strip().strip('"') for c in first.split(delimiter))
    missing = [c for c in NEEDED if c not in map(_name, names)]
    if missing:
        raise CertificationFileError(
            f"its first line names no column {' and no column '.join(missing)}: it has to be {','.join(COLUMNS)}"
        )
    ending = re.search(r"(\r\n|\r|\n)$", first)
    ended = lines[-1].endswith(("\r", "\n"))
    return Form(names, delimiter, ending[0] if ending else "\n", ended, len(lines))


def rows(text: str, form: Form) -> Iterator[Row]:
    """The rows below the first line. A quotation mark that is never closed costs its own line, not those below it."""
    lines, at = _ENDS.findall(text), 1
    while at < len(lines):
        end, quotes = at, lines[at].count('"')
        while quotes % 2 and end + 1 < len(lines):
            end += 1
            quotes += lines[end].count('"')
        cells = None if quotes % 2 else _parsed("".join(lines[at : end + 1]), form)
        if cells is None:
            end = at
            yield Row(at + 1, fault="its quotation marks do not fit together")
        elif any(c.strip() for c in cells):
            yield Row(at + 1, tuple(cells))
        at = end + 1


def _parsed(text: str, form: Form) -> list[str] | None:
    """The cells of one record; None when it is none, or has more cells that hold something than there are columns."""
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter, strict=True))
    except csv.Error:
        return None
    if len(records) > 1 or any(c.strip() for c in (records[0] if records else [])[len(form.columns) :]):
        return None
    return records[0] if records else []


def read_text(path: Path) -> str:
    """The file's text; bytes that are no UTF-8 stay recognisable, so that they cost only their row.

    Raises CertificationFileError when it cannot be read, is too large, or is in another encoding altogether.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CertificationFileError(f"it is larger than {LARGEST // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise CertificationFileError(f"it cannot be read: {error.strerror or error}") from None
    return decoded(data)


def decoded(data: bytes) -> str:
    """The text of the file's bytes; see ``read_text``. Raises CertificationFileError for UTF-16."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CertificationFileError("it is UTF-16: save it as UTF-8")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def reasons(own: Mapping[str, str]) -> dict[str, str]:
    """All codes of reasons with their meanings: the built-in ones, and a campaign's own."""
    return {**REASONS, **own}


def read_decisions(root: Path, known: Mapping[str, str]) -> tuple[tuple[Decision, ...], list[Finding]]:
    """The decisions of a campaign folder, in their order, and everything wrong with the file.

    ``known`` are the codes of reasons. A row that cannot be understood is left out, with a finding.
    """
    path = root / NAME
    return read_file(path, known) if path.exists() else ((), [])


def read_file(path: Path, known: Mapping[str, str]) -> tuple[tuple[Decision, ...], list[Finding]]:
    """The decisions of one file; see ``read_decisions``. Findings call it certification.csv, whatever its name."""
    try:
        text = read_text(path)
        form = form_of(text)
    except CertificationFileError as error:
        todo = f"its first line is to be: {','.join(COLUMNS)}"
        return (), [Finding("bad-file", f"{NAME} is not used: {error}", f"{NAME}:{error.line}", todo)]
    findings = _odd_columns(form)
    decisions = []
    for row in rows(text, form):
        decision, found = _decision(row, form, known)
        findings += found
        if decision is not None:
            decisions.append(decision)
    return tuple(decisions), findings


def _odd_columns(form: Form) -> list[Finding]:
    named = [_name(c) for c in form.columns]
    findings = []
    for n, column in enumerate(form.columns):
        if named[n] in named[:n]:
            what = f"{NAME} has two columns {column!r}: the second is not read"
            findings.append(Finding("table-shape", what, f"{NAME}:1", "keep one of them"))
        elif column and named[n] not in COLUMNS:
            what = f"the column {_shown(column)} of {NAME} means nothing, so it is not read"
            findings.append(Finding("unknown-key", what, f"{NAME}:1", suggestion(_text(column), COLUMNS)))
    return findings


def _decision(row: Row, form: Form, known: Mapping[str, str]) -> tuple[Decision | None, list[Finding]]:
    where = f"{NAME}:{row.line}"

    def bad(what: str, todo: str) -> tuple[None, list[Finding]]:
        return None, [Finding("bad-decision", f"this decision does not count: {what}", where, todo)]

    if row.fault:
        return bad(row.fault, "close them; one that belongs to the text is written twice")
    cells: dict[str, str] = {}
    for column, value in zip(form.columns, row.cells, strict=False):
        held = plain(value)
        cells.setdefault(_name(column), held if _name(column) == "text" else held.strip())
    cells = {c: cells.get(c, "") for c in COLUMNS}
    for column, value in cells.items():
        if _text(value) != value or "\x00" in value:
            return bad(f"its {column} is not text in UTF-8", "save the file as UTF-8")
    for column in NEEDED:
        if not cells[column]:
            return bad(f"it has no {column}", f"fill in the column {column!r}")
    if cells["who"].startswith(RULE.strip()):
        return bad("its name is that of a rule", "rules stand in campaign.toml; here people sign")
    word = " ".join(cells["decision"].casefold().split())
    if word not in DECIDED:
        return bad(f"{_shown(cells['decision'])} is no decision", suggestion(cells["decision"], DECIDED))
    try:
        decision = Decision.model_validate(
            {**cells, "date": cells["date"] or None, "decision": word, "row": row.line}
        )
    except ValidationError as error:
        wish = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
        return bad(f"its date is {_shown(cells['date'])}", wish)
    return decision, list(_reason_findings(decision, where, known))


def _reason_findings(decision: Decision, where: str, known: Mapping[str, str]) -> Iterable[Finding]:
    """What is wrong with the reason. The decision counts all the same: a rejection must not get lost."""
    if decision.reason and decision.reason not in known:
        what = f"the reason {_shown(decision.reason)} is not known; the decision counts"
        close = nearest(decision.reason, list(known))
        todo = (
            f"did you mean {close!r}? " if close else ""
        ) + "give it a meaning under [certification] reasons"
        yield Finding("unknown-name", what, where, todo)
    elif decision.decision in REASONED and not decision.reason:
        what = f"{decision.subject} is {decision.decision} by {decision.who} without a reason"
        yield Finding("incomplete", what, where, f"give one: {', '.join(known)}")


def _name(column: str) -> str:
    return column.strip().casefold()


def _text(value: str) -> str:
    """Text without what no encoding has; NUL and other controls stay."""
    return value.encode("utf-8", "backslashreplace").decode()


def _shown(value: str, most: int = 60) -> str:
    text = repr(_text(value))
    return text if len(text) <= most else text[: most - 1] + "…"


def lines(decisions: Sequence[Decision], form: Form | None = None) -> str:
    """A whole file of these decisions, header first."""
    form = form or Form()
    return header(form) + "".join(line(d, form) for d in decisions)
