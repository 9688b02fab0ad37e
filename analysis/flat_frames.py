"""Flats as procedures take them: grouped by setting, with their offsets and the noise of the electronics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from analysis.contract import FrameInput
from analysis.flat_pairs import Bounds, bias_difference
from analysis.offsets import offset_of
from analysis.statistics import mean_of_frames
from campaign.geometry import Channel


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
    frames: Sequence[FrameInput], biases: Sequence[FrameInput], channel: Channel, bounds: Bounds
) -> ElectronicNoise | None:
    """The noise without light: from disjoint pairs of bias frames, else from the overscans of the flats.

    None when there are neither two bias frames nor an overscan.
    """
    pairs = []
    for first, second in zip(biases[::2], biases[1::2], strict=False):
        a, b = first.region(channel), second.region(channel)
        if a is None or b is None:
            continue
        try:
            pairs.append(bias_difference(a, b, bounds))
        except ValueError:
            continue  # no pixels in common: the pair tells nothing
    if pairs:
        variance, error, _ = mean_of_frames(
            [p.variance for p in pairs], [max(p.variance_error, 1e-9) for p in pairs]
        )
        rows, columns = (
            float(np.mean([p.checks[i].excess for p in pairs if len(p.checks) > i])) for i in (0, 1)
        )
        flags = tuple(dict.fromkeys(f for p in pairs for f in p.flags))
        return ElectronicNoise(variance, error, sum(p.n for p in pairs), "bias", rows, columns, flags)
    own = [o for f in frames if (o := offset_of(f, channel)) is not None and o.n > 2]
    if not own:
        return None
    n = sum(o.n - 1 for o in own)
    variance = float(np.median([o.std**2 for o in own]))
    return ElectronicNoise(variance, variance * sqrt(2.0 / n), n, "overscan")
