"""The Sphinx extension behind prose: hands out bodies and the theme's chrome, and keeps untrusted prose harmless.

What to do is read from ``job.json`` in the source folder and what came of it is written to ``harvest.json``
in the output folder, so that nothing is shared with the caller but two files. Prose of campaigns may come
from other people: it cannot use raw HTML or read files, its links and images are checked, and formulae
become MathML, which needs no script.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from builder.render.prose_links import CampaignImage, LinkRules, check_links, visit_image
from builder.render.shell import DEPTHS, hole

SITE_LINKS = (
    ("Home", "index.html"),
    ("Procedures", "procedures/index.html"),
    ("Trends", "trends/index.html"),
    ("Limits", "limits.html"),
    ("Caveats", "caveats.html"),
    ("Health", "health.html"),
    ("Guide", "guide/index.html"),
)
"""The links of the header, for readers without scripts too."""


class Harvest:
    """What a run of Sphinx yields: bodies of campaign prose, guide pages, findings, files to copy."""

    def __init__(self, app: Sphinx) -> None:
        job: dict[str, Any] = json.loads((Path(app.srcdir) / "job.json").read_text(encoding="utf-8"))
        self.documents: dict[str, str] = job["documents"]
        self.rules = LinkRules(Path(job["root"]), job["pages"])
        self.bodies: dict[str, str] = {}
        self.guide: dict[str, tuple[str, str, str]] = {}

    def prepare(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Before a document is read: campaign prose gets neither raw mark-up nor files, and ids of its own.

        ``env-purge-doc`` is the one event that Sphinx emits before each document's settings are used.
        """
        untrusted = docname in self.documents
        env.settings["raw_enabled"] = env.settings["file_insertion_enabled"] = not untrusted
        env.settings["id_prefix"] = "prose-" if untrusted else ""

    def check(self, app: Sphinx, doctree: nodes.document) -> None:
        """After it was read: links and images of campaign prose."""
        docname = app.env.current_document.docname
        if docname in self.documents:
            check_links(doctree, docname, self.documents[docname], self.rules)

    def page(
        self,
        app: Sphinx,
        pagename: str,
        template: str,
        context: dict[str, Any],
        doctree: nodes.document | None,
    ) -> None:
        """As a page is drawn: take what is wanted of it, and give templates what they use."""
        context["hole"], context["root"] = hole, "../" * pagename.count("/")
        context["site_links"] = SITE_LINKS
        for side in ("prev", "next"):
            if (context.get(side) or {}).get("link", "").endswith("contents.html"):
                context[side] = None
        if pagename in self.documents:
            self.bodies[pagename] = context.get("body", "")
        elif doctree is not None and pagename != app.config.root_doc:
            title = app.env.titles[pagename].astext()
            self.guide[pagename] = (f"{pagename}.html", title, " ".join(doctree.astext().split()))

    def shells(self, app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
        """The theme's chrome at every depth of directories."""
        for depth in range(DEPTHS):
            yield "d/" * depth + "shell", {"shell": True, "title": hole("title"), "body": ""}, "shell.html"

    def store(self, app: Sphinx, exception: Exception | None) -> None:
        """At the end: write ``harvest.json``."""
        found = {
            "bodies": self.bodies,
            "guide": [self.guide[name] for name in _reading_order(app) if name in self.guide],
            "problems": self.rules.problems,
            "files": self.rules.files,
            "watched": self.rules.watched,
        }
        (Path(app.outdir) / "harvest.json").write_text(json.dumps(found), encoding="utf-8")


def _reading_order(app: Sphinx) -> list[str]:
    """All documents, those of the contents first and in its order."""
    order: dict[str, None] = {}

    def follow(name: str) -> None:
        if name not in order:
            order[name] = None
            for child in app.env.toctree_includes.get(name, ()):
                follow(child)

    follow(app.config.root_doc)
    return [*order, *sorted(app.env.found_docs - order.keys())]


def mathml(tex: str, block: bool) -> str:
    """A formula as MathML; one that cannot be read is shown as it was typed."""
    try:
        return str(tex2mathml(tex, as_block=block))
    except (MathError, ValueError, IndexError, AttributeError):
        return f"<code>{nodes.Text(tex).astext().replace('&', '&amp;').replace('<', '&lt;')}</code>"


def _visit_math(translator: Any, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _visit_math_block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def _no_search(app: Sphinx) -> None:
    app.builder.search = False  # type: ignore[attr-defined]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    harvest = Harvest(app)
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math_block, None))
    app.add_node(CampaignImage, html=(visit_image, None))
    app.connect("builder-inited", _no_search)
    app.connect("env-purge-doc", harvest.prepare)
    app.connect("doctree-read", harvest.check, priority=100)
    app.connect("html-page-context", harvest.page)
    app.connect("html-collect-pages", harvest.shells)
    app.connect("build-finished", harvest.store)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
