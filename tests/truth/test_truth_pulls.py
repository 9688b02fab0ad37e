"""Each case of known truth, with few realisations: values and uncertainties are right within what so few can show.

The published figures, from many: ``make truth``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.truth import completeness as planted
from bench.truth.case import Case, Found, Pulls, run_quickly
from bench.truth.cases import cases, completeness
from bench.truth.page import told, write_page


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_values_and_uncertainties_are_right(case: Case) -> None:
    assert run_quickly(case).faults(errors=4.0) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", completeness(), ids=lambda c: c.name)
def test_what_is_planted_is_found_and_little_else(case: planted.Completeness) -> None:
    assert planted.run(case, case.quick).faults(errors=4.0) == []


def drawn(bias: float, scatter: float, n: int = 4000, **wanted: object) -> Pulls:
    """Pulls of a procedure that is off by ``bias`` σ and understates its uncertainty by ``scatter``."""
    rng = np.random.default_rng(7)
    case = Case("p", "q", "made up", lambda seed: (), **wanted)  # type: ignore[arg-type]
    return Pulls(case, tuple(Found(10.0 + float(x), 1.0, 10.0) for x in rng.normal(bias, scatter, n)))


def test_what_is_right_has_no_faults_and_what_is_not_has() -> None:
    assert drawn(0.0, 1.0, pull=0.1).faults() == []
    assert drawn(0.3, 1.0, pull=0.1).faults()[0].startswith("mean pull +0.2")
    assert drawn(0.3, 1.0, relative=0.01).faults()[0].startswith("relative bias +0.02")
    assert drawn(0.3, 1.0, relative=0.01, pull=0.5, any_of=True).faults() == []
    assert drawn(0.0, 1.3, pull=0.1).faults()[0].startswith("scatter of the pulls 1.")
    assert drawn(0.0, 0.7, pull=0.1).faults()[0].startswith("scatter of the pulls 0.")


def test_few_realisations_show_no_more_than_their_errors_allow() -> None:
    few = drawn(0.3, 1.0, n=30, pull=0.1)
    assert few.faults(errors=4.0) == []
    assert drawn(2.0, 1.0, n=30, pull=0.1).faults(errors=4.0) != []


def test_completeness_and_purity() -> None:
    case = planted.Completeness("p", "q", "made up", lambda seed: [planted.Counted(1000, 990 + seed, 5)])
    rates = planted.run(case, 2)
    assert (rates.planted, rates.found, rates.false) == (2000, 1983, 10)
    assert rates.completeness == 0.9915 and rates.purity == pytest.approx(1983 / 1993)
    assert rates.errors == pytest.approx((17**0.5 / 2000, 10**0.5 / 1993))
    assert [f.split()[0] for f in rates.faults()] == ["completeness", "purity"]
    assert rates.faults(errors=4.0) == []
    assert planted.Rates(case, 10, 0, 0).purity == 1.0
    with pytest.raises(ValueError, match="nothing was planted"):
        planted.run(planted.Completeness("p", "q", "none", lambda seed: []), 1)


def test_the_page_keeps_what_was_not_run_now(tmp_path: Path) -> None:
    case = planted.Completeness("bias", "offset", "made up", lambda seed: [])
    pulls = drawn(0.0, 1.0, n=100)
    first = replace(told(Pulls(replace(pulls.case, procedure="bias"), pulls.found)), name="a")
    rates = planted.told(planted.Rates(case, 1000, 999, 1))
    write_page(tmp_path, [first], [rates])
    write_page(tmp_path, [replace(first, name="b")])
    text = (tmp_path / "truth.md").read_text("utf-8")
    assert text.count("## Bias") == 1 and text.count("| 100 |") == 2
    assert "99.90 ± 0.1 %" in text and "completeness ≥ 99.5 %; purity ≥ 99.5 %: reached" in text


def test_an_earlier_version_keeps_its_figures_below_those_of_the_later(tmp_path: Path) -> None:
    pulls = drawn(0.0, 1.0, n=100)
    old = replace(told(Pulls(replace(pulls.case, procedure="bias"), pulls.found)), version="1.9")
    for version in ("1.9", "1.10", "1.10"):
        write_page(tmp_path, [replace(old, version=version)])
    lines = (tmp_path / "truth.md").read_text("utf-8").splitlines()
    assert [line.split("|")[-2].split(",")[0].strip() for line in lines if "| 100 |" in line] == [
        "1.10",
        "1.9",
    ]
