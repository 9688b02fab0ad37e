"""A page before it gets its chrome: what the templates make and the shell completes."""

from __future__ import annotations

from campaign.frozen import dataclass


@dataclass(frozen=True)
class Crumb:
    """A step of the path to a page; ``href`` is relative to the site's root."""

    label: str
    href: str


@dataclass(frozen=True)
class Page:
    """One data page.

    ``path`` is its address relative to the site's root ('blocks/BORN/index.html'). ``body`` is the HTML of
    its main part, links relative to the page itself. ``sections`` are (anchor, label) for the page's own
    contents list. ``search`` is the plain text to be found by, besides the title; ``kind`` groups results
    ('block', 'test', 'procedure' …).
    """

    path: str
    title: str
    body: str
    kind: str
    crumbs: tuple[Crumb, ...] = ()
    sections: tuple[tuple[str, str], ...] = ()
    search: str = ""
    description: str = ""

    @property
    def root(self) -> str:
        """The way from the page to the site's root: '' or '../' as often as it is deep."""
        return "../" * self.path.count("/")
