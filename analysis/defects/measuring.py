"""How defects are found: all evidence on a channel, of darks, flats and bias frames, put together to its mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.bias.master import halves, joined
from analysis.contract import FrameInput, Inputs, Results
from analysis.defects.channel import OfChannel
from analysis.defects.channel import joined as of_channel
from analysis.defects.darks import of_darks
from analysis.defects.declared import PIXELS
from analysis.defects.flats import of_flats
from analysis.defects.found import Evidence
from analysis.defects.outputs import draw, drawn_and_forgotten
from analysis.defects.products import hand_on
from analysis.defects.series import Scatter, beside_biases, of_series
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Find the defects of one detector; see the package's ``PROCEDURE`` for the quantities."""
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
