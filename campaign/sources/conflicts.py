"""Tests that get in each other's way: the same name twice in a block, the same exposures claimed twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from campaign.findings import Finding
from campaign.record import Test
from campaign.sources.grid import listed
from campaign.sources.ranges import Range, shared, shown


def place_of(test: Test) -> str:
    """Where a test is written."""
    return f"{test.source}, row {test.row}"


def numbered(tests: Iterable[Test]) -> tuple[list[Test], list[Finding]]:
    """The tests with names unique in their block: a name's second bearer becomes NAME.2, and so on."""
    tests = list(tests)
    taken = {t.key for t in tests}
    first: dict[str, Test] = {}
    out: list[Test] = []
    findings: list[Finding] = []
    for test in tests:
        if test.key not in first:
            first[test.key] = test
            out.append(test)
            continue
        number = 2
        while f"{test.key}.{number}" in taken:
            number += 1
        name = f"{test.name}.{number}"
        taken.add(f"{test.block}/{name}")
        out.append(replace(test, name=name))
        what = f"{test.name} is also the name of the test in {place_of(first[test.key])}; this one is called {name}"
        todo = f"Call it {name} in the record too, or delete the row if it is a copy"
        findings.append(Finding("duplicate-test", what, place_of(test), todo, test.block, name))
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
        for i, test in enumerate(block):
            if finding := _overlap(test, block[:i]):
                findings.append(finding)
    return findings


def _overlap(test: Test, earlier: list[Test]) -> Finding | None:
    same = [t for t in earlier if t.exposures == test.exposures]
    if same:
        what = f"{test.name} shares its exposures with {same[0].name} ({shown(test.exposures)})"
        todo = "Nothing, if it analyses anew what was acquired for the other; else correct the range"
        return Finding("overlap", what, place_of(test), todo, test.block, test.name)
    both = [(t.name, common) for t in earlier if (common := _common(test.exposures, t.exposures))]
    if not both:
        return None
    claims = listed((f"{name} ({shown(common)})" for name, common in both), 4)
    what = f"{test.name} claims exposures that these tests claim too: {claims}"
    return Finding("overlap", what, place_of(test), "Correct the ranges", test.block, test.name)


def _common(a: tuple[Range, ...], b: tuple[Range, ...]) -> tuple[Range, ...]:
    """The exposures in common; most pairs of tests are far apart, which their ends tell."""
    return () if a[-1][1] < b[0][0] or b[-1][1] < a[0][0] else shared(a, b)
