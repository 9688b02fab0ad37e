"""The values that a photon transfer curve gives for one channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

from analysis.contract import Results
from analysis.photon_transfer.matrix import MatrixFit
from analysis.photon_transfer.matrix_results import few_levels, hand_full_well, hand_matrix
from analysis.photon_transfer.points import Curve, why_missing
from analysis.photon_transfer.quantities import FROM_PAIRS, MATRIX, NOISE_DIRECT, NOISE_FIT, QUANTITIES

_PRECISE = 0.1  # relative error above which the intercept says less about the noise than frames without light


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


def hand_back(results: Results, curve: Curve) -> None:
    """All quantities of one channel."""
    for point in curve.points:
        what = point.failure or (point.difference.note if point.difference and point.flags else "")
        if what:
            results.say(f"{curve.channel}: flats {point.first} and {point.second}: {what}")
    if not curve.clean:
        flags = tuple(dict.fromkeys(f for p in curve.points for f in p.flags))
        reason, note = why_missing(curve)
        nothing(results, curve.channel, curve.setting, reason, note, flags, len(curve.points))
        return
    gain = _gain(results, curve)
    _gain_pairs(results, curve)
    _read_noise(results, curve, gain)
    _direct_noise(results, curve, gain)
    _curvature(results, curve)
    hand_matrix(results, curve)
    hand_full_well(results, curve, gain)


def _left_out(curve: Curve) -> str:
    flagged = sum(1 for p in curve.points if p.flags)
    left = f"{flagged} of {len(curve.points)} pairs left out for their flags" if flagged else ""
    return "; ".join(part for part in (curve.corrected, left) if part)


def _few(curve: Curve) -> tuple[str, ...]:
    """Flags that tell on how little a number rests."""
    if curve.fit is not None:
        return few_levels(curve)
    return ("few-frames",) if curve.pairs is not None and curve.pairs.n < 2 else ()


def _gain(results: Results, curve: Curve) -> tuple[float, float] | None:
    """Hand back the gain; returns it with its error, or None where there is none."""
    name, setting, note = curve.channel, curve.setting, _left_out(curve)
    flags = [*curve.carried, *_few(curve)]
    fit, pairs = curve.fit, curve.pairs
    if fit is not None:
        poor = fit.chance < 1e-3
        n = len(curve.used)
        what = MATRIX if isinstance(fit, MatrixFit) else f"fit of the {fit.model} photon transfer curve"
        reach = f" to lag {len(fit.area) - 1}" if isinstance(fit, MatrixFit) else ""
        estimator = f"{what}; {n} pairs at {curve.levels()} levels{reach}"
        if poor:
            flags.append("poor-fit")
            note = f"{note + '; ' if note else ''}errors enlarged by the square root of the reduced χ²"
        results.value(
            "gain", fit.gain, fit.gain_error, channel=name, setting=setting, n=n, flags=flags,
            estimator=estimator, note=note,
        )  # fmt: skip
        results.value(
            "pairs_used", n, None, channel=name, setting=setting, n=n, flags=curve.carried, note=note
        )
        return fit.gain, fit.gain_error
    if pairs is not None and not curve.failure:
        if pairs.chance < 1e-3:
            flags.append("unstable")
        for quantity, value, error in (
            ("gain", pairs.gain, pairs.error),
            ("pairs_used", float(pairs.n), None),
        ):
            results.value(
                quantity, value, error, channel=name, setting=setting, n=pairs.n, note=note,
                flags=flags if quantity == "gain" else curve.carried,
                estimator=FROM_PAIRS if quantity == "gain" else None,
            )  # fmt: skip
        return pairs.gain, pairs.error
    reason = "bad-fit" if curve.failure else "no-reference" if curve.noise is None else "unphysical"
    why = {
        "bad-fit": curve.failure,
        "no-reference": "neither bias frames nor an overscan tell the noise without light",
        "unphysical": "the variance of the flats does not exceed that of read noise",
    }[reason]
    for quantity in ("gain", "pairs_used"):
        results.missing(
            quantity, reason, channel=name, setting=setting, n=len(curve.clean), flags=curve.carried, note=why
        )
    return None


def _gain_pairs(results: Results, curve: Curve) -> None:
    """The pair method's cross-check."""
    name, setting, pairs = curve.channel, curve.setting, curve.pairs
    if pairs is None:
        reason, note = ("no-reference", "nothing tells the noise without light") if curve.noise is None else (
            "unphysical", "the variance of the flats does not exceed that of read noise"
        )  # fmt: skip
        results.missing("gain_pairs", reason, channel=name, setting=setting, flags=curve.carried, note=note)
        return
    note = "; ".join(part for part in (curve.corrected, f"at {pairs.level:.5g} ADU") if part)
    if curve.fit is not None:
        expected = -100.0 * curve.fit.a00 * curve.fit.gain * pairs.level
        note += f"; brighter-fatter makes it {expected:+.2g} % of the gain there"
    flags = [
        *curve.carried,
        *(("few-frames",) if pairs.n < 2 else ()),
        *(("unstable",) if pairs.chance < 1e-3 else ()),
    ]
    results.value(
        "gain_pairs",
        pairs.gain,
        pairs.error,
        channel=name,
        setting=setting,
        n=pairs.n,
        flags=flags,
        note=note,
    )


def _read_noise(results: Results, curve: Curve, gain: tuple[float, float] | None) -> None:
    """Read noise from the intercept where that is precise, else from frames or pixels without light."""
    name, setting, fit, direct = curve.channel, curve.setting, curve.fit, curve.noise
    fitted = fit.noise(curve.rounding) if fit else None
    in_adu = fit.noise_adu(curve.rounding) if fit else None
    squared = direct.variance - curve.rounding if direct else 0.0
    if fit and fitted and in_adu and (fitted[1] <= _PRECISE * fitted[0] or squared <= 0):
        flags, n = (
            [*curve.carried, *_few(curve), *(("poor-fit",) if fit.chance < 1e-3 else ())],
            len(curve.used),
        )
        for quantity, (value, error) in (("read_noise", fitted), ("read_noise_adu", in_adu)):
            results.value(
                quantity, value, error, channel=name, setting=setting, n=n, flags=flags, estimator=NOISE_FIT
            )
        return
    if direct is None or squared <= 0:
        reason = "no-reference" if direct is None else "unphysical"
        note = "the fit does not tell it from zero" if fit else ""
        for quantity in ("read_noise", "read_noise_adu"):
            results.missing(quantity, reason, channel=name, setting=setting, flags=curve.carried, note=note)
        return
    noise = sqrt(squared)
    error, estimator = direct.error / (2.0 * noise), NOISE_DIRECT[direct.source]
    flags = [*direct.flags, *(("quantised",) if noise < 0.5 else ())]
    results.value(
        "read_noise_adu",
        noise,
        error,
        channel=name,
        setting=setting,
        n=direct.n,
        flags=flags,
        estimator=estimator,
    )
    if gain is None:
        results.missing("read_noise", "no-gain", channel=name, setting=setting, flags=curve.carried)
        return
    results.value(
        "read_noise", noise * gain[0], hypot(error * gain[0], noise * gain[1]), channel=name, setting=setting,
        n=direct.n, flags=[*curve.carried, *flags], estimator=f"{estimator}, times the gain",
    )  # fmt: skip


def _curvature(results: Results, curve: Curve) -> None:
    """a00 and the quality of the fit."""
    name, setting, fit, n = curve.channel, curve.setting, curve.fit, len(curve.used)
    if fit is None:
        reason = "bad-fit" if curve.failure else "too-few-frames"
        note = curve.failure or "too few light levels for a fit"
        for quantity in ("a00", "fit_chi2"):
            results.missing(
                quantity, reason, channel=name, setting=setting, n=n, flags=curve.carried, note=note
            )
        return
    poor = ("poor-fit",) if fit.chance < 1e-3 else ()
    zero = ("consistent-with-zero",) if abs(fit.a00) < 3 * fit.a00_error else ()
    note = (
        "positive: the variance grows faster than the light, which is not physical"
        if fit.a00 > 0 and not zero
        else curve.corrected
    )
    results.value(
        "a00", fit.a00, fit.a00_error, channel=name, setting=setting, n=n, note=note,
        flags=[*curve.carried, *_few(curve), *poor, *zero],
        estimator=MATRIX if isinstance(fit, MatrixFit) else f"fit of the {fit.model} photon transfer curve",
    )  # fmt: skip
    if fit.dof == 0:
        note = "as many points as parameters: the fit cannot be tested"
        results.missing("fit_chi2", "too-few-frames", channel=name, setting=setting, n=n, note=note)
        return
    results.value(
        "fit_chi2", fit.chi2 / fit.dof, sqrt(2.0 / fit.dof), channel=name, setting=setting, n=n, flags=poor,
        note=f"χ² = {fit.chi2:.4g} with {fit.dof} degrees of freedom; chance of more: {fit.chance:.2g}",
    )  # fmt: skip


def _direct_noise(results: Results, curve: Curve, gain: tuple[float, float] | None) -> None:
    """The noise of frames or pixels without light, in electrons."""
    name, setting, direct = curve.channel, curve.setting, curve.noise
    squared = direct.variance - curve.rounding if direct else 0.0
    if direct is None or gain is None or squared <= 0:
        reason = "no-reference" if direct is None else "unphysical" if squared <= 0 else "no-gain"
        results.missing("read_noise_direct", reason, channel=name, setting=setting, flags=curve.carried)
        return
    noise = sqrt(squared)
    error = hypot(direct.error / (2.0 * noise) * gain[0], noise * gain[1])
    flags = [*curve.carried, *direct.flags, *(("quantised",) if noise < 0.5 else ())]
    results.value(
        "read_noise_direct", noise * gain[0], error, channel=name, setting=setting, n=direct.n, flags=flags,
        estimator=f"{NOISE_DIRECT[direct.source]}, times the gain",
    )  # fmt: skip
