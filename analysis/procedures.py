"""The built-in procedures: where a new one is made known, and nothing else."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from analysis.contract import Procedure

MODULES = (
    "bias",
    "dark",
    "flat",
    "photon_transfer",
    "gain_stability",
    "linearity",
    "brighter_fatter",
    "charge_transfer",
    "defects",
    "defect_history",
    "persistence",
    "crosstalk",
    "cosmic_rays",
    "gates",
)
"""Modules of this package that declare a ``PROCEDURE``, in the order in which the site lists them."""


@cache
def builtin() -> tuple[Procedure, ...]:
    """The declarations of all built-in procedures.

    Their modules are imported at the first call; each imports what only measuring needs when it measures.
    Raises TypeError when a module declares no procedure.
    """
    found = []
    for name in MODULES:
        procedure = getattr(import_module(f"analysis.{name}"), "PROCEDURE", None)
        if not isinstance(procedure, Procedure):
            raise TypeError(f"analysis.{name} declares no PROCEDURE")
        found.append(procedure)
    return tuple(found)
