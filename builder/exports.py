"""Exports: the numbers of a report as CSV, Parquet and JSON, for people and programs beyond the site."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from builder.report import Report, TestReport

COLUMNS = (
    "block", "session", "test", "procedure", "quantity", "detector", "channel", "setting", "value", "uncertainty",
    "unit", "n", "flags", "verdict", "limit_low", "limit_high", "limit_id", "measured_at", "result_id",
)  # fmt: skip
"""The columns of measurements.csv, in order. Permanent: programs rely on them."""


def measurement_rows(report: Report) -> Iterator[dict[str, Any]]:
    """One row per measurement; a value that could not be had is None, and its reason is among the flags."""
    for test in report.tests():
        for outcome in test.outcomes:
            for judged in outcome.measurements:
                m = judged.measurement
                flags = [*m.flags, *([f"reason:{m.reason}"] if m.reason else [])]
                yield dict(
                    zip(
                        COLUMNS,
                        (
                            outcome.block, test.test.session, outcome.test, outcome.procedure.name, m.quantity,
                            outcome.detector, m.channel, m.setting, m.value, m.uncertainty, m.unit, m.n,
                            " ".join(flags), str(judged.verdict),
                            judged.limit.low if judged.limit else None,
                            judged.limit.high if judged.limit else None,
                            judged.limit.id if judged.limit else None,
                            outcome.measured_at, judged.id,
                        ),
                        strict=True,
                    )
                )  # fmt: skip


def measurements_csv(report: Report) -> bytes:
    """measurements.csv: exact values (the shortest text that reads back to the same number), empty for none."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in measurement_rows(report):
        writer.writerow(
            {k: "" if v is None else repr(v) if isinstance(v, float) else v for k, v in row.items()}
        )
    return out.getvalue().encode()


def measurements_parquet(report: Report) -> bytes:
    """The same rows as Parquet, with the types that the CSV cannot carry."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = dict.fromkeys(("value", "uncertainty", "limit_low", "limit_high"), pa.float64()) | {
        "n": pa.int64()
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    columns = list(zip(*(row.values() for row in measurement_rows(report)), strict=True)) or [()] * len(
        COLUMNS
    )
    arrays = [pa.array(held, kind) for held, kind in zip(columns, schema.types, strict=True)]
    out = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=schema), out)
    return out.getvalue()


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
        caveats=[CaveatJson.model_validate(c.model_dump(mode="json")) for c in campaign.caveats],
        findings=[
            FindingJson(
                kind=f.kind, severity=str(f.severity), what=f.what, where=f.where, todo=f.todo,
                block=f.block, test=f.test, detector=f.detector,
            )
            for f in report.findings
        ],
    )  # fmt: skip
    return (out.model_dump_json(indent=1) + "\n").encode()


def campaign_schema() -> bytes:
    """The JSON schema of campaign.json, published beside it."""
    return (json.dumps(CampaignJson.model_json_schema(), indent=1, sort_keys=True) + "\n").encode()
