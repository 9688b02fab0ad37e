"""The command ``calbook certify``: a decision from the command line into ``certification.csv``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date as Date  # noqa: N812
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from builder.answers import BUILT, UsageError, document, kind_errors

Now = Callable[[], datetime]


def register_certify(app: typer.Typer, now: Now) -> None:
    """Add the command to the command line; ``now`` is its clock."""

    @kind_errors
    def certify(
        folder: Annotated[
            Path, typer.Argument(help="The campaign folder: the one that holds campaign.toml.")
        ],
        subject: Annotated[
            str,
            typer.Argument(
                help="What it is about, as its page says: block/test, block/test/procedure/detector, or a part of that.",
                show_default=False,
            ),
        ] = "",
        decision: Annotated[
            str,
            typer.Option(
                "--decision",
                "-d",
                help="reviewed, accepted, rejected, 'valid outlier' or acknowledged.",
                show_default=False,
            ),
        ] = "",
        who: Annotated[str, typer.Option("--who", "-w", help="Who decides.", show_default=False)] = "",
        reason: Annotated[
            str, typer.Option("--reason", "-r", help="Code of the reason.", show_default=False)
        ] = "",
        text: Annotated[
            str, typer.Option("--text", "-t", help="The reason in words.", show_default=False)
        ] = "",
        day: Annotated[
            str, typer.Option("--date", help="When it was decided. Default: today.", show_default=False)
        ] = "",
        lines: Annotated[
            Path | None,
            typer.Option(
                "--from", help="Write the decisions of this file instead, which a page of the site made."
            ),
        ] = None,
        output: Annotated[
            Path | None,
            typer.Option("--output", "-o", help="Where the site is. Default: build/ in the campaign folder."),
        ] = None,
        as_json: Annotated[
            bool,
            typer.Option("--json", help="Print one JSON document, and nothing else, on standard output."),
        ] = False,
    ) -> None:
        """Write a decision about a test, a result, a figure, a product or a frame into certification.csv.

        The result shown by the last build is filled in; what was decided on another result is told as outdated by the
        next build. Rows that are there stay as they are. Exit status: 0 written; 2 not written.
        """
        from builder.certify import CertifyError, Subjects, append, decided, from_file
        from builder.progress import printable
        from campaign.certification import DECIDED
        from campaign.certification_file import NAME
        from campaign.checked import suggestion

        if not (folder / "campaign.toml").is_file():
            raise UsageError(f"{folder} holds no campaign.toml, so it is no campaign folder.")
        if (lines is None) == (not subject):
            raise UsageError("Say what the decision is about, or name a file of decisions with --from.")
        try:
            known = Subjects.of_site((output or folder / "build") / "site")
            if lines is not None:
                made = from_file(known, lines)
            elif decision not in DECIDED:
                raise UsageError(f"{decision!r} is no decision: {suggestion(decision, DECIDED)}.")
            else:
                made = [decided(known, subject, decision, who, reason=reason, text=text, day=_day(day, now))]
            row, written = append(folder.resolve() / NAME, made)
        except CertifyError as error:
            raise UsageError(str(error)) from None
        if as_json:
            held = [d.model_dump(mode="json", exclude={"row"}) for d in made]
            document("certify", BUILT, file=NAME, line=row, decisions=held)
            return
        typer.echo(f"{NAME}:{row}")
        for told in written.splitlines():
            typer.echo(f"  {printable(told)}")

    app.command(short_help="Write a decision about a result into certification.csv.")(certify)


def _day(given: str, now: Now) -> Date:
    from campaign.values import day

    try:
        return day(given) or now().date() if given else now().date()
    except ValueError as error:
        raise UsageError(f"--date {given}: {error}.") from None
