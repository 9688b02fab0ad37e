"""What the flat procedure says of each channel and setting: levels and their checks, the master, and the lamp's drift."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from analysis.contract import FrameInput, Results
from analysis.flat.levels import Levels
from analysis.flat.master import Master
from analysis.flat.outputs import OfChannel
from analysis.masks import BITS
from campaign.geometry import Channel


def tell_checks(
    results: Results, channel: Channel, setting: str, frames: Sequence[FrameInput], levels: Levels
) -> None:
    """Write what the checks found to the log."""
    where = f"{channel.name}{', ' + setting if setting else ''}"
    for frame, checks in zip(frames, levels.checks, strict=True):
        for check in (c for c in checks if c.raised):
            results.say(f"{where}: flat {frame.frame.exposure} is flagged {check.flag}: {check.note}")
    for i, check in enumerate(levels.mutual):
        if check.raised:
            which = f" from flat {frames[i].frame.exposure} to the next" if check.flag == "lamp-drift" else ""
            results.say(f"{where}: flagged {check.flag}{which}: {check.note}")


def report_levels(
    results: Results, channel: Channel, setting: str, frames: Sequence[FrameInput], levels: Levels, flags: Sequence[str], note: str
) -> None:  # fmt: skip
    """Level, stability and saturation: of all frames, flagged or not."""
    n = len(frames)
    few = ("few-frames",) if n < 4 else ()
    value, error = levels.mean()
    results.value("level", value, error, channel=channel.name, setting=setting, n=n, flags=flags, note=note)
    value, error = levels.scatter()
    results.value(
        "stability",
        100 * value,
        100 * error,
        channel=channel.name,
        setting=setting,
        n=n,
        flags=[*flags, *few],
    )
    summaries = [f.summaries[channel.name] for f in frames]
    pixels = sum(s.n for s in summaries)
    share = 100.0 * sum(s.saturated for s in summaries) / pixels
    own = [f for f in flags if f in ("saturated", "clamped")]
    results.value("saturated", share, None, channel=channel.name, setting=setting, n=pixels, flags=own)


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


def report_master(
    results: Results, one: OfChannel, master: Master, degree: int, flags: Sequence[str], note: str
) -> None:
    """What the master tells."""
    channel, setting = one.channel, one.setting
    few = ("few-frames",) if master.frames < 4 else ()
    spread, spread_error = master.non_uniformity()
    size = master.image.size
    rows: list[tuple[str, float, float | None, int, Sequence[str]]] = [
        ("non_uniformity", 100 * spread, 100 * spread_error, size, ()),
        ("dark_pixels", float(np.count_nonzero(master.defects & BITS["dark"])), None, size, ()),
        ("bright_pixels", float(np.count_nonzero(master.defects & BITS["bright"])), None, size, ()),
        ("dust_spots", float(master.dust[0]), None, size, ()),
        ("dust_area", float(master.dust[1]), None, size, ()),
    ]
    for axis, quantity in enumerate(("gradient_rows", "gradient_columns")):
        tilt, error = _tilt(master, channel, axis, degree)
        rows.append((quantity, 100 * tilt, 100 * error, size, ()))
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


def _tilt(master: Master, channel: Channel, axis: int, degree: int) -> tuple[float, float]:
    """Mean of the smooth shape over the tenth of rows (axis 0) or columns (axis 1) read last less that over the first, over the level; and its error.

    Of a least-squares polynomial only the Legendre terms along the axis count in such means: the variance of term k is (2k + 1) σ² / N.
    """
    backwards = channel.corner.startswith("upper") if axis == 0 else channel.corner.endswith("right")
    profile = master.shape.profile(axis)
    profile = profile[::-1] if backwards else profile
    tenth = max(profile.size // 10, 1)
    value = float(profile[-tenth:].mean() - profile[:tenth].mean()) / master.level
    at = np.linspace(-1.0, 1.0, profile.size)
    square = 0.0
    for k in range(1, degree + 1):
        term = np.polynomial.legendre.Legendre.basis(k)(at)
        square += (2 * k + 1) * float(term[-tenth:].mean() - term[:tenth].mean()) ** 2
    pattern = 0.0 if master.pattern is None else max(master.pattern.value, 0.0)
    sigma = sqrt((master.noise / master.level) ** 2 + pattern)
    return value, sigma * sqrt(square / master.shape.size)
