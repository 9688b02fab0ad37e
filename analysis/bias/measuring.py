"""How bias frames are measured: channel by channel, each frame's pixels read once for all that is made of them."""

from __future__ import annotations

from analysis.bias.channel import OfChannel
from analysis.bias.correlation import correlations
from analysis.bias.declared import ESTIMATORS, QUANTITIES
from analysis.bias.master import halves
from analysis.bias.outputs import draw, hand_on
from analysis.bias.results import (
    report_correlation,
    report_jumps,
    report_levels,
    report_pattern,
    report_read_noise,
    report_structure,
)
from analysis.checks import clamped
from analysis.contract import ContractError, FrameInput, Inputs, Results
from analysis.offsets import offset_of
from analysis.pairs import Differences
from analysis.read_noise import difference_noise
from analysis.stack import in_halves
from analysis.summary import piled_up
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the bias frames of one detector; see the package's ``PROCEDURE`` for the quantities.

    Raises ContractError for an estimator that there is not.
    """
    if inputs.parameters["estimator"] not in ESTIMATORS:
        raise ContractError(f"bias.estimator is one of {', '.join(ESTIMATORS)}")
    found: list[OfChannel] = []
    given = inputs.frames.get("bias", ())
    for channel in inputs.detector.geometry.channels:
        frames = tuple(f for f in given if channel.name in f.summaries and f.summaries[channel.name].n > 1)
        if len(frames) < 3:
            reason = "too-few-frames" if len(given) < 3 else "too-few-pixels"
            note = f"{len(frames)} of {len(given)} bias frames have pixels to use; three are needed"
            for quantity in QUANTITIES:
                results.missing(quantity.name, reason, channel=channel.name, n=len(frames), note=note)
            continue
        counted = Differences(channel.image, in_halves(len(frames)))
        masters = halves(inputs, frames, channel, inputs.number("sigma"), (counted,))
        noise = difference_noise(frames, channel, inputs.number("sigma"), counted)
        one = OfChannel(
            channel, frames, _flags(frames, channel), [offset_of(f, channel) for f in frames], noise
        )
        report_levels(inputs, results, one)
        report_read_noise(inputs, results, one)
        report_structure(inputs, results, one, masters)
        del masters, counted  # before those of the next channel are made
        report_jumps(inputs, results, one)
        report_pattern(inputs, results, one)
        found.append(one)
    common = [f for f in given if all(any(f is g for g in one.frames) for one in found)]
    together = correlations(common, [one.channel for one in found], int(inputs.number("correlated_pairs")))
    report_correlation(results, found, together, len(inputs.detector.geometry.channels))
    draw(results, inputs.detector, found, together)
    hand_on(results, found, together)


def _flags(frames: tuple[FrameInput, ...], channel: Channel) -> tuple[str, ...]:
    summaries = [f.summaries[channel.name] for f in frames]
    flags = {
        "bad-pixels": any(s.not_finite for s in summaries),
        "clamped": any(_clamped(f, channel) for f in frames),
        "saturated": any(s.saturated > 0.001 * s.n for s in summaries),
    }
    return tuple(name for name, is_so in flags.items() if is_so)


def _clamped(frame: FrameInput, channel: Channel) -> bool:
    """Whether values pile up at one end: the summary says where to look, the pixels whether it is more than a thin tail."""
    if not piled_up(frame.summaries[channel.name]):
        return False
    return clamped(frame.pixels.read(channel, channel.image)).raised
