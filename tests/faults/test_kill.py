"""Builds killed by SIGKILL, driver or worker, at random moments (a handful here; kill_many.py does as many as asked)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from busy_campaign import alive, busy, drive, driven, workers_of
from comparing import differences
from killing import Scene, killed_and_mended, scene

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up under /proc"),
]

SLOW = '''"""Takes its time."""
import os, time
from pathlib import Path
from analysis.contract import Procedure, Quantity, Role, Version

HERE = Path(__file__).parent

def measure(inputs, results):
    if (HERE / "hold").exists():
        (HERE / f".at-{inputs.test}").write_text(str(os.getpid()))
        (HERE / f".at-{inputs.test}").rename(HERE / f"at-{inputs.test}")
        time.sleep(120)
    held = [f.summaries[c.name].mean for f in inputs.frames["bias"] for c in inputs.detector.geometry.channels]
    results.value("mean", sum(held) / len(held), None, n=len(held))

PROCEDURE = Procedure(
    name="slow", title="Slow", purpose="Takes its time.", history=(Version("1", "2025-01-01", "first"),),
    roles=(Role("bias", ("bias",), 1, "zero-second frames"),),
    quantities=(Quantity("mean", "M", "ADU", "Mean of means", "mean", per="detector"),),
    measure=measure,
)
'''
USE = '\n[procedures.slow]\ntests = ["BIAS*"]\n'


def holding(folder: Path) -> Path:
    """A campaign whose procedure waits in its workers while the file 'hold' is there."""
    busy(folder, USE)
    (folder / "procedures" / "slow.py").write_text(SLOW)
    (folder / "procedures" / "hold").touch()
    return folder


def wait_for(found: object, seconds: float = 60.0) -> None:
    """Wait until a function says yes."""
    assert callable(found)
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene(tmp_path_factory.mktemp("kill"))


@pytest.mark.parametrize("seed", [11, 12, 13, 14, 15])
def test_a_killed_build_is_finished_by_the_next_with_the_same_bytes(
    held: Scene, tmp_path: Path, seed: int
) -> None:
    what, wrong = killed_and_mended(held, tmp_path / "killed", seed)
    assert wrong == [], what


def test_the_comparison_would_see_a_difference(held: Scene) -> None:
    found = differences(held.former, held.fresh)
    assert any(line.startswith("differs: data/measurements.csv") for line in found)
    assert any(" measurements: " in line for line in found)


def test_workers_end_with_a_killed_driver_also_while_they_compute(tmp_path: Path) -> None:
    folder = holding(tmp_path / "campaign")
    run = drive(folder, tmp_path / "out")
    try:
        wait_for(lambda: len(list((folder / "procedures").glob("at-*"))) >= 2)
        workers = workers_of(run.pid)
        assert len(workers) == 2
        run.kill()
        run.wait()
        wait_for(lambda: not any(alive(pid) for pid in workers), 3.0)
    finally:
        run.kill()
        run.communicate()
    (folder / "procedures" / "hold").unlink()
    said = driven(folder, tmp_path / "out")
    assert f"process {run.pid} on" in said
    assert "was cut off; what it finished is kept" in said
    driven(folder, tmp_path / "undisturbed")
    assert differences(tmp_path / "undisturbed", tmp_path / "out") == []


def test_a_killed_worker_costs_nothing(tmp_path: Path) -> None:
    folder = holding(tmp_path / "campaign")
    run = drive(folder, tmp_path / "out")
    try:
        wait_for(lambda: len(list((folder / "procedures").glob("at-*"))) >= 2)
        (folder / "procedures" / "hold").unlink()
        for pid in workers_of(run.pid):
            os.kill(pid, signal.SIGKILL)
        said, _ = run.communicate(timeout=120)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 0
    assert "errors 0" in said
    driven(folder, tmp_path / "undisturbed")
    assert differences(tmp_path / "undisturbed", tmp_path / "out") == []
