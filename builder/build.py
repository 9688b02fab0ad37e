"""The flow: from a campaign folder to a site. Read it from top to bottom."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from builder import VERSION
from builder.acquired.index import Index, Reading, index
from builder.acquired.match import match
from builder.assemble import Assembler, Gathered, changes_between, state_of
from builder.build_log import BuildLog
from builder.costs import Costs, by_procedure, engine_words, slowest_tests
from builder.engine import Engine, default_workers
from builder.intake import Intake, known_files
from builder.lock import WriteLock
from builder.measure import code_digest, measure_all
from builder.plan import Planner
from builder.plugins import known_procedures
from builder.progress import Progress
from builder.recover import recover
from builder.render.prose import build_prose
from builder.render.search import CHECKED, checked_script
from builder.render.site import Rendered, render
from builder.render.write import Site
from builder.report import BuildInfo, Change, Report
from builder.store import PARTS, Store
from builder.summaries import summarise
from campaign.findings import Finding, untold, worst_first
from campaign.lint import check_quantities, lint
from campaign.load import load
from campaign.model import Campaign
from campaign.record import Snapshot, Test
from campaign.rows import read_tests
from campaign.sources.addresses import is_remote
from campaign.sources.pull import pull
from campaign.sources.secrets import Secrets

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
    wait: float = 0.0  # seconds to wait for another build of the same output folder
    say: Callable[[str], None] = lambda text: None  # what a person should know while it runs

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
    costs: Costs = field(default_factory=Costs)  # of this build, also where nothing changed
    log: Path | None = None


def build(options: Options, progress: Progress) -> Built:
    """Build the site of a campaign.

    Raises NotBuiltError when there is no usable campaign, StoreError, LockedError, ClusterError.
    """
    started = options.now()
    with progress.stage("load"):
        campaign, findings = load(options.folder)
        if campaign is None:
            raise NotBuiltError(findings)
        known, plugin_findings = known_procedures(campaign.plugins)
        quantities = {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
        findings += [*plugin_findings, *lint(campaign), *check_quantities(campaign, quantities)]
    with (
        _store(options, started) as store,
        progress.log.kept(
            store.folder / "logs", started, _secrets(campaign, options), always=progress.verbose
        ),
        Engine(
            options.workers or default_workers(),
            options.scheduler or campaign.build.scheduler,
            shared=store.objects / PARTS,
        ) as engine,
    ):
        progress.log.event("options", **_told(options), workers=engine.workers)
        if campaign.simulate.get("on_build"):
            with progress.stage("simulate") as advance:
                findings += _simulate(campaign, engine.workers, advance)
        with progress.stage("pull"):
            snapshots, tests, asked, found = _pull(campaign, store, options)
            findings += found
            progress.note("pull", f"{len(snapshots)} sources, {len(tests)} tests")
        with progress.stage("index") as advance:
            indexed, intake = _index(campaign, store, engine, options.verify, advance, progress.log)
            findings += untold(indexed.findings, findings)
            progress.note(
                "index", f"{len(indexed.files)} files, {intake.read} read, {intake.hashed} as they were"
            )
        with progress.stage("match"):
            matching = match(campaign, tests, indexed.frames)
            findings += matching.findings
        with progress.stage("summarise") as advance:
            summarised = summarise(campaign, matching.frames, store, engine, advance, progress.log)
            findings += summarised.findings
            progress.note("summarise", f"{summarised.read} files read")
        versions = _versions()
        build_id = store.begin(started, options.command, versions)
        progress.log.event("build", id=build_id, versions=versions)
        with progress.stage("measure") as advance:
            planner = Planner(campaign, known, matching.by_test, summarised)
            history = store.shown()
            measured = measure_all(
                tests,
                known,
                planner,
                store,
                engine,
                build_id,
                versions,
                options.now,
                advance,
                progress.log,
            )
            findings += measured.findings
            progress.note("measure", f"{measured.run} results new, {measured.reused} reused")
            counts = {
                "files": len(indexed.files), "files_touched": intake.hashed, "files_read": intake.read + summarised.read,
                "results_new": measured.run, "results_reused": measured.reused,
                "reused_seconds": round(measured.reused_seconds),
            }  # fmt: skip
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
            report, digest, unchanged = _what_changed(make, store, build_id, started, options, versions)
            if unchanged:
                store.forget(build_id)
            site.write(CHECKED, checked_script(asked))
            costs = partial(_costs, progress, engine, options, site, counts, report.info.previous)
            closing = None if unchanged else lambda: replace(report.info, costs=costs())
            rendered = render(report, digest, prose, site, store, closing)
            progress.note("render", f"{rendered.written} files written")
        if not unchanged:
            changes = [(c.kind, c.what, c.page) for c in report.changes]
            store.finish(build_id, options.now(), digest, state_of(blocks), changes, costs().to_json())
        _end_of_log(
            progress,
            report,
            rendered,
            site,
            unchanged and not intake.read and not summarised.read and not measured.run,
        )
    return Built(
        report,
        options.out / "site" / "index.html",
        rendered.written,
        unchanged,
        rendered.undrawn,
        costs(),
        progress.log.path,
    )


def _output(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    ignore = out / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return out


@contextmanager
def _store(options: Options, started: datetime) -> Iterator[Store]:
    """The store, locked for this build, and cleared of what a build left behind that was cut off."""
    folder = _output(options.out) / "store"
    with (
        WriteLock(folder, started, options.command, options.wait, options.say) as lock,
        Store(folder) as store,
    ):
        recovered = recover(store, lock.cut_off)
        store.lost = recovered.lost
        if lock.recovered is not None:
            options.say(f"The build of {lock.recovered} was cut off; what it finished is kept.")
        if recovered.lost:
            options.say(
                f"{len(recovered.lost)} objects of the store were lost or damaged: they are made again."
            )
        yield store


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
    campaign: Campaign,
    store: Store,
    engine: Engine,
    verify: bool,
    advance: Callable[[int, int], None],
    log: BuildLog,
) -> tuple[Index, Intake]:
    """The files and frames of the data directories. Files that are new or changed are read, once, for all that they tell."""
    known, fingerprints = known_files(store)
    intake = Intake(store, engine, advance, log)
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
            Costs.from_json(last["seconds"]),
            bare.counts(),
        )
        return make(tuple(Change(*c) for c in last["changes"]), info), digest, True
    changes = changes_between(last["state"], state_of(bare.blocks)) if last else []
    info = BuildInfo(
        build_id, started, options.command, versions, Costs(previous=last["started"] if last else ""), bare.counts(),
    )  # fmt: skip
    return make(tuple(changes), info), digest, False


def _secrets(campaign: Campaign, options: Options) -> Secrets:
    return Secrets.of_environment(options.environ, campaign.sheets.key_env)


def _told(options: Options) -> dict[str, Any]:
    """The options as the log tells them; the environment is none of them."""
    return {
        "command": options.command, "folder": str(options.folder), "output": str(options.out), "offline": options.offline,
        "scheduler": options.scheduler, "verify": options.verify, "wait": options.wait,
    }  # fmt: skip


def _costs(
    progress: Progress, engine: Engine, options: Options, site: Site, counts: Mapping[str, int], previous: str
) -> Costs:
    """What the build cost until now."""
    log, written = progress.log, len(set(site.written))
    return Costs(
        progress.so_far(),
        by_procedure(log.results),
        slowest_tests(log.results),
        {**counts, "site_written": written, "site_kept": sum(1 for _ in site) - written},
        engine.workers,
        engine_words((r.worker for r in log.results), str(os.getpid()), options.scheduler),
        log.path.name if log.path else "",
        previous,
    )


def _end_of_log(progress: Progress, report: Report, rendered: Rendered, site: Site, idle: bool) -> None:
    """The last lines of the log; a build that did nothing keeps none."""
    log = progress.log
    log.findings(report.findings)
    for path, fault in rendered.undrawn:
        log.event("page not drawn", "error", page=path, what=fault)
    pages = sorted(p for p in set(site.written) if p.endswith(".html"))
    log.event("written", files=rendered.written, pages=pages[:200], more_pages=max(0, len(pages) - 200))
    log.event(
        "end",
        tests=report.counts(),
        findings=len(report.findings),
        took=round(sum(progress.seconds.values()), 3),
    )
    log.idle = idle and not rendered.undrawn and not set(site.written) - {CHECKED}
