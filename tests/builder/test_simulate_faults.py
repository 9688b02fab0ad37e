"""Planted faults: each does what its description says, on the frame it names, and is in ``truth.json``."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from builder.simulate import simulate, validate
from builder.simulate.settings import BY_CHANNEL, FAULTS, FaultKind
from campaign.geometry import quadrants
from campaign.model import Block, Campaign, DataSpec, Detector

GEOMETRY = quadrants(rows=40, columns=40, prescan=6, overscan=8, parallel=4)
TRUTH = {
    "scatter": 0.0, "prnu": 0.0, "gain": 3.0, "read_noise": 3.0, "offset": 2000.0,
    "lamp": {"800": 9000.0, "880": 3000.0},
}  # fmt: skip


def campaign_with(root: Path, faults: list[dict[str, Any]], **more: Any) -> Campaign:
    """Three flats of 2 s on two CCDs, struck by faults."""
    plan = {
        "block": "B", "test": "FLAT01", "type": "flat", "first": 100, "frames": 3, "exptime": 2.0,
        "wavelength": 800, "faults": faults, **more,
    }  # fmt: skip
    return Campaign(
        root=root, id="t", title="t", data=DataSpec(preset="euclid-vis"),
        detectors=tuple(Detector(name=n, geometry=GEOMETRY) for n in ("CCD1", "CCD2")),
        blocks=(Block(id="B", start=date(2019, 3, 11)),),
        simulate={"seed": 5, "truth": TRUTH, "plan": [plan]},
    )  # fmt: skip


def struck(root: Path, fault: dict[str, Any], number: int = 101, detector: str = "CCD1") -> Path:
    """Simulate with a fault and return the path of one frame."""
    campaign = campaign_with(root, [fault])
    assert validate(campaign) == []
    simulate(campaign)
    found = list((root / "frames" / "B" / "11_Mar_19").glob(f"EUC_{number}_110319D*T_ROE1_{detector}.fits"))
    return found[0] if found else root / "nothing"


def level(path: Path, channel: str = "E") -> float:
    """Mean signal of a channel above the true offset [ADU]."""
    image = fits.getdata(path)
    assert image is not None
    return float(image[GEOMETRY.channel(channel).image.slices].astype(float).mean() - 2000.0)


HERE = {"frame": 2, "detector": "CCD1"}
NEAR = 5 * np.sqrt(18000 / 3 / 1600)  # 5 sigma of a channel's mean at 18 000 ADU


def test_kinds_and_their_descriptions_agree() -> None:
    assert set(FaultKind.__args__) == set(FAULTS)
    assert set(FAULTS) >= BY_CHANNEL


def test_without_faults_the_light_is_as_commanded(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "saturated", "frame": 1})
    assert abs(level(path) - 18_000) < NEAR
    assert fits.getheader(path)["EXPTIME"] == 2.0


def test_missing_frame(tmp_path: Path) -> None:
    assert not struck(tmp_path, {"kind": "missing-frame", **HERE}).exists()
    assert len(list((tmp_path / "frames").rglob("*.fits"))) == 5
    assert "EUC_101_" in (tmp_path / "frames/B/11_Mar_19/EXP_LOG_110319.txt").read_text()


def test_wrong_exposure_time(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "wrong-exposure-time", **HERE, "amount": 0.5})
    assert abs(level(path) - 9_000) < NEAR
    assert fits.getheader(path)["EXPTIME"] == 2.0


def test_wrong_header_time(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "wrong-header-time", **HERE, "amount": 3})
    assert abs(level(path) - 18_000) < NEAR
    assert fits.getheader(path)["EXPTIME"] == 6.0
    assert logged(tmp_path)[("101", "CCD1")]["exptime"] == "2"


def test_wrong_log_time(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "wrong-log-time", **HERE, "amount": 3})
    assert fits.getheader(path)["EXPTIME"] == 2.0
    times = {key: row["exptime"] for key, row in logged(tmp_path).items()}
    assert [key for key, value in times.items() if value != "2"] == [("101", "CCD1")]


def logged(root: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the exposure log by number and detector."""
    lines = (root / "frames/B/11_Mar_19/EXP_LOG_110319.txt").read_text("utf-8").splitlines()
    assert all(line.endswith("\t") for line in lines)
    head = lines[0].split("\t")
    rows = [dict(zip(head, line.split("\t"), strict=True)) for line in lines[1:]]
    return {(row["ObsID"], row["CCD"]): row for row in rows}


def test_swapped_setting(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "swapped-setting", **HERE, "amount": 880})
    assert abs(level(path) - 6_000) < NEAR
    assert fits.getheader(path)["WAVE"] == 880
    assert logged(tmp_path)[("101", "CCD1")]["wave"] == "880"


def test_truncated(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "truncated", **HERE, "amount": 0.5})
    whole = path.with_name(path.name.replace("CCD1", "CCD2")).stat().st_size
    assert path.stat().st_size == whole // 2


def test_empty_and_foreign(tmp_path: Path) -> None:
    assert struck(tmp_path / "a", {"kind": "empty", **HERE}).read_bytes() == b""
    assert not struck(tmp_path / "b", {"kind": "foreign", **HERE}).read_bytes().startswith(b"SIMPLE")


def test_wrong_shape(tmp_path: Path) -> None:
    rows, columns = GEOMETRY.shape
    assert fits.getdata(struck(tmp_path, {"kind": "wrong-shape", **HERE})).shape == (rows - 10, columns)


def test_nan_pixels(tmp_path: Path) -> None:
    image = fits.getdata(struck(tmp_path, {"kind": "nan-pixels", **HERE, "amount": 7}))
    assert image.dtype.kind == "f"
    assert int(np.isnan(image).sum()) == 7


def test_saturated(tmp_path: Path) -> None:
    image = fits.getdata(struck(tmp_path, {"kind": "saturated", **HERE}))
    assert np.median(image[GEOMETRY.channel("E").image.slices]) > 60_000


def test_noisy_channel_is_noisy_in_its_overscan_too(tmp_path: Path) -> None:
    image = fits.getdata(struck(tmp_path, {"kind": "noisy-channel", **HERE, "channel": "G", "amount": 8}))
    spread = {
        c.name: float(np.std(image[c.region("overscan").slices].astype(float))) for c in GEOMETRY.channels
    }  # type: ignore[union-attr]
    assert spread["G"] == pytest.approx(8.0, rel=5 / np.sqrt(2 * 320))
    assert all(spread[name] < 1.3 for name in "EFH")


def test_lamp_drift(tmp_path: Path) -> None:
    assert abs(level(struck(tmp_path, {"kind": "lamp-drift", **HERE, "amount": 0.1})) - 19_800) < NEAR


def test_flicker_rules_the_rows(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "flicker", **HERE, "amount": 0.03})
    image = fits.getdata(path)[GEOMETRY.channel("E").image.slices].astype(float)
    rows, columns = image.mean(axis=1), image.mean(axis=0)
    assert rows.std() / image.mean() == pytest.approx(0.03, rel=5 / np.sqrt(2 * 40))
    assert columns.std() / image.mean() < 0.005


def test_clamped_converter(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "clamped-converter", **HERE, "channel": "F", "amount": 15_000})
    image = fits.getdata(path)
    assert np.unique(image[GEOMETRY.channel("F").image.slices]).tolist() == [15_000]
    assert image[GEOMETRY.channel("E").image.slices].min() > 15_000


def test_offset_step_spares_the_overscan(tmp_path: Path) -> None:
    fault = {"kind": "offset-step", **HERE, "channel": "H", "amount": -500}
    path = struck(tmp_path, fault)
    assert abs(level(path, "H") - 17_500) < NEAR
    assert abs(level(path, "E") - 18_000) < NEAR
    overscan = GEOMETRY.channel("H").region("overscan")
    assert overscan is not None
    assert abs(fits.getdata(path)[overscan.slices].mean() - 2000) < 1


def test_bias_jump(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "bias-jump", "amount": 30, "channel": "H", **HERE})
    image = fits.getdata(path).astype(float)
    prescan = GEOMETRY.channel("H").prescan  # read from the lower left: rows from the bottom
    assert prescan is not None
    columns = image[prescan.slices]
    noise = 5 * np.sqrt(2 / (20 * 6)) * np.hypot(1.0, np.sqrt(1 / 12))
    assert columns[22:].mean() - columns[:22].mean() == pytest.approx(30, abs=noise)
    assert level(path, "E") == pytest.approx(18000, abs=NEAR)


def test_stuck_bit(tmp_path: Path) -> None:
    path = struck(tmp_path, {"kind": "stuck-bit", "amount": 3, "channel": "F", **HERE})
    image = fits.getdata(path)
    assert (image[GEOMETRY.channel("F").image.slices] & 8 == 8).all()
    assert not (image[GEOMETRY.channel("E").image.slices] & 8 == 8).all()


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_every_fault_is_stated_with_its_file(tmp_path: Path, kind: str) -> None:
    amount = {"amount": 880} if kind == "swapped-setting" else {}
    path = struck(tmp_path, {"kind": kind, **HERE, **amount})
    stated = json.loads((tmp_path / "frames" / "truth.json").read_text("utf-8"))["faults"]
    assert [(f["kind"], f["exposure"], f["detector"]) for f in stated] == [(kind, 101, "CCD1")]
    assert (tmp_path / "frames" / stated[0]["file"]).exists() == (kind != "missing-frame")
    assert kind == "missing-frame" or (tmp_path / "frames" / stated[0]["file"]) == path
