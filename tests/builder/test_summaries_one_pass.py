"""Files are read once: counted by the system itself; what follows is what the pixels say; faults cost their file only."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_fits import image, primary, write
from tiny_campaign import NOW, bias, built, make, pixels, snapshot

from analysis.contract import FrameInput
from analysis.summary import details_from, summarise
from builder.acquired import onepass
from builder.acquired.fitsfile import unreadable
from builder.acquired.onepass import read_file
from builder.acquired.pixels import fingerprint, open_pixels
from builder.acquired.reading import CHANGED, FileRead, ReadTask
from builder.build import Options, build
from builder.details import details_bytes, details_from_bytes, read_details
from builder.intake import KnownFiles
from builder.preview import preview
from builder.progress import Progress
from builder.store import Store
from builder.summary_rows import HEAD, channels_of, head_of
from campaign.frames import Frame, FrameFile
from campaign.geometry import Channel, Region, quadrants
from campaign.model import Detector

QUAD = Detector(name="CCD1", geometry=quadrants(rows=40, columns=36, prescan=6, overscan=10, parallel=3))
HDUS = {"": 0}


class ArrayPixels:
    """Pixels over an image in memory."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def dtype(self, channel: Channel) -> np.dtype:
        return self.image.dtype

    def read(self, channel: Channel, region: Region, out: np.ndarray | None = None) -> np.ndarray:
        assert out is None
        return self.image[region.slices]


def frame_pixels(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(2000.0, 40.0, QUAD.geometry.shape).round(), 0, 65535).astype(np.uint16)


def task(path: Path, objects: Path, mark: str = "", hdus: dict[str, int] = HDUS) -> ReadTask:
    info = path.stat()
    file = FrameFile(path.parent.name, path.name, info.st_size, info.st_mtime_ns, info.st_ino)
    return ReadTask(path, file, "B1", objects, images=((QUAD, hdus),), fingerprint=mark)


CODE = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_summaries_one_pass as t
from builder.acquired import onepass
from builder.acquired.fitsfile import unreadable
onepass.SMALL = {small}
path = Path({path!r})
opened, preads = [], []
sys.addaudithook(lambda event, what: opened.append(1) if event == "open" and str(what[0]) == str(path) else None)
one, two = os.pread, os.preadv
def pread(number, count, offset):
    got = one(number, count, offset); preads.append((offset, len(got))); return got
def preadv(number, buffers, offset):
    got = two(number, buffers, offset); preads.append((offset, got)); return got
os.pread, os.preadv = pread, preadv
def rchar():
    return int(Path("/proc/self/io").read_text().split()[1])
job = t.task(path, Path({objects!r}), hdus={hdus!r})
from analysis import summary, region_counts
from builder.acquired import gather
warm = t.onepass.read_file(t.task(Path({other!r}), Path({objects!r}), hdus={hdus!r}))  # imports done
opened.clear(); preads.clear()
before = rchar(); found = t.read_file(job); after = rchar()
here = rchar(); there = rchar()
print("opened", len(opened), "read", after - before - (there - here), "sum", sum(n for _, n in preads))
print("overlap", sum(1 for a, b in zip(sorted(preads), sorted(preads)[1:]) if a[0] + a[1] > b[0]))
print("image", bool(found.images and found.images[0].row))
"""


@pytest.mark.skipif(
    not Path("/proc/self/io").exists(), reason="the system does not count what a process reads"
)
@pytest.mark.parametrize("small", [1 << 20, 1000])
@pytest.mark.parametrize("form", ["plain", "extensions", "gzip"])
def test_a_file_is_opened_once_and_each_byte_is_read_once(tmp_path: Path, small: int, form: str) -> None:
    held = image(frame_pixels())
    hdus = {"": 0}
    if form == "extensions":
        held, hdus = (
            primary() + image(frame_pixels(), extension=True) + image(frame_pixels(2), extension=True),
            {"": 1},
        )
    if form == "gzip":
        held = gzip.compress(held)
    paths = [write(tmp_path / name, held) for name in ("a.fits", "b.fits")]
    here = Path(__file__).resolve().parent
    code = CODE.format(
        tests=str(here), small=small, path=str(paths[0]),
        other=str(paths[1]), objects=str(tmp_path / "objects"), hdus=hdus,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here.parents[1], capture_output=True, text=True, check=True
    )
    counted = {name: int(n) for name, n in re.findall(r"(opened|read|sum|overlap) (\d+)", done.stdout)}
    assert counted == {"opened": 1, "read": len(held), "sum": len(held), "overlap": 0}
    assert "image True" in done.stdout


@pytest.mark.parametrize(
    "make_file",
    [
        lambda p: image(p),
        lambda p: gzip.compress(image(p)),
        lambda p: image(p.astype(np.int16)),
        lambda p: image((p // 16).astype(np.uint8)),
        lambda p: image(p.astype(np.float32) + np.float32(0.25)),
        lambda p: image(p.astype(np.int32)),
        lambda p: image(p.astype(np.int16), {"BSCALE": 0.5, "BZERO": 3.0}),
        lambda p: image(p.astype(np.int16), {"BLANK": 2000}),
    ],
)
@pytest.mark.parametrize("small", [1 << 20, 1000])
def test_one_pass_gives_what_the_pixels_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_file: Callable[[np.ndarray], bytes], small: int
) -> None:
    monkeypatch.setattr(onepass, "SMALL", small)
    monkeypatch.setattr("builder.acquired.pixels.BAND", 1024)
    path = write(tmp_path / "a.fits", make_file(frame_pixels()))
    found = read_file(task(path, tmp_path / "objects"))
    assert found.fingerprint == fingerprint(path) and found.structure is not None
    (one,) = found.images
    assert one.error == ""
    row = one.row
    summaries = channels_of(row)
    held = open_pixels(Frame("f", "f", "CCD1", task(path, tmp_path).file, HDUS), tmp_path.parent)
    whole = np.zeros(QUAD.geometry.shape, held.dtype(QUAD.geometry.channels[0]))
    for channel in QUAD.geometry.channels:
        for name in ("image", "overscan", "prescan", "parallel"):
            region = channel.region(name)
            if region is not None:
                whole[region.slices] = held.read(channel, region)
    if (
        whole.dtype == np.float32
        and np.isfinite(whole).all()
        and (whole == whole.round()).all()
        and "BSCALE" not in str(path)
    ):
        whole = whole.astype(np.int32)  # 8- and 16-bit numbers are counted as the whole numbers they are
    expected = summarise(ArrayPixels(whole), QUAD)
    assert list(summaries) == ["E", "F", "G", "H"]
    for name, summary in summaries.items():
        for field, value in vars(expected[name]).items():
            if field != "details":
                np.testing.assert_equal(getattr(summary, field), value, err_msg=f"{name} {field}")
    kept = read_details(tmp_path / "objects", summaries["E"].details)
    for channel in QUAD.geometry.channels:
        truth, got = details_from(ArrayPixels(whole), channel), kept[channel.name]
        for name in ("rows", "columns", "overscan_rows"):
            np.testing.assert_allclose(getattr(got, name), getattr(truth, name), rtol=1e-12)
        assert (got.image is None) == (truth.image is None)
        if got.image is not None and truth.image is not None:
            assert got.image.low == truth.image.low
            np.testing.assert_array_equal(got.image.counts, truth.image.counts)
    picture = (tmp_path / "objects" / head_of(row[:HEAD]).preview).read_bytes()
    assert picture == preview(held, QUAD)


def test_tile_compressed_frames_pass_once_as_well(tmp_path: Path) -> None:
    from astropy.io import fits

    for name, data in (("u", frame_pixels()), ("s", frame_pixels().astype(np.int16))):
        path = tmp_path / f"{name}.fits.fz"
        fits.CompImageHDU(data, compression_type="RICE_1").writeto(path)
        (one,) = read_file(task(path, tmp_path / "objects", hdus={"": 1})).images
        expected = summarise(ArrayPixels(frame_pixels()), QUAD)["G"]
        got = channels_of(one.row)["G"]
        assert (got.mean, got.std, got.n) == (expected.mean, expected.std, expected.n)


def test_files_too_large_to_be_held_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from astropy.io import fits

    paths = [write(tmp_path / "a.fits", image(frame_pixels())), write(tmp_path / "b.fits.gz", gzip.compress(image(frame_pixels())))]  # fmt: skip
    fits.CompImageHDU(frame_pixels(), compression_type="RICE_1").writeto(tmp_path / "c.fits.fz")
    jobs = [task(p, tmp_path / "o", mark) for p in paths for mark in ("", "other")]
    jobs.append(task(tmp_path / "c.fits.fz", tmp_path / "o", hdus={"": 1}))
    plain = [read_file(j) for j in jobs]
    monkeypatch.setattr(onepass, "SMALL", 1000)
    monkeypatch.setattr(onepass, "MOST", 2000)
    assert [read_file(j) for j in jobs] == plain
    assert len({r.images[0].row for r in plain}) == 1
    known = read_file(task(paths[0], tmp_path / "o", plain[0].fingerprint))
    assert known.structure is None and known.images == ()


def test_details_survive_their_object_and_serve_procedures(tmp_path: Path) -> None:
    data = frame_pixels()
    made = {c.name: details_from(ArrayPixels(data), c) for c in QUAD.geometry.channels}
    packed = details_bytes(made)
    assert packed == details_bytes(made) == details_bytes(details_from_bytes(packed))
    (one,) = read_file(task(write(tmp_path / "a.fits", image(data)), tmp_path / "o")).images
    summaries = channels_of(one.row)

    class NoPixels(ArrayPixels):
        def read(self, *_: object, **__: object) -> np.ndarray:
            raise AssertionError("a pixel was read")

    frame = Frame("f", "f", "CCD1", FrameFile("d", "a.fits", 0, 0, 0), HDUS)
    kept = FrameInput(frame, summaries, NoPixels(data), lambda name: read_details(tmp_path / "o", name))
    found = kept.details(QUAD.geometry.channels[0])
    assert found.image is not None and found.image.n == 40 * 36
    fresh = FrameInput(frame, {}, ArrayPixels(data)).details(QUAD.geometry.channels[0])
    np.testing.assert_array_equal(fresh.rows, found.rows)
    with pytest.raises(ValueError, match="details"):
        details_from_bytes(b"[2,[]]\n")


def test_a_dead_channel_keeps_its_not_a_numbers(tmp_path: Path) -> None:
    data = frame_pixels().astype(np.float32)
    data[QUAD.geometry.channel("E").image.slices] = np.nan
    (one,) = read_file(task(write(tmp_path / "a.fits", image(data)), tmp_path / "o")).images
    dead = channels_of(one.row)["E"]
    assert dead.n == 0 and np.isnan(dead.mean) and np.isnan(dead.p99) and dead.overscan_mean is not None
    assert head_of(one.row[:HEAD]).bad == 40 * 36


# ── whole builds ──────────────────────────────────────────────────────────────────────────────────────────


def rows(folder: Path) -> dict[str, int]:
    with Store(folder / "build" / "store") as store:
        return {t: len(store.cached(t)) for t in ("files", "summaries")} | {
            "prints": len(store.fingerprints())
        }


def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """(name, whether it was summarised) of files that pass through a worker, in a build of one process."""
    seen: list[tuple[str, bool]] = []

    def noted(job: ReadTask) -> object:
        found = read_file(job)
        seen.append((job.path.name, bool(found.images)))
        return found

    monkeypatch.setattr(onepass, "read_file", noted)
    return seen


def test_touching_a_file_costs_one_hash_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")
    built(folder)
    seen = reads(monkeypatch)
    site, before = snapshot(folder / "build" / "site"), rows(folder)
    assert built(folder).unchanged and seen == []
    path = folder / "frames" / "b2.fits"
    os.utime(path, ns=(5, 7_000_000_000))
    again = built(folder)
    assert again.unchanged and again.written == 0 and seen == [("b2.fits", False)]
    assert snapshot(folder / "build" / "site") == site and rows(folder) == before
    assert built(folder).unchanged and len(seen) == 1
    bias(path, 2, data=pixels(99))
    assert not built(folder).unchanged and seen[1:] == [("b2.fits", True)]


def test_verify_finds_bytes_that_changed_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "tiny")
    built(folder)
    path = folder / "frames" / "b1.fits"
    info, data = path.stat(), bytearray(path.read_bytes())
    data[2881] ^= 0x40  # a bit of the first pixel
    path.write_bytes(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    seen = reads(monkeypatch)
    assert built(folder).unchanged and seen == []
    options = Options(folder, lambda: NOW, {}, workers=1, verify=True)
    report = build(options, Progress(quiet=True)).report
    assert sorted(seen) == [("b1.fits", True), *((f"b{n}.fits", False) for n in range(2, 6))]
    (told,) = [f for f in report.findings if f.kind == "changed-unseen"]
    assert told.where == "frames/b1.fits" and told.todo
    assert not [f for f in build(options, Progress(quiet=True)).report.findings if f.kind == "changed-unseen"]


def test_a_file_that_could_not_be_read_for_once_is_read_by_the_next_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size, time and inode are those of the fingerprint that is known: no reason to believe that nothing is to be read."""
    folder = make(tmp_path / "tiny")
    built(folder)

    def refused(job: ReadTask) -> object:
        return FileRead(unreadable(PermissionError())) if job.path.name == "b3.fits" else read_file(job)

    with monkeypatch.context() as patch:
        patch.setattr(onepass, "read_file", refused)
        options = Options(folder, lambda: NOW, {}, workers=1, verify=True)
        report = build(options, Progress(quiet=True)).report
    assert [f.where for f in report.findings if f.kind == "damaged-file"] == ["frames/b3.fits"]
    shutil.rmtree(folder / "build" / "store" / "ready")
    assert not [f for f in built(folder).report.findings if f.kind == "damaged-file"]


def test_what_is_known_of_files_that_are_gone_is_dropped(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny")
    built(folder)
    assert rows(folder)["files"] == 5
    (folder / "frames" / "b2.fits").unlink()
    (folder / "frames" / "b9.fits").symlink_to("nowhere")
    built(folder)
    with Store(folder / "build" / "store") as store:
        known = KnownFiles(store)
        assert sorted(known) == [f"frames/b{n}.fits" for n in (1, 3, 4, 5, 9)] and len(known) == 5
        assert known["frames/b9.fits"].file.state == "unreadable" and known["frames/b1.fits"].hdus
        with pytest.raises(KeyError):
            known["frames/b2.fits"]


@pytest.mark.parametrize("how", ["grows", "shrinks", "vanishes", "is rewritten"])
def test_a_file_that_changes_while_it_is_read_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    folder = make(tmp_path / "tiny")
    monkeypatch.setattr(onepass, "SMALL", 1000)
    path = folder / "frames" / "b3.fits"
    whole = path.read_bytes()
    real = onepass.fill
    number = path.stat().st_ino

    def meddled(handle: int, buffer: memoryview, offset: int) -> None:
        if os.fstat(handle).st_ino == number:
            if how == "grows":
                with path.open("ab") as file:
                    file.write(b"\0" * 2880)
            elif how == "shrinks":
                os.truncate(path, 3000)
            elif how == "is rewritten":
                os.utime(path, ns=(1, 1))
        real(handle, buffer, offset)

    with monkeypatch.context() as patch:
        if how == "vanishes":
            real_read = onepass.read_file

            def gone(job: ReadTask) -> object:
                if job.path == path:
                    path.unlink()
                return real_read(job)

            patch.setattr(onepass, "read_file", gone)
        else:
            patch.setattr(onepass, "fill", meddled)
        report = built(folder).report
    told = [f for f in report.findings if f.where == "frames/b3.fits"]
    assert [f.kind for f in told] == ["damaged-file"]
    assert ("gone" if how == "vanishes" else CHANGED) in told[0].what
    assert rows(folder)["summaries"] == 4 and rows(folder)["prints"] == 4
    write(path, whole)
    again = built(folder).report
    assert not [f for f in again.findings if f.kind == "damaged-file"] and rows(folder)["summaries"] == 5


def test_a_changed_geometry_reads_again_and_a_changed_mapping_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "tiny")
    built(folder)
    seen = reads(monkeypatch)
    config = folder / "campaign.toml"
    text = config.read_text()
    config.write_text(text + '\n[data.fields]\nobject = ["IMAGETYP"]\n')
    built(folder)
    assert seen == []
    config.write_text(
        text.replace("rows = 32\ncolumns = 32\noverscan = 8", "rows = 32\ncolumns = 30\noverscan = 10")
    )
    built(folder)
    assert sorted(seen) == [(f"b{n}.fits", True) for n in range(1, 6)]


def test_workers_read_as_this_process_does(tmp_path: Path) -> None:
    here, there = (make(tmp_path / name / "tiny") for name in ("a", "b"))
    for number in range(6, 12):
        for folder in (here, there):
            bias(folder / "frames" / f"b{number}.fits", number)
    held = []
    for folder, workers in ((here, 1), (there, 2)):
        build(Options(folder, lambda: NOW, {}, workers=workers), Progress(quiet=True))
        with Store(folder / "build" / "store") as store:
            objects = {
                p.name: p.read_bytes()
                for p in store.objects.rglob("*.*")
                if p.suffix in (".webp", ".details")
            }
            held.append((store.cached("summaries"), objects))
    assert held[0] == held[1] and len(held[0][0]) == 11
