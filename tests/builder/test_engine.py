"""The same results from this process and from a pool; a failure, or a lost worker, costs only its item."""

from __future__ import annotations

import os

import pytest

from builder.engine import Engine, WorkerLost


def square(n: int) -> int:
    if n == 3:
        raise ValueError("three")
    return n * n


def die(n: int) -> int:
    if n == 2:
        os._exit(9)
    return n


@pytest.mark.parametrize("workers", [1, 2])
def test_results_and_failures_come_back_with_their_items(workers: int) -> None:
    with Engine(workers) as engine:
        found = dict(engine.run(square, list(range(8))))
    assert {k: v for k, v in found.items() if k != 3} == {n: n * n for n in range(8) if n != 3}
    assert isinstance(found[3], ValueError)


def test_a_lost_worker_is_told_and_the_engine_goes_on() -> None:
    with Engine(2) as engine:
        found = dict(engine.run(die, list(range(8))))
        assert any(isinstance(v, WorkerLost) for v in found.values())
        assert set(found) == set(range(8))
        assert dict(engine.run(square, [5, 6, 7, 8, 9, 10])) == {n: n * n for n in (5, 6, 7, 8, 9, 10)}
