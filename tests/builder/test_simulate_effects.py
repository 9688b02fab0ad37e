"""Effects of detectors, electronics and lamp in simulated frames: each as large as its setting says, each stated in ``truth.json``."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from pydantic import ValidationError

from builder.simulate import simulate, validate
from builder.simulate.effects import defects, pixel_area
from builder.simulate.effects.converter import paired_widths
from builder.simulate.effects.crosstalk import as_read
from builder.simulate.effects.deferred_charge import lagged, shifted_out
from builder.simulate.effects.non_linearity import polynomial
from builder.simulate.effects_settings import Defects
from builder.simulate.truth import generator
from campaign.geometry import Channel, quadrants
from campaign.model import Block, Campaign, DataSpec, Detector

Images = NDArray[np.float64]

ROWS = COLUMNS = 64
PRESCAN, OVERSCAN, PARALLEL = 8, 12, 6
GEOMETRY = quadrants(rows=ROWS, columns=COLUMNS, prescan=PRESCAN, overscan=OVERSCAN, parallel=PARALLEL)
NX, NY = PRESCAN + COLUMNS + OVERSCAN, ROWS + PARALLEL
GAIN, NOISE, OFFSET, RATE = 3.0, 4.0, 2000.0, 5000.0  # e⁻/ADU, e⁻, ADU, ADU/s
PIXELS = ROWS * COLUMNS
BIAS = {"block": "B", "test": "BIAS01", "type": "bias", "first": 1}


def flat(exptime: Any, frames: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "block": "B", "test": "FLAT01", "type": "flat", "exptime": exptime, "frames": frames, "wavelength": 600, **more,
    }  # fmt: skip


def campaign_of(
    root: Path, plan: list[dict[str, Any]], truth: dict[str, Any], effects: dict[str, Any]
) -> Campaign:
    held = {
        "gain": GAIN, "read_noise": NOISE, "offset": OFFSET, "full_well": 1e6, "scatter": 0.0, "prnu": 0.0,
        "lamp": {"600": RATE}, **truth, "effects": effects,
    }  # fmt: skip
    return Campaign(
        root=root, id="t", title="t", data=DataSpec(), detectors=(Detector(name="CAM", geometry=GEOMETRY),),
        blocks=(Block(id="B", start=date(2025, 1, 15)),), simulate={"seed": 8, "overhead": 30, "truth": held, "plan": plan},
    )  # fmt: skip


def taken(root: Path, plan: list[dict[str, Any]], effects: dict[str, Any], **truth: Any) -> Images:
    """All frames in order of exposure, shape (frames, rows, columns) [ADU]."""
    campaign = campaign_of(root, plan, truth, effects)
    assert validate(campaign) == []
    simulate(campaign)
    paths = sorted((root / "frames").rglob("*.fits"), key=lambda p: int(p.stem.split("_")[1]))
    return np.stack([fits.getdata(p) for p in paths]).astype(np.float64)


def of(image: Images, channel: Channel) -> Images:
    """A channel's image less the offset [ADU], in the order of reading."""
    return as_read(image[channel.image.slices], channel.corner) - OFFSET


def whole(image: Images, channel: Channel) -> Images:
    """All that is read of a channel less the offset [ADU], in the order of reading."""
    upper, right = channel.corner.startswith("upper"), channel.corner.endswith("right")
    y, x = NY if upper else 0, NX if right else 0
    return as_read(image[y : y + NY, x : x + NX], channel.corner) - OFFSET


def error(level: float) -> float:
    """Standard error [ADU] of a channel's mean at that level [ADU]."""
    return float(np.sqrt((level / GAIN + (NOISE / GAIN) ** 2 + 1 / 12) / PIXELS))


def test_levels_bend_by_channel(tmp_path: Path) -> None:
    bent = {"E": (-0.05,), "G": (0.02, -0.03)}
    images = taken(tmp_path, [flat([2.0, 9.0])], {"non_linearity": bent})
    for image, light in zip(images, (2.0 * RATE, 9.0 * RATE), strict=True):
        for channel in GEOMETRY.channels:
            expected = float(polynomial(np.array([light]), bent.get(channel.name, ()))[0])
            assert of(image, channel).mean() == pytest.approx(expected, abs=5 * error(light))


def test_charge_that_moves_borders_gives_the_covariances_of_its_coefficients(tmp_path: Path) -> None:
    effect = {"along_row": 6e-7, "along_column": 3e-7, "step": 3000.0}
    images = taken(tmp_path, [flat(9.0, 4)], {"brighter_fatter": effect})
    mean = 9.0 * RATE * GAIN
    law = pixel_area.covariance(pixel_area.area_matrix(6e-7, 3e-7), mean, 1)
    found = []
    for one, two in (images[:2], images[2:]):
        for channel in GEOMETRY.channels:
            d = GAIN * (of(one, channel) - of(two, channel)) / np.sqrt(2.0)
            d -= d.mean()
            found.append([(d * d).mean(), (d[:, 1:] * d[:, :-1]).mean(), (d[1:] * d[:-1]).mean()])
    variance, along_row, along_column = np.mean(found, axis=0)
    n = len(found) * PIXELS
    assert variance - NOISE**2 - GAIN**2 / 12 == pytest.approx(law[0, 0], rel=5 * np.sqrt(2 / n))
    assert along_row == pytest.approx(law[0, 1], abs=5 * law[0, 0] / np.sqrt(n))
    assert along_column == pytest.approx(law[1, 0], abs=5 * law[0, 0] / np.sqrt(n))
    assert law[0, 1] > 10 * law[0, 0] / np.sqrt(n)  # so that nothing at all would not pass


def test_registers_leave_charge_behind_in_both_directions(tmp_path: Path) -> None:
    image = taken(tmp_path, [flat(8.0)], {"serial_cti": {"E": 1e-4, "H": 1e-4}, "parallel_cti": 5e-5})[0]
    for channel in GEOMETRY.channels:
        read = whole(image, channel)
        level = 8.0 * RATE
        serial = read[:ROWS, PRESCAN + COLUMNS].mean()
        expected = level * (PRESCAN + COLUMNS) * (1e-4 if channel.name in "EH" else 0.0)
        noise = np.sqrt((expected / GAIN + (NOISE / GAIN) ** 2) / ROWS)
        assert serial == pytest.approx(
            expected, rel=0.02, abs=5 * noise
        )  # 2 %: what is late twice, and lost before
        parallel = read[ROWS, PRESCAN : PRESCAN + COLUMNS].mean()
        expected = level * ROWS * 5e-5
        noise = np.sqrt((expected / GAIN + (NOISE / GAIN) ** 2) / COLUMNS)
        assert parallel == pytest.approx(expected, rel=0.02, abs=5 * noise)


@pytest.mark.parametrize("cti", [0.0, 1e-5, 1e-3, 0.02])
def test_chances_of_being_late_are_those_of_transfer_by_transfer(cti: float) -> None:
    charge = np.random.default_rng(2).uniform(0, 1e4, (3, 50))
    assert lagged(charge, cti, 9) == pytest.approx(shifted_out(charge, cti, 9), rel=1e-8, abs=1e-6)


def test_late_electrons_make_no_covariance() -> None:
    rng = np.random.default_rng(3)
    mean, cti = 5e4, 2e-4
    charge = mean + np.sqrt(mean) * rng.standard_normal((4000, 200))
    out = lagged(charge, cti, 0, rng)[:, 100:]
    out -= out.mean(axis=0)
    covariance = (out[:, 1:] * out[:, :-1]).mean() / mean
    assert abs(covariance) < 5 / np.sqrt(out.size)
    plain = lagged(charge, cti, 0)[:, 100:]
    plain -= plain.mean(axis=0)
    assert (plain[:, 1:] * plain[:, :-1]).mean() / mean > 10 / np.sqrt(out.size)


def test_traps_give_off_in_darks_what_light_left(tmp_path: Path) -> None:
    parts = [
        {"type": "dark", "exptime": 50}, {"type": "flat", "exptime": 10, "wavelength": 600}, {"type": "dark", "frames": 2, "exptime": 50},
    ]  # fmt: skip
    traps = {"onset": 1e5, "fraction": 0.02, "time": 100.0}
    before, _, first, second = taken(
        tmp_path, [{"block": "B", "test": "P", "parts": parts}], {"persistence": traps}
    )
    held = 0.02 * (10 * RATE * GAIN - 1e5)
    for image, since in ((before, np.inf), (first, 30.0), (second, 110.0)):
        expected = held * (np.exp(-since / 100) - np.exp(-(since + 50) / 100)) / GAIN
        for channel in GEOMETRY.channels:
            assert of(image, channel).mean() == pytest.approx(expected, abs=5 * error(expected))


def test_a_frame_with_memory_is_made_anew_when_what_it_remembers_changes(tmp_path: Path) -> None:
    def made(light: float) -> dict[str, str]:
        parts = [
            {"type": "dark", "exptime": 50}, {"type": "flat", "exptime": light, "wavelength": 600}, {"type": "dark", "exptime": 50},
        ]  # fmt: skip
        traps = {"onset": 1e5, "fraction": 0.02, "time": 100.0}
        simulate(
            campaign_of(tmp_path, [{"block": "B", "test": "P", "parts": parts}], {}, {"persistence": traps})
        )
        found: dict[str, str] = json.loads((tmp_path / "frames/truth.json").read_text("utf-8"))["files"]
        return found

    before, after = made(10.0), made(12.0)
    same = {path for path in before if before[path] == after.get(path)}
    assert [p.rpartition("_")[2] for p in sorted(same)] == ["00001.fits"]


def test_crosstalk_adds_what_was_read_at_the_same_moment(tmp_path: Path) -> None:
    matrix = {"E": {"F": 0.01, "H": -0.005}}
    with_it = taken(tmp_path / "a", [flat(5.0)], {"crosstalk": matrix})[0]
    without = taken(tmp_path / "b", [flat(5.0)], {"crosstalk": {"E": {"E": 0.0}}})[0]
    parts = {c.name: (of(with_it, c), of(without, c)) for c in GEOMETRY.channels}
    added = 0.01 * parts["F"][1] - 0.005 * parts["H"][1]
    # rounding to whole numbers, and noise that the amplifiers add after it
    slack = 1.0 + 0.015 * 6 * NOISE / GAIN
    assert np.abs(parts["E"][0] - parts["E"][1] - added).max() < slack
    assert all((parts[name][0] == parts[name][1]).all() for name in "FGH")


def test_noise_is_correlated_in_the_order_of_reading(tmp_path: Path) -> None:
    images = taken(tmp_path, [{**BIAS, "frames": 4}], {"noise_correlation": 0.4})
    e, g = (np.stack([whole(i, GEOMETRY.channel(n)) for i in images]).ravel() for n in "EG")
    rounding = (NOISE / GAIN) ** 2 / ((NOISE / GAIN) ** 2 + 1 / 12)
    assert np.corrcoef(e, g)[0, 1] == pytest.approx(0.4 * rounding, abs=5 / np.sqrt(e.size))
    assert e.std() ** 2 == pytest.approx((NOISE / GAIN) ** 2 + 1 / 12, rel=5 * np.sqrt(2 / e.size))


def test_the_amplifier_glows_beside_its_node(tmp_path: Path) -> None:
    dark = {"block": "B", "test": "D", "type": "dark", "exptime": 400.0}
    image = taken(tmp_path, [dark], {"glow": {"peak": 2.0, "reach": 10.0}})[0]
    y, x = np.mgrid[:ROWS, :COLUMNS]
    expected = 400 * 2.0 * np.exp(-np.hypot(y, x) / 10.0) / GAIN
    for channel in GEOMETRY.channels:
        left = (of(image, channel) - expected) / np.sqrt(expected / GAIN + (NOISE / GAIN) ** 2 + 1 / 12)
        assert abs(left.mean()) < 5 / np.sqrt(PIXELS)
        assert left.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * PIXELS))


def test_a_period_runs_through_the_rows(tmp_path: Path) -> None:
    effect = {"amplitude": 1.0, "frequency": 0.125, "overhead": 3.0}
    image = taken(tmp_path, [BIAS], {"pattern": effect})[0]
    at = np.arange(NY)[:, np.newaxis] * (NX + 3.0) + np.arange(NX)
    for channel in GEOMETRY.channels:
        phasor = (whole(image, channel) * np.exp(-2j * np.pi * 0.125 * at)).mean()
        assert 2 * abs(phasor) == pytest.approx(1.0, abs=5 * (NOISE / GAIN) * np.sqrt(2 / at.size))


def test_a_torn_edge_gives_to_its_neighbour(tmp_path: Path) -> None:
    image = taken(tmp_path, [flat(8.0)], {"tearing": {"G": 0.1}})[0]
    level, sigma = 8.0 * RATE, np.sqrt(8.0 * RATE / GAIN / ROWS)
    for channel in GEOMETRY.channels:
        lost = 0.1 * level if channel.name == "G" else 0.0
        read = of(image, channel).mean(axis=0)
        assert read[-1] == pytest.approx(level - lost, abs=5 * sigma)
        assert read[-2] == pytest.approx(level + lost, abs=5 * sigma)


def test_lamp_and_shutter(tmp_path: Path) -> None:
    lamp = {"drift": [-0.5, 0.2], "shutter": 0.05}
    images = taken(tmp_path / "a", [flat(3.0, 10)], {"lamp": lamp})
    for n, image in enumerate(images):
        hours = n * 33.0 / 3600
        expected = RATE * 3.05 * (1 - 0.5 * hours + 0.2 * hours**2)
        assert of(image, GEOMETRY.channels[0]).mean() == pytest.approx(expected, abs=5 * error(expected))
    scattered = taken(tmp_path / "b", [flat(3.0, 40)], {"lamp": {"scatter": 0.02}})
    levels = np.array([[of(i, c).mean() for c in GEOMETRY.channels] for i in scattered]) / (3 * RATE)
    assert levels.mean(axis=1).std(ddof=1) == pytest.approx(0.02, rel=5 / np.sqrt(2 * 39))
    assert levels.std(axis=1).mean() < 3 * error(3 * RATE) / (3 * RATE)  # all channels see one lamp


def test_codes_are_unequal_and_levels_right(tmp_path: Path) -> None:
    widths = paired_widths(2001, 0.1, np.random.default_rng(4))
    assert widths.std() == pytest.approx(0.1, rel=5 / np.sqrt(2 * 1000))
    assert np.abs(np.cumsum(widths) - np.arange(1, 2002)).max() < 0.9
    with_it = taken(tmp_path / "a", [flat(5.0)], {"code_widths": 0.2})[0]
    without = taken(tmp_path / "b", [flat(5.0)], {})[0]
    assert np.abs(with_it - without).max() == 1.0
    off = np.mean([(of(with_it, c) - of(without, c)).mean() for c in GEOMETRY.channels])
    # every other edge is off by 0.2 rms; noise spreads each channel's levels over so many pairs of codes as √π σ
    pairs = 4 * np.sqrt(np.pi * 5 * RATE / GAIN)
    assert abs(off) < 5 * 0.5 * 0.2 / np.sqrt(pairs)


def test_muons_come_at_their_rate(tmp_path: Path) -> None:
    dark = {"block": "B", "test": "D", "type": "dark", "exptime": 600.0, "frames": 4}
    effect = {"rate": 100.0, "pitch": 12.0}
    images = taken(tmp_path, [dark], {"muons": effect})
    expected = 4 * 4 * 100.0 * PIXELS * (12e-4) ** 2 * 10  # frames, channels, per cm² and minute, minutes
    # of each muon's charge (1200 e⁻ a pixel, 1.5 pixels thick) the pixel with most has more than 100 e⁻
    peaks = 0
    for image in images:
        for channel in GEOMETRY.channels:
            lit = np.pad(GAIN * of(image, channel) > 100.0, 1)
            first = lit[1:-1, 1:-1] & ~lit[:-2, 1:-1] & ~lit[1:-1, :-2] & ~lit[:-2, :-2] & ~lit[:-2, 2:]
            peaks += int(first.sum())
    # tracks have one first pixel each, now and then two; a few in a hundred overlap or leave the image
    assert expected * 0.85 - 5 * np.sqrt(expected) < peaks < expected * 1.25 + 5 * np.sqrt(expected)


def test_more_defects_are_where_the_truth_says(tmp_path: Path) -> None:
    plan = [{**BIAS, "frames": 12}, flat(9.0, 6)]
    images = taken(
        tmp_path, plan, {"defects": {"noisy": 6, "noise": 20, "bent": 4, "loss": 0.5}}, full_well=2e5
    )
    told = json.loads((tmp_path / "frames/truth.json").read_text("utf-8"))["blocks"]["B"]["detectors"]["CAM"]
    scatter, mean = images[:12].std(axis=0, ddof=1), images[12:].mean(axis=0) - OFFSET
    for channel in GEOMETRY.channels:
        own = told[channel.name]
        assert len(own["noisy"]) == 6 and len(own["bent"]) == 4
        planted = {(y, x) for y, x, _ in own["noisy"]}
        image = channel.image
        high = {
            (int(y) + image.y0, int(x) + image.x0)
            for y, x in zip(*np.nonzero(scatter[image.slices] > 6 * NOISE / GAIN), strict=True)
        }
        assert high == planted
        light = 9.0 * RATE
        for y, x, loss in own["bent"]:
            expected = light * (1 - loss * light * GAIN / own["full_well"])
            assert mean[y, x] == pytest.approx(
                expected, abs=6 * np.sqrt((light / GAIN + 400 * (NOISE / GAIN) ** 2) / 6)
            )


def test_pixels_change_when_the_truth_says(tmp_path: Path) -> None:
    """Telegraph pixels by the exposure's number, whichever frames are made; late and annealed ones from their moment on."""
    changing = {
        "telegraph": 5, "switching": 0.3, "late": 2, "since": datetime(2025, 1, 15, 12), "annealed": 3,
        "until": datetime(2025, 1, 15, 12), "excess": 500.0,
    }  # fmt: skip
    dark = {"block": "B", "type": "dark", "exptime": 10.0, "frames": 6}
    plan = [{**dark, "test": "D1", "start": datetime(2025, 1, 15, 9)}, {**dark, "test": "D2", "start": datetime(2025, 1, 15, 12)}]  # fmt: skip
    images = taken(tmp_path, plan, {"defects": changing})
    told = json.loads((tmp_path / "frames/truth.json").read_text("utf-8"))["blocks"]["B"]["detectors"]["CAM"]
    expected = defects.telegraph(generator(8, "B", "CAM", "E", "telegraph"), 13, 5, 0.3)[1:]
    for channel in GEOMETRY.channels:
        own = told[channel.name]

        def hot(kind: str, own: Any = own) -> list[list[bool]]:
            y, x = np.array([p[:2] for p in own[kind]], int).T
            found: list[list[bool]] = (images[:, y, x] - OFFSET > 2500.0 / GAIN).tolist()
            return found

        assert hot("late") == [[False] * 2] * 6 + [[True] * 2] * 6
        assert hot("annealed") == [[True] * 3] * 6 + [[False] * 3] * 6
        states = np.array(hot("telegraph"))
        assert 0 < np.count_nonzero(states[1:] != states[:-1]) < 55
        if channel.name == "E":
            assert np.array_equal(states, expected)
    with pytest.raises(ValidationError, match="since when"):
        Defects(late=1)


def test_light_leaks_into_darks_and_grows_within_a_test(tmp_path: Path) -> None:
    dark = {"block": "B", "type": "dark", "exptime": 600.0, "frames": 3}
    plan = [{**dark, "test": "D1"}, {**dark, "test": "D2"}, {**BIAS, "test": "B1", "first": 7}]
    images = taken(tmp_path, plan, {"leak": {"rate": 2.0, "growth": 6.0}})
    levels = [np.mean([of(image, c).mean() for c in GEOMETRY.channels]) for image in images]
    for test in (levels[:3], levels[3:6]):
        for n, level in enumerate(test):
            expected = 600.0 * (2.0 + 6.0 * n * 630.0 / 3600.0) / GAIN
            assert level == pytest.approx(expected, abs=5 * error(expected) / 2.0)
    assert levels[6] == pytest.approx(0.0, abs=5 * error(0.0) / 2.0)


def test_traps_and_the_amplifier_leave_their_tails_behind_the_image(tmp_path: Path) -> None:
    """Once full a trap gives off its charge by its own time; the offset goes with the level of the last pixel."""
    trap, left = {"size": 300.0, "share": 0.02, "time": 0.8}, {"scale": 2e-3, "time": 3.0}
    frames, after = 4, np.arange(1.0, 7.0)
    for effects, at in (
        ({"traps": trap}, lambda i: 300.0 / GAIN * (np.exp(1 / 0.8) - 1) * np.exp(-i / 0.8)),
        ({"local_offset": left}, lambda i: 2e-3 * 8.0 * RATE * np.exp(-i / 3.0)),
    ):
        folder = tmp_path / next(iter(effects))
        images = taken(folder, [flat(8.0, frames)], effects)
        for channel in GEOMETRY.channels:
            tails = np.mean([whole(i, channel)[:ROWS, PRESCAN + COLUMNS :] for i in images], axis=(0, 1))
            noise = 5 * np.sqrt(((NOISE / GAIN) ** 2 + 1 / 12 + at(after) / GAIN) / (frames * ROWS))
            assert (np.abs(tails[:6] - at(after)) < noise).all()
            first = np.mean([whole(i, channel)[:ROWS, PRESCAN] for i in images])
            lost = 300.0 / GAIN if "traps" in effects else 0.0
            assert first == pytest.approx(
                8.0 * RATE - lost, abs=5 * np.sqrt(8.0 * RATE / GAIN / frames / ROWS)
            )


def test_spots_at_random_places_differ_from_exposure_to_exposure(tmp_path: Path) -> None:
    plan = [{"block": "B", "test": "S", "type": "point", "exptime": 8.0, "frames": 2, "wavelength": 600}]
    one, two = taken(tmp_path, plan, {"spots": {"number": 3, "width": 1.5, "faintest": 0.5}})
    for channel in GEOMETRY.channels:
        for image in (one, two):
            total = of(image, channel).sum()
            # three spots of half to all of the light, some of each beyond an edge
            assert 0.3 * 8 * RATE * 2 * np.pi * 1.5**2 < total < 3.1 * 8 * RATE * 2 * np.pi * 1.5**2
        assert np.argmax(of(one, channel)) != np.argmax(of(two, channel))


def test_effects_are_stated_as_they_were_set(tmp_path: Path) -> None:
    effects = {
        "brighter_fatter": {"along_row": 6e-7, "along_column": 3e-7}, "serial_cti": {"E": 1e-5}, "lamp": {"shutter": 0.01},
    }  # fmt: skip
    taken(tmp_path, [BIAS], effects)
    told = json.loads((tmp_path / "frames/truth.json").read_text("utf-8"))["blocks"]["B"]["effects"]
    area = told["brighter_fatter"]
    assert told["serial_cti"] == {"E": 1e-5} and told["lamp"] == {"shutter": 0.01}
    assert (area["a10"], area["a01"]) == (6e-7, 3e-7) and area["a00"] < -2 * (6e-7 + 3e-7)
    assert set(told) == set(effects)


@pytest.mark.parametrize(
    ("truth", "effects", "says"),
    [
        ({}, {"serial_cti": {"Z": 1e-5}}, "'Z'"),
        ({}, {"crosstalk": {"E": {"Q": 1e-3}}}, "'Q'"),
        ({}, {"cross_talk": {}}, "cross_talk"),
        ({}, {"glow": {"peak": 1.0, "reich": 2.0}}, "reich"),
        ({"a00": -1e-6}, {"brighter_fatter": {"along_row": 1e-7, "along_column": 1e-7}}, "both a00"),
        ({"cosmic_rate": 1.0}, {"muons": {"rate": 1.0}}, "both cosmic_rate"),
    ],
)
def test_effects_that_cannot_be_are_found(
    tmp_path: Path, truth: dict[str, Any], effects: dict[str, Any], says: str
) -> None:
    findings = validate(campaign_of(tmp_path, [BIAS], truth, effects))
    assert any(says in f.what for f in findings)
