"""Tests that get in each other's way: the same name twice in a block, the same exposures claimed twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from campaign.findings import Finding
from campaign.record import Test
from campaign.sources.fields import TestRow
from campaign.sources.grid import listed
from campaign.sources.ranges import shared, shown


def numbered(rows: Iterable[TestRow]) -> tuple[list[TestRow], list[Finding]]:
    """The rows with names unique in their block: a name's second bearer becomes NAME.2, and so on."""
    rows = list(rows)
    taken = {r.key for r in rows}
    first: dict[str, TestRow] = {}
    out: list[TestRow] = []
    findings: list[Finding] = []
    for row in rows:
        if row.key not in first:
            first[row.key] = row
            out.append(row)
            continue
        number = 2
        while f"{row.key}.{number}" in taken:
            number += 1
        name = f"{row.name}.{number}"
        taken.add(f"{row.block}/{name}")
        out.append(replace(row, name=name))
        what = f"{row.name} is also the name of the test in {first[row.key].place}; this one is called {name}"
        todo = f"Call it {name} in the record too, or delete the row if it is a copy"
        findings.append(Finding("duplicate-test", what, row.place, todo, row.block, name))
    return out, findings


def overlaps(tests: Iterable[Test]) -> list[Finding]:
    """One finding for each test that claims exposures of earlier tests of its block.

    A test whose exposures are exactly another's says that it shares them: some tests analyse anew what was
    acquired for another.
    """
    findings: list[Finding] = []
    blocks: dict[str, list[Test]] = {}
    for test in tests:
        if test.exposures:
            blocks.setdefault(test.block, []).append(test)
    for block in blocks.values():
        meeting = _meeting(block)
        for i in sorted(meeting):
            findings.append(_overlap(block[i], [block[j] for j in sorted(meeting[i])]))
    return findings


def _meeting(block: list[Test]) -> dict[int, set[int]]:
    """By the place of a test those of earlier ones with an exposure of its: one pass along all ranges, by where they begin."""
    out: dict[int, set[int]] = {}
    under_way: list[tuple[int, int]] = []
    for low, high, i in sorted((*span, i) for i, test in enumerate(block) for span in test.exposures):
        under_way = [(end, j) for end, j in under_way if end >= low]
        for _, j in under_way:
            if j != i:
                out.setdefault(max(i, j), set()).add(min(i, j))
        under_way.append((high, i))
    return out


def _overlap(test: Test, earlier: list[Test]) -> Finding:
    """What to say of a test and those earlier ones that it has exposures in common with."""
    same = [t for t in earlier if t.exposures == test.exposures]
    if same:
        what = f"{test.name} shares its exposures with {same[0].name} ({shown(test.exposures)})"
        todo = "Nothing, if it analyses anew what was acquired for the other; else correct the range"
        return Finding("overlap", what, test.place, todo, test.block, test.name)
    claims = listed((f"{t.name} ({shown(shared(test.exposures, t.exposures))})" for t in earlier), 4)
    what = f"{test.name} claims exposures that these tests claim too: {claims}"
    return Finding("overlap", what, test.place, "Correct the ranges", test.block, test.name)
