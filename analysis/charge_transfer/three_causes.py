"""The law of what three causes put behind the image, and its fit to all levels together.

See ``trap_model`` for the law. Offsets of the levels are taken out of data and law alike, so that they are no parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.charge_transfer.eper import Edge
from campaign.frozen import dataclass

Floats = NDArray[np.float64]


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


@dataclass(frozen=True)
class Together:
    """Pixels after the image of all levels [ADU], shape (levels, pixels), their signals, and covariances, shape (levels, pixels, pixels)."""

    held: Floats
    signals: Floats
    covariance: Floats
    sigma: Floats
    common: Floats
    transfers: int
    pixels: int

    @classmethod
    def of(cls, edges: Sequence[Edge], pixels: int, transfers: int, common: Floats | None) -> Together:
        """The pixels after the image of levels, the first ``pixels`` of them."""
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
