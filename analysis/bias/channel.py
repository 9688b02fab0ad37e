"""What is found of one channel's bias frames."""

from __future__ import annotations

from analysis.bias.jumps import Jumps
from analysis.bias.master import Half
from analysis.bias.pattern import Spectrum
from analysis.contract import FrameInput
from analysis.offsets import Offset
from analysis.profiles import Profiles
from analysis.read_noise import Noise
from campaign.frozen import dataclass
from campaign.geometry import Channel


@dataclass
class OfChannel:
    """All that was found of one channel."""

    channel: Channel
    frames: tuple[FrameInput, ...]
    flags: tuple[str, ...]
    offsets: list[Offset | None]
    noise: Noise
    master: Half | None = None
    profiles: Profiles | None = None
    jumps: Jumps | None = None
    spectrum: Spectrum | None = None
    pixel_time: float = 0.0

    @property
    def levels(self) -> list[float]:
        """Clipped mean of the image of each frame [ADU]."""
        return [f.summaries[self.channel.name].mean for f in self.frames]
