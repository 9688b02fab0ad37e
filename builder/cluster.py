"""Work on a running Dask cluster: connecting, seeing that its workers fit, and telling what is wrong with it.

Every worker has to have the same code and libraries (or the numbers could differ), see the store's folder (it
writes figures there), and let its numerical libraries use as many threads as the driver's do. All that is looked
at when connecting, and again by each worker before its first call, for workers come and go. A scheduler runs
whatever is sent to it: who can reach it can act as the one who started it (see the guide's page on clusters).
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from builder import VERSION
from builder.engine import THREADS
from builder.workers import KILLED, WorkerLost
from campaign.frozen import dataclass

CONNECT = 10.0
"""Seconds in which a scheduler has to answer, and to have a first worker."""

PATIENCE = 60.0
"""Seconds without a single worker, or without the scheduler, after which a build stops."""

LIBRARIES = ("astropy", "matplotlib", "numba", "numpy", "pillow", "scipy")
"""Libraries whose version may change a result or a figure."""


class ClusterError(Exception):
    """The cluster cannot be used, or not any more; the message says why and what to do."""


@dataclass(frozen=True)
class Terms:
    """What a worker has to agree with: versions, threads, and a file that it has to see ('' for none)."""

    versions: Mapping[str, str]
    threads: Mapping[str, str]
    token: str
    warm: Callable[[], object] | None = field(default=None)


class UnfitWorker(Exception):
    """A worker that came later is not like the others."""


class Cluster:
    """A connection to a Dask scheduler. Raises ClusterError when it cannot be used."""

    def __init__(self, address: str, warm: Callable[[], object] | None, shared: Path | None) -> None:
        self.address = address
        self._client = _connect(address)
        self._seen = time.monotonic()
        self._asked = 0.0
        self._workers = 0
        self._token = _token(shared)
        threads = {name: os.environ.get(name, "1") for name in THREADS}
        self._terms = Terms(versions(), threads, str(self._token or ""), warm)
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def submit(self, function: Callable[[bytes], bytes], packed: bytes) -> Future[bytes]:
        """Hand out a packed call. What is wrong with the way there or back is WorkerLost, else the call's own error."""
        held = self._client.submit(agreed, function, packed, self._packed_terms, pure=False)
        ours: Future[bytes] = Future()
        ours.add_done_callback(lambda f: held.cancel() if f.cancelled() else None)
        self._client.loop.add_callback(self._deliver, held, ours)
        return ours

    async def _deliver(self, held: Any, ours: Future[bytes]) -> None:
        # Dask's own executor takes a result for an error when the worker dies while the result is under way.
        found: bytes | BaseException
        try:
            found = await self._client.gather(held, asynchronous=True)
        except BaseException as error:
            own = held.status == "error" and not isinstance(error, import_module("distributed").KilledWorker)
            found = error if own else WorkerLost(KILLED)
        with suppress(InvalidStateError):  # nobody waits for it any more
            if isinstance(found, BaseException):
                ours.set_exception(found)
            else:
                ours.set_result(found)

    def width(self) -> int:
        """How many workers there are, at least 1; asked anew every two seconds, for they come and go."""
        now = time.monotonic()
        if now - self._asked > 2.0:
            self._asked = now
            with suppress(OSError, TimeoutError):
                self._workers = len(self._client.nthreads())
                if self._workers:
                    self._seen = now
        return max(1, self._workers)

    def check(self) -> None:
        """Raises ClusterError when the scheduler is gone, or has been without a worker for too long."""
        if self._client.status in ("closed", "closing"):
            raise ClusterError(
                f"The Dask scheduler at {self.address} is gone. What was finished is kept: start it again, and "
                "the same command goes on from here."
            )
        self.width()
        if time.monotonic() - self._seen > PATIENCE:
            raise ClusterError(
                f"The Dask scheduler at {self.address} has had no worker for {PATIENCE:.0f} s. What was finished is "
                "kept: start workers, and the same command goes on from here."
            )

    def explain(self, error: BaseException) -> None:
        """Raises ClusterError when an error is the cluster's, not the work's."""
        if isinstance(error, UnfitWorker):
            raise ClusterError(str(error)) from error
        if isinstance(error, ModuleNotFoundError) and error.name in ("builder", "analysis", "campaign"):
            raise ClusterError(_unknown_code(self.address)) from error

    def close(self) -> None:
        """Let go of the cluster, which stays as it was; what its workers are at is of no use any more."""
        if self._token is not None:
            self._token.unlink(missing_ok=True)
        with suppress(Exception):  # the scheduler may be gone
            self._client.close(timeout=1)

    def _look(self) -> None:
        begun = time.monotonic()
        while not (found := self._client.nthreads()):
            if time.monotonic() - begun > CONNECT:
                raise ClusterError(
                    f"The Dask scheduler at {self.address} has no workers: start some, for example with\n"
                    f"  dask worker {self.address} --nworkers 4 --nthreads 1"
                )
            time.sleep(0.1)
        self._workers = len(found)
        self._packed_terms = pickle.dumps(self._terms)
        answers = self._client.run(misfit, self._packed_terms, on_error="return")
        for worker, answer in sorted(answers.items()):
            if isinstance(answer, ModuleNotFoundError):
                raise ClusterError(_unknown_code(self.address)) from answer
            if isinstance(answer, Exception):
                raise ClusterError(f"The worker {worker} could not be asked: {answer}") from answer
            if answer:
                raise ClusterError(answer)


def _connect(address: str) -> Any:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise ClusterError(
            "Building on a Dask cluster needs the extra 'cluster', which is not installed here: "
            "pip install 'calbook[cluster]', or `pip install distributed` into calbook's environment."
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is wrong, we say ourselves
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False, name="calbook")
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {address} ({error}). Is it running, and is the address the one that it "
            "printed (tcp://host:port)?"
        ) from error


def _unknown_code(address: str) -> str:
    return (
        f"Workers of the Dask scheduler at {address} cannot import calbook's code: start scheduler and workers from "
        f"calbook's environment, or with PYTHONPATH={Path(__file__).resolve().parent.parent}."
    )


def _token(shared: Path | None) -> Path | None:
    if shared is None:
        return None
    shared.mkdir(parents=True, exist_ok=True)
    path = shared / f".part-seen-{secrets.token_hex(8)}"
    path.touch()
    return path


@cache
def versions() -> dict[str, str]:
    """What decides about numbers: calbook, a digest of its code, Python and the numerical libraries."""
    from builder.libraries import version_of

    digest = hashlib.sha256()
    checkout = Path(__file__).resolve().parent.parent
    for room in ("analysis", "builder", "campaign"):
        for path in sorted((checkout / room).rglob("*.py")):
            digest.update(path.relative_to(checkout).as_posix().encode() + path.read_bytes())
    own = {"calbook": VERSION, "code": digest.hexdigest()[:12], "python": platform.python_version()}
    return own | {name: version_of(name) for name in LIBRARIES}


# ── on the workers ────────────────────────────────────────────────────────────────────────────────────────

_agreed: dict[bytes, str] = {}
"""Terms that were looked at in this process, and what was wrong with it."""


def misfit(packed: bytes) -> str:
    """Runs on a worker: what is wrong with it, in a sentence; '' when it fits."""
    if packed not in _agreed:
        terms: Terms = pickle.loads(packed)
        _agreed.clear()
        _agreed[packed] = _differs(terms)
        if not _agreed[packed] and terms.warm is not None:
            with suppress(Exception):  # it only saves time
                terms.warm()
    return _agreed[packed]


def agreed(function: Callable[[bytes], bytes], packed: bytes, terms: bytes) -> bytes:
    """Runs on a worker: the call, once the terms are found to be met. Raises UnfitWorker."""
    if wrong := misfit(terms):
        raise UnfitWorker(wrong)
    return function(packed)


def _differs(terms: Terms) -> str:
    here = f"The Dask worker on {platform.node()} (process {os.getpid()})"
    for name, wanted in terms.versions.items():
        held = versions().get(name)
        if held != wanted:
            return f"{here} has {name} {held}, this build {wanted}: use the same environment everywhere."
    for name, wanted in terms.threads.items():
        if os.environ.setdefault(name, wanted) != wanted:
            return (
                f"{here} has {name}={os.environ[name]}, this build {wanted}: sums could differ in their last digits. "
                f"Start it with {name}={wanted}."
            )
    if terms.token and not Path(terms.token).exists():
        return (
            f"{here} does not see {Path(terms.token).parent}: campaign, frames and output have to be on a file system "
            "that driver and workers share, under the same path."
        )
    return ""
