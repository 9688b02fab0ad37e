"""The documents of procedures: every field, and each statement about where things are is true of a built campaign."""

from __future__ import annotations

import csv
import re
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest
from page_reader import read

from analysis.contract import Procedure
from analysis.procedures import builtin
from builder.render import addresses
from builder.render.book import Book
from builder.render.pages_procedure import COMMAND, procedure_page, trend_pages
from builder.report import Report

EACH = pytest.mark.parametrize("procedure", builtin(), ids=lambda p: p.name)


@pytest.fixture(scope="module")
def book(built_example: Path) -> Book:
    from datetime import UTC, datetime

    from builder.report import BuildInfo
    from campaign.load import load

    campaign, _ = load(built_example)
    assert campaign is not None
    info = BuildInfo(1, datetime(2025, 1, 1, tzinfo=UTC), "", {})
    return Book(Report(campaign, (), builtin(), (), (), (), info))


@EACH
def test_every_field_is_told(procedure: Procedure, book: Book) -> None:
    page = read(procedure_page(book, procedure).body)
    assert page.problems == []
    for words in (
        procedure.name, procedure.version, procedure.purpose, *procedure.comments, *procedure.acceptance, *procedure.references,
        *(x.caption for f in procedure.figures for x in f.panels), *(q.unplotted for q in procedure.quantities), book.report.campaign.instrument,
        *(q.kind for q in procedure.quantities), *(kind for r in procedure.roles for kind in r.types),
    ):  # fmt: skip
        assert " ".join(words.split()) in " ".join(page.text.split())
    for spec in procedure.figures:
        assert addresses.figure_anchor(spec.name) in page.ids


@EACH
def test_the_call_is_true(procedure: Procedure, book: Book) -> None:
    body = procedure_page(book, procedure).body
    module, _, name = re.search(r'data-call="function">([^<]+)<', body)[1].partition(":")  # type: ignore[index]
    assert getattr(import_module(module), name) is procedure.measure
    assert re.search(r'data-call="command">([^<]+)<', body)[1] == COMMAND  # type: ignore[index]


@EACH
def test_numbers_are_where_the_page_says(procedure: Procedure, built_physics: Path) -> None:
    site = built_physics / "build" / "site"
    declared = {q.name for q in procedure.quantities}
    with (site / "data/measurements.csv").open(encoding="utf-8", newline="") as file:
        assert {r["quantity"] for r in csv.DictReader(file) if r["procedure"] == procedure.name} == declared
    with closing(sqlite3.connect(site / "data/calbook.sqlite")) as db:
        found = db.execute(
            "SELECT DISTINCT m.quantity FROM measurements m JOIN results r ON r.id = m.result_id WHERE r.procedure = ?",
            (procedure.name,),
        )
        assert {q for (q,) in found} == declared
    for product in procedure.products:
        assert list(site.glob(f"products/*/*/*_{procedure.name}_{product.name}.{product.form}")), product.name


def test_trends_are_linked_where_the_site_has_them(book: Book) -> None:
    bias = builtin()[0]
    assert set(trend_pages(bias, ()).values()) == {""}
    known = ["trends/bias/read_noise.html"]
    assert trend_pages(bias, known)["read_noise"] == known[0]
    page = read(procedure_page(book, bias, known).body)
    assert page.hrefs.count("../trends/bias/read_noise.html") == 2
    assert not any("trends/bias/offset" in h for h in page.hrefs)
