"""Procedures: those built in, and those of a campaign's own ``procedures/`` folder."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from analysis.contract import Procedure
from campaign.findings import Finding
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Reference:
    """How a worker finds a procedure again: by name among the built-in ones, or by the plug-in's file.

    ``source`` is a digest of a plug-in's file: it is edited without a new version, so its results depend
    on what it says. Built-in procedures are identified by their version and what they declare.
    """

    name: str
    plugin: str = ""
    source: str = ""


@dataclass(frozen=True)
class Known:
    """A procedure that can be run, and how to refer to it."""

    procedure: Procedure
    reference: Reference


_loaded: dict[tuple[str, str], Procedure] = {}


def resolve(reference: Reference) -> Procedure:
    """The procedure of a reference. Raises KeyError or whatever the plug-in's import raises."""
    if reference.plugin:
        return load(Path(reference.plugin), reference.source)
    from analysis.procedures import builtin

    return next(p for p in builtin() if p.name == reference.name)


def load(path: Path, source: str) -> Procedure:
    """Import a plug-in module and return its ``PROCEDURE``.

    Raises TypeError when the module has none, and whatever its own import raises.
    """
    if (str(path), source) in _loaded:
        return _loaded[str(path), source]
    name = f"calbook_plugin_{path.stem}_{source}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TypeError(f"{path.name} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    procedure = getattr(module, "PROCEDURE", None)
    if not isinstance(procedure, Procedure):
        raise TypeError(f"{path.name} has no PROCEDURE declared with analysis.contract.Procedure")
    _loaded[str(path), source] = procedure
    return procedure


def known_procedures(plugins: Iterable[Path]) -> tuple[dict[str, Known], list[Finding]]:
    """All procedures by name. A plug-in that cannot be loaded, or takes a name in use, costs only itself."""
    from analysis.procedures import builtin

    out = {p.name: Known(p, Reference(p.name)) for p in builtin()}
    findings = []
    for path in plugins:
        where = f"procedures/{path.name}"
        try:
            source = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            procedure = load(path, source)
        except Exception as error:  # a campaign's own module may raise anything
            findings.append(
                Finding(
                    "bad-plugin",
                    f"{path.name} could not be loaded: {type(error).__name__}: {error}",
                    where,
                    "Correct the module; its tests are not run until then.",
                )
            )
            continue
        if procedure.name in out:
            findings.append(
                Finding(
                    "bad-plugin",
                    f"{path.name} declares the procedure {procedure.name!r}, which exists already",
                    where,
                    "Give it a name of its own.",
                )
            )
            continue
        out[procedure.name] = Known(procedure, Reference(procedure.name, str(path), source))
    return out, findings
