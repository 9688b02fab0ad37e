"""The values of one channel that its covariance matrix, its rows and the end of its curve give."""

from __future__ import annotations

from math import hypot, sqrt

from analysis.contract import Results
from analysis.photon_transfer.full_well import Turnoff
from analysis.photon_transfer.matrix import MatrixFit
from analysis.photon_transfer.points import Curve

_ROWS_OFF = 5.0  # in σ: how far row means may be from what is expected of them
_ROWS_LEAST = 0.05  # and in their ratio


def few_levels(curve: Curve) -> tuple[str, ...]:
    """The flag of fits that rest on one level more than their variance has parameters, or on none."""
    return ("few-levels",) if curve.levels() <= (5 if isinstance(curve.fit, MatrixFit) else 4) else ()


def hand_matrix(results: Results, curve: Curve) -> None:
    """a of the neighbours, the sum of all, and the test of row means."""
    name, setting, n, fit = curve.channel, curve.setting, len(curve.used), curve.matrix
    if fit is None:
        reason = (
            "bad-fit"
            if curve.failure
            else "too-few-pixels"
            if "pixels" in curve.lacking
            else "too-few-frames"
        )
        note = curve.lacking or curve.failure or "too few light levels for the whole matrix"
        for quantity in ("a10", "a01", "area_sum"):
            results.missing(
                quantity, reason, channel=name, setting=setting, n=n, flags=curve.carried, note=note
            )
    else:
        common = [*curve.carried, *few_levels(curve), *(("poor-fit",) if fit.chance < 1e-3 else ())]
        for quantity, value, error in (
            ("a10", fit.area[0, 1], fit.area_error[0, 1]),
            ("a01", fit.area[1, 0], fit.area_error[1, 0]),
            ("area_sum", *fit.total_area),
        ):
            zero = ("consistent-with-zero",) if abs(value) < 3 * error else ()
            results.value(quantity, value, error, channel=name, setting=setting, n=n, flags=[*common, *zero])
    _row_means(results, curve)


def _row_means(results: Results, curve: Curve) -> None:
    name, setting, found = curve.channel, curve.setting, curve.row_means
    if found is None:
        note = curve.failure or "no fit gives the gain that it compares with"
        reason = "bad-fit" if curve.failure else "too-few-frames"
        results.missing(
            "row_mean_ratio", reason, channel=name, setting=setting, flags=curve.carried, note=note
        )
        return
    expected = 1.0 if found.expected is None else found.expected
    off = found.ratio - expected
    flags = [*curve.carried]
    if off > _ROWS_OFF * found.error and off > _ROWS_LEAST:
        flags.append("flicker")
    note = "" if found.expected is None else f"by the matrix {expected:.4g} is expected"
    results.value(
        "row_mean_ratio", found.ratio, found.error, channel=name, setting=setting, n=found.n, flags=flags, note=note
    )  # fmt: skip


def hand_full_well(results: Results, curve: Curve, gain: tuple[float, float] | None) -> None:
    """The highest level, and full well where the variance turns over and where it begins to lag."""
    name, setting, n = curve.channel, curve.setting, len(curve.clean)
    highest = curve.clean[-1].difference
    assert highest is not None
    error = hypot(highest.level_error, curve.offset_error * (sqrt(0.5) if curve.offset_each else 1.0))
    results.value("max_level", highest.level, error, channel=name, setting=setting, n=n)
    stuck = any("saturated" in p.flags for p in curve.points)
    then = ", then pixels saturate" if stuck else ""
    rises = f"the variance still rises at {highest.level:.5g} ADU{then}"
    follows = f"the variance follows the law up to {curve.top:.5g} ADU{then}"
    _well(results, curve, gain, "full_well", curve.turnoff, ("saturated" if stuck else "not-reached", rises))
    why = ("saturated" if stuck else "not-reached", follows)
    if curve.fit is None:
        why = ("bad-fit", curve.failure) if curve.failure else ("too-few-frames", "no law was fitted")
    _well(results, curve, gain, "full_well_blooming", curve.blooming, why)


def _well(
    results: Results,
    curve: Curve,
    gain: tuple[float, float] | None,
    quantity: str,
    found: Turnoff | None,
    why: tuple[str, str],
) -> None:
    """One full well in ADU and in electrons, or why there is none."""
    name, setting, n = curve.channel, curve.setting, len(curve.clean)
    if found is None:
        flags = ("saturated",) if why[0] == "saturated" else ()
        for each in (quantity, f"{quantity}_adu"):
            results.missing(each, why[0], channel=name, setting=setting, n=n, flags=flags, note=why[1])
        return
    level, width = found.level, found.error
    results.value(f"{quantity}_adu", level, width, channel=name, setting=setting, n=n, flags=curve.carried)
    if gain is None:
        results.missing(quantity, "no-gain", channel=name, setting=setting, n=n, flags=curve.carried)
        return
    results.value(
        quantity, level * gain[0], hypot(width * gain[0], level * gain[1]), channel=name, setting=setting, n=n,
        flags=curve.carried,
    )  # fmt: skip
