"""From the plan to exposures: number, light, time and faults of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from builder.simulate.settings import Entry, Fault, FrameType, Settings
from campaign.frozen import dataclass
from campaign.model import Campaign

EPOCH = datetime(2020, 1, 1, 9, 0, 0)
"""When a block begins whose dates are not known."""

GAP = timedelta(minutes=5)
"""Between two tests."""


@dataclass(frozen=True)
class Exposure:
    """One exposure of all detectors: what was commanded, and the faults that struck it."""

    block: str
    test: str
    number: int
    index: int
    type: FrameType
    exptime: float
    wavelength: str
    begun: datetime
    since: float = 0.0  # of the first exposure of the test [s]
    faults: tuple[Fault, ...] = ()

    def struck(self, kind: str, detector: str) -> tuple[Fault, ...]:
        """The planted faults of a kind on a detector's frame."""
        return tuple(f for f in self.faults if f.kind == kind and f.detector in (None, detector))

    def strikes(self, kind: str, detector: str) -> Fault | None:
        """The first planted fault of a kind on a detector's frame, or None."""
        return next(iter(self.struck(kind, detector)), None)

    def light_time(self, detector: str) -> float:
        """How long charge really gathered [s]."""
        fault = self.strikes("wrong-exposure-time", detector)
        return self.exptime * (fault.strength if fault else 1.0)

    def light_wavelength(self, detector: str) -> str:
        """The wavelength that really fell on a detector."""
        fault = self.strikes("swapped-setting", detector)
        return f"{fault.strength:g}" if fault else self.wavelength


def exposures(campaign: Campaign, settings: Settings) -> dict[str, list[Exposure]]:
    """All exposures of the plan by block, in order of the plan (which is the order in time)."""
    out: dict[str, list[Exposure]] = {}
    for block in campaign.blocks:
        entries = [e for e in settings.plan if block.id in e.all_blocks]
        if not entries:
            continue
        clock = datetime.combine(block.start, time(9)) if block.start else EPOCH
        found: list[Exposure] = []
        for entry in entries:
            clock = entry.start.replace(tzinfo=None) if entry.start else clock
            for exposure in _of_entry(entry, block.id, settings, clock):
                found.append(exposure)
                clock = exposure.begun + timedelta(seconds=exposure.exptime + settings.overhead)
            clock = _whole_second(clock + GAP)
        out[block.id] = found
    return out


def _of_entry(entry: Entry, block: str, settings: Settings, clock: datetime) -> Iterator[Exposure]:
    faults = (*entry.faults, *(f for f in settings.faults if f.test == entry.test))
    mine = tuple(f for f in faults if f.block in (None, block))
    first = _whole_second(clock)
    for index, (kind, exptime, wavelength) in enumerate(_sequence(entry), 1):
        struck = tuple(f for f in mine if f.frame in (None, index))
        number = (entry.first or 0) + index - 1
        begun = _whole_second(clock)
        since = (begun - first).total_seconds()
        yield Exposure(block, entry.test, number, index, kind, exptime, wavelength, begun, since, struck)
        clock += timedelta(seconds=exptime + settings.overhead)


def _sequence(entry: Entry) -> list[tuple[FrameType, float, str]]:
    """(type, exposure time [s], wavelength) of each exposure, in order."""
    columns = [
        [(part.type, exptime, part.wavelength)] * part.frames
        for part in entry.all_parts
        for exptime in part.times
    ]
    if not entry.interleave:
        return [shot for column in columns for shot in column]
    turns = range(max(len(column) for column in columns))
    return [column[turn] for turn in turns for column in columns if turn < len(column)]


def _whole_second(moment: datetime) -> datetime:
    """The moment rounded down: file names and headers carry whole seconds."""
    return moment.replace(microsecond=0)
