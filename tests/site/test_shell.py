"""The chrome and what is spliced into it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from builder.render.page import Crumb, Page
from builder.render.shell import DEPTHS, Shell, hole

HOSTILE = '"><script>alert(1)</script>'


def captured() -> Shell:
    names = ("title", "path", "description", "crumbs", "sections", "body")
    return Shell.capture({d: f"<{d}>" + "|".join(hole(n) for n in names) for d in range(DEPTHS)})


def page(path: str = "blocks/B/tests/T.html", **given: object) -> Page:
    fields: dict[str, object] = {"path": path, "title": "T", "body": "<p>body</p>", "kind": "test", **given}
    return Page(**fields)  # type: ignore[arg-type]


def test_holes_are_filled_and_text_is_escaped() -> None:
    html = captured().page(
        page(
            title=HOSTILE,
            description=HOSTILE,
            crumbs=(Crumb(HOSTILE, "index.html"),),
            sections=(("a", HOSTILE),),
        )
    )
    assert "<script>" not in html
    assert "@@calbook" not in html
    assert 'href="../../../index.html"' in html
    assert "<p>body</p>" in html


def test_the_depth_decides_the_chrome() -> None:
    shell = captured()
    assert shell.page(page("index.html")).startswith("<0>")
    assert shell.page(page("blocks/B/tests/T.html")).startswith("<3>")
    with pytest.raises(ValueError, match="directories deep"):
        shell.page(page("a/b/c/d/e/f.html"))


def test_a_body_may_speak_of_holes() -> None:
    assert hole("title") in captured().page(page(body=hole("title")))


def test_a_shell_survives_storage() -> None:
    shell = captured()
    assert Shell.from_json(json.loads(json.dumps(shell.to_json()))).page(page()) == shell.page(page())


def test_a_page_without_a_place_for_a_body_is_refused() -> None:
    with pytest.raises(ValueError, match="depth 2"):
        Shell.capture({2: hole("title")})


def test_the_bare_chrome_is_a_page() -> None:
    html = Shell.bare("Campaign <1>").page(page(crumbs=(Crumb("Home", "index.html"),)))
    parser = HTMLParser()
    parser.feed(html)
    assert "<title>T — Campaign &lt;1&gt;</title>" in html
    assert re.search(r'href="\.\./\.\./\.\./health\.html"', html)
