"""From sums to coefficients, their uncertainties and what stands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.crosstalk.ratio import SCALE, Sums
from analysis.crosstalk.stamps import Stamps
from campaign.frozen import dataclass

Name = tuple[str, str]
Floats = NDArray[np.float64]

RARE = 1e-3
"""Chance below which squares differ by more than noise, so that the error is widened to their scatter."""
_INSEPARABLE = 100.0


@dataclass(frozen=True)
class Coefficient:
    """The crosstalk of one aggressor (detector, channel) into one channel: ``value`` ± ``error`` of ``n`` pixels in ``squares``; ``widened`` by which the
    error exceeds that of pixel noise; ``slope`` ± ``slope_error`` its change with the signal [1/ADU]; ``signal`` [ADU] at which the value holds if it changes; ``by_flux`` (signal [ADU], coefficient, error) for drawing.
    """  # fmt: skip

    victim: str
    source: Name
    value: float
    error: float
    n: int
    squares: int = 0
    widened: float = 1.0
    slope: float | None = None
    slope_error: float | None = None
    signal: float = 0.0
    by_flux: Floats | None = None

    @property
    def significance(self) -> float:
        """The value in its errors."""
        return self.value / self.error

    @property
    def label(self) -> str:
        """'CCD1 E'."""
        return " ".join(self.source)


def of_ratio(victim: str, source: Name, sums: Sums) -> Coefficient | None:
    """The coefficient that the sums of the masked ratio hold; None where no pixel was used."""
    a, b = float(sums.normal[0, 0]), float(sums.right[0])
    if not (a > 0 and sums.n):
        return None
    value, error = b / a / SCALE, 1.0 / sqrt(a) / SCALE
    widened, squares = 1.0, 0.0
    if sums.tiles > 1:
        from scipy.special import chdtrc

        squares = max(sums.squares - b * b / a, 0.0)
        if float(chdtrc(sums.tiles - 1, squares)) < RARE:
            widened = max(sqrt(squares / (sums.tiles - 1)), 1.0)
    slope = slope_error = None
    spread = sums.normal[1, 1] - sums.normal[0, 1] ** 2 / a  # what the square has beyond the signal
    if spread > 1e-9 * sums.normal[1, 1]:
        slope = float(sums.right[1] - sums.normal[0, 1] / a * b) / float(spread) / SCALE**2
        slope_error = 1.0 / sqrt(float(spread)) / SCALE**2
        if widened > 1.0:  # by what the slope does not explain itself of how squares differ
            rest = (squares - (slope / slope_error) ** 2) / max(sums.tiles - 2, 1)
            slope_error *= sqrt(max(rest, 1.0))
    return Coefficient(
        victim, source, value, error * widened, sums.n, sums.tiles, widened, slope, slope_error,
        signal=float(sums.normal[0, 1]) / a * SCALE, by_flux=_by_flux(sums),
    )  # fmt: skip


def _by_flux(sums: Sums) -> Floats:
    """Coefficient by signal, shape (3, bins with pixels): signal [ADU], coefficient, error; neighbouring bins share their backgrounds."""
    product, square, cube = sums.by_flux
    have = square > 0
    where = (cube[have] / square[have]) * SCALE
    return np.array([where, product[have] / square[have] / SCALE, 1.0 / np.sqrt(square[have]) / SCALE])


def of_stamps(
    victim: str,
    sums: Stamps,
    ratios: Mapping[Name, Coefficient],
    covariance: Mapping[tuple[Name, Name], float],
    own: Name,
) -> list[Coefficient]:
    """The coefficients that explain all stamps of a victim together; aggressors that are never lit without another are left out.

    The error is that of pixel noise, changed by what aggressor's noise has in common with the victim's: σ² + c² σ_a² − 2 c σ_va. The change with
    signal is that of the masked ratio.
    """
    lit = np.flatnonzero(np.diag(sums.normal) > 0)
    if not lit.size:
        return []
    inverse = np.linalg.pinv(sums.normal[np.ix_(lit, lit)], hermitian=True)
    values = inverse @ sums.right[lit]
    out = []
    for n, k in enumerate(lit.tolist()):
        alike = inverse[n, n] * sums.normal[k, k]
        if not 0.99 < alike < _INSEPARABLE:
            continue
        name, value = sums.names[k], float(values[n]) / SCALE
        noise = covariance.get((own, own), 0.0)
        factor = 1.0
        if noise > 0:
            more = value**2 * covariance.get((name, name), 0.0) - 2.0 * value * covariance.get(
                (own, name), 0.0
            )
            factor = sqrt(max(1.0 + more / noise, 0.01))
        error = sqrt(float(inverse[n, n])) / SCALE * factor
        ratio = ratios.get(name)
        slope, slope_error, by_flux = (None, None, None) if ratio is None else (ratio.slope, ratio.slope_error, ratio.by_flux)  # fmt: skip
        out.append(
            Coefficient(
                victim,
                name,
                value,
                error,
                int(sums.n[k]),
                0,
                1.0,
                slope,
                slope_error,
                0.0 if ratio is None else ratio.signal,
                by_flux,
            )
        )
    return out


def with_detours(matrix: Mapping[str, Sequence[Coefficient]], detector: str) -> dict[str, list[Coefficient]]:
    """The coefficients of stamp fits, by victim of ``detector``, with what reaches the victim by way of a third channel: c_va + Σ_k c_vk c_ka.

    A fit of all recorded signals at once leaves that to the third channel, whose record holds it; with one channel bright alone it is seen as that one's, and so the
    masked ratio tells it. Errors stay: the products' are a thousandth of them.
    """
    direct = {((detector, v), c.source): c.value for v, found in matrix.items() for c in found}

    def whole(own: Name, source: Name) -> float:
        between = [(detector, k) for k in matrix if (detector, k) not in (own, source)]
        return direct[own, source] + sum(
            direct.get((own, k), 0.0) * direct.get((k, source), 0.0) for k in between
        )

    return {
        v: [replace(c, value=whole((detector, v), c.source)) for c in found] for v, found in matrix.items()
    }


def largest(found: Sequence[Coefficient], significance: float) -> Coefficient | None:
    """The largest of the coefficients that are significant; where none is, the most significant. None of none."""
    if not found:
        return None
    sure = [c for c in found if abs(c.significance) >= significance]
    return max(sure, key=lambda c: abs(c.value)) if sure else max(found, key=lambda c: abs(c.significance))
