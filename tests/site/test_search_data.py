"""Navigation and search as data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from report_fixture import make_report

from builder.render.page import Crumb, Page
from builder.render.search import TEXT_LIMIT, nav_script, search_entry, search_page, search_script
from builder.report import Verdict

GUIDE = (("guide/index.html", "Guide", "How to start"),)


def data(script: str, name: str) -> Any:
    assert script.startswith(f"window.{name}=") and script.endswith(";\n")
    return json.loads(script.removeprefix(f"window.{name}=").rstrip().removesuffix(";"))


@pytest.fixture(scope="module")
def nav() -> Any:
    return data(nav_script(make_report(), GUIDE), "calbookNav")


def test_every_test_is_in_the_navigator_with_its_verdict(nav: Any) -> None:
    report = make_report()
    states = [word for _, _, word in nav["states"]]
    assert states == [str(v) for v in Verdict]
    for block, held in zip(report.blocks, nav["blocks"], strict=True):
        assert [t[0] for t in held[5]] == [t.test.name for t in block.tests]
        assert [states[t[2]] for t in held[5]] == [str(t.verdict) for t in block.tests]
        assert states[held[3]] == str(block.verdict)
    assert nav["guide"] == [["Guide", "guide/index.html"]]


def test_the_navigator_counts_what_is_wrong(nav: Any) -> None:
    report = make_report()
    own = [f for b in report.blocks for f in (*b.findings, *(f for t in b.tests for f in t.findings))]
    for severity in ("error", "warning"):
        assert nav["health"][severity] == len({f for f in (*report.findings, *own) if f.severity == severity})


def test_no_text_can_close_the_script() -> None:
    page = Page("a.html", "</script><script>alert(1)", "", "test", search="\u2028<!--")
    for script in (nav_script(make_report()), search_script({page.path: search_entry(page)})):
        assert "<" not in script
        assert "\u2028" not in script


def test_pages_are_found_by_their_text_but_not_by_all_of_it() -> None:
    crumbs = (Crumb("Home", "index.html"), Crumb("BORN", "blocks/BORN/index.html"))
    pages = [
        Page(
            "blocks/BORN/tests/PTC01.html",
            "PTC01",
            "<p>",
            "test",
            crumbs,
            search="lamp   drift " + "x" * 9999,
        ),
        Page("odd.html", "Odd", "", "something new"),
        search_page(),
    ]
    found = {
        d[0]: d for d in data(search_script({p.path: search_entry(p) for p in pages}, GUIDE), "calbookSearch")
    }
    assert set(found) == {"blocks/BORN/tests/PTC01.html", "odd.html", "guide/index.html"}
    _, title, kind, place, text = found["blocks/BORN/tests/PTC01.html"]
    assert (title, kind, place) == ("PTC01", "Tests", "BORN")
    assert text.startswith("lamp drift x") and len(text) == TEXT_LIMIT
    assert found["odd.html"][2] == "Other pages"
    assert found["guide/index.html"][2:] == ["Guide", "Guide", "How to start"]


def test_the_same_report_gives_the_same_bytes() -> None:
    assert nav_script(make_report(), GUIDE) == nav_script(make_report(), GUIDE)
