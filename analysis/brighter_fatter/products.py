"""What the brighter-fatter procedure hands on: the kernel as an image, the coefficients of area and the covariances as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.brighter_fatter.curves import Curve
from analysis.brighter_fatter.quarter import unfolded
from analysis.brighter_fatter.redistribution import CONVERGED, ROUNDS
from analysis.contract import ImageProduct, TableProduct

_LAWS = {
    1: "L = F + 1/2 div(L grad(K*L))",
    2: "L = F + div(L grad(K*(L+2F)))/6",
}  # of the correction's orders


def first_settings(curves: Sequence[Curve]) -> list[Curve]:
    """One curve of each channel: that of its first setting with a kernel."""
    found: dict[str, Curve] = {}
    for curve in curves:
        if curve.kernel is not None:
            found.setdefault(curve.channel, curve)
    return list(found.values())


def kernel_image(curves: Sequence[Curve], order: int) -> ImageProduct:
    """Kernels by channel, of the first setting of each, with their errors."""
    planes: dict[str, NDArray[np.generic]] = {}
    cards: dict[str, tuple[str | float | int | bool, str]] = {
        "KUNIT": ("pixel2/electron", "unit of K: images in electrons"),
        "KLAW": (_LAWS[order], "L, the corrected image, by iteration"),
        "KORDER": (order, "order of the correction that was checked"),
        "KCONV": (CONVERGED, "until no pixel changes by more [electron]"),
        "KROUNDS": (ROUNDS, "or after so many rounds"),
    }
    shown = first_settings(curves)
    for curve in shown:
        assert curve.kernel is not None
        planes[curve.channel] = curve.kernel.image
        planes[f"{curve.channel}_ERR"] = unfolded(curve.kernel.errors)
    settings = sorted({c.setting for c in shown if c.setting})
    if settings:
        cards["KSETTING"] = ("; ".join(settings)[:60], "setting of the flats")
    if shown[0].fit is not None:
        cards["KESTIM"] = (shown[0].fit.estimator, "estimator of the coefficients of area")
    return ImageProduct(planes, "pix2/electron", cards)


def area_table(curves: Sequence[Curve]) -> TableProduct:
    """The coefficients of area [1/e⁻], the borders' displacements and the kernel, a row for each lag of each fitted curve."""
    columns: dict[str, list[object]] = {
        name: []
        for name in (
            "channel", "setting", "rows", "columns", "a", "a_error", "noise", "zero_sum", "across", "down", "kernel", "kernel_error",
        )
    }  # fmt: skip
    for curve in curves:
        fit, kernel, borders = curve.fit, curve.kernel, curve.borders
        assert fit is not None and kernel is not None and borders is not None
        y, x = (v.ravel() for v in np.mgrid[: fit.lags + 1, : fit.lags + 1])
        columns["channel"] += [curve.channel] * y.size
        columns["setting"] += [curve.setting] * y.size
        columns["rows"] += y.tolist()
        columns["columns"] += x.tolist()
        for name, values in (
            ("a", fit.area), ("a_error", fit.errors), ("noise", fit.noise), ("zero_sum", kernel.area),
            ("across", borders.across), ("down", borders.down), ("kernel", kernel.values), ("kernel_error", kernel.errors),
        ):  # fmt: skip
            columns[name] += values.ravel().tolist()
    per = dict.fromkeys(("a", "a_error", "zero_sum", "across", "down"), "1 / electron")
    units = {
        **per, "rows": "pix", "columns": "pix", "noise": "adu2",
        "kernel": "pix2 / electron", "kernel_error": "pix2 / electron",
    }  # fmt: skip
    meaning = {
        "rows": "lag in rows",
        "columns": "lag in columns",
        "a": "coefficient of area: relative growth of a pixel by each electron at the lag",
        "noise": "covariance without light",
        "zero_sum": "the coefficient once the sum over all lags is forced to zero",
        "across": "displacement, away from the charge, of the border between this column and the next",
        "down": "displacement, away from the charge, of the border between this row and the next",
        "kernel": "element of the kernel of the correction",
    }
    return TableProduct(columns, units, meaning)


def covariance_table(curves: Sequence[Curve]) -> TableProduct:
    """The covariances of one frame [ADU²] of every pair that has them, a row for each lag."""
    names = (
        "channel",
        "setting",
        "first",
        "second",
        "exptime",
        "level",
        "rows",
        "columns",
        "covariance",
        "error",
        "pairs",
        "used",
        "flags",
    )
    columns: dict[str, list[object]] = {name: [] for name in names}
    for curve in curves:
        for point in curve.points:
            if point.matrix is None or point.counts is None:
                continue
            side = point.matrix.shape[0]
            y, x = (v.ravel() for v in np.mgrid[:side, :side])
            error = point.matrix[0, 0] / np.sqrt(point.counts)
            error[0, 0] *= np.sqrt(2.0)
            used = point in curve.used
            for name, value in (
                ("channel", curve.channel), ("setting", curve.setting), ("first", point.first), ("second", point.second),
                ("exptime", point.exptime), ("level", point.level), ("used", used), ("flags", " ".join(point.flags)),
            ):  # fmt: skip
                columns[name] += [value] * y.size
            columns["rows"] += y.tolist()
            columns["columns"] += x.tolist()
            columns["covariance"] += point.matrix.ravel().tolist()
            columns["error"] += error.ravel().tolist()
            columns["pairs"] += point.counts.ravel().tolist()
    units = {
        "exptime": "s",
        "level": "adu",
        "rows": "pix",
        "columns": "pix",
        "covariance": "adu2",
        "error": "adu2",
    }
    meaning = {
        "setting": "setting under which the pair was taken",
        "first": "exposure of the first flat",
        "second": "exposure of the second flat",
        "level": "harmonic mean of the two levels above the offset",
        "rows": "lag in rows",
        "columns": "lag in columns, both signs together",
        "covariance": "half the covariance of the weighted difference: that of one frame",
        "error": "sampling error",
        "pairs": "pairs of pixels",
        "used": "whether the fit rests on this pair",
        "flags": "why it was left out",
    }
    return TableProduct(columns, units, meaning)
