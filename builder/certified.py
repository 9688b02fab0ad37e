"""What is certified: every decision beside what it is about, and whether it still holds. ``builder.decide`` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from campaign.certification import JUDGING, Decision, around, subject, why_excluded
from campaign.frozen import dataclass

if TYPE_CHECKING:
    from builder.report import Judged, Outcome

STANDS, OUTDATED, REPLACED = "stands", "outdated", "replaced"


@dataclass(frozen=True)
class Certified:
    """A decision and its state.

    'stands'; 'outdated' when it was made on another result than the one shown; 'replaced' when a later one about
    the same says whether it may be used.
    """

    decision: Decision
    state: str = STANDS


@dataclass(frozen=True)
class Count:
    """How many results a person looked at, how many a rule did, on how many the last word is outdated, and of how many."""

    reviewed: int = 0
    by_rule: int = 0
    outdated: int = 0
    of: int = 0

    @property
    def to_review(self) -> int:
        """Results about which nobody, and no rule, has said anything that still holds."""
        return self.of - self.reviewed - self.by_rule

    def __add__(self, other: Count) -> Count:
        return Count(
            self.reviewed + other.reviewed,
            self.by_rule + other.by_rule,
            self.outdated + other.outdated,
            self.of + other.of,
        )


def outcome_subject(outcome: Outcome) -> str:
    """The address of an outcome."""
    return _address(outcome.place)


@lru_cache(maxsize=1 << 16)
def _address(place: tuple[str, str, str, str]) -> str:
    """Asked for each outcome by many: by what is certified, by pages, by exports."""
    return subject(*place)


def measurement_subject(outcome: Outcome, judged: Judged) -> str:
    """The address of a measurement: its outcome's, and what its id adds to the result's."""
    return subject(*outcome.place, part=judged.id.removeprefix(f"{outcome.result_id}."))


@dataclass(frozen=True)
class Certification:
    """All decisions, those of people in the order of their rows before those of rules.

    ``about`` has them by the address of what they are about, ``unplaced`` those about nothing that there is.
    ``results`` gives the result id now shown of each test and outcome and the fingerprint of each frame, '' for none;
    figures, products and measurements have their outcome's. ``counts`` are by (block, test). ``reasons`` are the codes of reasons.
    """

    about: Mapping[str, tuple[Certified, ...]] = field(default_factory=dict)
    unplaced: tuple[Certified, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[tuple[str, str], Count] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def on(self, address: str) -> tuple[Certified, ...]:
        """The decisions about exactly that."""
        return self.about.get(address, ())

    def of_test(self, block: str, test: str) -> dict[str, tuple[Certified, ...]]:
        """The decisions about a test, its outcomes and their parts, by address, in the order of addresses."""
        held = self._by_test.get(subject(block, test), []) if self.about else []
        return {address: self.about[address] for address in sorted(held)}

    @cached_property
    def _by_test(self) -> dict[str, list[str]]:
        out: dict[str, list[str]] = {}
        for address in self.about:
            if not address.startswith("frame:"):
                out.setdefault((around(address) or [address])[-1], []).append(address)
        return out

    @cached_property
    def of_frames(self) -> dict[str, tuple[Certified, ...]]:
        """The decisions about frames, by address."""
        return {s: held for s, held in self.about.items() if s.startswith("frame:")}

    def verdict(self, address: str) -> Certified | None:
        """The last word on whether something may be used, outdated or not; None where nobody judged it."""
        held = [c for c in self.on(address) if c.decision.decision in JUDGING and c.state != REPLACED]
        return held[-1] if held else None

    def count(self, block: str = "", test: str = "") -> Count:
        """What was reviewed of a test, of a block, or of the campaign."""
        if test:
            return self.counts.get((block, test), Count())
        return sum((c for (b, _), c in self.counts.items() if block in ("", b)), Count())

    def excluded(self, outcome: Outcome, judged: Judged | None = None) -> str:
        """Why an outcome, or one measurement of it, is left out of trends, in words; '' where it is not.

        The nearest decision counts: about the measurement, else its outcome, else its test.
        """
        if not self.about:
            return ""
        addresses = [outcome_subject(outcome), subject(outcome.block, outcome.test)]
        if judged is not None:
            addresses.insert(0, measurement_subject(outcome, judged))
        for address in addresses:
            held = self.verdict(address)
            if held is not None and held.state == STANDS:
                return why_excluded(held.decision)
        return ""

    def acknowledged(self, outcome: Outcome, judged: Judged | None = None) -> Decision | None:
        """Who acknowledged the failure of an outcome, of one measurement of it, or of its test; the latest, else None."""
        addresses = [outcome_subject(outcome), subject(outcome.block, outcome.test)]
        if judged is not None:
            addresses.append(measurement_subject(outcome, judged))
        held = [
            c.decision
            for address in addresses
            for c in self.on(address)
            if c.decision.decision == "acknowledged" and c.state == STANDS
        ]
        return max(held, key=lambda d: d.row, default=None)
