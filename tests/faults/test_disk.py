"""Disks that fill, folders that cannot be written to, files that vanish or change, memory that does not suffice.

Each costs what it touches, with a message; the rest is built, and the next build mends it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from busy_campaign import CHECKOUT, busy, driven
from comparing import differences, half_files, left_over
from test_kill import SLOW, USE
from tiny_campaign import bias, built, pixels

from builder.recover import UNSOUND

pytestmark = pytest.mark.slow

BUILD = [sys.executable, "-c", "from builder.cli import main; main()", "build"]


def in_namespace(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where this user may mount; skips where the system does not allow that."""
    unshare = shutil.which("unshare")
    probe = [unshare or "unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if unshare is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("mounting in a namespace of one's own (unshare -rm) is not permitted here")
    return subprocess.run(
        [unshare, "-rm", "sh", "-c", script, "sh", *arguments], cwd=CHECKOUT, text=True, capture_output=True,
        timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("size", ["400k", "5m"])
def test_a_full_disk_is_told_and_a_larger_one_mends_it(size: str, tmp_path: Path) -> None:
    """The disk fills at different stages; after growing it, the same command finishes."""
    folder, out = busy(tmp_path / "campaign"), tmp_path / "out"
    out.mkdir()
    script = """
        mount -t tmpfs -o size=$3 tmpfs "$2" || exit 99
        "$4" -c "from builder.cli import main; main()" build "$1" -o "$2" -q; echo "first $?"
        find "$2" -name lock
        mkdir -p "$5/cut"; cp -r "$2/." "$5/cut/"
        mount -o remount,size=200m "$2"
        "$4" -c "from builder.cli import main; main()" build "$1" -o "$2" -q; echo "second $?"
        cp -r "$2/." "$5/mended/"
    """
    ran = in_namespace(script, str(folder), str(out), size, sys.executable, str(tmp_path))
    assert "first 2" in ran.stdout or "first 1" in ran.stdout, ran.stdout + ran.stderr
    assert "No space left on device" in ran.stderr or "full" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "/lock" not in ran.stdout
    assert "second 0" in ran.stdout, ran.stdout + ran.stderr
    driven(folder, tmp_path / "undisturbed")
    same_but_times = [
        d
        for d in differences(tmp_path / "undisturbed", tmp_path / "mended")
        if "html" not in d and "json" not in d and "data/" not in d and "sqlite" not in d and ".js" not in d
    ]  # fmt: skip - the real command has the real clock
    assert same_but_times == []
    assert half_files(tmp_path / "cut", tmp_path / "mended") == []
    assert left_over(tmp_path / "mended") == []


def test_an_output_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    folder, out = busy(tmp_path / "campaign"), tmp_path / "out"
    out.mkdir()
    ran = in_namespace(
        'mount --bind "$2" "$2" && mount -o remount,bind,ro "$2" || exit 99\n'
        '"$3" -c "from builder.cli import main; main()" build "$1" -o "$2"; echo "status $?"',
        str(folder), str(out), sys.executable,
    )  # fmt: skip
    assert "status 2" in ran.stdout, ran.stdout + ran.stderr
    assert "Read-only file system" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(out.iterdir()) == []


def test_a_store_that_became_read_only_is_told(tmp_path: Path) -> None:
    folder, out = busy(tmp_path / "campaign"), tmp_path / "out"
    driven(folder, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    ran = in_namespace(
        'mount --bind "$2" "$2" && mount -o remount,bind,ro "$2" || exit 99\n'
        '"$3" -c "from builder.cli import main; main()" build "$1" -o "$2"; echo "status $?"',
        str(folder), str(out), sys.executable,
    )  # fmt: skip
    assert "status 2" in ran.stdout, ran.stdout + ran.stderr
    assert "cannot be written to" in ran.stderr
    assert "--output" in ran.stderr
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


VANISH = '''"""Removes or changes a frame while the build is at it."""
import os
from pathlib import Path
from builder.acquired import onepass

whole = onepass.read_file
VICTIM, HOW = os.environ["VICTIM"], os.environ["HOW"]

def read_file(task):
    if task.path.name == VICTIM:
        if HOW == "vanish":
            task.path.unlink()
        elif HOW == "cut":
            with open(task.path, "r+b") as file:
                file.truncate(4000)
    return whole(task)

onepass.read_file = read_file
'''


@pytest.mark.parametrize("how", ["vanish", "cut"])
def test_a_file_that_goes_while_it_is_read_costs_itself(how: str, tmp_path: Path) -> None:
    """The file goes between the listing and the reading: the frame is told, the others are measured."""
    folder = busy(tmp_path / "campaign")
    (tmp_path / "sitecustomize.py").write_text(VANISH)
    environ = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{CHECKOUT}",
        "VICTIM": "b5.fits",
        "HOW": how,
    }
    ran = subprocess.run(
        [*BUILD, str(folder), "-o", str(tmp_path / "out"), "-j", "2"], cwd=CHECKOUT, text=True,
        capture_output=True, timeout=300, check=False, env=environ,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    health = (tmp_path / "out" / "site" / "health.html").read_text("utf-8")
    assert "b5.fits" in health
    bias(folder / "frames" / "b5.fits", 5)
    again = built(folder, output=tmp_path / "out").report
    assert [f.what for f in again.findings if f.severity == "error"] == []
    fresh = built(folder, output=tmp_path / "fresh").report
    assert {o.result_id for o in again.outcomes()} == {o.result_id for o in fresh.outcomes()}


def test_a_frame_that_is_replaced_after_the_listing_is_read_again_by_the_next_build(tmp_path: Path) -> None:
    folder = busy(tmp_path / "campaign")
    first = built(folder).report
    bias(folder / "frames" / "b5.fits", 5, data=pixels(5, 1010.0))
    second = built(folder).report
    assert {o.result_id for o in first.outcomes()} != {o.result_id for o in second.outcomes()}


HUNGRY = SLOW.replace(
    "    held = [",
    """    if (HERE / "hungry").exists() and inputs.test == "BIAS03":
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        [bytearray(2**28) for _ in range(64)]
    if (HERE / "killed").exists() and inputs.test == "BIAS03":
        import signal
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does for want of memory
    held = [""",
)


@pytest.mark.parametrize(
    ("how", "told"),
    [("hungry", "MemoryError"), ("killed", "a worker process was killed; is there enough memory?")],
)
def test_a_lack_of_memory_costs_one_result(how: str, told: str, tmp_path: Path) -> None:
    folder, out = busy(tmp_path / "campaign", USE), tmp_path / "out"
    (folder / "procedures" / "slow.py").write_text(HUNGRY)
    (folder / "procedures" / how).touch()
    ran = subprocess.run(
        [*BUILD, str(folder), "-o", str(out), "-j", "2"], cwd=CHECKOUT, text=True, capture_output=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    page = out / "site" / "blocks" / "B1" / "tests" / "BIAS03.html"
    assert told in page.read_text("utf-8")
    (folder / "procedures" / how).unlink()
    report = built(folder, output=out).report
    assert [f.what for f in report.findings if f.severity == "error"] == []
    assert all(o.status == "done" for o in report.outcomes() if o.procedure.name == "slow")


@pytest.mark.parametrize("damage", ["emptied", "changed", "removed"])
def test_a_damaged_object_is_noticed_and_made_again(damage: str, tmp_path: Path) -> None:
    """As after a loss of power: the database knows the object, the disk does not have its content."""
    folder, out = busy(tmp_path / "campaign"), tmp_path / "out"
    whole = built(folder, output=out)
    shutil.rmtree(out / "site")  # else the site keeps its own link
    victim = next(p for p in sorted((out / "store" / "objects").rglob("*.webp")))
    data = victim.read_bytes()
    victim.unlink()
    if damage != "removed":
        victim.write_bytes(b"" if damage == "emptied" else bytes(len(data)))
    noticed = built(folder, output=out)
    assert [fault for _, fault in noticed.undrawn if "the next build makes it again" in fault]
    assert (out / "store" / UNSOUND).exists()
    mended = built(folder, output=out)
    assert mended.undrawn == ()
    assert victim.read_bytes() == data
    assert not (out / "store" / UNSOUND).exists()
    assert len(list((out / "site" / "previews").rglob("*.webp"))) == sum(
        bool(f.preview) for b in whole.report.blocks for f in b.frames
    )


def test_a_cut_off_build_has_its_objects_checked_at_once(tmp_path: Path) -> None:
    """The lock that it left says so: nobody has to see a damaged figure first."""
    folder, out = busy(tmp_path / "campaign"), tmp_path / "out"
    built(folder, output=out)
    shutil.rmtree(out / "site")
    victim = next(p for p in sorted((out / "store" / "objects").rglob("*.webp")))
    data = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(b"")
    (out / "store" / "lock").write_text("{")  # its owner was killed while it signed
    part = out / "store" / "objects" / ".parts" / ".part-left"
    part.write_bytes(b"half")
    mended = built(folder, output=out)
    assert mended.undrawn == ()
    assert victim.read_bytes() == data
    assert not part.exists()


def test_a_link_to_an_object_that_a_kill_left_is_never_written_to(tmp_path: Path) -> None:
    folder, out = busy(tmp_path / "campaign"), tmp_path / "out"
    built(folder, output=out)
    victim = next(p for p in sorted((out / "store" / "objects").rglob("*.webp")))
    data = victim.read_bytes()
    os.link(victim, out / "site" / ".calbook-part")
    (out / "site" / "index.html").unlink()
    built(folder, output=out)
    assert victim.read_bytes() == data
