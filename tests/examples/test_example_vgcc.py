"""The example campaign: its facts, its record as it is committed, and the faults that it shows."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from builder.simulate import simulate, validate
from builder.simulate.plan import Exposure, exposures
from builder.simulate.reading import read
from builder.simulate.settings import FAULTS
from campaign.lint import lint
from campaign.load import load
from campaign.model import Campaign

FOLDER = Path(__file__).parents[2] / "examples" / "vgcc"
TABLES = Path(__file__).parents[3] / "shared" / "data" / "vis"


@pytest.fixture(scope="module")
def vgcc() -> Campaign:
    campaign, findings = load(FOLDER)
    assert findings == []
    assert campaign is not None
    return campaign


@pytest.fixture(scope="module")
def planned(vgcc: Campaign) -> dict[str, list[Exposure]]:
    settings, findings = read(vgcc)
    assert findings == []
    assert settings is not None
    return exposures(vgcc, settings)


def test_folder_has_nothing_wrong(vgcc: Campaign) -> None:
    assert lint(vgcc) == []
    assert validate(vgcc) == []


def test_blocks_are_those_of_the_campaign(vgcc: Campaign) -> None:
    assert Counter(b.kind for b in vgcc.blocks) == {"detection chain": 16, "dry run": 5}
    demoted = {b.id: b.superseded_by for b in vgcc.blocks if b.status == "demoted"}
    assert demoted == {
        "HEISENBERG": "SKLODOWSKA", "JULES": "JULES2", "MAX": "EINSTEIN", "SKLODOWSKA": "OWEN",
    }  # fmt: skip
    for block in vgcc.blocks:
        assert block.superseded_by == "" or vgcc.block(block.superseded_by).supersedes == block.id  # type: ignore[union-attr]
        assert block.data_archived == (block.id not in ("BORN", "DIRAC"))
        assert block.body.strip()


def test_hardware_table_agrees_with_the_blocks(vgcc: Campaign) -> None:
    with (FOLDER / "records" / "hardware.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["Block"]: row for row in csv.DictReader(file)}
    assert set(rows) == {b.id for b in vgcc.blocks}
    for block in vgcc.blocks:
        for item in ("ROE", "RPSU", "CCD1", "CCD2", "CCD3"):
            assert rows[block.id][item] == block.hardware.get(item, "")
    # a CCD stands twice only where a block was measured again
    serials = Counter(row[f"CCD{n}"] for row in rows.values() for n in (1, 2, 3) if row[f"CCD{n}"])
    again = {
        b.hardware[f"CCD{n}"]
        for b in vgcc.blocks
        if b.supersedes in ("JULES", "HEISENBERG")
        for n in (1, 2, 3)
    }
    assert {s for s, count in serials.items() if count > 1} < again
    assert max(serials.values()) == 2


@pytest.mark.real
def test_serials_and_offsets_are_the_published_ones(vgcc: Campaign) -> None:
    if not TABLES.is_dir():
        pytest.skip(f"the campaign's real tables are not at {TABLES}")
    with (TABLES / "tables" / "blocks.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            block = vgcc.block(re.split(r"[-/ ]", row["BLOCKID"])[0])
            assert block is not None
            published = [row[f"{item}_SN"].split(" ")[0] for item in ("ROE", "RPSU", "CCD1", "CCD2", "CCD3")]
            assert [block.hardware[i] for i in ("ROE", "RPSU", "CCD1", "CCD2", "CCD3")] == published
    limits = {limit.id: limit for limit in vgcc.limits}
    for name in ("BORN", "DIRAC"):
        offsets = json.loads((TABLES / "blocks" / f"{name}_offsets.json").read_text("utf-8"))
        for ccd in ("CCD1", "CCD2", "CCD3"):
            for channel, level in offsets[ccd].items():
                limit = limits[f"VGCC-OFF-{name}-{ccd[-1]}{channel}"]
                assert (limit.low, limit.high) == (level - 50, level + 50)


def test_every_kind_of_fault_is_shown(planned: dict[str, list[Exposure]]) -> None:
    kinds = {fault.kind for block in planned.values() for e in block for fault in e.faults}
    assert kinds == set(FAULTS) - {
        "bias-jump",
        "stuck-bit",
    }  # of the electronics: the example of physics, and the simulator's tests


def test_exposures_stay_few(planned: dict[str, list[Exposure]]) -> None:
    assert set(planned) == {"BORN", "DIRAC"}
    assert all(60 <= len(taken) <= 120 for taken in planned.values())


def test_one_ramp_reaches_the_full_well_and_one_does_not(
    vgcc: Campaign, planned: dict[str, list[Exposure]]
) -> None:
    settings, _ = read(vgcc)
    assert settings is not None
    highest = {}
    for block, taken in planned.items():
        ramp = [e for e in taken if e.test == "PTC01"]
        assert len({e.exptime for e in ramp}) >= 8
        highest[block] = max(e.exptime for e in ramp) * settings.truth_of(block).lamp["800"]
    full = 190_000 / 3.3
    assert highest["BORN"] > 1.3 * full
    assert highest["DIRAC"] < 0.85 * full


def test_workbook_holds_merged_cells_formulas_and_their_values() -> None:
    path = FOLDER / "records" / "BORN.xlsx"
    formulas = openpyxl.load_workbook(path)["Tests record"]
    values = openpyxl.load_workbook(path, data_only=True)["Tests record"]
    assert len(formulas.merged_cells.ranges) == 3
    rows = [r for r in range(4, formulas.max_row + 1) if str(formulas.cell(r, 7).value).startswith("=")]
    assert len(rows) >= 10
    for row in rows:
        assert values.cell(row, 7).value == values.cell(row, 6).value - values.cell(row, 5).value + 1
    with zipfile.ZipFile(path) as packed:
        assert not any("vba" in name.lower() or "externalLink" in name for name in packed.namelist())


def test_records_agree_with_the_plan_but_for_planted_errors(planned: dict[str, list[Exposure]]) -> None:
    sheet = openpyxl.load_workbook(FOLDER / "records" / "BORN.xlsx", data_only=True)["Tests record"]
    born = {
        str(row[1]): (row[4], row[5])
        for row in sheet.iter_rows(min_row=4, values_only=True)
        if row[1] and row[4] is not None
    }
    taken = spans(planned["BORN"])
    assert taken.keys() - born.keys() == {"DTEST"}
    wrong = {name for name, span in born.items() if taken.get(name) != span}
    assert wrong == {"NL02", "DARK01"}
    with (FOLDER / "records" / "DIRAC.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ObsIDs"]]
    names = Counter(row["Test"] for row in rows)
    assert [name for name, count in names.items() if count > 1] == ["BIAS02"]
    found = {tuple(int(n) for n in row["ObsIDs"].split("-")) for row in rows}
    planned_spans = set(spans(planned["DIRAC"]).values())
    assert found - planned_spans == {(2105, 2112), (2300, 2342), (2210, 2219)}
    assert any("<script>" in row["Comments"] for row in rows)


def spans(taken: list[Exposure]) -> dict[str, tuple[int, int]]:
    """First and last exposure of each test."""
    out: dict[str, tuple[int, int]] = {}
    for e in taken:
        first, last = out.get(e.test, (e.number, e.number))
        out[e.test] = min(first, e.number), max(last, e.number)
    return out


def test_frames_are_made_and_the_truth_states_the_faults(vgcc: Campaign, tmp_path: Path) -> None:
    tests = ("BIAS01", "DTEST")  # a part of the plan: all of it is made when the example is built
    plan = [p for p in vgcc.simulate["plan"] if p["test"] in tests]
    part = vgcc.model_copy(update={"root": tmp_path, "simulate": {**vgcc.simulate, "plan": plan}})
    done = simulate(part)
    assert done.findings == ()
    assert done.written == 3 * (6 + 6 + 2)
    truth = json.loads(done.truth.read_text("utf-8"))
    assert {(f["kind"], f["block"], f["detector"]) for f in truth["faults"]} == {
        ("empty", "BORN", "CCD1"), ("wrong-shape", "DIRAC", "CCD3"),
    }  # fmt: skip
    assert truth["blocks"]["BORN"]["detectors"]["CCD3"]["F"]["gain"] == 3.62


def test_no_frame_is_committed_with_the_example() -> None:
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text("utf-8").splitlines()
    assert "examples/*/frames/" in ignored
