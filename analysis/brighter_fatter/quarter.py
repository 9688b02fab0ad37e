"""Matrices by lag that are the same for all four signs of it: one quarter says all.

A quarter, shape (lags + 1, lags + 1), holds lags from 0 in [rows, columns]; the paper's a_ij has i along the serial register, that is along columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def unfolded(quarter: NDArray[np.generic]) -> Floats:
    """All four quarters, shape (2 lags + 1, 2 lags + 1), lag zero in the middle."""
    half = np.concatenate([quarter[:0:-1], quarter])
    out: Floats = np.concatenate([half[:, :0:-1], half], axis=1).astype(np.float64)
    return out


def multiplicity(lags: int) -> Floats:
    """How often each element of a quarter occurs in the whole: 1 in the centre, 2 on the axes, 4 elsewhere."""
    one = np.full(lags + 1, 2.0)
    one[0] = 1.0
    return np.outer(one, one)


def total(quarter: Floats) -> float:
    """The sum over the whole matrix."""
    return float((multiplicity(quarter.shape[0] - 1) * quarter).sum())


def convolved(one: Floats, other: Floats, reach: int) -> Floats:
    """The quarter, to lag ``reach``, of the convolution of two matrices that are given by theirs."""
    n = 2 * (one.shape[0] + other.shape[0]) + reach
    side = 1 << int(n - 1).bit_length()
    product = transformed(one, side) * transformed(other, side)
    found: Floats = np.fft.irfft2(product, s=(side, side))[: reach + 1, : reach + 1]
    return found


def transformed(quarter: Floats, side: int) -> NDArray[np.complex128]:
    """The Fourier transform, as ``rfft2`` orders it, of the whole on a periodic square of that side."""
    whole, lags = unfolded(quarter), quarter.shape[0] - 1
    held = np.zeros((side, side))
    held[: 2 * lags + 1, : 2 * lags + 1] = whole
    return np.asarray(np.fft.rfft2(np.roll(held, (-lags, -lags), (0, 1))))
