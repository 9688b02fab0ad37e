"""Declarations of a campaign's own procedures, as findings: what they leave unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.declaration_lint import faults
from builder.plugins import Known
from campaign.findings import Finding


def undocumented(known: Mapping[str, Known]) -> list[Finding]:
    """What the declarations of the campaign's own procedures leave unsaid. Those built in are held to it by their tests."""
    quantities = {n: [q.name for q in k.procedure.quantities] for n, k in known.items()}
    products = {n: [x.name for x in k.procedure.products] for n, k in known.items()}
    out = []
    for name, one in known.items():
        if not one.reference.plugin:
            continue
        where = f"procedures/{Path(one.reference.plugin).name}"
        for fault in faults(one.procedure, quantities, products):
            out.append(Finding("undocumented", f"{name}: {fault.what}", f"{where}, {fault.part}", fault.todo))
    return out
