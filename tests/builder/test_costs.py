"""What a build cost: sums by procedure and test, peaks of memory, and what the store gives back."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import numpy as np
import pytest

from builder.costs import (
    Costs,
    ProcedureCost,
    ResultCost,
    StageCost,
    TestCost,
    by_procedure,
    engine_words,
    slowest_tests,
)
from builder.memory import SEARCHED_ANEW, Peak, what_lives_set_aside

ONE_COMMAND = """
import atexit, gc
from builder.memory import UNSEARCHED, for_one_command
atexit.register(lambda: print(gc.get_threshold()[0] == UNSEARCHED, gc.get_freeze_count() >= 10_000))
for_one_command()
held = [[] for _ in range(10_000)]
"""

RESULTS = [
    ResultCost("bias", "B", "T1", "C1", 1.0, 100.0, "7"),
    ResultCost("bias", "B", "T1", "C2", 4.0, 150.0, "8"),
    ResultCost("bias", "B", "T2", "C1", 2.5, 90.0, "7"),
    ResultCost("dark", "B", "T2", "C1", 3.0, 200.0, "8"),
    ResultCost("dark", "A", "T2", "C1", 6.0, 80.0, "8"),
]


def test_procedures_are_summed_and_the_dearest_is_first() -> None:
    assert by_procedure(RESULTS) == (
        ProcedureCost("dark", 2, 9.0, 4.5, 6.0, 200.0),
        ProcedureCost("bias", 3, 7.5, 2.5, 4.0, 150.0),
    )
    assert by_procedure([]) == ()


def test_memory_of_a_command_is_not_searched_at_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", ONE_COMMAND], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_what_lives_is_set_aside_until_a_piece_of_work_ends() -> None:
    before, held = gc.get_threshold(), [[] for _ in range(10_000)]
    with pytest.raises(ValueError, match="meanwhile"), what_lives_set_aside():
        assert gc.get_freeze_count() >= len(held)
        assert gc.get_threshold() == (SEARCHED_ANEW, *before[1:])
        raise ValueError("meanwhile")
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


def test_what_somebody_else_set_aside_stays_there() -> None:
    gc.freeze()
    try:
        before = gc.get_threshold()
        with what_lives_set_aside():
            assert gc.get_threshold() == before
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_tests_of_the_same_name_are_told_apart_and_the_slowest_come_first() -> None:
    assert slowest_tests(RESULTS, 2) == (
        TestCost("A", "T2", 1, 6.0, 80.0),
        TestCost("B", "T2", 2, 5.5, 200.0),
    )
    many = [ResultCost("bias", "B", f"T{n:02d}", "C", float(n), 1.0, "7") for n in range(30)]
    assert [t.test for t in slowest_tests(many)] == [f"T{n:02d}" for n in range(29, 19, -1)]


def test_costs_survive_the_store() -> None:
    costs = Costs(
        (StageCost("load", 0.1, 50.0, "a note"),), by_procedure(RESULTS), slowest_tests(RESULTS), {"files": 3}, 2,
        "pool", "build-1.jsonl",
    )  # fmt: skip
    assert Costs.from_json(json.loads(json.dumps(costs.to_json()))) == costs


def test_costs_of_an_earlier_store_are_the_seconds_of_its_stages() -> None:
    costs = Costs.from_json({"load": 0.5, "measure": 2.0})
    assert costs.stages == (StageCost("load", 0.5), StageCost("measure", 2.0))
    assert (costs.seconds, costs.memory_mb, costs.worker_memory_mb) == (2.5, 0.0, 0.0)


@pytest.mark.parametrize(
    ("workers", "scheduler", "words"),
    [
        ([], "", ""),
        (["1", "1"], "", "in the main process"),
        (["7", "8", "7", ""], "", "pool of 2 processes"),
        (["7", "1"], "", "pool of 1 process and in the main process"),
        (["7", "8"], "tcp://h:1", "Dask cluster, 2 workers"),
    ],
)
def test_where_results_were_measured(workers: list[str], scheduler: str, words: str) -> None:
    assert engine_words(workers, "1", scheduler) == words


def test_peaks_are_those_of_the_work_itself_and_of_all_within() -> None:
    """80 MB within, then nothing: the outer peak has it, a later one has not (where Linux measures anew)."""
    with Peak() as outer:
        with Peak() as before:
            pass
        with Peak() as inner:
            held = np.ones(10_000_000)
            del held
        with Peak() as later:
            pass
    if not before.mb:
        pytest.skip("this system does not tell")
    assert inner.mb - before.mb > 70
    assert outer.mb >= inner.mb
    from builder import memory

    if memory._RESET.exists():
        assert inner.mb - later.mb > 70
