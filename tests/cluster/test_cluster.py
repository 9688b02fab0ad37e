"""A build on a real Dask cluster: every byte of the site and every row of the store as from this machine alone."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "faults"))

from busy_campaign import busy, drive, driven  # noqa: E402
from comparing import differences, left_over  # noqa: E402
from dask_processes import scheduler, workers  # noqa: E402
from test_kill import holding, wait_for  # noqa: E402

from builder import cluster as clusters  # noqa: E402
from builder.cluster import ClusterError  # noqa: E402
from builder.engine import Engine, WorkerLost  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("distributed") is None,
        reason="Dask is not installed: pip install 'calbook[cluster]'",
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int]]]:
    """A scheduler and two workers that were started in another working directory than any build's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with scheduler(folder) as address, workers(address, folder) as pids:
        yield address, pids


def where(n: int) -> tuple[int, int, str]:
    return n, os.getpid(), os.environ["NUMBA_NUM_THREADS"]


def process(_: int) -> int:
    return os.getpid()


def fatal(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def dies_as_it_answers(job: tuple[Path, int]) -> tuple[int, bytes]:
    """Every sixth answer, the first time, is under way when its worker is killed."""
    folder, n = job
    mark = folder / str(n)
    if n % 6 == 0 and not mark.exists():
        mark.touch()
        Timer(n / 6 * 0.001, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return n, bytes(3_000_000)


def test_items_are_done_by_the_workers_on_one_thread_each(cluster: tuple[str, list[int]]) -> None:
    address, pids = cluster
    with Engine(1, address) as engine:
        found = [v for _, v in engine.run(where, range(40), 3)]
    assert sorted(v[0] for v in found if isinstance(v, tuple)) == list(range(40))
    assert {v[1] for v in found if isinstance(v, tuple)} <= set(pids)
    assert {v[2] for v in found if isinstance(v, tuple)} == {"1"}


def test_a_build_on_a_cluster_is_the_same_to_the_byte(cluster: tuple[str, list[int]], tmp_path: Path) -> None:
    folder = busy(tmp_path / "campaign")
    driven(folder, tmp_path / "here")
    driven(folder, tmp_path / "cluster", 1, cluster[0])
    assert differences(tmp_path / "here", tmp_path / "cluster") == []
    assert left_over(tmp_path / "cluster") == []


def test_the_campaign_may_name_the_scheduler(cluster: tuple[str, list[int]], tmp_path: Path) -> None:
    folder = busy(tmp_path / "campaign", f'\n[build]\nscheduler = "{cluster[0]}"\n')
    driven(folder, tmp_path / "out", 1)
    said = drive(folder, tmp_path / "other", 1, "tcp://127.0.0.1:9").communicate(timeout=120)[0]
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in said  # the command line wins


def test_a_worker_killed_in_the_middle_changes_nothing(
    cluster: tuple[str, list[int]], tmp_path: Path
) -> None:
    folder = holding(tmp_path / "campaign")
    at = folder / "procedures"
    run = drive(folder, tmp_path / "cluster", 1, cluster[0])
    try:
        wait_for(lambda: len(list(at.glob("at-*"))) >= 2)
        (at / "hold").unlink()  # the others do not wait; these two would for two minutes
        for path in at.glob("at-*"):  # it was written by a worker that is now asleep in it
            os.kill(int(path.read_text()), signal.SIGKILL)
        said, _ = run.communicate(timeout=180)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 0, said
    driven(folder, tmp_path / "here")
    assert differences(tmp_path / "here", tmp_path / "cluster") == []


def test_an_item_that_kills_its_workers_is_told(tmp_path: Path) -> None:
    with (
        scheduler(tmp_path) as address,
        workers(address, tmp_path),
        Engine(1, address) as engine,
    ):
        found = dict(engine.run(fatal, range(8)))
    assert isinstance(found.pop(3), WorkerLost)
    assert found == {n: n for n in range(8) if n != 3}


def test_a_worker_killed_while_its_answer_is_under_way_costs_nothing(tmp_path: Path) -> None:
    jobs = [(tmp_path, n) for n in range(36)]
    with scheduler(tmp_path) as address, workers(address, tmp_path, 4), Engine(1, address) as engine:
        found = {job[1]: answer for job, answer in engine.run(dies_as_it_answers, jobs)}
    assert len(list(tmp_path.glob("[0-9]*"))) == 6
    assert found == {n: (n, bytes(3_000_000)) for n in range(36)}


def test_what_is_asked_of_one_worker_is_answered_or_told(tmp_path: Path) -> None:
    with scheduler(tmp_path) as address, workers(address, tmp_path) as pids, Engine(1, address) as engine:
        assert engine.at_the_frames(process, 7) in pids
        with pytest.raises(ValueError, match="invalid literal"):
            engine.at_the_frames(int, "x")
        with pytest.raises(ClusterError, match="died while they looked at the data directories"):
            engine.at_the_frames(fatal, 3)
    with Engine(1) as engine:
        assert engine.at_the_frames(process, 7) == os.getpid()


def test_a_scheduler_that_does_not_answer_is_told() -> None:
    with pytest.raises(ClusterError, match=r"No Dask scheduler answers at tcp://127.0.0.1:9 "):
        Engine(1, "tcp://127.0.0.1:9")


def test_a_scheduler_without_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT", 3.0)
    with scheduler(tmp_path) as address, pytest.raises(ClusterError, match="has no workers: start some"):
        Engine(1, address)


def test_a_scheduler_that_goes_away_is_told(tmp_path: Path) -> None:
    folder = holding(tmp_path / "campaign")
    with scheduler(tmp_path) as address, workers(address, tmp_path):
        run = drive(folder, tmp_path / "out", 1, address)
        wait_for(lambda: len(list((folder / "procedures").glob("at-*"))) >= 2)
    said, _ = run.communicate(timeout=180)
    assert run.returncode != 0
    assert "is gone" in said or "has had no worker" in said
    assert not (tmp_path / "out" / "store" / "lock").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"NUMBA_NUM_THREADS": "4"}, r"has NUMBA_NUM_THREADS=4, this build 1"),
        ({"PYTHONPATH": "old"}, r"has code \w+, this build \w+: use the same environment everywhere"),
    ],
)
def test_a_worker_that_is_not_like_the_driver_is_told(
    change: dict[str, str], told: str, tmp_path: Path
) -> None:
    if "PYTHONPATH" in change:  # another version of the same code
        old = tmp_path / "old"
        for room in ("analysis", "builder", "campaign"):
            old.mkdir(exist_ok=True)
            subprocess.run(["cp", "-r", str(CHECKOUT / room), str(old / room)], check=True)
        (old / "analysis" / "__init__.py").open("a").write("# older\n")
        change = {"PYTHONPATH": str(old)}
    with (
        scheduler(tmp_path) as address,
        workers(address, tmp_path, 1, **change),
        pytest.raises(ClusterError, match=told),
    ):
        Engine(1, address)


def test_workers_that_do_not_see_the_store_are_told(
    cluster: tuple[str, list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(shared: Path | None) -> Path:
        return (
            tmp_path / "nowhere" / "token"
        )  # as a folder that is not mounted on the worker looks from there

    monkeypatch.setattr(clusters, "_token", vanished)
    with pytest.raises(ClusterError, match=r"does not see .*share"):
        Engine(1, cluster[0], shared=tmp_path)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"calbook\[cluster\]"):
        Engine(1, "tcp://127.0.0.1:9")
