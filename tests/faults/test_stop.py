"""Ctrl-C and SIGTERM: in every stage a build ends within two seconds, says what is kept, and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from busy_campaign import CHECKOUT, alive, busy, driven, workers_of
from comparing import differences, left_over
from test_kill import holding, wait_for

from builder.stop import KEPT, PATIENCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up under /proc"),
]

BOUND = 4.0
"""Two seconds are promised; a machine that runs other tests beside this one is given as much again."""

STAGES = (
    "load",
    "pull",
    "compare",
    "read",
    "index",
    "match",
    "summarise",
    "measure",
    "prose",
    "judge",
    "trend",
    "render",
)
SLOWED = """
import sys, time
from contextlib import contextmanager
from pathlib import Path
from builder import progress

stage = progress.Progress.stage
WHERE, MARK = sys.argv[1], Path(sys.argv[2])

@contextmanager
def held(self, name):
    with stage(self, name) as advance:
        if name == WHERE:
            MARK.touch()
            time.sleep({sleep})
        yield advance

progress.Progress.stage = held
sys.argv = ["calbook", *sys.argv[3:]]
from datetime import UTC, datetime
from builder import cli
cli._now = lambda: datetime(2025, 3, 1, 12, 0, tzinfo=UTC)  # as drive.py has it
cli.main()
"""
STUBBORN = SLOWED.replace(
    "time.sleep({sleep})",
    """
            while True:
                try:
                    time.sleep(60)
                except KeyboardInterrupt:
                    pass""",
)


def command(script: str, stage: str, mark: Path, folder: Path, output: Path) -> subprocess.Popen[str]:
    """The real command in a process group of its own, as a shell starts it; it halts at the start of a stage."""
    return subprocess.Popen(
        [sys.executable, "-c", script, stage, str(mark), "build", str(folder), "-o", str(output), "-j", "2"],
        cwd=CHECKOUT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip


def stopped(run: subprocess.Popen[str], number: int) -> tuple[float, str]:
    """Signal the whole group, as a terminal does; returns the seconds it took, and what was said on stderr."""
    begun = time.monotonic()
    os.killpg(run.pid, number)
    _, errors = run.communicate(timeout=30)
    return time.monotonic() - begun, errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busy(tmp_path_factory.mktemp("stop") / "campaign")


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_stops_in_any_stage(stage: str, folder: Path, tmp_path: Path) -> None:
    run = command(SLOWED.format(sleep=60), stage, tmp_path / "there", folder, tmp_path / "out")
    try:
        wait_for((tmp_path / "there").exists)
        workers = workers_of(run.pid)
        took, errors = stopped(run, signal.SIGINT)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 130, errors
    assert took < BOUND
    assert "Traceback" not in errors
    done = STAGES[: STAGES.index(stage)]
    told = f"Done: {', '.join(done)}. " if done else ""
    assert f"Stopped by Ctrl-C. {told}{KEPT}" in errors
    assert not any(alive(pid) for pid in workers)
    assert not (tmp_path / "out" / "store" / "lock").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_while_workers_compute_is_quick_quiet_and_nothing_is_lost(
    number: int, status: int, tmp_path: Path
) -> None:
    folder = holding(tmp_path / "campaign")
    run = command(SLOWED.format(sleep=0), "load", tmp_path / "there", folder, tmp_path / "out")
    try:
        wait_for(lambda: len(list((folder / "procedures").glob("at-*"))) >= 2)
        workers = workers_of(run.pid)
        took, errors = stopped(run, number)
    finally:
        run.kill()
        run.communicate()
    assert (run.returncode, len(workers)) == (status, 2)
    assert took < BOUND
    assert "Traceback" not in errors
    assert not any(alive(pid) for pid in workers)
    (folder / "procedures" / "hold").unlink()
    driven(folder, tmp_path / "out")
    driven(folder, tmp_path / "undisturbed")
    assert differences(tmp_path / "undisturbed", tmp_path / "out") == []
    assert left_over(tmp_path / "out") == []


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2, 0.4])
def test_a_stop_while_workers_start_is_quiet(delay: float, folder: Path, tmp_path: Path) -> None:
    run = command(SLOWED.format(sleep=0), "summarise", tmp_path / "there", folder, tmp_path / "out")
    try:
        wait_for((tmp_path / "there").exists)
        time.sleep(delay)
        took, errors = stopped(run, signal.SIGINT)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 130
    assert took < BOUND
    assert "Traceback" not in errors


def test_what_swallows_the_first_is_ended_all_the_same(folder: Path, tmp_path: Path) -> None:
    run = command(STUBBORN, "judge", tmp_path / "there", folder, tmp_path / "out")
    try:
        wait_for((tmp_path / "there").exists)
        workers = workers_of(run.pid)
        took, errors = stopped(run, signal.SIGINT)
    finally:
        run.kill()
        run.communicate()
    assert (run.returncode, len(workers)) == (130, 2)
    assert took < BOUND
    assert KEPT in errors
    wait_for(lambda: not any(alive(pid) for pid in workers), BOUND)


def test_a_second_ctrl_c_ends_at_once(folder: Path, tmp_path: Path) -> None:
    run = command(STUBBORN, "judge", tmp_path / "there", folder, tmp_path / "out")
    try:
        wait_for((tmp_path / "there").exists)
        begun = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.2)
        os.killpg(run.pid, signal.SIGINT)
        run.communicate(timeout=30)
        took = time.monotonic() - begun
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 130
    assert took < PATIENCE


def test_a_second_build_is_refused_or_waits(folder: Path, tmp_path: Path) -> None:
    first = command(SLOWED.format(sleep=8), "summarise", tmp_path / "there", folder, tmp_path / "out")
    again = [
        sys.executable, "-c", "from builder.cli import main; main()", "build", str(folder), "-o", str(tmp_path / "out")
    ]  # fmt: skip
    try:
        wait_for((tmp_path / "there").exists)
        refused = subprocess.run(again, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode == 2
        assert f"is being written to by process {first.pid} on" in refused.stderr
        waited = subprocess.run(
            [*again, "--wait", "120"], cwd=CHECKOUT, capture_output=True, text=True, timeout=180, check=False
        )
        first.communicate(timeout=60)
    finally:
        first.kill()
        first.communicate()
    assert (first.returncode, waited.returncode) == (0, 0), waited.stderr
    assert f"waiting for process {first.pid} on" in waited.stderr
    assert "Nothing changed since the last build." in waited.stdout
