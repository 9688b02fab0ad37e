"""Exports: a report as JSON, for programs beyond the site. Its numbers as tables: ``builder.measurement_tables``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import BaseModel

from builder.certified import outcome_subject
from builder.decide import parts_of
from builder.report import Report, TestReport
from campaign.model import Caveat


class FindingJson(BaseModel):
    """A finding."""

    kind: str
    severity: str
    what: str
    where: str
    todo: str
    block: str | None
    test: str | None
    detector: str | None


class TestJson(BaseModel):
    """A test: its exposures, verdict and page."""

    __test__ = False

    name: str
    session: str
    status: str
    exposures: list[str]
    frames: int
    expected: int | None
    verdict: str
    page: str


class BlockJson(BaseModel):
    """A block with its tests."""

    id: str
    title: str
    kind: str
    status: str
    start: str | None
    end: str | None
    facility: str
    hardware: dict[str, str]
    verdict: str
    page: str
    tests: list[TestJson]


class CaveatJson(BaseModel):
    """A caveat with its scope."""

    id: str
    text: str
    severity: str
    author: str
    date: str | None
    resolved: str | None
    scope: dict[str, Any]
    effect: str = "mark"
    expires: str | None = None
    expired: bool = False
    resolution: str = ""
    raised_by: str = ""


class CampaignJson(BaseModel):
    """campaign.json: the campaign as a build knows it. ``format`` rises when a field changes its meaning."""

    format: int = 1
    id: str
    title: str
    instrument: str
    build: int
    built_at: str
    versions: dict[str, str]
    counts: dict[str, int]
    blocks: list[BlockJson]
    caveats: list[CaveatJson]
    findings: list[FindingJson]


def _raised(report: Report) -> Iterator[Caveat]:
    """The caveats that procedures raised, in the order of tests."""
    return (c for t in report.tests() for c in t.caveats if c.raised_by)


def _test_json(test: TestReport) -> TestJson:
    return TestJson(
        name=test.test.name,
        session=test.test.session,
        status=test.test.status,
        exposures=list(test.exposures),
        frames=len(test.frames),
        expected=test.expected,
        verdict=str(test.verdict),
        page=test.page,
    )


def campaign_json(report: Report) -> bytes:
    """campaign.json, as ``CampaignJson`` defines it."""
    campaign = report.campaign
    out = CampaignJson(
        id=campaign.id,
        title=campaign.title,
        instrument=campaign.instrument,
        build=report.info.build_id,
        built_at=report.info.started.isoformat(timespec="seconds"),
        versions=dict(report.info.versions),
        counts=report.counts(),
        blocks=[
            BlockJson(
                id=b.block.id,
                title=b.block.title,
                kind=b.block.kind,
                status=b.block.status,
                start=b.block.start.isoformat() if b.block.start else None,
                end=b.block.end.isoformat() if b.block.end else None,
                facility=b.block.facility,
                hardware=dict(b.block.hardware),
                verdict=str(b.verdict),
                page=b.page,
                tests=[_test_json(t) for t in b.tests],
            )
            for b in report.blocks
        ],
        caveats=[CaveatJson.model_validate(c.model_dump(mode="json")) for c in (*campaign.caveats, *_raised(report))],
        findings=[
            FindingJson(
                kind=f.kind, severity=str(f.severity), what=f.what, where=f.where, todo=f.todo,
                block=f.block, test=f.test, detector=f.detector,
            )
            for f in report.findings
        ],
    )  # fmt: skip
    return (out.model_dump_json(indent=1) + "\n").encode()


def subjects_json(report: Report) -> bytes:
    """subjects.json: what may be certified. Result ids by address, the parts of each outcome, the codes of reasons."""
    held = report.certification
    parts = {outcome_subject(o): parts_of(o) for o in report.outcomes() if o.result_id}
    named = {"format": 1, "results": held.results, "parts": parts, "reasons": held.reasons}
    return orjson.dumps(named, option=orjson.OPT_APPEND_NEWLINE)


def campaign_schema() -> bytes:
    """The JSON schema of campaign.json, published beside it."""
    return (json.dumps(CampaignJson.model_json_schema(), indent=1, sort_keys=True) + "\n").encode()
