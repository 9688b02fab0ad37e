"""The example's numbers against the truth that its frames were simulated with.

The simulator shares no code with the estimators. What faults were planted for is left out; everything else
has to agree within the uncertainties stated.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
from pathlib import Path

import pytest

from analysis.contract import ALARMS

pytestmark = pytest.mark.slow

TRUE = {
    "photon_transfer.gain": "gain",
    "photon_transfer.read_noise": "read_noise",
    "photon_transfer.a00": "a00",
    "bias.read_noise_e": "read_noise",
    "dark.dark_current_e": "dark_current",
    "flat.prnu": "prnu",
}
PERCENT = {"flat.prnu"}


@pytest.fixture(scope="module")
def truth(built_example: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((built_example / "frames" / "truth.json").read_text())
    return found


@pytest.fixture(scope="module")
def rows(built_example: Path) -> list[dict[str, str]]:
    with (built_example / "build/site/data/measurements.csv").open() as file:
        return list(csv.DictReader(file))


def true_value(truth: dict, row: dict[str, str], name: str) -> float:  # type: ignore[type-arg]
    block = truth["blocks"][row["block"]]
    return float(block["detectors"][row["detector"]][row["channel"]].get(name, block.get(name)))


def sound(truth: dict, rows: list[dict[str, str]], quantity: str) -> list[dict[str, str]]:  # type: ignore[type-arg]
    """The rows of a quantity that no planted fault touches and no alarm flags."""
    faulty = {(f["block"], f["test"], f["detector"]) for f in truth["faults"]}
    return [
        row
        for row in rows
        if f"{row['procedure']}.{row['quantity']}" == quantity
        and row["value"]
        and (row["block"], row["test"].partition(".")[0], row["detector"]) not in faulty
        and (row["block"], row["test"], row["detector"]) not in faulty
        and not ALARMS & set(row["flags"].split())
    ]


@pytest.mark.parametrize("quantity", sorted(TRUE))
def test_pulls_are_standard_normal(truth: dict, rows: list[dict[str, str]], quantity: str) -> None:  # type: ignore[type-arg]
    kept = sound(truth, rows, quantity)
    scale = 100.0 if quantity in PERCENT else 1.0
    pulls = [
        (float(r["value"]) - scale * true_value(truth, r, TRUE[quantity])) / float(r["uncertainty"])
        for r in kept
    ]
    # repeats of a test share the gain that converts them: the independent values are the channels
    independent = len({(r["block"], r["detector"], r["channel"]) for r in kept})
    assert independent >= 12
    assert abs(statistics.mean(pulls)) < 3.5 / math.sqrt(independent)
    assert abs(statistics.stdev(pulls) - 1.0) < 3.5 / math.sqrt(2 * independent)
    assert max(abs(p) for p in pulls) < 4.5


def test_offset_is_right_to_the_structure_at_the_edges(truth: dict, rows: list[dict[str, str]]) -> None:  # type: ignore[type-arg]
    """The truth is the mean of the whole channel; the estimator leaves out five pixels at the edges, where the
    simulated structure of 4 ADU decays: that moves the mean by a few hundredths of an ADU, the same everywhere."""
    kept = sound(truth, rows, "bias.offset")
    off = [float(r["value"]) - true_value(truth, r, "offset") for r in kept]
    assert len(off) > 24
    assert max(abs(d) for d in off) < 0.05
    assert statistics.stdev(off) < 1.5 * statistics.mean(float(r["uncertainty"]) for r in kept)


@pytest.mark.parametrize(
    ("kind", "procedure", "flags"),
    [
        ("lamp-drift", "photon_transfer", {"lamp-drift"}),
        ("wrong-exposure-time", "flat", {"unstable"}),
        ("flicker", "photon_transfer", {"flicker"}),
        ("clamped-converter", "photon_transfer", {"clamped"}),
        ("saturated", "flat", {"saturated", "clamped"}),
        ("noisy-channel", "bias", set()),
    ],
)
def test_a_planted_fault_is_not_published_as_a_clean_number(
    truth: dict,  # type: ignore[type-arg]
    rows: list[dict[str, str]],
    kind: str,
    procedure: str,
    flags: set[str],
) -> None:
    planted = [
        f for f in truth["faults"]
        if f["kind"] == kind and any(r["procedure"] == procedure and (r["block"], r["test"]) == (f["block"], f["test"]) for r in rows)
    ]  # fmt: skip
    assert planted, f"the example plants no {kind} in a test of {procedure}"
    for fault in planted:
        touched = [
            r for r in rows
            if (r["block"], r["test"], r["detector"], r["procedure"]) == (fault["block"], fault["test"], fault["detector"], procedure)
            and fault["channel"] in (None, r["channel"])
        ]  # fmt: skip
        if flags:
            assert any(flags & set(r["flags"].split()) for r in touched), fault
        assert any(r["verdict"] in ("warn", "fail") for r in touched), fault
        flagged = [r for r in touched if flags & set(r["flags"].split())]
        assert all(r["verdict"] != "pass" for r in flagged), fault


def test_a_negative_dark_current_is_flagged(rows: list[dict[str, str]]) -> None:
    dark = [r for r in rows if r["quantity"] == "dark_current" and r["value"]]
    negative = [r for r in dark if float(r["value"]) < -3 * float(r["uncertainty"])]
    assert negative, "the example plants one"
    assert all("negative" in r["flags"].split() and r["verdict"] in ("warn", "fail") for r in negative)
