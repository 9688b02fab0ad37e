"""How crosstalk is measured: one gathering of all channels' exposures, then the coefficients into each channel."""

from __future__ import annotations

from math import sqrt

from analysis.contract import ContractError, Inputs, Results
from analysis.crosstalk import METHODS
from analysis.crosstalk.exposures import Gathered, gather, pairs_of
from analysis.crosstalk.matrix import Coefficient, largest, of_ratio, of_stamps, with_detours
from analysis.crosstalk.outputs import draw, hand_on
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Measure crosstalk into each channel of one detector; see the package's ``PROCEDURE`` for the quantities."""
    method = str(inputs.parameters["method"])
    if method not in METHODS:
        raise ContractError(f"method: {method!r} is none of {', '.join(METHODS)}")
    found = gather(
        inputs, int(inputs.number("side")), inputs.number("threshold"), fit_stamps=method == METHODS[1]
    )
    matrix: dict[str, list[Coefficient]] = {}
    for channel in inputs.detector.geometry.channels:
        ratios = [c for n, s in pairs_of(found, channel.name).items() if (c := of_ratio(channel.name, n, s))]
        if method == METHODS[1]:
            own = (inputs.detector.name, channel.name)
            held = found.stamps.get(channel.name)
            by_name = {c.source: c for c in ratios}
            ratios = (
                [] if held is None else of_stamps(channel.name, held, by_name, found.noise.covariance(), own)
            )
        matrix[channel.name] = ratios
    if method == METHODS[1]:
        matrix = with_detours(matrix, inputs.detector.name)
    for channel in inputs.detector.geometry.channels:
        _report(inputs, results, channel, matrix[channel.name], found)
    draw(results, inputs, found, matrix)
    hand_on(results, inputs, found, matrix)


def _report(
    inputs: Inputs, results: Results, channel: Channel, found: list[Coefficient], gathered: Gathered
) -> None:
    """All quantities of one channel as the victim."""
    name, least = channel.name, inputs.number("significance")
    method = str(inputs.parameters["method"])
    best = largest(found, least)
    if best is None:
        reason, note = _why_not(inputs, gathered)
        for quantity in ("largest", "total", "significant", "flux_slope"):
            results.missing(quantity, reason, channel=name, note=note)
    else:
        flags = [] if abs(best.significance) >= 3.0 else ["consistent-with-zero"]
        few = ["few-levels"] if best.squares == 1 else []
        note = f"from {best.label}, {best.significance:+.1f} σ"
        if best.widened > 1:
            note += f"; squares differ: error widened {best.widened:.2g} times"
        results.value("largest", best.value, best.error, channel=name, n=best.n, flags=[*flags, *few], estimator=method, note=note)  # fmt: skip
        total, error = sum(c.value for c in found), sqrt(sum(c.error**2 for c in found))
        zero = ["consistent-with-zero"] if abs(total) < 3.0 * error else []
        results.value(
            "total", total, error, channel=name, n=sum(c.n for c in found), flags=zero, estimator=f"{method}, summed", note=f"of {len(found)} channels"
        )  # fmt: skip
        sure = [c for c in found if abs(c.significance) >= least]
        from scipy.special import erfc

        chance = float(erfc(least / sqrt(2.0)))
        near = sum(
            1 for c in found if abs(abs(c.significance) - least) < 1.0
        )  # noise may carry these over the bound
        results.value(
            "significant", len(sure), sqrt(len(found) * chance + 0.25 * near), channel=name, n=len(found),
            note=", ".join(f"{c.label} {c.value:+.2g}" for c in sorted(sure, key=lambda c: -abs(c.value))[:6]),
        )  # fmt: skip
        if best.slope is None or best.slope_error is None:
            results.missing("flux_slope", "not-varied", channel=name, note="signals of one level only")
        else:
            flat = ["consistent-with-zero"] if abs(best.slope) < 3.0 * best.slope_error else []
            results.value(
                "flux_slope", best.slope, best.slope_error, channel=name, n=best.n, flags=flat,
                note=f"from {best.label}, {best.slope / best.slope_error:+.1f} σ",
            )  # fmt: skip
    _correlation(inputs, results, channel, gathered)


def _correlation(inputs: Inputs, results: Results, channel: Channel, gathered: Gathered) -> None:
    own = (inputs.detector.name, channel.name)
    held = [(n, c) for n in gathered.names if n != own and (c := gathered.noise.correlation(own, n))]
    if not held:
        alone = len(gathered.names) < 2
        note = "there is no other channel" if alone else ""
        reason = "no-reference" if alone else "too-few-frames" if not gathered.exposures else "no-overscan"
        results.missing("noise_correlation", reason, channel=channel.name, note=note)
        return
    name, (value, error, n) = max(held, key=lambda h: abs(h[1][0]))
    zero = ["consistent-with-zero"] if abs(value) < 3.0 * error else []
    results.value(
        "noise_correlation", value, error, channel=channel.name, n=n, flags=zero, note=f"with {' '.join(name)}, the largest of {len(held)}"
    )  # fmt: skip


def _why_not(inputs: Inputs, gathered: Gathered) -> tuple[str, str]:
    """Why a channel has no coefficient: a coded reason and a note."""
    if not gathered.exposures:
        return "too-few-frames", "no exposure to light"
    if len(gathered.names) < 2:
        return "no-reference", "there is no other channel"
    if gathered.saturated:
        return "saturated", "channels are saturated all over"
    return (
        "not-reached",
        f"no other channel is lit alone by more than {inputs.number('threshold'):g} ADU above what is around it",
    )
