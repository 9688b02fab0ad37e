"""Import of a hand-written record: reStructuredText pages → a campaign folder.

Sections about tested units become blocks, their CAUTIONs and CAVEATS caveats, links of other sections documents. The
pages themselves are kept under ``documents/imported``; what was not placed anywhere else is listed with its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from campaign.findings import Finding
from campaign.names import slug
from campaign.rst_pages import (
    LINK,
    BlockSection,
    FoundLink,
    Section,
    is_block,
    paragraphs,
    read_block,
    read_dates,
    sections,
)

HEAD = """\
# A campaign imported from hand-written pages. Look through it, correct what was misread, and build it with:
#   calbook build <this folder>

[campaign]
id = {id}
title = {title}
description = {description}

[data]
roots = []  # directories of frames, once they are at hand
"""


def import_pages(files: Sequence[Path], into: Path, *, base: str = "") -> tuple[list[Path], list[Finding]]:
    """Write a campaign folder from pages; returns the files written and the findings.

    ``base`` is the address at which the pages were served: relative links are then resolved against it.
    Raises FileExistsError when ``into`` holds anything, FileNotFoundError for a page that is not there.
    """
    if into.exists() and any(into.iterdir()):
        raise FileExistsError(f"{into} is not empty: name a new folder for the imported campaign.")
    pages = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in files}
    return _Import(into, base).run(pages)


class _Import:
    def __init__(self, into: Path, base: str) -> None:
        self.into = into
        self.base = base
        self.findings: list[Finding] = []
        self.written: list[Path] = []
        self.blocks: dict[str, BlockSection] = {}
        self.documents: list[dict[str, str | date]] = []
        self.people: list[dict[str, str]] = []
        self.caveats: list[tuple[str, str, str]] = []  # text, severity, block or ''
        self.title = ""
        self.description = ""

    def run(self, pages: dict[str, str]) -> tuple[list[Path], list[Finding]]:
        # the front page first: it gives the campaign its title
        for name, text in sorted(pages.items(), key=lambda page: "index" not in page[0].lower()):
            self._page(name, text)
            self._write(f"documents/imported/{name}", text)
        for block in self.blocks.values():
            if target := self.blocks.get(block.superseded_by):
                target.supersedes = block.id
        for block in self.blocks.values():
            self._write_block(block)
        self._write_campaign()
        self._write_caveats()
        self._write_findings()
        return self.written, self.findings

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────

    def _page(self, name: str, text: str) -> None:
        for section in sections(text):
            if is_block(section):
                self._block(name, read_block(section))
            else:
                self._other(name, section)

    def _block(self, name: str, block: BlockSection) -> None:
        where = f"{name}:{block.line}"
        earlier = self.blocks.get(block.id)
        if earlier is not None:
            self._note(
                "duplicate-test",
                f"the block {block.id} is described twice; the first description is kept",
                where,
            )
            return
        block.rest = [(line, text) for line, text in block.rest if text != "\0caveats"]
        self.blocks[block.id] = block
        if block.start is None:
            self._note("not-placed", f"no dates were recognised for the block {block.id}", where)
        block.links = [link for link in block.links if self._usable(name, block, link)]
        self.caveats += [(c.text, c.severity, block.id) for c in block.caveats]

    def _usable(self, name: str, block: BlockSection, link: FoundLink) -> bool:
        where = f"{name}:{link.line}"
        if link.broken:
            self._note(
                "dead-link",
                f"the link {link.label!r} lacks its closing underscore; it was repaired",
                where,
                block.id,
            )
        resolved = self._resolve(link.href)
        if resolved:
            link.href = resolved
            return True
        self._note(
            "dead-link",
            f"{link.label!r} leads to {link.href}, relative to a site that is not named",
            where,
            block.id,
        )
        block.rest.append((link.line, f"{link.label} (at ``{link.href}`` of the old site)"))
        return False

    def _resolve(self, href: str) -> str:
        if urlsplit(href).scheme in ("http", "https", "mailto"):
            return href
        return urljoin(self.base, href) if self.base else ""

    def _other(self, name: str, section: Section) -> None:
        """A section about something else: its links become documents, its fields people, the rest is listed."""
        text = "\n".join(section.lines)
        if section.level == 1 and not self.title:
            self.title = section.title
        author, contact = (re.search(rf"^:{f}:\s*(.+)$", text, re.MULTILINE) for f in ("Author", "Contact"))
        if author:
            self.people.append({"name": author[1].strip(), "contact": contact[1].strip() if contact else ""})
        when = read_dates(text) if "release" in section.title.lower() else None
        for found in LINK.finditer(re.sub(r"\s*\n\s*", " ", text)):
            label = found["label"].strip(" .") or section.title
            href = self._resolve(re.sub(r"\s+", "", found["href"]))
            document: dict[str, str | date] = {
                "title": f"{section.title}: {label}" if section.title else label,
                "href": href,
            }
            if not href:
                document["note"] = f"at {found['href'].strip()} of the old site"
            if when:
                document["date"] = when[0]
            self.documents.append(document)
            if not found["mark"]:
                self._note(
                    "dead-link",
                    f"the link {label!r} lacks its closing underscore; it was repaired",
                    f"{name}:{section.start}",
                )
        for line, paragraph in paragraphs(section):
            self._leftover(name, section, line, " ".join(part.strip() for part in paragraph))

    def _leftover(self, name: str, section: Section, line: int, text: str) -> None:
        plain = text.replace("**", "")
        if found := re.match(r"CAVEATS?\s*:\s*(.+)$", plain):
            self.caveats.append((found[1], "info", ""))
        elif (
            not self.description
            and section.level == 1
            and section.title == self.title
            and plain[:1].isalpha()
            and plain.endswith(".")
        ):
            self.description = plain
        elif not plain.startswith(":Author:") and not LINK.fullmatch(plain.rstrip(".")):
            self._note("not-placed", plain, f"{name}:{line}")

    def _note(self, kind: str, what: str, where: str, block: str | None = None) -> None:
        todo = {
            "dead-link": "Check the address in the block's file.",
            "not-placed": "Look whether it belongs into a block, a caveat or the description; the page is kept.",
        }.get(kind, "Compare the two in documents/imported.")
        self.findings.append(Finding(kind, what, where, todo, block=block))

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────

    def _write(self, name: str, text: str) -> None:
        path = self.into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
        self.written.append(path)

    def _write_block(self, block: BlockSection) -> None:
        import yaml

        dry = "dry" in block.title.lower()
        front: dict[str, object] = {
            "id": block.id, "title": block.title, "kind": "dry run" if dry else "block", "status": block.status,
            "status_note": block.status_note, "start": block.start, "end": block.end, "facility": block.facility,
            "hardware": block.hardware, "supersedes": block.supersedes,
            "superseded_by": block.superseded_by if block.superseded_by in self.blocks else "",
            "data_archived": block.data_archived,
            "links": [{"label": link.label, "href": link.href} for link in block.links],
        }  # fmt: skip
        kept = {k: v for k, v in front.items() if v not in ("", None, {}, [], False)}
        body = "\n\n".join(text for _, text in sorted(block.rest))
        head = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=110)
        self._write(f"blocks/{slug(block.id)}.rst", f"---\n{head}---\n\n{body}\n")

    def _write_campaign(self) -> None:
        title = self.title or "Imported campaign"
        text = HEAD.format(
            id=_toml(slug(self.into.resolve().name)), title=_toml(title), description=_toml(self.description)
        )
        names = sorted({n for b in self.blocks.values() for n in b.hardware if n.upper().startswith("CCD")})
        text += "".join(
            f'\n[detectors.{n.upper().removesuffix("_SN")}]\ngeometry = "euclid-vis"  # correct it where it is not\n'
            for n in names
        )
        for person in self.people:
            text += "\n[[people]]\n" + _table(person)
        for document in self.documents:
            text += "\n[[documents]]\n" + _table(document)
        for block in self.blocks.values():
            for link in block.links:
                if "docs.google.com/spreadsheets" in link.href:
                    text += f"\n# the test record of {block.id}; remove the marks to read it at each build\n"
                    source = {"id": f"record-{slug(block.id)}", "block": block.id, "address": link.href}
                    text += "".join(f"# {line}\n" for line in ("[[sources]]\n" + _table(source)).splitlines())
        self._write("campaign.toml", text)

    def _write_caveats(self) -> None:
        text = "# Known problems, each with what it touches.\n"
        numbers: dict[str, int] = {}
        for words, severity, block in self.caveats:
            numbers[block] = numbers.get(block, 0) + 1
            name = f"{slug(block) if block else 'campaign'}-{numbers[block]}"
            text += "\n[[caveat]]\n" + _table({"id": name, "text": words, "severity": severity})
            if block:
                text += f"scope = {{ blocks = [{_toml(block)}] }}\n"
        self._write("caveats.toml", text)

    def _write_findings(self) -> None:
        """Keep beside the pages what was not placed or had to be repaired: the terminal forgets it."""
        if self.findings:
            lines = [f"- {f.where}: {f.kind}: {f.what}" for f in self.findings]
            head = "# What the import could not place, or repaired\n\nThe pages themselves are beside this file.\n\n"
            self._write("documents/imported/NOT_PLACED.md", head + "\n".join(lines))


def _table(values: dict[str, str | date] | dict[str, str]) -> str:
    return "".join(f"{k} = {_toml(v)}\n" for k, v in values.items() if v)


def _toml(value: str | date) -> str:
    """A TOML value. JSON's strings are TOML's, but for the delete character."""
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
