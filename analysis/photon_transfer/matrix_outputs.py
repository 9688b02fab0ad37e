"""Figures and tables of covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Results, TableProduct
from analysis.figures import Mark, Panel, Plot, Series
from analysis.photon_transfer.matrix_images import matrix_images
from analysis.photon_transfer.points import Curve, Point

MATRICES = ("area_matrix", "covariance_trend", "matrix", "covariance_matrix", "covariances")
"""Figures and products of the whole matrix."""

_NEIGHBOURS = (("next along the row", 0, 1), ("next along the column", 1, 0), ("next on the diagonal", 1, 1))


def label_of(curve: Curve, curves: Sequence[Curve]) -> str:
    """How a curve is called in figures: by its channel, and its setting where there are several."""
    several = len({c.setting for c in curves}) > 1
    return f"{curve.channel} {curve.setting}" if several else curve.channel


def hand_matrices(results: Results, curves: Sequence[Curve], sigma: float) -> None:
    """Hand back figures and tables of the matrices that were fitted, and the covariances of all pairs that have them."""
    fitted = [c for c in curves if c.matrix]
    if fitted:
        results.figure("area_matrix", _area_matrix(fitted))
        results.figure("covariance_trend", _covariance_trend(fitted, sigma))
        results.product("matrix", _matrix_table(fitted))
        results.product("covariance_matrix", matrix_images(fitted, sigma))
    else:
        why = next((c.lacking for c in curves if c.lacking), "too few light levels")
        for name in MATRICES[:-1]:
            results.without(name, "too-few-frames", why)
    rows = [(c, p) for c in curves for p in c.points if p.difference and p.difference.covariances]
    if rows:
        results.product("covariances", _covariance_table(rows, sigma))
    else:
        results.without("covariances", "too-few-frames", "no covariances were measured")


def _area_matrix(curves: Sequence[Curve]) -> Plot:
    """Sizes of a by distance, and with their signs near the middle."""
    far, near = [], []
    for curve in curves:
        assert curve.matrix is not None
        area, error = curve.matrix.area, curve.matrix.area_error
        i, j = np.indices(area.shape)
        apart, label = np.hypot(i, j).ravel(), label_of(curve, curves)
        order = np.argsort(apart, kind="stable")
        size = np.abs(area.ravel()[order])
        far.append(Series(apart[order], size, label, curve.channel, error.ravel()[order]))
        beside = order[(apart[order] > 0) & (apart[order] < 4)]
        near.append(Series(apart[beside], area.ravel()[beside], label, curve.channel, error.ravel()[beside]))
    axis = "distance [pixels]"
    return Plot(
        (
            Panel(axis, "size of a [1/e⁻]", tuple(far), yscale="log"),
            Panel(axis, "a [1/e⁻]", tuple(near), (Mark("no change", y=0.0),)),
        )
    )


def _covariance_trend(curves: Sequence[Curve], sigma: float) -> Plot:
    """Covariances of neighbours over the level, against the level, with the fitted law."""
    panels = []
    for words, i, j in _NEIGHBOURS:
        series = []
        for curve in curves:
            assert curve.matrix is not None
            label, used = label_of(curve, curves), [p for p in curve.used if p.difference]
            found = [(p.difference, p.difference.covariances) for p in used if p.difference]
            x = np.array([d.level for d, _ in found])
            y = np.array([c.of_one_frame(sigma)[i, j] for _, c in found if c])
            e = np.array([0.5 * c.errors[i, j] for _, c in found if c])
            series.append(Series(x, 1e3 * y / x, label, curve.channel, 1e3 * e / x))
            at = np.geomspace(x.min(), x.max(), 60)
            law = 1e3 * curve.matrix.matrices(at)[:, i, j] / at
            series.append(Series(at, law, f"{label}, fit", curve.channel, style="line"))
        panels.append(
            Panel(
                "level above offset [ADU]", "covariance over level [10⁻³ ADU]", tuple(series), (Mark("none", y=0.0),),
                title=words,
            )
        )  # fmt: skip
    return Plot(tuple(panels))


def _matrix_table(curves: Sequence[Curve]) -> TableProduct:
    rows = [
        (c, i, j) for c in curves if c.matrix for i in range(len(c.matrix.area)) for j in range(len(c.matrix.area))
    ]  # fmt: skip

    def column(name: str) -> list[float]:
        return [float(getattr(c.matrix, name)[i, j]) for c, i, j in rows]

    return TableProduct(
        {
            "channel": [c.channel for c, _, _ in rows],
            "setting": [c.setting for c, _, _ in rows],
            "row_lag": [i for _, i, _ in rows],
            "column_lag": [j for _, _, j in rows],
            "a": column("area"),
            "a_error": column("area_error"),
            "ab": column("area_slope"),
            "ab_error": column("area_slope_error"),
            "noise": column("noise_matrix"),
            "noise_error": column("noise_matrix_error"),
        },
        {},
        {
            "row_lag": "rows from pixel to pixel (parallel direction)",
            "column_lag": "columns from pixel to pixel (serial direction)",
            "a": "relative change of area by one electron [1/e-]",
            "ab": "a times b, by which a changes with the charge [1/e-^2]",
            "noise": "covariance of the noise of reading, rounding of the converter included [e-^2]",
        },
    )


def _covariance_table(rows: Sequence[tuple[Curve, Point]], sigma: float) -> TableProduct:
    matrices, errors, used = [], [], []
    for curve, point in rows:
        found = point.difference
        assert found is not None and found.covariances is not None
        matrices.append(found.covariances.of_one_frame(sigma))
        errors.append(0.5 * found.covariances.errors)
        used.append(point in curve.used)
    side = len(matrices[0])
    i, j = np.indices((side, side)).reshape(2, -1)

    def each(values: list[str] | list[bool] | list[float]) -> NDArray[np.generic]:
        return np.repeat(np.array(values), side**2)

    return TableProduct(
        {
            "channel": each([c.channel for c, _ in rows]),
            "setting": each([c.setting for c, _ in rows]),
            "first": each([p.first for _, p in rows]),
            "second": each([p.second for _, p in rows]),
            "level": each([p.difference.level for _, p in rows if p.difference]),
            "used": each(used),
            "row_lag": np.tile(i, len(rows)),
            "column_lag": np.tile(j, len(rows)),
            "covariance": np.array(matrices).ravel(),
            "covariance_error": np.array(errors).ravel(),
        },
        {"level": "adu", "covariance": "adu2", "covariance_error": "adu2"},
        {
            "level": "harmonic mean of the two levels above the offset",
            "covariance": "of one frame, of pixels so many rows and columns apart, both signs together",
            "covariance_error": "for noise that is nearly white",
            "used": "whether the fit rests on this pair",
        },
    )
