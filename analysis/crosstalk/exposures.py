"""Exposures in turn: who is bright, who listens, and what adds up for each pair of channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Inputs
from analysis.correction import Chain, chain, wanted
from analysis.crosstalk import noise, ratio, stamps
from analysis.crosstalk.noise import Noise
from analysis.crosstalk.ratio import Sums
from analysis.crosstalk.readout import (
    Aggressor,
    Grid,
    Keys,
    Masks,
    Tiles,
    aggressor,
    candidates,
    lines_of,
    serial_start,
    turned,
)
from analysis.crosstalk.stamps import Stamps
from analysis.crosstalk.victim import victim, watched
from campaign.frozen import dataclass
from campaign.geometry import Channel
from campaign.model import Detector

Name = tuple[str, str]


@dataclass
class Gathered:
    """What all exposures together tell: sums for each pair (victim's channel, aggressor), stamps by victim, noise in common.

    ``saturated`` says that some channel was saturated all over.
    """

    names: tuple[Name, ...]
    sums: dict[tuple[str, Name], Sums] = field(default_factory=dict)
    stamps: dict[str, Stamps] = field(default_factory=dict)
    noise: Noise = field(default_factory=Noise)
    exposures: int = 0
    saturated: bool = False


def detectors_of(inputs: Inputs) -> dict[str, Detector]:
    """All detectors of which there may be frames, that which is measured first."""
    return {inputs.detector.name: inputs.detector, **inputs.detectors}


def by_exposure(inputs: Inputs) -> list[dict[str, FrameInput]]:
    """The frames of each exposure by detector, those only of which this detector has one: what was read at the same time."""
    held: dict[str, dict[str, FrameInput]] = {}
    for frame in inputs.frames.get("light", ()):
        held.setdefault(frame.frame.exposure, {})[frame.frame.detector] = frame
    return [frames for frames in held.values() if inputs.detector.name in frames]


def seen_channels(frame: FrameInput, detector: Detector) -> list[Channel]:
    """The channels of a frame that have any value."""
    return [
        c for c in detector.geometry.channels if c.name in frame.summaries and frame.summaries[c.name].n > 1
    ]


def gather(inputs: Inputs, side: int, threshold: float, *, fit_stamps: bool) -> Gathered:
    """All exposures, one after another. Raises what reading pixels raises."""
    known = detectors_of(inputs)
    exposures = by_exposure(inputs)
    names = tuple(
        (d.name, c.name)
        for d in known.values()
        for c in d.geometry.channels
        if any(d.name in e for e in exposures)
    )
    out, grid = Gathered(names), Grid(side)
    steps: dict[str, Chain] = {}
    for exposure in exposures:
        frames = [(exposure[n], d, seen_channels(exposure[n], d)) for n, d in known.items() if n in exposure]
        out.saturated |= any(
            f.summaries[c.name].median >= d.geometry.saturation for f, d, held in frames for c in held
        )
        sources = _sources(frames, grid, threshold, int(inputs.number("most_squares")), out.noise)
        out.exposures += 1
        for channel in frames[0][2]:
            _listen(inputs, out, exposure[inputs.detector.name], channel, sources, grid, steps, fit_stamps)
    return out


def _sources(
    frames: Sequence[tuple[FrameInput, Detector, Sequence[Channel]]], grid: Grid, threshold: float, most: int, common: Noise
) -> list[Aggressor]:  # fmt: skip
    """Who is bright where, each channel read once; the noise that overscans have in common is added up.

    The channels of the measured detector, the first, are looked at wherever any of them may be bright, those of others where they may be themselves.
    """
    (first, detector, channels), *others = frames
    overscans: dict[Name, NDArray[np.generic]] = {}

    def read(frame: FrameInput, detector: Detector, channel: Channel) -> NDArray[np.generic]:
        found = lines_of(frame, channel)
        if found.overscan is not None:
            overscans[detector.name, channel.name] = turned(found.overscan, channel)
        return found.image

    images = [read(first, detector, c) for c in channels]
    keys = [candidates(first, c, i, grid, threshold, most) for c, i in zip(channels, images, strict=True)]
    foreign = []
    for frame, other, theirs in others:
        for c in theirs:
            image = read(frame, other, c)
            found = candidates(frame, c, image, grid, threshold, most)
            foreign.append(aggressor(other, c, image, grid, threshold, found))
    noise.add(common, overscans)
    everywhere = np.unique(np.concatenate([*keys, *(a.keys for a in foreign), np.zeros(0, np.int64)]))
    own = [
        aggressor(detector, c, i, grid, threshold, everywhere) for c, i in zip(channels, images, strict=True)
    ]
    return own + foreign


def _listen(
    inputs: Inputs,
    out: Gathered,
    frame: FrameInput,
    channel: Channel,
    sources: Sequence[Aggressor],
    grid: Grid,
    steps: dict[str, Chain],
    fit_stamps: bool,
) -> None:
    """Add what one channel of the measured detector shows of all others in one exposure."""
    name = (inputs.detector.name, channel.name)
    own = next(s for s in sources if s.name == name)
    others = [s for s in sources if s.name != name and s.keys.size]
    keys = watched(others)
    if not keys.size:
        return
    values, good = _pixels(inputs, frame, channel, own, grid, keys, steps)
    seen = victim(keys, values, good, own, others)
    shared = out.noise.covariance()
    for source in others:
        sums = out.sums.setdefault((channel.name, source.name), Sums())
        ratio.add(sums, seen, source, shared.get((name, source.name), 0.0))
    if fit_stamps:
        stamps.add(out.stamps.setdefault(channel.name, Stamps(out.names)), seen, others, shared, name)


def _pixels(
    inputs: Inputs,
    frame: FrameInput,
    channel: Channel,
    own: Aggressor,
    grid: Grid,
    keys: Keys,
    steps: dict[str, Chain],
) -> tuple[Tiles, Masks]:
    """A channel's squares [ADU], and where they may be used: those that it was looked at itself in, where no correction is asked for.

    The offset needs none: it is part of the local background.
    """
    if not set(wanted(inputs)) - {"offset"}:
        at = np.searchsorted(own.keys, keys)
        if own.keys.size and np.array_equal(own.keys[np.minimum(at, own.keys.size - 1)], keys):
            return own.values[at], ~own.lost[at]
        image = turned(frame.pixels.read(channel, channel.image), channel)
        values = grid.cut(image, serial_start(channel), keys)
        with np.errstate(invalid="ignore"):
            return values, values < np.float32(inputs.detector.geometry.saturation)
    if channel.name not in steps:
        steps[channel.name] = chain(inputs, channel)
    done = steps[channel.name].apply(frame)
    start = serial_start(channel)
    values = grid.cut(turned(done.values, channel), start, keys)
    free = grid.cut(turned(done.mask != 0, channel), start, keys) == 0
    return values, free & np.isfinite(values)


def pairs_of(gathered: Gathered, victim: str) -> Mapping[Name, Sums]:
    """The sums of one victim by aggressor, in the order of names."""
    return {n: gathered.sums[victim, n] for n in gathered.names if (victim, n) in gathered.sums}
