"""From results to a report: judge every measurement, and gather tests into blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar

from analysis.contract import Measurement, Procedure
from builder.acquired.blockfolders import BlockFolders
from builder.acquired.listing import file_key
from builder.caveats import Touching, raised_caveats
from builder.expectations import Place
from builder.judge import Judgement
from builder.judging import JudgedAll
from builder.measure import MeasuredAll
from builder.plan import NotRun, Task
from builder.plugins import Known
from builder.render import addresses
from builder.report import (
    NOTHING_COUNTED,
    BlockReport,
    Counts,
    DrawnFigure,
    FrameReport,
    Judged,
    Levels,
    Outcome,
    StoredProduct,
    TestReport,
    Verdict,
    worst,
)
from builder.store import StoredResult
from builder.summaries import Summaries, Summarised, frame_key
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.model import Block, Campaign, Caveat
from campaign.names import slug
from campaign.record import Snapshot, Test

_MORE = re.compile(r" and \d+ more$")

Held = TypeVar("Held")


@dataclass
class Gathered:
    """Everything that the stages before handed on, for the report."""

    campaign: Campaign
    known: Mapping[str, Known]
    tests: Sequence[Test]
    snapshots: Sequence[Snapshot]
    damaged: Sequence[FrameFile]
    summarised: Summarised
    measured: MeasuredAll
    history: Mapping[tuple[str, str, str, str], Sequence[str]]  # results shown before, newest first
    earlier_results: Mapping[str, StoredResult]
    judged: JudgedAll
    findings: Sequence[Finding]
    bodies: Mapping[str, str] = field(default_factory=dict)


class Assembler:
    """Builds the report of one build."""

    def __init__(self, gathered: Gathered) -> None:
        self.g, self._matching = gathered, gathered.summarised.matching
        self._folders = BlockFolders.of(gathered.campaign)
        self._findings: dict[str | None, list[Finding]] = {}
        self._of_test: dict[tuple[str | None, str | None], list[Finding]] = {}
        self._at: dict[str, list[Finding]] = {}
        for finding in gathered.findings:
            self._findings.setdefault(finding.block, []).append(finding)
            self._of_test.setdefault((finding.block, finding.test), []).append(finding)
            for place in _places(finding.where):
                self._at.setdefault(place, []).append(finding)
        self._tests = _grouped(gathered.tests, lambda t: t.block)
        self._frames = _grouped(self._matching.frames, lambda f: f.block)
        self._damaged = _grouped(gathered.damaged, lambda f: self._folders.block(f.root, f.path))
        self._touching = Touching(gathered.campaign)
        self._counts = _Counted(gathered.summarised.summaries)

    def blocks(self) -> tuple[BlockReport, ...]:
        """All blocks of the campaign, in its order."""
        return tuple(self._block(block) for block in self.g.campaign.blocks)

    def _block(self, block: Block) -> BlockReport:
        tests = tuple(self._test(block, t) for t in self._tests.get(block.id, ()))
        of_frame = {frame_key(f): t.test.name for t in tests for f in t.frames}
        findings = tuple(self._findings.get(block.id, ()))
        sources = {s.id for s in self.g.campaign.sources if s.block == block.id} | {
            t.test.source for t in tests
        }
        return BlockReport(
            block,
            tests,
            tuple(self._frame(f, of_frame.get(frame_key(f))) for f in self._frames.get(block.id, ())),
            tuple(self._damaged.get(block.id, ())),
            tuple(s for s in self.g.snapshots if s.source in sources),
            self._touching.block(block, tests),
            findings,
            self.g.bodies.get(block.id, ""),
            addresses.block_page(block.id),
        )  # fmt: skip

    def _frame(self, frame: Frame, test: str | None) -> FrameReport:
        preview = self.g.summarised.previews.get(frame_key(frame))
        counts = NOTHING_COUNTED if preview is None else self._counts
        findings = tuple(self._at.get(file_key(frame.file), ()))
        return FrameReport(frame, test, counts, findings, preview or "")

    def _test(self, block: Block, test: Test) -> TestReport:
        frames = self._matching.by_test.get(test.key, ())
        findings = tuple(self._of_test.get((block.id, test.name), ()))
        tasks = self.g.measured.tasks.get(test.key, ())
        raised = raised_caveats(block.id, test.name, self._raised(tasks))
        outcomes = tuple(self._outcome(block, test, t, raised) for t in tasks)
        verdict, why = self._verdict(test, block, frames, outcomes, findings)
        day = test.date or block.start
        return TestReport(
            test,
            block,
            tuple(frames),
            self._matching.expected.get(test.key),
            findings,
            outcomes,
            (*self._touching.test(block, test, day, self._procedures(test), outcomes), *raised),
            verdict,
            why,
            addresses.test_page(block.id, test.name),
        )

    def _verdict(
        self,
        test: Test,
        block: Block,
        frames: Sequence[Frame],
        outcomes: Sequence[Outcome],
        findings: Sequence[Finding],
    ) -> tuple[Verdict, str]:
        """A test's verdict: the worst of its outcomes; without any, why there is none."""
        done = [o for o in outcomes if o.status != "not run"]
        if done:
            verdict = worst([o.verdict for o in done])
            skipped = len(outcomes) - len(done)
            lacking = sum(f.kind == "missing-frames" for f in findings)
            notes = []
            if skipped:
                notes.append(f"{skipped} of {len(outcomes)} analyses could not run")
            if lacking:
                notes.append("some frames are missing")
            if notes and verdict in (Verdict.PASS, Verdict.NOT_EVALUATED):
                return Verdict.WARN, "; ".join(notes)
            return verdict, ""
        if not frames and (test.status.strip().lower() or block.status) == "planned":  # the row knows better
            return Verdict.PLANNED, "planned, not yet acquired"
        if not frames:
            return Verdict.NOT_RUN, "no frames were found"
        if not outcomes:
            return Verdict.NOT_EVALUATED, "no procedure analyses this test"
        return Verdict.NOT_RUN, outcomes[0].error

    def _raised(self, tasks: Sequence[Task | NotRun]) -> Iterable[tuple[str, str, str]]:
        """(procedure, detector, text) of the caveats that procedures raised."""
        for task in tasks:
            if isinstance(task, Task):
                for text in self.g.measured.result(task.result_id).detail.get("raised", ()):
                    yield task.reference.name, task.detector.name, text

    def _procedures(self, test: Test) -> list[Procedure]:
        """The procedures that analyse a test, or would if it had frames."""
        names = test.procedures or self.g.campaign.procedures_for(test.name)
        return [self.g.known[n].procedure for n in names if n in self.g.known]

    def _outcome(self, block: Block, test: Test, task: Task | NotRun, raised: Sequence[Caveat]) -> Outcome:
        procedure = self.g.known[task.reference.name].procedure
        inputs = tuple((role, f) for role, held in task.roles.items() for f in held)
        if isinstance(task, NotRun):
            return Outcome(
                "", task.block, task.test, task.detector.name, procedure, "not run", task.why, inputs=inputs
            )
        stored = self.g.measured.result(task.result_id)
        detail = stored.detail
        place = Place(procedure.name, task.block, task.test, task.detector.name, test.date or block.start)
        own = tuple(
            c for c in raised if c.raised_by == procedure.name and place.detector in c.scope.detectors
        )
        before = self._before(stored)
        judged = tuple(
            self._judged(mid, m, found, place, own, before)
            for mid, m, found in self.g.judged.results[stored.id].numbers
        )
        return Outcome(
            stored.id,
            task.block,
            task.test,
            task.detector.name,
            procedure,
            stored.status,
            detail.get("error", ""),
            tuple(detail.get("log", ())),
            judged,
            tuple(self._figures(stored)),
            tuple(self._products(stored)),
            detail.get("absent", {}),
            tuple(detail.get("raised", ())),
            inputs,
            task.used_ids,
            task.parameters,
            detail.get("versions", {}),
            stored.measured_at,
            stored.seconds,
            addresses.result_page(stored.id),
            (
                *self._touching.result(place, procedure, lambda: {m.setting for m in stored.measurements}),
                *own,
            ),
        )

    def _judged(
        self,
        mid: str,
        measurement: Measurement,
        found: Judgement,
        place: Place,
        own: tuple[Caveat, ...],
        before: Sequence[StoredResult],
    ) -> Judged:
        caveats = self._touching.number(place, measurement)
        limit, bounds = found.limit, (found.low, found.high)
        return Judged(
            mid,
            measurement,
            found.verdict,
            limit,
            found.why,
            caveats + own if own else caveats,
            tuple(self._earlier(before, measurement)) if before else (),
            None if limit is None or limit.stated == bounds else bounds,
            found.unjudged,
        )

    def _before(self, stored: StoredResult) -> list[StoredResult]:
        """The results that the place of one has shown before it, newest first."""
        place = (stored.block, stored.test, stored.procedure, stored.detector)
        held = (self.g.earlier_results.get(r) for r in dict.fromkeys(self.g.history.get(place, ())))
        return [old for old in held if old is not None and old.id != stored.id]

    def _earlier(
        self, before: Sequence[StoredResult], measurement: Measurement
    ) -> Iterator[tuple[str, float | None, float | None, str, str]]:
        wanted = measurement.quantity, measurement.channel, measurement.setting
        for old in before:
            for _, m, found in self.g.judged.results[old.id].numbers:
                if (m.quantity, m.channel, m.setting) == wanted:
                    verdict = str(found.verdict)
                    yield old.measured_at, m.value, m.uncertainty, verdict, old.id

    def _figures(self, stored: StoredResult) -> list[DrawnFigure]:
        made: Mapping[str, Any] = stored.detail.get("figures", {})
        specs = self.g.known[stored.procedure].procedure.figures
        return [
            DrawnFigure(
                spec.name,
                spec.title,
                spec.caption,
                f"figures/{made[spec.name]['light']}",
                f"figures/{made[spec.name]['dark']}",
                f"figures/{made[spec.name]['data']}",
                made[spec.name]["width"],
                made[spec.name]["height"],
                made[spec.name]["alt"],
                f"figures/{script}" if (script := made[spec.name].get("interactive")) else "",
            )
            for spec in specs
            if spec.name in made
        ]

    def _products(self, stored: StoredResult) -> list[StoredProduct]:
        made: Mapping[str, Any] = stored.detail.get("products", {})
        specs = self.g.known[stored.procedure].procedure.products
        folder = f"products/{slug(stored.block)}/{slug(stored.test)}"
        return [
            StoredProduct(
                spec.name,
                spec.meaning,
                f"{folder}/{slug(stored.detector)}_{slug(stored.procedure)}_{spec.name}.{spec.form}",
                made[spec.name]["size"],
                made[spec.name]["digest"],
                made[spec.name]["object"],
            )
            for spec in specs
            if spec.name in made
        ]


class _Counted(Counts):
    """Counts that are in the summaries of frames."""

    def __init__(self, summaries: Summaries) -> None:
        self._summaries = summaries

    def of(self, frame: Frame) -> tuple[Levels, int | None]:
        channels = self._summaries.channels(frame)
        levels = {name: (s.median, s.overscan_mean) for name, s in channels.items()}
        return levels, sum(s.saturated for s in channels.values()) if channels else None

    def source(self, frame: Frame) -> str:
        return self._summaries.counted_from(frame)


def _places(where: str) -> set[str]:
    """The places that a finding names (see ``builder.acquired.tally``): 'a.fits, b.fits and 3 more' are two."""
    return {where, *_MORE.sub("", where).split(", ")}


def _grouped(held: Iterable[Held], by: Callable[[Held], str]) -> dict[str, list[Held]]:
    out: dict[str, list[Held]] = {}
    for one in held:
        out.setdefault(by(one), []).append(one)
    return out
