"""The darks that defects are looked for in: those that make one master."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.contract import FrameInput
from campaign.frozen import dataclass
from campaign.geometry import Channel


@dataclass(frozen=True)
class Darks:
    """Dark frames that make one master: nearly all of the longest time, with the mean of their times over the longest."""

    frames: tuple[FrameInput, ...]
    times: tuple[float, ...]

    @property
    def time(self) -> float:
        """The longest time [s], to which frames are brought."""
        return max(self.times)

    @property
    def alike(self) -> bool:
        """Whether all times are equal, to four digits."""
        return len({f"{t:.4g}" for t in self.times}) == 1


def darks_used(given: Sequence[FrameInput], channel: Channel) -> Darks | None:
    """The frames of the longest exposure time when they are three or more, else all of at least half of it; None without any.

    The scatter of unequal times' rates is that of the shortest: they are used only where there is no choice.
    """
    held = [
        (f, float(f.frame.exptime))
        for f in given
        if channel.name in f.summaries and f.summaries[channel.name].n > 1 and f.frame.exptime
    ]
    held = [(f, t) for f, t in held if t > 0]
    if not held:
        return None
    longest = max(t for _, t in held)
    equal = [(f, t) for f, t in held if f"{t:.4g}" == f"{longest:.4g}"]
    chosen = equal if len(equal) >= 3 else [(f, t) for f, t in held if t >= 0.5 * longest]
    return Darks(tuple(f for f, _ in chosen), tuple(t for _, t in chosen))
