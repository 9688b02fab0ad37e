"""Everything → the site: pages, figures, previews, products, files and exports, each written only when new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from builder import exports
from builder.recover import distrust, sound
from builder.render import addresses
from builder.render.links import linked_files
from builder.render.parts import code_digest, digest, page_parts, templates_digest
from builder.render.prose import Prose
from builder.render.search import NAV, SEARCH_DATA, nav_script, search_page, search_script
from builder.render.write import Site
from builder.report import BuildInfo, Report
from builder.store import Store, write_atomically

DATABASE = "data/calbook.sqlite"


@dataclass(frozen=True)
class Rendered:
    """How many files were written, and the pages that could not be drawn: (address, error)."""

    written: int
    undrawn: tuple[tuple[str, str], ...] = ()


def render(
    report: Report,
    digested: str,
    prose: Prose,
    site: Site,
    store: Store,
    closing: Callable[[], BuildInfo] | None = None,
) -> Rendered:
    """Write the site of a report.

    ``digested`` is a digest of the report: when neither it nor the code, the templates, the prose nor a file
    on disk has changed since the last time, nothing is rendered. Files of earlier builds that are no longer
    made are removed. Figures and products come from the store's objects, so nothing is drawn here.
    ``closing`` is asked last of all for what the page about the build tells, so that it tells of all before.
    """
    root = report.campaign.root
    linked = {
        to: root / path for to, path in linked_files(report.campaign).items() if (root / path).is_file()
    }
    files = [(to, path.stat().st_size, path.stat().st_mtime_ns) for to, path in linked.items()]
    common = {"the site's frame": digest(prose.shell.to_json()), "templates": templates_digest()}
    key = digest(digested, common, code_digest(), sorted(files))
    stamp = store.folder / "rendered"
    if prose.reused and stamp.exists() and stamp.read_text() == key and site.keep_all():
        if site.written:
            site.finish()
        return Rendered(len(site.written))
    # Jinja is not loaded by a build that changes nothing
    from builder.render.book import Book
    from builder.render.pages import UNDRAWN, pages
    from builder.render.pages_about import build_page

    absent = {path for to, path in linked_files(report.campaign).items() if to not in linked}
    made = [*pages(report, prose.bodies, prose.description_html, absent), search_page()]
    parts = page_parts(report)
    changed = {}
    for page in made:
        if site.write(page.path, prose.shell.page(page)):
            own = {**common, **parts.get(page.path, {"its content": digest(page.body)})}
            changed[page.path] = (site.digest(page.path), own)
    store.save_pages(changed, report.info.build_id)
    site.write(NAV, nav_script(report, prose.guide_pages))
    site.write(SEARCH_DATA, search_script(made, prose.guide_pages))
    damaged = _objects(report, site, store)
    for to, path in linked.items():
        site.copy(to, path)
    _exports(report, site, store)
    if closing and any(p.path == addresses.BUILD and p.kind != UNDRAWN for p in made):
        told = Book(replace(report, info=closing()), absent)
        site.write(addresses.BUILD, prose.shell.page(build_page(told, {p.path for p in made})))
    written = len(set(site.written))
    site.finish()
    undrawn = (*((p.path, p.description) for p in made if p.kind == UNDRAWN), *damaged)
    if undrawn:  # so that the next build tries again
        stamp.unlink(missing_ok=True)
    else:
        write_atomically(stamp, key.encode())
    return Rendered(written, undrawn)


def _objects(report: Report, site: Site, store: Store) -> list[tuple[str, str]]:
    """Give the site what its pages show of the store; returns what is gone or damaged there: (address, fault).

    The name of an object is the digest of its content, so damage is seen. The next build makes such objects again.
    """
    damaged = []
    for path, name in _wanted(report, store):
        digest = PurePosixPath(name).stem
        if site.keep(path, digest):
            continue
        if sound(store.objects / name):
            site.link(path, store.objects / name, digest)
        else:
            damaged.append((path, f"{name} is gone from the store or damaged; the next build makes it again"))
    if damaged:
        distrust(store)
    return damaged


def _wanted(report: Report, store: Store) -> Iterator[tuple[str, str]]:
    """(address in the site, name of the object) of every figure, preview and product."""
    for block in report.blocks:
        for frame in block.frames:
            if frame.preview:
                yield frame.preview, frame.preview.removeprefix("previews/")
    results = store.results(o.result_id for o in report.outcomes() if o.products)
    for outcome in report.outcomes():
        for figure in outcome.figures:
            for path in filter(None, (figure.light, figure.dark, figure.data, figure.interactive)):
                yield path, path.removeprefix("figures/")
        for product in outcome.products:
            yield product.href, results[outcome.result_id].detail["products"][product.name]["object"]


def _exports(report: Report, site: Site, store: Store) -> None:
    new = site.write(addresses.MEASUREMENTS_CSV, exports.measurements_csv(report))
    if new or not site.keep(addresses.MEASUREMENTS_PARQUET):
        site.write(addresses.MEASUREMENTS_PARQUET, exports.measurements_parquet(report))
    site.write(addresses.CAMPAIGN_JSON, exports.campaign_json(report))
    site.write("data/campaign.schema.json", exports.campaign_schema())
    if site.written or not site.keep(DATABASE):
        site.write(DATABASE, store.copy())
