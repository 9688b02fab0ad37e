"""A campaign's prose as it is handed to Sphinx: with raw HTML switched off, and its lines traceable."""

from __future__ import annotations

import re
from pathlib import Path

_FRONT = """---
myst:
  disable_syntax: [html_block, html_inline]
  all_links_external: true
---
"""
_COMMENT = re.compile(r"^<!--.*?-->[ \t]*$", re.S | re.M)


def staged_text(body: str, form: str) -> str:
    """The text of a document for Sphinx. ``form`` is 'md' or 'rst'.

    In Markdown, HTML is read as plain text; a comment that stands alone is left out, its lines kept. In reST
    the same is done by docutils' own settings, see ``builder.render.sphinx_pages``.
    """
    if form == "rst":
        return body
    return _FRONT + _COMMENT.sub(lambda m: "\n" * m[0].count("\n"), body)


def body_offset(path: Path, body: str, form: str) -> int:
    """What to add to a line number of the staged document to get the line of the file that a person edits."""
    added = _FRONT.count("\n") if form == "md" else 0
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return -added
    head = text.find(body)
    return (text.count("\n", 0, head) if head > 0 else 0) - added
