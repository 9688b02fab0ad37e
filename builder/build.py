"""The flow: from a campaign folder to a site. Read it from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder import beside, stages
from builder.caveat_dates import as_of
from builder.costs import Costs
from builder.digests import digest
from builder.engine import Engine, default_workers
from builder.memory import seldom_searched
from builder.progress import Progress
from builder.render.checked import CHECKED, checked_script
from builder.render.write import Site
from builder.store import PARTS
from builder.summary import Summary
from campaign.findings import Finding, untold, worst_first
from campaign.frozen import dataclass
from campaign.lint import check_caveats, check_quantities, lint
from campaign.load import load

if TYPE_CHECKING:
    from builder.report import Report

GUIDE = Path(__file__).resolve().parent.parent / "site_src" / "guide"


MANY = 1000
"""With fewer known files, matching, measuring and judging are done before a worker beside the build would be warm.

Nor is one begun ahead where no file moved: what there is to do beside is then little, and it would only share the processor with the build."""


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
    wait: float = 0.0  # seconds to wait for another build of the same output folder
    say: Callable[[str], None] = lambda text: None  # what a person should know while it runs

    @property
    def out(self) -> Path:
        """Where the site and the store go: <campaign>/build unless told otherwise."""
        return (self.output or self.folder / "build").resolve()


@dataclass(frozen=True)
class Built:
    """A finished build: the campaign's id, its summary, where its first page is, how many files were written, pages that failed.

    ``costs`` are those of this build, also where nothing changed; ``log`` is its log file, where it keeps one.
    ``made`` is its report, which a build that found nothing to do has none of.
    """

    campaign: str
    summary: Summary
    home: Path
    written: int
    unchanged: bool
    undrawn: tuple[tuple[str, str], ...] = ()
    drawn: int = 0
    costs: Costs = field(default_factory=Costs)
    log: Path | None = None
    made: Report | None = None

    @property
    def report(self) -> Report:
        """The report. Raises ValueError where nothing had changed and no results were loaded (see Options.fresh)."""
        if self.made is None:
            raise ValueError("nothing had changed: this build loaded no results")
        return self.made


@seldom_searched()
def build(options: Options, progress: Progress) -> Built:
    """Build the site of a campaign.

    Raises NotBuiltError when there is no usable campaign, StoreError, LockedError, ClusterError.
    """
    started = options.now().replace(microsecond=0)  # as the store keeps it
    with progress.stage("load"):
        campaign, findings = load(options.folder)
        if campaign is None:
            raise NotBuiltError(findings)
        campaign = as_of(campaign, started.date())
        findings += lint(campaign)
    with (
        stages.store(options, started) as store,
        stages.log(options, progress, campaign, store, started) as log,
        Engine(
            options.workers or default_workers(),
            options.scheduler or campaign.build.scheduler,
            warm=stages.warm(campaign),
            shared=store.objects / PARTS,
        ) as engine,
    ):
        if campaign.simulate.get("on_build"):
            with progress.stage("simulate") as advance:
                findings += stages.simulate(campaign, engine, advance)
        with progress.stage("pull"):
            snapshots, asked, found = stages.pull(campaign, store, options)
            findings += found
            progress.note("pull", f"{len(snapshots)} sources")
        site, home = Site(options.out / "site"), options.out / "site" / "index.html"
        site.write(CHECKED, checked_script(asked))
        costs = partial(stages.costs, progress, engine, options, site)
        with progress.stage("compare"):
            today = stages.today(campaign, started)
            inputs, data, findings = stages.inputs(campaign, snapshots, findings, engine, today)
            last = stages.as_before(campaign, inputs, store, site, options)
        if last is not None:
            stages.close_log(progress, site, last)
            return Built(
                campaign.id, last, home, len(site.written), True, costs=costs(last.kept()), log=log.path
            )
        if store.has_files(MANY) and stages.moved(store, data):
            engine.ahead(beside.warm)
        # what follows needs numpy, and more: a build that changes nothing never gets here
        from builder.acquired.match import match
        from builder.archive.on_site import published
        from builder.assemble import Assembler, Gathered
        from builder.caveat_history import history as said_before
        from builder.caveat_history import sayings
        from builder.caveats import idle
        from builder.decide import decide
        from builder.health_check import late
        from builder.judging import judge_all
        from builder.masters import tidy
        from builder.measure import measure_all
        from builder.missing_references import lacking
        from builder.plan import Planner
        from builder.plugins import known_procedures
        from builder.reference_images import compared
        from builder.render.prose import build_prose
        from builder.render.site import linked, render
        from builder.report import BuildInfo, Report
        from builder.summaries import summarise
        from campaign.rows import read_tests

        with progress.stage("read"):
            known, bad_plugins = known_procedures(campaign.plugins)
            quantities = {t.name: t.quantities for t in campaign.series}
            quantities |= {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
            tests, found = read_tests(campaign, snapshots)
            findings += [
                *bad_plugins,
                *check_quantities(campaign, quantities),
                *check_caveats(campaign, quantities),
                *found,
            ]
            progress.note("read", f"{len(tests)} tests, {len(known)} procedures")
        with progress.stage("index") as advance:
            indexed, intake = stages.index(campaign, store, engine, options.verify, advance, log)
            findings += untold(indexed.findings, findings)
            told = f"{len(indexed.files)} files, {intake.read} read"
            progress.note("index", told + (f", {intake.hashed} as they were" if intake.hashed else ""))
        with progress.stage("match"):
            matching = match(campaign, tests, indexed.frames)
            findings += matching.findings
        with progress.stage("summarise") as advance:
            summarised = summarise(campaign, matching, store, engine, advance, log)
            findings += summarised.findings
            progress.note("summarise", f"{summarised.read} files read again" if summarised.read else "")
        logged, found_files, damaged = indexed.logged, len(indexed.files), indexed.damaged
        del indexed, matching  # a build holds no more of each frame than it needs: there may be 10⁵
        versions = stages.versions()
        build_id = store.begin(started, options.command, versions)
        log.event("build", id=build_id, versions=versions)
        with progress.stage("measure") as advance:
            measured = measure_all(
                tests, known,
                Planner(campaign, known, summarised, logged),  # holds texts of all frames: nobody else does
                store, engine, build_id, versions, options.now, advance, log,
            )  # fmt: skip
            findings += measured.findings
            tidy(store.folder / "masters")
            progress.note("measure", f"{measured.run} results new, {measured.reused} reused")
        counts = stages.counts(found_files, intake, summarised, measured)
        lasting = not (
            bad_plugins or measured.failed or intake.failed
            or any(f.state == "unreadable" for f in damaged)
            or any(f.kind == "damaged-file" for f in summarised.findings)
        )  # fmt: skip
        with progress.stage("prose"):
            prose = build_prose(campaign, site, store.folder / "prose", GUIDE)
            findings += untold(prose.findings, findings)
        with progress.stage("judge"):
            history, earlier = stages.history(store, measured)
            judged = judge_all(campaign, tests, summarised.matching.by_test, measured, earlier)
            findings += judged.findings
            gathered = Gathered(
                campaign=campaign,
                known=known,
                tests=tests,
                snapshots=snapshots,
                damaged=damaged,
                summarised=summarised,
                measured=measured,
                history=history,
                earlier_results=earlier,
                judged=judged,
                findings=worst_first(findings),
                bodies=prose.bodies,
            )
            blocks = Assembler(gathered).blocks()
            certification, found = decide(campaign, blocks)
            findings += found
            followed, clashing = stages.trends(campaign, blocks, known, certification, store, engine)
            findings += idle(campaign, blocks)
            images = compared(campaign, blocks, store, engine)
            findings += [*late(campaign, blocks, today), *lacking(campaign, blocks, images)]
            store.judge(judged.rows(), build_id)
            store.show(
                {o.place: o.result_id for b in blocks for t in b.tests for o in t.outcomes if o.result_id},
                build_id,
            )
            verdicts = stages.verdicts(store, campaign, judged, build_id, campaign.decisions)
            del gathered, summarised, measured, judged  # what pages show of them is in the blocks
        with progress.stage("trend"):
            trends = followed()
            del followed
            findings += clashing
            progress.note("trend", f"{len(trends.series)} series")
        with progress.stage("render"):
            said = sayings(campaign)
            files, absent = linked(campaign)
            bare = Report(
                campaign, blocks, tuple(k.procedure for k in known.values()), tuple(snapshots),
                tuple(worst_first(findings)), (), BuildInfo(build_id, started, options.command, versions),
                caveat_history=said_before(store.caveats(), said, started.isoformat(timespec="seconds")), verdicts=verdicts,
                today=today, images=images, trends=trends,
                certification=certification,
            )  # fmt: skip
            facts, unchanged = stages.facts(
                replace(bare, versions=published(campaign.root, bare, store.folder / "published")), absent, store, history, earlier,
            )  # fmt: skip
            report = facts.book.report
            if unchanged:
                store.forget(build_id)
            closing = (
                None if unchanged else lambda: stages.finish(store, facts, said, options.now(), costs(counts))
            )
            rendered = render(
                facts, prose, site, store, files, closing=closing, fresh=options.fresh, engine=engine
            )
            progress.note("render", f"{rendered.drawn} pages drawn, {rendered.written} files written")
        summary = Summary(
            campaign.title, report.info.build_id, len(tests), counts["files"], counts["results_new"] + counts["results_reused"],
            report.counts(), report.findings,
        )  # fmt: skip
        lasting = lasting and not (prose.failed or rendered.undrawn)
        store.save_complete(
            digest(inputs, prose.watched),
            {"summary": summary.to_json(), "watched": list(prose.watched), "data": data} if lasting else None,
        )
        worked = not unchanged or bool(counts["files_read"] or counts["results_new"])
        stages.close_log(progress, site, summary, rendered.undrawn, worked=worked)
    return Built(
        campaign.id, summary, home, rendered.written, unchanged, rendered.undrawn, rendered.drawn,
        costs(counts), log.path, report,
    )  # fmt: skip
