"""Exposure logs: read by their header, joined to frames, disagreeing with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_fits import REAL, campaign, frame_file, image, ramp, write

from builder.acquired.explog import read_log
from builder.acquired.index import Index, index
from builder.acquired.pixels import FrameHeader, open_pixels

COLUMNS = "ObsID\tFile_name\tCCD\tDATE\tTEST\tExptime\tWavelength\tTOI _pump\tOdd one\t\n"
NAME = "EUC_{}_251116D150614T_ROE1_CCD{}"
EUCLID = {"DATE": "251116D150614T", "SHUTTR": 1, "SOURCE": "flat"}


def row(obsid: int, ccd: int, exptime: str = "10", wave: str = "590") -> str:
    return (
        f"{obsid}\t{NAME.format(obsid, ccd)}\tCCD{ccd}\t251116D150614T\tPTC01\t{exptime}\t{wave}\t143\tx\t\n"
    )


def put(root: Path, text: str, *frames: tuple[int, int]) -> Index:
    write(root / "frames" / "25_Nov_16" / "EXP_LOG_251116.txt", text.encode())
    for obsid, ccd in frames:
        cards = {**EUCLID, "OBSID": obsid, "CCD": f"CCD{ccd}", "EXPTIME": 10.0}
        write(root / "frames" / "25_Nov_16" / f"{NAME.format(obsid, ccd)}.fits", image(ramp(), cards))
    return index(campaign(root, ("CCD1", "CCD2"), preset="euclid-vis"), {})


def test_header_line_decides_columns(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "EXP_LOG_1.txt", (COLUMNS + row(191, 1)).encode()))
    assert log.columns[:3] == ("ObsID", "File_name", "CCD") and log.columns[-1] == "Odd one"
    assert log.findings == () and log.rows[0]["Wavelength"] == "590" and log.rows[0]["Odd one"] == "x"
    assert log.column("exptime") == "Exptime" and log.column("nothing") == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"1\t2\t3\n4\t5\t6\n", "no header line"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no header line"),
    ],
)
def test_useless_logs(tmp_path: Path, content: bytes, words: str) -> None:
    log = read_log(write(tmp_path / "EXP_LOG_1.txt", content))
    assert log.rows == () and [f.kind for f in log.findings] == ["bad-log"]
    assert words in log.findings[0].what


def test_log_that_is_gone(tmp_path: Path) -> None:
    assert [f.kind for f in read_log(tmp_path / "EXP_LOG_1.txt").findings] == ["bad-log"]


def test_damaged_rows_cost_only_themselves(tmp_path: Path) -> None:
    text = (
        COLUMNS
        + row(191, 1)
        + "192\tcut off\n"
        + row(193, 1).rstrip("\n")
        + "more\tcells\n"
        + "x"
        + row(194, 1)
    )
    text += row(195, 1) + row(195, 1, exptime="99") + row(195, 1)
    log = read_log(write(tmp_path / "EXP_LOG_1.txt", text.encode()))
    assert [r["ObsID"] for r in log.rows] == ["191", "195"]
    told = " ".join(f.what + f.where for f in log.findings)
    assert (
        "fewer cells" in told
        and "more cells" in told
        and "no exposure number" in told
        and "repeats 195" in told
    )
    assert "EXP_LOG_1.txt line 3" in told


def test_numbered_duplicate_columns_and_latin_text(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "l.txt", "ObsID\tNote\tNote\n1\tJosé\tb\n".encode("latin-1")))
    assert log.columns == ("ObsID", "Note", "Note #2") and log.rows[0]["Note"] == "José"


def test_log_fills_what_headers_lack_and_says_so(tmp_path: Path) -> None:
    found = put(tmp_path, COLUMNS + row(191, 1) + row(191, 2), (191, 1), (191, 2))
    frame = found.frames[0]
    assert frame.fields["wavelength"] == 590 and frame.sources["wavelength"] == "log Wavelength"
    assert frame.fields["test"] == "PTC01" and frame.sources["test"] == "log TEST"
    assert frame.sources["exptime"] == "header EXPTIME" and found.logged(frame)["LOG Odd one"] == "x"
    assert found.findings == []


def test_log_and_header_disagree(tmp_path: Path) -> None:
    found = put(tmp_path, COLUMNS + row(191, 1, exptime="12.5"), (191, 1))
    (finding,) = found.findings
    assert finding.kind == "contradiction" and "12.5" in finding.what and "10.0" in finding.what
    (frame,) = found.frames
    header = FrameHeader(open_pixels(frame, tmp_path), found.logged(frame))
    assert frame.exptime == 10.0 and header["LOG Exptime"] == "12.5" and header["EXPTIME"] == "10.0"


def test_a_frame_told_apart_by_its_folder_keeps_its_row(tmp_path: Path) -> None:
    """Logs of two folders without exposure numbers: the files' names are the exposures, and clash."""
    for folder, lamp in (("a", "red"), ("b", "blue")):
        frame_file(tmp_path / "frames" / folder / "one.fits", IMAGETYP="bias")
        write(tmp_path / "frames" / folder / "log.txt", f"File_name\tLamp\none.fits\t{lamp}\n".encode())
    found = index(campaign(tmp_path, logs=("log.txt",)), {})
    said = {f.exposure: found.logged(f)["LOG Lamp"] for f in found.frames}
    assert said == {"a:one": "red", "b:one": "blue"}
    assert found.logged(replace(found.frames[0], detector="another")) == {}


def test_log_rows_without_files_are_told(tmp_path: Path) -> None:
    found = put(tmp_path, COLUMNS + row(191, 1) + row(192, 1), (191, 1))
    (finding,) = found.findings
    assert finding.kind == "missing-frames" and "EUC_192" in finding.what and finding.block == "BORN"


def test_a_damaged_file_is_not_also_missing(tmp_path: Path) -> None:
    write(tmp_path / "frames" / "25_Nov_16" / f"{NAME.format(192, 1)}.fits", b"")
    found = put(tmp_path, COLUMNS + row(191, 1) + row(192, 1), (191, 1))
    assert [f.kind for f in found.findings] == ["damaged-file"]


def test_log_joined_by_exposure_tells_a_renamed_file(tmp_path: Path) -> None:
    write(
        tmp_path / "frames" / "renamed.fits",
        image(ramp(), {**EUCLID, "OBSID": 191, "CCD": "CCD1", "EXPTIME": 10.0}),
    )
    write(tmp_path / "frames" / "EXP_LOG_1.txt", (COLUMNS + row(191, 1)).encode())
    found = index(campaign(tmp_path, ("CCD1", "CCD2"), preset="euclid-vis"), {})
    (finding,) = found.findings
    assert finding.kind == "contradiction" and "another file name" in finding.what
    assert found.frames[0].fields["wavelength"] == 590


def test_bad_log_reaches_the_index(tmp_path: Path) -> None:
    found = put(tmp_path, "nonsense", (191, 1))
    assert [f.kind for f in found.findings] == ["bad-log"]
    assert found.findings[0].block == "BORN" and found.findings[0].where.endswith("EXP_LOG_251116.txt")


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "vis").is_dir(), reason="the real exposure log is not beside the checkout")
def test_the_real_log() -> None:
    log = read_log(REAL / "vis" / "explog" / "EXP_LOG_050800.txt")
    assert len(log.columns) == 69 and len(log.rows) == 6 and log.findings == ()
    assert {(r["ObsID"], r["CCD"]) for r in log.rows} == {
        (o, f"CCD{n}") for o in ("191", "192") for n in (1, 2, 3)
    }
    assert log.rows[0]["EGSE_ver"] == "5.7.05" and log.rows[0]["TOI _pump"] == "1000"
