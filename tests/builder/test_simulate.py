"""The simulator against its own stated truth: pixels, determinism, and what is written when."""

from __future__ import annotations

import ast
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import builder.simulate
from builder.simulate import simulate
from campaign.geometry import Geometry, quadrants, single
from campaign.model import Block, Campaign, DataSpec, Detector

ROWS = COLUMNS = 128


def plain(
    root: Path, plan: list[dict[str, Any]], truth: dict[str, Any] | None = None, **more: Any
) -> Campaign:
    """A one-channel camera with block B."""
    geometry = single(rows=ROWS, columns=COLUMNS, overscan=16)
    settings = {
        "seed": 11,
        "truth": {
            "gain": 2.0, "read_noise": 6.0, "offset": 1000.0, "full_well": 100_000.0, "scatter": 0.0,
            "prnu": 0.0, "lamp": {"600": 5000.0}, **(truth or {}),
        },
        "plan": plan,
        **more,
    }  # fmt: skip
    return Campaign(
        root=root, id="t", title="t", detectors=(Detector(name="DET", geometry=geometry),),
        blocks=(Block(id="B", start=date(2024, 2, 29)),), simulate=settings,
    )  # fmt: skip


def euclid(root: Path, plan: list[dict[str, Any]], **truth: Any) -> Campaign:
    """Two CCDs of four small quadrants."""
    geometry = quadrants(rows=24, columns=20, prescan=6, overscan=8, parallel=4)
    hardware = {"CCD1": "1", "CCD2": "2", "ROE": "r"}
    return Campaign(
        root=root, id="t", title="t", data=DataSpec(preset="euclid-vis"),
        detectors=tuple(Detector(name=n, geometry=geometry) for n in ("CCD1", "CCD2")),
        blocks=(Block(id="B", start=date(2019, 3, 11), hardware=hardware),),
        simulate={"seed": 3, "truth": {"lamp": {"800": 9000.0, "590": 3000.0}, **truth}, "plan": plan},
    )  # fmt: skip


def entry(kind: str, frames: int = 2, exptime: Any = 0.0, **more: Any) -> dict[str, Any]:
    light = {"wavelength": 600} if kind == "flat" else {}
    return {
        "block": "B", "test": kind.upper(), "type": kind, "first": 1, "frames": frames, "exptime": exptime,
        **light, **more,
    }  # fmt: skip


def files(root: Path) -> list[Path]:
    return sorted((root / "frames").rglob("*.fits"))


def content(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files(root)}


def stack(root: Path) -> np.ndarray:
    """All frames of a plain camera, shape (frames, rows, columns with overscan), float64."""
    return np.stack([fits.getdata(p) for p in files(root)]).astype(np.float64)


def test_simulator_imports_no_estimator() -> None:
    folder = Path(builder.simulate.__file__).parent
    modules = [
        name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert "numpy" in modules
    ours = {m for m in modules if m.split(".")[0] in ("analysis", "builder", "campaign")}
    # the engine runs functions and knows nothing of pixels
    own = ("builder.simulate", "builder.engine", "campaign.")
    assert {m for m in ours if not m.startswith(own)} == set()


def test_bias_has_the_offset_and_noise_of_the_truth(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("bias", 8)]))
    frames = stack(tmp_path)
    noise = math.hypot(6.0 / 2.0, math.sqrt(1 / 12))  # read noise [ADU] and rounding
    assert abs(frames.mean() - 1000.0) < 5 * noise / math.sqrt(frames.size)
    assert abs(frames.std() / noise - 1) < 5 / math.sqrt(2 * frames.size)


def test_structure_is_fixed_and_leaves_the_mean_offset(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("bias", 8)], {"structure": 40.0}))
    image = stack(tmp_path)[:, :, :COLUMNS]
    assert abs(image.mean() - 1000.0) < 5 * 3.02 / math.sqrt(image.size)
    rows = image.mean(axis=(0, 2))
    assert rows[0] - rows[-1] == pytest.approx(
        40.0 * (1 - math.exp(-6 * 127 / 128)), abs=5 * 3.02 * math.sqrt(2 / 1024)
    )


def test_flat_pair_gives_the_gain_of_the_truth(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("flat", 8, 2.0)], {"prnu": 0.02}))
    image = stack(tmp_path)[:, :, :COLUMNS]
    level = image.mean() - 1000.0
    variance = float(np.mean([np.var(image[i] - image[i + 1]) / 2 for i in (0, 2, 4, 6)]))
    shot = variance - 3.0**2 - 1 / 12
    n = 4 * ROWS * COLUMNS
    assert abs(level - 10_000) < 10_000 * 5 * 0.02 / math.sqrt(ROWS * COLUMNS) + 1
    assert abs(level / shot / 2.0 - 1) < 5 * math.sqrt(2 / n)


def test_overscan_of_a_flat_holds_no_light(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("flat", 2, 10.0)]))
    overscan = stack(tmp_path)[:, :, COLUMNS:]
    assert abs(overscan.mean() - 1000.0) < 5 * 3.02 / math.sqrt(overscan.size)


def test_prnu_is_a_fixed_pattern_of_the_stated_size(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("flat", 10, 8.0)], {"prnu": 0.015}))
    image = stack(tmp_path)[:, :, :COLUMNS] - 1000.0
    mean = image.mean(axis=0)
    left = image.var(axis=0, ddof=1).mean() / len(image)  # what noise leaves in the mean
    prnu = math.sqrt(mean.var() - left) / mean.mean()
    assert abs(prnu / 0.015 - 1) < 5 / math.sqrt(2 * ROWS * COLUMNS)


def test_dark_current_is_poisson_at_low_signal(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("dark", 6, 100.0)], {"dark_current": 0.05}))
    frames = stack(tmp_path)
    image = frames[:, :, :COLUMNS]
    charge = (image.mean() - 1000.0) * 2.0
    variance = (image.var(axis=0, ddof=1).mean() - 1 / 12) * 4.0
    n = image.size
    assert abs(charge - 5.0) < 5 * math.sqrt((36 + 5) / n)
    assert abs(variance / (36 + 5) - 1) < 5 * math.sqrt(2 / (n - n / 6))


def test_brighter_fatter_lowers_the_variance(tmp_path: Path) -> None:
    a00, electrons = -2e-6, 60_000.0
    simulate(plain(tmp_path, [entry("flat", 8, 6.0)], {"a00": a00}))
    image = stack(tmp_path)[:, :, :COLUMNS]
    variance = float(np.mean([np.var(image[i] - image[i + 1]) / 2 for i in (0, 2, 4, 6)])) - 9.0 - 1 / 12
    expected = (math.exp(2 * a00 * electrons) - 1) / (2 * a00) / 4.0
    assert abs(variance / expected - 1) < 5 * math.sqrt(2 / (4 * ROWS * COLUMNS))
    assert variance < 0.95 * electrons / 4.0


def test_variance_turns_over_at_full_well(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("flat", 2, [7.0, 14.0])]))
    image = stack(tmp_path)[:, :, :COLUMNS]
    below, above = np.var(image[0] - image[1]), np.var(image[2] - image[3])
    assert above < below / 10
    # twice the charge that fits: every pixel is at its own full well, which scatters by one per cent
    assert abs(image[2].mean() - 1000.0 - 50_000.0) < 5 * 0.01 * 50_000 / math.sqrt(ROWS * COLUMNS)


def test_converter_stops_at_16_bits(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("flat", 1, 100.0)], {"full_well": 1e6}))
    (path,) = files(tmp_path)
    image = fits.getdata(path)
    assert image.dtype == np.uint16
    assert image.max() == 65535
    assert fits.getheader(path)["BZERO"] == 32768


def test_planted_pixels_are_where_the_truth_says(tmp_path: Path) -> None:
    truth = {"hot_pixels": 5, "hot_current": 50.0, "dead_pixels": 4, "bad_columns": 2}
    plan = [entry("dark", 1, 100.0), entry("flat", 1, 5.0, first=2)]
    done = simulate(plain(tmp_path, plan, truth))
    stated = json.loads(done.truth.read_text("utf-8"))["blocks"]["B"]["detectors"]["DET"]["A"]
    dark, flat = stack(tmp_path)
    assert len(stated["hot"]) == 5
    for y, x, current in stated["hot"]:
        assert dark[y, x] == pytest.approx(
            1000 + current * 100 / 2, abs=6 * math.sqrt(current * 100 + 36) / 2
        )
        assert dark[y, x] > 1000 + 30 * 3
    columns = {x for x, _ in stated["columns"]}
    assert len(columns) == 2
    for y, x, _ in stated["dead"]:
        assert flat[y, x] < 1000 + 0.35 * 25_000
    for x in columns:
        assert np.median(flat[:, x]) < 1000 + 0.55 * 25_000
    assert int((flat[:, :COLUMNS] < 1000 + 0.6 * 25_000).sum()) <= 4 + 2 * ROWS


def test_cosmic_rays_come_at_the_stated_rate(tmp_path: Path) -> None:
    simulate(plain(tmp_path, [entry("dark", 10, 1000.0)], {"cosmic_rate": 0.01 * 1e6 / (ROWS * COLUMNS)}))
    image = stack(tmp_path)[:, :, :COLUMNS]
    struck = int((image > 1000 + 100).sum())  # tracks of about nine pixels on average
    assert 10 * 10 * 3 < struck < 10 * 10 * 30
    assert (image.max(axis=(1, 2)) > 1200).all()


def test_channels_scatter_and_named_channels_do_not(tmp_path: Path) -> None:
    gains = {"CCD1": {"E": 3.1, "F": 3.2, "G": 3.3, "H": 3.4}, "CCD2": 3.3}
    plan = [{"block": "B", "test": "BIAS", "type": "bias", "first": 1}]
    done = simulate(euclid(tmp_path, plan, gain=gains, scatter=0.02))
    found = json.loads(done.truth.read_text("utf-8"))["blocks"]["B"]["detectors"]
    assert [found["CCD1"][c]["gain"] for c in "EFGH"] == [3.1, 3.2, 3.3, 3.4]
    drawn = [found["CCD2"][c]["gain"] for c in "EFGH"]
    assert len(set(drawn)) == 4
    assert all(abs(g / 3.3 - 1) < 5 * 0.02 for g in drawn)


PLAN = [
    {"block": "B", "test": "BIAS02", "type": "bias", "first": 1, "frames": 3},
    {
        "block": "B",
        "test": "PTC",
        "type": "flat",
        "first": 10,
        "frames": 2,
        "exptime": [1, 2],
        "wavelength": 800,
    },
]


def test_bytes_do_not_depend_on_order_or_workers(tmp_path: Path) -> None:
    roots = [tmp_path / n for n in ("one", "two", "alone")]
    simulate(euclid(roots[0], PLAN))
    simulate(euclid(roots[1], PLAN[::-1]), workers=2)
    # the plan's order sets the times, and with them names and headers: compare the pixels
    pixels = [
        {(p.name.split("_")[1], p.stem[-4:]): fits.getdata(p).tobytes() for p in files(r)} for r in roots[:2]
    ]
    assert pixels[0] == pixels[1]
    assert len(pixels[0]) == 14
    reference = content(roots[0])
    simulate(euclid(roots[2], PLAN), workers=2)
    assert content(roots[2]) == reference
    lost = files(roots[2])[5]
    lost.unlink()
    done = simulate(euclid(roots[2], PLAN))
    assert done.written == 1
    assert content(roots[2]) == reference


def test_unchanged_plan_writes_nothing(tmp_path: Path) -> None:
    campaign = euclid(tmp_path, PLAN)
    told: list[tuple[int, int, str]] = []
    first = simulate(campaign, progress=lambda *a: told.append(a))
    assert (first.written, first.bytes) == (14, sum(len(c) for c in content(tmp_path).values()))
    assert told[-1][:2] == (14, 14)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "frames").rglob("*") if p.is_file()}
    assert simulate(campaign).written == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "frames").rglob("*") if p.is_file()} == before


def test_changed_settings_remake_their_frames_only(tmp_path: Path) -> None:
    simulate(euclid(tmp_path, PLAN))
    before = content(tmp_path)
    changed = [{**PLAN[0], "faults": [{"kind": "noisy-channel", "frame": 2, "detector": "CCD1"}]}, PLAN[1]]
    assert simulate(euclid(tmp_path, changed)).written == 1
    after = content(tmp_path)
    assert [p for p in after if after[p] != before[p]] == [p for p in after if "EUC_2_" in p and "CCD1" in p]
    assert simulate(euclid(tmp_path, PLAN[:1])).written == 1
    assert not any(
        "EUC_1" in p for p in content(tmp_path) if "EUC_1_" not in p
    )  # the flats are planned no more


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    campaign = plain(tmp_path, [entry("bias", 2)])
    path = tmp_path / "frames" / "B" / "BIAS_00001.fits"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a real frame")
    for _ in range(2):
        done = simulate(campaign)
        assert [f.kind for f in done.findings] == ["contradiction"]
        assert path.read_bytes() == b"a real frame"
    assert path.with_name("BIAS_00002.fits").is_file()


def test_truth_file_cannot_lead_out_of_the_root(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep")
    (tmp_path / "frames").mkdir()
    stated = {"files": {"../precious.txt": "0", str(precious): "0"}}
    (tmp_path / "frames" / "truth.json").write_text(json.dumps(stated))
    simulate(plain(tmp_path, [entry("bias", 1)]))
    assert precious.read_text() == "keep"


def test_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    reference = tmp_path / "whole"
    simulate(euclid(reference, PLAN))

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    campaign = euclid(tmp_path / "cut", PLAN)
    with pytest.raises(Killed):
        simulate(campaign, progress=kill)
    assert 0 < len(content(tmp_path / "cut")) < 14
    simulate(campaign)
    assert content(tmp_path / "cut") == content(reference)


@pytest.mark.parametrize("geometry", [quadrants(rows=24, columns=20, prescan=6, overscan=8, parallel=4)])
def test_prescan_and_overscans_hold_offset_and_noise_only(tmp_path: Path, geometry: Geometry) -> None:
    plan = [{"block": "B", "test": "F", "type": "flat", "first": 1, "exptime": 3, "wavelength": 800}]
    done = simulate(euclid(tmp_path, plan, structure=0.0))
    found = json.loads(done.truth.read_text("utf-8"))["blocks"]["B"]["detectors"]["CCD1"]
    image = fits.getdata(next(p for p in files(tmp_path) if "CCD1" in p.name)).astype(float)
    for channel in geometry.channels:
        truth = found[channel.name]
        noise = math.hypot(truth["read_noise"] / truth["gain"], math.sqrt(1 / 12))
        for name in ("prescan", "overscan", "parallel"):
            region = channel.region(name)
            assert region is not None
            pixels = image[region.slices]
            assert abs(pixels.mean() - truth["offset"]) < 5 * noise / math.sqrt(pixels.size)
        assert image[channel.image.slices].mean() > truth["offset"] + 20_000
