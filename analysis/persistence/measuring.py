"""How persistence is measured: where the exposure saturated, and what later darks hold there, channel by channel."""

from __future__ import annotations

import numpy as np

from analysis.contract import ContractError, Inputs, Results
from analysis.conversion import conversion
from analysis.correction import chain, wanted
from analysis.dark.level import sign_flags
from analysis.persistence.darks import frames_seen, residuals_of
from analysis.persistence.decay import LAWS, Fade, fade
from analysis.persistence.declared import QUANTITIES, STATISTICS, STEPS
from analysis.persistence.memory import Planes
from analysis.persistence.order import in_order
from analysis.persistence.outputs import OfChannel, draw, hand_on
from analysis.persistence.saturation import saturated
from campaign.geometry import Channel

_ALL = tuple(q.name for q in QUANTITIES)
_OF_DARKS = _ALL[1:]


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector's darks about an exposure that saturates; see the package's ``PROCEDURE`` for the quantities."""
    statistic = str(inputs.parameters["statistic"])
    if statistic not in STATISTICS:
        raise ContractError(f"statistic: {statistic!r} is none of {', '.join(STATISTICS)}")
    found, memory = [], None
    for channel in inputs.detector.geometry.channels:
        memory = Planes.of(channel.image.shape, memory)
        one = _channel(inputs, results, channel, statistic, memory)
        if one is not None:
            found.append(one)
    draw(results, inputs.detector, found)
    hand_on(results, found)


def _missing(
    results: Results, channel: Channel, reason: str, note: str = "", *, names: tuple[str, ...] = _OF_DARKS
) -> None:
    for name in names:
        results.missing(name, reason, channel=channel.name, note=note)


def _channel(
    inputs: Inputs, results: Results, channel: Channel, statistic: str, memory: Planes
) -> OfChannel | None:
    """All quantities of a channel; None where nothing saturated or no dark tells."""
    darks = frames_seen(inputs.frames.get("dark", ()), channel.name)
    exposed = frames_seen(inputs.frames.get("exposed", ()), channel.name)
    if not exposed or not darks:
        given = inputs.frames.get("exposed", ()) and inputs.frames.get("dark", ())
        _missing(results, channel, "too-few-pixels" if given else "too-few-frames", names=_ALL)
        return None
    found, steps = conversion(inputs, channel), chain(inputs, channel, wanted(inputs, STEPS))
    for name, why in steps.without.items():
        tell = results.say if name in ("offset", "rows") else results.caveat  # which ``outside`` tells of
        tell(f"{channel.name}: without the step {name}: {why}.")
    gain = None if found is None else found.gain
    noise = float(np.median([f.summaries[channel.name].std for f in darks]))
    lit = saturated(exposed, steps, inputs.number("threshold"), noise, gain, memory)
    if lit is None:
        _missing(results, channel, "too-few-pixels", names=_ALL)
        return None
    low, high = inputs.number("least_fraction"), inputs.number("most_fraction")
    note = "" if low <= lit.fraction <= high else f"expected {low:g} to {high:g}"
    results.value("saturated_fraction", lit.fraction, lit.error, channel=channel.name, n=lit.n, note=note)
    if note and lit.last is not None:
        results.caveat(f"{channel.name}: {100 * lit.fraction:.2g} % of the pixels are saturated, {note}.")
    order = in_order(darks, exposed)
    if order is None:
        note = "neither dates nor numbers tell which dark came before the light"
        _missing(results, channel, "no-reference", note)
        return None
    one = residuals_of(
        lit, order, steps, memory, gain=gain, noise=noise, sigma=inputs.number("sigma"), statistic=statistic, levels=int(inputs.number("levels"))
    )  # fmt: skip
    if not isinstance(one, OfChannel):
        _missing(results, channel, *one)
        return None
    one.fades = {law: fade(one.residuals, law) for law in LAWS}
    _report(inputs, results, one)
    return one


def _report(inputs: Inputs, results: Results, one: OfChannel) -> None:
    channel, name, first = one.channel, one.channel.name, one.residuals[0]
    flags = list(sign_flags(first.value, first.error))
    if first.structure:
        flags.append("unstable")
    if any(f.summaries[name].not_finite for f in inputs.frames["dark"] if name in f.summaries):
        flags.append("bad-pixels")
    if first.references < 2:
        flags.append("few-frames")
    when = "" if first.since is None else f"{first.since:.0f} s after the light"
    steps = "" if one.steps in ("offset", "none") else f"corrected: {one.steps}"
    note = "; ".join(p for p in (when, f"{first.references} darks before", steps) if p)
    results.value("residual", first.value, first.error, channel=name, n=first.n, flags=flags, note=note)
    gain = conversion(inputs, channel)
    if gain is None:
        results.missing("residual_e", "no-gain", channel=name)
    else:
        value, error = gain.electrons(first.value, first.error)
        results.value(
            "residual_e", value, error, channel=name, n=first.n, flags=[*flags, *gain.flags], note=gain.note
        )
    if one.top > 0:
        results.value(
            "residual_fraction", first.value / one.top, first.error / one.top, channel=name, n=first.n, flags=flags,
            note=f"of {one.top:.0f} ADU above the offset",
        )  # fmt: skip
    else:
        results.missing("residual_fraction", "unphysical", channel=name)
    if channel.overscan is None and channel.prescan is None:
        note = "without columns that tell the offset of each frame, levels of darks cannot be compared"
        results.missing("outside", "no-overscan", channel=name, note=note)
    else:
        results.value(
            "outside", first.outside, first.outside_error, channel=name, n=first.n, flags=_control(one)
        )
    better = one.better
    for quantity, law in (("decay_time", "exponential"), ("decay_index", "power law")):
        found = one.fades[law]
        if not isinstance(found, Fade):
            results.missing(quantity, found, channel=name, n=len(one.residuals))
            continue
        poor = ["poor-fit"] if found.chance is not None and found.chance < 1e-4 else []
        told = f"χ² {found.chi2:.1f} for {found.dof} degrees of freedom; {better} describes it better"
        results.value(
            quantity, found.constant, found.error, channel=name, n=len(one.residuals),
            flags=[*poor, *(["few-frames"] if found.dof < 2 else [])], note=told,
        )  # fmt: skip


def _control(one: OfChannel) -> list[str]:
    """Flags of the control: that it is zero, as it should, or that the background moved by more than a tenth of the residual."""
    first = one.residuals[0]
    if abs(first.outside) <= 3.0 * first.outside_error:
        return ["consistent-with-zero"]
    return ["unstable"] if abs(first.outside) > 0.1 * abs(first.value) else []
