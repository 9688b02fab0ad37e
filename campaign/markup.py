"""Links, plain text and broken mark-up of Markdown and reStructuredText, each with its line.

Only what a linter needs: Markdown is read with markdown-it, the parser that the site's Sphinx uses too;
reStructuredText by patterns, because docutils tells nothing of a link that lacks its underscore.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Any

from campaign.frozen import dataclass

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


@dataclass
class Prose:
    """What a text says: (line, target) of its links, (line, text) of what a reader
    sees, and (line, kind of finding, fault) of broken mark-up."""

    links: list[tuple[int, str]] = field(default_factory=list)
    text: list[tuple[int, str]] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)


def read_prose(text: str, form: str) -> Prose:
    """The links, visible text and broken mark-up of a text; ``form`` is 'md' or 'rst'. Lines count from 1."""
    prose = Prose()
    if form == "rst":
        _read_rst(text, prose)
    else:
        _read_markdown(text, prose, 1)
    return prose


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    # the parser leaves out links that it finds unsafe; here they are wanted, to be reported
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser


def _read_markdown(text: str, prose: Prose, first: int) -> None:
    for token in _parser().parse(text):
        line = first + (token.map[0] if token.map else 0)
        if token.type == "inline":
            _read_inline(token.children or [], prose, line)
        elif token.type == "fence" and re.match(r"\{(?!code|math|literalinclude|raw)", token.info):
            _read_markdown(token.content, prose, line + 1)


def _read_inline(children: list[Any], prose: Prose, line: int) -> None:
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            line += 1
        elif child.type == "link_open":
            prose.links.append((line, str(child.attrs.get("href", ""))))
        elif child.type == "image":
            prose.links.append((line, str(child.attrs.get("src", ""))))
        elif child.type == "text":
            prose.text.append((line, child.content))
            for undefined in re.findall(r"\[[^\[\]]+\]\[[^\[\]]*\]", child.content):
                prose.faults.append((line, "dead-link", f"{undefined} refers to a link that is not defined"))


_LITERAL = re.compile(r"``.+?``", re.DOTALL)
_ROLE = re.compile(r":[\w:.+-]+:`[^`]*`")
_NAMED = re.compile(r"`(?P<text>[^`<>]*?)\s*<(?P<target>[^`<>]*)>`(?P<tail>_{0,2})")
_TARGET = re.compile(r"^\s*\.\. _[^:\n]+:[ \t]+(?P<target>\S+)[ \t]*$", re.MULTILINE)
_IMAGE = re.compile(r"^\s*\.\. (?:image|figure)::[ \t]*(?P<target>\S+)[ \t]*$", re.MULTILINE)
_BARE = re.compile(r"(?<![<`\w])https?://[^\s<>`]+")
_BULLET = re.compile(r"(?:[*+•-]|\d+[.)]|#\.)[ \t]+\S")
_UNDERLINE = re.compile(r"([^\w\s])\1{2,}\s*$")
_MARKUP = re.compile(r"\.\.( |$)|:[^:\s][^:]*:|\||\+[-=]")


def _read_rst(text: str, prose: Prose) -> None:
    text = _blank(_LITERAL, _visible(text))
    for pattern in (_TARGET, _IMAGE):
        for found in pattern.finditer(text):
            prose.links.append((_line(text, found), found["target"]))
    text = _blank(_ROLE, text)
    for found in _NAMED.finditer(text):
        line, target = _line(text, found), re.sub(r"\s+", "", found["target"])
        if not found["tail"]:
            shown = " ".join(found[0].split())
            prose.faults.append((line, "dead-link", f"{shown} is no link: its closing underscore is missing"))
        if not target.endswith("_") or "/" in target:  # `text <name_>`_ refers to a target elsewhere
            prose.links.append((line, target))
    for found in _BARE.finditer(_blank(_NAMED, text)):
        prose.links.append((_line(text, found), found[0].rstrip(".,;:)")))
    lines = text.split("\n")
    prose.text += [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    prose.faults += [
        (n, "broken-markup", "the list is part of the paragraph above it: a blank line is missing")
        for n in _glued(lines)
    ]


def _visible(text: str) -> str:
    """The text with comments and literal blocks blanked; lines stay where they are."""
    out: list[str] = []
    hidden_below: int | None = None  # indentation of the line that hides what is indented more
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if hidden_below is not None and (not line.strip() or indent > hidden_below):
            out.append("")
            continue
        bare = line.strip()
        comment = re.match(r"\.\.( (?!_|\||\[)(?![\w:+.-]+::)|$)", bare) is not None
        literal = bare.endswith("::") and not bare.startswith("..")
        code = re.match(r"\.\. (code|code-block|sourcecode|math|raw|literalinclude)::", bare) is not None
        hidden_below = indent if comment or literal or code else None
        out.append("" if comment else line)
    return "\n".join(out)


def _glued(lines: list[str]) -> Iterator[int]:
    """Lines (from 1) on which a list begins without a blank line after the paragraph above."""
    for n in range(1, len(lines)):
        above, line = lines[n - 1], lines[n]
        same = len(above) - len(above.lstrip()) == len(line) - len(line.lstrip())
        if not (same and above.strip() and _BULLET.match(line.lstrip())):
            continue
        bare = above.lstrip()
        if not (_BULLET.match(bare) or _UNDERLINE.match(bare) or _MARKUP.match(bare)):
            yield n + 1


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """The text with every match replaced by blanks; line breaks stay."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _line(text: str, found: re.Match[str]) -> int:
    start = found.start() + len(found[0]) - len(found[0].lstrip())
    return text.count("\n", 0, start) + 1
