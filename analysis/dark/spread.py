"""What the rates of a master dark tell: their spread, thresholds, which pixels are hot or warm, the glow."""

from __future__ import annotations

from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.contract import Inputs
from analysis.conversion import Conversion
from analysis.dark.channel import Master
from analysis.distribution import Distribution, distribution
from analysis.masks import BITS, Mask
from campaign.frozen import dataclass
from campaign.geometry import Channel

_TAIL = 5.0  # in σ: pixels beyond are no part of the core
_CELL = 8
_STRIPES = 64  # of cells of a part: of more, every fourth is looked at

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Spread:
    """Median and 95 % quantile of the rates [ADU/s] with their errors from sampling alone; ``upper`` None where the noise is not known.

    ``plain`` is the quantile of rates and noise together, ``flags`` those of ``upper``.
    """

    median: float
    median_error: float
    upper: float | None
    upper_error: float
    plain: float
    flags: tuple[str, ...] = ()


def spread_of(master: Master) -> Spread:
    """Median and 95 % quantile of the pixels' rates, the noise of the master taken out of the latter in quadrature."""
    from scipy.special import ndtri

    # means of few whole numbers are spread over the steps between them, which adds the variance of that
    spread, rounding = master.spread, master.step / sqrt(12.0)
    noise = None if master.noise is None else hypot(master.noise, rounding)
    core = spread.clipped()
    std = hypot(core.std, rounding)
    tail = spread.above(core.median + _TAIL * std) if std > 0 else 0
    tail_share = min(tail / spread.n, 0.049)
    # quantiles of the core: of the pixels that do not stand far out, which noise has not brought there
    half, at = 0.5 * (1.0 - tail_share), 0.95 / (1.0 - tail_share)
    width = ndtri(min(at, 0.999))
    q49, q50, q51, qh, q94, q95, q96 = (
        float(q) for q in spread.spread_over(master.step, [0.49, 0.5, 0.51, half, 0.94, 0.95, 0.96])
    )
    # shot noise is skewed, and grows with the rate: both skew the distribution, which shifts quantiles (Cornish and Fisher)
    own = max(std**2 - (noise or 0.0) ** 2, 0.0) if noise is not None else 0.0
    third = 3.0 * master.per_rate * own + max(core.median, 0.0) * master.per_rate**2
    shift = third / (6.0 * std**2) if std > 0 else 0.0
    q50, qh, skewed = q50 + shift, qh + shift, q95 + shift * (1.0 - width**2)
    # quantiles p ≤ q of n values covary by p (1 − q) / (n f f′); 1/f is their distance over 0.02
    of50, of95 = (q51 - q49) / 0.02, (q96 - q94) / 0.02
    n = spread.n
    median_error = sqrt(0.25 / n) * of50
    if noise is None:
        return Spread(q50, median_error, None, 0.0, q95)
    apart = skewed - qh
    variance = (0.25 * of50**2 + 0.95 * 0.05 * of95**2 - 2.0 * 0.5 * 0.05 * of50 * of95) / n
    square = apart**2 - (width * noise) ** 2
    error = hypot(2.0 * apart * sqrt(max(variance, 0.0)), 2.0 * width**2 * noise * master.noise_error)
    if square > 3.0 * error:
        root = sqrt(square)
        return Spread(q50, median_error, qh + root, error / (2.0 * root), q95)
    root = sqrt(max(square, 0.0))
    return Spread(
        q50, median_error, qh + root, sqrt(max(square, 0.0) + error) - root, q95, ("consistent-with-zero",)
    )


def threshold(inputs: Inputs, kind: str, spread: Distribution, gain: Conversion | None) -> tuple[float, str]:
    """The rate [ADU/s] from which a pixel is hot (or warm: ``kind``), and what it is called."""
    if inputs.number(f"{kind}_rate") > 0 and gain is not None:
        return inputs.number(f"{kind}_rate") / gain.gain, f"{kind} (e⁻/s)"
    core = spread.clipped()
    return core.median + inputs.number(f"{kind}_sigma") * core.std, f"{kind} (σ)"


def columns_of(pixels: Places, columns: int, enough: float) -> NDArray[np.bool_]:
    """Columns with ``enough`` of some pixels (their columns), and five σ more than is usual: where they abound, some columns have many by chance."""
    per_column = np.bincount(pixels, minlength=columns)
    usual = float(np.median(per_column))
    out: NDArray[np.bool_] = per_column >= max(enough, usual + 5.0 * sqrt(usual))
    return out


def mask_of(
    shape: tuple[int, ...],
    rates: NDArray[np.float32],
    places: Places,
    bounds: tuple[float, float],
    columns: NDArray[np.bool_],
    full: float,
) -> Mask:
    """The mask of a channel, bits of ``analysis.masks``, from the ``rates`` [ADU/s] of all pixels (``places`` in the flattened image) that are not below the first of ``bounds``, that of warm ones.

    The second bound is that of hot ones; from the rate ``full`` on a pixel is saturated.
    """
    mask = np.zeros(shape, np.int32)
    mask[:, columns] = BITS["column"]
    flat = mask.ravel()
    with np.errstate(invalid="ignore"):
        hot = rates > np.float32(bounds[1])
        flat[places[(rates > np.float32(bounds[0])) & ~hot]] |= BITS["warm"]
        flat[places[hot]] |= BITS["hot"]
        flat[places[rates >= np.float32(full)]] |= BITS["saturated"]
    flat[places[~np.isfinite(rates)]] |= BITS["no-value"]
    return mask


def glow_of(master: Master, channel: Channel) -> tuple[float, float, int] | None:
    """Mean rate in the corner beside the readout node less that in the middle, its error [ADU/s], and of how many pixels; None for too few.

    Means of cells of 8 × 8 pixels, each without what lies beyond 5 robust σ of its median: hot pixels do not count, glow that is bright does.
    """
    rates = master.mean
    if channel.corner.startswith("upper"):
        rates = rates[::-1]
    if channel.corner.endswith("right"):
        rates = rates[:, ::-1]
    ny, nx = rates.shape
    corner = rates[: max(ny // 8, 1), : max(nx // 8, 1)]
    middle = rates[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4]
    found = [_mean_of_cells(_thinned(part)) for part in (corner, middle)]
    if any(n < 9 for _, _, n in found):
        return None
    return found[0][0] - found[1][0], hypot(found[0][1], found[1][1]), found[0][2]


def _thinned(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every fourth stripe of cells of a part that has many: the middle is known far better than the corner as it is."""
    stripes = part.shape[0] // _CELL
    if stripes <= _STRIPES:
        return part
    return part[: stripes * _CELL].reshape(stripes, _CELL, -1)[::4].reshape(-1, part.shape[1])


def _mean_of_cells(part: NDArray[np.float32]) -> tuple[float, float, int]:
    """The mean of cells' means, its error from the scatter within cells, and the number of pixels."""
    from analysis import tile_kernels

    ny, nx = part.shape
    ys, xs = (np.linspace(0, n, max(n // _CELL, 1) + 1).astype(np.int64) for n in (ny, nx))
    image = np.ascontiguousarray(part)
    means = tile_kernels.cell_means(image, ys, xs, 1, 5.0)
    wide = np.repeat(np.repeat(means, np.diff(ys), axis=0), np.diff(xs), axis=1)
    residual = distribution(image - wide.astype(np.float32))
    if not residual.n or not np.isfinite(means).any():
        return 0.0, 0.0, 0
    core = residual.clipped(5.0)
    weights = np.outer(np.diff(ys), np.diff(xs)) * np.isfinite(means)
    mean = float((np.nan_to_num(means) * weights).sum() / weights.sum())
    # a cell's own mean takes one of its degrees of freedom
    lost = max(1.0 - means.size / residual.n, 0.1)
    return mean, core.std / sqrt(lost * residual.n), residual.n
