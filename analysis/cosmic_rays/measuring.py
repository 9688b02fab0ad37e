"""How hits are found and counted: darks of equal exposure time, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import ContractError, FrameInput, ImageProduct, Inputs, Results
from analysis.conversion import conversion
from analysis.correction import Chain, chain, wanted
from analysis.cosmic_rays import MASK
from analysis.cosmic_rays.declared import ESTIMATORS, QUANTITIES, STEPS
from analysis.cosmic_rays.hits import repeated, together
from analysis.cosmic_rays.outputs import OfChannel, hand_on
from analysis.cosmic_rays.results import report
from analysis.cosmic_rays.search import Found, laplacian, pair_difference
from analysis.masks import Mask
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the hits in the darks of one detector; see the package's ``PROCEDURE`` for the quantities.

    Raises ContractError for an estimator that there is not.
    """
    estimator = str(inputs.parameters["estimator"])
    if estimator not in ESTIMATORS:
        raise ContractError(f"estimator: {estimator!r} is none of {', '.join(ESTIMATORS)}")
    have = []
    for channel in inputs.detector.geometry.channels:
        groups, reason, note = _groups(inputs, channel, estimator)
        if reason:
            for quantity in QUANTITIES:
                results.missing(quantity.name, reason, channel=channel.name, note=note)
            continue
        asked = wanted(inputs, STEPS)
        steps = chain(inputs, channel, asked) if asked else None
        if steps is not None:
            for name, why in steps.without.items():
                results.caveat(f"{channel.name}: without the step {name}: {why}.")
        one = _search(inputs, channel, groups, estimator, steps)
        if one is None:
            for quantity in QUANTITIES:
                results.missing(
                    quantity.name,
                    "too-few-pixels",
                    channel=channel.name,
                    note="no two frames have finite pixels in common",
                )
            continue
        report(inputs, results, one, estimator)
        have.append(one)
    hand_on(results, inputs.detector, have)


def _groups(
    inputs: Inputs, channel: Channel, estimator: str
) -> tuple[list[tuple[float, list[FrameInput]]], str, str]:
    """Darks by exposure time; and, where they cannot be used, a coded reason with a note."""
    given = inputs.frames.get("dark", ())
    real = [f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1]
    if not real:
        return [], "too-few-pixels" if given else "too-few-frames", ""
    timed = [(f, float(f.frame.exptime)) for f in real if f.frame.exptime is not None and f.frame.exptime > 0]
    if not timed:
        return [], "exposure-time-unknown", ""
    good = [
        (f, t) for f, t in timed if f.summaries[channel.name].saturated <= 0.1 * f.summaries[channel.name].n
    ]
    if not good:
        return [], "saturated", "more than a tenth of each dark's pixels is saturated"
    groups: dict[str, tuple[float, list[FrameInput]]] = {}
    for frame, time in good:
        groups.setdefault(f"{time:.4g}", (time, []))[1].append(frame)
    least = 2 if estimator == "pairs" else 1
    usable = [g for g in groups.values() if len(g[1]) >= least]
    if not usable:
        return [], "too-few-frames", "no two darks have the same exposure time"
    return usable, "", ""


def _known(inputs: Inputs, channel: Channel) -> Mask | None:
    """The mask of known defects of a channel, None where there is none of its shape."""
    product = inputs.product(MASK.procedure, MASK.product)
    if not isinstance(product, ImageProduct) or channel.name not in product.planes:
        return None
    plane = np.asarray(product.planes[channel.name])
    return plane.astype(np.int32) if plane.shape == channel.image.shape else None


def _search(
    inputs: Inputs,
    channel: Channel,
    groups: Sequence[tuple[float, list[FrameInput]]],
    estimator: str,
    steps: Chain | None,
) -> OfChannel | None:
    gain, known = conversion(inputs, channel), _known(inputs, channel)
    sigma, grow = inputs.number("sigma"), inputs.number("grow")
    waiting = inputs.number("readout") / 2.0
    whole, seconds, exposed = Found(), 0.0, 0.0
    frames: list[FrameInput] = []
    parts = []
    for time, held in groups:
        factor = None if gain is None else gain.gain
        if estimator == "pairs":
            found = pair_difference(held, channel, known, sigma, grow, factor, steps)
        else:
            saturation = inputs.detector.geometry.saturation
            found = laplacian(held, channel, known, sigma, grow, factor, saturation, steps)
        if found.pixels == 0:
            continue
        parts.append(found.hits.later(len(frames)))
        frames += held
        seconds += len(held) * (time + waiting)
        exposed += len(held) * (time + waiting) * found.pixels
        whole.planted += found.planted
        whole.recovered += found.recovered
    if seconds <= 0:
        return None
    whole.hits, whole.frames, whole.pixels = together(parts), tuple(frames), round(exposed / seconds)
    jumping = repeated(whole.hits, len(frames))
    corrected = "" if steps is None else steps.words
    return OfChannel(channel, whole, whole.hits.chosen(~jumping), gain, seconds, corrected)
