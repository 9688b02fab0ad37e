"""Flats as procedures take them: grouped by setting, with their offsets and the noise of the electronics."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput, Made, Shelf, make_anew
from analysis.flat_pairs import Bounds, Difference, bias_difference, checks_of_bias, read_pair
from analysis.offsets import OVERSCAN_TRIM, PRESCAN_TRIM, offset_of, trimmed_columns
from analysis.statistics import mean_of_frames
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region

VERSION = "1"
"""Raise it when the numbers of the bias frames' noise change: what was kept before is then left aside."""


@dataclass(frozen=True)
class Offsets:
    """The offset [ADU] of each of some frames, and the standard error that they have in common."""

    values: tuple[float, ...]
    error: float
    source: Literal["overscan", "bias"]


@dataclass(frozen=True)
class ElectronicNoise:
    """Variance of one frame's pixels without light [ADU²], ± ``error``, with ``n`` degrees of freedom.

    ``rows`` and ``columns`` [ADU²] are the variances of row and column means of a *difference* beyond what
    independent pixels cause; ``flags`` those of the bias frames.
    """

    variance: float
    error: float
    n: int
    source: Literal["overscan", "bias"]
    rows: float = 0.0
    columns: float = 0.0
    flags: tuple[str, ...] = ()


def by_setting(
    frames: Sequence[FrameInput], default: str, fields: Sequence[str] = ("wavelength",)
) -> list[tuple[str, tuple[FrameInput, ...]]]:
    """Frames that may be compared: groups of equal ``fields``, each with the name of its setting.

    With one group its name is ``default``, the setting of the test. Otherwise it is 'field=value, …' of what differs,
    before those parts of the default that name other fields. Groups are in the order of their first frames. Exposure times
    are equal when four digits are: shutters report what they did, not what they were told.
    """
    groups: dict[tuple[str, ...], list[FrameInput]] = {}
    for frame in frames:
        key = tuple(_text(frame.frame.fields.get(name), name) for name in fields)
        groups.setdefault(key, []).append(frame)
    if len(groups) <= 1:
        return [(default, tuple(frames))]
    differing = [i for i in range(len(fields)) if len({key[i] for key in groups}) > 1]
    named = tuple(f"{fields[i]}=" for i in differing)
    rest = [part for part in default.split(", ") if part and not part.startswith(named)]
    return [
        (", ".join([*(f"{fields[i]}={key[i] or 'unknown'}" for i in differing), *rest]), tuple(held))
        for key, held in groups.items()
    ]


def _text(value: object, field: str) -> str:
    """A field's value as it is compared and shown."""
    if field == "exptime" and isinstance(value, int | float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def offsets_of(
    frames: Sequence[FrameInput], biases: Sequence[FrameInput], channel: Channel
) -> Offsets | None:
    """The frames' offsets: each from its own overscan (else prescan), else all from the bias frames' images.

    None when there is neither. The error of bias frames is from the scatter of their levels where that exceeds pixel noise.
    """
    own = [offset_of(frame, channel) for frame in frames]
    found = [o for o in own if o is not None]
    if found and len(found) == len(own):
        return Offsets(tuple(o.value for o in found), float(np.mean([o.error for o in found])), "overscan")
    summaries = [f.summaries[channel.name] for f in biases if channel.name in f.summaries]
    summaries = [s for s in summaries if s.n > 1]
    if not summaries:
        return None
    errors = [max(s.std, 0.1) / sqrt(s.n) for s in summaries]
    level, error, _ = mean_of_frames([s.mean for s in summaries], errors)
    return Offsets((level,) * len(frames), error, "bias")


def electronic_noise(
    frames: Sequence[FrameInput],
    biases: Sequence[FrameInput],
    channel: Channel,
    bounds: Bounds,
    shared: Shelf = make_anew,
) -> ElectronicNoise | None:
    """The noise without light: from disjoint pairs of bias frames, else from the overscans (prescans) of pairs of ``frames``.

    Differences, because the structure of a single overscan is not noise. ``frames`` are flats in which each two that follow one another
    were lit alike. What bias frames tell is shared with other procedures. None when there are neither two bias frames nor two overscans.
    """
    if len(biases) >= 2 and (found := _of_biases(biases, channel, bounds, shared)) is not None:
        return found
    region = _unlit(channel)
    pairs = [] if region is None else _differences(frames, channel, region, bounds)
    if not pairs:
        return None
    variance, error, n = _mean_variance(pairs)
    flags = tuple(dict.fromkeys(f for p in pairs for f in p.flags))
    # too narrow to tell what its rows do from noise
    return ElectronicNoise(variance, error, n, "overscan", flags=flags)


def _mean_variance(pairs: Sequence[Difference]) -> tuple[float, float, int]:
    """Mean variance of one frame [ADU²] over pairs, its error and degrees of freedom."""
    variance, error, _ = mean_of_frames(
        [p.variance for p in pairs], [max(p.variance_error, 1e-9) for p in pairs]
    )
    return variance, error, sum(p.n for p in pairs)


def _of_biases(
    biases: Sequence[FrameInput], channel: Channel, bounds: Bounds, shared: Shelf
) -> ElectronicNoise | None:
    """The noise of bias frames: variance, error, n, rows, columns and whether they are clamped, made once for all procedures."""

    def make() -> NDArray[np.generic]:
        pairs = _differences(biases, channel, channel.image, bounds)
        if not pairs:
            return np.zeros(0)
        rows, columns = (float(np.mean([p.checks[i].excess for p in pairs])) for i in (0, 1))
        return np.array([*_mean_variance(pairs), rows, columns, any("clamped" in p.flags for p in pairs)])

    name = Made(
        f"noise of bias pairs {VERSION}",
        tuple(biases),
        channel,
        (bounds.sigma, bounds.tile, bounds.pile_fraction),
    )
    found = [float(v) for v in shared(name, make)]
    if not found:
        return None
    variance, error, n, rows, columns, clamped = found
    flags = ("clamped",) if clamped else ()
    return ElectronicNoise(variance, error, int(n), "bias", rows, columns, flags)


def _unlit(channel: Channel) -> Region | None:
    """The trimmed overscan, else prescan."""
    if channel.overscan is not None:
        return trimmed_columns(channel, channel.overscan, OVERSCAN_TRIM)
    if channel.prescan is not None:
        return trimmed_columns(channel, channel.prescan, PRESCAN_TRIM)
    return None


def _differences(
    frames: Sequence[FrameInput], channel: Channel, region: Region, bounds: Bounds
) -> list[Difference]:
    out = []
    for first, second in zip(frames[::2], frames[1::2], strict=False):
        try:
            a, b = read_pair(first, second, channel, region)
            if region == channel.image:
                checks = [c for f in (first, second) for c in checks_of_bias(f, channel, bounds)]
                out.append(bias_difference(a, b, bounds, checks))
            else:
                out.append(bias_difference(a, b, bounds))
        except ValueError:
            continue  # no pixels in common: the pair tells nothing
    return out
