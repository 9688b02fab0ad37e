"""Every page of a report with every state: well formed, linked, honest, and proof against hostile text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import unquote

import pytest
from page_reader import Read, read
from report_fixture import ATTRIBUTE, HOSTILE_FILE, NOW, SCRIPT, make_report

from builder.measurement_tables import COLUMNS, measurement_rows
from builder.render import addresses
from builder.render.book import Book
from builder.render.page import Page
from builder.render.pages import page_addresses, pages
from builder.render.pages_test import test_page
from builder.render.trend_plots import every_plot
from builder.report import SHAPES, BuildInfo, Report, Verdict
from campaign.findings import KINDS
from campaign.model import Campaign

PROSE = {"CURIE": "<p>Notes from the <em>prose</em> renderer.</p>"}
ABSENT = {"documents/gone.pdf"}
REPORT = make_report()
PAGES: dict[str, Page] = {}
for _page in pages(REPORT, PROSE, "<p>About it.</p>", ABSENT):
    assert _page.path not in PAGES, f"{_page.path} is made twice"
    PAGES[_page.path] = _page
READ: dict[str, Read] = {path: read(page.body) for path, page in PAGES.items()}
BIAS01 = addresses.test_page("BORN", "BIAS01")
PTC01 = addresses.test_page("BORN", "PTC01")

each_page = pytest.mark.parametrize("path", list(PAGES))


@each_page
def test_page_is_well_formed(path: str) -> None:
    """Tags balance, no attribute is repeated, and no cell, term or link is blank."""
    assert READ[path].problems == []


@each_page
def test_ids_are_unique_and_sections_exist(path: str) -> None:
    ids = READ[path].ids
    assert len(ids) == len(set(ids))
    assert all(i and not re.search(r"\s", i) for i in ids)
    assert {anchor for anchor, _ in PAGES[path].sections} <= set(ids)


def _asset_paths(report: Report) -> set[str]:
    """Files that the build puts beside the pages."""
    out = {addresses.MEASUREMENTS_CSV, addresses.MEASUREMENTS_PARQUET, addresses.CAMPAIGN_JSON}
    out |= {p for o in report.outcomes() for f in o.figures for p in (f.light, f.dark, f.data)}
    out |= {p.href for o in report.outcomes() for p in o.products}
    out |= {addresses.FEED} | {
        p.path(e) for p in every_plot(Book(report)) for e in (".svg", "-dark.svg", ".csv", ".js")
    }
    out |= {f.preview for b in report.blocks for f in b.frames if f.preview}
    return out | {"files/documents/description.pdf", "files/documents/scripts 1.txt"}


@each_page
def test_every_link_leads_somewhere(path: str) -> None:
    """Inside links hit a page (and its anchor) or a file of the build; outside ones are http(s) or mailto."""
    assets = _asset_paths(REPORT)
    for href in READ[path].hrefs:
        if re.match(r"[a-z]+:", href):
            assert re.match(r"(https?://[a-z]|mailto:)", href), href
            continue
        place, _, anchor = href.partition("#")
        target = normpath(str(PurePosixPath(path).parent / unquote(place))) if place else path
        assert target in PAGES or target in assets, f"{href} on {path} leads to {target}"
        if anchor and target in PAGES:
            assert unquote(anchor) in READ[target].ids, f"{href} on {path}: no such anchor"


@each_page
def test_crumbs_lead_to_pages(path: str) -> None:
    assert all(crumb.href in PAGES for crumb in PAGES[path].crumbs)


@each_page
def test_hostile_text_stays_text(path: str) -> None:
    """No script, handler or foreign image comes from the data, wherever it stands."""
    for element in READ[path].elements:
        assert element.tag not in {"script", "iframe", "object", "style", "b-", "i", "form"}
        assert not [n for n in element.attributes if n.startswith("on")]
        for name in ("href", "src"):
            assert not element.attributes.get(name, "").lower().startswith(("javascript:", "data:"))
        if element.tag == "img":
            assert element.attributes["src"] != "x"
            assert element.attributes["alt"].strip()
            assert int(element.attributes["width"]) > 0
            assert int(element.attributes["height"]) > 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (addresses.HOME, SCRIPT),
        (addresses.HOME, ATTRIBUTE),
        (addresses.test_page("BORN", SCRIPT), SCRIPT),
        (addresses.test_page("BORN", SCRIPT), ATTRIBUTE),
        (addresses.test_page("BORN", SCRIPT), HOSTILE_FILE),
        (addresses.test_page("BORN", "BIAS02"), SCRIPT),
        (addresses.block_page("BORN"), SCRIPT),
        (addresses.block_page("BORN"), "javascript:alert(3)"),
        (addresses.block_page(ATTRIBUTE), ATTRIBUTE),
        (addresses.exposures_page("BORN"), HOSTILE_FILE),
        (addresses.record_page("born"), "javascript:alert(1)"),
        (addresses.record_page("tracker"), ATTRIBUTE),
        (addresses.procedure_page("photon_transfer"), SCRIPT),
        (addresses.CAVEATS, SCRIPT),
        (addresses.LIMITS, ATTRIBUTE),
        (addresses.HEALTH, ATTRIBUTE),
        (addresses.BUILD, SCRIPT),
        (addresses.DOCUMENTS, "data:text/html,<script>alert(4)</script>"),
        (addresses.HARDWARE, SCRIPT),
    ],
)
def test_hostile_text_is_shown(path: str, text: str) -> None:
    """Untrusted text is not dropped either: a reader sees exactly what was written."""
    assert text in READ[path].text


def test_all_addresses_are_known_beforehand() -> None:
    assert sorted(page_addresses(Book(REPORT))) == sorted(PAGES)


def test_every_measurement_is_found_with_its_exact_value() -> None:
    """Wherever a number of measurements.csv stands on a page, the page carries the same digits."""
    values = {
        r["result_id"]: "" if r["value"] is None else repr(r["value"])
        for r in (dict(zip(COLUMNS, row, strict=True)) for row in measurement_rows(REPORT))
    }
    seen: dict[str, set[str]] = {}
    for path, page in READ.items():
        for element in page.measurements:
            name = element.attributes["data-measurement"]
            assert element.attributes["data-value"] == values[name], f"{name} on {path}"
            seen.setdefault(name, set()).add(path.split("/")[0])
    assert set(seen) == set(values)
    assert all({"measurements", "blocks"} <= places for places in seen.values())


_SHOWN = re.compile(r"^\(?([−0-9.\s\u2007\u2008]+)(?:± ([0-9.\u2007\u2008]+))?(?:\)? × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?")


def test_every_number_shown_is_the_value_rounded() -> None:
    """The digits that people read differ from the exact value by no more than half of the last digit shown."""
    checked = 0
    for page in READ.values():
        for element in page.measurements:
            exact = element.attributes["data-value"]
            if not exact or element.tag == "a":
                continue
            found = _SHOWN.match(element.text.strip())
            assert found, element.text
            digits = re.sub(r"[\s\u2007\u2008]", "", found[1]).replace("−", "-")
            power = int((found[3] or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
            decimals = len(digits.partition(".")[2])
            insignificant = 2 if "." not in digits and digits.endswith("00") else 0
            half = 0.5 * 10.0 ** (power - decimals + insignificant)
            assert abs(float(digits) * 10.0**power - float(exact)) <= half * (1 + 1e-9)
            checked += 1
    assert checked > 200


def test_each_number_of_a_test_leads_to_its_provenance() -> None:
    """One click from the number to the row that carries the same id and value."""
    cells = [e for e in READ[PTC01].elements if "data-measurement" in e.attributes]
    links = READ[PTC01].hrefs
    assert len(cells) == 24
    for cell in cells:
        name = cell.attributes["data-measurement"]
        result = name.split(".")[0]
        assert f"../../../{addresses.result_page(result)}#{addresses.number_anchor(name)}" in links
        assert addresses.number_anchor(name) in READ[addresses.result_page(result)].ids
        rows = {
            e.attributes["id"] for e in READ[addresses.result_page(result)].of("tr") if "id" in e.attributes
        }
        assert addresses.measurement_anchor(name) in rows


def test_provenance_names_inputs_parameters_versions() -> None:
    text = READ[addresses.result_page(f"{0xB0:020x}")].text
    for part in (
        "BORN/100_CCD1.fits",
        f"{100:064x}",
        "clip",
        "3.0 σ",
        "numpy",
        "2.1",
        "version 2",
        "VGCC-RON-01",
    ):
        assert part in text
    used = READ[addresses.result_page(f"{0xB6:020x}")].text
    assert "not part of this build" in used
    assert "bias.read_noise" in used


def test_missing_values_say_why() -> None:
    page = READ[PTC01]
    cells = [e for e in page.measurements if not e.attributes["data-value"]]
    assert {re.sub(r"\s*[◇◌†].*", "", e.text.strip()) for e in cells} == {"not reached", "too few frames"}
    legend = next(e for e in page.of("dl") if e.attributes.get("class") == "legend")  # once for all cells
    assert "do not reach the regime" in legend.text and legend.text.count("too few frames") == 1


def test_every_verdict_has_shape_and_word() -> None:
    """A status is never a colour alone, on any page, and every verdict occurs."""
    seen = set()
    for page in READ.values():
        for element in page.elements:
            classes = element.attributes.get("class", "").split()
            if "status" in classes:
                shape, word = element.text[0], element.text[1:].rpartition(": ")[2]
                assert SHAPES[Verdict(word)] == shape
                assert f"status-{word.replace(' ', '-')}" in classes
                seen.add(Verdict(word))
    assert seen == set(Verdict)


def test_home_answers_the_first_questions() -> None:
    text = " ".join(READ[addresses.HOME].text.split())
    assert "5 of 9" in text  # tests done in BORN
    assert "2 lacking frames" in text
    assert "BORN PTC02 photon_transfer of CCD1 stopped with an error" in text
    assert "curie: source is stale" in text
    assert "stale, last read 3 days ago" in text
    assert "never read" in text
    assert "BORN/PTC01: gain 3.40 → 3.41" in text
    links = READ[addresses.HOME].hrefs
    for block in REPORT.blocks:
        assert addresses.block_page(block.block.id) in links
    for test in REPORT.blocks[0].tests:
        analysed = Book(REPORT).procedures_of(test)
        assert (addresses.test_page("BORN", test.test.name) in links) == bool(analysed)


def test_changes_link_only_to_pages_that_exist() -> None:
    assert "trends/nothing.html" not in READ[addresses.HOME].hrefs
    assert "a page that was never made" in READ[addresses.HOME].text


def test_health_holds_every_finding_worst_first() -> None:
    page = READ[addresses.HEALTH]
    assert set(KINDS) <= set(page.ids)
    for finding in Book(REPORT).findings:
        assert finding.what in page.text
    order = [KINDS[i].severity for i in page.ids if i in KINDS]
    assert order == sorted(order, key=["error", "warning", "note"].index)


def test_caveats_stand_where_they_apply() -> None:
    text = REPORT.campaign.caveats[0].text
    for path in (BIAS01, addresses.block_page("BORN"), addresses.exposures_page("BORN"), addresses.CAVEATS):
        assert text in READ[path].text
    assert text not in READ[PTC01].of("p")[0].text
    marks = [e for e in READ[BIAS01].of("a") if e.text in ("†", "‡")]
    bars = {
        e.attributes["id"]: e.attributes["class"] for e in READ[BIAS01].of("aside") if "id" in e.attributes
    }
    outcomes = REPORT.blocks[0].tests[0].outcomes
    numbers = [j for o in outcomes for j in o.measurements if j.caveats]
    products = [p for o in outcomes for p in o.products if o.caveats]
    assert len(marks) == len(numbers) + len(products) and numbers and products
    for mark in marks:  # each leads to its bar, and tells a major one
        kind = bars[mark.attributes["href"].removeprefix("#")]
        assert mark.text == ("‡" if kind == "caveat caveat-major" else "†")
    assert {m.text for m in marks} == {"†", "‡"}
    over = [e.text for e in READ[BIAS01].of("span") if e.attributes.get("class") == "figure-caveat"]
    raised = next(c for c in REPORT.blocks[0].tests[0].caveats if c.raised_by)
    assert f"† minor caveat: {raised.text}" in over


def test_limits_and_caveats_that_share_an_id_are_all_shown() -> None:
    assert "PL-6-001, dry runs" in READ[addresses.LIMITS].text
    for text in ("Serial numbers are provisional.", "Another caveat of the same name."):
        assert text in READ[addresses.CAVEATS].text


def test_a_power_of_ten_belongs_to_value_and_uncertainty() -> None:
    cell = next(e for e in READ[PTC01].measurements if "dark_rate" in e.attributes["data-measurement"])
    assert re.search(r"\(\d\.\d\d ± 0\.21\) × 10⁻⁷", cell.text)


def test_a_shared_setting_is_said_once() -> None:
    head = READ[PTC01].of("th")[0]
    assert head.text == "Detector at 600 nm"
    assert READ[PTC01].text.count("600 nm") == 1


def test_flags_and_caveats_stand_beside_their_numbers() -> None:
    cell = next(e for e in READ[BIAS01].measurements if "lamp-drift" in e.text)
    assert "few-frames" in cell.text
    assert "status-warn" in cell.attributes["class"]


def test_empty_is_said_in_words() -> None:
    flat = READ[addresses.test_page("BORN", "FLAT01")].text
    assert "No frames matched exposures 130–135" in flat
    assert "No frames of exposures 130–135 were found." in flat  # its finding
    assert "planned and not yet acquired" in READ[addresses.test_page("BORN", "PSF01")].text
    assert "no procedure analyses this test" in READ[addresses.test_page("BORN", "CHINJ01")].text
    assert "moved to an archive" in READ[addresses.exposures_page("DRY-RUN")].text
    assert "No record source names this block" in READ[addresses.block_page("DIRAC")].text
    assert "never read" in READ[addresses.block_page("ERWIN")].text


def test_discrepancies_between_plan_and_disk() -> None:
    rows = {e.text.split("\n")[0]: e for e in READ[addresses.test_page("BORN", "BIAS02")].of("tr")}
    row = next(e for e in rows.values() if "104–107" in e.text)
    assert "104–106" in row.text
    assert "differs" in row.text
    assert row.attributes.get("class") == "is-warn"
    same = next(e for e in READ[BIAS01].of("tr") if "100–103" in e.text)
    assert "agrees" in same.text


def test_a_test_links_to_its_row_of_the_record() -> None:
    assert "../../../records/born.html#row-2" in READ[BIAS01].hrefs
    record = READ[addresses.record_page("born")]
    assert {"row-2", "row-3", "row-4", "row-7"} <= set(record.ids)
    assert "a formula's cached value" in [e.attributes.get("title") for e in record.of("abbr")]


def test_neighbours_and_namesakes() -> None:
    bias2 = READ[addresses.test_page("BORN", "BIAS02")].of("a")
    assert [e.attributes["href"] for e in bias2 if e.attributes.get("rel") in ("prev", "next")] == [
        "BIAS01.html",
        "PTC01.html",
    ]
    assert "../../CURIE/tests/BIAS01.html" in READ[BIAS01].hrefs


def test_errors_and_logs_are_shown() -> None:
    text = READ[addresses.test_page("BORN", "PTC02")].text
    assert "ZeroDivisionError" in text
    assert "Traceback: line 1 & <more>" in text


def test_campaign_files_are_linked_only_when_there() -> None:
    block = READ[addresses.block_page("BORN")]
    assert "../../files/documents/scripts%201.txt" in block.hrefs
    assert not any("gone.pdf" in h or "secret" in h for h in block.hrefs)
    assert "documents/gone.pdf" in block.text
    assert "../secret.txt" in block.text


def test_prose_is_the_only_trusted_html() -> None:
    assert [e.text for e in READ[addresses.block_page("CURIE")].of("em")] == ["prose"]
    assert [e.text for e in READ[addresses.block_page("BORN")].of("em")] == ["first"]


def test_procedure_page_holds_its_whole_declaration() -> None:
    for procedure in REPORT.procedures:
        text = READ[addresses.procedure_page(procedure.name)].text
        for part in (
            procedure.purpose,
            *(q.definition for q in procedure.quantities),
            *(q.estimator for q in procedure.quantities),
            *(p.meaning for p in procedure.parameters),
            *(r.meaning for r in procedure.roles),
            *(f.caption for f in procedure.figures),
            *(p.meaning for p in procedure.products),
            *(v.change for v in procedure.history),
            *procedure.acceptance,
            *procedure.caveats,
        ):
            assert part in text


def test_drawing_twice_gives_the_same() -> None:
    again = pages(make_report(), PROSE, "<p>About it.</p>", ABSENT)
    assert {p.path: p for p in again} == PAGES


def test_an_empty_campaign_has_a_site() -> None:
    """A campaign of nothing builds pages that say so."""
    campaign = Campaign(root=Path("campaign"), id="new", title="New")
    report = Report(campaign, (), (), (), (), (), BuildInfo(1, NOW, "", {}))
    made = {p.path: read(p.body) for p in pages(report, {})}
    assert all(r.problems == [] for r in made.values())
    assert "has no blocks yet" in made[addresses.HOME].text
    assert "This is the first build" in made[addresses.HOME].text


def test_large_campaign_stays_light() -> None:
    """Twenty-one blocks of forty tests: home stays under 150 kB with its chrome, a test page under 100 kB."""
    born = REPORT.blocks[0]
    tests = [
        replace(t, test=replace(t.test, name=f"{t.test.name}_{n}")) for n in range(5) for t in born.tests[:8]
    ]
    blocks = []
    for n in range(21):
        block = born.block.model_copy(update={"id": f"BLOCK{n}"})
        blocks.append(
            replace(born, block=block, tests=tuple(replace(t, block=block, test=replace(t.test, block=block.id)) for t in tests))
        )  # fmt: skip
    drawn = pages(replace(REPORT, blocks=tuple(blocks)), {})
    home = next(drawn)
    chrome = 25_000  # bytes of the theme around a page
    assert home.path == addresses.HOME
    assert len(home.body.encode()) + chrome < 150_000
    assert all(len(p.body.encode()) + chrome < 100_000 for p in PAGES.values() if p.kind == "test")


def test_a_figure_of_several_detectors_says_its_caption_once() -> None:
    report = REPORT.blocks[0].tests[0]
    captions = [f.caption for o in report.outcomes for f in o.figures]
    assert len(captions) > len(set(captions))
    text = READ[BIAS01].text
    assert all(text.count(c) == 1 for c in captions)
    shown = [e.attributes["aria-label"] for e in READ[BIAS01].of("a") if e.attributes.get("class") == "full"]
    assert len(shown) == len(captions) and len(set(shown)) == len(shown)  # each names its detector


def test_failing_numbers_stand_over_the_tables() -> None:
    report = REPORT.blocks[0].tests[0]
    first = report.outcomes[0]
    for failing in (0, 2, 8):
        judged = tuple(
            replace(j, verdict=Verdict.FAIL) if n < failing else j for n, j in enumerate(first.measurements)
        )
        assert len(judged) >= failing
        held = replace(report, outcomes=(replace(first, measurements=judged), *report.outcomes[1:]))
        found = re.search(r'<ul class="worst".*?</ul>', test_page(Book(REPORT), held).body, re.S)
        assert (found is not None) == bool(failing)
        if found:
            assert found[0].count("■") == min(failing, 6)
            assert ("more below" in found[0]) == (failing > 6)
            assert found[0].count('href="../../../measurements/') == min(failing, 6)


def test_procedures_are_reached_from_the_head_of_the_measurements() -> None:
    page = READ[BIAS01]
    links = {h for h in page.hrefs if h.startswith(("#procedure-", "#figures-"))}
    assert {h.removeprefix("#") for h in links} <= set(page.ids)
