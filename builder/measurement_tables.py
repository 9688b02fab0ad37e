"""The numbers of a report as tables, CSV and Parquet, for people and programs beyond the site.

A worker may make them: nothing is loaded here that only a report needs.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.report import Report

COLUMNS = (
    "block", "session", "test", "procedure", "quantity", "detector", "channel", "setting", "value", "uncertainty",
    "unit", "n", "flags", "verdict", "limit_low", "limit_high", "limit_id", "measured_at", "result_id", "caveats",
)  # fmt: skip
"""The columns of measurements.csv, in order. Permanent: programs rely on them; new ones come last.

``caveats`` holds the ids of the open caveats that touch the number, with '; ' between them.
"""


Row = tuple[str | float | int | None, ...]

TOGETHER = 1 << 16
"""Rows that are in memory at once, and a row group of the Parquet file."""


def measurement_count(report: Report) -> int:
    """How many rows ``measurement_rows`` has."""
    return sum(len(outcome.measurements) for outcome in report.outcomes())


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


def measurement_files(rows: Iterable[Row]) -> tuple[bytes, bytes]:
    """measurements.csv: exact values (the shortest text that reads back to the same number), empty for none.

    And measurements.parquet: the same rows with the types that the CSV cannot carry. Rows are taken some at a time, so that those of a
    large campaign are never all there.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # Arrow's own keeps what it once took
    import pyarrow.parquet as pq

    lines, columns, rest = io.BytesIO(), io.BytesIO(), iter(rows)
    text = io.TextIOWrapper(lines, "utf-8", newline="")  # encoded as it comes
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    some = list(islice(rest, TOGETHER))
    part = _table(some)
    with pq.ParquetWriter(columns, part.schema) as tables:
        while True:
            writer.writerows(some)
            tables.write_table(part)
            if not (some := list(islice(rest, TOGETHER))):
                break
            part = _table(some)
    text.flush()
    return lines.getvalue(), columns.getvalue()


def _table(rows: Sequence[Row]) -> Any:
    import pyarrow as pa

    numbers = dict.fromkeys(("value", "uncertainty", "limit_low", "limit_high"), "float64") | {"n": "int64"}
    arrays = [_column([row[n] for row in rows], numbers.get(name)) for n, name in enumerate(COLUMNS)]
    return pa.Table.from_arrays(arrays, names=list(COLUMNS))


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
