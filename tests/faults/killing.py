"""Kill a build at a random moment, look at what is there, build again, and compare with a build that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from busy_campaign import FRAMES, TESTS, alive, busy, drive, driven, workers_of
from comparing import differences, half_files, left_over


@dataclass(frozen=True)
class Scene:
    """A campaign, its outputs when nothing goes wrong, and how long such builds take [s].

    ``former`` is the output of the first test alone; ``later`` what a build makes of that, ``fresh`` what it makes
    of nothing.
    """

    folder: Path
    former: Path
    later: Path
    fresh: Path
    later_seconds: float
    fresh_seconds: float


def scene(root: Path) -> Scene:
    """Make the campaign and its undisturbed outputs."""
    folder = busy(root / "campaign")
    record = folder / "records" / "tests.csv"
    whole = record.read_text()
    record.write_text("".join(whole.splitlines(keepends=True)[:2]))  # the first test only
    hidden = root / "hidden"
    hidden.mkdir()
    for number in range(FRAMES + 1, TESTS * FRAMES + 1):  # what is new suffices to start workers
        (folder / "frames" / f"b{number}.fits").rename(hidden / f"b{number}.fits")
    driven(folder, root / "former")
    record.write_text(whole)
    for path in hidden.iterdir():
        path.rename(folder / "frames" / path.name)
    begun = time.monotonic()
    driven(folder, root / "fresh")
    fresh_seconds = time.monotonic() - begun
    shutil.copytree(root / "former", root / "later", symlinks=True)
    begun = time.monotonic()
    driven(folder, root / "later")
    return Scene(
        folder, root / "former", root / "later", root / "fresh", time.monotonic() - begun, fresh_seconds
    )


def killed_and_mended(held: Scene, output: Path, seed: int) -> tuple[str, list[str]]:
    """One kill and its repair: what was done, and everything that was wrong with it ([] for nothing)."""
    rng = random.Random(seed)
    fresh = rng.random() < 0.5
    expected, seconds = (held.fresh, held.fresh_seconds) if fresh else (held.later, held.later_seconds)
    if not fresh:
        shutil.copytree(held.former, output, symlinks=True)
    wait, driver_dies = rng.uniform(0.0, seconds), rng.random() < 0.6
    what = f"seed {seed}: {'fresh' if fresh else 'later'}, {'driver' if driver_dies else 'worker'} after {wait:.2f} s"
    wrong: list[str] = []
    run = drive(held.folder, output)
    try:
        until = time.monotonic() + wait
        while time.monotonic() < until and run.poll() is None:
            time.sleep(0.002)
        workers = workers_of(run.pid)
        if driver_dies or not workers:
            if run.poll() is None:
                os.kill(run.pid, signal.SIGKILL)
                run.wait()
            if output.exists():
                wrong += [f"half: {name}" for name in half_files(output, expected, held.former)]
            wrong += _orphans(workers)
        else:
            os.kill(rng.choice(workers), signal.SIGKILL)
            said, _ = run.communicate(timeout=300)
            if run.returncode != 0:
                wrong.append(f"a worker's death stopped the build: {said}")
            wrong += differences(expected, output)
    finally:
        if run.poll() is None:
            run.kill()
        run.communicate()
    driven(held.folder, output)
    wrong += differences(expected, output)
    wrong += [f"left over: {name}" for name in left_over(output)]
    said = driven(held.folder, output)
    if "written 0," not in said:
        wrong.append(f"another build was not idle: {said}")
    shutil.rmtree(output)
    return what, wrong


def _orphans(workers: list[int]) -> list[str]:
    until = time.monotonic() + 3.0
    while time.monotonic() < until and any(alive(pid) for pid in workers):
        time.sleep(0.01)
    return [f"orphan: {pid}" for pid in workers if alive(pid)]
