"""Every key that a person may write in a campaign folder, from the models that check it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date as Date  # noqa: N812
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from campaign.block_files import FrontMatter
from campaign.checked import keys_of, model_of, options
from campaign.frozen import dataclass
from campaign.load import CaveatFile, LimitFile
from campaign.model import CampaignFile

FILES: dict[str, type[BaseModel]] = {
    "campaign.toml": CampaignFile,
    "blocks/*": FrontMatter,
    "caveats.toml": CaveatFile,
    "limits/*.toml": LimitFile,
}


@dataclass(frozen=True)
class Setting:
    """A key: the file and table it stands in, its type and default in words, and what it means.

    ``default`` is '' where the key has to be given.
    """

    file: str
    table: str
    key: str
    type: str
    default: str
    description: str


def settings() -> list[Setting]:
    """All keys of all files, in the order of the models."""
    return [setting for file, model in FILES.items() for setting in settings_of(file, model)]


def settings_of(file: str, model: type[BaseModel], table: str = "") -> list[Setting]:
    """All keys of one model and of the tables in it; ``table`` is the table of the file that the model describes."""
    return list(_of(file, model, table))


def _of(file: str, model: type[BaseModel], table: str) -> Iterator[Setting]:
    tables: list[tuple[str, type[BaseModel]]] = []
    for key in keys_of(model):
        info = model.model_fields[key]
        default = "" if info.is_required() else _default(info.get_default(call_default_factory=True))
        yield Setting(file, table, key, type_text(info.annotation), default, info.description or "")
        inside = _table(info.annotation, key)
        if inside is not None:
            name, inner_model = inside
            tables.append((f"{table}.{name}" if table else name, inner_model))
    for name, inner_model in tables:
        yield from _of(file, inner_model, name)


def _table(annotation: Any, key: str) -> tuple[str, type[BaseModel]] | None:
    """The name and model of the table that a key opens: 'data', 'sources[]' or 'detectors.<name>'."""
    for option in options(annotation):
        origin, args = get_origin(option), get_args(option)
        held, form = option, "{}"
        if origin is tuple:
            held, form = args[0], "{}[]"
        elif origin is dict:
            held, form = args[1], "{}.<name>"
        model = model_of(held)
        if model is not None:
            return form.format(key), model
    return None


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Date: "date",
    datetime: "date and time",
    Any: "anything",
}


def type_text(annotation: Any) -> str:
    """The type of a key in words: 'text', 'list of text', 'table of number by name', 'one of a, b'."""
    return " or ".join(dict.fromkeys(_type_text(option) for option in options(annotation)))


def _type_text(option: Any) -> str:
    origin, args = get_origin(option), get_args(option)
    if origin is Literal:
        return "one of " + ", ".join(str(arg) for arg in args)
    if origin is tuple:
        return "tables" if model_of(args[0]) else f"list of {type_text(args[0])}"
    if origin is dict:
        return "tables by name" if model_of(args[1]) else f"table of {type_text(args[1])} by name"
    return "table" if model_of(option) else _WORDS[option]


def _default(value: Any) -> str:
    """A default as a person would write it; 'empty' for an empty text, list or table, 'none' for no value."""
    if isinstance(value, BaseModel):
        return "its own defaults"
    if value is None:
        return "none"
    if value in ("", (), {}):
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
