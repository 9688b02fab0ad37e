"""The brighter-fatter procedure against simulated and real detectors."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.brighter_fatter import PROCEDURE
from analysis.brighter_fatter.kernel import solved
from analysis.brighter_fatter.points import Point, covariances_of
from analysis.brighter_fatter.quarter import convolved, unfolded
from analysis.brighter_fatter.redistribution import redistributed
from analysis.brighter_fatter.straightness import halves, left_over
from analysis.contract import (
    ContractError,
    FrameInput,
    ImageProduct,
    Inputs,
    Measurement,
    Results,
    TableProduct,
)
from analysis.figures import ImageMap, Plot
from analysis.in_memory import detector, digitised, frame_input, inputs, measured, value
from builder.products import fits_bytes
from builder.simulate.effects import pixel_area
from campaign.geometry import Geometry, quadrants, single, with_gains
from campaign.model import Detector

STL1001 = Path(__file__).resolve().parents[3] / "shared" / "data" / "stl1001"
GAIN, NOISE, OFFSET = 2.0, 5.0, 1000.0  # e⁻/ADU, e⁻, ADU
AREA = pixel_area.area_matrix(8e-7, 5e-7, 3.0, 4)  # strong, so that small frames tell it
TRUE = {"a00": AREA[4, 4], "a10": AREA[4, 5], "a01": AREA[5, 4]}
LEVELS = (3e3, 15e3, 30e3, 50e3, 70e3)  # e⁻
GEOMETRY = quadrants(rows=128, columns=120, prescan=4, overscan=20, parallel=4)
SINGLE = single(rows=128, columns=120, overscan=20)
Image = NDArray[np.floating]


def camera(geometry: Geometry = SINGLE) -> Detector:
    return detector(geometry)


def exposure(
    rng: np.random.Generator, level: float, geometry: Geometry = SINGLE, rays: int = 0
) -> NDArray[np.float64]:
    """A flat [ADU] before the converter."""
    image = rng.normal(OFFSET, NOISE / GAIN, geometry.shape)
    for channel in geometry.channels:
        charge = pixel_area.expose(level, AREA, rng, channel.image.shape, 5000.0)
        image[channel.image.slices] += charge / GAIN
    for y, x in rng.integers(10, 100, (rays, 2)):
        image[y, x : x + 3] += 8000.0
    return image


@cache
def images(
    seed: int = 1,
    levels: tuple[float, ...] = LEVELS,
    pairs: int = 2,
    geometry: Geometry = SINGLE,
    rays: int = 0,
) -> tuple[NDArray[np.float64], ...]:
    rng = np.random.default_rng(seed)
    return tuple(exposure(rng, level, geometry, rays) for level in levels for _ in range(2 * pairs))


def flats(
    made: tuple[Image, ...],
    levels: tuple[float, ...] = LEVELS,
    geometry: Geometry = SINGLE,
    dtype: str = "uint16",
    **fields: float,
) -> list[FrameInput]:
    """Frames of images, as many of each level; a thousandth of the level their exposure time."""
    of, out = len(made) // len(levels), []
    for n, image in enumerate(made):
        stored = digitised(image) if dtype == "uint16" else image.astype(dtype)
        out.append(frame_input(stored, camera(geometry), "flat", n, levels[n // of] / 1000.0, **fields))
    return out


def run(
    frames: list[FrameInput], geometry: Geometry = SINGLE, used: object = None, **parameters: float | str
) -> Results:
    given = inputs(PROCEDURE, camera(geometry), {"flat": frames}, used=used, **parameters)  # type: ignore[arg-type]
    return measured(PROCEDURE, given)


@cache
def good() -> Results:
    return run(flats(images()))


def pull(found: Measurement, truth: float) -> float:
    assert found.value is not None and found.uncertainty is not None, found
    return (found.value - truth) / found.uncertainty


def reasons(results: Results, channel: str = "A") -> set[str | None]:
    of_flats = (m for m in results.measurements if not m.quantity.startswith("spot_"))
    return {m.reason for m in of_flats if m.channel == channel}


def test_a_ladder_gives_the_detector_back() -> None:
    for name, truth in TRUE.items():
        found = value(good(), name)
        assert abs(pull(found, truth)) < 4, name
        assert abs(truth) > 6 * found.uncertainty, name  # type: ignore[operator]
        assert found.flags == () and found.n == 10 and "e⁻/ADU of this fit" in found.note
    for name in ("kernel_sum", "a00_after", "a10_after", "a01_after", "curvature_ratio"):
        assert abs(pull(value(good(), name), 0.0)) < 4, name
    k = np.fft.irfft2(pixel_area.potential(AREA, (256, 256)), s=(256, 256))
    assert abs(pull(value(good(), "kernel_centre"), float(k[0, 0] - k[128, 128]))) < 4
    assert abs(pull(value(good(), "fit_chi2"), 1.0)) < 4
    assert value(good(), "pairs_used").value == 10
    assert value(good(), "max_level").value == pytest.approx(35e3, rel=1e-3)
    wide, tall = value(good(), "fwhm_x"), value(good(), "fwhm_y")
    assert wide.value is not None and tall.value is not None and wide.value > 0 and tall.value > 0
    assert "of 12 µm" in wide.note and good().caveats == []


def test_the_check_of_the_middle_tells_what_all_pixels_tell() -> None:
    """What the correction does beyond the law of faint waves is told by few pixels; the noise is that of all."""
    middle, whole = (value(run(flats(images()), window=n), "a00_after") for n in (48, 0))
    assert whole == value(good(), "a00_after")  # a channel smaller than the window is corrected as a whole
    assert middle.uncertainty is not None and whole.uncertainty is not None and middle.value is not None
    assert middle.uncertainty == pytest.approx(whole.uncertainty, rel=0.02)
    # noise of a seventh of the pixels would be 2.6 times the uncertainty
    assert middle.value == pytest.approx(whole.value, abs=0.2 * whole.uncertainty)


def test_the_correction_takes_the_curvature_away() -> None:
    ratio = value(good(), "curvature_ratio")
    assert "other half" in ratio.note and "few-frames" not in ratio.flags
    assert ratio.uncertainty is not None and ratio.uncertainty < 0.2
    before, after = value(good(), "a00"), value(good(), "a00_after")
    # two halves of the pairs, each √2 as uncertain, and independent; corrected covariances answer to what is left a little more
    assert 1.3 < after.uncertainty / before.uncertainty < 2.1  # type: ignore[operator]


@pytest.mark.parametrize("order", [1, 2])
def test_both_orders_of_the_correction_leave_what_is_known(order: int) -> None:
    found = value(run(flats(images()), order=order), "a00_after")
    assert abs(pull(found, 0.0)) < 4


@pytest.mark.parametrize("estimator", ["guyonnet", "coulton"])
def test_other_estimators_are_near(estimator: str) -> None:
    """Low by up to a third at these levels, as first order is; they say that they are of first order."""
    gain = Measurement("gain", "A", "", GAIN, 1e-3, "e⁻/ADU", "", 1)
    found = run(flats(images()), used={("photon_transfer", "gain"): {"A": gain}}, estimator=estimator)
    for name, truth in TRUE.items():
        m = value(found, name)
        assert m.value is not None and m.uncertainty is not None
        assert "first order" in m.estimator
        assert 0.6 * abs(truth) - 4 * m.uncertainty < abs(m.value) < abs(truth) + 4 * m.uncertainty
    assert value(found, "kernel_centre").value < 0  # type: ignore[operator]


def test_every_corner_tells_the_same() -> None:
    """The same light on each quadrant, read at its own corner: mirrored, and so the same numbers."""
    tile = images()
    y0, x0 = SINGLE.channels[0].image.y0, SINGLE.channels[0].image.x0
    made = []
    for n, image in enumerate(tile):
        whole = np.random.default_rng(n).normal(OFFSET, NOISE / GAIN, GEOMETRY.shape)
        light = image[y0 : y0 + 128, x0 : x0 + 120]
        for channel in GEOMETRY.channels:
            turned = light[::-1] if "upper" in channel.corner else light
            turned = turned[:, ::-1] if "right" in channel.corner else turned
            whole[channel.image.slices] = turned
        made.append(np.rint(whole))
    found = run(flats(tuple(made), geometry=GEOMETRY), GEOMETRY)
    for name in ("a00", "a10", "a01", "a00_after"):
        held = [value(found, name, c.name) for c in GEOMETRY.channels]
        # offsets are of different overscans: they differ by hundredths of an ADU
        for other in held[1:]:
            assert other.value == pytest.approx(held[0].value, abs=0.05 * held[0].uncertainty)  # type: ignore[operator]


def test_floats_and_whole_numbers_tell_the_same() -> None:
    found = run(flats(images(), dtype="float32"))
    for name in TRUE:
        one, other = value(good(), name), value(found, name)
        assert one.value == pytest.approx(other.value, abs=0.1 * other.uncertainty)  # type: ignore[operator]


def test_bad_pixels_and_cosmic_rays_cost_only_themselves() -> None:
    spoilt = []
    for n, image in enumerate(images(3, rays=25)):
        held = image.copy()
        held[20:24, 30:33] = np.nan
        held[60, :] = 65535.0 if n % 2 else held[60]
        held[80, 40] = 200.0
        spoilt.append(held)
    found = run(flats(tuple(spoilt), dtype="float32"), pile_fraction=0.02)
    for name, truth in TRUE.items():
        assert abs(pull(value(found, name), truth)) < 4
    assert abs(pull(value(found, "a10_after"), 0.0)) < 4


def test_a_lamp_that_drifts_within_tolerance_does_not_matter_and_beyond_costs_the_pair() -> None:
    for drift, used in ((1.006, 10), (1.03, 0)):
        made = tuple(
            OFFSET + (image - OFFSET) * (drift if n % 2 else 1.0) for n, image in enumerate(images())
        )
        found = run(flats(made))
        if used:
            assert value(found, "pairs_used").value == used
            assert abs(pull(value(found, "a10"), TRUE["a10"])) < 4
        else:
            assert reasons(found) == {"bad-fit"}
            assert value(found, "a00").flags == ("lamp-drift",)


def test_one_bad_pair_is_left_out_and_its_flag_stays() -> None:
    made = list(images())
    made[5] = OFFSET + (made[5] - OFFSET) * 1.03
    found = run(flats(tuple(made)))
    assert value(found, "pairs_used").value == 9
    assert value(found, "a00").flags == ("lamp-drift",)
    assert abs(pull(value(found, "a00"), TRUE["a00"])) < 4
    assert any("the light changed" in line for line in found.log)


def test_flats_past_the_turnoff_are_left_out() -> None:
    levels = (*LEVELS, 90e3)
    rng = np.random.default_rng(17)
    full = tuple(rng.normal(OFFSET + 45e3, 40.0, SINGLE.shape) for _ in range(2))
    full = tuple(
        np.where(np.arange(SINGLE.shape[1]) < 120, f, rng.normal(OFFSET, 2.5, SINGLE.shape)) for f in full
    )
    frames = flats(images()) + [
        frame_input(digitised(f), camera(), "flat", 50 + n, levels[-1] / 1000.0) for n, f in enumerate(full)
    ]
    found = run(frames)
    # the level of largest variance may be past it already
    assert value(found, "max_level").value == pytest.approx(25e3, rel=1e-3)
    assert abs(pull(value(found, "a00"), TRUE["a00"])) < 4
    asked = run(flats(images()), max_level=30e3)
    assert value(asked, "max_level").value == pytest.approx(25e3, rel=1e-3)
    well = Measurement("full_well_adu", "A", "", 35e3, 1e3, "ADU", "", 1)
    told = run(
        flats(images()), used={("photon_transfer", "full_well_adu"): {"A": replace(well, value=34.9e3)}}
    )
    assert value(told, "max_level").value == pytest.approx(25e3, rel=1e-3)
    none = run(flats(images()), max_level=100.0)
    assert reasons(none) == {"not-reached"}


def test_few_levels_need_a_gain() -> None:
    made = flats(images()[4:12], LEVELS[1:3])
    assert reasons(run(made)) == {"no-gain"}
    nominal = with_gains(SINGLE, {"A": GAIN})
    found = run(made, nominal)
    a00 = value(found, "a00")
    assert {"nominal-gain", "few-levels"} <= set(a00.flags) and "nominal gain 2" in a00.note
    assert abs(pull(a00, TRUE["a00"])) < 4
    assert value(found, "fit_chi2").value is not None
    one = run(flats(images()[:4], LEVELS[:1]), nominal)
    assert reasons(one) == {"too-few-frames"}
    assert set(one.absent) == {"kernel_image", "falloff", "kernel", "area_matrix", "straight", "spots"}


def test_with_few_levels_of_one_pair_the_check_says_on_what_it_rests() -> None:
    found = run(flats(tuple(image for n, image in enumerate(images()) if n % 4 < 2)))
    after = value(found, "a00_after")
    assert "few-frames" in after.flags and "upper bound" in after.note
    assert abs(pull(after, 0.0)) < 2


def test_a_ladder_of_single_pairs_is_checked_on_pairs_the_kernel_was_not_made_of() -> None:
    points = [Point(f"{t}a", f"{t}b", t) for t in (4.0, 1.0, 2.0, 3.0, 1.0, 5.0, 6.0)]
    ours, theirs = halves(points)
    assert [p.exptime for p in ours] == [1.0, 2.0, 4.0, 6.0] and [p.exptime for p in theirs] == [
        1.0,
        3.0,
        5.0,
    ]
    assert halves(points[:1])[1] == []
    levels = tuple(np.linspace(5e3, 70e3, 7))
    after = value(run(flats(images(8, levels, 1), levels)), "a00_after")
    assert "other half" in after.note and "few-frames" not in after.flags
    assert abs(pull(after, 0.0)) < 4


def test_a_right_correction_of_much_charge_looks_right() -> None:
    """Where borders have moved by half a pixel's area second order in that is not enough to say what is left."""
    level, area = 180e3, pixel_area.area_matrix(4e-7, 3e-7, 3.0, 4)
    quarter = np.pad(area[4:, 4:], ((0, 4), (0, 4)))
    pair = pixel_area.expose(level, area, np.random.default_rng(4), (2, 512, 512), 5000.0)
    off = {}
    for order in (1, 2):
        light = [redistributed(frame, solved(quarter), order).charge for frame in pair]
        matrix, counts = covariances_of(light[0] - light[1], np.zeros((512, 512), np.bool_), lags=1)
        matrix[0, 0] -= level
        errors = level / np.sqrt(counts)
        errors[0, 0] *= np.sqrt(2.0)
        off[order] = (matrix - left_over(quarter, 1.0, level, order)) / errors
        assert (np.abs(off[order]) < 4).all(), order
    # 5/12 y² alone misses by many errors: it could tell
    left = left_over(quarter, 1.0, level, 1)[0, 0]
    assert abs(left - 5 / 12 * convolved(quarter, quarter, 1)[0, 0] * level**3) > 6 * errors[0, 0]


def test_without_any_way_to_an_offset_there_is_nothing() -> None:
    plain = single(rows=128, columns=120)
    y, x = SINGLE.channels[0].image.slices
    frames = [
        frame_input(digitised(image[y, x]), camera(plain), "flat", n, LEVELS[n // 4] / 1000)
        for n, image in enumerate(images())
    ]
    assert reasons(run(frames, plain)) == {"no-overscan"}
    rng = np.random.default_rng(5)
    biases = [
        frame_input(digitised(rng.normal(OFFSET, NOISE / GAIN, plain.shape)), camera(plain), "bias", n)
        for n in range(4)
    ]
    given = inputs(PROCEDURE, camera(plain), {"flat": frames, "bias": biases})
    assert abs(pull(value(measured(PROCEDURE, given), "a00"), TRUE["a00"])) < 4


def test_saturated_dark_and_tiny_frames_are_told() -> None:
    full = tuple(np.full(SINGLE.shape, 65535.0) for _ in range(4))
    assert reasons(run(flats(full, LEVELS[:2]))) == {"saturated"}
    dark = tuple(np.random.default_rng(n).normal(OFFSET, 3.0, SINGLE.shape) - 0.5 for n in range(4))
    assert reasons(run(flats(dark, LEVELS[:2]))) <= {"unphysical", "no-gain", "bad-fit", "too-few-frames"}
    small = single(rows=6, columns=6, overscan=20)
    tiny = tuple(image[:6, 114:140] for image in images()[:8])
    assert reasons(run(flats(tiny, LEVELS[:2], small), small)) == {"too-few-pixels"}
    alone = run(flats(images()[:1], LEVELS[:1]))
    assert reasons(alone) == {"too-few-frames"}


def test_settings_are_measured_apart() -> None:
    blue, red = (flats(images(seed), wavelength=w) for seed, w in ((1, 450.0), (2, 850.0)))
    found = run([*blue, *red])
    a00 = [m for m in found.measurements if m.quantity == "a00"]
    assert [m.setting for m in a00] == ["wavelength=450.0", "wavelength=850.0"]
    assert all(abs(pull(m, TRUE["a00"])) < 4 for m in a00)
    kernel = found.products["kernel"]
    assert isinstance(kernel, ImageProduct) and list(kernel.planes) == ["A", "A_ERR"]


def test_an_unknown_estimator_is_refused() -> None:
    with pytest.raises(ContractError, match="one of astier, guyonnet, coulton"):
        run(flats(images()), estimator="best")


@pytest.mark.filterwarnings("error")
def test_products_can_be_written_and_hold_what_was_found() -> None:
    kernel, areas, points = (good().products[n] for n in ("kernel", "area_matrix", "covariance_points"))
    assert (
        isinstance(kernel, ImageProduct)
        and isinstance(areas, TableProduct)
        and isinstance(points, TableProduct)
    )
    assert kernel.planes["A"].shape == (17, 17) == kernel.planes["A_ERR"].shape
    assert float(kernel.planes["A"][8, 8]) == value(good(), "kernel_centre").value
    assert kernel.cards["KUNIT"][0] == "pixel2/electron"
    assert len(fits_bytes(kernel, [], [])) % 2880 == 0
    table = {k: np.asarray(v) for k, v in areas.columns.items()}
    at = (table["rows"] == 0) & (table["columns"] == 1)
    assert table["a"][at] == value(good(), "a10").value
    whole = unfolded(table["zero_sum"].reshape(9, 9))
    assert abs(whole.sum()) < 1e-18
    assert len(points.columns["level"]) == 10 * 81


def test_figures_show_every_channel() -> None:
    figures = good().figures
    image = figures["kernel_image"]
    assert isinstance(image, ImageMap) and image.xnames == ("A",) and image.outlines == (("", 0, 17, 0, 17),)
    straight = figures["straight"]
    assert isinstance(straight, Plot)
    labels = [s.label for s in straight.panels[0].series]
    assert labels == ["A, before", "A, after", "A, straight"]
    before, after = straight.panels[0].series[:2]
    top = np.argsort(before.x)[-1], np.argsort(after.x)[-1]
    assert after.y[top[1]] > 1.05 * before.y[top[0]]


def test_the_same_frames_make_the_same_bits() -> None:
    again = run(flats(images()))
    assert [m.value for m in again.measurements] == [m.value for m in good().measurements]


@pytest.mark.real
@pytest.mark.skipif(not STL1001.is_dir(), reason="the real STL-1001E frames are not beside the checkout")
def test_real_flats_of_one_level_say_that_it_is_one() -> None:
    from astropy.io import fits

    real = detector(with_gains(single(rows=1024, columns=1024), {"A": 2.06}))
    frames = {
        kind: [frame_input(np.asarray(fits.getdata(f)), real, kind, n, time) for n, f in enumerate(sorted(STL1001.glob(pattern)))]
        for kind, pattern, time in (("flat", "flat-*.FIT", 23.0), ("bias", "biases-Neg5*.FIT", 0.0))
    }  # fmt: skip
    given: Inputs = inputs(PROCEDURE, real, frames)
    found = measured(PROCEDURE, given)
    assert reasons(found) == {"too-few-frames"}
    points = found.products["covariance_points"]
    assert isinstance(points, TableProduct)
    held = {k: np.asarray(v) for k, v in points.columns.items()}
    near = held["covariance"][(held["rows"] == 0) & (held["columns"] == 0)]
    images = [
        f.pixels.read(real.geometry.channels[0], real.geometry.channels[0].image) for f in frames["flat"]
    ]
    for found_variance, first, second in zip(near, images[::2], images[1::2], strict=True):
        difference = first.astype(float) - second
        centred = difference - np.median(difference)
        by_hand = np.var(centred[np.abs(centred) < 6 * np.std(centred)]) / 2
        # whole frames, nothing weighted, no surface taken off: a per cent
        assert found_variance == pytest.approx(by_hand, rel=0.01)
