"""Persistence against frames whose residual is known: order of frames, mask, background, fading, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from analysis.contract import ContractError, FrameInput, ImageProduct, Results, TableProduct
from analysis.in_memory import detector, frame_input, inputs, measured, value
from analysis.masks import BITS
from analysis.persistence import PROCEDURE
from analysis.persistence.background import Ground
from analysis.persistence.decay import Fade, exponential, fade, power_law
from analysis.persistence.order import in_order
from analysis.persistence.residual import Residual, residual
from bench.truth.of_persistence import Scene, simulated
from builder.simulate.effects.persistence import released, released_by_power, trapped
from campaign.geometry import Geometry, quadrants, single, with_gains
from campaign.model import Detector

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
ONE = with_gains(single(rows=80, columns=90, prescan=4, overscan=20), {"A": 2.0})
CAMERA = detector(ONE)
BOX = (slice(30, 45), slice(34, 54))
"""Saturated pixels of the test frames: 15 × 20."""
LEFT = (40.0, 24.0, 15.0, 9.0)


def frame(kind: str, number: float, patch: float, noise: float = 0.0, camera: Detector = CAMERA, time: float | None = 100.0, stored: Any = np.float32, rng: Any = None) -> FrameInput:  # fmt: skip
    made = np.full(camera.geometry.shape, 1000.0)
    made[BOX] += patch
    if noise:
        made += noise * rng.standard_normal(made.shape)
    held = np.rint(np.clip(made, 0, 65535)).astype(stored) if stored is np.uint16 else made.astype(stored)
    return frame_input(held, camera, kind, number, time)  # type: ignore[arg-type]


def sequence(noise: float = 0.0, left: tuple[float, ...] = LEFT, light: float = 64535.0, camera: Detector = CAMERA, seed: int = 1, **change: Any) -> dict[str, list[FrameInput]]:  # fmt: skip
    """Three darks, the light, darks that hold ``left`` [ADU]; one frame every 60 s."""
    rng = np.random.default_rng(seed)
    before = [frame("dark", n, 0.0, noise, camera, rng=rng, **change) for n in range(3)]
    after = [frame("dark", 4 + n, x, noise, camera, rng=rng, **change) for n, x in enumerate(left)]
    return {
        "dark": [*before, *after],
        "exposed": [frame("point", 3, light, 0.0, camera, time=20.0)],
    }


def measure(frames: dict[str, list[FrameInput]], camera: Detector = CAMERA, **parameters: Any) -> Results:
    return measured(PROCEDURE, inputs(PROCEDURE, camera, frames, **parameters))


@pytest.mark.parametrize("statistic", ["clipped mean", "mean", "median"])
@pytest.mark.parametrize("stored", [np.uint16, np.float32, np.float64])
def test_without_noise_the_residual_is_exact(statistic: str, stored: Any) -> None:
    results = measure(sequence(stored=stored), statistic=statistic)
    assert value(results, "residual").value == pytest.approx(40.0, abs=1e-4)
    assert value(results, "outside").value == pytest.approx(0.0, abs=1e-4)
    assert value(results, "residual_e").value == pytest.approx(80.0, abs=1e-3)
    assert value(results, "saturated_fraction").value == 300 / 7200
    assert value(results, "residual_fraction").value == pytest.approx(40.0 / 64535.0, rel=1e-4)
    table = results.products["residuals"]
    assert isinstance(table, TableProduct)
    np.testing.assert_allclose(np.array(table.columns["residual"], float), LEFT, atol=1e-3)
    # the light ended 20 s after it began, a minute before the next frame
    assert list(table.columns["since"]) == [40.0, 100.0, 160.0, 220.0]  # type: ignore[arg-type]


def test_map_and_mask_are_those_of_the_first_dark() -> None:
    results = measure(sequence(2.0))
    mask, found = results.products["mask"], results.products["residual_map"]
    assert isinstance(mask, ImageProduct) and isinstance(found, ImageProduct)
    plane = np.zeros((80, 90), bool)
    plane[30:45, 30:50] = True  # the prescan's four columns less
    both = BITS["saturated"] | BITS["persistent"]
    assert set(np.unique(mask.planes["A"][plane])) == {both}
    assert (mask.planes["A"][~plane] == 0).all()
    assert abs(float(found.planes["A"][plane].mean()) - 40.0) < 1.0


def test_frames_are_told_apart_by_date_whatever_their_order() -> None:
    frames = sequence(2.0)
    first = measure(frames)
    again = measure({"dark": frames["dark"][::-1], "exposed": frames["exposed"]})
    assert [m.value for m in again.measurements] == [m.value for m in first.measurements]


def test_without_dates_numbers_tell_and_without_both_nothing_does() -> None:
    frames = sequence(2.0)
    undated = {
        role: [
            replace(f, frame=replace(f.frame, fields={k: v for k, v in f.frame.fields.items() if k != "date"})) for f in held
        ]
        for role, held in frames.items()
    }  # fmt: skip
    results = measure(undated)
    assert value(results, "residual").value == value(measure(frames), "residual").value
    assert value(results, "decay_time").reason == "exposure-time-unknown"
    nameless = {
        role: [replace(f, frame=replace(f.frame, exposure="x")) for f in held]
        for role, held in undated.items()
    }
    assert value(measure(nameless), "residual").reason == "no-reference"
    assert in_order(nameless["dark"], nameless["exposed"]) is None


def test_darks_between_two_exposures_are_neither_reference_nor_residual() -> None:
    frames = sequence(2.0)
    between = frame("dark", 3.5, 500.0)
    second = frame("point", 3.7, 64535.0, time=10.0)
    results = measure({"dark": [*frames["dark"], between], "exposed": [*frames["exposed"], second]})
    found = value(results, "residual")
    assert found.value is not None and found.uncertainty is not None
    assert abs(found.value - 40.0) < 5 * found.uncertainty
    assert "8 s after" in found.note  # 18 s from its beginning, which lasted ten


def test_offsets_that_move_cancel_and_the_control_shows_none() -> None:
    frames = sequence(2.0)
    moved = [
        frame_input(f.pixels.image + 7.0 * n, CAMERA, "dark", f.frame.number or 0, 100.0)  # type: ignore[attr-defined]
        for n, f in enumerate(frames["dark"])
    ]
    first, again = measure(frames), measure({**frames, "dark": moved})
    for quantity in ("residual", "outside"):
        one, other = value(first, quantity), value(again, quantity)
        assert one.value is not None and one.uncertainty is not None
        assert other.value == pytest.approx(one.value, abs=0.02 * one.uncertainty)


def test_mirrored_corners_give_the_same_numbers() -> None:
    given, _ = simulated(3, Scene())
    other = quadrants(rows=140, columns=150, prescan=6, overscan=16, parallel=4)
    swapped = {
        "lower-left": "lower-right",
        "lower-right": "lower-left",
        "upper-left": "upper-right",
        "upper-right": "upper-left",
    }
    geometry = Geometry(
        "m", other.shape,
        tuple(
            replace(
                c, corner=swapped[c.corner],  # type: ignore[arg-type]
                **{
                    name: None if r is None else replace(r, x0=other.shape[1] - r.x1, x1=other.shape[1] - r.x0)
                    for name in ("image", "prescan", "overscan", "parallel")
                    for r in (c.region(name),)
                },  # type: ignore[arg-type]
            )
            for c in given.detector.geometry.channels
        ),
    )  # fmt: skip
    camera = detector(geometry)
    frames = {
        role: [
            frame_input(f.pixels.image[:, ::-1], camera, f.frame.type, f.frame.number or 0, f.frame.exptime, interval=360.0)  # type: ignore[attr-defined]
            for f in held
        ]
        for role, held in given.frames.items()
    }  # fmt: skip
    first, again = measured(PROCEDURE, given), measure({k: v for k, v in frames.items() if v}, camera)
    for channel in "EFGH":
        for quantity in ("residual", "outside", "saturated_fraction", "decay_time"):
            one, other_ = value(first, quantity, channel), value(again, quantity, channel)
            assert one.value is not None and one.uncertainty is not None
            # the clipped mean starts from a part of the pixels, others when mirrored
            assert other_.value == pytest.approx(one.value, abs=0.01 * one.uncertainty), (channel, quantity)


def test_cosmic_rays_of_any_dark_do_not_move_the_residual() -> None:
    """The peer's plain mean within the mask takes every one of them."""
    frames = sequence(2.0)
    clean = value(measure(frames), "residual")
    rng = np.random.default_rng(4)
    for f in frames["dark"]:
        f.pixels.image[rng.integers(30, 45, 6), rng.integers(34, 54, 6)] += 900.0  # type: ignore[attr-defined]
    struck, plain = value(measure(frames), "residual"), value(measure(frames, statistic="mean"), "residual")
    assert clean.value is not None and struck.value is not None and plain.value is not None
    assert clean.uncertainty is not None
    assert abs(struck.value - clean.value) < 1.5 * clean.uncertainty
    assert abs(plain.value - clean.value) > 5 * clean.uncertainty


def test_pixels_that_hold_back_more_are_no_outliers() -> None:
    """Clipping about one level would take the tail for cosmic rays and lower the mean."""
    rng = np.random.default_rng(6)
    pattern = 10.0 * rng.exponential(4.0, (15, 20))
    frames = sequence(2.0, left=())
    for n, part in enumerate((1.0, 0.6, 0.35)):
        made = frame("dark", 4 + n, 0.0, 2.0, rng=rng)
        made.pixels.image[BOX] += part * pattern  # type: ignore[attr-defined]
        frames["dark"].append(made)
    found = value(measure(frames), "residual")
    assert found.value is not None and found.uncertainty is not None
    assert abs(found.value - pattern.mean()) < 4 * found.uncertainty < 2.0


def test_a_threshold_finds_full_wells_below_the_converters_end() -> None:
    frames = sequence(2.0, light=40000.0)
    assert value(measure(frames), "residual").reason == "not-reached"
    assert value(measure(frames), "saturated_fraction").value == 0.0
    found = measure(frames, threshold=39000.0)
    assert value(found, "saturated_fraction").value == 300 / 7200
    assert value(found, "residual").value is not None


def test_saturated_shares_out_of_range_are_said() -> None:
    found = measure(sequence(2.0), least_fraction=0.1)
    assert "expected" in value(found, "saturated_fraction").note
    assert found.caveats and "saturated" in found.caveats[0]
    assert not measure(sequence(2.0)).caveats


def test_residuals_by_level_begin_where_charge_is_held_back() -> None:
    rng = np.random.default_rng(10)
    ramp = np.linspace(0.0, 9e4, 90)[np.newaxis, :] * np.ones((80, 1))
    frames = {"dark": [frame("dark", n, 0.0, 2.0, rng=rng) for n in range(3)], "exposed": []}
    lit = frame("flat", 3, 0.0, time=20.0)
    lit.pixels.image[:, 4:94] = np.minimum(1000.0 + ramp, 65535.0)  # type: ignore[attr-defined]
    frames["exposed"] = [frame_input(lit.pixels.image, CAMERA, "flat", 3, 20.0)]  # type: ignore[attr-defined]
    for n in range(3):
        made = frame("dark", 4 + n, 0.0, 2.0, rng=rng)
        made.pixels.image[:, 4:94] += trapped(ramp, 4e4, 1e-3, rng)  # type: ignore[attr-defined]
        frames["dark"].append(made)
    table = measure(frames).products["levels"]
    assert isinstance(table, TableProduct)
    level, left, error = (np.array(table.columns[k], float) for k in ("level", "residual", "error"))
    low = level < 3.5e4
    assert low.sum() >= 4 and np.abs(left[low] / error[low]).max() < 4.5
    high = (level > 4.5e4) & (level < 6e4)
    np.testing.assert_allclose(left[high], 1e-3 * (level[high] - 4e4), atol=1.0)


def test_structure_of_the_background_widens_the_error_and_is_flagged() -> None:
    camera = detector(with_gains(single(rows=320, columns=320, overscan=20), {"A": 2.0}))
    frames = sequence(2.0, camera=camera)
    quiet = value(measure(frames, camera), "residual")
    y, x = np.mgrid[:320, :320]
    wave = 1.5 * np.sin(y / 25.0) * np.sin(x / 31.0)
    for f in frames["dark"][3:]:
        f.pixels.image[:, :320] += wave  # type: ignore[attr-defined]
    found = value(measure(frames, camera), "residual")
    assert "unstable" in found.flags and "unstable" not in quiet.flags
    assert found.uncertainty is not None and quiet.uncertainty is not None
    # the waves' rms is 0.75 ADU, of which squares of 32 pixels keep more than two thirds; the mask lies in two of them
    assert found.uncertainty > np.hypot(quiet.uncertainty, 0.5 / np.sqrt(2))


def test_what_cannot_be_had_says_why() -> None:
    frames = sequence(2.0)
    after = {"dark": frames["dark"][3:], "exposed": frames["exposed"]}
    assert value(measure(after), "residual").reason == "no-reference"
    before = {"dark": frames["dark"][:3], "exposed": frames["exposed"]}
    assert value(measure(before), "residual").reason == "too-few-frames"
    assert value(measure({"dark": frames["dark"], "exposed": []}), "residual").reason == "too-few-frames"
    other_time = [frame("dark", n, 0.0, time=10.0) for n in range(3)]
    unlike = {"dark": [*other_time, *frames["dark"][3:]], "exposed": frames["exposed"]}
    assert value(measure(unlike), "residual").reason == "no-reference"
    full = frame("flat", 3, 0.0, time=20.0)
    full.pixels.image[:] = 65535.0  # type: ignore[attr-defined]
    everywhere = {
        "dark": frames["dark"],
        "exposed": [frame_input(full.pixels.image, CAMERA, "flat", 3, 20.0)],
    }  # type: ignore[attr-defined]
    assert value(measure(everywhere), "residual").reason == "saturated"
    dead = frame_input(np.full(ONE.shape, np.nan, np.float32), CAMERA, "point", 3, 20.0)
    assert value(measure({"dark": frames["dark"], "exposed": [dead]}), "residual").reason == "too-few-pixels"
    two = {"dark": frames["dark"][:5], "exposed": frames["exposed"]}
    assert value(measure(two), "decay_time").reason == "too-few-frames"
    assert value(measure(two), "residual").value is not None
    nothing = sequence(2.0, left=(0.0, 0.0, 0.0, 0.0))
    assert value(measure(nothing), "decay_time").reason == "not-reached"
    with pytest.raises(ContractError, match="statistic"):
        measure(frames, statistic="mode")


def test_without_gain_or_overscan_only_what_rests_on_them_is_missing() -> None:
    camera = detector(single(rows=80, columns=90))
    found = measure(sequence(2.0, camera=camera), camera)
    assert value(found, "residual_e").reason == "no-gain"
    assert value(found, "outside").reason == "no-overscan"
    residual = value(found, "residual")
    assert residual.value is not None and residual.uncertainty is not None
    assert abs(residual.value - 40.0) < 5 * residual.uncertainty


def fading(law: str, constant: float, error: float = 0.05, common: float = 0.05, seed: int = 1, n: int = 6) -> list[Residual]:  # fmt: skip
    rng = np.random.default_rng(seed)
    shape = {"exponential": exponential, "power law": power_law}[law]
    t, T = 40.0 + 120.0 * np.arange(n), np.full(n, 100.0)
    y = 50.0 * shape(t, T, constant) / shape(t, T, constant)[0] + common * rng.standard_normal()
    y = y + error * rng.standard_normal(n)
    pixels = 1000
    return [
        Residual(str(k), float(t[k]), 100.0, float(y[k]), pixels, 10**9, 3 * common**2 * pixels, error**2 * pixels, 3, 0.0, 0.1)
        for k in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("law", "constant"), [("exponential", 200.0), ("power law", 1.2), ("power law", 1.0)]
)
def test_the_law_that_made_it_is_found_and_the_other_misfits(law: str, constant: float) -> None:
    pulls = []
    for seed in range(60):
        found = fade(fading(law, constant, seed=seed), law)
        assert isinstance(found, Fade)
        pulls.append((found.constant - constant) / found.error)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(60)
    assert 1 - 4 / np.sqrt(120) < np.std(pulls) < 1 + 4 / np.sqrt(120)
    other = fade(fading(law, constant), "power law" if law == "exponential" else "exponential")
    assert isinstance(other, Fade) and other.chance is not None and other.chance < 1e-4


@generated(st.floats(20.0, 5000.0), st.floats(0.0, 1000.0), st.floats(1.0, 1000.0))
def test_released_charge_is_that_of_its_integral(tau: float, since: float, time: float) -> None:
    """The law fitted against the simulation's, written independently."""
    mine = exponential(np.array([since]), np.array([time]), tau)[0]
    assert mine == pytest.approx(
        float(released(np.ones((1, 1)), since, time, tau)[0, 0]), rel=1e-6, abs=1e-12
    )
    power = power_law(np.array([since + 1.0]), np.array([time]), 1.5)[0]
    assert power == pytest.approx(
        float(released_by_power(np.ones((1, 1)), since + 1.0, time, 1.5)[0, 0]), rel=1e-6
    )


@pytest.mark.real
def test_real_flats_that_do_not_saturate_say_so() -> None:
    if not REAL.is_dir():
        pytest.skip(f"the real frames are not there: {REAL.name} beside the checkout")
    from astropy.io import fits

    camera = detector(single(rows=1024, columns=1024))
    frames: dict[str, list[FrameInput]] = {"dark": [], "exposed": []}
    for role, pattern in (("dark", "darks-expos1-Neg5*"), ("exposed", "flat-expos23s*")):
        for number, path in enumerate(sorted(REAL.glob(pattern))[:3]):
            with fits.open(path) as hdus:
                frames[role].append(
                    frame_input(np.asarray(hdus[0].data), camera, role, number, hdus[0].header["EXPTIME"])
                )
    assert frames["dark"] and frames["exposed"]
    results = measure(frames, camera)
    share = value(results, "saturated_fraction")
    assert share.value is not None and share.value < 0.002
    assert value(results, "residual").reason in ("not-reached", "too-few-frames", "no-reference")


def test_pixels_left_out_of_the_mean_are_in_its_error() -> None:
    """Of 400 pixels that hold back different amounts and have no noise, the mean of 300 at random is off the mean of all by what ``left_out`` says."""
    rng = np.random.default_rng(8)
    held = rng.gamma(10.0, 4.0, 400).astype(np.float32)
    quiet = Ground(0.0, 1e-6, 4000, 0.0, 1e-4, 0.0)
    off, told = [], []
    for _ in range(400):
        some = held.copy()
        some[rng.choice(400, 100, replace=False)] = np.nan
        found = residual(
            frame("dark", 1, 0.0),
            some,
            quiet,
            3,
            since=1.0,
            shot=0.0,
            sigma=5.0,
            statistic="clipped mean",
            cleaned=True,
        )
        assert found is not None and found.mask == 400
        off.append(found.value - float(held.mean(dtype=np.float64)))
        told.append(found.error)
    assert np.std(off) == pytest.approx(np.mean(told), rel=4.0 / np.sqrt(2 * 400))
