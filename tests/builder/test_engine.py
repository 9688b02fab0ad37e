"""The same results from this process and from workers; a failure, or a lost worker, costs only its item."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.engine import AHEAD, Engine, WorkerLost
from builder.workers import WorkerPool


def square(n: int) -> int:
    if n == 3:
        raise ValueError("three")
    return n * n


def die(n: int) -> int:
    if n == 2:
        os._exit(9)
    return n


def die_once(job: tuple[int, Path]) -> int:
    n, mark = job
    if n == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n


class Awkward(Exception):
    """It pickles, but cannot be made again from what it keeps."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def awkward(n: int) -> object:
    if n == 1:
        raise Awkward("one", "two")
    if n == 2:
        return lambda: n
    return n


def environment(_: int) -> tuple[int, str, str]:
    return os.getpid(), os.environ.get("OPENBLAS_NUM_THREADS", ""), os.environ.get("WARMED", "")


def hold(place: Path) -> None:
    """Tell who is at work, and stay at it until told to go home."""
    (place / str(os.getpid())).touch()
    while not (place / "home").exists():
        time.sleep(0.01)


def warm() -> None:
    os.environ["WARMED"] = str(int(os.environ.get("WARMED", "0")) + 1)


def cold() -> None:
    raise RuntimeError("no kernels here")


def stillborn() -> None:
    os._exit(3)


def slow(n: int) -> int:
    time.sleep(60)
    return n


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("workers", [1, 2])
def test_results_and_failures_come_back_with_their_items(workers: int, batch: int) -> None:
    with Engine(workers) as engine:
        found = dict(engine.run(square, list(range(8)), batch))
    assert {k: v for k, v in found.items() if k != 3} == {n: n * n for n in range(8) if n != 3}
    assert isinstance(found[3], ValueError)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_lost_worker_costs_one_item_and_the_engine_goes_on(batch: int) -> None:
    with Engine(2) as engine:
        found = dict(engine.run(die, list(range(20)), batch))
        assert isinstance(found.pop(2), WorkerLost)
        assert found == {n: n for n in range(20) if n != 2}
        assert engine.lost == 2  # it was tried again, once
        assert dict(engine.run(square, [5, 6, 7, 8, 9, 10])) == {n: n * n for n in (5, 6, 7, 8, 9, 10)}


@pytest.mark.parametrize("batch", [1, 4])
def test_an_item_whose_worker_was_killed_once_is_done(batch: int, tmp_path: Path) -> None:
    jobs = [(n, tmp_path / "killed") for n in range(10)]
    with Engine(2) as engine:
        assert {job[0]: v for job, v in engine.run(die_once, jobs, batch)} == {n: n for n in range(10)}
        assert engine.lost == 1


def test_a_worker_killed_from_outside_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    with WorkerPool(2) as pool:
        before = {pool.submit(os.getpid).result() for _ in range(20)}
        while len(pool.pids) < 2:
            time.sleep(0.01)
        victim, other = pool.pids
        held = [pool.submit(hold, tmp_path) for _ in range(2)]
        while {path.name for path in tmp_path.iterdir()} != {str(victim), str(other)}:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        (tmp_path / "home").touch()
        assert sorted(type(f.exception()).__name__ for f in held) == ["NoneType", "WorkerLost"]
        while len(pool.pids) < 2 or victim in pool.pids:
            time.sleep(0.01)
        assert other in pool.pids
        assert before <= {victim, other}
        assert pool.submit(pow, 2, 5).result() == 32


def test_what_cannot_be_sent_is_told_and_costs_its_item() -> None:
    with Engine(2) as engine:
        found = dict(engine.run(awkward, range(8), 4))
        assert {n for n, v in found.items() if isinstance(v, Exception)} == {1, 2}
        assert "one and two" in str(found[1])
        assert all("pickle" in str(v) for _, v in engine.run(lambda n: n, range(8)))


def test_work_is_handed_out_at_the_rate_at_which_it_is_done() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for n in range(10_000):
            taken = n
            yield n

    with Engine(2) as engine:
        for done, _ in enumerate(engine.run(abs, items(), batch=5), start=1):
            assert taken <= done + 2 * AHEAD * 5 + 5
    assert done == 10_000


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(3)])
def test_any_executor_will_do(executor: Executor | None) -> None:
    with Engine(2, executor=executor) as engine:
        assert sorted(v for _, v in engine.run(abs, range(-50, 0))) == list(range(1, 51))


def test_workers_are_warmed_once_and_use_one_thread() -> None:
    with Engine(2, warm=warm) as engine:
        found = [v for _, v in engine.run(environment, range(40))]
    assert {v[1:] for v in found if isinstance(v, tuple)} == {("1", "1")}
    with Engine(2, warm=cold) as engine:
        assert len(list(engine.run(environment, range(8)))) == 8


def test_workers_that_cannot_start_are_told_and_do_not_hang() -> None:
    with Engine(2, warm=stillborn) as engine:
        found = dict(engine.run(abs, range(8)))
    assert all("end as soon as they start" in str(v) for v in found.values())
    assert len(found) == 8


def test_leaving_early_kills_the_workers() -> None:
    with pytest.raises(KeyboardInterrupt), Engine(2) as engine:
        engine.start()
        pool = engine._pool
        assert pool is not None
        while len(pool.pids) < 2:
            time.sleep(0.01)
        pids = pool.pids
        threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
        list(engine.run(slow, range(8)))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_one_worker_gets_warm_beside_for_small_work_to_come() -> None:
    with Engine(2) as engine:
        assert engine.beside is None
        engine.ahead(warm)
        assert engine.beside is not None
        ((_, (pid, _, warmed)),) = engine.beside.run(environment, [1])  # type: ignore[misc]
        assert (pid != os.getpid(), warmed) == (True, "1")
        ((_, (here, _, _)),) = engine.run(environment, [1])  # type: ignore[misc]
        assert here == os.getpid()  # what is not meant for it does not wait for it
    assert engine.beside is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def here_or_there(driver: int) -> str:
    return "here" if os.getpid() == driver else "there"


def die_there(driver: int) -> str:
    if os.getpid() != driver:
        os._exit(9)
    return "here"


def test_the_worker_beside_works_while_this_process_does() -> None:
    with Engine(2) as engine:
        assert (
            engine.begin(here_or_there, os.getpid())() == "here"
        )  # without that worker, when it is asked for
        engine.ahead(warm)
        take = [engine.begin(here_or_there, os.getpid()), engine.begin(square, 4), engine.begin(square, 3)]
        assert (take[0](), take[1]()) == ("there", 16)
        with pytest.raises(ValueError, match="three"):
            take[2]()
        assert engine.begin(die_there, os.getpid())() == "here"


def test_nothing_gets_warm_beside_where_it_would_not_help() -> None:
    with Engine(1) as engine:
        engine.ahead(warm)
        assert engine.beside is None
    with Engine(2) as engine:
        engine.start()
        engine.ahead(warm)
        assert engine.beside is None
