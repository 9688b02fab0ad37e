"""What a build says at its end, kept so that a build without changes can say it again without loading results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from campaign.findings import Finding


@dataclass(frozen=True)
class Summary:
    """What a build says at its end: tests, tests by verdict (and 'missing'), and all findings, worst first."""

    title: str
    tests: int
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Summary:
        """From what ``to_json`` gave."""
        findings = tuple(Finding(*f) for f in data["findings"])
        return cls(data["title"], data["tests"], data["counts"], findings)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        findings = [[f.kind, f.what, f.where, f.todo, f.block, f.test, f.detector] for f in self.findings]
        return {"title": self.title, "tests": self.tests, "counts": dict(self.counts), "findings": findings}

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the exit status 1."""
        return [f for f in self.findings if f.severity == "error"]
