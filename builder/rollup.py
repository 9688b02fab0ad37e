"""How verdicts add up: quantity → channel → detector → test → block → campaign, each with what was judged of what is declared.

A colour alone hides how much it rests on: a test is green when its one limit is met, though fifty of its numbers have
none. So each verdict is told with its coverage.
"""

from __future__ import annotations

from collections.abc import Iterable

from builder.report import BlockReport, Judged, Outcome, TestReport, Verdict, worst
from campaign.frozen import dataclass
from campaign.model import Campaign

JUDGING = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})


@dataclass(frozen=True)
class Standing:
    """A verdict, and how many of the numbers that are declared a limit judged."""

    verdict: Verdict
    judged: int
    declared: int

    @property
    def coverage(self) -> str:
        """'41 of 60 judged'."""
        return f"{self.judged} of {self.declared} judged" if self.declared else "nothing to judge"


@dataclass(frozen=True)
class DetectorStanding:
    """A detector of a test, whole and by channel; ``channels`` holds '' for quantities of the whole detector."""

    detector: str
    whole: Standing
    channels: dict[str, Standing]

    @property
    def of_whole(self) -> bool:
        """Whether some of its numbers are of the whole detector."""
        return "" in self.channels


def is_judged(judged: Judged) -> bool:
    """Whether a limit judged a number: it has a value, and bounds that applied."""
    return (
        judged.limit is not None
        and judged.measurement.value is not None
        and not judged.unjudged
        and judged.verdict in JUDGING
    )


def of_numbers(held: Iterable[Judged]) -> Standing:
    """The standing of some measurements."""
    numbers = list(held)
    return Standing(worst([j.verdict for j in numbers]), sum(map(is_judged, numbers)), len(numbers))


def together(held: Iterable[Standing], verdict: Verdict | None = None) -> Standing:
    """The standing of several; ``verdict`` where something else than the worst of theirs holds."""
    parts = list(held)
    return Standing(
        worst([s.verdict for s in parts]) if verdict is None else verdict,
        sum(s.judged for s in parts),
        sum(s.declared for s in parts),
    )


def of_outcome(outcome: Outcome, campaign: Campaign) -> Standing:
    """The standing of an outcome. One without measurements counts what its procedure declares, by channel."""
    if outcome.measurements:
        return Standing(outcome.verdict, sum(map(is_judged, outcome.measurements)), len(outcome.measurements))
    detector = campaign.detector(outcome.detector)
    channels = len(detector.geometry.channels) if detector else 1
    quantities = outcome.procedure.quantities
    return Standing(outcome.verdict, 0, sum(channels if q.per == "channel" else 1 for q in quantities))


def of_test(test: TestReport, campaign: Campaign) -> Standing:
    """The standing of a test, whose verdict may rest on more than its numbers."""
    return together((of_outcome(o, campaign) for o in test.outcomes), test.verdict)


def of_block(block: BlockReport, campaign: Campaign) -> Standing:
    """The standing of a block."""
    return together((of_test(t, campaign) for t in block.tests), block.verdict)


def by_detector(test: TestReport, campaign: Campaign) -> list[DetectorStanding]:
    """A test's detectors in the order of its outcomes, each with its channels in the order of the measurements."""
    out = []
    for name in dict.fromkeys(o.detector for o in test.outcomes):
        outcomes = [o for o in test.outcomes if o.detector == name]
        of_channel: dict[str, list[Judged]] = {}
        for judged in (j for o in outcomes for j in o.measurements):
            of_channel.setdefault(judged.measurement.channel or "", []).append(judged)
        channels = {c: of_numbers(held) for c, held in of_channel.items()}
        out.append(DetectorStanding(name, together(of_outcome(o, campaign) for o in outcomes), channels))
    return out
