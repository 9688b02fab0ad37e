"""One writer for each output folder: who holds it is told, and what a killed process left is taken over."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builder.lock import LockedError, Owner, WriteLock, birth
from builder.store import StoreError

NOW = datetime(2025, 3, 1, tzinfo=UTC)
CHECKOUT = Path(__file__).parents[2]
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from builder.lock import WriteLock
with WriteLock(Path(sys.argv[1]), datetime(2025, 3, 1, tzinfo=UTC), "calbook build there"):
    print("held", flush=True)
    sys.stdin.read()
"""


def held(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def lock(folder: Path, wait: float = 0.0) -> WriteLock:
    return WriteLock(folder, NOW, "calbook build here", wait)


def test_a_second_writer_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    other = held(tmp_path)
    with (
        pytest.raises(LockedError, match=rf"process {other.pid} on .* \(calbook build there\).*--wait"),
        lock(tmp_path),
    ):
        pass
    other.communicate("")
    with lock(tmp_path) as own:
        assert own.recovered is None
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_waits_when_asked_and_says_for_whom(tmp_path: Path) -> None:
    other, said = held(tmp_path), []
    assert other.stdin is not None
    threading.Timer(0.5, other.stdin.close).start()
    with WriteLock(tmp_path, NOW, "second", 30.0, said.append) as own:
        assert own.recovered is None
    other.wait()
    assert len(said) == 1
    assert f"waiting for process {other.pid}" in said[0]


def test_a_killed_owner_is_named_and_its_lock_taken_over(tmp_path: Path) -> None:
    before = time.time()
    other = held(tmp_path)
    other.kill()
    other.communicate()
    with lock(tmp_path) as own:
        assert own.recovered is not None
        assert own.recovered.pid == other.pid
        assert own.cut_off is not None
        assert before - 1 < own.cut_off < time.time() + 1
        written = Owner(**json.loads((tmp_path / "lock").read_text()))
        assert (written.pid, written.command, written.born) == (
            os.getpid(),
            "calbook build here",
            birth(os.getpid()),
        )
        assert written.alive
    with lock(tmp_path) as own:
        assert (own.recovered, own.cut_off) == (None, None)


def test_an_owner_on_another_machine_is_left_alone(tmp_path: Path) -> None:
    elsewhere = Owner(12, "far-away", "2025-03-01T00:00:00", "calbook build", "77")
    path = tmp_path / "lock"
    path.write_text(json.dumps(asdict(elsewhere)))
    with pytest.raises(LockedError, match=rf"far-away.*if it is gone, remove {path}"), lock(tmp_path):
        pass
    assert path.exists()
    path.unlink()
    with lock(tmp_path):
        pass


def test_without_locks_of_the_file_system_the_process_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with lock(tmp_path), pytest.raises(LockedError), lock(tmp_path):
        pass
    me = lock(tmp_path).owner
    reused = replace(me, born="1")  # the same process id, of a process that began at another time
    (tmp_path / "lock").write_text(json.dumps(asdict(reused)))
    with lock(tmp_path) as own:
        assert own.recovered == reused


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name another place with --output"), lock(tmp_path / "file"):
        pass


def test_many_processes_take_turns(tmp_path: Path) -> None:
    """Each adds one to a number in a file by reading it and writing it: a turn that overlaps loses counts."""
    count = tmp_path / "count"
    count.write_text("0")
    turn = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from builder.lock import WriteLock
folder = Path(sys.argv[1])
for _ in range(20):
    with WriteLock(folder / "store", datetime.now(UTC), "turn", 60.0):
        held = int((folder / "count").read_text())
        (folder / "count").write_text(str(held + 1))
"""
    several = [subprocess.Popen([sys.executable, "-c", turn, str(tmp_path)], cwd=CHECKOUT) for _ in range(3)]
    assert [p.wait(120) for p in several] == [0, 0, 0]
    assert count.read_text() == "60"
