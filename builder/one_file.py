"""A report in one file, for e-mail: pages of the built site with their styles and pictures within, as HTML or as PDF.

What is read is the site alone, as it was built or archived, so that the file shows what the site shows. Scripts, and the dark
copies of figures, are left out. Anchors are kept; where several pages become one file, each further page has its own prefix.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from posixpath import normpath
from urllib.parse import quote, unquote, urlsplit

from builder.render.addresses import CAMPAIGN_JSON, block_page, numbers_page, test_page

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
"""Commands that can print a page, in the order in which they are looked for on PATH."""
PRINTING = 300.0
"""Seconds after which a browser that does not come back is given up."""
STYLES = ("calbook.css", "tables.css", "chrome.css")
_BASIS = """
*, ::before, ::after { box-sizing: border-box; } html { background: var(--paper); color: var(--ink); }
body { margin: 0 auto; max-width: 80rem; padding: 1rem 1.25rem 3rem; font-family: var(--pst-font-family-base); line-height: 1.5; }
a { color: var(--link); } img { vertical-align: middle; } figure { margin: 0 0 1rem; } pre { overflow: auto; } table { border-collapse: collapse; } dl, dd { margin: 0; }
.report-head, .report-foot { color: var(--muted); font-size: .87rem; border-bottom: 1px solid var(--line); padding-bottom: .4rem; margin-bottom: 1rem; }
.report-foot { border: 0; border-top: 1px solid var(--line); padding: .4rem 0 0; margin: 2rem 0 0; } article + article { border-top: 2px solid var(--line-strong); margin-top: 3rem; padding-top: 1rem; }
h1 { font-size: 1.6rem; } .bd-article span.frame { color: inherit; } @media print { article + article { break-before: page; border: 0; margin: 0; } body { max-width: none; padding: 0; } .strip { max-height: none; } .bd-article table { font-size: 7.3pt; } .bd-article :is(th, td) { padding-inline: .3em; } .bd-article table.data :is(th, td) { white-space: normal; } }
"""
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_DROPPED = frozenset(("script", "noscript", "button", "style", "template", "iframe", "object", "form"))
_REFERENCES = ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers")


class ReportError(Exception):
    """A report cannot be made; the message says why and what to do."""


def pages_of(site: Path, what: str, *, tests: bool = False) -> list[str]:
    """The pages of a block ('BORN', with ``tests`` those of its tests too) or of a test ('BORN/PTC01'), with the page of all its numbers.

    Raises ReportError when the site has no such block or test, or is no built site.
    """
    try:
        blocks = json.loads((site / CAMPAIGN_JSON).read_bytes())["blocks"]
        known = {str(b["id"]): [str(t["name"]) for t in b["tests"]] for b in blocks}
    except (OSError, ValueError, KeyError, TypeError):
        raise ReportError(f"There is no built site in {site}: build it first.") from None
    block, _, test = what.strip("/").partition("/")
    if block not in known:
        raise ReportError(f"There is no block {block!r}.{_meant(block, known)}")
    if not test:
        return [
            block_page(block),
            *(page for t in known[block] if tests for page in _of_test(site, block, t)),
        ]
    if test not in known[block]:
        raise ReportError(f"Block {block} has no test {test!r}.{_meant(test, known[block])}")
    return _of_test(site, block, test)


def _of_test(site: Path, block: str, test: str) -> list[str]:
    numbers = numbers_page(block, test)
    return [test_page(block, test), *([numbers] if (site / numbers).exists() else [])]


def report_html(site: Path, pages: Sequence[str], *, base: str = "") -> str:
    """Pages of a built site as one HTML file that needs nothing else.

    Links to other pages become links below ``base``, the address at which the site is served, or plain text where there
    is none. Raises ReportError when a page or something that it shows cannot be read.
    """
    prefixes = {page: "" if n == 0 else f"{PurePosixPath(page).stem}--" for n, page in enumerate(pages)}
    base = base if not base or base.endswith("/") else f"{base}/"
    if base and urlsplit(base).scheme not in ("http", "https", "file"):
        raise ReportError(
            f"{base!r} is no address of a site: give it as in https://example.org/calibration/."
        )
    articles = [_article(site, page, prefixes, base) for page in pages]
    title, build, built_at, calbook = _about(site)
    heading = articles[0].title or pages[0]
    where = (
        f'<a href="{escape(base + quote(pages[0]))}">{escape(base + pages[0])}</a>'
        if base
        else f"<code>{escape(pages[0])}</code>"
    )
    told = f"Build {build} of {escape(built_at[:16].replace('T', ' '))} UTC, calbook {escape(calbook)}"
    styles = "\n".join(_read(site / "_static" / name).decode("utf-8") for name in STYLES).replace(
        "</", "<\\/"
    )
    body = "\n".join(
        f'<article class="bd-article" id="{escape(a.prefix)}top">{a.html}</article>' for a in articles
    )
    return (
        '<!DOCTYPE html>\n<html lang="en" data-theme="light"><head><meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)} — {escape(title)}</title>\n<style>{styles}\n{_BASIS}</style></head>\n<body>\n"
        f'<header class="report-head">{escape(title)} · {told}</header>\n<main>{body}</main>\n'
        f'<footer class="report-foot">From {where} of the campaign\'s site, in one file. Figures that are interactive there are pictures here.</footer>\n'
        "</body></html>\n"
    )


def report_pdf(html: str, environ: Mapping[str, str]) -> bytes:
    """A report as PDF, printed by a headless Chromium that is found on PATH; anchors and headings are kept.

    Raises ReportError when there is no such browser or it fails.
    """
    found = next(filter(None, (shutil.which(name, path=environ.get("PATH")) for name in BROWSERS)), None)
    if found is None:
        raise ReportError(
            f"A PDF is printed by a headless browser, and none of {', '.join(BROWSERS[:4])} is on PATH. "
            "Install Chromium, or make --format html and print that."
        )
    with tempfile.TemporaryDirectory(prefix="calbook-report-") as work:
        page, out = Path(work) / "report.html", Path(work) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        command = [
            found, "--headless", "--disable-gpu", "--disable-extensions", "--no-first-run", f"--user-data-dir={work}/profile",
            "--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={out}",
        ]  # fmt: skip
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses to run for root with it
        try:
            done = subprocess.run(
                [*command, page.as_uri()], capture_output=True, timeout=PRINTING, check=False
            )
        except subprocess.TimeoutExpired:
            raise ReportError(f"{found} did not finish within {PRINTING:.0f} s.") from None
        if not out.is_file() or out.stat().st_size == 0:
            said = done.stderr.decode(errors="replace").strip()[-300:]
            raise ReportError(f"{found} made no PDF (exit status {done.returncode}): {said}")
        return out.read_bytes()


def _meant(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = get_close_matches(name, list(known), 1, 0.5)
    return f" Did you mean {near[0]}?" if near else f" There are: {', '.join(list(known)[:20]) or 'none'}."


def _about(site: Path) -> tuple[str, object, str, str]:
    said = json.loads((site / CAMPAIGN_JSON).read_bytes())
    return str(said["title"]), said["build"], str(said["built_at"]), str(said["versions"].get("calbook", ""))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReportError(
            f"{path} cannot be read ({error.strerror or error}): build the site again."
        ) from None


def _article(site: Path, page: str, prefixes: Mapping[str, str], base: str) -> _Article:
    article = _Article(site, page, prefixes, base)
    article.feed(_read(site / page).decode("utf-8"))
    article.close()
    if not article.found:
        raise ReportError(f"{page} has no article: it was not made by this calbook. Build the site again.")
    return article


class _Article(HTMLParser):
    """The article of a page, made to stand alone: pictures within, links mended, scripts gone."""

    def __init__(self, site: Path, page: str, prefixes: Mapping[str, str], base: str) -> None:
        super().__init__(convert_charrefs=False)
        self.site, self.page, self.base = site, page, base
        self.prefixes, self.prefix = prefixes, prefixes[page]
        self.found = False
        self._title = ""
        self._out: list[str] = []
        self._depth = 0  # of articles; 0 outside of the page's
        self._skipped: list[str] = []  # open elements within one that is left out
        self._ends: list[str] = []  # what ends each open link
        self._in_title = False

    @property
    def html(self) -> str:
        """What was made of it."""
        return "".join(self._out)

    @property
    def title(self) -> str:
        """The page's own title, without the campaign's."""
        return unescape(self._title).rpartition(" — ")[0].strip() or unescape(self._title).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title" and not self.found
        held = {name: value or "" for name, value in attrs}
        classes = held.get("class", "").split()
        if not self._depth:
            if tag == "article" and "bd-article" in classes:
                self._depth, self.found = 1, True
            return
        if self._skipped or self._left_out(tag, classes):
            if tag not in _VOID:
                self._skipped.append(tag)
            return
        self._depth += tag == "article"
        if tag == "a":
            tag, held = self._link(held)
            self._ends.append(tag)
        elif tag in ("img", "source"):
            held = self._picture(held)
        if "id" in held:
            held["id"] = self.prefix + held["id"]
        for name in _REFERENCES:
            if name in held:
                held[name] = " ".join(self.prefix + ident for ident in held[name].split())
        self._out.append(
            f"<{tag}{''.join(_attribute(n, v) for n, v in held.items() if not n.startswith('on'))}>"
        )

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if self._skipped:
            if tag in self._skipped:
                while self._skipped.pop() != tag:
                    pass
            return
        if not self._depth:
            return
        self._depth -= tag == "article"
        if self._depth and tag not in _VOID:
            self._out.append(f"</{self._ends.pop() if tag == 'a' and self._ends else tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title += data
        elif self._depth and not self._skipped:
            self._out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def _left_out(self, tag: str, classes: Sequence[str]) -> bool:
        """Scripts and what needs them; the dark copy of a figure; where nothing is linked, links to a figure's files."""
        return (
            tag in _DROPPED
            or "headerlink" in classes
            or (tag == "img" and "only-dark" in classes)
            or ("plot-links" in classes and not self.base)
        )

    def _link(self, held: dict[str, str]) -> tuple[str, dict[str, str]]:
        href = held.get("href", "")
        parts = urlsplit(href)
        if parts.scheme or href.startswith("//"):
            return "a", held
        place = (
            normpath((PurePosixPath(self.page).parent / unquote(parts.path)).as_posix())
            if parts.path
            else self.page
        )
        if place in self.prefixes:
            anchor = self.prefixes[place] + (unquote(parts.fragment) or "top")
            return "a", {**held, "href": f"#{quote(anchor)}"}
        if self.base and not place.startswith(".."):
            address = self.base + quote(place) + (f"#{parts.fragment}" if parts.fragment else "")
            return "a", {n: v for n, v in held.items() if n != "download"} | {"href": address}
        kept = {n: v for n, v in held.items() if n not in ("href", "download", "rel", "target", "aria-label")}
        return "span", kept

    def _picture(self, held: dict[str, str]) -> dict[str, str]:
        src = held.pop("src", "")
        held.pop("srcset", None)
        held.pop("loading", None)
        if urlsplit(src).scheme == "data":
            return {**held, "src": src}
        if urlsplit(src).scheme or src.startswith("//"):
            return {**held, "alt": held.get("alt") or src}  # elsewhere: nothing is fetched
        place = normpath((PurePosixPath(self.page).parent / unquote(urlsplit(src).path)).as_posix())
        if place.startswith(".."):
            raise ReportError(f"{self.page} shows {src}, which is not within the site.")
        kind = mimetypes.guess_type(place)[0] or (
            "image/webp" if place.endswith(".webp") else "application/octet-stream"
        )
        data = base64.b64encode(_read(self.site / place)).decode("ascii")
        return {**held, "src": f"data:{kind};base64,{data}"}


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value or name in ("alt", "value") else f" {name}"


def file_name(what: str, form: str) -> str:
    """The name of a report's file: 'BORN-PTC01.html'."""
    return re.sub(r"[^\w.+-]+", "-", what.strip("/")).strip("-.") + f".{form}"
