"""Findings that many frames share, told once: what, how often, and the first places.

Ten thousand frames with the same oddity are one fact for a reader, not ten thousand.
"""

from __future__ import annotations

from dataclasses import field

from campaign.findings import Finding
from campaign.frozen import dataclass

PLACES = 3
DETAILS = 3


@dataclass
class _Detail:
    count: int = 0
    places: list[str] = field(default_factory=list)


@dataclass
class _Group:
    todo: str
    apart: int
    details: dict[str, _Detail] = field(default_factory=dict)


class Tally:
    """Collects oddities by kind, block and subject, and tells each as one finding.

    A subject that is seen with several details (value pairs, say) is told once per detail while there are no
    more than ``apart`` of them, and together otherwise.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str | None, str | None, str | None, str], _Group] = {}
        self.added = 0  # oddities so far

    def add(
        self,
        kind: str,
        subject: str,
        place: str,
        *,
        detail: str = "",
        todo: str = "",
        block: str | None = None,
        test: str | None = None,
        detector: str | None = None,
        apart: int = 0,
    ) -> None:
        """Count one occurrence of ``subject`` (a sentence without its full stop) at ``place``."""
        self.added += 1
        group = self._groups.setdefault((kind, block or None, test, detector, subject), _Group(todo, apart))
        entry = group.details.setdefault(detail, _Detail())
        entry.count += 1
        if len(entry.places) < PLACES and place not in entry.places:
            entry.places.append(place)

    def findings(self) -> list[Finding]:
        """One finding for each subject, or for each of its details while they are few."""
        found = []
        for (kind, block, test, detector, subject), group in self._groups.items():
            for details, count, places in _told(group):
                what = (
                    subject + (f": {details}" if details else "") + (f"; {count} times" if count > 1 else "")
                )
                rest = count - len(places)
                where = ", ".join(places) + (f" and {rest} more" if rest > 0 else "")
                found.append(Finding(kind, what + ".", where, group.todo, block, test, detector))
        return found


def _told(group: _Group) -> list[tuple[str, int, list[str]]]:
    """(details, count, places) of each finding of a group."""
    if 1 <= len(group.details) <= max(group.apart, 1):
        return [(text, d.count, d.places) for text, d in group.details.items()]
    count = sum(d.count for d in group.details.values())
    places = list(dict.fromkeys(p for d in group.details.values() for p in d.places))[:PLACES]
    shown = list(group.details)[:DETAILS]
    more = len(group.details) - len(shown)
    return [("; ".join(shown) + (f"; and {more} other values" if more > 0 else ""), count, places)]
