"""Writing the site: only what changed, all or nothing, nothing left behind."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from builder.render.write import JOURNAL, MANIFEST, Site


def test_equal_bytes_are_not_written_again(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert site.write("a/b.html", "one")
    assert not site.write("a/b.html", b"one")
    site.finish()
    before = (tmp_path / "a/b.html").stat().st_mtime_ns
    again = Site(tmp_path)
    assert not again.write("a/b.html", "one")
    assert again.write("a/c.html", "two")
    assert (tmp_path / "a/b.html").stat().st_mtime_ns == before
    assert again.written == ["a/c.html"]


def test_a_file_changed_by_hand_is_written_again(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("a.html", "one")
    site.finish()
    (tmp_path / "a.html").write_text("changed by hand")
    assert Site(tmp_path).write("a.html", "one")
    assert (tmp_path / "a.html").read_text() == "one"


def test_what_is_no_longer_made_is_removed_and_foreign_files_stay(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("blocks/OLD/index.html", "old")
    site.write("index.html", "home")
    site.finish()
    (tmp_path / "mine.txt").write_text("a person's")
    again = Site(tmp_path)
    again.write("index.html", "home")
    assert again.finish() == ["blocks/OLD/index.html"]
    assert not (tmp_path / "blocks").exists()
    assert (tmp_path / "mine.txt").exists()


def test_kept_files_stay_and_missing_ones_are_told(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write("figures/a.svg", "<svg/>")
    digest = site.digest("figures/a.svg")
    site.finish()
    again = Site(tmp_path)
    assert again.keep("figures/a.svg", digest)
    assert not again.keep("figures/a.svg", "another digest")
    assert not again.keep("figures/b.svg")
    assert again.finish() == []


def test_a_killed_build_leaves_nothing_unknown(tmp_path: Path) -> None:
    Site(tmp_path).write("lost.html", "written, then killed before the end")
    assert (tmp_path / JOURNAL).exists()
    again = Site(tmp_path)
    again.write("index.html", "home")
    assert again.finish() == ["lost.html"]
    assert not (tmp_path / "lost.html").exists()
    assert not (tmp_path / JOURNAL).exists()


def test_a_killed_build_is_finished_by_the_next(tmp_path: Path) -> None:
    Site(tmp_path).write("a.html", "one")
    (tmp_path / "a.html").write_text("o")  # as a file system may leave it after a crash
    again = Site(tmp_path)
    assert again.write("a.html", "one")
    again.finish()
    assert (tmp_path / "a.html").read_text() == "one"


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"a.html": 3}'])
def test_a_damaged_manifest_costs_only_time(tmp_path: Path, damage: str) -> None:
    site = Site(tmp_path)
    site.write("a.html", "one")
    site.finish()
    (tmp_path / MANIFEST).write_text(damage)
    assert Site(tmp_path).write("a.html", "one")


@pytest.mark.parametrize("path", ["../out.html", "/etc/x.html", "a/../../x.html", "", MANIFEST])
def test_paths_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no place inside"):
        Site(tmp_path / "site").write(path, "x")


def test_copies_follow_their_source(tmp_path: Path) -> None:
    source = tmp_path / "plan.pdf"
    source.write_bytes(b"one")
    site = Site(tmp_path / "site")
    assert site.copy("files/plan.pdf", source)
    assert not site.copy("files/plan.pdf", source)
    source.write_bytes(b"another")
    assert site.copy("files/plan.pdf", source)
    assert (tmp_path / "site/files/plan.pdf").read_bytes() == b"another"


def test_a_linked_object_takes_no_second_copy_and_is_linked_once(tmp_path: Path) -> None:
    from blake3 import blake3

    source = tmp_path / "object.svg"
    source.write_bytes(b"<svg/>")
    digest = blake3(b"<svg/>").hexdigest(length=16)
    site = Site(tmp_path / "site")
    assert site.link("figures/a.svg", source, digest)
    assert not site.link("figures/a.svg", source, digest)
    site.finish()
    assert (tmp_path / "site/figures/a.svg").samefile(source)
    (tmp_path / "site" / MANIFEST).unlink()
    again = Site(tmp_path / "site")
    assert again.link("figures/a.svg", source, digest), "an unknown file is made anew"
    again.finish()
    assert sorted(p.name for p in (tmp_path / "site").iterdir()) == [MANIFEST, "figures"]


def test_a_file_that_was_made_elsewhere_is_moved_in_and_kept_where_it_says_the_same(tmp_path: Path) -> None:
    site, made = Site(tmp_path / "site"), tmp_path / "made"
    made.write_bytes(b"one")
    assert site.move("data/x.sqlite", made) and not made.exists()
    before = (tmp_path / "site/data/x.sqlite").stat()
    made.write_bytes(b"one")
    assert not site.move("data/x.sqlite", made) and not made.exists()
    assert (tmp_path / "site/data/x.sqlite").stat().st_mtime_ns == before.st_mtime_ns
    site.finish()
    again = Site(tmp_path / "site")
    assert again.digest("data/x.sqlite") == site.digest("data/x.sqlite") and again.keep("data/x.sqlite")


def test_a_file_from_another_file_system_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, made = Site(tmp_path / "site"), tmp_path / "made"
    made.write_bytes(b"one")
    real = os.replace

    def within(source: Path, target: Path) -> None:
        if Path(source) == made:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr("builder.render.write.os.replace", within)
    assert site.move("x.sqlite", made)
    assert (tmp_path / "site/x.sqlite").read_bytes() == b"one"


def test_the_manifest_is_json_whatever_files_are_called(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for path in ('b "quoted".html', "a/ä.html"):
        site.write(path, path)
    site.finish()
    text = (tmp_path / MANIFEST).read_text("utf-8")
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert list(json.loads(text)) == ["a/ä.html", 'b "quoted".html']
