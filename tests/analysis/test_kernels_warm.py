"""Kernels that were warmed are those that procedures call: nothing is compiled or loaded after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_TOLD = """
import importlib, sys
import analysis
from analysis.in_memory import measured
from analysis.kernels_warm import warm

names = ("crosstalk.square_kernels", "defects.local_kernels", "defects.scatter_kernels", "persistence.residual_kernels")
warm(("crosstalk", "defects", "persistence", "of_a_module_of_the_campaign"))
assert all(f"analysis.{n}" in sys.modules for n in names)
assert not any(m.startswith("analysis.flat.") for m in sys.modules)
modules = [importlib.import_module(f"analysis.{n}") for n in names]

def known():
    return {
        f"{m.__name__}.{name}": [str(s) for s in thing.signatures]
        for m in modules for name, thing in vars(m).items()
        if hasattr(thing, "signatures") and not name.startswith("_")  # inner ones come with what calls them
    }

before = known()
assert len(before) > 12 and all(before.values()), before
from bench.truth import of_crosstalk, of_defects, of_persistence
measured(of_crosstalk.PROCEDURE, of_crosstalk.simulated(1, of_crosstalk.Scene(exposures=1)))
measured(of_persistence.PROCEDURE, of_persistence.simulated(1, of_persistence.Scene())[0])
of_defects.not_in_proportion(1)
of_defects.noisy_pixels(1)
after = known()
for name, held in after.items():
    assert held == before[name], (name, set(held) - set(before[name]))
print("warm")
"""


def test_procedures_call_what_was_warmed() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _TOLD],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert said.stdout.strip() == "warm", said.stderr[-2000:]
