"""Block files: facts in front matter, prose in Markdown or reStructuredText, and the block's own caveats."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field

from campaign.checked import Checker
from campaign.findings import Finding
from campaign.folder_files import files_of, read_text, relative, unreadable
from campaign.front_matter import read_document
from campaign.located import Entry, Node
from campaign.model import Block, Caveat
from campaign.toml_lines import FileSyntaxError


class BlockCaveat(Caveat):
    """A caveat in a block's front matter; where its scope names no block, it is this one."""

    id: str = Field("", description="Short name, for links; by default the block's with a number")


class FrontMatter(Block):
    """The front matter of a block file."""

    caveats: tuple[BlockCaveat, ...] = Field(
        (), description="Known problems of the block: tables as in caveats.toml, or just sentences"
    )


def read_blocks(root: Path) -> tuple[list[Entry[Block]], list[Entry[Caveat]], list[Finding]]:
    """The blocks by file name, the caveats in their front matter, and what is wrong with the files."""
    paths, findings = files_of(root, "blocks", (".md", ".rst"))
    blocks: list[Entry[Block]] = []
    caveats: list[Entry[Caveat]] = []
    for path in paths:
        entry, own, found = read_block(root, path)
        findings += found
        if entry is None:
            continue
        twin = next((b for b in blocks if b.value.id.casefold() == entry.value.id.casefold()), None)
        if twin is None:
            blocks.append(entry)
            caveats += own
        else:
            what = f"{entry.file} is not used: {twin.file} has the same block name {twin.value.id!r}"
            findings.append(Finding("bad-value", what, entry.where("id"), "give it another id"))
    return blocks, caveats, findings


def read_block(root: Path, path: Path) -> tuple[Entry[Block] | None, list[Entry[Caveat]], list[Finding]]:
    """One block file; None when it cannot be used."""
    file = relative(root, path)
    try:
        document = read_document(read_text(path))
    except FileSyntaxError as error:
        return None, [], [unreadable(file, error, block=path.stem)]
    facts = document.facts
    block_id = _block_id(facts, path.stem)
    checker = Checker(file, block=block_id, strict=False)
    if not _is_name(block_id):
        line = facts.nearest(("id",))[1].line
        checker.report(
            "bad-value", line, f"{block_id!r} cannot name a block", "leave out '/' and control characters"
        )
        return None, [], checker.findings
    _sentences(facts)
    read = checker.check(FrontMatter, facts)
    if read is None:
        return None, [], checker.findings
    values = {name: getattr(read, name) for name in Block.model_fields}
    values |= {
        "id": block_id,
        "title": read.title or block_id,
        "body": document.body,
        "format": "rst" if path.suffix.lower() == ".rst" else "md",
        "path": file,
    }
    caveats = [
        Entry(_caveat(own, block_id, n), facts.nearest(("caveats", n))[1], file)
        for n, own in enumerate(read.caveats)
    ]
    return Entry(Block.model_validate(values), facts, file), caveats, checker.findings


def _block_id(facts: Node, stem: str) -> str:
    given = facts.child("id")
    return given.value.strip() if given and isinstance(given.value, str) and given.value.strip() else stem


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[^/\\\x00-\x1f\x7f]+", text) is not None and text.strip(". ") != ""


def _sentences(facts: Node) -> None:
    """Turn caveats that are just sentences into tables."""
    caveats = facts.child("caveats")
    for item in caveats.value if caveats and isinstance(caveats.value, list) else []:
        if isinstance(item.value, str):
            item.value = {"text": Node(item.value, item.line)}


def _caveat(own: BlockCaveat, block: str, place: int) -> Caveat:
    scope = own.scope if own.scope.blocks else own.scope.model_copy(update={"blocks": (block,)})
    values = {name: getattr(own, name) for name in Caveat.model_fields}
    return Caveat.model_validate(values | {"id": own.id or f"{block}-{place + 1}", "scope": scope})
