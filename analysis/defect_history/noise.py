"""What noise at the thresholds makes of masks of several epochs: pixels that come and go though nothing changed, and how sure a merged count is.

A pixel whose expected value is d σ above its threshold is found with the chance p = Φ(d). Of a class of which σ_N² = Σ p(1 − p) is the variance
of one epoch's count, Σ p(1 − p) pixels are expected anew in the next epoch, and as many gone. Other sums over pixels follow from it
where pixels lie evenly about the threshold, as the uncertainty of a count takes them to do (``analysis.defects.chance``):

    Σ f(p) = σ_N² √π ∫ f(Φ(d)) dd,  as √π ∫ Φ(d) Φ(−d) dd = 1
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

Chances = NDArray[np.float64]

_REACH, _STEPS = 9.0, 3601


def about_threshold(chance: Callable[[Chances], Chances]) -> float:
    """Expected pixels about the threshold for which something happens, over the variance of one epoch's count.

    ``chance`` tells it from the chance of being found in one epoch; it must vanish for 0 and 1.

    >>> round(about_threshold(lambda p: p * (1.0 - p)), 6)
    1.0
    """
    from scipy.special import ndtr

    d = np.linspace(-_REACH, _REACH, _STEPS)
    return sqrt(pi) * float(np.trapezoid(chance(ndtr(d)), d))


@cache
def steadiness(epochs: int, least: int) -> float:
    """Variance of the number of pixels that are found in ``least`` of ``epochs`` at least, over that of one epoch's count.

    >>> steadiness(1, 1), round(steadiness(9, 5), 2), round(steadiness(9, 1), 2)
    (1.0, 0.41, 0.6)
    """
    from scipy.special import bdtrc

    if epochs == 1:
        return 1.0
    return about_threshold(lambda p: _spread(bdtrc(least - 1, epochs, p)))


@cache
def come_and_go(epochs: int) -> float:
    """Pixels expected to change more than once over so many epochs though nothing changed, over the variance of one epoch's count."""

    def chance(p: Chances) -> Chances:
        q = 1.0 - p
        seldom = p**epochs + q**epochs
        for n in range(1, epochs):
            seldom = seldom + p**n * q ** (epochs - n) + q**n * p ** (epochs - n)
        return np.clip(1.0 - seldom, 0.0, None)

    return about_threshold(chance) if epochs > 2 else 0.0


def flips(before: float, after: float) -> float:
    """Pixels expected to be new (or gone) by noise alone between two epochs, from the variances of their counts.

    Where noise of one is s times that of the other, so is its variance, and ∫ Φ(x/s) Φ(−x) dx = √((1 + s²) / 2π): the root mean square of both.
    """
    return sqrt(0.5 * (before**2 + after**2))


def likeness_error(common: int, added: int, removed: int, flipped: float) -> float:
    """Standard deviation of J = (N − r) / (N + a) when new (a) and gone (r) pixels of N each scatter by ``flipped``, a variance."""
    either = common + added + removed
    return sqrt(flipped * (1.0 + (common / either) ** 2)) / either if either else 0.0


def _spread(q: Chances) -> Chances:
    return q * (1.0 - q)
