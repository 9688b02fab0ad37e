"""Ranges of exposure numbers as people write them: '101-110', '101 to 110', '101..110', '101, 103, 110-115'."""

from __future__ import annotations

import re

MOST = 100_000
"""Most exposures that one range may name; more is a slip of the keyboard."""

_NUMBER = re.compile(r"[0-9]{1,15}")
_RANGE = re.compile(r"([0-9]{1,15})\s*(?:-+|[‐‑‒–—−]|\.{2,3}|…|:|to|until)\s*([0-9]{1,15})", re.IGNORECASE)
_LIST = re.compile(r"[,;+&\n]|\band\b", re.IGNORECASE)

Range = tuple[int, int]


def parse_ranges(text: str) -> tuple[tuple[Range, ...], list[str]]:
    """Inclusive ranges of exposures in a text, and what is wrong with the parts that are none.

    Parts are separated by commas, semicolons, '+', '&', 'and' or line breaks. A part that is wrong is left
    out, the others stand. Ranges that touch an earlier one of the same text are joined with it.
    """
    ranges: list[Range] = []
    wrong: list[str] = []
    for part in (p.strip() for p in _LIST.split(text)):
        if not part:
            continue
        found = _RANGE.fullmatch(part)
        if found is None and not _NUMBER.fullmatch(part):
            wrong.append(f"{part[:60]!r} is neither a number nor a range of numbers")
            continue
        first, last = (int(found[1]), int(found[2])) if found else (int(part), int(part))
        problem = range_problem(first, last)
        if problem:
            wrong.append(problem)
        else:
            ranges.append((first, last))
    merged = joined(ranges)
    if sum(b - a + 1 for a, b in merged) < sum(b - a + 1 for a, b in ranges):
        wrong.append(f"{text[:60]!r} names some exposures twice; they count once")
    return merged, wrong


def range_problem(first: int, last: int) -> str:
    """What is wrong with a range; '' when nothing is."""
    if last < first:
        return f"{first}–{last} runs backwards"
    if last - first >= MOST:
        return f"{first}–{last} is more than {MOST} exposures"
    return ""


def joined(ranges: list[Range]) -> tuple[Range, ...]:
    """The same exposures in order, as few ranges as possible."""
    out: list[Range] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(last, out[-1][1]))
        else:
            out.append((first, last))
    return tuple(out)


def shown(ranges: tuple[Range, ...]) -> str:
    """Ranges in words: '101–110, 115'."""
    return ", ".join(f"{a}–{b}" if b > a else f"{a}" for a, b in ranges)


def shared(a: tuple[Range, ...], b: tuple[Range, ...]) -> tuple[Range, ...]:
    """The exposures that two ordered lists of ranges have in common."""
    out: list[Range] = []
    i = j = 0
    while i < len(a) and j < len(b):
        first, last = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if first <= last:
            out.append((first, last))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)
