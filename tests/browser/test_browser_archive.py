"""An archived site, moved to another place, in a real browser from ``file://``: whole, offline, as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builder.archive.compare import compare
from builder.archive.compared import write_page
from builder.archive.edition import edition_of
from builder.archive.make import listing, make

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def moved(built_example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of the example in a folder that was moved, with a page that compares them."""
    place = tmp_path_factory.mktemp("archive")
    for number, label in enumerate(("first light", "after review"), 1):
        made = make(
            built_example,
            label=label,
            author="A",
            now=datetime(2025, 3, number, tzinfo=UTC),
            to=place / "versions",
        )
        edition = edition_of(made.version)
        if number == 1:
            first = edition
    write_page(compare(first, edition), place / "versions")
    listing(place / "versions")
    return Path(shutil.move(place / "versions", place / "a memory stick é"))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda e: wrong.append(str(e)))
    opened.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("requestfailed", lambda r: wrong.append(f"failed {r.url}"))
    opened.on(
        "request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else wrong.append(r.url)
    )
    yield opened
    context.close()
    assert wrong == []


def test_the_list_leads_to_the_sites_and_back(moved: Path, page: Any) -> None:
    page.goto(f"{moved.as_uri()}/index.html")
    assert page.locator("h2").all_inner_texts() == ["2: after review", "1: first light"]
    page.get_by_role("link", name="1: first light").click()
    page.wait_for_load_state()
    assert "/0001-first-light" in page.url and page.url.endswith("data/site/index.html")
    page.goto(f"{moved.as_uri()}/index.html")
    page.get_by_role("link", name="1 with 2").first.click()
    assert "Nothing changed." in page.inner_text("main")


def test_an_archived_page_shows_its_figures_and_finds_its_numbers(moved: Path, page: Any) -> None:
    site = next(moved.glob("0002-*")) / "data" / "site"
    page.goto(f"{site.as_uri()}/blocks/BORN/tests/PTC01.html")
    drawn = page.locator("img.only-light").first
    drawn.scroll_into_view_if_needed()
    page.wait_for_function("e => e.complete && e.naturalWidth > 0", arg=drawn.element_handle())
    page.wait_for_load_state("networkidle")  # a page left while its figures still load says that they failed
    page.goto(f"{site.as_uri()}/search.html?q=BIAS02")
    page.get_by_role("link", name="BIAS02").first.wait_for()
