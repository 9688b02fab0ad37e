"""The flat procedure against simulated pixels whose response is known, and against real flats."""

from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.contract import FrameInput, ImageProduct, Measurement, Results
from analysis.figures import ImageMap, Plot
from analysis.flat import PROCEDURE
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from analysis.masks import BITS
from campaign.geometry import quadrants, single

STL1001 = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
DARK, BRIGHT, NO_VALUE = BITS["dark"], BITS["bright"], BITS["no-value"]
SIZE, OFFSET, GAIN, NOISE = 120, 800.0, 2.0, 6.0
DETECTOR = detector(single(rows=SIZE, columns=SIZE))


def scene(rng: np.random.Generator, prnu: float, tilt: float = 0.1) -> NDArray[np.float64]:
    """Illumination with a smooth slope times the response of the pixels."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    light = 1 + tilt * y - 0.3 * tilt * x**2
    response = 1 + prnu * rng.normal(size=(SIZE, SIZE))
    out: NDArray[np.float64] = light * response
    return out


def expose(
    rng: np.random.Generator, pattern: NDArray[np.float64], electrons: float = 40000.0
) -> NDArray[np.uint16]:
    charge = rng.poisson(np.maximum(electrons * pattern, 0)) + rng.normal(0, NOISE, pattern.shape)
    return digitised(charge / GAIN + OFFSET)


def as_flats(images: list[NDArray[np.uint16]], exptime: float = 10.0, **fields: float) -> list[FrameInput]:
    return [frame_input(image, DETECTOR, "flat", 50 + i, exptime, **fields) for i, image in enumerate(images)]


def biases(rng: np.random.Generator) -> list[FrameInput]:
    noise = (digitised(OFFSET + rng.normal(0, NOISE / GAIN, (SIZE, SIZE))) for _ in range(4))
    return [frame_input(image, DETECTOR, "bias", i) for i, image in enumerate(noise)]


def run(rng: np.random.Generator, flats: list[FrameInput], **parameters: float) -> Results:
    return measured(
        PROCEDURE, inputs(PROCEDURE, DETECTOR, {"flat": flats, "bias": biases(rng)}, **parameters)
    )


def pull(found: Measurement, truth: float) -> float:
    assert found.value is not None and found.uncertainty is not None, found
    return (found.value - truth) / found.uncertainty


@pytest.mark.parametrize("frames", [2, 5])
def test_prnu_is_free_of_photon_noise_and_its_errors_are_right(frames: int) -> None:
    """The truth is that of the very pixels simulated; photon noise of a master is as large as the PRNU itself."""
    pulls, trials = [], 25
    rng = np.random.default_rng(frames)
    for _ in range(trials):
        pattern = scene(rng, 0.004, tilt=0.02)
        found = run(rng, as_flats([expose(rng, pattern) for _ in range(frames)]))
        # the error states the sampling by these pixels too, so the truth is that of the population
        pulls.append(pull(value(found, "prnu"), 0.4))
    assert abs(np.mean(pulls)) < 4 / sqrt(trials)
    assert abs(np.std(pulls) - 1) < 4 / sqrt(2 * trials)


def test_no_prnu_is_said_to_be_none() -> None:
    rng = np.random.default_rng(1)
    found = value(run(rng, as_flats([expose(rng, scene(rng, 0.0)) for _ in range(4)])), "prnu")
    assert found.value is not None and found.uncertainty is not None
    assert found.value < 3 * max(found.uncertainty, 0.05) and "consistent-with-zero" in found.flags


def test_levels_stability_and_signal_to_noise() -> None:
    rng = np.random.default_rng(2)
    pattern = scene(rng, 0.01)
    lamp = np.array([1.0, 1.002, 0.999, 1.001, 0.998, 1.0])
    found = run(rng, as_flats([expose(rng, pattern * light) for light in lamp]))
    level = value(found, "level")
    assert abs(pull(level, 20000 * pattern.mean() * lamp.mean())) < 4
    assert value(found, "stability").value == pytest.approx(100 * lamp.std(ddof=1), rel=0.05)
    ratio = value(found, "signal_to_noise")
    charge = 40000 * pattern.mean()
    truth = charge / sqrt((charge + NOISE**2 + GAIN**2 / 12) / 6)
    assert (
        abs(pull(ratio, truth)) < 5
    )  # the light is uneven by 10 %, which the level's own noise does not say
    uneven = value(found, "non_uniformity")
    low, high = np.percentile(scene(rng, 0.0), [1, 99])
    assert uneven.value == pytest.approx(100 * (high - low) / np.median(scene(rng, 0.0)), rel=0.02)
    assert value(found, "saturated").value == 0
    assert not any(m.flags for m in found.measurements)


def test_dead_and_bright_pixels_are_counted_and_masked_where_they_are() -> None:
    rng = np.random.default_rng(3)
    pattern = scene(rng, 0.01)
    dead, hot = [(5, 5), (60, 70), (119, 0)], [(30, 30), (31, 99)]
    for y, x in dead:
        pattern[y, x] = 0.2
    for y, x in hot:
        pattern[y, x] *= 1.7
    found = run(rng, as_flats([expose(rng, pattern, 30000) for _ in range(4)]))
    assert value(found, "dark_pixels").value == 3 and value(found, "bright_pixels").value == 2
    mask = found.products["defects"]
    assert isinstance(mask, ImageProduct)
    assert set(zip(*np.nonzero(mask.planes["A"] == DARK), strict=True)) == set(dead)
    assert set(zip(*np.nonzero(mask.planes["A"] == BRIGHT), strict=True)) == set(hot)
    assert abs(pull(value(found, "prnu"), 1.0)) < 4  # defects are not PRNU


def test_faint_flats_do_not_make_defects_of_noise() -> None:
    rng = np.random.default_rng(4)
    found = run(rng, as_flats([expose(rng, scene(rng, 0.0), 30.0) for _ in range(2)]))
    assert value(found, "dark_pixels").value == 0 and value(found, "bright_pixels").value == 0


def test_the_master_is_the_normalised_mean_without_cosmic_rays() -> None:
    rng = np.random.default_rng(5)
    pattern = scene(rng, 0.01)
    images = [expose(rng, pattern) for _ in range(5)]
    images[2][40, 40:60] = 60000
    found = run(rng, as_flats(images))
    master = found.products["master_flat"]
    assert isinstance(master, ImageProduct)
    expected = pattern / pattern.mean()
    noise = 1 / sqrt(5 * 40000)
    off = master.planes["A"].astype(float) - expected
    assert np.abs(off).max() < 7 * noise and off.std() == pytest.approx(noise, rel=0.05)
    assert isinstance(found.figures["master"], ImageMap) and isinstance(found.figures["levels"], Plot)


# gates


def test_a_drifting_lamp_is_flagged() -> None:
    rng = np.random.default_rng(6)
    pattern = scene(rng, 0.01)
    found = run(rng, as_flats([expose(rng, pattern * light) for light in (1.0, 1.0, 0.96, 0.96)]))
    for name in ("level", "stability", "prnu"):
        assert {"lamp-drift", "unstable"} <= set(value(found, name).flags)
    assert any("lamp-drift" in line and "51" in line for line in found.log)
    slow = run(rng, as_flats([expose(rng, pattern * (1 + 0.006 * i)) for i in range(5)]))
    assert "unstable" in value(slow, "level").flags and "lamp-drift" not in value(slow, "level").flags


def test_a_flickering_flat_is_found_among_good_ones_and_left_out() -> None:
    rng = np.random.default_rng(7)
    pattern = scene(rng, 0.01)
    images = [expose(rng, pattern) for _ in range(5)]
    images[3] = expose(rng, pattern * (1 + 0.005 * rng.normal(size=(SIZE, 1))))
    found = run(rng, as_flats(images))
    prnu = value(found, "prnu")
    assert "flicker" in prnu.flags and "1 of 5" in prnu.note and abs(pull(prnu, 1.0)) < 4
    assert [line.split()[2] for line in found.log if "flicker" in line] and all(
        "53" in x for x in found.log if "flicker" in x
    )
    two = run(rng, as_flats(images[2:4]))
    assert value(two, "prnu").reason == "bad-fit" and "flicker" in value(two, "prnu").flags
    assert "flicker" in value(two, "level").flags


def test_clamped_and_saturated_flats_give_no_clean_number() -> None:
    rng = np.random.default_rng(8)
    pattern = scene(rng, 0.01)
    rail = [np.minimum(expose(rng, pattern), np.uint16(20900)) for _ in range(4)]
    found = run(rng, as_flats(rail))
    assert value(found, "prnu").reason == "bad-fit" and "clamped" in value(found, "prnu").flags
    assert "clamped" in value(found, "level").flags
    full = run(rng, as_flats([expose(rng, pattern, 126000.0) for _ in range(3)]))
    assert value(full, "prnu").reason == "saturated"
    share = value(full, "saturated")
    assert share.value is not None and share.value > 1 and "saturated" in share.flags
    assert {"master", "master_flat", "defects"} <= set(full.absent)


def test_clean_flats_raise_no_flags() -> None:
    rng = np.random.default_rng(9)
    for _ in range(8):
        pattern = scene(rng, 0.01)
        found = run(rng, as_flats([expose(rng, pattern) for _ in range(4)]))
        assert not any(m.flags for m in found.measurements)


# settings and what is missing


def test_wavelengths_and_exposure_times_are_measured_apart() -> None:
    rng = np.random.default_rng(10)
    pattern = scene(rng, 0.01)
    flats = [
        *as_flats([expose(rng, pattern) for _ in range(2)], 10.0, wavelength=700),
        *as_flats([expose(rng, pattern, 20000.0) for _ in range(2)], 5.0, wavelength=700),
        *as_flats([expose(rng, pattern) for _ in range(1)], 10.0, wavelength=800),
    ]
    found = run(rng, flats)
    levels = {m.setting: m.value for m in found.measurements if m.quantity == "level"}
    assert list(levels) == ["wavelength=700, exptime=10", "wavelength=700, exptime=5"]
    assert levels["wavelength=700, exptime=10"] == pytest.approx(
        2 * levels["wavelength=700, exptime=5"], rel=0.01
    )  # type: ignore[operator]
    product = found.products["master_flat"]
    assert isinstance(product, ImageProduct) and len(product.planes) == 2
    assert any("wavelength=800" in line for line in found.log)


def test_channels_are_measured_each_with_its_own_offset() -> None:
    rng = np.random.default_rng(11)
    geometry = quadrants(rows=64, columns=60, prescan=6, overscan=12, parallel=4)
    camera = detector(geometry)
    offsets = dict(zip("EFGH", (700, 900, 1100, 1300), strict=True))
    frames = []
    for i in range(3):
        image = np.zeros(geometry.shape)
        for channel in geometry.channels:
            for region in (channel.image, channel.prescan, channel.overscan, channel.parallel):
                assert region is not None
                image[region.slices] = rng.normal(offsets[channel.name], 3, region.shape)
            image[channel.image.slices] += rng.poisson(10000, channel.image.shape)
        frames.append(frame_input(digitised(image), camera, "flat", i, 1.0))
    found = measured(PROCEDURE, inputs(PROCEDURE, camera, {"flat": frames}))
    for name in "EFGH":
        assert abs(pull(value(found, "level", name), 10000)) < 4


def test_what_cannot_be_had_is_missing_with_its_reason() -> None:
    rng = np.random.default_rng(12)
    images = [expose(rng, scene(rng, 0.01)) for _ in range(2)]
    alone = measured(PROCEDURE, inputs(PROCEDURE, DETECTOR, {"flat": as_flats(images)}))
    assert value(alone, "prnu").reason == "no-overscan"
    unlike = [*as_flats(images[:1], 1.0), *as_flats(images[1:], 2.0)]
    assert value(run(rng, unlike), "level").reason == "too-few-frames"
    unlit = [
        frame_input(digitised(rng.normal(OFFSET - 9, 3, (SIZE, SIZE))), DETECTOR, "flat", i, 1.0)
        for i in range(3)
    ]
    assert value(run(rng, unlit), "level").reason == "unphysical"
    lost = [frame_input(np.full((SIZE, SIZE), np.nan), DETECTOR, "flat", i, 10.0) for i in range(2)]
    assert value(run(rng, lost), "level").reason == "too-few-pixels"


def test_pixels_that_are_no_numbers_are_masked_and_said() -> None:
    rng = np.random.default_rng(13)
    pattern = scene(rng, 0.01)
    images = [expose(rng, pattern).astype(np.float32) for _ in range(4)]
    for image in images:
        image[7, 7] = np.nan
    images[0][9, 9] = np.inf
    flats = [frame_input(image, DETECTOR, "flat", i, 10.0) for i, image in enumerate(images)]
    found = run(rng, flats)
    assert "bad-pixels" in value(found, "prnu").flags
    mask = found.products["defects"]
    assert (
        isinstance(mask, ImageProduct) and mask.planes["A"][7, 7] == NO_VALUE and mask.planes["A"][9, 9] == 0
    )


@pytest.mark.real
@pytest.mark.skipif(not STL1001.is_dir(), reason="the real STL-1001E frames are not beside the checkout")
def test_real_flats() -> None:
    from astropy.io import fits

    camera = detector(single(rows=1024, columns=1024))

    def read(pattern: str, kind: str, exptime: float) -> list[FrameInput]:
        images = [fits.getdata(f).astype(np.uint16) for f in sorted(STL1001.glob(pattern))]
        return [frame_input(image, camera, kind, i, exptime) for i, image in enumerate(images)]

    given = {"flat": read("flat-*.FIT", "flat", 23.0), "bias": read("biases-Neg5*.FIT", "bias", 0.0)}
    found = measured(PROCEDURE, inputs(PROCEDURE, camera, given))
    levels = [f.summaries["A"].mean - 992.9 for f in given["flat"]]
    assert value(found, "stability").value == pytest.approx(
        100 * np.std(levels, ddof=1) / np.mean(levels), rel=0.01
    )
    assert 0.3 < (value(found, "prnu").value or 0) < 1.0  # front-illuminated KAF-1001E
    assert value(found, "dark_pixels").value == 1
    assert not any(m.flags for m in found.measurements)
