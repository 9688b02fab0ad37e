"""Making versions: whole or not at all, of what was built only, and sharing what did not change."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_campaign import built

from builder.archive import ArchiveError, NotAsBuiltError, versions
from builder.archive.make import Made
from builder.archive.retention import disk_use
from builder.archive.verify import verify
from builder.archive.versions import indexed

CHECKOUT = Path(__file__).parents[2]
Archive = Callable[..., Made]


def test_a_version_has_what_it_says(campaign: Path, archived: Archive) -> None:
    made = archived("first report", note="For <b>review</b>")
    folder = made.version.folder
    assert folder.parent == campaign / "versions" and folder.name.startswith("0001-first-report")
    data = folder / "data"
    site = {
        p.relative_to(campaign / "build/site") for p in (campaign / "build/site").rglob("*") if p.is_file()
    }
    kept = {p.relative_to(data / "site") for p in (data / "site").rglob("*") if p.is_file()}
    assert site - kept == {Path(".calbook-manifest.json")} and kept <= site
    for name in (
        "campaign.toml",
        "blocks/B1.md",
        "limits/limits.toml",
        "records/tests.csv",
        "procedures/level.py",
    ):
        assert (data / "campaign" / name).read_bytes() == (campaign / name).read_bytes()
    assert not (data / "campaign/frames").exists() and not (data / "campaign/build").exists()
    assert (
        list((data / "store/snapshots/record").glob("2*.json"))
        and (data / "environment/requirements.lock").exists()
    )
    inputs = (data / "inputs.csv").read_text().splitlines()
    assert len(inputs) == 6 and inputs[1].startswith("frames/b1.fits,") and inputs[1].endswith(",yes")
    import blake3

    frame = campaign / "frames/b1.fits"
    assert (
        inputs[1]
        == f"frames/b1.fits,{frame.stat().st_size},{blake3.blake3(frame.read_bytes()).hexdigest()},yes"
    )
    version = versions(campaign)[0]
    assert (version.number, version.label, version.note, version.author) == (
        1, "first report", "For <b>review</b>", "A. Person",
    )  # fmt: skip
    assert version.facts["counts"]["tests"] == 2 and version.facts["previous"] is None
    page = (campaign / "versions/index.html").read_text()
    assert "For &lt;b&gt;review&lt;/b&gt;" in page and f'{folder.name}/data/site/index.html"' in page
    assert indexed(campaign)[1]["seal"] == version.seal


def test_the_extract_has_the_results_and_no_caches(campaign: Path, archived: Archive) -> None:
    import sqlite3

    db = sqlite3.connect(archived().version.folder / "data/store/calbook.sqlite")
    assert db.execute("SELECT count(*) FROM measurements").fetchone()[0] > 0
    assert db.execute("SELECT count(*) FROM builds WHERE finished IS NOT NULL").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM files").fetchone() == (0,)
    db.close()


def test_other_libraries_find_the_bag_valid(campaign: Path, archived: Archive, tmp_path: Path) -> None:
    bagit = pytest.importorskip("bagit")
    (campaign / "documents").mkdir()
    (campaign / "documents" / "odd\nname é.txt").write_text("odd")
    made = archived()
    assert (made.version.folder / "data/campaign/documents/odd\nname é.txt").exists()
    bag = bagit.Bag(str(made.version.folder))
    bag.validate()
    assert bag.version_info == (1, 0) and bag.info["Contact-Name"] == "A. Person"
    assert verify(campaign).problems == ()


def test_versions_are_read_only_and_numbers_are_never_used_again(campaign: Path, archived: Archive) -> None:
    archived("one")
    second = archived("two").version.folder
    assert not [p for p in [second, *second.rglob("*")] if p.stat().st_mode & 0o222]
    for path in [second, *(p for p in second.rglob("*") if p.is_dir())]:
        path.chmod(0o755)
    shutil.rmtree(second)
    assert archived("three").version.number == 3
    assert [(n, e["present"]) for n, e in indexed(campaign).items()] == [(1, True), (2, False), (3, True)]
    assert verify(campaign).notes == ("listed, but no longer here: 2 (two)",)


@pytest.mark.parametrize(
    "fault", ["changed", "same size", "missing", "journal", "unfinished", "other build", "no site"]
)
def test_a_site_that_is_not_as_built_is_refused(fault: str, campaign: Path, archived: Archive) -> None:
    site = campaign / "build/site"
    page = site / "blocks/B1/tests/BIAS01.html"
    if fault == "changed":
        page.write_text("mine")
    elif fault == "same size":
        about, text = page.stat(), page.read_bytes()
        page.write_bytes(text.replace(b"Level", b"LeveI", 1))
        os.utime(page, ns=(about.st_atime_ns, about.st_mtime_ns))
    elif fault == "missing":
        page.unlink()
    elif fault == "journal":
        (site / ".calbook-journal").write_text('"new.html"\n')
    elif fault == "no site":
        shutil.rmtree(site)
    else:
        import sqlite3

        db = sqlite3.connect(campaign / "build/store/calbook.sqlite")
        if fault == "unfinished":
            db.execute(
                "INSERT INTO builds (id, started, command, versions) VALUES (2, '2025-03-02', 'x', '{}')"
            )
            db.execute(
                "INSERT INTO verdicts SELECT measurement_id, 'fail', NULL, NULL, NULL, '', 2 FROM verdicts"
            )
        else:
            db.execute(
                "INSERT INTO builds SELECT 2, started, finished, command, versions, digest, state, changes, seconds FROM builds"
            )
        db.commit()
        db.close()
    with pytest.raises(NotAsBuiltError, match=r"[Bb]uild"):
        archived()
    assert versions(campaign) == [] and not list((campaign / "versions").glob(".part-*"))


def test_what_should_not_be_archived_is_left_out_and_listed(
    campaign: Path, archived: Archive, tmp_path: Path
) -> None:
    (campaign / ".env").write_text("KEY=secret")
    (campaign / "key.json").write_text("secret")
    with (campaign / "campaign.toml").open("a") as toml:
        toml.write('\n[sheets]\ncredentials = "key.json"\n')
    (tmp_path / "outside.txt").write_text("words from elsewhere")
    (campaign / "records" / "away.txt").symlink_to(tmp_path / "outside.txt")
    (campaign / "documents").mkdir()
    (campaign / "documents/copied.txt").write_text('{"private_key": "-----BEGIN PRIVATE KEY-----abc123"}')
    (campaign / "build/site/mine.txt").write_text("mine")
    made = archived()
    left = dict(made.version.facts["left_out"])
    assert left["campaign/.env"] == "hidden" and left["campaign/key.json"] == "the key of a service account"
    assert "leads out" in left["campaign/records/away.txt"] and left["site/mine.txt"] == "not made by calbook"
    held = b"".join(p.read_bytes() for p in made.version.folder.rglob("*") if p.is_file())
    assert left["campaign/documents/copied.txt"] == "a private key"
    assert not [word for word in (b"KEY=secret", b"words from elsewhere", b"abc123") if word in held]
    assert (
        "campaign.toml" in made.version.facts["newer_than_build"] and "changed after build 1" in made.notes[0]
    )


def test_ten_versions_of_a_slightly_changing_site_cost_little_more_than_one(
    campaign: Path, archived: Archive
) -> None:
    first = archived("1").version.folder
    one = disk_use([first])
    for number in range(2, 11):
        text = (campaign / "blocks/B1.md").read_text()
        (campaign / "blocks/B1.md").write_text(f"{text}\nNote {number}.\n")
        built(campaign)
        made = archived(str(number))
        assert made.linked > 0.7 * made.files and not [n for n in made.notes if "copied" in n]
    ten = disk_use(v.folder for v in versions(campaign))
    apart = sum(disk_use([v.folder]) for v in versions(campaign))
    assert verify(campaign).problems == ()
    assert ten < 3.5 * one and apart > 9.5 * one, (one, ten, apart)


def test_a_damaged_file_is_not_shared_with_the_next_version(campaign: Path, archived: Archive) -> None:
    first = archived("1").version.folder
    page = first / "data/site/index.html"
    page.chmod(0o644)
    page.write_bytes(page.read_bytes()[:-1] + b"?")
    second = archived("2")
    assert any("index.html is damaged" in note for note in second.notes)
    assert [(p.version, p.path) for p in verify(campaign).problems] == [(first.name, "data/site/index.html")]
    assert verify(campaign).problems[0].whole == f"{second.version.folder.name}/data/site/index.html"


def test_where_files_cannot_be_linked_they_are_copied_and_that_is_said(
    campaign: Path, archived: Archive
) -> None:
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == campaign.stat().st_dev:
        pytest.skip("no second file system to write to")
    elsewhere = other / f"calbook-test-{os.getpid()}"
    first = archived("1").version.folder
    try:
        shutil.copytree(first, elsewhere)
        for path in [first, *(p for p in first.rglob("*") if p.is_dir())]:
            path.chmod(0o755)
        shutil.rmtree(first)
        first.symlink_to(elsewhere)
        made = archived("2")
        assert made.linked == 0 and any(
            "were copied, since they could not be linked" in n for n in made.notes
        )
        assert verify(campaign).problems == ()
    finally:
        for path in [elsewhere, *(p for p in elsewhere.rglob("*") if p.is_dir())]:
            path.chmod(0o755)
        shutil.rmtree(elsewhere)


@pytest.mark.parametrize("files", [1, 900])
def test_an_archive_that_is_killed_leaves_no_version(files: int, campaign: Path, archived: Archive) -> None:
    (campaign / "documents").mkdir()
    for number in range(2000):
        (campaign / "documents" / f"{number}.txt").write_text(str(number))
    command = [
        sys.executable,
        "-c",
        "from builder.cli import main; main()",
        "archive",
        str(campaign),
        "-l",
        "x",
        "-a",
        "y",
    ]
    running = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    place = campaign / "versions"
    written = 0
    while written < files and running.poll() is None:
        time.sleep(0.001)
        written = sum(1 for _ in place.glob(".part-*/data/campaign/documents/*"))
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL, "it was done before it could be killed"
    assert versions(campaign) == [] and list(place.glob(".part-*")) and not (place / "versions.json").exists()
    made = archived("after")
    assert made.version.number == 1 and not list(place.glob(".part-*"))
    assert verify(campaign).problems == ()


def test_one_archive_at_a_time_and_no_empty_names(campaign: Path, archived: Archive) -> None:
    import fcntl

    archived("1")
    with (campaign / "versions/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ArchiveError, match="Another archive"):
            archived("2")
    with pytest.raises(ArchiveError, match="label and an author"):
        archived(" ")
    with pytest.raises(ArchiveError, match="builds make"):
        archived("2", to=campaign / "build/versions")
    elsewhere = campaign.parent / "kept elsewhere"
    assert archived("2", to=elsewhere).version.number == 1
    (kept,) = versions(elsewhere)
    assert kept.label == "2" and ["campaign/versions", "report versions"] in kept.facts["left_out"]
    assert not (kept.folder / "data/campaign/versions").exists()
