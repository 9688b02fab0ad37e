"""Figures and the table of the photon transfer procedure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series
from analysis.photon_transfer.matrix_outputs import MATRICES, hand_matrices, label_of
from analysis.photon_transfer.points import Curve, Point, columns

FIGURES = ("transfer_curve", "residuals", "gain_by_level")

_UNITS = {"exptime": "s", "level": "adu", "level_error": "adu", "variance": "adu2", "variance_error": "adu2"}
_MEANING = {
    "setting": "setting under which the pair was taken",
    "first": "exposure of the first flat",
    "second": "exposure of the second flat",
    "level": "harmonic mean of the two levels above the offset",
    "variance": "half the variance of the weighted difference",
    "pixels": "pixels used",
    "drift": "relative change of the light from first to second",
    "used": "whether the gain rests on this pair",
    "flags": "why it was left out",
}


def hand_on(results: Results, curves: Sequence[Curve], channels: Sequence[str], sigma: float) -> None:
    """Hand back the figures and the tables of all channels and settings; ``sigma`` is the clip of the differences."""
    measured = [c for c in curves if any(p.difference for p in c.points)]
    if not measured:
        for name in FIGURES:
            results.without(name, "too-few-frames", "no pair of flats could be measured")
        for name in ("points", *MATRICES):
            results.without(name, "too-few-frames", "no pair of flats could be measured")
        return
    results.figure("transfer_curve", _transfer_curve(measured))
    if any(c.fit for c in measured):
        results.figure("residuals", _residuals(measured))
    else:
        results.without("residuals", "too-few-frames", "no curve was fitted")
    if any(c.noise is not None or c.fit for c in measured):
        results.figure("gain_by_level", _gain_by_level(measured))
    else:
        results.without("gain_by_level", "no-reference", "nothing tells the noise without light")
    order = {name: i for i, name in enumerate(channels)}
    ordered = sorted(measured, key=lambda c: order[c.channel])
    results.product("points", _table(ordered))
    hand_matrices(results, ordered, sigma)


def _transfer_curve(curves: Sequence[Curve]) -> Plot:
    series, marks = [], []
    for curve in curves:
        label, used = label_of(curve, curves), curve.used
        left = [p for p in curve.points if p.difference and p not in used]
        for points, what in ((used, label), (left, f"{label}, left out")):
            if points:
                x, y, e = columns(points)
                series.append(Series(x, y, what, curve.channel, e))
        if curve.fit:
            x = np.geomspace(max(curve.used[0].difference.level, 1.0), curve.top, 60)  # type: ignore[union-attr]
            series.append(Series(x, curve.fit.variance(x), f"{label}, fit", curve.channel, style="line"))
        if curve.turnoff:
            marks.append(Mark(f"{label} turnoff", x=curve.turnoff.level))
        if curve.blooming:
            marks.append(Mark(f"{label} blooming", x=curve.blooming.level))
    panel = Panel(
        "level above offset [ADU]", "variance [ADU²]", tuple(series), tuple(marks), xscale="log", yscale="log"
    )
    return Plot((panel,))


def _to_turnoff(curve: Curve) -> tuple[Point, ...]:
    """The clean pairs up to the turnoff: beyond, neither a model nor a gain holds, and they would hide the rest."""
    limit = curve.turnoff.level if curve.turnoff else np.inf
    return tuple(p for p in curve.clean if p.difference and p.difference.level <= limit * 1.001)


def _residuals(curves: Sequence[Curve]) -> Plot:
    series = []
    for curve in curves:
        if curve.fit is None:
            continue
        label, shown = label_of(curve, curves), _to_turnoff(curve)
        left = [p for p in shown if p not in curve.used]
        for points, what in ((curve.used, label), (left, f"{label}, left out")):
            if points:
                x, y, e = columns(points)
                law = curve.fit.variance(x)
                series.append(Series(x, 100 * (y / law - 1), what, curve.channel, 100 * e / law))
    marks = (Mark("fit", y=0.0),)
    return Plot((Panel("level above offset [ADU]", "variance less fit [%]", tuple(series), marks),))


def _gain_by_level(curves: Sequence[Curve]) -> Plot:
    series = []
    for curve in curves:
        if curve.noise is not None:
            floor = curve.noise.variance
        elif curve.fit is not None:
            floor = curve.fit.noise_squared / curve.fit.gain**2
        else:
            continue
        x, y, e = columns(_to_turnoff(curve))
        lit = y > floor + 3 * e
        if lit.any():
            x, y, e = x[lit], y[lit] - floor, e[lit]
            series.append(Series(x, x / y, label_of(curve, curves), curve.channel, e * x / y**2))
    return Plot((Panel("level above offset [ADU]", "level over variance [e⁻/ADU]", tuple(series)),))


def _table(curves: Sequence[Curve]) -> TableProduct:
    rows = [(c, p) for c in curves for p in c.points if p.difference]
    found = [p.difference for _, p in rows if p.difference]
    return TableProduct(
        {
            "channel": [c.channel for c, _ in rows],
            "setting": [c.setting for c, _ in rows],
            "first": [p.first for _, p in rows],
            "second": [p.second for _, p in rows],
            "exptime": [p.exptime for _, p in rows],
            "level": [d.level for d in found],
            "level_error": [d.level_error for d in found],
            "variance": [d.variance for d in found],
            "variance_error": [d.variance_error for d in found],
            "pixels": [d.pixels for d in found],
            "drift": [d.drift for d in found],
            "used": [_counts(c, p) for c, p in rows],
            "flags": [" ".join(p.flags) for _, p in rows],
        },
        _UNITS,
        _MEANING,
    )


def _counts(curve: Curve, point: Point) -> bool:
    """Whether the gain rests on the pair: on those of the fit, or of the one exposure time of the pair method."""
    if curve.fit is None:
        return point.exptime == curve.pair_time and not point.flags
    return point in curve.used
