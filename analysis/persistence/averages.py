"""Averages of many pixels of which some are struck: clipped, by the level they had been exposed to, and quantiles of values that come in steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import Clipped, clipped, clipped_by, first_bounds

LEAST = 20
"""Pixels below which nothing is averaged."""
SETTLES = 16_000
"""Pixels that tell to a per cent where clipping begins."""

_FINE = 256.0  # parts of an ADU to which steps of values are told apart


def settled(values: NDArray[np.float32], sigma: float) -> Clipped:
    """Clipped statistics of many values [ADU], all finite: where clipping begins is settled by ``SETTLES`` of them, all within are then averaged."""
    some = values[:: max(1, values.size // SETTLES)]
    start = clipped(some, sigma)
    if some.size == values.size:
        return start

    def passed(low: float, high: float) -> tuple[int, float, float]:
        kept = values[(values >= np.float32(low)) & (values <= np.float32(high))]
        return kept.size, float(kept.mean(dtype=np.float64)), float(kept.var(dtype=np.float64))

    return clipped_by(passed, lambda low, high: start.median, start.mean, start.std, start.n_total, sigma, 1)


def quantiles(held: NDArray[np.float32], fractions: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles of values that may come in steps, each spread evenly over its own where noise covers many: whole numbers less a mean of three come in thirds.

    The median of some thousand pixels is known far better than to such a step, which else adds its variance, a twelfth of its square.
    """
    plain: NDArray[np.float64] = np.quantile(held.astype(np.float64), fractions)
    steps, counts = np.unique(np.rint(held.astype(np.float64) * _FINE), return_counts=True)
    if counts.max() > 0.2 * held.size:  # too few steps to tell anything within one
        return plain
    between = 0.5 * (steps[1:] + steps[:-1])
    bounds = np.concatenate([2.0 * steps[:1] - between[:1], between, 2.0 * steps[-1:] - between[-1:]])
    up_to = np.concatenate([[0], np.cumsum(counts)])
    out: NDArray[np.float64] = np.interp(np.asarray(fractions) * held.size, up_to, bounds) / _FINE
    return out


def by_level(
    left: NDArray[np.float32], ground: float, level: NDArray[np.float32], top: float, bins: int, sigma: float
) -> list[tuple[float, float, float, int]]:
    """The residual of pixels by the level they had been exposed to: (mean level, residual, error, pixels) [ADU], levels that too few had left out.

    The error is the pixels' own scatter. ``top`` is the saturation level above the offset: pixels there make the last bin. Where clipping begins is settled by
    a quarter to a half of ``SETTLES`` pixels of each bin, or all of fewer.
    """
    from analysis.persistence import residual_kernels

    scale, least = np.float32(bins / top), np.float32(0.02 * top)
    some = np.empty((bins + 1, SETTLES // 2), np.float32)
    low, high, centre = np.zeros((3, bins + 1), np.float32)
    starts: dict[int, Clipped] = {}
    for k, n in enumerate(residual_kernels.some_of_bins(left, level, least, scale, some).tolist()):
        if n >= LEAST:
            starts[k] = start = clipped(some[k, :n], sigma)
            centre[k] = start.mean
            low[k], high[k] = first_bounds(start.mean, start.std, start.n_total, sigma)
    sums = residual_kernels.by_bin(left, level, least, scale, low, high, centre)
    out = []
    for k, start in starts.items():
        number, first, second, levels, seen = sums[:, k].tolist()
        mean = first / number
        found = int(number), float(centre[k]) + mean, max(second / number - mean * mean, 0.0)
        core = clipped_by(
            lambda low, high, found=found: found,  # type: ignore[misc]
            lambda low, high, middle=start.median: middle,  # type: ignore[misc]
            start.mean, start.std, start.n_total, sigma, 1,
        )  # fmt: skip
        out.append((levels / seen, core.mean - ground, core.mean_error, core.n))
    return out
