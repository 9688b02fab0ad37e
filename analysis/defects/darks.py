"""Defects that show without light: pixels above the dark signal of those around them, and pixels whose dark signal changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import Half, joined
from analysis.contract import FrameInput, Inputs
from analysis.dark.level import levels_of
from analysis.defects.chance import beyond, beyond_with_shot_noise
from analysis.defects.dark_frames import Darks, darks_used
from analysis.defects.found import Evidence, picked
from analysis.defects.local import Local, beyond_bounds, local, noise_of_mean
from analysis.read_noise import clipping_noise
from analysis.stack import Reader, clipped_mean_stack, reader
from campaign.geometry import Channel, Region

CLIP = 5.0
_OF_HALF = 3  # frames that a half needs to tell a cosmic ray from a change
_ROUNDING = sqrt(1.0 / 12.0)


def of_darks(
    inputs: Inputs,
    channel: Channel,
    structure: NDArray[np.float32] | None,
    biases: Sequence[FrameInput],
    gain: float | None,
) -> Evidence:
    """Hot, warm and unstable pixels of a channel, by its darks; ``structure`` [ADU] is that of the ``biases``, ``gain`` in e⁻/ADU."""
    given = inputs.frames.get("dark", ())
    used = darks_used(given, channel)
    if used is None:
        with_pixels = [f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1]
        reason = "exposure-time-unknown" if with_pixels else "too-few-pixels" if given else "too-few-frames"
        return _nothing(reason, "no dark frames" if not given else "")
    summaries = [f.summaries[channel.name] for f in used.frames]
    if any(s.saturated > 0.5 * s.n for s in summaries):
        return _nothing("saturated", "most pixels of the darks are saturated")
    halves, noise = _halves(used, channel, gain)
    if structure is not None:
        share = float(np.mean([used.time / t for t in used.times]))
        off = structure if share == 1.0 else np.float32(share) * structure
        for half in halves:
            np.subtract(half.mean, off, out=half.mean)
        if noise is not None:
            noise = hypot(noise, share * clipping_noise(biases, channel) / sqrt(len(biases)))
    master = halves[0] if len(halves) == 1 else joined(*halves)
    level = float(np.mean([s.mean for s in summaries]))
    with np.errstate(invalid="ignore"):
        saturated = master.mean >= np.float32(inputs.detector.geometry.saturation - 0.5 - level)
    rates = np.divide(master.mean, np.float32(used.time), out=master.mean)
    n = len(used.frames)
    side = int(inputs.number("side"))
    around = local(rates, side, _ROUNDING / used.time / sqrt(n))
    if around is None:
        return _nothing("too-few-pixels", "the master dark has no finite pixel")
    out = Evidence(n, image=rates, significance=around.significance, unit="ADU/s")
    out.no_value = ~np.isfinite(rates)
    out.saturated = saturated
    out.flags = ("few-frames",) if n < 3 else ()
    out.note = f"{n} darks of {'' if used.alike else 'up to '}{used.time:g} s"
    if n < 3:
        out.note += "; cosmic rays of so few frames may count as defects"
    if gain is None:
        out.note += "; no gain is known, so thresholds in e⁻/s do not apply"
    # what darks gathered altogether [e⁻], for the tail of its noise: only where the zero is known
    charge = 0.0
    if gain is not None:
        levels = levels_of(used.frames, biases, channel)
        charge = gain * max(sum(levels.levels), 0.0) if levels.based else 0.0
    own = None if noise is None else noise / used.time
    _above(inputs, out, around, master.count, used, gain, charge, own)
    _changing(inputs, out, halves, around, used, gain, side)
    return out


def _nothing(reason: str, note: str) -> Evidence:
    return Evidence(missing=dict.fromkeys(("hot", "warm", "unstable"), (reason, note)))


def _halves(used: Darks, channel: Channel, gain: float | None) -> tuple[list[Half], float | None]:
    """The master [ADU in the longest time, less each frame's level], in its first and second half where there are frames for both; and the noise of the whole.

    Halves in time, not odd and even: what changed once in between differs between them.
    """
    noise = clipping_noise(used.frames, channel)
    cut = len(used.frames) // 2
    parts = [slice(0, cut), slice(cut, None)] if cut >= _OF_HALF else [slice(None)]
    out, noises = [], []
    for part in parts:
        frames, times = used.frames[part], used.times[part]
        levels = [f.summaries[channel.name].mean for f in frames]
        if used.alike:
            readers: list[Reader] = [reader(f, channel) for f in frames]
            offsets, scale = levels, 1.0
        else:
            readers = [
                partial(_scaled, f, channel, level, used.time / t)
                for f, level, t in zip(frames, levels, times, strict=True)
            ]
            offsets, scale = [0.0] * len(frames), used.time / min(times)
        stack = clipped_mean_stack(
            readers, channel.image, sigma=CLIP, noise=noise * scale, gain=gain, offsets=offsets
        )
        out.append(Half(stack.mean, stack.count.astype(np.float32)))
        noises.append(noise_of_mean(stack.variance, len(frames)))
    shares = [(part.stop or len(used.frames)) - (part.start or 0) for part in parts]
    known = [n * share / len(used.frames) for n, share in zip(noises, shares, strict=True) if n is not None]
    return out, hypot(*known) if known else None


def _scaled(
    frame: FrameInput, channel: Channel, level: float, factor: float, region: Region
) -> NDArray[np.float32]:
    values = frame.pixels.read(channel, region).astype(np.float32) - np.float32(level)
    out: NDArray[np.float32] = values * np.float32(factor)
    return out


def _above(
    inputs: Inputs,
    out: Evidence,
    around: Local,
    count: NDArray[np.float32],
    used: Darks,
    gain: float | None,
    charge: float,
    noise: float | None,
) -> None:
    """Warm and hot pixels: beyond the threshold in σ of the pixels around them, and in e⁻/s where a gain is known.

    By how much they might differ on measuring again is the ``noise`` [ADU/s] and their own shot noise, and not the pattern.
    """
    sigma = inputs.number("sigma")
    # the threshold in rate is told in e⁻/s; without a gain hot is a matter of σ, and warm of nothing but noise
    least = 0.0 if gain is None else inputs.number("warm_rate") / gain
    y, x = beyond_bounds(around.significance, -np.inf, sigma)
    level, scatter = around.at(y, x)
    n = len(used.frames)
    scatter = scatter * np.sqrt(n / np.maximum(count[y, x].astype(np.float64), 1.0))
    assert out.image is not None and out.no_value is not None
    excess = out.image[y, x].astype(np.float64) - level
    significance = excess / scatter
    own = scatter if noise is None else np.full(y.size, noise)
    if gain is not None:
        own = np.sqrt(own**2 + np.maximum(excess, 0) / (gain * used.time * n))
    low = np.maximum(sigma * scatter, least)
    high = (
        inputs.number("hot_sigma") * scatter
        if gain is None
        else np.full(y.size, inputs.number("hot_rate") / gain)
    )
    high = np.maximum(high, low)
    counted = excess > low
    hot = counted & (excess >= high)
    looked = int(out.image.size - np.count_nonzero(out.no_value))
    at_least = max(sigma, least / around.sigma)
    tail = beyond(at_least)
    if gain is not None and charge > 0:
        total = (around.sigma * gain * used.time * n) ** 2
        charge = min(charge, 0.999 * total)
        tail = beyond_with_shot_noise(at_least * sqrt(total), charge, total - charge)
    of_hot = max(at_least, float(np.median(high / scatter)) if y.size else at_least)
    rate = f"and {inputs.number('warm_rate'):g} e⁻/s " if gain is not None else ""
    words = f"{sigma:g} σ = {sigma * around.sigma:.3g} ADU/s {rate}above the level around"
    to_hot = (
        f"{inputs.number('hot_rate'):g} e⁻/s" if gain is not None else f"{inputs.number('hot_sigma'):g} σ"
    )
    near_low, near_high = (excess - low) / own, (excess - high) / own
    out.classes["warm"] = picked(
        y, x, excess, significance, near_low, counted & ~hot, upper=near_high[hot],
        unit="ADU/s", chance=looked * tail, n=looked, threshold=f"{words}, below {to_hot}",
    )  # fmt: skip
    out.classes["hot"] = picked(
        y, x, excess, significance, near_high, hot,
        unit="ADU/s", chance=looked * beyond(of_hot) if of_hot > at_least else 0.0, n=looked, threshold=f"{to_hot} above the level around, and {sigma:g} σ",
    )  # fmt: skip
    out.thresholds = {"threshold": at_least}


def _changing(
    inputs: Inputs,
    out: Evidence,
    halves: Sequence[Half],
    around: Local,
    used: Darks,
    gain: float | None,
    side: int,
) -> None:
    """Unstable pixels: the first and the second half of the series differ, beyond the pixel's own shot noise too."""
    if len(halves) < 2:
        out.missing["unstable"] = (
            "too-few-frames",
            f"{2 * _OF_HALF} darks are needed, {len(used.frames)} are there",
        )
        return
    first, second = halves
    change = (second.mean - first.mean) / np.float32(used.time)
    differing = local(change, side, _ROUNDING / used.time * sqrt(4.0 / len(used.frames)))
    if differing is None:
        out.missing["unstable"] = ("too-few-pixels", "no pixel has a value in both halves")
        return
    sigma = inputs.number("sigma")
    y, x = differing.beyond(-sigma, sigma)
    level, scatter = differing.at(y, x)
    off = change[y, x].astype(np.float64) - level
    kept = [np.maximum(h.count[y, x].astype(np.float64), 1.0) for h in halves]
    sizes = len(used.frames) // 2, len(used.frames) - len(used.frames) // 2
    scatter = scatter * np.sqrt((1.0 / kept[0] + 1.0 / kept[1]) / (1.0 / sizes[0] + 1.0 / sizes[1]))
    assert out.image is not None
    ordinary, noise = around.at(y, x)
    excess = out.image[y, x].astype(np.float64) - ordinary
    if gain is not None:
        own = np.maximum(excess, 0) / (gain * used.time) * (1.0 / kept[0] + 1.0 / kept[1])
        scatter = np.sqrt(scatter**2 + own)
        usable = np.ones(y.size, bool)
    else:  # the shot noise of a hot pixel is not known
        usable = excess < sigma * noise
    least = 0.0 if gain is None else inputs.number("unstable_rate") / gain
    margin = (np.abs(off) - np.maximum(sigma * scatter, least)) / scatter
    chosen = usable & (margin > 0)
    looked = int(np.isfinite(change).sum())
    words = f"{sigma:g} σ and {inputs.number('unstable_rate'):g} e⁻/s between the first and the second half of the darks"
    if gain is None:
        words = f"{sigma:g} σ between halves of the darks; hot and warm pixels were not looked at, for no gain tells their noise"
    chance = 2.0 * looked * beyond(max(sigma, least / differing.sigma))
    out.classes["unstable"] = picked(
        y, x, off, off / scatter, margin, chosen, unit="ADU/s", chance=chance, n=looked, threshold=words
    )  # fmt: skip
