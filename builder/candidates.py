"""Values that procedures may use of others: of several measured ones, which one counts."""

from __future__ import annotations

from dataclasses import field
from math import inf

from analysis.contract import ALARMS, Measurement
from campaign.frozen import dataclass

Candidate = tuple[str, str, Measurement]
"""(test that made it, measurement id, measurement)."""


def preference(
    made_by: str, measurement: Measurement, test: str, setting: str
) -> tuple[bool, bool, bool, float]:
    """Which of several measured values another procedure uses: the least of these.

    The test's own first; else one without a flag that makes it doubtful, then of the same setting, then the
    one with the smallest uncertainty.
    """
    return (
        made_by != test,
        bool(ALARMS & set(measurement.flags)),
        measurement.setting != setting,
        inf if measurement.uncertainty is None else measurement.uncertainty,
    )


@dataclass
class Candidates:
    """The values of one quantity that were measured on one detector of a block, in the order of tests."""

    _all: dict[str | None, list[Candidate]] = field(default_factory=dict)
    _own: dict[tuple[str | None, str], list[Candidate]] = field(default_factory=dict)
    _best: dict[tuple[str | None, str], Candidate] = field(default_factory=dict)

    def add(self, made_by: str, ident: str, measurement: Measurement) -> None:
        """One more value (never one that is missing)."""
        one = (made_by, ident, measurement)
        self._all.setdefault(measurement.channel, []).append(one)
        self._own.setdefault((measurement.channel, made_by), []).append(one)
        self._best.clear()

    def best(self, channel: str | None, test: str, setting: str) -> Candidate | None:
        """The one that a test of that setting uses (see ``preference``); of equals the first.

        The search beyond the test's own is made once for each setting, whatever the number of tests.
        """
        own = self._own.get((channel, test))
        if own:
            return min(own, key=lambda c: preference(c[0], c[2], test, setting))
        held = self._all.get(channel)
        if not held:
            return None
        key = (channel, setting)
        if key not in self._best:
            self._best[key] = min(held, key=lambda c: preference(c[0], c[2], test, setting))
        return self._best[key]


Values = dict[tuple[str, str, str, str], Candidates]
"""By (block, detector, procedure, quantity)."""
