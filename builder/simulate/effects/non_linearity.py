"""Non-linear responses: what a chain of amplifiers and a converter read for the charge that there is, as pure functions of levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def polynomial(levels: Floats, coefficients: Sequence[float], scale: float = 65536.0) -> Floats:
    """Levels [ADU] read for linear ones: x [1 + k₁ (x/s) + k₂ (x/s)² + …]. Same shape.

    ``coefficients`` are k₁, k₂ …, relative deviations at ``scale`` [ADU]; k₁ negative is a response that sags.
    """
    u = np.asarray(levels, np.float64) / scale
    factor = np.ones_like(u)
    for power, k in enumerate(coefficients, start=1):
        factor = factor + k * u**power
    return levels * factor


def wave(levels: Floats, size: float, period: float) -> Floats:
    """Levels [ADU] read for linear ones with an integral non-linearity of the converter: x + A sin(2π x/p), A ``size`` and p ``period`` [ADU]."""
    out: Floats = levels + size * np.sin(2.0 * np.pi * levels / period)
    return out


def threshold(levels: Floats, depth: float, knee: float) -> Floats:
    """Levels [ADU] read where small signals lose more: x [1 − d exp(−x/k)], d ``depth`` (relative) and k ``knee`` [ADU]."""
    out: Floats = levels * (1.0 - depth * np.exp(-levels / knee))
    return out


def full_well(levels: Floats, top: float, softness: float) -> Floats:
    """Levels [ADU] that end at a full well ``top``, rounded over ``softness`` [ADU]: the smooth minimum of both."""
    away = (np.asarray(levels, np.float64) - top) / softness
    out: Floats = levels - softness * np.logaddexp(0.0, away)
    return out
