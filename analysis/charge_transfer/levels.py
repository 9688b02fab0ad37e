"""Flats by their level: what each level tells of deferred charge, the level that is reported, and where the serial CTI rises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.eper import Edge, cti_of, edge_of, late_pixels
from analysis.charge_transfer.lines import Means, good_lines, means_of
from analysis.charge_transfer.register import Direction, Floats, lines_after, trailing
from analysis.contract import FrameInput
from analysis.linearised import Linearised
from analysis.statistics import mean_of_frames, weighted_mean
from campaign.frozen import dataclass
from campaign.geometry import Channel

ALIKE = 0.1
"""Frames of one exposure time whose levels differ by more, relative, are of different levels."""

_SATURATED = 0.05  # fraction of lines left out from which saturation, not chance, is the cause
_RISE = 4.0  # σ by which all levels above a turnoff must lie above those below
_LIGHT = 5.0  # σ from which there is light


@dataclass(frozen=True)
class Level:
    """What the flats of one level tell of one direction.

    ``cti`` ± ``error`` per transfer from the first pixels after the image; ``flags`` stand beside what is made of it.
    """

    exptime: float | None
    frames: tuple[FrameInput, ...]
    edge: Edge
    cti: float
    error: float
    flags: tuple[str, ...] = ()
    note: str = ""

    @property
    def signal(self) -> float:
        """Level of the last image pixel above the offset [ADU]."""
        return self.edge.signal

    @property
    def clean(self) -> bool:
        """Whether nothing of it is saturated."""
        return "saturated" not in self.flags


@dataclass(frozen=True)
class Ladder:
    """All levels of a channel in one direction and setting, the lowest first.

    Where there is none ``reason`` says why, in code, and ``note`` in words. ``bias`` are the means of the bias frames that were taken off,
    None where none were.
    """

    channel: str
    setting: str
    direction: Direction
    transfers: int
    levels: tuple[Level, ...] = ()
    reason: str = ""
    note: str = ""
    bias: Means | None = field(default=None, repr=False)

    @property
    def used(self) -> tuple[Level, ...]:
        """The levels that nothing saturates; all of them where all are."""
        clean = tuple(level for level in self.levels if level.clean)
        return clean or self.levels

    def nearest(self, signal: float) -> Level:
        """The level nearest to a signal [ADU] in ratio. Raises ValueError without any."""
        return min(self.used, key=lambda level: abs(np.log(level.signal / signal)))


@dataclass(frozen=True)
class Terms:
    """What a ladder is measured with: pixels summed, clipping [σ], saturation [ADU], what becomes of the bias frames' structure, and the table of non-linearity that levels are corrected by."""

    pixels: int
    clip: float
    saturation: float
    structure: str
    table: Linearised | None = None


def by_level(
    frames: Sequence[FrameInput], channel: Channel
) -> list[tuple[float | None, tuple[FrameInput, ...]]]:
    """Frames of equal exposure time (to four digits) and alike in level, with that time: the groups that are averaged."""
    groups: list[tuple[float | None, list[FrameInput]]] = []
    known = [f for f in frames if channel.name in f.summaries and f.summaries[channel.name].n > 1]
    for frame in sorted(known, key=lambda f: f.summaries[channel.name].median):
        time = None if frame.frame.exptime is None else float(f"{frame.frame.exptime:.4g}")
        for other, held in groups:
            if other == time and _alike(held[0], frame, channel):
                held.append(frame)
                break
        else:
            groups.append((time, [frame]))
    return [(time, tuple(held)) for time, held in groups]


def _alike(one: FrameInput, other: FrameInput, channel: Channel) -> bool:
    a, b = one.summaries[channel.name], other.summaries[channel.name]
    zero = min(x for s in (a, b) for x in (s.overscan_mean, s.prescan_mean, 0.0) if x is not None)
    return abs(a.median - b.median) <= ALIKE * max(a.median - zero, b.median - zero, 1e-9) + a.std + b.std


def ladder(
    frames: Sequence[FrameInput],
    biases: Sequence[FrameInput],
    channel: Channel,
    setting: str,
    direction: Direction,
    transfers: int,
    terms: Terms,
) -> Ladder:
    """Measure all levels of a channel in one direction. Never raises for what is wrong with frames: the ladder says why it is empty."""
    empty = Ladder(channel.name, setting, direction, transfers)
    region, what = trailing(channel, direction), "overscan" if direction == "serial" else "parallel overscan"
    if region is None:
        return replace(empty, reason="no-overscan", note=f"the channel has no {what}")
    width = region.shape[1] if direction == "serial" else region.shape[0]
    if width <= terms.pixels:
        return replace(
            empty, reason="too-few-pixels", note=f"{width} pixels of {what} leave none for the offset"
        )
    if not frames:
        return replace(empty, reason="too-few-frames", note="no flats")
    bias = _bias_structure(biases, channel, direction, terms)
    levels, failures = [], []
    for time, held in by_level(frames, channel):
        found = _level(time, held, channel, direction, transfers, terms, bias)
        if isinstance(found, Level):
            levels.append(found)
        else:
            failures.append(found)
    levels.sort(key=lambda level: level.signal)
    if levels:
        return replace(empty, levels=tuple(levels), bias=bias)
    reason, note = (
        failures[0] if failures else ("too-few-pixels", "no flat has finite pixels in this channel")
    )
    return replace(empty, reason=reason, note=note)


def _read(
    frames: Sequence[FrameInput], channel: Channel, direction: Direction, terms: Terms, saturation: float
) -> Means | None:
    def keep(values: Floats) -> NDArray[np.bool_]:
        late = late_pixels(values.shape[1] - 1, terms.pixels)
        whole = bool((values[:8] == np.rint(values[:8])).all())
        return good_lines(values, lit=0, late=late, saturation=saturation, sigma=terms.clip, whole=whole)

    return means_of((lines_after(f, channel, direction) for f in frames), keep)


def _level(
    time: float | None,
    frames: tuple[FrameInput, ...],
    channel: Channel,
    direction: Direction,
    transfers: int,
    terms: Terms,
    bias: Means | None,
) -> Level | tuple[str, str]:
    """One level, or why there is none: the reason in code and in words."""
    means = _read(frames, channel, direction, terms, terms.saturation)
    full = sum(f.summaries[channel.name].saturated for f in frames) / sum(
        f.summaries[channel.name].n for f in frames
    )
    if means is None:
        return (
            ("saturated", "the last image pixels are saturated")
            if full > 0.5
            else ("too-few-pixels", "too few good lines")
        )
    held, notes = means if bias is None else means.less(bias), []
    if terms.table is not None:
        late = late_pixels(held.values.size - 1, terms.pixels)
        signal = float(held.values[0] - held.values[late].mean())
        if not terms.table.covers(signal):
            return (
                "not-reached",
                f"{signal:.5g} ADU; the table of corrections ends at {terms.table.top:.5g} ADU",
            )
        held = held.linearised(terms.table, late)
        notes.append("corrected: nonlinearity")
    edge = edge_of(held, terms.pixels)
    if not edge.signal > _LIGHT * max(edge.signal_error, 1e-9):
        return "unphysical", "the last image pixels hold no light"
    ratio, error = edge.ratio(terms.pixels)
    flags = []
    if len(means.by_frame) > 1:
        each = edge.ratios_by_frame(terms.pixels)
        own = max(error * sqrt(each.size), 1e-15)
        _, wide, unlike = mean_of_frames(each.tolist(), [own] * each.size)
        error = max(error, wide) if unlike else error
        if unlike and float(each.std(ddof=1)) > 3.0 * own:
            flags.append("unstable")
    if full > 1e-3 or (means.left > _SATURATED and full > 0):
        flags.append("saturated")
    if any(f.summaries[channel.name].not_finite for f in frames):
        flags.append("bad-pixels")
    if edge.poor:
        flags.append("poor-fit")
    if edge.tail:
        notes.append(f"offset by a fit of the tail, which decays in {edge.tail[1]:.2g} pixels")
    if edge.structure:
        notes.append(
            f"pixels far from the edge differ by {edge.structure:.2g} ADU beyond noise, which is in the error"
        )
    if means.left > 0:
        notes.append(f"{100 * means.left:.2g} % of the lines left out")
    cti, error = cti_of(ratio, error, transfers, terms.pixels)
    return Level(time, frames, edge, cti, error, tuple(flags), "; ".join(notes))


def _bias_structure(
    biases: Sequence[FrameInput], channel: Channel, direction: Direction, terms: Terms
) -> Means | None:
    """The same pixels in bias frames: 'auto' takes them where they differ from each other by more than noise."""
    held = [f for f in biases if channel.name in f.summaries and f.summaries[channel.name].n > 1]
    if terms.structure == "never" or len(held) < 2:
        return None
    means = _read(held, channel, direction, terms, np.inf)
    if means is None or terms.structure == "always":
        return means
    from scipy.special import chdtrc

    after, covariance = means.values[1:], means.covariance[1:, 1:]
    away = after - after.mean()
    noise = float(np.trace(covariance) - covariance.sum() / after.size)
    dof = after.size - 1
    if noise <= 0:
        return means if float(np.abs(away).max()) > 0 else None
    return means if float(chdtrc(dof, float(away @ away) / noise * dof)) < 0.01 else None


def turnoff(levels: Sequence[Level], rise: float) -> tuple[float, float] | None:
    """The level [ADU] from which CTI rises with the signal, and half-way to its neighbour as its error; None where it does not.

    It is the lowest level such that CTI at all levels above lies above the mean of up to three levels up to it by more than the fraction
    ``rise`` of that mean and by four errors.
    """
    for at in range(len(levels) - 1):
        below = levels[max(0, at - 2) : at + 1]
        base, error = weighted_mean([x.cti for x in below], [max(x.error, 1e-15) for x in below])
        above = levels[at + 1 :]
        if all(x.cti > base + max(_RISE * sqrt(x.error**2 + error**2), rise * abs(base)) for x in above):
            return levels[at].signal, 0.5 * (levels[at + 1].signal - levels[at].signal)
    return None


def all_levels(ladders: Sequence[Ladder]) -> Iterator[tuple[Ladder, Level]]:
    """Each level with its ladder."""
    for one in ladders:
        for level in one.levels:
            yield one, level
