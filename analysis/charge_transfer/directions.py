"""One channel in one direction: its levels, and what each estimator makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.first_pixel import FITTED, FirstPixels, first_pixels
from analysis.charge_transfer.levels import Ladder, Terms, ladder
from analysis.charge_transfer.lines import good_lines, means_of
from analysis.charge_transfer.register import (
    Direction,
    Floats,
    first_transfers,
    lines_before,
    trailing,
    transfers,
)
from analysis.charge_transfer.results import Found
from analysis.charge_transfer.trap_model import TrapModel, trap_model
from analysis.contract import FrameInput, Inputs
from campaign.geometry import Channel


def measure_direction(
    inputs: Inputs,
    channel: Channel,
    setting: str,
    direction: Direction,
    frames: Sequence[FrameInput],
    biases: Sequence[FrameInput],
    terms: Terms,
) -> Found:
    """One channel in one direction."""
    more = int(inputs.number(f"more_{direction}"))
    count = transfers(channel, direction, more)
    one = ladder(frames, biases, channel, setting, direction, count, terms)
    estimator, wanted = str(inputs.parameters["estimator"]), inputs.number("reference_level")
    top = one.used[-1].signal if one.levels else 1.0
    half = 0.5 * (terms.saturation if np.isfinite(terms.saturation) else top)
    reference = wanted or half
    first: FirstPixels | None = None
    why_first = ("no-reference", "no dark pixels are read before the first rows")
    if estimator == "first-pixel" and direction == "serial" and one.levels:
        first, why_first = _first_pixels(one.nearest(reference).frames, channel, terms)
    model, why_model = _model(one)
    return Found(
        one, estimator, reference, half, terms.pixels, inputs.number("rise"), _counted(channel, direction, count, more),
        _conditions(one, reference, channel), first, first_transfers(channel, int(inputs.number("more_serial"))), why_first, model,
        why_model,
    )  # fmt: skip


def _counted(channel: Channel, direction: Direction, count: int, more: int) -> str:
    """How the transfers were counted, in words."""
    image = channel.image.shape[1 if direction == "serial" else 0]
    before = count - image - more
    parts = [f"{image} image {'columns' if direction == 'serial' else 'rows'}"]
    parts += [f"{before} elements before them"] if before else []
    parts += [f"{more} more"] if more else []
    return f"{count} transfers: {' + '.join(parts)}"


def _conditions(one: Ladder, reference: float, channel: Channel) -> tuple[str, ...]:
    """Flags of the frames that are reported: noise too small for the converter, or values cut at its end."""
    if not one.levels:
        return ()
    from analysis.checks import clamped

    frame, region = one.nearest(reference).frames[0], trailing(channel, one.direction)
    assert region is not None  # there is a level
    summary, values = frame.summaries[channel.name], frame.pixels.read(channel, region)
    if not np.isfinite(values).any():
        return ()
    flags = []
    if summary.overscan_std is not None and summary.overscan_std < 0.5 and values.dtype.kind in "iu":
        flags.append("quantised")
    if clamped(values).raised:
        flags.append("clamped")
    return tuple(flags)


def _first_pixels(
    frames: Sequence[FrameInput], channel: Channel, terms: Terms
) -> tuple[FirstPixels | None, tuple[str, str]]:
    """The first-pixel response of the frames of one level; else why there is none."""
    if channel.prescan is None:
        return None, ("no-reference", "no prescan is read before the image")
    width = channel.prescan.shape[1]
    columns = terms.pixels + FITTED

    late = slice(width // 2, width)

    def keep(values: Floats) -> NDArray[np.bool_]:
        lit = min(width + terms.pixels, values.shape[1] - 1)
        whole = bool((values[:8] == np.rint(values[:8])).all())
        return good_lines(
            values, lit=lit, late=late, saturation=terms.saturation, sigma=terms.clip, whole=whole
        )

    try:
        means = means_of((lines_before(f, channel, columns)[0] for f in frames), keep)
        if means is None:
            return None, ("too-few-pixels", "too few good rows")
        if terms.table is not None:
            means = means.linearised(terms.table, late)
        return first_pixels(means, width, terms.pixels), ("", "")
    except ValueError as error:
        return None, ("too-few-pixels", str(error))


def _model(one: Ladder) -> tuple[TrapModel | None, tuple[str, str]]:
    """The fit of all levels that nothing saturates; else why there is none."""
    if not one.levels:
        return None, (one.reason, one.note)
    try:
        common = None if one.bias is None else one.bias.covariance
        return trap_model([level.edge for level in one.used], one.transfers, common), ("", "")
    except ValueError as error:
        short = min(level.edge.after.size for level in one.used) < 5
        return None, ("too-few-pixels" if short else "bad-fit", str(error))
