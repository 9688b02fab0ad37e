"""Defects over epochs: the masks of all tests up to this one merged to one, and what came and went between them."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from analysis.contract import (
    Epoch,
    Inputs,
    Parameter,
    Procedure,
    ProductSpec,
    Quantity,
    Results,
    Take,
    Version,
)
from analysis.defect_history.course import ANY, Course, course, plane_of
from analysis.defect_history.noise import come_and_go, likeness_error, steadiness
from analysis.defect_history.outputs import FIGURES, draw, expected
from analysis.defect_history.products import hand_on
from analysis.defects.channel import PIXELS
from analysis.defects.epochs import least
from campaign.geometry import Channel

MASKS = Take(
    "defects",
    "mask",
    "pixels that were found to be bad in each epoch, which are merged and compared",
    "epochs",
)

_MERGED = "count of the merged mask; the uncertainty is that of counting again in as many epochs of the same detector: pixels near the thresholds"
_NOISE = "the uncertainty is that of flips at the thresholds"

QUANTITIES = (
    Quantity("epochs", "N_ep", "epochs", "Tests whose masks are merged", "count", "engineering"),
    Quantity("bad_area", "A_bad", "%", "Share of the channel's pixels that have any bit in the merged mask", _MERGED),
    *(
        Quantity(
            kind.replace("-", "_"), f"N_{short}", "pixels", f"Pixels with the bit {kind} in the merged mask", _MERGED, "health"
        )
        for kind, short in zip(PIXELS, ("hot", "warm", "dark", "dead", "bright", "noisy", "nl", "unst"), strict=True)
    ),
    Quantity(
        "added", "N_new", "pixels", "Pixels that are bad in the latest epoch and were not in the one before",
        f"count, in classes that both looked for, of pixels that both saw; those that noise makes are among them (flips); {_NOISE}", "health",
    ),
    Quantity(
        "removed", "N_gone", "pixels", "Pixels that were bad in the epoch before the latest and are not in that", f"count, as for added; {_NOISE}", "health"
    ),
    Quantity(
        "flips", "N_flip", "pixels", "Pixels expected to be new, and as many to be gone, though nothing changed",
        "variance of the count of bad pixels: root mean square of those of both epochs, summed over classes", "engineering",
    ),
    Quantity(
        "likeness", "J", "", "Pixels that are bad in both of the latest two epochs over those bad in either (Jaccard)", f"ratio of counts; {_NOISE}", "health"
    ),
    Quantity(
        "flickering", "N_fl", "pixels", "Pixels that came or went more than once over the epochs (the latest 64)",
        "count, in classes that all epochs looked for; the uncertainty is the root of how many noise alone makes, which the note tells", "health",
    ),
    Quantity(
        "detector_bad_area", "A_det", "%", "Share of the detector's pixels that have any bit in the merged mask", "count of all channels' masks; uncertainty as for bad_area",
        per="detector", unplotted="the sum of the channels' areas",
    ),
)  # fmt: skip
"""What the history of defects tells."""

_TWO = ("added", "removed", "flips", "likeness")
"""What two epochs are needed for."""


def measure(inputs: Inputs, results: Results) -> None:
    """Merge and compare the masks of one detector; see ``PROCEDURE`` for the quantities. Raises what reading the masks raises."""
    epochs, fraction = _chosen(inputs, results), inputs.number("fraction")
    found = []
    for channel in inputs.detector.geometry.channels:
        fitting = _fitting(epochs, channel, results)
        if not fitting:
            for quantity in QUANTITIES:
                if quantity.per == "channel":
                    results.missing(
                        quantity.name, "no-reference", channel=channel.name, note="no epoch has a mask of it"
                    )
            continue
        one = course(channel, fitting, fraction)
        _report(results, one, fraction)
        found.append(one)
    if found:
        size = sum(one.size for one in found)
        error = sqrt(sum(_variance(one, ANY, fraction) for one in found))
        bad = sum(one.bad for one in found)
        results.value("detector_bad_area", 100.0 * bad / size, 100.0 * error / size, n=size)
    else:
        results.missing("detector_bad_area", "no-reference", note="no epoch has a mask of it")
    draw(results, inputs.detector, found)
    hand_on(results, found, fraction)


def _chosen(inputs: Inputs, results: Results) -> tuple[Epoch, ...]:
    """The epochs that the parameters ask for, the earliest first."""
    held = inputs.epochs.get((MASKS.procedure, MASKS.product), ())
    if inputs.parameters["block_only"]:
        held = tuple(e for e in held if e.block == inputs.block)
    held = held[-int(inputs.number("last")) :]
    for epoch in held:
        results.say(f"epoch {epoch.block}/{epoch.test}, {epoch.time or 'time not known'}")
    if held and (held[-1].block, held[-1].test) != (inputs.block, inputs.test):
        results.caveat(f"This test has no mask of its own: the latest epoch is {_name(held[-1])}.")
    return held


def _fitting(epochs: Sequence[Epoch], channel: Channel, results: Results) -> list[Epoch]:
    """The epochs that have a mask of the channel, of the shape of its image today."""
    out = []
    for epoch in epochs:
        plane = plane_of(epoch, channel.name)
        if plane is None:
            results.say(f"{channel.name}: {_name(epoch)} has no mask of it")
        elif plane.shape != channel.image.shape:
            results.caveat(
                f"{channel.name}: the mask of {_name(epoch)} is left out, it has the shape {plane.shape}, not {channel.image.shape}"
            )
        else:
            out.append(epoch)
    return out


def _name(epoch: Epoch) -> str:
    return f"{epoch.block}/{epoch.test}"


def _variance(one: Course, kind: str, fraction: float) -> float:
    """Variance of the number of pixels of a class, or all, in the merged mask, on measuring as many epochs of the same detector again."""
    if kind == ANY:
        total = sum(_variance(one, k, fraction) for k in PIXELS)
        # what one epoch is enough for has the false pixels of each
        chances = [n.chance for n in one.noise]
        return total + (
            sum(chances) - float(np.mean(chances)) if _least(fraction, len(chances)) == 1 else 0.0
        )
    held = [n.variances[kind] for n in one.noise if kind in n.variances]
    return float(np.mean(held)) * steadiness(len(held), _least(fraction, len(held))) if held else 0.0


def _least(fraction: float, epochs: int) -> int:
    """How many epochs have to agree."""
    return int(least(fraction, epochs)[epochs])


def _report(results: Results, one: Course, fraction: float) -> None:
    name, n, size = one.channel.name, len(one.epochs), one.size
    agreeing = f"in {_least(fraction, n)} of {n} epochs at least"
    results.value(
        "epochs", n, None, channel=name, n=n, note=f"{_name(one.epochs[0])} to {_name(one.epochs[-1])}"
    )
    area, error = 100.0 * one.bad / size, 100.0 * sqrt(_variance(one, ANY, fraction)) / size
    results.value("bad_area", area, error, channel=name, n=size, note=agreeing)
    for kind in PIXELS:
        quantity, looked = kind.replace("-", "_"), sum(kind in e.variances for e in one.noise)
        if not looked:
            results.missing(quantity, "too-few-frames", channel=name, note="no epoch could look for it")
            continue
        error = sqrt(_variance(one, kind, fraction))
        note = f"in {_least(fraction, looked)} of {looked} epochs at least"
        results.value(quantity, one.of_merged(kind), error, channel=name, n=size, note=note)
    _report_changes(results, one)


def _report_changes(results: Results, one: Course) -> None:
    name, n, size = one.channel.name, len(one.epochs), one.size
    if n < 2:
        for quantity in (*_TWO, "flickering"):
            results.missing(quantity, "too-few-epochs", channel=name, n=n)
        return
    step, noise = one.steps[-1][ANY], expected(one, n - 1)
    since = f"since {_name(one.epochs[-2])}; {noise:.2g} expected by noise alone"
    left = [k for k in PIXELS if (k in one.noise[-1].variances) != (k in one.noise[-2].variances)]
    since += f"; not in both epochs: {', '.join(left)}" if left else ""
    for quantity, number in (("added", step.added), ("removed", step.removed)):
        results.value(quantity, number, sqrt(noise), channel=name, n=size, note=since)
    results.value("flips", noise, None, channel=name, n=size)
    error = likeness_error(step.common, step.added, step.removed, noise)
    results.value("likeness", step.likeness, error, channel=name, n=size, note=since)
    if n < 3:
        results.missing("flickering", "too-few-epochs", channel=name, n=n, note="it takes three")
        return
    number = len(one.packed)
    often = come_and_go(number) * float(np.mean([sum(e.variances.values()) for e in one.noise[-number:]]))
    told = f"{often:.2g} expected by noise alone"
    results.value(
        "flickering", int(np.count_nonzero(one.switches() > 1)), sqrt(often), channel=name, n=size, note=told
    )


PROCEDURE = Procedure(
    name="defect_history",
    title="Defects over epochs",
    purpose="Which pixels are bad in enough of all tests up to this one, as one merged mask for all that follows; and which came and went since the last.",
    history=(Version("1.0", "2026-11-21", "First version."),),
    roles=(),
    takes=(MASKS,),
    parameters=(
        Parameter("fraction", 0.5, "share of the epochs that have to say so for a pixel to be bad; 0: any one of them is enough", "", 0.0, 1.0),
        Parameter("last", 0, "latest epochs that are used; 0: all", "", 0),
        Parameter("block_only", False, "whether only tests of the same block are epochs"),
    ),
    quantities=QUANTITIES,
    figures=FIGURES,
    products=(
        ProductSpec("mask", "fits", "merged mask: bits of each pixel, int32, the table of bits and the epochs in the header; 0 is good"),
        ProductSpec("epochs", "ecsv", "pixels of each class in each epoch, how many are new and how many gone since the epoch before"),
        ProductSpec("changed", "ecsv", "pixels that come and go: place, course over the epochs, classes, share, and a region for SAOImage DS9"),
        ProductSpec("regions", "reg", "the same pixels to be laid over a frame: red appeared, green gone, orange comes and goes"),
    ),
    acceptance=(
        "The merged bad area is within its limit.",
        "No more pixels are new since the epoch before than noise at the thresholds makes.",
    ),
    caveats=(
        "This test has no mask of its own.",
        "The mask of an epoch is left out because its shape is another.",
    ),
    algorithm="""\
An epoch is a test with a mask of the defects procedure, of whatever block, on the same detector (where blocks name its hardware: on the same piece), taken no later than this one.
So a result does not change when later tests come. Epochs are in the order of their first frames; a test without times comes after the one before it in the record.

A bit is in the merged mask if at least the given fraction of the epochs have it: of those that saw the pixel (no bit no-value) and looked for the class. One is needed at least, equality
is enough. A pixel that is bad in so many epochs, though of no one class in so many, has the bits that it had most often: one that is warm today and hot tomorrow is bad. With the fraction 0 the masks are united, no-value included.

    bit b of pixel i:  Σ_e b_ie ≥ max(1, ⌈f n_ib⌉),  n_ib: epochs that saw i and looked for b

What is new and gone is counted in classes that both epochs looked for; columns, clusters and other shapes count only where both looked for the same classes.

Noise moves pixels over thresholds. One that is found with the chance p is new with p (1 − p), so that as many are expected new, and as many gone, as the variance σ_N² of the epoch's count.

    N_flip = Σ_class √((σ_N,before⁴ + σ_N,after⁴) / 2)
    J = N_both / N_either,  σ_J = √(N_flip (1 + J²)) / N_either
    σ_merged² = ⟨σ_N²⟩ √π ∫ q (1 − q) dd,  q = P(k of n | Φ(d)): k of n epochs find a pixel that lies d σ above its threshold

The last takes pixels to lie evenly about the threshold, as σ_N² itself does; with k = 1 the false pixels of each epoch are added.""",
    references=(
        "P. Jaccard, 1912, New Phytologist 11, 37 (likeness of two sets).",
        "Rubin Observatory, package cp_pipe (defects of several sets of frames merged by the fraction that agrees).",
    ),
    comments=(
        "A class whose frames an epoch borrowed from another test is of those frames' time. Where two epochs rest on the same frames they agree in that class, and fewer flips are seen than expected.",
        "Epochs of fewer frames have higher thresholds: pixels between two thresholds come and go with the number of frames, not with time.",
        "A class that an epoch could not look for counts neither for nor against a pixel; columns and clusters count in every epoch.",
        "Pixels that flicker slowly are found by flickering and by the table of changed pixels; those that change within a test are the class unstable of the defects procedure.",
        "The step of corrections named defects takes the merged mask of the latest test that has one, before any mask of a single test.",
    ),
    measure=measure,
)  # fmt: skip
