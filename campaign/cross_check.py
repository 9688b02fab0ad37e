"""What the parts of a campaign say of one another: names that must exist, dates in order, names used once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date as Date  # noqa: N812
from fnmatch import fnmatchcase
from typing import TypeVar

from pydantic import BaseModel

from campaign.checked import suggestion
from campaign.findings import Finding
from campaign.limit_lint import limit_faults
from campaign.located import Entry
from campaign.model import Block, CampaignFile, Caveat, CertificationUse, Detector, Limit, Scope
from campaign.series import SeriesTable

Known = Mapping[str, Sequence[str]]
"""The names that the campaign has: 'blocks', 'detectors', 'channels'."""

M = TypeVar("M", bound=BaseModel)


def known_names(entry: Entry[CampaignFile], detectors: Sequence[Detector], blocks: Iterable[str]) -> Known:
    """The names that may be named. A detector that could not be used was reported, and counts as known."""
    channels = dict.fromkeys(c.name for d in detectors for c in d.geometry.channels)
    return {
        "blocks": list(blocks),
        "detectors": list(entry.value.detectors),
        "channels": list(channels),
    }


def with_series(known: Known, tables: Iterable[SeriesTable]) -> Known:
    """The names with those that tables of values over time bring: a lamp is a detector there."""
    rows = [row for table in tables for row in table.rows]
    return {
        **known,
        "detectors": list(dict.fromkeys([*known["detectors"], *(r.detector for r in rows if r.detector)])),
        "channels": list(dict.fromkeys([*known["channels"], *(r.channel for r in rows if r.channel)])),
    }


def once(entries: Iterable[Entry[M]], what: str, findings: list[Finding]) -> list[Entry[M]]:
    """The entries less those whose id was used before."""
    kept: dict[str, Entry[M]] = {}
    for entry in entries:
        name = str(getattr(entry.value, "id"))  # noqa: B009 - every model given here has an id
        if name in kept:
            told = f"the {what} {name!r} is not used: {kept[name].where('id')} has the same id"
            findings.append(Finding("bad-value", told, entry.where("id"), "give it another id"))
        else:
            kept[name] = entry
    return list(kept.values())


def sound_block(entry: Entry[Block], known: Known) -> tuple[Block, list[Finding]]:
    """The block less names and dates that cannot be, and what those were."""
    block, findings = entry.value, []
    update: dict[str, object] = {}
    if _backwards(block.start, block.end):
        what = f"block {block.id} ends ({block.end}) before it starts ({block.start}); the end is not used"
        findings.append(Finding("bad-value", what, entry.where("end"), "correct the dates", block=block.id))
        update["end"] = None
    for key in ("supersedes", "superseded_by"):
        other = getattr(block, key)
        if other == block.id:
            what = f"{key} of block {block.id} names the block itself; it is not used"
            findings.append(
                Finding("bad-value", what, entry.where(key), "name the other block", block=block.id)
            )
            update[key] = ""
        elif other and other not in known["blocks"]:
            what = f"{key} of block {block.id} names {other!r}, which is no block; it is not used"
            findings.append(
                Finding(
                    "unknown-name", what, entry.where(key), suggestion(other, known["blocks"]), block=block.id
                )
            )
            update[key] = ""
    for place, name in enumerate(block.detectors):
        if name not in known["detectors"]:
            what = f"block {block.id} names the detector {name!r}, which the campaign does not have"
            where = entry.where("detectors", place)
            findings.append(
                Finding("unknown-name", what, where, suggestion(name, known["detectors"]), block=block.id)
            )
    return block.model_copy(update=update), findings


def sound_caveat(entry: Entry[Caveat], known: Known) -> tuple[Caveat, list[Finding]]:
    """The caveat less dates that cannot be, and what is wrong with it. It is shown too widely, never lost."""
    caveat = entry.value
    label = f"caveat {caveat.id!r}"
    findings = scope_findings(entry, caveat.scope, label, known)
    if _backwards(caveat.scope.start, caveat.scope.end):
        what = f"the scope of {label} ends before it starts; its dates are not used"
        findings.append(Finding("bad-value", what, entry.where("scope", "end"), "correct the dates"))
        caveat = caveat.model_copy(
            update={"scope": caveat.scope.model_copy(update={"start": None, "end": None})}
        )
    if _backwards(caveat.date, caveat.resolved):
        what = f"{label} is resolved ({caveat.resolved}) before it is known ({caveat.date}); it stays open"
        findings.append(Finding("bad-value", what, entry.where("resolved"), "correct the dates"))
        caveat = caveat.model_copy(update={"resolved": None})
    if _backwards(caveat.date, caveat.expires):
        what = f"{label} expires ({caveat.expires}) before it is known ({caveat.date}); it does not expire"
        findings.append(Finding("bad-value", what, entry.where("expires"), "correct the dates"))
        caveat = caveat.model_copy(update={"expires": None})
    return caveat, findings


def sound_limit(entry: Entry[Limit], known: Known) -> tuple[Limit | None, list[Finding]]:
    """The limit, or None when it cannot be judged by; and what is wrong with it."""
    limit = entry.value
    label = f"limit {limit.id!r}"
    findings = scope_findings(entry, limit.scope, label, known)
    faults = list(limit_faults(limit))
    if _backwards(limit.scope.start, limit.scope.end):
        faults.append(("scope", "its validity ends before it starts", "correct the dates"))
    for key, what, todo in faults:
        findings.append(
            Finding("bad-value", f"{label} is not used: {what}", entry.where(*key.split(".")), todo)
        )
    block = limit.relative_to.block if limit.relative_to else ""
    if block and block not in known["blocks"]:
        what = f"{label} is relative to a test of {block!r}, which is no block"
        where = entry.where("relative_to", "block")
        findings.append(Finding("unknown-name", what, where, suggestion(block, known["blocks"])))
    if limit.kind == "range" and limit.stated == (None, None) and not faults:
        what = f"{label} has neither low nor high: it accepts everything"
        findings.append(
            Finding(
                "incomplete", what, entry.where(), "give it low, high or both, or a reference ± tolerance"
            )
        )
    update = {"file": entry.file, "line": entry.node.line}
    return (None if faults else limit.model_copy(update=update)), findings


def certification(entry: Entry[CampaignFile], known: Known) -> list[Finding]:
    """What is wrong with the rules of certification: names used twice, scopes that match nothing or run backwards."""
    findings: list[Finding] = []
    rules = entry.value.certification.rules
    entries = [
        Entry(rule, entry.node.nearest(("certification", "rules", n))[1], entry.file)
        for n, rule in enumerate(rules)
    ]
    for n, held in enumerate(entries):
        label = f"certification rule {held.value.name!r}"
        findings += scope_findings(held, held.value.scope, label, known)
        if held.value.name in (r.name for r in rules[:n]):
            what = f"{label} is not used: an earlier one has the same name"
            findings.append(Finding("bad-value", what, held.where("name"), "give it another name"))
        if _backwards(held.value.scope.start, held.value.scope.end):
            what = f"{label} is not used: its scope ends before it starts"
            findings.append(Finding("bad-value", what, held.where("scope"), "correct the dates"))
    return findings


def sound_certification(use: CertificationUse) -> CertificationUse:
    """The reasons, and the rules that can be used: what ``certification`` told of is left out."""
    kept = {r.name: r for r in reversed(use.rules)}
    rules = (r for r in use.rules if kept[r.name] is r and not _backwards(r.scope.start, r.scope.end))
    return use.model_copy(update={"rules": tuple(rules)})


def scope_findings(entry: Entry[M], scope: Scope, label: str, known: Known) -> list[Finding]:
    """A finding for each pattern of a scope that matches nothing the campaign has."""
    findings = []
    for key, names in known.items():
        for place, pattern in enumerate(getattr(scope, key)):
            if (names or key == "blocks") and not any(fnmatchcase(name, pattern) for name in names):
                what = f"the scope of {label} names {pattern!r}, which matches none of the {key}"
                where = entry.where("scope", key, place)
                findings.append(Finding("unknown-name", what, where, suggestion(pattern, names)))
    return findings


def campaign_names(entry: Entry[CampaignFile], known: Known) -> list[Finding]:
    """A finding for each block or detector that campaign.toml names and that does not exist."""
    data = entry.value.data
    named = [
        ("block", s.block, known["blocks"], entry.where("sources", n, "block"), f"source {s.id!r}")
        for n, s in enumerate(entry.value.sources)
    ]
    named += [
        ("block", name, known["blocks"], entry.where("data", "block_folders", name), "data.block_folders")
        for name in data.block_folders
    ]
    named.append(
        ("detector", data.detector, known["detectors"], entry.where("data", "detector"), "data.detector")
    )
    return [
        Finding(
            "unknown-name",
            f"{label} names the {kind} {name!r}, which does not exist",
            where,
            suggestion(name, names),
        )
        for kind, name, names, where, label in named
        if name and name not in names
    ]


def _backwards(first: Date | None, last: Date | None) -> bool:
    return first is not None and last is not None and last < first
