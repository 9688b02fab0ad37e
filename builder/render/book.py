"""A report with its cross-references: everything a page mentions, found by name so that it can be linked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from analysis.contract import Procedure
from builder import comparisons
from builder.caveat_coverage import Coverage, coverage
from builder.comparisons import Pair
from builder.draw import channel_index
from builder.published import Move, moves
from builder.render import addresses
from builder.report import (
    BlockReport,
    BuildInfo,
    Change,
    FrameReport,
    ImageComparison,
    Judged,
    Outcome,
    Report,
    TestReport,
    Verdict,
    worst,
)
from builder.rollup import Standing, of_block
from campaign.certification import frame_subject, subject
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.model import Caveat, Limit, Source
from campaign.record import Snapshot, Test

Held = TypeVar("Held")


def _apart(held: Iterable[Held]) -> Iterable[Held]:
    """Objects of which many are one and the same, each object once: comparing them by value costs more."""
    return {id(x): x for x in held}.values()


@dataclass(frozen=True)
class Book:
    """The report, its lookups, and the campaign files that could not be copied into the site (``absent``)."""

    report: Report
    absent: Collection[str] = ()

    def of_build(self, info: BuildInfo, changes: tuple[Change, ...]) -> Book:
        """The same book of the report of a build: all lookups made so far are kept."""
        book = Book(replace(self.report, info=info, changes=changes), self.absent)
        report = book.report
        book.__dict__.update(self.__dict__ | {"report": report})
        return book

    @property
    def now(self) -> datetime:
        """When the build began: ages are relative to it."""
        return self.report.info.started

    @cached_property
    def blocks(self) -> dict[str, BlockReport]:
        """Blocks by id."""
        return {b.block.id: b for b in self.report.blocks}

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """What was judged of what is declared, and the verdict, of each block by its id."""
        return {b.block.id: of_block(b, self.report.campaign) for b in self.report.blocks}

    @cached_property
    def tests(self) -> dict[tuple[str, str], TestReport]:
        """Tests by (block, name)."""
        return {(t.block.id, t.test.name): t for t in self.report.tests()}

    def channel_index(self, name: str) -> int:
        """The colour that figures give a channel."""
        found = self.channel_indices.get(name)
        return channel_index(name) if found is None else found

    @cached_property
    def channel_indices(self) -> dict[str, int]:
        """The colour of each channel by its name, as figures of the first detector that has it show it."""
        out: dict[str, int] = {}
        for detector in self.report.campaign.detectors:
            names = [c.name for c in detector.geometry.channels]
            for name in names:
                out.setdefault(name, channel_index(name, names))
        return out

    @cached_property
    def namesakes(self) -> dict[str, list[TestReport]]:
        """Tests of all blocks by name."""
        out: dict[str, list[TestReport]] = defaultdict(list)
        for test in self.report.tests():
            out[test.test.name].append(test)
        return out

    @cached_property
    def of_source(self) -> dict[str, list[TestReport]]:
        """Tests by the record source that describes them."""
        out: dict[str, list[TestReport]] = defaultdict(list)
        for test in self.report.tests():
            if test.test.source and test.test.row:
                out[test.test.source].append(test)
        return out

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Outcomes by result id; those that have none (not run) have no page either."""
        out: dict[str, Outcome] = {}
        for outcome in self.report.outcomes():
            if outcome.result_id:
                out.setdefault(outcome.result_id, outcome)
        return out

    @cached_property
    def measurements(self) -> dict[str, tuple[Outcome, Judged]]:
        """Measurements by id, with their outcome."""
        return {j.id: (o, j) for o in self.outcomes.values() for j in o.measurements}

    @cached_property
    def procedures(self) -> dict[str, Procedure]:
        """Procedures by name: those of the report, and any that made an outcome."""
        found = {p.name: p for p in self.report.procedures}
        for outcome in self.report.outcomes():
            found.setdefault(outcome.procedure.name, outcome.procedure)
        return found

    @cached_property
    def snapshots(self) -> dict[str, Snapshot]:
        """Snapshots by source: the report's and its blocks'."""
        found = {s.source: s for s in self.report.snapshots}
        for block in self.report.blocks:
            for snapshot in block.snapshots:
                found.setdefault(snapshot.source, snapshot)
        return found

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Record sources by id."""
        return {s.id: s for s in self.report.campaign.sources}

    @cached_property
    def frames(self) -> dict[tuple[str, str], FrameReport]:
        """Frames in exposure tables, by (block, frame id)."""
        return {(b.block.id, f.frame.id): f for b in self.report.blocks for f in b.frames}

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        """Limits: the campaign's, and any other that judged a measurement. Several may share an id."""
        found = dict.fromkeys(self.report.campaign.limits)
        found |= dict.fromkeys(_apart(j.limit for _, j in self.measurements.values() if j.limit))
        return tuple(found)

    @cached_property
    def caveats(self) -> tuple[Caveat, ...]:
        """Caveats: the campaign's, and any other that touches a block, test or measurement."""
        found = dict.fromkeys(self.report.campaign.caveats)
        held: list[Iterable[Caveat]] = [b.caveats for b in self.report.blocks]
        held += [t.caveats for t in self.report.tests()]
        held += [o.caveats for o in self.report.outcomes()]
        held += [j.caveats for _, j in self.measurements.values()]
        return tuple(found | dict.fromkeys(_apart(c for some in held for c in some)))

    @cached_property
    def detectors(self) -> tuple[str, ...]:
        """Names of detectors: the campaign's in its order, then any that only results name."""
        names = [d.name for d in self.report.campaign.detectors]
        return tuple(dict.fromkeys(names + [o.detector for o in self.report.outcomes()]))

    @cached_property
    def of_detector(self) -> dict[str, list[Outcome]]:
        """What ran on each detector, in the order of tests."""
        out: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self.report.outcomes():
            if outcome.status != "not run":
                out[outcome.detector].append(outcome)
        return out

    @cached_property
    def certified_pages(self) -> dict[str, str]:
        """The pages of what may be certified, by address: of tests, results, and exposure tables for frames."""
        found = {subject(b, t): addresses.test_page(b, t) for b, t in self.tests}
        found |= {subject(*o.place): addresses.result_page(r) for r, o in self.outcomes.items()}
        for block, name in self.frames if self.report.certification.of_frames else ():
            frame = self.frames[block, name].frame
            address = frame_subject(frame.exposure, frame.detector, block)
            found[address] = addresses.exposure_row(block, name, self.parts[block, name])
        return found

    @cached_property
    def review_pages(self) -> dict[tuple[str, str], str]:
        """The page of the review of each test with anything to look at: previews of frames, figures or products."""
        return {
            place: addresses.review_page(*place)
            for place, test in self.tests.items()
            if any(o.figures or o.products for o in test.outcomes)
            or any(
                held is not None and held.preview
                for held in (self.frame_of(place[0], f) for f in test.frames)
            )
        }

    @cached_property
    def of_procedure(self) -> dict[str, list[tuple[TestReport, Verdict]]]:
        """The tests that each procedure analyses, with its verdicts, in order."""
        out: dict[str, list[tuple[TestReport, Verdict]]] = defaultdict(list)
        for test in self.report.tests():
            for name in self.procedures_of(test):
                out[name].append((test, self.verdict_of(test, name)))
        return out

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, each once: the report's, and any that only a block, test or frame holds."""
        found = dict.fromkeys(self.report.findings)
        for block in self.report.blocks:
            found |= dict.fromkeys(block.findings)
            found |= dict.fromkeys(f for t in block.tests for f in t.findings)
            found |= dict.fromkeys(f for r in block.frames for f in r.findings)
        return tuple(found)

    @cached_property
    def parts(self) -> dict[tuple[str, str], int]:
        """The part of its block's exposure table that each frame is in, by (block, frame id), from 1."""
        return {
            (b.block.id, f.frame.id): 1 + n // addresses.FRAMES_A_PAGE
            for b in self.report.blocks
            for n, f in enumerate(b.frames)
        }

    @cached_property
    def neighbours(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The tests before and after each test in its block, by (block, name); '' at the ends."""
        out = {}
        for block in self.report.blocks:
            names = ["", *(t.test.name for t in block.tests), ""]
            for before, name, after in zip(names, names[1:], names[2:], strict=False):
                out[block.block.id, name] = before, after
        return out

    @cached_property
    def judged(self) -> dict[int, Counter[Verdict]]:
        """Verdicts of the measurements that each limit judged, by the limit's identity in this report."""
        out: dict[int, Counter[Verdict]] = defaultdict(Counter)
        for _, j in self.measurements.values():
            if j.limit:
                out[id(j.limit)][j.verdict] += 1
        return out

    @cached_property
    def coverage(self) -> Coverage:
        """What rests on caveated data."""
        return coverage(self.report)

    @cached_property
    def unjudged(self) -> dict[int, Counter[str]]:
        """Codes of why each limit could not judge measurements, by the limit's identity in this report."""
        out: dict[int, Counter[str]] = defaultdict(Counter)
        for _, j in self.measurements.values():
            if j.limit and j.unjudged:
                out[id(j.limit)][j.unjudged] += 1
        return out

    @cached_property
    def moved(self) -> dict[str, tuple[Move, ...]]:
        """What report versions published of measurements otherwise, by measurement id, the newest version first."""
        return moves(self.report.versions)

    def moved_of(self, outcomes: Iterable[Outcome]) -> list[Move]:
        """The same of all measurements of some outcomes, the newest version first and the largest significance first."""
        if not self.moved:
            return []
        found = [m for o in outcomes for j in o.measurements for m in self.moved.get(j.id, ())]
        return sorted(found, key=lambda m: (-m.versions[0].number, -m.number.weight))

    @cached_property
    def pairs(self) -> list[Pair]:
        """The blocks that are compared."""
        return comparisons.pairs(self.report.campaign, self.report.blocks)

    @cached_property
    def references(self) -> dict[str, tuple[str, str]]:
        """(block, test) that each procedure's tests are compared with, where the campaign names one."""
        return comparisons.references(self.report.campaign)

    @cached_property
    def earlier(self) -> dict[tuple[str, str], TestReport]:
        """The earlier test that each test is compared with, by (block, name)."""
        return comparisons.earlier(self.report.tests())

    @cached_property
    def images(self) -> dict[tuple[str, str], list[ImageComparison]]:
        """Masters against those of reference tests, by the test's (block, name)."""
        out: dict[tuple[str, str], list[ImageComparison]] = defaultdict(list)
        for image in self.report.images:
            out[image.place[0], image.place[1]].append(image)
        return out

    def frame_of(self, block: str, frame: Frame) -> FrameReport | None:
        """The exposure table's entry of a frame; frames may be borrowed from another block."""
        return self.frames.get((frame.block or block, frame.id))

    def frame_address(self, block: str, frame: Frame) -> str | None:
        """Where a frame is in the exposure table of its block, or None when it is in none."""
        place = frame.block or block
        part = self.parts.get((place, frame.id))
        return None if part is None else addresses.exposure_row(place, frame.id, part)

    def record_address(self, test: Test) -> str | None:
        """Where a test's row is among the records, or None when that table was never read."""
        snapshot = self.snapshots.get(test.source)
        if snapshot is None or snapshot.table is None:
            return None
        known = test.row in self._rows[test.source]
        return addresses.record_row(test.source, test.row) if known else addresses.record_page(test.source)

    @cached_property
    def _rows(self) -> dict[str, frozenset[int]]:
        return {s: frozenset(x.table.row_numbers) for s, x in self.snapshots.items() if x.table is not None}

    def place_of(self, finding: Finding) -> str | None:
        """The page a finding is about: its test's, its block's or its detector's."""
        if finding.block and finding.test and (finding.block, finding.test) in self.tests:
            return addresses.test_page(finding.block, finding.test)
        if finding.block in self.blocks and finding.block:
            return addresses.block_page(finding.block)
        if finding.detector in self.detectors and finding.detector:
            return addresses.detector_page(finding.detector)
        return None

    def procedures_of(self, test: TestReport) -> list[str]:
        """Names of the procedures that analyse a test, in order."""
        if id(test) not in self._procedures_of:
            names = [o.procedure.name for o in test.outcomes]
            names += test.test.procedures or self.report.campaign.procedures_for(test.test.name)
            self._procedures_of[id(test)] = [n for n in dict.fromkeys(names) if n in self.procedures]
        return self._procedures_of[id(test)]

    @cached_property
    def _procedures_of(self) -> dict[int, list[str]]:
        return {}  # by the identity of a test's report, which lives as long as this book

    def verdict_of(self, test: TestReport, procedure: str) -> Verdict:
        """The verdict of one procedure on a test; before it has any outcome, planned or not run."""
        found = [o.verdict for o in test.outcomes if o.procedure.name == procedure]
        if found:
            return worst(found)
        return Verdict.PLANNED if test.verdict == Verdict.PLANNED else Verdict.NOT_RUN
