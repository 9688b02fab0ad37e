"""Displacements of pixels' borders, as A. Guyonnet et al., 2015, A&A 575, A41 describe the effect.

By what fraction of a pixel each electron moves a border, away from itself: across(i, j) the border between columns j and j + 1 of row i, down(i, j) that
between rows i and i + 1 of column j, counted from the charge. Areas are what borders leave,

    a_ij = across(i, j−1) − across(i, j) + down(i−1, j) − down(i, j),

with across(i, −1) = −across(i, 0) and down likewise, for a charge pushes both sides of itself alike. There are twice as many borders as areas. What is
lacking is a law of smooth decline, p E₁(q r) cos θ, r and θ from the charge to the border's middle, with one p for either direction; borders then differ from it as
little, in parts of themselves, as the areas within their errors ask for.
"""

from __future__ import annotations

import numpy as np

from analysis.brighter_fatter.quarter import Floats
from campaign.frozen import dataclass

_LOOSE = 1.0  # relative scatter of borders about the law


@dataclass(frozen=True)
class Borders:
    """Displacements [1/e⁻] ``across`` and ``down``, quarters of shape (lags + 1, lags + 1); ``area`` [1/e⁻] is what they make of areas.

    The law's amplitudes [1/e⁻] across and down, and its ``decline`` q [1/pixel].
    """

    across: Floats
    down: Floats
    area: Floats
    amplitudes: tuple[float, float]
    decline: float


def areas_of(across: Floats, down: Floats) -> Floats:
    """The area coefficients [1/e⁻] that displacements of borders make; all quarters of one shape."""
    left = np.concatenate([-across[:, :1], across[:, :-1]], axis=1)
    below = np.concatenate([-down[:1], down[:-1]])
    out: Floats = left - across + below - down
    return out


def borders_of(area: Floats, errors: Floats) -> Borders:
    """The smoothest displacements that make these areas ± errors [1/e⁻], quarters of one shape."""
    from scipy.optimize import minimize_scalar

    lags = area.shape[0] - 1
    weights = 1.0 / np.maximum(errors, 1e-4 * float(np.abs(area).max()) + 1e-300)
    y, x = np.mgrid[: lags + 1, : lags + 1].astype(np.float64)

    def shapes(q: float) -> tuple[Floats, Floats]:
        return _law(x + 0.5, y, q), _law(y + 0.5, x, q)

    def fitted(q: float) -> tuple[Floats, float]:
        a, d = shapes(q)
        none = np.zeros_like(a)
        columns = np.stack([(areas_of(a, none) * weights).ravel(), (areas_of(none, d) * weights).ravel()])
        target = (area * weights).ravel()
        normal = np.einsum("in,jn->ij", columns, columns)
        found: Floats = np.linalg.solve(normal, np.einsum("in,n->i", columns, target))
        return found, float(((target - np.einsum("i,in->n", found, columns)) ** 2).sum())

    best = minimize_scalar(lambda u: fitted(float(np.exp(u)))[1], bounds=(-4.0, 1.5), method="bounded")
    decline = float(np.exp(best.x))
    p, _ = fitted(decline)
    a, d = shapes(decline)
    start = np.stack([p[0] * a, p[1] * d])
    made = _adjusted(start, area, 1.0 / weights)
    return Borders(made[0], made[1], areas_of(*made), (float(p[0]), float(p[1])), decline)


def _law(ahead: Floats, aside: Floats, decline: float) -> Floats:
    """E₁(q r) cos θ of a border ``ahead`` of the charge and ``aside`` of it [pixels]."""
    from scipy.special import exp1

    r = np.hypot(ahead, aside)
    out: Floats = exp1(decline * r) * ahead / r
    return out


def _adjusted(start: Floats, area: Floats, errors: Floats) -> Floats:
    """The displacements nearest to ``start``, in parts of themselves, whose areas are ``area`` within their errors."""
    size = area.size
    units = np.eye(2 * size).reshape(2 * size, 2, *area.shape)
    matrix = np.array([areas_of(u[0], u[1]).ravel() for u in units]).T  # areas by borders
    scatter = (_LOOSE * start.ravel()) ** 2
    spread = np.einsum("an,n,bn->ab", matrix, scatter, matrix) + np.diag(errors.ravel() ** 2)
    off = (area - areas_of(*start)).ravel()
    pull = np.linalg.solve(spread * 1e14, off * 1e14)
    made: Floats = (start.ravel() + scatter * np.einsum("an,a->n", matrix, pull)).reshape(start.shape)
    return made
