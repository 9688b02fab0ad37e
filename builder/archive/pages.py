"""The pages beside the versions: the list of all, and what changed between two. They open from disk, as the site does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

SOURCE = Path(__file__).resolve().parents[2] / "site_src"
INDEX_PAGE = "index.html"
TOKENS = ("/* ---- tokens", "/* ---- page")
"""What of the site's style these pages share: its colours, from the one place that has them."""


def as_json(value: object) -> bytes:
    """JSON for people: indented, in plain UTF-8."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def draw(template: str, context: Mapping[str, Any]) -> bytes:
    """A page of its own, style included, from a template of ``site_src/pages``."""
    return _environment().get_template(template).render(context).encode("utf-8", "backslashreplace")


def write_index(place: Path, entries: Sequence[Mapping[str, Any]], wrong: Sequence[str]) -> None:
    """Write ``index.html``: all versions, the newest first, with what each contains, and those that cannot be read."""
    from builder.store import write_atomically

    compared = {p.name for p in place.glob("compare-*.html")}
    context = {"entries": list(reversed(entries)), "wrong": wrong, "compared": compared}
    write_atomically(place / INDEX_PAGE, draw("versions.html.j2", context))


def compare_page(before: str, after: str) -> str:
    """The file name of the page that compares two versions."""
    return f"compare-{before}-{after}.html"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(SOURCE / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"bytes": _bytes, "number": _number}
    made.globals["colours"] = _colours()
    made.globals["compare_page"] = compare_page
    return made


def _colours() -> Markup:
    """The tokens of the site's style. Without a script nothing sets a theme here, so the reader's system does."""
    text = (SOURCE / "_static" / "calbook.css").read_text("utf-8")
    held = text[text.index(TOKENS[0]) : text.index(TOKENS[1])]
    light, dark = held.index('html[data-theme="light"]'), held.index('html[data-theme="dark"]')
    rest = held.index("html[data-theme] {")
    inside = held[dark:rest].partition("{")[2].rpartition("}")[0]
    return Markup(
        held[light:dark] + "@media (prefers-color-scheme: dark) { html:not([data-theme]) {" + inside + "} }"
    )


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.3g} {unit}" if unit != "bytes" else f"{size:.0f} bytes"
        size /= 1000
    raise AssertionError


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
