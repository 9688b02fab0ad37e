"""Prose through Sphinx: the guide, the bodies of blocks and the campaign's description, and the theme's chrome.

Sphinx is neither imported nor run while nothing that it would read has changed: then all comes from a JSON
file. When it runs, it builds afresh (there is little prose, and Sphinx's own incremental builds leave stale
navigation behind) in a staging folder, and the site receives only files whose bytes differ.

A campaign's prose may be somebody else's text: raw HTML, file insertion and links with odd schemes are
disabled there, shown as plain text, and reported.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field
from io import StringIO
from pathlib import Path
from typing import Any

from blake3 import blake3

from builder.libraries import version_of
from builder.render.addresses import block_page
from builder.render.prose_source import DESCRIPTION, document_of, html_lines, prose_findings, staged_text
from builder.render.reference import reference_pages, reference_sources
from builder.render.shell import DEPTHS, Shell
from builder.render.write import Site
from builder.unchanged import seen
from campaign.findings import Finding
from campaign.frozen import dataclass
from campaign.model import Campaign

CHECKOUT = Path(__file__).parents[2]
_UNUSED = re.compile(
    r"\.(map|LICENSE\.txt|pyc)$|/(searchtools|language_data|doctools|sphinx_highlight)\.js$|/webpack-macros\.html$|/fa-(brands|regular)-400\.woff2$"
)
"""Files of the theme that no page of ours asks for."""
_CODE = ("prose", "prose_links", "prose_source", "shell", "sphinx_pages")
"""Modules of this folder that shape prose: a change of theirs renders it anew."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Prose:
    """What prose became.

    ``bodies`` is HTML by block id ('' when the block has none), links right for the block's page;
    ``guide_pages`` are (path, title, plain text). ``findings`` include Sphinx's own warnings.
    """

    bodies: Mapping[str, str]
    description_html: str
    shell: Shell
    guide_pages: tuple[tuple[str, str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    reused: bool = False
    watched: Mapping[str, object] = field(
        default_factory=dict
    )  # files it mentions: [size, mtime], None if absent
    failed: bool = False


def build_prose(campaign: Campaign, site: Site, state: Path, guide: Path) -> Prose:
    """Render all prose, or take it from the last build when nothing that it is made of has changed.

    ``state`` is a folder to work in, ``guide`` the folder of the guide's pages. The guide and the theme's
    files are written to ``site``. When Sphinx itself fails, pages get a bare chrome and a finding says so.
    """
    digest = _digest(campaign, guide)
    cache = state / "prose.json"
    stored = _load(cache)
    if stored.get("digest") == digest and _as_before(campaign.root, stored) and _keep(site, stored["static"]):
        return _prose(campaign, stored, reused=True)
    stage = state / "sphinx"
    try:
        stored = _run_sphinx(campaign, stage, guide)
    except (
        Exception
    ) as error:  # Sphinx and its extensions raise what they like; the site is built all the same
        return _failed(campaign, error)
    stored["digest"] = digest
    stored["static"] = sorted(_publish(campaign, site, stage / "html", stored["files"]))
    cache.write_text(json.dumps(stored), encoding="utf-8")
    return _prose(campaign, stored, reused=False)


def _digest(campaign: Campaign, guide: Path) -> str:
    """One digest over everything that Sphinx would read."""
    hasher = blake3()
    prose = [(b.id, b.format, b.path, b.body) for b in campaign.blocks]
    hasher.update(repr((campaign.title, campaign.description, str(campaign.root), prose)).encode())
    hasher.update(
        " ".join(version_of(p) for p in ("sphinx", "pydata-sphinx-theme", "myst-parser", "docutils")).encode()
    )
    ours = (CHECKOUT / "conf.py", CHECKOUT / "site_src" / "contents.md")
    folders = (
        CHECKOUT / "site_src" / "_templates",
        CHECKOUT / "site_src" / "_static",
        CHECKOUT / "site_src" / "vendor",
        guide,
    )
    code = (Path(__file__).with_name(f"{name}.py") for name in _CODE)
    for path in (*ours, *code, *reference_sources(), *(f for folder in folders for f in _files(folder))):
        hasher.update(f"\0{path.name}\0".encode())
        hasher.update(path.read_bytes())
    return hasher.hexdigest(length=16)


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")))


def _load(cache: Path) -> dict[str, Any]:
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _as_before(root: Path, stored: Mapping[str, Any]) -> bool:
    """Whether the campaign's files that prose mentions are as they were."""
    watched: Mapping[str, object] = stored["watched"]
    return seen(root, watched) == watched


def _keep(site: Site, paths: list[str]) -> bool:
    return all(site.keep(path) for path in paths)


def _run_sphinx(campaign: Campaign, stage: Path, guide: Path) -> dict[str, Any]:
    """Build in the staging folder. Returns what is to be stored; raises whatever Sphinx raises."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    shutil.rmtree(stage, ignore_errors=True)
    source, html = stage / "source", stage / "html"
    _stage(campaign, source, guide)
    warnings = StringIO()
    search_path = list(sys.path)
    with patch_docutils(CHECKOUT), docutils_namespace():
        app = Sphinx(
            source, CHECKOUT, html, stage / "doctrees", "html", {"html_title": campaign.title},
            status=None, warning=warnings, freshenv=True,
        )  # fmt: skip
        app.build()
    sys.path[:] = search_path
    stored: dict[str, Any] = json.loads((html / "harvest.json").read_text(encoding="utf-8"))
    stored["shell"] = Shell.capture(
        {d: (html / ("d/" * d) / "shell.html").read_text(encoding="utf-8") for d in range(DEPTHS)}
    ).to_json()
    stored["html"] = [(b.path, n) for b in campaign.blocks if b.format == "md" for n in html_lines(b.body)]
    stored["warnings"] = _COLOUR.sub("", warnings.getvalue()).replace(f"{source}/", "").splitlines()
    return stored


def _stage(campaign: Campaign, source: Path, guide: Path) -> None:
    """Lay out what Sphinx reads: the guide, one document per block, the description, and the job."""
    source.mkdir(parents=True)
    shutil.copyfile(CHECKOUT / "site_src" / "contents.md", source / "contents.md")
    if guide.is_dir():
        shutil.copytree(guide, source / "guide")
        index = guide / "index.md"
        contents = index.read_text(encoding="utf-8") if index.is_file() else ""
        for name, text in reference_pages().items():  # those that the guide's contents ask for
            if f"\n{name.removesuffix('.md')}\n" in contents and not (guide / name).exists():
                (source / "guide" / name).write_text(text, encoding="utf-8")
    documents = {DESCRIPTION: "campaign.toml"}
    (source / f"{DESCRIPTION}.md").write_text(staged_text(campaign.description, "md"), encoding="utf-8")
    for block in campaign.blocks:
        if block.body.strip():
            document = document_of(block)
            documents[document] = block.path
            path = source / f"{document}.{block.format}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(staged_text(block.body, block.format), encoding="utf-8")
    job = {
        "root": str(campaign.root),
        "documents": documents,
        "pages": {b.path: block_page(b.id) for b in campaign.blocks if b.path},
    }
    (source / "job.json").write_text(json.dumps(job), encoding="utf-8")


def _publish(campaign: Campaign, site: Site, html: Path, files: Mapping[str, str]) -> list[str]:
    """Write the guide, the theme's files, the libraries and the campaign's linked files; returns their paths."""
    made: list[str] = []
    for path in _files(html):
        name = path.relative_to(html).as_posix()
        if name.startswith(("guide/", "_static/", "_images/", "_downloads/")) and not _UNUSED.search(name):
            site.write(name, path.read_bytes())
            made.append(name)
    vendor = CHECKOUT / "site_src" / "vendor"
    for path in _files(vendor):
        name = f"_static/vendor/{path.relative_to(vendor).as_posix()}"
        site.write(name, path.read_bytes())
        made.append(name)
    for name, path_in_campaign in files.items():
        site.copy(name, campaign.root / path_in_campaign)
        made.append(name)
    return made


def _prose(campaign: Campaign, stored: Mapping[str, Any], reused: bool) -> Prose:
    bodies = stored["bodies"]
    return Prose(
        {b.id: _demoted(bodies.get(document_of(b), "")) for b in campaign.blocks},
        _demoted(bodies.get(DESCRIPTION, "")),
        Shell.from_json(stored["shell"]),
        tuple((path, title, text) for path, title, text in stored["guide"]),
        tuple(prose_findings(campaign, stored)),
        reused,
        stored["watched"],
    )


def _demoted(html: str) -> str:
    """Headings one level down: the page's own title is its only h1. (All of it was written by docutils.)"""
    return re.sub(r"(</?h)([1-5])(?=[\s>])", lambda m: f"{m[1]}{int(m[2]) + 1}", html).strip()


def _failed(campaign: Campaign, error: Exception) -> Prose:
    """No prose and a bare chrome, said aloud."""
    what = f"Prose could not be rendered ({type(error).__name__}: {error}); pages have a plain layout."
    finding = Finding(
        "bad-file", what, "conf.py", "Run `make site` again; if it stays, check the installation."
    )
    return Prose(
        {b.id: "" for b in campaign.blocks}, "", Shell.bare(campaign.title), (), (finding,), failed=True
    )
