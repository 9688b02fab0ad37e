"""The templates: one Jinja environment, every value escaped, and the words and filters that templates share."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
    Template,
)
from markupsafe import Markup, escape

from analysis.contract import FLAGS, REASONS
from builder.render import addresses, format
from builder.render.format import Shown
from builder.render.links import is_external, safe_href
from builder.render.matrix import MOST_RESULTS
from builder.report import SHAPES, Verdict
from campaign.findings import KINDS
from campaign.record import Cell

TEMPLATES = Path(__file__).parents[2] / "site_src" / "pages"
MOST_CAVEATS = 3
"""Open caveats that a page shows as bars; of more, all but the gravest are folded."""


def status_class(verdict: Verdict | str) -> str:
    """The style of a status chip: 'status-not-evaluated'."""
    return f"status-{str(verdict).replace(' ', '-')}"


def words(code: str) -> str:
    """A code as words: 'not-reached' → 'not reached'."""
    return code.replace("-", " ").replace("_", " ")


def capitalised(text: str) -> str:
    """A sentence with its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


_SPELT = {"adu": "ADU", "prnu": "PRNU", "chi2": "χ²", "e": "e⁻", "ptc": "PTC"}


def quantity_words(name: str) -> str:
    """A quantity's name as words: 'read_noise_adu' → 'read noise ADU', 'fit_chi2' → 'fit χ²'."""
    return " ".join(_SPELT.get(word, word) for word in words(name).split())


def symbol(text: str) -> Markup:
    """A symbol with its subscript set as one: 'σ_R' → σ with R below it. The text stays escaped."""
    stem, mark, below = text.partition("_")
    return escape(stem) + Markup("<sub>{}</sub>").format(below) if mark and below else escape(text)


def quantity_value(shown: Shown) -> Markup:
    """Value ± uncertainty; a power of ten belongs to both."""
    value, power = escape(shown.value), escape(shown.power)
    if not shown.uncertainty:
        return value + power
    both = f"{value} <small>± {escape(shown.uncertainty)}</small>"
    return Markup(f"({both}){power}" if power else both)


def cell_text(cell: Cell | None) -> Markup:
    """The text of a record's cell; a whole address becomes a link, and a note is marked."""
    if cell is None or not cell.text:
        shown = Markup('<span class="none">empty</span>')
    else:
        shown = escape(cell.text)
        if is_external(cell.text):
            shown = Markup(f'<a href="{shown}" rel="noopener noreferrer">{shown}</a>')
    if cell is not None and cell.note:
        shown += Markup(f' <abbr class="flag" title="{escape(cell.note)}">note</abbr>')
    return shown


def shell_word(text: str) -> str:
    """A word as a person types it into a shell: quoted where it needs to be."""
    return shlex.quote(text)


@lru_cache(maxsize=8192)
def _way(page: str, target: str) -> str:
    return addresses.relative(page, target)


def _to(page: str, target: str) -> str:
    """``addresses.relative``, remembering ways between pages apart from anchors: tables link by the thousand."""
    place, mark, anchor = target.partition("#")
    if not mark:
        return _way(page, target)
    return addresses.relative(page, target) if place == page else f"{_way(page, place)}#{anchor}"


@cache
def environment() -> Environment:
    """The environment of all data pages. Compiled once per process."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        name: getattr(format, name)
        for name in (
            "age", "aligned", "day", "days", "duration", "exact", "limits", "listed", "moment", "number",
            "plural", "ranges", "size", "stamp", "stated",
        )
    }  # fmt: skip
    made.filters |= {
        "status_class": status_class,
        "words": words,
        "capitalised": capitalised,
        "quantity_words": quantity_words,
        "symbol": symbol,
        "quantity_value": quantity_value,
        "cell_text": cell_text,
        "is_external": is_external,
        "shell": shell_word,
    }
    made.globals |= {
        "a": addresses,
        "SHAPES": SHAPES,
        "Verdict": Verdict,
        "FLAGS": FLAGS,
        "REASONS": REASONS,
        "KINDS": KINDS,
        "MOST_RESULTS": MOST_RESULTS,
        "MOST_CAVEATS": MOST_CAVEATS,
    }
    return made


def remember_compiled(folder: Path) -> None:
    """Keep compiled templates in a folder, by their text: compiling them costs more than drawing a few pages."""
    folder.mkdir(parents=True, exist_ok=True)
    environment().bytecode_cache = FileSystemBytecodeCache(str(folder))


@cache
def _template(name: str) -> Template:
    return environment().get_template(name)


def render(template: str, page: str, context: Mapping[str, Any], absent: Collection[str] = ()) -> str:
    """The body of a page from its template.

    ``page`` is the page's address: in templates ``to(address)`` is the link from there, and
    ``href(untrusted)`` the link for an address that somebody wrote, or None when it must stay text.
    """
    return _template(template).render(
        context, page=page, to=partial(_to, page), href=partial(safe_href, page=page, absent=absent)
    )


def trusted(html: str) -> Markup:
    """HTML that the prose renderer made and cleaned; nothing else may be called trusted."""
    return Markup(html)
