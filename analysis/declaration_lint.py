"""What a procedure's declaration leaves unsaid: read without measuring anything.

That what is declared is produced, and stored, is told when a procedure runs (``Results.check``); here it is whether a
reader could understand, call and trust what was produced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from importlib import import_module
from typing import get_args

from analysis.contract import Class, Procedure, Quantity, Which
from campaign.frozen import dataclass

FRAME_TYPES = ("bias", "dark", "flat", "point", "other", "any")
"""What the type of a frame may be, for the roles of procedures."""


@dataclass(frozen=True)
class Fault:
    """Something a declaration leaves unsaid or says wrongly: the part it is about, and what, in words."""

    part: str
    what: str
    todo: str


def call_path(procedure: Procedure) -> str:
    """Where the function that measures is found: 'module:function'. Modules of a campaign's own are named by their file."""
    function = procedure.measure
    module, name = getattr(function, "__module__", "") or "", getattr(function, "__qualname__", "")
    if module.startswith("calbook_plugin_"):
        stem = module.removeprefix("calbook_plugin_").rpartition("_")[0]
        module = f"procedures/{stem}.py"
    return f"{module}:{name}"


def faults(
    procedure: Procedure,
    known: Mapping[str, Collection[str]] | None = None,
    products: Mapping[str, Collection[str]] | None = None,
) -> list[Fault]:
    """All that is wrong with a declaration, in the order of its parts.

    ``known`` holds the quantities, ``products`` the products of all procedures that there are, for what this one uses and
    takes; without them that is not checked.
    """
    return [
        *_texts(procedure),
        *_call(procedure),
        *_history(procedure),
        *_inputs(procedure, known, products),
        *_quantities(procedure),
        *_figures(procedure),
    ]


def _texts(p: Procedure) -> Iterator[Fault]:
    for part in ("title", "purpose", "algorithm"):
        if not getattr(p, part).strip():
            yield Fault(part, f"it has no {part}", f"say it in {part}")
    if not any(x.strip() for x in p.acceptance):
        yield Fault(
            "acceptance", "it does not say what is acceptable", "say in acceptance when a result may be used"
        )
    for name, held in (("products", p.products), ("parameters", p.parameters), ("roles", p.roles)):
        for one in held:
            if not one.meaning.strip():
                yield Fault(
                    f"{name}.{one.name}", f"{one.name!r} of its {name} is not described", "give it a meaning"
                )


def _call(p: Procedure) -> Iterator[Fault]:
    """Whether the function is found again where its name says, as workers and readers must."""
    path = call_path(p)
    module, _, name = path.partition(":")
    todo = "give it a function of a module, under the name it was defined by"
    if not name.isidentifier():
        yield Fault("measure", f"what measures cannot be called by a name ({path})", todo)
    elif not module.startswith("procedures/"):
        try:
            found = getattr(import_module(module), name, None)
        except ImportError as error:
            yield Fault("measure", f"{module} cannot be imported: {error}", todo)
            return
        if found is not p.measure:
            yield Fault("measure", f"{path} is not what measures", todo)


def _history(p: Procedure) -> Iterator[Fault]:
    versions = [v.version for v in p.history]
    if not versions:
        yield Fault("history", "it has no version", "begin its history with a Version")
    for twice in sorted({v for v in versions if versions.count(v) > 1}):
        yield Fault("history", f"version {twice} is there twice", "give every change a version of its own")
    before = date.min
    for v in p.history:
        try:
            day = date.fromisoformat(v.date)
        except ValueError:
            yield Fault(
                "history", f"the date of version {v.version} is {v.date!r}", "write it as in 2025-03-01"
            )
            continue
        if day < before:
            yield Fault(
                "history", f"version {v.version} is earlier than the one before it", "put the newest last"
            )
        before = day
        if not v.change.strip():
            yield Fault(
                "history", f"version {v.version} does not say what changed", "say what moved, and how much"
            )


def _inputs(
    p: Procedure,
    known: Mapping[str, Collection[str]] | None,
    products: Mapping[str, Collection[str]] | None,
) -> Iterator[Fault]:
    for role in p.roles:
        for kind in role.types:
            if kind not in FRAME_TYPES:
                todo = f"frames are of type {', '.join(FRAME_TYPES[:-1])}"
                yield Fault(
                    f"roles.{role.name}", f"role {role.name!r} asks for frames of type {kind!r}", todo
                )
    for x in p.parameters:
        if isinstance(x.default, str | bool):
            continue
        if (x.low is not None and x.default < x.low) or (x.high is not None and x.default > x.high):
            what = f"the default of parameter {x.name!r} is outside its own range"
            yield Fault(f"parameters.{x.name}", what, "correct the default or the range")
    for use in p.uses:
        if known is not None and use.quantity not in known.get(use.procedure, ()):
            what = f"it uses {use.procedure}.{use.quantity}, which nothing measures"
            yield Fault("uses", what, "name a quantity of another procedure")
    for take in p.takes:
        if products is not None and take.product not in products.get(take.procedure, ()):
            what = f"it takes {take.procedure}.{take.product}, which nothing hands back"
            yield Fault("takes", what, "name a product of another procedure")
        if take.which not in get_args(Which):
            what = f"of which tests it takes {take.procedure}.{take.product} is {take.which!r}"
            yield Fault("takes", what, f"say {', '.join(get_args(Which))}")
        if not take.meaning.strip():
            what = f"it does not say what it takes {take.procedure}.{take.product} for"
            yield Fault("takes", what, "give it a meaning")


def _quantities(p: Procedure) -> Iterator[Fault]:
    shown = {name for f in p.figures for name in f.shows}
    if not p.quantities:
        yield Fault("quantities", "it declares no quantity", "declare what it measures")
    for q in p.quantities:
        yield from _quantity(q)
        part = f"quantities.{q.name}"
        if q.name not in shown and not q.unplotted.strip():
            todo = "name it in what a figure shows, or say in unplotted why none does"
            yield Fault(part, f"{q.name!r} is shown by no figure", todo)
        if q.name in shown and q.unplotted.strip():
            todo = "take unplotted away, or the name out of the figure"
            yield Fault(part, f"{q.name!r} is shown by a figure and excused from it", todo)
    names = [q.name for q in p.quantities]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        yield Fault(f"quantities.{twice}", f"{twice!r} is declared twice", "take one away")


def _quantity(q: Quantity) -> Iterator[Fault]:
    part = f"quantities.{q.name}"
    for field, todo in (
        ("definition", "say what it is, in a sentence"),
        ("estimator", "say how the number is made"),
        ("symbol", "give it the symbol that plots and tables use"),
    ):
        if not getattr(q, field).strip():
            yield Fault(part, f"{q.name!r} has no {field}", todo)
    if q.unit != q.unit.strip():
        yield Fault(part, f"the unit of {q.name!r} is {q.unit!r}", "write the unit, or '' for a bare number")
    if q.kind not in get_args(Class):
        yield Fault(part, f"{q.name!r} is of class {q.kind!r}", f"say {', '.join(get_args(Class))}")


def _figures(p: Procedure) -> Iterator[Fault]:
    declared = {q.name for q in p.quantities}
    for f in p.figures:
        part = f"figures.{f.name}"
        if not (f.title.strip() and f.caption.strip()):
            yield Fault(
                part,
                f"figure {f.name!r} has no title or no caption",
                "say what it shows and what to look for",
            )
        if not f.panels:
            yield Fault(
                part, f"figure {f.name!r} does not say what its panels show", "give it a PanelSpec for each"
            )
        for number, panel in enumerate(f.panels, start=1):
            if not panel.caption.strip():
                yield Fault(
                    part,
                    f"panel {number} of figure {f.name!r} has no caption",
                    "say what it shows, with units",
                )
        for name in f.shows:
            if name not in declared:
                yield Fault(
                    part,
                    f"figure {f.name!r} shows {name!r}, which is not declared",
                    "name a quantity of its own",
                )
