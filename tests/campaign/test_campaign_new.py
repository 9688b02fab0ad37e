"""The starter campaign and the reference of settings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign import reference
from campaign.block_files import FrontMatter
from campaign.checked import keys_of
from campaign.lint import check_quantities, lint
from campaign.load import load
from campaign.model import Campaign, CampaignFile, Scope
from campaign.new import create


def starter(folder: Path) -> Campaign:
    create(folder)
    campaign, findings = load(folder)
    assert campaign is not None
    assert findings == []
    return campaign


def test_a_new_campaign_loads_and_lints_without_findings(tmp_path: Path) -> None:
    written = create(tmp_path / "new", title='Ünï "quoted" \\ title')
    names = {path.relative_to(tmp_path / "new").as_posix() for path in written}
    assert names == {
        *("campaign.toml", "blocks/FIRST.md", "records/tests.csv", "limits/limits.toml"),
        *("caveats.toml", "documents/README", ".gitignore"),
    }
    campaign, findings = load(tmp_path / "new")
    assert campaign is not None
    assert findings == []
    assert lint(campaign) == []
    assert campaign.title == 'Ünï "quoted" \\ title'
    assert campaign.detectors[0].geometry.shape == (128, 144)
    assert list(campaign.procedures) == ["bias", "dark", "flat", "photon_transfer"]
    assert (tmp_path / "new/.gitignore").read_text().split() == ["build/", "frames/"]


def test_the_record_is_the_plan(tmp_path: Path) -> None:
    """The frames that the simulator makes are those that the record claims, and no others."""
    campaign = starter(tmp_path)
    with (tmp_path / campaign.sources[0].address).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["session", "test", "first", "last", "frames", "exptime", "status", "comments"]
    plan = campaign.simulate["plan"]
    assert [row["test"] for row in rows] == [entry["test"] for entry in plan]
    following = 1
    for row, entry in zip(rows, plan, strict=True):
        levels = len(entry["exptime"]) if isinstance(entry["exptime"], list) else 1
        assert int(row["frames"]) == entry["frames"] * levels
        assert (int(row["first"]), int(row["last"])) == (following, following + int(row["frames"]) - 1)
        following = int(row["last"]) + 1
        assert len(campaign.procedures_for(row["test"])) == 1
        assert campaign.block(entry["block"]) is not None


def test_the_flats_reach_the_full_well_and_not_the_converter(tmp_path: Path) -> None:
    campaign = starter(tmp_path)
    truth = campaign.simulate["truth"]
    times = campaign.simulate["plan"][-1]["exptime"]
    well = truth["full_well"] / truth["gain"]
    levels = [time * truth["lamp"]["600"] for time in times]
    assert sum(level < 0.9 * well for level in levels) >= 5
    assert max(levels) > well
    assert truth["offset"] + well < 65535


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(str.strip))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_title_is_kept(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    folder = tmp_path_factory.mktemp("titled")
    create(folder, title=title)
    campaign, findings = load(folder)
    assert campaign is not None
    assert campaign.title == title.strip()
    assert findings == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="nothing in it was touched"):
        create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(NotADirectoryError, match="is a file"):
        create(tmp_path / "mine.txt")


def test_the_reference_holds_every_key_with_its_meaning() -> None:
    found = reference.settings()
    assert len({(s.file, s.table, s.key) for s in found}) == len(found)
    assert all(s.description and s.type for s in found)
    by_table = {
        (s.file, s.table): [t.key for t in found if (t.file, t.table) == (s.file, s.table)] for s in found
    }
    assert by_table["campaign.toml", ""] == keys_of(CampaignFile)
    assert by_table["blocks/*", ""] == keys_of(FrontMatter)
    assert by_table["limits/*.toml", "limit[].scope"] == keys_of(Scope)
    assert by_table["campaign.toml", "procedures.<name>"] == [
        "tests",
        "parameters",
        "roles",
        "every",
        "reference",
    ]
    assert {"body", "path", "format", "file"}.isdisjoint(s.key for s in found)


@pytest.mark.parametrize(
    ("table", "key", "kind", "default"),
    [
        ("campaign", "title", "text", ""),
        ("data", "roots", "list of text", "frames"),
        ("data", "assign", "one of record, header, both", "both"),
        ("data", "fields", "table of list of text by name", "empty"),
        ("sheets", "timeout", "number", "20.0"),
        ("documents[]", "date", "date", "none"),
        ("detectors.<name>", "hdu", "text or whole number", "none"),
        ("", "sources", "tables", "empty"),
        ("", "data", "table", "its own defaults"),
    ],
)
def test_types_and_defaults_are_in_words(table: str, key: str, kind: str, default: str) -> None:
    setting = next(
        s for s in reference.settings() if (s.file, s.table, s.key) == ("campaign.toml", table, key)
    )
    assert (setting.type, setting.default) == (kind, default)


def test_the_limits_name_what_is_measured(tmp_path: Path) -> None:
    from analysis.bias import PROCEDURE as BIAS
    from analysis.photon_transfer import PROCEDURE as PHOTON_TRANSFER

    campaign = starter(tmp_path)
    known = {p.name: [q.name for q in p.quantities] for p in (BIAS, PHOTON_TRANSFER)}
    used = {name: use for name, use in campaign.procedures.items() if name in known}
    assert len(campaign.limits) >= 2
    assert check_quantities(campaign.model_copy(update={"procedures": used}), known) == []
