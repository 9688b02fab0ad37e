"""Numbers against numbers: block against block, and a test against an earlier or a reference test.

Numbers are compared where everything that names them is the same: test, procedure, quantity, detector, channel and setting. So
configurations are never mixed, and what one side lacks is told, not filled in. The significance of a difference is its
size over the combined standard uncertainty √(u₁² + u₂²), as for independent measurements: what both share (frames, a
lamp, a gain) makes the true one larger.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from analysis.contract import REASONS, Measurement
from builder.report import BlockReport, Judged, Outcome, TestReport
from campaign.frozen import dataclass
from campaign.model import Campaign
from campaign.promises import place_of

LARGE = 3.0
"""Standard uncertainties beyond which a difference is counted."""
BY_CHANCE = 0.0027
"""The share of differences of normal noise beyond ``LARGE``."""
_REPEATED = re.compile(r"\.[0-9]+$")


class Key(NamedTuple):
    """What names a number. ``setting`` has its parts in order of name, whichever way it was written."""

    test: str
    procedure: str
    quantity: str
    detector: str
    channel: str
    setting: str


@dataclass(frozen=True)
class Side:
    """A number of one side, with the outcome that it is of."""

    outcome: Outcome
    judged: Judged


@dataclass(frozen=True)
class Row:
    """A number here and there; None on the side that lacks it.

    ``difference`` is here − there [the quantity's unit], ``ratio`` here / there, ``significance`` the difference over its
    standard uncertainty; None where it cannot be had, and ``why`` says why.
    """

    key: Key
    here: Side | None
    there: Side | None
    difference: float | None = None
    ratio: float | None = None
    significance: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """All numbers of two sides. ``rows`` have a value on both, the most significant difference first; ``apart`` have not.

    ``only_here`` and ``only_there`` are names of tests of which the other side has no result at all; their numbers are no rows.
    """

    rows: tuple[Row, ...]
    apart: tuple[Row, ...]
    only_here: tuple[str, ...] = ()
    only_there: tuple[str, ...] = ()

    @cached_property
    def judged(self) -> int:
        """How many differences have a significance."""
        return sum(r.significance is not None for r in self.rows)

    @cached_property
    def large(self) -> int:
        """How many differences are larger than ``LARGE`` standard uncertainties."""
        return sum(r.significance is not None and abs(r.significance) > LARGE for r in self.rows)

    @property
    def by_chance(self) -> float:
        """How many would be so large if nothing but noise differed and the uncertainties were right."""
        return BY_CHANCE * self.judged

    @cached_property
    def lacking(self) -> tuple[int, int]:
        """Numbers that only one side has: (only here, only there)."""
        return sum(r.there is None for r in self.apart), sum(r.here is None for r in self.apart)


@dataclass(frozen=True)
class Pair:
    """A block that is compared with another; ``why`` it is, and whether a person asked for it (``named``)."""

    here: BlockReport
    there: BlockReport
    why: str
    named: bool


def difference(here: Measurement, there: Measurement) -> tuple[float | None, float | None, float | None, str]:
    """(difference, ratio, significance, why one of them is missing) of two measurements of one thing.

    >>> from analysis.contract import Measurement
    >>> a, b = (Measurement("x", None, "", v, u, "ADU", "", 1, (), None, "") for v, u in ((5.0, 0.3), (0.0, 0.4)))
    >>> difference(a, b)
    (5.0, None, 10.0, 'the other is zero, so there is no ratio')
    """
    for side, m in (("here", here), ("there", there)):
        if m.value is None:
            return (
                None,
                None,
                None,
                f"no value {side}: {REASONS.get(m.reason or '', m.reason or 'no reason given')}",
            )
    if here.unit != there.unit:
        return None, None, None, f"units differ: {here.unit or 'none'} here, {there.unit or 'none'} there"
    assert here.value is not None and there.value is not None
    found = here.value - there.value
    why = []
    ratio = _finite(here.value / there.value) if there.value else None
    if ratio is None:
        why.append(
            "the other is zero, so there is no ratio" if not there.value else "the ratio is beyond all bounds"
        )
    significance = None
    if here.uncertainty is None or there.uncertainty is None:
        why.append("no uncertainty, so no significance")
    elif combined := math.hypot(here.uncertainty, there.uncertainty):
        significance = _finite(found / combined)
    else:
        why.append("both are exact, so there is no significance")
    return _finite(found), ratio, significance, "; ".join(why)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def numbers(tests: Iterable[TestReport], *, named: bool = True, procedure: str = "") -> dict[Key, Side]:
    """All numbers of some tests; without ``named`` whichever test they are of, with ``procedure`` only that one's."""
    out: dict[Key, Side] = {}
    for test in tests:
        for outcome in test.outcomes:
            if procedure and outcome.procedure.name != procedure:
                continue
            for j in outcome.measurements:
                m = j.measurement
                setting = ", ".join(sorted(p.strip() for p in m.setting.split(",")))
                name = test.test.name if named else ""
                key = Key(
                    name, outcome.procedure.name, m.quantity, outcome.detector, m.channel or "", setting
                )
                out.setdefault(key, Side(outcome, j))
    return out


def compare(here: Mapping[Key, Side], there: Mapping[Key, Side]) -> Comparison:
    """All numbers of two sides against each other."""
    tests = {k.test for k in here}, {k.test for k in there}
    both = tests[0] & tests[1]
    rows: list[Row] = []
    apart: list[Row] = []
    for key in [*here, *(k for k in there if k not in here)]:
        if key.test not in both:
            continue
        a, b = here.get(key), there.get(key)
        if a is None or b is None:
            apart.append(Row(key, a, b, why="only there" if a is None else "only here"))
            continue
        row = Row(key, a, b, *difference(a.judged.measurement, b.judged.measurement))
        (apart if row.difference is None else rows).append(row)
    rows.sort(key=lambda r: -abs(r.significance) if r.significance is not None else 1.0)
    apart.sort(key=lambda r: r.here is not None and r.there is not None)  # what one side lacks first
    return Comparison(
        tuple(rows), tuple(apart), tuple(sorted(tests[0] - both)), tuple(sorted(tests[1] - both))
    )


def pairs(campaign: Campaign, blocks: Sequence[BlockReport]) -> list[Pair]:
    """The blocks that are compared: each with the one before it of its kind with which it shares tests, with the one that
    it supersedes, and as the campaign says. Each pair once, in the order of the blocks.
    """
    of = {b.block.id: b for b in blocks}
    held = {b.block.id: _results_of(b) for b in blocks}
    found: dict[tuple[str, str], Pair] = {}
    for n, block in enumerate(blocks):
        name = block.block.id
        for pair in campaign.compare:
            if pair.block == name and pair.other in of and pair.other != name:
                found.setdefault(
                    (name, pair.other), Pair(block, of[pair.other], "named in the campaign", True)
                )
        replaced = block.block.supersedes
        if replaced in of and held[name] and held[replaced]:
            found.setdefault((name, replaced), Pair(block, of[replaced], "it supersedes that block", True))
        for other in reversed(blocks[:n]):
            if other.block.kind == block.block.kind and held[name] & held[other.block.id]:
                why = f"the {block.block.kind} before it"
                found.setdefault((name, other.block.id), Pair(block, other, why, False))
                break
    return list(found.values())


def _results_of(block: BlockReport) -> set[tuple[str, str]]:
    """(test, procedure) of all that was measured in a block."""
    return {(t.test.name, o.procedure.name) for t in block.tests for o in t.outcomes if o.status == "done"}


def stem(name: str) -> str:
    """A test's name less what tells its repetitions apart: 'BIAS02.3' → 'BIAS02'."""
    return _REPEATED.sub("", name)


def earlier(tests: Iterable[TestReport]) -> dict[tuple[str, str], TestReport]:
    """The earlier test that each is compared with, by (block, name): the last repetition before it in its block, else the last
    test of the same name in another block. Tests without a time or without results are compared with none.
    """
    dated = [
        (when, n, t)
        for n, t in enumerate(tests)
        if any(o.status == "done" for o in t.outcomes) and (when := t.at)
    ]
    in_block: dict[tuple[str, str, str], TestReport] = {}
    named: dict[tuple[str, str], TestReport] = {}
    out: dict[tuple[str, str], TestReport] = {}
    for _, _, test in sorted(dated, key=lambda d: d[:2]):
        block, name = test.block.id, test.test.name
        for procedure in dict.fromkeys(o.procedure.name for o in test.outcomes if o.status == "done"):
            before = in_block.get((block, stem(name), procedure)) or named.get((name, procedure))
            if before is not None:
                out.setdefault((block, name), before)
            in_block[block, stem(name), procedure] = named[name, procedure] = test
    return out


def references(campaign: Campaign) -> dict[str, tuple[str, str]]:
    """(block, test) that each procedure's tests are compared with, where the campaign names one."""
    held = {name: place_of(use.reference) for name, use in campaign.procedures.items()}
    return {name: place for name, place in held.items() if place}
