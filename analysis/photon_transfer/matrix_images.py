"""The covariance matrix against the signal as a FITS file: what was measured pair by pair, and what was fitted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.contract import ImageProduct
from analysis.photon_transfer.points import Curve

_UNITS = {"LEVEL": "adu", "COV": "adu2", "A": "1/electron", "AB": "1/electron2", "N": "electron2"}


def matrix_images(curves: Sequence[Curve], sigma: float) -> ImageProduct:
    """Planes of curves whose matrix was fitted, named by channel, what they hold, and the setting where there are several; ``sigma`` is the clip of the differences.

    LEVEL [ADU], shape (pairs,), ascends; COV [ADU²], shape (pairs, lags + 1, lags + 1), is C_ij of one frame at these levels, as in the table of
    covariances, of the pairs that the fit rests on; A [1/e⁻], AB [1/e⁻²] and N [e⁻²] are a, ab and n of equation 20, [rows, columns] from lag zero on. All but LEVEL
    have their errors beside them (…_ERR).
    """
    several = len({c.setting for c in curves}) > 1
    planes: dict[str, NDArray[np.generic]] = {}
    units: dict[str, str] = {}
    for curve in curves:
        for what, plane in _planes(curve, sigma).items():
            name = f"{curve.channel}_{what}" + (f" {curve.setting}" if several else "")
            planes[name], units[name] = plane, _UNITS[what.removesuffix("_ERR")]
    cards: dict[str, tuple[str | float | int | bool, str]] = {
        "AXIS1": ("columns", "lag of the first axis of COV, A, AB, N, from 0"),
        "AXIS2": ("rows", "lag of their second axis, from 0"),
        "AXIS3": ("pairs", "third axis of COV: at the levels of LEVEL"),
        "LAW": ("Astier et al. 2019, eq. 20", "what A, AB and N are of"),
    }
    return ImageProduct(planes, _UNITS["COV"], cards, units)


def _planes(curve: Curve, sigma: float) -> Mapping[str, NDArray[np.float64]]:
    """What a curve has, by the last part of the planes' names."""
    fit = curve.matrix
    assert fit is not None
    pairs = [p.difference for p in curve.used if p.difference and p.difference.covariances]
    held = [d.covariances for d in pairs if d.covariances]
    return {
        "LEVEL": np.array([d.level for d in pairs]),
        "COV": np.array([c.of_one_frame(sigma) for c in held]),
        "COV_ERR": np.array([0.5 * c.errors for c in held]),
        "A": fit.area,
        "A_ERR": fit.area_error,
        "AB": fit.area_slope,
        "AB_ERR": fit.area_slope_error,
        "N": fit.noise_matrix,
        "N_ERR": fit.noise_matrix_error,
    }
