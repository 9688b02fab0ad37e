"""Hand-written reStructuredText pages of a campaign's record, read for what they mean.

Such pages follow habits, not a format: a section for each tested unit, its dates in words, its facility, a list
of serial numbers, links to a spreadsheet and to data, paragraphs that begin with CAUTION or UPDATE. What is
recognised is placed; every other line stays with its section, so that nothing is lost.
"""

from __future__ import annotations

import re
from dataclasses import field
from datetime import date

from campaign.frozen import dataclass

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_NAMES, start=1)}
_DAY = r"(\d{1,2})\s*(?:st|nd|rd|th)?"
_MONTH = r"([A-Za-z]{3,9})\.?"
_SPAN = re.compile(
    rf"{_DAY}(?:\s*(?:of\s+)?{_MONTH})??\s*(?:through|to|and|until|[-–&])\s*{_DAY}\s*(?:of\s+)?{_MONTH},?\s*(\d{{4}})",
    re.IGNORECASE,
)
_SINGLE = re.compile(rf"{_DAY}\s*[/ ]\s*(?:of\s+)?{_MONTH}[,/]?\s*[/ ]?\s*(\d{{4}})", re.IGNORECASE)
LINK = re.compile(r"`(?P<label>[^`<]*?)\s*<(?P<href>[^`>]+)>`(?P<mark>_{0,2})")
_FIELD = re.compile(r"^[-*]\s*(?P<name>[A-Za-z0-9_ #]+?)\s*:\s*(?P<value>\S.*)$")
_UNDERLINE = re.compile(r"^([=\-~^\"'#*+.:])\1{2,}\s*$")


@dataclass
class Section:
    """A titled part of a page, with its lines and where they stand (``start``: line of the first)."""

    title: str
    level: int
    lines: list[str] = field(default_factory=list)
    start: int = 1


def sections(text: str) -> list[Section]:
    """The sections of a page in order; the first, without a title, holds what stands before any heading.

    A heading is a line underlined by at least as many equal marks (a few too short are accepted, as
    docutils does with a warning); the order in which marks appear tells the levels.
    """
    lines = text.expandtabs(8).splitlines()
    out = [Section("", 0)]
    marks: list[str] = []
    i = 0
    while i < len(lines):
        title = lines[i].strip()
        under = lines[i + 1] if i + 1 < len(lines) else ""
        is_heading = (
            title
            and not _UNDERLINE.match(title)
            and _UNDERLINE.match(under)
            and len(under.strip()) >= len(title) - 3
        )
        if is_heading and not lines[i].startswith(" "):
            if under[0] not in marks:
                marks.append(under[0])
            out.append(Section(title, marks.index(under[0]) + 1, start=i + 3))
            i += 2
            continue
        out[-1].lines.append(lines[i])
        i += 1
    return out


def read_dates(text: str) -> tuple[date, date] | None:
    """First and last day told in words: '27th June through 2nd July 2019', '5th & 6th September 2018'."""
    if found := _SPAN.search(text):
        first_day, first_month, last_day, last_month, year = found.groups()
        return _span(first_day, first_month or last_month, last_day, last_month, year)
    if found := _SINGLE.search(text):
        day, month, year = found.groups()
        return _span(day, month, day, month, year)
    return None


def _span(day0: str, month0: str, day1: str, month1: str, year: str) -> tuple[date, date] | None:
    numbers = MONTHS.get(month0[:3].lower()), MONTHS.get(month1[:3].lower())
    if numbers[0] is None or numbers[1] is None:
        return None
    try:
        last = date(int(year), numbers[1], int(day1))
        first = date(int(year) - (numbers[0] > numbers[1]), numbers[0], int(day0))
    except ValueError:
        return None
    return (first, last) if first <= last else None


@dataclass
class FoundLink:
    """A link of a page: its label, address, line, and whether its mark-up was broken."""

    label: str
    href: str
    line: int
    broken: bool


@dataclass
class FoundCaveat:
    """A caveat: its text, how grave its heading made it, and its line."""

    text: str
    severity: str
    line: int


@dataclass
class BlockSection:
    """What a section tells about a tested unit. ``rest`` are the lines that had no other place."""

    title: str
    line: int
    id: str = ""
    status: str = "done"
    status_note: str = ""
    start: date | None = None
    end: date | None = None
    facility: str = ""
    hardware: dict[str, str] = field(default_factory=dict)
    links: list[FoundLink] = field(default_factory=list)
    caveats: list[FoundCaveat] = field(default_factory=list)
    supersedes: str = ""
    superseded_by: str = ""
    data_archived: bool = False
    rest: list[tuple[int, str]] = field(default_factory=list)


def is_block(section: Section) -> bool:
    """Whether a section describes a tested unit: it links a test record or lists serial numbers."""
    text = "\n".join(section.lines)
    return bool(section.title) and bool(re.search(r"TESTS?-RECORD|_SN\s*:", text))


def read_block(section: Section) -> BlockSection:
    """Read a section that describes a tested unit."""
    out = BlockSection(section.title, section.start)
    out.id = re.sub(r"\s*\(.*\)\s*$", "", section.title).strip()
    if note := re.search(r"\((.*)\)\s*$", section.title):
        out.status_note = note.group(1)
        if "demoted" in out.status_note.lower():
            out.status = "demoted"
    for line, paragraph in paragraphs(section):
        _place(out, line, paragraph)
    if out.data_archived and out.status == "done":
        out.status = "archived"
    return out


def paragraphs(section: Section) -> list[tuple[int, list[str]]]:
    """Runs of lines: paragraphs, and each list item for itself with the lines that continue it."""
    out: list[tuple[int, list[str]]] = []
    fresh = True
    for offset, raw in enumerate(section.lines):
        if not raw.strip():
            fresh = True
            continue
        if fresh or re.match(r"[-*]\s", raw):
            out.append((section.start + offset, [raw]))
            fresh = False
        else:
            out[-1][1].append(raw)
    return out


def _place(out: BlockSection, line: int, lines: list[str]) -> None:
    text = " ".join(part.strip() for part in lines)
    plain = text.replace("**", "")
    item = _FIELD.match(text)
    if item and (item["name"].upper().endswith("_SN") or item["name"].upper() == "BLOCKID"):
        _place_hardware(out, line, item["name"].strip(), item["value"].strip())
    elif re.match(r"[-*]?\s*(TESTS?-RECORD|Data|Acquisition)\b", plain):
        _place_links(out, line, lines)
    elif found := re.match(r"(CAUTION|UPDATE|WARNING|CAVEAT)S?\s*:?\s+(.+)$", plain, re.DOTALL):
        out.caveats.append(
            FoundCaveat(found[2], "major" if found[1] in ("CAUTION", "WARNING") else "minor", line)
        )
        if replaced := re.search(r"[Uu]se the calibration of (\w+)", found[2]):
            out.superseded_by = replaced[1]
    elif re.match(r"CAVEATS?\s*:?\s*$", plain):
        out.rest.append((line, "\0caveats"))
    elif text.startswith(("* ", "- ")) and out.rest and out.rest[-1][1] == "\0caveats":
        out.caveats.append(FoundCaveat(text[2:].strip(), "minor", line))
    else:
        _place_facts(out, line, lines)


def _place_hardware(out: BlockSection, line: int, name: str, value: str) -> None:
    serial, _, remark = value.partition("(")
    if name.upper() == "BLOCKID":
        out.id = re.split(r"\s*/\s*", serial.strip())[0]
    out.hardware[name] = serial.strip()
    if remark:
        out.rest.append((line, f"{name} {serial.strip()}: {remark.rstrip(') ')}."))


def _place_links(out: BlockSection, line: int, lines: list[str]) -> None:
    text = " ".join(part.strip() for part in lines)
    head = re.sub(r"^[-*]\s*", "", text).partition(":")[0].partition("`")[0].strip()
    for found in LINK.finditer(text):
        label = f"{head}: {found['label'].strip()}" if found["label"].strip() else head
        out.links.append(FoundLink(label, re.sub(r"\s+", "", found["href"]), line, not found["mark"]))
    if re.search(r"\bAR(?:CHI|VHI)VED\b", text):
        out.data_archived = True
    elif not LINK.search(text):
        out.rest.append((line, text))


def _place_facts(out: BlockSection, line: int, lines: list[str]) -> None:
    """Dates, facility and nickname, each taken out of the paragraph only when it is all that a line says."""
    for offset, raw in enumerate(lines):
        text = raw.strip()
        if found := re.match(r"Facility\s*:\s*(.+?)\.?$", text):
            out.facility = found[1]
            continue
        if found := re.match(r"BLOCK Nickname\s*:\s*(\w+)\.?$", text):
            out.id = found[1]
            continue
        if out.start is None and (dates := read_dates(text)):
            out.start, out.end = dates
            bare = _SINGLE.sub("", _SPAN.sub("", text)).strip(" .,")
            if not bare:
                continue
        out.rest.append((line + offset, text))
