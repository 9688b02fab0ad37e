"""Noise that channels have in common: covariances of their overscans, pixel by pixel as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from campaign.frozen import dataclass

Name = tuple[str, str]


@dataclass
class Noise:
    """Products of the channels' overscans summed over exposures, and from how many pixels."""

    sums: dict[tuple[Name, Name], float] = field(default_factory=dict)
    counts: dict[tuple[Name, Name], int] = field(default_factory=dict)

    def covariance(self) -> dict[tuple[Name, Name], float]:
        """Covariances [ADU²] by pair of channels, a channel with itself included."""
        return {pair: total / self.counts[pair] for pair, total in self.sums.items() if self.counts[pair] > 0}

    def correlation(self, one: Name, other: Name) -> tuple[float, float, int] | None:
        """Pearson's correlation of two channels, its error (1 − ρ²)/√n, and n; None where either has no overscan or no noise."""
        found, n = self.covariance(), self.counts.get((one, other), 0)
        if n < 100 or not (found[one, one] > 0 and found[other, other] > 0):
            return None
        value = found[one, other] / float(np.sqrt(found[one, one] * found[other, other]))
        return value, (1.0 - value**2) / float(np.sqrt(n)), n


def add(noise: Noise, overscans: Mapping[Name, NDArray[np.generic]]) -> None:
    """Add one exposure: overscans [ADU] in the order of the readout by channel, each less its mean; what lies beyond 5 σ is left out of both."""
    held: dict[Name, NDArray[np.float64]] = {}
    for name, pixels in overscans.items():
        values = pixels.astype(np.float64)
        finite = values[np.isfinite(values)]
        if finite.size < 100:
            continue
        middle = float(np.median(finite))
        near = np.abs(values - middle) <= 5.0 * max(1.4826 * float(np.median(np.abs(finite - middle))), 0.5)
        values = values - float(values[near].mean())
        values[~near] = np.nan
        held[name] = values
    for one, a in held.items():
        for other, b in held.items():
            rows, columns = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
            product = a[:rows, :columns] * b[:rows, :columns]
            good = np.isfinite(product)
            noise.sums[one, other] = noise.sums.get((one, other), 0.0) + float(product[good].sum())
            noise.counts[one, other] = noise.counts.get((one, other), 0) + int(good.sum())
