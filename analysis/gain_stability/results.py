"""What gain stability measures, and its values for one channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import Results
from analysis.gain_stability.pairs_in_time import Moment, Run
from analysis.gain_stability.quantities import QUANTITIES
from analysis.gain_stability.trends import Floats, Trend, fit_trend
from campaign.frozen import dataclass

_OF_GAIN = ("gain_mean", "gain_scatter", "gain_drift", "gain_temperature")
_FEWEST = 3
_FEW = 4  # degrees of freedom below which a scatter says little


@dataclass(frozen=True)
class Followed:
    """A run with its gains and levels over time: in percent about the means of their exposure times, with errors, for figures."""

    run: Run
    used: tuple[Moment, ...]
    gain: Floats
    gain_error: Floats
    level: Floats


def nothing(results: Results, channel: str, setting: str, reason: str, note: str, n: int = 0) -> None:
    """All quantities are missing, for one reason."""
    for quantity in QUANTITIES:
        results.missing(quantity.name, reason, channel=channel, setting=setting, n=n, note=note)


def hand_back(results: Results, run: Run, least_range: float, tolerance: float) -> Followed | None:
    """All quantities of a channel; returns what figures need, None where no pair gave a gain."""
    for moment in run.moments:
        what = moment.point.failure or (
            moment.point.difference.note if moment.point.difference and moment.point.flags else ""
        )
        if what:
            results.say(f"{run.channel}: flats {moment.point.first} and {moment.point.second}: {what}")
    used = tuple(m for m in run.clean if m.gain is not None)
    name, setting, flags = run.channel, run.setting, list(run.carried)
    if not used:
        saturated = bool(run.moments) and all("saturated" in m.point.flags for m in run.moments)
        failed = next((m.point.reason for m in run.moments if m.point.reason), "")
        reason = "saturated" if saturated else failed or run.reason or "bad-fit"
        nothing(
            results, name, setting, reason, f"none of {len(run.moments)} pairs gives a gain", len(run.moments)
        )
        return None
    n, groups = len(used), [m.point.exptime for m in used]
    gain = np.log([m.gain for m in used if m.gain is not None])
    gain_error = np.array([m.gain_error / m.gain for m in used if m.gain is not None])
    level = np.log([m.level for m in used])
    level_error = np.array([max(m.level_error, 1e-6 * m.level) / m.level for m in used])
    results.value("pairs_used", n, None, channel=name, setting=setting, n=n, flags=flags)
    hours, why_time = _times(used)
    warmth, why_warmth = _temperatures(used, hours, least_range)
    _trends(
        results,
        run,
        "gain",
        fit_or_less(gain, gain_error, groups, hours, warmth),
        n,
        why_time,
        why_warmth,
        tolerance,
    )
    of_level = fit_or_less(level, level_error, groups, hours, None)
    _trends(results, run, "level", of_level, n, why_time, why_warmth, tolerance)
    _mean(results, run, used, gain, gain_error, hours)
    plain = [fit_trend(y, e, groups).residuals for y, e in ((gain, gain_error), (level, level_error))]
    return Followed(run, used, 100 * plain[0], 100 * gain_error, 100 * plain[1])


def fit_or_less(
    values: Floats, errors: Floats, groups: Sequence[float], hours: Floats | None, warmth: Floats | None
) -> tuple[Trend, bool, bool] | None:
    """The fit with as many slopes as the values carry, and whether time and temperature are among them; None for too few values."""
    for with_time, with_warmth in ((True, True), (True, False), (False, True), (False, False)):
        asked = [(with_time, hours), (with_warmth, warmth)]
        if any(want and r is None for want, r in asked):
            continue
        regressors = [r for want, r in asked if want and r is not None]
        if values.size < max(_FEWEST, len(set(groups)) + len(regressors) + 1):
            continue
        try:
            return fit_trend(values, errors, groups, regressors), with_time, with_warmth
        except ValueError:
            continue
    return None


def _times(used: Sequence[Moment]) -> tuple[Floats | None, tuple[str, str]]:
    """Hours of the pairs, or the reason why there are none."""
    hours = np.array([np.nan if m.hours is None else m.hours for m in used])
    if not np.isfinite(hours).all():
        return None, ("time-unknown", "")
    if not np.ptp(hours) > 0:
        return None, ("not-varied", "all pairs were taken at one time")
    return hours, ("too-few-frames", "too few pairs for a slope with time")


def _temperatures(
    used: Sequence[Moment], hours: Floats | None, least: float
) -> tuple[Floats | None, tuple[str, str]]:
    """Temperatures of the pairs, or the reason why the gain cannot be told against them."""
    found = np.array([np.nan if m.temperature is None else m.temperature for m in used])
    if not np.isfinite(found).all():
        return None, ("temperature-unknown", "")
    if np.ptp(found) < least:
        return None, ("not-varied", f"the temperature varied by {np.ptp(found):.2g} K only")
    if hours is not None and found.size > 2 and abs(np.corrcoef(hours, found)[0, 1]) > 0.95:
        return None, ("not-varied", "the temperature changed with time: one cannot be told from the other")
    return found, ("too-few-frames", "too few pairs for slopes with time and temperature")


def _trends(
    results: Results,
    run: Run,
    what: str,
    found: tuple[Trend, bool, bool] | None,
    n: int,
    why_time: tuple[str, str],
    why_warmth: tuple[str, str],
    tolerance: float,
) -> None:
    """Scatter and slopes of the gain, or of the level."""
    place = {"channel": run.channel, "setting": run.setting, "n": n}
    flags = list(run.carried)
    if found is not None and found[0].dof < _FEW:
        flags.append("few-frames")
    trend, with_time, with_warmth = found or (None, False, False)
    if trend is None or trend.excess is None:
        results.missing(f"{what}_scatter", "too-few-frames", note=f"{n} pairs", flags=flags, **place)  # type: ignore[arg-type]
    else:
        value, error = 100 * trend.excess, 100 * trend.excess_error
        zero = ("consistent-with-zero",) if value < 3 * error else ()
        loud = ("unstable",) if trend.chance < 1e-3 and value > tolerance else ()
        note = f"about {'a line in time' if with_time else 'the mean'}{' and temperature' if with_warmth else ''}; chance of more from noise: {trend.chance:.2g}"
        results.value(f"{what}_scatter", value, error, flags=[*flags, *zero, *loud], note=note, **place)  # type: ignore[arg-type]
    slopes = [("drift", with_time, why_time, 0), ("temperature", with_warmth, why_warmth, int(with_time))]
    for suffix, there, why, index in slopes if what == "gain" else slopes[:1]:
        name = f"{what}_{suffix}"
        if trend is None or not there:
            results.missing(name, why[0], note=why[1], flags=flags, **place)  # type: ignore[arg-type]
            continue
        value, error = 100 * float(trend.slopes[index]), 100 * float(trend.errors[index])
        zero = ("consistent-with-zero",) if abs(value) < 3 * error else ()
        results.value(name, value, error, flags=[*flags, *zero], **place)  # type: ignore[arg-type]


def _mean(
    results: Results, run: Run, used: Sequence[Moment], gain: Floats, error: Floats, hours: Floats | None
) -> None:
    """The mean gain: of all pairs where they are freed of brighter-fatter, else of the exposure time that most of them have.

    A drift is no scatter: where there are enough pairs the mean is that of a line in time, at the mean of the times.
    """
    times = [m.point.exptime for m in used]
    most = max(sorted(set(times)), key=times.count)
    picked = np.array([run.corrected or t == most for t in times])
    one, when = [0.0] * int(picked.sum()), None if hours is None else hours[picked]
    found = fit_or_less(gain[picked], error[picked], one, when, None)
    trend = found[0] if found else fit_trend(gain[picked], error[picked], one)
    value = float(np.exp(trend.means[0]))
    total = value * float(np.hypot(trend.mean_errors[0], run.common_error))
    level = float(np.mean([m.level for m, p in zip(used, picked, strict=True) if p]))
    note = f"at {level:.5g} ADU on average" + ("" if run.corrected else "; brighter-fatter is not taken out")
    note = "; ".join(part for part in (run.steps, note) if part)
    flags = [*run.carried, *(("few-frames",) if picked.sum() < 2 else ())]
    results.value(
        "gain_mean", value, total, channel=run.channel, setting=run.setting, n=int(picked.sum()), flags=flags, note=note
    )  # fmt: skip
