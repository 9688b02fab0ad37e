"""What several rooms' tests share: the example campaign, built once by the real command, and a browser."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder.engine import one_thread_each

one_thread_each()  # before numpy is loaded: tests run beside each other, as workers do

import hypothesis  # noqa: E402
import pytest  # noqa: E402

hypothesis.settings.register_profile("calbook", deadline=None)  # no test fails by the clock
hypothesis.settings.load_profile("calbook")

CHECKOUT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first: what is left at the end is short, so that no worker waits for another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def built(tmp_path_factory: pytest.TempPathFactory, name: str, code: int) -> Path:
    """The folder of a copy of ``examples/<name>`` with its site built from a clean state under ``build/site``, by the real command.

    Built once for all workers of a run: the first takes the lock and builds, the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = shared / "example" / name, shared / f"{name}-built"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.copytree(
                CHECKOUT / "examples" / name, folder, ignore=shutil.ignore_patterns("build", "frames")
            )
            command = [sys.executable, "-c", "from builder.cli import main; main()", "build", str(folder)]
            ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
            assert ran.returncode == code, f"{name}: {ran.stdout}\n{ran.stderr}"
            done.write_text(ran.stdout)
    return folder


@pytest.fixture(scope="session")
def built_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign with many planted faults, built: it ends with errors, because some are planted in it."""
    return built(tmp_path_factory, "vgcc", 1)


@pytest.fixture(scope="session")
def built_physics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small camera of known effects, built: every procedure runs on it."""
    return built(tmp_path_factory, "physics", 0)


CHROMIUM_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless chromium, one for all tests of a process (a second beside it cannot be driven); without one the tests are skipped, but in CI that is a failure."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium on PATH: the browser tests must run in CI")
        pytest.skip("no chromium on PATH: install one to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, headless=True, args=list(CHROMIUM_ARGUMENTS))
        yield started
        started.close()
