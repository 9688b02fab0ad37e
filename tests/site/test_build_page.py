"""The page about the build: what it says of time, memory and reuse, from a report whose costs are known."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from page_reader import Read, read
from report_fixture import COSTS, SCRIPT, make_report

from builder.costs import Costs, StageCost
from builder.render import addresses
from builder.render.pages import pages
from builder.report import Report

TABLES = {"stage-costs": "stages", "procedure-costs": "procedures", "test-costs": "tests"}


def page(report: Report) -> Read:
    (made,) = (p for p in pages(report, {}) if p.path == addresses.BUILD)
    return read(made.body)


def with_costs(costs: Costs) -> Read:
    report = make_report()
    return page(replace(report, info=replace(report.info, costs=costs)))


def rows(body: str, table: str) -> list[list[str]]:
    """The cells of a table's rows as plain text."""
    held = re.search(rf'<table [^>]*id="{table}".*?</table>', body, re.S)
    assert held is not None
    return [
        [
            " ".join(re.sub("<[^>]*>", "", cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", held[0].partition("<tbody>")[2], re.S)
    ]


@pytest.fixture(scope="module")
def body() -> str:
    return next(p.body for p in pages(make_report(), {}) if p.path == addresses.BUILD)


def test_stages_with_time_share_memory_and_what_they_did(body: str) -> None:
    load, measure, render = rows(body, "stage-costs")
    assert load == ["load", "0.10 s", "&lt; 1 %", "88", "nothing to count"]
    assert measure[:4] == ["measure", "1 min 05 s", "100 %", "140"] and measure[4].startswith("8 results new")
    assert render == ["render", "0.00 s", "0 %", "not known", "nothing to count"]


def test_procedures_with_their_median_and_slowest(body: str) -> None:
    bias, gone = rows(body, "procedure-costs")
    assert bias == ["bias", "6", "1 min 20 s", "100 %", "12.5 s", "30.2 s", "410"]
    assert gone[0].startswith("gone") and gone[-1] == "not known"


def test_the_slowest_tests_lead_to_their_pages(body: str) -> None:
    first, second = rows(body, "test-costs")
    assert first == ["BIAS01", "BORN", "4", "1 min 00 s", "75 %", "410"]
    assert f'href="../{addresses.test_page("BORN", "BIAS01")}"' in body
    assert second[0].startswith("OLD01") and "OLD01" not in "".join(re.findall(r'href="[^"]*"', body))


def test_bars_are_as_long_as_the_numbers_say_and_drawn_without_a_script(body: str) -> None:
    bars = re.findall(
        r'<span class="bar" aria-hidden="true"><span style="width:([\d.]+)%"></span></span><span class="percent">([^<]*) %',
        body,
    )
    assert len(bars) == len(COSTS.stages) + len(COSTS.procedures) + len(COSTS.tests)
    for width, said in bars:
        assert 0 <= float(width) <= 100
        assert said == "&lt; 1" if 0 < float(width) < 0.5 else round(float(width)) == int(said)
    assert "<script" not in body


def test_tables_sort_by_the_exact_numbers(body: str) -> None:
    for table in TABLES:
        held = re.search(rf'<table [^>]*id="{table}"[^>]*>(.*?)</table>', body, re.S)
        assert held is not None and "data-plain" not in held[0]
        assert held[0].count('data-sort="number"') >= 3
    assert 'data-value="65.2"' in body and 'data-value="410.4"' in body


def test_what_was_done_and_kept_and_where(body: str) -> None:
    text = " ".join(re.sub("<[^>]*>", " ", body).split())
    for said in (
        "Frame files 36 3 33", "Results 38 8 30", "Files of the site 212 12 200", "1 file had another time or place on the disk and the same bytes",
        "took 8 min 32 s when they were measured", "store/logs/build-20190320T180000Z.jsonl", "Workers 2",
        "the one before: 2019-03-19 18:00 UTC", "in 1 min 05 s", "Peak memory, main process 140 MB", "Peak memory, one worker 410 MB",
    ):  # fmt: skip
        assert said in text, said
    assert SCRIPT not in body


def test_a_build_of_an_earlier_store_says_what_is_not_on_record() -> None:
    made = with_costs(Costs((StageCost("load", 0.5), StageCost("measure", 2.0))))
    assert "not on record" in made.text and "not known" in made.text and "none was kept" in made.text


def test_a_build_without_any_costs_has_a_page() -> None:
    made = with_costs(Costs())
    assert "No durations are on record." in made.text and "All were" not in made.text


def test_durations_are_on_no_other_page() -> None:
    """However long it took, all other pages are the same to the byte."""
    report = make_report()
    later = replace(report, info=replace(report.info, costs=Costs()))
    slow = [
        replace(
            b,
            tests=tuple(
                replace(t, outcomes=tuple(replace(o, seconds=999.9) for o in t.outcomes)) for t in b.tests
            ),
        )
        for b in report.blocks
    ]
    one = {p.path: p.body for p in pages(report, {})}
    other = {p.path: p.body for p in pages(replace(later, blocks=tuple(slow)), {})}
    assert [path for path in one if one[path] != other[path]] == [addresses.BUILD]


def test_styles_of_the_bars_are_there() -> None:
    css = (Path(__file__).parents[2] / "site_src" / "_static" / "tables.css").read_text("utf-8")
    assert ".share .bar > span" in css and "print-color-adjust: exact" in css
