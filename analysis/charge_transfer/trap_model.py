"""Three causes of charge behind the image, told apart by decay and by dependence on the signal.

After Snyder & Roodman 2021 (J. Astron. Telesc. Instrum. Syst. 7, 048002), the i-th pixel after a uniformly lit image of signal S holds

    S·P(X ≥ i) + A·S·exp(−i/τ) + min(f·S, w)·(exp(1/τ_T) − 1)·exp(−i/τ_T)

by a CTI c common to all transfers (X binomial, N trials of chance c), an offset of the electronics that decays, and a trap that
takes the share f of a packet up to its size w and releases it in the time τ_T. The first two grow with the signal, the third ends to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.eper import Edge

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


def model(parameters: Floats, signals: Floats, transfers: int, pixels: int) -> Floats:
    """Pixels after the image [ADU], shape (signals, pixels); ``parameters`` are c, A, τ and, of a trap, w, f, τ_T."""
    from scipy.special import gammainc

    i = np.arange(1, pixels + 1, dtype=np.float64)
    cti, offset, decay = parameters[:3]
    mean = transfers * cti
    # of hundreds of transfers and more a Poisson distribution is as good as the binomial one
    behind = gammainc(i, mean) if mean > 0 else np.where(i == 1, mean, 0.0)
    out: Floats = signals[:, np.newaxis] * (behind + offset * np.exp(-i / decay))
    if parameters.size > 3:
        size, share, release = parameters[3:]
        released = np.expm1(1.0 / release) * np.exp(-i / release)
        out += np.minimum(share * signals, size)[:, np.newaxis] * released
    return out


def trap_model(edges: Sequence[Edge], transfers: int, common: Floats | None = None) -> TrapModel:
    """Fit the edges of all levels together, an offset for each level left free.

    Each pixel weighs by its own variance; errors come from the whole covariance of each level's pixels (sandwich), so that what pixels of a
    line share is counted once; ``common`` [ADU²], shape (1 + trailing, 1 + trailing), is the part of it that all levels share (bias frames taken off). The decay is fitted where the offset is seen, a trap where four levels or more ask for it.
    Raises ValueError with fewer than five pixels after the image or when the fit does not converge.
    """
    pixels = min(e.after.size for e in edges)
    if pixels < 5:
        raise ValueError(f"{pixels} pixels after the image cannot tell an offset that decays from CTI")
    data = _Levels.of(edges, pixels, transfers, common)
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


def _with_trap(data: _Levels, free: tuple[int, ...]) -> Floats | None:
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


def _told(data: _Levels, found: Floats, free: tuple[int, ...], transfers: int) -> TrapModel:
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


@dataclass(frozen=True)
class _Levels:
    """Pixels after the image of all levels [ADU], shape (levels, pixels), their signals, and covariances, shape (levels, pixels, pixels)."""

    held: Floats
    signals: Floats
    covariance: Floats
    sigma: Floats
    common: Floats
    transfers: int
    pixels: int

    @classmethod
    def of(cls, edges: Sequence[Edge], pixels: int, transfers: int, common: Floats | None) -> _Levels:
        covariance = np.array([e.residual_covariance()[:pixels, :pixels] for e in edges])
        variance = np.einsum("lii->li", covariance)
        # a pixel without any scatter (made without noise) still may not weigh without end
        floor = 1e-12 * np.array([e.signal for e in edges])[:, np.newaxis]
        return cls(
            np.array([e.means.values[1 : 1 + pixels] for e in edges]),
            np.array([e.signal for e in edges]),
            covariance,
            np.sqrt(np.maximum(variance, floor**2)),
            np.zeros((pixels, pixels)) if common is None else common[1 : 1 + pixels, 1 : 1 + pixels],
            transfers,
            pixels,
        )

    def residuals(self, parameters: Floats) -> Floats:
        """(data − model) / σ less the offset of each level that fits best, shape (levels, pixels)."""
        return self._less_offset(self.held - model(parameters, self.signals, self.transfers, self.pixels))

    def chi2(self, parameters: Floats) -> float:
        """Squares of the residuals, summed."""
        return float((self.residuals(parameters) ** 2).sum())

    def _less_offset(self, values: Floats) -> Floats:
        scaled, one = values / self.sigma, 1.0 / self.sigma
        level = (scaled * one).sum(axis=1) / (one * one).sum(axis=1)
        out: Floats = scaled - level[:, np.newaxis] * one
        return out

    def linear(self, decay: float, full: float, release: float) -> Floats:
        """Parameters whose amplitudes fit best for a decay of the offset, and a trap that is full from the signal ``full`` [ADU] on."""
        i = np.arange(1, self.pixels + 1, dtype=np.float64)
        light = self.signals[:, np.newaxis]
        released = np.expm1(1.0 / release) * np.exp(-i / release)
        shapes = (
            light * self.transfers * (i == 1),
            light * np.exp(-i / decay),
            np.minimum(light / full, 1.0) * released,
        )
        design = np.array([self._less_offset(shape).ravel() for shape in shapes])
        size = np.sqrt((design**2).sum(axis=1))
        design /= size[:, np.newaxis]
        found = np.linalg.lstsq(design.T, self._less_offset(self.held).ravel(), rcond=None)[0] / size
        cti, offset, trap = (float(x) for x in found)
        return np.array([cti, offset, decay, trap, trap / full, release])

    def amplitudes(self, start: Floats) -> Floats:
        """CTI and offset that fit best for the decay given: the one is nearly, the other quite linear, so that few steps settle them."""
        found = start.copy()
        for _ in range(4):
            design = np.array([self._slope(found, index).ravel() for index in (0, 1)])
            size = np.sqrt((design**2).sum(axis=1))
            step = np.linalg.lstsq(
                (design / size[:, np.newaxis]).T, self.residuals(found).ravel(), rcond=None
            )[0]
            found[:2] += step / size
        return found

    def fit(self, start: Floats, free: tuple[int, ...]) -> Floats:
        """Least squares over the ``free`` parameters, in units of their beginnings. Raises ValueError when it does not converge."""
        from scipy.optimize import least_squares

        highest = float(self.signals.max())
        unit = np.array([1.0 / self.transfers, 1.0, 1.0, highest, 1.0, 1.0])
        unit[[0, 1]] *= max(float(np.abs(self.held - self.held[:, -1:]).max()) / highest, 1e-9)
        if start.size > 3:
            unit[[3, 4]] = np.maximum(start[[3, 4]], 1e-12)
        low = np.array([-np.inf, -np.inf, 0.2, 0.0, 0.0, 0.2])
        high = np.array([1.0, np.inf, float(self.pixels), np.inf, 1.0, 2.0 * self.pixels])
        at = list(free)

        def whole(p: Floats) -> Floats:
            out = start.copy()
            out[at] = p * unit[at]
            return out

        def left(p: Floats) -> Floats:
            return self.residuals(whole(p)).ravel()

        begin = np.clip(start[at], low[at] + 1e-9 * unit[at], high[at] - 1e-9 * unit[at])
        fit = least_squares(
            left, begin / unit[at], bounds=(low[at] / unit[at], high[at] / unit[at]),
            xtol=1e-10, ftol=1e-10, gtol=1e-10, max_nfev=200,
        )  # fmt: skip
        if fit.status < 0 or not np.isfinite(fit.x).all():
            raise ValueError("the fit of deferred charge did not converge")
        return whole(fit.x)

    def errors(self, parameters: Floats, free: tuple[int, ...]) -> Floats:
        """Standard errors of the free parameters; very large where the data say nothing of one."""
        slopes = np.array([self._slope(parameters, index) for index in free])  # (free, levels, pixels)
        flat = slopes.reshape(len(free), -1)
        size = np.sqrt((flat**2).sum(axis=1))
        unit = np.where(size > 0, size, 1.0)
        information = np.einsum("fi,gi->fg", flat / unit[:, np.newaxis], flat / unit[:, np.newaxis])
        inverse = np.linalg.pinv(information, rcond=1e-12)
        gains = np.einsum("fg,glp->flp", inverse, slopes / unit[:, np.newaxis, np.newaxis])
        scaled = self.covariance / (self.sigma[:, :, np.newaxis] * self.sigma[:, np.newaxis, :])
        variance = np.einsum("flp,lpq,flq->f", gains, scaled, gains)
        raw = gains / self.sigma
        together = raw.sum(axis=1)
        variance += np.einsum("fp,pq,fq->f", together, self.common, together)
        variance -= np.einsum("flp,pq,flq->f", raw, self.common, raw)
        out: Floats = np.sqrt(np.maximum(variance, 0.0)) / unit
        out[size == 0] = np.inf
        return out

    def _slope(self, parameters: Floats, index: int) -> Floats:
        """Derivative of the whitened model by one parameter."""
        step = np.zeros(parameters.size)
        typical = (1e-2 / self.transfers, 1e-2, 1.0, 1.0, 1e-3, 1.0)[index]
        step[index] = 1e-4 * max(abs(float(parameters[index])), 1e-2 * typical)
        up, down = (model(parameters + s, self.signals, self.transfers, self.pixels) for s in (step, -step))
        return self._less_offset((up - down) / (2.0 * step[index]))
