"""Loads the compiled kernels before they are needed: workers call it as they start, while others still read."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules


def warm(procedures: Collection[str] = ()) -> None:
    """Compile the kernels that every build needs and those of these procedures, or load them from the cache of an earlier run.

    A procedure's own are the ``*_kernels`` modules of its package; modules of other places load theirs where they are called.
    Loading all of the built-in ones takes a worker a second.
    """
    from analysis import region_kernels, stack_kernels

    region_kernels.load()  # what every new frame needs comes first
    stack_kernels.warm()
    for name in procedures:
        package = find_spec(f"analysis.{name}")
        for module in iter_modules(package.submodule_search_locations if package else ()):
            if module.name.endswith("_kernels"):
                import_module(f"analysis.{name}.{module.name}").warm()
