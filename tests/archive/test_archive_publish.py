"""Publishing: readers see the site before or the site after, whole, and never anything between."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tiny_campaign import built
from typer.testing import CliRunner

from builder.archive import ArchiveError, NotAsBuiltError
from builder.archive.make import Made
from builder.archive.publish import KEPT, LIST, is_remote, publish, publish_by_rsync, source_of
from builder.cli import app

Archive = Callable[..., Made]
NOW = datetime(2025, 3, 1, tzinfo=UTC)


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name not in (LIST, ".calbook-manifest.json")
    }


def test_a_site_is_published_whole_and_again_with_links(campaign: Path, tmp_path: Path) -> None:
    to = tmp_path / "public" / "site"
    site, files = source_of(campaign)
    done = publish(site, files, to, NOW)
    assert to.is_symlink() and content(to) == content(site) and done.linked == 0
    (campaign / "blocks/B1.md").write_text((campaign / "blocks/B1.md").read_text() + "\nMore.\n")
    built(campaign)
    again = publish(*source_of(campaign), to, NOW + timedelta(days=1))
    assert content(to) == content(site) and 0 < again.linked < again.files
    for number in range(3):
        publish(*source_of(campaign), to, NOW + timedelta(days=2 + number))
    assert len(list((tmp_path / "public/.site.published").iterdir())) == KEPT and content(to) == content(site)


def test_a_reader_never_sees_half_a_site(campaign: Path, tmp_path: Path) -> None:
    to, stop, wrong, seen = tmp_path / "site", threading.Event(), [], set()
    files = source_of(campaign)[1]
    versions = []
    for number in range(2):  # two whole sites of the same pages, each page with its site's number
        folder = tmp_path / f"made{number}"
        for path in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(b"%d %s" % (number, path.encode()))
        from builder.archive.digests import digest_file

        versions.append((folder, {path: digest_file(folder / path).blake3 for path in files}))
    publish(*versions[0], to, NOW)

    def read() -> None:
        while not stop.is_set():
            inside = to.resolve()  # as a server that holds the folder of a request open
            try:
                held = {(inside / path).read_bytes().split()[0] for path in files}
            except OSError as error:
                wrong.append(str(error))
                continue
            seen.update(held)
            if len(held) != 1:
                wrong.append(str(held))
            if not (to / "index.html").is_file():
                wrong.append("no first page")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 7):
        # the site before is kept for readers, so two in a row must not come faster than one reads
        publish(*versions[number % 2], to, NOW + timedelta(minutes=number))
        before = len(seen)
        threading.Event().wait(0.3)
        assert before
    stop.set()
    reader.join()
    assert wrong == [] and seen == {b"0", b"1"}


def test_what_is_not_as_built_or_not_ours_is_refused(campaign: Path, tmp_path: Path) -> None:
    to = tmp_path / "site"
    site, files = source_of(campaign)
    publish(site, files, to, NOW)
    was = content(to)
    page = site / "index.html"
    page.write_bytes(page.read_bytes().replace(b"a", b"b", 1))  # same size
    with pytest.raises(NotAsBuiltError, match=r"index\.html was changed"):
        publish(*source_of(campaign), to, NOW + timedelta(days=1))
    assert content(to) == was and not list((tmp_path / ".site.published").glob(".part-*"))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "kept.txt").write_text("kept")
    with pytest.raises(ArchiveError, match="not a link that calbook made"):
        publish(site, files, theirs, NOW)
    link = tmp_path / "link"
    link.symlink_to(theirs)
    with pytest.raises(ArchiveError, match="link to something else"):
        publish(site, files, link, NOW)
    assert (theirs / "kept.txt").read_text() == "kept"


def test_a_version_is_published_unless_it_is_damaged(
    campaign: Path, archived: Archive, tmp_path: Path
) -> None:
    folder = archived().version.folder
    run, to = CliRunner(), tmp_path / "site"
    told = run.invoke(app, ["publish", str(folder), str(to)])
    assert told.exit_code == 0 and content(to) == content(folder / "data/site")
    page = folder / "data/site/index.html"
    page.chmod(0o644)
    page.write_bytes(b"damaged")
    assert run.invoke(app, ["publish", str(folder), str(to)]).exit_code == 2
    assert (to / "index.html").read_bytes() != b"damaged"


def test_destinations() -> None:
    assert is_remote("host:/srv/site") and is_remote("me@host:site") and is_remote("rsync:/srv/site")
    assert not is_remote("/srv/site") and not is_remote("site") and not is_remote("a/b:c")


@pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync on this machine")
@pytest.mark.parametrize("remote", [False, True])
def test_over_rsync(remote: bool, campaign: Path, tmp_path: Path) -> None:
    """Real rsync, here and through a remote shell that runs what it is told on this machine."""
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    shell.chmod(0o755)
    to = tmp_path / "public" / "site"
    destination = f"far:{to}" if remote else f"rsync:{to}"
    site, files = source_of(campaign)
    publish_by_rsync(site, sorted(files), destination, NOW, str(shell))
    assert to.is_symlink() and content(to) == content(site)
    (campaign / "blocks/B1.md").write_text((campaign / "blocks/B1.md").read_text() + "\nMore.\n")
    built(campaign)
    site, files = source_of(campaign)
    publish_by_rsync(site, sorted(files), destination, NOW + timedelta(days=1), str(shell))
    assert content(to) == content(site)
    first, second = sorted((tmp_path / "public/.site.published").iterdir())
    assert (first / "guide/index.html").stat().st_ino == (second / "guide/index.html").stat().st_ino
    shutil.rmtree(to.parent)
    to.mkdir(parents=True)
    with pytest.raises(ArchiveError, match="no link of calbook"):
        publish_by_rsync(site, sorted(files), destination, NOW, str(shell))


@pytest.mark.skipif(shutil.which("rsync") is not None, reason="there is an rsync on this machine")
def test_without_rsync_that_is_said(campaign: Path) -> None:
    told = CliRunner().invoke(app, ["publish", str(campaign), "rsync:/nowhere/site"])
    assert told.exit_code == 2 and "no rsync on this machine" in told.output
