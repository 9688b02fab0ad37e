"""A case of known truth: what is simulated, what it gave, and whether values and uncertainties are right.

The pull of a value is (value − truth) / uncertainty. If uncertainties are right, pulls have mean 0 and standard deviation 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, sqrt

import numpy as np


@dataclass(frozen=True)
class Found:
    """One value with its uncertainty, and the truth, in the quantity's unit."""

    value: float
    uncertainty: float
    truth: float

    @property
    def pull(self) -> float:
        """How many of its uncertainties the value is off."""
        return (self.value - self.truth) / self.uncertainty


@dataclass(frozen=True)
class Case:
    """What is simulated for a quantity of a procedure, and what is wanted.

    ``simulate`` makes one realisation from a seed and runs the procedure on it: the values of all its independent channels.
    ``pull`` is the largest mean pull wanted, ``relative`` the largest bias over the truth, ``absolute`` the largest bias in the
    quantity's unit; a bias has to keep to all that are finite, or with ``any_of`` to one of them. ``scatter`` is the range wanted of the pulls'
    standard deviation. ``runs`` realisations make the published figures, ``quick`` those of a test; these are of ``small`` where ``simulate`` takes too long for one.
    """

    procedure: str
    quantity: str
    conditions: str
    simulate: Callable[[int], Sequence[Found]] = field(repr=False)
    runs: int = 50
    quick: int = 5
    pull: float = inf
    relative: float = inf
    absolute: float = inf
    any_of: bool = False
    scatter: tuple[float, float] = (0.9, 1.1)
    estimator: str = ""
    small: Callable[[int], Sequence[Found]] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """A name by which tests and the command line call it."""
        return f"{self.procedure}.{self.quantity}: {self.conditions}"


@dataclass(frozen=True)
class Pulls:
    """The pulls of all values of a case."""

    case: Case
    found: tuple[Found, ...]

    @property
    def n(self) -> int:
        """How many values there are."""
        return len(self.found)

    @property
    def mean(self) -> float:
        """The mean pull; its error is ``mean_error``."""
        return float(np.mean([f.pull for f in self.found]))

    @property
    def mean_error(self) -> float:
        """Standard error of the mean pull, from the pulls themselves."""
        return self.scatter / sqrt(self.n)

    @property
    def scatter(self) -> float:
        """Standard deviation of the pulls about their mean; its error is ``scatter_error``."""
        return float(np.std([f.pull for f in self.found], ddof=1))

    @property
    def scatter_error(self) -> float:
        """Standard error of the scatter, that of a normal sample."""
        return self.scatter / sqrt(2.0 * (self.n - 1))

    @property
    def bias(self) -> tuple[float, float]:
        """Mean of value − truth, and its error, in the quantity's unit."""
        off = np.array([f.value - f.truth for f in self.found])
        return float(off.mean()), float(off.std(ddof=1) / sqrt(off.size))

    @property
    def relative(self) -> tuple[float, float] | None:
        """Mean of (value − truth) / truth, and its error; None where a truth is zero."""
        if any(f.truth == 0 for f in self.found):
            return None
        off = np.array([(f.value - f.truth) / f.truth for f in self.found])
        return float(off.mean()), float(off.std(ddof=1) / sqrt(off.size))

    def faults(self, errors: float = 0.0) -> list[str]:
        """What misses what is wanted, in words; ``errors`` standard errors of each figure are allowed on top.

        With none the published figures have to be there themselves; few realisations cannot show more than their errors allow.
        """
        case, out = self.case, []
        biases = [
            (
                f"mean pull {self.mean:+.3f} ± {self.mean_error:.3f}",
                abs(self.mean),
                self.mean_error,
                case.pull,
            ),
            (
                f"bias {self.bias[0]:+.3g} ± {self.bias[1]:.2g}",
                abs(self.bias[0]),
                self.bias[1],
                case.absolute,
            ),
        ]
        if self.relative is not None:
            value, error = self.relative
            biases.append((f"relative bias {value:+.3g} ± {error:.2g}", abs(value), error, case.relative))
        asked = [
            (words, size <= limit + errors * error) for words, size, error, limit in biases if limit < inf
        ]
        missed = [words for words, met in asked if not met]
        if missed and not (case.any_of and len(missed) < len(asked)):
            out += missed
        low, high = case.scatter
        room = errors * self.scatter_error
        if not low - room <= self.scatter <= high + room:
            out.append(f"scatter of the pulls {self.scatter:.3f} ± {self.scatter_error:.3f}")
        return out


def run_quickly(case: Case) -> Pulls:
    """The few realisations of a test. Raises ValueError with fewer than two values."""
    return run(replace(case, simulate=case.small or case.simulate), case.quick)


def run(case: Case, runs: int, first_seed: int = 1) -> Pulls:
    """Simulate a case ``runs`` times, with seeds from ``first_seed`` on. Raises ValueError with fewer than two values."""
    found = [f for seed in range(first_seed, first_seed + runs) for f in case.simulate(seed)]
    if len(found) < 2:
        raise ValueError(f"{case.name}: {len(found)} values tell no scatter")
    return Pulls(case, tuple(found))
