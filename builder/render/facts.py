"""What a report holds, as digests: each fact once, however many pages show it.

A result is told by its id, which already stands for all that it depends on; a limit, a caveat or a finding that many
measurements share is digested once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property

from analysis.contract import Procedure
from builder.digests import NOTHING, digest
from builder.render import addresses
from builder.render.book import Book
from builder.render.format import age
from builder.render.pages_certification import about_test, decisions
from builder.report import BlockReport, BuildInfo, Change, FrameReport, Outcome, TestReport
from campaign.findings import Finding
from campaign.frames import Frame
from campaign.record import Snapshot


class Facts:
    """Digests of the parts of a report."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._shared: dict[int, str] = {}
        self._results: dict[int, str] = {}
        self._judged: dict[int, str] = {}
        self._together: dict[tuple[int, ...], str] = {}
        self._numbers: dict[int, str] = {}
        self._tables: dict[str, str] = {}
        self._procedures: dict[str, str] = {}
        self._geometries: dict[tuple[str, ...], str] = {}
        self._frames_of: dict[int, str] = {}
        self._certified: dict[int, str] = {}

    def of_build(self, info: BuildInfo, changes: tuple[Change, ...]) -> Facts:
        """The same facts for the report of a build: only what is told of the build itself differs."""
        facts = Facts(self.book.of_build(info, changes))
        own = facts.book
        facts.__dict__ |= self.__dict__ | {"book": own}
        return facts

    @property
    def now(self) -> datetime:
        """When the build began: ages are relative to it."""
        return self.book.now

    @property
    def build(self) -> list[object]:
        """Which build it is; not what it cost, which is known only at its end."""
        info = self.book.report.info
        return [info.build_id, info.started, info.command, info.versions, info.previous]

    def shared(self, held: Iterable[object]) -> list[str]:
        """Digests of objects that live as long as the report: limits, caveats, findings, geometries."""
        out = []
        for one in held:
            if (key := id(one)) not in self._shared:
                self._shared[key] = digest(one)
            out.append(self._shared[key])
        return out

    def together(self, held: Iterable[object]) -> str:
        """One digest of several such objects: what many tests share is digested once."""
        objects = tuple(held)
        if not objects:
            return NOTHING
        key = tuple(map(id, objects))
        if key not in self._together:
            self._together[key] = digest(self.shared(objects))
        return self._together[key]

    @cached_property
    def names(self) -> str:
        """What pages can link to by name: blocks, detectors, procedures, quantities over time."""
        book = self.book
        return digest(
            list(book.blocks), book.detectors, list(book.procedures), list(book.report.trends.groups)
        )

    @cached_property
    def shifts(self) -> str:
        """All steps and drifts of series."""
        from builder.render.parts_trends import digest_of_shifts

        return digest_of_shifts(self)

    @property
    def analysis(self) -> str:
        """The version of the code that looks for steps and drifts."""
        return self.book.report.info.versions.get("analysis code", "")

    @cached_property
    def blocks(self) -> dict[str, str]:
        """What pages within a block say of it, by its id."""
        return {name: digest(name, b.block.data_archived) for name, b in self.book.blocks.items()}

    @cached_property
    def namesakes(self) -> dict[str, str]:
        """The blocks that have a test of a name, by that name."""
        return {name: digest([t.block.id for t in held]) for name, held in self.book.namesakes.items()}

    @cached_property
    def compared(self) -> frozenset[tuple[str, str]]:
        """The blocks that are compared, each with the one that it is compared with."""
        return frozenset((p.here.block.id, p.there.block.id) for p in self.book.pairs)

    @cached_property
    def absent(self) -> str:
        """Files of the campaign folder that are named and not linked, because they are not there."""
        return digest(sorted(self.book.absent))

    def procedure(self, procedure: Procedure) -> str:
        """The declaration of a procedure, in full."""
        if procedure.name not in self._procedures:
            self._procedures[procedure.name] = digest(procedure)
        return self._procedures[procedure.name]

    def geometries(self, outcomes: Sequence[Outcome]) -> str:
        """The geometries of the detectors of some outcomes."""
        names = tuple(dict.fromkeys(o.detector for o in outcomes))
        if names not in self._geometries:
            found = map(self.book.report.campaign.detector, names)
            self._geometries[names] = self.together(d for d in found if d is not None)
        return self._geometries[names]

    def result(self, outcome: Outcome) -> str:
        """What was measured, or why nothing was; with the declaration that names it."""
        if id(outcome) not in self._results:
            o = outcome
            self._results[id(o)] = digest(
                o.result_id, o.status, o.error, o.measured_at, o.detector, o.log, o.raised, len(o.measurements),
                self.procedure(o.procedure),
            )  # fmt: skip
        return self._results[id(outcome)]

    def judged(self, outcome: Outcome) -> str:
        """The verdicts on an outcome's measurements, with limits, caveats and what was published before."""
        if id(outcome) not in self._judged:
            self._judged[id(outcome)] = digest(
                [
                    (
                        str(j.verdict),
                        j.why,
                        self.shared((j.limit,)) if j.limit else None,
                        self.shared(j.caveats) if j.caveats else None,
                        j.earlier or None,
                        j.bounds,
                        j.unjudged,
                    )
                    for j in outcome.measurements
                ],
                self.shared(outcome.caveats) if outcome.caveats else None,
            )
        return self._judged[id(outcome)]

    def numbers_of(self, test: TestReport) -> str:
        """The numbers of a test, judged, with where they stand."""
        if id(test) not in self._numbers:
            held = [(o.block, o.test, self.result(o), self.judged(o)) for o in test.outcomes]
            self._numbers[id(test)] = digest(held)
        return self._numbers[id(test)]

    def frame(self, block: str, frame: Frame) -> list[object]:
        """A frame as a test's page shows it: what was acquired, its preview, its findings, its row's address."""
        held = self.book.frame_of(block, frame)
        return [
            frame.id, frame.exposure, frame.detector, frame.block, frame.fields, frame.file.path,
            held.preview if held else None, self.shared(held.findings) if held and held.findings else None,
            self.book.parts.get((frame.block or block, frame.id)),
        ]  # fmt: skip

    def frames_of(self, test: TestReport) -> str:
        """The frames of a test, as its page and its review show them."""
        if id(test) not in self._frames_of:
            self._frames_of[id(test)] = digest([self.frame(test.block.id, f) for f in test.frames])
        return self._frames_of[id(test)]

    def certified(self, test: TestReport) -> str:
        """What the page of a test, and its review, say of certification; what can be decided about is told by its results."""
        if id(test) not in self._certified:
            held, place = self.book.report.certification, (test.block.id, test.test.name)
            self._certified[id(test)] = digest(
                decisions(self.book, about_test(self.book, test)), held.count(*place), self.reasons,
                self.book.review_pages.get(place),
            )  # fmt: skip
        return self._certified[id(test)]

    @cached_property
    def reasons(self) -> str:
        """The reasons that a decision may have."""
        return digest(self.book.report.certification.reasons)

    @staticmethod
    def row(held: FrameReport) -> list[object]:
        """A frame as the exposure table shows it, but for its findings."""
        f = held.frame
        return [f.id, f.exposure, f.detector, f.fields, f.file.path, held.test, held.pixels, held.preview]

    def read(self, snapshot: Snapshot) -> list[object]:
        """How fresh a record source is, as pages say it: the age of one that is stale, else when it was read."""
        when = snapshot.pulled_at
        told = age(when, self.now) if when and snapshot.stale else when
        return [snapshot.source, snapshot.stale, snapshot.error, snapshot.table is None, told]

    def table(self, snapshot: Snapshot) -> str:
        """A record source whole: its address, its freshness and every cell."""
        return digest(self._content(snapshot), self.read(snapshot))

    def _content(self, snapshot: Snapshot) -> str:
        if snapshot.source not in self._tables:
            self._tables[snapshot.source] = digest(snapshot)
        return self._tables[snapshot.source]

    def findings(self, held: Iterable[Finding]) -> list[tuple[str, str | None]]:
        """Findings with the pages that they are about."""
        return [(self.shared((f,))[0], self.book.place_of(f)) for f in held]

    def test(self, test: TestReport) -> str:
        """All that is known of a test but for what is judged and shown of single frames."""
        return digest(
            test.test, test.expected, len(test.frames), test.exposures, str(test.verdict), test.verdict_why,
            self.together(test.findings), self.together(test.caveats), self.book.procedures_of(test),
            self.numbers_of(test),
        )  # fmt: skip

    @cached_property
    def tests(self) -> dict[int, str]:
        """``test`` of all tests, by the identity of their reports."""
        return {id(t): self.test(t) for t in self.book.report.tests()}

    def block_frames(self, block: BlockReport) -> list[str]:
        """The rows of a block's exposure table, part by part."""
        size = addresses.FRAMES_A_PAGE
        return [
            digest([(self.row(r), self.shared(r.findings)) for r in block.frames[n : n + size]])
            for n in range(0, max(len(block.frames), 1), size)
        ]

    @cached_property
    def frames(self) -> dict[str, list[str]]:
        """``block_frames`` of all blocks, by id."""
        return {b.block.id: self.block_frames(b) for b in self.book.report.blocks}

    @cached_property
    def numbers(self) -> str:
        """What the table of all measurements holds: results in their order, judged, and the sessions of their tests."""
        return digest([(t.test.session, self.numbers_of(t)) for t in self.book.report.tests()])

    @cached_property
    def whole(self) -> str:
        """Everything that the site shows of the campaign, whichever build it is of."""
        report = self.book.report
        return digest(
            report.campaign,
            [
                (b.block.id, b.body_html, self.frames[b.block.id], b.damaged, self.shared(b.caveats), self.shared(b.findings))
                for b in report.blocks
            ],
            list(self.tests.values()),
            [self._inputs(o) for o in report.outcomes()],
            [self._content(s) for s in self.book.snapshots.values()],
            self.shared(report.findings),
            [self.procedure(p) for p in report.procedures],
            self.absent,
            report.verdicts,
            report.images,
        )  # fmt: skip

    @staticmethod
    def _inputs(outcome: Outcome) -> list[tuple[str, str]]:
        return [(f.file.root, f.file.path) for _, f in outcome.inputs]
