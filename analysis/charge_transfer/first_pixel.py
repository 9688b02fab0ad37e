"""First-pixel response: charge that is missing from the first image pixels, which no packet went before.

The first image pixel after a dark prescan of p elements is moved p + 1 times and receives nothing: it lacks (p + 1)·c of a uniform signal, where c is
the CTI. Each that follows receives what the one before it left, and lacks c. Against the level that the columns after show, which lacks c
itself, the first k pixels together lack p·c, for any k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.lines import Means, excess
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

FITTED = 12
"""Columns after those summed that tell the level that the first columns should have."""


@dataclass(frozen=True)
class FirstPixels:
    """Charge missing from the first pixels over the level they should have, ± error; ``level`` [ADU] above the prescan.

    ``structure`` is the scatter of the columns beyond noise, relative to the level.
    """

    missing: float
    error: float
    level: float
    structure: float


def first_pixels(means: Means, prescan: int, summed: int) -> FirstPixels:
    """From means of the prescan's ``prescan`` columns and the first image columns; a straight line through the columns after those
    ``summed`` says what they should hold.

    The offset is that of the later half of the prescan, whose first columns may follow what was read before. Pixels' response does not average
    over frames; the covariance of lines of the averaged frame has it. Raises ValueError with too few columns, or no light.
    """
    columns = means.values.size - prescan - summed
    if columns < 4 or prescan < 1:
        raise ValueError("too few columns to tell what the first should hold")
    dark = np.zeros(means.values.size)
    dark[prescan // 2 : prescan] = 1.0 / (prescan - prescan // 2)
    x = np.arange(prescan + summed, means.values.size, dtype=np.float64)
    design = np.column_stack((np.ones_like(x), x - prescan))
    solve = np.linalg.pinv(design)
    wanted = np.column_stack((np.ones(summed), np.arange(summed, dtype=np.float64)))
    expected = np.zeros((summed, means.values.size))
    expected[:, prescan + summed :] = wanted @ solve
    level = float(expected[0] @ means.values - dark @ means.values)
    if not level > 5.0 * means.error(expected[0] - dark):
        raise ValueError("the first columns hold no light")
    lacking = expected.sum(axis=0)
    lacking[prescan : prescan + summed] -= 1.0
    value = float(lacking @ means.values) / level
    left = means.values[prescan + summed :] - design @ (solve @ means.values[prescan + summed :])
    out = np.eye(x.size) - design @ solve
    noise = float(np.einsum("ij,jk,ik->", out, means.covariance[prescan + summed :, prescan + summed :], out))
    more = excess(float(left @ left), noise, x.size - 2)
    error = means.widened(more, prescan).error((lacking - value * (expected[0] - dark)) / level)
    return FirstPixels(value, error, level, float(np.sqrt(more)) / level)
