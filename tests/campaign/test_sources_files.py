"""CSV, xlsx and ods: what each reader makes of cells, merges, formulas, errors and damage."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from openpyxl import Workbook
from openpyxl.comments import Comment

from campaign.findings import Finding
from campaign.model import Source
from campaign.record import Table
from campaign.sources.files import read_file
from campaign.sources.grid import SourceError, letters, to_table


def table(data: bytes, address: str = "r.csv", **source: Any) -> tuple[Table, list[Finding]]:
    made = Source(id="r", address=address, **source)
    return to_table(read_file(data, made), made.header_row, address)


def workbook(rows: Sequence[Sequence[Any]], **more: Any) -> Workbook:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = more.get("title", "Tests")
    for row in rows:
        sheet.append(row)
    for area in more.get("merges", ()):
        sheet.merge_cells(area)
    return book


def packed(book: Workbook, results: Mapping[str, tuple[str, str]] | None = None) -> bytes:
    """The workbook's bytes; ``results`` puts in the stored results of formulas, as a spreadsheet program does:
    (type, value) by cell, type '' for a number, None for the value to leave it out."""
    out = io.BytesIO()
    book.save(out)
    if not results:
        return out.getvalue()
    again = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(again, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode() if name.endswith(".xml") else ""
            for cell, (kind, value) in results.items() if name == "xl/worksheets/sheet1.xml" else ():
                start = content.index(f'<c r="{cell}"')
                end = content.index("</c>", start)
                formula = content[content.index("<f>", start) : content.index("</f>", start) + 4]
                made = f'<c r="{cell}"' + (f' t="{kind}"' if kind else "") + f">{formula}<v>{value}</v>"
                content = content[:start] + made + content[end:]
            new.writestr(name, content.encode() if content else old.read(name))
    return again.getvalue()


# CSV


def test_csv_rows_keep_the_numbers_a_spreadsheet_shows() -> None:
    data = b'Test,OBSID,Notes\r\nA,1-2,"two\r\nlines, quoted"\r\n\r\n,,\r\nB,3,\r\n'
    found, findings = table(data)
    assert findings == []
    assert found.row_numbers == (2, 5)
    assert found.rows[0]["Notes"].value == "two\r\nlines, quoted"
    assert (found.rows[1]["Test"].address, found.rows[1]["Notes"].value) == ("A5", None)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("r.csv", b"Test;t;n\nA;1,5;2,5\nB;3,5;1\n"),
        ("r.csv", b"Test\tt\tn\nA\t1,5\t2,5\n"),
        ("r.tsv", b"Test\tt\tn\nA\t1,5\t2;2;2;2\n"),
        ("r.csv", b'Test,t,n\nA,"1,5",a;b;c;d\n'),
    ],
)
def test_delimiters(name: str, data: bytes) -> None:
    found, _ = table(data, name)
    assert found.columns == ("Test", "t", "n")
    assert found.rows[0]["t"].value == "1,5"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_encodings(encoding: str) -> None:
    found, findings = table("Test,λ\nÅ,590 µm\n".encode(encoding))
    assert findings == []
    assert found.columns == ("Test", "λ")
    assert found.rows[0]["λ"].value == "590 µm"


def test_windows_encoding_is_read_and_said() -> None:
    found, findings = table("Test,T [°C]\nA,–120\n".encode("cp1252"))
    assert found.rows[0]["T [°C]"].value == "–120"
    assert [f.kind for f in findings] == ["interpreted"]


def test_ragged_rows_lose_nothing() -> None:
    found, findings = table(b"Test,OBSID\nA\nB,1,stray\n")
    assert found.columns == ("Test", "OBSID", "column C")
    assert found.rows[0]["OBSID"].value is None
    assert found.rows[1]["column C"].value == "stray"
    assert [f.kind for f in findings] == ["table-shape"]
    assert "C1" in findings[0].where


def test_duplicate_headers_are_numbered() -> None:
    found, findings = table(b"OBSID,Test,OBSID,OBSID (2)\n1,A,2,3\n")
    assert found.columns == ("OBSID", "Test", "OBSID (3)", "OBSID (2)")
    assert {n: c.value for n, c in found.rows[0].items()}["OBSID (3)"] == "2"
    assert [f.kind for f in findings] == ["table-shape"]


def test_formulas_and_markup_of_a_csv_stay_text() -> None:
    hostile = ["=1+1", '=HYPERLINK("http://x")', "<script>alert(1)</script>", "+cmd|' /C calc'!A0", "&lt;"]
    text = "Test,x\n" + "".join('T,"' + h.replace('"', '""') + '"\n' for h in hostile)
    found, _ = table(text.encode())
    assert [r["x"].value for r in found.rows] == hostile


def test_errors_exported_to_csv_are_no_values() -> None:
    found, findings = table(b"Test,n\nA,#REF!\nB,#DIV/0!\nC,#1\n")
    assert [r["n"].value for r in found.rows] == [None, None, "#1"]
    assert found.rows[0]["n"].note == "error value #REF!"
    assert [f.kind for f in findings] == ["bad-cell", "bad-cell"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b'Test,x\nA,"cut wi', "line"),
        (b"\x00\x01\x02", "NUL"),
        (b"\n\n\nTest\n", "no column names"),
    ],
)
def test_unusable_csv(data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        table(data)


def test_header_row_below_a_title() -> None:
    found, _ = table(b"My record,,\n,,\nTest,n,\nA,1,\n", header_row=3)
    assert (found.columns, found.row_numbers) == (("Test", "n"), (4,))


def test_unknown_ending_names_those_that_are_read() -> None:
    with pytest.raises(SourceError, match=r"\.ods"):
        table(b"x", "r.docx")


# xlsx


def test_xlsx_values_and_their_notes() -> None:
    book = workbook(
        [
            ["Test", "Date", "n", "x", "t", "f", "g", "h", "i"],
            ["A", datetime(2019, 3, 11, 9, 30), 3, 1.5, time(9, 30), "=1+2", "=1/0", '=IF(1,"","")', "=2*3"],
            ["B", date(2019, 3, 12), "003", True, None, "#REF!", None, None, None],
        ]
    )
    sheet = book["Tests"]
    sheet["C2"].comment = Comment("two lost; see log", "x")
    results = {"F2": ("", "3"), "G2": ("e", "#DIV/0!"), "H2": ("str", ""), "I2": ("", "")}
    found, findings = table(packed(book, results), "r.xlsx")
    row = found.rows[0]
    assert row["Date"].value == datetime(2019, 3, 11, 9, 30)
    assert (row["n"].value, row["n"].note) == (3, "comment: two lost, see log")
    assert row["t"].value == "09:30:00"
    assert (row["f"].value, row["f"].note) == (3, "formula")
    assert (row["g"].value, row["g"].note) == (None, "error value #DIV/0!; formula")
    assert (row["h"].value, row["h"].note) == (None, "formula")
    assert (row["i"].value, row["i"].note) == (None, "formula without a stored result")
    assert [found.rows[1][c].value for c in "nxf"] == ["003", True, None]
    assert sorted((f.kind, f.where) for f in findings) == [
        ("bad-cell", "r.xlsx, sheet 'Tests', F3"),
        ("bad-cell", "r.xlsx, sheet 'Tests', G2"),
        ("bad-cell", "r.xlsx, sheet 'Tests', I2"),
    ]


def test_xlsx_merges_blank_and_hidden_rows() -> None:
    rows: list[list[Any]] = [["Session", "OBSID", None], ["D11", 1, 2], [None, 3, 4], [], [None, 5, 6]]
    book = workbook(rows, merges=["A2:A4", "B1:C1"])
    book["Tests"].row_dimensions[5].hidden = True
    found, findings = table(packed(book), "r.xlsx")
    assert found.columns == ("Session", "OBSID", "OBSID (2)")
    assert found.row_numbers == (2, 3, 5)
    assert [(r["Session"].value, r["Session"].note) for r in found.rows] == [
        ("D11", "merged"),
        ("D11", "merged from A2"),
        (None, "hidden row"),
    ]
    assert [f.kind for f in findings] == ["table-shape", "table-shape"]


def test_xlsx_with_a_cell_on_its_last_row_is_read_at_once() -> None:
    book = workbook([["Test"], ["A"]])
    book["Tests"]["B1048576"] = "stray"
    found, _ = table(packed(book), "r.xlsx")
    assert found.row_numbers == (2, 1048576)


def test_xlsx_sheet_by_name_and_renamed() -> None:
    book = workbook([["Test"], ["A"]])
    book.create_sheet("Second").append(["Other"])
    assert table(packed(book), "r.xlsx", sheet="Second")[0].columns == ("Other",)
    with pytest.raises(SourceError, match="'Tests', 'Second'"):
        table(packed(book), "r.xlsx", sheet="Third")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("ending", ["xlsx", "ods"])
def test_half_written_spreadsheets(share: float, ending: str) -> None:
    whole = packed(workbook([["Test"], ["A"]])) if ending == "xlsx" else ods([[("string", "Test")]])
    with pytest.raises(SourceError):
        table(whole[: int(len(whole) * share)], f"r.{ending}")


def test_damage_inside_an_xlsx() -> None:
    whole, out = packed(workbook([["Test"], ["A"]])), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:40] if "sheet1" in name else old.read(name))
    with pytest.raises(SourceError, match="damaged"):
        table(out.getvalue(), "r.xlsx")


def test_a_file_that_unpacks_to_a_flood_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new, new.open("content.xml", "w") as member:
        for _ in range(201):
            member.write(bytes(1_000_000))
    with pytest.raises(SourceError, match="unpacks to more than"):
        table(out.getvalue(), "r.ods")


def test_password_protected_or_old_workbook() -> None:
    with pytest.raises(SourceError, match="password"):
        table(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "r.xlsx")


# ods

_SPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)


def zipped(content: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        new.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        new.writestr("content.xml", content)
    return out.getvalue()


def ods_xml(rows: str, before: str = "") -> bytes:
    return zipped(
        f'<?xml version="1.0"?>{before}<office:document-content {_SPACES}><office:body><office:spreadsheet>'
        f'<table:table table:name="Tests">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )


def ods(rows: list[list[tuple[str, str]]]) -> bytes:
    def cell(kind: str, value: str) -> str:
        attribute = {"float": "value", "date": "date-value", "boolean": "boolean-value"}.get(kind)
        more = f' office:{attribute}="{value}"' if attribute else ""
        return f'<table:table-cell office:value-type="{kind}"{more}><text:p>{escape(value)}</text:p></table:table-cell>'

    return ods_xml(
        "".join(f"<table:table-row>{''.join(cell(*c) for c in row)}</table:table-row>" for row in rows)
    )


def test_ods_values() -> None:
    head = [("string", n) for n in ("Test", "n", "x", "day", "time", "ok")]
    row = [("string", "<b> & c"), ("float", "3"), ("float", "1.5"), ("date", "2019-03-11")]
    found, findings = table(
        ods([head, [*row, ("date", "2019-03-11T09:30:00"), ("boolean", "true")]]), "r.ods"
    )
    assert findings == []
    assert [c.value for c in found.rows[0].values()] == [
        "<b> & c",
        3,
        1.5,
        date(2019, 3, 11),
        datetime(2019, 3, 11, 9, 30),
        True,
    ]
    assert found.rows[0]["ok"].address == "F2"


def test_ods_merges_repeats_errors_and_formulas() -> None:
    header = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{n}</text:p></table:table-cell>' for n in "abc"
    )
    found, findings = table(
        ods_xml(
            f"<table:table-header-rows><table:table-row>{header}</table:table-row></table:table-header-rows>"
            '<table:table-row><table:table-cell table:number-rows-spanned="2" office:value-type="string">'
            "<text:p>D<text:s text:c='2'/>11</text:p><text:p>x</text:p></table:table-cell>"
            '<table:table-cell table:number-columns-repeated="2" office:value-type="float" office:value="7"/>'
            "</table:table-row>"
            "<table:table-row table:visibility='collapse'><table:covered-table-cell/>"
            '<table:table-cell table:formula="of:=1/0" calcext:value-type="error" office:value-type="string">'
            "<text:p>#DIV/0!</text:p></table:table-cell>"
            '<table:table-cell table:formula="of:=1+1" office:value-type="float" office:value="2"><text:p>2</text:p>'
            "<office:annotation><text:p>why</text:p></office:annotation></table:table-cell></table:table-row>"
            '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16000"/>'
            "</table:table-row>"
            '<table:table-row><table:table-cell table:formula="of:=A1"/></table:table-row>'
        ),
        "r.ods",
    )
    one, two, last = found.rows
    assert found.row_numbers == (2, 3, 1000004)
    assert (one["a"].value, one["b"].value, one["c"].value) == ("D  11\nx", 7, 7)
    assert two["a"].note == "merged from A2; hidden row"
    assert (two["b"].value, two["b"].note) == (None, "error value #DIV/0!; formula; hidden row")
    assert (two["c"].value, two["c"].note) == (2, "formula; comment: why; hidden row")
    assert last["a"].note == "formula without a stored result"
    assert sorted(f.kind for f in findings) == ["bad-cell", "bad-cell", "table-shape"]


def test_ods_that_declares_entities_is_refused() -> None:
    with pytest.raises(SourceError, match="entities"):
        table(ods_xml("", '<!DOCTYPE x [<!ENTITY a "b">]>'), "r.ods")


def test_ods_repeating_a_value_a_million_times_is_refused() -> None:
    cell = (
        '<table:table-cell table:number-columns-repeated="9999" office:value-type="float" office:value="1"/>'
    )
    with pytest.raises(SourceError, match="more than"):
        table(
            ods_xml(f'<table:table-row table:number-rows-repeated="99999">{cell}</table:table-row>'), "r.ods"
        )


@pytest.mark.parametrize(("number", "text"), [(1, "A"), (26, "Z"), (27, "AA"), (702, "ZZ"), (703, "AAA")])
def test_column_letters(number: int, text: str) -> None:
    assert letters(number) == text


@pytest.mark.real
def test_real_exposure_log_is_read_by_its_header() -> None:
    path = Path(__file__).parents[3] / "shared/data/vis/explog/EXP_LOG_050800.txt"
    if not path.exists():
        pytest.skip("the real exposure log is not beside the checkout (shared/data/vis/explog)")
    found, findings = table(path.read_bytes(), path.name)
    assert findings == []
    assert (len(found.columns), len(found.rows)) == (69, 6)
    assert [r["ObsID"].value for r in found.rows] == ["191"] * 3 + ["192"] * 3
