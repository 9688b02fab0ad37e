"""How many pixels cross a threshold by chance, and how uncertain a count of those that cross it is."""

from __future__ import annotations

from math import erfc, exp, log1p, pi, sqrt

import numpy as np
from numpy.typing import NDArray

UNSEEN = 0.5 / sqrt(pi)
"""Variance of a count of which nothing is known near its threshold: that of half a thing within one σ of it."""


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


def crossing_variance(margins: NDArray[np.floating], false: float = 0.0) -> float:
    """Variance of the number of things above a threshold on measuring the same ones again, from how far [σ] those above it are above (their ``margins``).

    A thing whose expected value is d σ above the threshold is counted with the chance p = Φ(d), which makes a variance of p (1 − p); the integral of that over d is
    1/√π, so that h of them per σ make h/√π. Here h is the number within 1 σ above the threshold, without the ``false`` ones that noise is expected to lift there from far
    below, and half a one more: that is the mean of h given their number and Jeffreys' prior, so that where none is near the variance is what so little knowledge leaves. False ones are others each
    time, and their number is Poisson's. Numbers that fall steeply with the margin make it too small: to a tenth of its root where they fall to 1/e within 2 σ.
    """
    above = np.asarray(margins, dtype=np.float64)
    near = int(np.count_nonzero((above >= 0) & (above < 1.0)))
    return max(near - false, 0.0) / sqrt(pi) + UNSEEN + false
