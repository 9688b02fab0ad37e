"""Robust statistics of pixels: sigma clipping whose bias is known and removed.

Clipping a normal distribution at ±kσ narrows it, so a clipped standard deviation is low (by 1.36 % at 3σ) and
dividing by one constant is right only for one way of iterating. Here the bounds of the last round are kept,
and mean and σ are those of the normal distribution that, truncated at these bounds, has the mean and variance
that were found: the maximum-likelihood estimate for a truncated normal (A. C. Cohen, 1950, Ann. Math. Stat.
21, 557). It is right after one round or many. Integers go through their exact histogram, so that
no round reads a pixel again; they are cut between two integers, and that is what the estimate is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, erf, erfc, exp, floor, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.histogram import Histogram, histogram
from campaign.frozen import dataclass

MAD_TO_SIGMA = 1.482602218505602
"""σ of a normal distribution over its median absolute deviation."""

QUANTISATION_VARIANCE = 1.0 / 12.0
"""Variance that rounding to whole numbers adds (Sheppard), in squared steps."""

_ROOT_2, _ROOT_2PI = sqrt(2.0), sqrt(2.0 * pi)
_WELL_SAMPLED = 16.0  # variance [squared steps] from which both ways of unrounding agree to 1e-11 σ
_FLOOR_STEPS = 0.5  # integers are never clipped tighter than sigma times this: noise below it fills one bin


@dataclass(frozen=True)
class Clipped:
    """Iteratively clipped statistics, with the bias of clipping removed for a normal distribution.

    ``n`` of the ``n_total`` finite values were kept in the last of ``rounds`` rounds; ``median`` is theirs.
    ``variance`` is ``std`` squared and, for integers, includes the 1/12 of rounding. The standard errors hold
    for independent, normally distributed values; they include the information lost by clipping.
    """

    mean: float
    median: float
    std: float
    variance: float
    n: int
    n_total: int
    rounds: int
    mean_error: float
    std_error: float


def clipped(values: ArrayLike, sigma: float = 3.0, rounds: int = 10) -> Clipped:
    """Clipped statistics of values of any shape; NaN and infinities are left out.

    The first round keeps what is within ``sigma`` robust σ (MAD) of the median, each further one what is
    within ``sigma`` corrected σ of the corrected mean, until nothing changes or ``rounds`` are done.

    Unbiased from about 30 values on; fewer than ten are hardly enough to tell an outlier.

    Raises ValueError when no finite value is left, ``sigma`` < 2 or ``rounds`` < 1.
    """
    array = np.asarray(values)
    _check(sigma, rounds)
    if array.dtype.kind in "iu" and array.size:
        try:
            return clipped_histogram(histogram(array), sigma, rounds)
        except ValueError:
            pass  # too wide for a histogram: as floats
    flat = array.astype(np.float64, copy=False).ravel()
    finite = np.isfinite(flat)
    if not finite.all():
        flat = flat[finite]
    if flat.size == 0:
        raise ValueError("no finite values")
    centre = float(np.median(flat))
    spread = float(np.median(np.abs(flat - centre))) * MAD_TO_SIGMA or float(flat.std())
    kept = flat

    def passed(low: float, high: float) -> tuple[int, float, float]:
        nonlocal kept
        kept = flat[(flat >= low) & (flat <= high)]
        return kept.size, float(kept.mean()), float(kept.var())

    return clipped_by(
        passed, lambda low, high: float(np.median(kept)), centre, spread, flat.size, sigma, rounds
    )


def clipped_by(
    passed: Callable[[float, float], tuple[int, float, float]],
    middle: Callable[[float, float], float],
    centre: float,
    spread: float,
    total: int,
    sigma: float,
    rounds: int,
) -> Clipped:
    """``clipped`` of ``total`` values that are asked for, not given, starting from ``centre`` and robust σ ``spread``.

    ``passed(low, high)`` tells number, mean and variance (over n) of the values within bounds, ``middle`` their median. Raises
    ValueError when ``sigma`` < 2 or ``rounds`` < 1.
    """
    _check(sigma, rounds)
    low, high = first_bounds(centre, spread, total, sigma)
    mean = std = 0.0
    n = done = 0
    while done < rounds:
        if done:
            low, high = mean - sigma * std, mean + sigma * std
        previous, done = n, done + 1
        n, raw, variance = passed(low, high)
        mean, std = _untruncated(raw, variance * _bessel(n), low, high)
        if done > 1 and n == previous:
            break
    return _result(mean, std, middle(low, high), n, total, done, low, high)


def first_bounds(centre: float, spread: float, total: int, sigma: float) -> tuple[float, float]:
    """The bounds of the first round of ``clipped_by`` with these, for who has to know them before."""
    reach = sigma * (spread * _caution(total))
    return centre - reach, centre + reach


def clipped_histogram(found: Histogram, sigma: float = 3.0, rounds: int = 10) -> Clipped:
    """The same for whole numbers, from their histogram, exactly. Raises ValueError as ``clipped``."""
    _check(sigma, rounds)
    total = found.n
    centre = found.quantile(0.5)
    spread = found.median_deviation(centre) * MAD_TO_SIGMA * _caution(total)
    mean, std, bounds, done = centre, spread, (0, 0), 0
    low = high = centre
    while done < rounds:
        reach = sigma * max(std, _FLOOR_STEPS)
        from_, to = ceil(mean - reach), floor(mean + reach)
        first = max(from_ - found.low, 0)
        last = max(min(to - found.low + 1, found.counts.size), first + 1)
        # beyond the values found, the bound is where the clip would have cut, not where values end
        low, high = from_ - 0.5, to + 0.5
        previous, bounds, done = bounds, (first, last), done + 1
        n, raw, variance = found.moments(first, last)
        mean, std = _unrounded(raw, variance * _bessel(n), low, high)
        if done > 1 and bounds == previous:
            break
    n, _, _ = found.moments(*bounds)
    return _result(mean, std, found.median_of(*bounds), n, total, done, low, high)


def clip_factor(sigma: float, rounds: int | None = 1) -> float:
    """Ratio of the plainly clipped standard deviation of a normal distribution to the true one.

    For ``rounds`` = 1 (one pass at ±sigma: 1 − 1.34 % at 3σ, so that multiplying by 1.0136 restores it) and any
    other number of passes that each clip at ``sigma`` times the *uncorrected* std before it; None is iteration to
    convergence, which clips deeper (the fixed point of truncation, √(1 − 2aφ(a)/P(a)) with a = sigma times
    it). ``clipped`` needs no factor: it corrects for its own bounds. For comparing with other codes.

    Raises ValueError when ``sigma`` < 2: below √3 plain iteration collapses to nothing.
    """
    _check(sigma, 1 if rounds is None else rounds)
    factor = 1.0
    for _ in range(100_000 if rounds is None else rounds):
        previous, factor = factor, sqrt(_truncated_variance(sigma * factor))
        if previous - factor < 1e-14:
            break
    return factor


def robust_std(values: ArrayLike) -> float:
    """1.4826 times the median absolute deviation of the finite values. Raises ValueError when there are none."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        raise ValueError("no finite values")
    return float(np.median(np.abs(flat - np.median(flat)))) * MAD_TO_SIGMA


def weighted_mean(
    values: Sequence[float] | NDArray[np.floating], errors: Sequence[float] | NDArray[np.floating]
) -> tuple[float, float]:
    """The mean weighted by inverse squared errors, and its standard error.

    Raises ValueError when the lengths differ, nothing is given, or an error is not positive and finite.
    """
    x, e = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if x.shape != e.shape or x.size == 0:
        raise ValueError(f"{x.size} values with {e.size} errors")
    if not (np.isfinite(e).all() and (e > 0).all()):
        raise ValueError("errors must be positive")
    weight = (e.min() / e) ** 2  # relative to the best, so that tiny errors do not overflow
    return float((weight * x).sum() / weight.sum()), float(e.min() / sqrt(weight.sum()))


def mean_of_frames(values: Sequence[float], errors: Sequence[float]) -> tuple[float, float, bool]:
    """Mean of a level over frames, its standard error, and whether frames differ by more than their errors.

    The error is that of the ``errors`` while χ² allows (chance ≥ 0.001); else it rests on the scatter of the
    values, s/√n widened by Student's t to 68 % confidence, because few frames underestimate their scatter.
    Raises ValueError for different lengths, nothing, or errors that are not positive.
    """
    x, e = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if x.shape != e.shape or x.size == 0 or not (e > 0).all():
        raise ValueError(f"{x.size} values with {e.size} errors, which must be positive")
    mean, n = float(x.mean()), x.size
    error = sqrt(float((e**2).sum())) / n
    if n == 1:
        return mean, error, False
    from scipy import special

    chance = float(special.chdtrc(n - 1, float((((x - mean) / e) ** 2).sum())))
    if chance >= 0.001:
        return mean, error, False
    widening = float(special.stdtrit(n - 1, 0.841344746068543))
    return mean, max(error, float(x.std(ddof=1)) / sqrt(n) * widening), True


def _check(sigma: float, rounds: int) -> None:
    if not sigma >= 2.0:
        raise ValueError(f"clipping at {sigma} σ leaves too little; use 2 or more")
    if rounds < 1:
        raise ValueError("clipping needs at least one round")


def _caution(n: int) -> float:
    """Widens the first round: the MAD of n values scatters by 1.17/√n, and must not cut what is good."""
    return 1.0 + 3.0 * 1.17 / sqrt(n)


def _bessel(n: float) -> float:
    return n / (n - 1.0) if n > 1 else 1.0


def _density(z: float) -> float:
    return exp(-0.5 * z * z) / sqrt(2.0 * pi)


def _truncated_variance(a: float) -> float:
    """Variance of a standard normal distribution truncated at ±a."""
    return 1.0 - 2.0 * a * _density(a) / erf(a / sqrt(2.0))


def _untruncated(mean: float, variance: float, low: float, high: float) -> tuple[float, float]:
    """Mean and σ of the normal distribution that has this mean and variance when truncated to low … high.

    Where there is none near (the values fill the bounds evenly), what was found is returned as it is.
    """
    if variance <= 0.0 or variance * 12.0 > 0.75 * (high - low) ** 2:
        return mean, sqrt(max(variance, 0.0))
    m, s = mean, sqrt(variance)
    for _ in range(200):
        a, b = (low - m) / s, (high - m) / s
        fa, fb = exp(-0.5 * a * a) / _ROOT_2PI, exp(-0.5 * b * b) / _ROOT_2PI
        inside = 0.5 * (erfc(a / _ROOT_2) - erfc(b / _ROOT_2))
        shift = (fa - fb) / inside
        m_next = mean - s * shift
        shrink = 1.0 + (a * fa - b * fb) / inside - shift * shift
        s_next = sqrt(variance / shrink)
        if not (low < m_next < high and s_next < high - low):
            return mean, sqrt(variance)
        step = abs(m_next - m) + abs(s_next - s)
        m, s = m_next, s_next
        if step < 1e-12 * s:
            break
    return m, s


def _unrounded(mean: float, variance: float, low: float, high: float) -> tuple[float, float]:
    """The same for whole numbers: rounding's variance is set aside while the bounds are accounted for.

    Sheppard's corrections have terms of the density f at bounds that cut it: rounding shifts the mean by
    −[f]/12P and adds 1/12 − [(x − mean) f]/6P to the variance, P being what is inside.
    """
    if variance <= 2.0 * QUANTISATION_VARIANCE:  # below σ ≈ 0.3 steps rounding is no longer an added variance
        return mean, sqrt(variance)
    if variance >= _WELL_SAMPLED and (found := _together(mean, variance, low, high)) is not None:
        return found
    m, s = _untruncated(mean, variance - QUANTISATION_VARIANCE, low, high)
    for _ in range(4):
        a, b = (low - m) / s, (high - m) / s
        fa, fb = exp(-0.5 * a * a) / _ROOT_2PI, exp(-0.5 * b * b) / _ROOT_2PI
        inside = 0.5 * (erfc(a / _ROOT_2) - erfc(b / _ROOT_2))
        shift = (fb - fa) / (12.0 * inside * s)
        edge = (b * fb - a * fa) / (6.0 * inside)
        m, s = _untruncated(mean + shift, variance - QUANTISATION_VARIANCE + edge, low, high)
    return m, sqrt(s * s + QUANTISATION_VARIANCE)


def _together(mean: float, variance: float, low: float, high: float) -> tuple[float, float] | None:
    """What ``_unrounded`` gives, from one iteration for bounds and rounding instead of one inside the other.

    Four times as fast; within 1e-11 σ of it while rounding is a small part of the variance. None where there is no
    such distribution near.
    """
    variance -= QUANTISATION_VARIANCE
    room = 0.0625 * (high - low) ** 2
    if variance > room:
        return None
    m, s = mean, sqrt(variance)
    for _ in range(200):
        a, b = (low - m) / s, (high - m) / s
        fa, fb = exp(-0.5 * a * a) / _ROOT_2PI, exp(-0.5 * b * b) / _ROOT_2PI
        inside = 0.5 * (erfc(a / _ROOT_2) - erfc(b / _ROOT_2))
        shift = (fa - fb) / inside
        edge = (a * fa - b * fb) / inside
        unrounded = variance - edge / 6.0
        if not 0.0 < unrounded <= room:
            return None
        m_next = mean - shift / (12.0 * s) - s * shift
        s_next = sqrt(unrounded / (1.0 + edge - shift * shift))
        if not (low < m_next < high and s_next < high - low):
            return None
        step = abs(m_next - m) + abs(s_next - s)
        m, s = m_next, s_next
        if step < 1e-12 * s:
            break
    return m, sqrt(s * s + QUANTISATION_VARIANCE)


def _result(
    mean: float, std: float, median: float, n: int, total: int, rounds: int, low: float, high: float
) -> Clipped:
    """Add the standard errors: Fisher information of a normal distribution truncated at ±a σ."""
    if std > 0.0:
        a = min(0.5 * (high - low) / std, 30.0)
        inside = erf(a / sqrt(2.0))
        second = inside - 2.0 * a * _density(a)
        fourth = 3.0 * inside - 2.0 * _density(a) * (a**3 + 3.0 * a)
        # what was expected to be cut counts as information lost; outliers beyond that never were information
        effective = n / inside
        mean_error = std / sqrt(effective * second)
        std_error = std / sqrt(effective * (fourth - second * second / inside))
    else:
        mean_error = std_error = 0.0
    return Clipped(mean, median, std, std * std, n, total, rounds, mean_error, std_error)
