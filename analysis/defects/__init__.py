"""Defects: pixels, columns and clusters that must be masked, with one mask of published bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
from analysis.contract import FrameInput, Inputs, Procedure, Results, Role, Version
from analysis.defects.channel import PIXELS, OfChannel
from analysis.defects.channel import joined as of_channel
from analysis.defects.darks import of_darks
from analysis.defects.declared import FIGURES, PARAMETERS, PRODUCTS, QUANTITIES
from analysis.defects.flats import of_flats
from analysis.defects.found import Evidence
from analysis.defects.outputs import draw, drawn_and_forgotten
from analysis.defects.products import hand_on
from analysis.defects.series import Scatter, beside_biases, of_series
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Find the defects of one detector; see ``PROCEDURE`` for the quantities."""
    found = []
    for channel in inputs.detector.geometry.channels:
        biases = [
            f
            for f in inputs.frames.get("bias", ())
            if channel.name in f.summaries and f.summaries[channel.name].n > 1
        ]
        structure, series = _of_biases(inputs, biases, channel)
        # the gain is the nominal one: a threshold needs no better, and the measured one rests on masks itself
        gain = channel.gain if channel.gain is not None and channel.gain > 0 else None
        one = of_channel(
            inputs, channel,
            of_darks(inputs, channel, structure, biases, gain),
            of_flats(inputs, channel, structure, biases),
            series,
        )  # fmt: skip
        _report(inputs, results, one, gain)
        found.append(drawn_and_forgotten(one))
    _of_detector(results, found)
    draw(results, inputs.detector, found)
    hand_on(results, found)


def _of_biases(
    inputs: Inputs, biases: Sequence[FrameInput], channel: Channel
) -> tuple[NDArray[np.float32] | None, Evidence]:
    """What bias frames tell, each read once: ``_structure``, and the pixels that scatter (by darks, where bias frames are few)."""
    seen = beside_biases(biases, channel)
    structure = _structure(inputs, biases, channel, [] if seen is None else [seen])
    return structure, of_series(inputs, channel, biases, seen)


def _structure(
    inputs: Inputs, biases: Sequence[FrameInput], channel: Channel, beside: Sequence[Scatter]
) -> NDArray[np.float32] | None:
    """The structure of the bias [ADU], its mean taken off; None with fewer than two bias frames. What is read for it is given to ``beside``."""
    if len(biases) < 2:
        return None
    # the very master that the bias procedure makes with its default clipping
    structure = joined(*halves(inputs, biases, channel, 3.0, beside)).mean
    lost = ~np.isfinite(structure)
    if lost.any():
        structure[lost] = 0.0
    return structure


def _flags(inputs: Inputs, one: OfChannel, name: str, gain: float | None) -> tuple[list[str], str]:
    """Flags and note of a class."""
    kind = {"noisy": one.series, "hot": one.darks, "warm": one.darks, "unstable": one.darks}.get(
        name, one.flats
    )
    role = {"noisy": "bias", "hot": "dark", "warm": "dark", "unstable": "dark"}.get(name, "flat")
    summaries = [
        f.summaries[one.channel.name] for f in inputs.frames.get(role, ()) if one.channel.name in f.summaries
    ]
    flags = list(kind.flags)
    if any(s.not_finite for s in summaries):
        flags.append("bad-pixels")
    if name in ("hot", "warm") and gain is not None:
        flags.append("nominal-gain")
    note = kind.note
    if name == "hot" and one.darks.saturated is not None and one.darks.saturated.any():
        note += f"; {int(one.darks.saturated.sum())} pixels are saturated in the darks"
    return flags, note


def _report(inputs: Inputs, results: Results, one: OfChannel, gain: float | None) -> None:
    name = one.channel.name
    for kind in PIXELS:
        quantity = kind.replace("-", "_")
        flags, note = _flags(inputs, one, kind, gain)
        found = one.classes.get(kind)
        if found is None:
            reason, why = one.missing.get(kind, ("too-few-frames", ""))
            results.missing(quantity, reason, channel=name, note=why)
            continue
        told = (
            f"threshold {found.threshold}; {found.chance:.2g} expected by chance of {found.n} pixels; {note}"
        )
        results.value(quantity, found.number, found.error, channel=name, n=found.n, flags=flags, note=told)
    if not one.looked:
        reason = next(iter(one.missing.values()), ("too-few-frames", ""))[0]
        for quantity in ("columns", "clusters", "largest_cluster", "bad_area", "by_chance"):
            results.missing(quantity, reason, channel=name)
        return
    left = [kind for kind in PIXELS if kind not in one.classes]
    note = f"not looked for: {', '.join(left)}" if left else ""
    n, size = one.mask.shape[1], one.mask.size
    largest = one.clusters[0].pixels if one.clusters else 0
    results.value("columns", one.columns.size, one.column_error, channel=name, n=n, note=note)
    results.value("clusters", len(one.clusters), one.cluster_error, channel=name, n=size, note=note)
    results.value("largest_cluster", largest, one.largest_error, channel=name, n=size, note=note)
    results.value(
        "bad_area", 100.0 * one.bad / size, 100.0 * one.bad_error / size, channel=name, n=size, note=note
    )
    results.value("by_chance", one.chance, None, channel=name, n=size, note=note)


def _of_detector(results: Results, found: Sequence[OfChannel]) -> None:
    looked = [one for one in found if one.looked]
    if not looked:
        results.missing("detector_bad_area", "too-few-frames")
        return
    size = sum(one.mask.size for one in looked)
    error = sum(one.bad_error**2 for one in looked) ** 0.5
    note = (
        ""
        if len(looked) == len(found)
        else f"without {', '.join(o.channel.name for o in found if not o.looked)}"
    )
    results.value(
        "detector_bad_area", 100.0 * sum(one.bad for one in looked) / size, 100.0 * error / size, n=size, note=note
    )  # fmt: skip


PROCEDURE = Procedure(
    name="defects",
    title="Defects",
    purpose="Which pixels, columns and clusters of each channel are hot, warm, dark, dead, bright, noisy, non-linear or unstable, as one mask for all that follows.",
    history=(
        Version("1.0", "2026-11-21", "First version."),
        Version("1.1", "2026-11-21", "Level and scatter of a cell come from two looks, the first at every fourth row. Both move by small parts of their errors."),
        Version("1.2", "2026-11-22", "Uncertainties of counts are never below what half a pixel near the threshold makes (0.53), where they were next to nothing; false pixels count once in them, not half as often again."),
    ),
    roles=(
        Role("dark", ("dark",), 0, "darks: of the longest time if there are three, else all of at least half of it", elsewhere=True),
        Role("flat", ("flat",), 0, "flats; of several levels for non-linear pixels", elsewhere=True),
        Role("bias", ("bias",), 0, "bias frames: offset, structure, and five or more for noisy pixels", elsewhere=True),
    ),
    parameters=PARAMETERS,
    quantities=QUANTITIES,
    figures=FIGURES,
    products=PRODUCTS,
    acceptance=("The bad area is within its limit.", "No more columns and clusters than the limits of the detector's grade allow."),
    caveats=(
        "Cosmic rays of one or two frames count as defects.",
        "Dust in front of the detector counts as dark pixels.",
    ),
    algorithm="""\
Each master is compared with what is ordinary around each pixel: mean and σ of cells of side × side pixels, of what lies within 3 σ of the mean, the
cut made good, straight between the cells' centres. σ is the scatter of ordinary pixels: noise and pattern together, wider where fewer frames were kept for the pixel.

    s = (m − μ) / σ √(n_kept / n)
    m: pixel of the master;  μ, σ: level and scatter around it;  n: frames

Dark master: clipped mean (5 σ of the expected noise, shot noise included where a gain is known) of the longest darks, each less its level, bias structure taken off. Warm is s > sigma and an excess above warm_rate;
hot is an excess of hot_rate as well, in e⁻/s by the nominal gain. Where no gain is known hot is s ≥ hot_sigma.

Flat master: the flats that gathered most light without saturation. Dark is s < −sigma and a response below the parameter dark, dead one up to dead; bright is the other side.
Both thresholds must be crossed: the one in σ keeps noise out, the one in fractions ordinary pattern.

Noisy: variance over frames against the usual one around (mean of fourth roots, Hawkins and Wixley), with a chance below that of sigma in χ² and a noise above noisy times the usual; what is left without its
farthest value must be improbable as well (0.1 %), so that a cosmic ray makes no noisy pixel.

Unstable: half masters of the first and the last darks differ by sigma, their own shot noise included. Non-linear: responses at the brightest level and at that nearest to a quarter of it
differ by sigma and by the parameter non_linear.

Columns: with column_hot (column_dark) bad pixels, gaps filled; or with a mean, of significances cut at 3, that stands out of 15 neighbours by sigma. Bloom: bad pixels in one piece with saturated ones of their column.

    N_false = N Q(T),  Q: upper tail of the normal distribution, of darks that of Poisson charge with normal noise (Lugannani and Rice)
    σ_N² = (n_1 − N_false + ½) / √π + N_false,  n_1: counted pixels within 1 σ of noise above their threshold, at least N_false

Measured again, a pixel of the expected margin d [σ] is counted with the chance p = Φ(d); h pixels per σ make Σ p (1 − p) = h / √π, and h is known from those just above the threshold.
The ½ is that of Jeffreys' prior for h: a count of which none is near the threshold has σ = 0.53, not nothing.""",
    references=(
        "Rubin Observatory, packages eotest and cp_pipe (bright pixels above 5 e⁻/s, dark ones below 80 %).",
        "D. M. Hawkins & R. A. J. Wixley, 1986, Am. Stat. 40, 296 (fourth roots of χ²).",
        "R. Lugannani & S. Rice, 1980, Adv. Appl. Prob. 12, 475 (saddle point approximation of tails).",
    ),
    comments=(
        "No step of correction is offered: pixels are compared with those beside them at the same level, which corrections move together; and whoever takes the mask makes no circle.",
        "A pixel at the threshold is found with a chance of one half: completeness is a matter of how far above it a defect is.",
        "Pixels a few σ above others widen σ a little, and so raise the threshold: where they are 0.4 % of all, 0.7 % fewer warm ones are counted than without them.",
        "Pixels below the dark signal around them have no class; in flats they show as dark.",
        "The mask is of one test. Where the campaign names a reference test, the page tells bit by bit what is new and what is gone since; masks of several epochs are merged by the procedure defect_history.",
        "Where most darks saturate, or flats have one level alone, the classes that need more are missing, and the others stand.",
    ),
    measure=measure,
)  # fmt: skip
