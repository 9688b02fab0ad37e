"""What procedures that measure pairs of flats have in common: their parameters, and the pairs of each setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from analysis.contract import FrameInput, Inputs, Results
from analysis.flat_frames import by_setting
from analysis.flat_pairs import Bounds
from campaign.geometry import Channel

Pairs = list[tuple[FrameInput, FrameInput]]


class Nothing(Protocol):
    """Says that all quantities of a channel are missing in a setting, for a reason."""

    def __call__(self, results: Results, channel: str, setting: str, reason: str, note: str) -> None:
        """Report them."""


def bounds_of(inputs: Inputs, **more: Any) -> Bounds:
    """What ``PARAMETERS`` ask for; ``more`` are other fields of ``Bounds``."""
    return Bounds(
        inputs.number("clip"),
        int(inputs.number("tile")),
        inputs.detector.geometry.saturation,
        inputs.number("lamp_tolerance"),
        inputs.number("flicker_ratio"),
        inputs.number("pile_fraction"),
        **more,
    )


def pair_up(
    frames: Sequence[FrameInput], tolerance: float
) -> tuple[list[tuple[FrameInput, FrameInput]], list[FrameInput]]:
    """Disjoint pairs of flats of equal exposure time (within ``tolerance`` [s]), and the frames left over.

    Each frame is paired with the next in order of exposure that has its time and no partner yet. No frame serves twice, so
    pairs are independent. Frames of unknown exposure time are left over.
    """
    waiting: dict[float, FrameInput] = {}
    pairs, left = [], []
    for frame in frames:
        time = frame.frame.exptime
        if time is None:
            left.append(frame)
            continue
        found = min(
            (t for t in waiting if abs(t - time) <= tolerance), key=lambda t: abs(t - time), default=None
        )
        if found is None:
            waiting[time] = frame
        else:
            pairs.append((waiting.pop(found), frame))
    return pairs, left + list(waiting.values())


def channels_with_pairs(
    inputs: Inputs, results: Results, nothing: Nothing
) -> Iterator[tuple[str, Channel, Pairs]]:
    """(setting, channel, its pairs of flats) wherever flats make pairs; ``nothing`` is said of all other channels, and of flats left over."""
    for setting, frames in by_setting(inputs.frames.get("flat", ()), inputs.setting):
        pairs, left = pair_up(frames, inputs.number("time_tolerance"))
        if left:
            names = ", ".join(f.frame.exposure for f in left)
            results.say(f"{setting or 'flats'}: without a partner of equal exposure time: {names}")
        for channel in inputs.detector.geometry.channels:
            if pairs:
                yield setting, channel, pairs
                continue
            known = any(f.frame.exptime is not None for f in frames)
            reason = "too-few-frames" if known or not frames else "exposure-time-unknown"
            nothing(results, channel.name, setting, reason, f"{len(frames)} flats make no pair")
