"""How the gates are measured: converter, edges and overscan of each channel."""

from __future__ import annotations

from analysis.contract import FrameInput, Inputs, Results
from analysis.gates.declared import QUANTITIES
from analysis.gates.outputs import draw
from analysis.gates.results import OfChannel, report_converter, report_edges, report_overscan
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Look at the flats of one detector; see the package's ``PROCEDURE`` for the quantities."""
    found: list[OfChannel] = []
    given = inputs.frames.get("flat", ())
    for channel in inputs.detector.geometry.channels:
        flats = _with_pixels(given, channel)
        biases = _with_pixels(inputs.frames.get("bias", ()), channel)
        if not flats:
            reason = "too-few-pixels" if given else "too-few-frames"
            for quantity in QUANTITIES:
                results.missing(quantity.name, reason, channel=channel.name)
            continue
        one = OfChannel(channel, flats)
        report_converter(inputs, results, one)
        report_edges(inputs, results, one, biases)
        report_overscan(results, one, biases)
        found.append(one)
    draw(results, found)


def _with_pixels(frames: tuple[FrameInput, ...], channel: Channel) -> tuple[FrameInput, ...]:
    return tuple(f for f in frames if channel.name in f.summaries and f.summaries[channel.name].n > 1)
