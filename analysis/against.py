"""An image against a reference of the same detector: their difference and ratio, pixel by pixel, and in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import robust_std
from campaign.frozen import dataclass

CLEAR = 5.0
"""A ratio is meant only where the reference's median is so many of its own robust scatters away from zero."""

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Against:
    """How one plane compares with its reference; scatters are 1.4826 times the median absolute deviation.

    ``n`` pixels have a value on both sides, ``without`` have not. ``difference`` [the plane's unit] and ``ratio`` are medians;
    the ratio is None where the reference is not clearly away from zero, and all are None where no pixel is left.
    """

    n: int
    without: int
    difference: float | None = None
    difference_scatter: float | None = None
    ratio: float | None = None
    ratio_scatter: float | None = None


def against(
    image: NDArray[np.generic], reference: NDArray[np.generic]
) -> tuple[Against, Plane, Plane | None]:
    """The numbers, the difference image − reference and the ratio image / reference (None where none is meant).

    Both are planes of one shape; pixels that are not finite on either side are NaN in both images, and so are pixels of a
    reference of zero in the ratio: there is never a division by zero. Raises ValueError for planes of different shape.
    """
    if image.shape != reference.shape:
        raise ValueError(f"shapes differ: {_shape(image)} here, {_shape(reference)} in the reference")
    here, there = np.asarray(image, np.float32), np.asarray(reference, np.float32)
    good = np.isfinite(here) & np.isfinite(there)
    difference = np.where(good, here - np.where(good, there, 0), np.float32(np.nan)).astype(np.float32)
    n = int(good.sum())
    if not n:
        return Against(0, good.size), difference, None
    held, below = difference[good], there[good]
    told = Against(n, good.size - n, float(np.median(held)), _scatter(held))
    if abs(float(np.median(below))) <= CLEAR * _scatter(below):
        return told, difference, None
    usable = good & (there != 0)
    ratio = np.full(here.shape, np.nan, np.float32)
    np.divide(here, there, out=ratio, where=usable)
    ratios = ratio[usable & np.isfinite(ratio)]
    if not ratios.size:
        return told, difference, None
    numbers = float(np.median(ratios)), _scatter(ratios)
    return Against(n, good.size - n, told.difference, told.difference_scatter, *numbers), difference, ratio


def _scatter(values: NDArray[np.float32]) -> float:
    return float(robust_std(values)) if values.size > 1 else 0.0


def _shape(plane: NDArray[np.generic]) -> str:
    return " × ".join(str(n) for n in plane.shape)
