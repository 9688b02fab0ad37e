"""Exports: the numbers of a report as CSV, Parquet and JSON, for people and programs beyond the site."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from pydantic import BaseModel

from builder.certified import outcome_subject
from builder.decide import parts_of
from builder.report import Report, TestReport
from campaign.model import Caveat

COLUMNS = (
    "block", "session", "test", "procedure", "quantity", "detector", "channel", "setting", "value", "uncertainty",
    "unit", "n", "flags", "verdict", "limit_low", "limit_high", "limit_id", "measured_at", "result_id", "caveats",
)  # fmt: skip
"""The columns of measurements.csv, in order. Permanent: programs rely on them; new ones come last.

``caveats`` holds the ids of the open caveats that touch the number, with '; ' between them.
"""


Row = tuple[str | float | int | None, ...]


def measurement_rows(report: Report) -> Iterator[Row]:
    """A row of COLUMNS for each measurement; a value that could not be had is None, and its reason is among the flags."""
    for test in report.tests():
        for outcome in test.outcomes:
            for judged in outcome.measurements:
                m, limit = judged.measurement, judged.limit
                flags = [*m.flags, *([f"reason:{m.reason}"] if m.reason else [])]
                if judged.unjudged:
                    flags.append(f"unjudged:{judged.unjudged}")
                yield (
                    outcome.block, test.test.session, outcome.test, outcome.procedure.name, m.quantity,
                    outcome.detector, m.channel, m.setting, m.value, m.uncertainty, m.unit, m.n,
                    " ".join(flags), judged.verdict.value, *((judged.low, judged.high, limit.id) if limit else (None,) * 3),
                    outcome.measured_at, judged.id, "; ".join(c.id for c in judged.caveats),
                )  # fmt: skip


def measurement_files(rows: Sequence[Row]) -> tuple[bytes, bytes]:
    """measurements.csv and measurements.parquet."""
    return measurements_csv(rows), measurements_parquet(rows)


def measurements_csv(rows: Iterable[Row]) -> bytes:
    """measurements.csv: exact values (the shortest text that reads back to the same number), empty for none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue().encode()


def measurements_parquet(rows: Sequence[Row]) -> bytes:
    """The same rows as Parquet, with the types that the CSV cannot carry."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = dict.fromkeys(("value", "uncertainty", "limit_low", "limit_high"), "float64") | {"n": "int64"}
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    arrays = [_column(list(held), numbers.get(name)) for name, held in zip(COLUMNS, columns, strict=True)]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=list(COLUMNS)), out)
    return out.getvalue()


def _column(values: list[Any], number: str | None) -> Any:
    """An Arrow array of numbers of that type or of text, from its buffers: pyarrow's own way loads pandas first."""
    import numpy as np
    import pyarrow as pa

    mask = None
    if None in values:
        there = np.fromiter((v is not None for v in values), np.bool_, len(values))
        mask = pa.py_buffer(np.packbits(there, bitorder="little"))
        values = [(0 if number else "") if v is None else v for v in values]
    if number:
        held = np.array(values, number)
        kind = pa.float64() if number == "float64" else pa.int64()
        return pa.Array.from_buffers(kind, len(values), [mask, pa.py_buffer(held)])
    text = "".join(values)
    lengths = map(len, values) if text.isascii() else (len(v.encode()) for v in values)
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(list(lengths), out=ends[1:])
    buffers = [mask, pa.py_buffer(ends), pa.py_buffer(text.encode())]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers)


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
