"""What there is to measure is known without any of the code that measures."""

import json
import pickle
import subprocess
import sys

import pytest

from analysis.contract import Procedure
from analysis.procedures import MODULES, builtin

IMPORTED = "import json, sys; from analysis.procedures import builtin; builtin(); print(json.dumps(list(sys.modules)))"
DECLARE = {"declared", "quantities"}
"""Modules of a procedure's package that its declaration is made of."""
SHARED = {
    "analysis", "analysis.contract", "analysis.conversion", "analysis.correction_steps", "analysis.figures",
    "analysis.histogram", "analysis.paired_flats_declared", "analysis.procedures",
}  # fmt: skip


def test_declarations_import_nothing_that_measures() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], check=True, capture_output=True, text=True)
    names = set(json.loads(done.stdout))
    packages = {f"analysis.{name}" for name in MODULES}
    assert packages <= names
    own = {name for name in names if name.split(".")[0] == "analysis"} - SHARED - packages
    assert {name.rpartition(".")[2] for name in own} == DECLARE, sorted(own)
    assert not {name.split(".")[0] for name in names} & {
        "astropy",
        "matplotlib",
        "numba",
        "photutils",
        "scipy",
    }


@pytest.mark.parametrize("procedure", builtin(), ids=lambda p: p.name)
def test_what_measures_is_found_again_by_its_name(procedure: Procedure) -> None:
    assert pickle.loads(pickle.dumps(procedure.measure)) is procedure.measure
