"""Where work runs: in this process, or in a pool of local ones. The same functions, the same results."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

SMALL = 6
"""Fewer items than this are done here: starting a pool would take longer."""


class WorkerLost(Exception):
    """A worker process ended before its work was done, for example for want of memory."""


def default_workers() -> int:
    """As many workers as the processors this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def one_thread_each() -> None:
    """Tell numerical libraries that are loaded from now on, here and in workers, to use one thread each.

    Workers that each start threads for every processor fight for them; and sums by several threads depend on
    how many there are, which one result for the same inputs forbids.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")


class Engine:
    """Runs functions over items. Close it, or use it as a context manager."""

    def __init__(self, workers: int, scheduler: str = "") -> None:
        self.workers = workers
        self.scheduler = scheduler
        self._pool: Executor | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=exc[0] is None, cancel_futures=True)

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item], batch: int = 1
    ) -> Iterator[tuple[Item, Result | Exception]]:
        """Apply a function to every item; yield (item, result or exception) as each is done.

        ``function`` and items must be picklable. An exception costs only its item. ``batch`` items go to a worker at
        once: what they share is then sent once, and a handover costs little where an item's work is small.
        """
        if self.workers == 1 or (len(items) < SMALL and self._pool is None):
            for item in items:
                try:
                    yield item, function(item)
                except Exception as error:
                    yield item, error
            return
        if self._pool is None:
            one_thread_each()
            # not fork: the parent may hold threads (progress, numba) whose locks a fork would copy
            self._pool = ProcessPoolExecutor(self.workers, mp_context=multiprocessing.get_context("spawn"))
        batches = [items[i : i + batch] for i in range(0, len(items), batch)]
        futures = {self._pool.submit(_each, function, held): held for held in batches}
        for future in as_completed(futures):
            try:
                yield from zip(futures[future], future.result(), strict=True)
            except BrokenProcessPool:
                self._pool = None
                for item in futures[future]:
                    yield item, WorkerLost("a worker process was killed; is there enough memory?")
            except Exception as error:
                for item in futures[future]:
                    yield item, error


def _each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result | Exception]:
    """Runs in a worker: the result or the exception of each item."""
    out: list[Result | Exception] = []
    for item in items:
        try:
            out.append(function(item))
        except Exception as error:
            out.append(error)
    return out
