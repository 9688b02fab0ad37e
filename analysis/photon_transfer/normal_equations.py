"""The normal equations of the fit of ``matrix``: the law of ``law``, its slopes by all parameters, and weights by what the law itself says of the scatter.

Parameters are the slope k of the variance, then a, ab and the noise of each element, (lags + 1)² of each, of levels t in units of the highest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.photon_transfer.law import POWERS, UP, bends_of, orders_of, slopes_of
from analysis.photon_transfer.sampling import sampling_covariance

Floats = NDArray[np.float64]

_HALVINGS = 6
_NEAR = 3  # lags of the law that weights know of


def _parts(theta: Floats, side: int) -> tuple[float, Floats, Floats, Floats]:
    """Slope, a, ab and noise of the parameters: a number and three matrices."""
    area, slope, floor = theta[1:].reshape(3, side, side)
    return float(theta[0]), area, slope, floor


def law_at(theta: Floats, t: Floats, side: int) -> tuple[Floats, Floats]:
    """The law and its derivative by t at each pair, shapes (pairs, elements)."""
    k, area, slope, floor = _parts(theta, side)
    orders = k * orders_of(area, slope).reshape(POWERS, -1)
    x = t[:, None]
    return x**UP @ orders + floor.ravel(), (UP * x ** (UP - 1)) @ orders


def weights_of(theta: Floats, t: Floats, spread: Floats, products: Floats, side: int) -> Floats:
    """The inverse covariance of each pair's elements, shape (pairs, elements, elements).

    Of the law only the nearest lags enter: those farther out are noise, of which weights should know nothing.
    """
    laws, rises = law_at(theta, t, side)
    near = np.zeros((side, side))
    near[:_NEAR, :_NEAR] = 1.0
    out = np.empty((t.size, side * side, side * side))
    for k, (law, rise, error, number) in enumerate(zip(laws, rises, spread, products, strict=True)):
        expected = sampling_covariance(law.reshape(side, side) * near, number.reshape(side, side))
        expected += np.outer(rise, rise) * error**2
        try:
            out[k] = np.linalg.inv(expected)
        except np.linalg.LinAlgError as why:
            raise ValueError(f"the fitted law is no covariance: {why}") from why
    return out


def share_of(
    theta: Floats, step: Floats, chi2: float, t: Floats, measured: Floats, weights: Floats, side: int
) -> float:
    """How much of a step to take: all of it, or of its halves the first that makes χ² smaller."""
    share = 1.0
    for _ in range(_HALVINGS):
        left = measured - law_at(theta + share * step, t, side)[0]
        found = float(np.einsum("ki,kij,kj->", left, weights, left))
        if found <= chi2 * (1 + 1e-9):
            break
        share *= 0.5
    return share


def normal_equations(
    theta: Floats, t: Floats, measured: Floats, weights: Floats, side: int, covariance: Floats | None = None
) -> tuple[Floats, Floats, float, Floats, Floats]:
    """JᵀWJ, JᵀW(C − law), χ², JᵀW ∂C/∂t and JᵀW (mean of the law over the parameters' ``covariance``, less the law), summed over the pairs."""
    size, many = theta.size, side * side
    k, area, slope, _ = _parts(theta, side)
    orders = orders_of(area, slope)
    by_area, by_slope = slopes_of(area, slope, orders)
    laws, rises = law_at(theta, t, side)
    powers = t[:, None] ** UP
    # by k, a and ab: of each pair (elements, parameters); by the noise of an element the law has the slope 1
    free = 1 + 2 * many
    slopes = np.empty((t.size, many, free))
    slopes[:, :, 0] = powers @ orders.reshape(POWERS, many)
    slopes[:, :, 1 : 1 + many] = k * np.tensordot(powers, by_area, axes=1)
    slopes[:, :, 1 + many :] = k * np.tensordot(powers, by_slope, axes=1)
    weighted = (weights @ slopes).reshape(-1, free)
    normal = np.empty((size, size))
    normal[:free, :free] = slopes.reshape(-1, free).T @ weighted
    normal[free:, :free] = weighted.reshape(slopes.shape).sum(axis=0)
    normal[:free, free:] = normal[free:, :free].T
    normal[free:, free:] = weights.sum(axis=0)

    def onto(away: Floats) -> tuple[Floats, Floats]:
        """JᵀW and W times what is given of each pair."""
        by_weight = (weights @ away[:, :, None])[:, :, 0]
        return np.concatenate([away.ravel() @ weighted, by_weight.sum(axis=0)]), by_weight

    left = measured - laws
    right, by_weight = onto(left)
    bend = np.zeros(size)
    if covariance is not None:
        bend, _ = onto(powers @ bends_of(k, area, slope, (by_area, by_slope), covariance))
    return normal, right, float((left * by_weight).sum()), onto(rises)[0], bend
