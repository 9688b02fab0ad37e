"""Corrections: the one chain that takes what a converter said to the charge that light made, with mask and saturation carried along.

A procedure says which steps it wants, by their names; ``chain`` finds what they need among its inputs, once per channel; ``Chain.apply``
then takes one frame after another through them, each read once. What a step has no value for stays as it was and is
masked; a step for which nothing was found is left out and said to be (``Chain.without``).

Steps are always applied in the order of ``STEPS``: the reverse of that in which the detector did it to the light.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
from analysis.contract import ContractError, FrameInput, ImageProduct, Inputs, Take
from analysis.conversion import conversion
from analysis.correction_steps import STEPS, TAKES, corrections, takes
from analysis.linearised import table_of
from analysis.masks import BITS, Mask
from analysis.offsets import Offset, offset_of
from campaign.frozen import dataclass
from campaign.geometry import Channel

__all__ = ["STEPS", "TAKES", "Chain", "Corrected", "chain", "corrections", "takes", "wanted"]

Step = Callable[["Corrected", FrameInput], None]
"""Changes values and mask of a corrected frame in place."""


@dataclass
class Corrected:
    """One channel of one frame, corrected: ``values`` (float32, ADU) and ``mask`` (int32, ``analysis.masks``) of its image's shape.

    ``offset`` is what was taken off as such, None where nothing was. ``unmarked`` tells that the mask has no bit at all, so that it need not be cleared for the next frame.
    """

    values: NDArray[np.float32]
    mask: Mask
    offset: Offset | None = None
    unmarked: bool = False

    @property
    def good(self) -> NDArray[np.bool_]:
        """Where no bit is set."""
        found: NDArray[np.bool_] = self.mask == 0
        return found


@dataclass(frozen=True)
class Chain:
    """The steps for one channel, ready to be applied to any frame of its detector.

    ``without`` says for each step that was asked for and could not be had why not.
    """

    channel: Channel
    saturation: float
    steps: tuple[tuple[str, Step], ...]
    without: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The steps that are applied, for logs and notes: 'offset, bias'."""
        return ", ".join(name for name, _ in self.steps) or "none"

    def apply(self, frame: FrameInput, into: Corrected | None = None) -> Corrected:
        """A frame's image, corrected. With ``into``, which a chain made before, it is that, used again. Raises what reading pixels raises."""
        shape = self.channel.image.shape
        if into is None:
            into = Corrected(np.empty(shape, np.float32), np.empty(shape, np.int32))
        out, values, mask = into, into.values, into.mask
        if not out.unmarked:
            mask.fill(0)
        out.offset, out.unmarked = None, False
        frame.pixels.read(self.channel, self.channel.image, values)
        known = frame.summaries.get(self.channel.name)
        sound = known is not None and known.high < self.saturation and not known.not_finite
        if not sound:  # else no pixel can be saturated or without a value
            with np.errstate(invalid="ignore"):
                mask[values >= np.float32(self.saturation)] = BITS["saturated"]
            if frame.pixels.dtype(self.channel).kind == "f":
                mask[~np.isfinite(values)] |= BITS["no-value"]
        for _, step in self.steps:
            step(out, frame)
        offsets = [
            name for name, _ in self.steps if name in ("offset", "rows")
        ]  # which mark where there is none
        found = not offsets or out.offset is not None
        out.unmarked = sound and found and len(offsets) == len(self.steps)
        return out


def wanted(inputs: Inputs, offered: Collection[str] = tuple(STEPS)) -> tuple[str, ...]:
    """The steps that the parameter ``corrections`` names, in their order. Raises ContractError for one that there is not, or is not ``offered``."""
    asked = str(inputs.parameters["corrections"]).split()
    for name in asked:
        if name not in offered:
            raise ContractError(
                f"corrections: {name!r} is no step that is offered; there are {', '.join(offered)}"
            )
    if {"offset", "rows"} <= set(asked):
        raise ContractError("corrections: offset and rows take off the same; name one of them")
    return tuple(name for name in STEPS if name in asked)


def chain(inputs: Inputs, channel: Channel, steps: Sequence[str] | None = None) -> Chain:
    """The chain for a channel: the steps given, else those of the parameter ``corrections``."""
    held: list[tuple[str, Step]] = []
    without: dict[str, str] = {}
    for name in wanted(inputs) if steps is None else [s for s in STEPS if s in steps]:
        found = _MAKERS[name](inputs, channel, [n for n, _ in held])
        if isinstance(found, str):
            without[name] = found
        else:
            held.append((name, found))
    return Chain(channel, inputs.detector.geometry.saturation, tuple(held), without)


def _offset(inputs: Inputs, channel: Channel, before: Sequence[str], *, per_row: bool = False) -> Step | str:
    if channel.overscan is None and channel.prescan is None:
        return "the channel has neither overscan nor prescan"

    def step(out: Corrected, frame: FrameInput) -> None:
        found = offset_of(frame, channel, per_row=per_row)
        if found is None:
            out.mask |= np.int32(BITS["uncorrected"])
            return
        out.offset = found
        out.values -= np.asarray(found.column, np.float32)

    return step


def _rows(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    return _offset(inputs, channel, before, per_row=True)


def _crosstalk(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    from analysis.crosstalk.removal import removal  # which needs the places of readout

    take = TAKES["crosstalk"][0]
    found = removal(inputs, channel, inputs.product(take.procedure, take.product))
    if isinstance(found, str):
        return found

    def step(out: Corrected, frame: FrameInput) -> None:
        found.apply(frame, out.values, out.mask)

    return step


def _bias(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    frames = [
        f
        for f in inputs.frames.get("bias", ())
        if channel.name in f.summaries and f.summaries[channel.name].n > 1
    ]
    if len(frames) < 2:
        return "a master bias needs two bias frames"
    levels = [f.summaries[channel.name].mean for f in frames]
    if {"offset", "rows"} & set(before):  # then only by how much the image lies above the columns beside it
        own = [offset_of(f, channel) for f in frames]
        levels = [level - o.value for level, o in zip(levels, own, strict=True) if o is not None]
    return _less(joined(*halves(inputs, frames, channel, 5.0)).mean + np.float32(np.mean(levels)))


def _less(image: NDArray[np.float32]) -> Step:
    """Takes off an image; where it has no value nothing is, and that is masked."""
    lacking = ~np.isfinite(image)
    filled = np.where(lacking, np.float32(0.0), image)
    some = bool(lacking.any())

    def step(out: Corrected, frame: FrameInput) -> None:
        out.values -= filled
        if some:
            out.mask[lacking] |= BITS["uncorrected"]

    return step


def _nonlinearity(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    """The table's correction at each pixel's level."""
    if not {"offset", "rows", "bias"} & set(before):
        return "levels are not above the offset: it was not taken off"
    table = table_of(inputs, channel)
    if isinstance(table, str):
        return table
    top, adder = np.float32(table.top), table.adder()

    def step(out: Corrected, frame: FrameInput) -> None:
        with np.errstate(invalid="ignore"):
            above = out.values > top
        added = adder(out.values)
        if above.any():
            added[above] = 0.0
            out.mask[above] |= BITS["uncorrected"]
        out.values += added

    return step


def _plane(inputs: Inputs, take: Take, channel: Channel) -> NDArray[np.generic] | str:
    """A channel's plane of an image that another procedure made; else why there is none."""
    product = inputs.product(take.procedure, take.product)
    if not isinstance(product, ImageProduct) or channel.name not in product.planes:
        return f"there is no {take.product.replace('_', ' ')} of this channel"
    plane = np.asarray(product.planes[channel.name])
    if plane.shape != channel.image.shape:
        return f"the {take.product.replace('_', ' ')} has the shape {plane.shape}, not {channel.image.shape}"
    return plane


def _dark(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    plane = _plane(inputs, TAKES["dark"][0], channel)
    if isinstance(plane, str):
        return plane
    lacking = ~np.isfinite(plane)
    rate = np.where(lacking, np.float32(0.0), plane).astype(np.float32)

    def step(out: Corrected, frame: FrameInput) -> None:
        time = frame.frame.exptime
        if time is None:
            out.mask |= np.int32(BITS["uncorrected"])
            return
        out.values -= rate * np.float32(time)
        out.mask[lacking] |= BITS["uncorrected"]

    return step


def _brighter_fatter(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    """Corrects by the kernel, in electrons; see ``analysis.brighter_fatter.redistribution``.

    Charge is conserved to rounding; none crosses the image's edges, at which it is taken to go on mirrored. A pixel without a value stays without one, and counts
    as the mean of its good neighbours for the others. A saturated one counts as what it holds: it and what is beside it are put right only in part.
    """
    if not {"offset", "rows", "bias"} & set(before):
        return "the offset must be taken off before"
    take = TAKES["brighter-fatter"][0]
    product = inputs.product(take.procedure, take.product)
    if not isinstance(product, ImageProduct) or channel.name not in product.planes:
        return "there is no kernel of this channel"
    kernel = np.asarray(product.planes[channel.name], np.float64)
    lags = kernel.shape[0] // 2
    if kernel.ndim != 2 or kernel.shape != (2 * lags + 1, 2 * lags + 1) or not np.isfinite(kernel).all():
        return f"a kernel of shape {kernel.shape} is none"
    quarter = kernel[lags:, lags:]
    if not (quarter[0, 0] < 0 and quarter[0, 0] == quarter.min()):
        return "the kernel is not one of charge that repels charge: its centre is not its smallest element"
    if lags >= min(channel.image.shape):
        return f"the kernel is larger than an image of shape {channel.image.shape}"
    found = conversion(inputs, channel)
    if found is None:
        return "no gain is known, and the kernel is for electrons"
    gain = np.float32(found.gain)
    from analysis.brighter_fatter.redistribution import filled, redistributed

    def step(out: Corrected, frame: FrameInput) -> None:
        lost = ~np.isfinite(out.values)
        charge = filled(out.values, lost) * gain
        made = redistributed(charge, quarter)
        if not made.converged:
            out.mask |= np.int32(BITS["uncorrected"])
            return
        np.divide(made.charge, gain, out=out.values, where=~lost)

    return step


def _flat(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    plane = _plane(inputs, TAKES["flat"][0], channel)
    if isinstance(plane, str):
        return plane
    response = np.array(plane, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        lacking = ~(np.isfinite(response) & (response > 0))
    response[lacking] = 1.0

    def step(out: Corrected, frame: FrameInput) -> None:
        out.values /= response
        out.mask[lacking] |= BITS["uncorrected"]

    return step


_OF_FLATS = {1: "dark", 2: "bright", 4: "no-value"}
"""Bits of the flat procedure's own mask."""


def _defects(inputs: Inputs, channel: Channel, before: Sequence[str]) -> Step | str:
    merged, of_one, of_flats = TAKES["defects"]
    plane = _plane(inputs, merged, channel)
    if isinstance(plane, str):
        plane = _plane(inputs, of_one, channel)
    if not isinstance(plane, str):
        known = plane.astype(np.int32)
    else:
        without = plane
        plane = _plane(inputs, of_flats, channel)
        if isinstance(plane, str):
            return without
        known = np.zeros(plane.shape, np.int32)
        for own, name in _OF_FLATS.items():
            known[(plane.astype(np.int32) & own) != 0] |= BITS[name]

    def step(out: Corrected, frame: FrameInput) -> None:
        out.mask |= known

    return step


_MAKERS: Mapping[str, Callable[[Inputs, Channel, Sequence[str]], Step | str]] = {
    "offset": _offset,
    "rows": _rows,
    "crosstalk": _crosstalk,
    "bias": _bias,
    "nonlinearity": _nonlinearity,
    "dark": _dark,
    "brighter-fatter": _brighter_fatter,
    "flat": _flat,
    "defects": _defects,
}
