"""Links and images in a campaign's prose: checked, and turned into links that are right on the block's page.

Prose is written beside the campaign's files, so 'plan.pdf' means a file of the campaign and 'OTHER.md'
another block; on the site both are elsewhere. Whatever leads nowhere or out of the campaign loses its link,
keeps its words and is reported.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from docutils import nodes
from sphinx import addnodes

from builder.render.links import is_external
from campaign.frozen import dataclass

_DATA_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+\Z")


class CampaignImage(nodes.General, nodes.Inline, nodes.Element):
    """An image whose address on the site is settled, out of reach of Sphinx's own collector."""


@dataclass
class LinkRules:
    """Where links may lead. ``root`` is the campaign folder, ``pages`` maps files of blocks to their pages.

    ``problems`` collects (kind, document, line, text); ``files`` what is to be copied into the site (site
    path → path in the campaign); ``watched`` the size and time of each file looked at, None when absent.
    """

    root: Path
    pages: Mapping[str, str]
    problems: list[tuple[str, str, int, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    watched: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def resolve(self, uri: str, source: str, page: str) -> tuple[str, str]:
        """A link as it is right on ``page``, and why not: one of the two is ''.

        ``source`` is the file that holds the prose, relative to the campaign folder.
        """
        try:
            parts = urlsplit(uri)
        except ValueError:
            return "", f"{uri!r} is not an address"
        if parts.scheme:
            return (uri, "") if is_external(uri) else ("", f"a link to {uri!r} is not allowed")
        if parts.netloc or uri.startswith("//"):
            return "", f"{uri!r} leads out of the campaign"
        if not parts.path:
            return uri, ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), unquote(parts.path)))
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        up = "../" * page.count("/")
        if path in self.pages:
            return up + quote(self.pages[path]) + anchor, ""
        found, why = self._file(path)
        return (up + quote(found) + anchor, "") if found else ("", why)

    def _file(self, path: str) -> tuple[str, str]:
        if path.startswith(("/", "..")) or "\x00" in path or "\\" in path:
            return "", f"{path!r} leaves the campaign folder"
        full = self.root / path
        try:
            stat = full.stat()
        except (OSError, ValueError):
            self.watched[path] = None
            return "", f"there is no file {path!r} in the campaign folder"
        self.watched[path] = (stat.st_size, stat.st_mtime_ns)
        if not full.resolve().is_relative_to(self.root.resolve()):
            return "", f"{path!r} leaves the campaign folder"
        if not full.is_file():
            return "", f"{path!r} is a folder"
        self.files[f"files/{path}"] = path
        return f"files/{path}", ""


def check_links(doctree: nodes.document, docname: str, source: str, rules: LinkRules) -> None:
    """Make the links and images of one document right, in place. ``docname`` is its page less the suffix."""
    for image in list(doctree.findall(nodes.image)):
        _image(image, docname, source, rules)
    for download in list(doctree.findall(addnodes.download_reference)):
        target = download.get("refuri") or download.get("reftarget", "")
        download.replace_self(_settled(download, str(target), docname, source, rules))
    for reference in list(doctree.findall(nodes.reference)):
        uri = reference.get("refuri")
        if uri is not None and not reference.get("internal"):
            reference.replace_self(_settled(reference, str(uri), docname, source, rules))


def _settled(node: nodes.Element, uri: str, docname: str, source: str, rules: LinkRules) -> nodes.Element:
    """The node as a link that is right, or as its bare words."""
    href, why = rules.resolve(uri, source, docname)
    if why:
        _report(rules, node, source, why)
        bare = nodes.inline("", "", *node.children)
        bare["classes"].append("dead-link")
        return bare
    link = nodes.reference("", "", *node.children, refuri=href)
    link["classes"] = list(node.get("classes", ()))
    return link


def _image(node: nodes.image, docname: str, source: str, rules: LinkRules) -> None:
    uri, alt = str(node.get("uri", "")), str(node.get("alt", ""))
    if _DATA_IMAGE.match(uri):
        node.replace_self(CampaignImage(src=uri, alt=alt, width=None, height=None))
        return
    href, why = rules.resolve(uri, source, docname)
    if not why and not urlsplit(href).scheme:
        width, height = _size(rules.root / rules.files.get(unquote(href).replace("../", ""), ""))
        node.replace_self(CampaignImage(src=href, alt=alt, width=width, height=height))
        return
    _report(
        rules,
        node,
        source,
        why or f"the image {uri} is elsewhere, so it is linked and not shown: the site needs no network",
    )
    words = nodes.Text(alt or posixpath.basename(uri) or "image")
    inside_link = isinstance(node.parent, nodes.reference)
    node.replace_self(words if why or inside_link else nodes.reference("", "", words, refuri=href))


def _size(path: Path) -> tuple[int | None, int | None]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, UnidentifiedImageError, ValueError):
        return None, None  # an SVG, for instance: the browser finds out


def _report(rules: LinkRules, node: nodes.Node, source: str, why: str) -> None:
    line = next((n.line for n in [node, *_parents(node)] if n.line), 0)
    kind = "unsafe-path" if "leaves the campaign" in why else "dead-link"
    rules.problems.append((kind, source, line or 0, why))


def _parents(node: nodes.Node) -> list[nodes.Node]:
    out: list[nodes.Node] = []
    while node.parent is not None:
        node = node.parent
        out.append(node)
    return out


def visit_image(translator: Any, node: CampaignImage) -> None:
    """Write the image, lazily loaded, with its size where that is known."""
    size = f' width="{node["width"]}" height="{node["height"]}"' if node["width"] else ""
    translator.body.append(
        f'<img src="{escape(node["src"])}" alt="{escape(node["alt"])}" loading="lazy"{size}>'
    )
    raise nodes.SkipNode
