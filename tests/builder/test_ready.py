"""What is kept ready: never used when anything that it was made of changed, and worth no more than time when it is damaged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from made_fits import COLUMNS, ROWS, Block, campaign, frame_file, image, ramp, write

from builder.acquired.blockfolders import BlockFolders
from builder.acquired.framed import TOGETHER, Framed, together
from builder.acquired.index import Index, IndexedFile, Reading, index
from builder.acquired.listing import file_key
from builder.acquired.onepass import read_file
from builder.acquired.reading import FileRead, ReadTask
from builder.acquired.shared import Shared
from builder.ready import Ready
from campaign.frames import Frame, FrameFile
from campaign.geometry import single
from campaign.model import Campaign

BIAS = {"IMAGETYP": "bias"}
CODE = "as it is"
FILES = 12


Known = dict[str, IndexedFile]


def indexed(
    campaign: Campaign, known: Known | None = None, code: str | None = CODE, verify: bool = False
) -> Index:
    """The index as a build makes it, what is read kept in ``known``; without a version of the ``code`` nothing is kept ready."""
    known = {} if known is None else known
    prints: dict[str, str] = {}

    def reader(tasks: Sequence[ReadTask]) -> Iterator[tuple[ReadTask, FileRead | Exception]]:
        for task in tasks:
            found, key = read_file(task), file_key(task.file)
            if found.structure is not None and found.fingerprint:
                known[key] = IndexedFile.of(task.file, found.structure)
                prints[key] = found.fingerprint
            yield task, found

    store = campaign.root / "store"
    ready = Ready(store / "ready", code) if code else None
    reading = Reading(reader, store / "objects", lambda file: prints.get(file_key(file), ""), verify, ready)
    return index(campaign, known, reading=reading)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A campaign's folder with the frames of two blocks, which were indexed and kept ready."""
    for block in ("A", "B"):
        for n in range(FILES):
            frame_file(
                tmp_path / "frames" / block / f"{n}.fits", EXPNUM=n, SHOT=100 + n, EXPTIME=float(n), **BIAS
            )
    known: Known = {}
    first = indexed(made(tmp_path), known)
    again = indexed(made(tmp_path), known)
    assert len(known) == again.untouched == 2 * FILES and first.known == again.known == {}
    assert again.frames == first.frames
    return tmp_path


def made(root: Path, blocks: Sequence[Block] = (Block(id="A"), Block(id="B")), **data: Any) -> Campaign:
    return campaign(root, blocks=tuple(blocks), **data)


def wider(root: Path) -> Campaign:
    return campaign(
        root, blocks=(Block(id="A"), Block(id="B")), geometry=single(rows=ROWS, columns=COLUMNS, overscan=2)
    )


def another_header(root: Path) -> Campaign:
    frame_file(root / "frames" / "A" / "3.fits", EXPNUM=3, SHOT=7, EXPTIME=99.0, **BIAS)
    return made(root)


def same_size_and_time(root: Path) -> Campaign:
    """Another file of the same size and time is another inode."""
    path = root / "frames" / "A" / "3.fits"
    when = path.stat().st_mtime_ns
    frame_file(root / "frames" / "A" / "new", EXPNUM=3, SHOT=103, EXPTIME=5.0, **BIAS)
    (root / "frames" / "A" / "new").replace(path)
    os.utime(path, ns=(when, when))
    return made(root)


def renamed(root: Path) -> Campaign:
    (root / "frames" / "A" / "3.fits").rename(root / "frames" / "A" / "3b.fits")
    return made(root)


def removed(root: Path) -> Campaign:
    (root / "frames" / "A" / "3.fits").unlink()
    return made(root)


def added(root: Path) -> Campaign:
    frame_file(root / "frames" / "A" / "new.fits", EXPNUM=77, **BIAS)
    return made(root)


def cut_off(root: Path) -> Campaign:
    write(root / "frames" / "A" / "3.fits", image(ramp())[:2900])
    return made(root)


def logged(root: Path) -> Campaign:
    """A log that gives a field which the headers lack."""
    (root / "frames" / "A" / "log.csv").write_text("exposure,object\n3,lamp\n", "utf-8")
    return made(root, logs=("log.csv",))


def another_block(root: Path) -> Campaign:
    return made(root, block_folders={"A": "B", "B": "A"})


CHANGES: dict[str, Callable[[Path], Campaign]] = {
    "a file's header": another_header,
    "its inode alone": same_size_and_time,
    "its name": renamed,
    "a file is gone": removed,
    "a file is new": added,
    "a file is damaged": cut_off,
    "the mapping of a field": lambda root: made(root, fields={"exposure": ("SHOT",)}),
    "the mapping of types": lambda root: made(root, types={"bias": "dark"}),
    "the detector's geometry": wider,
    "a log": logged,
    "the folder of a block": another_block,
    "a block is gone": lambda root: made(root, [Block(id="A")]),
}


def told(found: Index) -> tuple[object, ...]:
    return found.files, found.frames, found.findings


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(filled: Path, change: Callable[[Path], Campaign]) -> None:
    before = told(indexed(made(filled), code=None))
    changed = change(filled)
    plain = told(indexed(changed, code=None))
    assert plain != before  # else the change would prove nothing
    assert told(indexed(changed)) == plain
    assert told(indexed(changed)) == plain  # and when it was kept ready itself


def test_what_frames_say_alike_is_held_once(filled: Path) -> None:
    for found in (indexed(made(filled), code=None), indexed(made(filled))):
        one, other = found.frames[1], found.frames[-1]
        assert one.fields["type"] == "bias" and one.fields["type"] is other.fields["type"]
        assert one.sources is other.sources and one.hdus is other.hdus
        assert one.exposure is one.fields["exposure"] and one.detector is other.detector
        assert one.file is found.files[1]


def test_other_code_makes_its_own(filled: Path) -> None:
    assert indexed(made(filled), code="another").untouched == 0


def test_verifying_looks_at_every_file(filled: Path) -> None:
    assert indexed(made(filled), verify=True).untouched == 0


def test_what_is_odd_is_told_by_every_build(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "1.fits", EXPNUM=1, EXPTIME="=  '3.0   '", **BIAS)
    found = [indexed(made(tmp_path, [Block(id="A")])).findings for _ in range(2)]
    assert found[0] == found[1] and [f.kind for f in found[0]] == ["bad-header"]


@pytest.mark.parametrize("value", [float("inf"), 10**30])
def test_a_number_that_no_json_holds_is_not_kept(tmp_path: Path, value: float) -> None:
    file, one, folders = FrameFile("frames", "a.fits", 1, 1, 1), made(tmp_path), BlockFolders((), {}, "A")
    for held, taken in ((2.5, 1), (value, 0)):
        frame = Frame(
            "1/CCD1", "1", "CCD1", file, {"": 0}, {"lamp": held}, {"lamp": "header LAMP"}, block="A"
        )
        ready = Ready(tmp_path / "ready", str(held))
        first = Framed(ready, one, [file], folders, Shared())
        assert first.take(file) is None
        first.made(file, [frame])
        found = Framed(ready, one, [file], folders, Shared())
        assert len(found.ready) == taken and found.take(file) == ([frame] if taken else None)


def kept(root: Path) -> list[Path]:
    return sorted((root / "store" / "ready" / "frames").iterdir())


def spoiled(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:40], lambda data: data[:-1], spoiled, lambda data: b"{}" * 50],
    ids=["empty", "cut", "a byte short", "a bit turned", "foreign"],
)  # fmt: skip
def test_damage_costs_only_time(filled: Path, damage: Callable[[bytes], bytes]) -> None:
    sound = told(indexed(made(filled)))
    for path in kept(filled):
        path.write_bytes(damage(path.read_bytes()))
    again = indexed(made(filled))
    assert again.untouched == 0 and told(again) == sound
    assert indexed(made(filled)).untouched == 2 * FILES  # made anew


def test_a_sound_file_in_the_place_of_another_is_not_used(filled: Path) -> None:
    sound = told(indexed(made(filled)))
    one, other = kept(filled)
    shutil.copyfile(one, other)
    assert told(indexed(made(filled))) == sound


def test_what_cannot_be_kept_is_no_fault(filled: Path) -> None:
    sound = told(indexed(made(filled)))
    shutil.rmtree(filled / "store" / "ready")
    (filled / "store" / "ready").write_text("no folder")
    assert told(indexed(made(filled))) == sound


def test_what_is_no_longer_used_is_removed(filled: Path) -> None:
    before = kept(filled)
    indexed(added(filled))
    after = kept(filled)
    assert len(after) == len(before) and len(set(after) & set(before)) == len(before) - 1


def test_a_new_file_moves_no_other_from_heap_to_heap() -> None:
    names = [f"B/{n:07d}.fits" for n in range(4000)]
    ends = sum(crc32(name.encode()) % TOGETHER == 0 for name in names)
    assert ends > 5  # so that there are heaps before and after

    def heaps(some: list[str]) -> set[tuple[str, ...]]:
        files = [FrameFile("frames", name, 1, 1, 1) for name in some]
        folders = BlockFolders((), {"b": "B"}, "")
        return {tuple(f.path for f in heap) for _, heap in together(files, folders)}

    before, after = heaps(names), heaps(sorted([*names, "B/0002000a.fits"]))
    assert len(before) == ends + 1 and len(before - after) == 1
