"""The built example as its readers meet it: walking, sorting, filtering, searching, with and without scripts."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
PHONE = {"width": 360, "height": 740}


def shown(page: Any, table: str, column: int) -> list[str]:
    """The texts of one column (from 1) of the rows that are shown."""
    return [
        str(t).strip()
        for t in page.locator(f"#{table} tbody tr:visible > :nth-child({column})").all_inner_texts()
    ]


def test_home_block_test_provenance_and_back(visit: Visit) -> None:
    """From home to where a number comes from in three clicks, and back by the path over the page."""
    visitor = visit()
    page = visitor.open("index.html")
    page.locator("table.status-matrix").get_by_role("link", name="BORN", exact=True).click()
    assert visitor.here() == "blocks/BORN/index.html"
    page.locator("#table-tests").get_by_role("link", name="PTC01", exact=True).click()
    assert visitor.here() == "blocks/BORN/tests/PTC01.html"
    cell = page.locator("td.cell.status-fail").first
    value = cell.get_attribute("data-value")
    result, _, anchor = cell.locator("a").first.get_attribute("href").rpartition("/")[2].partition(".html#")
    cell.locator("a").first.click()
    assert visitor.here() == f"measurements/{result}.html"
    row = page.locator(f"tr[id='{result}{anchor}']")
    assert row.locator("th").get_attribute("id") == anchor
    row.wait_for()
    assert row.locator("td.num").first.get_attribute("data-value") == value
    assert "VGCC-GAIN-01" in row.inner_text()
    assert re.search(r"[0-9a-f]{64}", page.locator("#inputs").inner_text())
    page.locator(".crumbs a", has_text="PTC01").click()
    page.locator(".crumbs a", has_text="BORN").click()
    page.locator(".crumbs a", has_text="Home").click()
    assert visitor.here() == "index.html"


def test_home_answers_on_its_first_screen(visit: Visit) -> None:
    """Status of every block, what needs a person, freshness: in view before anything is scrolled."""
    page = visit(viewport={"width": 1280, "height": 900}).open("index.html")
    for place in ("table.status-matrix", "#attention li", ".page-head a[href='#freshness']", ".tally"):
        box = page.locator(place).first.bounding_box()
        assert box["y"] + min(box["height"], 60) < 900, place
    assert page.locator("table.status-matrix tbody tr").count() == 21


def test_exposures_sort_filter_and_keep_it_in_the_address(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("blocks/BORN/exposures.html")
    live = page.locator(".table-count").first
    everything = int(live.inner_text().split()[0])
    assert everything == page.locator("#exposures tbody tr").count()
    head = page.locator("#exposures th", has_text="Exposure time")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    times = [float(t) for t in shown(page, "exposures", 5) if re.fullmatch(r"[\d.]+", t)]
    assert times == sorted(times, reverse=True) and len(set(times)) > 3
    page.get_by_label("Filter by Type", exact=True).select_option("bias")
    page.get_by_label("Filter by Detector", exact=True).select_option("CCD2")
    assert live.get_attribute("aria-live") == "polite" or live.get_attribute("role") == "status"
    few, of = (int(n) for n in re.findall(r"\d+", live.inner_text()))
    assert of == everything and 0 < few < everything
    assert set(shown(page, "exposures", 2)) == {"CCD2"} and set(shown(page, "exposures", 3)) == {"bias"}
    page.reload()
    page.wait_for_function("document.querySelector('#exposures th[aria-sort]') !== null")
    assert live.inner_text().startswith(f"{few} of {everything}")
    assert set(shown(page, "exposures", 2)) == {"CCD2"}


def test_what_is_shown_is_what_is_downloaded(visit: Visit) -> None:
    page = visit().open("blocks/BORN/exposures.html#exposures?f.type=dark&f.detector=CCD1")
    with page.expect_download() as held:
        page.locator(".table-tools").first.get_by_role("button", name="CSV").click()
    text = Path(held.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(StringIO(text)))
    assert [r["Exposure"] for r in rows] == shown(page, "exposures", 1)
    assert {r["Type"] for r in rows} == {"dark"} and {r["Detector"] for r in rows} == {"CCD1"}
    assert held.value.suggested_filename == "BORN-exposures.csv"


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("FLAT02_730", "blocks/BORN/tests/FLAT02_730.html"),
        ("wire bonds", "caveats.html"),
        ("service account", "guide/records.html"),
        ("15081-08-02", "blocks/BORN/index.html"),
    ],
)
def test_search_finds(visit: Visit, words: str, target: str) -> None:
    """A test by name, a caveat by its text, the guide, a serial number; from the box on every page."""
    page = visit().open("health.html")
    box = page.locator(".site-search input:visible").first
    box.fill(words)
    box.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    found = page.locator(".search-results a")
    found.first.wait_for()
    assert target in [
        str(h).partition("#")[0] for h in found.evaluate_all("l => l.map(a => a.getAttribute('href'))")
    ]


def test_search_says_when_there_is_nothing(visit: Visit) -> None:
    page = visit().open("search.html?q=zzzxqw")
    page.get_by_text("Nothing has “zzzxqw” in it", exact=False).wait_for()


def test_the_theme_can_be_changed_and_stays(visit: Visit) -> None:
    page = visit(color_scheme="light").open("index.html")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "light"
    page.locator(".theme-switch-button:visible, [aria-label='Color mode']:visible").first.click()
    page.get_by_text("Dark", exact=True).locator("visible=true").first.click()
    page.wait_for_function(f"{theme} === 'dark'")
    page.goto(page.url.replace("index.html", "health.html"))
    assert page.evaluate(theme) == "dark"


def test_a_picture_opens_large_and_a_plot_becomes_interactive(visit: Visit) -> None:
    page = visit().open("blocks/BORN/tests/PTC01.html")
    link = page.locator("figure.plot a.full").first
    link.click()
    page.locator("dialog.viewer[open] img").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('dialog.viewer[open]') === null")
    assert link.evaluate("a => a === document.activeElement")
    page.locator(".plot-interactive:visible").first.click()
    page.locator(".plot-live canvas").first.wait_for()
    assert page.locator(".plot-live .u-legend").first.inner_text().strip()
    frame = page.locator(".strip a.frame").first
    frame.click()
    page.locator("dialog.viewer[open] img").wait_for()
    page.wait_for_function("document.querySelector('dialog.viewer img').naturalWidth > 0")


def test_keyboard_alone(visit: Visit) -> None:
    """Tab meets the skip link first, then reaches the table and its sort buttons; arrows stay the browser's."""
    page = visit().open("blocks/BORN/exposures.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"
    met: list[str] = []
    for _ in range(150):
        page.keyboard.press("Tab")
        met.append(
            page.evaluate(
                "(e => e.matches('.table-wrap') ? 'table' : e.matches('th .sort') ? 'sort' : e.matches('.table-tools *') ? 'tool' : e.tagName)(document.activeElement)"
            )
        )
        if met[-1] == "sort":
            break
    assert met[-1] == "sort" and "table" in met and "tool" in met
    page.keyboard.press("Enter")
    assert page.locator("#exposures th[aria-sort]").count() == 1
    caught = page.evaluate(
        """['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'j', 'k', '/'].filter(key =>
        !document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true})))"""
    )
    assert caught == []


def test_no_page_is_wider_than_a_phone(visit: Visit, kinds: dict[str, str]) -> None:
    visitor = visit(viewport=PHONE, is_mobile=True, has_touch=True)
    wide = {}
    for kind, address in kinds.items():
        page = visitor.open(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide[kind] = width
    assert wide == {}


def test_a_phone_reaches_the_navigator(visit: Visit) -> None:
    visitor = visit(viewport=PHONE)
    page = visitor.open("blocks/BORN/tests/PTC01.html")
    page.locator(".primary-toggle").click()
    link = page.locator("dialog[open] .navigator a, .bd-sidebar-primary .navigator a", has_text="CURIE").first
    link.click()
    page.wait_for_url("**/blocks/CURIE/index.html")


def test_without_scripts(visit: Visit, kinds: dict[str, str]) -> None:
    """Tables are tables, links are links, closed parts open, and a list of pages stands in for the navigator."""
    visitor = visit(java_script_enabled=False)
    page = visitor.open("index.html")
    assert page.locator(".navigator a").first.is_visible()
    page.locator("table.status-matrix").get_by_role("link", name="BORN", exact=True).click()
    assert page.locator("#table-tests tbody tr").count() == 21
    page.locator("#table-tests").get_by_role("link", name="FLAT01", exact=True).click()
    assert visitor.here() == "blocks/BORN/tests/FLAT01.html"
    assert page.locator("table.matrix td.cell:visible").first.inner_text().strip()
    page.locator("details.fold > summary").first.click()
    assert page.locator("details.fold[open] table, details.fold[open] pre").first.is_visible()
    assert page.locator("button:visible", has_text="interactive").count() == 0
    assert page.locator("figure.plot img:visible").count() > 0
    page.locator(".navigator a", has_text="Health").first.click()
    assert visitor.here() == "health.html"


def test_print_shows_where_links_lead(visit: Visit) -> None:
    page = visit().open("blocks/BORN/index.html")
    page.emulate_media(media="print")
    after = "a => getComputedStyle(a, '::after').content"
    assert "docs.google.com" in page.locator("#links a").first.evaluate(after)
    for hidden in (".bd-header", ".bd-sidebar-primary", ".table-tools"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator("#table-tests tbody tr").last.is_visible()


def test_every_page_is_sound(visit: Visit, site: Path) -> None:
    """All pages of the site: nothing leaves the machine, no script complains, no picture is missing, none is blank."""
    visitor = visit()
    addresses = sorted(
        p.relative_to(site).as_posix() for p in site.rglob("*.html") if "_static" not in p.parts
    )
    assert len(addresses) > 100
    bad: dict[str, Any] = {}
    for address in addresses:
        page = visitor.open(address)
        found = page.evaluate(
            """async () => {
            const images = [...document.images].filter(i => !i.matches('html[data-theme=light] .only-dark, html[data-theme=dark] .only-light'));
            images.forEach(i => (i.loading = 'eager'));
            await Promise.all(images.filter(i => !i.complete).map(i => new Promise(r => { i.onload = i.onerror = r; })));
            return {
                lost: images.filter(i => !i.naturalWidth).map(i => i.getAttribute('src')),
                unsized: images.filter(i => !i.hasAttribute('width')).map(i => i.getAttribute('src')),
                h1: document.querySelectorAll('h1').length, text: document.querySelector('main').innerText.length,
                links: [...document.links].map(a => a.href).filter(h => !/^(file|https?|mailto):/.test(h)),
            }; }"""
        )
        if found["lost"] or found["unsized"] or found["links"] or found["h1"] != 1 or found["text"] < 40:
            bad[address] = found
    assert bad == {}


def test_pages_stay_light(site: Path) -> None:
    """Budgets of HTML: home 150 kB, a test 100 kB, all numbers of a test with a dozen numbers at each of its settings 150 kB."""
    assert (site / "index.html").stat().st_size < 150_000
    tests = {p: p.stat().st_size for p in site.glob("blocks/*/tests/*.html")}
    assert {p.name: size for p, size in tests.items() if size > 100_000} == {}
    numbers = [p.stat().st_size for p in site.glob("blocks/*/tests/*/numbers.html")]
    assert numbers and max(numbers) < 150_000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_of_many_figures_is_not_endless(visit: Visit, site: Path, theme: str) -> None:
    """The first figures of each procedure stand open, on a desk as on a phone; the others open where they are."""
    for path in ("DIRAC/tests/BIAS02", "BORN/tests/FLAT01", "BORN/tests/PTC01"):
        page = visit(color_scheme=theme).open(f"blocks/{path}.html")
        assert page.evaluate("document.documentElement.scrollHeight") < 7000, path
        assert page.evaluate("document.querySelector('#measurements').getBoundingClientRect().top") < 560, (
            path
        )
        fold = page.locator("details.figures").first
        assert fold.locator("img:visible").count() == 0
        fold.locator("summary").click()
        assert fold.locator("img:visible").count() > 0


@pytest.mark.parametrize("width", [1300, 1700])
def test_nothing_that_stays_in_view_hides_behind_the_header(visit: Visit, width: int) -> None:
    page = visit(viewport={"width": width, "height": 900}).open("blocks/BORN/tests/PTC01.html")
    header = page.locator(".bd-header").bounding_box()
    page.evaluate("window.scrollTo(0, 1500)")
    for place in (".bd-sidebar-primary", ".bd-sidebar-secondary"):
        box = page.locator(place).bounding_box()
        assert 0 <= box["y"] - header["height"] + 1 < 2, place  # to the pixel of the header's line
    page.evaluate("location.hash = 'figures'")
    page.wait_for_timeout(300)
    bars = [page.locator(p).bounding_box() for p in (".bd-header", ".bd-sidebar-secondary")]
    hidden = max(b["y"] + b["height"] for b in bars if b["width"] > 1000)
    assert page.locator("#figures h2").bounding_box()["y"] >= hidden


def test_a_mark_opens_the_folded_caveat_it_leads_to(visit: Visit) -> None:
    page = visit().open("blocks/BORN/tests/PTC01.html")
    folded = page.locator("details.caveats-more aside[id]").first
    assert not folded.is_visible()
    page.evaluate("id => { location.hash = id; }", folded.get_attribute("id"))
    folded.wait_for(state="visible")


def test_all_numbers_are_one_step_away(visit: Visit) -> None:
    visitor = visit(java_script_enabled=False)
    page = visitor.open("blocks/BORN/tests/FLAT01.html")
    few = page.locator("table.matrix td.cell").count()
    page.get_by_role("link", name="All numbers").first.click()
    assert visitor.here() == "blocks/BORN/tests/FLAT01/numbers.html"
    assert page.locator("table.matrix td.cell").count() > 3 * few
    page.locator("h1 a", has_text="FLAT01").click()
    assert visitor.here() == "blocks/BORN/tests/FLAT01.html"


def test_paper_holds_what_is_printed(visit: Visit) -> None:
    """Folded parts are open, no table is wider than A4 and no figure higher, and no figure is broken over two pages."""
    for path in ("BORN/tests/FLAT01.html", "DIRAC/tests/BIAS02.html"):
        page = visit(viewport={"width": 703, "height": 1000}).open(
            f"blocks/{path}"
        )  # 186 mm between the margins
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert page.locator("details.fold:not([open])").count() == 0
        found = page.evaluate(
            """() => ({
            wide: [...document.querySelectorAll('main table, main figure')].filter(e => e.getBoundingClientRect().right > 704).map(e => e.outerHTML.slice(0, 90)),
            high: [...document.querySelectorAll('figure.plot')].filter(e => e.getBoundingClientRect().height > 960).length,
            broken: [...document.querySelectorAll('figure.plot')].filter(e => getComputedStyle(e).breakInside !== 'avoid').length,
            })"""
        )
        assert found == {"wide": [], "high": 0, "broken": 0}, path
