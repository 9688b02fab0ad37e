"""Structure of FITS files: every way in which a file can be less than it says."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_fits import REAL, header, image, padded, primary, ramp, write

from builder.acquired.cards import HeaderError, data_size, read_cards
from builder.acquired.fitsfile import inspect

GOOD = image(ramp(), {"OBSID": 7, "TEST": "PTC01"})
DATA = 2880 + ramp().nbytes


def test_good_file_is_described(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "a.fits", GOOD))
    assert (found.state, found.notes) == ("ok", ())
    (hdu,) = found.hdus
    assert (hdu.kind, hdu.shape, hdu.bitpix, hdu.offset, hdu.size) == ("image", (6, 8), 16, 2880, 96)
    assert hdu.cards["OBSID"] == "7" and "OBSID" not in hdu.quoted
    assert hdu.cards["TEST"] == "PTC01" and "TEST" in hdu.quoted


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(GOOD) - 1))
def test_truncation_anywhere(tmp_path: Path, length: int) -> None:
    found = inspect(write(tmp_path / "cut.fits", GOOD[:length]))
    if length == 0:
        assert found.state == "empty"
    elif length < 8:
        assert found.state == "foreign"
    elif length < DATA:
        assert found.state == "truncated"
    else:
        assert found.state == "ok" and "not padded" in found.notes[0]


@pytest.mark.parametrize("length", [2879, 2880, 2881, DATA - 1, DATA, DATA + 1, len(GOOD) - 1])
def test_truncation_at_boundaries(tmp_path: Path, length: int) -> None:
    found = inspect(write(tmp_path / "cut.fits", GOOD[:length]))
    assert found.state == ("truncated" if length < DATA else "ok")
    if 2880 <= length < DATA:
        assert f"{length} bytes are present, {DATA} expected" in found.reason


def test_truncated_second_extension(tmp_path: Path) -> None:
    whole = primary() + image(ramp(), {"EXTNAME": "N4"}, extension=True) + image(ramp(), extension=True)
    found = inspect(write(tmp_path / "cut.fits", whole[: -len(image(ramp(), extension=True)) + 2900]))
    assert found.state == "truncated" and "HDU 2" in found.reason
    assert [h.name for h in found.hdus] == ["", "N4"]


def test_lost_extensions_are_noted(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "a.fits", primary({"NEXTEND": 3}), image(ramp(), extension=True)))
    assert found.state == "ok" and found.notes == ("NEXTEND promises 3 extensions, 1 are there",)


def test_bytes_after_the_end_are_noted(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "a.fits", GOOD, b"junk" * 10))
    assert found.state == "ok" and "40 bytes after the last HDU" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x89PNG\r\n\x1a\n....", "a PNG image"),
        (b"<!DOCTYPE html><html>log in</html>", "an HTML page"),
        (b"  <HTML><script>alert(1)</script>", "an HTML page"),
        (b"just some words\n" * 9, "text"),
        (b"\0" * 5760, "only zero bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer instead of the data"),
        (b"\xde\xad\xbe\xef" * 99, "unknown data"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, name: str) -> None:
    found = inspect(write(tmp_path / "a.fits", content))
    assert found.state == "foreign" and found.reason == f"not a FITS file but {name}"


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "gone.fits").symlink_to(tmp_path / "nowhere")
    assert inspect(tmp_path / "gone.fits").state == "unreadable"
    os.mkfifo(tmp_path / "pipe.fits")
    assert inspect(tmp_path / "pipe.fits").reason == "not a regular file"
    if os.geteuid() != 0:
        write(tmp_path / "locked.fits", GOOD).chmod(0)
        assert inspect(tmp_path / "locked.fits").reason == "no permission to read it"


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"SIMPLE": True, "BITPIX": 17, "NAXIS": 0}, "BITPIX is 17"),
        ({"SIMPLE": True, "BITPIX": 16}, "NAXIS is missing"),
        ({"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": -6}, "negative"),
        ({"SIMPLE": True, "BITPIX": "sixteen", "NAXIS": 0}, "BITPIX is 'sixteen'"),
        ({"SIMPLE": True, "BITPIX": 16, "NAXIS": 1, "NAXIS1": "=1e999"}, "NAXIS1"),
    ],
)
def test_corrupt_headers(tmp_path: Path, cards: dict[str, object], words: str) -> None:
    found = inspect(write(tmp_path / "a.fits", header(cards)))
    assert found.state == "unreadable" and words in found.reason


def test_header_without_end(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "a.fits", GOOD[:80], b"COMMENT nonsense".ljust(80) * 36 * 1001))
    assert found.state == "unreadable" and "no END" in found.reason


def test_gzip_is_checked_to_its_end(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD)
    assert inspect(write(tmp_path / "a.fits.gz", packed)).state == "ok"
    assert inspect(write(tmp_path / "named.fits", packed)).state == "ok"
    for length in (15, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        assert inspect(write(tmp_path / "cut.fits.gz", packed[:length])).state == "truncated", length
    wrong = bytearray(packed)
    wrong[-6] ^= 0xFF  # its checksum
    assert inspect(write(tmp_path / "bad.fits.gz", bytes(wrong))).state == "unreadable"
    assert inspect(write(tmp_path / "short.fits.gz", gzip.compress(GOOD[: DATA - 5]))).state == "truncated"


def test_cards_of_every_form() -> None:
    text = "".join(
        c.ljust(80)
        for c in [
            "A       = 'it''s / here'       / a comment",
            "B       =                 23,5 / a decimal comma",
            "HIERARCH ESO  DET EXP NO = 3171 / number",
            "LONG    = 'one &'",
            "CONTINUE  'two'",
            "COMMENT first",
            "COMMENT second",
            "A       = 'again'",
            "OPEN    = 'never closed",
            "VOID    =",
            "END",
        ]
    )
    cards, quoted = read_cards(text)
    assert cards == {
        "A": "it's / here", "B": "23,5", "ESO DET EXP NO": "3171", "LONG": "one two",
        "COMMENT": "first\nsecond", "OPEN": "never closed", "VOID": "",
    }  # fmt: skip
    assert quoted == ("A", "LONG", "OPEN")


@given(st.sampled_from([8, 16, 32, 64, -32, -64]), st.lists(st.integers(0, 9), max_size=4), st.booleans())
def test_data_size_is_that_of_the_array(bits: int, axes: list[int], first: bool) -> None:
    cards = {"BITPIX": str(bits), "NAXIS": str(len(axes))} | {
        f"NAXIS{i}": str(n) for i, n in enumerate(axes, 1)
    }
    expected = int(np.prod(axes)) * abs(bits) // 8 if axes else 0
    assert data_size(cards, primary=first) == expected


def test_data_size_of_groups_and_heaps() -> None:
    groups = {
        "BITPIX": "16",
        "NAXIS": "2",
        "NAXIS1": "0",
        "NAXIS2": "5",
        "GROUPS": "T",
        "PCOUNT": "3",
        "GCOUNT": "7",
    }
    assert data_size(groups, primary=True) == 2 * 7 * (3 + 5)
    table = {"BITPIX": "8", "NAXIS": "2", "NAXIS1": "10", "NAXIS2": "5", "PCOUNT": "33", "GCOUNT": "1"}
    assert data_size(table, primary=False) == 83
    with pytest.raises(HeaderError):
        data_size({"BITPIX": "8", "NAXIS": "x"}, primary=True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2879), st.integers(0, 255))
def test_a_flipped_header_byte_never_raises(tmp_path: Path, place: int, value: int) -> None:
    broken = bytearray(GOOD)
    broken[place] = value
    found = inspect(write(tmp_path / "a.fits", bytes(broken)))
    assert found.state in ("ok", "truncated", "foreign", "unreadable")


def test_padding_only_at_the_very_end(tmp_path: Path) -> None:
    two = primary() + image(ramp(), extension=True)
    assert len(padded(two)) == len(two)
    assert inspect(write(tmp_path / "a.fits", two[:-1])).notes[0].startswith("the last block of HDU 1")


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not beside the checkout")
def test_structure_agrees_with_astropy_on_real_files() -> None:
    from astropy.io import fits

    paths = [
        REAL / "stl1001" / "flat-expos23s-Neg5-Vis.00000000.FIT",
        REAL / "eso" / "flat_20120410_J_56089_1.fits",
        *sorted((REAL / "decam" / "uband_binned_fp").glob("*.fits"))[:1],
    ]
    for path in paths:
        found = inspect(path)
        assert found.state == "ok", path
        with fits.open(path) as hdus:
            for ours, theirs in zip(found.hdus, hdus, strict=True):
                assert ours.shape == theirs.shape
                assert ours.offset == theirs.fileinfo()["datLoc"]
                assert ours.cards["INSTRUME"].strip() == str(theirs.header["INSTRUME"]).strip()
