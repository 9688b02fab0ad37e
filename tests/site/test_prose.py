"""Prose through Sphinx: right links, no raw mark-up, findings with their line, and no run without need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from builder.render.page import Page
from builder.render.prose import Prose, build_prose
from builder.render.prose_source import html_lines
from builder.render.write import Site
from campaign.findings import Finding
from campaign.model import Block, Campaign

MARKDOWN = """# Notes

Text with <script>alert(1)</script> and $\\sigma^2 = g\\,\\mu$.

<!-- a comment
of two lines -->

[plan](../documents/plan%20A.pdf) [other](OTHER.rst#prose-head) [gone](gone.md) [out](../../secret.txt)
[script](<javascript:alert(1)>) [web](https://example.org/a?b=1)

![far](https://example.org/x.png) ![near](../documents/dot.png) ![escape](../../secret.png)

```{include} ../../secret.txt
```

```{raw} html
<b>raw</b>
```
"""
REST = """Head
====

Some :download:`file <../../secret.txt>` and `script <javascript:alert(1)>`_.

.. raw:: html

   <b>raw</b>

.. include:: ../../secret.txt

.. literalinclude:: ../../secret.txt

.. csv-table:: t
   :file: ../../secret.txt

Sub
---

.. math:: \\frac{a}{b}
"""
GUIDE = {
    "index.md": "# Guide\n\nSee [two](two.md) and `x`.\n\n```{toctree}\ntwo\n```\n",
    "two.md": "# Two\n\n$x_1$ [](index.md)\n",
}


def make(folder: Path, *, body: str = MARKDOWN) -> tuple[Campaign, Path]:
    from PIL import Image

    root, guide = folder / "campaign", folder / "guide"
    for path in (root / "blocks", root / "documents", guide):
        path.mkdir(parents=True)
    (folder / "secret.txt").write_text("TOP SECRET")
    (root / "documents/plan A.pdf").write_bytes(b"%PDF")
    Image.new("L", (3, 2)).save(root / "documents/dot.png")
    (root / "blocks/BORN.md").write_text(f"---\ntitle: Born\n---\n{body}")
    (root / "blocks/OTHER.rst").write_text(REST)
    for name, text in GUIDE.items():
        (guide / name).write_text(text)
    blocks = (
        Block(id="BORN", body=body, path="blocks/BORN.md"),
        Block(id="OTHER", body=REST, path="blocks/OTHER.rst", format="rst"),
        Block(id="EMPTY", path="blocks/EMPTY.md"),
    )
    return Campaign(
        root=root, id="c", title='A <campaign> & "co"', description="A *test*.", blocks=blocks
    ), guide


class Built:
    """One run of Sphinx over the campaign above: what the tests look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.campaign, self.guide = make(folder)
        (folder / "state").mkdir()
        self.prose, self.site = self.run()

    def run(self) -> tuple[Prose, Site]:
        site = Site(self.folder / "site")
        prose = build_prose(self.campaign, site, self.folder / "state", self.guide)
        site.finish()
        return prose, site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("prose"))


def places(findings: tuple[Finding, ...], word: str) -> list[str]:
    return [f.where for f in findings if word in f.what]


def test_untrusted_markup_stays_text(built: Built) -> None:
    everything = "".join(built.prose.bodies.values())
    assert "<script" not in everything and "<b>raw" not in everything
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in built.prose.bodies["BORN"]
    assert "a comment" not in everything
    assert "javascript:" not in everything.replace("&lt;javascript:", "")
    site = "".join(p.read_text(errors="replace") for p in (built.folder / "site").rglob("*") if p.is_file())
    assert "TOP SECRET" not in everything + site


def test_links_are_right_on_the_page_of_the_block(built: Built) -> None:
    body = built.prose.bodies["BORN"]
    assert 'href="../../files/documents/plan%20A.pdf"' in body
    assert 'href="../../blocks/OTHER/index.html#prose-head"' in body
    assert 'href="https://example.org/a?b=1"' in body
    assert '<img src="../../files/documents/dot.png" alt="near" loading="lazy" width="3" height="2">' in body
    assert '<img src="https:' not in body
    assert (built.folder / "site/files/documents/plan A.pdf").read_bytes() == b"%PDF"
    assert 'id="prose-head"' in built.prose.bodies["OTHER"]


def test_headings_stand_below_the_title_of_the_page(built: Built) -> None:
    assert "<h1" not in "".join(built.prose.bodies.values())
    assert "<h2>Head" in built.prose.bodies["OTHER"] and "<h3>Sub" in built.prose.bodies["OTHER"]
    assert built.prose.bodies["EMPTY"] == ""
    assert built.prose.description_html == "<p>A <em>test</em>.</p>"


def test_formulae_need_no_script(built: Built) -> None:
    assert "<mfrac>" in built.prose.bodies["OTHER"] and "<msup>" in built.prose.bodies["BORN"]
    html = (built.folder / "site/guide/two.html").read_text()
    assert "<msub>" in html and 'src="http' not in html


def test_what_is_wrong_is_found_where_it_stands(built: Built) -> None:
    found = built.prose.findings
    lines = (built.campaign.root / "blocks/BORN.md").read_text().splitlines()

    def line(text: str) -> str:
        return f"blocks/BORN.md:{next(n for n, t in enumerate(lines, 1) if text in t)}"

    assert places(found, "HTML in this text") == [line("<script>")]
    assert places(found, "blocks/gone.md") == [line("[plan]")]
    assert line("{include}") in places(found, "include")
    assert line("{raw}") in places(found, "raw")
    assert places(found, "example.org/x.png") == [line("![far]")]
    assert {f.kind for f in found if "secret" in f.what and "leaves" in f.what} == {"unsafe-path"}
    assert {f.block for f in found} == {"BORN", "OTHER"}
    assert "blocks/OTHER.rst:6" in places(found, "raw")


def test_the_guide_is_in_the_site_in_its_order(built: Built) -> None:
    assert [p[:2] for p in built.prose.guide_pages] == [
        ("guide/index.html", "Guide"),
        ("guide/two.html", "Two"),
    ]
    html = (built.folder / "site/guide/two.html").read_text()
    assert 'href="../index.html"' in html and "contents.html" not in html
    assert "A &lt;campaign&gt; &amp; " in html
    assert "<campaign>" not in html


def test_pages_refer_to_nothing_elsewhere(built: Built) -> None:
    html = (
        built.prose.shell.page(Page("blocks/B/index.html", "B", "", "block"))
        + (built.folder / "site/guide/index.html").read_text()
    )
    for attribute in (
        'src="http',
        'src="//',
        '<link href="http',
        'rel="stylesheet" type="text/css" href="http',
    ):
        assert attribute not in html
    assert "searchindex.js" not in html


def test_nothing_is_run_without_need(built: Built) -> None:
    script = (
        "import sys, pickle, pathlib; sys.path.insert(0, sys.argv[2]);\n"
        "from test_prose import again\n"
        "print(*again(pathlib.Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(built.folder), str(Path(__file__).parent)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.split() == ["True", "0", "sphinx-not-imported"]


def again(folder: Path) -> tuple[bool, int, str]:
    """Build the folder a second time; in a process of its own, where no test has imported Sphinx."""
    blocks = (
        Block(id="BORN", body=MARKDOWN, path="blocks/BORN.md"),
        Block(id="OTHER", body=REST, path="blocks/OTHER.rst", format="rst"),
        Block(id="EMPTY", path="blocks/EMPTY.md"),
    )
    campaign = Campaign(
        root=folder / "campaign", id="c", title='A <campaign> & "co"', description="A *test*.", blocks=blocks
    )
    site = Site(folder / "site")
    prose = build_prose(campaign, site, folder / "state", folder / "guide")
    return (
        prose.reused,
        len(site.written),
        "sphinx-imported" if "sphinx" in sys.modules else "sphinx-not-imported",
    )


def test_a_linked_file_that_appears_is_noticed(tmp_path: Path) -> None:
    built = Built(tmp_path)
    assert built.run()[0].reused
    (built.campaign.root / "blocks/gone.md").write_text("there now")
    prose, _ = built.run()
    assert not prose.reused
    assert places(prose.findings, "gone.md") == []
    (tmp_path / "site/guide/two.html").unlink()
    assert not built.run()[0].reused
    assert (tmp_path / "site/guide/two.html").exists()


def test_when_sphinx_fails_pages_are_still_made(tmp_path: Path) -> None:
    campaign, guide = make(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/sphinx").write_text("a file where the staging folder should be")
    prose = build_prose(campaign, Site(tmp_path / "site"), tmp_path / "state", guide)
    assert [f.kind for f in prose.findings] == ["bad-file"]
    assert "<p>x</p>" in prose.shell.page(Page("index.html", "Home", "<p>x</p>", "home"))


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("a < b <https://x.org>", []),
        ("`<b>` and\n\n    <i>code</i>", []),
        ("<!-- only -->", []),
        ("x\n\n<div>y</div>", [3]),
    ],
)
def test_html_is_told_from_text(body: str, lines: list[int]) -> None:
    assert html_lines(body) == lines
