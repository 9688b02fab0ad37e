"""The order of tests in time: which of them are no later than a test, whatever block they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.model import Campaign


@dataclass(frozen=True)
class Place:
    """A test in the order of a detector's tests: when its first frame was taken [UTC, ISO 8601], '' where that is not known."""

    block: str
    test: str
    time: str


class Timeline:
    """The tests of each detector in the order of time.

    A test of which no frame has a time comes after the one before it in the record: so that a test which comes later never
    changes which are before another. Where a detector's place held other hardware in another block, its tests there are another detector's.
    """

    def __init__(self, campaign: Campaign, by_test: Mapping[str, Sequence[Frame]]) -> None:
        devices = {(b.id, d.name): d.device(b) for b in campaign.blocks for d in campaign.detectors}
        known: dict[tuple[str, str], list[tuple[datetime, int, Place]]] = {}
        self._order: dict[tuple[str, str, str], tuple[tuple[str, str], int]] = {}
        for number, (key, frames) in enumerate(by_test.items()):
            block, _, test = key.partition("/")
            for detector in dict.fromkeys(f.detector for f in frames):
                first = began(f for f in frames if f.detector == detector)
                series = known.setdefault((detector, devices.get((block, detector), "")), [])
                at = first or (series[-1][0] if series else datetime.min.replace(tzinfo=UTC))
                series.append((at, number, Place(block, test, first.isoformat() if first else "")))
        self._series = {
            name: [p for *_, p in sorted(held, key=lambda h: h[:2])] for name, held in known.items()
        }
        for name, places in self._series.items():
            for n, place in enumerate(places):
                self._order[name[0], place.block, place.test] = name, n

    def until(self, detector: str, block: str, test: str) -> Sequence[Place]:
        """The tests of the detector that are no later than this one, itself the last; () for a test without frames of it."""
        if (detector, block, test) not in self._order:
            return ()
        name, n = self._order[detector, block, test]
        return self._series[name][: n + 1]


def began(frames: Iterable[Frame]) -> datetime | None:
    """When the first of some frames was taken; None where none has a time. A time without a zone is UTC."""
    dates = [f.date for f in frames if f.date is not None]
    return min(
        (d.replace(tzinfo=UTC) if d.tzinfo is None else d.astimezone(UTC) for d in dates), default=None
    )
