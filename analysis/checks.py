"""Checks that tell good exposures from bad ones: each a pure function, each with a known rate of false alarm.

A check looks at two things: the chance that clean data would show as much (so that noise does not alarm), and
the size of the effect (so that a megapixel does not alarm over what harms nobody). It raises its flag only
when both are beyond their bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.histogram import Histogram, histogram
from analysis.statistics import MAD_TO_SIGMA
from campaign.frozen import dataclass

RARE = 1e-6
"""Chance below which clean data are not believed in: of a million clean channels, one is flagged wrongly."""

CONVERTER_ENDS = frozenset({0, *(2**bits - 1 for bits in range(8, 17))})
"""Levels at which converters of 8 to 16 bits end [ADU]."""

_OUTLIER = 5.0  # in σ: cosmic rays and noisy pixels that must not make a row
_SAMPLE = 20_000  # pixels that settle where outliers begin
_LONGEST_TAIL = 6.0  # in σ: a pile farther out consists of defects, not of the signal's tail


@dataclass(frozen=True)
class Check:
    """The outcome of a check.

    ``flag`` is what it raises (see ``contract.FLAGS``), ``effect`` how large the effect is in the check's own
    measure, ``chance`` the probability that clean data show as much or more, ``level`` where [ADU] (piles
    only), ``excess`` the variance found beyond noise (flicker only), ``note`` the outcome in words.
    """

    flag: str
    raised: bool
    effect: float
    chance: float
    note: str = ""
    level: float | None = None
    excess: float = 0.0


def lamp_drift(mean1: float, mean2: float, error: float = 0.0, *, tolerance: float = 0.01) -> Check:
    """Whether the light changed between two flats of equal exposure by more than ``tolerance`` (relative).

    ``mean1`` and ``mean2`` are levels above the offset, ``error`` the standard error of their difference, all
    in the same unit. Weighting each frame by its partner's mean corrects a drift ε to first order and leaves
    ε²/4 of the variance: 2.5e-5 at the default of 1 %, fifty times less than the sampling error of a
    megapixel. The bound is tighter than that needs because a lamp that moves between frames also moves within them,
    which nothing corrects. Raises ValueError when the levels are not above zero on average.
    """
    mean = 0.5 * (mean1 + mean2)
    if not mean > 0:
        raise ValueError("there is no light to compare")
    change = (mean2 - mean1) / mean
    chance = erfc(abs(mean2 - mean1) / error / sqrt(2.0)) if error > 0 else float(change == 0)
    raised = abs(change) > tolerance and chance < RARE
    return Check("lamp-drift", raised, change, chance, f"the light changed by {100 * change:+.2f} %")


def flicker(
    difference: NDArray[np.floating],
    good: NDArray[np.bool_ | np.uint8] | None = None,
    *,
    axis: int = 1,
    background: float = 0.0,
    degree: int = 2,
    ratio: float = 1.5,
) -> Check:
    """Whether rows (``axis`` 1; columns: 0) of a difference scatter more than pixel noise allows.

    ``difference``, shape (rows, columns), is what two flats of one scene, or a flat and its model, leave. Means of n
    pixels of variance v must scatter by v/n; the sum of their squared deviations over that is χ²
    distributed. A polynomial of ``degree`` along the rows' numbers is taken out first (slow changes of the
    illumination are no flicker), outliers beyond 5 σ of their row are left out. ``background`` is
    a variance of row means [unit²] known to come from the electronics, as differences of bias frames show it.

    ``effect`` is the ratio of observed to expected scatter (variance); brighter-fatter correlations raise it by
    some per cent near full well, so that less than ``ratio`` is never flagged. ``excess`` is the
    variance of row means beyond noise [unit²]. Raises ValueError with fewer than degree + 2 usable rows.
    """
    values = np.ascontiguousarray(difference, dtype=np.float32)
    means, counts, variance = _line_means(values, good, axis)
    used = counts >= max(2.0, 0.25 * values.shape[axis])
    return flicker_of_means(
        means, np.where(used, counts, 0.0), variance, axis=axis, background=background, degree=degree, ratio=ratio
    )  # fmt: skip


def flicker_of_lines(
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
    squares: float,
    *,
    axis: int = 1,
    background: float = 0.0,
    degree: int = 2,
    ratio: float = 1.5,
) -> Check:
    """``flicker`` of a difference of which sum and number of good pixels are known for each row (column), and the sum of all ``squares``.

    Outliers must have been left out before. Raises ValueError as ``flicker`` does.
    """
    means = sums / np.maximum(counts, 1.0)
    within = max(squares - float((counts * means**2).sum()), 0.0)
    variance = within / max(float(np.maximum(counts - 1.0, 0.0).sum()), 1.0)
    used = counts >= max(2.0, 0.25 * float(counts.max()))
    return flicker_of_means(
        means, np.where(used, counts, 0.0), variance, axis=axis, background=background, degree=degree, ratio=ratio
    )  # fmt: skip


def flicker_of_means(
    means: NDArray[np.float64],
    counts: NDArray[np.float64],
    variance: float,
    *,
    axis: int = 1,
    background: float = 0.0,
    degree: int = 2,
    ratio: float = 1.5,
) -> Check:
    """The same from the means of rows (``axis`` 1) or columns, the pixels of each (0: left out), and the variance of a pixel within them [unit²].

    Raises ValueError as ``flicker``.
    """
    used = counts > 0
    dof = int(used.sum()) - 1 - degree
    if dof < 1:
        raise ValueError("too few rows to tell flicker from noise")
    if variance <= 0:
        return Check("flicker", False, 1.0, 1.0, "no noise in the difference")
    rows = np.linspace(-1.0, 1.0, means.size)[used]
    sigma = np.sqrt(variance / counts[used] + background)
    # polynomials that are all but orthogonal: their normal equations lose nothing, and take a third of the time of a general fit
    terms = np.polynomial.legendre.legvander(rows, degree)
    weighted = terms / sigma[:, np.newaxis]
    trend = terms @ np.linalg.solve(weighted.T @ weighted, weighted.T @ (means[used] / sigma))
    left = means[used] - trend
    squares = float(((left / sigma) ** 2).sum())
    from scipy.special import chdtrc

    chance, effect = float(chdtrc(dof, squares)), squares / dof
    noise = float((variance / counts[used]).mean())
    excess = max(float((left**2).sum()) / dof - noise, 0.0)
    what = "rows" if axis == 1 else "columns"
    note = (
        f"{what} scatter by {sqrt(excess):.3g} beyond noise; their variance is {effect:.2f} of the expected"
    )
    return Check("flicker", chance < RARE and effect > ratio, effect, chance, note, excess=excess)


def _line_means(
    values: NDArray[np.float32], good: NDArray[np.bool_ | np.uint8] | None, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Mean of each row (column) and its number of pixels, outliers left out, and the variance within rows (columns)."""
    from analysis import image_kernels

    keep = np.empty(values.shape, np.uint8)
    image_kernels.finite_of(values, keep)
    if good is not None:
        keep &= good.astype(np.uint8, copy=False)
    step = max(1, int(sqrt(values.size / _SAMPLE)))
    sample = values[::step, ::step][keep[::step, ::step] != 0]
    if sample.size == 0:
        sample = values[keep != 0]
    if sample.size == 0:
        raise ValueError("no finite pixels to tell flicker from noise")
    centre = np.median(sample)
    spread = float(np.median(np.abs(sample - centre))) * MAD_TO_SIGMA
    lines = values.shape[1 - axis]
    means, variance = np.full(lines, float(centre)), 0.0
    counts, shifts, squares = np.zeros(lines), np.zeros(lines), np.zeros(lines)
    passed = image_kernels.ruled_by_row if axis == 1 else image_kernels.ruled_by_column
    for _ in range(3):
        passed(values, keep, means, _OUTLIER * spread if spread > 0 else np.inf, counts, shifts, squares)
        shift = shifts / np.maximum(counts, 1.0)
        inside = float((squares - counts * shift**2).sum())
        # deviations are from means rounded to single precision, as the kernels take them
        means = means.astype(np.float32) + shift
        variance = inside / max(float(np.maximum(counts - 1.0, 0.0).sum()), 1.0)
        spread = sqrt(max(variance, 0.0))
    return means, counts, variance


def unpiled(low: float, low_pile: float, high: float, high_pile: float) -> Check:
    """What ``clamped`` says of values of which so few stand at the lowest and the highest level that neither can be a clamp."""
    level, share = (low, low_pile) if low_pile >= high_pile else (high, high_pile)
    note = f"{100 * share:.2g} % of the pixels stand at {level:g} ADU"
    return Check("clamped", False, share, 1.0, note, level)


def clamped(
    values: NDArray[np.generic] | Histogram,
    *,
    fraction: float = 1e-3,
    prominence: float = 1.5,
    lit: bool = False,
) -> Check:
    """Whether values pile up at their lowest or highest level, as where a converter clamps.

    Noise makes a distribution end in thin, ever thinner tails, at whatever level. A clamp puts all that was
    beyond it at one level. Raised when more than ``fraction`` of all values stand at an end, more than
    ``prominence`` times what the neighbouring levels, continued as the tail of a normal distribution, would put there. (The factor
    allows for unequal steps of the converter; that the end of a tail of noise holds so many does not happen.) A tail
    cut at 0.1 % biases an unclipped variance by 0.2 %. A pile farther than 6 σ from the median counts from
    1 % only: it consists of hot or dead pixels. Where noise is below half a step, levels pile up by
    themselves, and only a converter's end (0, 2ⁿ − 1) counts, unless the frame is ``lit``: light brings noise, so
    that a level which holds the median and has nothing beyond it is a clamp wherever it is.

    ``effect`` is the fraction at the level ``level``. NaN and infinities are left out. Raises ValueError when nothing is
    left.
    """
    levels, counts = _levels(values)
    total, edge = float(counts.sum()), np.searchsorted(np.cumsum(counts), 0.5 * counts.sum())
    median = float(levels[edge])
    away = np.abs(levels - median)
    order = np.argsort(away, kind="stable")
    at = np.searchsorted(np.cumsum(counts[order]), 0.5 * total)
    sigma = float(away[order][at]) * MAD_TO_SIGMA
    low = _pile(levels, counts, sigma, median, fraction, prominence, lit)
    high = _pile(levels[::-1], counts[::-1], sigma, median, fraction, prominence, lit)
    return max(low, high, key=lambda c: (c.raised, c.effect))


def _levels(values: NDArray[np.generic] | Histogram) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The distinct values in order and how often each occurs."""
    if not isinstance(values, Histogram):
        flat = np.asarray(values).ravel()
        if flat.dtype.kind not in "iu":
            found, counts = np.unique(flat[np.isfinite(flat)], return_counts=True)
            if not found.size:
                raise ValueError("no finite values")
            return found.astype(np.float64), counts.astype(np.float64)
        values = histogram(flat)
    present = values.counts > 0
    if not present.any():
        raise ValueError("no values")
    return values.levels[present], values.counts[present].astype(np.float64)


def _pile(
    levels: NDArray[np.float64],
    counts: NDArray[np.float64],
    sigma: float,
    median: float,
    fraction: float,
    prominence: float,
    lit: bool,
) -> Check:
    """The check at the first of the levels given."""
    from scipy.special import pdtrc

    level, share = float(levels[0]), float(counts[0] / counts.sum())
    note = f"{100 * share:.2g} % of the pixels stand at {level:g} ADU"
    if sigma < 0.5:
        at_end = level in CONVERTER_ENDS and abs(level - median) <= 1.0
        raised = share > fraction and (at_end or (lit and level == median))
        return Check("clamped", raised, share, 0.0 if raised else 1.0, note, level)
    far = abs(level - median) > _LONGEST_TAIL * sigma
    width = max(1, min(round(sigma / 4), (len(levels) - 1) // 2))
    near, next_ = counts[1 : 1 + width].mean(), counts[1 + width : 1 + 2 * width]
    slope = float(near / next_.mean()) if next_.size else 1.0
    # logarithms continued as a parabola through the two groups, centred x1 and x2 steps away
    x1, x2 = 0.5 * (width + 1), 0.5 * (width + 1) + width
    expected = prominence * float(near) * min(slope, 1.0) ** (x1 / width) * exp(-0.5 * x1 * x2 / sigma**2)
    chance = float(pdtrc(counts[0] - 1, expected)) if counts[0] > expected else 1.0
    raised = share > (max(fraction, 0.01) if far else fraction) and chance < RARE
    return Check("clamped", raised, share, chance, note, level)


def saturated(values: NDArray[np.generic], saturation: float, *, fraction: float = 1e-3) -> Check:
    """Whether more than ``fraction`` of the values are at or above ``saturation`` [ADU].

    ``effect`` is that fraction. A few hot pixels are always saturated and can be masked; when the signal's tail
    is, mean and variance come out low. Raises ValueError when there are no values.
    """
    array = np.asarray(values)
    if array.size == 0:
        raise ValueError("no values")
    share = float(np.count_nonzero(array >= saturation)) / array.size
    note = f"{100 * share:.2g} % of the pixels are saturated"
    return Check("saturated", share > fraction, share, 1.0 if share == 0 else 0.0, note, saturation)


def unstable(
    levels: Sequence[float] | NDArray[np.floating],
    errors: Sequence[float] | NDArray[np.floating] | float,
    *,
    tolerance: float = 0.005,
) -> Check:
    """Whether levels that should be alike differ by more than their errors, and by more than ``tolerance``.

    ``levels`` and their standard ``errors`` (one for all, or one each) in the same unit. ``effect`` is the scatter beyond
    the errors (standard deviation) relative to the mean; χ² about the weighted mean gives the chance. Raises ValueError
    with fewer than two levels, or when an error is not positive.
    """
    x: NDArray[np.float64] = np.asarray(levels, dtype=np.float64)
    e: NDArray[np.float64] = np.broadcast_to(_floats(errors), x.shape)
    if x.size < 2:
        raise ValueError("one level cannot be unstable")
    if not (e > 0).all():
        raise ValueError("errors must be positive")
    from scipy.special import chdtrc

    mean = float((x / e**2).sum() / (1.0 / e**2).sum())
    chance = float(chdtrc(x.size - 1, float((((x - mean) / e) ** 2).sum())))
    beyond = sqrt(max(float(x.var(ddof=1)) - float((e**2).mean()), 0.0))
    effect = beyond / abs(mean) if mean else float(beyond > 0)
    note = f"levels scatter by {100 * effect:.2g} % beyond their noise"
    return Check("unstable", chance < RARE and effect > tolerance, effect, chance, note)


def _floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
