"""Tests that claim the same exposures, held against comparing each with each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from campaign.record import Test
from campaign.sources.conflicts import overlaps
from campaign.sources.ranges import joined, shared

RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), max_size=3).map(
    lambda held: joined([(first, first + more) for first, more in held])
)


@given(st.lists(st.tuples(st.sampled_from("AB"), RANGES), max_size=12))
def test_every_test_that_meets_earlier_ones_is_told_once(
    given_: list[tuple[str, tuple[tuple[int, int], ...]]],
) -> None:
    tests = [Test(block, f"T{i}", exposures=ranges, row=i + 1) for i, (block, ranges) in enumerate(given_)]
    expected = {}
    for i, test in enumerate(tests):
        earlier = [t for t in tests[:i] if t.block == test.block and shared(t.exposures, test.exposures)]
        if earlier:
            same = [t.name for t in earlier if t.exposures == test.exposures]
            expected[test.name] = same[:1] or [t.name for t in earlier[:4]]
    found = overlaps(tests)
    assert {f.test for f in found} == expected.keys() and len(found) == len(expected)
    for finding in found:
        for name in expected[str(finding.test)]:
            assert f"{name} (" in finding.what or f"shares its exposures with {name} (" in finding.what
