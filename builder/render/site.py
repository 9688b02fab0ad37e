"""Everything → the site: pages, figures, previews, products, files and exports, each written only when new.

A page whose parts are as when it was drawn last, and whose file is untouched, is not drawn: what it is found by
comes from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache, partial
from pathlib import Path

from builder import exports, measurement_tables
from builder.archive.on_site import VERSIONS_SCRIPT, versions_script
from builder.digests import digest
from builder.engine import Engine
from builder.memory import what_lives_set_aside
from builder.recover import distrust, sound
from builder.render import addresses
from builder.render.environment import remember_compiled
from builder.render.facts import Facts
from builder.render.links import linked_files
from builder.render.pages import UNDRAWN, Draft, draft_of_build, drafts
from builder.render.pages_compare import comparison_csv
from builder.render.parts import code_digest, template_digest
from builder.render.parts_check import comparison_parts
from builder.render.parts_trends import begin_trend_files
from builder.render.prose import Prose
from builder.render.search import (
    NAV,
    SEARCH_DATA,
    SEARCH_PAGE,
    nav_script,
    search_entry,
    search_page,
    search_script,
)
from builder.render.write import Site
from builder.report import BuildInfo, Report
from builder.store import Store
from builder.store_copy import StoreCopy
from campaign.frozen import dataclass
from campaign.model import Campaign

DATABASE = "data/calbook.sqlite"

MOST_UNDER_WAY = 100_000
"""Rows that are handed to the worker beside the build: they take memory twice until their tables are made."""


@dataclass(frozen=True)
class Rendered:
    """How many files were written and pages drawn, what the page about the build tells, pages that could not be drawn.

    ``undrawn`` are (address, error).
    """

    written: int
    drawn: int
    info: BuildInfo
    undrawn: tuple[tuple[str, str], ...] = ()


@dataclass
class _Pages:
    """The addresses of all pages of one build, what is to be recorded of those that were drawn, and those that could not be."""

    addresses: set[str] = field(default_factory=set)
    rows: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    undrawn: list[tuple[str, str]] = field(default_factory=list)


def linked(campaign: Campaign) -> tuple[dict[str, Path], frozenset[str]]:
    """Files that pages link to: place in the site → path; and those that are not there, relative to the campaign."""
    wanted = linked_files(campaign)
    there = {to: campaign.root / path for to, path in wanted.items() if (campaign.root / path).is_file()}
    return there, frozenset(path for to, path in wanted.items() if to not in there)


@what_lives_set_aside()
def render(
    facts: Facts,
    prose: Prose,
    site: Site,
    store: Store,
    files: Mapping[str, Path],
    *,
    closing: Callable[[], BuildInfo] | None = None,
    fresh: bool = False,
    engine: Engine | None = None,
) -> Rendered:
    """Write the site of a report; ``files`` are the campaign's own that it links to, ``fresh`` draws every page.

    Files of earlier builds that are no longer made are removed. Figures and products come from the store's
    objects, so nothing is drawn here but pages. The ``engine``'s worker beside the build makes tables and plots over time meanwhile. ``closing`` is asked last of all for what the page about the build
    tells, so that it tells of all before.
    """
    with store.copying() as copy:
        if closing:  # a build that is recorded, so that its copy is new
            copy.begin()
        return _render(facts, prose, site, store, copy, files, closing, fresh, engine)


def _render(
    facts: Facts,
    prose: Prose,
    site: Site,
    store: Store,
    copy: StoreCopy,
    files: Mapping[str, Path],
    closing: Callable[[], BuildInfo] | None,
    fresh: bool,
    engine: Engine | None,
) -> Rendered:
    report = facts.book.report
    known, code = store.drawn(), code_digest()
    before = {} if fresh else known
    write_exports = _begin_exports(facts, site, before, code, engine)
    write_trends = begin_trend_files(facts, site, before, code, engine)
    remember_compiled(store.folder / "templates")
    entries = store.searched()
    common = {"the site's frame": digest(prose.shell.to_json()), "code that draws pages": code}
    templates, pages = cache(template_digest), _Pages()

    def draw(draft: Draft) -> None:
        parts = {**common, "templates": templates(draft.template), **draft.parts}
        key = digest(parts)
        before = known.get(draft.path, ("", ""))
        if not fresh and before[0] == key and site.keep(draft.path, before[1]):
            return
        page = draft.draw()
        site.write(draft.path, prose.shell.page(page))
        if page.kind == UNDRAWN:  # not recorded, so that the next build tries again
            pages.undrawn.append((page.path, page.description))
            key = ""
        bytes_now, entries[draft.path] = site.digest(draft.path), search_entry(page)
        pages.rows[draft.path] = key, bytes_now, entries[draft.path]
        if bytes_now != before[1]:
            store.page_changed(draft.path, bytes_now, parts)

    # one by one: no page is held beside others
    for draft in drafts(facts, prose.bodies, prose.description_html):
        pages.addresses.add(draft.path)
        if draft.path != addresses.BUILD:
            draw(draft)
    pages.addresses.add(SEARCH_PAGE)
    draw(Draft(SEARCH_PAGE, "", {}, search_page))
    pages.undrawn += _objects(report, site, store)
    for to, path in files.items():
        site.copy(to, path)
    made = write_exports() | write_trends()
    if closing:
        facts = facts.of_build(closing(), report.changes)
    draw(draft_of_build(facts, pages.addresses))
    drawn = len(pages.rows)
    site.write(NAV, nav_script(report, prose.guide_pages))
    every_page = {*pages.addresses, *(path for path, *_ in prose.guide_pages)}
    site.write(VERSIONS_SCRIPT, versions_script(report.campaign.root, site.out, every_page))
    entries = {path: entry for path, entry in entries.items() if path in pages.addresses}
    site.write(SEARCH_DATA, search_script(entries, prose.guide_pages))
    gone = known.keys() - pages.addresses - made.keys()
    if pages.rows or gone or any(known.get(p) != row[:2] for p, row in made.items()):
        store.save_drawn(pages.rows | made, gone, report.info.build_id)
    if site.written or not site.keep(DATABASE):
        site.move(DATABASE, copy.finish())
    written = len(site.written)
    site.finish()
    return Rendered(written, drawn, facts.book.report.info, tuple(pages.undrawn))


def _objects(report: Report, site: Site, store: Store) -> list[tuple[str, str]]:
    """Give the site what its pages show of the store; returns what is gone or damaged there: (address, fault).

    The name of an object is the digest of its content, so damage is seen. The next build makes such objects again.
    """
    damaged = []
    for path, name in _wanted(report):
        stem = name.rpartition("/")[2].partition(".")[0]
        if site.keep(path, stem):
            continue
        if sound(store.objects / name):
            site.link(path, store.objects / name, stem)
        else:
            damaged.append((path, f"{name} is gone from the store or damaged; the next build makes it again"))
    if damaged:
        distrust(store)
    return damaged


def _wanted(report: Report) -> Iterator[tuple[str, str]]:
    """(address in the site, name of the object) of every figure, preview and product."""
    for block in report.blocks:
        for frame in block.frames:
            if frame.preview:
                yield frame.preview, frame.preview.removeprefix("previews/")
    for outcome in report.outcomes():
        for figure in outcome.figures:
            for path in filter(None, (figure.light, figure.dark, figure.data, figure.interactive)):
                yield path, path.removeprefix("figures/")
        for product in outcome.products:
            yield product.href, product.object
    for image in report.images:
        for figure in image.figures:
            for path in (figure.light, figure.dark, figure.data):
                yield path, path.removeprefix("figures/")


def _begin_exports(
    facts: Facts, site: Site, known: Mapping[str, tuple[str, str]], code: str, engine: Engine | None = None
) -> Callable[[], dict[str, tuple[str, str, str]]]:
    """The numbers for programs, each file made only when what it holds changed; what comes back writes them.

    Until then the engine's worker beside the build makes the tables. What comes back hands back what is to be recorded.
    """
    report = facts.book.report
    key, whole = digest(facts.numbers, code), digest(facts.whole, facts.build, code)
    tables: Callable[[], tuple[bytes, bytes]] | None = None

    def as_it_was(path: str, own: str) -> bool:
        before = known.get(path, ("", ""))
        return before[0] == own and site.keep(path, before[1])

    if not (as_it_was(addresses.MEASUREMENTS_CSV, key) and as_it_was(addresses.MEASUREMENTS_PARQUET, key)):
        tables = partial(_tables, report)
        beside = engine.beside if engine else None
        if engine and beside and measurement_tables.measurement_count(report) <= MOST_UNDER_WAY:
            rows = list(measurement_tables.measurement_rows(report))
            tables = engine.begin(measurement_tables.measurement_files, rows)
    makers: dict[str, tuple[str, Callable[[], bytes]]] = {
        addresses.CAMPAIGN_JSON: (whole, lambda: exports.campaign_json(report)),
        addresses.SUBJECTS_JSON: (
            digest(facts.numbers, report.certification.results, report.certification.reasons, code),
            lambda: exports.subjects_json(report),
        ),
        "data/campaign.schema.json": (digest(code), exports.campaign_schema),
    }
    for pair in facts.book.pairs:
        path = addresses.comparison_table(pair.here.block.id, pair.there.block.id)
        shown = digest(sorted(comparison_parts(facts, pair).items()), code)
        makers[path] = shown, partial(comparison_csv, pair)

    def finish() -> dict[str, tuple[str, str, str]]:
        both = (addresses.MEASUREMENTS_CSV, addresses.MEASUREMENTS_PARQUET)
        for path, data in zip(both, tables(), strict=True) if tables else ():
            site.write(path, data)
        for path, (own, make) in makers.items():
            if not as_it_was(path, own):
                site.write(path, make())
        keys = dict.fromkeys(both, key) | {path: own for path, (own, _) in makers.items()}
        return {path: (own, site.digest(path), "") for path, own in keys.items()}

    return finish


def _tables(report: Report) -> tuple[bytes, bytes]:
    """measurements.csv and measurements.parquet, their rows made no sooner than now."""
    return measurement_tables.measurement_files(measurement_tables.measurement_rows(report))
