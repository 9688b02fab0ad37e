"""All cases of known truth: those of each module here that is named after a procedure."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import bench.truth
from analysis.procedures import MODULES
from bench.truth.case import Case
from bench.truth.completeness import Completeness


@cache
def cases() -> tuple[Case, ...]:
    """The cases, in the order of procedures. A module ``bench.truth.of_<procedure>`` hands out its ``CASES``."""
    there = {m.name for m in iter_modules(bench.truth.__path__)}
    held: list[Case] = []
    for procedure in MODULES:
        if f"of_{procedure}" in there:
            held += import_module(f"bench.truth.of_{procedure}").CASES
    return tuple(held)


@cache
def completeness() -> tuple[Completeness, ...]:
    """The cases of planted things, in the order of procedures: a module's ``COMPLETENESS``, where it has one."""
    there = {m.name for m in iter_modules(bench.truth.__path__)}
    held: list[Completeness] = []
    for procedure in MODULES:
        if f"of_{procedure}" in there:
            held += getattr(import_module(f"bench.truth.of_{procedure}"), "COMPLETENESS", ())
    return tuple(held)
