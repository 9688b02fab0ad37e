"""A pool of local worker processes, of which each may die without harm to the others.

The standard library's process pool gives up all work in flight when one process dies, cannot say which item it
was at, and may wait for ever for an answer that was half sent (its own end of the pipe stays open). Here each
worker has a pipe of its own: when it closes, exactly the call that this worker held is lost, and a new worker
takes its place.

Workers ignore Ctrl-C (the driver decides), hold nothing that is worth saving (they write whole objects by
rename) and are ended by SIGKILL. They end by themselves when the driver is gone, however it went.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from campaign.frozen import dataclass

STILLBORN = 3
"""So many workers in a row that end before their first call: then the pool is broken, not the work."""

KILLED = "a worker process was killed; is there enough memory?"


class WorkerLost(BrokenProcessPool):
    """A worker process ended before its work was done, for example for want of memory."""


@dataclass(eq=False)
class Worker:
    """One process, the driver's end of its pipe, and the call that it is at."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    future: Future[Any] | None = None


class WorkerPool(Executor):
    """Local processes (started afresh, not forked: a fork would copy locks that threads of the driver hold).

    ``warm`` is called once in each worker before its first call; what it raises is of no consequence.
    """

    def __init__(self, workers: int, warm: Callable[[], object] | None = None) -> None:
        self.size = workers
        self.warm = warm
        self.lost = 0
        self._context = multiprocessing.get_context("spawn")
        self._todo: deque[tuple[Future[Any], bytes]] = deque()
        self._workers: list[Worker] = []
        self._closing = threading.Event()
        self._broken = ""
        self._awake, self._wake = self._context.Pipe(duplex=False)
        self._guard = threading.Lock()
        self._manager = threading.Thread(target=self._manage, name="calbook workers", daemon=True)
        self._manager.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand out a call. Raises what pickling it raises, and RuntimeError after ``shutdown``."""
        call = pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)
        future: Future[Any] = Future()
        with self._guard:
            if self._closing.is_set():
                raise RuntimeError("the workers were told to end")
            if self._broken:
                raise WorkerLost(self._broken)
            self._todo.append((future, call))
            self._wake.send_bytes(b"")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: when all calls are done, or at once with ``cancel_futures``."""
        if wait and not cancel_futures:
            while self._manager.is_alive() and (self._todo or any(w.future for w in self._workers)):
                time.sleep(0.005)
        with self._guard:
            self._closing.set()
            with suppress(OSError):
                self._wake.send_bytes(b"")
        if wait:
            self._manager.join()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers, for those who have to look after them."""
        return [w.process.pid for w in list(self._workers) if w.process.pid]

    # ── the manager's thread ──────────────────────────────────────────────────────────────────────────

    def _manage(self) -> None:
        stillborn = 0
        try:
            while not self._closing.is_set():
                while len(self._workers) < self.size and not self._closing.is_set():
                    self._workers.append(self._start())
                self._hand_out()
                for there in wait([self._awake, *(w.pipe for w in self._workers)]):
                    if there is self._awake:
                        self._awake.recv_bytes()
                    else:
                        worker = next(w for w in self._workers if w.pipe is there)
                        stillborn = self._hear(worker, stillborn)
                if stillborn >= STILLBORN:
                    self._give_up()
                    return
        finally:
            self._end()

    def _start(self) -> Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve, args=(theirs, os.getpid(), self.warm), name="calbook worker", daemon=True
        )
        # workers inherit the mask: a Ctrl-C while one starts would else end in its traceback on the terminal;
        # the first start of the tracker unblocks SIGINT again, so it must not happen within ours
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        process.start()
        theirs.close()  # so that its end is seen when the worker dies
        return Worker(process, ours)

    def _hand_out(self) -> None:
        for worker in self._workers:
            while worker.ready and worker.future is None and self._todo:
                future, call = self._todo.popleft()
                if future.set_running_or_notify_cancel():
                    worker.future = future
                    with suppress(OSError):  # it died meanwhile: its pipe says so in a moment
                        worker.pipe.send_bytes(call)

    def _hear(self, worker: Worker, stillborn: int) -> int:
        """Take an answer, or the news that a worker is gone. Returns how many ended before their first call."""
        try:
            answer = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            self._bury(worker)
            return stillborn if worker.ready else stillborn + 1
        if not worker.ready:
            worker.ready = True
            return 0
        future, worker.future = worker.future, None
        assert future is not None
        try:
            fine, value = pickle.loads(answer)
        except Exception as error:  # an exception that cannot be made again from its arguments, for example
            fine, value = False, RuntimeError(f"an answer could not be read: {type(error).__name__}: {error}")
        if fine:
            future.set_result(value)
        else:
            future.set_exception(value)
        return stillborn

    def _bury(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(1)
        worker.process.kill()
        self.lost += 1
        if worker.future is not None:
            worker.future.set_exception(WorkerLost(KILLED))

    def _give_up(self) -> None:
        with self._guard:
            self._broken = "worker processes end as soon as they start; is there enough memory?"
        for future, _ in self._todo:
            if future.set_running_or_notify_cancel():
                future.set_exception(WorkerLost(self._broken))
        self._todo.clear()

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(5)
            worker.pipe.close()
            if worker.future is not None:
                worker.future.set_exception(WorkerLost("the build was stopped"))
        for future, _ in self._todo:
            future.cancel()
        self._todo.clear()
        self._workers.clear()


def serve(pipe: Connection, driver: int, warm: Callable[[], object] | None) -> None:
    """A worker's life: answer calls until the driver closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    end_with(driver)
    if warm is not None:
        with suppress(Exception):  # it only saves time
            warm()
    with suppress(OSError, EOFError):
        pipe.send_bytes(b"")
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(call: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(call)
        return pickle.dumps((True, function(*args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        try:
            return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def end_with(driver: int) -> None:
    """Have this process killed when the driver ends, also by SIGKILL, also in the middle of a computation."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(driver,), daemon=True).start()
    if os.getppid() != driver:  # it ended before we asked
        os._exit(1)


def _watch(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(0.5)
    os._exit(1)
