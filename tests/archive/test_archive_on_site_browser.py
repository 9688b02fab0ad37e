"""Links between the site and its report versions in a real browser, from ``file://``, in place and moved away."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny_campaign import NOW, built

from builder.archive.make import Made

pytestmark = pytest.mark.browser
Archive = Callable[..., Made]
TEST = "blocks/B1/tests/BIAS01.html"


def opened(page: Any, site: Path, address: str) -> Any:
    page.goto(f"{site.as_uri()}/{address}")
    page.wait_for_load_state()
    return page


def test_this_page_in_version(browser: Any, campaign: Path, archived: Archive, tmp_path: Path) -> None:
    first = archived("CDR <b>é</b>").version
    built(campaign, now=NOW + timedelta(hours=1))
    second = archived("after").version
    site = campaign / "build" / "site"
    built(campaign, now=NOW + timedelta(hours=2))
    context = browser.new_context(viewport={"width": 1800, "height": 900})
    context.set_default_timeout(20_000)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda e: wrong.append(str(e)))
    opened(page, site, TEST)
    assert page.locator(".archived-copy").count() == 0
    page.locator(".in-versions summary").click()
    links = page.locator(".in-versions li a")
    links.nth(2).wait_for()
    assert links.all_inner_texts() == ["2: after", "1: CDR <b>é</b>", "all versions"]
    links.nth(0).click()
    page.wait_for_url(f"{second.site.as_uri()}/{TEST}")
    assert "Report version 2 (after)" in page.locator(".archived-copy").inner_text()
    page.locator(".in-versions summary").click()  # from version to version
    page.get_by_role("link", name="1: CDR").click()
    page.wait_for_url(f"{first.site.as_uri()}/{TEST}")
    assert "Report version 1 (CDR <b>é</b>)" in page.locator(".archived-copy").inner_text()
    opened(page, site, "versions.html")
    page.get_by_role("link", name="its site").first.click()
    page.wait_for_url(f"{second.site.as_uri()}/index.html")
    opened(page, site, "versions.html")
    page.get_by_role("link", name="1 with 2").click()
    page.wait_for_url("**/compare-1-2.html")
    for copied in (site, second.site):  # no link leads nowhere
        away = Path(shutil.copytree(copied, tmp_path / "stick" / copied.parent.name))
        opened(page, away, TEST).locator(".in-versions summary").click()
        page.get_by_text("not beside this copy").wait_for()
        assert page.locator(".in-versions li a").all_inner_texts() == ["all versions"]
        opened(page, away, "versions.html")
        page.wait_for_timeout(300)
        assert page.locator("[data-in-versions] a").count() == 0
    context.close()
    assert wrong == []
