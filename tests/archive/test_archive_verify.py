"""Any changed, missing or added byte of a version is found and named, also where versions share it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builder.archive import ArchiveError, versions
from builder.archive.make import Made, remove
from builder.archive.verify import verify
from builder.cli import app

Archive = Callable[..., Made]


def flip(path: Path, place: int, bit: int = 0) -> None:
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ (1 << bit)]))


def test_every_kind_of_byte_of_a_manifest_is_found_and_its_file_named(archived: Archive) -> None:
    folder = archived().version.folder
    for name in ("manifest-sha256.txt", "blake3.txt"):
        text = (folder / name).read_text()
        line = text.splitlines(keepends=True)[3]
        start = text.index(line)
        # its digest, the blanks after it, its path and its end
        for place in (
            start,
            start + line.index("  "),
            start + line.index("data/") + 6,
            start + len(line) - 1,
        ):
            flip(folder / name, place, 2)
            assert any(p.path == name for p in verify(folder).problems), (name, place)
            flip(folder / name, place, 2)
    assert verify(folder).problems == ()


def test_one_flipped_bit_anywhere_is_found_and_its_file_named(campaign: Path, archived: Archive) -> None:
    folder = archived().version.folder
    rng = random.Random(4)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
    tags = [p for p in files if p.parent == folder]
    assert len(tags) == 5
    for path in [*tags * 6, *rng.sample(files, 30)]:
        place, bit = rng.randrange(path.stat().st_size), rng.randrange(8)
        flip(path, place, bit)
        name = path.relative_to(folder).as_posix()
        problems = verify(folder).problems
        assert problems, (name, place, bit)
        assert name == "tagmanifest-sha256.txt" or any(name == p.path or name in p.what for p in problems), (
            name,
            place,
            bit,
        )
        flip(path, place, bit)
        assert verify(folder, full=True).problems == ()


def test_missing_added_longer_and_replaced_are_told_apart(campaign: Path, archived: Archive) -> None:
    folder = archived().version.folder
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        path.chmod(0o755)
    site = folder / "data/site"
    (site / "index.html").unlink()
    (site / "extra.html").write_text("x")
    (folder / "extra.txt").write_text("")
    (site / "empty").mkdir()
    with (site / "health.html").open("ab") as stream:
        stream.write(b"\n")
    limits = site / "limits.html"
    shutil.move(limits, campaign / "limits.html")
    limits.symlink_to(campaign / "limits.html")
    found = {p.path: p.what for p in verify(folder).problems}
    size = (site / "health.html").stat().st_size
    assert found == {
        "data/site/index.html": "missing",
        "data/site/extra.html": "added: it was not archived",
        "extra.txt": "added: it was not archived",
        "data/site/empty/": "added: an empty folder",
        "data/site/health.html": f"changed: {size} bytes, not {size - 1}",
        "data/site/limits.html": "changed: it is no regular file",
    }


def test_a_damaged_file_is_named_with_all_versions_that_share_it(campaign: Path, archived: Archive) -> None:
    names = [archived(label).version.folder.name for label in "abc"]
    flip(campaign / "versions" / names[1] / "data/site/index.html", 100)
    alone = verify(campaign / "versions" / names[1]).problems
    assert [(p.path, p.shared) for p in alone] == [("data/site/index.html", (names[0], names[2]))]
    both = verify(campaign).problems
    assert [p.version for p in both] == names and all(p.path == "data/site/index.html" for p in both)


def test_a_version_that_was_made_anew_is_found_by_its_successor_and_the_index(
    campaign: Path, archived: Archive
) -> None:
    first = archived("a", note="true").version.folder
    archived("b")
    index = (campaign / "versions/versions.json").read_bytes()
    assert verify(campaign).problems == ()
    remove(first)
    shutil.move(campaign / "versions/versions.json", campaign / "kept.json")
    second = next(v.folder for v in versions(campaign))
    shutil.move(second, campaign / "kept")
    archived("a", note="forged")
    shutil.move(campaign / "kept", second)
    assert verify(first).problems == ()  # whole in itself
    (campaign / "versions/versions.json").write_bytes(index)
    told = [p.what for p in verify(campaign).problems if p.version == first.name]
    assert len(told) == 2 and "0002-b names" in told[0] and "versions.json" in told[1]


def test_exit_status_and_what_is_asked_for(campaign: Path, archived: Archive) -> None:
    run = CliRunner()
    folder = archived("first").version.folder
    assert run.invoke(app, ["verify", str(campaign)]).exit_code == 0
    assert run.invoke(app, ["verify", "first", "--of", str(campaign), "--full"]).exit_code == 0
    assert run.invoke(app, ["verify", "7", "--of", str(campaign)]).exit_code == 2
    flip(folder / "data/site/index.html", 5)
    told = run.invoke(app, ["verify", "1", "--of", str(campaign)])
    assert (
        told.exit_code == 1
        and "0001-first: data/site/index.html: changed: same size, other bytes" in told.output
    )
    (campaign / "nothing").mkdir()
    with pytest.raises(ArchiveError, match="no version"):
        verify(campaign / "nothing")
