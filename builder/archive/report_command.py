"""The command that makes a report in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from builder.answers import UsageError
from builder.archive.bag import PAYLOAD


def report(
    folder: Annotated[Path, typer.Argument(help="The campaign folder, or a version's folder.")],
    what: Annotated[str, typer.Argument(metavar="BLOCK[/TEST]", help="A block, or one of its tests.")],
    form: Annotated[
        Literal["html", "pdf"], typer.Option("--format", "-f", help="html; or pdf, printed by Chromium.")
    ] = "html",
    to: Annotated[
        Path | None, typer.Option("--to", help="The file to write. Default: BLOCK-TEST.html (or .pdf) here.")
    ] = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Of a block: the pages of all its tests too, in one file.")
    ] = False,
    base: Annotated[
        str,
        typer.Option(
            "--base",
            help="Address at which the site is served: links to its other pages lead there. Default: they become text.",
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where the site and the store are. Default: build/ in the campaign folder."
        ),
    ] = None,
) -> None:
    """Make a report of a block or a test in one file, for e-mail: styles, figures and pictures are within.

    It shows what the built site (or the version) shows. Anchors are kept; nothing in it reaches for the network.
    """
    from builder.one_file import ReportError, file_name, pages_of, report_html, report_pdf
    from builder.store import write_atomically

    archived = (folder / PAYLOAD).is_dir() and not (folder / "campaign.toml").exists()
    site = folder / PAYLOAD / "site" if archived else (output or folder / "build") / "site"
    try:
        pages = pages_of(site, what, tests=tests)
        html = report_html(site, pages, base=base)
        data = html.encode() if form == "html" else report_pdf(html, os.environ)
    except ReportError as error:
        raise UsageError(str(error)) from None
    target = to or Path(file_name(what, form))
    write_atomically(target.absolute(), data)
    typer.echo(
        f"{target}: {len(pages)} page{'' if len(pages) == 1 else 's'} of the site, {len(data) / 1e6:.1f} MB"
    )
