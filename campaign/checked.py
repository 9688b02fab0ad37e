"""Checks what a file says against a model, so that every wrong thing costs only itself.

An unknown key is taken out, a wrong value is taken out, and an entry that lacks what it needs is taken
out; each with a finding that names the file, the line and what is allowed. What is left is the model.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.located import Node, Path
from campaign.model import CertificationRule, GeometrySpec, Limit, ProcedureUse

WHOLE: tuple[type[BaseModel], ...] = (Limit, GeometrySpec, ProcedureUse, CertificationRule)
"""Models that are used whole or not at all: with a part left out they would judge, measure or certify wrongly."""

M = TypeVar("M", bound=BaseModel)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys that a person may write: fields with a description. The others are set by the machine."""
    return [name for name, info in model.model_fields.items() if info.description]


def nearest(word: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """The known word that ``word`` was probably meant to be, or '' (``cutoff`` 1 asks for the same letters)."""
    folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    close = get_close_matches(word.casefold(), list(folded), n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def suggestion(word: str, known: Collection[str]) -> str:
    """What to do about an unknown word: the nearest known one, and those there are."""
    close = nearest(word, known)
    listed = f"known: {', '.join(known)}" if known else "none is known"
    return f"did you mean {close!r}? ({listed})" if close else listed


def options(annotation: Any) -> list[Any]:
    """The alternatives of a field's type, without None and without pydantic's notes."""
    if get_origin(annotation) is Annotated:
        return options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [o for part in get_args(annotation) if part is not type(None) for o in options(part)]
    return [annotation]


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, where it holds one."""
    return next((o for o in options(annotation) if isinstance(o, type) and issubclass(o, BaseModel)), None)


def inner(annotation: Any, key: str | int) -> Any:
    """The type of a key or item of a value of this type; None where it has none."""
    model = model_of(annotation)
    if model is not None:
        info = model.model_fields.get(str(key))
        return None if info is None else info.annotation
    for option in options(annotation):
        if get_origin(option) is dict:
            return get_args(option)[1]
        if get_origin(option) is tuple:
            return get_args(option)[0]
    return None


@dataclass
class Checker:
    """Checks the values of one file and gathers the findings.

    ``block`` is the block that the file concerns. ``strict`` is for formats that know types (TOML);
    without it, text that reads as a number or a truth value is one (front matter).
    """

    file: str
    block: str | None = None
    strict: bool = True
    findings: list[Finding] = field(default_factory=list)

    def report(self, kind: str, line: int, what: str, todo: str = "") -> None:
        """Note a finding at a line of the file."""
        self.findings.append(Finding(kind, what, f"{self.file}:{line}", todo, block=self.block))

    def check(self, model: type[M], node: Node, label: str = "") -> M | None:
        """The model that ``node`` describes, less what is wrong; None when what is left is not enough.

        ``node`` is changed: what is wrong is taken out of it. ``label`` names the entry in messages.
        """
        if not isinstance(node.value, dict):
            todo = f"write a table with the keys {', '.join(keys_of(model))}"
            self.report("bad-value", node.line, f"{label or 'the file'} is {_shown(node)}", todo)
            return None
        doomed = self._unknown_keys(model, node, (), _Place(model, label))
        while () not in doomed:
            for path in sorted(doomed, key=_tagged, reverse=True):  # later items first: places shift
                if node.nearest(path)[0] == path:
                    node.remove(path)
            try:
                return model.model_validate(node.frozen(), strict=self.strict)
            except ValidationError as error:
                doomed = self._faults(node, error, _Place(model, label))
        return None

    def _unknown_keys(self, annotation: Any, node: Node, path: Path, place: _Place) -> set[Path]:
        """Take out unknown keys at any depth; returns the entries that this spoils."""
        spoiled: set[Path] = set()
        model = model_of(annotation)
        known = keys_of(model) if model else []
        for key, child in list(node.children()):
            if model is None or not isinstance(node.value, dict) or key in known:
                spoiled |= self._unknown_keys(inner(annotation, key), child, (*path, key), place)
                continue
            unit = place.unit(path)
            what = f"{key!r} means nothing in {place.name(path)}" + place.consequence(unit)
            self.report("unknown-key", child.line, what, suggestion(str(key), known))
            node.remove((key,))
            if unit is not None:
                spoiled.add(unit)
        return spoiled

    def _faults(self, node: Node, error: ValidationError, place: _Place) -> set[Path]:
        """Report what pydantic complains of; returns what has to be taken out."""
        wanted: dict[Path, list[str]] = {}
        doomed: set[Path] = set()
        for fault in error.errors(include_url=False):
            path, at = node.nearest(fault["loc"])
            if fault["type"] == "missing":
                key = fault["loc"][-1]
                unit = place.falls(path)
                what = f"{place.name(path)} lacks {key!r}" + place.consequence(unit)
                self.report("bad-value", at.line, what, f"add {key!r}: {place.meaning((*path, key))}")
                doomed.add(unit)
            else:
                wanted.setdefault(path, []).append(_wanted(fault))
        for path, wishes in wanted.items():
            at = node.nearest(path)[1]
            unit = place.falls(path)
            what = f"{place.name(path)} is {_shown(at)}" + (place.consequence(unit) if unit != path else "")
            meaning = "" if wishes[0].startswith("allowed") else place.meaning(path)
            todo = " or ".join(dict.fromkeys(wishes)) + (f" ({meaning})" if meaning else "")
            self.report("bad-value", at.line, what, todo)
            doomed.add(unit)
        return doomed


@dataclass(frozen=True)
class _Place:
    """What a path through a file means: names for messages, and what must be taken out together."""

    model: type[BaseModel]
    label: str

    def type_at(self, path: Path) -> Any:
        annotation: Any = self.model
        for key in path:
            annotation = inner(annotation, key)
        return annotation

    def name(self, path: Path) -> str:
        keys = ".".join(
            str(key) for key in ((self.label, *path) if self.label else path) if isinstance(key, str)
        )
        item = f" (item {path[-1] + 1})" if path and isinstance(path[-1], int) else ""
        return f"{keys}{item}" if keys else "the file"

    def meaning(self, path: Path) -> str:
        for end in range(len(path), 0, -1):
            owner = model_of(self.type_at(path[: end - 1]))
            if owner is not None and path[end - 1] in owner.model_fields:
                return owner.model_fields[str(path[end - 1])].description or ""
        return ""

    def unit(self, path: Path) -> Path | None:
        """The entry around ``path`` that is used whole or not at all, if there is one."""
        ends = (path[:n] for n in range(len(path) + 1))
        return next((end for end in ends if model_of(self.type_at(end)) in WHOLE), None)

    def standing(self, path: Path) -> Path:
        """What falls with the value at ``path``: itself, or the entries that cannot be without it."""
        while path:
            owner = model_of(self.type_at(path[:-1]))
            if owner is None or not owner.model_fields[str(path[-1])].is_required():
                return path
            path = path[:-1]
        return path

    def falls(self, path: Path) -> Path:
        """What is taken out for a fault at ``path``."""
        unit = self.unit(path)
        return self.standing(path) if unit is None else unit

    def consequence(self, unit: Path | None) -> str:
        return "" if unit is None else f", so {self.name(unit)} is not used"


def _tagged(path: Path) -> list[tuple[bool, Any]]:
    return [(isinstance(key, str), key) for key in path]


def _shown(node: Node) -> str:
    """A value as a message shows it: short, and as the file would write it."""
    if isinstance(node.value, dict | list):
        return "a table" if isinstance(node.value, dict) else "a list"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return str(node.value).lower()
    text = repr(node.value) if isinstance(node.value, str) else str(node.value)
    return text if len(text) <= 60 else text[:57] + "…"


_WISHES: Mapping[str, str] = {
    "string": "text is wanted, in quotes",
    "int": "a whole number is wanted",
    "float": "a number is wanted",
    "finite": "a finite number is wanted",
    "bool": "true or false is wanted",
    "tuple": "a list is wanted, in square brackets",
    "dict": "a table is wanted",
    "model": "a table is wanted",
}


def _wanted(fault: Any) -> str:
    """What pydantic's complaint asks for, in words of the person who writes the file."""
    context: Mapping[str, Any] = fault.get("ctx", {})
    if fault["type"] == "literal_error":
        return f"allowed are {context['expected']}"
    bounds: Iterable[tuple[str, str]] = (
        ("gt", "greater than"),
        ("ge", "at least"),
        ("lt", "less than"),
        ("le", "at most"),
    )
    for key, words in bounds:
        if key in context:
            return f"it must be {words} {context[key]}"
    if fault["type"] == "value_error":
        return str(fault["msg"]).removeprefix("Value error, ")
    return _WISHES.get(str(fault["type"]).split("_")[0], str(fault["msg"]))
