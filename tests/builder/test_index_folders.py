"""Index of data directories: what is found, what is reused, what is wrong, and where it belongs."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_fits import Block, campaign, frame_file, image, ramp, write

from builder.acquired.fitsfile import Structure
from builder.acquired.index import IndexedFile, index
from builder.acquired.listing import is_frame_name

BIAS = {"IMAGETYP": "bias"}


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("a.fits", True), ("A.FIT", True), ("a.fts.gz", True), ("a.FITS.FZ", True), ("a.fits.txt", False),
        ("fits", False), ("a.gz", False), ("a.png", False),
    ],
)  # fmt: skip
def test_names_of_frames(name: str, yes: bool) -> None:
    assert is_frame_name(name) is yes


def test_names_with_spaces_quotes_and_unicode(tmp_path: Path) -> None:
    names = ["a b.fits", 'it\'s "q".fit', "Maß–№1 <script>.FTS", "new\nline.fits"]
    for i, name in enumerate(names):
        frame_file(tmp_path / "frames" / "sub dir" / name, EXPNUM=i, **BIAS)
    found = index(campaign(tmp_path), {})
    assert {f.path for f in found.files} == {f"sub dir/{n}" for n in names}
    assert found.findings == [] and len(found.frames) == 4


def test_hidden_ignored_and_other_files_are_passed_over(tmp_path: Path) -> None:
    for i, name in enumerate(
        ["good.fits", ".hidden.fits", ".git/x.fits", "old/x.fits", "trial_1.fits", "notes.txt"]
    ):
        frame_file(tmp_path / "frames" / name, EXPNUM=i, **BIAS)
    found = index(campaign(tmp_path, ignore=("old", "trial_*")), {})
    assert [f.path for f in found.files] == ["good.fits"]


def test_links_that_go_round_and_links_to_nothing(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a" / "x.fits", EXPNUM=1, **BIAS)
    (tmp_path / "frames" / "a" / "up").symlink_to(tmp_path / "frames")
    (tmp_path / "frames" / "me").symlink_to("me")
    (tmp_path / "frames" / "gone.fits").symlink_to("nowhere.fits")
    (tmp_path / "frames" / "self.fits").symlink_to("self.fits")
    found = index(campaign(tmp_path), {})
    assert [f.path for f in found.files if f.state == "ok"] == ["a/x.fits"]
    assert {f.where for f in found.findings} == {"frames/gone.fits", "frames/self.fits"}
    assert {f.kind for f in found.findings} == {"damaged-file"}


def test_undecodable_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    with open(os.fsencode(tmp_path / "frames") + b"/bad\xff.fits", "wb") as file:  # noqa: PTH123 - bytes
        file.write(image(ramp()))
    (finding,) = index(campaign(tmp_path), {}).findings
    assert finding.kind == "damaged-file" and finding.where == "frames/bad\\udcff.fits"
    finding.where.encode()


def test_missing_and_nested_roots(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a" / "x.fits", EXPNUM=1, **BIAS)
    found = index(campaign(tmp_path, roots=("frames", "frames/a", "gone")), {})
    assert [f.path for f in found.files] == ["a/x.fits"]
    (finding,) = found.findings
    assert finding.kind == "missing-folder" and "'gone'" in finding.what


def test_every_kind_of_damage_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "frames"
    frame_file(root / "good.fits", EXPNUM=1, **BIAS)
    write(root / "empty.fits", b"")
    write(root / "cut.fits", image(ramp())[:2900])
    write(root / "page.fits", b"<html>please log in</html>")
    write(root / "cut.fits.gz", gzip.compress(image(ramp()))[:40])
    write(root / "corrupt.fits", image(ramp()).replace(b"BITPIX  =", b"BITPIXX ="))
    found = index(campaign(tmp_path), {})
    assert {f.path: f.state for f in found.files} == {
        "good.fits": "ok", "empty.fits": "empty", "cut.fits": "truncated", "page.fits": "foreign",
        "cut.fits.gz": "truncated", "corrupt.fits": "unreadable",
    }  # fmt: skip
    assert len(found.frames) == 1
    assert len(found.findings) == 5 and {f.kind for f in found.findings} == {"damaged-file"}
    assert all(f.todo and f.where.startswith("frames/") and f.block == "BORN" for f in found.findings)


def test_wrong_shape_is_not_used(tmp_path: Path) -> None:
    write(tmp_path / "frames" / "wide.fits", image(ramp(6, 9), {"EXPNUM": 1, **BIAS}))
    write(tmp_path / "frames" / "cube.fits", image(np.zeros((3, 6, 8), np.uint16), {"EXPNUM": 2, **BIAS}))
    write(tmp_path / "frames" / "thin.fits", image(ramp().reshape(1, 6, 8), {"EXPNUM": 3, **BIAS}))
    found = index(campaign(tmp_path), {})
    assert {f.path: f.state for f in found.files} == {
        "wide.fits": "wrong-shape", "cube.fits": "wrong-shape", "thin.fits": "ok",
    }  # fmt: skip
    told = [f.what for f in found.findings if f.kind == "wrong-shape"]
    assert len(told) == 2 and any("6 × 9" in t and "6 × 8" in t for t in told)
    assert [f.exposure for f in found.frames] == ["3"]


def test_unpadded_file_is_used_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "frames" / "a.fits", image(ramp(), {"EXPNUM": 1, **BIAS})[: 2880 + 96])
    found = index(campaign(tmp_path), {})
    assert len(found.frames) == 1
    assert [f.kind for f in found.findings] == ["bad-header"] and "not padded" in found.findings[0].what


def test_blocks_by_folder(tmp_path: Path) -> None:
    places = {
        "born/a.fits": "BORN",
        "11_Mar/CURIE/b.fits": "CURIE",
        "deep/set 2/x/c.fits": "CURIE",
        "loose/d.fits": "",
    }
    for i, name in enumerate(places):
        frame_file(tmp_path / "frames" / name, EXPNUM=i, **BIAS)
    blocks = (Block(id="BORN"), Block(id="CURIE"))
    made = campaign(tmp_path, blocks=blocks, block_folders={"CURIE": "deep/set 2"})
    assert {f.file.path: f.block for f in index(made, {}).frames} == places


def test_unchanged_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        frame_file(tmp_path / "frames" / f"{i}.fits", EXPNUM=i, **BIAS)
    write(tmp_path / "frames" / "cut.fits", image(ramp())[:2900])
    first = index(campaign(tmp_path), {})
    known = {k: IndexedFile.from_json(v.to_json()) for k, v in first.known.items()}
    assert known == first.known
    opened: list[Path] = []

    def inspect(path: Path) -> Structure:
        opened.append(path)
        return Structure("unreadable", "opened again")

    monkeypatch.setattr("builder.acquired.index.inspect", inspect)
    again = index(campaign(tmp_path), known)
    assert opened == []
    assert (again.files, again.frames, again.findings) == (first.files, first.frames, first.findings)
    frame_file(tmp_path / "frames" / "1.fits", EXPNUM=1, EXPTIME=3.0, **BIAS)
    os.utime(tmp_path / "frames" / "1.fits", ns=(5, 5))
    index(campaign(tmp_path), known)
    assert [p.name for p in opened] == ["1.fits"]


def test_deleted_files_leave_the_index(tmp_path: Path) -> None:
    path = frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, **BIAS)
    first = index(campaign(tmp_path), {})
    path.unlink()
    again = index(campaign(tmp_path), first.known)
    assert again.known == {} and again.files == ()


def test_changed_mapping_needs_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, SHOT=9, **BIAS)
    first = index(campaign(tmp_path), {})
    monkeypatch.setattr("builder.acquired.index.inspect", None)
    again = index(campaign(tmp_path, fields={"exposure": ("SHOT",)}), first.known)
    assert first.frames[0].exposure == "1" and again.frames[0].exposure == "9"


def test_another_format_of_the_cache_is_read_again(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, **BIAS)
    first = index(campaign(tmp_path), {})
    old = {k: IndexedFile.from_json(v.to_json().replace("[1,", "[0,", 1)) for k, v in first.known.items()}
    assert index(campaign(tmp_path), old).frames == first.frames


def test_workers_give_the_same(tmp_path: Path) -> None:
    for i in range(20):
        frame_file(tmp_path / "frames" / f"{i}.fits", EXPNUM=i, **BIAS)
    assert index(campaign(tmp_path), {}, workers=3) == index(campaign(tmp_path), {})


def test_indexing_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, builder.acquired.index, builder.acquired.match; print([m for m in ('astropy', 'numpy', 'scipy') if m in sys.modules])"
    checkout = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_tile_compressed_and_gzip_frames_are_indexed(tmp_path: Path) -> None:
    from astropy.io import fits

    (tmp_path / "frames").mkdir()
    hdu = fits.CompImageHDU(ramp(), compression_type="RICE_1")
    hdu.header["EXPNUM"], hdu.header["IMAGETYP"] = 4, "bias"
    hdu.writeto(tmp_path / "frames" / "a.fits.fz")
    write(tmp_path / "frames" / "b.fits.gz", gzip.compress(image(ramp(), {"EXPNUM": 5, **BIAS})))
    found = index(campaign(tmp_path), {})
    assert found.findings == []
    assert [(f.id, dict(f.hdus), f.type) for f in found.frames] == [
        ("4/CCD1", {"": 1}, "bias"), ("5/CCD1", {"": 0}, "bias"),
    ]  # fmt: skip
