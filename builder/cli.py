"""The command line: ``calbook``. Arguments come in, messages go out; the work is done elsewhere."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from builder import VERSION
from builder.answers import (
    BUILT,
    BUILT_WITH_ERRORS,
    UsageError,
    build_facts,
    counted,
    document,
    findings_facts,
    has_errors,
    kind_errors,
    print_findings,
    status_of,
    tell_build,
)
from builder.archive.commands import register
from builder.certify_command import register_certify
from builder.memory import for_one_command

app = typer.Typer(
    name="calbook",
    help="Turn a calibration campaign (records, frames, notes, caveats) into a browsable site.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
import_app = typer.Typer(help="Bring in a record kept another way.", no_args_is_help=True)
app.add_typer(import_app, name="import")

Folder = Annotated[Path, typer.Argument(help="The campaign folder: the one that holds campaign.toml.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where the site and the store go. Default: build/ in the campaign folder."
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Do not reach for the network: show the last snapshots.")
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", "-j", min=0, help="Worker processes; 0 for one per processor.", show_default=False
    ),
]
Scheduler = Annotated[
    str,
    typer.Option(
        "--scheduler",
        help="Address of a running Dask scheduler, as in tcp://host:8786. Default: this machine.",
    ),
]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, help="Seconds to wait for another process that writes to the same place."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on standard output.")
]


def _now() -> datetime:
    """The time; that of SOURCE_DATE_EPOCH where it is set, so that a build can be repeated."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(given) if given.isdecimal() else -inf, UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {given!r}: set it to whole seconds since 1970-01-01 00:00 UTC, or unset it."
        ) from None


def _campaign_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Start a campaign there with: calbook new {folder}")
    return folder.resolve()


def _load(folder: Path) -> Any:
    from campaign.load import load

    campaign, findings = load(_campaign_folder(folder))
    if campaign is None:
        raise UsageError(f"{folder} holds no usable campaign.toml; nothing was done.", findings)
    return campaign, findings


def _command() -> str:
    """The command as it was typed; bytes of a path that are no text as escapes, secrets not at all."""
    from campaign.sources.secrets import Secrets

    typed = shlex.join(["calbook", *sys.argv[1:]]).encode("utf-8", "backslashreplace").decode()
    return Secrets().redact(typed)


@app.command(short_help="Build the site: read, index, measure, judge, render.")
@kind_errors
def build(
    folder: Folder,
    output: Output = None,
    workers: Workers = 0,
    scheduler: Scheduler = "",
    offline: Offline = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every frame again, also those that look unchanged.")
    ] = False,
    wait: Wait = 0.0,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every finding, file read and result.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build the site of a campaign: read, index, measure, judge and render what is new.

    Exit status: 0 built; 1 built, with errors in it (failed procedures, damaged files, unread sources);
    2 not built; 130 or 143 stopped by Ctrl-C or SIGTERM: what was finished is kept.
    """
    if quiet and verbose:
        raise UsageError("-q and -v contradict each other: give one of them.")
    from builder.engine import one_thread_each

    one_thread_each()  # before anything loads numpy
    from builder.build import NotBuiltError, Options, build
    from builder.progress import Progress
    from builder.stop import Stopped

    options = Options(
        folder=_campaign_folder(folder),
        now=_now,
        environ=os.environ,
        output=output,
        workers=workers,
        offline=offline,
        scheduler=scheduler,
        wait=wait,
        verify=verify,
        command=_command(),
        say=lambda text: None if quiet else typer.echo(text, err=True),
    )
    progress = Progress(quiet=quiet, verbose=verbose)
    try:
        built = build(options, progress)
    except Stopped as stop:
        stop.finished = tuple(progress.finished)
        raise
    except NotBuiltError as error:
        raise UsageError("Nothing was built: put the campaign folder right first.", error.findings) from None
    status = status_of(built)
    if as_json:
        document("build", status, **build_facts(built, options.folder))
    else:
        tell_build(built, quiet=quiet, verbose=verbose)
    raise typer.Exit(status)


@app.command(short_help="Start a campaign that builds at once.")
@kind_errors
def new(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or does not exist yet.")],
    title: Annotated[str | None, typer.Option(help="Title of the campaign.")] = None,
) -> None:
    """Start a campaign: a small commented folder that builds at once, to be changed into yours."""
    from campaign.new import create

    for path in create(folder, title=title):
        typer.echo(f"  {path}")
    typer.echo(f"Build it with: calbook build {folder}")


@app.command(short_help="Write simulated frames, with known truth.")
@kind_errors
def simulate(
    folder: Folder,
    everything: Annotated[
        bool, typer.Option("--all", help="Write all frames anew, also those that exist.")
    ] = False,
    workers: Workers = 0,
) -> None:
    """Write the frames of a campaign's plan, with known truth and planted faults."""
    from builder.engine import default_workers
    from builder.progress import Progress
    from builder.simulate import simulate, validate

    campaign, _ = _load(folder)
    if not campaign.simulate:
        raise UsageError(f"{folder}/campaign.toml has no [simulate] table: there is nothing to simulate.")
    if findings := validate(campaign):
        print_findings(findings)
    progress = Progress()
    with progress.stage("simulate") as advance:
        done = simulate(
            campaign,
            missing_only=not everything,
            progress=lambda n, total, _what: advance(n, total),
            workers=workers or default_workers(),
        )
        progress.note("simulate", f"{done.written} files, {done.bytes / 1e6:.1f} MB; truth in {done.truth}")


@import_app.command("rst", short_help="Hand-written reStructuredText pages.")
@kind_errors
def import_rst(
    files: Annotated[list[Path], typer.Argument(help="Hand-written reStructuredText pages of the record.")],
    into: Annotated[Path, typer.Option("--into", help="The campaign folder to write; empty or new.")],
    base: Annotated[
        str, typer.Option(help="Address at which the pages were served, for their relative links.")
    ] = "",
) -> None:
    """Make a campaign folder from hand-written pages; what could not be placed is listed, nothing is dropped."""
    from campaign.rst_import import import_pages

    written, findings = import_pages(files, into, base=base)
    for path in written:
        typer.echo(f"  {path}")
    print_findings(findings)
    typer.echo(f"{len(written)} files written, {len(findings)} findings. Build it with: calbook build {into}")


@app.command(short_help="Read the record sources and keep snapshots.")
@kind_errors
def pull(
    folder: Folder, output: Output = None, offline: Offline = False, wait: Wait = 0.0, as_json: Json = False
) -> None:
    """Read the record sources and keep a snapshot of each that changed."""
    from builder.lock import WriteLock
    from builder.progress import printable
    from campaign.rows import read_tests
    from campaign.sources.pull import pull

    campaign, findings = _load(folder)
    store = ((output or folder / "build") / "store").resolve()
    with WriteLock(store, _now(), _command(), wait, lambda text: typer.echo(text, err=True)):
        snapshots, pull_findings = pull(
            campaign, store / "snapshots", now=_now, environ=os.environ, offline=offline
        )
    tests, row_findings = read_tests(campaign, snapshots)
    sources = [
        {
            "id": s.source,
            "state": "never read" if s.table is None else "stale" if s.stale else "read",
            "rows": len(s.table.rows) if s.table else 0,
            "error": s.error,
        }
        for s in snapshots
    ]
    if not as_json:
        for source in sources:
            told = f"  {source['id']}: {source['state']}, {source['rows']} rows {source['error']}"
            typer.echo(printable(told.rstrip()))
        typer.echo(f"{len(tests)} tests")
    _finish("pull", [*findings, *pull_findings, *row_findings], as_json, sources=sources, tests=len(tests))


@app.command(short_help="List the frames, and the files that are of no use.")
@kind_errors
def index(folder: Folder, as_json: Json = False) -> None:
    """List the frames of the data directories, and every file that cannot be used, with the reason."""
    from builder.acquired.index import index
    from builder.progress import printable
    from campaign.findings import untold

    campaign, findings = _load(folder)
    found = index(campaign, {}, workers=1)
    kinds: dict[tuple[str, str, str], int] = {}
    for frame in found.frames:
        key = (frame.block, frame.detector, frame.type)
        kinds[key] = kinds.get(key, 0) + 1
    if not as_json:
        for (block, detector, kind), count in sorted(kinds.items()):
            typer.echo(printable(f"  {block or '(no block)':<16}{detector:<12}{kind:<8}{count}"))
        typer.echo(f"{len(found.files)} files, {len(found.frames)} frames")
    _finish(
        "index",
        [*findings, *untold(found.findings, findings)],
        as_json,
        files=len(found.files),
        frames=len(found.frames),
        kinds=[{"block": b, "detector": d, "type": t, "frames": n} for (b, d, t), n in sorted(kinds.items())],
    )


@app.command(short_help="Check a campaign folder without building.")
@kind_errors
def lint(folder: Folder, as_json: Json = False) -> None:
    """Check a campaign folder without building: keys, names, links, placeholders, limits, caveats, procedures of its own."""
    from builder.caveat_dates import as_of
    from builder.declarations import undocumented
    from builder.plugins import known_procedures
    from campaign.lint import check_caveats, check_quantities, lint

    campaign, findings = _load(folder)
    campaign = as_of(campaign, _now().date())
    known, plugin_findings = known_procedures(campaign.plugins)
    quantities = {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
    found = [*findings, *plugin_findings, *lint(campaign), *check_quantities(campaign, quantities)]
    found += [*check_caveats(campaign, quantities), *undocumented(known)]
    _finish("lint", found, as_json)


def _finish(command: str, findings: list[Any], as_json: bool, **facts: Any) -> None:
    status = BUILT_WITH_ERRORS if has_errors(findings) else BUILT
    if as_json:
        document(command, status, **facts, findings=findings_facts(findings))
    else:
        print_findings(findings)
        typer.echo(counted(len(findings), "finding"))
    raise typer.Exit(status)


@app.command(short_help="Say what made a page change.")
@kind_errors
def why(
    folder: Folder,
    what: Annotated[str, typer.Argument(help="A page of the site (blocks/B/tests/T.html) or a test (B/T).")],
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Say when a page last changed, and what made it change."""
    from builder.progress import printable
    from builder.why import explain

    store = (output or _campaign_folder(folder) / "build") / "store"
    if not (store / "calbook.sqlite").exists():
        raise UsageError(f"{folder} was never built: calbook build {folder}")
    lines = explain(store, what)
    if not lines:
        raise UsageError(
            f"The site has no page {what!r}. Give its address, as in blocks/B/tests/T.html, or block/test."
        )
    if as_json:
        document("why", BUILT, what=what, lines=lines)
        return
    for line in lines:
        typer.echo(printable(line))


@app.command(short_help="Serve a built site on this machine only.")
@kind_errors
def serve(
    folder: Folder,
    output: Output = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 8000,
) -> None:
    """Serve a built site on this machine only. The site also opens from disk, without this."""
    from builder.serve import serve

    site = (output or _campaign_folder(folder) / "build") / "site"
    if not (site / "index.html").exists():
        raise UsageError(f"{folder} was never built: calbook build {folder}")
    serve(site, port, typer.echo)


register_certify(app, _now)
register(app)  # report versions: archive, verify, compare, versions, publish; one-file reports


def _version(value: bool) -> None:
    if value:
        typer.echo(f"calbook {VERSION}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn a calibration campaign into a browsable site."""


def main() -> None:
    """Entry point of the ``calbook`` command."""
    for_one_command()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, TextIOWrapper
        ):  # what the terminal's encoding does not have is shown as escapes
            stream.reconfigure(errors="backslashreplace")
    app()
