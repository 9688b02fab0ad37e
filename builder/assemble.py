"""From results to a report: judge every measurement, gather tests into blocks, and tell what changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.contract import Measurement
from builder.acquired.blockfolders import BlockFolders
from builder.acquired.match import Matching
from builder.judge import Judgement, Place, judge
from builder.measure import MeasuredAll, measurement_id
from builder.plan import NotRun, Task
from builder.plugins import Known
from builder.render import addresses
from builder.report import (
    BlockReport,
    Change,
    DrawnFigure,
    FrameReport,
    Judged,
    Outcome,
    StoredProduct,
    TestReport,
    Verdict,
    worst,
)
from builder.store import StoredResult
from builder.summaries import Summarised, file_key, frame_key
from campaign.findings import Finding
from campaign.frames import Frame, FrameFile
from campaign.model import Block, Campaign, Caveat
from campaign.names import slug
from campaign.record import Snapshot, Test

_MORE = re.compile(r" and \d+ more$")

StoredVerdict = tuple[str, str | None, float | None, float | None, str]


@dataclass
class Gathered:
    """Everything that the stages before handed on, for the report."""

    campaign: Campaign
    known: Mapping[str, Known]
    tests: Sequence[Test]
    snapshots: Sequence[Snapshot]
    files: Sequence[FrameFile]
    matching: Matching
    summarised: Summarised
    measured: MeasuredAll
    history: Mapping[tuple[str, str, str, str], Sequence[str]]  # results shown before, newest first
    earlier_results: Mapping[str, StoredResult]
    verdict_history: Mapping[str, Sequence[StoredVerdict]]
    findings: Sequence[Finding]
    bodies: Mapping[str, str] = field(default_factory=dict)


class Assembler:
    """Builds the report of one build."""

    def __init__(self, gathered: Gathered) -> None:
        self.g = gathered
        self.verdicts: dict[str, StoredVerdict] = {}
        self._folders = BlockFolders.of(gathered.campaign)
        self._findings: dict[str | None, list[Finding]] = {}
        self._at: dict[str, list[Finding]] = {}
        for finding in gathered.findings:
            self._findings.setdefault(finding.block, []).append(finding)
            for place in _places(finding.where):
                self._at.setdefault(place, []).append(finding)

    def blocks(self) -> tuple[BlockReport, ...]:
        """All blocks of the campaign, in its order."""
        return tuple(self._block(block) for block in self.g.campaign.blocks)

    def _block(self, block: Block) -> BlockReport:
        tests = tuple(self._test(block, t) for t in self.g.tests if t.block == block.id)
        of_frame = {frame_key(f): t.test.name for t in tests for f in t.frames}
        findings = tuple(self._findings.get(block.id, ()))
        sources = {s.id for s in self.g.campaign.sources if s.block == block.id} | {
            t.test.source for t in tests
        }
        return BlockReport(
            block,
            tests,
            tuple(
                self._frame(f, of_frame.get(frame_key(f))) for f in self.g.matching.frames if f.block == block.id
            ),
            tuple(
                f for f in self.g.files if f.state != "ok" and self._folders.block(f.root, f.path) == block.id
            ),
            tuple(s for s in self.g.snapshots if s.source in sources),
            tuple(c for c in self.g.campaign.caveats_for(block.id) if c.scope.overlaps(block.start, block.end)),
            findings,
            self.g.bodies.get(block.id, ""),
            addresses.block_page(block.id),
        )  # fmt: skip

    def _frame(self, frame: Frame, test: str | None) -> FrameReport:
        channels = self.g.summarised.channels.get(frame_key(frame), {})
        preview = self.g.summarised.previews.get(frame_key(frame), "")
        return FrameReport(
            frame,
            test,
            {name: (s.median, s.overscan_mean) for name, s in channels.items()},
            sum(s.saturated for s in channels.values()) if channels else None,
            tuple(self._at.get(file_key(frame.file), ())),
            f"previews/{preview}" if preview else "",
        )

    def _test(self, block: Block, test: Test) -> TestReport:
        frames = self.g.matching.by_test.get(test.key, ())
        findings = tuple(f for f in self._findings.get(block.id, ()) if f.test == test.name)
        outcomes = tuple(self._outcome(block, test, t) for t in self.g.measured.tasks.get(test.key, ()))
        verdict, why = self._verdict(test, block, frames, outcomes, findings)
        day = test.date or block.start
        return TestReport(
            test,
            block,
            tuple(frames),
            self.g.matching.expected.get(test.key),
            findings,
            outcomes,
            tuple(self.g.campaign.caveats_for(block.id, test.name, day=day)),
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

    def _outcome(self, block: Block, test: Test, task: Task | NotRun) -> Outcome:
        procedure = self.g.known[task.reference.name].procedure
        inputs = tuple((role, self._fingerprinted(f)) for role, held in task.roles.items() for f in held)
        if isinstance(task, NotRun):
            return Outcome(
                "", task.block, task.test, task.detector.name, procedure, "not run", task.why, inputs=inputs
            )
        stored = self.g.measured.result(task.result_id)
        detail = stored.detail
        place = Place(procedure.name, task.block, task.test, task.detector.name, test.date or block.start)
        return Outcome(
            stored.id,
            task.block,
            task.test,
            task.detector.name,
            procedure,
            stored.status,
            detail.get("error", ""),
            tuple(detail.get("log", ())),
            tuple(self._judged(stored, m, place, task.setting) for m in stored.measurements),
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
        )

    def _fingerprinted(self, frame: Frame) -> Frame:
        digest = self.g.summarised.fingerprints.get(file_key(frame.file), "")
        return replace(frame, file=replace(frame.file, fingerprint=digest))

    def _judged(self, stored: StoredResult, measurement: Measurement, place: Place, setting: str) -> Judged:
        judged: Judgement = judge(measurement, place, self.g.campaign.limits)
        mid = measurement_id(stored.id, measurement, setting)
        limit = judged.limit
        self.verdicts[mid] = (
            str(judged.verdict),
            limit.id if limit else None,
            limit.low if limit else None,
            limit.high if limit else None,
            judged.why,
        )
        return Judged(
            mid,
            addresses.measurement_page(stored.id, mid),
            measurement,
            judged.verdict,
            limit,
            judged.why,
            tuple(self._caveats(place, measurement.channel)),
            tuple(self._earlier(stored, measurement, setting)),
        )

    def _caveats(self, place: Place, channel: str | None) -> list[Caveat]:
        found = self.g.campaign.caveats_for(place.block, place.test, place.detector, channel, place.day)
        return [c for c in found if c.resolved is None]

    def _earlier(
        self, stored: StoredResult, measurement: Measurement, setting: str
    ) -> list[tuple[str, float | None, float | None, str, str]]:
        place = (stored.block, stored.test, stored.procedure, stored.detector)
        out = []
        for result in dict.fromkeys(self.g.history.get(place, ())):
            old = self.g.earlier_results.get(result)
            if old is None or old.id == stored.id:
                continue
            for m in old.measurements:
                if (m.quantity, m.channel, m.setting) == (
                    measurement.quantity, measurement.channel, measurement.setting,
                ):  # fmt: skip
                    verdicts = self.g.verdict_history.get(measurement_id(old.id, m, setting), ())
                    verdict = verdicts[0][0] if verdicts else ""
                    out.append((old.measured_at, m.value, m.uncertainty, verdict, old.id))
        return out

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
            )
            for spec in specs
            if spec.name in made
        ]


def _places(where: str) -> set[str]:
    """The places that a finding names (see ``builder.acquired.tally``): 'a.fits, b.fits and 3 more' are two."""
    return {where, *_MORE.sub("", where).split(", ")}


def state_of(blocks: Sequence[BlockReport]) -> dict[str, Any]:
    """What a later build compares itself with: verdicts, frames and values by test, caveats, damaged files."""
    tests: dict[str, Any] = {}
    for block in blocks:
        for test in block.tests:
            values = {
                f"{o.procedure.name}.{j.measurement.quantity} {o.detector} {j.measurement.channel or ''} {j.measurement.setting}".strip(): j.measurement.value
                for o in test.outcomes
                for j in o.measurements
            }
            tests[test.test.key] = [str(test.verdict), len(test.frames), values]
    caveats = {c.id: b.page for b in blocks for c in b.caveats}
    return {"tests": tests, "blocks": {b.block.id: b.block.status for b in blocks}, "caveats": caveats}


def changes_between(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """What changed from one build's state to the next, in words, each with the page to look at."""
    out: list[Change] = []
    old, new = before.get("tests", {}), now["tests"]
    for block, status in now["blocks"].items():
        earlier = before.get("blocks", {}).get(block)
        if earlier is None:
            out.append(Change("new block", block, addresses.block_page(block)))
        elif earlier != status:
            out.append(Change("block status", f"{block}: {earlier} → {status}", addresses.block_page(block)))
    for key, (verdict, frames, values) in new.items():
        block, _, test = key.partition("/")
        page = addresses.test_page(block, test)
        if key not in old:
            out.append(Change("new test", f"{key}: {verdict}", page))
            continue
        verdict0, frames0, values0 = old[key]
        if verdict != verdict0:
            out.append(Change("verdict", f"{key}: {verdict0} → {verdict}", page))
        if frames != frames0:
            out.append(Change("frames", f"{key}: {frames0} → {frames} frames", page))
        moved = [name for name, value in values.items() if name in values0 and values0[name] != value]
        if moved:
            more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
            name = moved[0]
            out.append(
                Change("value", f"{key}: {name} {_short(values0[name])} → {_short(values[name])}{more}", page)
            )
    out += [Change("test gone", key) for key in old if key not in new]
    for caveat, _page in now["caveats"].items():
        if caveat not in before.get("caveats", {}):
            out.append(Change("new caveat", caveat, addresses.caveat(caveat)))
    return out


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
