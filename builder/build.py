"""The flow: from a campaign folder to a site. Read it from top to bottom."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from builder import VERSION
from builder.acquired.index import Index, Reading, index
from builder.acquired.match import match
from builder.assemble import Assembler, Gathered, changes_between, state_of
from builder.engine import Engine, default_workers
from builder.intake import Intake, known_files
from builder.measure import code_digest, measure_all
from builder.plan import Planner
from builder.plugins import known_procedures
from builder.progress import Progress
from builder.render.prose import build_prose
from builder.render.search import CHECKED, checked_script
from builder.render.site import render
from builder.render.write import Site
from builder.report import BuildInfo, Change, Report
from builder.store import Store
from builder.summaries import summarise
from campaign.findings import Finding, untold, worst_first
from campaign.lint import check_quantities, lint
from campaign.load import load
from campaign.model import Campaign
from campaign.record import Snapshot, Test
from campaign.rows import read_tests
from campaign.sources.addresses import is_remote
from campaign.sources.pull import pull

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
    command: str = "calbook build"

    @property
    def out(self) -> Path:
        """Where the site and the store go: <campaign>/build unless told otherwise."""
        return (self.output or self.folder / "build").resolve()


@dataclass(frozen=True)
class Built:
    """A finished build: the report, where its first page is, how many files were written, pages that failed."""

    report: Report
    home: Path
    written: int
    unchanged: bool
    undrawn: tuple[tuple[str, str], ...] = ()


def build(options: Options, progress: Progress) -> Built:
    """Build the site of a campaign. Raises NotBuiltError when there is no usable campaign, StoreError."""
    started = options.now()
    with progress.stage("load"):
        campaign, findings = load(options.folder)
        if campaign is None:
            raise NotBuiltError(findings)
        known, plugin_findings = known_procedures(campaign.plugins)
        quantities = {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
        findings += [*plugin_findings, *lint(campaign), *check_quantities(campaign, quantities)]
    with (
        Store(_output(options.out) / "store") as store,
        Engine(options.workers or default_workers(), options.scheduler) as engine,
    ):
        if campaign.simulate.get("on_build"):
            with progress.stage("simulate") as advance:
                findings += _simulate(campaign, engine.workers, advance)
        with progress.stage("pull"):
            snapshots, tests, asked, found = _pull(campaign, store, options)
            findings += found
            progress.note("pull", f"{len(snapshots)} sources, {len(tests)} tests")
        with progress.stage("index") as advance:
            indexed, intake = _index(campaign, store, engine, options.verify, advance)
            findings += untold(indexed.findings, findings)
            progress.note(
                "index", f"{len(indexed.files)} files, {intake.read} read, {intake.hashed} as they were"
            )
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
            history = store.shown()
            measured = measure_all(
                tests, known, planner, store, engine, build_id, versions, options.now, advance
            )
            findings += measured.findings
            progress.note("measure", f"{measured.run} results new, {measured.reused} reused")
        with progress.stage("prose"):
            site = Site(options.out / "site")
            prose = build_prose(campaign, site, store.folder / "prose", CHECKOUT / "site_src" / "guide")
            findings += untold(prose.findings, findings)
        with progress.stage("judge"):
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
                    earlier_results=store.results(r for results in history.values() for r in results if r),
                    verdict_history=store.verdicts(),
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
            make = partial(
                Report, campaign, blocks, tuple(k.procedure for k in known.values()), tuple(snapshots), tuple(worst_first(findings))
            )  # fmt: skip
            report, digest, unchanged = _what_changed(
                make, store, build_id, started, options, versions, progress
            )
            if unchanged:
                store.forget(build_id)
            site.write(CHECKED, checked_script(asked))
            rendered = render(report, digest, prose, site, store)
            progress.note("render", f"{rendered.written} files written")
        if not unchanged:
            changes = [(c.kind, c.what, c.page) for c in report.changes]
            store.finish(build_id, options.now(), digest, state_of(blocks), changes, progress.seconds)
    return Built(report, options.out / "site" / "index.html", rendered.written, unchanged, rendered.undrawn)


def _output(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    ignore = out / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return out


def _pull(
    campaign: Campaign, store: Store, options: Options
) -> tuple[list[Snapshot], list[Test], dict[str, str], list[Finding]]:
    """Snapshots of the record sources, their tests, when remote ones were asked last, and findings."""
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
    snapshots = [replace(s, checked_at=None) for s in snapshots]
    tests, row_findings = read_tests(campaign, snapshots)
    return snapshots, tests, asked, [*findings, *row_findings]


def _index(
    campaign: Campaign, store: Store, engine: Engine, verify: bool, advance: Callable[[int, int], None]
) -> tuple[Index, Intake]:
    """The files and frames of the data directories. Files that are new or changed are read, once, for all that they tell."""
    known, fingerprints = known_files(store)
    intake = Intake(store, engine, advance)
    indexed = index(campaign, known, reading=Reading(intake, store.objects, fingerprints, verify))
    changed = {
        k: v.to_json() for k, v in indexed.known.items() if known.get(k) is not v and k not in intake.kept
    }
    store.save_cached("files", changed, known.keys() - indexed.known.keys())
    return indexed, intake


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

    names = ("numpy", "scipy", "astropy", "numba", "matplotlib", "sphinx")
    own = {"calbook": VERSION, "analysis code": code_digest(), "python": platform.python_version()}
    return own | {n: version(n) for n in names}


def _what_changed(
    make: Callable[[tuple[Change, ...], BuildInfo], Report],
    store: Store,
    build_id: int,
    started: datetime,
    options: Options,
    versions: Mapping[str, str],
    progress: Progress,
) -> tuple[Report, str, bool]:
    """The report with what changed since the last build that changed something.

    A build that changes nothing shows the information of that last one, so that not a byte of the site moves.
    """
    last = store.last_build()
    blank = BuildInfo(0, datetime.min, "", versions)
    bare = make((), blank)
    digest = hashlib.sha256(repr(bare).encode()).hexdigest()
    if last is not None and last["digest"] == digest:
        info = BuildInfo(
            last["id"],
            datetime.fromisoformat(last["started"]),
            last["command"],
            last["versions"],
            last["seconds"],
            bare.counts(),
        )
        return make(tuple(Change(*c) for c in last["changes"]), info), digest, True
    changes = changes_between(last["state"], state_of(bare.blocks)) if last else []
    info = BuildInfo(
        build_id, started, options.command, versions, dict(progress.seconds), bare.counts(),
        previous=last["started"] if last else "",
    )  # fmt: skip
    return make(tuple(changes), info), digest, False
