"""Where work runs: in this process, in local worker processes, or on a Dask cluster. The same results everywhere.

Work is handed out a few batches per worker at a time and taken back as it is done, so what the driver holds does
not grow with the number of items. A worker that dies costs time: its items are tried again at the end, one at a
time (with all the memory to itself), and only an item whose worker died twice is told as lost.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from builder.workers import KILLED, WorkerLost, WorkerPool
from campaign.frozen import dataclass

if TYPE_CHECKING:
    from builder.cluster import Cluster

__all__ = ["Engine", "WorkerLost", "default_workers", "one_thread_each"]

Item = TypeVar("Item")
Result = TypeVar("Result")

SMALL = 6
"""Fewer items than this are done here: starting a pool would take longer."""

AHEAD = 3
"""Batches that are handed out for each worker: one it is at, others that wait so that it need not."""

DEATHS = 2
"""An item whose worker died so often is not tried again."""

BREATH = 1.0
"""Seconds between two looks at whether a cluster is still there."""


THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Variables that tell numerical libraries how many threads to start."""


def default_workers() -> int:
    """As many workers as the processors this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def one_thread_each() -> None:
    """Tell numerical libraries that are loaded from now on, here and in workers, to use one thread each.

    Workers that each start threads for every processor fight for them; and sums by several threads depend on
    how many there are, which one result for the same inputs forbids.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")


@dataclass
class Batch(Generic[Item]):
    """Items that go to a worker at once, and how often the worker that held them died."""

    items: Sequence[Item]
    deaths: int = 0


class Engine:
    """Runs functions over items. Close it, or use it as a context manager.

    ``scheduler`` is the address of a Dask scheduler; ``executor`` any other executor that stands ready (it is not
    closed here). Without either, work runs in this process (one worker, or few items) or in local workers, each of
    which calls ``warm`` first. ``shared`` is a folder that workers on other machines have to see. Raises
    ClusterError (builder.cluster) when the cluster cannot be used.
    """

    def __init__(
        self,
        workers: int,
        scheduler: str = "",
        *,
        executor: Executor | None = None,
        warm: Callable[[], object] | None = None,
        shared: Path | None = None,
    ) -> None:
        self.workers = workers
        self.scheduler = scheduler
        self.lost = 0
        self._executor = executor
        self._warm = warm
        self._pool: WorkerPool | None = None
        self._beside: WorkerPool | None = None
        self.beside: Engine | None = None
        """One warm worker for small work (see ``ahead``); None where this process does it."""
        self._cluster: Cluster | None = None
        if scheduler:
            from builder.cluster import Cluster

            self._cluster = Cluster(scheduler, warm, shared)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._beside is not None:
            self._beside.shutdown(cancel_futures=True)
            self._beside = self.beside = None
        if self._cluster is not None:
            self._cluster.close()

    @property
    def _elsewhere(self) -> bool:
        """Whether workers stand ready that are not this engine's own."""
        return self._executor is not None or self._cluster is not None

    def start(self) -> None:
        """Start the local workers now, so that they are warm when work comes; does not wait for them."""
        if not self._elsewhere and self._pool is None and self.workers > 1:
            with _uninterrupted():
                self._pool = WorkerPool(self.workers, self._warm)

    def ahead(self, warm: Callable[[], object]) -> None:
        """Have one worker get warm for small work that comes later, so that this process need not load what it needs.

        That worker is ``beside``. Nothing is done where workers stand ready, or there is one processor.
        """
        if not self._elsewhere and self._pool is None and self._beside is None and self.workers > 1:
            with _uninterrupted():
                self._beside = WorkerPool(1, warm)
                self.beside = Engine(1, executor=self._beside)

    def begin(self, function: Callable[[Item], Result], item: Item) -> Callable[[], Result]:
        """Have the worker beside do something while this process goes on; what comes back waits for it.

        It is done here, when it is waited for, where there is no such worker, or that died. Both must be picklable. Waiting
        raises what the function raises.
        """
        future: Future[bytes] | None = None
        if self.beside is not None:
            with suppress(WorkerLost):
                future = self.beside._submit(function, [item])

        def take() -> Result:
            if future is None:
                return function(item)
            try:
                (found,) = pickle.loads(future.result())
            except (BrokenExecutor, CancelledError):
                return function(item)
            if isinstance(found, Exception):
                raise found
            result: Result = found
            return result

        return take

    def run(
        self, function: Callable[[Item], Result], items: Iterable[Item], batch: int = 1, small: int = SMALL
    ) -> Iterator[tuple[Item, Result | Exception]]:
        """Apply a function to every item; yield (item, result or exception) as each is done.

        ``function`` and items must be picklable. An exception costs only its item. ``batch`` items go to a worker at
        once: what they share is then sent once, and a handover costs little where an item's work is small. Fewer
        than ``small`` items are done in this process, unless workers stand ready.
        """
        held = iter(items)
        first = list(islice(held, small))
        here = not self._elsewhere and (self.workers == 1 or (len(first) < small and self._pool is None))
        if here:
            for item in chain(first, held):
                try:
                    yield item, function(item)
                except Exception as error:
                    yield item, error
            return
        self.start()
        yield from self._hand_out(function, chain(first, held), batch)

    def at_the_frames(self, function: Callable[[Item], Result], item: Item) -> Result:
        """Call a function where frames are read: in a worker of the cluster, which may see what this machine does not.

        Local workers see what this process sees, so without a cluster it is called here. Raises what the function
        raises, and ClusterError when the workers that were at it died.
        """
        if not self._elsewhere:
            return function(item)
        _, found = next(self._hand_out(function, iter([item]), 1))
        if isinstance(found, WorkerLost):
            from builder.cluster import ClusterError

            raise ClusterError(f"Workers died while they looked at the data directories: {found}") from found
        if isinstance(found, Exception):
            raise found
        return found

    def _hand_out(
        self, function: Callable[[Item], Result], items: Iterator[Item], batch: int
    ) -> Iterator[tuple[Item, Result | Exception]]:
        waiting = (Batch(some) for some in iter(lambda: list(islice(items, batch)), []))
        again: deque[Batch[Item]] = deque()
        flying: dict[Future[bytes], Batch[Item]] = {}
        done: SimpleQueue[Future[bytes]] = SimpleQueue()
        try:
            while True:
                while len(flying) < AHEAD * self._width():
                    held = next(waiting, None)
                    if held is None and again and not flying:
                        held = again.popleft()  # alone: it may have died for want of memory
                    if held is None:
                        break
                    try:
                        future = self._submit(function, held.items)
                    except WorkerLost as error:
                        yield from ((item, error) for item in held.items)
                    except (pickle.PicklingError, TypeError, AttributeError) as error:
                        yield from ((item, error) for item in held.items)
                    else:
                        flying[future] = held
                        future.add_done_callback(done.put)
                if not flying:
                    if not again:
                        return
                    continue
                future = self._next(done)
                held = flying.pop(future)
                yield from self._taken(future, held, again)
        finally:
            for future in flying:
                future.cancel()

    def _submit(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Future[bytes]:
        packed = pickle.dumps((function, items), pickle.HIGHEST_PROTOCOL)
        try:
            if self._cluster is not None:
                return self._cluster.submit(work, packed)
            executor = self._executor or self._pool
            assert executor is not None
            return executor.submit(work, packed)
        except BrokenExecutor as error:
            raise WorkerLost(str(error) or "the worker processes are gone") from error

    def _next(self, done: SimpleQueue[Future[bytes]]) -> Future[bytes]:
        while True:
            try:
                return done.get(timeout=BREATH)
            except Empty:
                if self._cluster is not None:
                    self._cluster.check()

    def _taken(
        self, future: Future[bytes], held: Batch[Item], again: deque[Batch[Item]]
    ) -> Iterator[tuple[Item, Any]]:
        """The results of a batch; what its worker's death left undone goes to ``again``."""
        try:
            yield from zip(held.items, pickle.loads(future.result()), strict=True)
        except (Exception, CancelledError) as error:
            if not self._is_death(error):
                yield from ((item, error) for item in held.items)
                return
            self.lost += 1
            deaths = held.deaths + 1
            if deaths < DEATHS:
                again.extend(Batch([item], deaths) for item in held.items)
            else:
                told = error if isinstance(error, WorkerLost) else WorkerLost(KILLED)
                yield from ((item, told) for item in held.items)

    def _is_death(self, error: BaseException) -> bool:
        """Whether an error tells of a worker's death. Raises ClusterError when the cluster itself is at fault."""
        if self._cluster is not None:
            self._cluster.explain(error)
            if isinstance(error, WorkerLost):
                self._cluster.check()
        return isinstance(error, BrokenExecutor | CancelledError)

    def _width(self) -> int:
        return self._cluster.width() if self._cluster is not None else self.workers


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """For the start of workers: a Ctrl-C before their name is bound would leave a pool that nobody ends."""
    one_thread_each()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


_one_at_a_time = Lock()
"""A Dask worker may run several calls at once in threads; ours reuse buffers and draw, so they take turns."""


def work(packed: bytes) -> bytes:
    """Runs in a worker: the result or the exception of each item of a packed (function, items)."""
    with _one_at_a_time:
        function, items = pickle.loads(packed)
        out: list[Any] = []
        for item in items:
            try:
                out.append(function(item))
            except Exception as error:
                out.append(_sendable(error))  # not every exception can be made again from its arguments
        try:
            return pickle.dumps(out, pickle.HIGHEST_PROTOCOL)
        except Exception:
            return pickle.dumps([_sendable(o) for o in out], pickle.HIGHEST_PROTOCOL)


def _sendable(result: Any) -> Any:
    """A result, or in place of one that cannot be sent an exception that says so."""
    try:
        pickle.loads(pickle.dumps(result))
    except Exception as error:
        what = result if isinstance(result, Exception) else error
        return RuntimeError(f"{type(what).__name__}: {what}")
    return result
