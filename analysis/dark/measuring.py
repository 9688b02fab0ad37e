"""How dark frames are measured: channel by channel, levels first, then the master and what it tells of pixels."""

from __future__ import annotations

from analysis.contract import ContractError, FrameInput, Inputs, Results
from analysis.dark.channel import OfChannel
from analysis.dark.declared import ESTIMATORS, OFFERED, QUANTITIES
from analysis.dark.level import MISMATCH, corrected, dark_current, levels_of, temperatures_apart
from analysis.dark.outputs import draw, hand_on
from analysis.dark.results import report_current, report_leak, report_master, report_temperature
from analysis.response_corrections import NOT_CORRECTED, correction_of
from campaign.geometry import Channel


def measure(inputs: Inputs, results: Results) -> None:
    """Measure the dark frames of one detector; see the package's ``PROCEDURE`` for the quantities.

    Raises ContractError for an estimator that there is not.
    """
    how = str(inputs.parameters["estimator"])
    if how not in ESTIMATORS:
        raise ContractError(f"dark.estimator is one of {', '.join(ESTIMATORS)}")
    found: list[OfChannel] = []
    given = inputs.frames.get("dark", ())
    for channel in inputs.detector.geometry.channels:
        with_pixels = _with_pixels(given, channel)
        darks = [f for f in with_pixels if f.frame.exptime is not None and f.frame.exptime > 0]
        biases = _with_pixels(inputs.frames.get("bias", ()), channel)
        if not darks:
            unknown = "exposure-time-unknown" if with_pixels else "too-few-pixels"
            _all_missing(results, channel, unknown if given else "too-few-frames")
            continue
        by = correction_of(inputs, results, channel, darks, OFFERED)
        levels = levels_of(darks, biases, channel)
        if by.table is not None and not levels.based:
            results.caveat(
                f"{channel.name}: without the step nonlinearity: no offset tells how high levels are."
            )
            by = NOT_CORRECTED
        as_read, levels = levels.levels, corrected(levels, by)
        current = dark_current(levels, how)
        if current is None:
            _all_missing(results, channel, "no-overscan")
            continue
        flags, note = _conditions(darks, biases, channel)
        one = OfChannel(channel, levels, current, by=by, as_read=as_read)
        report_master(inputs, results, one, darks, biases, flags)
        report_current(inputs, results, one, len(darks), flags, note)
        report_leak(results, one, darks, flags)
        report_temperature(inputs, results, one, darks, biases)
        found.append(one)
    draw(results, inputs.detector, found)
    hand_on(results, found)


def _with_pixels(frames: tuple[FrameInput, ...], channel: Channel) -> list[FrameInput]:
    return [f for f in frames if channel.name in f.summaries and f.summaries[channel.name].n > 1]


def _all_missing(results: Results, channel: Channel, reason: str) -> None:
    for quantity in QUANTITIES:
        results.missing(quantity.name, reason, channel=channel.name)


def _conditions(darks: list[FrameInput], biases: list[FrameInput], channel: Channel) -> tuple[list[str], str]:
    """Flags that all values of a channel bear, and what to say about temperature."""
    summaries = [d.summaries[channel.name] for d in darks]
    flags = ["bad-pixels"] if any(s.not_finite for s in summaries) else []
    if any(s.saturated > 0.001 * s.n for s in summaries):
        flags.append("saturated")
    apart = temperatures_apart(darks, biases)
    if apart is not None and apart > MISMATCH:
        flags.append("unstable")
        return flags, f"temperatures of the frames used differ by {apart:.1f} °C"
    return flags, ""
