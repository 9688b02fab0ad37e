"""What a build says at its end, kept so that a build without changes can say it again without loading results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from campaign.findings import Finding
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Summary:
    """What a build says at its end: tests, tests by verdict (and 'missing'), and all findings, worst first."""

    title: str
    build: int  # the number of the last build that changed something
    tests: int
    files: int  # in the data directories
    results: int  # that tests have
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Summary:
        """From what ``to_json`` gave."""
        findings = tuple(Finding(*f) for f in data["findings"])
        return cls(
            data["title"],
            data["build"],
            data["tests"],
            data["files"],
            data["results"],
            data["counts"],
            findings,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        findings = [[f.kind, f.what, f.where, f.todo, f.block, f.test, f.detector] for f in self.findings]
        return {
            "title": self.title,
            "build": self.build,
            "tests": self.tests,
            "files": self.files,
            "results": self.results,
            "counts": dict(self.counts),
            "findings": findings,
        }

    def kept(self) -> dict[str, int]:
        """What a build without changes did not do again, as ``Costs.counts`` names it."""
        return {"files": self.files, "results_new": 0, "results_reused": self.results}

    @property
    def errors(self) -> list[Finding]:
        """The findings that make the exit status 1."""
        return [f for f in self.findings if f.severity == "error"]
