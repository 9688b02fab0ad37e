"""What the brighter-fatter procedure shows and hands on: its figures, and the products of ``products``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.brighter_fatter.curves import Curve
from analysis.brighter_fatter.points import Point
from analysis.brighter_fatter.products import area_table, covariance_table, first_settings, kernel_image
from analysis.brighter_fatter.quarter import Floats, multiplicity
from analysis.contract import Results
from analysis.figures import ImageMap, Mark, Panel, Plot, Series

FIGURES = ("covariances", "kernel_image", "falloff", "straight")
PRODUCTS = ("kernel", "area_matrix", "covariance_points")

_NEAR = ((0, 0), (0, 1), (1, 0), (1, 1))
_LEVEL = "level above offset [ADU]"


def hand_on(results: Results, curves: Sequence[Curve], channels: Sequence[str], order: int) -> None:
    """All figures and products, or why there are none."""
    measured = [c for c in curves if any(p.matrix is not None for p in c.points)]
    fitted = [c for c in curves if c.fit is not None]
    if measured:
        results.figure("covariances", _covariances(measured))
        results.product("covariance_points", covariance_table(_in_order(measured, channels)))
    else:
        for name in ("covariances", "covariance_points"):
            results.without(name, "too-few-frames", "no pair of flats could be measured")
    if fitted:
        results.figure("kernel_image", _kernels(fitted))
        results.figure("falloff", _falloff(fitted))
        results.product("kernel", kernel_image(fitted, order))
        results.product("area_matrix", area_table(_in_order(fitted, channels)))
    else:
        for name in ("kernel_image", "falloff", "kernel", "area_matrix"):
            results.without(name, "bad-fit" if measured else "too-few-frames", "no covariances were fitted")
    if any(c.check for c in fitted):
        results.figure("straight", _straight(fitted))
    else:
        why = next((c.unchecked for c in fitted if c.unchecked), "no covariances were fitted")
        results.without("straight", "too-few-frames", why)


def _in_order(curves: Sequence[Curve], channels: Sequence[str]) -> list[Curve]:
    place = {name: i for i, name in enumerate(channels)}
    return sorted(curves, key=lambda c: place[c.channel])


def _label(curve: Curve, curves: Sequence[Curve]) -> str:
    several = len({c.setting for c in curves}) > 1
    return f"{curve.channel} {curve.setting}" if several else curve.channel


def _element(points: Sequence[Point], at: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """Level [ADU], covariance over level and its sampling error [ADU], of one lag."""
    held = [(p.level, p.matrix, p.counts) for p in points if p.matrix is not None and p.counts is not None]
    x = np.array([level for level, _, _ in held])
    y = np.array([float(m[at]) for _, m, _ in held])
    e = np.array([float(m[0, 0]) / float(c[at]) ** 0.5 for _, m, c in held])
    if at == (0, 0):
        e *= np.sqrt(2.0)
    return x, y / x, e / x


def _covariances(curves: Sequence[Curve]) -> Plot:
    panels = []
    for at in _NEAR:
        series = []
        for curve in curves:
            label = _label(curve, curves)
            left = [p for p in curve.points if p.matrix is not None and p not in curve.used]
            for points, what in ((curve.used, label), (left, f"{label}, left out")):
                if points:
                    x, y, e = _element(points, at)
                    series.append(Series(x, y, what, curve.channel, e))
            if curve.fit is not None:
                x = np.linspace(0.5 * curve.fit.levels.min(), curve.fit.levels.max(), 60)
                y = curve.fit.law(x)[:, at[0], at[1]] / x
                series.append(Series(x, y, f"{label}, fit", curve.channel, style="line"))
        what = (
            "variance" if at == (0, 0) else f"covariance, {at[1]} column{'s' * (at[1] != 1)}, {at[0]} row{'s' * (at[0] != 1)}"
        )  # fmt: skip
        panels.append(Panel(_LEVEL, f"{what.partition(',')[0]} over level [ADU]", tuple(series), title=what))
    return Plot(tuple(panels), columns=2)


def _kernels(curves: Sequence[Curve]) -> ImageMap:
    """The kernels of all channels side by side, of the first setting of each."""
    shown = first_settings(curves)
    images = [c.kernel.image for c in shown if c.kernel is not None]
    side = max(i.shape[0] for i in images)
    data = np.full((side, len(images) * (side + 1) - 1), np.nan)
    outlines = []
    for n, image in enumerate(images):
        x0, size = n * (side + 1), image.shape[0]
        data[:size, x0 : x0 + size] = image
        outlines.append(("", 0, size, x0, x0 + size))
    half = side // 2
    lags = tuple(f"{n}".replace("-", "−") if n % 4 == 0 else "" for n in range(-half, side - half))
    return ImageMap(
        data, "kernel [pixel²/e⁻]", outlines=tuple(outlines), xlabel="channel",
        ylabel="lag [px]", xnames=tuple(c.channel for c in shown), ynames=lags,
    )  # fmt: skip


def _falloff(curves: Sequence[Curve]) -> Plot:
    """Coefficients against distance, averaged over equal distances, and what they sum up to within it."""
    fall, sums = [], []
    for curve in curves:
        fit, label = curve.fit, _label(curve, curves)
        assert fit is not None
        r, y, e, total, of = _by_distance(fit.area, fit.errors)
        away = (r > 0) & (y > 0)
        fall.append(Series(r[away], y[away], label, curve.channel, e[away]))
        if curve.borders is not None:
            _, smooth, _, _, _ = _by_distance(curve.borders.area, fit.errors)
            lit = (r > 0) & (smooth > 0)
            fall.append(Series(r[lit], smooth[lit], f"{label}, smooth borders", curve.channel, style="line"))
        sums.append(Series(r, total, label, curve.channel, of))
    distance = "distance [pixels]"
    return Plot(
        (
            Panel(distance, "coefficient of area [1/e⁻]", tuple(fall), xscale="log", yscale="log"),
            Panel(distance, "sum within distance [1/e⁻]", tuple(sums), (Mark("none lost", y=0.0),)),
        ),
        columns=2,
    )


def _by_distance(area: Floats, errors: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Distances, weighted mean coefficients there and errors, and sums within them with errors."""
    lags = area.shape[0] - 1
    y, x = np.mgrid[: lags + 1, : lags + 1]
    squared, weight = (y**2 + x**2).ravel(), multiplicity(lags).ravel()
    distances = np.unique(squared)
    mean, error, total, of = (np.zeros(distances.size) for _ in range(4))
    w = 1.0 / np.maximum(errors.ravel(), 1e-300) ** 2
    for n, d in enumerate(distances):
        at, within = squared == d, squared <= d
        mean[n] = (w * area.ravel())[at].sum() / w[at].sum()
        error[n] = w[at].sum() ** -0.5
        total[n] = (weight * area.ravel())[within].sum()
        of[n] = ((weight * errors.ravel())[within] ** 2).sum() ** 0.5
    return np.sqrt(distances.astype(np.float64)), mean, error, total, of


def _straight(curves: Sequence[Curve]) -> Plot:
    panels = []
    for at, what in (((0, 0), "variance"), ((0, 1), "covariance of neighbours in a row")):
        series = []
        for curve in curves:
            if curve.check is None:
                continue
            label, after = _label(curve, curves), curve.check
            names = {(p.first, p.second) for p in after.points}
            before = [p for p in curve.used if (p.first, p.second) in names]
            for points, when in ((before, "before"), (after.points, "after")):
                x, y, e = _element(points, at)
                series.append(Series(x, y, f"{label}, {when}", curve.channel, e))
            x = np.linspace(0.5 * after.fit.levels.min(), after.fit.levels.max(), 30)
            straight = (x / after.fit.gain + after.fit.noise[0, 0] if at == (0, 0) else np.zeros_like(x)) / x
            series.append(Series(x, straight, f"{label}, straight", curve.channel, style="line"))
        panels.append(
            Panel(_LEVEL, f"{what}, over level [ADU]", tuple(series), title=what.partition(" of ")[0])
        )
    return Plot(tuple(panels), columns=2)
