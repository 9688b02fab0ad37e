"""What rests on caveated data: numbers that caveats touch, and numbers made from those."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import field

from builder.report import Judged, Outcome, Report, TestReport
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.model import Caveat

SEVERITIES = ("major", "minor", "info")
"""Worst first."""


@dataclass
class Rested:
    """How many numbers there are, how many caveats touch (each under the worst of them), and how many only rest on such.

    ``excluded`` are those kept out of trends, ``indirect`` those made from a value, or frames of another test, that a worse caveat touches
    than any that touches them; they may be counted under their own as well.
    """

    measurements: int = 0
    major: int = 0
    minor: int = 0
    info: int = 0
    excluded: int = 0
    indirect: int = 0

    @property
    def touched(self) -> int:
        """Numbers that a caveat of any severity touches."""
        return self.major + self.minor + self.info

    @property
    def doubtful(self) -> int:
        """Numbers that a major or minor caveat touches, and those that rest on worse data than they look."""
        return self.major + self.minor + self.indirect


@dataclass
class Coverage:
    """What rests on caveated data: of everything, by block, by test (block, name) and by procedure; by caveat, directly and not.

    ``by_caveat`` is by the identity of the caveat in the report.
    """

    whole: Rested = field(default_factory=Rested)
    blocks: dict[str, Rested] = field(default_factory=lambda: defaultdict(Rested))
    tests: dict[tuple[str, str], Rested] = field(default_factory=lambda: defaultdict(Rested))
    procedures: dict[str, Rested] = field(default_factory=lambda: defaultdict(Rested))
    by_caveat: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))


class Resting:
    """Finds which caveats a number rests on: its own, those of values it used, those of tests that lent it frames."""

    def __init__(self, report: Report) -> None:
        self._tests = {(t.block.id, t.test.name): t for t in report.tests()}
        self._results = {o.result_id: o for o in report.outcomes() if o.result_id}
        self._numbers = {j.id: (o, j) for o in report.outcomes() for j in o.measurements}
        self._of_frame = {(b.block.id, f.frame.id): f.test for b in report.blocks for f in b.frames}
        self._lent: dict[int, tuple[TestReport, ...]] = {}
        self._inherited: dict[str, dict[int, Caveat]] = {}

    def inherited(self, outcome: Outcome, judged: Judged) -> dict[int, Caveat]:
        """The open caveats, by identity, that do not touch a number itself but something it was made from."""
        if judged.id not in self._inherited:
            self._inherited[judged.id] = {}  # values that use each other in a circle add nothing
            own = {id(c) for c in judged.caveats}
            found = {id(c): c for c in self._sources(outcome, judged) if id(c) not in own}
            self._inherited[judged.id] = found
        return self._inherited[judged.id]

    def _sources(self, outcome: Outcome, judged: Judged) -> Iterator[Caveat]:
        channel = judged.measurement.channel
        for _, used in outcome.used:
            if (made := self._results.get(used)) is not None:
                yield from made.caveats
            if (held := self._numbers.get(used)) is None:
                continue
            source, number = held
            if channel is None or number.measurement.channel in (None, channel):
                yield from number.caveats
                yield from self.inherited(source, number).values()
        for test in self._lenders(outcome):
            for caveat in test.caveats:
                scope = caveat.scope
                of_numbers = scope.procedures or scope.quantities or scope.settings
                if (
                    caveat.open
                    and not of_numbers
                    and scope.covers(detector=outcome.detector, channel=channel)
                ):
                    yield caveat

    def _lenders(self, outcome: Outcome) -> tuple[TestReport, ...]:
        """The other tests whose frames a result was made from."""
        if id(outcome) not in self._lent:
            here = (outcome.block, outcome.test)
            names = dict.fromkeys(self._test_of(outcome.block, frame) for _, frame in outcome.inputs)
            self._lent[id(outcome)] = tuple(self._tests[n] for n in names if n != here and n in self._tests)
        return self._lent[id(outcome)]

    def _test_of(self, block: str, frame: Frame) -> tuple[str, str]:
        place = frame.block or block
        return place, self._of_frame.get((place, frame.id)) or ""


def coverage(report: Report) -> Coverage:
    """Count what rests on caveated data."""
    out = Coverage()
    resting = Resting(report) if _caveated(report) else None
    for test in report.tests():
        for outcome in test.outcomes:
            place = (outcome.block, outcome.test)
            counts = (
                out.whole, out.blocks[outcome.block], out.tests[place], out.procedures[outcome.procedure.name]
            )  # fmt: skip
            if resting is None:
                for count in counts:
                    count.measurements += len(outcome.measurements)
                continue
            for judged in outcome.measurements:
                inherited = resting.inherited(outcome, judged)
                _count(counts, judged.caveats, inherited.values())
                for caveat in judged.caveats:
                    out.by_caveat[id(caveat)][0] += 1
                for key in inherited:
                    out.by_caveat[key][1] += 1
    return out


def _caveated(report: Report) -> bool:
    """Whether there is any caveat at all."""
    return any(
        t.caveats or any(o.caveats or any(j.caveats for j in o.measurements) for o in t.outcomes)
        for t in report.tests()
    )


def _worst(caveats: Iterable[Caveat]) -> int:
    """The place of the worst severity among SEVERITIES; beyond the last for no caveat."""
    return min((SEVERITIES.index(c.severity) for c in caveats), default=len(SEVERITIES))


def _count(counts: Iterable[Rested], own: tuple[Caveat, ...], inherited: Collection[Caveat]) -> None:
    place = _worst(own)
    worst = SEVERITIES[place] if own else ""
    worse = bool(inherited) and _worst(inherited) < place
    excluded = any(c.effect == "exclude" for c in own)
    for count in counts:
        count.measurements += 1
        count.excluded += excluded
        if worst:
            setattr(count, worst, getattr(count, worst) + 1)
        count.indirect += worse
