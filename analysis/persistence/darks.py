"""The residual of each dark after the light, each frame read once."""

from __future__ import annotations

from dataclasses import replace
from math import hypot

import numpy as np
from numpy.typing import NDArray

from analysis.contract import FrameInput
from analysis.correction import Chain
from analysis.persistence.averages import by_level
from analysis.persistence.background import Ground, background, ground_of
from analysis.persistence.memory import Planes
from analysis.persistence.order import Ordered, alike, since
from analysis.persistence.outputs import OfChannel
from analysis.persistence.reference import Reference, difference, reference
from analysis.persistence.residual import Compared, Residual, compared, residual, shot_of
from analysis.persistence.saturation import Saturated
from campaign.frozen import dataclass


def residuals_of(
    lit: Saturated,
    order: Ordered,
    steps: Chain,
    memory: Planes,
    *,
    gain: float | None,
    noise: float,
    sigma: float,
    statistic: str,
    levels: int,
) -> OfChannel | tuple[str, str]:
    """All that the darks after the light tell of one channel; else a coded reason and a note.

    ``noise`` is the read noise [ADU], ``gain`` in e⁻/ADU or None. Raises what reading pixels raises."""
    last = lit.last
    if last is None:
        return "not-reached", "nothing saturated"
    if not order.after:
        return "too-few-frames", "no dark after the exposure to light"
    if not order.before:
        return "no-reference", "no dark before the exposure to light"
    inside = np.flatnonzero(lit.mask)
    one = OfChannel(
        steps.channel, inside, float(lit.level.ravel()[inside].mean(dtype=np.float64)), steps=steps.words
    )
    outside = background(lit.level, lit.mask, one.top)
    if not outside.any():
        return "saturated", "no pixel outside the mask is left to compare with"
    waiting: _Waiting | None = None
    before: Reference | None = None
    made_for: float | None = None
    first_pair: Compared | None = None
    held: list[Residual] = []

    def done(one_dark: _Waiting, *pairs: Compared | None) -> None:
        values, known = one_dark.values, [p for p in pairs if p is not None]
        if statistic == "clipped mean":
            for pair in known:
                values = np.where(pair.struck, np.float32(np.nan), values)
        found = residual(
            one_dark.frame, values, one_dark.ground, one_dark.references, since=since(one_dark.frame, last),
            shot=None if gain is None else 1.0 / gain, sigma=sigma, statistic=statistic, cleaned=bool(known) and one_dark.references > 1,
        )  # fmt: skip
        if found is not None:
            held.append(found)

    pair: Compared | None = None
    for frame in order.after:
        if before is None or not alike(made_for, frame.frame.exptime):
            made_for = frame.frame.exptime
            same = [f for f in order.before if alike(f.frame.exptime, made_for)]
            before = reference(same, steps, memory, noise=noise, shot=1.0 / (gain or 1.0), sigma=sigma)
        if before is None:
            continue
        left, offset_error = difference(frame, steps, before, memory.frame)
        ground = ground_of(
            left, outside, lit.mask, hypot(offset_error, before.offset_error), sigma, statistic
        )
        if ground is None:
            continue
        now = _Waiting(frame, left.ravel()[inside], ground, before.frames)
        if waiting is None:
            one.levels = by_level(left, ground.control, lit.level, one.top, levels, sigma)
            one.map = left - np.float32(ground.control)
        else:
            previous, pair = (
                pair,
                compared(
                    waiting.values - np.float32(waiting.ground.control),
                    now.values - np.float32(ground.control),
                    sigma,
                ),
            )
            first_pair = first_pair or pair
            done(waiting, pair, previous)
        waiting = now
    if waiting is None:
        if before is None:
            return "no-reference", "no dark before the light has the exposure time of one after it"
        return "too-few-pixels", ""
    done(waiting, pair)
    if not held:
        return "too-few-pixels", "too few saturated pixels have a value in the darks"
    one.residuals = held
    if gain is None and first_pair is not None and len(held) > 1:
        shot = shot_of(first_pair, held[0], held[1])
        if shot is not None:  # less what pixels hold back differently, which is no error of their mean
            one.residuals = [
                replace(r, within=min(r.single + max(r.value, 0.0) * shot, r.within)) for r in held
            ]
    return one


@dataclass(frozen=True)
class _Waiting:
    """A dark whose values within the mask wait to be compared with the next one's."""

    frame: FrameInput
    values: NDArray[np.float32]
    ground: Ground
    references: int


def frames_seen(frames: tuple[FrameInput, ...], channel: str) -> list[FrameInput]:
    """Those frames that have any value of the channel."""
    return [f for f in frames if channel in f.summaries and f.summaries[channel].n > 1]
