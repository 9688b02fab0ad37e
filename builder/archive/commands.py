"""The commands of report versions: archive, verify, compare, versions, publish; and the report in one file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from builder.answers import BUILT, UsageError, document, kind_errors
from builder.archive.bag import PAYLOAD
from builder.archive.errors import ArchiveError
from builder.archive.report_command import report

Folder = Annotated[Path, typer.Argument(help="The campaign folder: the one that holds campaign.toml.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Where the site and the store are. Default: build/ in the campaign folder."
    ),
]
Of = Annotated[
    Path,
    typer.Option(
        "--of",
        help="The campaign folder, or the folder of versions, whose versions are meant. Default: here.",
    ),
]
HERE = Path()
DAMAGED = 1


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    def told(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except ArchiveError as error:
                raise UsageError(str(error)) from None

        return guarded

    for function, short in (
        (archive, "Keep the built site as an immutable report version."),
        (verify, "Find every byte of a version that is not as archived."),
        (compare, "Say what changed between two versions."),
        (versions, "List the versions, choose one by date, list what could go."),
        (publish, "Put the site where others read it, in one switch."),
        (report, "Make a report of a block or test in one file, for e-mail."),
    ):
        app.command(short_help=short)(kind_errors(told(function)))


def archive(
    folder: Folder,
    label: Annotated[str, typer.Option("--label", "-l", help="A few words: what the version is for.")],
    author: Annotated[str, typer.Option("--author", "-a", help="Who makes it.")],
    note: Annotated[str, typer.Option("--note", "-n", help="What to know about it.")] = "",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The folder of all versions. Default: versions/ in the campaign folder."),
    ] = None,
    output: Output = None,
) -> None:
    """Keep the built site as a report version: numbered, labelled, read-only, verifiable.

    It holds the site, the store's extract, the campaign folder without frames, the record's snapshots, the environment
    and the fingerprints of all inputs. A site that is not as its last build left it is refused: build it first.
    """
    from builder.archive.make import make

    made = make(
        _campaign(folder), label=label, author=author, note=note, now=datetime.now(UTC), to=to, output=output
    )
    for note_ in made.notes:
        typer.echo(f"  {note_}", err=True)
    shared = f", {made.linked} of them shared with former versions" if made.linked else ""
    typer.echo(
        f"{made.version.name}: {made.files} files{shared}, {made.written / 1e6:.1f} MB new on the disk"
    )
    typer.echo(f"seal {made.version.seal}")
    typer.echo(str(made.version.folder))


def verify(
    what: Annotated[
        str,
        typer.Argument(
            help="A version's number or label, its folder, or a campaign folder for all its versions."
        ),
    ],
    of: Of = HERE,
    full: Annotated[bool, typer.Option("--full", help="Check SHA-256 too, not only BLAKE3.")] = False,
) -> None:
    """Find every changed, missing or added byte of a version, or of all, and name the file.

    Versions share files that did not change: a damaged file is named with all versions that hold it. Exit status: 0
    everything is as it was archived; 1 something is not; 2 there is nothing to verify.
    """
    from builder.archive.verify import verify as check
    from builder.archive.versions import folders, remember_verified, versions

    place, only = Path(what), []
    if not place.is_dir():
        place = of
        only = [v.number for v in versions(of) if what in (str(v.number), v.label, v.folder.name)]
        only = only or [n for n in folders(of) if what == str(n)]
        if not only:
            raise ArchiveError(f"{what!r} is no version of {of}, and no folder.")
    found = check(place, full=full, only=only)
    amiss = Counter(problem.version for problem in found.problems)
    of_one = (place / PAYLOAD).is_dir() and not (place / "campaign.toml").exists()
    remember_verified(
        place.resolve().parent if of_one else place,
        {v: amiss[v] for v in found.versions},
        datetime.now(UTC),
        full=full,
    )
    for problem in found.problems:
        typer.echo(str(problem))
    for note in found.notes:
        typer.echo(note)
    state = f"{len(found.problems)} files are not as archived" if found.problems else "all as archived"
    count = len(found.versions)
    typer.echo(
        f"{count} version{'' if count == 1 else 's'}, {found.files} files, {found.bytes / 1e6:.1f} MB read: {state}"
    )
    raise typer.Exit(DAMAGED if found.problems else 0)


def compare(
    before: Annotated[str, typer.Argument(help="The earlier version: its number, label or folder.")],
    after: Annotated[
        str, typer.Argument(help="The later one; 'now' or a campaign folder for the present site.")
    ] = "now",
    of: Of = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    most: Annotated[int, typer.Option("--most", min=0, help="Lines of each kind; 0 for all.")] = 20,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Write a page beside the versions.")] = True,
    output: Output = None,
) -> None:
    """Say what changed between two versions, or between a version and the present site, and because of what.

    Measurements (with the significance of each difference), verdicts, tests, limits, caveats, inputs, procedures, record
    rows, findings. The same is written as a page, with JSON, beside the versions.
    """
    from builder.archive.compare import compare as compared_of
    from builder.archive.compared import lines, to_json, write_page
    from builder.archive.edition import Edition, edition_of, present
    from builder.archive.make import listing
    from builder.archive.versions import find, home

    first = find(before, of)

    def edition(what: str) -> Edition:
        folder = Path(what)
        if (folder / "campaign.toml").exists():
            return present(folder, output)
        if what == "now":
            # beside the versions, unless they are kept elsewhere and the campaign is named by --of
            return present(of if (of / "campaign.toml").exists() else first.folder.parent.parent, output)
        return edition_of(find(what, of if home(of).is_dir() else first.folder.parent))

    compared = compared_of(edition_of(first), edition(after))
    if as_json:
        typer.echo(json.dumps(to_json(compared), ensure_ascii=False))
    else:
        for line in lines(compared, most):
            typer.echo(line)
    if page:
        written = write_page(compared, first.folder.parent)
        listing(first.folder.parent)
        typer.echo(str(written), err=as_json)


def versions(
    folder: Folder,
    before: Annotated[str, typer.Option("--before", help="The last version before this date.")] = "",
    after: Annotated[str, typer.Option("--after", help="The first version after this date.")] = "",
    nearest: Annotated[str, typer.Option("--nearest", help="The version nearest to this date.")] = "",
    procedure: Annotated[
        str,
        typer.Option(
            "--procedure", help="Choose not a version but a calibration: a test that this procedure measured."
        ),
    ] = "",
    detector: Annotated[
        str, typer.Option("--detector", help="With --procedure: of this detector only.")
    ] = "",
    retain: Annotated[
        str,
        typer.Option(
            "--retain",
            help="List what a rule would keep, such as 'keep last 5, one per month'. Nothing is deleted.",
        ),
    ] = "",
    release: Annotated[
        bool,
        typer.Option(
            "--release", help="List raw files whose results are archived and verified. Nothing is deleted."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document: of all versions, --retain or --release.")
    ] = False,
    output: Output = None,
) -> None:
    """List the versions of a campaign; choose one by date; list what could go.

    Dates are days (2025-03-01) or moments (2025-03-01T12:30, UTC). A date outside the range is an error.
    """
    from builder.archive import versions as listed
    from builder.archive.selection import Choice, moment, select

    if not folder.is_dir():
        raise ArchiveError(f"{folder} is no folder.")
    dates: dict[Choice, str] = {"before": before, "after": after, "nearest": nearest}
    asked = [(choice, text) for choice, text in dates.items() if text]
    if len(asked) > 1:
        raise ArchiveError("Ask for one of --before, --after and --nearest.")
    if procedure:
        _calibrations(folder, procedure, detector, asked, output)
    elif retain:
        _retain(folder, retain, as_json)
    elif release:
        _release(folder, output, as_json)
    elif asked:
        (choice, text), *_ = asked
        chosen = select(listed(folder), choice, moment(text), lambda v: v.date)
        typer.echo(_line(chosen))
        typer.echo(str(chosen.folder))
    else:
        from builder.archive.versions import readable

        found, wrong = readable(folder)
        if as_json:
            document("versions", BUILT, versions=[_facts(v) for v in found], unreadable=wrong)
            return
        for version in found:
            typer.echo(_line(version))
        for text in wrong:
            typer.echo(text, err=True)
        if not found and not wrong:
            typer.echo("There are no versions yet.")


def publish(
    folder: Annotated[Path, typer.Argument(help="The campaign folder, or a version's folder.")],
    destination: Annotated[
        str, typer.Argument(help="A path, which becomes a link to the site; or host:path, over rsync.")
    ],
    output: Output = None,
    ssh: Annotated[str, typer.Option("--ssh", help="The remote shell for rsync and for the switch.")] = "ssh",
) -> None:
    """Put the site where others read it: all of it beside, then one switch. A reader never sees half a site.

    The site must be as its last build left it. The site before is kept until the next publication.
    """
    from builder.archive import publish as at

    site, files = at.source_of(folder, output)
    now = datetime.now(UTC)
    if at.is_remote(destination):
        done = at.publish_by_rsync(site, sorted(files), destination, now, ssh)
    else:
        done = at.publish(site, files, Path(destination).absolute(), now)
    shared = f", {done.linked} of them unchanged" if done.linked else ""
    typer.echo(f"{done.where}: {done.files} files{shared}")


def _campaign(folder: Path) -> Path:
    if not (folder / "campaign.toml").exists():
        raise ArchiveError(f"{folder} is no campaign folder: it holds no campaign.toml.")
    return folder.resolve()


def _facts(version: Any) -> dict[str, Any]:
    said = {k: getattr(version, k) for k in ("number", "label", "note", "author", "seal")}
    return {**said, "date": version.date.isoformat(), "folder": str(version.folder)}


def _line(version: Any) -> str:
    note = f": {version.note}" if version.note else ""
    return f"{version.number:>4}  {version.date:%Y-%m-%d %H:%M}  {version.label} ({version.author}){note}"


def _retain(folder: Path, rule: str, as_json: bool) -> None:
    from builder.archive import versions as listed
    from builder.archive.retention import freed, retained

    kept = retained(listed(folder), rule)
    if as_json:
        document(
            "versions", BUILT, versions=[{**_facts(k.version), "kept_by": list(k.because)} for k in kept]
        )
        return
    for k in kept:
        typer.echo(
            f"{'keep' if k.because else 'could go':<10}{_line(k.version)}{'  [' + ', '.join(k.because) + ']' if k.because else ''}"
        )
    going = [k.version.folder for k in kept if not k.because]
    space = freed(going, [k.version.folder for k in kept if k.because])
    typer.echo(
        f"{len(going)} of {len(kept)} could go and would free {space / 1e6:.1f} MB. Nothing was deleted."
    )


def _release(folder: Path, output: Path | None, as_json: bool) -> None:
    from contextlib import closing

    from builder.archive import versions as listed
    from builder.archive.contents import opened
    from builder.archive.edition import present
    from builder.archive.retention import releasable

    folder = _campaign(folder)
    contents = present(folder, output).contents
    with closing(opened((output or folder / "build") / "store")) as db:
        known = {k: (s, d) for k, s, d in db.execute("SELECT key, stat, fingerprint FROM fingerprints")}
    found = releasable(contents, listed(folder), {p: folder / p for p, *_ in contents.inputs}, known)
    if as_json:
        files = [
            {
                "path": f.path,
                "size": f.size,
                "may_go": not f.why_not,
                "why_not": f.why_not,
                "version": f.version,
            }
            for f in found
        ]
        document("versions", BUILT, files=files)
        return
    for file in found:
        typer.echo(
            f"{'may go' if not file.why_not else 'stays':<8}{file.path}  {file.why_not or file.version}"
        )
    may = [f for f in found if not f.why_not]
    size = sum(f.size for f in may)
    typer.echo(f"{len(may)} of {len(found)} raw files may go, {size / 1e6:.1f} MB. Nothing was deleted.")


def _calibrations(folder: Path, procedure: str, detector: str, asked: list[Any], output: Path | None) -> None:
    from builder.archive.calibrations import calibrations
    from builder.archive.selection import moment, select

    held = calibrations(folder, procedure, detector, output)
    if not held:
        raise ArchiveError(
            f"{procedure} has measured nothing{f' of {detector}' if detector else ''} with a known date."
        )
    for choice, text in asked:
        chosen = select(held, choice, moment(text), lambda c: c.date)
        held = [
            c for c in held if c.date == chosen.date and c.test == chosen.test and c.block == chosen.block
        ]
    for c in held:
        typer.echo(f"{c.date}  {c.block}/{c.test} {c.detector}  {c.page}")
        for product in c.products:
            typer.echo(f"            {product}")
