"""The theme's chrome, captured once for each depth of directories, and data pages spliced into it.

A page costs a join of strings, not a run of the theme: see ``bench/bench_pages.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from builder.render.page import Page
from campaign.frozen import dataclass

DEPTHS = 5
"""Depths of directories for which the chrome is captured: 'index.html' is 0, 'blocks/B/tests/T.html' is 3."""

_HOLE = re.compile(r"@@calbook:(\w+)@@")


def hole(name: str) -> str:
    """The mark in a captured page that stands for content to come."""
    return f"@@calbook:{name}@@"


@dataclass(frozen=True)
class Shell:
    """The chrome as pieces by depth: literal text and names of holes in turn, literal first."""

    pieces: Mapping[int, tuple[str, ...]]

    @classmethod
    def capture(cls, pages: Mapping[int, str]) -> Shell:
        """From one drawn page per depth. Raises ValueError when a page has no place for a body."""
        for depth, text in pages.items():
            if hole("body") not in text:
                raise ValueError(f"the page captured for depth {depth} has no place for a body")
        return cls({depth: tuple(_HOLE.split(text)) for depth, text in pages.items()})

    @classmethod
    def bare(cls, title: str = "") -> Shell:
        """A plain chrome without the theme, for when Sphinx cannot run: readable, linked, nothing more."""
        return cls.capture({depth: _bare(title, "../" * depth) for depth in range(DEPTHS)})

    def page(self, page: Page) -> str:
        """The whole HTML of a page, all links relative. Raises ValueError when it is too deep."""
        depth = page.path.count("/")
        if depth not in self.pieces:
            raise ValueError(f"{page.path} is {depth} directories deep; the chrome knows {len(self.pieces)}")
        fill = {
            "title": escape(page.title),
            "path": escape(page.path),
            "description": escape(page.description),
            "crumbs": _crumbs(page),
            "sections": _sections(page),
            "body": page.body,
        }
        pieces = self.pieces[depth]
        return "".join(fill.get(p, "") if i % 2 else p for i, p in enumerate(pieces))

    def to_json(self) -> dict[str, list[str]]:
        """As plain values."""
        return {str(depth): list(pieces) for depth, pieces in self.pieces.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, list[str]]) -> Shell:
        """From what ``to_json`` gave."""
        return cls({int(depth): tuple(pieces) for depth, pieces in data.items()})


def _crumbs(page: Page) -> str:
    if not page.crumbs:
        return ""
    steps = "".join(
        f'<li><a href="{escape(page.root + c.href)}">{escape(c.label)}</a></li>' for c in page.crumbs
    )
    return f'<ol class="crumbs">{steps}<li aria-current="page">{escape(page.title)}</li></ol>'


def _sections(page: Page) -> str:
    if not page.sections:
        return ""
    items = "".join(f'<li><a href="#{escape(a)}">{escape(label)}</a></li>' for a, label in page.sections)
    return (
        '<nav class="page-contents" aria-label="On this page"><p class="heading">On this page</p>'
        f"<ul>{items}</ul></nav>"
    )


def _bare(title: str, root: str) -> str:
    suffix = f" — {escape(title)}" if title else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="light" data-content_root="{root}">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{hole('title')}{suffix}</title></head>\n"
        f'<body data-page="{hole("path")}" data-root="{root}"><nav><a href="{root}index.html">{escape(title) or "Home"}</a> '
        f'<a href="{root}health.html">Health</a></nav>{hole("crumbs")}{hole("sections")}'
        f'<main id="main-content">{hole("body")}</main></body>\n</html>\n'
    )
