"""What several rooms' tests share: the example campaign, built once by the real command."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def built_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of ``examples/vgcc`` with its site built from a clean state under ``build/site``.

    Built once for all workers of a run: the first takes the lock and builds, the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = shared / "example" / "vgcc", shared / "example-built"
    with (shared / "example.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.copytree(
                CHECKOUT / "examples" / "vgcc", folder, ignore=shutil.ignore_patterns("build", "frames")
            )
            command = [sys.executable, "-c", "from builder.cli import main; main()", "build", str(folder)]
            ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
            assert ran.returncode == 1, f"the example has errors planted in it: {ran.stdout}\n{ran.stderr}"
            done.write_text(ran.stdout)
    return folder
