"""Data pages, cold: calbook's splice against Sphinx's own collected pages, side by side in one run.

Both render the same body (a 30-row table, five lazy images) through the same Jinja template with the same
theme, write 3,000 pages and 15,000 small image files. calbook's time includes starting Sphinx once to
capture the chrome; the peer's includes everything Sphinx does around ``html-collect-pages``.

Run: python -m bench.bench_pages [--quick]
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from bench.table import Row, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.bench_growth import Cost

CHECKOUT = Path(__file__).parents[1]
GOAL = 5.0
"""Seconds for 3,000 pages on two cores."""
ONE_CHANGED = 1.5
"""Seconds for the whole command where one of them says something else."""
IMAGES = 5
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
TEMPLATE = """<h1>{{ name }}</h1>
<div class="table-wrap" tabindex="0" role="region" aria-label="Measurements of {{ name }}">
<table class="data" id="measurements"><thead><tr>
{%- for head in heads %}<th scope="col">{{ head }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% for figure in figures %}<figure class="plot"><a class="full" href="{{ figure }}">
<img loading="lazy" width="538" height="326" alt="Figure" src="{{ figure }}"></a></figure>
{% endfor %}"""


def context(number: int) -> dict[str, Any]:
    """What a page shows: 30 rows of six cells, all different."""
    rows = [
        (
            f"CCD{r % 3 + 1}",
            "EFGH"[r % 4],
            f"{3.5 + number * 1e-4 + r * 1e-3:.4f}",
            "± 0.012",
            "pass",
            f"R{number}.{r}",
        )
        for r in range(30)
    ]
    figures = [f"../../../figures/{number}-{n}.png" for n in range(IMAGES)]
    heads = ("Detector", "Channel", "Gain [e⁻/ADU]", "Uncertainty", "Verdict", "Result")
    return {"name": f"PTC{number:04d}", "heads": heads, "rows": rows, "figures": figures}


def body_template() -> Any:
    return Environment(autoescape=True).from_string(TEMPLATE)


def ours(folder: Path, pages: int) -> dict[str, float]:
    """Seconds for calbook from nothing to a finished site: in all, and of it for chrome and for small files."""
    sys.path.insert(0, str(CHECKOUT))
    begun = time.perf_counter()
    from builder.render.page import Crumb, Page
    from builder.render.prose import build_prose
    from builder.render.write import Site
    from campaign.model import Campaign

    site = Site(folder / "site")
    (folder / "state").mkdir()
    prose = build_prose(
        Campaign(root=folder, id="bench", title="Bench"), site, folder / "state", folder / "guide"
    )
    template, chrome, small = body_template(), time.perf_counter() - begun, 0.0
    for number in range(pages):
        held = context(number)
        path = f"blocks/B{number // 50}/tests/{held['name']}.html"
        page = Page(path, held["name"], template.render(held), "test", (Crumb("Home", "index.html"),))
        site.write(path, prose.shell.page(page))
        images = time.perf_counter()
        for n in range(IMAGES):
            site.write(f"figures/{number}-{n}.png", PIXEL)
        small += time.perf_counter() - images
    site.finish()
    return {"all": time.perf_counter() - begun, "chrome": chrome, "images": small}


PEER = """
import sys
sys.path[:0] = [{checkout!r} + "/bench", {checkout!r}]
project, extensions, root_doc = "Bench", [], "index"
html_theme, html_copy_source, html_show_sourcelink = "pydata_sphinx_theme", False, False
def collect(app):
    from pathlib import Path
    from bench_pages import IMAGES, PIXEL, body_template, context
    figures = Path(app.outdir) / "figures"
    figures.mkdir()
    template = body_template()
    for number in range({pages}):
        held = context(number)
        for n in range(IMAGES):
            (figures / f"{{number}}-{{n}}.png").write_bytes(PIXEL)
        yield f"blocks/B{{number // 50}}/tests/{{held['name']}}", {{"title": held["name"], "body": template.render(held)}}, "page.html"
def setup(app):
    app.connect("html-collect-pages", collect)
"""


def peer(folder: Path, pages: int) -> float:
    """Seconds for Sphinx with the same theme, pages given to it through its own hook."""
    source = folder / "source"
    source.mkdir()
    (source / "conf.py").write_text(PEER.format(checkout=str(CHECKOUT), pages=pages))
    (source / "index.rst").write_text("Bench\n=====\n")
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sphinx", "-q", str(source), str(folder / "out")], check=True)
    return time.perf_counter() - begun


def one_changed(pages: int) -> dict[str, Cost]:
    """What the whole command costs for a campaign of that many data pages: a remark changed in its record, and one new frame with its test."""
    from bench.bench_growth import add_frame, build, least, remark  # which needs ``ours`` of here
    from bench.large_campaign import write

    with tempfile.TemporaryDirectory(prefix="calbook-bench-") as work:
        folder = write(Path(work) / "large", frames=pages // 2, tests=pages // 2, blocks=10)
        build(folder)
        build(folder)
        numbers = iter(range(pages, pages + 6))

        def after(change: Callable[[Path, int], None]) -> Cost:
            change(folder, next(numbers))
            return build(folder)

        return {
            "one changed": least(lambda: after(remark), 3),
            "one test new": least(lambda: after(add_frame), 3),
        }


def run(quick: bool) -> list[Row]:
    """The rows: pages from nothing beside Sphinx's own way; and the whole command after a remark was changed, and after one frame was added."""
    pages = 300 if quick else 3000
    with tempfile.TemporaryDirectory(prefix="calbook-bench-") as work:
        mine, theirs = Path(work) / "ours", Path(work) / "peer"
        mine.mkdir()
        theirs.mkdir()
        parts = ours(mine, pages)
        sphinx = peer(theirs, pages)
    told = (
        f"wanted ≤ {GOAL:g} s; the chrome took {parts['chrome']:.2f} s, small images {parts['images']:.2f} s"
    )
    rows = [Row(f"{pages} data pages from nothing", parts["all"], "Sphinx, pages collected, same theme", sphinx, note=told)]  # fmt: skip
    for what, cost in one_changed(pages).items():
        spent = f"{cost.drawn} pages drawn; processor seconds of the driver {cost.driver:.2f}, of its worker {cost.workers:.2f}"
        wanted = f"wanted ≤ {ONE_CHANGED:g} s; " if what == "one changed" else ""
        rows.append(
            Row(f"{pages} data pages, {what}, whole command", cost.seconds, "", None, note=wanted + spent)
        )
    return rows


if __name__ == "__main__":
    show("Data pages", run("--quick" in sys.argv))
