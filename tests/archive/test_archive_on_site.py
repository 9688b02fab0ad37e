"""What the site tells of report versions: each of them, which pages it has, and which published numbers moved since."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tiny_campaign import NOW, Html, bias, built, dead_links, pages_of, pixels, read_page
from typer.testing import CliRunner

from builder.archive.make import Made
from builder.cli import app

Archive = Callable[..., Made]
TEST = "blocks/B1/tests/BIAS02.html"


def site_of(campaign: Path) -> Path:
    return campaign / "build" / "site"


def script_of(site: Path) -> dict[str, Any]:
    text = (site / "versions.js").read_text("utf-8")
    found: dict[str, Any] = json.loads(text.removeprefix("window.calbookVersions=").rstrip(";\n"))
    return found


def having(held: dict[str, Any], page: str) -> list[int]:
    """The numbers of the versions that are said to have a page, as the script finds them."""
    places = next((some for some, pages in held["others"] if page in pages), held["most"])
    return [held["all"][n][0] for n in places]


def rebuilt(campaign: Path, hours: int) -> Html:
    built(campaign, now=NOW + timedelta(hours=hours))
    return read_page(site_of(campaign) / "versions.html")


def level_of(site: Path, test: str = "BIAS02") -> tuple[float, float]:
    with (site / "data/measurements.csv").open(newline="") as rows:
        row = next(r for r in csv.DictReader(rows) if (r["test"], r["quantity"]) == (test, "level"))
    return float(row["value"]), float(row["uncertainty"])


def test_without_versions_the_page_says_how_to_make_one(campaign: Path) -> None:
    assert "There are no report versions yet" in read_page(site_of(campaign) / "versions.html").text
    assert script_of(site_of(campaign))["all"] == []


def test_every_version_is_listed_with_what_it_contains_and_when_it_was_verified(
    campaign: Path, archived: Archive
) -> None:
    first = archived("CDR <i>", note="For <b>review</b>").version
    archived("after")
    page = rebuilt(campaign, 1)
    for said in (
        "1: CDR <i>",
        "For <b>review</b>",
        "A. Person",
        "2025-03-01 12:00 UTC",
        "2 tests in 1 block",
        first.seal,
    ):
        assert said in page.text
    assert (
        page.text.index("2: after") < page.text.index("1: CDR <i>")
        and "Changed since the version beforenothing" in page.text
    )
    assert {"version-1", "version-2"} <= page.ids and "never" in page.text
    assert "compare-1-2.html" in {e.attributes.get("data-in-versions") for e in page.elements}
    run = CliRunner()
    assert run.invoke(app, ["verify", "1", "--of", str(campaign)]).exit_code == 0
    assert "all as archived" in rebuilt(campaign, 2).text
    flipped = first.folder / "data" / "version.json"
    flipped.chmod(0o644)
    flipped.write_bytes(flipped.read_bytes().replace(b"A. Person", b"B. Person"))
    assert run.invoke(app, ["verify", str(first.folder)]).exit_code == 1
    assert "1 file not as archived" in rebuilt(campaign, 3).text
    assert dead_links(site_of(campaign), pages_of(site_of(campaign))) == []


def test_the_script_names_the_versions_that_have_a_page(campaign: Path, archived: Archive) -> None:
    archived("a")
    before = {p.relative_to(site_of(campaign)).as_posix() for p in site_of(campaign).rglob("*.html")}
    with (campaign / "records/tests.csv").open("a") as record:
        record.write("BIAS03,4,4,0,done,\n")
    rebuilt(campaign, 1)
    archived("b")
    rebuilt(campaign, 2)
    site, held = site_of(campaign), script_of(site_of(campaign))
    for path in site.rglob("*.html"):
        page = path.relative_to(site).as_posix()
        assert having(held, page) == ([1, 2] if page in before else [2]), page
        for number, _, _, folder in held["all"]:
            there = site / held["base"] / folder / "data/site" / page
            assert there.exists() == (number in having(held, page))
    assert (site / held["base"] / "here.svg").exists()


def test_an_archived_copy_says_which_it_is_and_finds_those_before_it(
    campaign: Path, archived: Archive
) -> None:
    archived("a")
    second = archived("b").version.site
    held = script_of(second)
    assert (held["this"]["number"], held["this"]["label"]) == (2, "b") and [v[0] for v in held["all"]] == [1]
    for _, _, _, folder in held["all"]:
        assert (second / held["base"] / folder / "data/site" / TEST).exists()
    assert (second / held["base"] / "here.svg").exists()
    other = archived("c", to=campaign.parent / "elsewhere").version.site
    assert script_of(other)["all"] == [] and script_of(other)["this"]["number"] == 1
    assert dead_links(second, pages_of(second)) == []


def test_a_site_elsewhere_has_no_way_to_the_versions(
    campaign: Path, archived: Archive, tmp_path: Path
) -> None:
    archived("a")
    built(campaign, output=tmp_path / "out")
    held = script_of(tmp_path / "out/site")
    assert held["base"] == "" and len(held["all"]) == 1
    text = "".join((tmp_path / "out/site" / n).read_text() for n in ("versions.js", "versions.html"))
    assert str(campaign) not in text and str(tmp_path) not in text


def test_published_numbers_that_moved_are_flagged_where_they_are_read(
    campaign: Path, archived: Archive
) -> None:
    archived("a")
    archived("b")
    published = level_of(site_of(campaign))
    bias(campaign / "frames/b5.fits", 5, data=pixels(5, 1004.0))
    listed = rebuilt(campaign, 1)
    moved = level_of(site_of(campaign))
    assert moved[0] - published[0] == pytest.approx(2.0, abs=0.3)
    page = read_page(site_of(campaign) / TEST)
    flag = page.text[page.text.index("moved since version 2 (b)") :]
    assert "level of CAM1" in flag and f"{published[0]:.1f}"[:5] in flag and "frames: 1 changed" in flag
    row = next(e for e in page.elements if e.attributes.get("id") == "moved")
    assert row.tag == "details"
    versions = [
        e.attributes["href"].partition("#")[2]
        for e in page.elements
        if "versions.html#" in e.attributes.get("href", "")
    ]
    assert versions == ["version-2", "version-1"]  # both published the same: the newest is said first
    # a change of 2 with uncertainties u₁ and u₂, one of two frames in common
    shared = 0.5
    sigma = (moved[0] - published[0]) / (
        published[1] ** 2 + moved[1] ** 2 - 2 * shared * published[1] * moved[1]
    ) ** 0.5
    assert f"{sigma:.2g} σ" in flag and f"{sigma:.2g} σ" in listed.text
    assert "moved since" not in read_page(site_of(campaign) / "blocks/B1/tests/BIAS01.html").text
    provenance = [
        p
        for p in (site_of(campaign) / "measurements").glob("*.html")
        if "moved since version 2" in read_page(p).text
    ]
    assert len(provenance) == 1
    # published anew, it is as the newest version has it, and differs from those before
    archived("c")
    listed = rebuilt(campaign, 2)
    assert "moved since version 2 (b)" in read_page(site_of(campaign) / TEST).text
    assert "None: every number that this version and this site both have is the same" in listed.text
    # back to what was published first: only the third version differs
    bias(campaign / "frames/b5.fits", 5)
    rebuilt(campaign, 3)
    assert level_of(site_of(campaign)) == published
    text = read_page(site_of(campaign) / TEST).text
    assert "moved since version 3 (c)" in text and "moved since version 2" not in text


def test_a_limit_moves_no_number(campaign: Path, archived: Archive) -> None:
    archived("a")
    limits = campaign / "limits/limits.toml"
    limits.write_text(limits.read_text().replace("high = 1100", "high = 950"))
    listed = rebuilt(campaign, 1)
    assert "moved since" not in read_page(site_of(campaign) / TEST).text
    assert "None: every number" in listed.text


def test_a_version_is_read_once_while_no_number_moves(campaign: Path, archived: Archive) -> None:
    version = archived("a").version
    rebuilt(campaign, 1)
    kept = campaign / "build/store/published" / f"{version.seal}.json"
    assert kept.exists()
    table = version.site / "data/measurements.csv"
    table.chmod(0o644)
    table.write_text("damaged")
    (campaign / "blocks/B1.md").write_text((campaign / "blocks/B1.md").read_text() + "\nMore.\n")
    assert "It is damaged" not in rebuilt(campaign, 2).text  # its table was not opened again
    kept.unlink()
    (campaign / "blocks/B1.md").write_text((campaign / "blocks/B1.md").read_text() + "\nYet more.\n")
    assert "It is damaged and cannot be read: calbook verify names the file" in rebuilt(campaign, 3).text


def test_versions_that_were_taken_away_or_damaged_are_told_and_stop_nothing(
    campaign: Path, archived: Archive
) -> None:
    first, second = archived("one").version.folder, archived("two").version.folder
    for folder in (first, second):
        for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
            path.chmod(0o755)
    shutil.rmtree(first)
    (second / "data/version.json").unlink()
    page = rebuilt(campaign, 1)
    assert "1: one no longer here" in page.text and "It is damaged" in page.text
    assert str(campaign) not in (site_of(campaign) / "versions.html").read_text()


def test_a_new_version_is_seen_by_the_next_build_and_by_no_other(campaign: Path, archived: Archive) -> None:
    from tiny_campaign import snapshot

    built(campaign)  # the copy has inodes of its own
    assert built(campaign).made is None
    archived("a")
    done = built(campaign, now=NOW + timedelta(hours=1))
    assert (
        done.made is not None
        and done.unchanged
        and "1: a" in read_page(site_of(campaign) / "versions.html").text
    )
    before = snapshot(site_of(campaign))
    assert (
        built(campaign, now=NOW + timedelta(hours=2)).made is None and snapshot(site_of(campaign)) == before
    )
    again = archived("b").version  # what such a build left can be archived
    assert again.number == 2
