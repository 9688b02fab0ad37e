"""A case of planted things: how many of them are found, and how many of those found were planted.

What has no uncertainty of its own, a pixel called a defect, is told by completeness (found of those planted) and purity (planted of
those found). At a threshold itself completeness is one half whatever is done: conditions say how far above it things were planted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt

from analysis.procedures import builtin


@dataclass(frozen=True)
class Counted:
    """Of one realisation: things planted, those of them found, and things found that were not planted."""

    planted: int
    found: int
    false: int


@dataclass(frozen=True)
class Completeness:
    """What is planted for a quantity of a procedure, and the least ``completeness`` and ``purity`` wanted.

    ``simulate`` makes one realisation from a seed. ``runs`` make the published figures, ``quick`` those of a test.
    """

    procedure: str
    quantity: str
    conditions: str
    simulate: Callable[[int], Sequence[Counted]] = field(repr=False)
    runs: int = 20
    quick: int = 2
    completeness: float = 0.995
    purity: float = 0.995
    estimator: str = ""

    @property
    def name(self) -> str:
        """A name by which tests and the command line call it."""
        return f"{self.procedure}.{self.quantity}: {self.conditions}"


@dataclass(frozen=True)
class Rates:
    """All that was planted and found in a case."""

    case: Completeness
    planted: int
    found: int
    false: int

    @property
    def completeness(self) -> float:
        """Found of those planted."""
        return self.found / self.planted

    @property
    def purity(self) -> float:
        """Planted of those found; one where nothing was found."""
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def errors(self) -> tuple[float, float]:
        """Standard errors of completeness and purity: binomial, of at least one lost or false thing."""
        lost, all_found = max(self.planted - self.found, 1), max(self.found + self.false, 1)
        return sqrt(lost) / self.planted, sqrt(max(self.false, 1)) / all_found

    def faults(self, errors: float = 0.0) -> list[str]:
        """What misses what is wanted, in words; ``errors`` standard errors of each figure are allowed on top."""
        out = []
        for name, value, error, wanted in (
            ("completeness", self.completeness, self.errors[0], self.case.completeness),
            ("purity", self.purity, self.errors[1], self.case.purity),
        ):
            if value < wanted - errors * error:
                out.append(f"{name} {100 * value:.2f} ± {100 * error:.2g} %")
        return out


def run(case: Completeness, runs: int, first_seed: int = 1) -> Rates:
    """Simulate a case ``runs`` times, with seeds from ``first_seed`` on. Raises ValueError when nothing was planted."""
    all_counted = [c for seed in range(first_seed, first_seed + runs) for c in case.simulate(seed)]
    planted = sum(c.planted for c in all_counted)
    if not planted:
        raise ValueError(f"{case.name}: nothing was planted")
    return Rates(case, planted, sum(c.found for c in all_counted), sum(c.false for c in all_counted))


@dataclass(frozen=True)
class ToldRates:
    """The figures of a case of planted things, ready to be kept and shown."""

    name: str
    procedure: str
    version: str
    quantity: str
    conditions: str
    estimator: str
    planted: int
    completeness: str
    purity: str
    wanted: str
    met: bool
    day: str


def told(rates: Rates) -> ToldRates:
    """The figures of a case that was run."""
    case = rates.case
    version = next(p.version for p in builtin() if p.name == case.procedure)
    figures = [
        f"{100 * value:.2f} ± {100 * error:.2g} %"
        for value, error in zip((rates.completeness, rates.purity), rates.errors, strict=True)
    ]
    return ToldRates(
        case.name, case.procedure, version, case.quantity, case.conditions, case.estimator, rates.planted, *figures,
        f"completeness ≥ {100 * case.completeness:g} %; purity ≥ {100 * case.purity:g} %", not rates.faults(), f"{datetime.now(UTC):%Y-%m-%d}",
    )  # fmt: skip


def table(rows: Sequence[ToldRates]) -> str:
    """The figures as a Markdown table."""
    heads = ("Quantity", "Planted", "Number", "Completeness", "Purity", "Wanted", "Version, day")
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    for t in rows:
        quantity = t.quantity.replace("_", " ") + (f" ({t.estimator})" if t.estimator else "")
        wanted = t.wanted + (": reached" if t.met else ": **not reached**")
        cells = (
            quantity,
            t.conditions,
            str(t.planted),
            t.completeness,
            t.purity,
            wanted,
            f"{t.version}, {t.day}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
