"""A campaign's prose as it is handed to Sphinx, and what Sphinx says of it traced back to the file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from builder.render.addresses import block_page
from campaign.findings import Finding
from campaign.model import Block, Campaign

DESCRIPTION = "description"
"""The document that holds the campaign's description."""

_FRONT = """---
myst:
  disable_syntax: [html_block, html_inline]
  all_links_external: true
---
"""
_COMMENT = re.compile(r"^<!--.*?-->[ \t]*$", re.S | re.M)
_WARNING = re.compile(
    r"^(?P<file>.*?):(?:(?P<line>\d+):)? (?:WARNING|ERROR|CRITICAL|SEVERE): (?P<text>.+?)(?: \[[\w.]+\])?$"
)
_DEAD = re.compile(
    r"not found|not readable|unknown document|nonexist|undefined label|unknown target|xref", re.I
)


def document_of(block: Block) -> str:
    """The name of the document that holds a block's body: its page's address less the suffix."""
    return block_page(block.id).removesuffix(".html")


def staged_text(body: str, form: str) -> str:
    """The text of a document for Sphinx. ``form`` is 'md' or 'rst'.

    In Markdown, HTML is read as plain text; a comment that stands alone is left out, its lines kept. In reST
    the same is done by docutils' own settings, see ``builder.render.sphinx_pages``.
    """
    if form == "rst":
        return body
    return _FRONT + _COMMENT.sub(lambda m: "\n" * m[0].count("\n"), body)


def html_lines(body: str) -> list[int]:
    """Lines (from 1) of Markdown at which HTML stands that is no comment."""
    if "<" not in body:
        return []
    from markdown_it import MarkdownIt

    found: set[int] = set()
    for token in MarkdownIt("commonmark").parse(body):
        parts = [token, *(token.children or ())]
        if token.map and any(
            p.type in ("html_block", "html_inline") and not p.content.lstrip().startswith("<!--")
            for p in parts
        ):
            found.add(token.map[0] + 1)
    return sorted(found)


def body_line(path: Path, body: str) -> int:
    """How many lines of a file come before its body; 0 when that cannot be told."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return 0
    return text.count("\n", 0, max(0, text.find(body)))


def prose_findings(campaign: Campaign, stored: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with prose, each with the file and line that a person edits.

    ``stored`` holds the 'problems' of links, the 'warnings' of Sphinx and the lines with 'html'.
    """
    blocks = {b.path: b for b in campaign.blocks}
    first = {path: body_line(campaign.root / path, b.body) for path, b in blocks.items()}
    added = {path: _FRONT.count("\n") if b.format == "md" else 0 for path, b in blocks.items()}

    def where(path: str, line: int) -> str:
        return f"{path}:{line - added[path] + first[path]}" if path in blocks and line else path

    def block_id(path: str) -> str | None:
        return blocks[path].id if path in blocks else None

    for path, line in stored["html"]:
        text = "HTML in this text is shown as it was typed: prose is Markdown or reST alone."
        yield Finding(
            "bad-file", text, f"{path}:{line + first[path]}", "Write it in Markdown.", block_id(path)
        )
    for kind, path, line, text in stored["problems"]:
        yield Finding(kind, text, where(path, line), "Correct the link, or add the file.", block_id(path))
    staged = {f"{document_of(b)}.{b.format}": b.path for b in campaign.blocks}
    staged[f"{DESCRIPTION}.md"] = "campaign.toml"
    for warning in stored["warnings"]:
        if found := _WARNING.match(warning):
            path = staged.get(found["file"], found["file"])
            kind = "dead-link" if _DEAD.search(found["text"]) else "bad-file"
            line = int(found["line"] or 0)
            place = (
                where(path, line)
                if path in blocks or path == "campaign.toml" or not line
                else f"{path}:{line}"
            )
            yield Finding(kind, found["text"], place, "Correct the text.", block_id(path))
