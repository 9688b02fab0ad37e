"""How the masks of epochs are merged and compared, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from analysis.contract import Epoch, Inputs, Results
from analysis.defect_history.course import ANY, Course, course, plane_of
from analysis.defect_history.declared import MASKS, QUANTITIES
from analysis.defect_history.noise import come_and_go, likeness_error, steadiness
from analysis.defect_history.outputs import draw, expected
from analysis.defect_history.products import hand_on
from analysis.defects.declared import PIXELS
from analysis.defects.epochs import least
from campaign.geometry import Channel

_TWO = ("added", "removed", "flips", "likeness")
"""What two epochs are needed for."""


def measure(inputs: Inputs, results: Results) -> None:
    """Merge and compare the masks of one detector; see the package's ``PROCEDURE`` for the quantities. Raises what reading the masks raises."""
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
