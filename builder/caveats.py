"""Caveats at work: what each touches, exactly, and what it does to a verdict and to trends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date

from analysis.contract import Measurement, Procedure
from builder.digests import digest
from builder.judge import Judgement, Place
from builder.report import BlockReport, Outcome, TestReport, Verdict
from campaign.findings import Finding
from campaign.model import Block, Campaign, Caveat, Scope
from campaign.record import Test


def softened(judgement: Judgement, caveats: Iterable[Caveat]) -> Judgement:
    """The judgement, a pass or fail of which is a warning where an open caveat asks for that; the words say what it would be."""
    held = [c.id for c in caveats if c.open and c.effect == "warn"]
    if not held or judgement.verdict not in (Verdict.PASS, Verdict.FAIL):
        return judgement
    named = f"caveat{'s' if len(held) > 1 else ''} {', '.join(held)}"
    return judgement._replace(
        verdict=Verdict.WARN,
        why=f"would be {judgement.verdict} but for {named}: {judgement.why}",
    )


def excluded_by_caveat(caveats: Collection[Caveat]) -> str:
    """Why a number that these caveats touch is kept out of trends, in words; '' where none of them asks for that."""
    if not caveats:
        return ""
    return "; ".join(f"caveat {c.id}: {c.text}" for c in caveats if c.open and c.effect == "exclude")


def raised_caveats(block: str, test: str, raised: Iterable[tuple[str, str, str]]) -> tuple[Caveat, ...]:
    """The caveats that procedures raised on a test, given as (procedure, detector, text): each text once, with its detectors."""
    found: dict[tuple[str, str], list[str]] = {}
    for procedure, detector, text in raised:
        found.setdefault((procedure, text), []).append(detector)
    return tuple(
        Caveat(
            id=f"{procedure}-{digest(block, test, text)[:8]}",
            text=text,
            scope=Scope(
                blocks=(block,), tests=(test,), detectors=tuple(dict.fromkeys(held)), procedures=(procedure,)
            ),
            raised_by=procedure,
        )
        for (procedure, text), held in found.items()
    )


class Touching:
    """Which caveats touch what. A place that a scope leaves open is in it; one that holds nothing of it is not."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self._open = tuple(c for c in campaign.caveats if c.open)
        self._places: dict[tuple[Place, str | None], tuple[tuple[Caveat, ...], bool]] = {}

    def number(self, place: Place, measurement: Measurement) -> tuple[Caveat, ...]:
        """The open caveats of a measurement; found once for all quantities of a channel, where no scope tells them apart."""
        if not self._open:
            return ()
        key = place, measurement.channel
        if key not in self._places:
            found = tuple(
                c
                for c in self._open
                if c.scope.covers(
                    place.block, place.test, place.detector, measurement.channel, place.day, place.procedure
                )
            )
            self._places[key] = found, any(c.scope.quantities or c.scope.settings for c in found)
        held, narrow = self._places[key]
        if not narrow:
            return held
        name, setting = measurement.quantity, measurement.setting
        return tuple(
            c for c in held if c.scope.covers(procedure=place.procedure, quantity=name, setting=setting)
        )

    def result(
        self, place: Place, procedure: Procedure, settings: Callable[[], Collection[str]]
    ) -> tuple[Caveat, ...]:
        """The open caveats of a result as a whole, and so of its figures and products: those that touch any part of it."""
        return tuple(
            c
            for c in self._open
            if c.scope.covers(place.block, place.test, place.detector, day=place.day)
            and self._channel(c.scope, [place.detector])
            and _analysed(c.scope, [procedure], settings())
        )

    def test(
        self,
        block: Block,
        test: Test,
        day: date | None,
        procedures: Sequence[Procedure],
        outcomes: Sequence[Outcome],
    ) -> tuple[Caveat, ...]:
        """The caveats of a test, open or not: those that touch the detectors, procedures and settings that it has."""
        detectors = [d.name for d in self.campaign.detectors_of(block)]
        found = tuple(self.campaign.caveats_for(block.id, test.name, day=day))
        settings = {j.measurement.setting for o in outcomes for j in o.measurements} if found else set()
        return tuple(
            c for c in found if self._channel(c.scope, detectors) and _analysed(c.scope, procedures, settings)
        )

    def block(self, block: Block, tests: Sequence[TestReport]) -> tuple[Caveat, ...]:
        """The caveats of a block: those that name it, and those that touch it as a whole or one of its tests."""
        detectors = [d.name for d in self.campaign.detectors_of(block)]
        of_tests = {id(c) for t in tests for c in t.caveats}

        def touches(caveat: Caveat) -> bool:
            scope = caveat.scope
            if scope.blocks or id(caveat) in of_tests:
                return True
            whole = not (scope.tests or scope.procedures or scope.quantities or scope.settings)
            return whole and self._channel(scope, detectors)

        here = (c for c in self.campaign.caveats_for(block.id) if c.scope.overlaps(block.start, block.end))
        return tuple(c for c in here if touches(c))

    def _channel(self, scope: Scope, detectors: Sequence[str]) -> bool:
        """Whether one of the detectors, and of its channels, is in the scope."""
        if not (scope.detectors or scope.channels):
            return True
        for name in detectors:
            if not scope.covers(detector=name):
                continue
            declared = self.campaign.detector(name)
            if not scope.channels or declared is None:
                return True
            if any(scope.covers(channel=c.name) for c in declared.geometry.channels):
                return True
        return False


def _analysed(scope: Scope, procedures: Sequence[Procedure], settings: Collection[str]) -> bool:
    """Whether one of the procedures, with one of its quantities, and one of the settings are in the scope."""
    if (scope.procedures or scope.quantities) and not any(
        scope.covers(procedure=p.name, quantity=q.name) for p in procedures for q in p.quantities
    ):
        return False
    return not scope.settings or any(scope.covers(setting=s) for s in settings)


def idle(campaign: Campaign, blocks: Sequence[BlockReport]) -> list[Finding]:
    """A finding for each open caveat in whose scope no test lies. Of blocks without a record nothing can be told."""
    touched = {id(c) for b in blocks for t in b.tests for c in t.caveats}
    findings = []
    for caveat in campaign.caveats:
        scope = caveat.scope
        if not caveat.open or id(caveat) in touched:
            continue
        if not (scope.tests or scope.procedures or scope.quantities or scope.settings or scope.detectors):
            continue
        if any(b.tests for b in blocks if scope.covers(block=b.block.id)):
            what = f"caveat {caveat.id!r} touches no test: nothing that was recorded lies in its scope"
            todo = "correct its scope, or resolve it"
            findings.append(Finding("idle-caveat", what, f"caveat {caveat.id}", todo))
    return findings
