"""The flow: from a campaign folder to a site. Read it from top to bottom."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from builder import VERSION
from builder.digests import digest
from builder.engine import Engine, default_workers
from builder.progress import Progress
from builder.render.checked import CHECKED, checked_script
from builder.render.write import Site
from builder.store import Store
from builder.summary import Summary
from builder.unchanged import inputs_digest, seen
from campaign.findings import Finding, untold, worst_first
from campaign.lint import check_quantities, lint
from campaign.load import load
from campaign.model import Campaign
from campaign.record import Snapshot
from campaign.sources.addresses import is_remote
from campaign.sources.pull import pull

if TYPE_CHECKING:
    from builder.acquired.index import Index
    from builder.measure import MeasuredAll
    from builder.render.facts import Facts
    from builder.report import Report
    from builder.store import Place, StoredResult, StoredVerdict

CHECKOUT = Path(__file__).resolve().parent.parent


class NotBuiltError(Exception):
    """Nothing could be built; the findings say why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(findings[0].what if findings else "nothing to build")
        self.findings = findings


@dataclass(frozen=True)
class Options:
    """What the command line and the environment give to a build."""

    folder: Path
    now: Callable[[], datetime]
    environ: Mapping[str, str]
    output: Path | None = None
    workers: int = 0
    offline: bool = False
    scheduler: str = ""  # address of a Dask scheduler; '' for this machine
    verify: bool = False  # hash every frame again, also those whose size, time and inode are as before
    fresh: bool = False  # load all results and draw every page again, also where nothing changed
    command: str = "calbook build"

    @property
    def out(self) -> Path:
        """Where the site and the store go: <campaign>/build unless told otherwise."""
        return (self.output or self.folder / "build").resolve()


@dataclass(frozen=True)
class Built:
    """A finished build: its summary, where its first page is, how many files were written, pages that failed.

    ``made`` is its report, which a build that found nothing to do has none of.
    """

    summary: Summary
    home: Path
    written: int
    unchanged: bool
    undrawn: tuple[tuple[str, str], ...] = ()
    drawn: int = 0
    made: Report | None = None

    @property
    def report(self) -> Report:
        """The report. Raises ValueError where nothing had changed and no results were loaded (see Options.fresh)."""
        if self.made is None:
            raise ValueError("nothing had changed: this build loaded no results")
        return self.made


def build(options: Options, progress: Progress) -> Built:
    """Build the site of a campaign. Raises NotBuiltError when there is no usable campaign, StoreError."""
    started = options.now().replace(microsecond=0)  # as the store keeps it
    with progress.stage("load"):
        campaign, findings = load(options.folder)
        if campaign is None:
            raise NotBuiltError(findings)
        findings += lint(campaign)
    with (
        Store(_output(options.out) / "store") as store,
        Engine(options.workers or default_workers(), options.scheduler) as engine,
    ):
        if campaign.simulate.get("on_build"):
            with progress.stage("simulate") as advance:
                findings += _simulate(campaign, engine.workers, advance)
        with progress.stage("pull"):
            snapshots, asked, found = _pull(campaign, store, options)
            findings += found
        site = Site(options.out / "site")
        site.write(CHECKED, checked_script(asked))
        with progress.stage("compare"):
            inputs = inputs_digest(campaign, snapshots, findings)
            if kept := _as_before(campaign, inputs, store, site, options):
                return kept
        # what follows needs numpy, and more: a build that changes nothing never gets here
        from builder.acquired.match import match
        from builder.assemble import Assembler, Gathered
        from builder.changes import state_of
        from builder.measure import measure_all
        from builder.plan import Planner
        from builder.plugins import known_procedures
        from builder.render.prose import build_prose
        from builder.render.site import linked, render
        from builder.report import BuildInfo, Report
        from builder.summaries import summarise
        from campaign.rows import read_tests

        with progress.stage("procedures"):
            known, bad_plugins = known_procedures(campaign.plugins)
            quantities = {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
            findings += [*bad_plugins, *check_quantities(campaign, quantities)]
        with progress.stage("read"):
            tests, found = read_tests(campaign, snapshots)
            findings += found
            progress.note("read", f"{len(snapshots)} sources, {len(tests)} tests")
        with progress.stage("index"):
            indexed, changed = _index(campaign, store)
            findings += untold(indexed.findings, findings)
            progress.note("index", f"{len(indexed.files)} files, {changed} new or changed")
        with progress.stage("match"):
            matching = match(campaign, tests, indexed.frames)
            findings += matching.findings
        with progress.stage("summarise") as advance:
            summarised = summarise(campaign, matching.frames, store, engine, advance)
            findings += summarised.findings
            progress.note("summarise", f"{summarised.read} files read")
        versions = _versions()
        build_id = store.begin(started, options.command, versions)
        with progress.stage("measure") as advance:
            planner = Planner(campaign, known, matching.by_test, summarised)
            measured = measure_all(
                tests, known, planner, store, engine, build_id, versions, options.now, advance
            )
            findings += measured.findings
            progress.note("measure", f"{measured.run} results new, {measured.reused} reused")
        with progress.stage("prose"):
            prose = build_prose(campaign, site, store.folder / "prose", CHECKOUT / "site_src" / "guide")
            findings += untold(prose.findings, findings)
        with progress.stage("judge"):
            history, earlier, verdicts = _history(store, measured)
            assembler = Assembler(
                Gathered(
                    campaign=campaign,
                    known=known,
                    tests=tests,
                    snapshots=snapshots,
                    files=indexed.files,
                    matching=matching,
                    summarised=summarised,
                    measured=measured,
                    history=history,
                    earlier_results=earlier,
                    verdict_history=verdicts,
                    findings=worst_first(findings),
                    bodies=prose.bodies,
                )
            )
            blocks = assembler.blocks()
            store.judge(assembler.verdicts, build_id)
            store.show(
                {o.place: o.result_id for b in blocks for t in b.tests for o in t.outcomes if o.result_id},
                build_id,
            )
        with progress.stage("render"):
            files, absent = linked(campaign)
            facts, unchanged = _of_build(
                Report(
                    campaign, blocks, tuple(k.procedure for k in known.values()), tuple(snapshots),
                    tuple(worst_first(findings)), (), BuildInfo(build_id, started, options.command, versions),
                ),
                absent, store, history, earlier, progress,
            )  # fmt: skip
            report = facts.book.report
            if unchanged:
                store.forget(build_id)
            rendered = render(facts, prose, site, store, files, fresh=options.fresh)
            progress.note("render", f"{rendered.drawn} pages drawn, {rendered.written} files written")
        if not unchanged:
            changes = [(c.kind, c.what, c.page) for c in report.changes]
            store.finish(
                build_id, options.now(), _digest(facts), state_of(report), changes, report.info.seconds
            )
        summary = Summary(campaign.title, len(tests), report.counts(), report.findings)
        lasting = not (
            bad_plugins or measured.failed or prose.failed or rendered.undrawn
            or any(f.state == "unreadable" for f in indexed.files)
            or any(f.kind == "damaged-file" for f in summarised.findings)
        )  # fmt: skip
        store.save_complete(
            digest(inputs, prose.watched),
            {"summary": summary.to_json(), "watched": list(prose.watched)} if lasting else None,
        )
    home = options.out / "site" / "index.html"
    return Built(summary, home, rendered.written, unchanged, rendered.undrawn, rendered.drawn, report)


def _as_before(campaign: Campaign, inputs: str, store: Store, site: Site, options: Options) -> Built | None:
    """The last build, when all that it was made of and the site that it left are as they were."""
    last = None if options.verify or options.fresh else store.complete()
    if last is None:
        return None
    watched = seen(campaign.root, last[1]["watched"])
    if last[0] != digest(inputs, watched) or not site.keep_all():
        return None
    written = len(site.written)
    if written:
        site.finish()
    home = options.out / "site" / "index.html"
    return Built(Summary.from_json(last[1]["summary"]), home, written, unchanged=True)


def _output(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    ignore = out / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return out


def _pull(
    campaign: Campaign, store: Store, options: Options
) -> tuple[list[Snapshot], dict[str, str], list[Finding]]:
    """Snapshots of the record sources, when remote ones were asked last, and findings."""
    snapshots, findings = pull(
        campaign,
        store.folder / "snapshots",
        now=options.now,
        environ=options.environ,
        offline=options.offline,
    )
    asked = {
        s.source: s.checked_at.isoformat(timespec="seconds")
        for s in snapshots
        if s.checked_at and is_remote(s.address)
    }
    # pages tell when content was read; when it was last asked for moves at each build (see checked.js)
    return [replace(s, checked_at=None) for s in snapshots], asked, findings


def _index(campaign: Campaign, store: Store) -> tuple[Index, int]:
    """The files and frames of the data directories, and how many files were new or changed."""
    from builder.acquired.index import IndexedFile, index

    cached = store.cached("files")
    indexed = index(campaign, {k: IndexedFile.from_json(v) for k, v in cached.items()})
    fresh = {k: v.to_json() for k, v in indexed.known.items()}
    changed = {k: v for k, v in fresh.items() if cached.get(k) != v}
    store.save_cached("files", changed, cached.keys() - fresh.keys())
    return indexed, len(changed)


def _simulate(campaign: Campaign, workers: int, advance: Callable[[int, int], None]) -> list[Finding]:
    """Frames that a campaign asks to be simulated at build time, where they are absent."""
    from builder.simulate import simulate, validate

    findings = validate(campaign)
    simulate(
        campaign, missing_only=True, progress=lambda done, total, _what: advance(done, total), workers=workers
    )
    return findings


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from builder.measure import code_digest

    names = ("numpy", "scipy", "astropy", "numba", "matplotlib", "sphinx")
    own = {"calbook": VERSION, "analysis code": code_digest(), "python": platform.python_version()}
    return own | {n: version(n) for n in names}


def _history(
    store: Store, measured: MeasuredAll
) -> tuple[dict[Place, list[str]], dict[str, StoredResult], dict[str, list[StoredVerdict]]]:
    """Results shown before by place, those of them that are shown no longer, and the verdicts these had."""
    history = store.shown()
    now = {r.id for r in (*measured.results.values(), *measured.failed.values())}
    gone = {r for results in history.values() for r in results if r and r not in now}
    return history, store.results(gone), store.verdicts(gone)


def _digest(facts: Facts) -> str:
    """What tells one build's report from another's."""
    return digest(facts.whole, facts.book.report.info.versions)


def _of_build(
    report: Report,
    absent: Collection[str],
    store: Store,
    history: Mapping[Place, Sequence[str]],
    earlier: Mapping[str, StoredResult],
    progress: Progress,
) -> tuple[Facts, bool]:
    """The facts of a report with what changed since the last build that changed something, and whether nothing did.

    A build that changes nothing shows the information of that last one, so that not a byte of the site moves.
    """
    from builder.changes import changes_between
    from builder.render.book import Book
    from builder.render.facts import Facts
    from builder.report import BuildInfo, Change

    bare, last = Facts(Book(report, absent)), store.last_build()
    counts = report.counts()
    if last is not None and last["digest"] == _digest(bare):
        info = BuildInfo(
            last["id"],
            datetime.fromisoformat(last["started"]),
            last["command"],
            last["versions"],
            last["seconds"],
            counts,
            previous=last["previous"],
        )
        return bare.of_build(info, tuple(Change(*c) for c in last["changes"])), True
    changes = changes_between(last["state"], report, history, earlier) if last else []
    info = replace(
        report.info, seconds=dict(progress.seconds), counts=counts, previous=last["started"] if last else ""
    )
    return bare.of_build(info, tuple(changes)), False
