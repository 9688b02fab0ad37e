"""Reads a page as a browser would, strictly: tags balanced, ids unique, links, images and measurements noted."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

VOID = {"br", "img", "hr", "input", "meta", "link"}
NEVER_EMPTY = {"td", "th", "dd", "dt", "li", "p", "h1", "h2", "h3", "a", "summary", "figcaption", "title"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: int = 0


@dataclass
class Read:
    elements: list[Element] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    text: str = ""

    def of(self, tag: str) -> list[Element]:
        return [e for e in self.elements if e.tag == tag]

    @property
    def ids(self) -> list[str]:
        return [e.attributes["id"] for e in self.elements if "id" in e.attributes]

    @property
    def hrefs(self) -> list[str]:
        return [e.attributes[n] for e in self.elements for n in ("href", "src") if n in e.attributes]

    @property
    def measurements(self) -> list[Element]:
        return [e for e in self.elements if "data-measurement" in e.attributes]


def _measurement(href: str) -> str:
    """The measurement that a link leads to: by its anchor, where that begins with a dot after the page's name."""
    page, _, anchor = unquote(href).partition("#")
    return page.rpartition("/")[2].removesuffix(".html") + anchor if anchor.startswith(".") else anchor


def _name_measurement(cell: dict[str, str], href: str) -> None:
    """A cell with a value that names no measurement is of the one that its first link leads to."""
    if "data-value" in cell and "data-measurement" not in cell and "#" in href:
        cell["data-measurement"] = _measurement(href)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.read = Read()
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [n for n, _ in attrs]
        if len(names) != len(set(names)):
            self.read.problems.append(f"<{tag}> repeats an attribute: {names}")
        element = Element(tag, {n: v or "" for n, v in attrs})
        for outer in self.open:
            outer.children += 1
        if tag == "a" and self.open and "cell" in self.open[-1].attributes.get("class", "").split():
            _name_measurement(self.open[-1].attributes, element.attributes.get("href", ""))
        self.read.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1].tag != tag:
            place = "/".join(e.tag for e in self.open)
            self.read.problems.append(f"</{tag}> does not close {place}")
            return
        closed = self.open.pop()
        if tag in NEVER_EMPTY and not closed.text.strip() and not closed.children:
            self.read.problems.append(f"<{tag} {closed.attributes}> is empty")

    def handle_data(self, data: str) -> None:
        self.read.text += data
        for element in self.open:
            element.text += data


def read(html: str) -> Read:
    """The page's elements in order, each with all its text, and what is wrong with the mark-up."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.read.problems += [f"<{e.tag}> is never closed" for e in reader.open]
    return reader.read
