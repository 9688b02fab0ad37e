"""Navigation and search as data: scripts that assign a global, so that they work from file:// too.

Pages hold no list of other pages. A new test changes ``nav.js`` and ``search-data.js`` and leaves the other
pages' bytes alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from builder.render import addresses
from builder.render.checked import literal, script
from builder.render.page import Crumb, Page
from builder.report import SHAPES, BlockReport, Report, TestReport, Verdict
from campaign.findings import Severity, worst_first

SEARCH_PAGE = "search.html"
NAV = "nav.js"
SEARCH_DATA = "search-data.js"
TEXT_LIMIT = 3000
"""Characters of a data page's text that are searched: numbers beyond that are found by the tables' filters."""
GUIDE_LIMIT = 20000

_VERDICTS = tuple(Verdict)
_KINDS = {
    "comparison": "Comparisons",
    "block": "Blocks",
    "test": "Tests",
    "procedure": "Procedures",
    "detector": "Detectors",
    "caveat": "Caveats",
    "caveats": "Caveats",
    "exposures": "Exposures",
    "guide": "Guide",
    "result": "Provenance",
    "measurement": "Provenance",
    "provenance": "Provenance",
    "record": "Records",
    "trend": "Trends",
}
"""What groups of results are called; other kinds are gathered under 'Other pages'."""


def nav_script(report: Report, guide: Sequence[tuple[str, str, str]] = ()) -> str:
    """``nav.js``: blocks with their tests and verdicts, procedures, detectors and the other pages.

    ``guide`` is ``Prose.guide_pages``: (path, title, text).
    """
    findings = worst_first([*report.findings, *(f for b in report.blocks for f in _findings(b))])
    data = {
        "title": report.campaign.title,
        "states": [[str(v).replace(" ", "-"), SHAPES[v], str(v)] for v in _VERDICTS],
        "blocks": [_block(b) for b in report.blocks],
        "procedures": [[p.name, addresses.procedure_page(p.name)] for p in report.procedures],
        "detectors": [[d.name, addresses.detector_page(d.name)] for d in report.campaign.detectors],
        "pages": [
            ["Procedures", addresses.PROCEDURES],
            ["Trends", addresses.TRENDS],
            ["Steps and drifts", addresses.REGRESSIONS],
            ["Limits", addresses.LIMITS],
            ["Verdicts", addresses.VERDICTS],
            ["Caveats", addresses.CAVEATS],
            ["Certification", addresses.CERTIFICATION],
            ["Hardware", addresses.HARDWARE],
            ["Documents", addresses.DOCUMENTS],
            ["Health check", addresses.CHECK],
            ["Comparisons", addresses.COMPARISONS],
            ["Health", addresses.HEALTH],
            ["Report versions", addresses.VERSIONS],
            ["About this build", addresses.BUILD],
        ],
        "guide": [[title, path] for path, title, _ in guide],
        "health": {
            str(s): sum(f.severity is s for f in findings) for s in (Severity.ERROR, Severity.WARNING)
        },
    }
    return script("calbookNav", data)


def _findings(block: BlockReport) -> Iterable[Any]:
    yield from block.findings
    for test in block.tests:
        yield from test.findings


def _block(report: BlockReport) -> list[Any]:
    block = report.block
    return [
        block.id,
        block.title,
        report.page or addresses.block_page(block.id),
        _VERDICTS.index(report.verdict),
        str(block.status),
        [_test(t) for t in report.tests],
    ]


def _test(report: TestReport) -> list[Any]:
    test = report.test
    page = report.page or addresses.test_page(test.block, test.name)
    return [test.name, page.rpartition("/")[2], _VERDICTS.index(report.verdict), test.session]


def search_entry(page: Page) -> str:
    """What a page is found by, as JSON: address, title, kind, place and text. '' for the search page itself, reviews and tables of all numbers."""
    if page.path == SEARCH_PAGE or page.kind in (
        "review",
        "numbers",
    ):  # what they show is found as their test
        return ""
    return literal(
        [page.path, page.title, _KINDS.get(page.kind, "Other pages"), _place(page), _plain(page)[:TEXT_LIMIT]]
    )


def search_script(entries: Mapping[str, str], guide: Sequence[tuple[str, str, str]] = ()) -> str:
    """``search-data.js``: title, place, kind and text of every page (entries by address), and of the guide's."""
    found = {path: entry for path, entry in entries.items() if entry}
    found |= {p: literal([p, title, "Guide", "Guide", text[:GUIDE_LIMIT]]) for p, title, text in guide}
    return f"window.calbookSearch=[{','.join(found[path] for path in sorted(found))}];\n"


def _place(page: Page) -> str:
    return " › ".join(c.label for c in page.crumbs if c.href != addresses.HOME)


def _plain(page: Page) -> str:
    return " ".join(f"{page.description} {page.search}".split())


def search_page() -> Page:
    """The page that ``search.js`` fills: it takes its question from the address (?q=)."""
    body = (
        '<header class="page-head"><h1>Search</h1></header>'
        '<div class="search-page"><form role="search" method="get">'
        '<input type="search" name="q" aria-label="What to look for" autocomplete="off" autofocus>'
        '<button class="button" type="submit">Search</button></form>'
        '<p class="search-count" role="status" aria-live="polite"></p><div class="search-results"></div>'
        '<noscript><p class="notice notice-note">Search needs scripts. '
        f'The tables on <a href="{escape(addresses.HOME)}">home</a> list everything.</p></noscript></div>'
        f'<script defer src="{SEARCH_DATA}"></script>'
        '<script defer src="_static/vendor/minisearch.js"></script><script defer src="_static/search.js"></script>'
    )
    return Page(SEARCH_PAGE, "Search", body, "search", (Crumb("Home", addresses.HOME),))
