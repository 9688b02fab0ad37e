"""What is found of one class of defects in one channel, and how pixels beyond two thresholds at once are picked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.defects.chance import crossing_variance
from analysis.figures import Panel
from campaign.frozen import dataclass

Places = NDArray[np.intp]


@dataclass(frozen=True)
class OfClass:
    """Pixels of one class: rows ``y`` and columns ``x`` in the channel's image, what they show (``value``, in ``unit``), by how many σ.

    ``margins`` [σ] are how far each is above the threshold. ``variance`` is that of their number on measuring the same detector again, false ones included; ``chance`` how many of the ``n`` pixels looked at are expected to be
    there by noise alone, ``threshold`` says in words what was asked of them.
    """

    y: Places
    x: Places
    value: NDArray[np.float64]
    significance: NDArray[np.float64]
    margins: NDArray[np.float64]
    unit: str
    variance: float
    chance: float
    n: int
    threshold: str

    @property
    def number(self) -> int:
        """How many there are."""
        return int(self.y.size)

    @property
    def error(self) -> float:
        """Standard deviation of their number: of pixels near the threshold, and of false ones."""
        return sqrt(self.variance)

    def outside(self, of: NDArray[np.bool_]) -> OfClass:
        """The class without pixels where ``of``, an image, is true."""
        kept = ~of[self.y, self.x]
        arrays = {name: getattr(self, name)[kept] for name in ("y", "x", "value", "significance", "margins")}
        return replace(self, **arrays)


@dataclass
class Evidence:
    """What one kind of frames tells of one channel.

    ``classes`` by name of their bit; ``missing`` says with a coded reason and a note why a class could not be looked for.
    ``significance`` (image's shape) is what ``thresholds`` [σ] were applied to, ``image`` the master itself [``unit``]; ``no_value`` and ``saturated`` are
    pixels that the master has no value for, and that are saturated in it; ``panel`` shows the distribution, when the images are forgotten. ``frames`` were combined; ``flags`` and ``note`` go with all that rests on them.
    """

    frames: int = 0
    classes: dict[str, OfClass] = field(default_factory=dict)
    missing: dict[str, tuple[str, str]] = field(default_factory=dict)
    image: NDArray[np.float32] | None = None
    significance: NDArray[np.float32] | None = None
    unit: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    no_value: NDArray[np.bool_] | None = None
    saturated: NDArray[np.bool_] | None = None
    panel: Panel | None = None
    flags: tuple[str, ...] = ()
    note: str = ""


def picked(
    y: Places,
    x: Places,
    value: NDArray[np.float64],
    significance: NDArray[np.float64],
    margins: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    *,
    unit: str,
    chance: float,
    n: int,
    threshold: str,
    upper: NDArray[np.float64] | None = None,
) -> OfClass:
    """The ``chosen`` of some candidates as a class.

    ``margins`` [σ] are how far each candidate is above the threshold of the class; ``upper`` how far those are above it that another class took, which
    might fall to this one.
    """
    own = margins[chosen]
    variance = crossing_variance(own if upper is None else np.concatenate([own, upper]), chance)
    return OfClass(
        y[chosen], x[chosen], value[chosen], significance[chosen], own, unit, variance, chance, n, threshold
    )
