"""The command line: ``calbook``. Arguments come in, messages go out; the work is done elsewhere."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from builder import VERSION
from builder.archive.commands import register

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
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")]

BUILT, BUILT_WITH_ERRORS, NOT_BUILT = 0, 1, 2


class UsageError(Exception):
    """Something the person at the terminal can put right; shown without a traceback."""


def kind_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn expected errors into one message with what to do, and exit status 2."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        from builder.store import StoreError

        try:
            return function(*args, **kwargs)
        except (UsageError, StoreError) as error:
            message = str(error)
        except KeyboardInterrupt:
            message = "Stopped. What was finished is kept: the same command goes on from here."
        except FileExistsError as error:
            at = error.filename
            message = f"{at} is a file: name a folder, or one that is not there yet." if at else str(error)
        except OSError as error:
            message = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # not foreseen: a fault of ours, told without frightening anybody
            message = f"a fault of calbook, not of your campaign: {type(error).__name__}: {error}\nDetails: {_keep(error)}"
        typer.echo(f"calbook: {message}", err=True)
        raise typer.Exit(NOT_BUILT)

    return guarded


def _keep(error: Exception) -> str:
    """Write where an error arose to a file of its own, and name it."""
    with tempfile.NamedTemporaryFile("w", prefix="calbook-fault-", suffix=".txt", delete=False) as out:
        traceback.print_exception(error, file=out)
    return out.name


def _now() -> datetime:
    return datetime.now(UTC)


def _campaign_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Start a campaign there with: calbook new {folder}")
    return folder.resolve()


def _load(folder: Path) -> Any:
    from campaign.load import load

    campaign, findings = load(_campaign_folder(folder))
    if campaign is None:
        _print_findings(findings)
        raise UsageError(f"{folder} holds no usable campaign.toml; nothing was done.")
    return campaign, findings


def _print_findings(findings: list[Any], *, most: int = 20) -> None:
    from campaign.findings import worst_first

    ordered = worst_first(findings)
    for finding in ordered[:most]:
        place = f"{finding.where}: " if finding.where else ""
        typer.echo(f"  {finding.severity:<8}{place}{finding.what}", err=True)
        if finding.todo:
            typer.echo(f"          {finding.todo}", err=True)
    if len(ordered) > most:
        typer.echo(f"  … and {len(ordered) - most} more; the health page has them all.", err=True)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _command() -> str:
    """The command as it was typed; bytes of a path that are no text are shown as escapes."""
    return shlex.join(["calbook", *sys.argv[1:]]).encode("utf-8", "backslashreplace").decode()


@app.command(short_help="Build the site: read, index, measure, judge, render.")
@kind_errors
def build(
    folder: Folder,
    output: Output = None,
    workers: Workers = 0,
    offline: Offline = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every finding.")] = False,
) -> None:
    """Build the site of a campaign: read, index, measure, judge and render what is new.

    Exit status: 0 built; 1 built, with errors in it (failed procedures, damaged files, unread sources);
    2 not built.
    """
    from builder.engine import one_thread_each

    one_thread_each()  # before anything loads numpy
    from builder.build import NotBuiltError, Options, build
    from builder.progress import Progress

    options = Options(
        _campaign_folder(folder),
        _now,
        os.environ,
        output,
        workers,
        offline,
        _command(),
    )
    try:
        built = build(options, Progress(quiet=quiet))
    except NotBuiltError as error:
        _print_findings(error.findings)
        raise UsageError("Nothing was built: put the campaign folder right first.") from None
    report = built.report
    errors = [f for f in report.findings if f.severity == "error"]
    counts = report.counts()
    if verbose:
        _print_findings(list(report.findings), most=10**9)
    if not quiet:
        tests = len(report.tests())
        typer.echo(
            f"{report.campaign.title}: {_counted(tests, 'test')}: {counts['pass']} pass, {counts['warn']} warn, {counts['fail']} fail, "
            f"{counts['error']} error, {counts['missing']} with missing frames; {_counted(len(report.findings), 'finding')} "
            f"({_counted(len(errors), 'error')}) on the health page."
        )  # fmt: skip
        if built.unchanged:
            typer.echo("Nothing changed since the last build.")
    elif errors:
        _print_findings(errors)
    for path, fault in built.undrawn:
        typer.echo(f"  {path} could not be drawn: {fault}", err=True)
    typer.echo(str(built.home))
    raise typer.Exit(BUILT_WITH_ERRORS if errors or built.undrawn else BUILT)


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
        _print_findings(findings)
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
    _print_findings(findings, most=10**9)
    typer.echo(f"{len(written)} files written, {len(findings)} findings. Build it with: calbook build {into}")


@app.command(short_help="Read the record sources and keep snapshots.")
@kind_errors
def pull(folder: Folder, output: Output = None, offline: Offline = False) -> None:
    """Read the record sources and keep a snapshot of each that changed."""
    from campaign.rows import read_tests
    from campaign.sources.pull import pull

    campaign, findings = _load(folder)
    out = (output or folder / "build") / "store" / "snapshots"
    snapshots, pull_findings = pull(campaign, out.resolve(), now=_now, environ=os.environ, offline=offline)
    tests, row_findings = read_tests(campaign, snapshots)
    for snapshot in snapshots:
        rows = len(snapshot.table.rows) if snapshot.table else 0
        state = "never read" if snapshot.table is None else "stale" if snapshot.stale else "read"
        typer.echo(f"  {snapshot.source}: {state}, {rows} rows {snapshot.error}".rstrip())
    typer.echo(f"{len(tests)} tests")
    _finish([*findings, *pull_findings, *row_findings])


@app.command(short_help="List the frames, and the files that are of no use.")
@kind_errors
def index(folder: Folder) -> None:
    """List the frames of the data directories, and every file that cannot be used, with the reason."""
    from builder.acquired.index import index
    from campaign.findings import untold

    campaign, findings = _load(folder)
    found = index(campaign, {}, workers=1)
    types: dict[tuple[str, str, str], int] = {}
    for frame in found.frames:
        key = (frame.block or "(no block)", frame.detector, frame.type)
        types[key] = types.get(key, 0) + 1
    for (block, detector, kind), count in sorted(types.items()):
        typer.echo(f"  {block:<16}{detector:<12}{kind:<8}{count}")
    typer.echo(f"{len(found.files)} files, {len(found.frames)} frames")
    _finish([*findings, *untold(found.findings, findings)])


@app.command(short_help="Check a campaign folder without building.")
@kind_errors
def lint(folder: Folder) -> None:
    """Check a campaign folder without building: keys, names, links, placeholders, limits."""
    from builder.plugins import known_procedures
    from campaign.lint import check_quantities, lint

    campaign, findings = _load(folder)
    known, plugin_findings = known_procedures(campaign.plugins)
    quantities = {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
    _finish([*findings, *plugin_findings, *lint(campaign), *check_quantities(campaign, quantities)])


def _finish(findings: list[Any]) -> None:
    _print_findings(findings, most=10**9)
    typer.echo(_counted(len(findings), "finding"))
    raise typer.Exit(BUILT_WITH_ERRORS if any(f.severity == "error" for f in findings) else BUILT)


@app.command(short_help="Say what made a page change.")
@kind_errors
def why(
    folder: Folder,
    what: Annotated[str, typer.Argument(help="A page of the site (blocks/B/tests/T.html) or a test (B/T).")],
    output: Output = None,
) -> None:
    """Say when a page last changed, and what made it change."""
    from builder.why import explain

    store = (output or _campaign_folder(folder) / "build") / "store"
    if not (store / "calbook.sqlite").exists():
        raise UsageError(f"{folder} was never built: calbook build {folder}")
    lines = explain(store, what)
    if not lines:
        raise UsageError(
            f"The site has no page {what!r}. Give its address, as in blocks/B/tests/T.html, or block/test."
        )
    for line in lines:
        typer.echo(line)


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


register(app, kind_errors, UsageError)  # report versions: archive, verify, compare, versions, publish


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
    app()
