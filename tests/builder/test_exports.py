"""The exported tables: Parquet made from Arrow's buffers holds what the CSV says, with the types that CSV has not."""

from __future__ import annotations

import csv
import io
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder import measurement_tables
from builder.measurement_tables import COLUMNS, Row, measurement_files

CHECKOUT = Path(__file__).parents[2]
NUMBERS = {"value", "uncertainty", "limit_low", "limit_high"}
TEXTS = [
    "",
    "plain",
    "e⁻/ADU",
    "漢字 \U0001f52d",
    'a "quoted", text',
    "two\nlines",
    " blanks ",
    "nul\x00byte",
    "ends in \\",
    "NA",
    "null",
    "007",
]
VALUES = [
    0.0,
    -0.0,
    1.0,
    0.1 + 0.2,
    5e-324,
    1.7976931348623157e308,
    -math.pi,
    2.0**53 + 2,
    float("inf"),
    None,
]
COUNTS = [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, None]


def rows(number: int) -> list[Row]:
    """Rows in which every column has every kind of value that it may have, each kind in another rhythm."""
    made = []
    for n in range(number):
        row: list[str | float | int | None] = []
        for place, name in enumerate(COLUMNS):
            if name == "n":
                row.append(COUNTS[(n + place) % len(COUNTS)])
            elif name in NUMBERS:
                row.append(VALUES[(n * 3 + place) % len(VALUES)])
            else:
                kinds = [*TEXTS, None] if name in ("channel", "limit_id", "session") else TEXTS
                row.append(kinds[(n + place) % len(kinds)])
        made.append(tuple(row))
    return made


def table(held: list[Row]) -> pa.Table:
    read = pq.read_table(io.BytesIO(measurement_files(held)[1]))
    read.validate(full=True)
    return read


@pytest.mark.parametrize("number", [0, 1, 7, 8, 9, 64, 1000])
def test_every_value_reads_back_as_it_was(number: int) -> None:
    held = rows(number)
    read = table(held)
    assert read.column_names == list(COLUMNS)
    assert read.num_rows == number
    for place, name in enumerate(COLUMNS):
        wanted = [row[place] for row in held]
        found = read.column(name).to_pylist()
        assert found == wanted, name
        assert [repr(v) for v in found] == [repr(v) for v in wanted], name  # -0.0 is not 0.0
        assert read.column(name).null_count == sum(v is None for v in wanted)


@pytest.mark.parametrize("number", [0, 9])
def test_types_do_not_depend_on_what_is_there(number: int) -> None:
    some = table(rows(number)).schema
    none = table([(None,) * len(COLUMNS)] * 3).schema
    for name in COLUMNS:
        wanted = pa.float64() if name in NUMBERS else pa.int64() if name == "n" else pa.large_string()
        assert some.field(name).type == none.field(name).type == wanted, name


def test_a_column_without_a_value_is_all_null() -> None:
    read = table([(None,) * len(COLUMNS)] * 11)
    assert all(read.column(name).null_count == 11 for name in COLUMNS)


def test_csv_and_parquet_say_the_same() -> None:
    held = rows(500)
    written = list(csv.reader(io.StringIO(measurement_files(held)[0].decode(), newline="")))
    assert written[0] == list(COLUMNS)
    columns = [table(held).column(name).to_pylist() for name in COLUMNS]
    assert len(written) == 501
    for line, row in zip(written[1:], zip(*columns, strict=True), strict=True):
        for name, text, value in zip(COLUMNS, line, row, strict=True):
            if value is None:
                assert text == ""
            elif name in NUMBERS:
                assert repr(float(text)) == repr(value)
            elif name == "n":
                assert int(text) == value
            else:
                assert text == value


@pytest.mark.parametrize("number", [0, 6, 7, 8, 21, 50])
def test_rows_taken_some_at_a_time_make_the_same_tables(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    held = rows(number)
    lines, whole = measurement_files(held)[0], table(held)
    monkeypatch.setattr(measurement_tables, "TOGETHER", 7)
    assert measurement_files(iter(held))[0] == lines
    parts = pq.ParquetFile(io.BytesIO(measurement_files(iter(held))[1]))
    assert parts.num_row_groups == max(1, -(-number // 7))
    assert parts.read().equals(whole)


def test_pandas_reads_the_same_from_both() -> None:
    held = [
        row for row in rows(400) if "nul\x00byte" not in row
    ]  # which pandas' reader of CSV ends a text at
    assert len(held) > 50
    types = {name: "float64" if name in NUMBERS else "Int64" if name == "n" else "string" for name in COLUMNS}
    by_csv = pd.read_csv(
        io.BytesIO(measurement_files(held)[0]), dtype=types, keep_default_na=False,
        na_values={name: [""] for name in (*NUMBERS, "n")},
    )  # fmt: skip
    by_parquet = pd.read_parquet(io.BytesIO(measurement_files(held)[1]), dtype_backend="numpy_nullable")
    for name, kind in types.items():
        one, other = by_csv[name], by_parquet[name].astype(kind)
        if kind == "string":  # CSV has no text that is not there
            other = other.fillna("")
        pd.testing.assert_series_equal(one, other, check_exact=True)


def test_writing_does_not_load_pandas() -> None:
    code = (
        "import sys; from builder.measurement_tables import COLUMNS, measurement_files\n"
        "measurement_files([(None,) * len(COLUMNS)]); print('pandas' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"
