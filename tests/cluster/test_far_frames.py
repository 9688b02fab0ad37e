"""Frames on a disk that is mounted on the workers alone: the driver opens none of them, and the site is the same to the byte.

Workers run in a mount namespace of their own, in which the disk lies where the driver has an empty folder.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "tests" / "faults"))

from busy_campaign import busy  # noqa: E402
from comparing import differences, left_over  # noqa: E402
from dask_processes import scheduler, workers  # noqa: E402
from tiny_campaign import bias  # noqa: E402

from builder.build import Built, Options, build  # noqa: E402
from builder.engine import one_thread_each  # noqa: E402
from builder.progress import Progress  # noqa: E402

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
USE = """
[procedures.bias]
tests = ["BIAS*"]

[data]
roots = ["{}"]
logs = ["*.csv"]
"""


def mounting(disk: Path, place: Path) -> list[str]:
    """A command that starts another where ``disk`` lies at ``place``."""
    return [
        "unshare",
        "-rm",
        "sh",
        "-c",
        'mount --rbind "$0" "$1" && shift && exec "$@"',
        str(disk),
        str(place),
    ]


def may_mount() -> bool:
    """Whether this machine lets us mount in a namespace of our own."""
    if shutil.which("unshare") is None:
        return False
    run = subprocess.run(
        ["unshare", "-rm", "mount", "--rbind", "/", "/mnt"], capture_output=True, check=False
    )
    return run.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed"),
    pytest.mark.skipif(not may_mount(), reason="this machine allows no mount namespaces"),
]


class Far:
    """A campaign whose frames are on a disk that only those see who start within ``mounted``."""

    def __init__(self, folder: Path, root: str) -> None:
        self.disk, place = folder / "disk", folder / "far"
        self.campaign = busy(folder / "campaign", USE.format(root))
        self.frames = self.disk / Path(root).relative_to("../far")
        self.frames.parent.mkdir(exist_ok=True)
        (self.campaign / "frames").rename(self.frames)
        (self.frames / "log.csv").write_text("expnum,operator\n1,Ada\n", "utf-8")
        place.mkdir()
        self.mounted = mounting(self.disk, place)
        self.root = self.campaign / root

    def here(self, output: Path) -> None:
        """A build by local workers, on a machine on which the disk is mounted."""
        command = [
            *self.mounted,
            sys.executable,
            str(CHECKOUT / "tests/faults/drive.py"),
            str(self.campaign),
            str(output),
        ]
        environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        run = subprocess.run(command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr

    def afar(self, output: Path, scheduler: str) -> Built:
        """A build by the workers of a cluster, from this process, which does not see the disk."""
        one_thread_each()
        options = Options(self.campaign, lambda: NOW, os.environ, output, 1, scheduler=scheduler)
        return build(options, Progress(quiet=True))


@pytest.fixture(params=["../far/frames", "../far"], ids=["absent", "an empty mount point"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    made = Far(tmp_path, request.param)
    assert not made.root.exists() or list(made.root.iterdir()) == []
    yield made


def kept(output: Path) -> dict[str, bytes]:
    """What workers wrote into the store: objects (previews, details, figures, products) and masters."""
    store = output / "store"
    held = [p for folder in ("objects", "masters") for p in (store / folder).rglob("*") if p.is_file()]
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in held}


def test_a_site_of_frames_that_only_workers_see_is_the_same_to_the_byte(far: Far, tmp_path: Path) -> None:
    with scheduler(tmp_path) as address, workers(address, tmp_path, within=far.mounted):
        built = far.afar(tmp_path / "afar", address)
    assert built.summary.files == 24
    assert [f for f in built.summary.findings if f.kind in ("missing-folder", "damaged-file")] == []
    far.here(tmp_path / "here")
    assert differences(tmp_path / "here", tmp_path / "afar") == []
    assert left_over(tmp_path / "afar") == []
    made = kept(tmp_path / "afar")
    assert made == kept(tmp_path / "here")
    suffixes = {Path(name).suffix for name in made}
    assert suffixes >= {".webp", ".details", ".fits", ".npy", ".svg"}


def test_what_moves_where_only_workers_see_it_is_seen(tmp_path: Path) -> None:
    far, output = Far(tmp_path, "../far"), tmp_path / "afar"
    with scheduler(tmp_path) as address, workers(address, tmp_path, within=far.mounted):
        first = far.afar(output, address)
        again = far.afar(output, address)
        assert again.made is None and again.unchanged and again.summary == first.summary
        bias(far.frames / "b3.fits", 33, EXPNUM=3)
        bias(far.frames / "b99.fits", 99)
        more = far.afar(output, address)
        assert more.made is not None
        assert (more.summary.files, more.costs.counts["files_read"]) == (25, 2)
        (far.frames / "b99.fits").unlink()
        assert far.afar(output, address).summary.files == 24
    far.here(tmp_path / "here")
    assert (tmp_path / "here/site/data/measurements.csv").read_bytes() == (
        output / "site/data/measurements.csv"
    ).read_bytes()


def test_workers_that_do_not_see_the_frames_are_told_and_nothing_is_lost(tmp_path: Path) -> None:
    far = Far(tmp_path, "../far/frames")
    output = tmp_path / "afar"
    with scheduler(tmp_path) as address:
        with workers(address, tmp_path, 1):
            blind = far.afar(output, address)
        assert "missing-folder" in {f.kind for f in blind.summary.findings}
        with workers(address, tmp_path, 1, within=far.mounted):
            whole = far.afar(output, address)
    assert whole.summary.files == 24
    far.here(tmp_path / "here")
    assert (tmp_path / "here/site/data/measurements.csv").read_bytes() == (
        output / "site/data/measurements.csv"
    ).read_bytes()
