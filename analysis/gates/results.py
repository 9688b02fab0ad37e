"""What the gates procedure says of each channel."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from analysis.contract import FrameInput, Inputs, Results
from analysis.flat_frames import offsets_of
from analysis.gates.converter import QUIET, Bits, Nonlinearity, bits_of, ends_at, nonlinearity_of
from analysis.gates.edges import Edges, edges_of
from analysis.gates.readout import Overscan, lost_lines, overscan_of, shifted
from analysis.histogram import Histogram
from campaign.frozen import dataclass
from campaign.geometry import Channel

_CODE = 12.0**-0.5


@dataclass
class OfChannel:
    """All that was found of one channel."""

    channel: Channel
    flats: tuple[FrameInput, ...]
    bits: Bits | None = None
    nonlinearity: Nonlinearity | None = None
    edges: Edges | None = None
    overscan: Overscan | None = None
    saturation: float | None = None


def report_converter(inputs: Inputs, results: Results, one: OfChannel) -> None:
    """Bits, differential non-linearity and the end of the converter's range."""
    name = one.channel.name
    held = [(f, f.details(one.channel).image) for f in one.flats]
    whole = [(f, h) for f, h in held if h is not None]
    quiet = [(f, h) for f, h in whole if f.summaries[name].std >= QUIET]
    total: Histogram | None = None
    for _, found in quiet:
        total = found if total is None else total.plus(found)
    if total is None:
        note = (
            "the pixels are not whole numbers"
            if not whole
            else f"no flat has noise of {QUIET:g} ADU or more, over which codes are alike"
        )
        for quantity in ("stuck_bits", "dnl", "dnl_largest"):
            results.missing(quantity, "not-reached", channel=name, n=len(one.flats), note=note)
    else:
        one.bits = bits_of(total)
        stuck, tested = one.bits.stuck, one.bits.tested
        note = f"bits tested: {', '.join(map(str, tested)) or 'none'}" + (
            f"; stuck: {', '.join(map(str, stuck))}" if stuck else ""
        )
        if tested:
            results.value("stuck_bits", len(stuck), None, channel=name, n=total.n, note=note)
        else:
            results.missing("stuck_bits", "not-reached", channel=name, n=total.n, note=note)
        noise = min(f.summaries[name].std for f, _ in quiet)
        one.nonlinearity = nonlinearity_of(total, noise, inputs.number("dnl_counts"))
        _report_nonlinearity(inputs, results, one)
    end = ends_at([h for _, h in whole], inputs.number("pile_fraction")) if whole else None
    if end is None:
        highest = max((f.summaries[name].high for f in one.flats), default=0.0)
        note = f"the highest value is {highest:g} ADU" if whole else "the pixels are not whole numbers"
        results.missing("saturation_level", "not-reached", channel=name, n=len(one.flats), note=note)
        return
    one.saturation, n = end
    results.value(
        "saturation_level",
        one.saturation,
        _CODE,
        channel=name,
        n=n,
        flags=("saturated",),
        note=f"in {n} of {len(one.flats)} flats",
    )


def _report_nonlinearity(inputs: Inputs, results: Results, one: OfChannel) -> None:
    name, found = one.channel.name, one.nonlinearity
    n = 0 if found is None else int(found.enough.sum())
    if found is None or found.square is None:
        note = f"{n} codes have {inputs.number('dnl_counts'):g} counts; 64 are needed"
        for quantity in ("dnl", "dnl_largest"):
            results.missing(quantity, "too-few-pixels", channel=name, n=n, note=note)
        return
    square, error = found.square, found.square_error
    flags: tuple[str, ...] = ()
    if square > 3.0 * error:
        value, uncertainty = sqrt(square), error / (2.0 * sqrt(square))
    else:
        value = sqrt(max(square, 0.0))
        uncertainty, flags = sqrt(max(square, 0.0) + error) - value, ("consistent-with-zero",)
    results.value("dnl", 100 * value, 100 * uncertainty, channel=name, n=n, flags=flags)
    at = found.worst
    significance = abs(found.dnl[at]) / found.errors[at]
    note = f"code {found.codes[at]:g}, {significance:.1f} σ, the largest of {n} codes"
    clear = (
        significance > sqrt(2.0 * np.log(n)) + 2.0
    )  # the largest of n normal values lies at about √(2 ln n)
    results.value(
        "dnl_largest", 100 * found.dnl[at], 100 * found.errors[at], channel=name, n=n,
        flags=() if clear else ("consistent-with-zero",), note=note,
    )  # fmt: skip


def report_edges(inputs: Inputs, results: Results, one: OfChannel, biases: Sequence[FrameInput]) -> None:
    """Tearing, lost rows and columns."""
    name, channel = one.channel.name, one.channel
    count = sum(f.summaries[name].zeros + f.summaries[name].not_finite for f in one.flats)
    pixels = sum(f.summaries[name].n for f in one.flats)
    results.value("lost_pixels", count, None, channel=name, n=pixels, flags=("bad-pixels",) if count else ())
    moved = shifted(one.flats, channel)
    if moved is None:
        results.missing(
            "shifted_frames", "too-few-frames", channel=name, n=len(one.flats), note="three flats are needed"
        )
    else:
        results.value(
            "shifted_frames",
            moved,
            None,
            channel=name,
            n=len(one.flats),
            flags=("unstable",) if moved else (),
        )
    offsets = offsets_of(one.flats, biases, channel)
    if offsets is None:
        for quantity in ("tearing", "torn_edges", "lost_rows", "lost_columns"):
            results.missing(quantity, "no-overscan", channel=name, n=len(one.flats))
        return
    rows, columns = lost_lines(one.flats, offsets.values, channel)
    for quantity, lines in (("lost_rows", rows), ("lost_columns", columns)):
        results.value(quantity, lines, None, channel=name, n=len(one.flats))
    full = [f.summaries[name].saturated > 0.001 * f.summaries[name].n for f in one.flats]
    usable = [(f, o) for f, o, over in zip(one.flats, offsets.values, full, strict=True) if not over]
    usable = sorted(usable, key=lambda k: -k[0].summaries[name].mean)[: int(inputs.number("edge_frames"))]
    if usable:
        one.edges = edges_of([f for f, _ in usable], [o for _, o in usable], channel)
    if one.edges is None:
        reason = "too-few-pixels" if usable else "saturated"
        for quantity in ("tearing", "torn_edges"):
            results.missing(quantity, reason, channel=name, n=len(usable))
        return
    value, error, at = one.edges.divisadero
    flags = () if abs(value) > 3.0 * error else ("consistent-with-zero",)
    note = f"column {at} in order of reading"
    results.value("tearing", 100 * value, 100 * error, channel=name, n=len(usable), flags=flags, note=note)
    shown = "; ".join(
        f"{edge}: " + ", ".join(f"{100 * r:+.2f}" for r in of)
        for edge, of in zip(("first", "last"), one.edges.ratios, strict=True)
    )
    torn = one.edges.torn(inputs.number("tear_cut"))
    results.value(
        "torn_edges",
        torn,
        None,
        channel=name,
        n=len(usable),
        note=f"outermost column over the next less 1 [%], {shown}",
    )


def report_overscan(results: Results, one: OfChannel, biases: Sequence[FrameInput]) -> None:
    """The overscan of lit frames."""
    name = one.channel.name
    found = one.overscan = overscan_of(one.flats, biases, one.channel)
    if found is None:
        for quantity in ("overscan_change", "overscan_slope", "overscan_pile"):
            results.missing(quantity, "no-overscan", channel=name, n=len(one.flats))
        return
    raised = found.pile is not None and found.pile.raised
    own = ("clamped",) if raised else ()
    if found.change is None:
        results.missing(
            "overscan_change", "no-reference", channel=name, n=found.frames, note="no bias frames"
        )
    else:
        clear = abs(found.change) > 3.0 * found.change_error
        flags = (*own, *(() if clear else ("consistent-with-zero",)))
        results.value(
            "overscan_change", found.change, found.change_error, channel=name, n=found.frames, flags=flags
        )
    clear = abs(found.slope) > 3.0 * found.slope_error
    flags = (*own, *(() if clear else ("consistent-with-zero",)))
    results.value(
        "overscan_slope", found.slope, found.slope_error, channel=name, n=found.rows.size, flags=flags
    )
    if found.pile is None:
        results.missing(
            "overscan_pile",
            "not-reached",
            channel=name,
            n=found.frames,
            note="the pixels are not whole numbers",
        )
    else:
        results.value(
            "overscan_pile",
            100 * found.pile.effect,
            None,
            channel=name,
            n=found.frames,
            flags=own,
            note=found.pile.note,
        )
