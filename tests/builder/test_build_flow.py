"""Whole builds of a tiny campaign: what is published, what moves when something changes, what a kill costs."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tiny_campaign import NOW, Html, bias, built, dead_links, make, pages_of, snapshot
from typer.testing import CliRunner

from builder.cli import app
from builder.render.addresses import result_page
from builder.store_schema import KEPT

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that was built once."""
    made = make(tmp_path_factory.mktemp("flow") / "tiny")
    report = built(made).report
    assert [f.what for f in report.findings] == []
    return made


@pytest.fixture(scope="module")
def pages(folder: Path) -> dict[str, Html]:
    return pages_of(folder / "build" / "site")


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "build/site/data/measurements.csv").open(encoding="utf-8", newline="") as file:
        return {row["result_id"]: row for row in csv.DictReader(file)}


def test_every_number_on_a_page_is_the_published_one(folder: Path, pages: dict[str, Html]) -> None:
    published = rows(folder)
    assert len(published) == 6
    seen = set()
    for name, page in pages.items():
        for element in page.elements:
            ident = element.attributes.get("data-measurement")
            if ident is not None:
                assert element.attributes["data-value"] == published[ident]["value"], (name, ident)
                seen.add(ident)
    assert seen == set(published)


def test_provenance_is_one_click_from_each_number(folder: Path, pages: dict[str, Html]) -> None:
    for ident, row in rows(folder).items():
        page = pages[result_page(ident.partition(".")[0])]
        assert ident in page.ids
        for number in (1, 2, 3) if row["test"] == "BIAS01" else (4, 5):
            assert f"b{number}.fits" in page.text
        assert len(re.findall(r"[0-9a-f]{64}", page.text)) == (3 if row["test"] == "BIAS01" else 2)


def test_every_link_of_the_site_leads_somewhere(folder: Path, pages: dict[str, Html]) -> None:
    assert len(pages) > 30
    assert dead_links(folder / "build" / "site", pages) == []


def test_json_agrees_with_its_schema_and_the_table(folder: Path) -> None:
    data = folder / "build" / "site" / "data"
    held = json.loads((data / "campaign.json").read_text("utf-8"))
    schema = json.loads((data / "campaign.schema.json").read_text("utf-8"))
    assert set(held) == set(schema["properties"])
    assert {t["name"]: t["verdict"] for t in held["blocks"][0]["tests"]} == {"BIAS01": "not reached", "BIAS02": "not reached"}  # fmt: skip
    assert {r["verdict"] for r in rows(folder).values() if r["quantity"] == "level"} == {"pass"}


def test_a_build_without_changes_moves_nothing(folder: Path) -> None:
    before = snapshot(folder / "build" / "site")
    database = (folder / "build/store/calbook.sqlite").read_bytes()
    again = built(folder, now=NOW + timedelta(days=3))
    assert again.unchanged and again.written == 0
    assert snapshot(folder / "build" / "site") == before
    # nor is anything counted in the database: its size and builds are as they were
    assert len((folder / "build/store/calbook.sqlite").read_bytes()) == len(database)
    assert again.made is None  # not even results were loaded; with all of them loaded it says the same
    whole = built(folder, now=NOW + timedelta(days=4), fresh=True)
    assert whole.unchanged and whole.written == 0 and whole.summary == again.summary
    assert snapshot(folder / "build" / "site") == before
    assert whole.report.info.started == NOW


def test_the_site_s_database_has_the_last_build_whole(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    for days in range(2):
        bias(folder / "frames" / "b1.fits", 1, TIMES=days)
        built(folder, now=NOW + timedelta(days=days))
        held = []
        for place in ("store/calbook.sqlite", "site/data/calbook.sqlite"):
            with closing(sqlite3.connect(folder / "build" / place)) as db:
                held.append({t: db.execute(f"SELECT * FROM {t} ORDER BY rowid").fetchall() for t in KEPT})
        assert held[0] == held[1]
        assert len(held[0]["builds"]) == days + 1
        assert None not in held[0]["builds"][-1]


def test_a_changed_file_that_notes_link_to_is_copied_once(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    photo = folder / "photos" / "set-up.txt"
    photo.parent.mkdir()
    photo.write_text("before", "utf-8")
    with (folder / "blocks" / "B1.md").open("a", encoding="utf-8") as notes:
        notes.write("\nSee [the set-up](../photos/set-up.txt).\n")
    assert built(folder).report.findings == ()
    photo.write_text("afterwards", "utf-8")
    copy = built(folder, now=NOW + timedelta(days=1)).home.parent / "files" / "photos" / "set-up.txt"
    assert copy.read_text("utf-8") == "afterwards"
    before = snapshot(folder / "build")
    assert built(folder, now=NOW + timedelta(days=2)).written == 0
    after = snapshot(folder / "build")
    # Sphinx did not run again, and no file of the site was written again
    assert [
        n for n in after if after[n] != before[n] and not n.startswith(("store/calbook.", "store/snapshots/"))
    ] == []


def test_why_tells_what_made_a_page(folder: Path) -> None:
    runner = CliRunner()
    for what in ("B1/BIAS01", "blocks/B1/tests/BIAS01.html", "B1"):
        told = runner.invoke(app, ["why", str(folder), what])
        assert told.exit_code == 0
        assert "made for the first time" in told.output
    unknown = runner.invoke(app, ["why", str(folder), "nowhere.html"])
    assert unknown.exit_code == 2
    assert "nowhere" in unknown.output


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that the tests of changes change, one after the other."""
    made = make(tmp_path_factory.mktemp("changes") / "tiny")
    built(made)
    return made


class TestChanges:
    """In this order: a limit, a decision, then one more frame."""

    def test_a_changed_limit_judges_anew_and_measures_nothing(self, changing: Path) -> None:
        before = rows(changing)
        limits = changing / "limits" / "limits.toml"
        limits.write_text(limits.read_text("utf-8").replace("high = 1100", "high = 950"), "utf-8")
        report = built(changing, now=NOW + timedelta(hours=1)).report
        after = rows(changing)
        assert after.keys() == before.keys()  # the same results: nothing was measured
        for ident, row in after.items():
            same = ("value", "uncertainty", "measured_at")
            assert [row[k] for k in same] == [before[ident][k] for k in same]
            if row["quantity"] == "level":
                assert (before[ident]["verdict"], row["verdict"]) == ("pass", "fail")
                assert row["limit_high"] == "950.0"
        assert {c.kind for c in report.changes} == {"verdict", "limit"}
        assert [c.what for c in report.changes if c.kind == "limit"] == ["LIM-1 changed"]
        told = CliRunner().invoke(app, ["why", str(changing), "B1/BIAS01"]).output
        assert "verdicts and limits" in told and "its results" not in told

    def test_a_decision_is_told_once(self, changing: Path) -> None:
        (changing / "certification.csv").write_text(
            "date,who,decision,subject,result,reason,text\n2025-03-01,A. Person,reviewed,B1/BIAS01,,,\n",
            "utf-8",
        )
        report = built(changing, now=NOW + timedelta(hours=1, minutes=30)).report
        assert [(c.kind, c.what) for c in report.changes] == [
            ("decision", "B1/BIAS01: reviewed by A. Person")
        ]

    def test_one_new_frame_costs_its_own_test_only(self, changing: Path) -> None:
        before = rows(changing)
        bias(changing / "frames" / "b6.fits", 6)
        record = changing / "records" / "tests.csv"
        record.write_text(record.read_text("utf-8").replace("BIAS02,4,5", "BIAS02,4,6"), "utf-8")
        report = built(changing, now=NOW + timedelta(hours=2)).report
        after = rows(changing)
        assert [i for i in after if i not in before] == [i for i, r in after.items() if r["test"] == "BIAS02"]
        assert {c.kind for c in report.changes} == {"frames", "value"}
        told = CliRunner().invoke(app, ["why", str(changing), "B1/BIAS02"]).output
        assert "its results" in told
        assert "level of CAM1" in told and "frame added: 6/CAM1 (bias)" in told
        # the value that was published before stays beside the new one
        level = next(j for o in report.outcomes() for j in o.measurements if o.test == "BIAS02")
        assert [e[4] for e in level.earlier] == [
            i.partition(".")[0]
            for i, r in before.items()
            if (r["test"], r["quantity"]) == ("BIAS02", "level")
        ]


def test_tables_and_plots_come_from_the_worker_beside_as_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")
    built(folder)
    bias(folder / "frames" / "b6.fits", 6)
    record = folder / "records" / "tests.csv"
    record.write_text(record.read_text("utf-8").replace("BIAS02,4,5", "BIAS02,4,6"), "utf-8")
    with monkeypatch.context() as patched:
        patched.setattr("builder.build.MANY", 1)
        for name in (
            "measurement_tables._table",
            "render.trend_plots.plot_csv",
        ):
            patched.setattr(f"builder.{name}", None)  # so that this process makes none
        done = built(folder, now=NOW + timedelta(hours=1), workers=2)
    assert done.costs.counts["files_read"] == 1 and done.drawn > 5
    before = snapshot(folder / "build/site")
    again = built(folder, now=NOW + timedelta(hours=2), fresh=True)
    after = snapshot(folder / "build/site")
    assert again.unchanged and {p: data for p, (data, _) in after.items()} == {
        p: d for p, (d, _) in before.items()
    }


def test_a_worker_is_begun_ahead_only_where_files_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")
    built(folder)
    begun = []
    monkeypatch.setattr("builder.build.MANY", 1)
    monkeypatch.setattr("builder.engine.Engine.ahead", lambda self, warm: begun.append(warm))
    record = folder / "records" / "tests.csv"
    record.write_text(record.read_text("utf-8").replace("BIAS01,1,3,0,done,", "BIAS01,1,3,0,done,x"), "utf-8")
    assert built(folder).made is not None and not begun
    bias(folder / "frames" / "b6.fits", 6)
    built(folder)
    assert len(begun) == 1
    (folder / "frames" / "b6.fits").unlink()
    built(folder)
    assert len(begun) == 2


KILLER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import tiny_campaign
import builder.render.write as write
left, real = int(sys.argv[1]), os.replace
def replace(*args):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args)
write.os.replace = replace
tiny_campaign.built(Path({folder!r}))
"""


def test_a_build_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    """Killed while measuring, then while writing, at an early and at a late file: nothing is lost, all is the same."""
    folder = make(tmp_path / "tiny")
    die = folder / "procedures" / "die"
    die.touch()
    script = KILLER.format(here=str(Path(__file__).parent), folder=str(folder))
    for nth in (10**9, 3, 30, 60):
        run = subprocess.run(
            [sys.executable, "-c", script, str(nth)],
            cwd=CHECKOUT,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == -9, run.stderr.decode()
        die.unlink(missing_ok=True)
    resumed = built(folder)
    whole = built(folder, output=tmp_path / "whole")
    assert [f.what for f in resumed.report.findings] == []
    one, other = (published(b.home.parent) for b in (resumed, whole))
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    leftovers = [p.name for p in resumed.home.parent.rglob(".*") if p.name != ".calbook-manifest.json"]
    assert leftovers == []
    assert built(folder).unchanged


def published(site: Path) -> dict[str, bytes]:
    """The files of a site but for the page and the database that say how long each build took and which it was."""
    own = {"about/build.html", "data/calbook.sqlite", ".calbook-manifest.json"}
    out = {name: data for name, (data, _) in snapshot(site).items() if name not in own}
    out["data/campaign.json"] = re.sub(rb"\"build\": \d+", b"", out["data/campaign.json"])
    return out


class TestExitStatus:
    def test_built_is_0(self, folder: Path) -> None:
        done = CliRunner().invoke(app, ["build", str(folder), "-j", "1"])
        assert done.exit_code == 0
        assert done.output.rstrip().endswith(str(folder / "build" / "site" / "index.html"))

    def test_built_with_errors_is_1(self, tmp_path: Path, folder: Path) -> None:
        made = make(tmp_path / "tiny")
        (made / "frames" / "b2.fits").write_bytes(b"")
        done = CliRunner().invoke(app, ["build", str(made), "-j", "1", "--quiet"])
        assert done.exit_code == 1
        assert "b2.fits" in done.output and "empty" in done.output
        assert (made / "build" / "site" / "index.html").exists()

    @pytest.mark.parametrize("text", [None, "this is no TOML", "[campaign]\n"])
    def test_not_built_is_2(self, tmp_path: Path, text: str | None) -> None:
        if text is not None:
            (tmp_path / "campaign.toml").write_text(text, "utf-8")
        done = CliRunner().invoke(app, ["build", str(tmp_path)])
        assert done.exit_code == 2
        assert "Traceback" not in done.output and "campaign.toml" in done.output
        assert not (tmp_path / "build" / "site").exists()

    def test_no_folder_is_2_and_says_what_to_do(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["build", str(tmp_path / "nowhere")])
        assert done.exit_code == 2
        assert "calbook new" in done.output
