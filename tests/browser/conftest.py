"""The built example in a real browser, from ``file://``: what the browser tests share.

The example is built by the real command (see ``built_example``). To look at a site that is there already:
``pytest tests/browser --built-site examples/vgcc/build/site``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--built-site", type=Path, help="a built site to test, instead of building the example")


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Path:
    """The root of the built example."""
    given: Path | None = request.config.getoption("--built-site", default=None)
    if given is not None:
        return given.resolve()
    folder: Path = request.getfixturevalue("built_example")
    return folder / "build" / "site"


class Visitor:
    """A reader at the site, and everything that a page must not do while they read."""

    def __init__(self, browser: Any, site: Path, **options: Any) -> None:
        self.site = site
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda e: self.wrong.append(f"{self.page.url}: script error: {e}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{self.page.url}: {message.type}: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(f"{self.page.url} asks for {request.url}")

    def open(self, address: str) -> Any:
        """The page at an address relative to the site's root, anchor or query included."""
        self.page.goto(f"{self.site.as_uri()}/{address}")
        return self.page

    def here(self) -> str:
        """The address of the page that is open, relative to the site's root, without anchor and query."""
        return str(self.page.url).partition("#")[0].partition("?")[0].removeprefix(f"{self.site.as_uri()}/")


@pytest.fixture
def visit(browser: Any, site: Path) -> Iterator[Any]:
    """Makes visitors; afterwards none of them has seen an error or a request that leaves the machine."""
    made: list[Visitor] = []

    def come(**options: Any) -> Visitor:
        made.append(Visitor(browser, site, **options))
        return made[-1]

    yield come
    for visitor in made:
        visitor.context.close()
    assert [w for v in made for w in v.wrong] == []


@pytest.fixture(scope="session")
def kinds(site: Path) -> dict[str, str]:
    """A page of each kind, by what it is."""
    result = sorted((site / "measurements").glob("*.html"))[0].name
    record = next(p.name for p in sorted((site / "records").glob("*.html")) if "BORN" in p.name)
    return {
        "home": "index.html", "block": "blocks/BORN/index.html", "block without data": "blocks/CURIE/index.html",
        "bias test": "blocks/DIRAC/tests/BIAS02.html", "dark test": "blocks/DIRAC/tests/DARK01.html",
        "flat test": "blocks/BORN/tests/FLAT01.html", "photon transfer test": "blocks/BORN/tests/PTC01.html",
        "all numbers": "blocks/BORN/tests/FLAT01/numbers.html",
        "planned test": "blocks/BORN/tests/PSF01_590.html", "test without frames": "blocks/BORN/tests/NL02.html",
        "exposures": "blocks/BORN/exposures.html", "detector": "detectors/CCD1.html",
        "procedures": "procedures/index.html", "procedure": "procedures/photon_transfer.html",
        "provenance": f"measurements/{result}", "health": "health.html", "caveats": "caveats.html", "certification": "certification.html",
        "review": "review/BORN/BIAS01.html", "review with products": "review/DIRAC/FLAT02_730.html",
        "limits": "limits.html", "hardware": "hardware.html", "documents": "documents.html",
        "record": f"records/{record}", "build": "about/build.html", "search": "search.html?q=BIAS02",
        "guide": "guide/index.html", "guide with code": "guide/campaign-folder.html", "settings": "guide/settings.html",
    }  # fmt: skip
