"""What a campaign promises of its procedures: how often their tests are taken, and what they are compared with."""

from __future__ import annotations

import re

from campaign.checked import suggestion
from campaign.cross_check import Known
from campaign.findings import Finding
from campaign.located import Entry
from campaign.model import Campaign, CampaignFile

_UNITS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
MOST_DAYS = 3660
"""A promise of more than ten years is a slip of the pen."""


def days_of(text: str) -> int | None:
    """Days of a promise: '1 day' → 1, '2 weeks' → 14; None for what is none, '' included."""
    found = re.fullmatch(r"\s*([0-9]{1,4})\s*([a-z]+)\s*", text, re.IGNORECASE)
    if found is None or found[2].lower() not in _UNITS:
        return None
    days = int(found[1]) * _UNITS[found[2].lower()]
    return days if 1 <= days <= MOST_DAYS else None


def promised(campaign: Campaign) -> dict[str, int]:
    """Days between tests that are promised, by procedure, in the order of the file."""
    held = {name: days_of(use.every) for name, use in campaign.procedures.items()}
    return {name: days for name, days in held.items() if days is not None}


def place_of(reference: str) -> tuple[str, str] | None:
    """(block, test) of a reference 'BLOCK/TEST'; None for what is none."""
    block, slash, test = reference.partition("/")
    return (block.strip(), test.strip()) if slash and block.strip() and test.strip() else None


def faults(entry: Entry[CampaignFile], known: Known) -> list[Finding]:
    """Promises that cannot be kept because they cannot be understood, and blocks to compare that do not exist."""
    findings = []
    for name, use in entry.value.procedures.items():
        if use.every and days_of(use.every) is None:
            what = f"procedures.{name}.every is {use.every!r}, so nothing is promised of {name}"
            where = entry.where("procedures", name, "every")
            findings.append(Finding("bad-value", what, where, "write a span such as 1 day or 2 weeks"))
        if use.reference and place_of(use.reference) is None:
            what = f"procedures.{name}.reference is {use.reference!r}, which names no test; it is not used"
            where = entry.where("procedures", name, "reference")
            findings.append(Finding("bad-value", what, where, "write BLOCK/TEST"))
    for n, pair in enumerate(entry.value.compare):
        for key, block in (("block", pair.block), ("other", pair.other)):
            if block not in known["blocks"]:
                what = f"[[compare]] names the block {block!r}, which does not exist"
                todo = suggestion(block, known["blocks"])
                findings.append(Finding("unknown-name", what, entry.where("compare", n, key), todo))
        if pair.block == pair.other:
            what = f"[[compare]] names the block {pair.block!r} twice; it is not compared with itself"
            findings.append(
                Finding("bad-value", what, entry.where("compare", n, "other"), "name another block")
            )
    return findings
