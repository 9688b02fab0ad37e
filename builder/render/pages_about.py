"""About this build: what it cost, what it did anew, what changed, with which versions."""

from __future__ import annotations

from collections.abc import Collection

from builder.render import addresses as a
from builder.render.book import Book
from builder.render.environment import render
from builder.render.page import Page
from builder.render.pages_home import HOME


def build_page(book: Book, known: Collection[str]) -> Page:
    """The page about the build; ``known`` are the addresses of all pages, for the links of changes."""
    info = book.report.info
    context = {"book": book, "info": info, "changes": book.report.changes, "known": known.__contains__}
    return Page(
        a.BUILD,
        "About this build",
        render("build.html.j2", a.BUILD, context, book.absent),
        "build",
        (HOME,),
        (
            ("facts", "Facts"),
            ("counts", "Tests by verdict"),
            ("reuse", "Done now and kept"),
            ("stages", "Stages"),
            ("procedures", "Procedures"),
            ("slowest", "Slowest tests"),
            ("changes", "Changes"),
            ("versions", "Versions"),
        ),
        " ".join(f"{name} {value}" for name, value in info.versions.items()),
    )
