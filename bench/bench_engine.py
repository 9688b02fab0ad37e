"""What limits a very large campaign: handing out work, the single writer, page splices, listing.

The constants of the guide's page on clusters are measured here: ``python -m bench.bench_engine``; the driver's memory by ``bench_growth``.
"""

from __future__ import annotations

import multiprocessing
import operator
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from analysis.contract import Measurement
from bench.table import Row
from builder.engine import Engine
from builder.store import Store, StoredResult

CHECKOUT = Path(__file__).resolve().parent.parent
NOW = datetime(2025, 3, 1, tzinfo=UTC)


def each(work: Callable[[], object], count: int, repeats: int = 3) -> float:
    """The least of several times, for one of ``count`` items [µs]."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times) / count * 1e6


@contextmanager
def cluster(folder: str) -> Iterator[str]:
    """A scheduler and two workers on loopback; gives the address."""
    command = [sys.executable, "-m"]
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.Popen(
        [*command, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        cwd=folder, env=environ, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    workers: list[subprocess.Popen[bytes]] = []
    try:
        assert run.stderr is not None
        found = next(m for line in run.stderr if (m := re.search(r"Scheduler at:\s+(tcp://\S+)", line)))
        workers = [
            subprocess.Popen(
                [*command, "distributed.cli.dask_worker", found[1], "--nthreads", "1", "--no-dashboard", "--no-nanny"],
                cwd=folder, env=environ, stderr=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]  # fmt: skip
        yield found[1]
    finally:
        for process in [*workers, run]:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def handing_out(quick: bool) -> Iterator[Row]:
    """Items of no work at all, through workers here and on a cluster."""
    many = 5_000 if quick else 20_000
    work = operator.index
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(work, range(10)))
        peer = each(lambda: list(pool.map(work, range(many))), many)
    with Engine(2) as engine:
        list(engine.run(work, range(10)))
        single = each(lambda: list(engine.run(work, range(many))), many)
        batched = each(lambda: list(engine.run(work, range(many), 16)), many)
    yield Row("item without work, local workers", single, "ProcessPoolExecutor", peer, "µs")
    yield Row("item without work, local workers, 16 at once", batched, "ProcessPoolExecutor", peer, "µs")
    few = many // 20
    with tempfile.TemporaryDirectory() as folder, cluster(folder) as address, Engine(1, address) as engine:
        list(engine.run(work, range(10)))
        single = each(lambda: list(engine.run(work, range(few))), few)
        batched = each(lambda: list(engine.run(work, range(16 * few), 16)), 16 * few)
    yield Row("item without work, Dask", single, "", None, "µs")
    yield Row("item without work, Dask, 16 at once", batched, "", None, "µs")


def result(number: int) -> StoredResult:
    """A result as a photon-transfer test of four channels makes: 24 measurements, 60 inputs."""
    held = tuple(
        Measurement(f"q{q}", f"ch{c}", "", 1.0 + q, 0.1, "ADU", "mean", 60, (), None, "")
        for q in range(6)
        for c in range(4)
    )
    inputs = [["flat", f"frame{i}", "frames", f"block/f{i:07d}.fits", "0" * 32] for i in range(60)]
    return StoredResult(
        f"{number:020x}", "B", f"T{number}", "CCD1", "photon_transfer", "1", "done", "2025", 1.0, {"inputs": inputs}, held
    )  # fmt: skip


def writing(quick: bool) -> Iterator[Row]:
    """The single writer: results one by one as they come, summaries 64 at a time."""
    many = 300 if quick else 2_000
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        build = store.begin(NOW, "bench", {})
        begun = time.perf_counter()
        for number in range(many):
            store.add_result(result(number), build)
        took = (time.perf_counter() - begun) / many * 1e6
        yield Row("result of 24 values stored", took, "", None, "µs")
        text = '{"channels": ' + '"x"' * 400 + "}"
        begun = time.perf_counter()
        for start in range(0, many * 8, 64):
            store.save_cached("summaries", {f"{start + i}": text for i in range(64)})
        took = (time.perf_counter() - begun) / (many * 8) * 1e6
        yield Row("summary of a frame stored", took, "", None, "µs")


def splicing(quick: bool) -> Iterator[Row]:
    """Writing pages of 15 kB that are new, and finding that they are as they were."""
    from builder.render.write import Site

    many = 500 if quick else 3_000
    with tempfile.TemporaryDirectory() as folder:
        pages = {f"b{i % 50}/p{i}.html": f"<p>{i}</p>" + "x" * 15_000 for i in range(many)}

        def write() -> None:
            site = Site(Path(folder))
            for path, text in pages.items():
                site.write(path, text)
            site.finish()

        yield Row("page of 15 kB written", each(write, many, 1), "", None, "µs")
        yield Row("page found unchanged", each(write, many), "", None, "µs")


def listing(quick: bool) -> Iterator[Row]:
    """What a directory of frames costs to look at (page cache warm)."""
    many = 2_000 if quick else 20_000
    with tempfile.TemporaryDirectory() as folder:
        for number in range(many):
            (Path(folder) / f"f{number:07d}.fits").touch()

        def look() -> None:
            with os.scandir(folder) as entries:
                for entry in entries:
                    entry.stat()

        yield Row("file listed, with its size and time", each(look, many), "", None, "µs")


def run(quick: bool = False) -> list[Row]:
    """All rows."""
    parts = (handing_out, writing, splicing, listing)
    return [row for part in parts for row in part(quick)]


def main() -> None:
    """Print the table."""
    for row in run("--quick" in sys.argv):
        peer = f"   ({row.peer}: {row.theirs:.1f} {row.unit})" if row.theirs is not None else ""
        print(f"  {row.work:<50}{row.ours:9.1f} {row.unit}{peer}")


if __name__ == "__main__":
    main()
