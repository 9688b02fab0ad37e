"""Files of series/: what is read, and what is told of what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from campaign.findings import Finding
from campaign.load import load
from campaign.series_tables import COLUMNS, MOST_TOLD, clashes, read_rows, read_tables, time_of


def kinds(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.kind, f.where) for f in findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-03-11", datetime(2019, 3, 11, tzinfo=UTC)),
        ("2019-03-11T14:05", datetime(2019, 3, 11, 14, 5, tzinfo=UTC)),
        ("2019-03-11 14:05:06+02:00", datetime(2019, 3, 11, 12, 5, 6, tzinfo=UTC)),
        ("1999:223", datetime(1999, 8, 11, tzinfo=UTC)),
        ("2016:366:23:59:30", datetime(2016, 12, 31, 23, 59, 30, tzinfo=UTC)),
        ("2016:000", None),
        ("2016:367", None),
        ("20190311", None),
        ("yesterday", None),
        ("2019-02-30", None),
        ("", None),
    ],
)
def test_times(text: str, expected: datetime | None) -> None:
    assert time_of(text) == expected


def test_a_row_is_read_whole() -> None:
    text = "time,value,uncertainty,quantity,unit,detector,channel,setting,note\n2019:070,1.5,0.1,flux,W,lamp,E,590,new\n"
    (row,), findings = read_rows(text, "lamps", "series/lamps.csv")
    assert findings == []
    assert (row.value, row.uncertainty, row.quantity, row.unit, row.detector) == (
        1.5,
        0.1,
        "flux",
        "W",
        "lamp",
    )
    assert (row.channel, row.setting, row.note, row.row) == ("E", "590", "new", 2)
    assert set(text.split("\n")[0].split(",")) == set(COLUMNS)


def test_a_value_that_is_none_is_none_and_the_quantity_is_the_files() -> None:
    (row,), findings = read_rows("time,value\n2019-03-11,\n", "flux", "series/flux.csv")
    assert (row.value, row.uncertainty, row.quantity, findings) == (None, None, "flux", [])


def test_what_cannot_be_read_costs_only_itself() -> None:
    text = "time,value,uncertainty,unit,dtector\n2019-03-11,warm,,K,\nnoon,1,,K,\n2019-03-12,2,-1,K,\n2019-03-13,inf,,K,\n2019-03-14,1,,°C,\n"
    rows, findings = read_rows(text, "t", "series/t.csv")
    assert [(r.time.day, r.value, r.uncertainty) for r in rows] == [
        (11, None, None),
        (12, 2.0, None),
        (13, None, None),
    ]
    assert kinds(findings) == [
        ("unknown-key", "series/t.csv:1"), *[("bad-cell", f"series/t.csv:{n}") for n in (2, 3, 4, 5, 6)],
    ]  # fmt: skip
    assert "detector" in findings[0].todo


def test_many_faults_are_counted() -> None:
    rows, findings = read_rows("time,value\n" + "never,1\n" * 20, "t", "series/t.csv")
    assert rows == ()
    assert len(findings) == MOST_TOLD + 1 and "15 more" in findings[-1].what


@pytest.mark.parametrize("head", ["when,value", "time", "time,value,value", ""])
def test_a_file_without_its_columns_is_not_used(head: str) -> None:
    rows, findings = read_rows(head + "\n2019-03-11,1,2\n", "t", "series/t.csv")
    assert rows == () and "bad-file" in [f.kind for f in findings]


def test_a_campaign_holds_its_tables_and_interventions(tmp_path: Path) -> None:
    (tmp_path / "campaign.toml").write_text(
        '[campaign]\ntitle = "T"\n[[interventions]]\ndate = 2020-01-02\ntext = "b"\n'
        '[[interventions]]\ndate = 2020-01-01\ntext = "a"\nscope = { blocks = ["NONE"] }\n'
    )
    (tmp_path / "series").mkdir()
    (tmp_path / "series/b.csv").write_text("time,value\n2019-03-11,1\n")
    (tmp_path / "series/a.csv").write_text("\ufefftime,value\n2019-03-11,1\n", "utf-8")
    (tmp_path / "series/c.txt").write_text("?")
    (tmp_path / "series/d.csv").write_bytes(b"\xff\xfe")
    campaign, findings = load(tmp_path)
    assert campaign is not None
    assert [t.name for t in campaign.series] == ["a", "b"]
    assert [i.text for i in campaign.interventions] == ["a", "b"]
    found = kinds(findings)
    assert ("bad-file", "series/c.txt") in found and ("bad-file", "series/d.csv:1") in found
    assert "unknown-name" in [kind for kind, where in found if where.startswith("campaign.toml")]


def test_scopes_may_name_what_a_table_was_measured_on(tmp_path: Path) -> None:
    detectors = '[geometry.g]\npreset = "single"\nrows = 8\ncolumns = 8\n[detectors.CAM]\ngeometry = "g"\n'
    done = '[[interventions]]\ndate = 2020-01-02\ntext = "b"\nscope = { detectors = ["lamp A", "lamp B"] }\n'
    (tmp_path / "campaign.toml").write_text(f'[campaign]\ntitle = "T"\n{done}{detectors}')
    (tmp_path / "series").mkdir()
    (tmp_path / "series/a.csv").write_text("time,value,detector\n2019-03-11,1,lamp A\n")
    _, findings = load(tmp_path)
    assert [f.what for f in findings if f.kind == "unknown-name"] == [
        "the scope of the intervention of 2020-01-02 names 'lamp B', which matches none of the detectors"
    ]


def test_a_table_may_not_bear_a_procedures_name(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series/bias.csv").write_text("time,value\n2019-03-11,1\n")
    tables = read_tables(tmp_path, [])
    assert kinds(clashes(tables, ["bias"])) == [("bad-value", "series/bias.csv")]
    assert clashes(tables, ["dark"]) == []
