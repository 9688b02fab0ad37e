"""The four changes that a comparison of two archived versions must show, each alone, through the commands that people type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_campaign import bias, built, pixels
from typer.testing import CliRunner

from builder.cli import app

KINDS = ("measurements", "measurements_added", "measurements_gone", "tests", "limits", "caveats", "inputs", "procedures", "record", "findings", "software")  # fmt: skip
Change = Callable[[Path], object]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def compared(campaign: Path) -> Iterator[Callable[[Change], dict[str, Any]]]:
    def after(change: Change) -> dict[str, Any]:
        said("archive", str(campaign), "--label", "before", "--author", "A")
        change(campaign)
        built(campaign)
        said("archive", str(campaign), "--label", "after", "--author", "A")
        page = (campaign / "versions/compare-1-2.json").read_text(
            "utf-8"
        )  # made when the second was archived
        told = json.loads(said("compare", "before", "after", "--of", str(campaign), "--json"))
        assert json.loads(page) == told
        found: dict[str, Any] = {k: told[k] for k in KINDS if told[k]}
        counts = json.loads((campaign / "versions/versions.json").read_text("utf-8"))["versions"][1][
            "changes"
        ]
        assert {k.replace("measurements ", "measurements_") for k in counts} - {"verdicts"} <= found.keys()
        return found

    yield after


def places(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(m["test"], m["quantity"]) for m in found}


def test_one_limit_flipped(campaign: Path, compared: Callable[[Change], dict[str, Any]]) -> None:
    found = compared(lambda c: edit(c / "limits/limits.toml", "high = 1100", "high = 950"))
    assert set(found) == {"limits", "measurements", "tests"}
    assert [(c["kind"], c["what"], c["detail"]) for c in found["limits"]] == [
        ("changed", "LIM-1", "high: 1100 → 950")
    ]
    assert places(found["measurements"]) == {("BIAS01", "level"), ("BIAS02", "level")}
    for m in found["measurements"]:
        assert (m["before"]["verdict"], m["after"]["verdict"]) == ("pass", "fail")
        assert m["difference"] == 0 and m["before"]["value"] == m["after"]["value"]
        assert m["because"] == ["limit: LIM-1 [900.0, 1100.0] → LIM-1 [900.0, 950.0]"]
    assert {(c["what"], c["detail"]) for c in found["tests"]} == {
        (f"B1/{t}", "verdict not reached → fail") for t in ("BIAS01", "BIAS02")
    }
    assert all(
        c["because"] == ["limit: LIM-1 [900.0, 1100.0] → LIM-1 [900.0, 950.0]"] for c in found["tests"]
    )


def test_one_caveat_added(campaign: Path, compared: Callable[[Change], dict[str, Any]]) -> None:
    text = '\n[[caveat]]\nid = "new"\ntext = "Warm."\nauthor = "B"\nscope = { tests = ["BIAS02"] }\n'
    found = compared(lambda c: (c / "caveats.toml").open("a").write(text))
    assert set(found) == {"caveats"}
    assert found["caveats"] == [{"kind": "added", "what": "new", "detail": "Warm."}]


def test_one_test_measured_anew(campaign: Path, compared: Callable[[Change], dict[str, Any]]) -> None:
    found = compared(lambda c: bias(c / "frames/b5.fits", 5, data=pixels(5, 1004.0)))
    assert set(found) == {"inputs", "measurements"}
    assert [(c["kind"], c["what"]) for c in found["inputs"]] == [("changed", "frames/b5.fits")]
    assert places(found["measurements"]) == {("BIAS02", "level")}
    (m,) = found["measurements"]
    assert m["difference"] == pytest.approx(2.0, abs=0.3) and m["because"] == ["frames: 1 changed"]
    assert m["changed"][0] == "value" and m["shared_inputs"] == pytest.approx(0.5) and not m["same_inputs"]
    u1, u2 = m["before"]["uncertainty"], m["after"]["uncertainty"]
    assert m["sigma"] == pytest.approx(abs(m["difference"]) / (u1**2 + u2**2 - u1 * u2) ** 0.5)


def test_one_cell_of_a_sheet_edited(campaign: Path, compared: Callable[[Change], dict[str, Any]]) -> None:
    found = compared(
        lambda c: edit(c / "records/tests.csv", "BIAS01,1,3,0,done,", "BIAS01,1,3,0,done,lamp off")
    )
    assert set(found) == {"record"}
    assert [(c["kind"], c["what"], c["detail"], c["test"]) for c in found["record"]] == [
        ("changed", "record, row 2 (BIAS01)", "comments: empty → lamp off", "B1/BIAS01")
    ]


def test_a_flipped_byte_is_named(campaign: Path) -> None:
    said("archive", str(campaign), "--label", "one", "--author", "A")
    folder = next((campaign / "versions").glob("0001-*"))
    target = folder / "data/site/data/measurements.csv"
    raw = bytearray(target.read_bytes())
    raw[len(raw) // 2] ^= 1
    target.chmod(0o644)
    target.write_bytes(raw)
    told = CliRunner().invoke(app, ["verify", "one", "--of", str(campaign)])
    assert (
        told.exit_code == 1
        and "data/site/data/measurements.csv: changed: same size, other bytes" in told.output
    )
    assert told.output.count("changed") == 1
