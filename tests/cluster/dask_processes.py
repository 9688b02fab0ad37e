"""A Dask scheduler and workers as processes of their own, on loopback, for the tests of builds on a cluster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
DASK = [sys.executable, "-m", "distributed.cli.dask_worker"]


def started(command: list[str], cwd: Path, **more: str) -> tuple[subprocess.Popen[str], Path]:
    """A process, and the file that holds what it says: a pipe that nobody reads would stop it when full."""
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(Path(__file__).parent))),
        **more,
    }
    descriptor, said = tempfile.mkstemp(".log", "dask-", cwd)
    with os.fdopen(descriptor, "w") as log:
        run = subprocess.Popen(
            command, cwd=cwd, text=True, env=environ, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
    return run, Path(said)


def ended(process: subprocess.Popen[str]) -> None:
    """End a process and its nanny's children: the group that was started for it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        time.sleep(0.5)
    process.wait(timeout=20)


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """A scheduler on loopback, as a process of its own; gives its address."""
    run, said = started(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        folder,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60.0
        while not (found := re.search(r"Scheduler at:\s+(tcp://\S+)\n", said.read_text())):
            if run.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the scheduler did not start: {said.read_text()}")
            time.sleep(0.05)
        yield found[1]
    finally:
        ended(run)


@contextmanager
def workers(
    address: str, folder: Path, count: int = 2, *arguments: str, within: Sequence[str] = (), **more: str
) -> Iterator[list[int]]:
    """Dask workers, each with its nanny, started in ``folder``; gives the ids of the processes that compute.

    ``within`` is a command that starts the one that it is given: one that mounts a disk first, say.
    """
    from distributed import Client

    runs = [
        started([*within, *DASK, address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder), *arguments],
                folder, **more)[0]
        for _ in range(count)
    ]  # fmt: skip
    try:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
            pids = list(client.run(os.getpid).values())
        yield pids
    finally:
        for run in runs:
            ended(run)
