"""What a build cost: time and memory by stage and by procedure, its slowest tests, and what it did not do again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from typing import Any

from campaign.frozen import dataclass

SLOWEST = 10
"""So many tests are named on the page about the build."""


@dataclass(frozen=True)
class ResultCost:
    """One result that was measured: seconds and peak memory [MB] in the worker, a process ('pid' or 'host:pid')."""

    procedure: str
    block: str
    test: str
    detector: str
    seconds: float
    memory_mb: float
    worker: str


@dataclass(frozen=True)
class StageCost:
    """A stage: seconds by the clock, peak memory [MB] of the main process during it, and what it did in words."""

    name: str
    seconds: float
    memory_mb: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class ProcedureCost:
    """The results of a procedure that were measured: how many, seconds in workers, peak memory of one [MB]."""

    name: str
    results: int
    seconds: float
    median: float
    slowest: float
    memory_mb: float


@dataclass(frozen=True)
class TestCost:
    """A test of which results were measured: how many, seconds in workers for all of them, peak memory [MB]."""

    __test__ = False

    block: str
    test: str
    results: int
    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Costs:
    """All of it. ``counts`` says how many files and results were new or kept; ``log`` is the name of the log file."""

    stages: tuple[StageCost, ...] = ()
    procedures: tuple[ProcedureCost, ...] = ()
    tests: tuple[TestCost, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    workers: int = 0
    engine: str = ""
    log: str = ""

    @property
    def seconds(self) -> float:
        """The time of all stages [s]."""
        return sum(s.seconds for s in self.stages)

    @property
    def memory_mb(self) -> float:
        """The highest peak of the main process [MB]; 0 where it is not known."""
        return max((s.memory_mb for s in self.stages), default=0.0)

    @property
    def worker_memory_mb(self) -> float:
        """The highest peak of a worker that measured [MB]; 0 where it is not known."""
        return max((p.memory_mb for p in self.procedures), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Costs:
        """The costs that a build stored. Builds of earlier versions stored the seconds of each stage alone."""
        if "stages" not in given:
            return cls(tuple(StageCost(name, seconds) for name, seconds in given.items()))
        return cls(
            tuple(StageCost(**s) for s in given["stages"]),
            tuple(ProcedureCost(**p) for p in given["procedures"]),
            tuple(TestCost(**t) for t in given["tests"]),
            given["counts"],
            given["workers"],
            given["engine"],
            given["log"],
        )


def by_procedure(results: Iterable[ResultCost]) -> tuple[ProcedureCost, ...]:
    """The costs of each procedure, the dearest first."""
    held: dict[str, list[ResultCost]] = {}
    for result in results:
        held.setdefault(result.procedure, []).append(result)
    if not held:
        return ()
    from statistics import median  # not loaded by a build that measures nothing

    made = [
        ProcedureCost(
            name,
            len(own),
            round(sum(r.seconds for r in own), 3),
            round(median(r.seconds for r in own), 3),
            max(r.seconds for r in own),
            max(r.memory_mb for r in own),
        )
        for name, own in held.items()
    ]
    return tuple(sorted(made, key=lambda p: (-p.seconds, p.name)))


def slowest_tests(results: Iterable[ResultCost], most: int = SLOWEST) -> tuple[TestCost, ...]:
    """The tests whose results took longest, all detectors and procedures together, the slowest first."""
    held: dict[tuple[str, str], list[ResultCost]] = {}
    for result in results:
        held.setdefault((result.block, result.test), []).append(result)
    made = [
        TestCost(
            *place, len(own), round(sum(r.seconds for r in own), 3), max(r.memory_mb for r in own)
        )
        for place, own in held.items()
    ]  # fmt: skip
    return tuple(sorted(made, key=lambda t: (-t.seconds, t.block, t.test))[:most])


def engine_words(workers: Iterable[str], here: str, scheduler: str = "") -> str:
    """Where results were measured, in words, from the workers that handed them back; '' when none was measured."""
    seen = set(workers) - {""}  # a worker that was lost told nothing
    if not seen:
        return ""
    if scheduler:
        return f"Dask cluster, {len(seen)} worker{'' if len(seen) == 1 else 's'}"
    away = seen - {here}
    pool = f"pool of {len(away)} process{'' if len(away) == 1 else 'es'}" if away else ""
    return " and ".join(filter(None, [pool, "in the main process" if here in seen else ""]))
