"""The short way of a build that has nothing to do: taken only when all is as it was, and never told from the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tiny_campaign import NOW, bias, built, make, snapshot
from typer.testing import CliRunner

from builder.build import Built, Options, build
from builder.cli import app
from builder.progress import Progress

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).parents[2]
PLAN = '\n[[documents]]\ntitle = "Plan"\nhref = "documents/plan.txt"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make(tmp_path_factory.mktemp("unchanged") / "tiny", more=PLAN)
    (made / "documents").mkdir()
    (made / "documents/plan.txt").write_text("plan", "utf-8")
    with (made / "blocks/B1.md").open("a", encoding="utf-8") as notes:
        notes.write("\nSee [the set-up](../photo.txt).\n")
    (made / "photo.txt").write_text("photo", "utf-8")
    built(made)
    assert built(made).made is None
    return made


def longer(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")


LOOKED_AT: dict[str, Callable[[Path], object]] = {
    "campaign.toml": lambda f: (f / "campaign.toml").write_text(
        (f / "campaign.toml").read_text("utf-8").replace('"Tiny"', '"Tinier"'), "utf-8"
    ),
    "notes": lambda f: longer(f / "blocks/B1.md"),
    "limits": lambda f: (f / "limits/limits.toml").write_text("", "utf-8"),
    "record": lambda f: (f / "records/tests.csv").write_text(
        (f / "records/tests.csv").read_text("utf-8").replace("BIAS01,1,3,0,done,", "BIAS01,1,3,0,done,x"),
        "utf-8",
    ),
    "plug-in": lambda f: longer(f / "procedures/level.py"),
    "what a plug-in may import": lambda f: (f / "procedures/_levels.py").write_text("", "utf-8"),
    "a frame's time": lambda f: os.utime(f / "frames/b1.fits"),
    "a frame added": lambda f: bias(f / "frames/b9.fits", 9),
    "a frame gone": lambda f: (f / "frames/b9.fits").unlink(),
    "a file among the frames": lambda f: (f / "frames/night.log").write_text("x", "utf-8"),
    "a folder among the frames": lambda f: ((f / "frames/deep").mkdir(), bias(f / "frames/deep/b8.fits", 8)),
    "a document": lambda f: longer(f / "documents/plan.txt"),
    "a document gone": lambda f: (f / "documents/plan.txt").unlink(),
    "a file that notes link to": lambda f: longer(f / "photo.txt"),
    "a file that notes link to, gone": lambda f: (f / "photo.txt").unlink(),
    "a misspelt file": lambda f: (f / "caveat.toml").write_text("", "utf-8"),
    "a page of the site": lambda f: longer(f / "build/site/limits.html"),
    "a page of the site, gone": lambda f: (f / "build/site/health.html").unlink(),
    "a preview of the site, gone": lambda f: next((f / "build/site/previews").rglob("*.webp")).unlink(),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_whatever_moves_is_seen(folder: Path, name: str) -> None:
    """Each change takes the long way once; then the short way says what the long one says."""
    LOOKED_AT[name](folder)
    done = built(folder, now=NOW + timedelta(days=1))
    assert done.made is not None
    site = snapshot(folder / "build/site")
    again = built(folder, now=NOW + timedelta(days=2))
    assert again.made is None and again.unchanged and again.summary == done.summary
    assert snapshot(folder / "build/site") == site


def test_other_libraries_are_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builder.unchanged.version_of", lambda name: f"99 {name}")
    assert built(folder).made is not None


def test_verify_takes_the_long_way(folder: Path) -> None:
    built(folder)
    options = Options(folder, lambda: NOW, {}, None, workers=1, verify=True)
    assert build(options, Progress(quiet=True)).made is not None


def failing(folder: Path) -> Built:
    """A build with a finding, after which nothing is left to try."""
    (folder / "frames" / "b2.fits").write_bytes(b"")
    return built(folder)


def test_findings_and_exit_status_are_those_of_the_long_way(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    done = failing(folder)
    assert [f.kind for f in done.summary.errors] == ["damaged-file"]
    runs = [
        CliRunner().invoke(app, ["build", str(folder), "-j", "1", *more]) for more in ([], [], ["-q"], ["-v"])
    ]
    assert [r.exit_code for r in runs] == [1] * 4
    assert runs[0].stdout == runs[1].stdout
    assert "b2.fits" in runs[2].output and "b2.fits" in runs[3].output


def test_what_failed_for_the_moment_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "tiny")

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builder.acquired.gather.picture", full)
        assert any("No space" in f.what for f in built(folder).summary.findings)
        assert built(folder).made is not None
    assert built(folder).summary.findings == ()
    assert built(folder).made is None


def test_a_plug_in_that_cannot_be_loaded_is_tried_again(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    (folder / "procedures" / "other.py").write_text("import not_installed_yet\n", "utf-8")
    for _ in range(2):
        assert built(folder).made is not None


def test_the_short_way_loads_no_numbers(folder: Path) -> None:
    """Neither numpy nor the templates' nor the prose's libraries: most of what starting would cost."""
    built(folder)
    script = (
        "import sys\nfrom pathlib import Path\nfrom datetime import datetime, UTC\n"
        "from builder.build import Options, build\nfrom builder.progress import Progress\n"
        f"done = build(Options(Path({str(folder)!r}), lambda: datetime.now(UTC), {{}}, None, 1), Progress(quiet=True))\n"
        "print(done.made is None, sorted({'numpy', 'jinja2', 'sphinx', 'pandas', 'astropy'} & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "True []\n"
