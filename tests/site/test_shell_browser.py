"""The chrome's scripts in a real browser, from file://: tables, viewer, plots, search, navigator."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_fixture import make_report

from analysis.figures import Mark, Panel, Plot, Series
from builder.archive.on_site import VERSIONS_SCRIPT, versions_script
from builder.draw import draw
from builder.render import addresses
from builder.render.checked import CHECKED, checked_script
from builder.render.page import Page
from builder.render.prose import build_prose
from builder.render.search import (
    NAV,
    SEARCH_DATA,
    nav_script,
    search_entry,
    search_page,
    search_script,
)
from builder.render.write import Site

VENDOR = Path(__file__).parents[2] / "site_src" / "vendor"
pytestmark = [
    pytest.mark.browser,
]

ROWS = [
    ("PTC01", 3.51, "pass"),
    ("PTC02", None, "not run"),
    ("=SUM(A1)", -0.4, "fail"),
    ("PTC10", 12.0, "pass"),
]
ROWS += [(f"BIAS{n:02d}", 1000.0 + n, "warn") for n in range(5)]


def table() -> str:
    shown = {None: ('<td class="none">too few frames</td>')}
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + shown.get(value, f'<td class="num" data-value="{value}">{value} <span class="pm">± 0.1</span></td>')  # type: ignore[call-overload]
        + f'<td><span class="status"><span aria-hidden="true">●</span><span class="word">{status}</span></span></td>'
        "<td>a, b</td><td>c</td></tr>"
        for name, value, status in ROWS
    )
    return (
        '<div class="table-wrap" tabindex="0"><table class="data" id="t" data-download="BORN tests"><thead><tr>'
        '<th scope="col">Test</th><th scope="col" class="num" data-sort="number" data-filter="text" data-key="gain">'
        'Gain <span class="unit">e⁻/ADU</span></th><th scope="col" data-filter="choice" data-key="status">Status</th>'
        f'<th scope="col">Notes</th><th scope="col" data-hide>More</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def body(figure: str) -> str:
    strip = "".join(
        f'<a class="frame" href="{figure}.svg" data-caption="frame {n}"><img alt="" src="{figure}.svg"></a>'
        for n in range(3)
    )
    return (
        f"<h1>PTC01</h1>{table()}"
        f'<figure class="plot"><a class="full" href="{figure}.svg"><img class="only-light" alt="plot" src="{figure}.svg">'
        f'<img class="only-dark" alt="" src="{figure}-dark.svg"></a><figcaption>c <button type="button" '
        f'class="plot-interactive" data-plot="{figure}.js" hidden>interactive</button></figcaption></figure>'
        f'<div class="strip">{strip}</div>'
        '<details class="fold"><summary>Log</summary><pre class="log" id="deep">lines</pre></details>'
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chrome")
    guide = folder / "guide"
    guide.mkdir()
    (guide / "index.md").write_text("# Guide\n\nHow gain is defined.\n")
    report = make_report()
    out = Site(folder / "a site with spaces")
    (folder / "state").mkdir()
    prose = build_prose(report.campaign, out, folder / "state", guide)
    x = np.linspace(100.0, 60000.0, 20)
    series = tuple(Series(x, x / g, "measured", c, yerr=0.01 * x) for c, g in (("E", 3.4), ("F", 3.6)))
    drawn = draw(Plot((Panel("signal [ADU]", "variance [ADU²]", series, (Mark("L-1", y=9000.0),)),)))
    files = {".svg": drawn.light, "-dark.svg": drawn.dark, ".js": drawn.script.encode()}
    for suffix, data in files.items():
        out.write(f"figures/f{suffix}", data)
    tests = [t for b in report.blocks[:1] for t in b.tests]
    pages = [
        Page(
            addresses.test_page(t.test.block, t.test.name),
            t.test.name,
            body("../../../figures/f"),
            "test",
            search="lamp drift",
        )
        for t in tests
    ]
    pages += [search_page(), Page("index.html", "Home", "<h1>Home</h1>", "home")]
    for page in pages:
        out.write(page.path, prose.shell.page(page))
    out.write(NAV, nav_script(report, prose.guide_pages))
    out.write(CHECKED, checked_script({}))
    out.write(VERSIONS_SCRIPT, versions_script(report.campaign.root, out.out, ()))
    out.write(SEARCH_DATA, search_script({p.path: search_entry(p) for p in pages}, prose.guide_pages))
    out.finish()
    return out.out


class Watched:
    """A page of the site, and everything that a page must not do."""

    def __init__(self, browser: Any, site: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.site = site
        self.page.on("pageerror", lambda e: self.wrong.append(f"script error: {e}"))
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type == "error" else None)
        self.page.on("request", self._request)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(request.url)

    def open(self, path: str) -> Any:
        self.page.goto(self.site.as_uri() + "/" + path)
        return self.page


@pytest.fixture
def watched(browser: Any, site: Path) -> Iterator[Watched]:
    held = Watched(browser, site, viewport={"width": 1280, "height": 900})
    yield held
    held.context.close()
    assert held.wrong == []


def place(number: int) -> str:
    """The address of a test of the first block."""
    test = make_report().blocks[0].tests[number].test
    return addresses.test_page(test.block, test.name)


PATH = place(0)


def column(page: Any, number: int) -> list[str]:
    return [c.inner_text() for c in page.locator(f"#t tbody tr:visible > :nth-child({number})").all()]


def test_tables_sort_with_the_unknown_last(watched: Watched) -> None:
    page = watched.open(PATH)
    head = page.locator("#t th .sort", has_text="Gain")
    head.click()
    assert column(page, 1)[:3] == ["=SUM(A1)", "PTC01", "PTC10"] and column(page, 1)[-1] == "PTC02"
    head.click()
    assert column(page, 1)[0] == "BIAS04" and column(page, 1)[-1] == "PTC02"
    assert page.locator("#t th[aria-sort]").get_attribute("aria-sort") == "descending"
    head.click()
    assert column(page, 1)[0] == "PTC01"
    assert page.locator("#t th[aria-sort]").count() == 0


def test_tables_filter_and_keep_it_in_the_address(watched: Watched) -> None:
    page = watched.open(PATH)
    page.select_option("tr.filters select", "pass")
    page.fill("tr.filters input", "> 4")
    assert column(page, 1) == ["PTC10"]
    assert page.inner_text(".table-count") == "1 of 9 rows"
    address = page.url
    assert "f.status=pass" in address and "f.gain=" in address
    again = watched.context.new_page()
    again.goto(address)
    assert column(again, 1) == ["PTC10"]
    again.click("text=Show all")
    assert len(column(again, 1)) == 9 and "#" not in again.url


def test_what_is_shown_is_downloaded_and_cannot_run(watched: Watched) -> None:
    page = watched.open(f"{PATH}#t?f.status=fail")
    with page.expect_download() as held:
        page.click("text=CSV")
    assert held.value.suggested_filename == "BORN-tests.csv"
    text = Path(held.value.path()).read_text(encoding="utf-8-sig")
    assert list(csv.reader(StringIO(text))) == [
        ["Test", "Gain [e⁻/ADU]", "Status", "Notes"],
        ["'=SUM(A1)", "-0.4", "fail", "a, b"],
    ]


def test_columns_can_be_chosen(watched: Watched) -> None:
    page = watched.open(PATH)
    assert not page.locator("#t thead th", has_text="More").is_visible()
    page.click("text=Columns")
    page.get_by_label("More", exact=True).check()
    page.get_by_label("Gain [e⁻/ADU]", exact=True).uncheck()
    assert page.locator("#t thead th", has_text="More").is_visible()
    assert not page.locator("#t tbody td.num").first.is_visible()


def test_the_viewer_steps_and_gives_the_focus_back(watched: Watched) -> None:
    page = watched.open(PATH)
    link = page.locator("a.frame").nth(1)
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.viewer[open]")
    assert page.inner_text(".viewer-caption") == "frame 1"
    shown = "name => document.querySelector('.viewer-caption').innerText === name"
    page.keyboard.press(".")
    page.wait_for_function(shown, arg="frame 2")
    page.keyboard.press(".")
    page.wait_for_function(shown, arg="frame 0")
    # an image that has just arrived is fitted to the stage: zoom only after that, or it is undone
    page.evaluate(
        "document.querySelector('.viewer-stage img').decode().then(() => new Promise("
        "done => requestAnimationFrame(() => requestAnimationFrame(done))))"
    )
    before = page.locator(".viewer-stage img").get_attribute("style")
    page.keyboard.press("+")
    page.wait_for_function(
        "before => document.querySelector('.viewer-stage img').getAttribute('style') !== before", arg=before
    )
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.viewer[open]", state="hidden")
    page.wait_for_function(
        "document.activeElement.dataset.caption === 'frame 1'"
    )  # the close event comes later


@pytest.mark.skipif(not (VENDOR / "uplot.js").exists(), reason="the front-end libraries are not installed")
def test_plots_become_interactive_on_demand(watched: Watched) -> None:
    page = watched.open(PATH)
    assert page.evaluate("typeof uPlot") == "undefined"
    page.click("button.plot-interactive")
    page.wait_for_selector(".uplot canvas")
    assert "E measured" in page.inner_text(".u-legend")
    page.click("text=picture")
    assert page.locator("figure a.full").is_visible() and not page.locator(".uplot").is_visible()


def test_search_groups_and_says_when_there_is_nothing(watched: Watched) -> None:
    page = watched.open("index.html")
    page.fill(".navbar-persistent--container input[name=q]", "gain")
    page.keyboard.press("Enter")
    page.wait_for_selector(".search-results li")
    assert "Guide" in page.inner_text(".search-results h2")
    page.fill(".search-page input[name=q]", "zzzz")
    page.wait_for_function("document.querySelector('.search-count').textContent.startsWith('Nothing')")
    assert page.locator(".search-results li").count() == 0


def test_the_navigator_knows_the_page_and_its_neighbours(watched: Watched) -> None:
    tests = make_report().blocks[0].tests
    page = watched.open(place(1))
    current = page.locator(".bd-sidebar-primary .navigator a[aria-current=page]")
    assert tests[1].test.name in current.inner_text()
    page.click(".step-nav a[rel=next]")
    assert page.url.endswith(place(2))
    page.fill(".bd-sidebar-primary .nav-filter", tests[0].test.name)
    page.locator(".bd-sidebar-primary .navigator ul:visible a", has_text=tests[0].test.name).first.click()
    assert page.url.endswith(place(0))


def test_an_anchor_in_a_closed_part_opens_it(watched: Watched) -> None:
    page = watched.open(f"{PATH}#deep")
    page.wait_for_function("document.querySelector('details.fold').open")


def test_a_page_without_scripts_is_still_a_page(browser: Any, site: Path) -> None:
    held = Watched(browser, site, java_script_enabled=False)
    page = held.open(PATH)
    assert page.locator("#t tbody tr").count() == 9
    assert page.locator(".navigator noscript a, .site-links a").count() >= 6
    assert page.locator("figure img:visible").count() == 1
    held.context.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_is_wider_than_its_screen(browser: Any, site: Path, width: int, theme: str) -> None:
    held = Watched(browser, site, viewport={"width": width, "height": 800}, color_scheme=theme)
    page = held.open(PATH)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("img.only-dark").is_visible() == (theme == "dark")
    held.context.close()
    assert held.wrong == []
