"""A report in one file: all of the page, nothing from elsewhere, anchors that lead somewhere; and printed by a real browser."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from tiny_campaign import Html, built, make, read_page
from typer.testing import CliRunner

from builder.archive.make import Made
from builder.cli import app
from builder.one_file import BROWSERS, ReportError, file_name, pages_of, report_html, report_pdf

Archive = Callable[..., Made]


def read(html: str, folder: Path) -> Html:
    (folder / "report.html").write_text(html, "utf-8")
    return read_page(folder / "report.html")


def held(page: Html, key: str) -> list[str]:
    return [e.attributes[key] for e in page.elements if key in e.attributes]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose notes have a picture, raw text that looks like mark-up, and links of every kind."""
    folder = make(tmp_path_factory.mktemp("one-file") / "tiny")
    picture = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    (folder / "blocks" / "dot.png").write_bytes(picture)
    (folder / "blocks" / "B1.md").write_text(
        "---\ntitle: First block\nstatus: done\nstart: 2025-02-01\n---\n\n"
        "Set-up &amp; <b>more</b>: ![the set-up](dot.png), [outside](https://example.org/a?b=1&c=2).\n\n## A *section*\n\nText.\n"
    )
    (folder / "caveats.toml").write_text(
        '[[caveat]]\nid = "warm"\ntext = "<script>alert(1)</script> & \\"so\\""\nscope = { tests = ["BIAS02"] }\n'
    )
    built(folder)
    return folder / "build" / "site"


def test_all_that_the_page_says_is_in_it_and_nothing_from_elsewhere(site: Path, tmp_path: Path) -> None:
    for page in (*pages_of(site, "B1"), *pages_of(site, "B1/BIAS01")):
        html = report_html(site, [page])
        one = read(html, tmp_path)
        whole = (site / page).read_text("utf-8")
        article = re.search(r'<article class="bd-article">(.*?)</article>', whole, re.S)
        assert article
        without_marks = re.sub(r'<a class="headerlink".*?</a>', "", article[1])
        (tmp_path / "article.html").write_text(without_marks, "utf-8")
        said = read_page(tmp_path / "article.html")
        assert said.text.strip() in one.text  # every word, in order
        assert one.text.strip().startswith(("First block — Tiny", "BIAS01 of B1 — Tiny"))
        assert not {e.tag for e in one.elements} & {"script", "link", "button", "iframe"}
        assert all(src.startswith("data:") for src in held(one, "src"))
        assert [h for h in held(one, "href") if not h.startswith(("#", "https://example.org"))] == []
        assert "url(" not in html and "@import" not in html
        assert "default-src 'none'" in html
        cells = {e.attributes["data-value"] for e in said.elements if "data-value" in e.attributes}
        assert cells == {e.attributes["data-value"] for e in one.elements if "data-value" in e.attributes}


def test_pictures_are_within_byte_for_byte(site: Path, tmp_path: Path) -> None:
    one = read(report_html(site, pages_of(site, "B1")), tmp_path)
    pictures = [base64.b64decode(src.partition("base64,")[2]) for src in held(one, "src")]
    assert (site.parents[1] / "blocks" / "dot.png").read_bytes() in pictures
    frames = read(report_html(site, pages_of(site, "B1/BIAS01")), tmp_path)
    shown = {base64.b64decode(src.partition("base64,")[2]) for src in held(frames, "src")}
    assert shown and shown == {p.read_bytes() for p in (site / "previews").rglob("*.webp")} & shown


def test_what_was_written_stays_text(site: Path) -> None:
    html = report_html(site, pages_of(site, "B1/BIAS02"))
    assert "<script" not in html and "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in html


@pytest.mark.parametrize("what", ["B1", "B1/BIAS02"])
def test_anchors_are_kept_and_lead_somewhere(site: Path, tmp_path: Path, what: str) -> None:
    pages = pages_of(site, what)
    one, whole = read(report_html(site, pages), tmp_path), (site / pages[0]).read_text("utf-8")
    article = whole.partition('<article class="bd-article"')[2].partition("</article>")[0]
    kept = set(re.findall(r' id="([^"]+)"', article))
    assert len(kept) > 3 and kept <= one.ids
    assert {unquote(h[1:]) for h in held(one, "href") if h.startswith("#")} <= one.ids


def test_a_block_with_its_tests_is_one_document(site: Path, tmp_path: Path) -> None:
    pages = pages_of(site, "B1", tests=True)
    assert len(pages) == 3
    one = read(report_html(site, pages), tmp_path)
    every = [e.attributes["id"] for e in one.elements if "id" in e.attributes]
    assert len(every) == len(set(every))  # no anchor twice, though the pages share theirs
    assert {"BIAS01--measurements", "BIAS02--measurements", "BIAS02--top"} <= one.ids
    inside = {unquote(h[1:]) for h in held(one, "href") if h.startswith("#")}
    assert "BIAS01--top" in inside and inside <= one.ids


def test_links_lead_to_where_the_site_is_served(site: Path, tmp_path: Path) -> None:
    html = report_html(site, pages_of(site, "B1/BIAS01"), base="https://example.org/cal")
    there = [h for h in held(read(html, tmp_path), "href") if h.startswith("https://example.org/cal/")]
    assert len(there) > 10
    for href in there:
        place = unquote(href.removeprefix("https://example.org/cal/").partition("#")[0])
        assert (site / place).is_file(), href
    with pytest.raises(ReportError, match="no address of a site"):
        report_html(site, pages_of(site, "B1/BIAS01"), base="javascript:alert(1)")


def test_what_is_not_there_is_said_kindly(site: Path, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no block 'B2'. Did you mean B1\?"):
        pages_of(site, "B2")
    with pytest.raises(ReportError, match=r"no test 'BIAS1'. Did you mean BIAS01\?"):
        pages_of(site, "B1/BIAS1")
    with pytest.raises(ReportError, match="build it first"):
        pages_of(tmp_path, "B1")
    with pytest.raises(ReportError, match="on PATH"):
        report_pdf("<p>", {"PATH": str(tmp_path)})
    assert file_name("B1/BIAS 01", "pdf") == "B1-BIAS-01.pdf"


def test_the_command_writes_of_the_site_and_of_a_version(
    campaign: Path, archived: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    version = archived("a").version.folder
    run = CliRunner()
    told = run.invoke(app, ["report", str(campaign), "B1/BIAS01"])
    assert told.exit_code == 0 and "1 page of the site" in told.output
    there = (tmp_path / "B1-BIAS01.html").read_bytes()
    assert run.invoke(app, ["report", str(version), "B1/BIAS01", "--to", "old.html"]).exit_code == 0
    assert (tmp_path / "old.html").read_bytes() == there
    wrong = run.invoke(app, ["report", str(campaign), "B1/NONE"])
    assert wrong.exit_code == 2 and not (tmp_path / "B1-NONE.html").exists()


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium on PATH")
def test_a_browser_prints_it_with_its_anchors(site: Path, tmp_path: Path) -> None:
    import os

    pdf = report_pdf(report_html(site, pages_of(site, "B1", tests=True)), os.environ)
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")
    assert b"/Outlines" in pdf  # headings
    assert re.search(rb"/Dest\s*/?\(?BIAS01--top", pdf)  # a link within
