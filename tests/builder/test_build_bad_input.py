"""A whole build of everything that can be wrong at once: each thing is on the health page, and the rest is built."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from made_fits import image, write
from tiny_campaign import NOW, Html, bias, built, dead_links, make, pages_of, pixels

from builder.build import Built
from builder.report import Verdict
from campaign.findings import KINDS

pytestmark = pytest.mark.slow

KEY = "AIzaNOT-A-REAL-KEY-0123456789abcdefgh"
ODD_NAME = "odd 'quoted\" näme → λ.fits"
SCRIPT = "<script>alert('cell')</script>"

MORE = """
[procedures.raises]
tests = ["BIAS01"]

[procedures.silent]
tests = ["BIAS01"]

[[sources]]
id = "second"
address = "records/gone.csv"
block = "B2"

[[sources]]
id = "sheet"
address = "https://docs.google.com/spreadsheets/d/1AbCdEfGhIjKlMnOpQrStUvWxYz/edit#gid=0"
block = "B2"

[[sources]]
id = "outside"
address = "../secret.csv"
block = "B2"

[sheets]
api = "http://127.0.0.1:9"
retries = 0
timeout = 2

[data]
roots = ["frames", "not-there"]
presett = "generic"
"""

ROWS = f"""BIAS01,1,3,0,done,{SCRIPT}
BIAS02,4,5,0,done,
BIAS02,6,7,0,done,the same name again
BIAS03,5,6,0,done,overlaps
BIAS04,19,12,0,done,backwards
BIAS05,900,903,0,done,never taken
{SCRIPT},8,8,0,done,a name that is mark-up
OTHER01,9,9,0,done,nobody's
OTHER02,10,10,0,done,of a procedure that does not exist,,levle
"""

RAISES = """from analysis.contract import Procedure, Quantity, Role, Version

def measure(inputs, results):
    results.say("about to fail")
    raise RuntimeError("the lamp is <b>off</b>")

PROCEDURE = Procedure("raises", "Raises", "Fails.", (Version("1", "2025-01-01", "first"),),
    (Role("bias", ("bias",), 1, "frames"),), (Quantity("x", "x", "ADU", "Anything", "none"),), measure)
"""
SILENT = RAISES.replace('"raises", "Raises"', '"silent", "Silent"').replace(
    '    raise RuntimeError("the lamp is <b>off</b>")\n', ""
)


def spoil(folder: Path) -> None:
    """Everything that is wrong with the files of the campaign."""
    (folder / "blocks" / "B1.md").write_text(
        "---\ntitle: First block\nstart: 2025-02-01\nstatsu: done\nlinks:\n  - label: plan\n    href: ../../etc/passwd\n---\n\n"
        "Notes with <script>alert('prose')</script>.\n\n[one](gone.md) [two](lost.md)\n",
        "utf-8",
    )
    (folder / "blocks" / "B2.md").write_text("---\ntitle: Second block\n---\n", "utf-8")
    (folder.parent / "secret.csv").write_text("test\nSECRET-TEST\n", "utf-8")
    (folder / "records" / "tests.csv").write_text(
        "test,first,last,exptime,status,comments,folder,procedure\n"
        + ROWS.replace("overlaps", "overlaps,../elsewhere"),
        "utf-8",
    )
    (folder / "procedures" / "raises.py").write_text(RAISES, "utf-8")
    (folder / "procedures" / "silent.py").write_text(SILENT, "utf-8")
    (folder / "procedures" / "broken.py").write_text("import no_such_module_at_all\n", "utf-8")
    frames = folder / "frames"
    bias(frames / ODD_NAME, 7)
    bias(frames / "6.fits", 8)  # its name is the end of another's that has a fault
    for number in (9, 10):
        bias(frames / f"b{number}.fits", number)
    (frames / "B1").mkdir()
    (frames / "B1" / "zero.fits").write_bytes(b"")
    (frames / "cut.fits").write_bytes((frames / "b1.fits").read_bytes()[:4000])
    (frames / "text.fits").write_text("this is no FITS file\n" * 200, "utf-8")
    bias(frames / "shape.fits", 30, data=np.full((16, 40), 1000, np.uint16))
    damaged = pixels(5).astype(np.float32)
    damaged[3, 3:6], damaged[4, 4] = np.nan, np.inf
    bias(frames / "b5.fits", 5, data=damaged)
    write(frames / "b6.fits", image(pixels(6), {"EXPNUM": 6, "IMAGETYP": "bias", "EXPTIME": "not a time"}))
    bias(frames / "lone.fits", 77)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = make(tmp_path_factory.mktemp("bad") / "tiny", more=MORE)
    spoil(folder)
    return built(folder, CALBOOK_SHEETS_KEY=KEY)


@pytest.fixture(scope="module")
def site(bad: Built) -> Path:
    return bad.home.parent


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Html]:
    return pages_of(site)


EXPECTED = [
    ("unknown-key", "presett", "preset"),
    ("unknown-key", "statsu", "status"),
    ("missing-folder", "not-there", ""),
    ("source-unread", "'second' was never read: the file is not there", "records/gone.csv"),
    ("source-unread", "'sheet' was never read", ""),
    ("unsafe-path", "../secret.csv", ""),
    ("unsafe-path", "../elsewhere", ""),
    ("unsafe-path", "../../etc/passwd", ""),
    ("duplicate-test", "BIAS02", ""),
    ("overlap", "BIAS03", ""),
    ("bad-range", "19–12", "backwards"),
    ("no-frames", "BIAS05", "900–903"),
    ("unmatched-frame", "belong to no test", "lone.fits"),
    ("damaged-file", "empty", "zero.fits"),
    ("damaged-file", "truncated", "cut.fits"),
    ("damaged-file", "foreign", "text.fits"),
    ("wrong-shape", "16 × 40", "shape.fits"),
    ("bad-pixels", "4 pixels", "b5.fits"),
    ("bad-header", "not a time", "b6.fits"),
    ("bad-plugin", "no_such_module_at_all", "broken.py"),
    ("no-procedure", "OTHER01", ""),
    ("unknown-name", "'levle'", "level"),
    ("procedure-error", "raises", "the lamp is <b>off</b>"),
    ("procedure-undeclared", "silent", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "what", "also"), EXPECTED)
def test_is_on_the_health_page(kind: str, what: str, also: str, bad: Built, pages: dict[str, Html]) -> None:
    texts = [f"{f.what} {f.where} {f.todo}" for f in bad.report.findings if f.kind == kind]
    fitting = [t for t in texts if what in t and also in t]
    assert fitting, texts
    health = pages["health.html"]
    assert kind in health.ids
    for f in bad.report.findings:
        assert " ".join(f.what.split()) in health.text, f
        assert " ".join(f.where.split()) in health.text, f


def test_what_two_stages_find_is_told_once(bad: Built) -> None:
    found = [f.where for f in bad.report.findings if f.kind in ("missing-folder", "dead-link")]
    assert [w for w in found if w.startswith("campaign.toml")] == [w for w in found if "blocks/" not in w]
    assert len([w for w in found if w.startswith("campaign.toml")]) == 1
    assert len([w for w in found if w.startswith("blocks/B1.md")]) == 2  # of two links, each once


def test_a_fault_is_shown_with_its_own_file_only(bad: Built) -> None:
    block = bad.report.blocks[0]
    faults = {r.frame.file.path: {f.kind for f in r.findings} for r in block.frames}
    assert "bad-header" in faults["b6.fits"] and "bad-pixels" in faults["b5.fits"]
    assert faults["b1.fits"] == faults["6.fits"] == set()
    # which block a file is of is known by its folder alone, where nothing in it can be read
    assert [(f.path, f.state) for f in block.damaged] == [("B1/zero.fits", "empty")]


def test_everything_says_what_to_do(bad: Built) -> None:
    assert [f for f in bad.report.findings if not f.todo or not f.where] == []
    assert {f.kind for f in bad.report.findings} <= set(KINDS)


def test_what_is_good_is_measured_and_published(bad: Built, site: Path) -> None:
    verdicts = {t.test.name: t.verdict for t in bad.report.tests()}
    assert verdicts["BIAS01"] == Verdict.ERROR  # two procedures failed; the third did not
    assert verdicts["BIAS05"] == verdicts["BIAS04"] == Verdict.NOT_RUN
    with (site / "data" / "measurements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    levels = {r["test"]: float(r["value"]) for r in rows if r["quantity"] == "level"}
    assert levels.keys() >= {"BIAS01", "BIAS02", "BIAS02.2", "BIAS03"}
    for value in levels.values():  # σ is 5 ADU, a frame has 1024 pixels: 6 standard errors
        assert value == pytest.approx(1000.0, abs=6 * 5 / 1024**0.5)


def test_every_page_is_made_and_every_link_leads_somewhere(site: Path, pages: dict[str, Html]) -> None:
    assert {"index.html", "blocks/B1/index.html", "blocks/B2/index.html", "blocks/B1/exposures.html"} <= set(
        pages
    )
    assert len([p for p in pages if p.startswith("blocks/B1/tests/")]) == 9
    assert dead_links(site, pages) == []


def test_a_block_without_its_record_says_so(pages: dict[str, Html]) -> None:
    assert "never read" in pages["blocks/B2/index.html"].text


def test_a_failed_procedure_shows_its_error_and_log(pages: dict[str, Html]) -> None:
    text = pages["blocks/B1/tests/BIAS01.html"].text
    assert "RuntimeError: the lamp is <b>off</b>" in text
    assert "about to fail" in text


def test_an_odd_file_name_is_shown_as_it_is(pages: dict[str, Html]) -> None:
    assert ODD_NAME in pages["blocks/B1/exposures.html"].text


def test_no_mark_up_of_others_survives(site: Path, pages: dict[str, Html]) -> None:
    for name, page in pages.items():
        for element in page.elements:
            assert "alert(" not in element.text or element.tag != "script", name
            assert not any(k.startswith("on") and "alert" in v for k, v in element.attributes.items()), name
        assert not [e for e in page.elements if e.tag == "b" and e.text == "off"], name
    for path in site.rglob("*"):
        if path.suffix in (".html", ".js", ".svg") and path.is_file():
            assert "<script>alert" not in path.read_text("utf-8"), path
    assert SCRIPT in pages["records/record.html"].text  # shown, as the text that it is


def test_no_secret_and_no_file_from_outside_is_published(bad: Built, site: Path) -> None:
    for path in site.parent.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert KEY.encode() not in data, path
            assert b"SECRET-TEST" not in data, path
            assert b"root:x:0:0" not in data, path


def test_a_record_that_cannot_be_read_any_more_is_shown_as_it_was(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    assert built(folder).report.findings == ()
    (folder / "records" / "tests.csv").unlink()
    again = built(folder, now=NOW.replace(day=4))
    assert [f.kind for f in again.report.findings] == ["source-stale"]
    assert "3 days ago" in again.report.findings[0].what
    assert [t.test.name for t in again.report.tests()] == ["BIAS01", "BIAS02"]
    pages = pages_of(again.home.parent)
    assert "source-stale" in pages["health.html"].ids
    assert "stale" in pages["index.html"].text and "stale" in pages["blocks/B1/index.html"].text
