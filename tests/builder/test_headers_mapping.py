"""Headers → fields: presets, overrides, types, contradictions, and findings told once however many frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_fits import REAL, Block, campaign, frame_file, image, primary, ramp, write

from builder.acquired.index import Index, index
from builder.acquired.pixels import open_pixels
from campaign.findings import Finding
from campaign.geometry import single
from campaign.model import Campaign, DataSpec, Detector


def indexed(root: Path, detectors: tuple[str, ...] = ("CCD1",), **data: Any) -> Index:
    return index(campaign(root, detectors, **data), {})


def kinds(found: Index, kind: str) -> list[Finding]:
    return [f for f in found.findings if f.kind == kind]


def test_plain_header(tmp_path: Path) -> None:
    frame_file(
        tmp_path / "frames" / "a.fits", EXPNUM=12, DETECTOR="ccd1", EXPTIME=23.0, IMAGETYP="Dark Frame",
        DATE_OBS="2017-09-08T21:18:13", CCD_TEMP=-5.2, FILTER="Visible",
    )  # fmt: skip
    found = indexed(tmp_path)
    (frame,) = found.frames
    assert found.findings == []
    assert (frame.id, frame.block, frame.type, frame.exptime, frame.number) == (
        "12/CCD1",
        "BORN",
        "dark",
        23.0,
        12,
    )
    assert frame.fields["temperature"] == -5.2 and frame.fields["wavelength"] == "Visible"
    assert frame.sources["exptime"] == "header EXPTIME" and "Dark Frame" in frame.sources["type"]
    assert open_pixels(frame, tmp_path).header()["CCD-TEMP"] == "-5.2"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Bias Frame", "bias"), ("zero", "bias"), ("DARK", "dark"), ("dark flat", "dark"), ("dome flat", "flat"),
        ("FLAT,LAMP", "flat"), ("SKY,FLAT", "flat"), ("point source", "point"), ("object", "other"), ("arc", "other"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keyword", ["IMAGETYP", "OBSTYPE", "FRAME", "IMTYPE"])
def test_free_text_types(tmp_path: Path, text: str, kind: str, keyword: str) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, EXPTIME=1.0, **{keyword: text})
    found = indexed(tmp_path)
    assert found.frames[0].type == kind and found.findings == []


def test_unknown_and_vague_types_are_said(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, IMAGETYP="Gribble")
    frame_file(tmp_path / "frames" / "b.fits", EXPNUM=2, IMAGETYP="Light Frame")
    frame_file(tmp_path / "frames" / "c.fits", EXPNUM=3)
    found = indexed(tmp_path)
    assert [f.type for f in found.frames] == ["other"] * 3
    told = " ".join(f.what for f in kinds(found, "unknown-header"))
    assert "Gribble" in told and "Light Frame" in told and "No header says the frame type" in told


def test_campaign_types_and_fields_override(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a.fits", SHOT=5, IMAGETYP="Light Frame", SECONDS=2.5, MASTER="M1")
    found = indexed(
        tmp_path,
        fields={"exposure": ("SHOT",), "exptime": ("SECONDS",), "lamp": ("MASTER",)},
        types={"LIGHT*": "flat"},
    )
    (frame,) = found.frames
    assert (frame.exposure, frame.exptime, frame.type, frame.fields["lamp"]) == ("5", 2.5, "flat", "M1")


def test_bad_settings_are_told_and_passed_over(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, IMAGETYP="bias")
    found = indexed(tmp_path, preset="martian", types={"x*": "spectrum"}, file_name="(unclosed")
    assert len(kinds(found, "bad-value")) == 3
    assert found.frames[0].type == "bias"


def test_same_oddity_of_many_frames_is_one_finding(tmp_path: Path) -> None:
    for i in range(25):
        frame_file(tmp_path / "frames" / f"{i}.fits", EXPNUM=i, IMAGETYP="dark", EXPTIME=f"{i},5")
    (finding,) = kinds(found := indexed(tmp_path), "bad-header")
    assert "EXPTIME: a decimal comma" in finding.what and "25 times" in finding.what
    assert "and 22 more" in finding.where and finding.block == "BORN"
    assert {f.exptime for f in found.frames} == {i + 0.5 for i in range(25)}


@pytest.mark.parametrize(
    ("written", "value"), [("23.0 s", 23.0), ("23", 23.0), ("twenty", None), (True, None), ("=23,5", 23.5)]
)
def test_values_of_the_wrong_type(tmp_path: Path, written: object, value: float | None) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, IMAGETYP="dark", EXPTIME=written)
    found = indexed(tmp_path)
    assert found.frames[0].exptime == value
    assert len(kinds(found, "bad-header")) == 1


def test_exposure_keywords_that_disagree(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, IMAGETYP="dark", EXPTIME=10.0, EXPOSURE=60.0)
    found = indexed(tmp_path)
    (finding,) = kinds(found, "contradiction")
    assert "10.0" in finding.what and "60.0" in finding.what and found.frames[0].exptime == 10.0


def test_file_name_against_header(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "dark-1s-007.fits", EXPNUM=8, IMAGETYP="flat", EXPTIME=60.0)
    found = indexed(tmp_path, file_name=r"(?P<type>dark|bias)-(?P<exptime>\d+)s-(?P<exposure>\d+)")
    told = [f.what for f in kinds(found, "contradiction")]
    assert len(told) == 3
    assert any("exptime" in t and "60.0" in t and "file name 1" in t for t in told)
    assert any("exposure" in t and "007" in t for t in told) and any("type" in t for t in told)
    (frame,) = found.frames
    assert (frame.exposure, frame.exptime, frame.type) == ("8", 60.0, "flat")


def test_missing_fields_fall_back_and_say_so(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "my frame.fits", IMAGETYP="bias")
    found = indexed(tmp_path, ("CCD1", "CCD2"))
    (frame,) = found.frames
    assert (frame.exposure, frame.detector) == ("my frame", "")
    assert frame.sources["exposure"] == "file name (stem)" and frame.sources["detector"] == "not known"
    assert len(kinds(found, "unknown-header")) == 2


def test_detector_by_number_setting_and_unknown_name(tmp_path: Path) -> None:
    frame_file(tmp_path / "frames" / "a.fits", EXPNUM=1, IMAGETYP="bias", CCD=2)
    frame_file(tmp_path / "frames" / "b.fits", EXPNUM=2, IMAGETYP="bias", CCD="CCD9")
    frame_file(tmp_path / "frames" / "c.fits", EXPNUM=3, IMAGETYP="bias")
    found = indexed(tmp_path, ("CCD1", "CCD2"))
    assert [f.detector for f in found.frames] == ["CCD2", "CCD9", ""]
    assert len(kinds(found, "unknown-name")) == 1
    assert indexed(tmp_path, ("CCD1", "CCD2"), detector="CCD1").frames[2].detector == "CCD1"


def test_same_stems_in_two_folders_stay_apart(tmp_path: Path) -> None:
    for night in ("n1", "n2"):
        frame_file(tmp_path / "frames" / night / "bias_001.fits", IMAGETYP="bias")
    assert [f.exposure for f in indexed(tmp_path).frames] == ["n1:bias_001", "n2:bias_001"]


EUCLID = {
    "CCD": "CCD1",
    "DATE": "110319D091500T",
    "TEST": "PTC01",
    "R1C1_TT": -120.5,
    "WAVE": 730,
    "SN_CCD1": "15081",
}


@pytest.mark.parametrize(
    ("cards", "kind", "why"),
    [
        ({"EXPTIME": 0.0, "SHUTTR": 0}, "bias", "exposure time is 0"),
        ({"EXPTIME": 0.0, "CHINJ": 1}, "other", "charge was injected"),
        ({"EXPTIME": 60.0, "SHUTTR": 0, "SOURCE": "flat"}, "dark", "shutter was closed"),
        ({"EXPTIME": 60.0, "SHUTTR": 1, "SOURCE": "off"}, "dark", "source was off"),
        ({"EXPTIME": 6.0, "SHUTTR": 1, "SOURCE": "flat"}, "flat", "was flat"),
        ({"EXPTIME": 6.0, "SHUTTR": 1, "SOURCE": "Point"}, "point", "was a point"),
        ({"EXPTIME": 6.0}, "other", "not known"),
    ],
)
def test_euclid_rules(tmp_path: Path, cards: dict[str, object], kind: str, why: str) -> None:
    path = tmp_path / "frames" / "EUC_191_110319D091500T_ROE1_CCD1.fits"
    write(path, image(ramp(), {**EUCLID, "OBSID": 191, **cards}))
    found = indexed(tmp_path, ("CCD1", "CCD2"), preset="euclid-vis")
    (frame,) = found.frames
    assert frame.type == kind and why in frame.sources["type"]
    assert frame.date is not None and frame.date.isoformat() == "2019-03-11T09:15:00"
    assert (frame.fields["temperature"], frame.fields["serial"], frame.fields["wavelength"]) == (
        -120.5,
        "15081",
        730,
    )
    assert kinds(found, "contradiction") == []


def test_euclid_name_against_header(tmp_path: Path) -> None:
    path = tmp_path / "frames" / "EUC_192_110319D091600T_ROE1_CCD2.fits"
    write(path, image(ramp(), {**EUCLID, "OBSID": 191, "EXPTIME": 0.0}))
    found = indexed(tmp_path, ("CCD1", "CCD2"), preset="euclid-vis")
    told = " | ".join(f.what for f in kinds(found, "contradiction"))
    assert "on exposure" in told and "on date" in told and "on detector" in told
    assert found.frames[0].id == "191/CCD1"


def test_exposure_file_with_an_extension_per_detector(tmp_path: Path) -> None:
    exts = [
        image(ramp(start=i), {"EXTNAME": n, "DETPOS": n, "CCDNUM": i}, extension=True)
        for i, n in enumerate(("S29", "N4", "FS1"))
    ]
    top = primary({"EXPNUM": 605990, "OBSTYPE": "dome flat", "EXPTIME": 10.0, "FILTER": "u"})
    write(tmp_path / "frames" / "d.fits", top, *exts)
    found = indexed(tmp_path, ("N4", "S29"), preset="decam")
    assert [(f.id, dict(f.hdus), f.type) for f in found.frames] == [
        ("605990/S29", {"": 1}, "flat"), ("605990/N4", {"": 2}, "flat"),
    ]  # fmt: skip
    (finding,) = kinds(found, "unknown-header")
    assert "FS1" in finding.what


def test_exposure_file_with_an_extension_per_channel(tmp_path: Path) -> None:
    geometry = single(rows=6, columns=8, channel="E")
    exts = [image(ramp(), {"EXTNAME": n}, extension=True) for n in ("1-1.E", "1-2.E")]
    write(tmp_path / "frames" / "le1.fits", primary({"OBSID": 5, "EXPTIME": 0.0}), *exts)
    found = index(campaign(tmp_path, ("1-1", "1-2"), geometry=geometry, preset="euclid-vis"), {})
    assert [(f.id, dict(f.hdus)) for f in found.frames] == [("5/1-1", {"E": 1}), ("5/1-2", {"E": 2})]


def test_extensions_as_the_campaign_says(tmp_path: Path) -> None:
    exts = [image(ramp(), {"EXTNAME": n}, extension=True) for n in ("LEFT", "RIGHT")]
    write(tmp_path / "frames" / "x.fits", primary({"EXPNUM": 5, "IMAGETYP": "bias"}), *exts)
    geometry = single(rows=6, columns=8)
    detectors = (
        Detector(name="A", geometry=geometry, hdu="right"),
        Detector(name="B", geometry=geometry, hdu=1),
    )
    made = Campaign(
        root=tmp_path, id="m", title="M", detectors=detectors, data=DataSpec(), blocks=(Block(id="X"),)
    )
    assert {f.detector: dict(f.hdus) for f in index(made, {}).frames} == {"A": {"": 2}, "B": {"": 1}}


def test_one_extension_for_all_detectors_is_one_file_each(tmp_path: Path) -> None:
    geometry = single(rows=6, columns=8)
    for n in (1, 2):
        write(
            tmp_path / "frames" / f"{n}.fits",
            primary({"EXPNUM": 5, "CCD": n, "IMAGETYP": "bias"}),
            image(ramp(), extension=True),
        )
    detectors = tuple(Detector(name=f"CCD{n}", geometry=geometry, hdu=1) for n in (1, 2))
    made = Campaign(
        root=tmp_path, id="m", title="M", detectors=detectors, data=DataSpec(), blocks=(Block(id="X"),)
    )
    assert [f.id for f in index(made, {}).frames] == ["5/CCD1", "5/CCD2"]


@pytest.mark.real
@pytest.mark.skipif(
    not (REAL / "stl1001").is_dir(), reason="the real STL-1001E frames are not beside the checkout"
)
def test_real_stl1001_frames() -> None:
    geometry = single(rows=1024, columns=1024)
    name = r"(?P<type>bias|dark|flat)(?:e?s)?(?:-expos(?P<exptime>\d+)s?)?-"
    made = campaign(REAL, ("STL",), (Block(id="night"),), geometry, roots=("stl1001",), file_name=name)
    found = index(made, {})
    types = [f.type for f in found.frames]
    assert {t: types.count(t) for t in set(types)} == {"bias": 10, "dark": 15, "flat": 6}
    assert {f.state for f in found.files} == {"ok"} and len(found.files) == 31
    (finding,) = kinds(found, "contradiction")
    assert "exptime" in finding.what and "3 times" in finding.what and "darks-expos1-" in finding.where
    assert all("Light Frame" in f.sources["type"] for f in found.frames if f.type == "flat")


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "eso").is_dir(), reason="the real ESO frames are not beside the checkout")
def test_real_eso_frames() -> None:
    geometry = single(rows=1007, columns=1024)
    found = index(campaign(REAL, ("SOFI",), (Block(id="x"),), geometry, roots=("eso",)), {})
    assert {f.state for f in found.files} == {"ok", "wrong-shape"}  # EFOSC2 is another camera
    assert len(found.frames) == 6
    assert all(f.type == "flat" and f.date is not None for f in found.frames)


def test_many_different_contradictions_are_told_together(tmp_path: Path) -> None:
    for i in range(1, 14):
        frame_file(tmp_path / "frames" / f"dark-{i}s.fits", EXPNUM=i, IMAGETYP="dark", EXPTIME=100.0 + i)
    (finding,) = kinds(indexed(tmp_path, file_name=r"-(?P<exptime>\d+)s"), "contradiction")
    assert (
        "13 times" in finding.what
        and "and 10 other values" in finding.what
        and "and 10 more" in finding.where
    )


@pytest.mark.real
@pytest.mark.skipif(
    not (REAL / "decam").is_dir(), reason="the real DECam mosaics are not beside the checkout"
)
def test_real_decam_mosaics() -> None:
    geometry = single(rows=224, columns=192)
    roots = ("decam/uband_binned_fp",)
    found = index(campaign(REAL, ("FP",), (Block(id="u"),), geometry, roots=roots, preset="decam"), {})
    assert {f.state for f in found.files} == {"ok"} and len(found.frames) == 121
    for frame in found.frames:
        assert frame.number is not None and f"D{frame.number:08d}_" in frame.file.path
        assert str(frame.fields["wavelength"]).startswith("u DECam") and frame.date is not None
