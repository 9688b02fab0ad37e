"""How many pixels cross a threshold by chance, and how uncertain a count of those that cross it is."""

from __future__ import annotations

from math import erfc, exp, log1p, pi, sqrt

import numpy as np
from numpy.typing import NDArray


def beyond(sigma: float) -> float:
    """Chance that a normal deviate exceeds ``sigma``, one-sided."""
    return 0.5 * erfc(sigma / sqrt(2.0))


def beyond_with_shot_noise(excess: float, charge: float, variance: float) -> float:
    """Chance that charge with Poisson noise about ``charge`` [e⁻] and normal noise of ``variance`` [e⁻²] lies above its mean by more than ``excess`` [e⁻].

    The Poisson part has a longer upper tail than a normal one of the same variance. By the saddle point
    approximation of R. Lugannani & S. Rice, 1980, Adv. Appl. Prob. 12, 475, good to a few per cent of itself in the tail.
    Raises ValueError for negative numbers or nothing but zeros.
    """
    if excess <= 0 or charge < 0 or variance < 0 or charge + variance <= 0:
        raise ValueError(f"no tail beyond {excess} of {charge} with variance {variance}")
    if charge == 0:
        return beyond(excess / sqrt(variance))
    # K(s) = charge (eˢ − 1 − s) + variance s²/2; the saddle point has K′(s) = excess, between 0 and that of charge alone
    low, high = 0.0, log1p(excess / charge)
    for _ in range(200):
        s = 0.5 * (low + high)
        if charge * np.expm1(s) + variance * s < excess:
            low = s
        else:
            high = s
    s = 0.5 * (low + high)
    curvature = charge * exp(s) + variance
    w = sqrt(2.0 * (s * excess - charge * (float(np.expm1(s)) - s) - 0.5 * variance * s * s))
    u = s * sqrt(curvature)
    density = exp(-0.5 * w * w) / sqrt(2.0 * pi)
    return float(min(max(beyond(w) + density * (1.0 / u - 1.0 / w), 0.0), 1.0))


def crossing_variance(margins: NDArray[np.floating]) -> float:
    """Variance of the number of pixels above a threshold, from how far [σ] those above it are above (their ``margins``).

    A pixel whose expected value is d σ above the threshold is counted with the chance Φ(d), which makes a variance of Φ(d) Φ(−d). Those
    below the threshold are not known one by one, but near it there are as many as above, so that these count twice.
    """
    from scipy.special import ndtr

    above = np.asarray(margins, dtype=np.float64)
    above = above[(above >= 0) & (above < 8.0)]
    return float(2.0 * (ndtr(above) * ndtr(-above)).sum())
