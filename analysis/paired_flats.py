"""What procedures that measure pairs of flats have in common: their parameters, and the pairs of each setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Parameter, Results
from analysis.correction import Corrected, chain, corrections, takes, wanted
from analysis.flat_frames import by_setting
from analysis.flat_pairs import Bounds, pair_up
from analysis.linearised import Linearised, table_of
from campaign.geometry import Channel

OFFERED = ("nonlinearity", "defects")
"""Steps of correction. Offsets are taken off as ever; bias structure, dark signal, crosstalk and response of pixels are the same in both flats of a pair and cancel."""
TAKES = takes(*OFFERED)
"""What procedures of pairs declare for them."""

PARAMETERS = (
    Parameter("time_tolerance", 0.005, "largest difference of the exposure times of a pair", "s", 0.0),
    Parameter("clip", 5.0, "clipping of the differences; at 5 σ it costs no normal noise", "σ", 3.0, 10.0),
    Parameter("tile", 64, "side of the tiles about whose means the variance is taken", "pixels", 8),
    Parameter("lamp_tolerance", 0.01, "relative change of the light within a pair from which it is not used", "", 0.0, 1.0),
    Parameter("flicker_ratio", 1.5, "variance of row or column means over that of pixel noise from which a pair is not used", "", 1.0),
    Parameter("pile_fraction", 0.001, "fraction of pixels at one end of the range from which a flat is clamped or saturated", "", 0.0, 1.0),
    corrections("", *OFFERED),
)  # fmt: skip
"""How flats are paired and measured, and which pairs are left out."""

Pairs = list[tuple[FrameInput, FrameInput]]


@dataclass(frozen=True)
class Correction:
    """What pairs of a channel are corrected by: the ``table`` of non-linearity and pixels that are ``lost``, shape of its image; None for neither."""

    table: Linearised | None = None
    lost: NDArray[np.bool_] | None = None

    @property
    def words(self) -> str:
        """The steps, for notes: 'corrected: nonlinearity'; '' for none."""
        held = [n for n, one in zip(OFFERED, (self.table, self.lost), strict=True) if one is not None]
        return f"corrected: {', '.join(held)}" if held else ""


NOT_CORRECTED = Correction()


def correction_of(inputs: Inputs, results: Results, channel: Channel, pairs: Pairs) -> Correction:
    """What the parameter ``corrections`` asks for, as far as it is to be had: a caveat tells what is not. Raises as ``chain`` does."""
    asked = wanted(inputs, OFFERED)
    without: dict[str, str] = {}
    table: Linearised | str | None = table_of(inputs, channel) if "nonlinearity" in asked else None
    if isinstance(table, str):
        without["nonlinearity"], table = table, None
    lost = None
    if "defects" in asked:
        found = chain(inputs, channel, ["defects"])
        without |= found.without
        for _, step in found.steps:
            shape = channel.image.shape
            marked = Corrected(np.zeros(shape, np.float32), np.zeros(shape, np.int32))
            step(marked, pairs[0][0])
            lost = ~marked.good
    for name, why in without.items():
        results.caveat(f"{channel.name}: without the step {name}: {why}.")
    return Correction(table, lost)


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
