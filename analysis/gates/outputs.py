"""Figures and tables of the gates procedure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series, binned, small_multiples
from analysis.gates.readout import Overscan
from analysis.gates.results import OfChannel

_SHOWN = 50
_LONGEST = 200


def draw(results: Results, found: Sequence[OfChannel]) -> None:
    """All figures and tables, or why there are none."""
    with_bits = [one for one in found if one.bits is not None]
    if with_bits:
        results.figure("bits", Plot((_bits(with_bits),)))
        results.product("bits", _bit_table(with_bits))
    else:
        results.without("bits", "not-reached")
    with_codes = [one for one in found if one.nonlinearity is not None]
    if with_codes:
        results.figure("dnl", small_multiples([_codes(one) for one in with_codes]))
        results.product("dnl", _code_table(with_codes))
    else:
        results.without("dnl", "too-few-pixels")
    with_edges = [one for one in found if one.edges is not None]
    if with_edges:
        results.figure("edges", Plot((_edges(with_edges, False), _edges(with_edges, True)), columns=2))
    else:
        results.without("edges", "too-few-pixels")
    if overscans := [_overscan(one.channel.name, one.overscan) for one in found if one.overscan is not None]:
        results.figure("overscan", small_multiples(overscans))
    else:
        results.without("overscan", "no-overscan")
    if found:
        results.figure("range", Plot((_range(found),)))
    else:
        results.without("range", "too-few-frames")


def _bits(found: Sequence[OfChannel]) -> Panel:
    series = []
    for one in found:
        assert one.bits is not None
        name = one.channel.name
        series.append(Series(np.arange(one.bits.shares.size, dtype=np.float64), one.bits.shares, name, name))
    return Panel(
        "bit (0 is the lowest)", "share of values with the bit set", tuple(series), (Mark("half", y=0.5),)
    )


def _codes(one: OfChannel) -> Panel:
    found = one.nonlinearity
    assert found is not None
    series = Series(found.codes, 100 * found.dnl, "codes", one.channel.name, 100 * found.errors)
    return Panel(
        "code [ADU]",
        "excess of the code's width [%]",
        (series,),
        (Mark("none", y=0.0),),
        title=one.channel.name,
    )


def _edges(found: Sequence[OfChannel], last: bool) -> Panel:
    series = []
    for one in found:
        assert one.edges is not None
        profile = one.edges.profile[::-1] if last else one.edges.profile
        shown = profile[: min(_SHOWN, profile.size // 2)]
        error = np.full(shown.size, 100 * one.edges.error)
        at = np.arange(shown.size, dtype=np.float64)
        series.append(Series(at, 100 * shown, one.channel.name, one.channel.name, error))
    which = "column from the last read, counted back from 0" if last else "column in order of reading, from 0"
    return Panel(which, "deviation from the line [%]", tuple(series), (Mark("line", y=0.0),))


def _overscan(name: str, of: Overscan) -> Panel:
    rows = Series(*binned(of.rows, _LONGEST), name, name, style="line")
    return Panel(
        "row, in order of reading", "overscan less its mean [ADU]", (rows,), (Mark("", y=0.0),), title=name
    )


def _range(found: Sequence[OfChannel]) -> Panel:
    series, marks = [], []
    for one in found:
        name = one.channel.name
        summaries = [f.summaries[name] for f in one.flats]
        series.append(Series([s.median for s in summaries], [s.high for s in summaries], name, name))
        if one.saturation is not None:
            marks.append(Mark(f"{name}: saturation", y=one.saturation))
    return Panel("median of the flat [ADU]", "highest value [ADU]", tuple(series), tuple(marks))


def _bit_table(found: Sequence[OfChannel]) -> TableProduct:
    rows = [
        (one.channel.name, bit, one.bits)
        for one in found
        if one.bits is not None
        for bit in range(one.bits.shares.size)
    ]
    return TableProduct(
        {
            "channel": [name for name, _, _ in rows],
            "bit": [bit for _, bit, _ in rows],
            "share": [float(of.shares[bit]) for _, bit, of in rows],
            "state": [
                "stuck" if bit in of.stuck else "works" if bit in of.tested else "not tested"
                for _, bit, of in rows
            ],
        },
        {},
        {"bit": "0 is the lowest", "share": "of the values in which it is set"},
    )


def _code_table(found: Sequence[OfChannel]) -> TableProduct:
    columns: dict[str, list[object]] = {name: [] for name in ("channel", "code", "dnl", "error")}
    for one in found:
        assert one.nonlinearity is not None
        kept = one.nonlinearity.enough
        columns["channel"] += [one.channel.name] * int(kept.sum())
        columns["code"] += one.nonlinearity.codes[kept].astype(int).tolist()
        columns["dnl"] += one.nonlinearity.dnl[kept].tolist()
        columns["error"] += one.nonlinearity.errors[kept].tolist()
    return TableProduct(
        columns,
        {"code": "adu"},
        {"dnl": "relative excess of the code's width", "error": "that of its counts"},
    )
