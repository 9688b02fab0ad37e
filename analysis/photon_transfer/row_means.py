"""Means of rows as a test of the gain: they scatter by shot noise alone, if rows have no noise of their own.

The difference of two flats of one level holds twice the charge's variance. The mean of a row of N pixels then has the variance 2 μ / (g N), for
brighter-fatter correlations move variance from a pixel to its neighbours, most of which are averaged with it. The ratio of what is
found to that, summed over the pairs, is 1 up to what reaches other rows: below 1 by about the share of the variance that the matrix says. Light that
flickers, or rows that the electronics shift as a whole, raise it. (The test is that of the Rubin Observatory's pipelines, which
compare variance and signal without taking the noise of the electronics off.)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np

from analysis.flat_pairs import Difference
from analysis.photon_transfer.curve import CurveFit
from analysis.photon_transfer.matrix import MatrixFit
from campaign.frozen import dataclass

_TREND = 3  # parameters of the polynomial along the rows' numbers that the check takes out


@dataclass(frozen=True)
class RowMeans:
    """The ratio of the variance of row means to that of shot noise, its error, and what the matrix makes one expect (None without one)."""

    ratio: float
    error: float
    expected: float | None
    n: int


def row_means(
    pairs: Sequence[Difference],
    fit: CurveFit,
    matrix: MatrixFit | None,
    dark_variance: float,
    dark_rows: float,
) -> RowMeans | None:
    """The test over pairs of flats, with the variance of one frame's pixels without light and that of a dark difference's row means [ADU²].

    The variance of row means is that which the check for flicker found; ``matrix`` tells what is expected. None when no pair tells it.
    """
    found, light, squares, expected = 0.0, 0.0, 0.0, 0.0
    used = [p for p in pairs if p.rows > _TREND + 1 and p.checks[0].chance < 1.0 and p.level > 0]
    if not used:
        return None
    for pair in used:
        pixels = pair.pixels / pair.rows
        variance = pair.checks[0].effect * (2.0 * pair.variance / pixels + dark_rows)
        found += (variance - 2.0 * dark_variance / pixels - dark_rows) * pixels
        squares += 2.0 / (pair.rows - _TREND) * (variance * pixels) ** 2
        light += 2.0 * pair.level / fit.gain
        if matrix is not None:
            law = matrix.matrices(np.array(pair.level))[0] - matrix.noise_matrix[0] / matrix.gain**2
            expected += 2.0 * float(law[0] + 2.0 * law[1:].sum())
    ratio = found / light
    error = hypot(sqrt(squares) / light, ratio * fit.gain_error / fit.gain)
    return RowMeans(ratio, error, expected / light if expected else None, len(used))
