"""What a person should look at in a campaign that loads well: placeholders, dead links, statements left half."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from campaign.checked import suggestion
from campaign.findings import Finding
from campaign.folder_files import exists, read_text
from campaign.front_matter import read_document
from campaign.markup import read_prose
from campaign.model import Block, Campaign
from campaign.safe_paths import LINK_SCHEMES, local_path, refusal, scheme
from campaign.toml_lines import FileSyntaxError

_PLACEHOLDER = re.compile(
    r"\b(?:TB[ACDRSW]|TODO|FIXME|X{3,})\b"
    r"|\b(?i:lore?m?\s+ipsum)\b"
    r"|\b(?i:to\s+be\s+(?:written|filled(?:\s+in)?|completed|determined|defined|confirmed|decided|added|supplied))"
    r"(?=\s*(?:[.,;:)\]…]|$))"
    r"|\b(?i:(?:insert|put|write|add)\s+(?:\w+\s+){0,3}here)\b"
    r"|\b(?i:coming\s+soon)\b|\?{3,}",
    re.MULTILINE,
)
_SITE = re.compile(
    r"(?:\.\./)*(?:(?:blocks|detectors|procedures|trends|measurements|guide|about)/.*|[a-z]+)\.html$"
)


def lint(campaign: Campaign) -> list[Finding]:
    """Everything in the campaign's texts and links that a person should look at."""
    findings = [*_texts(campaign), *_documents(campaign)]
    for block in campaign.blocks:
        findings += _body(campaign, block)
        findings += _facts(campaign, block)
    return findings


def check_quantities(campaign: Campaign, known: Mapping[str, Collection[str]]) -> list[Finding]:
    """A finding for each limit or [procedures.*] table that names what no procedure measures.

    ``known`` holds the quantities of each procedure that there is.
    """
    findings = []
    for name in campaign.procedures:
        if name not in known:
            what = f"[procedures.{name}] names a procedure that does not exist"
            findings.append(Finding("unknown-name", what, "campaign.toml", suggestion(name, sorted(known))))
    for limit in campaign.limits:
        procedure, _, quantity = limit.quantity.partition(".")
        if procedure not in known:
            what = f"limit {limit.id!r} names the procedure {procedure!r}, which does not exist"
            todo = suggestion(procedure, sorted(known))
        elif quantity not in known[procedure]:
            what = f"limit {limit.id!r} names {quantity!r}, which {procedure} does not measure"
            todo = suggestion(quantity, sorted(known[procedure]))
        else:
            continue
        findings.append(Finding("unknown-name", what, limit.file, todo))
    return findings


def check_caveats(campaign: Campaign, known: Mapping[str, Collection[str]]) -> list[Finding]:
    """A finding for each caveat that has expired and is not resolved, and for each procedure or quantity that one names in vain.

    ``known`` holds the quantities of each procedure that there is.
    """
    findings = []
    names = {"procedures": sorted(known), "quantities": sorted({q for held in known.values() for q in held})}
    full = sorted(f"{p}.{q}" for p, held in known.items() for q in held)
    for caveat in campaign.caveats:
        where = f"caveat {caveat.id}"
        if caveat.expired and caveat.resolved is None:
            what = f"caveat {caveat.id!r} expired on {caveat.expires} and is not resolved"
            findings.append(Finding("expired-caveat", what, where, "resolve it, or give it a later day"))
        for key, held in names.items():
            for pattern in getattr(caveat.scope, key):
                candidates = full if "." in pattern else held
                if not any(fnmatchcase(name, pattern) for name in candidates):
                    what = f"the scope of caveat {caveat.id!r} names {pattern!r}, which matches none of the {key}"
                    findings.append(Finding("unknown-name", what, where, suggestion(pattern, candidates)))
    return findings


def placeholders(text: str) -> list[str]:
    """The words of a text that were meant to be replaced."""
    return [" ".join(found[0].split()) for found in _PLACEHOLDER.finditer(text)]


def _placeholder(text: str, label: str, where: str, block: str | None = None) -> Iterator[Finding]:
    for word in placeholders(text):
        what = f"{label} still holds {word!r}"
        yield Finding("placeholder", what, where, "write what is meant, or take it out", block=block)


def _texts(campaign: Campaign) -> Iterator[Finding]:
    """Placeholders in the short texts of campaign, caveats and limits."""
    yield from _placeholder(campaign.title, "the title", "campaign.toml")
    for _, kind, what, todo in _prose(campaign.root, campaign.description, "md", "the description"):
        yield Finding(kind, what, "campaign.toml", todo)
    for document in campaign.documents:
        for text in (document.title, document.reference, document.note):
            yield from _placeholder(text, f"document {document.title!r}", "campaign.toml")
    for caveat in campaign.caveats:
        blocks = [b for b in caveat.scope.blocks if campaign.block(b)]
        where = f"caveat {caveat.id}"
        yield from _placeholder(
            caveat.text, f"caveat {caveat.id!r}", where, blocks[0] if len(blocks) == 1 else None
        )
    for limit in campaign.limits:
        for text in (limit.document, limit.note):
            yield from _placeholder(text, f"limit {limit.id!r}", limit.file)


def _facts(campaign: Campaign, block: Block) -> Iterator[Finding]:
    """What a block's front matter leaves half said, and its links that lead to nothing."""
    if block.status == "superseded" and not block.superseded_by:
        what = f"block {block.id} is superseded, but not by which block"
        yield Finding("incomplete", what, block.path, "add superseded_by", block=block.id)
    texts = {"the title": block.title, "the status note": block.status_note, "the facility": block.facility}
    texts |= {f"hardware {name}": value for name, value in block.hardware.items()}
    for label, text in texts.items():
        yield from _placeholder(text, f"{label} of block {block.id}", block.path, block.id)
    for link in block.links:
        fault = _dead(campaign.root, (), link.href)
        if fault:
            what = f"the link {link.label!r} of block {block.id} {fault}"
            yield Finding("dead-link", what, block.path, "correct it, or take it out", block=block.id)


def _documents(campaign: Campaign) -> Iterator[Finding]:
    for document in campaign.documents:
        fault = _dead(campaign.root, (), document.href) if document.href else ""
        if fault:
            what = f"the document {document.title!r} {fault}"
            yield Finding("dead-link", what, "campaign.toml", "put the file there, or correct the address")


def _body(campaign: Campaign, block: Block) -> Iterator[Finding]:
    """Placeholders, links and mark-up of a block's prose."""
    first = _body_line(campaign, block)
    base = Path(block.path).parent.as_posix()
    label = f"block {block.id}"
    for line, kind, what, todo in _prose(campaign.root, block.body, block.format, label, (base,)):
        yield Finding(kind, what, f"{block.path}:{first + line - 1}", todo, block=block.id)


def _prose(
    root: Path, text: str, form: str, label: str, bases: tuple[str, ...] = ()
) -> Iterator[tuple[int, str, str, str]]:
    """(line, kind of finding, what, what to do) of all that is wrong with a text."""
    prose = read_prose(text, form)
    for line, seen in prose.text:
        for finding in _placeholder(seen, f"the text of {label}", ""):
            yield line, finding.kind, finding.what, finding.todo
    for line, kind, fault in prose.faults:
        yield line, kind, f"{label}: {fault}", "correct the mark-up"
    for line, target in prose.links:
        named = f"the link to {target!r}" if target else "a link"
        if scheme(target) and refusal(target):
            todo = f"use {', '.join(LINK_SCHEMES)}"
            yield line, "unsafe-path", f"{label}: {named} is not used: it {refusal(target)}", todo
            continue
        fault = _dead(root, bases, target)
        if fault:
            yield line, "dead-link", f"{label}: {named} {fault}", "correct it, or take it out"


def _dead(root: Path, bases: tuple[str, ...], href: str) -> str:
    """Why a link leads to nothing, in words that follow 'the link …'; '' when it may lead somewhere.

    Web addresses are not asked for. A path may be relative to the campaign folder or to one of ``bases``.
    """
    if not href.strip():
        return "has no target"
    if scheme(href):
        return "has no host" if re.fullmatch(r"https?:/*", href.strip()) else ""
    path = local_path(href)
    if not path or _SITE.match(path):  # an anchor of the same page, or a page of the site
        return ""
    inside = [base for base in ("", *bases) if not refusal(f"{base}/{path}" if base else path)]
    if not inside:
        return "leads out of the campaign folder, where the site has nothing"
    return "" if any(exists(root / base / path) for base in inside) else "leads to nothing"


def _body_line(campaign: Campaign, block: Block) -> int:
    """The line of the block's file on which its prose begins; 1 when the file cannot be asked."""
    try:
        document = read_document(read_text(campaign.root / block.path))
    except FileSyntaxError:
        return 1
    return document.body_line if document.body == block.body else 1
