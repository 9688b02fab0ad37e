"""Persistence: what an exposure that saturated leaves in later darks, where it saturated, and how it fades."""

from __future__ import annotations

import numpy as np

from analysis.contract import (
    ContractError,
    Inputs,
    Procedure,
    Results,
    Role,
    Version,
)
from analysis.conversion import GAIN, conversion
from analysis.correction import chain, takes, wanted
from analysis.dark.level import sign_flags
from analysis.persistence.darks import frames_seen, residuals_of
from analysis.persistence.decay import LAWS, Fade, fade
from analysis.persistence.declared import FIGURES, PARAMETERS, PRODUCTS, QUANTITIES, STEPS
from analysis.persistence.memory import Planes
from analysis.persistence.order import in_order
from analysis.persistence.outputs import OfChannel, draw, hand_on
from analysis.persistence.residual import STATISTICS
from analysis.persistence.saturation import saturated
from campaign.geometry import Channel

_ALL = tuple(q.name for q in QUANTITIES)
_OF_DARKS = _ALL[1:]


def measure(inputs: Inputs, results: Results) -> None:
    """Measure one detector's darks about an exposure that saturates; see ``PROCEDURE`` for the quantities."""
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


PROCEDURE = Procedure(
    name="persistence",
    title="Persistence",
    purpose="What remains in later darks of light that saturated, where it did, and how long it takes to fade: how long to wait after a bright source.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version("1.1", "2026-11-21", "Where clipping begins comes from some of the pixels; all within are averaged in one round. Numbers move by hundredths of their errors. The median is known to less than a converter's step."),
        Version("1.2", "2026-11-21", "The error of a residual counts what pixels left out for cosmic rays would have told, where pixels hold back different amounts: larger by one or two per cent with thirty per cent of scatter and some hits."),
    ),
    roles=(
        Role("dark", ("dark",), 2, "darks of the same exposure time before and after the light"),
        Role("exposed", ("flat", "point"), 1, "exposures that saturate some of the pixels, between these darks"),
        Role("bias", ("bias",), 0, "bias frames, where the corrections ask for their structure", elsewhere=True),
    ),
    uses=(GAIN,),
    takes=takes(*STEPS),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=(
        "The saturated share is within least_fraction and most_fraction, so that both the mask and its background are large enough.",
        "The control is consistent with zero, or far smaller than the residual.",
        "The residual after the wait that observations allow is below the limit for the dark signal.",
    ),
    caveats=("A step of correction was asked for, and what it takes is not there.", "The share of saturated pixels is outside what the test is made for.",),
    algorithm="""\
Order: darks before the first exposure to light are the reference, those after the last are measured; dates decide, else exposure numbers.

Mask: pixels that any of the exposures saturated. Three pixels around it belong neither to it nor to the background, which are the pixels exposed to less than a
thousandth of the level of the mask, or the half exposed least where that is more: light below saturation persists too.

Residual of a dark k, of the same exposure time as the reference, offsets taken off; R the mean of N reference darks:

    P_k = ⟨D_k − R⟩ within the mask − ⟨D_k − R⟩ outside
    σ² = (σ_1² + P_k / g) / n_in + σ_1² / n_out  of its own;  (σ_1² / N)(1 / n_in + 1 / n_out)  common to all darks
    σ_1² = s² N / (N + 1);  s: scatter of D_k − R outside;  g: gain [e⁻/ADU];  n: pixels
    v (1 / n_in − 1 / n_mask)  of its own for pixels of the mask that are left out;  v: variance within the mask beyond noise, by which pixels differ

Without a gain the term P_k / g comes from the first two darks: their difference, the second scaled to the first, is free of what pixels hold back.

Cosmic rays: a pixel within the mask in which two successive darks, scaled to each other, differ by more than sigma is left out of both, so that pixels that hold
back more than others stay; a single dark is clipped about itself. Of the darks before the light the highest value of a pixel is left out where it stands out by sigma. Outside the mask values are clipped. Squares of 32 pixels of the
background that differ by more than noise (chance below 0.001) add their variance, and flag the residual as unstable.

Fading, with t_k from the end of the light to the beginning of a dark of time T, and the covariance of the residuals:

    P_k ∝ exp(−t_k/τ) (1 − exp(−T/τ))  or  P_k ∝ ∫ t^−p dt from t_k to t_k + T

The better law is that of the lower χ². A constant that is not known to a factor of about 1.6 (0.5 in its logarithm) is called not reached.""",
    references=(
        "W. G. Cochran, Sampling Techniques, Wiley 1977, section 2.4 (mean of a part of a finite population).",
        "R. M. Smith et al., 2008, Proc. SPIE 7021, 70210J (a theory of persistence in HgCdTe photodiodes: traps, and their release in time).",
        "J. Janesick, Scientific Charge-Coupled Devices, SPIE Press 2001 (residual image: surface states at full well).",
        "D. Polin et al., 2025, J. Instrum. 20, P07031 (residual images of CCDs of the LSST camera).",
    ),
    comments=(
        "The residual is a mean over all saturated pixels: of a source that spills over, those that were filled by spilling count as well.",
        "Where the light is not dark outside the mask, its lesser persistence is part of the background and is taken off: see the figure by level.",
        "Pixels beyond the converter's end are known to be saturated and not by how much.",
    ),
    measure=measure,
)  # fmt: skip
