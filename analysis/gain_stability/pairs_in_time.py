"""Pairs of flats in order of time: gain, level, when, and at which temperature."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from analysis.contract import FrameInput, Inputs
from analysis.flat_frames import ElectronicNoise, electronic_noise, offsets_of
from analysis.flat_pairs import Bounds
from analysis.linearised import Linearised, linear_noise
from analysis.photon_transfer.curve import exponential
from analysis.photon_transfer.points import Point, linear_point, points_of
from analysis.response_corrections import NOT_CORRECTED, Correction
from campaign.frozen import dataclass
from campaign.geometry import Channel

_ROUNDS = 20


@dataclass(frozen=True)
class Moment:
    """One pair: its point, hours since the first pair, temperature [°C], gain ± error [e⁻/ADU]; None where not known."""

    point: Point
    hours: float | None
    temperature: float | None
    gain: float | None
    gain_error: float

    @property
    def level(self) -> float:
        """Level above the offset [ADU]."""
        assert self.point.difference is not None
        return self.point.difference.level

    @property
    def level_error(self) -> float:
        """Its standard error [ADU], without that of the offset."""
        assert self.point.difference is not None
        return self.point.difference.level_error


@dataclass(frozen=True)
class Run:
    """All pairs of one channel in one setting, in order of time. ``common_error`` is the relative error that all gains share.

    ``corrected`` says that the gains are freed of the brighter-fatter effect; ``reason`` is why there are no gains, '' where there are; ``steps`` says in words by
    which steps pairs were corrected.
    """

    channel: str
    setting: str
    moments: tuple[Moment, ...]
    common_error: float
    corrected: bool
    reason: str = ""
    steps: str = ""

    @property
    def clean(self) -> tuple[Moment, ...]:
        """The pairs that bear no flag."""
        return tuple(m for m in self.moments if m.point.difference and not m.point.flags)

    @property
    def carried(self) -> tuple[str, ...]:
        """Flags of the pairs left out: they stand beside every number."""
        return tuple(dict.fromkeys(f for m in self.moments for f in m.point.flags))


def pairs_in_time(
    inputs: Inputs,
    channel: Channel,
    setting: str,
    pairs: Sequence[tuple[FrameInput, FrameInput]],
    biases: Sequence[FrameInput],
    bounds: Bounds,
    by: Correction = NOT_CORRECTED,
) -> Run | None:
    """The pairs of a channel, corrected ``by`` what is known of it; None when nothing tells their offset."""
    times = _hours(pairs)
    order = sorted(range(len(pairs)), key=lambda k: (times[k] is None, times[k] or 0.0, k))
    pairs = [pairs[k] for k in order]
    times = [times[k] for k in order]
    frames = [f for pair in pairs for f in pair]
    offsets = offsets_of(frames, biases, channel)
    if offsets is None:
        return None
    noise = electronic_noise(frames, biases, channel, bounds, inputs.shared)
    points, _ = points_of(channel, pairs, offsets, bounds, by.lost)
    raw, dark = points, noise
    if by.table is not None:
        points = tuple(linear_point(p, by.table) for p in points)
        noise = None if noise is None else linear_noise(noise, by.table)
    a00 = _a00(inputs, channel)
    moments, shares = [], []
    for point, before, pair, hours in zip(points, raw, pairs, times, strict=True):
        gain, error = None, 0.0
        found = point.difference
        if found is not None and noise is not None and found.variance > noise.variance:
            signal = found.variance - noise.variance
            value, uncertainty = a00 or (0.0, 0.0)
            gain, lever = gain_of_pair(found.level, signal, value)
            error = gain * lever * found.variance_error / signal
            other, _ = gain_of_pair(found.level, signal, value + uncertainty)
            shares.append(
                (
                    lever * noise.error / signal,
                    (offsets.error if offsets.source == "bias" else 0.0) / found.level,
                    other / gain - 1.0,
                    *_off_by_table(before, dark, by.table, gain, value),
                )
            )
        moments.append(Moment(point, hours, _temperature(pair), gain, error))
    # each is the same mistake in all pairs: read noise, offset, a₀₀, parts of the error of the table of non-linearity
    common = float(np.linalg.norm(np.mean(shares, axis=0))) if shares else 0.0
    reason = "" if shares else "no-reference" if noise is None else "unphysical"
    return Run(channel.name, setting, tuple(moments), common, a00 is not None, reason, by.words)


def _off_by_table(
    raw: Point, noise: ElectronicNoise | None, table: Linearised | None, gain: float, a00: float
) -> list[float]:
    """By how much, relative, the gain of a pair moves when the table is off by each part of its error."""
    out = []
    for off in [] if table is None else map(table.off_by, range(len(table.parts))):
        found = linear_point(raw, off).difference
        if found is None or noise is None:  # no gain is told of such a pair
            return []
        signal = found.variance - linear_noise(noise, off).variance
        out.append(gain_of_pair(found.level, signal, a00)[0] / gain - 1.0)
    return out


def gain_of_pair(level: float, signal: float, a00: float) -> tuple[float, float]:
    """The gain [e⁻/ADU] from a level [ADU] and the variance that light alone causes [ADU²], and −d ln g / d ln signal.

    Solves the exponential law (Astier et al. 2019, eq. 16) with a₀₀ [1/e⁻] and no noise; a₀₀ = 0 is level over variance.
    """
    gain = level / signal
    growth, slope = 1.0, 0.0
    for _ in range(_ROUNDS):
        x = 2.0 * a00 * level * gain
        growth, above = (
            float(exponential(np.array([level]), g, a00 * 1e6, 0.0)[0]) * g / level
            for g in (gain, gain * 1.0001)
        )
        slope = (above / growth - 1.0) / 1e-4 if x else 0.0
        gain = level / signal * growth
    return gain, 1.0 / (1.0 - slope)


def _a00(inputs: Inputs, channel: Channel) -> tuple[float, float] | None:
    """a₀₀ of the channel and its error, as photon transfer measured it; None without."""
    found = inputs.used.get(("photon_transfer", "a00"), {}).get(channel.name)
    return None if found is None or found.value is None else (found.value, found.uncertainty or 0.0)


def _hours(pairs: Sequence[tuple[FrameInput, FrameInput]]) -> list[float | None]:
    """Middle of each pair in hours since the earliest; None where a date is not known."""
    dates = [[f.frame.date for f in pair] for pair in pairs]
    known = [d for both in dates for d in both if d is not None]
    if not known or any((d.tzinfo is None) != (known[0].tzinfo is None) for d in known):
        return [None] * len(pairs)
    first = min(known)
    out: list[float | None] = []
    for both in dates:
        hours = [(d - first).total_seconds() / 3600.0 for d in both if d is not None]
        out.append(0.5 * sum(hours) if len(hours) == 2 else None)
    return out


def _temperature(pair: Sequence[FrameInput]) -> float | None:
    """Mean temperature of a pair [°C]; None where one frame does not tell it as a number."""
    found = [f.frame.fields.get("temperature") for f in pair]
    values = [
        float(v) for v in found if isinstance(v, int | float) and not isinstance(v, bool) and isfinite(v)
    ]
    return sum(values) / len(values) if len(values) == len(found) else None
