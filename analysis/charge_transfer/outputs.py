"""Figures and tables of the charge transfer procedure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.charge_transfer.levels import Level, all_levels
from analysis.charge_transfer.register import Direction
from analysis.charge_transfer.results import Found
from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series

FIGURES = ("serial_profiles", "parallel_profiles", "cti_by_level", "deferred_charge", "edge_response")

_DRAWN = 5  # levels of a profile panel at most: more points than that cannot be told apart


def hand_on(results: Results, found: Sequence[Found]) -> None:
    """Hand back figures and tables of all channels, settings and directions."""
    measured = [f for f in found if f.ladder.levels]
    if not measured:
        reason, note = (
            (found[0].ladder.reason, found[0].ladder.note) if found else ("too-few-frames", "no flats")
        )
        for name in (*FIGURES, "profiles", "levels"):
            results.without(name, reason, note)
        return
    for direction in ("serial", "parallel"):
        of = [f for f in found if f.ladder.direction == direction]
        results.figure(
            f"{direction}_profiles", Plot(tuple(_profiles(f, _label(f, of)) for f in of), columns=2)
        )
    results.figure(
        "cti_by_level", Plot((_by_level(measured, "serial"), _by_level(measured, "parallel")), columns=2)
    )
    results.figure(
        "deferred_charge", Plot((_deferred(measured, "serial"), _deferred(measured, "parallel")), columns=2)
    )
    results.figure("edge_response", Plot((_edge_response(measured),)))
    results.product("profiles", _profile_table(measured))
    results.product("levels", _level_table(measured))


def _label(found: Found, of: Sequence[Found]) -> str:
    several = len({f.ladder.setting for f in of}) > 1
    return f"{found.ladder.channel} {found.ladder.setting}" if several else found.ladder.channel


def _some(levels: Sequence[Level]) -> list[Level]:
    """Levels from the lowest to the highest, evenly chosen where there are many."""
    if len(levels) <= _DRAWN:
        return list(levels)
    at = np.linspace(0, len(levels) - 1, _DRAWN).round().astype(int)
    return [levels[i] for i in at]


def _names(levels: Sequence[Level]) -> list[str]:
    """What levels are called in a legend: in two digits where that tells them apart."""
    for digits in (2, 3, 6):
        names = [f"{float(f'{level.signal:.{digits}g}'):.0f} ADU" for level in levels]
        if len(set(names)) == len(names):
            break
    return names


def _profiles(found: Found, label: str) -> Panel:
    series, drawn = [], _some(found.ladder.levels)
    for level, name in zip(drawn, _names(drawn), strict=True):
        after, error, signal = level.edge.after, level.edge.pixel_errors, level.signal
        shown = (
            after > error
        )  # the rest is noise about the offset, of which a logarithm shows the upper half only
        x = np.arange(1, after.size + 1, dtype=np.float64)
        series.append(Series(x[shown], after[shown] / signal, name, yerr=error[shown] / signal))
    what = "overscan column" if found.ladder.direction == "serial" else "overscan row"
    return Panel(
        f"{what}, from the image", "above offset, over last image pixel", tuple(series), title=label, yscale="log"
    )  # fmt: skip


def _by_level(found: Sequence[Found], direction: Direction) -> Panel:
    series, marks = [], []
    of = [f for f in found if f.ladder.direction == direction]
    for one in of:
        levels, label = one.ladder.levels, _label(one, of)
        for clean, name in ((True, label), (False, f"{label}, saturated")):
            held = [level for level in levels if level.clean == clean]
            if held:
                series.append(
                    Series(
                        [x.signal for x in held],
                        [1e6 * x.cti for x in held],
                        name,
                        one.ladder.channel,
                        [1e6 * x.error for x in held],
                    )
                )
    if of:
        marks.append(Mark("reference", x=of[0].level.signal))
    return Panel(
        "last image pixel above offset [ADU]", f"{direction} CTI by edge response [10⁻⁶]", tuple(series), tuple(marks), title=direction,
        xscale="log",
    )  # fmt: skip


def _deferred(found: Sequence[Found], direction: Direction) -> Panel:
    series = []
    of = [f for f in found if f.ladder.direction == direction]
    for one in of:
        label, held = _label(one, of), one.ladder.levels
        both = [(level.signal, *level.edge.deferred(one.pixels)) for level in held]
        x, y, e = (np.array(v) for v in zip(*both, strict=True))
        shown = y > e
        series.append(Series(x[shown], y[shown], label, one.ladder.channel, e[shown]))
        if one.model and len(held) > 1:
            line = np.geomspace(x.min(), x.max(), 40)
            law = np.array([one.model.after(float(s), one.pixels).sum() for s in line])
            series.append(
                Series(line[law > 0], law[law > 0], f"{label}, fit", one.ladder.channel, style="line")
            )
    return Panel(
        "last image pixel above offset [ADU]", "charge in first pixels [ADU]", tuple(series), title=direction, xscale="log",
        yscale="log",
    )  # fmt: skip


def _edge_response(found: Sequence[Found]) -> Panel:
    series = []
    of = [f for f in found if f.ladder.direction == "serial"]
    for one in of:
        edge = one.ladder.nearest(one.half_range).edge
        x = np.arange(1, edge.after.size + 1, dtype=np.float64)
        error = edge.pixel_errors / edge.signal
        series.append(Series(x, edge.after / edge.signal, _label(one, of), one.ladder.channel, error))
    marks = (Mark("offset", y=0.0),)
    return Panel(
        "overscan column, from the image", "above offset, over last image column", tuple(series), marks
    )


def _profile_table(found: Sequence[Found]) -> TableProduct:
    names = ("channel", "setting", "direction", "level", "pixel", "deferred", "error", "relative")
    columns: dict[str, list[object]] = {name: [] for name in names}
    for ladder, level in all_levels([f.ladder for f in found]):
        after = level.edge.after
        error = level.edge.pixel_errors
        columns["channel"] += [ladder.channel] * after.size
        columns["setting"] += [ladder.setting] * after.size
        columns["direction"] += [ladder.direction] * after.size
        columns["level"] += [level.signal] * after.size
        columns["pixel"] += list(range(1, after.size + 1))
        columns["deferred"] += after.tolist()
        columns["error"] += error.tolist()
        columns["relative"] += (after / level.signal).tolist()
    return TableProduct(
        columns,
        {"level": "adu", "deferred": "adu", "error": "adu"},
        {
            "setting": "setting under which the flats were taken",
            "direction": "serial: overscan columns; parallel: overscan rows",
            "level": "last image pixel above the offset",
            "pixel": "number of the pixel after the image, from one",
            "deferred": "mean over lines, above the offset of late pixels",
            "error": "of the pixel, without that of the offset",
            "relative": "deferred over level",
        },
    )


def _level_table(found: Sequence[Found]) -> TableProduct:
    rows = [(f, level) for f in found for level in f.ladder.levels]
    return TableProduct(
        {
            "channel": [f.ladder.channel for f, _ in rows],
            "setting": [f.ladder.setting for f, _ in rows],
            "direction": [f.ladder.direction for f, _ in rows],
            "exptime": [np.nan if x.exptime is None else x.exptime for _, x in rows],
            "frames": [x.edge.means.frames for _, x in rows],
            "lines": [x.edge.means.lines for _, x in rows],
            "level": [x.signal for _, x in rows],
            "deferred": [x.edge.deferred(f.pixels)[0] for f, x in rows],
            "deferred_error": [x.edge.deferred(f.pixels)[1] for f, x in rows],
            "transfers": [f.ladder.transfers for f, _ in rows],
            "cti": [x.cti for _, x in rows],
            "cti_error": [x.error for _, x in rows],
            "flags": [" ".join(x.flags) for _, x in rows],
        },
        {"exptime": "s", "level": "adu", "deferred": "adu", "deferred_error": "adu"},
        {
            "frames": "frames averaged",
            "lines": "rows (serial) or columns (parallel) averaged",
            "level": "last image pixel above the offset",
            "deferred": "charge in the first pixels after the image",
            "transfers": "of the last image pixel",
            "cti": "by edge response, at this level",
        },
    )
