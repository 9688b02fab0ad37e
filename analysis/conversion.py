"""From ADU to electrons: which gain is used, and how well it is known."""

from __future__ import annotations

from math import hypot

from analysis.contract import ALARMS, Inputs, Use
from campaign.frozen import dataclass
from campaign.geometry import Channel

GAIN = Use(
    "photon_transfer",
    "gain",
    "measured gain of each channel [e⁻/ADU]: the test's own, else the block's best: free of doubts, of the same setting, most certain",
)


@dataclass(frozen=True)
class Conversion:
    """A gain ± error [e⁻/ADU], the flags that a converted value bears, and where the gain is from."""

    gain: float
    error: float
    flags: tuple[str, ...]
    note: str

    def electrons(self, value: float, error: float) -> tuple[float, float]:
        """A value ± error in ADU (per anything) as electrons, with the gain's error."""
        return value * self.gain, hypot(error * self.gain, value * self.error)


def conversion(inputs: Inputs, channel: Channel) -> Conversion | None:
    """The gain of a channel: measured by photon transfer in the same block, else nominal, else None.

    A nominal gain has no error of its own and is flagged; a measured one that is flagged with an alarm itself
    flags what rests on it.
    """
    found = inputs.used.get((GAIN.procedure, GAIN.quantity), {}).get(channel.name)
    if found is not None and found.value is not None and found.value > 0:
        flags = ("caveated-input",) if ALARMS & set(found.flags) else ()
        return Conversion(found.value, found.uncertainty or 0.0, flags, "gain measured by photon transfer")
    if channel.gain is not None and channel.gain > 0:
        note = f"nominal gain {channel.gain:g} e⁻/ADU, whose uncertainty is not known"
        return Conversion(channel.gain, 0.0, ("nominal-gain",), note)
    return None
