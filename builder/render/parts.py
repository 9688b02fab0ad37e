"""What each kind of page shows, part by part, as digests.

Two uses. A page whose parts are all as when it was drawn last is not drawn again: so a part must cover everything
that its page shows. And ``calbook why`` tells by them which part made a page change: so each has a name in plain words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, time
from pathlib import Path

from analysis.contract import Procedure
from analysis.declaration_lint import call_path
from builder.digests import NOTHING, digest
from builder.render import environment, parts_certification
from builder.render.book import Book
from builder.render.facts import Facts
from builder.render.format import age
from builder.render.pages_caveats import coverage_facts
from builder.render.pages_procedure import naming, trend_pages
from builder.render.parts_check import against_part
from builder.render.parts_verdicts import coverage_parts
from builder.report import BlockReport, Outcome, TestReport
from campaign.model import Caveat
from campaign.record import Snapshot

Parts = Mapping[str, str]

_DRAWING = ("draw_frame", "draw_time", "draw_trend", "trend_found", "trend_series", "trends")
_TRENDS = ("trend.html.j2", "trends.html.j2", "regressions.html.j2")


def template_digest(name: str) -> str:
    """A digest of a page's template and the pieces it shares with others."""
    shared = ("macros.html.j2", "trend_macros.html.j2") if name in _TRENDS else ("macros.html.j2",)
    names = (*shared, "certified.html.j2", name) if name else ()
    return digest([(environment.TEMPLATES / n).read_text("utf-8") for n in names])


def code_digest() -> str:
    """A digest of the code that makes pages and exports."""
    builder = Path(__file__).resolve().parents[1]
    beside = (
        builder / f"{name}.py"
        for name in (
            "exports",
            "measurement_tables",
            "report",
            "published",
            "digests",
            "draw",
            "rollup",
            "flips",
            "certified",
            "decide",
            "health_check",
            "comparisons",
            *_DRAWING,
        )
    )
    return digest([p.read_text("utf-8") for p in (*sorted(Path(__file__).parent.glob("*.py")), *beside)])


def test_parts(facts: Facts, test: TestReport) -> Parts:
    """Of a test's page."""
    book, block = facts.book, test.block
    source = book.snapshots.get(test.test.source)
    stale = source is not None and source.stale
    return {
        "its row of the record": digest(test.test, test.expected),
        "its record source": digest(
            book.record_address(test.test), facts.read(source) if stale and source else None
        ),
        "its frames": facts.frames_of(test),
        "its results": _results(facts, test),
        "verdicts and limits": _verdicts(facts, test),
        "caveats": facts.together(test.caveats),
        "findings": facts.together(test.findings),
        "tests beside it": digest(
            book.neighbours.get((block.id, test.test.name)), facts.namesakes[test.test.name]
        ),
        "its block": facts.blocks[block.id],
        "names": facts.names,
        "what it is compared with": against_part(facts, test),
        "certification": facts.certified(test),
    }


test_parts.__test__ = False  # type: ignore[attr-defined]  # not a test of ours, whatever its name suggests


def _results(facts: Facts, test: TestReport) -> str:
    outcomes = test.outcomes
    return digest(
        [facts.result(o) for o in outcomes], facts.geometries(outcomes), facts.book.procedures_of(test)
    )


def _verdicts(facts: Facts, test: TestReport) -> str:
    return digest(str(test.verdict), test.verdict_why, [facts.judged(o) for o in test.outcomes])


def numbers_parts(facts: Facts, test: TestReport) -> Parts:
    """Of the page of all numbers of a test."""
    return {
        "its results": _results(facts, test),
        "verdicts and limits": _verdicts(facts, test),
        "caveats": facts.together(test.caveats),
        "names": facts.names,
    }


def result_parts(facts: Facts, outcome: Outcome) -> Parts:
    """Of the provenance of a result."""
    book = facts.book
    inputs = [
        (role, f.id, f.block, f.fields, f.file.path, f.file.size, f.file.fingerprint, book.parts.get((f.block or outcome.block, f.id)))
        for role, f in outcome.inputs
    ]  # fmt: skip
    return {
        "the result": digest(facts.result(outcome), (outcome.block, outcome.test) in book.tests),
        "verdicts, limits and earlier values": facts.judged(outcome),
        "its input frames": digest(inputs),
        "values of other procedures": digest(
            [
                (
                    what,
                    mid,
                    mid in book.measurements or mid in book.outcomes,
                    facts.shared(_caveats_of(book, mid)),
                )
                for what, mid in outcome.used
            ]
        )
        if outcome.used
        else NOTHING,
        "names": facts.names,
        "certification": parts_certification.of_result(facts, outcome),
    }


def _caveats_of(book: Book, measurement: str) -> tuple[Caveat, ...]:
    found = book.measurements.get(measurement)
    made = book.outcomes.get(measurement)
    return found[1].caveats if found else made.caveats if made else ()


def block_parts(facts: Facts, block: BlockReport) -> Parts:
    """Of a block's page."""
    book, held = facts.book, [o for t in block.tests for o in t.outcomes]
    blocks = list(book.blocks)
    here = blocks.index(block.block.id)
    found = (*block.findings, *(f for t in block.tests for f in t.findings))
    campaign = book.report.campaign
    return {
        "the block's file": digest(facts.shared((block.block,)), block.body_html, facts.absent),
        "its record": digest([t.test for t in block.tests], [facts.table(s) for s in block.snapshots]),
        "its frames": digest(
            len(block.frames), len(block.damaged), [(t.exposures, t.expected) for t in block.tests]
        ),
        "results of its tests": digest(
            [facts.result(o) for o in held],
            facts.geometries(held),
            [book.procedures_of(t) for t in block.tests],
        ),
        "verdicts and limits": digest(
            [(str(t.verdict), t.verdict_why) for t in block.tests], [facts.judged(o) for o in held]
        ),
        "caveats": digest(facts.shared(block.caveats), [facts.together(t.caveats) for t in block.tests]),
        "findings": facts.together(found),
        "certification": digest(book.report.certification.count(block.block.id)),
        "blocks beside it": digest(blocks[max(here - 1, 0) : here + 2]),
        "names": digest(facts.names, [d.name for d in campaign.detectors_of(block.block)]),
    }


def exposures_parts(facts: Facts, block: BlockReport, part: int, parts: int) -> Parts:
    """Of a part of a block's exposure table."""
    return {
        "its frames and their findings": facts.frames[block.block.id][part - 1],
        "its damaged files": digest(block.damaged if part == 1 else ()),
        "the number of its parts": digest(parts),
        "caveats": facts.together(block.caveats),
        "its block": facts.blocks[block.block.id],
        "names": facts.names,
    }


def detector_parts(facts: Facts, name: str) -> Parts:
    """Of a detector's page."""
    book = facts.book
    outcomes = book.of_detector.get(name, [])
    blocks = [b.block.id for b in book.report.blocks if not b.block.detectors or name in b.block.detectors]
    declared = book.report.campaign.detector(name)
    return {
        "its geometry": digest(facts.shared((declared,)) if declared else None),
        "its results": digest([(o.block, o.test, facts.result(o)) for o in outcomes]),
        "verdicts and limits": digest([facts.judged(o) for o in outcomes]),
        "caveats": facts.together(_of_detector(book.caveats, name)),
        "findings": facts.together(f for f in book.findings if f.detector == name),
        "blocks that hold it": digest(blocks),
        "names": facts.names,
    }


def _of_detector(caveats: tuple[Caveat, ...], name: str) -> list[Caveat]:
    return [c for c in caveats if c.scope.detectors and c.scope.covers(detector=name)]


def procedures_parts(facts: Facts) -> Parts:
    """Of the index of procedures."""
    book = facts.book
    verdicts = {n: [str(v) for _, v in book.of_procedure.get(n, ())] for n in book.procedures}
    return {
        "declarations": digest([facts.procedure(p) for p in book.procedures.values()]),
        "verdicts of their tests": digest(verdicts),
    }


def procedure_parts(facts: Facts, procedure: Procedure, known: Collection[str]) -> Parts:
    """Of a procedure's page; ``known`` are the addresses of the site's pages."""
    book = facts.book
    use = book.report.campaign.procedures.get(procedure.name)
    tests = book.of_procedure.get(procedure.name, ())
    limits = [x for x in book.limits if x.quantity.partition(".")[0] == procedure.name]
    return {
        "its declaration": facts.procedure(procedure),
        "its call": digest(call_path(procedure), book.report.campaign.instrument),
        "its parameters here": digest(use.parameters if use else None, use.tests if use else ()),
        "caveats": facts.together(naming(book.caveats, procedure)),
        "its trends": digest(trend_pages(procedure, known)),
        "limits": facts.together(limits),
        "its tests and their verdicts": digest([(t.test.key, t.test.date, str(v)) for t, v in tests]),
        "names": facts.names,
    }


def record_parts(facts: Facts, snapshot: Snapshot) -> Parts:
    """Of a record source's page."""
    book = facts.book
    declared = book.sources.get(snapshot.source)
    rows = [(t.test.row, t.test.key) for t in book.of_source.get(snapshot.source, ())]
    return {
        "the table": facts.table(snapshot),
        "its declaration": digest(facts.shared((declared,)) if declared else None),
        "tests that its rows name": digest(rows),
        "names": facts.names,
    }


def health_parts(facts: Facts) -> Parts:
    """Of the health page."""
    return {"findings": digest(facts.findings(facts.book.findings))}


def caveats_parts(facts: Facts) -> Parts:
    """Of the page of caveats."""
    book = facts.book
    ages = [age(datetime.combine(c.date, time()), facts.now) if c.date else "" for c in book.caveats]
    touching = [(t.test.key, facts.together(t.caveats)) for t in book.report.tests() if t.caveats]
    return {
        "caveats": facts.together(book.caveats),
        "their age": digest(ages),
        "what they touch": digest(
            [(b.block.id, facts.together(b.caveats)) for b in book.report.blocks],
            touching,
            [book.coverage.by_caveat.get(id(c)) for c in book.caveats],
            book.coverage.whole,
        ),
        "what they said before": digest(book.report.caveat_history),
        "names": facts.names,
    }


def caveat_coverage_parts(facts: Facts) -> Parts:
    """Of the page of what rests on caveated data."""
    return {"counts": digest(coverage_facts(facts.book)), "names": facts.names}


def limits_parts(facts: Facts) -> Parts:
    """Of the page of limits."""
    book = facts.book
    counts = [sorted((str(v), n) for v, n in book.judged[id(x)].items()) for x in book.limits]
    return {
        "limits": facts.together(book.limits),
        "what they judged": digest(counts, [sorted(book.unjudged[id(x)].items()) for x in book.limits]),
        "quantities": digest([facts.procedure(p) for p in book.procedures.values()]),
        "names": facts.names,
    }


def hardware_parts(facts: Facts) -> Parts:
    """Of the page of hardware."""
    book = facts.book
    blocks = [(b.block.id, b.block.status, b.block.facility, b.block.hardware) for b in book.report.blocks]
    trackers = [
        facts.table(s)
        for s in book.snapshots.values()
        if (declared := book.sources.get(s.source)) and declared.kind == "hardware"
    ]
    return {"blocks": digest(blocks), "hardware tracker": digest(trackers), "names": facts.names}


def documents_parts(facts: Facts) -> Parts:
    """Of the page of documents."""
    return {"documents": digest(facts.shared(facts.book.report.campaign.documents), facts.absent)}


def home_parts(facts: Facts, description: str) -> Parts:
    """Of the home page."""
    report = facts.book.report
    campaign = report.campaign
    return {
        "tests, their results and verdicts": digest(list(facts.tests.values())),
        **coverage_parts(facts),
        "findings": digest(facts.findings(facts.book.findings)),
        "caveats": digest(facts.shared(facts.book.caveats), [facts.together(b.caveats) for b in report.blocks]),
        "record sources": digest([facts.table(s) for s in facts.book.snapshots.values()], campaign.sources),
        "facts of the campaign": digest(
            campaign.title, campaign.instrument, campaign.description, description, campaign.documents,
            campaign.people, facts.shared(b.block for b in report.blocks), facts.absent, facts.names,
        ),
        "the build, and what changed since the one before": digest(
            report.info.started, report.info.previous, report.changes
        ),
    }  # fmt: skip


def build_parts(facts: Facts) -> Parts:
    """Of the page about the build: it is of one build, and so drawn by each that changed something."""
    report = facts.book.report
    return {"the build": digest(facts.build, report.changes), "the campaign": facts.whole}
