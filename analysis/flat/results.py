"""What the flat procedure says of each channel and setting beyond its levels: the master and the lamp's drift."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from analysis.contract import FrameInput, Results
from analysis.flat.master import BRIGHT, DARK, Master
from analysis.flat.outputs import OfChannel
from analysis.structure import gradient


def report_drift(
    results: Results, one: OfChannel, frames: Sequence[FrameInput], flags: Sequence[str]
) -> None:
    """The change of the light with time: a straight line through the levels."""
    name, n = one.channel.name, len(frames)
    dates = [f.frame.date for f in frames]
    if n < 3 or any(d is None or d.tzinfo is not None for d in dates):
        note = "three flats with dates are needed"
        results.missing("lamp_drift", "too-few-frames", channel=name, setting=one.setting, n=n, note=note)
        return
    hours = np.array([(d - dates[0]).total_seconds() / 3600.0 for d in dates if d and dates[0]])
    levels = np.array(one.levels.values)
    x, y = hours - hours.mean(), levels / levels.mean() - 1.0
    lever = float(x @ x)
    if lever <= 0:
        results.missing(
            "lamp_drift",
            "too-few-frames",
            channel=name,
            setting=one.setting,
            n=n,
            note="all began at one time",
        )
        return
    from scipy import special

    slope = float(x @ y) / lever
    scatter = sqrt(float(((y - slope * x) ** 2).sum()) / (n - 2))
    own = float(np.mean(one.levels.errors)) / float(levels.mean())
    # of few flats the scatter is known badly: widened to 68 % by Student's t, and no less than pixel noise makes it
    error = max(scatter * float(special.stdtrit(n - 2, 0.841344746068543)), own) / sqrt(lever)
    results.value(
        "lamp_drift", 100 * slope, 100 * error, channel=name, setting=one.setting, n=n, flags=flags,
        note=f"over {float(np.ptp(hours)):.3g} h",
    )  # fmt: skip


def report_master(results: Results, one: OfChannel, master: Master, flags: Sequence[str], note: str) -> None:
    """What the master tells."""
    channel, setting = one.channel, one.setting
    few = ("few-frames",) if master.frames < 4 else ()
    spread, spread_error = master.non_uniformity()
    size = master.image.size
    rows: list[tuple[str, float, float | None, int, Sequence[str]]] = [
        ("non_uniformity", 100 * spread, 100 * spread_error, size, ()),
        ("dark_pixels", float(np.count_nonzero(master.defects & DARK)), None, size, ()),
        ("bright_pixels", float(np.count_nonzero(master.defects & BRIGHT)), None, size, ()),
        ("dust_spots", float(master.dust[0]), None, size, ()),
        ("dust_area", float(master.dust[1]), None, size, ()),
    ]
    for axis, quantity in enumerate(("gradient_rows", "gradient_columns")):
        tilt, _ = gradient(master.shape, channel, axis)
        # a shape of 21 terms is known to σ √(21 / N) in the middle of an image, to about twice that at its edges
        error = 100 * 2.0 * spread_error
        rows.append((quantity, 100 * tilt / master.level, error, size, ()))
    if master.pattern is None:
        own = "this setting is the reference of the others"
        results.missing("prnu", "no-reference", channel=channel.name, setting=setting, flags=flags, note=own)
    else:
        rms, error_of, extra = master.pattern.root()
        rows.append(("prnu", 100 * rms, 100 * error_of, master.pattern.n, extra))
    for quantity, value, uncertainty, n, own_flags in rows:
        results.value(
            quantity, value, uncertainty, channel=channel.name, setting=setting, n=n, flags=[*flags, *own_flags, *few], note=note
        )  # fmt: skip
    ratio = master.level / master.noise if master.noise > 0 else 0.0
    for quantity, frames in (("signal_to_noise", 1), ("signal_to_noise_single", master.frames)):
        if ratio <= 0:
            results.missing(
                quantity, "unphysical", channel=channel.name, setting=setting, flags=flags, note="the flats are identical"
            )  # fmt: skip
            continue
        value = ratio / sqrt(frames)
        results.value(
            quantity, value, value * master.noise_error / master.noise, channel=channel.name, setting=setting,
            n=master.frames, flags=[*flags, *few], note=note,
        )  # fmt: skip
