"""Non-linearity, dark signal and known defects for procedures that take offsets off by themselves: the steps of the chain that pairs, stacks and mean levels can take.

They need neither other frames nor neighbours, so that moments of pixels or parts of a frame are corrected as whole frames would be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs, Results
from analysis.correction import Corrected, chain, wanted
from analysis.correction_steps import OF_MASTER, OFFERED
from analysis.linearised import Linearised, table_of
from analysis.statistics import clipped
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region


@dataclass(frozen=True)
class Correction:
    """What frames of a channel are corrected by: the ``table`` of non-linearity, the ``dark`` signal of their exposure time [ADU] and pixels that are ``lost``, shape of its image; None for what is not."""

    table: Linearised | None = None
    lost: NDArray[np.bool_] | None = None
    dark: NDArray[np.float32] | None = None

    @property
    def words(self) -> str:
        """The steps, for notes: 'corrected: nonlinearity'; '' for none."""
        had = (self.table, self.dark, self.lost)
        held = [n for n, one in zip(OF_MASTER, had, strict=True) if one is not None]
        return f"corrected: {', '.join(held)}" if held else ""

    def level(self, level: float, variance: float = 0.0) -> float:
        """A mean level [ADU above the offset] of pixels of that variance [ADU²], corrected."""
        return (level if self.table is None else self.table.moments(level, variance)[0]) - self._of_dark

    def slope(self, level: float) -> float:
        """How much the corrected level rises with the level."""
        return 1.0 if self.table is None else self.table.slope(level)

    def error(self, level: float) -> float:
        """The table's standard error at a level [ADU]."""
        return 0.0 if self.table is None else self.table.error(level)

    def pixels(self, values: NDArray[np.float32], region: Region, image: Region) -> None:
        """Correct a part of a frame [ADU above the offset] in place, of a ``region`` of the channel's ``image``; lost pixels become NaN."""
        if self._adder is not None:
            values += self._adder(values)
        y, x = region.y0 - image.y0, region.x0 - image.x0
        part = np.s_[y : y + region.shape[0], x : x + region.shape[1]]
        if self.dark is not None:
            values -= self.dark[part]
        if self.lost is not None:
            values[self.lost[part]] = np.nan

    @cached_property
    def _of_dark(self) -> float:
        """The dark signal of a level [ADU]: without hot pixels, which levels leave out as well."""
        return 0.0 if self.dark is None else clipped(self.dark).mean

    @cached_property
    def _adder(self) -> Callable[[NDArray[np.float32]], NDArray[np.float32]] | None:
        return None if self.table is None else self.table.adder()


NOT_CORRECTED = Correction()


def correction_of(
    inputs: Inputs,
    results: Results,
    channel: Channel,
    frames: Sequence[FrameInput],
    offered: Sequence[str] = OFFERED,
) -> Correction:
    """What the parameter ``corrections`` asks for ``frames``, of one exposure time where dark signal is ``offered``, as far as it is to be had: a caveat tells what is not.

    Raises ContractError for a step that is not ``offered``, and what reading products raises.
    """
    asked = wanted(inputs, offered)
    without: dict[str, str] = {}
    table: Linearised | str | None = table_of(inputs, channel) if "nonlinearity" in asked else None
    if isinstance(table, str):
        without["nonlinearity"], table = table, None
    lost = dark = None
    if "dark" in asked and frames[0].frame.exptime is None:
        without["dark"] = "the exposure time is not known"
        asked = tuple(name for name in asked if name != "dark")
    found = chain(inputs, channel, [name for name in asked if name in ("dark", "defects")])
    without |= found.without
    if found.steps:
        shape = channel.image.shape
        marked = Corrected(np.zeros(shape, np.float32), np.zeros(shape, np.int32))
        for name, step in found.steps:
            step(marked, frames[0])
            if name == "dark":
                dark = np.where(marked.good, -marked.values, np.float32(np.nan))
                marked.mask.fill(0)
            else:
                lost = ~marked.good
    for name, why in without.items():
        caveat = f"{channel.name}: without the step {name}: {why}."
        if caveat not in results.caveats:
            results.caveat(caveat)
    return Correction(table, lost, dark)
