"""Three causes of charge behind the image, told apart by decay and by dependence on the signal.

After A. Snyder et al. 2021 (J. Astron. Telesc. Instrum. Syst. 7, 048002), the i-th pixel after a uniformly lit image of signal S holds

    S·P(X ≥ i) + A·S·exp(−i/τ) + min(f·S, w)·(exp(1/τ_T) − 1)·exp(−i/τ_T)

by a CTI c common to all transfers (X binomial, N trials of chance c), an offset of the electronics that decays, and a trap that
takes the share f of a packet up to its size w and releases it in the time τ_T. The first two grow with the signal, the third ends to.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.eper import Edge
from analysis.charge_transfer.three_causes import Together, model
from campaign.frozen import dataclass

Floats = NDArray[np.float64]

DECAY = 2.0
"""Decay of the offset [pixels] that is assumed where the offset is too small for it to be found."""
_SEEN = 4.0  # σ from which an amplitude settles its own decay
_TRAPS = 4  # levels from which traps may be told from what grows with the signal
_WORTH = 30.0  # by how much χ² must fall for the three parameters of a trap
_TRIED = 3  # beginnings of the fit with a trap
_UNLIKELY = 0.01  # chance of a χ² from which a fit without a trap is worth a second one with it


@dataclass(frozen=True)
class Cause:
    """A parameter with its standard error; where it was not found, ``error`` is None and the value is what was assumed."""

    value: float
    error: float | None


@dataclass(frozen=True)
class TrapModel:
    """What the fit found: CTI, local offset A (relative to the signal), its decay τ [pixels]; trap size w [ADU] and release τ_T [pixels].

    ``chi2`` with ``dof`` degrees of freedom; ``chance`` of more; errors are enlarged where it is below 0.001.
    """

    cti: Cause
    offset: Cause
    decay: Cause
    size: Cause | None
    release: Cause | None
    chi2: float
    dof: int
    chance: float
    parameters: Floats
    transfers: int

    def after(self, signal: float, pixels: int) -> Floats:
        """What the model puts into the pixels after the image [ADU]."""
        found: Floats = model(self.parameters, np.array([signal]), self.transfers, pixels)[0]
        return found


def trap_model(edges: Sequence[Edge], transfers: int, common: Floats | None = None) -> TrapModel:
    """Fit the edges of all levels together, an offset for each level left free.

    Each pixel weighs by its own variance; errors come from the whole covariance of each level's pixels (sandwich), so that what pixels of a
    line share is counted once; ``common`` [ADU²], shape (1 + trailing, 1 + trailing), is the part of it that all levels share (bias frames taken off). The decay is fitted where the offset is seen, a trap where four levels or more ask for it.
    Raises ValueError with fewer than five pixels after the image or when the fit does not converge.
    """
    pixels = min(e.after.size for e in edges)
    if pixels < 5:
        raise ValueError(f"{pixels} pixels after the image cannot tell an offset that decays from CTI")
    data = Together.of(edges, pixels, transfers, common)
    ratio = float(np.average([e.ratio(1)[0] for e in edges], weights=data.signals))
    plain = data.amplitudes(np.array([max(ratio, 1e-9) / transfers, 0.0, DECAY]))
    errors = data.errors(plain, (0, 1))
    free: tuple[int, ...] = (0, 1)
    found = plain
    if abs(plain[1]) > _SEEN * errors[1]:
        free = (0, 1, 2)
        found = min(
            (data.fit(np.array([plain[0], plain[1], d]), free) for d in (0.7, 2.0, 5.0)), key=data.chi2
        )
    from scipy.special import chdtrc

    dof = data.held.size - len(edges) - len(free)
    if len(edges) >= _TRAPS and float(chdtrc(dof, data.chi2(found))) < _UNLIKELY:
        trap = _with_trap(data, (0, 1, 2))
        if trap is not None and data.chi2(found) - data.chi2(trap) > _WORTH:
            found, free = trap, (0, 1, 2, 3, 4, 5)
    return _told(data, found, free, transfers)


def _with_trap(data: Together, free: tuple[int, ...]) -> Floats | None:
    """The best fit with a trap, begun where fits linear in all amplitudes are best; None where none converges.

    The CTI and the offset are refitted from there, so that a trap is not sought in what another decay of the offset leaves.
    """
    low, high = float(data.signals.min()), float(data.signals.max())
    begun = []
    for decay in (0.7, 1.4, 2.8, 5.6) if 2 in free else (DECAY,):
        for full in np.geomspace(low, high, 8)[:-1] * 1.1:
            for release in (0.4, 0.8, 1.6, 3.2, 0.3 * data.pixels):
                start = data.linear(decay, float(full), release)
                if start[3] > 0:
                    begun.append((data.chi2(start), start))
    tried = []
    for _, start in sorted(begun, key=lambda b: b[0])[:_TRIED]:
        try:
            tried.append(data.fit(start, (*free, 3, 4, 5)))
        except ValueError:
            continue
    return min(tried, key=data.chi2) if tried else None


def _told(data: Together, found: Floats, free: tuple[int, ...], transfers: int) -> TrapModel:
    from scipy.special import chdtrc

    chi2, dof = data.chi2(found), data.held.size - len(data.signals) - len(free)
    chance = float(chdtrc(dof, chi2)) if dof > 0 else 1.0
    errors = data.errors(found, free) * (sqrt(chi2 / dof) if chance < 1e-3 else 1.0)

    def cause(index: int) -> Cause | None:
        if index >= found.size:
            return None
        return Cause(float(found[index]), float(errors[free.index(index)]) if index in free else None)

    causes = [cause(i) for i in range(6)]
    assert causes[0] and causes[1] and causes[2]
    return TrapModel(
        causes[0], causes[1], causes[2], causes[3], causes[5], chi2, dof, chance, found, transfers
    )
