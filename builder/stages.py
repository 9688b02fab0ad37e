"""What the stages of a build do besides their one call: open the store, ask the sources, read new files, add up."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from builder import VERSION
from builder.build_log import BuildLog
from builder.costs import Costs, by_procedure, engine_words, slowest_tests
from builder.digests import digest
from builder.engine import Engine
from builder.lock import WriteLock
from builder.progress import Progress
from builder.recover import recover
from builder.render.checked import CHECKED
from builder.render.write import Site
from builder.store import Store
from builder.summary import Summary
from builder.unchanged import Look, inputs_digest, look, seen, seen_code
from campaign.findings import Finding, untold
from campaign.model import Campaign
from campaign.promises import promised
from campaign.record import Snapshot
from campaign.sources import pull as sources
from campaign.sources.addresses import is_remote
from campaign.sources.secrets import Secrets

if TYPE_CHECKING:
    from builder.acquired.index import Index
    from builder.build import Options
    from builder.certified import Certification
    from builder.flips import VerdictHistory
    from builder.intake import Intake
    from builder.judging import JudgedAll
    from builder.measure import MeasuredAll
    from builder.plugins import Known
    from builder.render.facts import Facts
    from builder.report import BlockReport, BuildInfo, Judged, Outcome, Report
    from builder.store import Place, StoredResult
    from builder.summaries import Summarised
    from builder.trend_series import Trends
    from campaign.certification import Decision

Advance = Callable[[int, int], None]

LARGE = 1 << 20
"""A detector of so many pixels is measured by compiled kernels from the first frame on: workers load them at once."""


@contextmanager
def store(options: Options, started: datetime) -> Iterator[Store]:
    """The store, locked for this build, and cleared of what a build left behind that was cut off."""
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    ignore = out / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    with (
        WriteLock(out / "store", started, options.command, options.wait, options.say) as lock,
        Store(out / "store") as opened,
    ):
        recovered = recover(opened, lock.cut_off)
        opened.lost = recovered.lost
        if lock.recovered is not None:
            options.say(f"The build of {lock.recovered} was cut off; what it finished is kept.")
        if recovered.lost:
            options.say(
                f"{len(recovered.lost)} objects of the store were lost or damaged: they are made again."
            )
        yield opened


def log(
    options: Options, progress: Progress, campaign: Campaign, opened: Store, started: datetime
) -> AbstractContextManager[BuildLog]:
    """The log of this build, begun with its options (the environment is none of them)."""
    progress.log.event(
        "options", command=options.command, folder=str(options.folder), output=str(options.out),
        offline=options.offline, scheduler=options.scheduler, verify=options.verify, wait=options.wait,
        workers=options.workers,
    )  # fmt: skip
    secrets = Secrets.of_environment(options.environ, campaign.sheets.key_env)
    return progress.log.kept(opened.folder / "logs", started, secrets, always=progress.verbose)


def warm(campaign: Campaign) -> Callable[[], object] | None:
    """What workers do first: load the compiled kernels, where detectors are large enough to need them at once."""
    from analysis.kernels_warm import warm

    sizes = [rows * columns for rows, columns in (d.geometry.shape for d in campaign.detectors)]
    return partial(warm, tuple(campaign.procedures)) if max(sizes, default=0) >= LARGE else None


def simulate(campaign: Campaign, engine: Engine, advance: Advance) -> list[Finding]:
    """Frames that a campaign asks to be simulated at build time, where they are absent."""
    from builder.simulate import simulate, validate

    findings = validate(campaign)
    simulate(
        campaign,
        missing_only=True,
        progress=lambda done, total, _what: advance(done, total),
        workers=engine.workers,
    )
    return findings


def pull(
    campaign: Campaign, opened: Store, options: Options
) -> tuple[list[Snapshot], dict[str, str], list[Finding]]:
    """Snapshots of the record sources, when remote ones were asked last, and findings."""
    snapshots, findings = sources.pull(
        campaign,
        opened.folder / "snapshots",
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


def inputs(
    campaign: Campaign,
    snapshots: Sequence[Snapshot],
    findings: Sequence[Finding],
    engine: Engine,
    today: date | None,
) -> tuple[str, str, list[Finding]]:
    """A digest of what this build is made of, one of the files of its data directories alone, and the findings that stand.

    Data directories are looked at where frames are read: one that only the cluster's workers see is not missing.
    """
    data = engine.at_the_frames(look, Look(campaign.root, campaign.data.roots))
    seen = [Finding("missing-folder", repr(d.root)) for d in data if d.there]
    standing = untold(findings, seen)
    return inputs_digest(campaign, snapshots, standing, data, today), digest(data), standing


def as_before(campaign: Campaign, inputs: str, opened: Store, site: Site, options: Options) -> Summary | None:
    """What the last build said, when all that it was made of and the site that it left are as they were."""
    last = None if options.verify or options.fresh or opened.lost else opened.complete()
    if last is None:
        return None
    watched = seen(campaign.root, last[1]["watched"])
    if last[0] != digest(inputs, watched) or not site.keep_all():
        return None
    if site.written:
        site.finish()
    return Summary.from_json(last[1]["summary"])


def moved(opened: Store, data: str) -> bool:
    """Whether data directories are not as the last complete build found them, or there was none."""
    last = opened.complete()
    return last is None or last[1].get("data") != data


def today(campaign: Campaign, started: datetime) -> date | None:
    """The day [UTC] that promises are held against; None where the campaign promises nothing, so that no page knows the day."""
    return started.astimezone(UTC).date() if promised(campaign) else None


def index(
    campaign: Campaign, opened: Store, engine: Engine, verify: bool, advance: Advance, log: BuildLog
) -> tuple[Index, Intake]:
    """The files and frames of the data directories. Files that are new or changed are read, once, for all that they tell."""
    from builder.acquired.index import Reading, index, listed
    from builder.acquired.listing import file_key
    from builder.intake import Intake, KnownFiles
    from builder.ready import Ready

    known = KnownFiles(opened)
    intake = Intake(opened, engine, advance, log)
    ready = Ready(opened.folder / "ready", digest(seen_code()))
    reading = Reading(intake, opened.objects, known.fingerprint, verify, ready)
    indexed = index(campaign, known, reading=reading, lister=partial(engine.at_the_frames, listed))
    changed = {k: v.to_json() for k, v in indexed.known.items() if known.get(k) != v}
    here = {file_key(file) for file in indexed.files}
    opened.save_cached("files", changed, [key for key in known if key not in here])
    return indexed, intake


def versions() -> dict[str, str]:
    """Versions of calbook, of its analysis code, of Python and of the libraries that make numbers and pages."""
    from builder.libraries import version_of
    from builder.measure import code_digest

    names = ("numpy", "scipy", "astropy", "numba", "matplotlib", "sphinx")
    own = {"calbook": VERSION, "analysis code": code_digest(), "python": platform.python_version()}
    return own | {n: version_of(n) for n in names}


def history(opened: Store, measured: MeasuredAll) -> tuple[dict[Place, list[str]], dict[str, StoredResult]]:
    """Results shown before by place, and those of them that are shown no longer."""
    shown = opened.shown()
    now = {r.id for r in (*measured.results.values(), *measured.failed.values())}
    gone = {r for results in shown.values() for r in results if r and r not in now}
    return shown, opened.results(gone, inputs=False)


def verdicts(
    opened: Store, campaign: Campaign, judged: JudgedAll, build_id: int, decisions: Sequence[Decision] = ()
) -> VerdictHistory:
    """Record how limits stand, and tell what became of verdicts; ``decisions`` may acknowledge failures.

    To be asked after the verdicts of the build are recorded, so that a later build finds the same.
    """
    from builder.flips import verdict_history
    from builder.judging import on_record, statements

    opened.state_limits(statements(campaign.limits), build_id)
    shown = opened.shown_since()
    places: dict[Place, set[str]] = {}
    for place, result, _ in shown:
        places.setdefault(place, set()).add(result)
    replaced = {r for held in places.values() if len(held - {""}) > 1 for r in held}
    rows = opened.moved_verdicts(replaced - {""})
    known = on_record(judged, {r.measurement for r in rows}, opened.begun())
    return verdict_history(rows, shown, opened.limits(), known, decisions, opened.verdicts_on_record())


def trends(
    campaign: Campaign,
    blocks: Sequence[BlockReport],
    known: Mapping[str, Known],
    certification: Certification,
    opened: Store,
    engine: Engine,
) -> tuple[Callable[[], Trends], list[Finding]]:
    """Current results and the campaign's own tables over time, begun; a finding for each table that cannot have pages."""
    from builder.caveats import excluded_by_caveat
    from builder.measure import code_digest
    from builder.trend_found import Kept
    from builder.trends import begin_following
    from campaign.series_tables import clashes

    def excluded(outcome: Outcome, judged: Judged) -> str:
        return certification.excluded(outcome, judged) or excluded_by_caveat(judged.caveats)

    kept = Kept(opened.folder, code_digest())
    procedures = [k.procedure for k in known.values()]
    begun = begin_following(campaign, blocks, procedures, kept, engine, excluded)
    return begun, clashes(campaign.series, list(known))


def identity(made: Facts) -> str:
    """What tells one build's report from another's."""
    return digest(made.whole, made.book.report.info.versions)


def facts(
    report: Report,
    absent: Collection[str],
    opened: Store,
    shown: Mapping[Place, Sequence[str]],
    earlier: Mapping[str, StoredResult],
) -> tuple[Facts, bool]:
    """The facts of a report with what changed since the last build that changed something, and whether nothing did.

    A build that changes nothing shows the information of that last one, so that not a byte of the site moves.
    """
    from builder.changes import changes_between
    from builder.render.book import Book
    from builder.render.facts import Facts
    from builder.report import BuildInfo, Change

    bare, last = Facts(Book(report, absent)), opened.last_build()
    counted = report.counts()
    if last is not None and last["digest"] == identity(bare):
        info = BuildInfo(
            last["id"],
            datetime.fromisoformat(last["started"]),
            last["command"],
            last["versions"],
            Costs.from_json(last["seconds"]),
            counted,
            last["previous"],
        )
        return bare.of_build(info, tuple(Change(*c) for c in last["changes"])), True
    changes = changes_between(last["state"], report, shown, earlier) if last else []
    info = replace(report.info, counts=counted, previous=last["started"] if last else "")
    return bare.of_build(info, tuple(changes)), False


def finish(opened: Store, made: Facts, said: Mapping[str, str], now: datetime, spent: Costs) -> BuildInfo:
    """Record what a build ended with, and what caveats ``said`` by then; hands back what its page tells of it.

    All numbers are stored and judged by then. What is left is the page about the build and the copy of the database that the
    site offers, which is so whole. A build that is killed in between is found unchanged by the next, which writes both.
    """
    from builder.changes import state_of

    report = made.book.report
    opened.say_caveats(said, report.info.build_id)
    changes = [(c.kind, c.what, c.page) for c in report.changes]
    opened.finish(report.info.build_id, now, identity(made), state_of(report), changes, spent.to_json())
    return replace(report.info, costs=spent)


def counts(files: int, intake: Intake, summarised: Summarised, measured: MeasuredAll) -> dict[str, int]:
    """How many files and results were new, and how many were kept from before."""
    return {
        "files": files, "files_touched": intake.hashed, "files_read": intake.read + summarised.read,
        "results_new": measured.run, "results_reused": measured.reused,
        "reused_seconds": round(measured.reused_seconds),
    }  # fmt: skip


def costs(
    progress: Progress, engine: Engine, options: Options, site: Site, counted: Mapping[str, int]
) -> Costs:
    """What the build cost until now."""
    taken, written = progress.log, len(set(site.written))
    return Costs(
        progress.so_far(),
        by_procedure(taken.results),
        slowest_tests(taken.results),
        {**counted, "site_written": written, "site_kept": sum(1 for _ in site) - written},
        engine.workers,
        engine_words((r.worker for r in taken.results), str(os.getpid()), engine.scheduler),
        taken.path.name if taken.path else "",
    )


def close_log(
    progress: Progress,
    site: Site,
    summary: Summary,
    undrawn: Sequence[tuple[str, str]] = (),
    *,
    worked: bool = False,
) -> None:
    """The last lines of the log; a build that did nothing (not ``worked``, nothing written) keeps none."""
    taken, written = progress.log, set(site.written)
    taken.findings(summary.findings)
    for path, fault in undrawn:
        taken.event("page not drawn", "error", page=path, what=fault)
    pages = sorted(p for p in written if p.endswith(".html"))
    told: dict[str, Any] = {"tests": dict(summary.counts), "findings": len(summary.findings)}
    taken.event("written", files=len(written), pages=pages[:200], more_pages=max(0, len(pages) - 200))
    taken.event("end", **told, took=round(sum(progress.seconds.values()), 3))
    taken.close(idle=not (worked or undrawn or written - {CHECKED}))
