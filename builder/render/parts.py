"""What a page shows, part by part, as digests: so that ``calbook why`` can tell which part made it change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from builder.render import addresses
from builder.report import BlockReport, Report, TestReport

SITE_SRC = Path(__file__).resolve().parents[2] / "site_src"


def digest(*values: object) -> str:
    """A short digest of values by what they say."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]


def templates_digest() -> str:
    """A digest of the templates of the data pages."""
    paths = sorted((SITE_SRC / "pages").rglob("*.j2"))
    return digest(*(p.read_bytes() for p in paths))


def code_digest() -> str:
    """A digest of the code that makes pages and exports."""
    paths = [*sorted(Path(__file__).parent.glob("*.py")), SITE_SRC.parent / "builder" / "exports.py"]
    return digest(*(p.read_bytes() for p in paths))


def _test_parts(test: TestReport) -> dict[str, str]:
    judged = [j for o in test.outcomes for j in o.measurements]
    return {
        "its row of the record": digest(test.test),
        "its frames": digest([(f.id, f.file.path, f.fields) for f in test.frames]),
        "its results": digest([(o.result_id, o.status) for o in test.outcomes]),
        "verdicts and limits": digest(test.verdict, [(j.verdict, j.why, j.limit) for j in judged]),
        "caveats": digest(test.caveats),
        "findings": digest(test.findings),
    }


def _block_parts(block: BlockReport) -> dict[str, str]:
    return {
        "the block's file": digest(block.block, block.body_html),
        "its record": digest([t.test for t in block.tests], block.snapshots),
        "its frames": digest([(f.frame.id, f.test, f.levels) for f in block.frames], block.damaged),
        "results of its tests": digest([(t.verdict, [o.result_id for o in t.outcomes]) for t in block.tests]),
        "caveats": digest(block.caveats),
        "findings": digest(block.findings),
    }


def _home_parts(report: Report) -> dict[str, str]:
    campaign = report.campaign
    states = [
        (b.block.id, b.block.status, [(t.test.name, t.verdict, t.verdict_why) for t in b.tests])
        for b in report.blocks
    ]
    return {
        "status of the tests": digest(states),
        "findings": digest(report.findings),
        "caveats": digest(campaign.caveats),
        "record sources": digest(report.snapshots),
        "facts of the campaign": digest(campaign.title, campaign.description, campaign.documents, campaign.people, campaign.blocks),
        "what changed since the build before": digest(report.changes, report.info.previous),
    }  # fmt: skip


def page_parts(report: Report) -> Mapping[str, Mapping[str, str]]:
    """The parts of the pages that have some of their own: those of home, blocks and tests, by address."""
    out: dict[str, Mapping[str, str]] = {addresses.HOME: _home_parts(report)}
    for block in report.blocks:
        out[block.page] = out[addresses.exposures_page(block.block.id)] = _block_parts(block)
        for test in block.tests:
            out[test.page] = _test_parts(test)
    return out
