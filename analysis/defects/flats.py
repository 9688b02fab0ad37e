"""Defects that show in light: pixels that respond less or more than those around them, not at all, or not in proportion."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs
from analysis.defects.chance import beyond
from analysis.defects.found import Evidence, picked
from analysis.defects.local import Local, beyond_bounds, local, noise_of_mean, relative_to
from analysis.flat_frames import Offsets, by_setting, offsets_of
from analysis.read_noise import clipping_noise
from analysis.stack import clipped_mean_stack, reader
from campaign.frozen import dataclass
from campaign.geometry import Channel

CLIP = 5.0
_SATURATED = 1e-3  # share of saturated pixels from which a flat is not used
_ROUNDING = sqrt(1.0 / 12.0)
_OF_BRIGHTEST = 0.25  # the level at which the response is compared with that at the brightest
_OF_FLATS = ("dark", "dead", "bright")


@dataclass(frozen=True)
class Group:
    """Flats of one setting with their offsets and ``level`` above them [ADU]."""

    wavelength: str
    frames: tuple[FrameInput, ...]
    offsets: Offsets
    level: float


def groups_of(
    given: Sequence[FrameInput], biases: Sequence[FrameInput], channel: Channel
) -> tuple[list[Group], str]:
    """Flats by wavelength and exposure time that are neither dark nor saturated; and, where there are none, a coded reason why."""
    reason = "too-few-frames" if not given else "too-few-pixels"
    usable = [f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1]
    out = []
    for _, frames in by_setting(usable, "", ("wavelength", "exptime")) if usable else []:
        good = tuple(
            f
            for f in frames
            if f.summaries[channel.name].saturated <= _SATURATED * f.summaries[channel.name].n
        )
        if not good:
            reason = "saturated"
            continue
        offsets = offsets_of(good, biases, channel)
        if offsets is None:
            return [], "no-overscan"
        above = [f.summaries[channel.name].mean - o for f, o in zip(good, offsets.values, strict=True)]
        noise = float(np.median([f.summaries[channel.name].std for f in good]))
        if min(above) <= 10.0 * offsets.error or float(np.mean(above)) <= max(noise, 1.0):
            reason = "unphysical"
            continue
        out.append(Group(str(good[0].frame.fields.get("wavelength")), good, offsets, float(np.mean(above))))
    return out, "" if out else reason


def of_flats(
    inputs: Inputs, channel: Channel, structure: NDArray[np.float32] | None, biases: Sequence[FrameInput]
) -> Evidence:
    """Dark, dead, bright and non-linear pixels of a channel, by its flats; ``structure`` [ADU] is that of the bias.

    The response is that in the group of flats that gathered most light, of all that are not saturated.
    """
    groups, reason = groups_of(inputs.frames.get("flat", ()), biases, channel)
    if not groups:
        notes = {"unphysical": "the flats show no light", "saturated": "all flats are saturated"}
        return _nothing(reason, notes.get(reason, ""))
    best = max(groups, key=lambda g: g.level * len(g.frames))
    side = int(inputs.number("side"))
    image, count, noise = _master(best, channel, structure)
    n = len(best.frames)
    around = local(image, side, _ROUNDING / sqrt(n))
    if around is None or around.level <= 0:
        return _nothing("too-few-pixels", "the master flat has no finite pixel above zero")
    response = relative_to(image, around)
    out = Evidence(n, image=response, significance=around.significance, unit="response")
    out.no_value = ~np.isfinite(image)
    offset = float(np.mean(best.offsets.values))
    with np.errstate(invalid="ignore"):
        out.saturated = image + np.float32(offset) >= np.float32(inputs.detector.geometry.saturation - 0.5)
    out.flags = ("few-frames",) if n < 3 else ()
    out.note = f"{n} flats of {best.level:.4g} ADU"
    if n < 3:
        out.note += "; cosmic rays of so few frames may count as bright"
    _odd(inputs, out, around, count, n, noise)
    _bent(inputs, out, groups, best, channel, structure, response, noise)
    return out


def _nothing(reason: str, note: str) -> Evidence:
    return Evidence(missing=dict.fromkeys((*_OF_FLATS, "non-linear"), (reason, note)))


def _master(
    group: Group, channel: Channel, structure: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.uint16], float | None]:
    """The mean of a group's flats above their offsets [ADU], how many values each pixel has of it, and the noise of one [ADU].

    Frames are aligned by their levels, so that light that changes by a per cent does not clip; what that leaves of a
    pattern of p is p per cent, which is far below any threshold.
    """
    noise = clipping_noise(group.frames, channel)
    levels = [f.summaries[channel.name].mean for f in group.frames]
    stack = clipped_mean_stack(
        [reader(f, channel) for f in group.frames], channel.image, sigma=CLIP, noise=noise, offsets=levels
    )
    image = stack.mean
    image += np.float32(group.level)
    if structure is not None:
        image -= structure
    return image, stack.count, noise_of_mean(stack.variance, len(group.frames))


def _odd(
    inputs: Inputs, out: Evidence, around: Local, count: NDArray[np.uint16], n: int, noise: float | None
) -> None:
    """Pixels whose response lies beyond the threshold in σ and beyond that in fractions of the level around them.

    By how much they might differ on measuring again is the ``noise`` [ADU] alone, in proportion to the root of the response, and not the pattern.
    """
    sigma = inputs.number("sigma")
    low, high, dead = (inputs.number(p) for p in ("dark", "bright", "dead"))
    y, x = beyond_bounds(around.significance, -sigma, sigma)
    level, scatter = around.at(y, x)
    scatter = scatter * np.sqrt(n / np.maximum(count[y, x].astype(np.float64), 1.0)) / level
    assert out.image is not None and out.no_value is not None
    response = out.image[y, x].astype(np.float64)
    significance = (response - 1.0) / scatter
    looked = int(out.image.size - np.count_nonzero(out.no_value))
    typical = around.sigma / around.level
    bound_low, bound_high = np.minimum(low, 1.0 - sigma * scatter), np.maximum(high, 1.0 + sigma * scatter)
    of_dead = response <= np.minimum(dead, bound_low)
    under, over = response < bound_low, response > bound_high
    own = scatter if noise is None else noise / level * np.sqrt(np.maximum(response, 0.01))
    own = np.maximum(own, 1e-9)
    to_low, to_high = (bound_low - response) / own, (response - bound_high) / own
    to_dead = (np.minimum(dead, bound_low) - response) / own
    words = f"{sigma:g} σ = {100 * sigma * typical:.3g} % and"
    limits = max(sigma, (1.0 - low) / typical), max(sigma, (high - 1.0) / typical)
    for name, chosen, margins, upper, chance, threshold in (
        ("dark", under & ~of_dead, to_low, to_dead[of_dead], beyond(limits[0]), f"{words} below {low:g} of the level around, above {dead:g}"),
        ("dead", of_dead, to_dead, None, beyond(max(sigma, (1.0 - dead) / typical)) if dead < low else 0.0, f"at most {dead:g} of the level around, and {sigma:g} σ"),
        ("bright", over, to_high, None, beyond(limits[1]), f"{words} above {high:g} of the level around"),
    ):  # fmt: skip
        out.classes[name] = picked(
            y, x, response, significance, margins, chosen, upper=upper,
            unit="response", chance=looked * chance, n=looked, threshold=threshold,
        )  # fmt: skip
    out.thresholds = {"dark": -limits[0], "bright": limits[1]}


def _bent(
    inputs: Inputs,
    out: Evidence,
    groups: Sequence[Group],
    best: Group,
    channel: Channel,
    structure: NDArray[np.float32] | None,
    response: NDArray[np.float32],
    noise: float | None,
) -> None:
    """Non-linear pixels: their response at a quarter of the light, or what is nearest to it, is not that at the brightest."""
    others = [g for g in groups if g.wavelength == best.wavelength and 0.03 <= g.level / best.level <= 0.7]
    if not others:
        out.missing["non-linear"] = ("not-reached", "flats of two levels at least 30 % apart are needed")
        return
    fainter = min(others, key=lambda g: abs(np.log(g.level / best.level / _OF_BRIGHTEST)))
    image, _, fainter_noise = _master(fainter, channel, structure)
    side = int(inputs.number("side"))
    around = local(image, side)
    if around is None or around.level <= 0:
        out.missing["non-linear"] = (
            "too-few-pixels",
            "the fainter master flat has no finite pixel above zero",
        )
        return
    change = relative_to(image, around)
    np.subtract(response, change, out=change)
    steps = _ROUNDING * sqrt(1.0 / len(fainter.frames)) / fainter.level
    differing = local(change, side, steps)
    if differing is None:
        out.missing["non-linear"] = ("too-few-pixels", "no pixel has a value at both levels")
        return
    sigma, least = inputs.number("sigma"), inputs.number("non_linear")
    y, x = differing.beyond(-sigma, sigma)
    level, scatter = differing.at(y, x)
    off = change[y, x].astype(np.float64) - level
    own = differing.sigma
    if noise is not None and fainter_noise is not None:
        own = sqrt((noise / best.level) ** 2 + (fainter_noise / fainter.level) ** 2)
    margin = (np.abs(off) - np.maximum(sigma * scatter, least)) / own
    looked = int(np.isfinite(change).sum())
    words = f"{sigma:g} σ = {100 * sigma * differing.sigma:.3g} % and {100 * least:g} % of the response, between {fainter.level:.4g} and {best.level:.4g} ADU"
    out.classes["non-linear"] = picked(
        y, x, off, off / scatter, margin, margin > 0, unit="change of response",
        chance=2.0 * looked * beyond(max(sigma, least / differing.sigma)), n=looked, threshold=words,
    )  # fmt: skip
