"""What flats tell of the brighter-fatter effect: the quantities, and their values for one channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from analysis.brighter_fatter.area import kernel_sum
from analysis.brighter_fatter.curves import Curve
from analysis.brighter_fatter.quantities import FIT, QUANTITIES
from analysis.brighter_fatter.spot import Growth, growth
from analysis.brighter_fatter.straightness import ratio
from analysis.contract import Inputs, Results

_ESTIMATORS = {
    "astier": FIT,
    "guyonnet": "slope of covariances against variance times level (a₀₀: parabola of the variance), first order in the charge",
    "coulton": "mean over levels of covariances over the level's square (variance less those of light and noise), first order in the charge",
}


def nothing(
    results: Results,
    channel: str,
    setting: str,
    reason: str,
    note: str,
    flags: Sequence[str] = (),
    n: int = 0,
) -> None:
    """All quantities are missing, for one reason."""
    for quantity in QUANTITIES:
        results.missing(quantity.name, reason, channel=channel, setting=setting, n=n, flags=flags, note=note)


def hand_back(inputs: Inputs, results: Results, curve: Curve) -> None:
    """All quantities of one channel and setting."""
    for point in curve.points:
        if point.failure:
            results.say(f"{curve.channel}: flats {point.first} and {point.second}: {point.failure}")
    if curve.fit is None or curve.kernel is None:
        flags = tuple(dict.fromkeys(f for p in curve.points for f in p.flags))
        nothing(results, curve.channel, curve.setting, curve.reason, curve.failure, flags, len(curve.points))
        return
    _coefficients(results, curve)
    _kernel(results, curve)
    _widths(inputs, results, curve)
    _straight(results, curve)
    _quality(results, curve)


def _flags(curve: Curve) -> list[str]:
    fit = curve.fit
    poor = ["poor-fit"] if fit is not None and fit.chance < 1e-3 else []
    return [*curve.carried, *(["few-levels"] if curve.levels <= 4 else []), *poor]


def _zero(value: float, error: float) -> list[str]:
    return ["consistent-with-zero"] if abs(value) < 3.0 * error else []


def _coefficients(results: Results, curve: Curve) -> None:
    fit = curve.fit
    assert fit is not None
    gain = (
        f"gain {fit.gain:.5g} ± {fit.gain_error:.2g} e⁻/ADU of this fit"
        if fit.fitted_gain
        else curve.gain.note
        if curve.gain
        else ""
    )
    if fit.fitted_gain and curve.known is not None:
        gain += f"; elsewhere {curve.known.gain:.5g} ± {curve.known.error:.2g}"
    if fit.chance < 1e-3:
        gain += "; errors enlarged by the square root of the reduced χ²"
    gain = "; ".join(part for part in (curve.corrected, gain) if part)
    for name, at in (("a00", (0, 0)), ("a10", (0, 1)), ("a01", (1, 0))):
        value, error = float(fit.area[at]), float(fit.errors[at])
        zero = _zero(value, error)
        wrong = not zero and (value > 0) == (name == "a00")
        note = f"{gain}; of the sign that repulsion does not have" if wrong else gain
        results.value(
            name, value, error, channel=curve.channel, setting=curve.setting, n=len(curve.used),
            flags=[*_flags(curve), *zero], estimator=_ESTIMATORS[fit.estimator], note=note,
        )  # fmt: skip


def _kernel(results: Results, curve: Curve) -> None:
    assert curve.fit is not None and curve.kernel is not None
    name, setting, n = curve.channel, curve.setting, len(curve.used)
    value, error = kernel_sum(curve.fit)
    flags = _flags(curve)
    results.value(
        "kernel_sum", value, error, channel=name, setting=setting, n=n, flags=[*flags, *_zero(value, error)]
    )
    if error > 0:
        results.value(
            "kernel_sum_significance", value / error, 1.0, channel=name, setting=setting, n=n, flags=flags
        )
    else:
        results.missing(
            "kernel_sum_significance",
            "unphysical",
            channel=name,
            setting=setting,
            n=n,
            note="the sum has no error",
        )
    faults = curve.kernel.faults()
    centre, uncertain = curve.kernel.centre
    doubt = ["poor-fit"] if faults else []
    for fault in faults:
        results.caveat(f"Kernel of channel {name}{f', {setting}' if setting else ''}: {fault}.")
    results.value(
        "kernel_centre", centre, uncertain, channel=name, setting=setting, n=n,
        flags=[*flags, *doubt, *_zero(centre, uncertain)], note="; ".join(faults),
    )  # fmt: skip


def _widths(inputs: Inputs, results: Results, curve: Curve) -> None:
    fit, kernel = curve.fit, curve.kernel
    assert fit is not None and kernel is not None
    peak, width, pitch = (inputs.number(p) for p in ("half_well", "spot_fwhm", "pitch"))
    note = f"spot of full width {width:g} pixels of {pitch:g} µm, peak {peak:g} ADU"
    for axis, letter in ((1, "x"), (0, "y")):
        found: Growth | None = growth(
            kernel, fit.covariance, (fit.gain, fit.gain_error), peak=peak, width=width, pitch=pitch, axis=axis
        )
        pairs = (("fwhm", "value", "error"), ("fwhm_slope", "slope", "slope_error"))
        for quantity, what, uncertain in pairs:
            if found is None:
                results.missing(
                    f"{quantity}_{letter}", "unphysical", channel=curve.channel, setting=curve.setting,
                    n=len(curve.used), flags=_flags(curve), note=f"{note}: it would shrink to nothing",
                )  # fmt: skip
                continue
            value, error = getattr(found, what), getattr(found, uncertain)
            results.value(
                f"{quantity}_{letter}", value, error, channel=curve.channel, setting=curve.setting,
                n=len(curve.used), flags=[*_flags(curve), *_zero(value, error)], note=note,
            )  # fmt: skip


def _straight(results: Results, curve: Curve) -> None:
    name, setting, check, fit = curve.channel, curve.setting, curve.check, curve.fit
    assert fit is not None
    names = (("a00_after", (0, 0)), ("a10_after", (0, 1)), ("a01_after", (1, 0)))
    if check is None:
        for quantity in (*(n for n, _ in names), "curvature_ratio"):
            results.missing(
                quantity, "too-few-frames", channel=name, setting=setting, n=len(curve.used),
                flags=_flags(curve), note=curve.unchecked,
            )  # fmt: skip
        return
    note = (
        f"kernel of the other half of the pairs; corrected in {check.rounds} rounds at most"
        if check.independent
        else "kernel of the same pairs, whose noise it takes along: the uncertainty is an upper bound"
    )
    few = ["few-frames"] if not check.independent else []
    n = len(check.points)
    for quantity, at in names:
        value, error = float(check.left[at]), float(check.errors[at])
        results.value(
            quantity, value, error, channel=name, setting=setting, n=n,
            flags=[*_flags(curve), *few, *_zero(value, error)], note=note,
        )  # fmt: skip
    before = float(fit.area[0, 0]), float(fit.errors[0, 0])
    if abs(before[0]) < 3.0 * before[1]:
        results.missing(
            "curvature_ratio", "unphysical", channel=name, setting=setting, n=n, flags=_flags(curve),
            note="there is no curvature before the correction that it could take away",
        )  # fmt: skip
        return
    value, error = ratio((float(check.left[0, 0]), float(check.errors[0, 0])), before)
    results.value(
        "curvature_ratio", value, error, channel=name, setting=setting, n=n,
        flags=[*_flags(curve), *few, *_zero(value, error)], note=note,
    )  # fmt: skip


def _quality(results: Results, curve: Curve) -> None:
    name, setting, fit, n = curve.channel, curve.setting, curve.fit, len(curve.used)
    assert fit is not None
    poor = ["poor-fit"] if fit.chance < 1e-3 else []
    if fit.near_dof > 0:
        results.value(
            "fit_chi2", fit.near_chi2 / fit.near_dof, sqrt(2.0 / fit.near_dof), channel=name, setting=setting, n=n,
            flags=poor, note=f"all lags: χ² = {fit.chi2:.4g} with {fit.dof} degrees of freedom; chance of more: {fit.chance:.2g}",
        )  # fmt: skip
    else:
        results.missing(
            "fit_chi2", "too-few-frames", channel=name, setting=setting, n=n,
            note="as many points as parameters: the fit cannot be tested",
        )  # fmt: skip
    top = max(curve.used, key=lambda p: p.level)
    assert top.matrix is not None and top.counts is not None
    error = sqrt(0.5 * float(top.matrix[0, 0]) / float(top.counts[0, 0]))
    results.value("max_level", top.level, error, channel=name, setting=setting, n=n)
    flagged = sum(1 for p in curve.points if p.flags)
    note = f"{flagged} of {len(curve.points)} pairs left out for their flags" if flagged else ""
    results.value("pairs_used", n, None, channel=name, setting=setting, n=n, flags=curve.carried, note=note)
